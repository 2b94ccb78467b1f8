"""Methods of a recommender that is made of others: their signatures, and how a wrapper passes them on."""

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


def _available(name: str) -> Callable[[_Method], _Method]:
    """A method that exists only where what the recommender is made of has it."""

    def check(outer: CompositionMixin) -> bool:
        outer._check_has(name)
        return True

    return cast(Callable[[_Method], _Method], available_if(check))


class CompositionMixin:
    """The methods of a recommender that is made of others: each signature once, and a hook behind it.

    A subclass defines ``_recommend``, ``_related``, ``_explain`` and ``_update``, and says in ``_check_has`` which
    methods exist.
    """

    def _check_has(self, method: str) -> None:
        """Raise an AttributeError where a method does not exist."""
        raise NotImplementedError(f"{type(self).__name__} must define _check_has(method)")

    @_available("recommend")
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
        """Rank items for users.

        Parameters
        ----------
        users : array-like of ids, default=None
            None means every known user, or those of ``history`` and of ``user_features``.
        k : int, default=10
        context, history, candidates, exclude_seen, exclude, request, user_features
            As in ``recommend`` of the recommenders that this one is made of. Of several, those that cannot use
            ``request`` or ``user_features`` answer without them.
        request_weight : float in [0, 1], default=None
            None means the default of each recommender.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays. ``report`` says what a composite or a reranker did.

        Raises
        ------
        ValueError, TypeError
            As the recommender does, or the first of several if none can answer.

        Warns
        -----
        PartFailureWarning
            If one of several recommenders failed and others answered.
        """
        check_is_fitted(self)
        options: dict[str, Any] = {"context": context, "history": history, "candidates": candidates}
        options |= {"exclude_seen": exclude_seen, "exclude": exclude, "request": request}
        options |= {"request_weight": request_weight, "user_features": user_features}
        return self._recommend(users, k, options)

    def _recommend(self, users: Any, k: int, options: dict[str, Any]) -> Recommendations:
        """The lists of :meth:`recommend`; ``options`` are its keyword arguments, as they were given."""
        raise NotImplementedError(f"{type(self).__name__} must define _recommend(users, k, options)")

    @_available("similar_items")
    @on_snapshot
    def similar_items(self, items: Ids, k: int = 10, *, candidates: CandidateIds | None = None) -> Recommendations:
        """Items similar to the given ones.

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
        return self._related("similar_items", items, k, candidates)

    @_available("search")
    @on_snapshot
    def search(
        self, texts: str | Sequence[str], k: int = 10, *, candidates: CandidateIds | None = None
    ) -> Recommendations:
        """Rank the catalogue for free text.

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
        return self._related("search", texts, k, candidates)

    def _related(self, method: str, queries: Any, k: int, candidates: Any) -> Recommendations:
        """The lists of :meth:`similar_items` or :meth:`search`, for items or texts."""
        raise NotImplementedError(f"{type(self).__name__} must define _related(method, queries, k, candidates)")

    @_available("explain")
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
        """Explain why items are recommended to users.

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
        options = {"context": context, "history": history, "n_evidence": n_evidence, "user_features": user_features}
        return self._explain(users, items, options)

    def _explain(self, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        """The explanations of :meth:`explain`; ``options`` are its keyword arguments, as they were given."""
        raise NotImplementedError(f"{type(self).__name__} must define _explain(users, items, options)")

    @_available("partial_fit")
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
        """Update with new events; the first call fits.

        Parameters
        ----------
        X, y, item_features, user_features
            As in ``partial_fit`` of the recommenders that this one is made of.
        **tables
            Further tables, for the recommenders whose ``partial_fit`` takes them.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            return self.fit(X, y, **given_tables(item_features, user_features, **tables))  # type: ignore[attr-defined]
        self._update(X, y, {"item_features": item_features, "user_features": user_features, **tables})
        return self

    def _update(self, X: Any, y: Any, tables: dict[str, Any]) -> None:
        """Update what is fitted. Both feature tables are among ``tables``, or None."""
        raise NotImplementedError(f"{type(self).__name__} must define _update(X, y, tables)")


class DelegatingMixin(CompositionMixin):
    """Methods that call the wrapped recommender.

    A subclass defines ``_delegate``: the fitted recommender, or before fit the one to be fitted.
    """

    @property
    def _delegate(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _delegate")

    def _replace_delegate(self, recommender: Any) -> None:
        """Keep an updated recommender in the place of the fitted one."""
        raise NotImplementedError(f"{type(self).__name__} must define _replace_delegate(recommender)")

    def _check_has(self, method: str) -> None:
        getattr(self._delegate, method)

    def _recommend(self, users: Any, k: int, options: dict[str, Any]) -> Recommendations:
        return self._delegate.recommend(users, k, **given_options(**options))

    def _related(self, method: str, queries: Any, k: int, candidates: Any) -> Recommendations:
        return getattr(self._delegate, method)(queries, k, **given_options(candidates=candidates))

    def _explain(self, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        return self._delegate.explain(users, items, **given_options(**options))

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

    def _update(self, X: Any, y: Any, tables: dict[str, Any]) -> None:
        recommender = detached(self._delegate)
        recommender.partial_fit(X, y, **self._tables_inside(**tables))
        self._replace_delegate(recommender)
        self._after_partial_fit(X, y, *self._tables_in_front(tables["item_features"], tables["user_features"]))

    def _tables_inside(self, item_features: Any, user_features: Any, **tables: Any) -> dict[str, Any]:
        """The tables that the recommender gets, as keyword arguments."""
        return given_tables(item_features, user_features, **tables)

    def _tables_in_front(self, item_features: Any, user_features: Any) -> tuple[Any, Any]:
        """The feature tables as the wrapper is to read them."""
        return item_features, user_features

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        """Update what the wrapper has learned itself; the recommender is updated already."""

    @_available("item_vectors")
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
