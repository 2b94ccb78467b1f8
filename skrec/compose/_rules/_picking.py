"""Items of lists picked from the first on, within caps and budgets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skrec.compose._rules._list_rules import BudgetRule, CapRule
from skrec.compose._rules._rule_tables import RuleTables


class _Caps:
    """How many items of each value the lists have so far."""

    def __init__(self, rule: CapRule, tables: RuleTables, n_rows: int) -> None:
        cells = tables.items.cells(rule.column)
        self._codes, self._n, self._keeps_missing = cells.codes, rule.n, rule.missing == "keep"
        self._counts = np.zeros((n_rows, max(len(cells.values), 1)), np.int32)

    def allows(self, rows: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.bool_]:
        codes = self._codes[items]
        return np.where(codes < 0, self._keeps_missing, self._counts[rows, codes] < self._n)

    def take(self, rows: NDArray[np.int64], items: NDArray[np.int32]) -> None:
        codes = self._codes[items]
        self._counts[rows[codes >= 0], codes[codes >= 0]] += 1


class _Budgets:
    """What the lists may still cost."""

    def __init__(self, rule: BudgetRule, tables: RuleTables, n_rows: int) -> None:
        cells, limit = tables.items.cells(rule.column), tables.source(rule)
        if not cells.is_numeric and len(cells.values):
            raise TypeError(f"The rule {rule.label!r} adds up {rule.column!r}, which holds {cells.values[0]!r}.")
        costs = cells.numbers()
        if (costs < 0).any():
            raise ValueError(f"The rule {rule.label!r} adds up {rule.column!r}, which has values below 0.")
        self._costs, self._keeps_missing = costs, rule.missing == "keep"
        limits = np.full(n_rows, rule.limit, np.float64) if limit is None else limit.numbers()
        self._left = np.where(np.isnan(limits), np.inf, limits)

    def allows(self, rows: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.bool_]:
        costs = self._costs[items]
        return np.where(np.isnan(costs), self._keeps_missing, costs <= self._left[rows])

    def take(self, rows: NDArray[np.int64], items: NDArray[np.int32]) -> None:
        self._left[rows] -= np.nan_to_num(self._costs[items])


def pick(
    codes: NDArray[np.int32], k: int, rules: Sequence[CapRule | BudgetRule], tables: RuleTables
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Pick k items of each row, from the first on; one that a rule forbids beside those before it is skipped.

    Parameters
    ----------
    codes : int32 array of shape (n_rows, width)
        Best first; -1 is no item.
    k : int
    rules : sequence of n_rules CapRule or BudgetRule
    tables : RuleTables
        Of the n_rows queries.

    Returns
    -------
    picked : bool array of shape (n_rows, width)
    refused_by : int array of shape (n_rows, width)
        Position of the rule that skipped an item; -1 for others.
    """
    n_rows, width = codes.shape
    states = [
        _Caps(rule, tables, n_rows) if isinstance(rule, CapRule) else _Budgets(rule, tables, n_rows) for rule in rules
    ]
    picked, refused_by = np.zeros(codes.shape, bool), np.full(codes.shape, -1, np.int64)
    lengths = np.zeros(n_rows, np.int64)
    for place in range(width):
        rows = np.flatnonzero((codes[:, place] >= 0) & (lengths < k))
        if not len(rows) and (lengths >= k).all():
            break
        for position, state in enumerate(states):
            is_allowed = state.allows(rows, codes[rows, place])
            refused_by[rows[~is_allowed], place] = position
            rows = rows[is_allowed]
        for state in states:
            state.take(rows, codes[rows, place])
        picked[rows, place] = True
        lengths[rows] += 1
    return picked, refused_by
