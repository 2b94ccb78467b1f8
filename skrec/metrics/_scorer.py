"""Scorers for ``scoring=``."""

from collections.abc import Iterable
from dataclasses import fields
from reprlib import repr as shortened
from typing import Any

from skrec.metrics._measure import Protocol, measure
from skrec.metrics._names import check_greater_is_better, parse_metrics


class RankingScorer:
    """What :func:`ranking_scorer` returns: a callable ``(estimator, X, y=None)``."""

    def __init__(self, metrics: str | tuple[str, ...], k: int, protocol: Protocol) -> None:
        self.metrics = metrics
        self.k = k
        self.protocol = protocol
        self._parsed = parse_metrics(metrics, k)
        check_greater_is_better(self._parsed)

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float | dict[str, float]:
        """Score a fitted recommender, or a Pipeline that ends in one, on held-out events."""
        scores = measure(estimator, X, y, self._parsed, self.protocol).means()
        return scores[self.metrics] if isinstance(self.metrics, str) else scores

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
    candidates: Any = None,
    item_vectors: Any = None,
    gain: str = "auto",
    per: str = "auto",
) -> RankingScorer:
    """Make a scorer for ``scoring=`` of :class:`~sklearn.model_selection.GridSearchCV` and the like.

    Each distinct user of the test events is one query, or each event where X has context columns, with its
    own context (see ``per``). What counts:

    - An event is relevant where ``y > 0``; ``y=None`` means 1. Repeats of a user and an item add up, and for
      explicit feedback the last one counts.
    - Items of the user's training events are not recommended and leave the relevant items. A query with
      none left is skipped; :func:`evaluate` says how many events were dropped. All events of training are,
      so that training scores (``return_train_score=True``) need ``exclude_seen=False``.
    - Items that the recommender does not know stay relevant: recall and the ideal ranking count them.
    - Users that were not in training count, with the recommender's cold start.

    Parameters
    ----------
    metrics : str or list of str
        ``"ndcg@10"``, ``"recall"`` (with ``k`` ranks), ...: precision, recall, hit_rate, ndcg, map, mrr;
        coverage, novelty, neg_popularity, neg_gini, and diversity with ``item_vectors``, of the lists that the
        queries get. A list of names makes a scorer that returns a dict, all from one ranking; a search with
        it needs ``refit="ndcg@10"``, the name that decides.
    k : int, default=10
        Ranks for names without ``@``.
    relevance_threshold : float, default=None
        For all ranking metrics but NDCG, an item must also have ``y >= relevance_threshold``; a query without
        one is left out of their means.
    n_history : int, default=None
        The first ``n_history`` events of each user without training events are given to the recommender as
        history, and only the later ones are relevant. None gives cold users no history.
    exclude_seen : bool, default=True
        False lets items of the training events be recommended and be relevant.
    candidates : list of ids or "test", default=None
        The items to rank: None means all, "test" those of the test events (cold items among themselves).
    item_vectors : pair (ids, matrix), frame or FeatureTable, default=None
        The space in which "diversity" measures. Items without a row are left out of it.
    gain : {"auto", "binary", "y"}, default="auto"
        Gain of a relevant item in NDCG: 1 ("binary"), y, or y for explicit feedback and else 1 ("auto").
    per : {"auto", "event", "user"}, default="auto"
        What a query is. "event": each held-out event, with its own context and its item alone as relevant;
        the history is that of fit and of ``n_history``, and means are over events. "user": each user, who is
        asked for without context (the mean of training), since their events have different ones. "auto" is
        "event" where X, as the recommender gets it, has context columns, else "user".

    Returns
    -------
    callable (estimator, X, y=None) -> float or dict of str to float
        ``estimator`` is a fitted recommender, or a Pipeline (scikit-learn's too) or a search that ends in one.
        NaN with an :class:`~sklearn.exceptions.UndefinedMetricWarning` where no query is left to score.

    Raises
    ------
    ValueError
        If a metric is unknown, or less of it is better and its name lacks ``neg_``.

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
    protocol = Protocol(relevance_threshold, n_history, exclude_seen, candidates, item_vectors, gain, per)
    return RankingScorer(metrics if isinstance(metrics, str) else tuple(metrics), k, protocol)
