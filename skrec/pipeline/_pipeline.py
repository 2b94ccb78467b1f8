"""scikit-learn's Pipeline with the methods of a recommender."""

from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
import sklearn
import sklearn.pipeline
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Explanations, by_raw_columns
from skrec.base import given_tables, tables_taken
from skrec.interactions import (
    EventTemplate,
    FeatureMatrix,
    FeatureSource,
    History,
    Ids,
    Recommendations,
    Table,
    check_same_ids,
    explained_pairs,
    first_appearance,
    given_options,
    read_events,
    warn_of_ratings_in_array,
)
from skrec.pipeline._steps import StepsMixin, events_of
from skrec.utils import Matrix, PersistenceMixin, kept_on_failure


def _final_has(name: str) -> Any:
    def check(pipeline: "Pipeline") -> bool:
        getattr(pipeline._final_estimator, name)
        return True

    return available_if(check)


class Pipeline(StepsMixin, PersistenceMixin, sklearn.pipeline.Pipeline):
    """scikit-learn's Pipeline with ``recommend``, ``similar_items``, ``search``, ``explain`` and ``partial_fit``.

    The steps before the recommender encode the context columns of X. They must leave user and item first and
    unchanged, as :class:`~skrec.feature_extraction.ContextEncoder` does. In ``recommend``, ``context`` is completed
    to a full X (the users, a known item, the context, with the names and types of fit) and passed through the steps;
    then both id columns are dropped. So any transformer that works row by row can be a step.

    Parameters
    ----------
    steps : list of (name, estimator) tuples
        Transformers, then a recommender.
    transform_input, memory, verbose
        As in :class:`sklearn.pipeline.Pipeline`.

    Attributes
    ----------
    users_, items_ : ndarray
        Ids in catalogue order, of the recommender.
    n_features_in_, feature_names_in_
        Of the first step.

    See Also
    --------
    make_pipeline : The same without names.

    as_recommender : Make one of a fitted Pipeline of scikit-learn.

    Notes
    -----
    Scorers and searches also take scikit-learn's own Pipeline. It has no method of the above.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.feature_extraction import ContextEncoder
    >>> from skrec.pipeline import Pipeline
    >>> X = pd.DataFrame({"user": [1, 1, 2], "item": [10, 20, 20], "device": ["phone", "desk", "desk"]})
    >>> pipe = Pipeline([("context", ContextEncoder()), ("recommender", PopularRecommender())]).fit(X)
    >>> pipe.recommend([1, 2, 3], k=1, context=[["phone"]], exclude_seen=False).items.ravel()
    array([20, 20, 20])
    """

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """None: it inherits what scikit-learn's own Pipeline fails of the estimator checks."""
        return []

    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        **params: Any,
    ) -> Self:
        """Fit the steps, then the recommender.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns; a frame column named ``timestamp`` gives the time.
        y : array-like of shape (n_events,), default=None
            Strength or rating.
        item_features, user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            Passed to the recommender, with metadata routing enabled or not.
        **params
            Further tables that ``fit`` of the recommender takes, by their names; and parameters of steps, as in
            scikit-learn's Pipeline.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a step changes an id, as a float column would a large integer.
        """
        if X is None and len(self.steps) > 1:
            raise ValueError(
                "X is None, and the steps before the recommender are fitted to X: pass the events, or fit the "
                "recommender alone to a catalogue without events."
            )
        if len(self.steps) > 1:
            warn_of_ratings_in_array(X, y)  # a step may encode them beyond recognition
        taken = tables_taken(self.steps[-1][1])
        tables = given_tables(item_features, user_features, **{name: params.pop(name) for name in taken & set(params)})
        if not sklearn.get_config()["enable_metadata_routing"]:
            tables = {f"{self.steps[-1][0]}__{name}": table for name, table in tables.items()}
        with kept_on_failure(self, *(step for _, step in self.steps)):
            super().fit(X, y, **params, **tables)
        return self

    @classmethod
    def of_fitted(cls, fitted: sklearn.pipeline.Pipeline, template: EventTemplate) -> Self:
        """One with the steps of a fitted pipeline; see :func:`as_recommender`."""
        pipeline = cls(fitted.steps, transform_input=fitted.transform_input, memory=fitted.memory)
        pipeline.verbose = fitted.verbose
        pipeline._template = template
        return pipeline

    @_final_has("partial_fit")
    def partial_fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        **tables: Any,
    ) -> Self:
        """Update the recommender with new events; the first call fits the steps and the recommender.

        The steps are not fitted again. They encode the context of the new events as that of the first ones.

        Parameters
        ----------
        X, y, item_features, user_features
            As in :meth:`fit`, new events and new rows alone.
        **tables
            Further tables that ``partial_fit`` of the recommender takes.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, item_features=item_features, user_features=user_features, **tables)
        if X is not None and self._template is None:
            self._template = EventTemplate.of(X)
        Xt = None if X is None else self._through_steps(X)
        if Xt is not X:
            self._check_ids(X, Xt)
        self.steps[-1][1].partial_fit(Xt, y, **given_tables(item_features, user_features, **tables))
        return self

    def _fit(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        Xt = super()._fit(X, *args, **kwargs)
        self._template = None
        if X is not None and hasattr(self._final_estimator, "recommend"):
            self._template = EventTemplate.of(X)
            if Xt is not X:
                self._check_ids(X, Xt)
        return Xt

    def _check_ids(self, X: Any, Xt: Any) -> None:
        before, after = read_events(X), read_events(Xt)
        where = f"The steps before {type(self._final_estimator).__name__}"
        check_same_ids(before.users, after.users, "user ids", where)
        check_same_ids(before.items, after.items, "item ids", where)

    # Recommend -------------------------------------------------------------------------------------------

    @_final_has("recommend")
    def recommend(
        self,
        users: Ids | None = None,
        k: int = 10,
        *,
        context: Table | None = None,
        history: History | None = None,
        candidates: Ids | Sequence[Ids] | None = None,
        exclude_seen: bool = True,
        exclude: Table | None = None,
        request: str | Sequence[str | None] | None = None,
        request_weight: float | None = None,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Recommendations:
        """Rank items for users, in a context as X had it before the steps.

        Parameters
        ----------
        users : array-like of ids, default=None
            Repeats are allowed. None means every known user, or those of ``history``.
        k : int, default=10
        context : frame or array-like of shape (n_users, n_context) or (1, n_context), default=None
            The context columns of X before the steps: one row per user, or one for all. A frame is read by names;
            it needs ``timestamp`` where a step takes something from it. None means the mean of training.
        history : events ``[user, item, ...]`` or pair (events, y), default=None
            Events that were not in fit. They pass through the steps if they have the context columns. They may
            also be ids alone.
        candidates : list of item ids, or one list per user, default=None
        exclude_seen : bool, default=True
            Whether to exclude items of the user's events, in fit and in ``history``.
        exclude : pairs ``[user, item]``, default=None
            Further items to exclude.
        request : str, or list of n_users str or None, default=None
            A request in free text: one for all, or one per user.
        request_weight : float in [0, 1], default=None
            Weight of the request. None means the default of the recommender.
        user_features : frame, pair (ids, matrix) or array-like of shape (n_users, n_features), default=None
            Features of users, as the recommender takes them; they skip the steps.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays.

        Raises
        ------
        ValueError
            If columns or rows of ``context`` do not fit.
        """
        check_is_fitted(self)
        history = self._ids_first(history)
        if context is not None:
            of_context = users
            if users is None and user_features is not None:
                of_context = np.repeat(self.users_[:1], len(cast(Any, context)))  # the steps read the context alone
            elif users is None and history is not None:
                users = of_context = first_appearance(read_events(events_of(history), what="history").users)
            context = self._encoded_context(self.users_ if of_context is None else of_context, context)
        options = given_options(
            context=context,
            history=self._encoded_history(history),
            candidates=candidates,
            exclude_seen=exclude_seen,
            exclude=exclude,
            request=request,
            request_weight=request_weight,
            user_features=user_features,
        )
        return cast(Recommendations, self.steps[-1][1].recommend(users, k, **options))

    @_final_has("similar_items")
    def similar_items(
        self, items: Ids, k: int = 10, *, candidates: Ids | Sequence[Ids] | None = None
    ) -> Recommendations:
        """Items that are similar to the given ones, by the recommender.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        candidates : list of item ids, or one list per given item, default=None

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        options = given_options(candidates=candidates)
        return cast(Recommendations, self.steps[-1][1].similar_items(items, k, **options))

    @_final_has("item_vectors")
    def item_vectors(self) -> Matrix:
        """Vectors of the items, of the recommender.

        Returns
        -------
        float32 array or CSR array of shape (n_items, d)
            One row per item, in the order of ``items_``.
        """
        check_is_fitted(self)
        return cast(Matrix, self.steps[-1][1].item_vectors())

    @_final_has("search")
    def search(
        self, texts: str | Sequence[str], k: int = 10, *, candidates: Ids | Sequence[Ids] | None = None
    ) -> Recommendations:
        """Rank the catalogue for free text, by the recommender.

        Parameters
        ----------
        texts : str or list of str
        k : int, default=10
        candidates : list of item ids, or one list per text, default=None

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        options = given_options(candidates=candidates)
        return cast(Recommendations, self.steps[-1][1].search(texts, k, **options))

    @_final_has("explain")
    def explain(
        self,
        users: Ids | Recommendations,
        items: Ids | None = None,
        *,
        context: Table | None = None,
        history: History | None = None,
        n_evidence: int | None = None,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Explanations:
        """Say why items are recommended to users, with the context in words: "Monday, 08:00".

        Parameters
        ----------
        users, items : array-like of n ids, or Recommendations alone
            The first user is paired with the first item, and so on. A single one is paired with all.
        context, history, user_features
            As in :meth:`recommend`.
        n_evidence : int, default=None
            Most reasons per pair. None means the default of the recommender.

        Returns
        -------
        Explanations
        """
        check_is_fitted(self)
        users, items, context = explained_pairs(users, items, context)
        given = context
        if context is not None:
            context = self._encoded_context(users, context)
        history = self._encoded_history(self._ids_first(history))
        rec = self.steps[-1][1]
        options = given_options(context=context, history=history, n_evidence=n_evidence, user_features=user_features)
        found: Explanations = rec.explain(users, items, **options)
        if not isinstance(found, Explanations):
            return found
        columns = [] if self._template is None else [str(name) for name in self._template.context_names]
        names_context = given is not None and any(reason.kind == "context" for row in found.evidence for reason in row)
        values = self._context_values(found.user, given) if names_context else {}
        return by_raw_columns(found, columns, values, explicit=getattr(rec, "feedback", "implicit") == "explicit")

    # Of the recommender ----------------------------------------------------------------------------

    @property
    def users_(self) -> NDArray:
        """User ids in catalogue order."""
        return self.steps[-1][1].users_

    @property
    def items_(self) -> NDArray:
        """Item ids in catalogue order: position is code."""
        return self.steps[-1][1].items_

    @property
    def _estimator_type(self) -> str:
        return self.steps[-1][1]._estimator_type

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        final = self.steps[-1][1]
        if hasattr(final, "recommend"):
            tags.target_tags, tags.input_tags = get_tags(final).target_tags, get_tags(final).input_tags
        return tags
