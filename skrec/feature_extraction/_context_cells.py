"""Cells of a context column as what an encoder needs: numbers, distinct values, seconds."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Column, factorize
from skrec.utils import as_text, is_missing_value, missing_cells

SECONDS = {"D": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds of each time unit."""

_QUARTER = 900  # every offset from UTC that is in use, and every change of one, is a multiple of it
_LARGEST = float(np.finfo(np.float32).max)
_LAST_SECOND = 253_402_300_799  # of the year 9999, where Python's calendar ends


def is_missing(column: Column) -> NDArray[np.bool_]:
    """Where a column has None, NaN, NaT or NA."""
    if isinstance(column, nw.Series):
        if column.dtype in (nw.Object, nw.Unknown):
            return missing_cells(as_objects(column))
        missing = column.is_null().to_numpy()
        return missing | column.is_nan().fill_null(False).to_numpy() if column.dtype.is_float() else missing
    if column.dtype.kind in "fc":
        return np.isnan(column)
    if column.dtype.kind in "mM":
        return np.isnat(column)
    if column.dtype.kind != "O":
        return np.zeros(len(column), bool)
    return missing_cells(column)


def as_objects(column: nw.Series) -> NDArray:
    """The cells of a series, as Python objects."""
    return np.fromiter(column.to_list(), object, len(column))


def numbers(column: Column, name: str) -> NDArray[np.float64]:
    """Float64 with NaN for what is missing.

    Raises
    ------
    ValueError
        If a cell is no number, or not finite as float32.
    """
    values = _of_numeric_type(column)
    if values is None:
        values = _of_cells(column, name)
    beyond = np.abs(values) > _LARGEST
    if beyond.any():
        found = values[beyond][0]
        raise ValueError(
            f"column {name!r} contains {'infinity' if np.isinf(found) else f'{found:g}, beyond the range of float32'}; "
            "replace it by a number, or by NaN for missing."
        )
    return values


def _of_numeric_type(column: Column) -> NDArray[np.float64] | None:
    """The numbers of a column whose type has only numbers, NaN and nulls; None for another one."""
    if isinstance(column, nw.Series):
        if not column.dtype.is_numeric():
            return None
        column = column.to_numpy()
    return column.astype(np.float64) if column.dtype.kind in "fiu" else None


def _of_cells(column: Column, name: str) -> NDArray[np.float64]:
    """Numbers of a column of any type, with what is missing marked."""
    missing = is_missing(column)
    values = np.full(len(column), np.nan)
    if missing.all():  # then the type says nothing: each library has another one for it
        return values
    if isinstance(column, nw.Series):
        if not (column.dtype.is_numeric() or column.dtype in (nw.Boolean, nw.Object)):
            raise ValueError(
                f"column {name!r} is of type {column.dtype}, but is read as numbers; convert it, or give it "
                f"another role, as in roles={{{name!r}: 'category'}}."
            )
        # Only those that are there: a type with NA becomes an array of objects.
        column = as_objects(column) if column.dtype == nw.Object else column.filter((~missing).tolist()).to_numpy()
    try:
        values[~missing] = column[~missing] if len(column) == len(missing) else column
    except (TypeError, ValueError):
        cells = (cell for cell in column.tolist() if not (isinstance(cell, int | float) or is_missing_value(cell)))
        raise ValueError(
            f"column {name!r} is read as numbers and contains {next(cells, None)!r}; pass a number, or give the column "
            f"another role, as in roles={{{name!r}: 'category'}}."
        ) from None
    return values


def distinct(column: Column, name: str) -> tuple[list[Any], NDArray[np.int64]]:
    """Distinct values, and the position of each row's among them; None, where some are missing, comes last."""
    missing = is_missing(column)
    column = _moments_as_texts(column)
    if not missing.any():
        uniques, inverse = factorize(column, f"column {name!r}")
        return uniques.tolist(), inverse
    present = np.flatnonzero(~missing)
    uniques, codes = factorize(column[present], f"column {name!r}") if len(present) else (np.zeros(0), present)
    inverse = np.full(len(missing), len(uniques))
    inverse[present] = codes
    return [*uniques.tolist(), None], inverse


def _moments_as_texts(column: Column) -> Column:
    """Intervals and times, as ``pandas.cut`` makes them, as texts; other columns as they are."""
    if isinstance(column, nw.Series):
        if column.dtype.is_numeric() or column.dtype in (nw.Boolean, nw.String):
            return column
        cells = as_objects(column)
    elif column.dtype.kind in "OM":
        cells = column.astype(object)
    else:
        return column
    named = [_is_moment(cell) for cell in cells]
    if not any(named):
        return column
    texts = [_moment_text(cell) if one else cell for cell, one in zip(cells, named, strict=True)]
    return np.fromiter(texts, object, len(texts))


def _is_moment(cell: Any) -> bool:
    return isinstance(cell, date | timedelta) or type(cell).__name__ in ("Interval", "Period")


def _moment_text(cell: Any) -> str:
    if type(cell).__name__ != "Interval":
        return str(cell)
    # pandas writes the edges as floats as soon as one cell is missing: as_text writes 3.0 as 3.
    opening, closing = "[" if cell.closed_left else "(", "]" if cell.closed_right else ")"
    return f"{opening}{as_text(cell.left)}, {as_text(cell.right)}{closing}"


def wall_clock(column: Column, name: str, unit: str, tz: str | None) -> tuple[NDArray[np.float64], str | None]:
    """Seconds since 1970 in local time, NaN where missing, and what the cells are.

    Parameters
    ----------
    unit : key of :data:`SECONDS`
        Of numbers, which count from 1970 in UTC.
    tz : str or None
        The local time zone; None leaves naive date-times as they are, aware ones in their own zone, and
        numbers in UTC.

    Returns
    -------
    seconds : float64 array
    kind : {"number", "naive", "aware", "date"} or None where all is missing
    """
    if is_missing(column).all():
        return np.full(len(column), np.nan), None
    if isinstance(column, nw.Series) and column.dtype in (nw.Object, nw.Unknown, nw.String):
        column = as_objects(column)
    kind: str | None
    if isinstance(column, nw.Series):
        seconds, kind = _of_series(column, name, unit, own_zone=tz is None)
    elif column.dtype.kind == "M":
        seconds, kind = _from_micros(column.astype("M8[us]").astype(np.int64), np.isnat(column)), "naive"
    elif column.dtype.kind in "iuf":
        seconds, kind = numbers(column, name) * SECONDS[unit], "number"
    else:
        seconds, kind = _of_objects(column, name, unit, own_zone=tz is None)
    known = ~np.isnan(seconds)
    if not known.any():
        return seconds, None
    if np.abs(seconds[known]).max() > _LAST_SECOND:
        raise ValueError(
            f"column {name!r} lies beyond the year 9999 when read in time_unit={unit!r}; the unit may be 'ms', 'us' "
            "or 'ns'."
        )
    if tz is not None and kind != "date":
        seconds[known] += _offsets(seconds[known], tz)
    return seconds, kind


def _of_series(column: nw.Series, name: str, unit: str, *, own_zone: bool) -> tuple[NDArray[np.float64], str]:
    dtype = column.dtype
    if dtype.is_numeric():
        return numbers(column, name) * SECONDS[unit], "number"
    is_date = dtype == nw.Date
    if is_date:
        column = column.cast(nw.Datetime("us"))
    elif not isinstance(dtype, nw.Datetime):
        raise ValueError(
            f"column {name!r} is of type {dtype}, but is read as date-times; convert it, or give it another "
            f"role, as in roles={{{name!r}: 'category'}}."
        )
    zone = getattr(dtype, "time_zone", None)
    if zone is not None and own_zone:
        column = column.dt.replace_time_zone(None)
    missing = column.is_null().to_numpy()
    micros = column.dt.timestamp("us")
    filled = micros.fill_null(0) if missing.any() else micros
    kind = "date" if is_date else "naive" if zone is None else "aware"
    return _from_micros(filled.to_numpy(), missing), kind


def _from_micros(micros: NDArray, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(missing, np.nan, np.asarray(micros, dtype=np.float64) / 1e6)


def _of_objects(column: NDArray, name: str, unit: str, *, own_zone: bool) -> tuple[NDArray[np.float64], str | None]:
    seconds = np.full(len(column), np.nan)
    kinds = set()
    for row, cell in enumerate(column.tolist() if column.dtype.kind == "O" else column):
        if is_missing_value(cell):
            continue
        seconds[row], kind = _of_object(cell, name, unit, own_zone)
        kinds.add(kind)
    if len(kinds) > 1:
        raise ValueError(
            f"column {name!r} mixes {' and '.join(_DESCRIBED[kind] for kind in sorted(kinds))}; give all a time "
            "zone, or none."
        )
    return seconds, kinds.pop() if kinds else None


def _of_object(cell: Any, name: str, unit: str, own_zone: bool) -> tuple[float, str]:
    if isinstance(cell, np.datetime64):
        cell = cell.astype("M8[us]").item()
    if isinstance(cell, datetime):
        if cell.tzinfo is None:
            return (cell - _EPOCH) / timedelta(seconds=1), "naive"
        wall = cell.replace(tzinfo=UTC) if own_zone else cell
        return wall.timestamp(), "aware"
    if isinstance(cell, date):
        return (datetime(cell.year, cell.month, cell.day) - _EPOCH) / timedelta(seconds=1), "date"
    if isinstance(cell, int | float):
        return cell * SECONDS[unit], "number"
    raise ValueError(
        f"column {name!r} is read as date-times and contains {cell!r}; convert it first, as with pandas.to_datetime."
    )


_EPOCH = datetime(1970, 1, 1)
_DESCRIBED = {
    "number": "numbers",
    "date": "dates without an hour",
    "naive": "date-times without a time zone",
    "aware": "date-times with a time zone",
}


def check_same_kind(kind: str | None, fitted: str | None, name: str) -> None:
    """Refuse date-times with a zone where fit had them without, and the like."""
    if kind is not None and fitted is not None and kind != fitted:
        raise ValueError(f"column {name!r} contains {_DESCRIBED[kind]}, but {_DESCRIBED[fitted]} in fit; convert it.")


def _offsets(seconds: NDArray[np.float64], tz: str) -> NDArray[np.float64]:
    zone = ZoneInfo(tz)
    quarters, inverse = np.unique(np.floor(seconds / _QUARTER).astype(np.int64), return_inverse=True)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    offsets = [
        (start + timedelta(seconds=int(quarter) * _QUARTER)).astimezone(zone).utcoffset() or timedelta(0)
        for quarter in quarters
    ]
    return np.array([offset.total_seconds() for offset in offsets])[inverse]
