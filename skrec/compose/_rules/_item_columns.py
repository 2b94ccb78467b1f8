"""The columns of the items that rules read, in catalogue order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec.compose._rules._cells import Cells, TableColumns
from skrec.compose._rules._filter import FilterRule
from skrec.interactions import IdIndex

N_EVENTS, SINCE_FIRST = "n_events", "time_since_first_event"


@dataclass(frozen=True)
class ItemColumns:
    """The columns of the items.

    Attributes
    ----------
    item_index : IdIndex
        The catalogue.
    tables : sequence of TableColumns
        The first that has a column counts.
    n_events : function
        Gives the number of events of each item, in catalogue order.
    since_first : float array of shape (n_items,), or None where X had no times
        Time from the first event of an item to the last of all.
    """

    item_index: IdIndex
    tables: Sequence[TableColumns]
    n_events: Callable[[], NDArray]
    since_first: NDArray[np.float64] | None

    def cells(self, column: str) -> Cells:
        """A column, in catalogue order.

        Raises
        ------
        ValueError
            If there is none of this name.
        """
        for table in self.tables:
            if column in table.columns:
                in_order = table.index is self.item_index
                return table.columns[column] if in_order else table.of(column, self.item_index.values)
        if column == N_EVENTS:
            return Cells.of(np.asarray(self.n_events()))
        if column == SINCE_FIRST and self.since_first is not None:
            return Cells.of(self.since_first)
        known = [name for table in self.tables for name in table.columns]
        raise ValueError(
            f"A rule reads the column {column!r} of the items, and there is none: item_features and item_table have "
            f"{known}, and every model {N_EVENTS!r} and, with a timestamp in X, {SINCE_FIRST!r}. Pass a table with it "
            "to fit, or as item_table."
        )

    def allowed(self, rule: FilterRule) -> NDArray[np.bool_]:
        """Which items a rule about items keeps."""
        return rule.allows(self.cells(rule.column))
