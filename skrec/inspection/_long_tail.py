"""How a recommender's lists share the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skrec.inspection._display import Display, Recommenders, as_mapping, color_of, draw_legend
from skrec.interactions import IdIndex, Ids, RecommenderView, as_column, factorize
from skrec.utils import unwrap_recommender

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_EVENTS = "events in training"


class LongTailDisplay(Display):
    """The share of all places in lists that the most recommended items take (a Lorenz curve, from the top).

    A curve that rises at once recommends few items to everybody; where it reaches 1 stands the coverage: the share of
    the catalogue that is in any list. The curve of the training events tells how uneven the demand was.

    Parameters
    ----------
    exposures : dict from name to array of shape (n_items,)
        How often each item stands in a list.

    Attributes
    ----------
    coverage_ : dict from name to float
        Share of the catalogue in any list.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.inspection import LongTailDisplay
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20], [4, 40]])
    >>> display = LongTailDisplay.from_estimator(PopularRecommender().fit(X), k=1)
    >>> display.coverage_["PopularRecommender"]
    0.75
    """

    def __init__(self, *, exposures: Mapping[str, ArrayLike]) -> None:
        self.exposures: dict[str, NDArray[np.float64]] = {}
        for name, counts in exposures.items():
            values = np.asarray(counts, float)
            if values.ndim != 1 or not len(values) or not (values >= 0).all() or not values.sum() > 0:
                raise ValueError(
                    f"exposures[{name!r}] must be one number from 0 for each item, not all 0; got {np.shape(counts)} "
                    f"values{'' if not values.size else f' from {values.min():g} to {values.max():g}'}."
                )
            self.exposures[name] = values
        self.coverage_ = {name: float((values > 0).mean()) for name, values in self.exposures.items()}

    @classmethod
    def from_estimator(
        cls,
        recommenders: Recommenders,
        users: Ids | None = None,
        *,
        k: int = 10,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Recommend to users and draw how their lists share the catalogue.

        Parameters
        ----------
        recommenders : fitted recommender, or dict from name to recommender
        users : array-like of ids, default=None
            None means every user of the first recommender.
        k : int, default=10
            Length of the lists.
        ax : matplotlib Axes, default=None
        **options
            Of ``recommend``.
        """
        recommenders = as_mapping(recommenders)
        exposures: dict[str, NDArray[Any]] = {}
        for name, recommender in recommenders.items():
            view = RecommenderView(unwrap_recommender(recommender))
            users = view.recommender.users_ if users is None else users
            # The estimator itself, not what it holds: a pipeline may have a context to encode.
            lists = recommender.recommend(users, min(k, len(view.item_index)), **options)
            exposures.setdefault(_EVENTS, view.popularity())
            exposures[name] = _count(lists[0] if isinstance(lists, tuple) else lists.items, view.item_index)
        return cls(exposures=exposures).plot(ax)

    @classmethod
    def from_predictions(cls, lists: Any, items: Ids, *, name: str = "lists", ax: Axes | None = None) -> Self:
        """Draw lists of items that were made before.

        Parameters
        ----------
        lists : Recommendations, or array-like of shape (n_queries, k)
            Ids; None stands for no item.
        items : array-like of shape (n_items,)
            The whole catalogue.
        name : str, default="lists"
        ax : matplotlib Axes, default=None
        """
        catalogue = IdIndex(factorize(as_column(items, "items"), "items")[0])
        counts = _count(getattr(lists, "items", lists), catalogue)
        return cls(exposures={name: counts}).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one curve per recommender.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        names = []
        models = [name for name in self.exposures if name != _EVENTS]
        for name, counts in self.exposures.items():
            ordered = np.sort(counts)[::-1]
            share = np.concatenate([[0], np.cumsum(ordered) / ordered.sum()])
            is_events = name == _EVENTS
            color, style = ("0.5", "--") if is_events else (color_of(models.index(name)), "-")
            names.append(name if is_events else f"{name}: {self.coverage_[name]:.0%} of the catalogue")
            ax.plot(np.linspace(0, 1, len(share)), share, label=names[-1], color=color, linestyle=style)
        ax.set(
            xlabel="share of the catalogue, the most recommended items first",
            ylabel="share of all places",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        ax.grid(alpha=0.3)
        draw_legend(ax, names)
        return self


def _count(items: Any, catalogue: IdIndex) -> NDArray[np.int64]:
    """How often each item of the catalogue stands in lists."""
    given = np.array([item for item in np.asarray(items, object).ravel().tolist() if item is not None])
    codes = catalogue.codes(given, "lists") if len(given) else np.empty(0, np.int64)
    if (codes < 0).any():
        raise ValueError(
            f"lists holds {given[codes < 0].tolist()[0]!r}, which is not in items; pass the whole catalogue."
        )
    return np.bincount(codes, minlength=len(catalogue))
