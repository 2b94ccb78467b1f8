"""What two towers are made of: one array per name, in the same words for torch and for NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FIRST_SCALE = 0.02


@dataclass(frozen=True)
class TowerShape:
    """Sizes of two towers.

    Attributes
    ----------
    n_factors : int
    hidden_layer_sizes : tuple of int
        Of each tower; empty for linear ones.
    interaction : {"dot", "cosine", "additive"}
    temperature : float
        Divides scores.
    has_history : bool
        Whether a user is also what the user chose.
    n_user_features, n_item_features, n_context : int
        Columns; 0 for none.
    """

    n_factors: int
    hidden_layer_sizes: tuple[int, ...]
    interaction: str
    temperature: float
    has_history: bool
    n_user_features: int = 0
    n_item_features: int = 0
    n_context: int = 0

    @property
    def n_outputs(self) -> int:
        """Length of the vectors that are compared."""
        return 2 if self.interaction == "additive" else self.n_factors

    def arrays(self, n_users: int, n_items: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of each array that is learned."""
        d = self.n_factors
        shapes: dict[str, tuple[int, ...]] = {
            "user_factors": (n_users, d),
            "item_factors": (n_items, d),
            "item_biases": (n_items,),
        }
        if self.n_item_features:
            shapes["item_map"] = (self.n_item_features, d)
        if self.has_history:
            shapes["history_factors"] = (n_items, d)
            if self.n_item_features:
                shapes["history_map"] = (self.n_item_features, d)
        if self.n_user_features:
            shapes["user_map"] = (self.n_user_features, d)
        if self.n_context:
            shapes["context_map"] = (self.n_context, d)
        for side in ("user", "item"):
            width = d
            for layer, size in enumerate(self.hidden_layer_sizes):
                shapes[f"{side}_layer{layer}"] = (width, size)
                shapes[f"{side}_layer{layer}_bias"] = (size,)
                width = size
            if self.hidden_layer_sizes:
                shapes[f"{side}_layer_out"] = (width, d)
            if self.interaction == "additive":
                shapes[f"{side}_weights"] = (d, 1)
        return shapes

    def first_arrays(self, n_users: int, n_items: int, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        """What training starts from: towers that pass their input on, and histories that look for like features."""
        drawn = {}
        for name, shape in self.arrays(n_users, n_items).items():
            if len(shape) == 1 or name.endswith("_layer_out"):
                drawn[name] = np.zeros(shape, np.float32)
                continue
            if name in ("item_map", "history_map"):  # the leading components, of which a random map would lose more
                drawn[name] = np.eye(*shape, dtype=np.float32)
                continue
            scale = _FIRST_SCALE
            if "_layer" in name:
                scale = (2 / shape[0]) ** 0.5
            elif name in ("user_weights", "item_weights"):
                scale = self.n_factors**-0.5
            drawn[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
        return drawn
