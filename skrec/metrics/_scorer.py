"""Scorers for ``scoring=``."""

from collections.abc import Iterable
from dataclasses import fields
from reprlib import repr as shortened

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from skrec.interactions import FeatureSource, Ids, Table
from skrec.metrics._measure import Protocol, measure
from skrec.metrics._names import check_greater_is_better, parse_metrics, read_names


class RankingScorer:
    """The scorer that :func:`ranking_scorer` returns: a callable ``(estimator, X, y=None)``."""

    def __init__(self, metrics: str | tuple[str, ...], k: int, protocol: Protocol) -> None:
        self.metrics = metrics
        self.k = k
        self.protocol = protocol
        self._parsed = parse_metrics(metrics, k)
        check_greater_is_better(self._parsed)
        # Displays of scikit-learn name their axis by it, as by that of a function.
        self.__name__ = ", ".join([metrics] if isinstance(metrics, str) else metrics)

    def __call__(self, estimator: BaseEstimator, X: Table, y: ArrayLike | None = None) -> float | dict[str, float]:
        """Score a fitted recommender, or a Pipeline that ends in one, on held-out events."""
        scores = measure(estimator, X, y, self._parsed, self.protocol).means()
        return scores[self.metrics] if isinstance(self.metrics, str) else scores

    def per_query(self, estimator: BaseEstimator, X: Table, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """The value of each query; one value for what is no plain mean of them. For a scorer of one metric."""
        (metric,) = self._parsed
        measured = measure(estimator, X, y, self._parsed, self.protocol)
        found = measured.columns.get(metric.name)
        is_plain_mean = found is not None and found.weights is None and not found.root
        return found.values if found is not None and is_plain_mean else np.array([measured.means()[metric.name]])

    def __repr__(self) -> str:
        names = repr(self.metrics if isinstance(self.metrics, str) else list(self.metrics))
        options = [] if self.k == 10 else [f"k={self.k}"]
        for option in fields(Protocol):
            value = getattr(self.protocol, option.name)
            if type(value) is not type(option.default) or value != option.default:
                options.append(f"{option.name}={shortened(value)}")
        return f"ranking_scorer({', '.join([names, *options])})"


def ranking_scorer(
    metrics: str | Iterable[str],
    *,
    k: int = 10,
    relevance_threshold: float | None = None,
    n_history: int | None = None,
    exclude_seen: bool = True,
    candidates: Ids | str | None = None,
    item_vectors: FeatureSource | None = None,
    item_categories: FeatureSource | None = None,
    gain: str = "auto",
    per: str = "auto",
) -> RankingScorer:
    """Make a scorer for ``scoring=`` of :class:`~sklearn.model_selection.GridSearchCV` and the like.

    Each user of the test events is one query. Where X has context columns, each event is one query, with its own
    context (see ``per``). The rules:

    - An event is relevant where ``y > 0``; ``y=None`` means 1. Repeats of a user and an item add up. For explicit
      feedback the last one counts.
    - Items of the user's training events are neither recommended nor relevant. A query without a relevant item is
      skipped; :func:`evaluate` counts the dropped events. Training events are all dropped, so training scores
      (``return_train_score=True``) need ``exclude_seen=False``.
    - Items that the recommender does not know stay relevant: recall and the ideal ranking count them.
    - Users that were not in training count, with the recommender's cold start.

    In ``scoring=`` of scikit-learn's own searches write ``ranking_scorer("ndcg@10")``: they take no name of a
    ranking metric. :class:`~skrec.model_selection.TunedRecommender` does.

    Parameters
    ----------
    metrics : str or list of str
        ``"ndcg@10"``, or ``"ndcg"`` for ``k`` ranks. A list of names gives a scorer that returns a dict, computed
        from one ranking. A search with it needs ``refit="ndcg@10"``, the name that decides.

        - Of relevance: precision, recall, f1, hit_rate, ndcg, map, mrr, serendipity.
        - Of the recommended lists: coverage, novelty, personalisation, neg_popularity (or neg_arp), neg_gini, and
          diversity with ``item_vectors``.
        - Of lists against the users' histories in fit: neg_popularity_lift, and neg_calibration_kl with
          ``item_categories``.
        - Of the scores of ``predict``, without ranks: auc, against all items that are ranked; auc_sampled, against
          100 sampled ones per query, or as many as in ``"auc_sampled@500"``; and for models of explicit feedback
          neg_rmse and neg_mae, of all events of X_test with their ratings as y.
    k : int, default=10
        Ranks for names without ``@``.
    relevance_threshold : float, default=None
        For all metrics of relevance but NDCG, a relevant item must also have ``y >= relevance_threshold``. Queries
        without such an item are excluded from their means.
    n_history : int, default=None
        The first ``n_history`` events of each user without training events are passed to the recommender as
        ``history``, and only the later ones are relevant. None means no history for such users.
    exclude_seen : bool, default=True
        False: items of the training events are recommended and relevant, too.
    candidates : list of ids or "test", default=None
        The items to rank. None means all; "test" means those of the test events, such as cold items only.
    item_vectors : pair (ids, matrix), frame or FeatureTable, default=None
        Vectors of the items, for "diversity". Items without a row are ignored by it.
    item_categories : frame, pair (ids, values) or FeatureTable, default=None
        Categories of the items, such as genres, for "calibration_kl". A frame has the id in its first column; one
        further column holds the category or a list of them, and several columns hold a weight for each category.
        The values of a pair are the same: a list of categories, a list of lists of them, or a matrix of weights.
        Items without a category are ignored.
    gain : {"auto", "binary", "y"}, default="auto"
        Gain of a relevant item in NDCG: 1 ("binary"), or y. "auto" is y for explicit feedback, else 1.
    per : {"auto", "event", "user"}, default="auto"
        What a query is. "event": each held-out event, with its own context and one relevant item. The history is
        that of fit and of ``n_history``, and means are over events. "user": each user, without context (the mean of
        training), since their events have different contexts. "auto" is "event" where X, as the recommender gets
        it, has context columns, else "user".

    Returns
    -------
    callable (estimator, X, y=None) -> float or dict of str to float
        ``estimator`` is a fitted recommender, or a Pipeline (scikit-learn's too) or a search that ends in one.
        NaN with an :class:`~sklearn.exceptions.UndefinedMetricWarning` where there is no query to score.

    Raises
    ------
    ValueError
        If a metric is unknown, or lower is better for it and its name lacks ``neg_``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_validate
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.metrics import ranking_scorer
    >>> from skrec.model_selection import LeaveLastOut
    >>> X = np.array([[1, 10], [1, 20], [2, 20], [2, 30], [3, 10], [3, 30], [3, 20]])
    >>> scoring = ranking_scorer(["ndcg@2", "recall@2"])
    >>> scoring
    ranking_scorer(['ndcg@2', 'recall@2'])
    >>> result = cross_validate(PopularRecommender(), X, cv=LeaveLastOut(), scoring=scoring)
    >>> result["test_recall@2"].round(2)
    array([1.])
    """
    tables = (item_vectors, item_categories)
    protocol = Protocol(relevance_threshold, n_history, exclude_seen, candidates, *tables, gain, per)
    return RankingScorer(metrics if isinstance(metrics, str) else read_names(metrics), k, protocol)
