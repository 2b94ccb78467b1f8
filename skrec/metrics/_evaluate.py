"""Tables of metrics with intervals."""

from collections.abc import Iterable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar

from skrec.interactions import FeatureSource, Ids, Table
from skrec.metrics._measure import Protocol, measure_all
from skrec.metrics._measured import Measured
from skrec.metrics._names import parse_metrics
from skrec.metrics._resampling import bootstrap_means, interval, sums_by_user
from skrec.utils import (
    RandomState,
    Verbose,
    installed_frame_library,
    read_random_state,
    verbosity,
    watched_blocks,
)

DEFAULT_METRICS = ("ndcg@10", "recall@10", "map@10", "coverage@10", "novelty@10")


def evaluate(
    recommenders: BaseEstimator | Mapping[str, BaseEstimator],
    X_test: Table,
    y_test: ArrayLike | None = None,
    metrics: str | Iterable[str] = DEFAULT_METRICS,
    *,
    k: int = 10,
    n_bootstrap: int = 1000,
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
    """Measure fitted recommenders on held-out events, with bootstrap confidence intervals.

    Parameters
    ----------
    recommenders : recommender, or dict from name to recommender
        Fitted. A Pipeline or a search that ends in a recommender is allowed.
    X_test : array-like or frame of shape (n_events, n_columns)
        Held-out events.
    y_test : array-like of shape (n_events,), default=None
        Events with y > 0 are relevant; None means all.
    metrics : str or list of str
        Names as in :func:`ranking_scorer`, all computed from one ranking. Those for which lower is better, such as
        "popularity", need no ``neg_`` here.
    k : int, default=10
        Ranks for names without ``@``.
    n_bootstrap : int, default=1000
        Resamples of the users; 0 leaves the intervals NaN.
    confidence : float, default=0.95
        Level of the percentile intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples, which are the same for all recommenders.
    relevance_threshold, n_history, exclude_seen, candidates, item_vectors, item_categories, gain, per
        As in :func:`ranking_scorer`. With ``per="auto"``, each event is a query for all recommenders if it is for
        one of them.
    verbose : bool or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds.

    Returns
    -------
    frame
        One row per recommender and metric: ``model``, ``metric``, ``mean``, ``ci_low``, ``ci_high``; ``n_queries``,
        the queries in the mean, for RMSE and MAE the rated events; and ``n_dropped``, the events with y > 0 that do
        not count, since their user had the item before. The first of pandas, polars and pyarrow that is installed.
        Coverage and Gini index are of all lists together. Their interval is NaN, since resamples repeat lists and
        would be biased. That of personalisation, a mean over pairs of lists, is by the pseudo-values of the jackknife.

    Warns
    -----
    TemporalLeakWarning
        Once per process, if held-out events are older than training events of the same users.
    UserWarning
        If some recommenders get context columns and others do not, and ``per="auto"``.

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
    tables = (item_vectors, item_categories)
    protocol = Protocol(relevance_threshold, n_history, exclude_seen, candidates, *tables, gain, per)
    if not isinstance(recommenders, Mapping):
        recommenders = {type(recommenders).__name__: recommenders}
    if not recommenders:
        raise ValueError("recommenders is empty; pass a fitted recommender, or a dict from name to recommender.")
    seed = draw_seed(random_state)
    with verbosity(verbose), watched_blocks("Evaluation"):
        measured = measure_all(list(recommenders.values()), X_test, y_test, parsed, protocol)
    rows = []
    for model, found in zip(recommenders, measured, strict=True):
        rows += _rows(str(model), found, n_bootstrap, confidence, seed)
    return to_frame(rows)


def _rows(model: str, measured: Measured, n_bootstrap: int, confidence: float, seed: int) -> list[dict[str, Any]]:
    bounds: dict[str, tuple[float, float]] = {}
    for sample in (measured.of_queries, measured.of_events):
        ends = interval(sample.bootstrap(n_bootstrap, seed), confidence)
        bounds |= dict(zip(sample.columns, zip(*ends, strict=True), strict=True))
    rows = []
    for name, mean in measured.means().items():
        low, high = bounds.get(name, (np.nan, np.nan))
        row = {"model": model, "metric": name, "mean": mean, "ci_low": low, "ci_high": high}
        rows.append(row | {"n_queries": measured.n_units(name), "n_dropped": measured.n_dropped})
    return rows


def bootstrap_interval(
    values: NDArray[np.float64], users: NDArray[np.int64], n_bootstrap: int, confidence: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of each column's mean."""
    sums, counts = sums_by_user(values, users)
    n_resamples = n_bootstrap if len(sums) else 0
    return interval(bootstrap_means(sums, counts, n_resamples, seed), confidence)


MOST_RESAMPLES = 1_000_000
"""Of a bootstrap or a permutation test: all means are kept, and more change nothing that anyone could see."""


def check_resampling(n_bootstrap: int, confidence: float) -> None:
    """Raise where a number of resamples or a level is out of range."""
    check_count(n_bootstrap, "n_bootstrap", 0)
    check_scalar(confidence, "confidence", float, min_val=0, max_val=1, include_boundaries="neither")
    if confidence != confidence:
        raise ValueError("confidence must be a number between 0 and 1; got NaN.")


def check_count(value: Any, name: str, low: int = 1, high: int = MOST_RESAMPLES) -> None:
    """Raise where a value is no whole number from ``low`` to ``high``."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number; got {value}.")
    check_scalar(value, name, int, min_val=low, max_val=high)


def draw_seed(random_state: RandomState) -> int:
    """A seed with which the same resamples are drawn several times."""
    return int(read_random_state(random_state).randint(2**31 - 1))


def to_frame(rows: list[dict[str, Any]]) -> Any:
    """A table of the first frame library that is installed."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    backend: Any = installed_frame_library()
    return nw.from_dict(columns, backend=backend).to_native()
