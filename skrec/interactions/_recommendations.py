"""What ``recommend``, ``similar_items`` and ``search`` return."""

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from skrec.interactions._id_index import IdIndex
from skrec.interactions._plain_input import take_rows
from skrec.utils import installed_frame_library, one_line, table_html, table_text

_TEXT_ROWS = 20
_HTML_ROWS = 50


class Recommendations:
    """Ranked items, one row per query, best first.

    Unpacks as ``items, scores = recommendations``. ``len`` counts queries, and ``recommendations[i]`` and slices are
    the Recommendations of those queries. It prints as a table, with titles where the model keeps them. Inside it holds
    integer codes and float32 scores; ids are decoded on access.

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
        Column name of ``users`` in :meth:`to_frame`; ``"item"`` is written ``"source_item"``.
    titles : sequence of n_items str or None, or None
        What the items of the catalogue are called; None where the model keeps no titles.
    report : dict or None
        How the lists came about, for a model that has something to say about it: which parts failed, what a language
        model did. It is about the call as a whole.

    Examples
    --------
    >>> from skrec.dummy import PopularRecommender
    >>> rec = PopularRecommender().fit([["ann", "tea"], ["bob", "tea"], ["bob", "rye"]])
    >>> recs = rec.recommend(["ann", "eve"], k=2)
    >>> print(recs)
    user  rank  item  score
    ann   1     rye   1
    eve   1     tea   2
          2     rye   1
    >>> recs[1].items.tolist()
    [['tea', 'rye']]
    >>> items, scores = recs
    """

    _item_column = "item"

    def __init__(
        self,
        codes: NDArray[np.int32],
        scores: NDArray[np.float32],
        users: NDArray,
        item_index: IdIndex,
        *,
        backend: str | None = None,
        query_name: str = "user",
        titles: Sequence[str | None] | None = None,
        report: dict[str, Any] | None = None,
    ) -> None:
        self.codes = codes
        self.scores = scores
        self.users = users
        self._item_index = item_index
        self._backend = backend
        # The items that similar ones were asked for stand beside those that were found.
        self._query_name = "source_item" if query_name == "item" else query_name
        self._titles = titles
        self.report = report

    @classmethod
    def read(cls, found: Any, users: NDArray, item_index: IdIndex) -> "Recommendations":
        """The result of any recommender: as it is, or a pair ``(items, scores)`` of (n_queries, k) arrays.

        Parameters
        ----------
        found : Recommendations or pair of array-likes
            In a pair, None stands where a row has no further item. Recommendations of another catalogue are read
            again by their ids.
        users : ndarray of shape (n_queries,)
        item_index : IdIndex
            The catalogue; items outside it are dropped.
        """
        if isinstance(found, Recommendations):
            return found if found._item_index.has_values(item_index.values) else found._in_catalogue(item_index)
        items, scores = (np.asarray(part) for part in found)
        if items.dtype != object:  # which has no place for None
            codes = item_index.codes(items.ravel(), "recommended items").astype(np.int32).reshape(items.shape)
        else:
            codes = np.full(items.shape, -1, np.int32)
            given = np.reshape([item is not None for item in items.ravel().tolist()], items.shape)
            if given.any():
                codes[given] = item_index.codes(items[given], "recommended items")
        return cls(codes, np.where(codes >= 0, scores, -np.inf).astype(np.float32, copy=False), users, item_index)

    def _in_catalogue(self, item_index: IdIndex) -> "Recommendations":
        """The same lists in the codes of another catalogue; items outside it are dropped."""
        own = item_index.codes(self._item_index.values, "recommended items", check_kind=False)
        places = np.append(own, -1).astype(np.int32)  # the last is where a row has no item
        codes = places[self.codes]
        titles: list[str | None] | None = None
        if self._titles is not None:
            titles = [None] * len(item_index)
            for code, title in zip(own.tolist(), self._titles, strict=False):
                if code >= 0:
                    titles[code] = title
        scores = np.where(codes >= 0, self.scores, -np.inf).astype(np.float32)
        found = self.with_lists(codes, scores)
        found._item_index, found._titles = item_index, titles
        return found

    def with_lists(
        self,
        codes: NDArray[np.int32],
        scores: NDArray[np.float32],
        users: NDArray | None = None,
        *,
        report: dict[str, Any] | None = None,
    ) -> "Recommendations":
        """Other lists from the same catalogue, for the same queries or for ``users``, with a report of their own."""
        users = self.users if users is None else users
        return Recommendations(
            codes,
            scores,
            users,
            self._item_index,
            backend=self._backend,
            query_name=self._query_name,
            titles=self._titles,
            report=self.report if report is None else report,
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

    def __getitem__(self, queries: SupportsIndex | slice | ArrayLike) -> "Recommendations":
        """The Recommendations of one query, or of several.

        Parameters
        ----------
        queries : int, slice or array of int or bool
            Positions among the queries.
        """
        if not isinstance(queries, slice):
            position = np.asarray(queries)
            queries = position[None] if position.ndim == 0 else position
            if queries.dtype.kind not in "iub" or queries.ndim != 1:
                raise TypeError(
                    f"Recommendations take positions of queries, as in recs[0] or recs[:5]; got {queries.tolist()!r}. "
                    "For a user write recs[recs.users == user]."
                )
        return self.with_lists(self.codes[queries], self.scores[queries], self.users[queries])

    @property
    def titles(self) -> NDArray | None:
        """(n_queries, k) titles, None where an item has none; None as a whole where the model keeps no titles."""
        if self._titles is None:
            return None
        known = [self._titles[code] if 0 <= code < len(self._titles) else None for code in self.codes.ravel().tolist()]
        titles = np.empty(len(known), dtype=object)
        titles[:] = known
        return titles.reshape(self.codes.shape)

    def __repr__(self) -> str:
        return table_text(self._cells(_TEXT_ROWS), self._n_hidden(_TEXT_ROWS))

    def _repr_html_(self) -> str:
        return table_html(self._cells(_HTML_ROWS), self._n_hidden(_HTML_ROWS))

    def _n_hidden(self, n_shown: int) -> int:
        return max(int((self.codes >= 0).sum()) - n_shown, 0)

    def _cells(self, n_rows: int) -> dict[str, list[str]]:
        """The first rows as text by column; a query is named in its first row alone."""
        row, column = (at[:n_rows] for at in np.nonzero(self.codes >= 0))
        cells = {
            self._query_name: [
                one_line(self.users[at]) if not j or at != row[j - 1] else "" for j, at in enumerate(row)
            ],
            "rank": [str(at + 1) for at in column],
            self._item_column: [one_line(item) for item in self._item_index.values[self.codes[row, column]].tolist()],
        }
        titles = self.titles
        if titles is not None:
            cells["title"] = [one_line("" if title is None else title) for title in titles[row, column]]
        return cells | {"score": [f"{score:.4g}" for score in self.scores[row, column].tolist()]}

    def to_frame(self, *, titles: bool = False) -> Any:
        """One row per recommendation: user, item, score, rank (from 1); padding is dropped.

        Parameters
        ----------
        titles : bool, default=False
            With a column ``title`` behind ``item``.

        Returns
        -------
        frame
            Of the frame library of X in fit; for a NumPy X of the first of pandas, polars and pyarrow
            that is installed.

        Raises
        ------
        ValueError
            If ``titles=True`` and the model keeps none.
        """
        row, column = np.nonzero(self.codes >= 0)
        columns = {
            self._query_name: self.users[row],
            self._item_column: self._item_index.values[self.codes[row, column]],
        }
        if titles:
            kept = self.titles
            if kept is None:
                raise ValueError(
                    "titles=True, but the model keeps no titles: fit it with item_features that have a column of text, "
                    "such as 'title' or 'name'."
                )
            columns["title"] = kept[row, column]
        columns |= {"score": self.scores[row, column], "rank": column + 1}
        data = {name: v.tolist() if v.dtype.kind in "OUS" else v for name, v in columns.items()}
        backend: Any = self._backend or installed_frame_library()
        return nw.from_dict(data, backend=backend).to_native()


def explained_pairs(users: Any, items: Any, context: Any) -> tuple[Any, Any, Any]:
    """Users, items and context of ``explain``, which also takes Recommendations in place of both.

    Parameters
    ----------
    users : array-like of ids or Recommendations
    items : array-like of ids, or None beside Recommendations
    context : table of one row per query of the Recommendations, or one row for all; or None

    Returns
    -------
    users, items, context
        One row per recommendation, padding dropped.

    Raises
    ------
    TypeError
        If items are missing, or given beside Recommendations.
    """
    if not isinstance(users, Recommendations):
        if items is None:
            raise TypeError("explain takes users and items, or the result of recommend: explain(users, items).")
        return users, items, context
    if items is not None:
        raise TypeError("explain takes either Recommendations alone, or users and items.")
    row, column = np.nonzero(users.codes >= 0)
    if context is not None and len(users) > 1 and np.shape(context)[0] == len(users):
        context = take_rows(context, row)
    return users.users[row], users.items[row, column], context
