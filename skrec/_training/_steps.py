"""Steps of the optimiser: gradients of a few batches, clipped, with a learning rate that rises and falls."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._training._processes import Processes
from skrec._training._settings import TrainerSettings, TrainingTask
from skrec.exceptions import TrainingWarning
from skrec.utils import caller_level, have_bfloat16


class NotFiniteError(Exception):
    """The loss of a step, or its gradient, is NaN or infinite; the weights are those before the step."""


def rate_factor(settings: TrainerSettings, step: int, n_steps: int) -> float:
    """The learning rate of a step as a share of ``learning_rate``; steps count from 0."""
    n_warm = round(settings.warmup * n_steps)
    if step < n_warm:
        return (step + 1) / (n_warm + 1)
    done = min(1.0, (step - n_warm) / max(1, n_steps - n_warm))
    if settings.schedule == "linear":
        return 1 - done
    return (1 + math.cos(math.pi * done)) / 2 if settings.schedule == "cosine" else 1.0


class Stepper:
    """AdamW on a module.

    Where a batch does not fit in memory it is cut in halves, which are added up: the step is the same, but for what the
    loss draws.

    Parameters
    ----------
    task : TrainingTask
    settings : TrainerSettings
    processes : Processes, default=None
        Those that train together, each on its share of every batch.
    """

    def __init__(self, task: TrainingTask, settings: TrainerSettings, processes: Processes | None = None) -> None:
        import torch

        self._task, self._settings, self._processes = task, settings, processes or Processes()
        self._parameters = [p for p in task.module.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self._parameters if p.ndim > 1], "weight_decay": settings.regularization},
            {"params": [p for p in self._parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
        device = task.device
        is_mixed = settings.mixed_precision and device.type == "cuda"
        dtype = torch.bfloat16 if not is_mixed or have_bfloat16([str(device)]) else torch.float16
        self._autocast = lambda: torch.autocast(device.type, dtype=dtype, enabled=is_mixed)
        self._scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self._n_pieces = 1

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "n_pieces": self._n_pieces,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` gave."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._n_pieces = state["n_pieces"]

    def step(self, batches: Sequence[NDArray[np.int64]], learning_rate: float) -> tuple[float, int]:
        """One step on some batches: the sum of the losses of their targets, and the number of targets.

        Raises
        ------
        NotFiniteError
            If the loss or its gradient is not finite.
        """
        import torch

        n_targets = sum(self._task.n_targets(batch) for batch in batches)
        total = self._add_gradients([self._processes.share(batch) for batch in batches], n_targets)
        total = self._processes.add_up(self._parameters, total)
        self._scaler.unscale_(self._optimizer)
        max_norm = self._settings.max_norm
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, math.inf if max_norm is None else max_norm)
        # A scaled loss may overflow: then the scaler skips the step and takes a smaller scale.
        if not math.isfinite(total) or not (self._scaler.is_enabled() or bool(torch.isfinite(norm))):
            raise NotFiniteError
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return total, n_targets

    def _add_gradients(self, batches: Sequence[NDArray[np.int64]], n_targets: int) -> float:
        import torch

        while True:
            self._optimizer.zero_grad(set_to_none=True)
            try:
                return sum(self._add_gradient(batch, n_targets) for batch in batches if len(batch))
            except RuntimeError as error:
                if not _is_out_of_memory(error) or self._n_pieces >= max(len(batch) for batch in batches):
                    raise
            self._n_pieces *= 2
            warnings.warn(
                f"A batch did not fit in the memory of {self._task.device}: from here on batches are computed in "
                f"{self._n_pieces} parts. A smaller batch_size, max_length or n_factors needs less memory.",
                TrainingWarning,
                stacklevel=caller_level(),
            )
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _add_gradient(self, batch: NDArray[np.int64], n_targets: int) -> float:
        total = 0.0
        for part in np.array_split(batch, min(self._n_pieces, len(batch))):
            with self._autocast():
                loss = self._task.loss(part)
            self._scaler.scale(loss / n_targets).backward()
            total += float(loss.detach())
        return total


def _is_out_of_memory(error: RuntimeError) -> bool:
    import torch

    # On the CPU it is a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
