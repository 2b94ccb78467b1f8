"""Two towers as a training task: batches of events, a loss, and the ranking of held-out events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch.nn.functional import logsigmoid

from skrec.interactions import Histories
from skrec.neural_network._ranking_loss import RankingLoss
from skrec.neural_network._two_tower._torch_towers import TorchTowers


@dataclass(frozen=True)
class TowerEvents:
    """What towers are trained on.

    Attributes
    ----------
    users, items : int64 arrays of shape (n_events,)
    is_positive : bool array of shape (n_events,)
    histories : Histories of n_users rows
        What is pooled, of each user: an event is predicted from the others.
    context : float32 array of shape (n_events, n_context), or None
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    histories: Histories
    context: NDArray[np.float32] | None = None

    def take(self, at: NDArray) -> TowerEvents:
        """Some of the events."""
        context = None if self.context is None else self.context[at]
        return TowerEvents(self.users[at], self.items[at], self.is_positive[at], self.histories, context)


class TowerTask:
    """See :class:`skrec._training.TrainingTask`.

    Parameters
    ----------
    module : TorchTowers
    events : TowerEvents
    loss : {"softmax", "sampled_softmax", "in_batch_softmax", "bce"}
        All but the last are of positive events.
    n_negatives, batch_size : int
    validate : callable, or None
        From the arrays of the module to a score.
    """

    def __init__(
        self,
        module: TorchTowers,
        events: TowerEvents,
        *,
        loss: str,
        n_negatives: int,
        batch_size: int,
        validate: Callable[[dict[str, NDArray[np.float32]]], float] | None,
    ) -> None:
        self.module, self.generator, self.device = module, module.generator, module.device
        self._batch_size, self._validate, self._n_negatives = batch_size, validate, n_negatives
        self._events = events if loss == "bce" else events.take(np.flatnonzero(events.is_positive))
        active = module.active[:, 0].cpu().numpy() > 0
        counts = np.bincount(events.items[events.is_positive], minlength=len(active))
        self._loss = RankingLoss(loss, n_negatives, counts, active, module.generator)

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Numbers of events, in an order that is drawn."""
        order = rng.permutation(len(self._events.users))
        return [order[start : start + self._batch_size] for start in range(0, len(order), self._batch_size)]

    def n_targets(self, batch: NDArray[np.int64]) -> int:
        """How many events a batch has."""
        return len(batch)

    def validation_score(self) -> float | None:
        """NDCG@10 of held-out events."""
        return None if self._validate is None else self._validate(self.module.arrays())

    def loss(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """The sum over the events of a batch."""
        positive = self._events.is_positive[batch]
        total = torch.zeros((), device=self.device)
        if positive.any():
            total = total + self._of_positive(batch[positive])
        if not positive.all():
            total = total - logsigmoid(-self._own_scores(batch[~positive])).sum()
        return total

    def _of_positive(self, events: NDArray[np.int64]) -> torch.Tensor:
        if not self._n_negatives:  # those of the data alone
            return -logsigmoid(self._own_scores(events)).sum()
        targets = self._put(self._events.items[events])
        return self._loss(self._queries(events), targets, self.module.item_vectors, self.module.item_biases()).sum()

    def _own_scores(self, events: NDArray[np.int64]) -> torch.Tensor:
        items = self._put(self._events.items[events])
        products = (self._queries(events) * self.module.item_vectors(items)).sum(dim=1)
        return products + self.module.item_biases()[items]

    def _queries(self, events: NDArray[np.int64]) -> torch.Tensor:
        users = self._events.users[events]
        context = None if self._events.context is None else self._put(self._events.context[events])
        if not self.module.shape.has_history:
            return self.module.queries(self._put(users), None, context)
        rows = self._events.histories.take(users)
        row = rows.row_of_event()
        kept = rows.items != self._events.items[events][row]
        if self.module.training and self.module.dropout:
            drawn = torch.rand(len(kept), generator=self.generator, device=self.device).cpu().numpy()
            kept &= drawn >= self.module.dropout
        ends = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(rows)))])
        chosen, n_items = rows.items[kept], len(self.module.active)
        ones = np.ones(len(chosen), np.float32)
        pooled = sp.csr_array((ones, chosen, ends.astype(chosen.dtype)), (len(rows), n_items))
        return self.module.queries(self._put(users), pooled, context)

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
