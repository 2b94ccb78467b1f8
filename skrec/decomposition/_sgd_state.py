"""What a stochastic solver keeps of its events, and what it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skrec.decomposition._factor_state import FactorState

if TYPE_CHECKING:
    from skrec._kernels.sgd.epochs import Events

_MAX_WEIGHT = 10.0


@dataclass(frozen=True)
class EventScales:
    """Numbers that follow from the events of ``fit``, and by which later events are weighted too.

    Attributes
    ----------
    regularization : float
    n_negatives : int
    mean_strength : float
        Mean ``y``.
    context : float32 array of shape (n_context,) or None
        Divides the context columns.
    """

    regularization: float
    n_negatives: int
    mean_strength: float
    context: NDArray[np.float32] | None

    def weighted_events(
        self, users: NDArray, items: NDArray, strength: NDArray[np.float32], context: NDArray[np.float32] | None
    ) -> Events:
        """Events with the weights of ``strength``."""
        from skrec._kernels.sgd.epochs import Events

        scaled = np.zeros((len(users), 0), np.float32)
        if context is not None and self.context is not None:
            scaled = context / self.context
        weight = self.weights(strength)
        return Events(users.astype(np.int32), items.astype(np.int32), weight, np.ascontiguousarray(scaled))

    def weights(self, strength: NDArray[np.float32]) -> NDArray[np.float32]:
        """``strength`` over the mean, at most ten."""
        return np.minimum(strength / np.float32(self.mean_strength), np.float32(_MAX_WEIGHT)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class SGDState(FactorState):
    """What a stochastic solver learns.

    Attributes
    ----------
    event_scales : EventScales
    accumulated : tuple of three float32 arrays of shape (n_rows, 2)
        Squared gradients of users, items and context columns, added up by Adagrad.
    context_totals : float32 array of shape (n_context,)
        Absolute values of the context columns of all events, added up; of length 0 without context.
    user_penalty_scale : float
        Factor on the L2 penalty of users who are folded in; above 1 where the fit stopped before its users were as
        far from their mean as the penalty lets them, or where held-out events rank higher so.
    """

    event_scales: EventScales
    accumulated: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    context_totals: NDArray[np.float32]
    user_penalty_scale: float = 1.0
