"""Linear layers by oneDNN where PyTorch would take another library."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode


class OneDNNLinear(TorchFunctionMode):
    """Within this context, float32 linear layers on the CPU run by oneDNN, to the same precision.

    For float32 PyTorch calls MKL, which on AMD processors measured less than half of oneDNN's speed. A context
    rather than other modules: the model, which may be somebody's, is left as it is.
    """

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is linear and not kwargs:
            x, weight, *rest = args
            if x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu" and x.numel():
                bias = rest[0] if rest else None
                return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return func(*args, **(kwargs or {}))


def fast_linear(device: torch.device) -> AbstractContextManager:
    """The context above where this PyTorch has what it needs, else one that does nothing."""
    has_operator = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
    return OneDNNLinear() if device.type == "cpu" and has_operator else nullcontext()
