"""Event logs, split into ids, times, targets and context columns."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from skrec.interactions._columns import Column, is_exact
from skrec.interactions._guards import check_array_columns, check_context_columns, check_not_columns, check_not_pivot
from skrec.interactions._plain_input import (
    as_frame,
    check_is_table,
    errors_name,
    numbers_of,
    plain_array,
    read_numbers,
    take_rows,
)
from skrec.interactions._types import Table
from skrec.utils import is_missing_value

TARGET_NAMES = ("rating", "ratings", "score", "weight")
TIMESTAMP = "timestamp"
_LARGEST_TARGET, _LEAST_TARGET = 1e15, 1e-30


@dataclass
class EventTable:
    """An event log, split into its columns.

    Attributes
    ----------
    users, items : 1-D ndarray or narwhals Series
        Ids as given.
    timestamp : ndarray of shape (n_events,) or None
        Numbers as given; date-times as seconds since 1970 in UTC.
    context : frame of the caller's kind, ndarray of shape (n_events, n_context), or None
        The columns after user and item.
    """

    users: Column
    items: Column
    timestamp: NDArray | None
    context: Any

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray) -> "EventTable":
        """The given rows."""
        times = None if self.timestamp is None else self.timestamp[rows]
        context = None if self.context is None else take_rows(self.context, rows)
        return EventTable(self.users[rows], self.items[rows], times, context)


def read_events(
    X: Table, *, estimator: BaseEstimator | None = None, reset: bool = False, what: str = "X"
) -> EventTable:
    """Split an event log into user, item, ``timestamp`` and context columns.

    Parameters
    ----------
    X : array-like or frame of shape (n_events, n_columns)
        User ids, item ids, then context columns; a frame column named ``timestamp`` stands anywhere.
    estimator : estimator, optional
        Its ``n_features_in_`` and ``feature_names_in_`` are set (``reset=True``) or checked.
    what : str
        The name of the argument, for messages.

    Raises
    ------
    ValueError
        If X is empty, has one column, a missing timestamp, or a column named like a target.
    TypeError
        If X is sparse, or not a table.
    """
    if X is None:
        raise ValueError(f"{what} is None; pass the events: one row each, with the user id, then the item id.")
    frame = as_frame(X, what)
    if frame is None:
        array = _as_table_array(X, what)
        if reset:
            check_not_pivot(array, what)
            check_array_columns(array, what)
        if estimator is not None:
            with errors_name(what):
                validate_data(estimator, array, reset=reset, skip_check_array=True)
        if array.shape[1] < 2:
            raise _too_narrow(what, array.shape, X)
        context: Any = array[:, 2:] if array.shape[1] > 2 else None
        return EventTable(array[:, 0], array[:, 1], None, context)

    timestamp = None
    has_timestamp = TIMESTAMP in frame.columns
    if has_timestamp:
        timestamp = read_timestamp(frame[TIMESTAMP], what)
        frame = without_timestamp(frame)
    targets = [name for name in frame.columns[2:] if str(name).lower() in TARGET_NAMES]
    if targets:
        raise _target_in_table(what, targets[0])
    if estimator is not None:
        with errors_name(what):
            validate_data(estimator, frame.to_native(), reset=reset, skip_check_array=True)
    if frame.shape[1] < 2:
        raise _too_narrow(what, frame.shape, X)
    if frame.shape[0] == 0:
        raise ValueError(f"{what} has 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")
    if reset:
        check_not_pivot(frame, what)
        check_context_columns(frame, what, has_timestamp=has_timestamp)
    # By position: pandas columns may be named 0 and 1, which narwhals would read as rows.
    context = frame[:, 2:].to_native() if frame.shape[1] > 2 else None
    return EventTable(frame[:, 0], frame[:, 1], timestamp, context)


def _target_in_table(what: str, name: str) -> ValueError:
    without = f"{what}.drop(columns=[{name!r}])"
    call = f"history=({without}, {what}[{name!r}])" if what == "history" else f"fit({without}, y={what}[{name!r}])"
    return ValueError(
        f"{what} has a column {name!r}, which is a target and not a context: drop it from {what} and pass it as y, as "
        f"in {call}."
    )


def without_timestamp(frame: nw.DataFrame) -> nw.DataFrame:
    """The columns other than ``timestamp``. By position, which is faster than ``drop`` for a request of one row."""
    if TIMESTAMP not in frame.columns:
        return frame
    return frame[:, [j for j, name in enumerate(frame.columns) if name != TIMESTAMP]]


def _as_table_array(X: Table, what: str) -> NDArray:
    table: Any = X
    if sp.issparse(table):
        raise TypeError(
            f"{what} is a sparse matrix of shape {table.shape}; expected one row per event. For a matrix of users x "
            "items write log = skrec.interactions.read_log(matrix) and fit(log.X, log.y)."
        )
    check_not_columns(X, what)
    check_is_table(X, what, "a table with one row per event: a frame, an array, or a list of rows")
    if isinstance(X, np.ndarray):
        X = plain_array(X, what)
    if isinstance(X, list | tuple):
        array = np.asarray(X, dtype=object)
        if array.ndim == 2 and all(isinstance(v, int | float | np.number) for v in array.ravel()):
            numbers = np.asarray(X)
            array = numbers if is_exact(numbers, array.tolist()) else array
        X = array
    n_dimensions = X.ndim if isinstance(X, np.ndarray) else 0
    if n_dimensions != 2 and (isinstance(X, np.ndarray) or np.isscalar(X)):
        raise ValueError(
            f"Expected 2D array, got {n_dimensions}D array instead: {what} has one row per event. Reshape your data: "
            f"write {what}=[[user, item], [user, item]], or pass a frame."
        )
    with errors_name(what):
        return check_array(X, dtype=None, ensure_all_finite="allow-nan", input_name=what)


def _too_narrow(what: str, shape: tuple, X: Any) -> ValueError:
    index = named_index(X)
    hint = f" The ids in its index ({index}) are no column: pass {what}.reset_index()." if index else ""
    return ValueError(
        f"{what} has {shape[1]} feature(s) (shape={shape}) while a minimum of 2 is required: "
        f"the user id, then the item id, then context columns.{hint}"
    )


def named_index(X: Any) -> list[str]:
    """Names of the index of a pandas frame, where it has any."""
    names = getattr(getattr(X, "index", None), "names", None)
    return [str(name) for name in names or () if name is not None] if hasattr(X, "columns") else []


def read_timestamp(column: nw.Series, what: str) -> NDArray:
    """Times as numbers: float64 seconds since 1970 for date-times, else the numbers given.

    Raises
    ------
    ValueError
        If a time is missing or infinite.
    TypeError
        If the column is neither numeric nor of date-times.
    """
    if column.dtype in (nw.Object, nw.Unknown) or column.dtype == nw.Decimal:
        column = _plain_times(column)
    dtype = column.dtype
    if dtype == nw.Date:
        column = column.cast(nw.Datetime("us"))
        dtype = column.dtype
    if not (isinstance(dtype, nw.Datetime) or dtype == nw.Datetime or dtype.is_numeric()):
        raise TypeError(f"{what}[{TIMESTAMP!r}] is of type {dtype}; pass numbers or date-times.")
    if column.null_count():
        raise ValueError(f"{what}[{TIMESTAMP!r}] has {column.null_count()} missing values; drop those rows.")
    times = numbers_of(column) if dtype.is_numeric() else column.dt.timestamp("us").to_numpy() / 1e6
    if times.dtype.kind == "f" and not np.isfinite(times).all():
        raise ValueError(f"{what}[{TIMESTAMP!r}] contains NaN or infinity; drop those rows.")
    return times


def _plain_times(column: nw.Series) -> nw.Series:
    """Decimals as floats, and Python dates and date-times as date-times in UTC; anything else as it is."""
    cells = [None if is_missing_value(cell) else cell for cell in column.to_list()]
    given = [cell for cell in cells if cell is not None]
    if given and all(isinstance(cell, Decimal) for cell in given):
        cells = [None if cell is None else float(cell) for cell in cells]
    elif given and all(isinstance(cell, date) for cell in given):
        cells = [None if cell is None else _in_utc(cell) for cell in cells]
    else:
        return column
    library: Any = column.implementation.value
    dtype = nw.Float64() if isinstance(given[0], Decimal) else nw.Datetime("us")
    return nw.new_series(column.name, cells, dtype, backend=library)


def _in_utc(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day)
    offset = moment.utcoffset()
    return moment if offset is None else moment.replace(tzinfo=None) - offset


def read_target(
    y: ArrayLike | None, n_events: int, *, feedback: str, is_fit: bool = False, what: str = "y"
) -> NDArray[np.float32]:
    """One finite value per event; all ones for ``None``; never negative for implicit feedback.

    Raises
    ------
    ValueError
        If values are missing, infinite or too large, or negative for implicit feedback; with ``is_fit=True`` also if
        there are no ratings to fit explicit feedback to.
    """
    if y is None and is_fit and feedback == "explicit":
        raise ValueError(
            "feedback='explicit' requires y to be passed, but the target y is None: every rating would be 1. Pass the "
            "ratings as y, or set feedback='implicit'."
        )
    if y is None:
        return np.ones(n_events, np.float32)
    values = read_numbers(y, what, n_events)
    if feedback == "implicit" and (values < 0).any():
        raise ValueError(
            f"{what} has negative values (the least is {values.min()}), but implicit feedback is a strength of at "
            "least 0; pass ratings to a model with feedback='explicit', or clip them."
        )
    check_target_size(values, what)
    return values.astype(np.float32)


def check_target_size(y: NDArray, what: str) -> None:
    """Raise ValueError where numbers are too large for float32, or all but zero."""
    largest = np.abs(y).max(initial=0)
    if largest > _LARGEST_TARGET:
        raise ValueError(f"{what} reaches {largest:.3g}, and at most 1e15 adds up in float32: rescale y.")
    if 0 < largest < _LEAST_TARGET:
        raise ValueError(f"{what} is {largest:.3g} at most, which float32 hardly tells from 0: rescale y.")
