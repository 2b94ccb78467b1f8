"""The training loop."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skrec._training._checkpoint import read_checkpoint, write_checkpoint
from skrec._training._processes import Processes
from skrec._training._settings import Callback, EpochReport, TrainerSettings, TrainingResult, TrainingTask
from skrec._training._steps import NotFiniteError, Stepper, rate_factor
from skrec.exceptions import TrainingWarning
from skrec.utils import Verbose, caller_level, progress, use_one_thread_after_fork

if TYPE_CHECKING:
    import torch

_LARGEST_WEIGHT = 1e15
_PATIENT_EPOCHS, _PATIENT_STEPS = 5, 400


class Trainer:
    """Trains a torch module by AdamW.

    Parameters
    ----------
    settings : TrainerSettings
    callbacks : sequence of callables, default=()
        Called with an :class:`EpochReport` after each epoch; training stops where one returns True.
    processes : Processes, default=None
        Those that train together. Each runs the trainer, on a task of the same data and weights.
    """

    def __init__(
        self, settings: TrainerSettings, callbacks: Sequence[Callback] = (), processes: Processes | None = None
    ) -> None:
        self.settings, self.callbacks, self.processes = settings, tuple(callbacks), processes or Processes()

    def run(self, task: TrainingTask) -> TrainingResult:
        """Train, and leave the weights of the best epoch in the module.

        The best epoch is that of the largest validation score, or the last one where there is no validation. An
        interrupt, or a loss that is not finite, ends training with the best weights so far and a warning. Before the
        end of the first epoch there are none: then the interrupt or an error is raised.

        Raises
        ------
        ValueError
            If the loss is not finite in the first epoch, the checkpoint is damaged or of another run, or the processes
            have other parameters or data.
        """
        use_one_thread_after_fork()
        run = _Run(task, self.settings, self.processes)
        try:
            while not run.is_over:
                report = run.train_epoch()
                stops = [callback(report) is True for callback in self.callbacks]
                if any(self.processes.all_values(any(stops))):
                    run.stopped_by = "callback"
                if self.settings.checkpoint is not None:
                    run.save()
        except (NotFiniteError, KeyboardInterrupt) as error:
            run.give_up(error)
        finally:
            run.close()
        return run.result()


class _Run:
    """One run: what changes while a module is trained."""

    def __init__(self, task: TrainingTask, settings: TrainerSettings, processes: Processes) -> None:
        self.task, self.settings, self.processes = task, settings, processes
        _check_agreement(processes.all_values(settings.compared()))
        self.rng = np.random.default_rng(settings.seed)
        task.generator.manual_seed(settings.seed + processes.rank)  # equal batches, but different random draws
        self.stepper = Stepper(task, settings, processes)
        self.epoch, self.step, self.n_steps, self.steps_since_best = 0, 0, 0, 0
        self.total, self.n_targets = 0.0, 0
        self.loss_curve: list[float] = []
        self.validation_scores: list[float] = []
        self.best_epoch, self.best_weights = 0, dict[str, Any]()
        self.stopped_by: str | None = None
        self._restore(read_checkpoint(settings))
        self._saved_at = time.monotonic()
        self._bar: Any = None

    @property
    def is_over(self) -> bool:
        """Whether no epoch is left."""
        if self.stopped_by is None and self.epoch >= self.settings.max_iter:
            self.stopped_by = "max_iter"
        if self.stopped_by is None and self.validation_scores and self._is_out_of_patience():
            self.stopped_by = "patience"
        return self.stopped_by is not None

    def _is_out_of_patience(self) -> bool:
        patience, waited = self.settings.patience, self.epoch - self.best_epoch
        if patience == "auto":
            return waited >= _PATIENT_EPOCHS and self.steps_since_best >= _PATIENT_STEPS
        return patience is not None and waited >= patience

    def train_epoch(self) -> EpochReport:
        """Train for what is left of an epoch."""
        self._epoch_rng = self.rng.bit_generator.state
        batches, n = self.task.batches(self.rng), self.settings.accumulation
        groups = [batches[start : start + n] for start in range(0, len(batches), n)]
        self.n_steps = self.n_steps or len(groups) * self.settings.max_iter
        self._open_bar(len(groups))
        self.task.module.train()
        rate = 0.0
        for number in range(self.step, len(groups)):
            rate = rate_factor(self.settings, self.epoch * len(groups) + number, self.n_steps)
            rate *= self.settings.learning_rate
            total, n_targets = self.stepper.step(groups[number], rate)
            self.total, self.n_targets, self.step = self.total + total, self.n_targets + n_targets, number + 1
            self.steps_since_best += 1
            self._bar.update()
            self._save_sometimes(number + 1 < len(groups))
        return self._finish_epoch(rate, len(groups))

    def _finish_epoch(self, rate: float, n_groups: int) -> EpochReport:
        loss = self.total / max(1, self.n_targets)
        self.task.module.eval()
        if not all(map(_is_bounded, self.task.module.parameters())):  # the last step broke them, and no loss shows it
            raise NotFiniteError
        is_first = self.processes.rank == 0
        score = self.processes.all_values(self.task.validation_score() if is_first else None)[0]
        weights = _copied(self.task.module.state_dict())
        is_best = score is None or not self.validation_scores or score > max(self.validation_scores)
        self.loss_curve.append(loss)
        if score is not None:
            self.validation_scores.append(score)
        if is_best:
            self.best_epoch, self.best_weights, self.steps_since_best = self.epoch + 1, weights, 0
        self.epoch, self.step, self.total, self.n_targets = self.epoch + 1, 0, 0.0, 0
        note = f"loss {loss:.4f}" + ("" if score is None else f", NDCG@10 {score:.4f}")
        self._bar.reach(self.epoch * n_groups)
        self._bar.update(0, note)
        return EpochReport(self.epoch, loss, score, self.best_epoch, rate)

    def give_up(self, error: BaseException) -> None:
        """Keep the best weights so far, or raise where there are none."""
        is_interrupt = isinstance(error, KeyboardInterrupt)
        where = f"epoch {self.epoch + 1}"
        if not self.best_epoch:
            if is_interrupt:
                raise error
            raise ValueError(
                f"The loss or the weights became NaN or infinite in {where}. Pass a smaller learning_rate, here "
                f"{self.settings.learning_rate:g}, or regularization, here {self.settings.regularization:g}, and look "
                "for huge values among the features."
            ) from error
        self.stopped_by = "interrupt" if is_interrupt else "nan"
        why = "was interrupted" if is_interrupt else "ended, since the loss or the weights became NaN or infinite,"
        advice = "" if is_interrupt else f" A smaller learning_rate than {self.settings.learning_rate:g} may help."
        warnings.warn(
            f"Training {why} in {where} of {self.settings.max_iter}; the model has the weights of epoch "
            f"{self.best_epoch}.{advice}",
            TrainingWarning,
            stacklevel=caller_level(),
        )

    def result(self) -> TrainingResult:
        """Put the best weights into the module, and say how the run went."""
        if self.best_weights:
            self.task.module.load_state_dict(self.best_weights)
        self.task.module.eval()
        return TrainingResult(self.loss_curve, self.validation_scores, self.best_epoch, self.stopped_by or "max_iter")

    # Progress and checkpoints ----------------------------------------------------------------------

    def _open_bar(self, n_groups: int) -> None:
        if self._bar is None:
            done = self.epoch * n_groups + self.step
            total = max(n_groups * self.settings.max_iter, done)
            verbose: Verbose = "auto" if self.processes.rank == 0 else False
            self._bar = progress(total, self.settings.label, "step", done=done, verbose=verbose).__enter__()

    def close(self) -> None:
        """Close the progress bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def _save_sometimes(self, is_within: bool) -> None:
        # Several processes have no clock in common; they save after each epoch alone.
        is_due = self.processes.n == 1 and time.monotonic() - self._saved_at >= self.settings.checkpoint_seconds
        if self.settings.checkpoint is not None and is_within and is_due:
            self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        at_start = self.step == 0
        state = {
            "module": self.task.module.state_dict(),
            "stepper": self.stepper.state(),
            "generators": self.processes.all_values(self.task.generator.get_state()),
            "rng": self.rng.bit_generator.state if at_start else self._epoch_rng,
            "run": {name: getattr(self, name) for name in _KEPT},
        }
        if self.processes.rank == 0:
            write_checkpoint(self.settings, state)
        self._saved_at = time.monotonic()

    def _restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self.task.module.load_state_dict(state["module"])
        self.stepper.restore(state["stepper"])
        self.task.generator.set_state(state["generators"][self.processes.rank])
        self.rng.bit_generator.state = state["rng"]
        for name in _KEPT:
            setattr(self, name, state["run"][name])
        if self.stopped_by in ("max_iter", "patience"):  # more epochs may have been asked for
            self.stopped_by = None


_KEPT = (
    "epoch",
    "step",
    "n_steps",
    "steps_since_best",
    "total",
    "n_targets",
    "loss_curve",
    "validation_scores",
    "best_epoch",
    "best_weights",
    "stopped_by",
)


def _check_agreement(settings: list[dict[str, str]]) -> None:
    """Whether the processes that train together have the same settings."""
    for rank, other in enumerate(settings):
        different = sorted(name for name in other if other[name] != settings[0].get(name))
        if different:
            raise ValueError(
                f"Process {rank} trains with other {', '.join(different)} than process 0; processes that train "
                "together need the same parameters and data, and random_state a number."
            )


def _is_bounded(weight: torch.Tensor) -> bool:
    """Whether products of two such weights are finite in single precision."""
    return bool((weight.detach().abs() < _LARGEST_WEIGHT).all())


def _copied(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}
