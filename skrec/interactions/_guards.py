"""Warnings and errors for tables that look like something else than what they are read as."""

import re
import warnings
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.exceptions import (
    DatesAsTextWarning,
    RatingsAsContextWarning,
    SuspiciousDataWarning,
    TimeAsContextWarning,
    UnusedEncoderWarning,
)
from skrec.interactions._log_names import ROLE_NAMES, normalized_name
from skrec.interactions._log_values import unit_of_numbers
from skrec.utils import caller_level

_STRENGTHS = ROLE_NAMES["rating"] - {"amount", "count", "weight", "score", "scores", "strength", "rating", "ratings"}
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?")
_SAMPLED_CELLS = 100
_LARGEST_CLOCK_OR_CALENDAR = 366  # an hour, a weekday or a day of the year is no moment
_LEAST_PIVOT_COLUMNS = 10
_LEAST_PIVOT_ZEROS = 0.5


def warn_suspicious(message: str, category: type[SuspiciousDataWarning]) -> None:
    """A warning that names its remedy, with the way to silence it alone behind it."""
    silence = f"If it is meant as it is: warnings.filterwarnings('ignore', category=skrec.{category.__name__})."
    warnings.warn(f"{message} {silence}", category, stacklevel=caller_level())


def warn_of_unused_encoder(model: str, side: str) -> None:
    """Warn of an encoder of items or users without a table to encode."""
    warn_suspicious(
        f"{model} has {side}_encoder=..., and fit got no {side}_features, so there is nothing to encode. Pass "
        f"{side}_features=table, with the {side} ids in its first column, or leave the encoder out.",
        UnusedEncoderWarning,
    )


def check_context_columns(frame: nw.DataFrame, what: str, *, has_timestamp: bool) -> None:
    """Warn of context columns of a frame that look like times, dates as text, ratings or quantities.

    Ratings and quantities are not negative, so that columns which an earlier step has centred pass.

    Parameters
    ----------
    frame : narwhals DataFrame
        User, item, then context columns.
    what : str
        The name of the argument, for messages.
    has_timestamp : bool
        Whether the table has a column ``timestamp``, so that order is known.
    """
    for j, name in enumerate(frame.columns[2:], start=2):
        column, plain = frame[:, j], normalized_name(name)
        is_time = plain in ROLE_NAMES["timestamp"] and not has_timestamp and _may_be_time(column)
        if is_time:
            warn_suspicious(
                f"{what} has a column {name!r} and none named 'timestamp': it is a context, and the order of events is "
                f"lost. Rename it, as in {what}.rename(columns={{{name!r}: 'timestamp'}}) (dates as text go through "
                "pandas.to_datetime first), or read the table with skrec.interactions.read_log.",
                TimeAsContextWarning,
            )
        elif _is_text_of_dates(column):
            warn_suspicious(
                f"{what} has dates as text in the column {name!r} (as {_sample(column)[0]!r}): every date is a "
                f"category of its own. Convert them, as in pandas.to_datetime({what}[{name!r}]), or drop the column.",
                DatesAsTextWarning,
            )
        elif plain in _STRENGTHS and column.dtype.is_numeric() and float(column.min() or 0) >= 0:
            warn_suspicious(
                f"{what} has a column {name!r}, which is read as a context. If it is the rating or the strength of the "
                f"event, drop it from {what} and pass it as y={what}[{name!r}].",
                RatingsAsContextWarning,
            )


def _may_be_time(column: nw.Series) -> bool:
    if column.dtype.is_temporal():
        return True
    if column.dtype.is_numeric():
        largest = column.max()
        return largest is not None and float(largest) > _LARGEST_CLOCK_OR_CALENDAR
    return _is_text_of_dates(column)


def _sample(column: nw.Series) -> list[Any]:
    return [cell for cell in column.head(_SAMPLED_CELLS).drop_nulls().to_list() if cell == cell]


def _is_text_of_dates(column: nw.Series) -> bool:
    if column.dtype not in (nw.String, nw.Object, nw.Categorical):
        return False
    cells = _sample(column)
    return bool(cells) and all(isinstance(cell, str) and _ISO_DATE.fullmatch(cell) for cell in cells)


def check_array_columns(array: NDArray, what: str) -> None:
    """Warn of a column of an array that looks like times, which an array has no place for."""
    if array.dtype.kind not in "iuf":
        return
    for j in range(2, array.shape[1]):
        column = array[:, j]
        unit = unit_of_numbers(column) if np.isfinite(column).all() else None
        if unit is not None and column.min() >= 0.5 * column.max() and (column == np.floor(column)).all():
            warn_suspicious(
                f"Column {j} of {what} looks like times in {unit[0]} since 1970, and an array has no column for times: "
                "it is read as a context. Pass a frame with a column named 'timestamp', or read the array with "
                "skrec.interactions.read_log.",
                TimeAsContextWarning,
            )


def check_not_pivot(table: Any, what: str) -> None:
    """Refuse a dense users x items table.

    Raises
    ------
    ValueError
        If the table has many columns, is mostly zero, and its first two columns are no different from the others.
    """
    shape: Any = getattr(table, "shape", ())
    if len(shape) != 2 or shape[0] < 2 or shape[1] < _LEAST_PIVOT_COLUMNS:  # one row shows no pattern
        return
    values = table.to_numpy() if isinstance(table, nw.DataFrame) else table
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iufb":
        return
    empty = (values == 0) | (values != values)
    ids, others = values[:, :2], values[:, 2:]
    if empty[:, :2].mean() < _LEAST_PIVOT_ZEROS or empty.mean() < _LEAST_PIVOT_ZEROS:
        return
    if np.isin(np.unique(ids[~empty[:, :2]]), others).all():
        raise ValueError(
            f"{what} of shape {shape} looks like a table of users x items: its first two columns are mostly 0, as the "
            f"others are. Expected one row per event: user id, item id, then context columns. Write "
            "log = skrec.interactions.read_log(scipy.sparse.csr_array(table)) and fit(log.X, log.y)."
        )


def check_not_columns(X: Any, what: str) -> None:
    """Refuse a tuple of columns, which would be read as rows.

    Raises
    ------
    TypeError
        If X is a tuple of arrays or Series.
    """
    if isinstance(X, tuple) and X and all(hasattr(part, "dtype") or hasattr(part, "type") for part in X):
        raise TypeError(
            f"{what} is a tuple of {len(X)} columns; expected a table with one row per event. Pass "
            "pandas.DataFrame({'user': users, 'item': items}), and ratings as y."
        )


def warn_of_ratings_in_array(X: Any, y: object, what: str = "X") -> None:
    """Warn of rows (user, item, rating) or (user, item, rating, time) without y.

    Stars from 0.5 to 5 are distinguished from other numbers by their values, in the first rows.
    """
    if y is not None or not isinstance(X, np.ndarray | list):
        return
    try:
        rows = np.asarray(X[:_SAMPLED_CELLS], dtype=object)
        third = rows[:, 2].astype(np.float64) if rows.ndim == 2 and rows.shape[1] in (3, 4) else np.zeros(0)
    except (IndexError, TypeError, ValueError):
        return
    stars = np.unique(third)
    if len(stars) > 2 and stars[0] >= 0.5 and stars[-1] == 5 and (stars * 2 == np.floor(stars * 2)).all():
        warn_suspicious(
            f"Column 2 of {what} looks like ratings (from {stars[0]:g} to 5), and it is read as a context. Pass "
            f"{what}[:, :2] and y={what}[:, 2].",
            RatingsAsContextWarning,
        )
