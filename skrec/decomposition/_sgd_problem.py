"""Weighted events and what follows from them: negative samples, penalties and first factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.decomposition._factor_state import SideFeatures, SolverSettings
from skrec.decomposition._held_out import held_out_shares
from skrec.decomposition._hyperparameters import feature_penalty, row_penalties
from skrec.decomposition._sgd_state import EventScales
from skrec.decomposition._weighted_events import whole_events
from skrec.interactions import Histories
from skrec.utils import Matrix, resolve_device

if TYPE_CHECKING:
    from skrec._kernels.sgd.epochs import Events, ParameterRows, State, Trainer

_INIT_SCALE = 0.1


@dataclass
class Problem:
    """Counts of events, and what follows from them.

    Attributes
    ----------
    settings : SolverSettings
    scales : EventScales
    user_counts, item_counts : int64 arrays of shape (n_users,) and (n_items,)
        Events of each.
    context_totals : float array of shape (n_context,)
        Sum of the absolute values of each context column.
    seen : CSR array of shape (n_users, n_items), or None
        What is no negative sample for the users who are trained. None in context: what a user has chosen in one may
        well be a negative sample in another.
    """

    settings: SolverSettings
    scales: EventScales
    user_counts: NDArray[np.int64]
    item_counts: NDArray[np.int64]
    context_totals: NDArray[np.floating]
    seen: sp.csr_array | None

    @classmethod
    def of_events(
        cls, settings: SolverSettings, scales: EventScales, events: Events, n_users: int, n_items: int
    ) -> Problem:
        """The problem of ``fit``."""
        return cls(
            settings,
            scales,
            np.bincount(events.users, minlength=n_users),
            np.bincount(events.items, minlength=n_items),
            np.abs(events.context).sum(axis=0),
            None if scales.context is not None else _pairs(events.users, events.items, n_users, n_items),
        )

    @classmethod
    def of_update(
        cls,
        settings: SolverSettings,
        scales: EventScales,
        histories: Histories,
        users: NDArray[np.int64],
        n_items: int,
        context_totals: NDArray[np.floating],
    ) -> Problem:
        """The problem of ``partial_fit``, where ``users`` have new events and ``histories`` are those of all."""
        counted, counts = histories.y > 0, histories.lengths
        if not counted.all():
            counts = np.bincount(histories.row_of_event()[counted], minlength=len(histories))
        seen = None
        if scales.context is None:
            own = histories.take(users)
            at = own.y > 0
            seen = _pairs(users[own.row_of_event()[at]], own.items[at], len(histories), n_items)
        of_items = histories.items if counted.all() else histories.items[counted]
        return cls(settings, scales, counts, np.bincount(of_items, minlength=n_items), context_totals, seen)

    @property
    def n_events(self) -> int:
        """All that are counted."""
        return int(self.item_counts.sum())

    def trainer(self) -> Trainer:
        """The trainer of the loss, on the device of the settings."""
        settings = self.settings
        device = resolve_device(settings.device)
        options: dict[str, Any] = {
            "learning_rate": settings.learning_rate,
            "n_negatives": self.scales.n_negatives,
        }
        if settings.solver == "softmax":
            popularity, options["batch_size"] = self.item_counts / max(1, self.n_events), settings.batch_size
            if device is None:
                from skrec._kernels.sgd.softmax import SoftmaxTrainer

                return SoftmaxTrainer(popularity, **options)
            from skrec._kernels.sgd.softmax_torch import SoftmaxTorchTrainer

            return SoftmaxTorchTrainer(popularity, device=device, **options)
        negatives = np.flatnonzero(self.item_counts)
        if device is None:
            from skrec._kernels.sgd.pairwise import PairwiseTrainer

            return PairwiseTrainer(settings.solver, negatives, self.seen, **options)
        from skrec._kernels.sgd.pairwise_torch import PairwiseTorchTrainer

        return PairwiseTorchTrainer(
            settings.solver, negatives, self.seen, batch_size=settings.batch_size, device=device, **options
        )

    def first_state(self, trainer: Trainer, rng: np.random.Generator, features: SideFeatures) -> State:
        """First factors, small and random; the context starts at zero."""
        state, n_factors = self.state(trainer, features), self.settings.n_factors
        for rows in (state.items, state.users):
            drawn = rng.standard_normal((len(rows.factors), n_factors), dtype=np.float32)
            rows.factors[:, :n_factors] = drawn * np.float32(_INIT_SCALE / np.sqrt(n_factors))
            rows.factors[~rows.active] = 0
        return state

    def state(self, trainer: Trainer, features: SideFeatures) -> State:
        """All parameters, zero."""
        from skrec._kernels.sgd.epochs import State

        touches = trainer.item_touches(self.item_counts, self.n_events)
        users = self._rows(self.user_counts, self.user_counts, features.users)
        items = self._rows(self.item_counts, touches, features.items)
        context = self._rows(self.context_totals, self.context_totals, None)
        context.active[:] = True
        return State(users, items, context, self.settings.n_factors)

    def _rows(self, counts: NDArray, touches: NDArray, features: Matrix | None) -> ParameterRows:
        from skrec._kernels.als.ridge import RidgeMap
        from skrec._kernels.als.sweeps import aligned_zeros
        from skrec._kernels.sgd.epochs import ParameterRows

        settings, regularization, active = self.settings, self.scales.regularization, counts > 0
        mean = float(counts[active].mean()) if active.any() else 1.0
        penalty = row_penalties(counts, mean, regularization, settings.frequency_scaling)
        per_touch = (penalty / np.maximum(touches, 1)).astype(np.float32)
        rows = ParameterRows(aligned_zeros(len(counts), settings.n_columns), per_touch, active)
        if features is not None:
            rho = feature_penalty(features, regularization, settings.feature_regularization)
            rows.ridge = RidgeMap(features, penalty * active, rho)
        return rows


def _pairs(users: NDArray, items: NDArray, n_users: int, n_items: int) -> sp.csr_array:
    return sp.csr_array((np.ones(len(users), np.float32), (users, items)), shape=(n_users, n_items))


def split(
    events: Events, counts: NDArray[np.float32], fraction: float, rng: np.random.Generator
) -> tuple[Events, Events] | None:
    """Training and held-out events; the items of the latter have training events. None where there are too few.

    With context, each of the ``counts`` events that an entry stands for is held out by chance. Without, all of them
    or none: an item that a user has seen is no longer a candidate.
    """
    n_events = np.ones(len(counts), np.int64)
    if events.context.shape[1]:
        n_events = whole_events(counts)
    share = held_out_shares(events.items, n_events, fraction, rng)
    if share is None:
        return None
    out = np.flatnonzero(share)
    train, held_out = events.take(np.flatnonzero(share < 1)), events.take(out)
    train.weight *= (1 - share)[share < 1]
    held_out.weight *= share[out]
    return train, held_out
