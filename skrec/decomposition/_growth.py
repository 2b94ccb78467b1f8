"""First factors, and the rows of users and items that join a fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.decomposition._factor_state import FactorState, LearnedSide, SideFeatures
from skrec.interactions import Interactions
from skrec.utils import Matrix, RandomState

if TYPE_CHECKING:
    from skrec._kernels.als.ridge import RidgeMap

_INIT_SCALE = 0.01


@dataclass
class GrownSide:
    """Users or items with room for new rows, as :class:`LearnedSide`."""

    factors: NDArray[np.float32]
    prior: NDArray[np.float32]
    active: NDArray[np.bool_]
    ridge: RidgeMap | None = None
    intercept: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, active: NDArray[np.bool_], n_rows: int, n_columns: int) -> GrownSide:
        """Zero factors of shape (n_rows, n_columns); ``active`` are the rows before, and new ones are not."""
        from skrec._kernels.als.sweeps import aligned_zeros

        factors = aligned_zeros(n_rows, n_columns)
        grown = np.zeros(n_rows, bool)
        grown[: len(active)] = active
        return cls(factors, np.zeros((1, factors.shape[1]), np.float32), grown)


def draw(factors: NDArray[np.float32], n_factors: int, rng: np.random.RandomState) -> None:
    """Small random first factors."""
    factors[:, :n_factors] = _INIT_SCALE * rng.standard_normal((len(factors), n_factors))


def grow(
    state: FactorState,
    users: LearnedSide,
    items: LearnedSide,
    events: Interactions,
    features: SideFeatures,
    random_state: RandomState,
) -> None:
    """Copy the rows of a state into larger sides; new rows are drawn, or follow from the maps from features.

    Sets ``factors`` and ``prior`` of ``users`` and ``items``.
    """
    rng = check_random_state(random_state)
    for side, factors in ((users, state.users), (items, state.items)):
        side.factors[: len(factors)] = factors
        draw(side.factors[len(factors) :], state.settings.n_factors, rng)
    _set_prior(users, state.user_prior, state.user_coef, state.user_intercept, features.users, events.user_rows)
    _set_prior(items, state.item_prior, state.item_coef, None, features.items, events.item_rows)


def _set_prior(
    side: LearnedSide,
    prior: NDArray[np.float32],
    coef: NDArray[np.float32] | None,
    intercept: NDArray[np.float32] | None,
    features: Matrix | None,
    codes: NDArray[np.int64] | None,
) -> None:
    """Copy the priors of a state; new rows have the intercept, and those of ``codes`` what their features add."""
    from skrec._kernels.als.sweeps import aligned_zeros

    if coef is None:
        if intercept is not None:
            side.prior = prior
            side.factors[~side.active] = intercept
        return
    # As wide as the factors are: the columns of ``coef`` up to a full register.
    side.prior = aligned_zeros(len(side.factors), side.factors.shape[1])
    side.prior[: len(prior)] = prior
    if intercept is not None:
        side.prior[len(prior) :] = intercept
    if features is not None:
        side.prior[codes, : coef.shape[1]] = features[codes] @ coef
        if intercept is not None:
            side.prior[codes] += intercept
    side.factors[~side.active] = side.prior[~side.active]
