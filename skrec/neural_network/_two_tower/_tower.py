"""What a tower computes, written once for arrays of NumPy and tensors of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skrec.neural_network._two_tower._shape import TowerShape

_SMALLEST = 1e-12


def raise_tower(
    x: Any,
    arrays: Mapping[str, Any],
    side: str,
    shape: TowerShape,
    drop: Callable[[Any], Any] | None = None,
) -> Any:
    """From the sum of the parts of a side to the vector that is compared.

    Parameters
    ----------
    x : float32 array or tensor of shape (n, n_factors)
    arrays : mapping of str to array or tensor
        As ``shape.arrays`` names them, and ``axes``: the identity of two dimensions.
    side : {"user", "item"}
    shape : TowerShape
    drop : callable, default=None
        Dropout of hidden layers.

    Returns
    -------
    array or tensor of shape (n, n_outputs)
    """
    if shape.hidden_layer_sizes:
        hidden = x
        for layer in range(len(shape.hidden_layer_sizes)):
            name = f"{side}_layer{layer}"
            hidden = (hidden @ arrays[name] + arrays[f"{name}_bias"]).clip(min=0)
            hidden = hidden if drop is None else drop(hidden)
        x = x + hidden @ arrays[f"{side}_layer_out"]
    is_user = side == "user"
    scale = shape.temperature if is_user else 1.0
    if shape.interaction == "additive":  # [score, 1] . [1, score]
        own, other = (arrays["axes"][:1], arrays["axes"][1:]) if is_user else (arrays["axes"][1:], arrays["axes"][:1])
        return ((x @ arrays[f"{side}_weights"]) @ own + other) / scale
    if shape.interaction == "cosine":
        x = x / ((x * x).sum(-1)[:, None] + _SMALLEST) ** 0.5
    return x / scale if scale != 1 else x
