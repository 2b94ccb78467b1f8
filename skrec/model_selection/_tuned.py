"""A recommender that chooses its own parameters."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import BaseCrossValidator, ParameterSampler
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import Interval, StrOptions

from skrec.base import DelegatingMixin, given_tables
from skrec.exceptions import BelowPopularityWarning
from skrec.interactions import FeatureSource, Table, as_whole
from skrec.metrics import ranking_scorer
from skrec.model_selection._base import Split
from skrec.model_selection._search_spaces import search_space
from skrec.model_selection._splits import read_cv
from skrec.utils import (
    PersistenceMixin,
    RandomState,
    Verbose,
    atomic_update,
    note_pools,
    pools_are_lost,
    progress,
    unwrap_recommender,
)

_FIT_CALLER = 4  # frames up, through what makes fit atomic


class TunedRecommender(DelegatingMixin, PersistenceMixin, BaseSearchCV):
    """A recommender tuned on the last training events by random search, then fitted to all of them.

    The given parameters are the first candidate, so tuning never chooses parameters that scored worse than they
    did. The tuned recommender has the same methods as any other.

    Parameters
    ----------
    estimator : recommender
        Or a :class:`skrec.pipeline.Pipeline` that ends in one.
    param_distributions : dict of str to list or distribution, default=None
        What candidates are drawn from, as in :class:`~sklearn.model_selection.RandomizedSearchCV`. None means
        :func:`search_space` of the recommender.
    n_iter : int, default=20
        Candidates, the given parameters included.
    cv : splitter, iterable of splits or int, default=None
        None tests on the last event of each user that has several events, as :class:`LeaveLastOut` does. If no
        user has several, it tests on the last fifth of the events.
    scoring : str, callable, list or dict, default=None
        None means NDCG@10. A name such as "recall@20", or a list of names, is read as in
        :func:`skrec.metrics.ranking_scorer`; names of scikit-learn's own scorers are allowed too.
    refit : bool or str, default=True
        With several metrics, the name of the one that decides.
    random_state : int, RandomState instance or None, default=None
        Seed of the candidates.
    n_jobs : int, default=None
        Candidates fitted in parallel, in processes; the recommenders use threads of their own.
    error_score : "raise" or float, default=nan
        The score of a candidate that fails.
    verbose : bool, int or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds; candidates in other processes are not counted. A number from 1 on also prints the messages of
        scikit-learn's searches.

    Attributes
    ----------
    best_estimator_ : recommender
        Fitted to all events with the parameters that were chosen.
    best_params_ : dict
        What was changed; empty where the given parameters did best.
    best_score_ : float
        On the validation events.
    popularity_score_ : float or None
        That of :class:`~skrec.dummy.PopularRecommender` on the same events. None where popularity itself is tuned, for
        explicit feedback, and with scorers of scikit-learn by several names.
    cv_results_ : dict of arrays
        As in scikit-learn's searches.
    users_, items_ : ndarray
        Ids in catalogue order.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    A :class:`~skrec.exceptions.BelowPopularityWarning` says that the best candidate does not beat popularity on the
    validation events.

    The tables beside the events are passed to every split whole, as :class:`~skrec.interactions.FeatureTable`. The
    first call of ``partial_fit`` tunes; later calls update the recommender with the chosen parameters. ``recommend``,
    ``similar_items``, ``search``, ``explain`` and ``partial_fit`` exist where the recommender has them.

    References
    ----------
    Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import LogisticMFRecommender
    >>> from skrec.model_selection import TunedRecommender
    >>> X = np.array([[u, i] for u in range(20) for i in range(10) if u % 2 == i % 2 and u % 10 != i])
    >>> rec = TunedRecommender(LogisticMFRecommender(random_state=0), n_iter=3, random_state=0).fit(X)
    >>> len(rec.cv_results_["params"]), len(rec.recommend([3, 4], k=1))
    (3, 2)
    """

    _estimator_type = "recommender"
    cv: Any
    scoring: Any
    verbose: Any
    scorer_: Any
    n_jobs: int | None
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, list, None],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "scoring": [str, callable, list, tuple, dict, None],
        "random_state": ["random_state"],
        "verbose": [StrOptions({"auto"}), "verbose"],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: dict[str, Any] | list[dict[str, Any]] | None = None,
        *,
        n_iter: int = 20,
        cv: BaseCrossValidator | Iterable[Split] | int | None = None,
        scoring: str | Callable[..., Any] | Sequence[str] | dict[str, Any] | None = None,
        refit: bool | str = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        error_score: float | str = np.nan,
        verbose: Verbose = "auto",
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=False,
        )
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.random_state = random_state

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender

        return [cls(PopularRecommender(), {"recency_decay": [0.5]}, n_iter=2)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "recommender"
        tags.target_tags = get_tags(self.estimator).target_tags
        return tags

    # Search ----------------------------------------------------------------------------------------

    @atomic_update
    def fit(
        self,
        X: Table,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        **tables: Any,
    ) -> Self:
        """Tune, then fit to all events.

        Parameters
        ----------
        X, y, item_features, user_features
            As in the recommender's ``fit``.
        **tables
            Further tables that ``fit`` of the recommender takes.

        Returns
        -------
        self : object
        """
        self._validate_params()
        given = given_tables(item_features, user_features, **tables)
        cv, scoring, verbose, n_jobs = self.cv, self.scoring, self.verbose, self.n_jobs
        _check_distributions(self.param_distributions)
        # scikit-learn reads all three from here, and knows neither our splitters nor our metrics nor "auto".
        self.cv = read_cv(cv, X)
        self.scoring = _as_scorer(scoring, self.estimator)
        self.verbose = 0 if isinstance(verbose, str) else int(verbose)
        if pools_are_lost():
            self.n_jobs = 1
        else:
            note_pools()  # joblib keeps its workers
        try:
            n_fits = self._n_fits(X, y)
            if n_jobs is not None and n_jobs > n_fits:  # joblib starts as many processes as it is asked for
                self.n_jobs = n_fits
            with progress(n_fits, "Candidates", "fit", verbose=verbose) as bar:
                if self.scoring is None or isinstance(self.scoring, str):
                    self.scoring = check_scoring(self.estimator, self.scoring)
                if callable(self.scoring):
                    self.scoring = _Counted(self.scoring, bar)
                whole = as_whole(given)
                super().fit(X, y, **whole)
            if isinstance(self.scorer_, _Counted):
                self.scorer_ = self.scorer_.scorer
            self.popularity_score_ = self._popularity_score(X, y, whole)
        except (TypeError, ValueError):
            # Where no candidate could be fitted, the cause is in the data: let the recommender say it.
            clone(self.estimator).fit(X, y, **given)
            raise
        finally:
            self.cv, self.scoring, self.verbose, self.n_jobs = cv, scoring, verbose, n_jobs
        if self.popularity_score_ is not None and not self.best_score_ > self.popularity_score_:
            warnings.warn(
                f"The best candidate scores {self.best_score_:.4f} on the validation events, and popularity "
                f"{self.popularity_score_:.4f}. Collect more events, give the model features or text, try another "
                "model, or recommend by PopularRecommender.",
                BelowPopularityWarning,
                stacklevel=_FIT_CALLER,
            )
        return self

    def _popularity_score(self, X: Any, y: Any, given: dict[str, Any]) -> float | None:
        """The mean score of popularity on the splits; None where the score is not one of rankings, or it is tuned."""
        from skrec.dummy import PopularRecommender

        scorer = self.scorer_
        if isinstance(unwrap_recommender(self.estimator), PopularRecommender) or not callable(scorer):
            return None
        if get_tags(self.estimator).target_tags.required:
            return None
        popular: Any = PopularRecommender()
        if isinstance(self.estimator, Pipeline):  # the scorer asks the same queries of it
            popular = clone(self.estimator).set_params(**{self.estimator.steps[-1][0]: popular})
        scores = []
        for train, test in self.cv.split(X, y):
            part = [None if y is None else _safe_indexing(y, at) for at in (train, test)]
            fitted = clone(popular).fit(_safe_indexing(X, train), part[0], **given)
            score = scorer(fitted, _safe_indexing(X, test), part[1])
            scores.append(score[self.refit] if isinstance(score, dict) else score)
        return float(np.mean(scores))

    def _run_search(self, evaluate_candidates: Callable[[Iterable[dict[str, Any]]], Any]) -> None:
        drawn = ParameterSampler(self._space(), self._n_drawn(), random_state=self.random_state)
        evaluate_candidates([{}, *drawn])

    def _space(self) -> Any:
        return search_space(self.estimator) if self.param_distributions is None else self.param_distributions

    def _n_drawn(self) -> int:
        return _n_draws(self._space(), self.n_iter - 1)

    def _n_fits(self, X: Any, y: Any) -> int:
        return (1 + self._n_drawn()) * int(self.cv.get_n_splits(X, y))

    # The recommender inside ------------------------------------------------------------------------

    @property
    def _delegate(self) -> Any:
        return getattr(self, "best_estimator_", self.estimator)

    def _replace_delegate(self, recommender: Any) -> None:
        self.best_estimator_ = recommender

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")


def _check_distributions(param_distributions: Any) -> None:
    """Refuse a list whose elements scikit-learn would not find out about until the search runs.

    Raises
    ------
    TypeError
        If distributions are no dicts.
    """
    if isinstance(param_distributions, list) and not all(isinstance(one, Mapping) for one in param_distributions):
        raise TypeError(f"param_distributions must be a dict, or a list of dicts; got {param_distributions!r}.")


class _Counted:
    """A scorer that advances a progress bar, but not in another process."""

    def __init__(self, scorer: Callable[..., Any], bar: Any = None) -> None:
        self.scorer, self.bar = scorer, bar

    def __getattr__(self, name: str) -> Any:
        if name in ("scorer", "bar") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.scorer, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"scorer": self.scorer, "bar": None}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = self.scorer(*args, **kwargs)
        if self.bar is not None:
            self.bar.update()
        return found


def _as_scorer(scoring: Any, estimator: Any) -> Any:
    """Names of ranking metrics become a scorer; everything else is scikit-learn's to read."""
    if scoring is None:
        return None if hasattr(estimator, "score") else ranking_scorer("ndcg@10")
    names = [scoring] if isinstance(scoring, str) else scoring
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return scoring
    return scoring if set(names) <= set(get_scorer_names()) else ranking_scorer(scoring)


def _n_draws(space: Any, n: int) -> int:
    """At most as many as a space of lists alone holds."""
    spaces = [space] if isinstance(space, dict) else space
    if any(hasattr(values, "rvs") for one in spaces for values in one.values()):
        return n
    return min(n, sum(int(np.prod([len(values) for values in one.values()])) for one in spaces))
