"""Splits that hold out all events of some items or users."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

from skrec.interactions import EventTable, factorize
from skrec.model_selection._base import EventSplitter, Split, check_count, check_test_size, user_codes
from skrec.utils import RandomState, read_random_state


class _ColdSplit(EventSplitter):
    """Folds of groups, or draws of them."""

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: float | None = None,
        random_state: RandomState = None,
    ) -> None:
        check_count(n_splits, "n_splits")
        check_test_size(test_size)
        if test_size is None and n_splits < 2:
            raise ValueError(f"n_splits={n_splits} with test_size=None leaves nothing to train on; pass a test_size.")
        self.n_splits = n_splits
        self.test_size = test_size
        self.random_state = random_state

    def _split_groups(self, groups: NDArray[np.int64], what: str) -> Iterator[Split]:
        """Rows of ``groups``, all rows of a group on one side."""
        n_groups = len(np.unique(groups))
        if n_groups < (2 if self.test_size is not None else self.n_splits):
            raise ValueError(f"{self!r} needs more {what} than the {n_groups} in X; lower n_splits or test_size.")
        random = read_random_state(self.random_state)
        splitter: GroupKFold | GroupShuffleSplit
        if self.test_size is None:
            splitter = GroupKFold(self.n_splits, shuffle=True, random_state=random)
        else:
            splitter = GroupShuffleSplit(self.n_splits, test_size=self.test_size, random_state=random)
        yield from splitter.split(groups, groups=groups)


class ColdItemSplit(_ColdSplit):
    """Test on all events of some items, none of which is trained on.

    It measures whether a recommender can rank items without training events, by their ``item_features``. Pass a
    :class:`~skrec.interactions.FeatureTable`, which cross-validation does not split. Score it with
    ``ranking_scorer(..., candidates="test")`` to rank the cold items among themselves.

    It **leaks the future**: training events of the same and of other users can be later than those tested.
    Users all of whose events are with held-out items become cold as well, also users with one event: the
    item would not be cold otherwise.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits.
    test_size : float or int, default=None
        None divides the items into ``n_splits`` folds, each tested once. Otherwise every split draws this share
        (float) or number (int) of the items.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds or draws.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import ColdItemSplit
    >>> X = np.array([[1, 7], [1, 8], [1, 9], [2, 9], [2, 7]])
    >>> for train, test in ColdItemSplit(n_splits=3, random_state=0).split(X):
    ...     print(X[train, 1], X[test, 1])
    [7 8 7] [9 9]
    [7 9 9 7] [8]
    [8 9 9] [7 7]
    """

    def _split(self, events: EventTable) -> Iterator[Split]:
        yield from self._split_groups(factorize(events.items, "item ids")[1], "items")


class ColdUserSplit(_ColdSplit):
    """Test on all events of some users, none of whom is trained on.

    It measures the cold start of a recommender or, with ``ranking_scorer(..., n_history=k)``, how well it uses the
    first k events of a new user without a refit.

    It **leaks the future across users**: training events of other users can be later than the tested ones. No event
    of a tested user is used for training.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits.
    test_size : float or int, default=None
        None divides the users into ``n_splits`` folds, each tested once. Otherwise every split draws this share
        (float) or number (int) of the users.
    min_events : int, default=2
        Users with fewer events stay in training. With 2 there is one event for the history and one to find.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds or draws.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import ColdUserSplit
    >>> X = np.array([[1, 7], [1, 8], [2, 9], [2, 7], [3, 7]])
    >>> for train, test in ColdUserSplit(n_splits=2, random_state=0).split(X):
    ...     print(X[train, 0], X[test, 0])
    [1 1 3] [2 2]
    [2 2 3] [1 1]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: float | None = None,
        min_events: int = 2,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_splits, test_size=test_size, random_state=random_state)
        check_count(min_events, "min_events")
        self.min_events = min_events

    def _split(self, events: EventTable) -> Iterator[Split]:
        users = user_codes(events)
        eligible = np.flatnonzero(np.bincount(users)[users] >= self.min_events)
        what = f"users with at least min_events={self.min_events} events"
        for _, test in self._split_groups(users[eligible], what):
            is_test = np.zeros(len(users), bool)
            is_test[eligible[test]] = True
            yield np.flatnonzero(~is_test), np.flatnonzero(is_test)
