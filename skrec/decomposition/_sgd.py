"""Solvers that learn to rank by stochastic gradient descent: BPR, WARP and sampled softmax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.decomposition._factor_state import Scales, SideFeatures, SolverData
from skrec.decomposition._fold_in_penalty import scale_by_length, scale_by_ranks, some_users, user_penalties
from skrec.decomposition._growth import grow
from skrec.decomposition._held_out import HeldOutRank
from skrec.decomposition._hyperparameters import column_scale
from skrec.decomposition._sgd_fold_in import NegativeSamples, row_of_entry
from skrec.decomposition._sgd_problem import Problem, split
from skrec.decomposition._sgd_state import EventScales, SGDState
from skrec.decomposition._solver import Solver
from skrec.decomposition._state_checks import check_sgd
from skrec.decomposition._weighted_events import distinct_events
from skrec.interactions import Histories, Queries
from skrec.utils import RandomState, check_kind, check_number

if TYPE_CHECKING:
    from skrec._kernels.sgd.epochs import Events, State

_REGULARIZATION = {"bpr": 1.0, "warp": 5.0, "softmax": 5.0}
_N_NEGATIVES = {"bpr": 1, "warp": 20, "softmax": 128}
_UPDATE_EPOCHS = 10
_FEW_EVENTS_SHARE = 0.05
_NO_FEATURES = SideFeatures(None, None)
_CELLS = 1 << 22


class SGDSolver(Solver[SGDState]):
    """Stochastic gradient descent with Adagrad on a loss of rankings."""

    _step_name = "epoch"

    # Fit -------------------------------------------------------------------------------------------

    def fit(self, data: SolverData, features: SideFeatures, random_state: RandomState) -> SGDState:
        """Find the number of epochs on held-out events, then learn from all events for as many.

        Sets ``validation_scores``, ``event_scales``, ``accumulated`` and ``context_totals`` too.
        """
        from skrec._kernels.sgd.epochs import run_epochs

        settings, n_users, n_items = self.settings, data.events.n_users, data.events.n_items
        scales, events, counts = self._weighted(data)
        seed = check_random_state(random_state).randint(2**31)
        max_iter, scores, by_ranks = settings.max_iter, None, 1.0
        parts = split(events, counts, settings.validation_fraction, np.random.default_rng(seed))
        if parts is None and isinstance(settings.regularization, str):
            scales = replace(scales, regularization=_of_few_events(events, scales.regularization))
        if parts is not None:
            train = Problem.of_events(settings, scales, parts[0], n_users, n_items)
            trainer, rng = train.trainer(), np.random.default_rng(seed)
            state = train.first_state(trainer, rng, features)
            with self.reported(max_iter) as report:
                _, scores = run_epochs(
                    trainer,
                    state,
                    parts[0],
                    rng,
                    max_iter,
                    validate=_held_out_rank(parts[1], train.seen),
                    patience=settings.n_iter_no_change,
                    callback=report,
                )
            max_iter = int(np.argmax(scores)) + 1
            trained = self._learned(train, state, data, scales, [], scores)
            by_ranks = scale_by_ranks(trained, *parts, train.seen)
        everything = Problem.of_events(settings, scales, events, n_users, n_items)
        trainer, rng = everything.trainer(), np.random.default_rng(seed)
        state = everything.first_state(trainer, rng, features)
        with self.reported(max_iter) as report:
            losses, _ = run_epochs(trainer, state, events, rng, max_iter, callback=report)
        _lower_unknown_items(state)
        found = self._learned(everything, state, data, scales, losses, scores)
        users = some_users(found)
        by_length = scale_by_length(found, users, self._weights(found, found.histories.take(users)))
        return replace(found, user_penalty_scale=max(by_length, by_ranks))

    def _learned(
        self,
        problem: Problem,
        state: State,
        data: SolverData,
        scales: EventScales,
        losses: list[float],
        scores: list[float] | None,
    ) -> SGDState:
        """What the epochs have left in ``state``."""
        settings = self.settings
        per_user, per_item = (
            float(n[n > 0].mean()) if n.any() else 1.0 for n in (problem.user_counts, problem.item_counts)
        )
        found = SGDState.learned(
            settings,
            Scales(0.0, None, scales.regularization, (per_user, per_item)),
            state.users,
            state.items,
            data,
            context_map=_context_map(state, scales),
            loss_curve=losses,
            validation_scores=scores,
            event_scales=scales,
            accumulated=_accumulated(state),
            context_totals=problem.context_totals,
        )
        if found.user_coef is not None:
            found = replace(found, user_coef=found.user_coef[:, : settings.n_factors])  # users have no bias
        return found

    def _weighted(self, data: SolverData) -> tuple[EventScales, Events, NDArray[np.float32]]:
        """Scales, distinct events weighted by y and by their number, and that number."""
        settings = self.settings
        distinct = distinct_events(data.events, np.flatnonzero(data.events.y > 0), data.sample_weight)
        n_negatives, regularization = settings.n_negatives, settings.regularization
        scales = EventScales(
            _REGULARIZATION[settings.solver] if isinstance(regularization, str) else regularization,
            _N_NEGATIVES[settings.solver] if isinstance(n_negatives, str) else n_negatives,
            float(np.average(distinct.y, weights=distinct.weight)) if len(distinct) else 1.0,
            None if distinct.context is None else column_scale(distinct.context),
        )
        strength = distinct.weight * distinct.y
        events = scales.weighted_events(distinct.users, distinct.items, strength, distinct.context)
        return scales, events, distinct.weight

    # More events -----------------------------------------------------------------------------------

    def partial_fit(
        self, state: SGDState, data: SolverData, features: SideFeatures, random_state: RandomState
    ) -> SGDState:
        """Pass over the new events alone; rows that have moved much move little.

        Sets ``context_map``, ``accumulated`` and ``context_totals`` too.
        """
        from skrec._kernels.sgd.epochs import run_epochs

        events, scales = data.events, state.event_scales
        counted = np.flatnonzero(events.y > 0)
        order = counted[np.lexsort((events.items[counted], events.users[counted]))]
        context = None if scales.context is None or events.context is None else events.context[order]
        new = scales.weighted_events(events.users[order], events.items[order], events.y[order], context)
        totals = state.context_totals + np.abs(new.context).sum(axis=0)
        users = np.unique(events.users[counted])
        problem = Problem.of_update(self.settings, scales, data.histories, users, events.n_items, totals)
        trainer, rng = problem.trainer(), np.random.default_rng(check_random_state(random_state).randint(2**31))
        learning = problem.state(trainer, _NO_FEATURES)
        grow(state, learning.users, learning.items, events, features, random_state)
        if state.context_map is not None and scales.context is not None:
            learning.context.factors[:] = state.context_map * scales.context[:, None]
        sides = (learning.users, learning.items, learning.context)
        for rows, sums in zip(sides, state.accumulated, strict=True):
            rows.accumulated[: len(sums)] = sums
        run_epochs(trainer, learning, new, rng, min(len(state.loss_curve), _UPDATE_EPOCHS))
        _lower_unknown_items(learning)
        return state.updated(
            learning.users,
            learning.items,
            data,
            context_map=_context_map(learning, scales),
            accumulated=_accumulated(learning),
            context_totals=problem.context_totals,
        )

    # Histories -------------------------------------------------------------------------------------

    def check(self, state: SGDState) -> None:
        """Refuse a loaded state without scales of events or sums of Adagrad."""
        check_kind(state, "_state", SGDState)
        check_kind(state.event_scales, "_state.event_scales", EventScales)
        check_sgd(state, "_state", 0 if state.mean_context is None else len(state.mean_context))
        check_number(state.user_penalty_scale, "_state.user_penalty_scale", 1)

    def derive(self, state: SGDState) -> NegativeSamples:
        """A sample of the items, which stands for all that a history did not choose."""
        return NegativeSamples.of(state)

    def fold_in(
        self,
        state: SGDState,
        users: NDArray[np.int64],
        histories: Histories,
        shift: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The user whom fit would have learned from each history; see :class:`NegativeSamples`."""
        folded = np.zeros((len(users), state.users.shape[1]), np.float32)
        block = max(1, _CELLS // len(state.design.biases))
        for start in range(0, len(users), block):
            at = slice(start, start + block)
            base = state.rows_of_users(users[at], None if shift is None else shift[at])
            stop = min(start + block, len(users))
            rows = self._fold_in_block(state, users[at], histories.block(start, stop), base)
            folded[at, : self.settings.n_factors] = rows
        return folded

    def _fold_in_block(
        self, state: SGDState, users: NDArray[np.int64], histories: Histories, base: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        fitted, total = (self._weights(state, rows) for rows in (state.histories.take(users), histories))
        samples: NegativeSamples = state.design
        return samples.users(
            base[:, : self.settings.n_factors],
            user_penalties(state, np.diff(total.indptr)),
            fitted.sum(axis=1),
            total - fitted,
        )

    def _weights(self, state: SGDState, histories: Histories) -> sp.csr_array:
        """The weight that fit gives each item of a history."""
        entries = self.entries(histories, len(state.items))
        entries.data = state.event_scales.weights(entries.data)
        return entries

    def contributions(self, state: SGDState, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each event of a query's history adds to the score of one item per query.

        A known user is taken as new, with all events; see :meth:`NegativeSamples.contributions`.
        """
        samples: NegativeSamples = state.design
        histories, new = queries.histories, np.full(len(queries.histories), -1)
        rows = self._fold_in_block(state, new, histories, state.rows_of_users(new))
        events = sp.csr_array(
            (self._event_weights(state, histories), histories.items, histories.indptr),
            shape=(len(histories), len(state.items)),
        )
        penalty = user_penalties(state, np.diff(self._weights(state, histories).indptr))
        return samples.contributions(rows, penalty, events, items).astype(np.float64)

    def _event_weights(self, state: SGDState, histories: Histories) -> NDArray[np.float32]:
        """The weight of each event: its share of the weight of its pair of user and item."""
        n_items, row = len(state.items), histories.row_of_event()
        weights, sums = self._weights(state, histories), self.entries(histories, n_items)
        pairs = row_of_entry(sums) * n_items + sums.indices
        counted = np.flatnonzero(histories.y > 0)
        at = np.searchsorted(pairs, row[counted] * n_items + histories.items[counted])
        shares = np.zeros(len(row), np.float32)
        shares[counted] = histories.y[counted] * (weights.data / sums.data)[at]
        return shares


def _of_few_events(events: Events, regularization: float) -> float:
    """A penalty that no row of a few events vanishes under: a twentieth of a bound of their largest singular value."""
    if not len(events):
        return regularization
    largest = [float(np.bincount(codes, events.weight).max()) for codes in (events.users, events.items)]
    return min(regularization, _FEW_EVENTS_SHARE * float(np.sqrt(largest[0] * largest[1])))


def _held_out_rank(events: Events, seen: sp.csr_array | None) -> Callable[[State], float]:
    """The score of a state on held-out events."""
    rank = HeldOutRank(events.items, events.weight, None if seen is None else seen[events.users])

    def score(state: State) -> float:
        def queries(at: slice) -> NDArray[np.float32]:
            return state.queries(events.take(np.arange(at.start, at.stop)))

        return rank(queries, state.items.factors, state.items.active)

    return score


def _lower_unknown_items(state: State) -> None:
    """Give items without events and features the least bias of all."""
    items, bias = state.items, state.n_factors
    has_features = items.prior.any(axis=1) if len(items.prior) > 1 else np.zeros(len(items.active), bool)
    if items.active.any():
        items.factors[~items.active & ~has_features, bias] = items.factors[items.active, bias].min()


def _context_map(state: State, scales: EventScales) -> NDArray[np.float32] | None:
    if scales.context is None:
        return None
    unscaled: NDArray[np.float32] = state.context.factors / scales.context[:, None]
    return unscaled


def _accumulated(state: State) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    return state.users.accumulated, state.items.accumulated, state.context.accumulated
