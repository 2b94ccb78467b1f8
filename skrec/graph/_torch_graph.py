"""LightGCN in torch, for training: vectors of nodes, averaged over the layers of a graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import embedding, normalize

from skrec._training import losses

_POPULARITY_POWER = 0.75
_MOST_CONTRASTED = 4096
_TEMPERATURE = 0.2


class _Product(torch.autograd.Function):
    """A symmetric sparse matrix times vectors; torch would transpose the matrix again for each gradient."""

    @staticmethod
    def forward(ctx: Any, edges: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        ctx.edges = edges
        return edges @ vectors

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, ctx.edges @ gradients[0]


class TorchGraph(nn.Module):
    """Vectors of users and items, sent over a graph.

    Parameters
    ----------
    edges : CSR array of shape (n_users + n_items, n_users + n_items)
        Symmetric and normalised.
    users, items : float32 arrays of shape (n_users, d) and (n_items, d)
        What training starts from.
    active : bool array of shape (n_users + n_items,)
        Nodes with events to train on; the others have what their neighbours send them.
    n_layers : int
    noise : float
        Length of the noise of each layer, where vectors are contrasted.
    generator : torch.Generator
        Draws the noise.
    """

    def __init__(
        self,
        edges: sp.csr_array,
        users: NDArray[np.float32],
        items: NDArray[np.float32],
        active: NDArray[np.bool_],
        *,
        n_layers: int,
        noise: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_layers, self.noise, self.generator, self.device = n_layers, noise, generator, generator.device
        self.users = nn.Parameter(torch.tensor(users, device=self.device))
        self.items = nn.Parameter(torch.tensor(items, device=self.device))
        self._active = torch.as_tensor(active, dtype=torch.float32, device=self.device)[:, None]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            self._edges = torch.sparse_csr_tensor(
                torch.from_numpy(edges.indptr.astype(np.int64)),
                torch.from_numpy(edges.indices.astype(np.int64)),
                torch.from_numpy(edges.data.astype(np.float32)),
                size=edges.shape,
                check_invariants=True,
                device=self.device,
            )

    def propagate(self, *, noisy: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of users and items, averaged over the layers."""
        layer = torch.cat([self.users, self.items]) * self._active
        total = layer
        for _ in range(self.n_layers):
            layer = _Product.apply(self._edges, layer)
            if noisy:
                drawn = torch.rand(layer.shape, generator=self.generator, device=self.device)
                layer = layer + torch.sign(layer) * normalize(drawn, dim=1) * self.noise
            total = total + layer
        users, items = torch.split(total / (self.n_layers + 1), [len(self.users), len(self.items)])
        return users, items


@dataclass(frozen=True)
class GraphLoss:
    """What is minimised.

    Attributes
    ----------
    name : {"softmax", "sampled_softmax", "bpr"}
    n_negatives : int
        Items drawn per batch, but for "softmax".
    regularization : float
        Weight of the mean squared length of the vectors.
    contrastive_weight : float
        Weight of telling a node from others by two noisy vectors of it.
    """

    name: str
    n_negatives: int
    regularization: float
    contrastive_weight: float


class GraphTask:
    """See :class:`skrec._training.TrainingTask`. A batch is some users, with all of their events.

    Parameters
    ----------
    module : TorchGraph
    targets : CSR array of shape (n_users, n_items)
    loss : GraphLoss
    batch_size : int
        Events of a batch, about.
    validate : callable or None
        From vectors of users and items to a score.
    """

    def __init__(
        self,
        module: TorchGraph,
        targets: sp.csr_array,
        *,
        loss: GraphLoss,
        batch_size: int,
        validate: Callable[[NDArray[np.float32], NDArray[np.float32]], float] | None,
    ) -> None:
        self.module, self.generator, self.device = module, module.generator, module.device
        self._targets, self._loss, self._batch_size, self._validate = targets, loss, batch_size, validate
        counts = np.bincount(targets.indices, minlength=targets.shape[1])
        active = np.flatnonzero(counts)
        self._active = torch.as_tensor(active, device=self.device)
        number = np.zeros(len(counts), np.int64)
        number[active] = np.arange(len(active))
        self._number = number
        power = _POPULARITY_POWER if loss.name == "sampled_softmax" else 0.0
        weights = counts[active] ** power
        self._drawn_by = torch.as_tensor(weights / weights.sum(), device=self.device)

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Users in an order that is drawn, cut where they have ``batch_size`` events."""
        sizes = np.diff(self._targets.indptr)
        order = rng.permutation(np.flatnonzero(sizes))
        number = (np.cumsum(sizes[order]) - 1) // self._batch_size
        return np.split(order, np.flatnonzero(np.diff(number)) + 1)

    def n_targets(self, batch: NDArray[np.int64]) -> int:
        """How many events the users have."""
        return int((self._targets.indptr[batch + 1] - self._targets.indptr[batch]).sum())

    def validation_score(self) -> float | None:
        """NDCG@10 of held-out events."""
        if self._validate is None:
            return None
        with torch.no_grad():
            users, items = self.module.propagate()
        return self._validate(users.cpu().numpy(), items.cpu().numpy())

    def loss(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """The sum over the events of some users."""
        chosen = self._targets[batch]
        row = self._put(np.repeat(np.arange(len(batch)), np.diff(chosen.indptr)))
        column = self._put(self._number[chosen.indices])
        users, items = self.module.propagate()
        queries, catalogue = embedding(self._put(batch), users), embedding(self._active, items)
        total = self._ranking_loss(queries, catalogue, row, column)
        n_targets = len(row)
        if self._loss.regularization:
            lengths = queries.square().sum(dim=1).mean() + catalogue.square().sum(dim=1).mean()
            total = total + self._loss.regularization * n_targets * lengths
        if self._loss.contrastive_weight:
            contrast = self._contrast(batch, np.unique(chosen.indices))
            total = total + self._loss.contrastive_weight * n_targets * contrast
        return total

    def _ranking_loss(
        self, queries: torch.Tensor, catalogue: torch.Tensor, row: torch.Tensor, column: torch.Tensor
    ) -> torch.Tensor:
        if self._loss.name == "softmax":  # one row of scores serves all events of a user
            scores = queries @ catalogue.T
            return torch.logsumexp(scores, dim=1)[row].sum() - scores[row, column].sum()
        n = self._loss.n_negatives
        drawn = torch.multinomial(self._drawn_by, n, replacement=True, generator=self.generator)
        positive = (embedding(row, queries) * embedding(column, catalogue)).sum(dim=1)
        negative = embedding(row, queries @ embedding(drawn, catalogue).T)
        valid = losses.no_accidental_hits(column, drawn)
        if self._loss.name == "bpr":
            return losses.bpr(positive, negative, valid).sum()
        log_q = torch.log(self._drawn_by[drawn] * n).to(negative.dtype)
        return losses.sampled_softmax(positive, negative, valid, log_q).sum()

    def _contrast(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> torch.Tensor:
        """How hard it is to tell nodes from each other by two noisy vectors of each."""
        first, second = self.module.propagate(noisy=True), self.module.propagate(noisy=True)
        total = torch.zeros((), device=self.device)
        for nodes, one, other in zip((users, items), first, second, strict=True):
            order = torch.randperm(len(nodes), generator=self.generator, device=self.device)[:_MOST_CONTRASTED]
            at = self._put(nodes)[order]
            contrast = losses.info_nce(embedding(at, one), embedding(at, other), temperature=_TEMPERATURE)
            total = total + contrast.mean()
        return total

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.int64)).to(self.device)
