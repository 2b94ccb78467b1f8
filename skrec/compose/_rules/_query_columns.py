"""Columns of the users and the contexts of the queries of one call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skrec.compose._query_options import QueryOptions
from skrec.compose._rules._cells import Cells, TableColumns, read_column


def user_cells(queries: QueryOptions, fitted: TableColumns, column: str | int) -> Cells:
    """A column of the users of some queries: as the call gives it, else as ``fit`` had it; missing without a row.

    Raises
    ------
    ValueError
        If neither table has the column.
    """
    names = list(fitted.columns)
    if isinstance(column, int) and column < len(names):
        column = names[column]
    given = queries.given.get("user_features")
    if given is None and column not in fitted.columns:
        raise ValueError(
            f"The column {column!r} of user_features is read, and fit had {names}; pass fit a table with it, or "
            "user_features to the call."
        )
    known = no_cells(len(queries)) if column not in fitted.columns else fitted.of(str(column), queries.users)
    if given is None:
        return known
    given_cells = read_column(given, column).take(queries.feature_row)
    return Cells.of(np.where(queries.feature_row >= 0, given_cells.objects(), known.objects()))


def context_cells(queries: QueryOptions, column: str | int, names: Sequence[str] | None) -> Cells:
    """A column of the context of some queries; missing where the call gives none."""
    context = queries.given.get("context")
    if context is None:
        return no_cells(len(queries))
    rows = np.arange(len(queries)) if "context" in queries.by_row else np.zeros(len(queries), np.int64)
    return read_column(context, column, names).take(rows)


def no_cells(n: int) -> Cells:
    """So many missing cells."""
    return Cells(np.zeros(0), np.full(n, -1, np.int64))
