"""Baselines to compare recommenders with."""

from numbers import Integral, Real
from types import NoneType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import uniform
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, resample
from sklearn.utils._param_validation import Interval, StrOptions

from skrec._explain import Evidence, popularity_of
from skrec.base import BaseRecommender, PartialFitMixin, Queries, SampleWeightMixin
from skrec.interactions import ContextColumns, Histories, Interactions, check_histories
from skrec.utils import Matrix, check_array, check_kind, check_number

__all__ = ["PopularRecommender", "RandomRecommender"]

_MAX_KMEANS_ROWS = 20_000
_TINY = np.finfo(np.float32).tiny


class PopularRecommender(SampleWeightMixin, PartialFitMixin, BaseRecommender):
    """Recommend the items with the most events, where older events may have less weight.

    With ``n_segments``, popularity is counted per segment of contexts, so that morning and night have lists of
    their own, for new users too. Without it, context is ignored. Features are always ignored; items that are only
    in ``item_features`` are part of the catalogue with popularity 0. ``partial_fit`` equals ``fit`` on all events,
    except that the segments stay as first fitted.

    Parameters
    ----------
    recency_decay : float in (0, 1], default=1.0
        Factor on the weight of an event for each ``time_step`` between it and the last event of the log. 1 gives
        all events the same weight.
    time_step : float, default=None
        Length of a step, in the units of a numeric ``timestamp`` and in seconds for date-times. None is a
        tenth of the time from the first event to the last.
    order : {"auto", "time", "none"}, default="auto"
        "auto" applies ``recency_decay`` if X has a ``timestamp``; "time" requires one; "none" does not apply it.
    n_segments : int, default=None
        Largest number of segments of the context columns, found by k-means on the standardised columns. With at
        most as many distinct contexts, each is a segment. None ignores context.
    smoothing : float, default=10.0
        Strength of the overall popularity that is added to each segment. In a segment whose events have this total
        strength, both have the same weight.
    random_state : int, RandomState instance or None, default=None
        Seed of k-means.

    Attributes
    ----------
    item_scores_ : float32 array of shape (n_items,)
        Decayed sum of ``y``, in catalogue order: the scores without context.
    segment_scores_ : float32 array of shape (n_segments, n_items) or None
        Smoothed share of each item in a segment.
    segmenter_ : Pipeline or None
        ``predict`` gives the segment of encoded context rows.
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
        "n_segments": [Interval(Integral, 1, None, closed="left"), None],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }
    search_space: ClassVar[dict[str, Any]] = {"recency_decay": uniform(0.2, 0.8)}

    def __init__(
        self,
        *,
        recency_decay: float = 1.0,
        time_step: float | None = None,
        order: str = "auto",
        n_segments: int | None = None,
        smoothing: float = 10.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.recency_decay = recency_decay
        self.time_step = time_step
        self.order = order
        self.n_segments = n_segments
        self.smoothing = smoothing
        self.random_state = random_state

    _uses_history = False

    @property
    def _uses_context(self) -> bool:  # type: ignore[override]
        return self.n_segments is not None

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        data.check_order(self.order)
        self.segmenter_ = None if data.context is None or self.n_segments is None else self._find_segments(data.context)
        self._log = None if self.segmenter_ is None else self._in_segments(data)
        self._count()

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        data.check_order(self.order)
        if self._log is not None:
            self._log = self._log.followed_by(self._in_segments(data))
        self._count()

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_items = len(self._item_index)
        check_array(self.item_scores_, "item_scores_", (n_items,), dtype=np.float32)
        if self.segment_scores_ is None:
            for name in ("_log", "segmenter_"):
                check_kind(getattr(self, name), name, NoneType)
            return
        n_segments = len(self.segment_scores_)
        check_array(self.segment_scores_, "segment_scores_", (n_segments, n_items), dtype=np.float32)
        check_histories(self._log, "_log", n_segments, n_items)
        check_kind(self._context, "_context", ContextColumns)
        assert self._context is not None
        _check_segmenter(self.segmenter_, n_segments, len(self._context.mean))

    def _find_segments(self, context: NDArray[np.float32]) -> Pipeline:
        rng = check_random_state(self.random_state)
        sample = resample(context, replace=False, n_samples=min(len(context), _MAX_KMEANS_ROWS), random_state=rng)
        n_segments = min(self.n_segments or 1, len(np.unique(sample, axis=0)))
        return make_pipeline(StandardScaler(), KMeans(n_segments, n_init=3, random_state=rng)).fit(sample)

    def _in_segments(self, data: Interactions) -> Histories:
        """The events of each segment."""
        assert self.segmenter_ is not None
        segments = self.segmenter_.predict(data.context)
        return Histories.group(segments, data.items, data.y, data.timestamp, self.segmenter_[-1].n_clusters)

    def _count(self) -> None:
        n_items = len(self._item_index)
        scores = np.bincount(self._histories.items, self._weights(self._histories), n_items)
        self.item_scores_ = scores.astype(np.float32)
        self.segment_scores_ = None
        if self._log is not None:
            n_segments = len(self._log)
            cells = self._log.row_of_event() * n_items + self._log.items
            counts = np.bincount(cells, self._weights(self._log), n_segments * n_items).reshape(n_segments, n_items)
            mixed = counts + self.smoothing * scores / max(scores.sum(), _TINY)
            self.segment_scores_ = (mixed / np.maximum(mixed.sum(axis=1, keepdims=True), _TINY)).astype(np.float32)

    def _weights(self, histories: Histories) -> NDArray:
        """One weight per event, decayed by its age at the last event."""
        if self.recency_decay == 1 or self.order == "none" or histories.timestamp is None:
            return histories.y
        age = histories.timestamp.max() - np.asarray(histories.timestamp, dtype=np.float64)
        step = age.max() / 10 if self.time_step is None else self.time_step
        return histories.decayed(self.recency_decay, age / step if step else age, dtype=np.float64)

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        scores = self._cold_start_scores(items)
        if self.segment_scores_ is None or self._context is None or queries.context is None:
            return np.tile(scores, (len(queries), 1))
        shares = self.segment_scores_ if items is None else self.segment_scores_[:, items]
        found = shares[self._segments(queries.context)]
        found[~self._has_context(queries)] = scores
        return found

    def _segments(self, context: NDArray[np.float32]) -> NDArray[np.int64]:
        """The nearest segment of each context, as ``segmenter_.predict`` finds it in 1.4 ms a request."""
        assert self.segmenter_ is not None
        scaler, kmeans = self.segmenter_[0], self.segmenter_[1]
        return cdist((context - scaler.mean_) / scaler.scale_, kmeans.cluster_centers_).argmin(axis=1)

    def _has_context(self, queries: Queries) -> NDArray[np.bool_]:
        """Which queries have a context; the training mean, which stands for none, is in no segment."""
        assert self._context is not None
        assert queries.context is not None
        return (queries.context != self._context.mean).any(axis=1)

    def _is_cold(self, queries: Queries) -> NDArray[np.bool_]:
        return np.zeros(len(queries), bool)

    def _context_contributions(
        self, queries: Queries, items: NDArray[np.int64]
    ) -> tuple[NDArray[np.floating], list[str | None]] | None:
        """Share of an item in the segment less its share of all events."""
        if self.segment_scores_ is None or queries.context is None:
            return None
        shares = self.segment_scores_[self._segments(queries.context), items]
        overall = self.item_scores_[items] / float(max(self.item_scores_.sum(), _TINY))
        return np.where(self._has_context(queries), shares - overall, 0.0)[:, None], [None]

    def _other_evidence(self, queries: Queries, row: int, item: int) -> Evidence:
        return popularity_of(self.item_scores_, item)

    def _cold_start_scores(self, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        return self.item_scores_ if items is None else self.item_scores_[items]


def _check_segmenter(segmenter: Any, n_segments: int, n_context: int) -> None:
    """Check that loaded segments are of the fitted contexts."""
    check_kind(segmenter, "segmenter_", Pipeline)
    scaler, kmeans = (step for _, step in segmenter.steps)
    check_kind(scaler, "segmenter_[0]", StandardScaler)
    check_array(scaler.mean_, "segmenter_[0].mean_", (n_context,))
    check_array(scaler.scale_, "segmenter_[0].scale_", (n_context,))
    check_kind(kmeans, "segmenter_[1]", KMeans)
    check_array(kmeans.cluster_centers_, "segmenter_[1].cluster_centers_", (n_segments, n_context))
    for name, expected in (("n_clusters", n_segments), ("n_features_in_", n_context)):
        check_number(getattr(kmeans, name), f"segmenter_[1].{name}", expected, expected, whole=True)


class RandomRecommender(SampleWeightMixin, PartialFitMixin, BaseRecommender):
    """Recommend items at random: the lower bound of every comparison.

    Each user has a ranking of their own, the same in every call; unknown users share one. Context and features
    are ignored.

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

    _uses_history = False

    def __init__(self, *, random_state: int | np.random.RandomState | None = None) -> None:
        self.random_state = random_state

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        return [cls(random_state=0)]

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        """Nothing to update: the seed stays."""

    def _check_state(self) -> None:
        super()._check_state()
        if self.__dict__.get("_is_fitted", False):
            check_number(self._seed, "_seed", 0, 2**31, whole=True)

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        columns = np.arange(len(self._item_index)) if items is None else items
        return _uniform(self._seed, queries.users[:, None], columns[None, :])

    def _is_cold(self, queries: Queries) -> NDArray[np.bool_]:
        return np.zeros(len(queries), bool)

    def _other_evidence(self, queries: Queries, row: int, item: int) -> Evidence:
        return Evidence("chance", 0.0)


def _uniform(seed: int, rows: NDArray, columns: NDArray) -> NDArray[np.float32]:
    """Numbers in [0, 1) that depend on seed, row and column alone (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        state = (rows.astype(np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ columns.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
