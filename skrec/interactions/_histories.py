"""Events grouped by user or query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray

from skrec.interactions._log_values import unit_of_numbers
from skrec.utils import check_array, check_codes, check_indptr, check_kind, replace_rows

_FEW_ROWS = 256
_LARGEST_STEP = 1e7  # numbers up to here count steps or days, and are no seconds since 1970


@dataclass
class Histories:
    """Events grouped by row (a user or a query), in time order within the row; repeats are kept.

    Attributes
    ----------
    indptr : int64 array of shape (n_rows + 1,)
    items : int32 array of shape (n_events,)
        Item codes.
    y : float32 array of shape (n_events,)
    timestamp : array of shape (n_events,) or None
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    y: NDArray[np.float32]
    timestamp: NDArray | None = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def group(cls, rows: NDArray, items: NDArray, y: NDArray, timestamp: NDArray | None, n_rows: int) -> "Histories":
        """Group events given in time order."""
        n = len(rows)
        # Each event is a column of its own: scipy's conversion is then a stable counting sort.
        columns = np.arange(n, dtype=np.int32 if n <= np.iinfo(np.int32).max else np.int64)
        order = sp.coo_array((np.empty(n, np.int8), (rows, columns)), shape=(n_rows, max(n, 1))).tocsr()
        del columns
        at = order.indices
        times = None if timestamp is None else timestamp[at]
        indptr, codes = order.indptr.astype(np.int64), items[at].astype(np.int32, copy=False)
        return cls(indptr, codes, y[at].astype(np.float32, copy=False), times)

    @classmethod
    def empty(cls, n_rows: int) -> "Histories":
        """Rows without events."""
        return cls(np.zeros(n_rows + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))

    @classmethod
    def read(cls, rows: "Histories | Sequence[ArrayLike]") -> "Histories":
        """What ``seen_items`` of any recommender returns: Histories, or one list of item codes per row."""
        if isinstance(rows, Histories):
            return rows
        lists = [np.asarray(row, dtype=np.int32) for row in rows]
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
        items = np.concatenate(lists) if lists else np.zeros(0, np.int32)
        return cls(indptr, items, np.ones(len(items), np.float32))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of events per row."""
        return np.diff(self.indptr)

    def lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of events of the given rows; 0 for -1."""
        return np.where(rows >= 0, self.indptr[rows + 1] - self.indptr[rows], 0)

    def row_of_event(self) -> NDArray[np.int64]:
        """The row that each event belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def steps_back(self) -> NDArray[np.int64]:
        """The number of later events in the same row: 0 for the latest event."""
        return np.repeat(self.indptr[1:], self.lengths) - 1 - np.arange(len(self.items))

    def decayed(
        self, factor: float, age: NDArray | None = None, *, dtype: DTypeLike = np.float32
    ) -> NDArray[np.floating]:
        """Strength of each event times ``factor ** age``.

        Parameters
        ----------
        factor : float in (0, 1]
        age : array of shape (n_events,), default=None
            None means :meth:`steps_back`.
        dtype : float32 or float64, default=float32
            Precision of the factors.
        """
        if factor == 1:
            return self.y
        age = self.steps_back() if age is None else age
        return self.y * np.power(np.asarray(factor, dtype), age.astype(dtype))

    def block(self, start: int, stop: int) -> "Histories":
        """Rows ``start`` to ``stop``, without a copy of the events."""
        first, last = self.indptr[start], self.indptr[stop]
        times = None if self.timestamp is None else self.timestamp[first:last]
        return Histories(self.indptr[start : stop + 1] - first, self.items[first:last], self.y[first:last], times)

    def take(self, rows: NDArray) -> "Histories":
        """The given rows, with repeats; -1 gives an empty row."""
        if len(rows) == 1 and rows[0] >= 0:  # a request
            return self.block(rows[0], rows[0] + 1)
        starts = np.where(rows >= 0, self.indptr[rows], 0)
        lengths = self.lengths_of(rows)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
        times = None if self.timestamp is None else self.timestamp[at]
        return Histories(indptr, self.items[at], self.y[at], times)

    def where(self, kept: NDArray[np.bool_]) -> "Histories":
        """The events that a mask keeps; rows may become empty."""
        lengths = np.bincount(self.row_of_event()[kept], minlength=len(self))
        times = None if self.timestamp is None else self.timestamp[kept]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Histories(indptr, self.items[kept], self.y[kept], times)

    def followed_by(self, later: "Histories") -> "Histories":
        """Both histories joined row by row: in time order where both have times, else ``later`` after these.

        Only rows with later events are sorted, and the others are copied in whole stretches: a few events cost a copy
        of the log.
        """
        old, new = self._with_common_times(later)
        rows = np.flatnonzero(new.lengths)
        if len(rows) > _FEW_ROWS:
            return old._joined(new)
        changed = old.take(rows)._joined(new.take(rows))
        return Histories(*replace_rows(old._arrays(), rows, changed._arrays()))

    def _arrays(self) -> tuple[NDArray, ...]:
        arrays = self.indptr, self.items, self.y
        return arrays if self.timestamp is None else (*arrays, self.timestamp)

    def _with_common_times(self, later: "Histories") -> "tuple[Histories, Histories]":
        """Both with times, or both without."""
        if self.timestamp is not None and later.timestamp is not None:
            _check_units(self.timestamp, later.timestamp)
            return self, later
        # Without any event, an array of times says nothing.
        if self.timestamp is not None and not len(later.items):
            return self, replace(later, timestamp=self.timestamp[:0])
        if later.timestamp is not None and not len(self.items):
            return replace(self, timestamp=later.timestamp[:0]), later
        return replace(self, timestamp=None), replace(later, timestamp=None)

    def _joined(self, later: "Histories") -> "Histories":
        n_old, n_new = len(self.items), len(later.items)
        place = np.concatenate(
            [
                np.arange(n_old) + np.repeat(later.indptr[:-1], self.lengths),
                np.arange(n_new) + np.repeat(self.indptr[1:], later.lengths),
            ]
        )
        times = None
        if self.timestamp is not None and later.timestamp is not None:
            times = np.concatenate([self.timestamp, later.timestamp])
            has_more = later.lengths > 0
            at = np.concatenate([np.repeat(has_more, self.lengths), np.ones(n_new, bool)])
            rows = np.concatenate([self.row_of_event(), later.row_of_event()])[at]
            order = np.lexsort((times[at], rows))
            place[np.flatnonzero(at)[order]] = np.sort(place[at])

        def put(old: NDArray, new: NDArray, dtype: DTypeLike) -> NDArray:
            out = np.empty(len(place), dtype)
            out[place[:n_old]], out[place[n_old:]] = old, new
            return out

        if times is not None:
            times = put(times[:n_old], times[n_old:], times.dtype)
        items, y = put(self.items, later.items, np.int32), put(self.y, later.y, np.float32)
        return Histories(self.indptr + later.indptr, items, y, times)

    def with_rows(self, n_rows: int) -> "Histories":
        """A copy with empty rows added at the end."""
        more = np.full(n_rows - len(self), self.indptr[-1])
        return Histories(np.concatenate([self.indptr, more]), self.items, self.y, self.timestamp)

    def item_totals(self, n_items: int, *, items: NDArray | None = None, count: bool = False) -> NDArray[np.float64]:
        """Sum of ``y`` of each item, or its number of events; with ``items`` those of the given codes alone, else 0."""
        at = slice(None) if items is None else self.events_of(items)
        chosen = self.items[at]
        return np.bincount(chosen, None if count else self.y[at], n_items).astype(np.float64)

    def events_of(self, items: NDArray) -> NDArray[np.int64]:
        """Positions of all events of the given item codes."""
        return np.flatnonzero(np.isin(self.items, items))

    def rows_with(self, items: NDArray) -> NDArray[np.int64]:
        """The rows that have an event of any of the given item codes."""
        at = self.events_of(items)
        if not len(at):
            return at
        rows = np.searchsorted(self.indptr, at, side="right") - 1
        return rows[np.concatenate([[True], rows[1:] != rows[:-1]])]

    def to_csr(self, n_items: int, *, values: NDArray | None = None, narrow: bool = False) -> sp.csr_array:
        """(n_rows, n_items) float32 matrix of ``y`` (or of ``values``), repeats added up.

        Its indices are int64, as ``indptr``, or with ``narrow`` int32 where they fit, which takes half the memory.
        """
        data = (self.y if values is None else values).astype(np.float32, copy=False)
        fits = narrow and len(self.items) <= np.iinfo(np.int32).max
        indptr = self.indptr.astype(np.int32) if fits else self.indptr  # scipy takes the wider of two index types
        matrix = sp.csr_array((data, self.items, indptr), shape=(len(self), n_items), copy=True)
        matrix.sum_duplicates()
        return matrix

    def last_rating(self, n_items: int) -> sp.csr_array:
        """(n_rows, n_items) float32 matrix of the last ``y`` of each pair; explicit zeros are kept."""
        pair = self.row_of_event() * n_items + self.items
        last = np.unique(pair[::-1], return_index=True)[1]
        keep = np.sort(len(pair) - 1 - last)
        rows = self.row_of_event()[keep]
        return sp.coo_array((self.y[keep], (rows, self.items[keep])), shape=(len(self), n_items)).tocsr()


def check_histories(value: object, name: str, n_rows: int, n_items: int) -> None:
    """Check histories that were loaded.

    Raises
    ------
    DamagedStateError
        If they are not histories of so many rows, or an item is not in the catalogue.
    """
    check_kind(value, name, Histories)
    assert isinstance(value, Histories)
    check_codes(value.items, f"{name}.items", n_items, dtype=np.int32)
    n_events = len(value.items)
    check_indptr(value.indptr, f"{name}.indptr", n_rows, n_events)
    check_array(value.indptr, f"{name}.indptr", (None,), dtype=np.int64)
    check_array(value.y, f"{name}.y", (n_events,), dtype=np.float32)
    if value.timestamp is not None:
        check_array(value.timestamp, f"{name}.timestamp", (n_events,), kinds="iuf")


def _check_units(fitted: NDArray, given: NDArray) -> None:
    """Refuse times in another unit than those of fit, by their size.

    Raises
    ------
    ValueError
        If both are times since 1970 in different units, or one is and the other is far too small to be.
    """
    if not len(fitted) or not len(given):
        return
    units = [unit_of_numbers(times) for times in (fitted, given)]
    names = [unit[0] if unit else None for unit in units]
    small = min(float(np.abs(times).max()) for times in (fitted, given))
    if names[0] == names[1] or (None in names and small > _LARGEST_STEP):
        return
    words = [name or "numbers too small to be times since 1970" for name in names]
    raise ValueError(
        f"The times of fit are in {words[0]} (as {fitted.max()}), those given now in {words[1]} (as {given.max()}). "
        "Date-times count as seconds. Give all of them in one unit, or all as date-times."
    )
