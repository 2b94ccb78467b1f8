"""Methods of a wrapper that call the wrapped recommender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar, cast

from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Explanations
from skrec.base._contract import given_tables
from skrec.interactions import (
    CandidateIds,
    FeatureMatrix,
    FeatureSource,
    History,
    Ids,
    Recommendations,
    Table,
    explained_pairs,
    given_options,
)
from skrec.utils import Matrix, atomic_update, detached, on_snapshot

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _recommender_has(name: str) -> Callable[[_Method], _Method]:
    """A method that exists only where the wrapped recommender has it."""

    def check(outer: DelegatingMixin) -> bool:
        getattr(outer._delegate, name)
        return True

    return cast(Callable[[_Method], _Method], available_if(check))


class DelegatingMixin:
    """Methods that call the wrapped recommender.

    A subclass defines ``_delegate``: the fitted recommender, or before fit the one to be fitted.
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
    def partial_fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        **tables: Any,
    ) -> Self:
        """Update the recommender with new events; the first call fits it.

        Parameters
        ----------
        X, y, item_features, user_features
            As in ``partial_fit`` of the recommender.
        **tables
            Further tables that ``partial_fit`` of the recommender takes.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            given = given_tables(item_features, user_features, **tables)
            return self.fit(X, y, **given)  # type: ignore[attr-defined]
        recommender = detached(self._delegate)
        recommender.partial_fit(X, y, **self._tables_inside(item_features, user_features, **tables))
        self._replace_delegate(recommender)
        self._after_partial_fit(X, y, *self._tables_in_front(item_features, user_features))
        return self

    def _tables_inside(self, item_features: Any, user_features: Any, **tables: Any) -> dict[str, Any]:
        """The tables that the recommender gets, as keyword arguments."""
        return given_tables(item_features, user_features, **tables)

    def _tables_in_front(self, item_features: Any, user_features: Any) -> tuple[Any, Any]:
        """The feature tables as the wrapper is to read them."""
        return item_features, user_features

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        """Update what the wrapper has learned itself; the recommender is updated already."""

    @_recommender_has("recommend")
    @on_snapshot
    def recommend(
        self,
        users: Ids | None = None,
        k: int = 10,
        *,
        context: Table | None = None,
        history: History | None = None,
        candidates: CandidateIds | None = None,
        exclude_seen: bool = True,
        exclude: Table | None = None,
        request: str | Sequence[str | None] | None = None,
        request_weight: float | None = None,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Recommendations:
        """Rank items for users, as the recommender does.

        Parameters
        ----------
        users : array-like of ids, default=None
        k : int, default=10
        context, history, candidates, exclude_seen, exclude, request, user_features
            As in ``recommend`` of the recommender.
        request_weight : float in [0, 1], default=None
            None means the default of the recommender.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays.
        """
        check_is_fitted(self)
        options: dict[str, Any] = {"context": context, "history": history, "candidates": candidates}
        options |= {"exclude": exclude, "request": request, "request_weight": request_weight}
        options["user_features"] = user_features
        return self._delegate.recommend(users, k, **given_options(**options, exclude_seen=exclude_seen))

    @_recommender_has("similar_items")
    @on_snapshot
    def similar_items(self, items: Ids, k: int = 10, *, candidates: CandidateIds | None = None) -> Recommendations:
        """Items similar to the given ones, by the recommender.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        candidates : list of item ids, or one list per item, default=None

        Returns
        -------
        Recommendations
        """
        check_is_fitted(self)
        return self._delegate.similar_items(items, k, **given_options(candidates=candidates))

    @_recommender_has("item_vectors")
    @on_snapshot
    def item_vectors(self) -> Matrix:
        """Vectors of the items, of the recommender.

        Returns
        -------
        float32 array or CSR array of shape (n_items, d)
            One row per item, in the order of ``items_``.
        """
        check_is_fitted(self)
        return self._delegate.item_vectors()

    @_recommender_has("search")
    @on_snapshot
    def search(
        self, texts: str | Sequence[str], k: int = 10, *, candidates: CandidateIds | None = None
    ) -> Recommendations:
        """Rank the catalogue for free text, as the recommender does.

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
        return self._delegate.search(texts, k, **given_options(candidates=candidates))

    @_recommender_has("explain")
    @on_snapshot
    def explain(
        self,
        users: Ids | Recommendations,
        items: Ids | None = None,
        *,
        context: Table | None = None,
        history: History | None = None,
        n_evidence: int = 3,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Explanations:
        """Explain why items are recommended to users, as the recommender does.

        Parameters
        ----------
        users, items : array-like of ids, or Recommendations alone
            Pairs of a user and an item. A single id is used for all pairs.
        context, history, user_features
            As in :meth:`recommend`.
        n_evidence : int, default=3
            Maximum number of reasons per pair.

        Returns
        -------
        Explanations
        """
        check_is_fitted(self)
        users, items, context = explained_pairs(users, items, context)
        options = given_options(context=context, history=history, n_evidence=n_evidence, user_features=user_features)
        return self._delegate.explain(users, items, **options)
