"""The rows of a stochastic solver as tensors, and Adagrad steps on some of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from skrec._kernels.sgd.epochs import Events, ParameterRows, State

_TINY = 1e-12


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """One thread inside the block, so that sums do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class DeviceRows:
    """Users, items, or the columns of the context, on a device."""

    factors: torch.Tensor
    penalty: torch.Tensor
    prior: torch.Tensor
    accumulated: torch.Tensor
    n_factors: int

    @classmethod
    def of(cls, rows: ParameterRows, device: torch.device, n_factors: int) -> DeviceRows:
        """Copies of the arrays."""

        def put(array: NDArray[np.float32]) -> torch.Tensor:
            return torch.from_numpy(np.array(array)).to(device)

        return cls(put(rows.factors), put(rows.penalty), put(rows.prior), put(rows.accumulated), n_factors)

    def step(self, at: torch.Tensor, gradient: torch.Tensor, touches: torch.Tensor, learning_rate: float) -> None:
        """Move distinct rows against their gradients and towards their priors."""
        prior = self.prior[at] if len(self.prior) > 1 else self.prior
        gradient = gradient + (self.penalty[at] * touches)[:, None] * (self.factors[at] - prior)
        squares, n = gradient.square(), self.n_factors
        accumulated = self.accumulated[at] + torch.stack([squares[:, :n].mean(dim=1), squares[:, n]], dim=1)
        self.accumulated[at] = accumulated
        gradient *= learning_rate / torch.sqrt(accumulated[:, :1] + _TINY)
        gradient[:, n] *= torch.sqrt((accumulated[:, 0] + _TINY) / (accumulated[:, 1] + _TINY))
        self.factors[at] -= gradient


class DeviceState:
    """A :class:`~skrec._kernels.sgd.epochs.State` and the events of an epoch, on a device."""

    def __init__(self, state: State, events: Events, device: torch.device, learning_rate: float) -> None:
        self.device, self.learning_rate, self.n_factors = device, learning_rate, state.n_factors
        self.users, self.items, self.context = (
            DeviceRows.of(rows, device, state.n_factors) for rows in (state.users, state.items, state.context)
        )
        self.event_users = self._put(events.users.astype(np.int64))
        self.event_items = self._put(events.items.astype(np.int64))
        self.weight, self.event_context = self._put(events.weight), self._put(events.context)

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def queries(self, at: torch.Tensor) -> torch.Tensor:
        """Query vectors of events, with a one in the column of the bias."""
        vectors = self.users.factors[self.event_users[at]]
        if len(self.context.factors):
            vectors = vectors + self.event_context[at] @ self.context.factors
        vectors[:, self.n_factors] = 1
        return vectors

    def step_queries(self, at: torch.Tensor, gradient: torch.Tensor) -> None:
        """Move users and context by the gradients of query vectors."""
        gradient[:, self.n_factors :] = 0
        self._step_rows(self.users, self.event_users[at], gradient, torch.ones(len(at), device=self.device))
        if len(self.context.factors):
            context = self.event_context[at]
            every = torch.arange(len(self.context.factors), device=self.device)
            touches = context.abs().sum(dim=0)
            self.context.step(every, context.T @ gradient, touches, self.learning_rate)

    def step_items(
        self,
        items: torch.Tensor,
        gradient: torch.Tensor,
        touches: torch.Tensor | None = None,
        *,
        distinct: bool = False,
    ) -> None:
        """Move items. They may repeat unless they are ``distinct``; ``touches`` of None are ones."""
        gradient[:, self.n_factors + 1 :] = 0
        if touches is None:
            touches = torch.ones(len(items), device=self.device)
        if distinct:
            self.items.step(items, gradient, touches, self.learning_rate)
        else:
            self._step_rows(self.items, items, gradient, touches)

    def _step_rows(self, rows: DeviceRows, codes: torch.Tensor, gradient: torch.Tensor, touches: torch.Tensor) -> None:
        at, inverse = torch.unique(codes, return_inverse=True)
        total = torch.zeros(len(at), gradient.shape[1], device=self.device).index_add_(0, inverse, gradient)
        touched = torch.zeros(len(at), device=self.device).index_add_(0, inverse, touches)
        rows.step(at, total, touched, self.learning_rate)

    def write_back(self, state: State) -> None:
        """Copy what was learned into the arrays."""
        for held, rows in ((self.users, state.users), (self.items, state.items), (self.context, state.context)):
            rows.factors[:] = held.factors.cpu().numpy()
            rows.accumulated[:] = held.accumulated.cpu().numpy()
