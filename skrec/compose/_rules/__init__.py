"""Rules over columns of items, users and contexts, and how the columns are read."""

from skrec.compose._rules._cells import Cells, TableColumns, check_table_columns, read_column
from skrec.compose._rules._filter import FilterRule
from skrec.compose._rules._item_columns import ItemColumns
from skrec.compose._rules._query_columns import context_cells, user_cells

__all__ = [
    "Cells",
    "FilterRule",
    "ItemColumns",
    "TableColumns",
    "check_table_columns",
    "context_cells",
    "read_column",
    "user_cells",
]
