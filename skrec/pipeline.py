"""Pipelines that recommend."""

from typing import Any

import narwhals as nw
import sklearn
import sklearn.pipeline
from numpy.typing import NDArray
from sklearn.pipeline import _name_estimators
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Explanations, by_raw_columns
from skrec.interactions import (
    TIMESTAMP,
    EventTemplate,
    Recommendations,
    check_same_ids,
    explained_pairs,
    first_appearance,
    ids_first,
    read_events,
    split_history,
    warn_of_ratings_in_array,
)
from skrec.utils import PersistenceMixin

__all__ = ["Pipeline", "make_pipeline"]


def _final_has(name: str) -> Any:
    def check(pipeline: "Pipeline") -> bool:
        getattr(pipeline._final_estimator, name)
        return True

    return available_if(check)


class Pipeline(PersistenceMixin, sklearn.pipeline.Pipeline):
    """scikit-learn's Pipeline with ``recommend``, ``similar_items``, ``search`` and ``explain``.

    The steps before the recommender encode the context columns of X and must leave user and item first and
    unchanged; :class:`~skrec.feature_extraction.ContextEncoder` does. In ``recommend``, ``context`` is written
    as a full X (the users, a known item, the context, with the names and types of fit), sent through the steps,
    and freed of both id columns. So any transformer that works row by row will do.

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

    Notes
    -----
    scorers and searches also take scikit-learn's own Pipeline, which lacks the methods above alone.

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

    _template: EventTemplate

    def fit(self, X: Any, y: Any = None, *, item_features: Any = None, user_features: Any = None, **params: Any) -> Any:
        """Fit the steps, then the recommender.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns; a frame column named ``timestamp`` gives the time.
        y : array-like of shape (n_events,), default=None
            Strength or rating.
        item_features, user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            Handed to the recommender, with metadata routing enabled or not.
        **params
            As in scikit-learn's Pipeline.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a step changes an id, as a float column would a large integer.
        """
        if len(self.steps) > 1:
            warn_of_ratings_in_array(X, y)  # a step may encode them beyond recognition
        tables = {"item_features": item_features, "user_features": user_features}
        tables = {name: table for name, table in tables.items() if table is not None}
        if not sklearn.get_config()["enable_metadata_routing"]:
            tables = {f"{self.steps[-1][0]}__{name}": table for name, table in tables.items()}
        return super().fit(X, y, **params, **tables)

    def _fit(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        Xt = super()._fit(X, *args, **kwargs)
        if hasattr(self._final_estimator, "recommend"):
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
        self, users: Any = None, k: int = 10, *, context: Any = None, history: Any = None, **options: Any
    ) -> Recommendations:
        """Rank items for users, in a context as X had it before the steps.

        Parameters
        ----------
        users : array-like of ids, default=None
            Repeats are allowed. None means every known user, or those of ``history``.
        k : int, default=10
        context : frame or array-like of shape (n_users, n_context) or (1, n_context), default=None
            The context columns of X, raw: one row a user, or one for all. A frame is read by names; it needs
            ``timestamp`` where a step takes something from it. None means the mean of training.
        history : events ``[user, item, ...]`` or pair (events, y), default=None
            Events that were not in fit. They go through the steps where they carry the context columns, and
            need none.
        **options
            ``candidates``, ``exclude_seen``, ``exclude`` and what else the recommender's ``recommend`` takes.

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
            if users is None and history is not None:
                users = first_appearance(read_events(_events_of(history), what="history").users)
            context = self._encoded_context(self.users_ if users is None else users, context)
        history = self._encoded_history(history)
        return self.steps[-1][1].recommend(users, k, context=context, history=history, **options)

    @_final_has("similar_items")
    def similar_items(self, items: Any, k: int = 10, **options: Any) -> Recommendations:
        """Items like the given ones, as the recommender has them.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        **options
            ``candidates`` and what else the recommender's ``similar_items`` takes.

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        return self.steps[-1][1].similar_items(items, k, **options)

    @_final_has("search")
    def search(self, texts: Any, k: int = 10, **options: Any) -> Recommendations:
        """Rank the catalogue for free text, as the recommender does.

        Parameters
        ----------
        texts : str or list of str
        k : int, default=10
        **options
            ``candidates`` and what else the recommender's ``search`` takes.

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        return self.steps[-1][1].search(texts, k, **options)

    @_final_has("explain")
    def explain(
        self, users: Any, items: Any = None, *, context: Any = None, history: Any = None, **options: Any
    ) -> Any:
        """Say why items are recommended to users, as the recommender does, with context named as X had it.

        Parameters
        ----------
        users, items : array-like of ids, or Recommendations alone
        context, history
            As in :meth:`recommend`.
        **options
            What else the recommender's ``explain`` takes.

        Returns
        -------
        Explanations
        """
        check_is_fitted(self)
        users, items, context = explained_pairs(users, items, context)
        if context is not None:
            context = self._encoded_context(users, context)
        history = self._encoded_history(self._ids_first(history))
        rec = self.steps[-1][1]
        found = rec.explain(users, items, context=context, history=history, **options)
        if not isinstance(found, Explanations):
            return found
        columns = [str(name) for name in self._template.context_names]
        return by_raw_columns(found, columns, explicit=getattr(rec, "feedback", "implicit") == "explicit")

    # Through the steps -----------------------------------------------------------------------------------

    def _through_steps(self, X: Any) -> Any:
        for _, step in self.steps[:-1]:
            if step not in (None, "passthrough"):
                X = step.transform(X)
        return X

    def _encoded_context(self, users: Any, context: Any) -> Any:
        """The context columns as the steps leave them."""
        if not self._template.has_context:
            return context
        if not len(users):
            return None
        encoded = self._through_steps(self._template.rebuild(users, context))
        frame = nw.from_native(encoded, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            return encoded[:, 2:]
        columns = [j for j, name in enumerate(frame.columns) if name != TIMESTAMP]
        return frame[:, columns[2:]].to_native()

    def _ids_first(self, history: Any) -> Any:
        """The history with the ids, where a frame names them as X did, in the places that X gave them."""
        if history is None:
            return None
        events = ids_first(split_history(history)[0], self._template.id_names or None, "history")
        return (events, history[1]) if isinstance(history, tuple) else events

    def _encoded_history(self, history: Any) -> Any:
        if history is None:
            return None
        given = _events_of(history)
        events = read_events(given, what="history")
        n_columns = 2 if events.context is None else 2 + events.context.shape[1]
        if n_columns == 2 or len(self.steps) == 1:
            return history
        if n_columns != self._template.n_columns:
            raise ValueError(
                f"history has {n_columns} columns and X had {self._template.n_columns} in fit (timestamp not "
                "counted); pass all of them, or user, item and timestamp alone."
            )
        encoded = self._through_steps(self._template.in_fitted_order(given))
        return (encoded, history[1]) if isinstance(history, tuple) else encoded

    # What the recommender knows ----------------------------------------------------------------------------

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


def _events_of(history: Any) -> Any:
    return history[0] if isinstance(history, tuple) else history


def make_pipeline(*steps: Any, memory: Any = None, transform_input: Any = None, verbose: bool = False) -> Pipeline:
    """Chain transformers and a recommender, named by their types.

    Parameters
    ----------
    *steps : estimators
    memory, transform_input, verbose
        As in :func:`sklearn.pipeline.make_pipeline`.

    Returns
    -------
    Pipeline

    Examples
    --------
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.feature_extraction import ContextEncoder
    >>> from skrec.pipeline import make_pipeline
    >>> make_pipeline(ContextEncoder(), PopularRecommender())
    Pipeline(steps=[('contextencoder', ContextEncoder()),
                    ('popularrecommender', PopularRecommender())])
    """
    return Pipeline(_name_estimators(steps), memory=memory, transform_input=transform_input, verbose=verbose)
