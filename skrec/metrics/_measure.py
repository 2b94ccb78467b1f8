"""One ranking of the held-out queries, and every metric of it."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing

from skrec.interactions import Candidates, FeatureSource, Ids, RecommenderView, Table, read_flag
from skrec.metrics._beyond_accuracy import gini_of_exposures
from skrec.metrics._held_out import HeldOut, hold_out, unwrap
from skrec.metrics._hits import Hits, serendipity
from skrec.metrics._lists import is_real
from skrec.metrics._measured import Measured, Sample, Values
from skrec.metrics._names import OF_ALL_LISTS, OF_EACH_LIST, OF_HITS_AND_LISTS, OF_RATINGS, OF_SCORES, RANKING, Metric
from skrec.metrics._of_lists import ListMetrics
from skrec.metrics._of_scores import measure_ratings, measure_scores
from skrec.utils import block_progress, caller_level, unwrap_recommender

_REQUESTS = 1 << 14
_OF_LISTS = (*RANKING, *OF_HITS_AND_LISTS, *OF_EACH_LIST, *OF_ALL_LISTS)
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
    item_categories: FeatureSource | None = None
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


def measure(
    estimator: BaseEstimator, X: Table, y: ArrayLike | None, metrics: Iterable[Metric], protocol: Protocol
) -> Measured:
    """Rank once, for the greatest k, and compute all metrics."""
    metrics = list(metrics)
    recommender, X = unwrap(estimator, X)
    view = RecommenderView(recommender)
    queries = hold_out(view, X, y, exclude_seen=protocol.exclude_seen, n_history=protocol.n_history, per=protocol.per)
    of = {kinds: [metric for metric in metrics if metric.kind in kinds] for kinds in (_OF_LISTS, OF_SCORES, OF_RATINGS)}
    of_ratings = measure_ratings(view, X, y, queries.events, of[OF_RATINGS])
    candidates = queries.events.items if isinstance(protocol.candidates, str) else protocol.candidates
    of_queries, of_all_lists = _measure_lists(view, queries, of[_OF_LISTS], candidates, protocol)
    if of[OF_SCORES]:
        relevant = _over_threshold(queries.strengths, protocol.relevance_threshold)
        eligible = _eligible(view, candidates)
        of_queries |= measure_scores(view, queries, relevant, of[OF_SCORES], eligible, protocol.exclude_seen)
    return Measured(
        [metric.name for metric in metrics],
        Sample(queries.keys, queries.user_numbers, of_queries),
        of_ratings,
        of_all_lists,
        queries.n_users,
        queries.n_dropped,
        by_event=queries.by_event,
    )


def _eligible(view: RecommenderView, candidates: Ids | None) -> NDArray[np.int64] | None:
    """Codes of the items that are ranked; None for all."""
    if candidates is None:
        return None
    found = Candidates(candidates, view.item_index, 1)
    if found.shared is None:
        raise ValueError("candidates must be one list of item ids for all queries, and not a list of lists.")
    return found.shared


def _measure_lists(
    view: RecommenderView, queries: HeldOut, metrics: Sequence[Metric], candidates: Ids | None, protocol: Protocol
) -> tuple[dict[str, Values], dict[str, float]]:
    """The metrics of one value per list, and those of all lists together."""
    if not metrics:
        return {}, {}
    strengths = queries.strengths
    relevant = {"graded": _gains(strengths, view, protocol)}
    if protocol.relevance_threshold is not None:
        relevant["binary"] = _over_threshold(strengths, protocol.relevance_threshold)
    tables = {"item_vectors": protocol.item_vectors, "item_categories": protocol.item_categories}
    eligible = _eligible(view, candidates) if any(metric.kind == "serendipity" for metric in metrics) else None
    lists = ListMetrics(view, queries, tables, eligible, protocol.exclude_seen)
    for metric in metrics:
        lists.check(metric)
    of_hits: dict[str, list[NDArray[np.float64]]] = {}
    exposures = {metric.name: np.zeros(len(view.item_index), np.int64) for metric in metrics}
    k = max(metric.k for metric in metrics)
    # recommend copies the history of the user for every query, and lists may be long: blocks bound the memory.
    size = min(
        max(1, _CELLS // max(1, min(k, len(view.item_index)))), _REQUESTS if queries.by_event else len(queries) or 1
    )
    with block_progress(-(-len(queries) // size), "block") as bar:
        for at, codes in _ranked_blocks(view, queries, k, size, candidates, protocol):
            hits: dict[str, Hits] = {}
            for metric in metrics:
                if metric.kind in OF_ALL_LISTS:
                    shown = codes[:, : metric.k]
                    exposures[metric.name] += np.bincount(shown[shown >= 0], minlength=len(view.item_index))
                elif metric.kind in OF_EACH_LIST:
                    lists.add(metric, at, codes)
                else:
                    # Without a threshold every gain counts as relevant: one look-up serves all metrics.
                    kind = "graded" if metric.kind == "ndcg" or "binary" not in relevant else "binary"
                    if kind not in hits:
                        hits[kind] = Hits.match(relevant[kind][at[0] : at[-1] + 1], codes, k)
                    of_hits.setdefault(metric.name, []).append(_of_hits(metric, hits[kind], lists, at, codes))
            bar.update()
    values, of_all_lists = {}, {}
    for metric in metrics:
        if metric.kind in OF_ALL_LISTS:
            of_all_lists[metric.name] = metric.sign * _of_all_lists(metric.kind, exposures[metric.name])
        elif metric.kind in OF_EACH_LIST:
            values[metric.name] = lists.values(metric)
        else:
            values[metric.name] = Values(np.concatenate([np.zeros(0), *of_hits.get(metric.name, [])]))
    return values, of_all_lists


def _of_hits(metric: Metric, hits: Hits, lists: ListMetrics, at: NDArray, codes: NDArray) -> NDArray[np.float64]:
    if metric.kind == "serendipity":
        return serendipity(hits, lists.is_expected(at, codes[:, : metric.k], metric.k), metric.k)
    return RANKING[metric.kind](hits, metric.k)


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
    if len({one.by_event for one in measured}) > 1:
        warnings.warn(
            "Some of the recommenders get context columns and others do not, so each held-out event is a query, for "
            "all of them. Pass per='event' to silence this, or per='user' for one query per user, without context.",
            UserWarning,
            stacklevel=caller_level(),
        )
        protocol = replace(protocol, per="event")
        pairs = zip(estimators, measured, strict=True)
        measured = [one if one.by_event else measure(rec, X, y, metrics, protocol) for rec, one in pairs]
    return measured


def _ranked_blocks(
    view: RecommenderView, queries: HeldOut, k: int, size: int, candidates: Ids | None, protocol: Protocol
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.integer]]]:
    """Numbers of ``size`` queries at a time, and the codes of their lists."""
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


def _over_threshold(strengths: sp.csr_array, threshold: float | None) -> sp.csr_array:
    if threshold is None:
        return strengths
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
