"""The loss of queries and their target items, with negative samples that are drawn by popularity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from skrec._training import losses

_POPULARITY_POWER = 0.75
MOST_CELLS = 150_000_000
"""Scores of a batch that "auto" still computes for the whole catalogue."""


def resolve_loss(loss: str, n_targets: int, n_items: int) -> str:
    """What "auto" means: the whole catalogue where the scores of a batch of so many targets fit in memory."""
    if loss != "auto":
        return loss
    return "softmax" if n_targets * n_items <= MOST_CELLS else "sampled_softmax"


class RankingLoss:
    """Loss of each target against the catalogue, or against items that are drawn.

    Parameters
    ----------
    loss : {"softmax", "sampled_softmax", "in_batch_softmax", "bce", "bpr"}
    n_negatives : int
        Negative samples of a batch; with "in_batch_softmax" they are the other targets.
    counts : int array of shape (n_items,)
        How often each item is a target.
    active : bool array of shape (n_items,)
        Items that may be negatives.
    generator : torch.Generator
    """

    def __init__(
        self,
        loss: str,
        n_negatives: int,
        counts: NDArray[np.int64],
        active: NDArray[np.bool_],
        generator: torch.Generator,
    ) -> None:
        self._loss, self._n_negatives, self._generator = loss, n_negatives, generator
        device = generator.device
        self._trained = torch.as_tensor(np.flatnonzero(active), device=device)
        self._number = torch.zeros(len(active), dtype=torch.int64, device=device)
        self._number[self._trained] = torch.arange(len(self._trained), device=device)
        # Items without an event are no negatives; those that are never a target are drawn as if they were one once.
        weights = np.maximum(counts, active) ** _POPULARITY_POWER
        self._drawn_by = torch.as_tensor(weights / weights.sum(), device=device)
        self._share = torch.as_tensor(counts / max(1, counts.sum()), device=device)

    def __call__(
        self,
        queries: torch.Tensor,
        targets: torch.Tensor,
        item_vectors: Callable[..., torch.Tensor],
        biases: torch.Tensor,
        seen: sp.csr_array | None = None,
    ) -> torch.Tensor:
        """The loss of each target.

        Parameters
        ----------
        queries : tensor of shape (n_targets, d)
        targets : int64 tensor of shape (n_targets,)
        item_vectors : callable from item codes, or from nothing for the catalogue, to vectors
        biases : tensor of shape (n_items,)
        seen : bool matrix of shape (n_targets, n_items), default=None
            Items that do not count against a target, never the target itself.

        Returns
        -------
        tensor of shape (n_targets,)
        """
        if self._loss == "softmax":
            vectors = item_vectors()
            if len(self._trained) < len(vectors):
                vectors, biases = vectors[self._trained], biases[self._trained]
            scores = queries @ vectors.T + biases
            if seen is not None:
                row, item = seen[:, self._trained.cpu().numpy()].nonzero()
                scores[torch.from_numpy(row), torch.from_numpy(item)] = -torch.inf
            return losses.full_softmax(scores, self._number[targets])
        if self._loss == "in_batch_softmax":
            valid = self._valid(targets, targets, seen)
            return self._in_batch(queries, targets, item_vectors(targets), biases[targets], valid)
        drawn = torch.multinomial(self._drawn_by, self._n_negatives, replacement=True, generator=self._generator)
        positive = (queries * item_vectors(targets)).sum(dim=1) + biases[targets]
        negative = queries @ item_vectors(drawn).T + biases[drawn]
        valid = self._valid(targets, drawn, seen)
        if self._loss == "sampled_softmax":
            log_q = torch.log(self._drawn_by[drawn] * self._n_negatives).to(negative.dtype)
            return losses.sampled_softmax(positive, negative, valid, log_q)
        return (losses.bce if self._loss == "bce" else losses.bpr)(positive, negative, valid)

    def _valid(self, targets: torch.Tensor, negatives: torch.Tensor, seen: sp.csr_array | None) -> torch.Tensor:
        """(n_targets, n_negatives) which negative samples count."""
        valid = losses.no_accidental_hits(targets, negatives)
        if seen is None:
            return valid
        return valid & ~torch.as_tensor(seen[:, negatives.cpu().numpy()].toarray(), device=valid.device)

    def _in_batch(
        self,
        queries: torch.Tensor,
        targets: torch.Tensor,
        vectors: torch.Tensor,
        biases: torch.Tensor,
        valid: torch.Tensor,
    ) -> torch.Tensor:
        """Against the other targets of the batch, of which each target is one draw too."""
        scores = queries @ vectors.T + biases
        log_q = torch.log(self._share[targets] * len(targets)).to(scores.dtype)
        return losses.sampled_softmax(scores.diagonal(), scores, valid, log_q, log_q)
