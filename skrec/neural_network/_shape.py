"""What a sequence network is made of: one array per name, in the same words for torch and for NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_GAPS = 16
"""Buckets of the time between two events; 0 stands for none, or an unknown one."""
_FIRST_SCALE = 0.02


@dataclass(frozen=True)
class NetworkShape:
    """Sizes of a network.

    Attributes
    ----------
    architecture : {"transformer", "gru"}
    n_factors, n_layers, n_heads : int
    max_length : int
        Events that are read.
    n_features, n_context : int
        Columns of the item features and of the context; 0 for none.
    has_gaps : bool
        Whether the time between events is read.
    """

    architecture: str
    n_factors: int
    n_layers: int
    n_heads: int
    max_length: int
    n_features: int = 0
    n_context: int = 0
    has_gaps: bool = False

    def arrays(self, n_items: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of each array that is learned, for a catalogue of so many items."""
        d = self.n_factors
        shapes: dict[str, tuple[int, ...]] = {"item_factors": (n_items, d), "item_biases": (n_items,)}
        if self.n_features:
            shapes["feature_map"] = (self.n_features, d)
        if self.n_context:  # a request without a history starts from a vector of its own
            shapes |= {"context_map": (self.n_context, d), "start": (1, d)}
        if self.has_gaps:
            shapes["gap_factors"] = (N_GAPS, d)
        if self.architecture == "transformer":
            shapes["positions"] = (self.max_length, d)
        for layer in range(self.n_layers):
            layer_shapes = _TRANSFORMER_LAYER if self.architecture == "transformer" else _GRU_LAYER
            shapes |= {f"layer{layer}_{name}": tuple(n * d for n in sizes) for name, sizes in layer_shapes.items()}
        return shapes | {"final_scale": (d,), "final_shift": (d,)}

    def first_arrays(self, n_items: int, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        """What training starts from."""
        drawn = {}
        for name, shape in self.arrays(n_items).items():
            if len(shape) == 1:
                drawn[name] = np.full(shape, name.endswith("_scale"), np.float32)
                continue
            is_layer = name.startswith("layer")
            scale = (3 * shape[0]) ** -0.5 if is_layer else _FIRST_SCALE
            drawn[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
        return drawn


# In multiples of n_factors.
_TRANSFORMER_LAYER: dict[str, tuple[int, ...]] = {
    "attention_scale": (1,),
    "attention_shift": (1,),
    "attention_in": (1, 3),
    "attention_in_bias": (3,),
    "attention_out": (1, 1),
    "attention_out_bias": (1,),
    "hidden_scale": (1,),
    "hidden_shift": (1,),
    "hidden_in": (1, 4),
    "hidden_in_bias": (4,),
    "hidden_out": (4, 1),
    "hidden_out_bias": (1,),
}
_GRU_LAYER: dict[str, tuple[int, ...]] = {
    "input": (1, 3),
    "input_bias": (3,),
    "state": (1, 3),
    "state_bias": (3,),
}
