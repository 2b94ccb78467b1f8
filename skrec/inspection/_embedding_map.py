"""Vectors on a plane, with the names of some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, TruncatedSVD

from skrec.inspection._display import COLORS, Display, color_of, draw_legend, marker_of
from skrec.inspection._plot_labels import plot_labels
from skrec.interactions import IdIndex, Ids, RecommenderView
from skrec.utils import RandomState, unwrap_recommender

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OFFSETS = ((5, 4), (5, -10), (-5, 4), (-5, -10))
"""Where a label may stand, in points from its own; negative x ends there."""


class EmbeddingDisplay(Display):
    """A map of vectors, such as those of items: near on the map is similar, as far as a plane can show it.

    Parameters
    ----------
    points : array of shape (n, 2)
    names : sequence of n str or None
        What the points are called.
    groups : sequence of n values or None
        What gives the colours; the six largest groups have one of their own.
    n_labels : int, default=20
        Most names that are written, where they have room.
    explained : float or None
        Share of the variance that the plane has; None for UMAP.

    Attributes
    ----------
    labelled_ : list of int
        The points whose names are written.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        *,
        points: ArrayLike,
        names: Sequence[Any] | NDArray | None = None,
        groups: Sequence[Any] | NDArray | None = None,
        n_labels: int = 20,
        explained: float | None = None,
    ) -> None:
        self.points = np.asarray(points, float)
        if self.points.ndim != 2 or self.points.shape[1] != 2:
            raise ValueError(f"points must be of shape (n, 2); got {self.points.shape}.")
        for what, given in (("names", names), ("groups", groups)):
            if given is not None and len(given) != len(self.points):
                raise ValueError(f"{what} has {len(given)} values for {len(self.points)} points.")
        self.names = None if names is None else list(names)
        self.groups = None if groups is None else np.asarray(groups, object)
        self.n_labels = n_labels
        self.explained = explained

    @classmethod
    def from_estimator(
        cls,
        recommender: BaseEstimator,
        *,
        items: Ids | None = None,
        names: Sequence[Any] | NDArray | None = None,
        groups: Sequence[Any] | NDArray | None = None,
        n_labels: int = 20,
        method: Literal["pca", "umap"] = "pca",
        random_state: RandomState = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the item vectors of a recommender.

        Parameters
        ----------
        recommender : fitted recommender with ``item_vectors``, or a Pipeline or search that ends in one
        items : array-like of n ids, default=None
            The items to draw; None means all.
        names, groups : sequence of n values, default=None
            Of the items, in their order. Without names the ids are written.
        n_labels, method, random_state, ax
            As in :meth:`from_predictions`.

        Raises
        ------
        KeyError
            If an item is unknown.
        """
        model = unwrap_recommender(recommender)
        if not hasattr(model, "item_vectors"):
            raise TypeError(
                f"{type(model).__name__} has no item_vectors() as it was fitted; pass vectors to from_predictions."
            )
        vectors, index = model.item_vectors(), RecommenderView(model).item_index
        if items is not None:
            codes = _codes(items, index)
            vectors, ids = vectors[codes], index.values[codes]
        else:
            ids = index.values
        names = ids.tolist() if names is None else names
        return cls.from_predictions(
            vectors, names=names, groups=groups, n_labels=n_labels, method=method, random_state=random_state, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        vectors: ArrayLike,
        *,
        names: Sequence[Any] | NDArray | None = None,
        groups: Sequence[Any] | NDArray | None = None,
        n_labels: int = 20,
        method: Literal["pca", "umap"] = "pca",
        random_state: RandomState = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw vectors, such as those of a text encoder.

        Parameters
        ----------
        vectors : array-like or sparse array of shape (n, d)
        names, groups : sequence of n values, default=None
        n_labels : int, default=20
            Most names that are written. Those far from the middle come first, and none that would cover another.
        method : {"pca", "umap"}, default="pca"
            "umap" needs the package umap-learn.
        random_state : int, RandomState instance or None, default=None
        ax : matplotlib Axes, default=None
        """
        points, explained = _project(vectors, method, random_state)
        return cls(points=points, names=names, groups=groups, n_labels=n_labels, explained=explained).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the points and the names that have room.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax = self._start(ax)
        if self.groups is None:
            ax.scatter(self.points[:, 0], self.points[:, 1], s=18, color=color_of(0), alpha=0.7)
        else:
            self._draw_groups(ax)
        ax.set_xticks([])
        ax.set_yticks([])
        if self.explained is not None:
            ax.set_xlabel(f"two directions with {self.explained:.0%} of the variance")
        self.labelled_ = [] if self.names is None else self._draw_names(ax)
        return self

    def _draw_groups(self, ax: Any) -> None:
        assert self.groups is not None
        texts = np.array(["none" if value is None or value != value else str(value) for value in self.groups])
        values, counts = np.unique(texts, return_counts=True)
        kept = values[np.argsort(-counts, kind="stable")][: len(COLORS) - 1].tolist()
        others = ~np.isin(texts, kept)
        if others.any():
            ax.scatter(*self.points[others].T, s=14, color="0.75", label="others")
        for number, name in enumerate(kept):
            at = texts == name
            ax.scatter(
                *self.points[at].T, s=24, color=color_of(number), marker=marker_of(number), label=name, alpha=0.8
            )
        draw_legend(ax, (["others"] if others.any() else []) + kept, loc="upper left", bbox_to_anchor=(1, 1))

    def _draw_names(self, ax: Any) -> list[int]:
        """Write names, those of the outermost points first, each where it covers no other."""
        assert self.names is not None
        labels = plot_labels(self.names)
        ax.figure.draw_without_rendering()  # the layout is settled: what has room now has room in the picture
        renderer = ax.figure.canvas.get_renderer()
        taken: list[Any] = []
        labelled: list[int] = []
        for at in np.argsort(-np.linalg.norm(self.points - self.points.mean(axis=0), axis=1), kind="stable").tolist():
            if len(labelled) >= self.n_labels:
                break
            for x, y in _OFFSETS:
                side = "left" if x > 0 else "right"
                text = ax.annotate(
                    labels.texts[at],
                    self.points[at],
                    (x, y),
                    textcoords="offset points",
                    ha=side,
                    fontsize=8,
                    family=labels.family,
                    annotation_clip=False,
                )
                box = text.get_window_extent(renderer)
                if not any(box.overlaps(other) for other in taken) and _inside(box, ax):
                    taken.append(box)
                    labelled.append(at)
                    break
                text.remove()
        return labelled


def _inside(box: Any, ax: Any) -> bool:
    frame = ax.get_window_extent()
    return box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1


def _codes(items: Ids, index: IdIndex) -> NDArray[np.int64]:
    codes = index.codes(items, "items")
    if (codes < 0).any():
        raise KeyError(f"items holds {np.asarray(items)[codes < 0].tolist()[0]!r}, which the model does not know.")
    return codes


def _project(vectors: ArrayLike, method: str, random_state: RandomState) -> tuple[NDArray[np.float64], float | None]:
    """Points of the plane, and the share of the variance that it has."""
    n, width = np.shape(vectors)
    if n < 2 or width < 2:
        raise ValueError(f"vectors must be at least two, of two numbers or more, for a map; got shape {(n, width)}.")
    if method == "umap":
        try:
            from umap import UMAP
        except ImportError as error:
            raise ImportError('method="umap" needs the package umap-learn: pip install umap-learn.') from error
        return np.asarray(UMAP(random_state=random_state).fit_transform(vectors)), None
    if method != "pca":
        raise ValueError(f'method must be "pca" or "umap"; got {method!r}.')
    plane = (TruncatedSVD if sp.issparse(vectors) else PCA)(n_components=2, random_state=random_state)
    points = plane.fit_transform(vectors)
    return points, float(plane.explained_variance_ratio_.sum())
