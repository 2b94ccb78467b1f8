"""``fit`` of models that are trained epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skrec._training import (
    Callback,
    EpochsMixin,
    FitOptions,
    TrainerSettings,
    TrainingResult,
    with_training_arguments,
)
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

_MAX_SEED = 2**31 - 1

_Model = TypeVar("_Model", bound=type)


def with_training_attributes(model: _Model) -> _Model:
    """Write what all models trained by epochs have into the docstring, in place of ``{training_attributes}``."""
    if model.__doc__ is not None:  # python -OO leaves none
        model.__doc__ = model.__doc__.replace("{training_attributes}", _ATTRIBUTES)
    return model


class EpochFitMixin(EpochsMixin):
    """``fit`` with ``validation_data``, ``callbacks`` and ``checkpoint``, and a second training on all events."""

    learning_rate: float
    learning_rate_schedule: Literal["constant", "linear", "cosine"]
    warmup: float
    regularization: float
    max_iter: int
    n_iter_no_change: int | Literal["auto"]
    refit: bool
    random_state: int | np.random.RandomState | None

    @with_training_arguments
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
        {training_arguments}

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the loss becomes NaN in the first epoch, or the checkpoint is damaged or of another training.
        """
        options = FitOptions.read(callbacks, checkpoint, validation_data)
        return self._fit_with(options, X, y, item_features, user_features)

    def _train_epochs(
        self, train: Callable[..., TrainingResult], train_on_all: Callable[..., TrainingResult] | None = None
    ) -> None:
        """As every model by epochs; once more on all events where ``refit`` says so and events were held out."""
        super()._train_epochs(train, train_on_all if self.refit else None)

    def _trainer_settings(self) -> TrainerSettings:
        """How it is trained, by its parameters."""
        return TrainerSettings(
            learning_rate=float(self.learning_rate),
            max_iter=int(self.max_iter),
            regularization=float(self.regularization),
            schedule=self.learning_rate_schedule,
            warmup=float(self.warmup),
            patience=self.n_iter_no_change,
            seed=int(check_random_state(self.random_state).randint(_MAX_SEED)),
            label=type(self).__name__,
        )
