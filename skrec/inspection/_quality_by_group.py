"""For whom and for what a recommender is good: a metric by groups of held-out events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skrec.inspection._display import (
    Display,
    Recommenders,
    as_mapping,
    color_of,
    draw_legend,
    marker_of,
    metric_name,
    one_metric,
    spread,
)
from skrec.inspection._plot_labels import plot_labels
from skrec.interactions import RecommenderView, Table, read_events
from skrec.metrics import evaluate
from skrec.utils import unwrap_recommender

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AXES = {"history_length": "events of the user in training", "item_popularity": "events of the item in training"}


class QualityByGroupDisplay(Display):
    """A metric by the length of the history, the popularity of the item, or any other group of events.

    A mean over all users hides who gets poor lists: often those with few events, and those who chose rare items.

    Parameters
    ----------
    metric : str
    groups : list of str
        Names of the groups, in order.
    n_events : array of shape (n_groups,)
        Held-out events in each.
    curves : dict from name to array of shape (n_groups, 3)
        Mean, low and high end of each recommender in each group.
    by : str
        What the groups are made of.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self, *, metric: str, groups: list[str], n_events: ArrayLike, curves: Mapping[str, ArrayLike], by: str
    ) -> None:
        self.metric, self.groups, self.by = metric, groups, by
        self.n_events: NDArray[np.int64] = np.asarray(n_events)
        self.curves = {name: np.asarray(values, float) for name, values in curves.items()}

    @classmethod
    def from_estimator(
        cls,
        recommenders: Recommenders,
        X_test: Table,
        y_test: ArrayLike | None = None,
        *,
        by: str | ArrayLike = "history_length",
        n_groups: int = 5,
        metric: str = "ndcg@10",
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Measure recommenders on each group of held-out events alone, and draw them.

        Parameters
        ----------
        recommenders : fitted recommender, or dict from name to recommender
        X_test, y_test
            As in :func:`skrec.metrics.evaluate`.
        by : "history_length", "item_popularity" or array-like of shape (n_events,)
            Of an array, numbers are cut into ``n_groups`` of like size, and other values are groups of their own.
            The first two are counted from the training events of the first recommender; users and items without any
            are a group of their own.
        n_groups : int, default=5
        metric : str, default="ndcg@10"
        ax : matplotlib Axes, default=None
        **options
            Of :func:`skrec.metrics.evaluate`.
        """
        recommenders = as_mapping(recommenders)
        title, values = _values(by, next(iter(recommenders.values())), X_test)
        groups = _cut(values, n_groups)
        curves: dict[str, list[NDArray[np.float64]]] = {name: [] for name in recommenders}
        for _, rows in groups:
            y = None if y_test is None else _safe_indexing(y_test, rows)
            found = one_metric(evaluate(recommenders, _safe_indexing(X_test, rows), y, [metric], **options), None)[1]
            for name, line in curves.items():
                line.append(found[name])
        sizes = [len(rows) for _, rows in groups]
        names = [name for name, _ in groups]
        return cls(metric=metric, groups=names, n_events=sizes, curves=curves, by=title).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one line per recommender; below each group stands its number of held-out events.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        places = np.arange(len(self.groups))
        for number, (name, values) in enumerate(self.curves.items()):
            means, ends = spread(values)
            at = places + 0.12 * (number - (len(self.curves) - 1) / 2)
            look: dict[str, Any] = {"marker": marker_of(number), "color": color_of(number), "capsize": 2, "label": name}
            ax.errorbar(at, means, yerr=ends, **look)
        labels = plot_labels(f"{name}\n({n})" for name, n in zip(self.groups, self.n_events.tolist(), strict=True))
        ax.set_xticks(places, labels.texts, family=labels.family)
        ax.set(xlabel=f"{self.by} (held-out events)", ylabel=metric_name(self.metric))
        ax.grid(axis="y", alpha=0.3)
        draw_legend(ax, self.curves)
        return self


def _values(by: Any, recommender: Any, X_test: Table) -> tuple[str, NDArray]:
    """What the groups are called, and the value of each event."""
    if not isinstance(by, str):
        values = np.asarray(by)
        n = _num_samples(X_test)
        if values.shape != (n,):
            raise ValueError(f"by must have one value per event of X_test, {n}; got shape {values.shape}.")
        return str(getattr(by, "name", None) or "group"), values
    if by not in _AXES:
        raise ValueError(f"by must be {' or '.join(map(repr, _AXES))}, or one value per event; got {by!r}.")
    model = unwrap_recommender(recommender)
    view = RecommenderView(model)
    events = read_events(X_test, what="X_test")
    if by == "history_length":
        return _AXES[by], view.seen_items(events.users).lengths
    codes = view.item_index.codes(events.items, "items of X_test", check_kind=False)
    return _AXES[by], np.where(codes >= 0, view.popularity()[codes], 0)


def _cut(values: NDArray, n_groups: int) -> list[tuple[str, NDArray[np.int64]]]:
    """Groups of like size with their names and rows; zero, and what is no number, stand alone."""
    if isinstance(n_groups, bool) or not isinstance(n_groups, int) or n_groups < 1:
        raise ValueError(f"n_groups must be a whole number from 1; got {n_groups!r}.")
    distinct = np.unique(values)
    if values.dtype.kind not in "iuf" or len(distinct) <= n_groups:
        return [(str(value), np.flatnonzero(values == value)) for value in distinct.tolist()]
    positive = values[values > 0]
    edges = np.unique(np.quantile(positive, np.linspace(0, 1, n_groups + 1), method="higher"))
    groups = [] if (values > 0).all() else [("0", np.flatnonzero(values <= 0))]
    number = np.clip(np.searchsorted(edges, values, side="left"), 1, len(edges) - 1)
    for at in range(1, len(edges)):
        rows = np.flatnonzero((values > 0) & (number == at))
        if len(rows):
            inside = values[rows]
            low, high = f"{inside.min():g}", f"{inside.max():g}"
            groups.append((low if low == high else f"{low} to {high}", rows))
    return groups
