"""What the stochastic solvers share: the rows they learn, the epochs, and when to stop.

The score of item i for user u in context c is ``v.q_i + b_i`` with ``v = p_u + C c``. The bias is one more column of
the items, met by a one in the query vector. Steps are those of Adagrad (Duchi et al., 2011) with one accumulator a
row: a row that has moved much moves less. Each event adds an L2 penalty on the distance of its rows from their priors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.als.ridge import RidgeMap
from skrec._kernels.als.sweeps import aligned_zeros


@dataclass
class ParameterRows:
    """Users, items, or the columns of the context.

    Attributes
    ----------
    factors : (n_rows, width) float32 array
        Of items, column ``n_factors`` is the bias.
    penalty : (n_rows,) float32 array
        L2 penalty on the distance from the prior, for each event that touches a row.
    accumulated : (n_rows, 2) float32 array
        Squared gradients added up: their mean over the factors, and that of the bias. The bias has a step length of its
        own: it learns first, and would slow down the factors.
    active : (n_rows,) bool array
        Rows with events.
    prior : (n_rows, width) or (1, width) float32 array
    ridge : RidgeMap or None
        The map from features that the prior comes from.
    """

    factors: NDArray[np.float32]
    penalty: NDArray[np.float32]
    active: NDArray[np.bool_]
    ridge: RidgeMap | None = None
    intercept: None = None  # items have biases: what users have in common needs no vector
    prior: NDArray[np.float32] = field(init=False)
    accumulated: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.prior = aligned_zeros(1, self.factors.shape[1])
        self.accumulated = np.zeros((len(self.factors), 2), np.float32)

    def update_prior(self) -> None:
        """Fit the map from features to the factors of the active rows."""
        if self.ridge is not None:
            self.prior = self.ridge.fit(self.factors)
            self.factors[~self.active] = self.prior[~self.active]


@dataclass
class Events:
    """Training events.

    Attributes
    ----------
    users, items : int32 arrays of shape (n_events,)
    weight : float32 array of shape (n_events,)
        How many events each stands for.
    context : float32 array of shape (n_events, n_context)
        ``n_context`` is 0 without context.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    weight: NDArray[np.float32]
    context: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def context_entries(self) -> sp.csr_array:
        """The context without its zeros."""
        return sp.csr_array(self.context)

    def take(self, at: NDArray[np.int64]) -> Events:
        """Some of them."""
        return Events(self.users[at], self.items[at], self.weight[at], self.context[at])


@dataclass
class State:
    """All parameters in training."""

    users: ParameterRows
    items: ParameterRows
    context: ParameterRows
    n_factors: int

    def queries(self, events: Events) -> NDArray[np.float32]:
        """Query vectors, with a one in the column of the bias."""
        vectors = self.users.factors[events.users] + events.context @ self.context.factors
        vectors[:, self.n_factors] = 1
        return vectors


class Trainer(Protocol):
    """One loss, on one kind of device."""

    def item_touches(self, counts: NDArray[np.int64], n_events: int) -> NDArray[np.floating]:
        """Expected number of times an epoch moves each item; ``counts`` are the events of each."""

    def epoch(self, state: State, events: Events, rng: np.random.Generator) -> float:
        """Pass over the events once; return the mean loss."""


def run_epochs(
    trainer: Trainer,
    state: State,
    events: Events,
    rng: np.random.Generator,
    max_iter: int,
    *,
    validate: Callable[[State], float] | None = None,
    patience: int = 5,
    callback: Callable[[int, float, float | None], None] | None = None,
) -> tuple[list[float], list[float]]:
    """Learn for ``max_iter`` epochs, or until ``patience`` of them have not raised the validation score.

    Returns
    -------
    losses, scores : lists of float
        One per epoch; no scores without ``validate``.
    """
    losses: list[float] = []
    scores: list[float] = []
    if not len(events):
        return [0.0], []
    for iteration in range(max_iter):
        losses.append(trainer.epoch(state, events, rng))
        state.users.update_prior()
        state.items.update_prior()
        if validate is not None:
            scores.append(validate(state))
        if callback is not None:
            callback(iteration, losses[-1], scores[-1] if scores else None)
        if scores and iteration - int(np.argmax(scores)) >= patience:
            break
    return losses, scores
