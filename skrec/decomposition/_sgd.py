"""BPR, WARP and sampled softmax under the estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.decomposition._als import coef_of, grow
from skrec.decomposition._hyperparameters import column_scale, mean_squared_length, pulls
from skrec.decomposition._sgd_fold_in import contributions, derive, fold_in
from skrec.decomposition._weighted_events import distinct_requests
from skrec.interactions import Interactions
from skrec.utils import Matrix, resolve_device

if TYPE_CHECKING:
    from skrec._kernels.sgd.epochs import Events, Rows, State, Trainer

__all__ = ["contributions", "derive", "fit", "fold_in", "partial_fit"]

REGULARIZATION = {"bpr": 1.0, "warp": 5.0, "softmax": 5.0}
N_NEGATIVES = {"bpr": 1, "warp": 20, "softmax": 256}
_INIT_SCALE = 0.1
_MAX_WEIGHT = 10.0
_MIN_HELD_OUT, _MAX_HELD_OUT = 20, 10_000
_UPDATE_EPOCHS = 10
_MOST_ALIKE = 1 << 31  # events that an entry stands for, when some are drawn


class Problem:
    """Events, and what follows from them."""

    def __init__(self, rec: Any, events: Events, n_users: int, n_items: int) -> None:
        self.rec, self.events = rec, events
        self.told = np.abs(events.context).sum(axis=0)
        self.user_counts = np.bincount(events.users, minlength=n_users)
        self.item_counts = np.bincount(events.items, minlength=n_items)
        self.seen: sp.csr_array | None = None
        # In another context, what a user has chosen may well lose.
        if rec._context_scale is None:
            ones = np.ones(len(events), np.float32)
            self.seen = sp.csr_array((ones, (events.users, events.items)), shape=(n_users, n_items))

    def trainer(self) -> Trainer:
        """The solver asked for, on the device asked for."""
        rec, solver = self.rec, self.rec._fitted_solver
        device = resolve_device(rec.device)
        options = {"learning_rate": rec.learning_rate, "n_negatives": rec._n_negatives}
        if solver == "softmax":
            from skrec._kernels.sgd.softmax import SoftmaxTrainer

            popularity = self.item_counts / max(1, len(self.events))
            return SoftmaxTrainer(popularity, batch_size=rec.batch_size, device=device or "cpu", **options)
        rivals = np.flatnonzero(self.item_counts)
        if device is None:
            from skrec._kernels.sgd.pairwise import PairwiseTrainer

            return PairwiseTrainer(solver, rivals, self.seen, **options)
        from skrec._kernels.sgd.pairwise_torch import PairwiseTorchTrainer

        return PairwiseTorchTrainer(solver, rivals, self.seen, batch_size=rec.batch_size, device=device, **options)

    def state(
        self, trainer: Trainer, rng: np.random.Generator, item_matrix: Matrix | None, user_matrix: Matrix | None
    ) -> State:
        """First factors, small and random; the context starts at zero."""
        from skrec._kernels.sgd.epochs import State

        n_factors, n_events = self.rec._n_factors, len(self.events)
        touches = self.user_counts, trainer.item_touches(self.item_counts, n_events)
        users = self._rows(self.user_counts, touches[0], user_matrix)
        items = self._rows(self.item_counts, touches[1], item_matrix)
        for rows in (items, users):
            drawn = rng.standard_normal((len(rows.factors), n_factors), dtype=np.float32)
            rows.factors[:, :n_factors] = drawn * np.float32(_INIT_SCALE / np.sqrt(n_factors))
            rows.factors[~rows.active] = 0
        context = self._rows(self.told, self.told, None)
        context.active[:] = True
        return State(users, items, context, n_factors)

    def _rows(self, counts: NDArray, touches: NDArray, features: Matrix | None) -> Rows:
        from skrec._kernels.als.ridge import RidgeMap
        from skrec._kernels.als.sweeps import aligned_zeros
        from skrec._kernels.sgd.epochs import Rows

        rec, active = self.rec, counts > 0
        mean = float(counts[active].mean()) if active.any() else 1.0
        penalty = pulls(counts, mean, rec.regularization_, rec._frequency_scaling)
        pull = (penalty / np.maximum(touches, 1)).astype(np.float32)
        rows = Rows(aligned_zeros(len(counts), rec._n_columns), pull, active)
        if features is not None:
            rho = rec.feature_regularization * rec.regularization_ * mean_squared_length(features)
            rows.ridge = RidgeMap(features, penalty * active, rho)
        return rows


# Fit -------------------------------------------------------------------------------------------------


def fit(rec: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
    """Find the number of epochs on held-out events, then learn from all events for as many."""
    from skrec._kernels.sgd.epochs import HeldOut, run_epochs

    solver = rec._fitted_solver
    rec.mean_, rec.alpha_ = 0.0, None
    rec.regularization_ = REGULARIZATION[solver] if isinstance(rec.regularization, str) else rec.regularization
    rec._n_negatives = N_NEGATIVES[solver] if isinstance(rec.n_negatives, str) else rec.n_negatives
    events, counts = _events(rec, data)
    seed = check_random_state(rec.random_state).randint(2**31)
    max_iter, rec.validation_scores_ = rec._max_iter, None
    parts = _split(events, counts, rec.validation_fraction, np.random.default_rng(seed))
    if parts is not None:
        train = Problem(rec, parts[0], data.n_users, data.n_items)
        trainer, rng = train.trainer(), np.random.default_rng(seed)
        state = train.state(trainer, rng, item_matrix, user_matrix)
        _, scores = run_epochs(
            trainer,
            state,
            train.events,
            rng,
            max_iter,
            validate=HeldOut(parts[1], train.seen),
            patience=rec.n_iter_no_change,
            callback=rec._report if rec.verbose else None,
        )
        rec.validation_scores_, max_iter = scores, int(np.argmax(scores)) + 1
    everything = Problem(rec, events, data.n_users, data.n_items)
    trainer, rng = everything.trainer(), np.random.default_rng(seed)
    state = everything.state(trainer, rng, item_matrix, user_matrix)
    callback = rec._report if rec.verbose else None
    rec.loss_curve_, _ = run_epochs(trainer, state, events, rng, max_iter, callback=callback)
    rec.user_coef_, rec.item_coef_ = coef_of(rec, state.users), coef_of(rec, state.items)
    rec._told = everything.told
    if rec.user_coef_ is not None:
        rec.user_coef_ = rec.user_coef_[:, : rec._n_factors]
    rec._mean_events = tuple(
        float(counts[counts > 0].mean()) if counts.any() else 1.0
        for counts in (everything.user_counts, everything.item_counts)
    )
    _finish(rec, state)


def _events(rec: Any, data: Interactions) -> tuple[Events, NDArray[np.float32]]:
    """Alike events are one, weighed by y and by their number, at most ten times the mean."""

    requests = distinct_requests(data, np.flatnonzero(data.y > 0), rec._sample_weight)
    rec._context_scale = None if requests.context is None else column_scale(requests.context)
    strength = requests.weight * requests.y
    rec._mean_strength = float(np.average(requests.y, weights=requests.weight)) if len(requests) else 1.0
    return _as_events(rec, requests.users, requests.items, strength, requests.context), requests.weight


def _as_events(
    rec: Any, users: NDArray, items: NDArray, strength: NDArray[np.float32], context: NDArray[np.float32] | None
) -> Events:
    from skrec._kernels.sgd.epochs import Events

    weight = np.minimum(strength / np.float32(rec._mean_strength), np.float32(_MAX_WEIGHT)).astype(np.float32)
    told = np.zeros((len(users), 0), np.float32) if context is None else context / rec._context_scale
    return Events(users.astype(np.int32), items.astype(np.int32), weight, np.ascontiguousarray(told))


def _split(
    events: Events, counts: NDArray[np.float32], fraction: float, rng: np.random.Generator
) -> tuple[Events, Events] | None:
    """What is learned from, and what is held out of items that have events left; None where too little is.

    With context, each of the events that an entry stands for is held out by chance; without, all of them or none,
    since what was seen is no longer asked for.
    """
    n_events = np.ones(len(counts), np.int64)
    if events.context.shape[1]:
        n_events = np.clip(np.rint(counts), 1, _MOST_ALIKE).astype(np.int64)
    fraction = min(fraction, _MAX_HELD_OUT / max(1, n_events.sum()))
    share = (rng.binomial(n_events, fraction) / n_events).astype(np.float32)
    train, out = events.take(np.flatnonzero(share < 1)), np.flatnonzero(share)
    out = out[np.isin(events.items[out], train.items)]
    if len(out) < _MIN_HELD_OUT:
        return None
    held_out = events.take(out)
    train.weight *= (1 - share)[share < 1]
    held_out.weight *= share[out]
    return train, held_out


def _finish(rec: Any, state: State) -> None:
    """Keep what was learned; items of which nothing is known have the least bias."""
    items, bias = state.items, rec._bias
    told = items.prior.any(axis=1) if len(items.prior) > 1 else np.zeros(len(items.active), bool)
    if items.active.any():
        items.factors[~items.active & ~told, bias] = items.factors[items.active, bias].min()
    if rec._context_scale is not None:
        rec._context_map = state.context.factors / rec._context_scale[:, None]
    rec._accumulated = state.users.accumulated, state.items.accumulated, state.context.accumulated
    rec._set_sides(state.users, state.items)


# More events -----------------------------------------------------------------------------------------


def partial_fit(rec: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
    """Pass over the new events alone; rows that have moved much move little."""
    from skrec._kernels.sgd.epochs import run_epochs

    counted = np.flatnonzero(data.y > 0)
    order = counted[np.lexsort((data.items[counted], data.users[counted]))]
    context = None if rec._context_scale is None else data.context[order]
    new = _as_events(rec, data.users[order], data.items[order], data.y[order], context)
    problem = Problem(rec, _all_events(rec), data.n_users, data.n_items)
    problem.told = rec._told + np.abs(new.context).sum(axis=0)
    rec._told = problem.told
    trainer, rng = problem.trainer(), np.random.default_rng(check_random_state(rec.random_state).randint(2**31))
    state = problem.state(trainer, rng, None, None)
    grow(rec, state.users, state.items, data, item_matrix, user_matrix)
    if rec._context_map is not None:
        state.context.factors[:] = rec._context_map * rec._context_scale[:, None]
    for rows, sums in zip((state.users, state.items, state.context), rec._accumulated, strict=True):
        rows.accumulated[: len(sums)] = sums
    run_epochs(trainer, state, new, rng, min(rec.n_iter_, _UPDATE_EPOCHS))
    _finish(rec, state)


def _all_events(rec: Any) -> Events:
    """Users and items of all events, old and new; their contexts are not kept."""
    histories = rec._histories
    counted = histories.y > 0
    users, items = histories.row_of_event()[counted], histories.items[counted]
    return _as_events(rec, users, items, histories.y[counted], None)
