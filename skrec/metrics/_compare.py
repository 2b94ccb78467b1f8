"""Two recommenders, query by query."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from skrec.interactions import FeatureSource, Ids, Table
from skrec.metrics._evaluate import as_matrix, bootstrap_interval, check_count, check_resampling, draw_seed, to_frame
from skrec.metrics._measure import Protocol, measure_all
from skrec.metrics._names import parse_metrics
from skrec.metrics._resampling import sign_flip_p_values, sums_by_user
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
    relevance_threshold, n_history, exclude_seen, candidates, item_vectors, gain, per, verbose
        As in :func:`evaluate`.

    Returns
    -------
    frame
        One row per metric: ``metric``, ``mean_a``, ``mean_b``, ``difference`` (a - b), ``ci_low`` and ``ci_high``
        of the difference, ``p_value`` (two-sided, not corrected for the number of metrics) and ``n_queries``.
        All means are over the common queries. Users are the units of resampling. Interval and p-value of coverage
        and Gini index, which are of all lists together, are NaN.

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
    protocol = Protocol(relevance_threshold, n_history, exclude_seen, candidates, item_vectors, gain, per)
    with verbosity(verbose), watched_blocks("Evaluation"):
        a, b = measure_all([recommender_a, recommender_b], X_test, y_test, parsed, protocol)
    names = [metric.name for metric in parsed]
    _, in_a, in_b = np.intersect1d(a.queries.keys, b.queries.keys, assume_unique=True, return_indices=True)
    values_a, values_b = as_matrix(a, names)[in_a], as_matrix(b, names)[in_b]
    differences = values_a - values_b
    users = a.queries.user_numbers[in_a]

    seed = draw_seed(random_state)
    low, high = bootstrap_interval(differences, users, n_bootstrap, confidence, seed)
    p_values = p_values_of(differences, users, n_permutations, seed)
    rows = []
    for j, name in enumerate(names):
        paired = ~np.isnan(differences[:, j])
        mean_a = _mean(a.values[name], values_a[paired, j])
        mean_b = _mean(b.values[name], values_b[paired, j])
        row = {"metric": name, "mean_a": mean_a, "mean_b": mean_b, "difference": mean_a - mean_b}
        row |= {"ci_low": low[j], "ci_high": high[j], "p_value": p_values[j]}
        rows.append(row | {"n_queries": len(in_a) if a.per_query(name) is None else int(paired.sum())})
    return to_frame(rows)


def p_values_of(
    differences: NDArray[np.float64], users: NDArray[np.int64], n_permutations: int, seed: int
) -> NDArray[np.float64]:
    """Two-sided p-value of the mean of each column."""
    if not len(differences):
        return np.full(differences.shape[1], np.nan)
    sums, counts = sums_by_user(differences, users)
    return np.where(counts.any(axis=0), sign_flip_p_values(sums, n_permutations, seed), np.nan)


def _mean(measured: NDArray[np.float64] | float, paired: NDArray[np.float64]) -> float:
    """The mean over the common queries, or the value of a metric of all lists."""
    if not isinstance(measured, np.ndarray):
        return measured
    return float(paired.mean()) if len(paired) else float("nan")
