"""The network in torch, for training."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import embedding, gelu, layer_norm

from skrec.neural_network._shape import NetworkShape


class TorchNetwork(nn.Module):
    """A causal network over a padded batch of histories.

    Padding is on the right, where no earlier position can see it: so a row does not depend on the rows beside it.

    Parameters
    ----------
    shape : NetworkShape
    arrays : dict of str to float32 array
        As ``shape.arrays`` names them.
    features : float32 array of shape (n_items, n_features), or None
    active : bool array of shape (n_items,)
        Items seen in training; the id part of others is zero.
    dropout : float
    id_dropout : float
        How often an item has its features alone in training.
    generator : torch.Generator
        Draws the dropout, so that random numbers of the caller are left alone.
    """

    def __init__(
        self,
        shape: NetworkShape,
        arrays: dict[str, NDArray[np.float32]],
        features: NDArray[np.float32] | None,
        active: NDArray[np.bool_],
        dropout: float,
        id_dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.dropout, self.id_dropout, self.generator = shape, dropout, id_dropout, generator
        device = generator.device
        self.learned = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(array, device=device)) for name, array in arrays.items()}
        )
        self.features = None if features is None else torch.as_tensor(features, device=device)
        self.active = torch.as_tensor(active, dtype=torch.float32, device=device)[:, None]

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copies of what was learned."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.learned.items()}

    def item_vectors(self, items: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors of all items, or of given codes of any shape: the id part and the part of the features."""
        factors, active, features = self.learned["item_factors"], self.active, self.features
        if items is not None:
            factors, active = embedding(items, factors), active[items]
            features = None if features is None else features[items]
        if features is None:
            return factors * active
        if self.training and self.id_dropout:  # not scaled up: what is served has both parts, or features alone
            drawn = torch.rand(active.shape, generator=self.generator, device=active.device)
            active = active * ((drawn >= self.id_dropout) | ~features.any(dim=-1, keepdim=True))
        return factors * active + features @ self.learned["feature_map"]

    def forward(self, vectors: torch.Tensor, is_start: torch.Tensor | None, gaps: torch.Tensor | None) -> torch.Tensor:
        """What is said of the next item at each position.

        Parameters
        ----------
        vectors : tensor of shape (n, length, n_factors)
            Item vectors of histories.
        is_start : bool tensor of shape (n, length), or None
            Where a history starts before its first item.
        gaps : int64 tensor of shape (n, length), or None

        Returns
        -------
        tensor of shape (n, length, n_factors)
        """
        p, shape = self.learned, self.shape
        if is_start is not None:
            vectors = torch.where(is_start[..., None], p["start"], vectors)
        x = vectors * math.sqrt(shape.n_factors)
        if gaps is not None:
            x = x + embedding(gaps, p["gap_factors"])
        if shape.architecture == "transformer":
            x = self._drop(x + p["positions"][: x.shape[1]])
            for layer in range(shape.n_layers):
                x = self._transform(x, f"layer{layer}_")
        else:
            x = self._drop(x)
            for layer in range(shape.n_layers):
                x = self._drop(self._recur(x, f"layer{layer}_"))
        return layer_norm(x, (shape.n_factors,), p["final_scale"], p["final_shift"])

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.dropout:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.dropout, generator=self.generator)
        return x * kept.div_(1 - self.dropout)

    def _transform(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """One pre-norm layer."""
        p, d = self.learned, self.shape.n_factors
        normed = layer_norm(x, (d,), p[f"{name}attention_scale"], p[f"{name}attention_shift"])
        attended = self._attend(normed @ p[f"{name}attention_in"] + p[f"{name}attention_in_bias"])
        x = x + self._drop(attended @ p[f"{name}attention_out"] + p[f"{name}attention_out_bias"])
        normed = layer_norm(x, (d,), p[f"{name}hidden_scale"], p[f"{name}hidden_shift"])
        hidden = gelu(normed @ p[f"{name}hidden_in"] + p[f"{name}hidden_in_bias"], approximate="tanh")
        return x + self._drop(hidden @ p[f"{name}hidden_out"] + p[f"{name}hidden_out_bias"])

    def _attend(self, projected: torch.Tensor) -> torch.Tensor:
        n, length, width = projected.shape
        h = self.shape.n_heads
        query, key, value = projected.view(n, length, 3, h, width // 3 // h).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        later = torch.ones(length, length, dtype=torch.bool, device=scores.device).triu(1)
        weights = self._drop(torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1))
        return (weights @ value).transpose(1, 2).reshape(n, length, width // 3)

    def _recur(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """One layer of gated recurrent units."""
        p, d = self.learned, self.shape.n_factors
        inputs = (x @ p[f"{name}input"] + p[f"{name}input_bias"]).unbind(dim=1)
        state = torch.zeros_like(x[:, 0])
        states = []
        for given in inputs:
            held = state @ p[f"{name}state"] + p[f"{name}state_bias"]
            gates = torch.sigmoid(given[:, : 2 * d] + held[:, : 2 * d])
            proposed = torch.tanh(given[:, 2 * d :] + gates[:, :d] * held[:, 2 * d :])
            state = proposed + gates[:, d:] * (state - proposed)
            states.append(state)
        return torch.stack(states, dim=1)
