"""Two recommenders, query by query."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from skrec.interactions import FeatureSource, Ids, Table
from skrec.metrics._evaluate import check_count, check_resampling, draw_seed, to_frame
from skrec.metrics._measure import Protocol, measure_all
from skrec.metrics._measured import Sample
from skrec.metrics._names import parse_metrics
from skrec.metrics._resampling import interval, sign_flip_p_values, sums_by_user
from skrec.utils import RandomState, Verbose, verbosity, watched_blocks


def compare(
    recommender_a: BaseEstimator,
    recommender_b: BaseEstimator,
    X_test: Table,
    y_test: ArrayLike | None = None,
    metrics: str | Iterable[str] = ("ndcg@10", "recall@10", "map@10"),
    *,
    k: int = 10,
    n_bootstrap: int = 1000,
    n_permutations: int = 9999,
    confidence: float = 0.95,
    random_state: RandomState = None,
    relevance_threshold: float | None = None,
    n_history: int | None = None,
    exclude_seen: bool = True,
    candidates: Ids | str | None = None,
    item_vectors: FeatureSource | None = None,
    item_categories: FeatureSource | None = None,
    gain: str = "auto",
    per: str = "auto",
    verbose: Verbose = "auto",
) -> Any:
    """Compare two fitted recommenders query by query on the same held-out events.

    A query that is easy or hard is so for both. The differences per query therefore show much smaller effects than
    two intervals of :func:`evaluate`. Only queries that both recommenders have are used: recommenders trained on
    different events skip different queries.

    Parameters
    ----------
    recommender_a, recommender_b : recommender, or a Pipeline or search that ends in one
        Fitted.
    X_test, y_test, metrics, k, n_bootstrap, confidence
        As in :func:`evaluate`.
    n_permutations : int, default=9999
        Sign flips of the paired permutation test.
    random_state : int, RandomState instance or None, default=None
        Seed of resamples and sign flips.
    relevance_threshold, n_history, exclude_seen, candidates, item_vectors, item_categories, gain, per, verbose
        As in :func:`evaluate`.

    Returns
    -------
    frame
        One row per metric: ``metric``, ``mean_a``, ``mean_b``, ``difference`` (a - b), ``ci_low`` and ``ci_high``
        of the difference, ``p_value`` (two-sided, not corrected for the number of metrics) and ``n_queries``.
        All means are over the common queries. Users are the units of resampling. Interval and p-value of coverage
        and Gini index, which are of all lists together, are NaN. The p-value of RMSE is that of squared errors.

    References
    ----------
    .. [1] M. Smucker, J. Allan, B. Carterette (2007). A comparison of statistical significance tests for
       information retrieval evaluation. CIKM.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import PopularRecommender, RandomRecommender
    >>> from skrec.metrics import compare
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20]])
    >>> X_test = np.array([[1, 20], [3, 10], [4, 30]])
    >>> popular, chance = PopularRecommender().fit(X), RandomRecommender(random_state=0).fit(X)
    >>> table = compare(popular, chance, X_test, metrics="recall@2", random_state=0)
    >>> list(table.columns)
    ['metric', 'mean_a', 'mean_b', 'difference', 'ci_low', 'ci_high', 'p_value', 'n_queries']
    """
    check_resampling(n_bootstrap, confidence)
    check_count(n_permutations, "n_permutations")
    parsed = parse_metrics(metrics, k)
    tables = (item_vectors, item_categories)
    protocol = Protocol(relevance_threshold, n_history, exclude_seen, candidates, *tables, gain, per)
    with verbosity(verbose), watched_blocks("Evaluation"):
        a, b = measure_all([recommender_a, recommender_b], X_test, y_test, parsed, protocol)
    resampling = (n_bootstrap, n_permutations, confidence, draw_seed(random_state))
    pairs = [_paired(a.of_queries, b.of_queries), _paired(a.of_events, b.of_events)]
    rows: dict[str, dict[str, Any]] = {}
    for one, other in pairs:
        rows |= _rows(one, other, *resampling)
    for name in a.of_all_lists:
        mean_a, mean_b = a.of_all_lists[name], b.of_all_lists[name]
        row = {"mean_a": mean_a, "mean_b": mean_b, "difference": mean_a - mean_b}
        rows[name] = row | dict.fromkeys(("ci_low", "ci_high", "p_value"), np.nan) | {"n_queries": len(pairs[0][0])}
    return to_frame([{"metric": name} | rows[name] for name in a.metrics])


def _paired(a: Sample, b: Sample) -> tuple[Sample, Sample]:
    """The units that both have, with a value in both or in neither."""
    _, in_a, in_b = np.intersect1d(a.keys, b.keys, assume_unique=True, return_indices=True)
    a, b = a.take(in_a), replace(b.take(in_b), users=a.users[in_a])
    for name, of_a in a.columns.items():
        of_b = b.columns[name]
        is_paired = ~(np.isnan(of_a.values) | np.isnan(of_b.values))
        a.columns[name], b.columns[name] = of_a.where(is_paired), of_b.where(is_paired)
    return a, b


def _rows(
    a: Sample, b: Sample, n_bootstrap: int, n_permutations: int, confidence: float, seed: int
) -> dict[str, dict[str, Any]]:
    low, high = interval(a.bootstrap_differences(b, n_bootstrap, seed), confidence)
    p_values = p_values_of(a.terms() - b.terms(), a.users, n_permutations, seed)
    rows = {}
    for j, (name, of_a) in enumerate(a.columns.items()):
        mean_a, mean_b = of_a.mean(), b.columns[name].mean()
        row = {"mean_a": mean_a, "mean_b": mean_b, "difference": mean_a - mean_b, "ci_low": low[j], "ci_high": high[j]}
        rows[name] = row | {"p_value": p_values[j], "n_queries": int((~np.isnan(of_a.values)).sum())}
    return rows


def p_values_of(
    differences: NDArray[np.float64], users: NDArray[np.int64], n_permutations: int, seed: int
) -> NDArray[np.float64]:
    """Two-sided p-value of the mean of each column."""
    if not differences.size:
        return np.full(differences.shape[1], np.nan)
    sums, counts = sums_by_user(differences, users)
    return np.where(counts.any(axis=0), sign_flip_p_values(sums, n_permutations, seed), np.nan)
