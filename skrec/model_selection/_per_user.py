"""Splits that hold out some events of each user."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import EventTable
from skrec.model_selection._base import EventSplitter, Split, check_count, time_order, user_codes
from skrec.utils import RandomState, read_random_state


class LeaveLastOut(EventSplitter):
    """Test on the last ``k`` events of each user, train on those before.

    Known as leave-last-out or, for ``k=1``, leave-one-out. It **leaks nothing within a user, but the future
    across users**: the last event of one user can be older than training events of others, so that a model
    can learn from tomorrow's trends. Compare with :class:`TimeSplit`.

    Users with no more than ``k`` events stay in training. Events of equal time count in the order of rows.

    Parameters
    ----------
    k : int, default=1
        Events to test on.
    n_splits : int, default=1
        The last split tests on the last ``k`` events. Each split before it is made in the same way from the
        training part of the one behind it: with 2, the first is for validation and the second for the test.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import LeaveLastOut
    >>> X = np.array([[1, 7], [2, 7], [1, 8], [1, 9], [2, 9], [3, 9]])
    >>> for train, test in LeaveLastOut(n_splits=2).split(X):
    ...     print(train, test)
    [0 1 5] [2]
    [0 1 2 5] [3 4]
    """

    def __init__(self, k: int = 1, *, n_splits: int = 1) -> None:
        check_count(k, "k")
        check_count(n_splits, "n_splits")
        self.k = k
        self.n_splits = n_splits

    def _split(self, events: EventTable) -> Iterator[Split]:
        users, rows = user_codes(events), time_order(events)
        splits: list[Split] = []
        for _ in range(self.n_splits):
            is_test = last_of_each(users[rows], self.k)
            if not is_test.any():
                raise ValueError(
                    f"{self!r} finds no user with more than k={self.k} events in split {self.n_splits - len(splits)} "
                    f"of {self.n_splits}; lower k or n_splits."
                )
            splits.append((np.sort(rows[~is_test]), np.sort(rows[is_test])))
            rows = rows[~is_test]
        yield from reversed(splits)


class LeaveKOut(EventSplitter):
    """Test on ``k`` events of each user, drawn at random.

    It **leaks the future, within a user and across users**: a model is trained on what the user did after
    the tested events. Quality comes out higher than in use, the more so the more a recommender learns from
    order. It is what the random splits of many published tables do; prefer :class:`TimeSplit` or
    :class:`LeaveLastOut` where there is an order.

    Users with no more than ``k`` events stay in training.

    Parameters
    ----------
    k : int, default=1
        Events to test on.
    n_splits : int, default=5
        Independent draws, as in :class:`~sklearn.model_selection.ShuffleSplit`.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import LeaveKOut
    >>> X = np.array([[1, 7], [1, 8], [1, 9], [2, 9]])
    >>> train, test = next(LeaveKOut(k=2, random_state=0).split(X))
    >>> len(test), 3 in train
    (2, True)
    """

    def __init__(self, k: int = 1, *, n_splits: int = 5, random_state: RandomState = None) -> None:
        check_count(k, "k")
        check_count(n_splits, "n_splits")
        self.k = k
        self.n_splits = n_splits
        self.random_state = random_state

    def _split(self, events: EventTable) -> Iterator[Split]:
        users = user_codes(events)
        if np.bincount(users).max() <= self.k:
            raise ValueError(f"{self!r} finds no user with more than k={self.k} events; lower k.")
        random = read_random_state(self.random_state)
        for _ in range(self.n_splits):
            rows = random.permutation(len(users))
            is_test = last_of_each(users[rows], self.k)
            yield np.sort(rows[~is_test]), np.sort(rows[is_test])


def last_of_each(users: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Mark the last ``k`` rows of each user that has more than ``k``."""
    by_user = np.argsort(users, kind="stable")
    sizes = np.bincount(users)
    steps_back = np.empty(len(users), np.int64)
    steps_back[by_user] = np.repeat(np.cumsum(sizes), sizes) - 1 - np.arange(len(users))
    return (steps_back < k) & (sizes[users] > k)
