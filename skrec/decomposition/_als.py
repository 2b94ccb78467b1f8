"""Alternating least squares under the estimator: what is fitted, and what later events change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.decomposition._attribution import contributions
from skrec.decomposition._hyperparameters import (
    auto_alpha,
    auto_regularization,
    mean_events,
    mean_squared_length,
    pulls,
    row_penalty,
)
from skrec.interactions import Histories, Interactions
from skrec.utils import Matrix, resolve_device

if TYPE_CHECKING:
    from skrec._kernels.als.sweeps import Design, Rows, Side
    from skrec._kernels.sgd.epochs import Rows as SGDRows

__all__ = ["contributions", "derive", "fit", "fold_in", "partial_fit"]

INIT_SCALE = 0.01
_UPDATE_SWEEPS = 3
_FOLD_IN_STEPS = 32
_FOLD_IN_TOL = 1e-5


# Fit -------------------------------------------------------------------------------------------------


def fit(rec: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
    """Learn both sides from all pairs."""
    from skrec._kernels.als.sweeps import fit_als

    entries = rec._entries(data.histories)
    by_item = sp.csr_array(entries.T.tocsr())
    set_scales(rec, entries, by_item)
    users, items = make_sides(rec, entries, by_item)
    add_features(rec, users, user_matrix)
    add_features(rec, items, item_matrix)
    draw(items.factors, rec._n_factors, check_random_state(rec.random_state))
    rec.loss_curve_ = fit_als(
        users,
        items,
        max_iter=rec._max_iter,
        tol=rec.tol,
        bias=rec._bias,
        mean=rec.mean_,
        callback=rec._report if rec.verbose else None,
    )
    rec.user_coef_, rec.item_coef_ = coef_of(rec, users), coef_of(rec, items)
    rec._set_sides(users, items)


def coef_of(rec: Any, side: Side | SGDRows) -> NDArray[np.float32] | None:
    """The map from features, without the columns that pad it."""
    if side.ridge is None or side.ridge.coef is None:
        return None
    return side.ridge.coef[:, : rec._n_columns].copy()


def set_scales(rec: Any, entries: sp.csr_array, by_item: sp.csr_array) -> None:
    """The mean rating, the settings that follow from the data, and the mean events of a row."""
    rec.mean_ = float(entries.data.mean(dtype=np.float64)) if rec._explicit else 0.0
    rec.alpha_ = None
    if not rec._explicit:
        rec.alpha_ = auto_alpha(entries) if isinstance(rec.alpha, str) else rec.alpha
    if isinstance(rec.regularization, str):
        rec.regularization_ = auto_regularization(entries, rec.alpha_)
    else:
        rec.regularization_ = rec.regularization
    rec._mean_events = mean_events(entries), mean_events(by_item)


def make_sides(rec: Any, entries: sp.csr_array, by_item: sp.csr_array) -> tuple[Side, Side]:
    """Users and items with zero factors."""
    counts = np.diff(entries.indptr), np.diff(by_item.indptr)
    return sides_of(rec, entries, by_item, *counts)


def sides_of(
    rec: Any, entries: sp.csr_array, by_item: sp.csr_array, user_counts: NDArray, item_counts: NDArray
) -> tuple[Side, Side]:
    """The same, where an entry may stand for several events."""
    from skrec._kernels.als.sweeps import Side, aligned_zeros

    sides = []
    for rows, counts, mean in zip((entries, by_item), (user_counts, item_counts), rec._mean_events, strict=True):
        penalty = pulls(counts, mean, rec.regularization_, rec._frequency_scaling)
        sides.append(Side(rows_of(rec, rows), aligned_zeros(rows.shape[0], rec._n_columns), penalty))
    return sides[0], sides[1]


def add_features(rec: Any, side: Side, features: Matrix | None) -> None:
    """The map from features that the factors of a side are pulled to."""
    from skrec._kernels.als.ridge import RidgeMap

    if features is not None:
        rho = rec.feature_regularization * rec.regularization_ * mean_squared_length(features)
        side.ridge = RidgeMap(features, side.penalty * side.active, rho)


def rows_of(rec: Any, entries: sp.csr_array) -> Rows:
    """Entries, ready to be solved on the device asked for."""
    from skrec._kernels.als.sweeps import make_rows

    return make_rows(entries, rec.alpha_, n_jobs=rec.n_jobs, device=resolve_device(rec.device))


def draw(factors: NDArray[np.float32], n_factors: int, rng: np.random.RandomState) -> None:
    """Small random first factors."""
    factors[:, :n_factors] = INIT_SCALE * rng.standard_normal((len(factors), n_factors))


# More events -----------------------------------------------------------------------------------------


def partial_fit(rec: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
    """Solve the rows of the new events again."""
    from skrec._kernels.als.sweeps import update_rows

    entries = rec._entries(rec._histories)
    by_item = sp.csr_array(entries.T.tocsr())
    user_codes, item_codes = touched(data.users, data.user_rows), touched(data.items, data.item_rows)
    users, items = make_sides(rec, entries, by_item)
    grow(rec, users, items, data, item_matrix, user_matrix)

    def make(matrix: sp.csr_array) -> Rows:
        return rows_of(rec, matrix)

    for _ in range(_UPDATE_SWEEPS):
        update_rows(users, items, user_codes, rec._bias, rec.mean_, make)
        update_rows(items, users, item_codes, rec._bias, rec.mean_, make)
    rec._set_sides(users, items)


def touched(codes: NDArray[np.int64], table_rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Distinct codes of the new events and of the new feature rows."""
    return np.unique(codes if table_rows is None else np.concatenate([codes, table_rows]))


def grow(
    rec: Any,
    users: Side | SGDRows,
    items: Side | SGDRows,
    data: Interactions,
    item_matrix: Matrix | None,
    user_matrix: Matrix | None,
) -> None:
    """Rows there were, and new ones: drawn, or by the maps that were learned."""
    rng = check_random_state(rec.random_state)
    for side, factors in ((users, rec._users), (items, rec._items)):
        side.factors[: len(factors)] = factors
        draw(side.factors[len(factors) :], rec._n_factors, rng)
    _update_side(rec, users, rec._user_prior, rec.user_coef_, user_matrix, data.user_rows)
    _update_side(rec, items, rec._item_prior, rec.item_coef_, item_matrix, data.item_rows)


def _update_side(
    rec: Any,
    side: Side | SGDRows,
    prior: NDArray[np.float32],
    coef: NDArray[np.float32] | None,
    features: Matrix | None,
    codes: NDArray[np.int64] | None,
) -> None:
    """Priors of the rows there were, and of new ones by the maps that were learned."""
    from skrec._kernels.als.sweeps import aligned_zeros

    if coef is None:
        return
    side.prior = aligned_zeros(len(side.factors), rec._n_columns)
    side.prior[: len(prior)] = prior
    if features is not None:
        side.prior[codes, : coef.shape[1]] = features[codes] @ coef
    side.factors[~side.active] = side.prior[~side.active]


# Histories -------------------------------------------------------------------------------------------


def derive(rec: Any) -> Design:
    """What new users are solved against."""
    from skrec._kernels.als.sweeps import Design
    from skrec._kernels.threads import single_threaded_blas

    with single_threaded_blas():
        return Design.of(rec._items, rec._active_items, rec._bias, rec.mean_)


def fold_in(rec: Any, users: NDArray[np.int64], histories: Histories) -> NDArray[np.float32]:
    """Rows of histories that were not in fit, with the items as they are."""
    from skrec._kernels.als.numba_backend import CPURows
    from skrec._kernels.als.sweeps import aligned_zeros

    entries = rec._entries(histories)
    prior = aligned_zeros(len(users), rec._n_columns)
    if rec.user_coef_ is not None:
        prior[users >= 0] = rec._user_prior[users[users >= 0]]
    factors = aligned_zeros(*prior.shape)
    factors[:] = np.where(users[:, None] >= 0, rec._users[users], prior)
    CPURows(entries, rec.alpha_, n_jobs=1).solve(
        factors,
        rec._design.others,
        gram=rec._design.gram,
        penalty=row_penalty(entries, rec._mean_events[0], rec.regularization_, rec._frequency_scaling),
        prior=prior,
        offsets=rec._design.offsets,
        n_steps=_FOLD_IN_STEPS,
        tol=_FOLD_IN_TOL,
    )
    return factors
