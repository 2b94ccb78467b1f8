"""BPR and WARP by minibatches in torch: for GPUs."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from skrec._kernels.sgd.epochs import Events, State
from skrec._kernels.sgd.torch_backend import DeviceState, single_threaded_torch


class PairwiseTorchTrainer:
    """Epochs of BPR or WARP; the same losses as ``PairwiseTrainer``, with many events per step.

    Parameters
    ----------
    loss : {"bpr", "warp"}
    pool : int64 array
        Codes of the items that negative samples are drawn from.
    seen : CSR array of shape (n_users, n_items), or None
        Items that are no negative samples for a user.
    learning_rate : float
    batch_size : int
        Events per step.
    n_negatives : int
        WARP: negative samples drawn for an event; the first that scores within 1 of the chosen item counts.
    device : str
    """

    def __init__(
        self,
        loss: str,
        pool: NDArray[np.int64],
        seen: sp.csr_array | None,
        *,
        learning_rate: float,
        batch_size: int,
        n_negatives: int,
        device: str,
    ) -> None:
        self.loss, self.learning_rate, self.batch_size = loss, learning_rate, batch_size
        self.n_negatives, self.device = n_negatives if loss == "warp" else 1, torch.device(device)
        self._pool = torch.from_numpy(pool.astype(np.int64)).to(self.device)
        self._n_items = 1 if seen is None else seen.shape[1]
        pairs = np.zeros(0, np.int64) if seen is None else _pair_codes(seen)
        self._seen = torch.from_numpy(pairs).to(self.device)

    def item_touches(self, counts: NDArray[np.int64], n_events: int) -> NDArray[np.floating]:
        """Expected number of times an epoch moves each item; ``counts`` are the events of each."""
        return counts + n_events / max(1, len(self._pool))

    def epoch(self, state: State, events: Events, rng: np.random.Generator) -> float:
        """Pass over the events once; return the mean loss."""
        with single_threaded_torch():
            held = DeviceState(state, events, self.device, self.learning_rate)
            generator = torch.Generator(self.device).manual_seed(int(rng.integers(1 << 62)))
            order = torch.from_numpy(rng.permutation(len(events))).to(self.device)
            total = sum(self._step(held, at, generator) for at in order.split(self.batch_size))
            held.write_back(state)
        return total / max(1, len(events))

    def _step(self, held: DeviceState, at: torch.Tensor, generator: torch.Generator) -> float:
        users, positive = held.event_users[at], held.event_items[at]
        drawn = torch.randint(len(self._pool), (len(at), self.n_negatives), generator=generator, device=self.device)
        drawn = self._pool[drawn]
        queries, vectors = held.queries(at), held.items.factors
        own = (queries * vectors[positive]).sum(dim=1)
        margins = own[:, None] - torch.einsum("ef,enf->en", queries, vectors[drawn])
        fair = ~self._is_seen(users[:, None], drawn) & (drawn != positive[:, None])
        if self.loss == "bpr":
            negative, margin = drawn[:, 0], margins[:, 0]
            push = torch.sigmoid(-margin) * fair[:, 0]
            loss = torch.nn.functional.softplus(-margin) * fair[:, 0]
        else:
            close = fair & (margins < 1)
            first = close.to(torch.int8).argmax(dim=1)
            number = fair.cumsum(dim=1).gather(1, first[:, None])[:, 0].clamp(min=1)
            rank = torch.div(len(self._pool) - 1, number, rounding_mode="floor")
            push = torch.log1p(rank.float()) / np.log1p(len(self._pool)) * close.any(dim=1)
            negative = drawn.gather(1, first[:, None])[:, 0]
            loss = push * (1 - margins.gather(1, first[:, None])[:, 0])
        push = (push * held.weight[at])[:, None]
        held.step_queries(at, -push * (vectors[positive] - vectors[negative]))
        held.step_items(torch.cat([positive, negative]), torch.cat([-push * queries, push * queries]))
        return float((loss * held.weight[at]).sum())

    def _is_seen(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        if not len(self._seen):
            return torch.zeros_like(items, dtype=torch.bool)
        pairs = users * self._n_items + items
        place = torch.searchsorted(self._seen, pairs).clamp(max=len(self._seen) - 1)
        return self._seen[place] == pairs


def _pair_codes(seen: sp.csr_array) -> NDArray[np.int64]:
    rows = np.repeat(np.arange(seen.shape[0], dtype=np.int64), np.diff(seen.indptr))
    return np.sort(rows * seen.shape[1] + seen.indices)
