"""What ``fit`` of models that are trained epoch by epoch is given beside the data, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any, Self, TypeVar

from skrec._training._checkpoint import forget_checkpoint
from skrec._training._settings import Callback, TrainingResult, read_callbacks

_ARGUMENTS = """callbacks : callable or list of callables, default=None
            Called after each epoch of training with a report that has ``epoch``, ``loss``, ``validation_score``,
            ``best_epoch`` and ``learning_rate``. Training stops where one returns True.
        checkpoint : path, default=None
            File that training is saved in from time to time, and continued from where it exists. Parameters and data
            must be the same; with a constant learning rate, ``max_iter`` may be larger. It is deleted when training is
            over, and kept where it was interrupted."""

_Method = TypeVar("_Method", bound=Callable[..., Any])


def with_training_arguments(fit: _Method) -> _Method:
    """Write ``callbacks`` and ``checkpoint`` into the docstring, in place of ``{training_arguments}``."""
    if fit.__doc__ is not None:  # python -OO leaves none
        fit.__doc__ = fit.__doc__.replace("{training_arguments}", _ARGUMENTS)
    return fit


@dataclass(frozen=True)
class FitOptions:
    """What ``fit`` is given beside the data.

    Attributes
    ----------
    validation_data : table of events, pair (events, y), or None
    callbacks : list of callables
    checkpoint : str or None
    """

    validation_data: Any = None
    callbacks: list[Callback] = field(default_factory=list)
    checkpoint: str | None = None

    @classmethod
    def read(
        cls,
        callbacks: Callback | Sequence[Callback] | None,
        checkpoint: str | PathLike[str] | None,
        validation_data: Any = None,
    ) -> FitOptions:
        """From the arguments of ``fit``.

        Raises
        ------
        TypeError
            If a callback cannot be called, or the checkpoint is no path.
        """
        return cls(validation_data, read_callbacks(callbacks), None if checkpoint is None else fspath(checkpoint))


class EpochsMixin:
    """Trains by the options of ``fit``, and keeps what is to be said of the epochs.

    Attributes
    ----------
    loss_curve_, validation_scores_, n_iter_, best_iter_
        As the class docstrings of the models have them.
    """

    loss_curve_: list[float]
    validation_scores_: list[float] | None
    n_iter_: int
    best_iter_: int

    def _fit_with(self, options: FitOptions, X: Any, y: Any, item_features: Any, user_features: Any) -> Self:
        """Fit to events, with options that are there meanwhile and not after."""
        self._given_to_fit = options
        try:
            fitted: Self = self._fit_events(X, y, None, item_features, user_features)  # type: ignore[attr-defined]
            return fitted
        finally:
            del self._given_to_fit

    @property
    def _fit_options(self) -> FitOptions:
        """What this fit was given; nothing where ``partial_fit`` is the first call."""
        options: FitOptions = self.__dict__.get("_given_to_fit", FitOptions())
        return options

    def _no_epochs(self) -> None:
        """What there is to say of training before it begins."""
        self.loss_curve_, self.validation_scores_ = [], None
        self.n_iter_ = self.best_iter_ = 0

    def _add_epochs(self, result: TrainingResult) -> None:
        """Count the epochs of an update."""
        self.loss_curve_ = [*self.loss_curve_, *result.loss_curve]
        self.n_iter_ += len(result.loss_curve)
        self.best_iter_ = self.n_iter_

    def _train_epochs(
        self, train: Callable[..., TrainingResult], train_on_all: Callable[..., TrainingResult] | None = None
    ) -> None:
        """Train, and where a second training is given, once more for as many epochs as were best.

        Parameters
        ----------
        train, train_on_all : callables
            From further keyword arguments of a solver's ``train`` to its result. They publish what was learned.
        """
        options = self._fit_options
        result = train(callbacks=options.callbacks, checkpoint=options.checkpoint)
        self.loss_curve_, self.n_iter_, self.best_iter_ = result.loss_curve, len(result.loss_curve), result.best_epoch
        self.validation_scores_ = result.validation_scores or None
        is_over = result.stopped_by != "interrupt"
        if train_on_all is not None and is_over:
            again = None if options.checkpoint is None else f"{options.checkpoint}.refit"
            is_over = train_on_all(max_iter=result.best_epoch, checkpoint=again).stopped_by != "interrupt"
            if is_over:
                forget_checkpoint(again)
        if is_over:
            forget_checkpoint(options.checkpoint)
