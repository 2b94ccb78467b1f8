"""Two towers as a training task of whole histories: what is left out of one is predicted from the rest, at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from skrec.neural_network._ranking_loss import MOST_CELLS
from skrec.neural_network._two_tower._task import TowerEvents
from skrec.neural_network._two_tower._torch_towers import TorchTowers


class HistoryTask:
    """See :class:`skrec._training.TrainingTask`: the multinomial likelihood of what a step leaves out of histories.

    Of a user, the items that are left out are predicted from those that are not, which are no candidates. One query per
    user takes the place of one per event, so that an epoch costs a fraction.

    Parameters
    ----------
    module : TorchTowers
        Its ``dropout`` is the share that is left out.
    events : TowerEvents
        Users with a positive event are trained on, each by its whole history.
    batch_size : int
        Events of the histories of a batch.
    validate : callable, or None
        From the arrays of the module to a score.
    """

    def __init__(
        self,
        module: TorchTowers,
        events: TowerEvents,
        *,
        batch_size: int,
        validate: Callable[[dict[str, NDArray[np.float32]]], float] | None,
    ) -> None:
        self.module, self.generator, self.device = module, module.generator, module.device
        self._validate, histories = validate, events.histories
        n_items = len(module.active)
        self._batch_size = min(batch_size, max(1, MOST_CELLS // n_items))
        self._users = np.unique(events.users[events.is_positive])
        self._seen = histories.to_csr(n_items, narrow=True)  # an item that is left out is not read in another event
        self._seen.data[:] = 1
        self._lengths = np.diff(self._seen.indptr)
        self._is_closed = module.active[:, 0] == 0

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Users, in an order that is drawn."""
        order = rng.permutation(self._users)
        number = np.cumsum(self._lengths[order]) // self._batch_size
        return np.split(order, np.flatnonzero(np.diff(number)) + 1)

    def n_targets(self, batch: NDArray[np.int64]) -> int:
        """How many items the users of a batch have."""
        return int(self._lengths[batch].sum())

    def validation_score(self) -> float | None:
        """NDCG@10 of held-out events."""
        return None if self._validate is None else self._validate(self.module.arrays())

    def loss(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """The sum over the items of a batch, estimated from those that are left out."""
        seen, share = self._seen[batch], self.module.dropout
        drawn = torch.rand(seen.nnz, generator=self.generator, device=self.device).cpu().numpy()
        row = np.repeat(np.arange(len(batch)), np.diff(seen.indptr))
        is_read = drawn >= share
        left_out = self._put(row[~is_read]), self._put(seen.indices[~is_read])
        read = self._put(row[is_read]), self._put(seen.indices[is_read])
        seen.data = is_read.astype(np.float32)
        seen.eliminate_zeros()
        queries = self.module.queries(self._put(batch), seen, None)
        scores = queries @ self.module.item_vectors().T + self.module.item_biases()
        is_closed = self._is_closed.repeat(len(batch), 1)
        is_closed[read] = True
        log_shares = scores.masked_fill(is_closed, -torch.inf).log_softmax(dim=1)
        return -log_shares[left_out].sum() / share

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64)).to(self.device)
