"""The layout of the X of fit, from which a request is written as a table of the same layout."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions._columns import FIRST_ROUNDED, Column, as_column
from skrec.interactions._context import check_names, check_rows
from skrec.interactions._events import TIMESTAMP, read_events, without_timestamp
from skrec.interactions._plain_input import WIDE_INTEGERS
from skrec.interactions._types import Table
from skrec.utils import is_missing_value

_TYPES = frozenset(  # and no other function of narwhals
    name for name, kind in vars(nw).items() if isinstance(kind, type) and issubclass(kind, nw.dtypes.DType)
)


@dataclass
class EventTemplate:
    """Column names and types of the X of fit, and its kind of table.

    Attributes
    ----------
    schema : dict from column name to type, or None for arrays
        In the order of X, ``timestamp`` included. Types are lists of plain values, which every format saves.
    library : {"pandas", "polars", "pyarrow"} or None for arrays
    dtype : dtype of an array, or None for frames
    n_columns : int
        Without ``timestamp``.
    item : id
        One of the items: it fills the item column of a request.
    """

    schema: dict[Any, list[Any]] | None
    library: str | None
    dtype: np.dtype | None
    n_columns: int
    item: Any

    @classmethod
    def of(cls, X: Any) -> "EventTemplate":
        """The template of an X."""
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if isinstance(frame, nw.DataFrame):
            n_columns = frame.shape[1] - (TIMESTAMP in frame.columns)
            item = read_events(X[:1]).items.to_list()[0]
            schema = {name: _describe(dtype) for name, dtype in frame.schema.items()}
            return cls(schema, frame.implementation.value, None, n_columns, item)
        events = read_events(X)
        n_columns = 2 if events.context is None else 2 + events.context.shape[1]
        return cls(None, None, events.items.dtype, n_columns, events.items[0])

    @classmethod
    def of_array(cls, n_columns: int, items: NDArray) -> "EventTemplate":
        """The template of an array of which only the number of columns and the items are left."""
        return cls(None, None, items.dtype, n_columns, items[0])

    @property
    def id_names(self) -> list[Any]:
        """Names of the two id columns of a frame."""
        return [name for name in self.schema or {} if name != TIMESTAMP][:2]

    @property
    def context_names(self) -> list[Any]:
        """Names of the other columns, ``timestamp`` among them."""
        return [name for name in self.schema or {} if name not in self.id_names]

    @property
    def has_context(self) -> bool:
        """Whether X had more than ids."""
        return self.n_columns > 2 or bool(self.context_names)

    def in_fitted_order(self, events: Table) -> Any:
        """Events with their columns in the order of X, where they are a frame of the same names."""
        frame = nw.from_native(events, eager_only=True, pass_through=True)
        if self.schema is None or not isinstance(frame, nw.DataFrame):
            return events
        names = [name for name in self.schema if name != TIMESTAMP or TIMESTAMP in frame.columns]
        if set(names) != set(frame.columns):
            return events
        return frame[:, [frame.columns.index(name) for name in names]].to_native()

    def rebuild(self, users: Column, context: Any) -> Any:
        """A full X with one row per user, and a known item in each row.

        Parameters
        ----------
        users : array-like of n ids
        context : table of n rows, or of one for all

        Raises
        ------
        ValueError
            If rows or columns do not fit, or an id would be changed by the type of X.
        """
        users = as_column(users, "users")
        check_rows(context, len(users))
        repeat = np.zeros(len(users), np.int64) if np.shape(context)[0] == 1 < len(users) else None
        items = np.full(len(users), self.item, dtype=None if not isinstance(self.item, str) else object)
        if self.schema is None:
            return self._array(users, items, context, repeat)
        # Labels of rows of pandas would be matched between the columns.
        users = nw.maybe_reset_index(users) if isinstance(users, nw.Series) else users
        ids = dict(zip(self.id_names, (users, items), strict=True))
        columns = {name: self._series(name, values) for name, values in ids.items()}
        columns |= self._context_columns(context, repeat)
        return nw.from_dict({name: columns[name] for name in self.schema if name in columns}).to_native()

    # Arrays --------------------------------------------------------------------------------------------

    def _array(self, users: Column, items: NDArray, context: Any, repeat: NDArray | None) -> NDArray:
        assert self.dtype is not None
        frame = nw.from_native(context, eager_only=True, pass_through=True)
        if isinstance(frame, nw.DataFrame):
            context = without_timestamp(frame).to_numpy()
        context = _as_array(context)
        if context.shape[1] != self.n_columns - 2:
            raise ValueError(f"context has {context.shape[1]} columns, but X had {self.n_columns - 2} in fit.")
        context = context if repeat is None else context[repeat]
        users = users.to_numpy() if isinstance(users, nw.Series) else users
        parts = [users[:, None], items[:, None], context]
        if any(dtype.kind not in "iufb" for dtype in (self.dtype, *(part.dtype for part in parts))):
            return np.hstack([part.astype(object) for part in parts])
        target = self.dtype if self.dtype.kind == "f" else np.result_type(self.dtype, context.dtype)
        check_same_ids(users, users.astype(target), "users", "The array X")
        return np.hstack([part.astype(target) for part in parts])

    # Frames --------------------------------------------------------------------------------------------

    def _context_columns(self, context: Any, repeat: NDArray | None) -> dict[Any, nw.Series]:
        frame = nw.from_native(context, eager_only=True, pass_through=True)
        given: dict[Any, Column]
        if isinstance(frame, nw.DataFrame):
            optional = [TIMESTAMP] if TIMESTAMP in self.context_names and TIMESTAMP not in frame.columns else []
            check_names(frame.columns, [name for name in self.context_names if name not in optional], "context")
            frame = nw.maybe_reset_index(frame)
            given = {name: frame[name] for name in frame.columns}
        else:
            array = _as_array(context)
            names = self.context_names
            if array.shape[1] == len(names) - (TIMESTAMP in names):
                names = [name for name in names if name != TIMESTAMP]
            if array.shape[1] != len(names):
                raise ValueError(
                    f"context has {array.shape[1]} columns, but the context columns of X were {self.context_names} "
                    "in fit; pass these, or a frame with these names."
                )
            given = {name: array[:, j] for j, name in enumerate(names)}
        found = {name: self._series(name, column) for name, column in given.items()}
        if repeat is None:
            return found
        return {name: nw.maybe_reset_index(column[repeat.tolist()]) for name, column in found.items()}

    def _series(self, name: Any, values: Column) -> nw.Series:
        """A column in the frame library of fit, of the type of fit where that changes no value."""
        assert self.schema is not None
        library: Any = self.library
        if not isinstance(values, nw.Series) or values.implementation.value != library:
            numeric = isinstance(values, np.ndarray) and values.dtype.kind in "iufbM"
            cells = values if numeric else values.to_list() if isinstance(values, nw.Series) else values.tolist()
            if not numeric:
                cells = [None if is_missing_value(cell) else cell for cell in cells]
            try:
                values = nw.new_series(name, cells, backend=library)
            except (TypeError, ValueError) as error:
                raise ValueError(f"column {name!r} holds values of several types: {error}") from None
        values = values if values.name == name else values.alias(name)
        return _cast_where_equal(values, _restore(self.schema[name]))


def _as_array(context: Any) -> NDArray:
    if isinstance(context, np.ndarray):
        return context
    array = np.empty((len(context), len(context[0])), dtype=object)
    for row, cells in enumerate(context):
        array[row] = list(cells)
    numeric = all(isinstance(cell, int | float | np.number) for cell in array.ravel())
    return np.asarray(context) if numeric else array


def _describe(dtype: Any) -> list[Any]:
    """A narwhals type as its name and arguments."""
    if isinstance(dtype, nw.Datetime):
        return ["Datetime", dtype.time_unit, dtype.time_zone]
    if isinstance(dtype, nw.Enum):
        return ["Enum", list(dtype.categories)]
    simple = dtype.is_numeric() or dtype in (nw.Boolean, nw.String, nw.Categorical, nw.Date)
    return [str(dtype)] if simple and not dtype.is_decimal() else ["Unknown"]


def _restore(described: list[Any]) -> Any:
    name, *arguments = described
    if name not in _TYPES:
        raise ValueError(f"{name!r} is no type of a column; the template was damaged.")
    return getattr(nw, name)(*arguments)


def _cast_where_equal(series: nw.Series, dtype: Any) -> nw.Series:
    if series.dtype == dtype or dtype in (nw.Object, nw.Unknown):
        return series
    try:
        cast = series.cast(dtype)
        if not np.array_equal(_missing(cast), _missing(series)):
            return series  # pandas' and NumPy's bool has no missing value: None would be False, and NaN True
        if series.is_null().all() or series.dtype == nw.Unknown:
            return cast
        if series.dtype.is_temporal() or dtype.is_temporal():
            # A number would be cast to a date-time in nanoseconds, and a date to one at midnight.
            return cast if _is_moment(series) and _zone(series.dtype) == _zone(dtype) else series
        if (series.dtype.is_numeric() or series.dtype == nw.Boolean) != (dtype.is_numeric() or dtype == nw.Boolean):
            return series
        return cast if cast.to_list() == series.to_list() else series
    except Exception:  # each library has errors of its own for a value that a type cannot hold
        return series


def _missing(series: nw.Series) -> NDArray[np.bool_]:
    missing = series.is_null()
    return (missing | series.is_nan().fill_null(False) if series.dtype.is_float() else missing).to_numpy()


def _is_moment(series: nw.Series) -> bool:
    if series.dtype in (nw.Object, nw.Unknown):
        return all(cell is None or isinstance(cell, datetime) for cell in series.to_list())
    return isinstance(series.dtype, nw.Datetime)


def _zone(dtype: Any) -> str | None:
    return getattr(dtype, "time_zone", None)


def check_same_ids(before: Column, after: Column, what: str, where: str) -> None:
    """Check that ids are unchanged.

    Raises
    ------
    ValueError
        If an id has changed; the message names the first one.
    """
    if len(before) != len(after):
        raise ValueError(f"{where} turned {len(before)} rows into {len(after)}; transformers must keep every row.")
    changed = _changed(before, after)
    if not changed.any():
        return
    row = int(np.argmax(changed))
    old, new = (np.asarray(column[row : row + 1]).tolist()[0] for column in (before, after))
    raise ValueError(
        f"{where} changed {what}: {old!r} became {new!r}. User and item ids must come out first and as they were: use "
        "ContextEncoder; with another transformer let the ids pass in the first two columns, and give large integers "
        "in a frame or as text, where no float rounds them."
    )


def _changed(before: Column, after: Column) -> NDArray[np.bool_]:
    """Where ids differ; missing ids are ignored here, since the recommender refuses them."""
    columns = [column.to_numpy() if _is_plain(column) else column for column in (before, after)]
    if all(isinstance(column, np.ndarray) and column.dtype.kind in "iufb" for column in columns):
        old, new = columns
        if old.dtype.kind in "iu" and new.dtype.kind == "f":
            wide = old.astype(np.float64)
            return (wide != new) | (np.abs(wide) >= FIRST_ROUNDED)
        return np.asarray((old != new) & ~((old != old) & (new != new)), dtype=bool)
    cells = [column.to_list() if isinstance(column, nw.Series) else column.tolist() for column in (before, after)]
    return np.fromiter(map(_differ, *cells), bool, len(before))


def _is_plain(column: Column) -> bool:
    """Whether a Series is of numbers that NumPy holds as they are."""
    if not isinstance(column, nw.Series) or column.dtype in WIDE_INTEGERS or column.null_count():
        return False
    return column.dtype.is_integer() or column.dtype.is_float()


def _differ(old: Any, new: Any) -> bool:
    if is_missing_value(old) and is_missing_value(new):
        return False
    try:
        return bool(old != new)
    except (TypeError, ValueError):  # of arrays and the like, which the recommender refuses
        return old is not new
