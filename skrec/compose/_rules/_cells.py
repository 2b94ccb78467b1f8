"""Columns of tables as distinct values and codes, by the ids of their rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import (
    Column,
    Features,
    FeatureTable,
    IdIndex,
    as_frame,
    as_unique_ids,
    check_index,
    read_features,
)
from skrec.utils import check_array, check_kind, is_missing_value, refuse_state

_WIDEST = 64
"""A matrix with more columns holds vectors, of which none is a column of its own."""


@dataclass(frozen=True)
class Cells:
    """Cells of a column.

    Attributes
    ----------
    values : ndarray
        The distinct values: float64 for a column of numbers, else Python objects.
    codes : int array
        Position of each cell among the values; -1 where it is missing.
    """

    values: NDArray
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, column: Column) -> Cells:
        """Read a column of a frame, or an array. Date-times become ISO text, lists tuples."""
        if isinstance(column, nw.Series) and (column.dtype.is_numeric() or column.dtype == nw.Boolean):
            present = ~column.is_null().to_numpy()
            numbers = np.full(len(column), np.nan)
            numbers[present] = column.filter(present.tolist()).to_numpy()
            return cls.of(numbers)
        if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
            numbers = column.astype(np.float64)
            present = ~np.isnan(numbers)
            codes = np.full(len(numbers), -1, np.int64)
            values, codes[present] = np.unique(numbers[present], return_inverse=True)
            return cls(values, codes)
        cells = [_plain(cell) for cell in (column.to_list() if isinstance(column, nw.Series) else column.tolist())]
        if cells and all(cell is None or isinstance(cell, int | float) for cell in cells):
            return cls.of(np.array([np.nan if cell is None else cell for cell in cells], np.float64))
        position: dict[Any, int] = {}
        places = [-1 if cell is None else position.setdefault(cell, len(position)) for cell in cells]
        values = np.empty(len(position), dtype=object)
        values[:] = list(position)
        return cls(values, np.array(places, np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind == "f"

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which cells have no value."""
        return self.codes < 0

    def take(self, rows: NDArray[np.integer]) -> Cells:
        """The cells of the given rows; -1 stands for a row that is not there."""
        if not len(self.codes):
            return Cells(self.values, np.full(len(rows), -1, np.int64))
        return Cells(self.values, np.where(rows >= 0, self.codes[rows], -1))

    def numbers(self) -> NDArray[np.float64]:
        """The cells as floats, NaN where one is missing."""
        return np.append(self.values.astype(np.float64), np.nan)[self.codes]

    def objects(self) -> NDArray:
        """The cells as Python objects, None where one is missing."""
        return np.append(self.values.astype(object), np.array([None], dtype=object))[self.codes]


class TableColumns:
    """The columns of a table of items or users, for what reads them one by one.

    Parameters
    ----------
    index : IdIndex
        The ids of the rows.
    columns : dict
        Cells of each column, in the order of ``index``.
    """

    def __init__(self, index: IdIndex, columns: dict[str, Cells]) -> None:
        self.index = index
        self.columns = columns

    @classmethod
    def read(cls, table: Any, what: str) -> TableColumns:
        """Read a table; None has no columns, and neither has a sparse or a wide matrix.

        Columns of a matrix are called x0, x1 and so on.
        """
        if table is None:
            return cls(IdIndex(np.zeros(0, np.int64)), {})
        features: Features = read_features(table, what)
        return cls(IdIndex(as_unique_ids(features)), dict(_columns(features.values)))

    def of(self, column: str, ids: Column) -> Cells:
        """The cells of some ids, missing where the table has no row."""
        return self.columns[column].take(self.index.codes(ids, "ids", check_kind=False))

    def aligned(self, index: IdIndex) -> TableColumns:
        """The same with one row per id of an index, in its order."""
        rows = np.full(len(index), -1, np.int64)
        if len(self.index):
            rows = self.index.codes(index.values, "ids", check_kind=False)
        return TableColumns(index, {name: cells.take(rows) for name, cells in self.columns.items()})

    def updated(self, later: TableColumns) -> TableColumns:
        """These rows and the later ones, which replace the cells that they have."""
        if not len(self.index) or not len(later.index):
            return later if len(later.index) else self
        index = self.index.extended(later.index.values)
        rows = np.append(np.arange(len(self.index)), np.full(len(index) - len(self.index), -1))
        columns = {name: cells.take(rows) for name, cells in self.columns.items()}
        at = index.codes(later.index.values, "ids")
        for name, cells in later.columns.items():
            present = columns.get(name, Cells(np.zeros(0), np.full(len(index), -1, np.int64))).objects()
            present[at] = cells.objects()
            columns[name] = Cells.of(present)
        return TableColumns(index, columns)


def read_column(table: Any, column: str | int, names: Sequence[str] | None = None) -> Cells:
    """One column of a table of rows: by its name, or by its position.

    Parameters
    ----------
    table : frame, pair (ids, matrix), FeatureTable, matrix or list of rows
    column : str or int
    names : sequence of str, default=None
        Names of the columns, where the table has none of its own.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    inner = table.table if isinstance(table, FeatureTable) else table
    frame = as_frame(inner, "the table")
    if frame is not None:
        known = [str(name) for name in frame.columns]
        at = column if isinstance(column, int) else _position(column, known)
        return Cells.of(frame[:, at])
    matrix = inner[1] if isinstance(inner, tuple) else inner
    matrix = matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)
    known = list(names or []) or [f"x{j}" for j in range(matrix.shape[1])]
    at = column if isinstance(column, int) else _position(column, known)
    return Cells.of(matrix[:, at])


def check_table_columns(value: object, name: str) -> None:
    """Check loaded columns.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, TableColumns)
    assert isinstance(value, TableColumns)
    check_index(value.index, f"{name}.index")
    check_kind(value.columns, f"{name}.columns", dict)
    for column, cells in value.columns.items():
        check_kind(cells, f"{name}.columns[{column!r}]", Cells)
        check_array(cells.values, f"{name}.values", (None,), kinds="Of", finite=False)
        check_array(cells.codes, f"{name}.codes", (len(value.index),), kinds="i")
        if len(cells.codes) and not (cells.codes.min() >= -1 and cells.codes.max() < len(cells.values)):
            refuse_state(f"{name}.codes", "codes of no value", f"codes from -1 to {len(cells.values) - 1}")


def _columns(values: Any) -> list[tuple[str, Cells]]:
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [(str(name), Cells.of(frame[:, j])) for j, name in enumerate(frame.columns)]
    if sp.issparse(values) or values.shape[1] > _WIDEST:
        return []
    return [(f"x{j}", Cells.of(np.asarray(values)[:, j])) for j in range(values.shape[1])]


def _position(column: str, known: list[str]) -> int:
    if column not in known:
        raise ValueError(f"There is no column {column!r}; the table has {known}.")
    return known.index(column)


def _plain(cell: Any) -> Any:
    """A cell as a hashable value, of a mapping or a set its text; None where it is missing."""
    if isinstance(cell, list | tuple | np.ndarray):
        return tuple(_plain(one) for one in cell)
    if is_missing_value(cell):
        return None
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    if isinstance(cell, np.generic):
        return cell.item()
    return cell if isinstance(cell, Hashable) else repr(cell)
