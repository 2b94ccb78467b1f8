"""Alternating least squares for events without context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.decomposition._factor_state import FactorState, Scales, SideFeatures, SolverData
from skrec.decomposition._growth import GrownSide, draw, grow
from skrec.decomposition._held_out import HeldOutRank, held_out_shares
from skrec.decomposition._hyperparameters import (
    auto_alpha,
    auto_regularization,
    feature_penalty,
    mean_events,
    noise_edge,
    rank_regularization,
    row_penalties,
)
from skrec.decomposition._penalty_search import SEARCH_TOL, PenaltyPath, best_regularization
from skrec.decomposition._solver import Solver
from skrec.interactions import Histories, Queries
from skrec.utils import Matrix, RandomState, resolve_device

if TYPE_CHECKING:
    from skrec._kernels.als.sweeps import Design, RowSolver, Side

_UPDATE_SWEEPS = 3
_LEAST_SHARE = 0.1  # of the mean number of events
_REPEATS = 2  # events per pair, above which the seen items are what is wanted
_FOLD_IN_STEPS = 32
_FOLD_IN_TOL = 1e-5


class ALSSolver(Solver[FactorState]):
    """Alternating least squares, where an entry is a pair of user and item."""

    # Fit -------------------------------------------------------------------------------------------

    def fit(self, data: SolverData, features: SideFeatures, random_state: RandomState) -> FactorState:
        """Learn both sides from all pairs; the attributes set are those of :meth:`Solver.fit`."""
        from skrec._kernels.als.sweeps import fit_als

        settings = self.settings
        entries = self.entries(data.histories, data.events.n_items)
        scales = self._scales(entries)
        if settings.searches_regularization:
            scales = replace(scales, regularization=self._search(scales, entries, data.histories, features))
        users, items = self._first_sides(scales, entries, features, check_random_state(random_state))
        with self.reported(settings.max_iter) as report:
            losses = fit_als(
                users,
                items,
                max_iter=settings.max_iter,
                tol=settings.tol,
                bias=settings.bias,
                mean=scales.mean,
                callback=report,
            )
        return FactorState.learned(settings, scales, users, items, data, loss_curve=losses)

    def _first_sides(
        self, scales: Scales, entries: sp.csr_array, features: SideFeatures, rng: np.random.RandomState
    ) -> tuple[Side, Side]:
        users, items = self.sides(scales, entries, sp.csr_array(entries.T.tocsr()))
        return self.start(scales, users, items, features, rng)

    def start(
        self, scales: Scales, users: Side, items: Side, features: SideFeatures, rng: np.random.RandomState
    ) -> tuple[Side, Side]:
        """Give both sides what their priors come from, and items their first factors."""
        self.add_features(scales, users, features.users)
        self.add_features(scales, items, features.items)
        if not self.settings.explicit:  # with ratings, the biases are what users have in common
            users.intercept = np.zeros(users.factors.shape[1], np.float32)
        draw(items.factors, self.settings.n_factors, rng)
        return users, items

    def _scales(self, entries: sp.csr_array) -> Scales:
        settings = self.settings
        mean, alpha = 0.0, None
        mean_y = float(entries.data.mean(dtype=np.float64)) if entries.nnz else 1.0
        if settings.explicit:
            mean = mean_y
        else:
            alpha = auto_alpha(entries) if isinstance(settings.alpha, str) else settings.alpha
        regularization = settings.regularization
        if isinstance(regularization, str) and alpha is not None:
            users, items = entries.tocoo().coords
            edge = noise_edge(users, items, np.ones(entries.nnz))
            regularization = rank_regularization(edge, alpha, mean_y)
        elif isinstance(regularization, str):
            regularization = auto_regularization(entries)
        counts = np.bincount(entries.indices)
        per_item = entries.nnz / max(1, np.count_nonzero(counts))
        return Scales(mean, alpha, regularization, (mean_events(entries), float(per_item)))

    def _search(self, scales: Scales, entries: sp.csr_array, histories: Histories, features: SideFeatures) -> float:
        """The regularization that ranks held-out events best; the one of ``scales`` where these are too few.

        Pairs are held out, and ranked among the items that the user has not seen. Where most events repeat a pair,
        single events are, and ranked among all items.
        """
        from skrec._kernels.als.sweeps import fit_als

        n_events = histories.to_csr(entries.shape[1], values=histories.y > 0)
        n_events.eliminate_zeros()
        repeats = n_events.data.sum() > _REPEATS * entries.nnz
        counts = n_events.data.astype(np.int64) if repeats else np.ones(entries.nnz, np.int64)
        share = held_out_shares(entries.indices, counts, self.settings.validation_fraction, np.random.default_rng(0))
        if share is None:
            return scales.regularization
        pairs, kept = entries.tocoo(), share < 1
        values = (pairs.data * (1 - share))[kept]
        train = sp.csr_array((values, tuple(at[kept] for at in pairs.coords)), shape=entries.shape)
        users, items = self._first_sides(scales, train, features, check_random_state(0))
        out = np.flatnonzero(share)
        of_users, of_items = (at[out] for at in pairs.coords)
        rank = HeldOutRank(of_items, (pairs.data * share)[out], None if repeats else train[of_users])
        penalties = PenaltyPath((users, items), scales.regularization)

        def gains_at(regularization: float) -> NDArray[np.float64]:
            n_sweeps = penalties.move_to(regularization)
            fit_als(users, items, max_iter=n_sweeps, tol=SEARCH_TOL)
            return rank.weighted_gains(lambda at: users.factors[of_users[at]], items.factors, items.active)

        return best_regularization(scales.regularization, gains_at)

    def sides(
        self,
        scales: Scales,
        entries: sp.csr_array,
        by_item: sp.csr_array,
        counts: tuple[NDArray, NDArray] | None = None,
    ) -> tuple[Side, Side]:
        """Users and items with zero factors; ``counts`` are their events, one per entry where None."""
        from skrec._kernels.als.sweeps import Side, aligned_zeros

        if counts is None:
            counts = np.diff(entries.indptr), np.diff(by_item.indptr)
        users, items = (
            Side(
                self.rows(scales, rows),
                aligned_zeros(rows.shape[0], self.settings.n_columns),
                self.penalties(scales, n, mean),
            )
            for rows, n, mean in zip((entries, by_item), counts, scales.mean_events, strict=True)
        )
        return users, items

    def rows(self, scales: Scales, entries: sp.csr_array) -> RowSolver:
        """Entries, ready to be solved on the device of the settings."""
        from skrec._kernels.als.sweeps import make_row_solver

        device = resolve_device(self.settings.device)
        return make_row_solver(entries, scales.alpha, n_jobs=self.settings.n_jobs, device=device)

    def add_features(self, scales: Scales, side: Side, features: Matrix | None) -> None:
        """Give a side the map from features that is its prior."""
        from skrec._kernels.als.ridge import RidgeMap

        if features is not None:
            penalty = feature_penalty(features, scales.regularization, self.settings.feature_regularization)
            side.ridge = RidgeMap(features, side.penalty * side.active, penalty)

    # More events -----------------------------------------------------------------------------------

    def partial_fit(
        self, state: FactorState, data: SolverData, features: SideFeatures, random_state: RandomState
    ) -> FactorState:
        """Solve the rows of the new events again, from all of their events.

        Sets ``user_grams`` too. Rows that no new event touches are copied; nothing is computed from them.
        """
        from skrec._kernels.als.sweeps import ChangingDesign

        settings, scales, events = self.settings, state.scales, data.events
        user_codes = _distinct(events.users, events.user_rows)
        item_codes = _distinct(events.items, events.item_rows)
        of_users = self.entries(data.histories.take(user_codes), events.n_items)
        of_items = self._entries_of_items(data.histories, item_codes, events.n_items)
        users = GrownSide.of(state.active_users, events.n_users, settings.n_columns)
        items = GrownSide.of(state.active_items, events.n_items, settings.n_columns)
        users.active[user_codes] = np.diff(of_users.indptr) > 0
        items.active[item_codes] = np.diff(of_items.indptr) > 0
        grow(state, users, items, events, features, random_state)
        design = settings.bias, scales.mean
        user_design = ChangingDesign(users.factors, users.active, *design, state.user_grams, user_codes)
        item_design = ChangingDesign(items.factors, items.active, *design, None, item_codes)
        solve_users = self._update(scales, users, user_codes, of_users, scales.mean_events[0])
        solve_items = self._update(scales, items, item_codes, of_items, scales.mean_events[1])
        for _ in range(_UPDATE_SWEEPS):
            solve_users(item_design.design)
            user_design.refresh(user_codes)
            solve_items(user_design.design)
            item_design.refresh(item_codes)
        return state.updated(users, items, data, user_grams=user_design.grams)

    def _entries_of_items(self, histories: Histories, codes: NDArray[np.int64], n_items: int) -> sp.csr_array:
        """The entries of some items: one row per item, one column per user."""
        wanted = np.zeros(n_items, bool)
        wanted[codes] = True
        at = np.flatnonzero(wanted[histories.items])
        users = np.unique(np.searchsorted(histories.indptr, at, side="right") - 1)
        # Whole rows: repeats of a pair are then added up in the order in which fit does.
        rows = self.entries(histories.take(users), n_items)
        by_item = sp.csr_array(rows[:, codes].T.tocsr())
        indices = users[by_item.indices].astype(by_item.indices.dtype)
        return sp.csr_array((by_item.data, indices, by_item.indptr), shape=(len(codes), len(histories)))

    def _update(
        self, scales: Scales, side: GrownSide, codes: NDArray[np.int64], entries: sp.csr_array, mean_events: float
    ) -> Callable[[Design], None]:
        """Solves the rows ``codes`` of a side, given the design of the other."""
        rows, n_events = self.rows(scales, entries), np.diff(entries.indptr)
        penalty = self.penalties(scales, n_events, mean_events)
        prior = side.prior[codes] if len(side.prior) > 1 else side.prior

        def solve(design: Design) -> None:
            factors = side.factors[codes]
            rows.solve(factors, design.others, gram=design.gram, penalty=penalty, prior=prior, offsets=design.offsets)
            side.factors[codes] = factors

        return solve

    # Histories -------------------------------------------------------------------------------------

    def derive(self, state: FactorState) -> Design:
        """What users are solved against: the items, and their Gram matrix."""
        from skrec._kernels.als.sweeps import Design
        from skrec._kernels.threads import single_threaded_blas

        with single_threaded_blas():
            return Design.of(state.items, state.active_items, self.settings.bias, state.scales.mean)

    def fold_in(
        self,
        state: FactorState,
        users: NDArray[np.int64],
        histories: Histories,
        shift: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Solve the rows of the users, from the fitted rows on."""
        from skrec._kernels.als.numba_backend import CPURows
        from skrec._kernels.als.sweeps import aligned_zeros

        scales, design = state.scales, state.design
        entries = self.entries(histories, len(state.items))
        prior = aligned_zeros(len(users), self.settings.n_columns)
        prior[:] = state.unknown_user
        if state.user_coef is not None:
            prior[users >= 0] = state.user_prior[users[users >= 0]]
        factors = aligned_zeros(*prior.shape)
        factors[:] = state.rows_of_users(users, shift)
        if shift is not None:
            prior += shift
        CPURows(entries, scales.alpha, n_jobs=1).solve(
            factors,
            design.others,
            gram=design.gram,
            penalty=self.user_penalties(scales, np.diff(entries.indptr)),
            prior=prior,
            offsets=design.offsets,
            n_steps=_FOLD_IN_STEPS,
            tol=_FOLD_IN_TOL,
        )
        return factors

    def user_penalties(self, scales: Scales, n_events: NDArray) -> NDArray[np.float32]:
        """The L2 penalty of users with so many events."""
        return self.penalties(scales, n_events, scales.mean_events[0])

    def penalties(self, scales: Scales, n_events: NDArray, mean_events: float) -> NDArray[np.float32]:
        """The L2 penalty of rows with so many events; a row of very few is not freed of it."""
        scaling = self.settings.frequency_scaling
        return row_penalties(n_events, mean_events, scales.regularization, scaling, _LEAST_SHARE)

    def contributions(self, state: FactorState, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each event of a query's history adds to the score of one item per query.

        A user's vector is the solution x of (G + l I + sum_j w_j q_j q_j') x = sum_j t_j q_j + l m, where m is the
        prior from features. So x.q_i is the sum over the history of t_j q_j.z plus l m.z, where z solves the same
        system for q_i: the similarity of items as this user sees it (Hu, Koren and Volinsky, "Collaborative
        Filtering for Implicit Feedback Datasets", ICDM 2008, section 5).

        The contributions add up to the score of the folded-in history, with those of the user's features, and for
        ratings with the mean and the item's bias.
        """
        entries = self.entries(queries.histories, len(state.items))
        return self.shares(state, queries.histories, items, entries, np.diff(entries.indptr))

    def shares(
        self,
        state: FactorState,
        histories: Histories,
        items: NDArray[np.int64],
        entries: sp.csr_array,
        n_events: NDArray,
        n_grams: NDArray | None = None,
    ) -> NDArray[np.float64]:
        """The contributions of events.

        Parameters
        ----------
        state : FactorState
        histories : Histories
        items : int64 array of shape (n_rows,)
        entries : CSR array of shape (n_rows, n_items)
            Of the histories.
        n_events : array of shape (n_rows,)
            The number of events that gives a row its penalty.
        n_grams : array of shape (n_rows,) or None
            How often the Gram matrix of the items counts; None is once.
        """
        others, offsets, gram, alpha = state.design.others, state.design.offsets, state.design.gram, state.scales.alpha
        added = np.zeros(len(histories.items))
        penalty = self.user_penalties(state.scales, n_events)
        for row, (start, stop) in enumerate(pairwise(entries.indptr)):
            chosen = entries.indices[start:stop]
            q, y = others[chosen].astype(np.float64), entries.data[start:stop].astype(np.float64)
            weight = np.ones(len(y)) if alpha is None else alpha * y
            target = y - offsets[chosen] if alpha is None else 1 + weight
            system = (q.T * weight) @ q
            if alpha is not None:
                system += gram * (1 if n_grams is None else n_grams[row])
            system[np.diag_indices_from(system)] += penalty[row]
            parts = target * (q @ np.linalg.solve(system, others[items[row]].astype(np.float64)))
            events = slice(histories.indptr[row], histories.indptr[row + 1])
            added[events] = _per_event(histories.items[events], chosen, parts)
        return added


def _distinct(codes: NDArray[np.int64], table_rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Codes of the new events and of the new feature rows."""
    return np.unique(codes if table_rows is None else np.concatenate([codes, table_rows]))


def _per_event(events: NDArray, chosen: NDArray, parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The contributions of items, divided evenly among the events of each."""
    if not len(chosen):
        return np.zeros(len(events))
    order = np.argsort(chosen)
    at = np.minimum(np.searchsorted(chosen[order], events), len(chosen) - 1)
    found = chosen[order][at] == events
    position = order[at]
    counts = np.bincount(position[found], minlength=len(chosen))
    return np.where(found, parts[position] / np.maximum(counts[position], 1), 0.0)
