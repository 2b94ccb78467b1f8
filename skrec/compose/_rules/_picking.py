"""Items of lists picked from the first on, within caps and budgets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skrec.compose._rules._list_rules import BudgetRule, CapRule
from skrec.compose._rules._rule_tables import RuleTables


def _costs(rule: BudgetRule, tables: RuleTables) -> NDArray[np.float64]:
    """What each item costs; NaN where that is missing."""
    cells = tables.items.cells(rule.column)
    if not cells.is_numeric and len(cells.values):
        raise TypeError(f"The rule {rule.label!r} adds up {rule.column!r}, which holds {cells.values[0]!r}.")
    costs = cells.numbers()
    if (costs < 0).any():
        raise ValueError(f"The rule {rule.label!r} adds up {rule.column!r}, which has values below 0.")
    return costs


def _limits(rule: BudgetRule, tables: RuleTables, n_rows: int) -> NDArray[np.float64]:
    """What each list may cost; infinity where nothing is said."""
    limit = tables.source(rule)
    limits = np.full(n_rows, rule.limit, np.float64) if limit is None else limit.numbers()
    return np.where(np.isnan(limits), np.inf, limits)


def pick(
    codes: NDArray[np.int32], k: int, rules: Sequence[CapRule | BudgetRule], tables: RuleTables
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
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
    is_spent : bool array of shape (n_rows,)
        Whether a budget has less left than any item costs, so that longer lists would not help.
    """
    from skrec._kernels.list_rules import pick_within

    n_rows, n_items = len(codes), len(tables.items.item_index)
    caps = [rule for rule in rules if isinstance(rule, CapRule)]
    budgets = [rule for rule in rules if not isinstance(rule, CapRule)]
    cells = [tables.items.cells(rule.column) for rule in caps]
    groups, costs = np.zeros((len(caps), n_items), np.int32), np.zeros((len(budgets), n_items))
    left, cheapest = np.zeros((n_rows, len(budgets))), np.zeros(len(budgets))
    for slot, cell in enumerate(cells):
        groups[slot] = cell.codes
    for slot, budget in enumerate(budgets):
        costs[slot], left[:, slot] = _costs(budget, tables), _limits(budget, tables, n_rows)
        cheapest[slot] = np.fmin.reduce(costs[slot], initial=np.inf)
        if budget.missing == "keep" and np.isnan(costs[slot]).any():
            cheapest[slot] = 0
    counts = np.zeros((len(caps), max((len(cell.values) for cell in cells), default=0) or 1), np.int32)
    is_cap = np.array([isinstance(rule, CapRule) for rule in rules])
    slots = np.where(is_cap, np.cumsum(is_cap), np.cumsum(~is_cap)) - 1
    picked, refused_by = np.zeros(codes.shape, bool), np.full(codes.shape, -1, np.int64)
    pick_within(
        np.ascontiguousarray(codes, np.int32),
        k,
        is_cap,
        slots.astype(np.int64),
        np.array([rule.missing == "keep" for rule in rules]),
        groups,
        np.array([rule.n for rule in caps], np.int64),
        costs,
        left,
        counts,
        picked,
        refused_by,
    )
    is_spent: NDArray[np.bool_] = np.any(left < cheapest, axis=1)
    return picked, refused_by, is_spent
