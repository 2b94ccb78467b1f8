"""Two towers in torch, for training."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import embedding, embedding_bag

from skrec.neural_network._two_tower._network import TowerNetwork
from skrec.neural_network._two_tower._tower import raise_tower


class TorchTowers(nn.Module):
    """Both towers.

    Parameters
    ----------
    network : TowerNetwork
        What training starts from.
    item_features : float32 array of shape (n_items, n_item_features), or None
    user_features : float32 array of shape (n_users, n_user_features), or None
    active : bool array of shape (n_items,)
        Items with events to train on; the id part of others is zero.
    dropout : float
        Of hidden layers and of the events of a history.
    id_dropout : float
        Share of the factors that are left out of a step, where something else stands for the user or the item.
    generator : torch.Generator
        Draws the dropout, so that random numbers of the caller are left alone.
    """

    def __init__(
        self,
        network: TowerNetwork,
        item_features: NDArray[np.float32] | None,
        user_features: NDArray[np.float32] | None,
        active: NDArray[np.bool_],
        *,
        dropout: float,
        id_dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.dropout, self.id_dropout, self.generator = network.shape, dropout, id_dropout, generator
        self.device = generator.device
        self.learned = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(array, device=self.device)) for name, array in network.arrays.items()}
        )
        self.item_features = None if item_features is None else torch.as_tensor(item_features, device=self.device)
        self.user_features = None if user_features is None else torch.as_tensor(user_features, device=self.device)
        self.active = torch.as_tensor(active, dtype=torch.float32, device=self.device)[:, None]
        self._axes = torch.eye(2, device=self.device)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copies of what was learned."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.learned.items()}

    def item_biases(self) -> torch.Tensor:
        """(n_items,) biases."""
        biases: torch.Tensor = self.learned["item_biases"]
        return biases

    def item_vectors(self, items: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors of all items, or of given codes."""
        return self._raised(self._parts("item_factors", "item_map", items), "item")

    def _parts(self, factors: str, feature_map: str, items: torch.Tensor | None) -> torch.Tensor:
        ids, active, features = self.learned[factors], self.active, self.item_features
        if items is not None:
            ids, active = embedding(items, ids), active[items]
            features = None if features is None else features[items]
        if features is None:
            return ids * active
        return self._some(ids * active) + features @ self.learned[feature_map]

    def queries(
        self,
        users: torch.Tensor,
        pooled: sp.csr_array | None,
        context: torch.Tensor | None,
    ) -> torch.Tensor:
        """Vectors of queries.

        Parameters
        ----------
        users : int64 tensor of shape (n,)
        pooled : float32 array of shape (n, n_items), or None
            Ones for the items of the histories.
        context : float32 tensor of shape (n, n_context), or None

        Returns
        -------
        tensor of shape (n, n_outputs)
        """
        x = embedding(users, self.learned["user_factors"])
        if pooled is not None or self.user_features is not None:
            x = self._some(x)
        if pooled is not None:
            x = x + self._history(pooled)
        if self.user_features is not None:
            x = x + self.user_features[users] @ self.learned["user_map"]
        if context is not None:
            x = x + context @ self.learned["context_map"]
        return self._raised(x, "user")

    def _history(self, pooled: sp.csr_array) -> torch.Tensor:
        """(n, n_factors) sums over histories, over the square root of their lengths."""
        n = torch.from_numpy(np.maximum(np.diff(pooled.indptr), 1)).to(self.device)[:, None]
        if self.training:  # as long as without the events that were dropped
            n = n * (1 - self.dropout)
        items = None
        if pooled.nnz < pooled.shape[1]:  # a small part of the catalogue
            distinct, place = np.unique(pooled.indices, return_inverse=True)
            pooled = sp.csr_array((pooled.data, place, pooled.indptr), (pooled.shape[0], len(distinct)))
            items = torch.from_numpy(distinct.astype(np.int64)).to(self.device)
        return _sums(pooled, self._parts("history_factors", "history_map", items)) / n.sqrt()

    def _raised(self, x: torch.Tensor, side: str) -> torch.Tensor:
        arrays = {**dict(self.learned.items()), "axes": self._axes}
        raised: torch.Tensor = raise_tower(x, arrays, side, self.shape, self._drop)
        return raised

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.dropout:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.dropout, generator=self.generator)
        return x * kept.div_(1 - self.dropout)

    def _some(self, factors: torch.Tensor) -> torch.Tensor:
        """Factors, with those of some rows left out."""
        if not self.training or not self.id_dropout:
            return factors
        rows = torch.empty(len(factors), 1, device=self.device)
        return factors * rows.bernoulli_(1 - self.id_dropout, generator=self.generator)


class _SparseProduct(torch.autograd.Function):
    """A sparse matrix of SciPy times a tensor: several times faster on a CPU than the gradient of embedding_bag."""

    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor, matrix: sp.csr_array) -> torch.Tensor:
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ vectors.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.from_numpy(ctx.matrix.T @ gradients[0].numpy()), None


def _sums(ones: sp.csr_array, vectors: torch.Tensor) -> torch.Tensor:
    """The sum of the vectors of each row of a matrix of ones."""
    if vectors.device.type == "cpu":
        product: torch.Tensor = _SparseProduct.apply(vectors, ones)
        return product
    items, offsets = (torch.from_numpy(a.astype(np.int64)).to(vectors.device) for a in (ones.indices, ones.indptr))
    return embedding_bag(items, vectors, offsets, mode="sum", include_last_offset=True)
