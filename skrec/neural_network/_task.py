"""The next item as a training task: batches of windows, a loss, and the ranking of held-out events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from skrec.neural_network._ranking_loss import RankingLoss
from skrec.neural_network._sequences import START, Sequences, like_length_batches, n_targets
from skrec.neural_network._torch_network import TorchNetwork

_MOST_SEEN = 1000
"""Events before a target that are left out of its negatives, so that memory does not grow with the longest history."""


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
    seen_negatives : bool
        Whether items before a target in its row count against it.
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
        seen_negatives: bool = True,
        validate: Callable[[dict[str, NDArray[np.float32]]], float] | None,
    ) -> None:
        self.module, self.generator = module, module.generator
        self.device = module.generator.device
        self._events, self._batch_size, self._validate = events, batch_size, validate
        self._seen_negatives = seen_negatives
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
        queries, target = self._queries(batch)
        targets = self._put(self._events.sequences.items[target])
        seen = None if self._seen_negatives else self._seen_before(target)
        return self._loss(queries, targets, self.module.item_vectors, self.module.learned["item_biases"], seen).sum()

    def _queries(self, batch: NDArray[np.int64]) -> tuple[torch.Tensor, NDArray[np.int64]]:
        """Query vectors and positions of the targets of a batch."""
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
        return queries, target

    def _seen_before(self, target: NDArray[np.int64]) -> sp.csr_array:
        """(n_targets, n_items) which other items come before each target in its row; of a long row the latest."""
        sequences = self._events.sequences
        start = sequences.indptr[np.searchsorted(sequences.indptr, target, side="right") - 1]
        start = np.maximum(start, target - _MOST_SEEN)
        n = target - start
        row = np.repeat(np.arange(len(n)), n)
        item = sequences.items[np.arange(n.sum()) + np.repeat(start - np.cumsum(n) + n, n)]
        kept = (item != START) & (item != sequences.items[target][row])
        cells = np.ones(kept.sum(), bool), (row[kept], item[kept])
        return sp.csr_array(cells, shape=(len(target), len(self.module.active)))

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
