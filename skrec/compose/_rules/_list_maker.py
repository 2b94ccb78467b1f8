"""Lists of what rules allow, from longer lists of a recommender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.compose._rules._list_rules import BudgetRule, CapRule
from skrec.compose._rules._picking import pick
from skrec.compose._rules._rule_tables import RuleTables

_MOST_CELLS = 2_000_000
"""Queries times items that are held in memory at a time."""


@dataclass
class MadeLists:
    """Lists of k items, and what became of the items that they were made from.

    Attributes
    ----------
    codes, scores : arrays of shape (n_queries, k)
        -1 and -inf where a row has no further item.
    is_final : bool array of shape (n_queries,)
        Whether longer lists would change nothing: the row is full, or there are no further items.
    removed : dict
        How many items each rule has removed from each row.
    source : int32 array of shape (n_queries, width)
        The items that the rows were made from.
    removed_by : int16 array of shape (n_queries, width)
        For each of them the position of the rule that removed it, -1 for one that the rules allow.
    """

    codes: NDArray[np.int32]
    scores: NDArray[np.float32]
    is_final: NDArray[np.bool_]
    removed: dict[str, NDArray[np.int64]]
    source: NDArray[np.int32]
    removed_by: NDArray[np.int16]

    def place_of(self, row: int, item: int, k: int) -> tuple[str, str | None, int | None]:
        """The step that an item got to in a row of any length, the rule that removed it, and its rank.

        It is recommended where its rank among all that the rules allow is at most ``k``.
        """
        at = np.flatnonzero(self.source[row] == item)
        if not len(at):
            return "not retrieved", None, None
        if self.removed_by[row, at[0]] >= 0:
            return "rule", list(self.removed)[self.removed_by[row, at[0]]], None
        rank = int(np.flatnonzero(self.codes[row] == item)[0]) + 1
        return "recommended" if rank <= k else "below the cut", None, rank


class ListMaker:
    """Makes lists of k items by rules.

    Parameters
    ----------
    rules : dict
        Label to rule.
    k : int
    """

    def __init__(self, rules: dict[str, Any], k: int) -> None:
        self.list_rules = {name: rule for name, rule in rules.items() if isinstance(rule, CapRule | BudgetRule)}
        self.filters = {name: rule for name, rule in rules.items() if name not in self.list_rules}
        self.k = k

    def check(self, tables: RuleTables) -> None:
        """Refuse rules that read columns which are not there."""
        tables.check([*self.filters.values(), *self.list_rules.values()])

    def first_length(self, n_candidates: int) -> int:
        """Length of the first lists to retrieve."""
        return max(self.k, n_candidates) if self.filters or self.list_rules else self.k

    @staticmethod
    def blocks(rows: NDArray[np.int64], width: int) -> Iterator[NDArray[np.int64]]:
        """Rows in blocks for which lists of a width can be held in memory."""
        size = max(1, _MOST_CELLS // width)
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def make(
        self, codes: NDArray[np.int32], scores: NDArray[np.float32], tables: RuleTables, *, is_last: bool
    ) -> MadeLists:
        """Keep what the rules allow.

        Parameters
        ----------
        codes, scores : arrays of shape (n_queries, width)
            Lists of the recommender, best first.
        tables : RuleTables
            Of these queries.
        is_last : bool
            Whether the lists hold all that there is.
        """
        removed_by = np.full(codes.shape, -1, np.int16)
        allowed = codes >= 0
        for position, rule in enumerate(self.filters.values()):
            rows, columns = np.nonzero(allowed)
            out = ~tables.allowed(rule, rows, codes[rows, columns])
            allowed[rows[out], columns[out]] = False
            removed_by[rows[out], columns[out]] = position
        is_final = (codes[:, -1] < 0) | is_last
        if self.list_rules:
            masked = np.where(allowed, codes, -1).astype(np.int32)
            allowed, refused_by, is_spent = pick(masked, self.k, list(self.list_rules.values()), tables)
            is_final |= is_spent
            removed_by = np.where(refused_by >= 0, refused_by + len(self.filters), removed_by).astype(np.int16)
        order = np.argsort(~allowed, axis=1, kind="stable")[:, : self.k]
        is_kept = np.take_along_axis(allowed, order, axis=1)
        made_codes = np.where(is_kept, np.take_along_axis(codes, order, axis=1), -1).astype(np.int32)
        made_scores = np.where(is_kept, np.take_along_axis(scores, order, axis=1), -np.inf).astype(np.float32)
        is_final |= is_kept.sum(axis=1) >= self.k
        labels = [*self.filters, *self.list_rules]
        removed = {label: (removed_by == position).sum(axis=1) for position, label in enumerate(labels)}
        return MadeLists(made_codes, made_scores, is_final, removed, codes, removed_by)
