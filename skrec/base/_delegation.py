"""What a recommender around another hands on to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec.interactions import Recommendations
from skrec.utils import atomic_update, detached, on_snapshot


def _recommender_has(name: str) -> Callable[[Any], Any]:
    """A method there only where the recommender inside has it."""

    def check(outer: DelegatingMixin) -> bool:
        getattr(outer._delegate, name)
        return True

    return available_if(check)


class DelegatingMixin:
    """The methods that stay those of the recommender inside.

    A subclass gives ``_delegate``: the fitted recommender, or before fit the one that it starts from.
    """

    @property
    def _delegate(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _delegate")

    def _replace_delegate(self, recommender: Any) -> None:
        """Keep an updated recommender in the place of the fitted one."""
        raise NotImplementedError(f"{type(self).__name__} must define _replace_delegate(recommender)")

    @property
    def users_(self) -> NDArray:
        """User ids in catalogue order."""
        check_is_fitted(self)
        return self._delegate.users_

    @property
    def items_(self) -> NDArray:
        """Item ids in catalogue order: position is code."""
        check_is_fitted(self)
        return self._delegate.items_

    @_recommender_has("partial_fit")
    @atomic_update
    def partial_fit(self: Any, X: Any, y: Any = None, *, item_features: Any = None, user_features: Any = None) -> Any:
        """Let the recommender go on with new events; the first call fits.

        Parameters
        ----------
        X, y, item_features, user_features
            As in the recommender's ``partial_fit``.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, item_features=item_features, user_features=user_features)
        recommender = detached(self._delegate)
        recommender.partial_fit(X, y, **given_tables(item_features, user_features))
        self._replace_delegate(recommender)
        self._after_partial_fit(X, y, item_features, user_features)
        return self

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        """Learn from more events what is not the recommender's."""

    @_recommender_has("recommend")
    @on_snapshot
    def recommend(self, users: Any = None, k: int = 10, **options: Any) -> Recommendations:
        """Rank items for users, as the recommender does.

        Parameters
        ----------
        users : array-like of ids, default=None
        k : int, default=10
        **options
            As in the recommender's ``recommend``.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays.
        """
        check_is_fitted(self)
        return self._delegate.recommend(users, k, **options)

    @_recommender_has("similar_items")
    @on_snapshot
    def similar_items(self, items: Any, k: int = 10, **options: Any) -> Recommendations:
        """Items like the given ones, as the recommender has them.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        **options
            As in the recommender's ``similar_items``.

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        return self._delegate.similar_items(items, k, **options)

    @_recommender_has("search")
    @on_snapshot
    def search(self, texts: Any, k: int = 10, **options: Any) -> Recommendations:
        """Rank the catalogue for free text, as the recommender does.

        Parameters
        ----------
        texts : str or list of str
        k : int, default=10
        **options
            As in the recommender's ``search``.

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        return self._delegate.search(texts, k, **options)

    @_recommender_has("explain")
    @on_snapshot
    def explain(self, users: Any, items: Any, **options: Any) -> Any:
        """Say why items are recommended to users, as the recommender does.

        Parameters
        ----------
        users, items : array-like of ids
            They pair up; a single one stands for all.
        **options
            As in the recommender's ``explain``.

        Returns
        -------
        Explanations
        """
        check_is_fitted(self)
        return self._delegate.explain(users, items, **options)


def given_tables(item_features: Any, user_features: Any) -> dict[str, Any]:
    """Keyword arguments of the feature tables that are there."""
    tables = {"item_features": item_features, "user_features": user_features}
    return {name: table for name, table in tables.items() if table is not None}
