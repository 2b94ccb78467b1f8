"""Arrays, frames and numbers as callers pass them: what would be misread is refused by the name of the argument."""

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, column_or_1d

from skrec.utils import is_missing_value

WIDE_INTEGERS = (nw.Int128, nw.UInt128)
"""Which NumPy has no type for."""


@contextmanager
def errors_name(what: str) -> Iterator[None]:
    """Put the name of an argument in front of messages of scikit-learn and narwhals that lack it."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        is_own = type(error).__module__.startswith("skrec")
        if is_own or re.search(rf"\b{re.escape(what)}\b", str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what}: {error}") from None


def numbers_of(series: nw.Series) -> NDArray:
    """The values of a column as an array; integers of 128 bits, which NumPy lacks, as floats."""
    values: NDArray = series.cast(nw.Float64).to_numpy() if series.dtype in WIDE_INTEGERS else series.to_numpy()
    return values


def as_frame(table: Any, what: str) -> nw.DataFrame | None:
    """A table as a narwhals frame, None for what is no frame.

    Raises
    ------
    TypeError
        If the frame is lazy.
    ValueError
        If two of its columns have one name.
    """
    if isinstance(table, np.ndarray | list):
        return None
    with errors_name(what):
        frame = nw.from_native(table, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        collect = f"{what}.collect() (of DuckDB {what}.df()), or read the columns that are needed by read_log"
        if what.endswith("features"):
            collect = f"{what}=table.collect(), or table.df() of DuckDB"
        raise TypeError(f"{what} is a lazy {type(table).__name__}; pass {collect}.")
    return frame if isinstance(frame, nw.DataFrame) else None


def take_rows(table: Any, rows: NDArray[np.integer]) -> Any:
    """The given rows of a table, as a table of the same kind.

    Parameters
    ----------
    table : frame, sparse or dense matrix, or list of rows
    rows : int array
        Positions, with repeats.
    """
    if isinstance(table, list | tuple):
        return [table[at] for at in rows.tolist()]
    if sp.issparse(table):
        return table.tocsr()[rows]
    frame = nw.from_native(table, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return nw.maybe_reset_index(frame[rows.tolist()]).to_native()
    return np.asarray(table)[rows]


def check_is_table(table: Any, what: str, expected: str) -> None:
    """Refuse what has no rows in an order, or no rows at all.

    Raises
    ------
    TypeError
        If the table is a text, a mapping, a set, an iterator, or no container.
    """
    is_container = hasattr(table, "__array__") or hasattr(table, "__len__") or np.isscalar(table)
    if not is_container or isinstance(table, str | bytes | Mapping | Set | Iterator):
        raise TypeError(f"{what} is of type {type(table).__name__}; expected {expected}.")


def plain_array(array: NDArray, what: str) -> NDArray:
    """An array of a type that the library reads: text as Python objects, numbers of 4 or 8 bytes.

    Raises
    ------
    ValueError
        If cells are masked.
    TypeError
        If cells are records, or bytes without a type.
    """
    if isinstance(array, np.ma.MaskedArray):
        n_masked = int(np.ma.count_masked(array))
        if n_masked:
            raise ValueError(
                f"{what} is a masked array with {n_masked} masked cells, whose values would be read: drop those rows, "
                "or fill them with array.filled(value)."
            )
        array = np.asarray(array)
    kind = array.dtype.kind
    if kind == "V":
        raise TypeError(
            f"{what} is an array of dtype {array.dtype}, whose cells are records: make a frame of it, as in "
            "pandas.DataFrame(array), or pass one of its fields."
        )
    if kind == "T":  # the StringDType of NumPy, which scikit-learn does not read
        return array.astype(object)
    if kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64)
    return array


def plain_series(series: nw.Series) -> nw.Series | NDArray:
    """A column of a frame; integers wider than NumPy's as Python objects."""
    if series.dtype not in WIDE_INTEGERS:
        return series
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    return cells


def read_numbers(values: Any, what: str, n_events: int) -> NDArray:
    """One finite number per event.

    Parameters
    ----------
    values : array-like of shape (n_events,)
    what : str
        The name of the argument, for messages.
    n_events : int

    Returns
    -------
    ndarray of shape (n_events,)

    Raises
    ------
    TypeError
        If this is no list or array.
    ValueError
        If cells are no numbers, missing, infinite or complex, or their number is not that of the events.
    """
    expected = f"one number per event, as a list or an array of {n_events}"
    if sp.issparse(values) or np.isscalar(values) or getattr(values, "shape", None) == ():
        raise TypeError(f"{what} is {values!r}; expected {expected}.")
    check_is_table(values, what, expected)
    numbers = _as_numbers(values, what)
    with errors_name(what):
        checked = column_or_1d(check_array(numbers, ensure_2d=False, dtype="numeric", input_name=what), warn=True)
    if len(checked) != n_events:
        raise ValueError(f"{what} has {len(checked)} values and X has {n_events} rows; pass one value per event.")
    return checked


def _as_numbers(values: Any, what: str) -> Any:
    if not isinstance(values, np.ndarray | list):
        series = nw.from_native(values, allow_series=True, pass_through=True)
        if isinstance(series, nw.Series):
            if series.null_count():
                raise _missing_numbers(what, series.null_count())
            values = numbers_of(series)
        elif hasattr(values, "to_pylist"):
            values = values.to_pylist()
    array = plain_array(np.asanyarray(values, _dtype(values)), what)
    if array.dtype.kind in "USmM":
        raise ValueError(f"{what} is of dtype {array.dtype}; expected numbers.")
    if array.dtype == object:
        _check_numbers(array, what)
    return array


def _dtype(values: Any) -> Any:
    """Lists of unlike cells stay as they are, so that the odd cell can be named."""
    if not isinstance(values, list | tuple):
        return None
    return None if all(isinstance(value, int | float | np.number) for value in values) else object


def _check_numbers(cells: NDArray, what: str) -> None:
    n_missing = sum(map(is_missing_value, cells.ravel().tolist()))
    if n_missing:
        raise _missing_numbers(what, n_missing)
    for cell in cells.ravel().tolist():
        if not isinstance(cell, int | float | Decimal | Fraction | np.number | np.bool_):
            raise ValueError(f"{what} contains {cell!r} of type {type(cell).__name__}; expected numbers.")


def _missing_numbers(what: str, n_missing: int) -> ValueError:
    return ValueError(f"{what} contains {n_missing} missing values; drop those rows, or fill them.")
