"""One ranking of the held-out queries, and every metric of it."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import _safe_indexing

from skrec.interactions import (
    FeatureSource,
    Ids,
    RecommenderView,
    Table,
    read_events,
    read_features,
    read_flag,
)
from skrec.metrics._beyond_accuracy import (
    gini_of_exposures,
    intra_list_diversity,
    mean_popularity,
    novelty,
)
from skrec.metrics._held_out import HeldOut, hold_out, unwrap
from skrec.metrics._hits import Hits
from skrec.metrics._lists import read_real_numbers
from skrec.metrics._names import OF_ALL_LISTS, RANKING, Metric
from skrec.utils import block_progress, unwrap_recommender

_REQUESTS = 1 << 14
_CELLS = 1 << 21
"""Places of lists that are held at a time: about 100 MB with what the metrics make of them."""


@dataclass(frozen=True)
class Protocol:
    """How held-out events are turned into queries; see :func:`~skrec.metrics.ranking_scorer`."""

    relevance_threshold: float | None = None
    n_history: int | None = None
    exclude_seen: bool = True
    candidates: Ids | str | None = None
    item_vectors: FeatureSource | None = None
    gain: str = "auto"
    per: str = "auto"

    def __post_init__(self) -> None:
        read_flag(self.exclude_seen, "exclude_seen")
        threshold = self.relevance_threshold
        if threshold is not None and not (is_real(threshold) and abs(threshold) <= float(np.finfo(np.float32).max)):
            raise ValueError(f"relevance_threshold must be None or a number of float32; got {threshold!r}.")
        n_history = self.n_history
        if n_history is not None and not (is_real(n_history) and isinstance(n_history, Integral) and n_history >= 1):
            raise ValueError(f"n_history must be None or an integer of at least 1; got {self.n_history!r}.")
        if isinstance(self.candidates, str) and self.candidates != "test":
            raise ValueError(f"candidates must be None, 'test' or a list of item ids; got {self.candidates!r}.")
        if not isinstance(self.gain, str) or self.gain not in ("auto", "binary", "y"):
            raise ValueError(f"gain must be 'auto', 'binary' or 'y'; got {self.gain!r}.")
        if not isinstance(self.per, str) or self.per not in ("auto", "event", "user"):
            raise ValueError(f"per must be 'auto', 'event' or 'user'; got {self.per!r}.")

    def gain_is_y(self, feedback: str) -> bool:
        """Whether the gain of NDCG is y, and not 1."""
        return self.gain == "y" or (self.gain == "auto" and feedback == "explicit")


def is_real(value: Any) -> bool:
    """Whether a value is a number, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass
class Measured:
    """Values of metrics: one per query, or a single one for metrics of all lists together."""

    queries: HeldOut
    values: dict[str, NDArray[np.float64] | float]

    def per_query(self, name: str) -> NDArray[np.float64] | None:
        """One value per query, NaN where the metric is undefined; None for a metric of all lists."""
        values = self.values[name]
        return values if isinstance(values, np.ndarray) else None

    def n_queries(self, name: str) -> int:
        """Number of queries in the mean."""
        values = self.per_query(name)
        return len(self.queries) if values is None else int((~np.isnan(values)).sum())

    def means(self) -> dict[str, float]:
        """The mean over the queries with a value, or the value of a metric of all lists."""
        means = {}
        undefined = []
        for name, values in self.values.items():
            defined = np.atleast_1d(values)[~np.isnan(np.atleast_1d(values))]
            means[name] = float(defined.mean()) if len(defined) else float("nan")
            if not len(defined):
                undefined.append(name)
        if undefined:
            self._warn(undefined)
        return means

    def _warn(self, undefined: Sequence[str]) -> None:
        queries = self.queries
        why = (
            f"none of the {len(queries)} queries has a relevant item over relevance_threshold, or a list"
            if len(queries)
            else f"none of the {queries.n_users} users of X has an event with y > 0 that counts. "
            f"{queries.n_dropped} events were dropped, since the user had the item in training or in the first "
            "n_history events (to score training events, pass exclude_seen=False)"
        )
        warnings.warn(
            f"{', '.join(undefined)} is undefined and set to nan: {why}.", UndefinedMetricWarning, stacklevel=4
        )


def measure(
    estimator: BaseEstimator, X: Table, y: ArrayLike | None, metrics: Iterable[Metric], protocol: Protocol
) -> Measured:
    """Rank once, for the greatest k, and compute all metrics."""
    metrics = list(metrics)
    recommender, X = unwrap(estimator, X)
    view = RecommenderView(recommender)
    queries = hold_out(view, X, y, exclude_seen=protocol.exclude_seen, n_history=protocol.n_history, per=protocol.per)
    strengths = queries.strengths
    relevant = {"graded": _gains(strengths, view, protocol)}
    if protocol.relevance_threshold is not None:
        relevant["binary"] = _binary(strengths, protocol.relevance_threshold)
    vectors = _vectors(protocol, view) if any(metric.kind == "diversity" for metric in metrics) else None
    parts: dict[str, list[NDArray[np.float64]]] = {metric.name: [] for metric in metrics}
    exposures = {metric.name: np.zeros(len(view.item_index), np.int64) for metric in metrics}
    k = max(metric.k for metric in metrics)
    # recommend copies the history of the user for every query, and lists may be long: blocks bound the memory.
    size = min(
        max(1, _CELLS // max(1, min(k, len(view.item_index)))), _REQUESTS if queries.by_event else len(queries) or 1
    )
    with block_progress(-(-len(queries) // size), "block") as bar:
        for at, codes in _ranked_blocks(view, X, queries, k, size, protocol):
            hits: dict[str, Hits] = {}
            for metric in metrics:
                if metric.kind in OF_ALL_LISTS:
                    shown = codes[:, : metric.k]
                    exposures[metric.name] += np.bincount(shown[shown >= 0], minlength=len(view.item_index))
                elif metric.kind in RANKING:
                    # Without a threshold every gain counts as relevant: one look-up serves all metrics.
                    kind = "graded" if metric.kind == "ndcg" or "binary" not in relevant else "binary"
                    if kind not in hits:
                        hits[kind] = Hits.match(relevant[kind][at], codes, k)
                    parts[metric.name].append(RANKING[metric.kind](hits[kind], metric.k))
                else:
                    parts[metric.name].append(_of_each_list(metric, codes, view, vectors))
            bar.update()
    values: dict[str, NDArray[np.float64] | float] = {}
    for metric in metrics:
        if metric.kind in OF_ALL_LISTS:
            values[metric.name] = metric.sign * _of_all_lists(metric.kind, exposures[metric.name])
        else:
            values[metric.name] = metric.sign * np.concatenate([np.zeros(0), *parts[metric.name]])
    return Measured(queries, values)


def check_same_gain(estimators: Sequence[BaseEstimator], metrics: Iterable[Metric], protocol: Protocol) -> None:
    """Raise ValueError where the gain of NDCG is y for some models and 1 for others."""
    if not any(metric.kind == "ndcg" for metric in metrics):
        return
    feedback = [getattr(unwrap_recommender(estimator), "feedback", "implicit") for estimator in estimators]
    if len(set(map(protocol.gain_is_y, feedback))) > 1:
        raise ValueError(
            "With gain='auto' the gain of NDCG is y for models with feedback='explicit' and 1 for the others, so their "
            "values cannot be compared; pass gain='binary' or gain='y'."
        )


def measure_all(
    estimators: Sequence[BaseEstimator], X: Table, y: ArrayLike | None, metrics: Iterable[Metric], protocol: Protocol
) -> list[Measured]:
    """Measure several recommenders by the same kind of query.

    With ``per="auto"`` a query is an event for models whose X has context columns and a user for the others, and such
    values cannot be compared. Where both occur, every query is an event.

    Warns
    -----
    UserWarning
        If so.
    """
    metrics = list(metrics)
    check_same_gain(estimators, metrics, protocol)
    measured = []
    with block_progress(len(estimators), "recommender") as bar:
        for estimator in estimators:
            measured.append(measure(estimator, X, y, metrics, protocol))
            bar.update()
    if len({one.queries.by_event for one in measured}) > 1:
        warnings.warn(
            "Some of the recommenders get context columns and others do not, so each held-out event is a query, for "
            "all of them. Pass per='event' to silence this, or per='user' for one query per user, without context.",
            UserWarning,
            stacklevel=3,
        )
        protocol = replace(protocol, per="event")
        pairs = zip(estimators, measured, strict=True)
        measured = [one if one.queries.by_event else measure(rec, X, y, metrics, protocol) for rec, one in pairs]
    return measured


def _ranked_blocks(
    view: RecommenderView, X: Any, queries: HeldOut, k: int, size: int, protocol: Protocol
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.integer]]]:
    """Numbers of ``size`` queries at a time, and the codes of their lists."""
    candidates = read_events(X).items if isinstance(protocol.candidates, str) else protocol.candidates
    for start in range(0, len(queries), size):
        at = np.arange(start, min(start + size, len(queries)))
        ranked, _ = view.rank(
            queries.users[at],
            k,
            context=None if queries.context is None else _safe_indexing(queries.context, at),
            history=queries.history,
            candidates=candidates,
            exclude_seen=protocol.exclude_seen,
        )
        yield at, ranked


def _gains(strengths: sp.csr_array, view: RecommenderView, protocol: Protocol) -> sp.csr_array:
    if protocol.gain_is_y(view.feedback):
        return strengths
    return sp.csr_array((np.ones(strengths.nnz), strengths.indices, strengths.indptr), shape=strengths.shape)


def _binary(strengths: sp.csr_array, threshold: float) -> sp.csr_array:
    relevant = strengths.copy()
    # y was read as float32: 0.7 must reach a threshold of 0.7.
    relevant.data[relevant.data.astype(np.float32) < np.float32(threshold)] = 0
    relevant.eliminate_zeros()
    return relevant


def _of_all_lists(kind: str, exposures: NDArray[np.int64]) -> float:
    """Coverage or Gini index, by how often each item of the catalogue is recommended."""
    shown = exposures[exposures > 0]
    if not len(shown):
        return float("nan")
    return len(shown) / len(exposures) if kind == "coverage" else gini_of_exposures(shown, len(exposures))


def _of_each_list(metric: Metric, codes: NDArray, view: RecommenderView, vectors: Any) -> NDArray[np.float64]:
    if metric.kind == "diversity":
        matrix, row_of_item = vectors
        rows = np.where(codes >= 0, row_of_item[codes], -1)
        return np.asarray(intra_list_diversity(rows, matrix, k=metric.k, average=False))
    of_each = novelty if metric.kind == "novelty" else mean_popularity
    return np.asarray(of_each(codes, view.popularity(), k=metric.k, average=False))


def _vectors(protocol: Protocol, view: RecommenderView) -> tuple[Any, NDArray[np.int64]]:
    """The matrix of item vectors, and the row of each item of the catalogue, -1 for items without a row.

    Raises
    ------
    ValueError
        If there is none.
    """
    if protocol.item_vectors is None:
        raise ValueError(
            "'diversity@k' needs item_vectors=(ids, matrix), the vectors that distances are measured between."
        )
    features = read_features(protocol.item_vectors, "item_vectors")
    matrix = nw.from_native(features.values, eager_only=True, pass_through=True)
    matrix = matrix.to_numpy() if isinstance(matrix, nw.DataFrame) else matrix
    matrix = read_real_numbers(matrix, "item_vectors", ndim=2)
    codes = view.item_index.codes(features.ids, "item_vectors ids")
    row_of_item = np.full(len(view.item_index), -1, np.int64)
    row_of_item[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    return matrix, row_of_item
