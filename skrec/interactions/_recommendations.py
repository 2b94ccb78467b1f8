"""What ``recommend``, ``similar_items`` and ``search`` return."""

from collections.abc import Iterator
from html import escape
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions._id_index import IdIndex
from skrec.utils import installed_frame_library

_HTML_ROWS = 20


class Recommendations:
    """Ranked items, one row per query, best first.

    Unpacks as ``items, scores = recommendations``. Inside it holds integer codes and float32 scores; ids
    are decoded on access.

    Parameters
    ----------
    codes : int32 array of shape (n_queries, k)
        Positions in the catalogue; -1 where a row has no further item.
    scores : float32 array of shape (n_queries, k)
        -inf where a row has no further item.
    users : ndarray of shape (n_queries,)
        The queries: user ids, item ids (``similar_items``) or texts (``search``).
    item_index : IdIndex
        The catalogue.
    backend : {"pandas", "polars", "pyarrow"} or None
        Frame library of :meth:`to_frame`; None takes the first that is installed.
    query_name : str
        Column name of ``users`` in :meth:`to_frame`.
    """

    def __init__(
        self,
        codes: NDArray[np.int32],
        scores: NDArray[np.float32],
        users: NDArray,
        item_index: IdIndex,
        *,
        backend: str | None = None,
        query_name: str = "user",
    ) -> None:
        self.codes = codes
        self.scores = scores
        self.users = users
        self._item_index = item_index
        self._backend = backend
        self._query_name = query_name

    @classmethod
    def read(cls, found: Any, users: NDArray, item_index: IdIndex) -> "Recommendations":
        """The result of any recommender: as it is, or a pair ``(items, scores)`` of (n_queries, k) arrays.

        Parameters
        ----------
        found : Recommendations or pair of array-likes
            In a pair, None stands where a row has no further item.
        users : ndarray of shape (n_queries,)
        item_index : IdIndex
            The catalogue; items outside it are dropped.
        """
        if isinstance(found, Recommendations):
            return found
        items, scores = (np.asarray(part) for part in found)
        codes = np.full(items.shape, -1, np.int32)
        given = np.array([item is not None for item in items.ravel()], dtype=bool).reshape(items.shape)
        if given.any():
            codes[given] = item_index.codes(items[given], "recommended items")
        return cls(codes, np.where(codes >= 0, scores, -np.inf).astype(np.float32), users, item_index)

    def with_lists(
        self, codes: NDArray[np.int32], scores: NDArray[np.float32], users: NDArray | None = None
    ) -> "Recommendations":
        """Other lists from the same catalogue, for the same queries or for ``users``."""
        users = self.users if users is None else users
        return Recommendations(
            codes, scores, users, self._item_index, backend=self._backend, query_name=self._query_name
        )

    @property
    def items(self) -> NDArray:
        """(n_queries, k) ids: of the dtype of ``items_`` where every row is full, else object with None."""
        return self._item_index.decode(self.codes)

    def __iter__(self) -> Iterator[NDArray]:
        yield self.items
        yield self.scores

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        n_queries, k = self.codes.shape
        return f"Recommendations(n_queries={n_queries}, k={k})"

    def to_frame(self) -> Any:
        """One row per recommendation: user, item, score, rank (from 1); padding is dropped.

        Returns
        -------
        frame
            Of the frame library of X in fit; for a NumPy X of the first of pandas, polars and pyarrow
            that is installed.
        """
        row, column = np.nonzero(self.codes >= 0)
        columns = {
            self._query_name: self.users[row],
            "item": self._item_index.values[self.codes[row, column]],
            "score": self.scores[row, column],
            "rank": column + 1,
        }
        data = {name: v.tolist() if v.dtype.kind in "OUS" else v for name, v in columns.items()}
        backend: Any = self._backend or installed_frame_library()
        return nw.from_dict(data, backend=backend).to_native()

    def _repr_html_(self) -> str:
        items, scores = self.items, self.scores
        rows = []
        for user, row, row_scores in list(zip(self.users, items, scores, strict=True))[:_HTML_ROWS]:
            cells = "".join(
                f"<td>{escape(str(item))}<br><small>{score:.3g}</small></td>" if np.isfinite(score) else "<td></td>"
                for item, score in zip(row, row_scores, strict=True)
            )
            rows.append(f"<tr><th>{escape(str(user))}</th>{cells}</tr>")
        head = "".join(f"<th>{rank}</th>" for rank in range(1, items.shape[1] + 1))
        more = f"<p>{len(self) - _HTML_ROWS} more rows</p>" if len(self) > _HTML_ROWS else ""
        header = f"<thead><tr><th>{self._query_name}</th>{head}</tr></thead>"
        return f"<table>{header}<tbody>{''.join(rows)}</tbody></table>{more}"
