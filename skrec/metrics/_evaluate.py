"""Tables of metrics with intervals."""

from collections.abc import Iterable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state, check_scalar

from skrec.metrics._measure import Measured, Protocol, check_same_gain, check_same_queries, measure
from skrec.metrics._names import parse_metrics
from skrec.metrics._resampling import bootstrap_means, interval, sums_by_user
from skrec.utils import installed_frame_library

DEFAULT_METRICS = ("ndcg@10", "recall@10", "map@10", "coverage@10", "novelty@10")


def evaluate(
    recommenders: Any,
    X_test: Any,
    y_test: Any = None,
    metrics: str | Iterable[str] = DEFAULT_METRICS,
    *,
    k: int = 10,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
    relevance_threshold: float | None = None,
    n_history: int | None = None,
    exclude_seen: bool = True,
    candidates: Any = None,
    item_vectors: Any = None,
    gain: str = "auto",
    per: str = "auto",
) -> Any:
    """Measure fitted recommenders on held-out events, with bootstrap confidence intervals.

    Parameters
    ----------
    recommenders : recommender, or dict from name to recommender
        Fitted; a Pipeline or a search that ends in a recommender will do.
    X_test, y_test
        Held-out events, read as :func:`ranking_scorer` reads them.
    metrics : str or list of str
        Names as in :func:`ranking_scorer`, all computed from one ranking; here "popularity" and "gini" may
        stand without ``neg_``.
    k : int, default=10
        Ranks for names without ``@``.
    n_bootstrap : int, default=1000
        Resamples of the users; 0 leaves the intervals NaN.
    confidence : float, default=0.95
        Level of the percentile intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples, which are the same for all recommenders.
    relevance_threshold, n_history, exclude_seen, candidates, item_vectors, gain, per
        As in :func:`ranking_scorer`.

    Returns
    -------
    frame
        One row a recommender and metric: ``model``, ``metric``, ``mean``, ``ci_low``, ``ci_high``,
        ``n_queries``, over which the mean is taken, and ``n_dropped``, the events with y > 0 that do not count,
        since their user had the item before. pandas, polars or pyarrow, the first that is installed.
        Coverage and Gini index belong to all lists together; resamples would repeat lists and so be biased,
        and their interval is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.metrics import evaluate
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20]])
    >>> X_test = np.array([[1, 20], [3, 10], [4, 30]])
    >>> table = evaluate(PopularRecommender().fit(X), X_test, metrics=["mrr@2", "recall@2"], random_state=0)
    >>> table[["model", "metric", "mean", "n_queries"]]
                    model    metric      mean  n_queries
    0  PopularRecommender     mrr@2  0.666667          3
    1  PopularRecommender  recall@2  0.666667          3
    """
    check_resampling(n_bootstrap, confidence)
    parsed = parse_metrics(metrics, k)
    protocol = Protocol(relevance_threshold, n_history, exclude_seen, candidates, item_vectors, gain, per)
    if not isinstance(recommenders, Mapping):
        recommenders = {type(recommenders).__name__: recommenders}
    if not recommenders:
        raise ValueError("recommenders is empty; pass a fitted recommender, or a dict from name to recommender.")
    check_same_gain(list(recommenders.values()), parsed, protocol)
    seed = draw_seed(random_state)
    measured = [measure(recommender, X_test, y_test, parsed, protocol) for recommender in recommenders.values()]
    check_same_queries(measured)
    rows = []
    for model, found in zip(recommenders, measured, strict=True):
        rows += _rows(str(model), found, n_bootstrap, confidence, seed)
    return to_frame(rows)


def _rows(model: str, measured: Measured, n_bootstrap: int, confidence: float, seed: int) -> list[dict[str, Any]]:
    means = measured.means()
    names = list(means)
    values = as_matrix(measured, names)
    low, high = bootstrap_interval(values, measured.queries.user_numbers, n_bootstrap, confidence, seed)
    return [
        {
            "model": model,
            "metric": name,
            "mean": means[name],
            "ci_low": low[j],
            "ci_high": high[j],
            "n_queries": measured.n_queries(name),
            "n_dropped": measured.queries.n_dropped,
        }
        for j, name in enumerate(names)
    ]


def as_matrix(measured: Measured, names: list[str]) -> NDArray[np.float64]:
    """One row a query, one column a metric; NaN for metrics of all lists."""
    columns = [measured.per_query(name) for name in names]
    nothing = np.full(len(measured.queries), np.nan)
    return np.column_stack([nothing if column is None else column for column in columns])


def bootstrap_interval(
    values: NDArray[np.float64], users: NDArray[np.int64], n_bootstrap: int, confidence: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of each column's mean."""
    sums, counts = sums_by_user(values, users)
    n_resamples = n_bootstrap if len(sums) else 0
    return interval(bootstrap_means(sums, counts, n_resamples, seed), confidence)


def check_resampling(n_bootstrap: int, confidence: float) -> None:
    """Refuse what no interval can be made from."""
    check_scalar(n_bootstrap, "n_bootstrap", int, min_val=0)
    check_scalar(confidence, "confidence", float, min_val=0, max_val=1, include_boundaries="neither")


def draw_seed(random_state: Any) -> int:
    """One number, to draw the same resamples several times."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def to_frame(rows: list[dict[str, Any]]) -> Any:
    """A table of the first frame library that is installed."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    backend: Any = installed_frame_library()
    return nw.from_dict(columns, backend=backend).to_native()
