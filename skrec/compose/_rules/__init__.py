"""Rules over columns of items, users and contexts, and how the columns are read."""

from skrec.compose._rules._cells import Cells, TableColumns, check_table_columns, read_column
from skrec.compose._rules._filter import FilterRule
from skrec.compose._rules._item_columns import ItemColumns
from skrec.compose._rules._list_maker import ListMaker
from skrec.compose._rules._list_rules import BudgetRule, CapRule, Rule, rule_labels
from skrec.compose._rules._omissions import Omissions
from skrec.compose._rules._query_columns import context_cells, user_cells
from skrec.compose._rules._rule_tables import RuleTables

__all__ = [
    "BudgetRule",
    "CapRule",
    "Cells",
    "FilterRule",
    "ItemColumns",
    "ListMaker",
    "Omissions",
    "Rule",
    "RuleTables",
    "TableColumns",
    "check_table_columns",
    "context_cells",
    "read_column",
    "rule_labels",
    "user_cells",
]
