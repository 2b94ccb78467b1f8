"""Why items are recommended: the evidence, and the words for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec._explain._moments import context_words
from skrec.utils import installed_frame_library, one_line, table_text

_HTML_ROWS = 20
_TEXT_ROWS = 10
_LONGEST_REASON = 100
_PHRASES = {
    "friends": "a friend chose it",
    "history": "chosen before",
    "context": "the moment",
    "features": "a like profile",
    "chance": "chance",
}


@dataclass(frozen=True)
class Evidence:
    """One reason for a recommendation.

    Attributes
    ----------
    kind : {"history", "context", "features", "popularity", "chance", "friends"}
        An item of the user's history, a column of the context, the user's features, how often others chose the
        item, or nothing at all.
    weight : float
        What it adds to the score; for "popularity" the events of the item, with their strength.
    item : id or None
        The item of the history.
    name : str or None
        What the item or the column of the context is called, where that is known; for "friends", the friend.
    keywords : tuple of str
        Words that the texts of both items share, the rarest first.
    rank : int or None
        For "popularity", the place of the item among all, from 1.
    n_items : int or None
        For "popularity", how many there are.
    despite_history : bool
        For "popularity", whether the user has a history, of which nothing supports the item.
    value : str, datetime64 or None
        For "context", what the column holds, where a pipeline knows it: a moment to the minute, the day or the month.
    """

    kind: str
    weight: float
    item: Any = None
    name: str | None = None
    keywords: tuple[str, ...] = ()
    rank: int | None = None
    n_items: int | None = None
    despite_history: bool = False
    value: Any = None

    def __str__(self) -> str:
        if self.kind == "popularity":
            return f"number {self.rank} of {self.n_items} by popularity"
        name = context_words(self.name, self.value) if self.kind == "context" else self.name
        name = self.item if name is None else name
        shared = f" (in common: {', '.join(self.keywords)})" if self.keywords else ""
        return f"{_PHRASES[self.kind]}{'' if name is None else f': {name}'}{shared}"


class Explanations:
    """Reasons for pairs of a user and an item.

    Parameters
    ----------
    user, item : ndarray of shape (n,)
        Ids of each pair.
    text : list of n str
    evidence : list of n lists of Evidence
        The strongest first.
    method : list of n str
        Who wrote the text: "template" or "llm".
    backend : {"pandas", "polars", "pyarrow"} or None
        Frame library of :meth:`to_frame`; None takes the first that is installed.
    report : dict or None
        How the texts came about, for a model that has something to say about it: what a language model did. It is
        about the call as a whole.
    """

    def __init__(
        self,
        user: NDArray,
        item: NDArray,
        text: Sequence[str],
        evidence: Sequence[Sequence[Evidence]],
        method: Sequence[str],
        *,
        backend: str | None = None,
        report: dict[str, Any] | None = None,
    ) -> None:
        self.user = user
        self.item = item
        self.text = list(text)
        self.evidence = [list(reasons) for reasons in evidence]
        self.method = list(method)
        self._backend = backend
        self.report = report

    @classmethod
    def in_order(cls, groups: "Sequence[tuple[NDArray, Explanations]]") -> "Explanations":
        """Explanations of several models as one.

        Parameters
        ----------
        groups : sequence of (positions, Explanations)
            The places that the pairs of each have in the whole.
        """
        order = np.argsort(np.concatenate([rows for rows, _ in groups]), kind="stable").tolist()
        found = [explanations for _, explanations in groups]

        def joined(name: str) -> list[Any]:
            values = [value for explanations in found for value in getattr(explanations, name)]
            return [values[at] for at in order]

        users, items = (np.concatenate([getattr(one, name) for one in found])[order] for name in ("user", "item"))
        texts, evidence, methods = (joined(name) for name in ("text", "evidence", "method"))
        return cls(users, items, texts, evidence, methods, backend=found[0]._backend)

    def rewritten(
        self,
        text: Sequence[str],
        evidence: Sequence[Sequence[Evidence]],
        method: Sequence[str],
        pairs: tuple[NDArray, NDArray] | None = None,
        *,
        report: dict[str, Any] | None = None,
    ) -> "Explanations":
        """Other texts, for the same pairs or for other users and items; with a report of their own."""
        user, item = (self.user, self.item) if pairs is None else pairs
        report = self.report if report is None else report
        return Explanations(user, item, text, evidence, method, backend=self._backend, report=report)

    def __len__(self) -> int:
        return len(self.text)

    def __iter__(self) -> Iterator[str]:
        return iter(self.text)

    def __repr__(self) -> str:
        n_hidden = max(len(self) - _TEXT_ROWS, 0)
        cells = {
            "user": [one_line(user) for user in self.user[:_TEXT_ROWS].tolist()],
            "item": [one_line(item) for item in self.item[:_TEXT_ROWS].tolist()],
            "why": [one_line(text, _LONGEST_REASON) for text in self.text[:_TEXT_ROWS]],
        }
        return table_text(cells, n_hidden)

    def to_frame(self) -> Any:
        """One row a pair: user, item, text, method and the evidence in a few words.

        Returns
        -------
        frame
            Of the frame library of X in fit; for a NumPy X of the first of pandas, polars and pyarrow
            that is installed.
        """
        data: dict[str, Any] = {
            name: ids.tolist() if ids.dtype.kind in "OUS" else ids
            for name, ids in (("user", np.asarray(self.user)), ("item", np.asarray(self.item)))
        }
        data["text"], data["method"] = self.text, self.method
        data["evidence"] = ["; ".join(map(str, reasons)) for reasons in self.evidence]
        backend: Any = self._backend or installed_frame_library()
        return nw.from_dict(data, backend=backend).to_native()

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><th>{escape(str(user))}</th><td>{escape(str(item))}</td><td>{escape(text)}</td>"
            f"<td><small>{escape('; '.join(map(str, reasons)))}</small></td></tr>"
            for user, item, text, reasons in list(zip(self.user, self.item, self.text, self.evidence, strict=True))[
                :_HTML_ROWS
            ]
        ]
        more = f"<p>{len(self) - _HTML_ROWS} more rows</p>" if len(self) > _HTML_ROWS else ""
        head = "".join(f"<th>{name}</th>" for name in ("user", "item", "why", "evidence"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"
