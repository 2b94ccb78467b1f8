"""Sampled softmax by minibatches in torch: for GPUs.

Negative samples are the other items of the batch and items drawn uniformly. Popular items come up more often, so the
logarithm of how often an item is expected among the negative samples is subtracted from its score (Bengio and
Senécal, 2008; Yi et al., RecSys 2019, for batches). Where the catalogue is no larger than the sample, all items are
negative samples and the softmax is exact.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from skrec._kernels.sgd.epochs import Events, State
from skrec._kernels.sgd.torch_backend import DeviceState, single_threaded_torch


class SoftmaxTorchTrainer:
    """Epochs of sampled softmax.

    Parameters
    ----------
    popularity : (n_items,) array
        Share of the events of each item; one without any is no negative sample.
    learning_rate : float
    batch_size : int
        Events per step.
    n_negatives : int
        Items drawn uniformly for each batch.
    device : str
    """

    def __init__(
        self,
        popularity: NDArray[np.float64],
        *,
        learning_rate: float,
        batch_size: int,
        n_negatives: int,
        device: str,
    ) -> None:
        self.learning_rate, self.batch_size, self.n_negatives = learning_rate, batch_size, n_negatives
        self.device = torch.device(device)
        n_items = len(popularity)
        active = np.flatnonzero(popularity)
        self.exact = len(active) <= batch_size + n_negatives
        self._active = torch.from_numpy(active).to(self.device)
        self._place = torch.zeros(n_items, dtype=torch.int64, device=self.device)
        self._place[self._active] = torch.arange(len(active), device=self.device)
        expected = batch_size * popularity + n_negatives / max(1, len(active))
        self._log_expected = torch.from_numpy(np.log(np.maximum(expected, 1e-30)).astype(np.float32)).to(self.device)

    def item_touches(self, counts: NDArray[np.int64], n_events: int) -> NDArray[np.floating]:
        """Expected number of times an epoch moves each item; ``counts`` are the events of each."""
        if self.exact:
            return np.full(len(counts), float(n_events))
        return counts + n_events / self.batch_size * self.n_negatives / max(1, len(self._active))

    def epoch(self, state: State, events: Events, rng: np.random.Generator) -> float:
        """Pass over the events once; return the mean loss."""
        with single_threaded_torch():
            held = DeviceState(state, events, self.device, self.learning_rate)
            generator = torch.Generator(self.device).manual_seed(int(rng.integers(1 << 62)))
            order = torch.from_numpy(rng.permutation(len(events))).to(self.device)
            total = 0.0
            for at in order.split(self.batch_size):
                total += self._step(held, at, generator)
            held.write_back(state)
        return total / max(1, len(events))

    def _step(self, held: DeviceState, at: torch.Tensor, generator: torch.Generator) -> float:
        chosen, weight = held.event_items[at], held.weight[at]
        queries = held.queries(at)
        candidates, target, touches = self._candidates(chosen, generator)
        vectors = held.items.factors[candidates]
        scores = queries @ vectors.T
        if not self.exact:
            scores -= self._log_expected[candidates]
            twice = candidates[None, :] == chosen[:, None]
            twice[torch.arange(len(at), device=self.device), target] = False
            scores[twice] = -torch.inf
        log_shares = torch.log_softmax(scores, dim=1)
        own = torch.arange(len(at), device=self.device)
        loss = -(weight * log_shares[own, target]).sum()
        gradient = log_shares.exp_()
        gradient[own, target] -= 1
        gradient *= weight[:, None]
        held.step_queries(at, gradient @ vectors)
        held.step_items(candidates, gradient.T @ queries, touches, distinct=self.exact)
        return float(loss)

    def _candidates(
        self, chosen: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Codes of the items compared, which of them each event chose, and how much the batch touches each.

        A batch of few events touches its items less, so that their penalties do not outweigh its gradients.
        """
        n = len(chosen)
        if self.exact:
            return self._active, self._place[chosen], torch.full((len(self._active),), float(n), device=self.device)
        drawn = torch.randint(len(self._active), (self.n_negatives,), generator=generator, device=self.device)
        touches = torch.ones(n + self.n_negatives, device=self.device)
        touches[n:] = n / self.batch_size
        return torch.cat([chosen, self._active[drawn]]), torch.arange(n, device=self.device), touches
