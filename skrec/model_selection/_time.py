"""The split that leaks nothing."""

from collections.abc import Iterator
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import EventTable
from skrec.model_selection._base import EventSplitter, Split, check_count, check_test_size


class TimeSplit(EventSplitter):
    """Train on what came before a moment, test on what came after.

    The only split that **leaks nothing**: no event of a training part is later than, or as late as, one of
    its test part, for all users together. It is what a recommender meets in use, cold users and cold items
    included; users whose only event lies in a test window are tested too, since moving it to the training
    part would tell the future.

    The last events make ``n_splits`` windows, one behind the other. Each split tests on one window and trains
    on all that came before it, so that training parts grow.

    Parameters
    ----------
    n_splits : int, default=5
        Number of windows.
    test_size : float or int, default=None
        Events of a window: a share of all events, or a number. None is ``n_events // (n_splits + 1)``, as in
        :class:`~sklearn.model_selection.TimeSeriesSplit`. Events of equal time are never parted, so that a
        window can start a little earlier than this says.

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
