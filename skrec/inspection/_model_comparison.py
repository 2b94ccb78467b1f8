"""Recommenders side by side, by one metric or by two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
from skrec.interactions import Table
from skrec.metrics import evaluate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ModelComparisonDisplay(Display):
    """A metric of several recommenders, with intervals, the best on top.

    Made by :meth:`from_estimator` or, where :func:`skrec.metrics.evaluate` has run already, by :meth:`from_evaluation`.

    Parameters
    ----------
    metric : str
    values : dict from name to array (mean, low, high)

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import PopularRecommender, RandomRecommender
    >>> from skrec.inspection import ModelComparisonDisplay
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20]])
    >>> X_test = np.array([[1, 20], [3, 10], [4, 30]])  # too few to tell the two apart
    >>> recs = {"popular": PopularRecommender().fit(X), "random": RandomRecommender(random_state=0).fit(X)}
    >>> display = ModelComparisonDisplay.from_estimator(recs, X_test, metric="mrr@2", random_state=0)
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['popular', 'random']
    """

    def __init__(self, *, metric: str, values: Mapping[str, ArrayLike]) -> None:
        self.metric = metric
        self.values = {name: np.asarray(value, float) for name, value in values.items()}

    @classmethod
    def from_estimator(
        cls,
        recommenders: Recommenders,
        X_test: Table,
        y_test: ArrayLike | None = None,
        *,
        metric: str = "ndcg@10",
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Measure recommenders and draw them.

        Parameters
        ----------
        recommenders : fitted recommender, or dict from name to recommender
        X_test, y_test
            As in :func:`skrec.metrics.evaluate`.
        metric : str, default="ndcg@10"
        ax : matplotlib Axes, default=None
            None makes a new figure.
        **options
            Of :func:`skrec.metrics.evaluate`.
        """
        return cls.from_evaluation(evaluate(recommenders, X_test, y_test, [metric], **options), ax=ax)

    @classmethod
    def from_evaluation(cls, table: Table, *, metric: str | None = None, ax: Axes | None = None) -> Self:
        """Draw a table of :func:`skrec.metrics.evaluate`.

        Parameters
        ----------
        table : frame
        metric : str, default=None
            One of the table's; None where it has only one.
        ax : matplotlib Axes, default=None
        """
        metric, values = one_metric(table, metric)
        return cls(metric=metric, values=values).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one point and its interval per recommender.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        names = sorted(self.values, key=lambda name: self.values[name][0])
        means, ends = spread(self.values[name] for name in names)
        places = np.arange(len(names))
        ax.errorbar(means, places, xerr=ends, fmt="o", color=color_of(0), capsize=3, markersize=7)
        labels = plot_labels(names)
        ax.set_yticks(places, labels.texts, family=labels.family)
        ax.set(xlabel=metric_name(self.metric), ylim=(-0.6, len(names) - 0.4))
        ax.grid(axis="x", alpha=0.3)
        return self


class TradeOffDisplay(Display):
    """Two metrics of several recommenders against each other, such as accuracy against popularity or diversity.

    Parameters
    ----------
    x_metric, y_metric : str
    x, y : dict from name to array (mean, low, high)
    curves : dict from name to the name of its line, or None
        Recommenders of one line, such as one model at several strengths, are joined in their order.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        *,
        x_metric: str,
        y_metric: str,
        x: Mapping[str, ArrayLike],
        y: Mapping[str, ArrayLike],
        curves: Mapping[str, str] | None = None,
    ) -> None:
        self.x_metric, self.y_metric = x_metric, y_metric
        self.x = {name: np.asarray(value, float) for name, value in x.items()}
        self.y = {name: np.asarray(value, float) for name, value in y.items()}
        self.curves = curves

    @classmethod
    def from_estimator(
        cls,
        recommenders: Recommenders,
        X_test: Table,
        y_test: ArrayLike | None = None,
        *,
        x: str = "popularity@10",
        y: str = "ndcg@10",
        curves: Mapping[str, str] | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Measure recommenders by two metrics, from one ranking of each, and draw them.

        Parameters
        ----------
        recommenders : fitted recommender, or dict from name to recommender
        X_test, y_test
            As in :func:`skrec.metrics.evaluate`.
        x, y : str
            Names of metrics.
        curves : dict from name to the name of its line, default=None
            Recommenders of one line are joined. None draws a point with its name for each.
        ax : matplotlib Axes, default=None
        **options
            Of :func:`skrec.metrics.evaluate`, such as ``item_vectors`` for "diversity".
        """
        table = evaluate(recommenders, X_test, y_test, [x, y], **options)
        return cls.from_evaluation(table, x=x, y=y, curves=curves, ax=ax)

    @classmethod
    def from_evaluation(
        cls, table: Table, *, x: str, y: str, curves: Mapping[str, str] | None = None, ax: Axes | None = None
    ) -> Self:
        """Draw two metrics of a table of :func:`skrec.metrics.evaluate`.

        Parameters
        ----------
        table : frame
        x, y : str
        curves, ax
            As in :meth:`from_estimator`.
        """
        (x, x_values), (y, y_values) = one_metric(table, x, "x"), one_metric(table, y, "y")
        unknown = sorted(set(curves or ()) - set(x_values))
        if unknown:
            raise ValueError(f"curves names {unknown[0]!r}, which is no recommender of the table.")
        return cls(x_metric=x, y_metric=y, x=x_values, y=y_values, curves=curves).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one point per recommender, with the intervals of both metrics.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        lines: dict[str, list[str]] = {}
        for name in self.x:
            lines.setdefault((self.curves or {}).get(name, name), []).append(name)
        for number, (line, names) in enumerate(lines.items()):
            (x, x_ends), (y, y_ends) = spread(self.x[name] for name in names), spread(self.y[name] for name in names)
            style = "-" if len(names) > 1 else "none"
            look: dict[str, Any] = {"color": color_of(number), "marker": marker_of(number), "linestyle": style}
            ax.errorbar(x, y, xerr=x_ends, yerr=y_ends, elinewidth=0.8, label=line, **look)
        ax.set(xlabel=metric_name(self.x_metric), ylabel=metric_name(self.y_metric))
        ax.grid(alpha=0.3)
        draw_legend(ax, lines)
        return self


class MetricAtKDisplay(Display):
    """A metric by the number of ranks that count.

    Parameters
    ----------
    metric : str
        Without ``@``.
    k : sequence of int
    curves : dict from name to array of shape (n_k, 3)
        Mean, low and high end; NaN where there is no interval.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, metric: str, k: ArrayLike, curves: Mapping[str, ArrayLike]) -> None:
        self.metric = metric
        self.k: NDArray[np.int64] = np.asarray(k)
        self.curves = {name: np.asarray(values, float) for name, values in curves.items()}

    @classmethod
    def from_estimator(
        cls,
        recommenders: Recommenders,
        X_test: Table,
        y_test: ArrayLike | None = None,
        *,
        metric: str = "recall",
        k: ArrayLike = (1, 2, 3, 5, 10, 20, 50),
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Measure recommenders at several lengths, from one ranking of each, and draw them.

        Parameters
        ----------
        recommenders : fitted recommender, or dict from name to recommender
        X_test, y_test
            As in :func:`skrec.metrics.evaluate`.
        metric : str, default="recall"
            Without ``@``.
        k : sequence of int
        ax : matplotlib Axes, default=None
        **options
            Of :func:`skrec.metrics.evaluate`.
        """
        if "@" in metric:
            raise ValueError(f"metric is named without @ here, as in {metric.split('@')[0]!r}; got {metric!r}.")
        lengths = np.unique(np.asarray(k))
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths) or lengths[0] < 1:
            raise ValueError(f"k must be whole numbers from 1, as in (1, 5, 10); got {k!r}.")
        names = [f"{metric}@{length}" for length in lengths]
        recommenders = as_mapping(recommenders)
        table = evaluate(recommenders, X_test, y_test, names, **options)
        found = [one_metric(table, name)[1] for name in names]
        return cls(metric=metric, k=lengths, curves={name: [at[name] for at in found] for name in recommenders}).plot(
            ax
        )

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one line per recommender, within its interval.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        for number, (name, values) in enumerate(self.curves.items()):
            ax.plot(self.k, values[:, 0], marker=marker_of(number), color=color_of(number), label=name)
            ax.fill_between(self.k, values[:, 1], values[:, 2], color=color_of(number), alpha=0.15, linewidth=0)
        ax.set_xscale("log")
        ax.set_xticks(self.k, [str(length) for length in self.k])
        ax.minorticks_off()
        ax.set(xlabel="k, the length of the list", ylabel=f"{metric_name(self.metric)}@k")
        ax.grid(alpha=0.3)
        draw_legend(ax, self.curves)
        return self
