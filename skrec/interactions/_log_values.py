"""Cells of a log become ids, numbers and times; nothing is read as what it is not."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.utils import missing_cells

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\S.*))?")
_BARE_DATE = re.compile(r"(19|20|21)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_DAY_OR_MONTH_FIRST = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b.*")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[ T]+(\S.*))?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d{1,2})?")
_TRUTH = {"true": True, "false": False}

# Upper ends of plausible seconds, milliseconds, microseconds and nanoseconds since 1970: the year 2286.
_UNITS = ((1e10, "s", 1.0), (1e13, "ms", 1e3), (1e16, "us", 1e6), (1e19, "ns", 1e9))
_LEAST_SECONDS = 1e8  # March 1973; smaller numbers are steps or days


def objects(cells: Iterable[Any]) -> NDArray:
    """An object array of one dimension, whatever the cells are."""
    cells = list(cells)
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def distinct_text(cells: NDArray) -> list[str]:
    """The distinct cells that are not missing."""
    return list(dict.fromkeys(cell for cell in cells.tolist() if cell is not None))


def read_ids(cells: NDArray) -> tuple[NDArray, str]:
    """Integers where every id is written as one, else the text as it is: ``"007"`` stays ``"007"``."""
    distinct = distinct_text(cells)
    if distinct and all(_INTEGER.fullmatch(text) and text != "-0" for text in distinct):
        return _mapped(cells, {text: int(text) for text in distinct}, np.int64), "whole numbers"
    zeros = any(re.fullmatch(r"0\d+", text) for text in distinct)
    return cells, "text, leading zeros kept" if zeros else "text"


def read_values(cells: NDArray) -> tuple[NDArray, str]:
    """A context column: numbers, truth values or dates where every cell is one, else text."""
    distinct = distinct_text(cells)
    if not distinct:
        return np.full(len(cells), np.nan), "empty"
    if all(_NUMBER.fullmatch(text) for text in distinct):
        return _mapped(cells, {text: float(text) for text in distinct}, np.float64), "numbers"
    if all(text.lower() in _TRUTH for text in distinct):
        return _mapped(cells, {text: _TRUTH[text.lower()] for text in distinct}, None), "true or false"
    if all(_YEAR_FIRST.fullmatch(text) for text in distinct):
        try:
            return read_text_times(cells, "context", None)
        except ValueError:
            pass  # text that only begins like a date, as a version number may
    return cells, f"text, {len(distinct):,} distinct values"


def read_rating(cells: NDArray, name: str) -> NDArray[np.float64]:
    """Numbers of text, with a decimal comma as in ``"3,5"`` where all cells allow it.

    Raises
    ------
    ValueError
        If a cell is missing or not a number; the message shows the first.
    """
    distinct = distinct_text(cells)
    if any("," in text for text in distinct) and all(_DECIMAL_COMMA.fullmatch(text) for text in distinct):
        cells = objects(None if text is None else text.replace(",", ".") for text in cells.tolist())
    for row, text in enumerate(cells.tolist()):
        if text is None or not _NUMBER.fullmatch(text):
            found = "is empty" if text is None else f"holds {text!r}"
            raise ValueError(
                f"The rating column {name!r} {found} in event {row + 1}; every event needs a number, such as 1234.5. "
                "Convert, fill or drop those rows, or pass rating=False if this is not the rating."
            )
    return np.asarray([float(text) for text in cells.tolist()])


def read_text_times(cells: NDArray, name: str, time_format: str | None) -> tuple[NDArray, str]:
    """Dates and times of text as datetime64 in UTC; numbers as text as numbers.

    Raises
    ------
    ValueError
        If a cell is neither, or if which is the day and which the month is not clear.
    """
    distinct = distinct_text(cells)
    numeric = all(_NUMBER.fullmatch(text) for text in distinct)
    if time_format is None and numeric and not all(_BARE_DATE.fullmatch(text) for text in distinct):
        whole = all(_INTEGER.fullmatch(text) for text in distinct)
        convert: Callable[[str], Any] = int if whole else float
        return _mapped(cells, {text: convert(text) for text in distinct}, np.int64 if whole else np.float64), "numbers"
    day_first = _day_comes_first(distinct)
    parsed = {text: _parse_time(text, name, time_format, day_first) for text in distinct}
    zoned = {moment.tzinfo is not None for moment in parsed.values()}
    if len(zoned) > 1:
        raise ValueError(f"{name!r} mixes times with and without a time zone; write a zone in all of them, or in none.")
    naive = {
        text: moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        for text, moment in parsed.items()
    }
    times = np.asarray([naive[text] if text is not None else None for text in cells.tolist()], "datetime64[us]")
    return (
        times,
        f"text parsed as dates, as in {distinct[0]!r}, {'converted to UTC' if True in zoned else 'taken as UTC'}",
    )


def _day_comes_first(distinct: list[str]) -> bool | None:
    """Of dates with the year last, whether the day comes first; None where no date tells, or they tell both."""
    dates = [match for match in map(_YEAR_LAST.fullmatch, distinct) if match]
    first, second = (any(int(match[at]) > 12 for match in dates) for at in (1, 2))
    return first if first != second else None


def _parse_time(text: str, name: str, time_format: str | None, day_first: bool | None) -> datetime:
    try:
        if time_format is not None:
            return datetime.strptime(text, time_format)
        match = _YEAR_FIRST.fullmatch(text)
        if match:
            return _iso_time(*match.groups())
        match = _YEAR_LAST.fullmatch(text)
        if match and day_first is not None:
            first, second, year, clock = match.groups()
            return _iso_time(year, *((second, first) if day_first else (first, second)), clock)
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if time_format is not None:
        raise ValueError(f"{name!r} holds {text!r}, which is not written as time_format={time_format!r}.")
    if _DAY_OR_MONTH_FIRST.fullmatch(text):
        raise ValueError(
            f"{name!r} holds {text!r}, of which it is not clear what is the day and what the month. Pass time_format, "
            "as in time_format='%d/%m/%Y' or '%m/%d/%Y'."
        )
    raise ValueError(
        f"{name!r} holds {text!r}, which is neither a number nor an ISO date such as '2024-01-31 08:30'. Pass "
        "time_format, as in time_format='%d %b %Y', or another column as timestamp."
    )


def _iso_time(year: str, month: str, day: str, clock: str | None) -> datetime:
    """The moment of its parts; the hour may have one digit, as spreadsheets write it."""
    clock = f"T{clock}" if clock else ""
    return datetime.fromisoformat(f"{year}-{int(month):02}-{int(day):02}" + re.sub(r"^T(\d:)", r"T0\1", clock))


def unit_of_numbers(times: NDArray) -> tuple[str, float] | None:
    """Unit of numbers since 1970 by their size, and how many of it a second has; None where they are too small."""
    largest = float(np.abs(times).max(initial=0))
    if largest < _LEAST_SECONDS:
        return None
    for end, unit, per_second in _UNITS:
        if largest < end:
            return unit, per_second
    return None


def is_missing(cells: NDArray) -> NDArray[np.bool_]:
    """Where a cell is None, NaN, NaT or NA."""
    if cells.dtype.kind == "f":
        return np.isnan(cells)
    if cells.dtype.kind in "mM":
        return np.isnat(cells)
    if cells.dtype.kind != "O":
        return np.zeros(len(cells), bool)
    return missing_cells(cells)


def _mapped(cells: NDArray, values: dict[str, Any], dtype: Any) -> NDArray:
    """Each cell's value. Integers with gaps stay objects, since a float would round large ones."""
    gap = np.nan if dtype is np.float64 else None
    found = [gap if text is None else values[text] for text in cells.tolist()]
    return objects(found) if gap is None and (None in found or dtype is None) else np.asarray(found, dtype)
