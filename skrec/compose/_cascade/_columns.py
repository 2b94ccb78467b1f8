"""Numeric columns of feature tables and of contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import FeatureSource, IdIndex, factorize, read_features
from skrec.utils import check_array, check_texts

_MOST_COLUMNS = 100
"""A wider matrix holds one-hot columns or vectors, which retrievers make use of."""


@dataclass
class SideColumns:
    """Numeric columns of a feature table.

    Attributes
    ----------
    index : IdIndex
    names : list of n_columns str
    values : float32 array of shape (n_ids, n_columns)
        NaN where a value is missing.
    """

    index: IdIndex
    names: list[str]
    values: NDArray[np.float32]

    @classmethod
    def read(cls, table: FeatureSource | None, what: str, prefix: str) -> Self | None:
        """The columns of numbers and of true or false; None where there are none.

        A sparse matrix, and one with more than 100 columns, has none.
        """
        if table is None:
            return None
        features = read_features(table, what)
        names, numbers = numeric_columns(features.values)
        if not names:
            return None
        largest = np.abs(numbers).max(initial=0, where=np.isfinite(numbers))
        if largest > np.finfo(np.float32).max:
            raise ValueError(f"{what} holds {largest:g}, which float32 cannot; divide the column by a power of ten.")
        values = numbers.astype(np.float32)
        ids, codes = factorize(features.ids, f"{what} ids")
        placed = np.empty_like(values)
        placed[codes] = values
        return cls(IdIndex(ids), [f"{prefix}_{name}" for name in names], placed)

    def of(self, ids: NDArray) -> NDArray[np.float32]:
        """One row per id; NaN for one without a row."""
        codes = self.index.codes(ids, "ids", check_kind=False)
        found = np.full((len(ids), len(self.names)), np.nan, np.float32)
        found[codes >= 0] = self.values[codes[codes >= 0]]
        return found

    def updated(self, newer: Self | None) -> Self:
        """With the rows of a later table; columns that it lacks are missing values, and others are dropped."""
        if newer is None:
            return self
        values = np.full((len(newer.index), len(self.names)), np.nan, np.float32)
        for j, name in enumerate(self.names):
            if name in newer.names:
                values[:, j] = newer.values[:, newer.names.index(name)]
        index = self.index.extended(newer.index.values)
        joined = np.vstack([self.values, np.full((len(index) - len(self.index), len(self.names)), np.nan, np.float32)])
        joined[index.codes(newer.index.values, "ids")] = values
        return type(self)(index, self.names, joined)

    def check(self, name: str) -> None:
        """Refuse loaded columns that do not belong together.

        Raises
        ------
        DamagedStateError
        """
        check_array(self.values, f"{name}.values", (len(self.index), None), dtype=np.float32, finite=False)
        check_texts(self.names, f"{name}.names", self.values.shape[1], optional=False)


def numeric_columns(table: Any) -> tuple[list[str], NDArray[np.float64]]:
    """Names and values of the numeric columns of a frame or matrix; columns of a matrix are named by number."""
    frame = nw.from_native(table, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        kept = [j for j, dtype in enumerate(frame.schema.values()) if dtype.is_numeric() or dtype == nw.Boolean]
        names = [str(frame.columns[j]) for j in kept]
        columns = [frame[:, j].cast(nw.Float64()).to_numpy() for j in kept]
    elif sp.issparse(table) or np.asarray(table).shape[1] > _MOST_COLUMNS:
        return [], np.zeros((table.shape[0], 0))
    else:
        array = np.asarray(table)
        found = {str(j): _as_numbers(array[:, j]) for j in range(array.shape[1])}
        names = [name for name, column in found.items() if column is not None]
        columns = [column for column in found.values() if column is not None]
    values = np.column_stack(columns) if names else np.zeros((len(table), 0))
    return names, values.astype(np.float64)


def context_columns(context: Any, names: list[str]) -> Any:
    """The named columns of a context; all of them where it is no frame, or lacks one.

    Columns of an array are named by number.
    """
    frame = nw.from_native(context, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        columns = [str(name) for name in frame.columns]
        if set(names) <= set(columns):
            return frame[:, [columns.index(name) for name in names]].to_native()
        return context
    if not all(name.isdigit() for name in names):
        return context
    array = context if isinstance(context, np.ndarray) else np.array(context, dtype=object)
    at = [int(name) for name in names]
    return array[:, at] if array.ndim == 2 and max(at) < array.shape[1] else context


def _as_numbers(column: NDArray) -> NDArray | None:
    if column.dtype.kind in "iufb":
        return column.astype(np.float64)
    if column.dtype.kind != "O" or not all(isinstance(cell, int | float | np.number) for cell in column.tolist()):
        return None
    return column.astype(np.float64)
