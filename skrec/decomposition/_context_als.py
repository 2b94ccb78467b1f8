"""Alternating least squares for events with context: every event asks about all items in a context of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.decomposition._als import ALSSolver
from skrec.decomposition._context_als_update import (
    NewEvents,
    changed_items,
    changed_users,
    different_entries,
    equal_ratings,
)
from skrec.decomposition._factor_state import FactorState, Scales, SideFeatures, SolverData
from skrec.decomposition._growth import GrownSide, grow
from skrec.decomposition._held_out import HeldOutRank, held_out_shares
from skrec.decomposition._hyperparameters import alpha_at, column_scale, noise_edge, noise_level, rank_regularization
from skrec.decomposition._penalty_search import SEARCH_TOL, PenaltyPath, best_regularization
from skrec.decomposition._weighted_events import WeightedEvents, counted_events, distinct_events
from skrec.interactions import Histories, Queries
from skrec.utils import RandomState

if TYPE_CHECKING:
    from skrec._kernels.als.context import ContextALS

_CONTEXT_PENALTY = 0.1  # a context has many more events than a user or an item
# Of ratings it says little beside user and item. A map that is free to grow lets the items fit noise in every context,
# at no cost to themselves.
_RATING_CONTEXT_PENALTY = 30.0
_UPDATE_SWEEPS = 3


class ContextALSSolver(ALSSolver):
    """Alternating least squares that learns a map from context to what it adds to a user vector.

    The contexts of fitted events are not kept. So an update knows of the old events only how the loss grows around
    the fitted row (its curvature), see ``skrec._kernels.als.updates``; their contexts enter it by a covariance. An
    event of a history without context counts as if it had the mean context of training.
    """

    def fit(self, data: SolverData, features: SideFeatures, random_state: RandomState) -> FactorState:
        """Learn both sides and the context map; sets ``context_map``, ``query_gram`` and ``context_covariance`` too."""
        settings, shape = self.settings, (data.events.n_users, data.events.n_items)
        counted = counted_events(data.events, explicit=settings.explicit)
        distinct = distinct_events(data.events, counted, data.sample_weight)
        scales = self._context_scales(distinct)
        assert distinct.context is not None
        scale = column_scale(distinct.context)
        distinct = replace(distinct, context=distinct.context / scale)
        if settings.searches_regularization:
            scales = replace(scales, regularization=self._search_in_context(scales, distinct, shape, features))
        sweeps = self._first_sweeps(scales, distinct, shape, features, check_random_state(random_state))
        with self.reported(settings.max_iter) as report:
            losses = sweeps.fit(settings.max_iter, settings.tol, report)
        return FactorState.learned(
            settings,
            scales,
            sweeps.users,
            sweeps.items,
            data,
            context_map=sweeps.coef / scale[:, None],
            query_gram=sweeps.query_gram(),
            context_covariance=_covariance(distinct, sweeps.coef),
            loss_curve=losses,
        )

    def _first_sweeps(
        self,
        scales: Scales,
        events: WeightedEvents,
        shape: tuple[int, int],
        features: SideFeatures,
        rng: np.random.RandomState,
    ) -> ContextALS:
        """Sweeps over events with scaled context, from the first factors on; ``shape`` is (n_users, n_items)."""
        from skrec._kernels.als.context import ContextALS, ContextEvents
        from skrec._kernels.als.sweeps import aligned_zeros

        assert events.context is not None
        requests = ContextEvents(events.users, events.items, events.y, events.weight, events.context)
        (by_user, _), (by_item, _) = (requests.entries(*shape, by=by) for by in ("users", "items"))
        counts = (
            np.bincount(events.users, events.weight, shape[0]),
            np.bincount(events.items, events.weight, shape[1]),
        )
        users, items = self.start(scales, *self.sides(scales, by_user, by_item, counts), features, rng)
        return ContextALS(
            requests,
            users,
            items,
            aligned_zeros(events.context.shape[1], self.settings.n_columns),
            alpha=scales.alpha,
            penalty=self._context_penalty(scales.regularization),
            bias=self.settings.bias,
            mean=scales.mean,
            make=lambda matrix: self.rows(scales, matrix),
        )

    def _context_penalty(self, regularization: float) -> float:
        """The L2 penalty of the context map."""
        return regularization * (_RATING_CONTEXT_PENALTY if self.settings.explicit else _CONTEXT_PENALTY)

    def _search_in_context(
        self, scales: Scales, events: WeightedEvents, shape: tuple[int, int], features: SideFeatures
    ) -> float:
        """The regularization that ranks held-out events best; the one of ``scales`` where these are too few."""
        fraction, n_events = self.settings.validation_fraction, events.n_events()
        share = held_out_shares(events.items, n_events, fraction, np.random.default_rng(0))
        if share is None:
            return scales.regularization
        sweeps = self._first_sweeps(scales, events.scaled(1 - share), shape, features, check_random_state(0))
        users, items, coef = sweeps.users, sweeps.items, sweeps.coef
        out = events.scaled(share)
        rank, penalties = HeldOutRank(out.items, out.weight, None), PenaltyPath((users, items), scales.regularization)
        assert out.context is not None
        of_events = out.context

        def gains_at(regularization: float) -> NDArray[np.float64]:
            n_sweeps = penalties.move_to(regularization)
            sweeps.penalty = self._context_penalty(regularization)
            sweeps.fit(n_sweeps, SEARCH_TOL)
            return rank.weighted_gains(
                lambda at: users.factors[out.users[at]] + of_events[at] @ coef, items.factors, items.active
            )

        return best_regularization(scales.regularization, gains_at)

    def _context_scales(self, events: WeightedEvents) -> Scales:
        settings = self.settings
        total = float(events.weight.sum(dtype=np.float64))
        n_users, n_items = max(1, len(np.unique(events.users))), max(1, len(np.unique(events.items)))
        mean_y = float(np.average(events.y, weights=events.weight)) if total else 1.0
        per_user, per_item = total / n_users, total / n_items
        alpha, regularization = None, settings.regularization
        if not settings.explicit:
            alpha = alpha_at(1 / n_items, mean_y) if isinstance(settings.alpha, str) else settings.alpha
        if isinstance(regularization, str) and alpha is not None:
            edge = noise_edge(events.users, events.items, events.weight)
            regularization = rank_regularization(edge, alpha, mean_y)
        elif isinstance(regularization, str):
            regularization = noise_level(per_user, per_item, float(events.y.std()) or 1.0) or 1.0
        return Scales(mean_y if settings.explicit else 0.0, alpha, regularization, (per_user, per_item))

    # More events -----------------------------------------------------------------------------------

    def partial_fit(
        self, state: FactorState, data: SolverData, features: SideFeatures, random_state: RandomState
    ) -> FactorState:
        """Change the users and items of the new events; the context map stays. Sets ``query_gram`` too."""
        from skrec._kernels.als.sweeps import Design

        settings, scales, n_items = self.settings, state.scales, data.events.n_items
        assert data.events.context is not None
        assert data.mean_context is not None
        assert state.context_map is not None
        assert state.query_gram is not None
        assert state.context_covariance is not None
        events = data.events
        counted = counted_events(events, explicit=settings.explicit)
        new = NewEvents(
            events.users[counted],
            events.items[counted],
            events.y[counted],
            np.ones(len(counted), np.float32),
            data.events.context[counted] @ state.context_map,
        )
        at, rows = np.unique(new.rows, return_inverse=True)
        item_codes = np.unique(new.items)
        # The rows that the changed ones are computed from: those users, and whoever has one of those items.
        read = np.union1d(at, data.histories.rows_with(item_codes))
        entries = self.entries(data.histories.take(read), n_items)
        later = self.entries(events.histories.take(read), n_items)
        old = different_entries(entries, later, explicit=settings.explicit)
        n_of_items = np.bincount(entries.indices, minlength=n_items)[item_codes]
        users = GrownSide.of(state.active_users, events.n_users, settings.n_columns)
        items = GrownSide.of(state.active_items, events.n_items, settings.n_columns)
        users.active[at], items.active[item_codes] = True, True
        grow(state, users, items, events, features, random_state)
        mean_vector = data.mean_context[None] @ state.context_map
        first_users, first_items = users.factors[at], items.factors[item_codes]
        of_users = NewEvents(rows, new.items, new.y, new.counts, new.context_vectors)
        old_of_users, old_of_items = old[np.searchsorted(read, at)], sp.csr_array(old[:, item_codes].T.tocsr())
        n_events = self._counts(data.histories.take(at), n_items).sum(axis=1)
        penalty = self.user_penalties(scales, n_events)
        item_penalty = self.penalties(scales, n_of_items, scales.mean_events[1])
        for _ in range(_UPDATE_SWEEPS if len(counted) else 0):
            design = Design.of(items.factors, items.active, settings.bias, scales.mean)
            users.factors[at] = changed_users(
                first_users, old_of_users, of_users, design, alpha=scales.alpha, n_events=n_events, penalty=penalty
            )
            items.factors[item_codes] = changed_items(
                first_items,
                item_codes,
                users.factors[read] + mean_vector,
                users.factors[new.rows] + new.context_vectors,
                old_of_items,
                new,
                scales=scales,
                bias=settings.bias,
                query_gram=state.query_gram,
                context_covariance=state.context_covariance,
                penalty=item_penalty,
                n_jobs=settings.n_jobs,
            )
        queries = users.factors[new.rows] + new.context_vectors
        return state.updated(users, items, data, query_gram=state.query_gram + queries.T @ queries)

    # Histories -------------------------------------------------------------------------------------

    def fold_in(
        self,
        state: FactorState,
        users: NDArray[np.int64],
        histories: Histories,
        shift: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Move the fitted rows by the events that were not in fit, each in the mean context."""
        explicit, n_items = self.settings.explicit, len(state.items)
        assert state.mean_context is not None
        assert state.context_map is not None
        fitted = state.histories.take(users)
        entries, old = self.entries(histories, n_items), self.entries(fitted, n_items)
        changed = sp.coo_array(different_entries(entries, old, explicit=explicit))
        if explicit:
            old = equal_ratings(entries, old)
        counts = self._counts(histories, n_items)
        new_counts = np.ones(changed.nnz, np.float32)
        if not explicit:
            more = counts - self._counts(fitted, n_items)
            new_counts = more.tocsr()[changed.row, changed.col].astype(np.float32)
        rows, items = changed.row.astype(np.int64), changed.col.astype(np.int64)
        new = NewEvents(rows, items, changed.data, new_counts, state.mean_context[None] @ state.context_map)
        base = state.rows_of_users(users, shift)
        n_events = counts.sum(axis=1)
        penalty = self.user_penalties(state.scales, n_events)
        return changed_users(base, old, new, state.design, alpha=state.scales.alpha, n_events=n_events, penalty=penalty)

    def _counts(self, histories: Histories, n_items: int) -> sp.csr_array:
        """Events of each pair that count: with a strength above 0, or of ratings the last."""
        if not self.settings.explicit:
            return histories.to_csr(n_items, values=histories.y > 0)
        ratings = self.entries(histories, n_items)
        return sp.csr_array((np.ones(ratings.nnz), ratings.indices, ratings.indptr), shape=ratings.shape)

    def contributions(self, state: FactorState, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """As :meth:`ALSSolver.contributions`, with every event in the mean context."""
        histories = queries.histories
        entries = self.entries(histories, len(state.items))
        return self.shares(state, histories, items, entries, histories.lengths, n_grams=histories.lengths)


def _covariance(events: WeightedEvents, coef: NDArray[np.float32]) -> NDArray[np.float32]:
    """(width, width) covariance of what the contexts of the events add to a user vector."""
    assert events.context is not None
    total = max(float(events.weight.sum(dtype=np.float64)), np.finfo(np.float64).tiny)
    share = events.weight.astype(np.float64) / total
    mean = share @ events.context
    of_context = (events.context.T * share) @ events.context - np.outer(mean, mean)
    return np.asarray(coef.T @ of_context @ coef, dtype=np.float32)
