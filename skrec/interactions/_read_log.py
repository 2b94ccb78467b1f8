"""Your own table of events: read into X and y, with a report of what was taken for what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from numbers import Integral
from os import PathLike
from typing import Any, Literal, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skrec.interactions._columns import Column, factorize
from skrec.interactions._events import TIMESTAMP, read_timestamp
from skrec.interactions._log_columns import missing_cells, read_column, read_numbers, whole_ids, without_missing
from skrec.interactions._log_names import column_named, find_column
from skrec.interactions._log_report import ColumnReport, LogReport
from skrec.interactions._log_sources import IdNames, LogSource, open_source
from skrec.interactions._log_values import unit_of_numbers
from skrec.interactions._types import Frame
from skrec.utils import installed_frame_library

_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

LogInput: TypeAlias = (
    str | PathLike[str] | Frame | ArrayLike | sp.sparray | sp.spmatrix | Mapping[str, ArrayLike] | Sequence[object]
)


@dataclass(frozen=True)
class EventLog:
    """Events as ``fit`` takes them.

    Attributes
    ----------
    X : frame, or ndarray where no frame library is installed
        User, item, context columns, and ``timestamp`` where there are times.
    y : float64 array of shape (n_events,), or None
        Ratings or strengths.
    report : LogReport
        What was taken for what.
    """

    X: Any
    y: NDArray[np.float64] | None
    report: LogReport

    def __len__(self) -> int:
        return self.report.n_events

    def __repr__(self) -> str:
        return str(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def read_log(
    source: LogInput,
    *,
    user: str | int | None = None,
    item: str | int | None = None,
    timestamp: str | int | Literal[False] | None = None,
    rating: str | int | Literal[False] | None = None,
    context: Sequence[str | int] = (),
    columns: Sequence[str] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    time_format: str | None = None,
    drop_missing: bool = False,
    user_ids: IdNames = None,
    item_ids: IdNames = None,
) -> EventLog:
    """Read a log of events into the ``X`` and ``y`` of ``fit``, and report what was taken for what.

    Parameters
    ----------
    source : path, frame, lazy frame, sparse matrix, array, list or mapping
        A CSV, Parquet or JSON file (one object a line, or a list of them; also ``.csv.gz`` and ``.jsonl.gz``); a frame
        of pandas, polars or pyarrow; a lazy frame or a DuckDB relation, of which the needed columns are collected; a
        SciPy matrix of users x items, or the pair (interactions, weights) of LightFM; rows ``(user, item[, rating[,
        timestamp]])``, as in Surprise, whose datasets and trainsets are read too; dicts; or a mapping from names to
        columns.
    user, item : str or int, default=None
        The columns of the ids, by name or position. None finds them by name, as ``user_id`` or ``customer``.
    timestamp, rating : str, int, False or None, default=None
        The time of the event, and the rating or strength. None finds them by name, as ``created_at`` or
        ``quantity``; False means that there is none.
    context : sequence of str or int, default=()
        Further columns that X is to have. Columns that are not named here are excluded.
    columns : sequence of str, default=None
        Names of the columns of a file without header, or of rows.
    encoding, delimiter : str, default=None
        Of a text file. None tells UTF-8 (with or without BOM), UTF-16 and GBK, and comma, semicolon, tab, bar and
        ``::`` apart, and refuses to guess among others.
    time_format : str, default=None
        How times are written, as in :meth:`datetime.datetime.strptime`. None reads ISO 8601, dates with the year first,
        and dates with the year last where one of them tells the day from the month, as 31.12.2024 does.
    drop_missing : bool, default=False
        Drop events without a user, an item or a time. Otherwise these are an error.
    user_ids, item_ids : array-like of ids, or mapping from id to position, default=None
        Names of the rows and columns of a matrix. None numbers them from 0.

    Returns
    -------
    EventLog
        With ``X``, ``y`` and ``report``.

    Raises
    ------
    ValueError
        If several columns could be meant, if ids or times are missing, or if the text of a column cannot be read as
        what it should be. The message says what to pass.
    TypeError
        If the kind of source is unknown.

    Notes
    -----
    The ids of a text file become integers only where every one is written as one; ``007`` stays text. Numbers
    as times are kept as they are, and the report says which unit their size suggests. Ratings may have a decimal comma.
    A column that stands in a text file twice, with the same name and cells, is read once. An object inside an object of
    JSON becomes columns with a dot, as ``product.id``.

    Examples
    --------
    >>> from skrec.interactions import read_log
    >>> rows = [("ann", "tea", 5, "2024-01-31"), ("ann", "rye", 3, "2024-02-01"), ("bob", "tea", 4, "2024-02-01")]
    >>> log = read_log(rows)
    >>> log.y.tolist()
    [5.0, 3.0, 4.0]
    >>> print(log.report)
    Event log
    source: list of rows
    size: 3 events, 2 users, 2 items
    repeats: 0 events repeat a pair of user and item
    span: 2024-01-31 00:00:00 to 2024-02-01 00:00:00
    columns:
      user       user       text
      item       item       text
      timestamp  timestamp  text parsed as dates, as in '2024-01-31', taken as UTC
      rating     rating     numbers from 3 to 5
    """
    opened = open_source(
        source, columns=columns, encoding=encoding, delimiter=delimiter, user_ids=user_ids, item_ids=item_ids
    )
    chosen = {"user": user, "item": item, "timestamp": timestamp, "rating": rating}
    roles, more = _assign(opened, chosen, context)
    table = opened.load([*roles.values(), *more])
    read, reports = {}, []
    for role, name in [*roles.items(), *(("context", name) for name in more)]:
        read[name], described = read_column(table[name], role, name, opened.is_text, time_format)
        reports.append(ColumnReport(role, name, described, int(missing_cells(read[name]).sum())))
    needed = [name for role, name in roles.items() if role != "rating"]
    read, n_dropped = without_missing(read, needed, drop_missing)
    for report in reports:
        if report.role in ("user", "item") and isinstance(read[report.name], np.ndarray | nw.Series):
            read[report.name] = whole_ids(read[report.name])
    y = read_numbers(read.pop(roles["rating"]), roles["rating"]) if "rating" in roles else None
    return _assemble(opened, roles, more, read, y, reports, n_dropped)


def _assign(
    opened: LogSource, chosen: dict[str, Any], context: Sequence[str | int]
) -> tuple[dict[str, str], list[str]]:
    if isinstance(context, str):
        raise TypeError(f"context must be a list of columns; got the text {context!r}: write [{context!r}].")
    if not isinstance(context, Iterable):
        raise TypeError(f"context must be a list of columns; got {context!r:.60}.")
    more = [column_named(name, opened.names, "context") for name in context]
    for role, name in chosen.items():
        if name is not None and not isinstance(name, str | Integral | np.bool_):
            raise TypeError(f"{role} must be the name or the position of a column; got {name!r:.60}.")
    named = {role: column_named(name, opened.names, role) for role, name in chosen.items() if name not in (None, False)}
    roles = {}
    for role, name in chosen.items():
        if name is None and role in opened.roles:
            roles[role] = opened.roles[role]
            continue
        taken = [*more, *named.values(), *roles.values()]
        found = find_column(role, name, opened.names, taken, required=role in ("user", "item"))
        if found is not None:
            roles[role] = found
    every = [*roles.values(), *more]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise ValueError(
            f"The column {twice[0]!r} has several roles; give it one of user, item, timestamp, rating, context."
        )
    if TIMESTAMP in more or (TIMESTAMP in every and roles.get("timestamp") != TIMESTAMP):
        raise ValueError(
            f"The column {TIMESTAMP!r} can only be the time of the event; rename it, or pass it as timestamp."
        )
    return roles, more


def _assemble(
    opened: LogSource,
    roles: dict[str, str],
    more: list[str],
    read: dict[str, Column],
    y: NDArray[np.float64] | None,
    reports: list[ColumnReport],
    n_dropped: int,
) -> EventLog:
    user, item = roles["user"], roles["item"]
    (users, user_codes), (items, item_codes) = factorize(read[user], user), factorize(read[item], item)
    if not len(user_codes):
        raise ValueError("The log has no events.")
    pairs = np.unique(user_codes * np.int64(len(items)) + item_codes)
    notes: list[str] = []
    first = last = None
    if "timestamp" in roles:
        reports, first, last = _with_unit(reports, read[roles["timestamp"]])
    else:
        notes.append("no time: the order of the rows is taken for the order of the events where order counts")
    ordered = [user, item, *more, *([roles["timestamp"]] if "timestamp" in roles else [])]
    names = {name: TIMESTAMP if name == roles.get("timestamp") else name for name in ordered}
    X, y = _build({names[name]: read[name] for name in ordered}, y, opened.backend, notes)
    used = {*ordered, roles.get("rating")}
    report = LogReport(
        source=opened.kind + "".join(f", {name} {value!r}" for name, value in opened.found.items()),
        columns=reports,
        unused=[name for name in opened.names if name not in used],
        n_events=len(user_codes),
        n_users=len(users),
        n_items=len(items),
        n_dropped=n_dropped,
        n_repeats=len(user_codes) - len(pairs),
        first=first,
        last=last,
        notes=notes,
    )
    return EventLog(X, y, report)


def _with_unit(reports: list[ColumnReport], times: Column) -> tuple[list[ColumnReport], str, str]:
    """The reports with the unit of times, and the first and last time in words."""
    if isinstance(times, nw.Series):
        values = read_timestamp(times, "source")
        numeric = times.dtype.is_numeric()
    else:
        numeric = times.dtype.kind in "iuf"
        values = times if numeric else times.astype("datetime64[us]").astype(np.int64) / 1e6
    low, high = values.min(), values.max()
    unit = unit_of_numbers(values) if numeric else ("s", 1.0)
    if unit is None:
        first, last, described = f"{low:g}", f"{high:g}", "numbers too small to be times since 1970, kept as they are"
    else:
        first, last = (str(datetime(1970, 1, 1) + timedelta(seconds=float(at) / unit[1])) for at in (low, high))
        described = f"numbers, {_UNITS[unit[0]]} since 1970 by their size, kept as they are"
    if numeric:
        reports = [
            ColumnReport(r.role, r.name, described, r.n_missing) if r.role == "timestamp" else r for r in reports
        ]
    return reports, first, last


def _build(
    table: dict[str, Column], y: NDArray[np.float64] | None, backend: str | None, notes: list[str]
) -> tuple[Any, NDArray[np.float64] | None]:
    """X in the frame library of the source, or in the one that is installed, or as an array where there is none."""
    if backend is None and not any(find_spec(name) is not None for name in ("pandas", "polars", "pyarrow")):
        return _build_array(table, y, notes)
    answer: Any = backend or installed_frame_library()
    cells = {
        name: column.tolist() if isinstance(column, np.ndarray) and column.dtype.kind in "OUS" else column
        for name, column in table.items()
    }
    libraries = {column.implementation.value for column in cells.values() if isinstance(column, nw.Series)}
    for name, column in cells.items():
        if isinstance(column, nw.Series):
            cells[name] = nw.maybe_reset_index(column)
    if libraries - {answer}:
        cells = {n: c.to_list() if isinstance(c, nw.Series) else c for n, c in cells.items()}
    return nw.from_dict(cells, backend=answer).to_native(), y


def _build_array(
    table: dict[str, Column], y: NDArray[np.float64] | None, notes: list[str]
) -> tuple[NDArray, NDArray[np.float64] | None]:
    times = table.pop(TIMESTAMP, None)
    X = np.empty((len(next(iter(table.values()))), len(table)), dtype=object)
    for j, column in enumerate(table.values()):
        X[:, j] = column.tolist()
    if times is not None:
        order = np.argsort(times, kind="stable")
        X, y = X[order], None if y is None else y[order]
        notes.append("no frame library is installed: rows are in time order, and the times themselves are not in X")
    return X, y
