"""Tables beside the events that no split cuts."""

from typing import Any

from skrec.interactions._feature_table import FeatureTable
from skrec.interactions._links._link_table import LinkTable


def as_whole(tables: dict[str, Any]) -> dict[str, Any]:
    """Tables of ``fit`` by name, wrapped so that cross-validation slices none; None stays None."""
    return {name: table if table is None else _whole(name, table) for name, table in tables.items()}


def _whole(name: str, table: Any) -> Any:
    if isinstance(table, FeatureTable | LinkTable):
        return table
    if name == "user_links":
        return LinkTable(table)
    return table if isinstance(table, tuple) else FeatureTable(table)
