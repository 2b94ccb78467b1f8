"""Baselines: what every recommender must beat."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skrec._features import Matrix
from skrec._recommender import BaseRecommender, PartialFitMixin, SampleWeightMixin
from skrec.base import Queries
from skrec.interactions import Interactions

__all__ = ["PopularRecommender", "RandomRecommender"]


class PopularRecommender(SampleWeightMixin, PartialFitMixin, BaseRecommender):
    """Recommend what most events are about, recent events first where asked.

    Context and features are ignored; items that are only in ``item_features`` join the catalogue with
    popularity 0. ``partial_fit`` equals ``fit`` on all events.

    Parameters
    ----------
    recency_decay : float in (0, 1], default=1.0
        Factor by which an event's weight falls for each ``time_step`` that it lies before the last event.
        1 counts all events alike.
    time_step : float, default=None
        Length of a step, in the units of a numeric ``timestamp`` and in seconds for date-times. None is a
        tenth of the time from the first event to the last.
    order : {"auto", "time", "none"}, default="auto"
        "auto" lets events age where X has a ``timestamp``; "time" demands one; "none" counts all alike.

    Attributes
    ----------
    item_scores_ : float32 array of shape (n_items,)
        Decayed sum of ``y``, in catalogue order.
    popularity_ : float32 array of shape (n_items,)
        Plain sum of ``y``.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import PopularRecommender
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20]])
    >>> items, scores = PopularRecommender().fit(X).recommend([1, 99], k=2)
    >>> items
    array([[20, 30],
           [10, 20]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "recency_decay": [Interval(Real, 0, 1, closed="right")],
        "time_step": [Interval(Real, 0, None, closed="neither"), None],
        "order": [StrOptions({"auto", "time", "none"})],
    }

    def __init__(self, *, recency_decay: float = 1.0, time_step: float | None = None, order: str = "auto") -> None:
        self.recency_decay = recency_decay
        self.time_step = time_step
        self.order = order

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        data.check_order(self.order)
        self._count()

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        data.check_order(self.order)
        self._count()

    def _count(self) -> None:
        histories = self._histories
        self.item_scores_ = self.popularity_
        if self.recency_decay == 1 or self.order == "none" or histories.timestamp is None:
            return
        age = np.asarray(histories.timestamp.max() - histories.timestamp, dtype=np.float64)
        step = age.max() / 10 if self.time_step is None else self.time_step
        weight = histories.y * self.recency_decay ** (age / step if step else age)
        self.item_scores_ = np.bincount(histories.items, weights=weight, minlength=len(self.items_)).astype(np.float32)

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        return np.tile(self._cold_scores(items), (len(queries), 1))

    def _cold_scores(self, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        return self.item_scores_ if items is None else self.item_scores_[items]


class RandomRecommender(SampleWeightMixin, PartialFitMixin, BaseRecommender):
    """Recommend items at random: the floor of every comparison.

    Each user has a ranking of their own that does not change from call to call; unknown users share one.
    Context and features are ignored.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of the rankings.

    Attributes
    ----------
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import RandomRecommender
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20]])
    >>> rec = RandomRecommender(random_state=0).fit(X)
    >>> bool((rec.recommend([3], k=1).items == 10).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"random_state": ["random_state"]}

    def __init__(self, *, random_state: int | np.random.RandomState | None = None) -> None:
        self.random_state = random_state

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from sklearn.utils import check_random_state

        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        """The catalogue has grown; the seed stays."""

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        columns = np.arange(len(self._item_index)) if items is None else items
        return _uniform(self._seed, queries.users[:, None], columns[None, :])

    def _cold(self, queries: Queries) -> NDArray[np.bool_]:
        return np.zeros(len(queries), bool)


def _uniform(seed: int, rows: NDArray, columns: NDArray) -> NDArray[np.float32]:
    """Numbers in [0, 1) that depend on seed, row and column alone (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        state = (rows.astype(np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ columns.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
