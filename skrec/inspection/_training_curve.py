"""How a training went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skrec.inspection._display import Display, color_of
from skrec.utils import unwrap_recommender

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrainingCurveDisplay(Display):
    """Loss by epoch and, where events were held out, their NDCG@10, with the epoch that was kept.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
    validation_scores : array-like of shape (n_epochs,) or None
    best_iter : int or None
        The epoch whose weights the model has, from 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Of the loss.
    score_ax_ : matplotlib Axes or None
        Of the scores, on the right.
    figure_ : matplotlib Figure
    """

    def __init__(
        self, *, loss: ArrayLike, validation_scores: ArrayLike | None = None, best_iter: int | None = None
    ) -> None:
        self.loss = np.asarray(loss, float)
        self.validation_scores = None if validation_scores is None else np.asarray(validation_scores, float)
        self.best_iter = best_iter
        if self.loss.ndim != 1 or not len(self.loss):
            raise ValueError(f"loss must be one number per epoch; got an array of shape {self.loss.shape}.")

    @classmethod
    def from_estimator(cls, recommender: BaseEstimator, *, ax: Axes | None = None) -> Self:
        """Draw what a fitted recommender keeps of its training.

        Parameters
        ----------
        recommender : recommender, or a Pipeline or search that ends in one
            With ``loss_curve_``, such as :class:`~skrec.neural_network.SequentialRecommender`.
        ax : matplotlib Axes, default=None

        Raises
        ------
        TypeError
            If the recommender keeps no ``loss_curve_``.
        """
        model = unwrap_recommender(recommender)
        check_is_fitted(model)
        loss = getattr(model, "loss_curve_", None)
        if loss is None or not len(loss):
            raise TypeError(f"{type(model).__name__} keeps no loss_curve_: it is not trained in epochs.")
        scores, best = getattr(model, "validation_scores_", None), getattr(model, "best_iter_", None)
        return cls(loss=loss, validation_scores=scores, best_iter=None if scores is None else best).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the loss on the left axis, and scores on the right one.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        self.score_ax_ = None
        lines = ax.plot(np.arange(1, len(self.loss) + 1), self.loss, color=color_of(0), marker="o", label="loss")
        ax.set(xlabel="epoch", ylabel="loss")
        ax.locator_params(axis="x", integer=True)
        if self.validation_scores is not None and len(self.validation_scores):
            self.score_ax_ = ax.twinx()
            epochs = np.arange(1, len(self.validation_scores) + 1)
            lines += self.score_ax_.plot(
                epochs, self.validation_scores, color=color_of(1), marker="s", label="NDCG@10 of held-out events"
            )
            self.score_ax_.set(ylabel="NDCG@10")
        if self.best_iter:
            lines.append(ax.axvline(self.best_iter, color="0.5", linestyle=":", label=f"kept: epoch {self.best_iter}"))
        ax.legend(handles=lines, frameon=False, loc="center right")
        return self
