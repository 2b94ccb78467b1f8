"""The cascade: retrievers, then a ranker."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec.compose._cascade._fitting import CascadeFitting
from skrec.compose._cascade._rankers import importances, score_pairs
from skrec.compose._cascade._targets import context_rows
from skrec.interactions import History, Ids, Table, as_column, read_events
from skrec.utils import RandomState, on_snapshot


def _is_calibrated(cascade: CascadeRecommender) -> bool:
    if cascade.calibration is None:
        raise AttributeError('predict_proba needs calibration="sigmoid" or calibration="isotonic"')
    return True


class CascadeRecommender(CascadeFitting):
    """Retrieve candidates with recommenders, and order them by a model of (user, item, context) pairs.

    ``fit`` holds out the last events of each user, fits the retrievers to what comes before, and labels their
    candidates by what was held out: a positive that no retriever found is never added, since the ranker will not see
    it in use either. The ranker learns from features of the pairs; then the retrievers are fitted to all events.

    Parameters
    ----------
    retrievers : list of (name, recommender)
        ``fit`` fits a clone of each. A :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one: held-out events
        that it was fitted to are left out of the training of the ranker, with a warning.
    ranker : classifier, regressor or ranker, default=None
        Any of scikit-learn's, or ``LGBMRanker`` and ``XGBRanker``, which learn the order within a query. None means
        :class:`~sklearn.ensemble.HistGradientBoostingClassifier` with small steps. One that takes no missing values
        gets the rank behind the last one, the lowest score, and the mean of other columns in their place.
    n_candidates : int, default=100
        Candidates of each retriever.
    n_negatives : int, default=50
        Candidates without an event that the ranker learns from, per query, at random; None means all.
    max_queries : int, default=5000
        Queries that the ranker learns from, at random; None means all. A query is a user, or a held-out event where X
        has context columns.
    cv : float, splitter, iterable of splits or int, default=None
        What is held out to train the ranker. None means the last event of each user, as
        :class:`~skrec.model_selection.LeaveLastOut`, or the last fifth of all events where no user has several. A
        float is the share of the last events of each user. With several splits, the ranker learns from the pairs of
        all. Only :class:`~skrec.model_selection.TimeSplit` keeps later events of other users from the retrievers;
        pass :class:`~skrec.model_selection.LeaveKOut` where the events to predict lie anywhere in time.
    exclude_seen : bool, default=True
        Whether users do not come back to items: the ranker is trained on lists without seen items. With False it also
        gets the number of events that a user had with an item.
    features : callable or transformer, default=None
        Further features. It gets the frame of :meth:`pair_features` and returns a frame or an array with as many rows.
        A transformer is cloned, and fitted to the training pairs with their labels.
    calibration : {"sigmoid", "isotonic"}, default=None
        Method of :class:`~sklearn.calibration.CalibratedClassifierCV`. With one, the ranker learns from the earlier
        three quarters of the queries, and the rest calibrates :meth:`predict_proba`. The ranker must be a classifier.
    random_state : int, RandomState instance or None, default=None
        Seed of the samples and of a ranker that has no seed of its own.

    Attributes
    ----------
    retrievers_ : list of recommender
        Fitted to all events.
    named_recommenders_ : Bunch
        The same by name.
    ranker_ : estimator or None
        None where there was nothing to learn from; lists are then in the order of the sum of ``1 / (60 + rank)``.
    feature_names_ : list of str
        Columns of the matrix that the ranker is fitted to.
    feature_importances_ : dict of str to float
        Where the ranker has ``feature_importances_`` or ``coef_``; largest first.
    n_pairs_ : int
        Pairs that the ranker was fitted to.
    n_positives_ : int
        Those of them with an event.
    calibrator_ : CalibratedClassifierCV or None

    Warns
    -----
    UntrainedRankerWarning
        If no event can be held out, or no retriever finds one that is.
    TemporalLeakWarning
        If a frozen retriever was fitted to held-out events.

    Notes
    -----
    ``predict`` is the score of the ranker for any pair, and lists are in its order. A score does not depend on what
    else is eligible: ranks count among all items, whatever ``candidates`` and ``exclude`` say.

    The features, all from before the target: of each retriever the rank, whether it retrieved the item, the score, and
    the score as a share of the way from its last candidate to its first; where it has ``item_vectors()``, the cosine
    with the mean of the last twenty items of the user and with the last one. Of the item its popularity and, where
    times compare between users, its trend, the time since its last event and since its first. Of the user the number
    of events and the popularity of their items. Then the numeric columns of ``item_features``, ``user_features`` and
    of the context.

    The ranker gets a float32 array; the names of its columns are ``feature_names_``.

    ``partial_fit`` updates the retrievers and the log; the ranker stays as it is until the next ``fit``.

    Examples
    --------
    >>> from skrec.compose import CascadeRecommender
    >>> from skrec.datasets import load_bookshop
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> shop = load_bookshop()
    >>> retrievers = [("popular", PopularRecommender()), ("knn", ItemKNNRecommender())]
    >>> rec = CascadeRecommender(retrievers, n_candidates=50, random_state=0).fit(shop.X)
    >>> rec.recommend(k=3).items.shape[1]
    3
    >>> rec.feature_names_[:3]
    ['popular_rank', 'popular_retrieved', 'popular_score']
    """

    _parts_parameter = "retrievers"
    _lists_follow_predict = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "retrievers": [list, tuple],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left"), None],
        "max_queries": [Interval(Integral, 1, None, closed="left"), None],
        "cv": ["cv_object", Interval(Real, 0, 1, closed="neither"), None],
        "exclude_seen": ["boolean"],
        "calibration": [StrOptions({"sigmoid", "isotonic"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        retrievers: Sequence[tuple[str, Any]],
        ranker: Any = None,
        *,
        n_candidates: int = 100,
        n_negatives: int | None = 50,
        max_queries: int | None = 5000,
        cv: Any = None,
        exclude_seen: bool = True,
        features: Any = None,
        calibration: str | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.retrievers = retrievers
        self.ranker = ranker
        self.n_candidates = n_candidates
        self.n_negatives = n_negatives
        self.max_queries = max_queries
        self.cv = cv
        self.exclude_seen = exclude_seen
        self.features = features
        self.calibration = calibration
        self.random_state = random_state

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from sklearn.linear_model import LogisticRegression

        from skrec.dummy import PopularRecommender
        from skrec.neighbors import ItemKNNRecommender

        parts = [("popular", PopularRecommender()), ("knn", ItemKNNRecommender(n_neighbors=5))]
        return [cls(parts, LogisticRegression(C=0.1), random_state=0)]

    # Scores of pairs -----------------------------------------------------------------------------------

    @on_snapshot
    def predict(self, X: Table) -> NDArray:
        """Score of each (user, item[, context]) row by the ranker.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events,)
        """
        check_is_fitted(self)
        return self._of_events(X, self._score_table)

    @available_if(_is_calibrated)
    @on_snapshot
    def predict_proba(self, X: Table) -> NDArray:
        """Probability that a candidate becomes an event, calibrated on later events than the ranker learnt from.

        It is that of an item among the candidates to be among the next events of the user, as many as ``cv`` held
        out: of the last one by default.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events, 2)
            Of no event, and of an event.
        """
        check_is_fitted(self)
        calibrator: Any = self.calibrator_
        chance = self._of_events(X, lambda table: calibrator.predict_proba(self._matrix(table))[:, 1])
        return np.column_stack([1 - chance, chance])

    @on_snapshot
    def pair_features(
        self, users: Ids, items: Ids, *, context: Table | None = None, history: History | None = None
    ) -> Any:
        """The features of pairs, as the ranker gets them now: one row per pair.

        Parameters
        ----------
        users, items : array-like of ids
            One of each per pair; a single id in either is used for all pairs.
        context, history
            As in :meth:`recommend`: one row of context per pair, or one for all.

        Returns
        -------
        frame
            ``user``, ``item``, then the features; missing values are NaN. Of the frame library of X in fit; for an
            array of the first of pandas, polars and pyarrow that is installed.
        """
        check_is_fitted(self)
        users, items = (np.asarray(as_column(ids, name)) for ids, name in ((users, "users"), (items, "items")))
        n_pairs = max(len(users), len(items))
        if len(users) not in (1, n_pairs) or len(items) not in (1, n_pairs):
            raise ValueError(f"{len(users)} users and {len(items)} items are no pairs; pass one of each per pair.")
        users, items = (ids if len(ids) == n_pairs else np.repeat(ids, n_pairs) for ids in (users, items))
        requests, pairs, order, found, options = self._asked_pairs(users, items, context, history)
        table = self._table(requests, pairs, found, self._part_scores(requests.users, pairs, found, options))
        back = np.argsort(order)
        table = {name: column[back] for name, column in table.items()}
        return self._frame_of({"user": users, "item": items} | table)

    def _of_events(self, X: Table, score: Any) -> NDArray:
        """What a function makes of the features of each row of X."""
        events = read_events(X, estimator=self)
        context = None if events.context is None else context_rows(X)
        asked = self._asked_pairs(
            np.asarray(as_column(events.users, "X")), np.asarray(as_column(events.items, "X")), context, None
        )
        requests, pairs, order, found, options = asked
        scores = np.empty(len(events))
        scores[order] = self._map(requests, pairs, found, options, score)
        return scores

    # What the ranker learnt ----------------------------------------------------------------------------

    @property
    def feature_importances_(self) -> dict[str, float]:
        """Importances of the features by name, largest first, where the ranker has them."""
        check_is_fitted(self)
        return importances(self.ranker_, self.feature_names_)

    @on_snapshot
    def permutation_importances(
        self, X: Table, y: ArrayLike | None = None, *, n_repeats: int = 5, random_state: RandomState = None
    ) -> dict[str, float]:
        """How much of the area under the ROC curve is lost where a feature is shuffled, for any ranker.

        Parameters
        ----------
        X, y
            Events after those of ``fit``. The candidates of their users are labelled by them.
        n_repeats : int, default=5
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        dict of str to float
            Mean loss by name, largest first.

        Raises
        ------
        ValueError
            If no event of X is among the candidates, or the ranker was not trained.
        """
        check_is_fitted(self)
        values, labels = self._labelled_events(X, y, random_state)
        scorer = _area_under_curve
        found = permutation_importance(
            self.ranker_, values, labels, scoring=scorer, n_repeats=n_repeats, random_state=random_state
        )
        order = np.argsort(-found.importances_mean, kind="stable")
        return {self.feature_names_[j]: float(found.importances_mean[j]) for j in order}


def _area_under_curve(ranker: Any, values: NDArray, labels: NDArray) -> float:
    return float(roc_auc_score(labels, score_pairs(ranker, values)))
