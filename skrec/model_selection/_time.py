"""The split that leaks nothing."""

import warnings
from collections.abc import Iterator
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from skrec.exceptions import TemporalLeakWarning
from skrec.interactions import EventTable, factorize
from skrec.model_selection._base import EventSplitter, Split, check_count, check_test_size
from skrec.utils import caller_level

_LEAST_BLOCKS = 10
"""Ids, each in one block of rows, that are not so by chance."""


class TimeSplit(EventSplitter):
    """Train on the events before a moment, test on the events after it.

    The only split that **leaks nothing**: each training event is older than all test events, over all users
    together. This is the situation in use, with cold users and cold items. Users whose only event lies in a test
    window are tested too, since a training part with that event would use the future.

    The last events make ``n_splits`` windows, one after the other. Each split tests on one window and trains on
    all events before it, so training parts grow.

    Without a ``timestamp``, row order is taken as time order: sort the events by time first.

    Parameters
    ----------
    n_splits : int, default=5
        Number of windows.
    test_size : float or int, default=None
        Events of a window: a share of all events, or a number. None means ``n_events // (n_splits + 1)``, as in
        :class:`~sklearn.model_selection.TimeSeriesSplit`. Events of equal time stay together, so a window may
        start a little earlier.

    Warns
    -----
    TemporalLeakWarning
        If X has no ``timestamp`` and its rows are sorted by user or by item, and so not by time.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.model_selection import TimeSplit
    >>> X = pd.DataFrame({"user": [1, 2, 1, 3], "item": [7, 7, 8, 9], "timestamp": [10, 40, 20, 30]})
    >>> for train, test in TimeSplit(n_splits=2, test_size=1).split(X):
    ...     print(train, test)
    [0 2] [3]
    [0 2 3] [1]
    """

    def __init__(self, n_splits: int = 5, *, test_size: float | None = None) -> None:
        check_count(n_splits, "n_splits")
        check_test_size(test_size)
        self.n_splits = n_splits
        self.test_size = test_size

    def _split(self, events: EventTable) -> Iterator[Split]:
        n = len(events)
        if events.timestamp is None:
            _warn_of_sorted_ids(events)
        times = np.arange(n) if events.timestamp is None else events.timestamp
        cuts = self._cuts(np.sort(times))
        for start, stop in zip(cuts, [*cuts[1:], None], strict=True):
            in_window = (times >= start) if stop is None else (times >= start) & (times < stop)
            yield np.flatnonzero(times < start), np.flatnonzero(in_window)

    def _cuts(self, ordered: NDArray) -> NDArray:
        n = len(ordered)
        size = n // (self.n_splits + 1) if self.test_size is None else self.test_size
        if not isinstance(size, Integral):
            size = round(size * n)
        first = n - self.n_splits * size
        if size < 1 or first < 1:
            raise ValueError(
                f"{self!r} needs {self.n_splits} windows of {max(size, 1)} events and one event before them; X has "
                f"{n} events. Lower n_splits or test_size."
            )
        cuts = ordered[first + size * np.arange(self.n_splits)]
        if cuts[0] == ordered[0] or (cuts[1:] == cuts[:-1]).any():
            raise ValueError(
                f"{self!r}: too many events have equal times to cut between them ({len(np.unique(ordered))} distinct "
                f"times in {n} events). Lower n_splits, raise test_size, or give a finer timestamp."
            )
        return cuts


def _warn_of_sorted_ids(events: EventTable) -> None:
    """Rows in blocks of one user, or of one item, are in no order of time."""
    for what, ids in (("user", events.users), ("item", events.items)):
        _, codes = factorize(ids, f"{what} ids")
        n_ids = int(codes.max()) + 1
        n_blocks = 1 + int((codes[1:] != codes[:-1]).sum())
        if n_blocks == n_ids and _LEAST_BLOCKS <= n_ids <= len(codes) / 2:
            warnings.warn(
                f"X has no timestamp, so TimeSplit takes row order as time order, but the rows are grouped by {what}: "
                f"the test part is other {what}s, not later events. Pass a frame with a column 'timestamp', or sort "
                "the rows by time.",
                TemporalLeakWarning,
                stacklevel=caller_level(),
            )
            return
