"""The columns that rules read: of the items, and of the users and contexts of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.compose._query_options import QueryOptions
from skrec.compose._rules._cells import Cells, TableColumns
from skrec.compose._rules._filter import FilterRule
from skrec.compose._rules._item_columns import ItemColumns
from skrec.compose._rules._list_rules import BudgetRule, CapRule
from skrec.compose._rules._query_columns import context_cells, user_cells


@dataclass(frozen=True)
class RuleTables:
    """The columns of the items, and those of the users and contexts of some queries.

    Attributes
    ----------
    items : ItemColumns
    users : TableColumns
        As ``fit`` had them; what the call gives comes first.
    context_names : sequence of str, or None
    queries : QueryOptions
    """

    items: ItemColumns
    users: TableColumns
    context_names: Sequence[str] | None
    queries: QueryOptions

    def source(self, rule: FilterRule | BudgetRule) -> Cells | None:
        """What a rule compares with, one cell per query; None where it has a value of its own."""
        if rule.user is not None:
            return user_cells(self.queries, self.users, rule.user)
        if rule.context is not None:
            return context_cells(self.queries, rule.context, self.context_names)
        return None

    def allowed(self, rule: Any, rows: NDArray[np.int64], codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which pairs of a query (by position) and an item (by code) a rule keeps."""
        if isinstance(rule, FilterRule):
            source = self.source(rule)
            return rule.allows(self.items.cells(rule.column).take(codes), None if source is None else source.take(rows))
        kept = np.asarray(rule(self.queries.users[rows], self.items.item_index.values[codes]))
        if kept.shape != (len(rows),):
            name = getattr(rule, "__name__", type(rule).__name__)
            raise ValueError(
                f"The rule {name} returned an array of shape {kept.shape} for {len(rows)} pairs; it must return one "
                "bool per pair of a user and an item."
            )
        return kept.astype(bool)

    def take(self, rows: NDArray[np.int64]) -> RuleTables:
        """Those of the given queries."""
        return replace(self, queries=self.queries.take(rows))

    def check(self, rules: Sequence[Any]) -> None:
        """Refuse rules that read columns which are not there."""
        for rule in rules:
            if isinstance(rule, FilterRule | CapRule | BudgetRule):
                self.items.cells(rule.column)
            if isinstance(rule, FilterRule | BudgetRule):
                self.source(rule)
