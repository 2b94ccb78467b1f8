"""Why items are not in the lists of users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import narwhals as nw
from numpy.typing import NDArray

from skrec.utils import installed_frame_library, one_line, table_text

_TEXT_ROWS = 20
_WORDS = {
    "not in catalogue": "is not in the catalogue",
    "not a candidate": "is not among the candidates",
    "seen": "was seen by the user",
    "excluded": "is in exclude",
    "not retrieved": "is not ranked by the recommender",
}


class Omissions:
    """What kept items out of the lists of users.

    Parameters
    ----------
    user, item : ndarray of shape (n,)
        Ids of each pair.
    step : list of n str
        "not in catalogue", "not a candidate", "seen", "excluded", "rule", "not retrieved", "below the cut"; or
        "recommended" for an item that is in the list.
    rule : list of n str or None
        Which rule, for "rule".
    rank : list of n int or None
        For "recommended" and "below the cut", the place of the item, from 1, in a list without an end.
    k : int
        Length of the lists.
    """

    def __init__(
        self,
        user: NDArray,
        item: NDArray,
        step: Sequence[str],
        rule: Sequence[str | None],
        rank: Sequence[int | None],
        k: int,
    ) -> None:
        self.user = user
        self.item = item
        self.step = list(step)
        self.rule = list(rule)
        self.rank = list(rank)
        self._k = k

    @property
    def text(self) -> list[str]:
        """The reason of each pair in words."""
        return [self._reason(at) for at in range(len(self))]

    def _reason(self, at: int) -> str:
        if self.step[at] == "rule":
            return f"is kept out by the rule {self.rule[at]!r}"
        if self.step[at] == "below the cut":
            return f"has rank {self.rank[at]}, and the list has {self._k} places"
        if self.step[at] == "recommended":
            return f"is recommended, at rank {self.rank[at]}"
        return _WORDS[self.step[at]]

    def __len__(self) -> int:
        return len(self.step)

    def __iter__(self) -> Iterator[str]:
        return iter(self.text)

    def __repr__(self) -> str:
        cells = {
            "user": [one_line(user) for user in self.user[:_TEXT_ROWS].tolist()],
            "item": [one_line(item) for item in self.item[:_TEXT_ROWS].tolist()],
            "why not": self.text[:_TEXT_ROWS],
        }
        return table_text(cells, max(len(self) - _TEXT_ROWS, 0))

    def to_frame(self) -> Any:
        """One row per pair: user, item, step, rule, rank and text.

        Returns
        -------
        frame
            Of the first of pandas, polars and pyarrow that is installed.
        """
        backend: Any = installed_frame_library()
        columns = {"user": self.user.tolist(), "item": self.item.tolist(), "step": self.step}
        columns |= {"rule": self.rule, "rank": self.rank, "text": self.text}
        return nw.from_dict(columns, backend=backend).to_native()
