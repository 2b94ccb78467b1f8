"""The next item as a training task: batches of windows, a loss, and the ranking of held-out events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from skrec.neural_network._ranking_loss import RankingLoss
from skrec.neural_network._sequences import START, Sequences, like_length_batches, n_targets
from skrec.neural_network._torch_network import TorchNetwork


@dataclass(frozen=True)
class TrainingEvents:
    """What a network is trained on.

    Attributes
    ----------
    sequences : Sequences
    is_target : bool array of shape (n_positions,)
    context : float32 array of shape (n_events, n_context), or None
        Of the events that the sequences number.
    """

    sequences: Sequences
    is_target: NDArray[np.bool_]
    context: NDArray[np.float32] | None = None


class NextItemTask:
    """See :class:`skrec._training.TrainingTask`.

    Parameters
    ----------
    module : TorchNetwork
    events : TrainingEvents
    loss : {"softmax", "sampled_softmax", "in_batch_softmax", "bce", "bpr"}
    n_negatives : int
        Negative samples of a batch.
    batch_size : int
    validate : callable, or None
        From the arrays of the module to a score.
    """

    def __init__(
        self,
        module: TorchNetwork,
        events: TrainingEvents,
        *,
        loss: str,
        n_negatives: int,
        batch_size: int,
        validate: Callable[[dict[str, NDArray[np.float32]]], float] | None,
    ) -> None:
        self.module, self.generator = module, module.generator
        self.device = module.generator.device
        self._events, self._batch_size, self._validate = events, batch_size, validate
        chosen = events.sequences.items[events.is_target]
        active = module.active[:, 0].cpu().numpy() > 0
        counts = np.bincount(chosen, minlength=len(active))
        self._loss = RankingLoss(loss, n_negatives, counts, active, module.generator)

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Windows of like length."""
        windows = self._events.sequences.windows(self.module.shape.max_length, self._events.is_target, rng)
        return like_length_batches(windows, self._batch_size, rng)

    def n_targets(self, batch: NDArray[np.int64]) -> int:
        """How many next items a batch has."""
        return int(n_targets(batch, self._events.is_target).sum())

    def validation_score(self) -> float | None:
        """NDCG@10 of held-out events."""
        return None if self._validate is None else self._validate(self.module.arrays())

    def loss(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """The sum over the targets of a batch."""
        queries, targets = self._queries(batch)
        return self._loss(queries, targets, self.module.item_vectors, self.module.learned["item_biases"]).sum()

    def _queries(self, batch: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Query vectors and item codes of the targets of a batch."""
        sequences, start, length = self._events.sequences, batch[:, 0], batch[:, 1]
        place = np.arange(length.max())
        at = np.minimum(start[:, None] + place, len(sequences.items) - 2)
        used = (place < length[:, None]) & self._events.is_target[at + 1]
        items = sequences.items[at]
        vectors = self.module.item_vectors(self._put(np.maximum(items, 0)))
        is_start = self._put(items == START) if self.module.shape.n_context else None
        gaps = None if sequences.gaps is None else self._put(sequences.gaps[at])
        queries = self.module(vectors, is_start, gaps)[self._put(used)]
        target = at[used] + 1
        if self._events.context is not None:
            context = self._put(self._events.context[sequences.event[target]])
            queries = queries + context @ self.module.learned["context_map"]
        return queries, self._put(sequences.items[target])

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
