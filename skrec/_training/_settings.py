"""The settings of a training run, what it asks of a model, and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainerSettings:
    """How a model is trained.

    Attributes
    ----------
    learning_rate : float
    max_iter : int
        Epochs at most.
    regularization : float
        Decoupled weight decay of AdamW, for parameters of two dimensions.
    schedule : {"constant", "linear", "cosine"}
        How the learning rate falls after the warm-up, to nothing at ``max_iter``.
    warmup : float
        Share of all steps in which the learning rate rises to its value.
    max_norm : float or None
        Gradients of a larger norm are scaled down to it.
    accumulation : int
        Batches per step. The loss of a step is the mean over all of their targets.
    mixed_precision : bool
        On a GPU: bfloat16 where it has it, else float16 with a scaled loss.
    patience : int, "auto" or None
        Epochs without a better validation score before training stops; None never stops. "auto" is five, or as many as
        make 400 steps: where an epoch is a handful of steps, its score rises by less than chance moves it.
    seed : int
    checkpoint : str or None
        File that an interrupted run is continued from. It is written after each epoch and now and then within.
    checkpoint_seconds : float
        Least time between two checkpoints within an epoch.
    fingerprint : dict
        What a checkpoint must agree with beside the settings: parameters of the model, a hash of its data.
    label : str
        Of the progress bar.
    """

    learning_rate: float = 1e-3
    max_iter: int = 10
    regularization: float = 0.01
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: float = 0.0
    max_norm: float | None = 5.0
    accumulation: int = 1
    mixed_precision: bool = True
    patience: int | Literal["auto"] | None = None
    seed: int = 0
    checkpoint: str | None = None
    checkpoint_seconds: float = 300.0
    fingerprint: dict[str, Any] = field(default_factory=dict)
    label: str = "fit"

    def of_run(self, max_iter: int | None, *, is_validated: bool, checkpoint: str | None) -> TrainerSettings:
        """The settings of one run: of ``max_iter`` epochs where given, without patience where nothing is held out."""
        return replace(
            self,
            max_iter=self.max_iter if max_iter is None else max_iter,
            patience=self.patience if is_validated else None,
            checkpoint=checkpoint,
        )

    def compared(self) -> dict[str, str]:
        """What a run and its continuation must have in common, as texts."""
        known = {
            "learning_rate": self.learning_rate,
            "regularization": self.regularization,
            "schedule": self.schedule,
            "warmup": self.warmup,
            "max_norm": self.max_norm,
            "accumulation": self.accumulation,
            "seed": self.seed,
            **self.fingerprint,
        }
        if self.schedule != "constant" or self.warmup:  # otherwise more epochs continue the same run
            known["max_iter"] = self.max_iter
        return {name: repr(value) for name, value in known.items()}


@dataclass(frozen=True)
class EpochReport:
    """One epoch, as a callback gets it.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean over the targets of the epoch.
    validation_score : float or None
    best_epoch : int
        The one with the best validation score so far; the last one where there is none.
    learning_rate : float
        Of the last step.
    """

    epoch: int
    loss: float
    validation_score: float | None
    best_epoch: int
    learning_rate: float


Callback: TypeAlias = Callable[[EpochReport], Any]
"""Called after each epoch; training stops where it returns True."""


def read_callbacks(callbacks: Callback | Sequence[Callback] | None) -> list[Callback]:
    """A callback, several or None, as a list.

    Raises
    ------
    TypeError
        If one cannot be called.
    """
    if callbacks is None:
        return []
    given = [callbacks] if callable(callbacks) else list(callbacks)
    for callback in given:
        if not callable(callback):
            raise TypeError(
                f"callbacks must be functions that take an EpochReport; got {callback!r:.60}. Pass a function or a "
                "list of functions."
            )
    return given


@dataclass
class TrainingResult:
    """What came out of a run; the module has the weights of ``best_epoch``.

    Attributes
    ----------
    loss_curve, validation_scores : list of float
        One per epoch.
    best_epoch : int
        From 1.
    stopped_by : {"max_iter", "patience", "callback", "nan", "interrupt"}
    """

    loss_curve: list[float]
    validation_scores: list[float]
    best_epoch: int
    stopped_by: str


class TrainingTask(Protocol):
    """A module, its batches and its loss.

    A batch is an array whose rows can be cut in two, as indices of examples. Whatever the task draws, in the batches
    of an epoch or in the loss, comes from the generators that it is given: these are kept in checkpoints.
    """

    generator: torch.Generator
    device: torch.device

    @property
    def module(self) -> torch.nn.Module:
        """What is trained."""

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The batches of one epoch."""

    def n_targets(self, batch: NDArray[np.int64]) -> int:
        """How many targets the loss of a batch sums over."""

    def loss(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """The sum of the losses of a batch."""

    def validation_score(self) -> float | None:
        """How well held-out events are ranked, larger is better; None where none are."""
