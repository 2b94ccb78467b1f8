"""Several processes that train one model, each on its share of every batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class Processes:
    """This process alone; what :class:`LaunchedProcesses` does for several."""

    n, rank = 1, 0
    device: str | None = None

    def share(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """What this process reads of a batch; all of them together read it once."""
        return np.array_split(batch, self.n)[self.rank]

    def add_up(self, parameters: Iterable[torch.nn.Parameter], total: float) -> float:
        """Make each gradient the sum over the processes; the sum of their totals."""
        return total

    def all_values(self, value: Any) -> list[Any]:
        """The value of each process, in the order of their ranks."""
        return [value]


class LaunchedProcesses(Processes):
    """The processes of ``accelerate launch``, or this one alone where it was started without it.

    Raises
    ------
    ImportError
        If accelerate is not installed.
    """

    def __init__(self) -> None:
        import torch

        try:
            from accelerate import PartialState
            from accelerate.utils import parse_flag_from_env
        except ImportError as error:
            raise ImportError(
                "device='accelerate' needs the accelerate package: pip install 'skrec-text[accelerate]'."
            ) from error
        # PartialState alone does not read what ``accelerate launch --cpu`` says.
        state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available())
        self.n, self.rank, self.device = int(state.num_processes), int(state.process_index), str(state.device)

    def add_up(self, parameters: Iterable[torch.nn.Parameter], total: float) -> float:
        """As of the base class."""
        import torch
        from accelerate.utils import reduce

        if self.n == 1:
            return total
        given = list(parameters)
        for parameter in given:
            if parameter.grad is None:  # nothing of the batch was for this process
                parameter.grad = torch.zeros_like(parameter)
        # One message. It is not in double precision, so a total of many targets is rounded to seven digits.
        flat = torch.cat([p.grad.reshape(-1) for p in given if p.grad is not None] + [_one(total, given[0])])
        summed = reduce(flat, reduction="sum")
        at = 0
        for parameter in given:
            assert parameter.grad is not None
            parameter.grad.copy_(summed[at : at + parameter.numel()].view_as(parameter))
            at += parameter.numel()
        return float(summed[-1])

    def all_values(self, value: Any) -> list[Any]:
        """As of the base class."""
        from accelerate.utils import gather_object

        return [value] if self.n == 1 else list(gather_object([value]))


def _one(value: float, like: torch.Tensor) -> torch.Tensor:
    return like.new_tensor([value])
