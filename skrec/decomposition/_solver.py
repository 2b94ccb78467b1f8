"""The interface of a solver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.decomposition._factor_state import FactorState, SideFeatures, SolverData, SolverSettings
from skrec.interactions import Histories, Queries
from skrec.utils import RandomState, progress

StateT = TypeVar("StateT", bound=FactorState)
Report: TypeAlias = Callable[..., None]
"""Called with the iteration, its loss, and the score of held-out events where there is one."""


class Solver(ABC, Generic[StateT]):
    """Learns the factors of a model. It holds settings alone: what is learned is in the states that it returns.

    Parameters
    ----------
    settings : SolverSettings
    """

    _step_name = "sweep"

    def __init__(self, settings: SolverSettings) -> None:
        self.settings = settings

    @abstractmethod
    def fit(self, data: SolverData, features: SideFeatures, random_state: RandomState) -> StateT:
        """Learn from all events.

        Parameters
        ----------
        data : SolverData
        features : SideFeatures
        random_state : int, RandomState instance or None

        Returns
        -------
        FactorState
            All attributes but ``design``, which :meth:`ready` sets.
        """

    @abstractmethod
    def partial_fit(self, state: StateT, data: SolverData, features: SideFeatures, random_state: RandomState) -> StateT:
        """Learn from new events, users and items, beside ``state``, which stays as it is.

        Returns
        -------
        FactorState
            New ``users``, ``items``, ``user_prior``, ``item_prior``, ``active_users``, ``active_items``,
            ``histories`` and ``mean_context``. The settings, the scales, the maps from features and
            ``loss_curve`` are those of ``state``. A solver names what else it sets.
        """

    @abstractmethod
    def fold_in(
        self,
        state: StateT,
        users: NDArray[np.int64],
        histories: Histories,
        shift: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Rows of users with histories that were not in fit; the items stay.

        Parameters
        ----------
        state : FactorState
            With its ``design``.
        users : int64 array of shape (n_rows,)
            User codes, -1 for an unknown user.
        histories : Histories of n_rows rows
            All events of each, those of fit included.
        shift : float32 array of shape (n_rows, width), default=None
            What features that came with the call add to the prior of each row; see
            :meth:`FactorState.shift_of_priors`.

        Returns
        -------
        float32 array of shape (n_rows, width)
        """

    @abstractmethod
    def contributions(self, state: StateT, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each event of a query's history adds to the score of one item per query.

        Returns
        -------
        float64 array of shape (n_events,)
            In the order of ``queries.histories.items``.
        """

    @abstractmethod
    def derive(self, state: StateT) -> Any:
        """The ``design`` of a state."""

    def ready(self, state: StateT) -> StateT:
        """The same state with its ``design``: after a fit, an update or a load."""
        return replace(state, design=self.derive(state))

    def check(self, state: StateT) -> None:
        """Refuse a loaded state that lacks what this solver adds to every :class:`FactorState`."""

    def entries(self, histories: Histories, n_items: int) -> sp.csr_array:
        """What is fitted: strengths above 0 added up, or the last ratings."""
        if self.settings.explicit:
            return histories.last_rating(n_items)
        entries = histories.to_csr(n_items)
        entries.eliminate_zeros()
        return entries

    @contextmanager
    def reported(self, max_iter: int) -> Iterator[Report]:
        """The progress of a fit; what it yields is called after every iteration."""
        label = f"HybridMFRecommender, solver={self.settings.solver!r}"
        with progress(max_iter, label, self._step_name, verbose=self.settings.verbose) as bar:

            def report(iteration: int, loss: float, score: float | None = None) -> None:
                held_out = "" if score is None else f", held-out score {score:.4f}"
                bar.update(note=f"loss {loss:.6g}{held_out}")

            yield report
