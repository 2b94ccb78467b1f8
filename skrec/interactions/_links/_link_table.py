"""A table of links between users, split into columns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skrec.interactions._columns import Column, as_column
from skrec.interactions._events import TIMESTAMP, read_timestamp
from skrec.interactions._plain_input import as_frame, plain_array, plain_series, read_numbers
from skrec.interactions._types import Frame

_FLAGS = ("directed", "private", "blocked")
_EXPECTED = (
    "a frame whose first two columns are users, an array of two or three columns (user, user, weight), or an iterable "
    "of pairs"
)


class LinkTable:
    """A table of links between users, one row per link, that cross-validation passes on whole.

    Cross-validation slices every fit parameter that has as many rows as X. This wrapper has no length and no shape, so
    that it never looks like one. Pass it as ``user_links`` to ``fit``.

    Parameters
    ----------
    table : frame, array-like of shape (n_links, 2) or (n_links, 3), or iterable of pairs
        The first two columns are users. A frame may have further columns, by name: ``weight`` (a number of at least 0;
        0 is no link), ``timestamp`` or ``time`` (when the link was made), ``directed`` (whether only the first user
        chose the second), ``private`` (whether no reason may tell of the link) and ``blocked`` (whether the two are
        never to be shown to each other; such a row is no link). A third column of an array, or third cell of a row, is
        the weight.
    directed : bool, default=False
        Whether links are directed, as in "follows", where the table has no column ``directed``.

    Notes
    -----
    A link from a user to the same user is dropped. A pair of users has one link, whichever way round and however often
    it is written: of the largest weight and the latest time, and private if one of its rows is. Where links are
    directed, this holds for each direction. Users without events are kept. A table without rows is no link at all.

    Examples
    --------
    >>> from skrec.interactions import LinkTable
    >>> LinkTable([("ann", "bob"), ("bob", "eve")])
    LinkTable(list of 2)
    """

    def __init__(self, table: "Frame | ArrayLike | Iterable[Any]", *, directed: bool = False) -> None:
        if isinstance(table, LinkTable):
            table, directed = table.table, directed or table.directed
        # An iterator can be read once, and every fold of a cross-validation reads the table.
        self.table: Any = list(table) if isinstance(table, Iterator) else table
        self.directed = directed

    def __repr__(self) -> str:
        n_rows = f" of {len(self.table)}" if hasattr(self.table, "__len__") else ""
        return f"LinkTable({type(self.table).__name__}{n_rows}{', directed=True' if self.directed else ''})"


LinkSource: TypeAlias = Frame | ArrayLike | Iterable[Any] | LinkTable


@dataclass(frozen=True)
class LinkColumns:
    """The columns of a table of links, as they are written."""

    sources: Column
    targets: Column
    weight: NDArray[np.float32]
    timestamp: NDArray | None
    directed: NDArray[np.bool_]
    private: NDArray[np.bool_]
    blocked: NDArray[np.bool_]


def read_columns(links: LinkSource, what: str, n_events: int | None) -> LinkColumns:
    """The columns of a table of links.

    Raises
    ------
    TypeError
        If it is no table of links.
    ValueError
        If it has columns that are none of links, a cell that cannot be read, or as many rows as X while it is no
        :class:`LinkTable`, so that cross-validation would slice it.
    """
    wrapped = links if isinstance(links, LinkTable) else LinkTable(links)
    if not isinstance(wrapped.directed, bool | np.bool_):
        raise TypeError(f"directed must be True or False; got {wrapped.directed!r}.")
    frame = as_frame(wrapped.table, what)
    columns = _of_frame(frame, what) if frame is not None else _of_rows(wrapped.table, what)
    n_rows = len(columns[0])
    if wrapped is not links and n_rows == n_events and n_rows:
        raise ValueError(
            f"{what} has {n_rows} rows, as many as X, so that cross-validation would slice it with X. Pass "
            f"{what}=skrec.LinkTable(table), which is passed on whole."
        )
    sources, targets, weight, timestamp, flags = columns
    weight = np.ones(n_rows, np.float32) if weight is None else _read_weight(weight, what, n_rows)
    no, directed = np.zeros(n_rows, bool), np.full(n_rows, bool(wrapped.directed))
    return LinkColumns(
        as_column(sources, f"{what} users"),
        as_column(targets, f"{what} users"),
        weight,
        timestamp,
        flags.get("directed", directed),
        flags.get("private", no),
        flags.get("blocked", no),
    )


_Columns: TypeAlias = tuple[Any, Any, Any, NDArray | None, dict[str, NDArray[np.bool_]]]


def _of_frame(frame: nw.DataFrame, what: str) -> _Columns:
    names = [str(name) for name in frame.columns]
    if len(names) < 2:
        raise ValueError(f"{what} has {len(names)} column(s); expected two columns of users, then weight and the like.")
    known = ("weight", TIMESTAMP, "time", *_FLAGS)
    other = [name for name in names[2:] if name not in known]
    if other:  # a misspelt "private" would tell of links that are to be hidden
        raise ValueError(
            f"{what} has the column {other[0]!r}; behind the two users expected {', '.join(known)}. Rename it, or drop "
            "it."
        )
    place = {name: j for j, name in enumerate(names) if j > 1}
    if {TIMESTAMP, "time"} <= place.keys():
        raise ValueError(f"{what} has both columns 'timestamp' and 'time'; keep one.")
    at = place.get(TIMESTAMP, place.get("time"))
    times = None if at is None else read_timestamp(frame[:, at], what)
    weight = plain_series(frame[:, place["weight"]]) if "weight" in place else None
    flags = {name: _read_flags(frame[:, place[name]], f"{what}[{name!r}]") for name in _FLAGS if name in place}
    return plain_series(frame[:, 0]), plain_series(frame[:, 1]), weight, times, flags


def _of_rows(table: Any, what: str) -> _Columns:
    if isinstance(table, str | bytes | Mapping) or sp.issparse(table) or not isinstance(table, Iterable):
        raise TypeError(f"{what} is of type {type(table).__name__}; expected {_EXPECTED}.")
    if isinstance(table, np.ndarray):
        array = plain_array(table, what)
        if array.size and (array.ndim != 2 or array.shape[1] not in (2, 3)):
            raise ValueError(f"{what} is an array of shape {array.shape}; expected (n_links, 2) or (n_links, 3).")
        columns = list(array.T) if array.size else []
    else:
        rows = list(table)
        if isinstance(table, tuple) and any(hasattr(row, "dtype") for row in rows):
            raise TypeError(f"{what} is a tuple of columns; expected {_EXPECTED}: pass zip(users, friends).")
        cells = [() if isinstance(row, str | bytes) or not isinstance(row, Iterable) else tuple(row) for row in rows]
        widths = {len(row) for row in cells}
        if widths not in (set(), {2}, {3}):
            row = next(row for row, cell in zip(rows, cells, strict=True) if len(cell) not in (2, 3) or len(widths) > 1)
            raise ValueError(f"{what} has the row {row!r}; expected a pair, or (user, user, weight), in every row.")
        columns = [list(column) for column in zip(*cells, strict=True)]
    if not columns:
        return [], [], None, None, {}
    return columns[0], columns[1], columns[2] if len(columns) > 2 else None, None, {}


def _read_weight(values: Any, what: str, n_rows: int) -> NDArray[np.float32]:
    name = f"weight of {what}"
    weight = read_numbers(values, name, n_rows) if n_rows else np.zeros(0)
    if (np.asarray(weight) < 0).any():
        raise ValueError(f"{name} has negative values (the least is {weight.min()}); a weight is at least 0.")
    return weight.astype(np.float32)


def _read_flags(column: nw.Series, name: str) -> NDArray[np.bool_]:
    cells = column.to_list()
    unfit = next((cell for cell in cells if not isinstance(cell, bool | int | float) or cell not in (0, 1)), None)
    if column.null_count() or unfit is not None:
        raise ValueError(f"{name} contains {unfit!r}; expected True or False, or 1 or 0, in every row.")
    return np.array(cells, dtype=bool)
