"""The base class of wrappers: it fits a clone of a recommender and keeps the recommender contract."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skrec.base._contract import RecommenderMixin, lists_follow_predict, request_tables
from skrec.base._delegation import DelegatingMixin
from skrec.interactions import (
    FeatureSource,
    Histories,
    IdIndex,
    Ids,
    Recommendations,
    Table,
    given_options,
    ids_in_front,
    is_empty,
    read_history,
)
from skrec.utils import PersistenceMixin, atomic_update, fit_context, on_snapshot, refuse_state, unwrap_recommender


class MetaRecommender(DelegatingMixin, RecommenderMixin, PersistenceMixin, BaseEstimator):
    """A recommender that wraps another one, its parameter ``recommender``.

    ``fit`` fits a clone of it as ``recommender_``; a :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one. Of
    the recommender, only the public contract is used. A subclass learns its own part in ``_fit_wrapper``.
    """

    recommender: Any
    recommender_: Any

    @property
    def _delegate(self) -> Any:
        return getattr(self, "recommender_", self.recommender)

    def _check_wrapper(self) -> None:
        """Refuse parameters, before anything is fitted."""

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        """Learn what the wrapper adds; ``recommender_`` is fitted."""

    @fit_context(prefer_skip_nested_validation=False)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        **tables: Any,
    ) -> Self:
        """Fit a clone of the recommender.

        Parameters
        ----------
        X, y, item_features, user_features
            As in ``fit`` of the recommender.
        **tables
            Further tables that ``fit`` of the recommender takes.

        Returns
        -------
        self : object
        """
        if not hasattr(self.recommender, "recommend"):
            raise TypeError(
                f"recommender must have recommend(); got {self.recommender!r}. Pass a recommender, or a "
                "skrec.pipeline.Pipeline that ends in one; skrec.pipeline.as_recommender(fitted) makes one of a fitted "
                "pipeline or search of scikit-learn."
            )
        self.__dict__.pop("recommender_", None)  # _delegate is again what the fit starts from
        self._check_wrapper()
        recommender = clone(self.recommender)
        self._fit_inside(recommender, X, y, self._tables_inside(item_features, user_features, **tables))
        self._replace_delegate(recommender)
        self._fit_wrapper(X, y, *self._tables_in_front(item_features, user_features))
        return self

    def _fit_inside(self, recommender: Any, X: Any, y: Any, tables: dict[str, Any]) -> None:
        """Fit the clone of the recommender."""
        recommender.fit(X, y, **tables)

    def _tables_in_front(self, item_features: Any, user_features: Any) -> tuple[Any, Any]:
        """The feature tables with their ids first, as the recommender has found them."""
        names = getattr(self.recommender_, "feature_names_in_", None)
        tables, sides = [item_features, user_features], ("item", "user")
        for at, (table, side) in enumerate(zip(tables, sides, strict=True)):
            if table is not None and names is not None:
                index = self._item_index if side == "item" else IdIndex(np.asarray(self.users_))
                tables[at] = ids_in_front(table, f"{side}_features", index, str(names[1 - at]))
        return tables[0], tables[1]

    def _check_state(self) -> None:
        """Refuse a loaded wrapper around something that is no recommender; what is inside checks itself."""
        super()._check_state()
        if "recommender_" in self.__dict__ and not hasattr(self.recommender_, "recommend"):
            refuse_state("recommender_", f"a {type(self.recommender_).__name__}", "a recommender")
        self.__dict__.pop("_catalogue", None)  # it follows from the recommender
        if hasattr(self.__dict__.get("recommender_"), "items_"):
            self._replace_delegate(self.recommender_)

    def _replace_delegate(self, recommender: Any) -> None:
        self.recommender_ = recommender
        self._catalogue = IdIndex(np.asarray(self.items_))  # slow to build, and reading is to write nothing

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "recommender_")

    def get_metadata_routing(self) -> Any:
        """What ``fit`` takes by metadata routing: what the recommender takes.

        Returns
        -------
        MetadataRequest
        """
        return request_tables(super().get_metadata_routing(), [self.recommender])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if hasattr(unwrap_recommender(self.recommender), "__sklearn_tags__"):
            inner = get_tags(self.recommender)
            tags.target_tags, tags.input_tags = inner.target_tags, inner.input_tags
            tags.lists_follow_predict = lists_follow_predict(self.recommender)
        return tags

    # By the recommender -------------------------------------------------------------------------------

    @on_snapshot
    def predict(self, X: Table) -> NDArray:
        """Score of each (user, item) row, by the recommender.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events,)
        """
        check_is_fitted(self)
        return self.recommender_.predict(X)

    # The fitted catalogue ---------------------------------------------------------------------------

    @property
    def n_features_in_(self) -> int:
        """Number of columns of X, without ``timestamp``."""
        check_is_fitted(self)
        return self.recommender_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the columns of X, where X was a frame."""
        return self.recommender_.feature_names_in_

    @on_snapshot
    def seen_items(self, users: Ids) -> Histories:
        """Item codes that each user has events with in fit, one row per user; empty for unknown users."""
        check_is_fitted(self)
        return Histories.read(unwrap_recommender(self.recommender_).seen_items(users))

    def _histories_of(self, users: Any, history: Any) -> Histories:
        """Events of each user in fit and in ``history``, in time order."""
        histories = self.seen_items(users)
        if history is None or is_empty(history):
            return histories
        names = getattr(self, "feature_names_in_", None)
        events = read_history(history, self._item_index, self.feedback, self._history_rating(), names)
        return histories.followed_by(events.by_query(users, "history"))

    def _retrieve(self, users: Any, k: int, *, history: Any = None, **options: Any) -> Recommendations:
        """The lists of the recommender, which may return a pair ``(items, scores)`` instead of Recommendations."""
        found = self.recommender_.recommend(users, k, **given_options(history=history, **options))
        if isinstance(found, Recommendations):
            return found
        if users is None:
            users = self.users_
            if history is not None and not is_empty(history):
                users = read_history(history, self._item_index, self.feedback, 1.0).users_in_order()
        return Recommendations.read(found, np.asarray(users), self._item_index)

    @property
    def popularity_(self) -> NDArray:
        """Events per item, in catalogue order: as the recommender counted them, else those of ``seen_items``."""
        check_is_fitted(self)
        counted = getattr(unwrap_recommender(self.recommender_), "popularity_", None)
        if counted is not None:
            return counted
        return np.bincount(self.seen_items(self.users_).items, minlength=len(self.items_)).astype(np.float32)

    @property
    def feedback(self) -> str:
        """Feedback of the recommender: "implicit" or "explicit"."""
        return getattr(unwrap_recommender(self._delegate), "feedback", "implicit")

    def _history_rating(self) -> float:
        """The y of a history event without one: the highest rating of fit, or 1 for implicit feedback."""
        if self.feedback != "explicit":
            return 1.0
        return float(self.seen_items(self.users_).y.max(initial=-np.inf))

    @property
    def _item_index(self) -> IdIndex:
        """The catalogue; an own one where a frozen recommender has been updated since."""
        items = np.asarray(self.items_)
        kept: IdIndex | None = self.__dict__.get("_catalogue")
        if kept is None or not (kept.values is items or np.array_equal(kept.values, items)):
            return IdIndex(items)
        return kept
