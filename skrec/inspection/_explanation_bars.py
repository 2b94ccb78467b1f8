"""What an explanation weighs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skrec._explain import Explanations
from skrec.inspection._display import Display, color_of
from skrec.inspection._plot_labels import plot_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 50


class ExplanationDisplay(Display):
    """The reasons for one recommendation as bars: what each adds to the score.

    Parameters
    ----------
    reasons : list of str
        The strongest first.
    weights : list of float
    title : str
        The user and the item.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, reasons: Sequence[str], weights: Sequence[float], title: str = "") -> None:
        if len(reasons) != len(weights):
            raise ValueError(
                f"there are {len(reasons)} reasons and {len(weights)} weights; pass one weight per reason."
            )
        self.reasons, self.weights, self.title = list(reasons), [float(weight) for weight in weights], title

    @classmethod
    def from_estimator(
        cls,
        recommender: BaseEstimator,
        user: Hashable,
        item: Hashable,
        *,
        n_evidence: int = 8,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Explain an item to a user and draw the reasons.

        Parameters
        ----------
        recommender : fitted recommender with ``explain``
            For another, see :func:`explain_by_leave_one_out` and :meth:`from_predictions`.
        user, item : id
        n_evidence : int, default=8
            Most bars.
        ax : matplotlib Axes, default=None
        **options
            Of ``explain``, such as ``context`` and ``history``.
        """
        if not hasattr(recommender, "explain"):
            raise TypeError(
                f"{type(recommender).__name__} has no explain(); write ExplanationDisplay.from_predictions("
                "explain_by_leave_one_out(recommender, [user], [item]))."
            )
        return cls.from_predictions(recommender.explain([user], [item], n_evidence=n_evidence, **options), ax=ax)

    @classmethod
    def from_predictions(cls, explanations: Explanations, *, position: int = 0, ax: Axes | None = None) -> Self:
        """Draw one of the explanations that ``explain`` gave.

        Parameters
        ----------
        explanations : Explanations
        position : int, default=0
            Which of them.
        ax : matplotlib Axes, default=None
        """
        if not -len(explanations) <= position < len(explanations):
            raise ValueError(f"position must be a place among {len(explanations)} explanations; got {position}.")
        evidence = explanations.evidence[position]
        user, item = (np.asarray(ids)[position] for ids in (explanations.user, explanations.item))
        weights = [reason.weight for reason in evidence]
        return cls(reasons=list(map(str, evidence)), weights=weights, title=f"{user}: {item}").plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one bar per reason, the strongest on top.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        shown = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in self.reasons]
        labels, title = plot_labels(shown), plot_labels([self.title])
        places = np.arange(len(self.weights))
        ax.barh(places, self.weights, color=[color_of(0 if weight >= 0 else 1) for weight in self.weights])
        ax.set_yticks(places, labels.texts, family=labels.family)
        ax.set_ylim(max(len(places), 3) - 0.4, -0.6)  # the strongest on top, and a single bar no block
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_xlabel("adds to the score")
        ax.set_title(title.texts[0], family=title.family, fontsize="medium")
        return self
