"""What displays share: axes, colours that everyone can tell apart, and the tables that they are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito: safe for colour-blind readers."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
Recommenders: TypeAlias = BaseEstimator | Mapping[str, BaseEstimator]
"""A fitted recommender, or several by name."""
_NEEDED = ("model", "metric", "mean", "ci_low", "ci_high")


class Display:
    """A drawing of results that were computed before.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def _start(self, ax: Axes | None = None) -> Axes:
        """The axes to draw on; a new figure where none is given."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                f'{type(self).__name__} draws with matplotlib, which is not installed: pip install "matplotlib>=3.8".'
            ) from error
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def color_of(number: int) -> str:
    """A colour of the palette, which is used again where there are more lines than colours."""
    return COLORS[number % len(COLORS)]


def marker_of(number: int) -> str:
    """A marker; with the colour it differs for many lines."""
    return MARKERS[(number + number // len(COLORS)) % len(MARKERS)]


def read_evaluation(table: Any) -> dict[str, list[Any]]:
    """Columns of a table that :func:`skrec.metrics.evaluate` gave.

    Raises
    ------
    TypeError
        If it is no frame.
    ValueError
        If it lacks a column, or has no row.
    """
    try:
        frame = nw.from_native(table, eager_only=True)
    except TypeError:
        raise TypeError(f"table must be a frame, as evaluate() gives it; got {type(table).__name__}.") from None
    missing = [name for name in _NEEDED if name not in frame.columns]
    if missing:
        raise ValueError(f"table has no column {', '.join(map(repr, missing))}; pass what evaluate() gave.")
    if not len(frame):
        raise ValueError("table has no rows; pass what evaluate() gave.")
    return {name: frame[name].to_list() for name in _NEEDED}


def one_metric(table: Any, metric: str | None, what: str = "metric") -> tuple[str, dict[str, NDArray[np.float64]]]:
    """Mean and interval of each model by one metric of an evaluation.

    Parameters
    ----------
    table : frame
    metric : str or None
        None takes the metric of a table that has no other.
    what : str
        Name of the parameter, for errors.

    Returns
    -------
    metric : str
    values : dict from model to array of (mean, low, high)
    """
    columns = read_evaluation(table)
    found = list(dict.fromkeys(columns["metric"]))
    if metric is None and len(found) == 1:
        metric = found[0]
    if metric is None or metric not in found:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, found))}, which the table has; got {metric!r}.")
    rows = zip(*(columns[name] for name in _NEEDED), strict=True)
    return metric, {str(model): np.array(values, float) for model, name, *values in rows if name == metric}


def spread(values: Iterable[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means, and their distances to both ends of the interval as matplotlib takes them; 0 without an interval."""
    means, low, high = np.array(list(values), float).T
    return means, np.nan_to_num(np.maximum([means - low, high - means], 0))


def as_mapping(recommenders: Recommenders) -> dict[str, Any]:
    """Recommenders by name; a single one is called by its class."""
    if isinstance(recommenders, Mapping):
        if not recommenders:
            raise ValueError("recommenders is empty; pass a fitted recommender, or a dict from name to recommender.")
        return {str(name): one for name, one in recommenders.items()}
    return {type(recommenders).__name__: recommenders}


def draw_legend(ax: Axes, names: Iterable[str], **where: Any) -> None:
    """A legend in any language, where there is more than one name; ``where`` says its place, as matplotlib does."""
    from skrec.inspection._plot_labels import plot_labels

    labels = plot_labels(names)
    if len(labels.texts) > 1:
        handles = ax.get_legend_handles_labels()[0]
        ax.legend(handles, labels.texts, prop={"family": labels.family}, frameon=False, **where)


def metric_name(metric: str) -> str:
    """A metric as one writes it: NDCG@10, recall@10."""
    name, mark, k = metric.partition("@")
    return (name.upper() if name in ("ndcg", "map", "mrr", "auc", "rmse", "mae") else name) + mark + k
