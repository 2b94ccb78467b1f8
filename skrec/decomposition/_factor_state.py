"""What a solver is built from and learns from, and the state that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import GivenFeatures, Histories, Interactions
from skrec.utils import Matrix, Verbose

if TYPE_CHECKING:
    from skrec._kernels.als.grams import GramBlocks
    from skrec._kernels.als.ridge import RidgeMap


@dataclass(frozen=True)
class SolverSettings:
    """The parameters of an estimator, as they were at fit; ``set_params`` changes no fitted model.

    Attributes
    ----------
    solver : {"als", "bpr", "warp", "softmax"}
    explicit : bool
        Whether ratings are fitted.
    in_context : bool
        Whether the events have context columns.
    max_iter : int
        The number that "auto" stands for.
    n_factors, regularization, alpha, frequency_scaling, feature_regularization, tol, learning_rate, batch_size, \
    n_negatives, validation_fraction, n_iter_no_change, n_jobs, device, verbose
        As in :class:`~skrec.decomposition.HybridMFRecommender`.
    """

    solver: str
    explicit: bool
    in_context: bool
    n_factors: int
    regularization: float | str
    alpha: float | str
    frequency_scaling: float
    feature_regularization: float
    max_iter: int
    tol: float
    learning_rate: float
    batch_size: int
    n_negatives: int | str
    validation_fraction: float
    n_iter_no_change: int
    n_jobs: int | None
    device: str | None
    verbose: Verbose

    @property
    def bias(self) -> int | None:
        """The column of the biases; None where there are none."""
        return self.n_factors if self.explicit or self.solver != "als" else None

    @property
    def searches_regularization(self) -> bool:
        """Whether least squares find the regularization on held-out events."""
        return isinstance(self.regularization, str) and not self.explicit

    @property
    def n_columns(self) -> int:
        """Columns of the factors that are learned."""
        return self.n_factors + (self.bias is not None)

    @property
    def n_query(self) -> int:
        """Columns of a query vector; with ratings, the last is what a query adds to all of its scores."""
        return self.n_factors + self.explicit


@dataclass(frozen=True)
class SolverData:
    """Events to learn from.

    Attributes
    ----------
    events : Interactions
        The events of ``fit``, or those that are new in ``partial_fit``.
    histories : Histories
        All events of each user, the new ones included.
    mean_context : float32 array of shape (n_context,) or None
        Mean over all events.
    sample_weight : float32 array of shape (n_events,) or None
        In the order of the events.
    """

    events: Interactions
    histories: Histories
    mean_context: NDArray[np.float32] | None = None
    sample_weight: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class SideFeatures:
    """Feature matrices in catalogue order, or None. In ``partial_fit`` the rows of the new tables, else zeros."""

    users: Matrix | None
    items: Matrix | None


@dataclass(frozen=True)
class Scales:
    """Numbers that follow from the data of ``fit``.

    Attributes
    ----------
    mean : float
        Mean rating; 0 for implicit feedback.
    alpha : float or None
        None for explicit feedback and for solvers that do not use it.
    regularization : float
    mean_events : pair of float
        Events per user and per item, over those that have any.
    """

    mean: float
    alpha: float | None
    regularization: float
    mean_events: tuple[float, float]


class LearnedSide(Protocol):
    """Users or items as a kernel leaves them: factors, their priors and what these come from, and the active rows."""

    factors: NDArray[np.float32]
    prior: NDArray[np.float32]
    active: NDArray[np.bool_]
    ridge: RidgeMap | None

    @property
    def intercept(self) -> NDArray[np.float32] | None:
        """The part of the prior that all rows have; None where it is not learned."""


@dataclass(frozen=True, kw_only=True)
class FactorState:
    """All that a fitted model ranks by.

    A state is never changed, and neither are its arrays: an update returns another one. So a reader that takes the
    state once sees one model, whatever is fitted meanwhile. Factor matrices hold ``n_factors`` columns, the bias
    where there is one, and zeros up to a full register.

    Attributes
    ----------
    settings : SolverSettings
    scales : Scales
    users, items : float32 arrays of shape (n_users, width) and (n_items, width)
    user_prior, item_prior : float32 arrays of shape (n_rows, width) or (1, width)
        What the features say of each row.
    active_users, active_items : bool arrays of shape (n_users,) and (n_items,)
        Rows with events.
    user_coef, item_coef : float32 arrays of shape (n_features, n_columns) or None
        The maps from features.
    user_intercept : float32 array of shape (width,) or None
        What all users have in common, a part of ``user_prior``; None where it is not learned.
    histories : Histories
        All events that were learned from.
    mean_context : float32 array of shape (n_context,) or None
    context_map : float32 array of shape (n_context, width) or None
        From context to what it adds to a user vector.
    query_gram : float32 array of shape (width, width) or None
        Least squares with context: the sum of ``v v'`` over the query vectors of all events.
    context_covariance : float32 array of shape (width, width) or None
        Least squares with context: of what the contexts of the events of ``fit`` add to a user vector.
    loss_curve : list of float
    validation_scores : list of float or None
    design : object
        What histories are folded in with. It follows from the rest, and is not saved.
    user_grams : GramBlocks or None
        Least squares: of ``users``, kept from one update to the next. Not saved either.
    """

    settings: SolverSettings
    scales: Scales
    users: NDArray[np.float32]
    items: NDArray[np.float32]
    user_prior: NDArray[np.float32]
    item_prior: NDArray[np.float32]
    active_users: NDArray[np.bool_]
    active_items: NDArray[np.bool_]
    user_coef: NDArray[np.float32] | None
    item_coef: NDArray[np.float32] | None
    user_intercept: NDArray[np.float32] | None
    histories: Histories
    mean_context: NDArray[np.float32] | None
    context_map: NDArray[np.float32] | None
    query_gram: NDArray[np.float32] | None
    context_covariance: NDArray[np.float32] | None
    loss_curve: list[float]
    validation_scores: list[float] | None
    design: Any = field(repr=False, compare=False)
    user_grams: GramBlocks | None = field(repr=False, compare=False)

    @classmethod
    def learned(
        cls,
        settings: SolverSettings,
        scales: Scales,
        users: LearnedSide,
        items: LearnedSide,
        data: SolverData,
        *,
        loss_curve: list[float],
        context_map: NDArray[np.float32] | None = None,
        query_gram: NDArray[np.float32] | None = None,
        context_covariance: NDArray[np.float32] | None = None,
        validation_scores: list[float] | None = None,
        **more: Any,
    ) -> Self:
        """The state of what was learned in ``fit``; ``more`` are the attributes of a subclass."""
        return cls(
            settings=settings,
            scales=scales,
            users=users.factors,
            items=items.factors,
            user_prior=users.prior,
            item_prior=items.prior,
            active_users=users.active,
            active_items=items.active,
            user_coef=_coef(users, settings.n_columns),
            item_coef=_coef(items, settings.n_columns),
            user_intercept=users.intercept,
            histories=data.histories,
            mean_context=data.mean_context,
            context_map=context_map,
            query_gram=query_gram,
            context_covariance=context_covariance,
            loss_curve=loss_curve,
            validation_scores=validation_scores,
            design=None,
            user_grams=None,
            **more,
        )

    def updated(
        self,
        users: LearnedSide,
        items: LearnedSide,
        data: SolverData,
        *,
        user_grams: GramBlocks | None = None,
        **more: Any,
    ) -> Self:
        """The state after ``partial_fit``; ``more`` are further attributes that have changed."""
        return replace(
            self,
            users=users.factors,
            items=items.factors,
            user_prior=users.prior,
            item_prior=items.prior,
            active_users=users.active,
            active_items=items.active,
            histories=data.histories,
            mean_context=data.mean_context,
            design=None,
            user_grams=user_grams,
            **more,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "design": None, "user_grams": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def user_factors(self) -> NDArray[np.float32]:
        """User vectors, without the bias."""
        return self.users[:, : self.settings.n_factors]

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """Item vectors, without the bias."""
        return self.items[:, : self.settings.n_factors]

    @property
    def user_biases(self) -> NDArray[np.float32]:
        """Biases of users; zero for implicit feedback."""
        if not self.settings.explicit:
            return np.zeros(len(self.users), np.float32)
        return self.users[:, self.settings.n_factors]

    @property
    def item_biases(self) -> NDArray[np.float32]:
        """Biases of items; zero where there are none."""
        bias = self.settings.bias
        return np.zeros(len(self.items), np.float32) if bias is None else self.items[:, bias]

    @property
    def context_coef(self) -> NDArray[np.float32] | None:
        """The columns of ``context_map`` that a query vector has."""
        return None if self.context_map is None else self.context_map[:, : self.settings.n_query]

    @property
    def unknown_user(self) -> NDArray[np.float32]:
        """Row of a user without events and features, of shape (width,)."""
        return np.zeros(self.users.shape[1], np.float32) if self.user_intercept is None else self.user_intercept

    def rows_of_users(self, users: NDArray[np.int64], shift: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Rows of user codes, what all users have in common for -1, moved by ``shift``."""
        rows = np.where(users[:, None] >= 0, self.users[users], self.unknown_user)
        return rows if shift is None else rows + shift

    def shift_of_priors(self, users: NDArray[np.int64], features: GivenFeatures) -> NDArray[np.float32]:
        """How far features that came with a call move the prior of each user from the fitted one; zeros elsewhere."""
        shift = np.zeros((len(users), self.users.shape[1]), np.float32)
        if self.user_coef is None:
            return shift
        given = np.flatnonzero(features.is_given)
        shift[given, : self.user_coef.shape[1]] = features.matrix[given] @ self.user_coef
        known = given[users[given] >= 0]
        shift[known] -= self.user_prior[users[known]] - self.unknown_user
        return shift

    def is_finite(self) -> bool:
        """Whether every learned number is one of float32."""
        learned = (self.users, self.items, self.context_map, self.query_gram, self.context_covariance)
        return all(bool(np.isfinite(part).all()) for part in learned if part is not None)


def _coef(side: LearnedSide, n_columns: int) -> NDArray[np.float32] | None:
    """The map from features, without the columns that pad it."""
    if side.ridge is None or side.ridge.coef is None:
        return None
    return side.ridge.coef[:, :n_columns].copy()
