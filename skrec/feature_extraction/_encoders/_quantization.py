"""Linear layers in 8 bits, quantised as the tokens come."""

import torch
from torch import nn


class DynamicInt8Linear(nn.Module):
    """A linear layer with int8 weights (one scale per output) and int8 inputs (one scale per token).

    One scale per token, where ``torch.ao.quantization.quantize_dynamic`` has one per batch: a token is then
    rounded the same in every batch, so vectors do not depend on the batch, and an outlier
    spoils its own token only. The integer product is exact.
    """

    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(dim=1).clamp_min(1e-12) / 127
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8).t().contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("bias", torch.zeros_like(scale) if linear.bias is None else linear.bias.detach().float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.reshape(-1, x.shape[-1])
        token_scale = tokens.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
        codes = (tokens / token_scale).round().to(torch.int8)
        # In place: at these sizes a fresh buffer costs more than the arithmetic.
        y = torch._int_mm(codes, self.weight).float().mul_(token_scale.float()).mul_(self.scale).add_(self.bias)
        return y.view(*x.shape[:-1], -1).to(x.dtype)


def quantize_linear_layers(module: nn.Module) -> int:
    """Replace every ``nn.Linear`` below a module, in place; return how many there were."""
    count = 0
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, DynamicInt8Linear(child))
            count += 1
        else:
            count += quantize_linear_layers(child)
    return count
