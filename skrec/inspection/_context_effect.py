"""How lists change with the moment."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skrec.inspection._display import Display
from skrec.inspection._plot_labels import plot_labels
from skrec.interactions import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ContextDisplay(Display):
    """The places of items in one user's list, from context to context, such as from hour to hour.

    Parameters
    ----------
    ranks : array of shape (n_items, n_contexts)
        From 1; NaN where an item is not in the list.
    items : list of str
        Names of the items, those that are listed most and best first.
    contexts : list of str
        Names of the contexts.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, ranks: ArrayLike, items: Sequence[str], contexts: Sequence[str]) -> None:
        self.ranks = np.asarray(ranks, float)
        if self.ranks.shape != (len(items), len(contexts)):
            raise ValueError(
                f"ranks must be of shape (n_items, n_contexts), here {(len(items), len(contexts))}; got "
                f"{self.ranks.shape}."
            )
        self.items, self.contexts = list(items), list(contexts)

    @classmethod
    def from_estimator(
        cls,
        recommender: BaseEstimator,
        user: Hashable,
        context: Table,
        *,
        labels: Sequence[Any] | None = None,
        k: int = 5,
        n_items: int = 15,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Recommend to a user in several contexts, and draw the places of the items.

        Parameters
        ----------
        recommender : fitted recommender
            One that uses context, as ``make_pipeline(ContextEncoder(), HybridMFRecommender())`` does.
        user : id
        context : table of shape (n_contexts, n_columns)
            As in ``recommend``: one row per context.
        labels : sequence of n_contexts values, default=None
            Names of the contexts; None takes the values of a single column, or the numbers of the rows.
        k : int, default=5
            Length of the lists.
        n_items : int, default=15
            Most items that are drawn: those that are listed in most contexts.
        ax : matplotlib Axes, default=None
        **options
            Of ``recommend``.
        """
        n = _num_samples(context)
        if not n:
            raise ValueError("context has no rows; pass one row per context.")
        if labels is not None and len(labels) != n:
            raise ValueError(f"labels has {len(labels)} values for {n} contexts.")
        lists = recommender.recommend([user] * n, k, context=context, **options)
        names = _names(lists)
        order: dict[Any, NDArray[np.float64]] = {}
        for moment, row in enumerate(np.asarray(lists.items, object).tolist()):
            for rank, item in enumerate(row, 1):
                if item is not None:
                    order.setdefault(item, np.full(n, np.nan))[moment] = rank
        shown = sorted(order, key=lambda item: -(1 / order[item][~np.isnan(order[item])]).sum())[:n_items]
        texts = [str(names.get(item, item)) for item in shown]
        columns = _labels(context) if labels is None else [str(label) for label in labels]
        return cls(ranks=[order[item] for item in shown], items=texts, contexts=columns).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a table of places, the first ones darkest.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        deepest = np.nanmax(self.ranks)
        ax.imshow(-self.ranks, cmap="Blues", aspect="auto", vmin=-deepest - 1, vmax=-1)
        for (row, column), rank in np.ndenumerate(self.ranks):
            if not np.isnan(rank):
                dark = rank <= (deepest + 1) / 2
                ax.text(column, row, f"{rank:.0f}", ha="center", va="center", color="white" if dark else "black")
        items, contexts = plot_labels(self.items), plot_labels(self.contexts)
        ax.set_yticks(np.arange(len(self.items)), items.texts, family=items.family)
        long = max(map(len, self.contexts)) > 4 and len(self.contexts) > 4
        ax.set_xticks(np.arange(len(self.contexts)), contexts.texts, family=contexts.family, rotation=90 if long else 0)
        ax.set_xlabel("context (numbers are places in the list)")
        return self


def _names(lists: Any) -> dict[Any, str]:
    """Titles of the items that have one."""
    titles = getattr(lists, "titles", None)
    if titles is None:
        return {}
    pairs = zip(np.asarray(lists.items, object).ravel().tolist(), titles.ravel().tolist(), strict=True)
    return {item: title for item, title in pairs if title is not None}


def _labels(context: Any) -> list[str]:
    """Values of a context of one column, else numbers."""
    columns = 1 if np.ndim(context) == 1 else np.shape(context)[1]
    rows = [_safe_indexing(context, [row]) for row in range(len(context))]
    if columns != 1:
        return [str(number) for number in range(1, len(rows) + 1)]
    return [str(np.asarray(row).ravel()[0]) for row in rows]
