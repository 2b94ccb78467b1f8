"""When items had their events, so that each can be counted up to any moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Histories
from skrec.utils import check_array, check_indptr, check_number

_WINDOW = 0.1
"""What counts as recent: the last tenth of the time that the log covers."""


@dataclass
class ItemLog:
    """Times of the events of each item.

    Attributes
    ----------
    indptr : int64 array of shape (n_items + 1,)
        Where the events of each item lie in ``keys``.
    keys : int64 array of shape (n_events,) or None
        ``item * (n_moments + 1) + moment``, sorted; None where there is no clock.
    moments : float64 array of shape (n_moments,) or None
        The distinct times, sorted.
    totals : int64 array of shape (n_moments + 1,) or None
        Number of events before each moment, and of all.
    window : float
        How much of the past is recent.
    """

    indptr: NDArray[np.int64]
    keys: NDArray[np.int64] | None
    moments: NDArray[np.float64] | None
    totals: NDArray[np.int64] | None
    window: float

    @classmethod
    def of(cls, events: Histories, n_items: int) -> Self:
        """The log of all users.

        Times that only number the events of each user (0, 1, 2, ...), as public sequences have them, are no clock.
        """
        counts = np.bincount(events.items, minlength=n_items)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        times = events.timestamp
        if times is None or not len(times) or _are_steps(events) or times.min() == times.max():
            return cls(indptr, None, None, None, 0.0)
        moments, moment = np.unique(times.astype(np.float64), return_inverse=True)
        keys = np.sort(events.items.astype(np.int64) * (len(moments) + 1) + moment)
        totals = np.concatenate([[0], np.cumsum(np.bincount(moment))]).astype(np.int64)
        return cls(indptr, keys, moments, totals, float(moments[-1] - moments[0]) * _WINDOW)

    @property
    def has_clock(self) -> bool:
        """Whether events have times that compare between users."""
        return self.moments is not None

    def columns(self, items: NDArray, before: NDArray | None) -> dict[str, NDArray[np.float32]]:
        """Features of items at a moment.

        Parameters
        ----------
        items : int array of shape (n_pairs,)
            Item codes.
        before : float array of shape (n_pairs,) or None
            Only events before it count; None means all events.

        Returns
        -------
        dict of str to float32 array of shape (n_pairs,)
        """
        count, total = self._counts(items, before)
        n_items = len(self.indptr) - 1
        found = {"item_popularity": np.log((count + 1) / (total + n_items))}
        if self.moments is not None:
            now = np.full(len(items), self.moments[-1]) if before is None else before
            earlier, total_earlier = self._counts(items, now - self.window)
            recent = np.log((count - earlier + 1) / (total - total_earlier + n_items))
            found["item_trend"] = recent - found["item_popularity"]
            found["item_recency"] = self._since(items, count - 1, now)
            found["item_age"] = self._since(items, np.where(count > 0, 0, -1), now)
        return {name: column.astype(np.float32) for name, column in found.items()}

    def _counts(self, items: NDArray, before: NDArray | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Events of each item, and of all items, before a moment."""
        if before is None or self.keys is None or self.moments is None or self.totals is None:
            return np.diff(self.indptr)[items], np.full(len(items), self.indptr[-1])
        moment = np.searchsorted(self.moments, before)
        key = items.astype(np.int64) * (len(self.moments) + 1) + moment
        return np.searchsorted(self.keys, key) - self.indptr[items], self.totals[moment]

    def _since(self, items: NDArray, event: NDArray, now: NDArray) -> NDArray:
        """Logarithm of the time, in windows, since one of the events of each item; NaN for event -1."""
        assert self.keys is not None
        assert self.moments is not None
        key = self.keys[np.clip(self.indptr[items] + event, 0, len(self.keys) - 1)]
        passed = now - self.moments[key % (len(self.moments) + 1)]
        return np.where(event >= 0, np.log1p(np.maximum(passed, 0) / self.window), np.nan)

    def check(self, name: str, n_items: int) -> None:
        """Refuse a loaded log whose arrays do not belong together.

        Raises
        ------
        DamagedStateError
        """
        check_array(self.indptr, f"{name}.indptr", (n_items + 1,), dtype=np.int64)
        n_events = int(self.indptr[-1])
        check_indptr(self.indptr, f"{name}.indptr", n_items, n_events)
        check_number(self.window, f"{name}.window", 0)
        if self.moments is None:
            return
        check_array(self.moments, f"{name}.moments", (None,), dtype=np.float64)
        check_array(self.keys, f"{name}.keys", (n_events,), dtype=np.int64)
        check_array(self.totals, f"{name}.totals", (len(self.moments) + 1,), dtype=np.int64)


def _are_steps(events: Histories) -> bool:
    """Whether the times of each user are the numbers of their events."""
    assert events.timestamp is not None
    place = np.arange(len(events.items)) - np.repeat(events.indptr[:-1], events.lengths)
    return bool(np.array_equal(events.timestamp - events.timestamp.min(), place))
