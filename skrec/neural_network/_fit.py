"""``fit`` of models that are trained epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any, Self, TypeVar

from numpy.typing import ArrayLike

from skrec._training import Callback, TrainingResult, forget_checkpoint, read_callbacks
from skrec.interactions import FeatureSource, History, Table
from skrec.utils import atomic_update, fit_context

_ATTRIBUTES = """loss_curve_ : list of float
        Mean loss of each epoch.
    validation_scores_ : list of float or None
        NDCG@10 of the held-out events after each epoch; None without any.
    n_iter_ : int
        Epochs that were trained.
    best_iter_ : int
        The epoch whose weights the model has, from 1.
    popularity_ : float32 array of shape (n_items,)
        Cold-start scores.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame."""

_Model = TypeVar("_Model", bound=type)


def with_training_attributes(model: _Model) -> _Model:
    """Write what all models trained by epochs have into the docstring, in place of ``{training_attributes}``."""
    if model.__doc__ is not None:  # python -OO leaves none
        model.__doc__ = model.__doc__.replace("{training_attributes}", _ATTRIBUTES)
    return model


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


class EpochFitMixin:
    """``fit`` with ``validation_data``, ``callbacks`` and ``checkpoint``, and a second training on all events."""

    refit: bool
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    n_iter_: int
    best_iter_: int

    @fit_context(prefer_skip_nested_validation=True)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        validation_data: History | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Fit to an event log.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns; a frame column named ``timestamp`` gives the time. Without one, rows
            are in the order of time.
        y : array-like of shape (n_events,), default=None
            Strength or rating, at least 0; None means 1.
        item_features, user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            One row per item or user; the first column of a frame is the id. Items that are only here can be
            recommended too.
        validation_data : events ``[user, item, ...]`` or pair (events, y), default=None
            Later events of users of X, which decide when training stops, in place of events held out of X.
        callbacks : callable or list of callables, default=None
            Called after each epoch with a report that has ``epoch``, ``loss``, ``validation_score``, ``best_epoch`` and
            ``learning_rate``. Training stops where one returns True.
        checkpoint : path, default=None
            File that training is saved in from time to time, and continued from where it exists. Parameters and data
            must be the same; with a constant learning rate, ``max_iter`` may be larger. It is deleted when training is
            over, and kept where it was interrupted.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the loss becomes NaN in the first epoch, or the checkpoint is damaged or of another training.
        """
        path = None if checkpoint is None else fspath(checkpoint)
        self._given_to_fit = FitOptions(validation_data, read_callbacks(callbacks), path)
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
        self, train: Callable[..., TrainingResult], train_on_all: Callable[..., TrainingResult] | None
    ) -> None:
        """Train, and where ``refit`` says so and events were held out, once more on all of them.

        Parameters
        ----------
        train, train_on_all : callables
            From further keyword arguments of a solver's ``train`` to its result. They publish what was learned.
            ``train_on_all`` is None where nothing was held out.
        """
        options = self._fit_options
        result = train(callbacks=options.callbacks, checkpoint=options.checkpoint)
        self.loss_curve_, self.n_iter_, self.best_iter_ = result.loss_curve, len(result.loss_curve), result.best_epoch
        self.validation_scores_ = result.validation_scores or None
        is_over = result.stopped_by != "interrupt"
        if self.refit and train_on_all is not None and is_over:
            again = None if options.checkpoint is None else f"{options.checkpoint}.refit"
            is_over = train_on_all(max_iter=result.best_epoch, checkpoint=again).stopped_by != "interrupt"
            if is_over:
                forget_checkpoint(again)
        if is_over:
            forget_checkpoint(options.checkpoint)
