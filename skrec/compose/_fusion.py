"""Fusion: one list from those of several recommenders."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skrec.compose._composite import CompositeRecommender
from skrec.compose._merge import merge_lists
from skrec.compose._part_lists import PartLists

_RRF_CONSTANT = 60
"""Of Cormack et al.: how much the first places stand out."""


class FusionRecommender(CompositeRecommender):
    """Merge the lists of several recommenders by reciprocal rank fusion.

    An item gets ``weight / (60 + rank)`` from each list that holds it, and the sum orders the items.

    Parameters
    ----------
    recommenders : list of (name, recommender)
        ``fit`` fits a clone of each; a :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one.
    weights : sequence of float, default=None
        One non-negative weight per recommender; None means 1 for each.
    n_candidates : int, default=100
        Length of the lists that are merged, or ``k`` where that is more.

    Attributes
    ----------
    recommenders_ : list of recommender
        The fitted parts.
    named_recommenders_ : Bunch
        The same by name.

    Notes
    -----
    ``predict`` is that of the first recommender: the rank of a pair is known only beside all others. Scores of
    ``recommend`` compare within a row.

    References
    ----------
    G. V. Cormack, C. L. A. Clarke and S. Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
    learning methods", SIGIR 2009.

    Examples
    --------
    >>> from skrec.compose import FusionRecommender
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = [["ann", "tea"], ["ann", "rye"], ["bob", "tea"], ["bob", "oat"], ["eve", "rye"]]
    >>> rec = FusionRecommender([("popular", PopularRecommender()), ("knn", ItemKNNRecommender())]).fit(X)
    >>> rec.recommend(["eve"], k=2).items
    array([['tea', 'oat']], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "recommenders": [list, tuple],
        "weights": ["array-like", None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        recommenders: Sequence[tuple[str, Any]],
        *,
        weights: Sequence[float] | None = None,
        n_candidates: int = 100,
    ) -> None:
        self.recommenders = recommenders
        self.weights = weights
        self.n_candidates = n_candidates

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.neighbors import ItemKNNRecommender

        return [cls([("popular", PopularRecommender()), ("knn", ItemKNNRecommender(n_neighbors=5))])]

    def _check_composite(self) -> None:
        self._weight_of_part()

    def _weight_of_part(self) -> dict[str, float]:
        """The weight of each part by name.

        Raises
        ------
        ValueError, TypeError
            If the weights are not one non-negative number per part, or all are 0.
        """
        names = [name for name, _ in self.recommenders]
        if self.weights is None:
            return dict.fromkeys(names, 1.0)
        weights = list(self.weights)
        if len(weights) != len(names):
            raise ValueError(f"weights has {len(weights)} numbers for {len(names)} recommenders; pass one per part.")
        wrong = [w for w in weights if not isinstance(w, Real) or isinstance(w, bool)]
        if wrong:
            raise TypeError(f"weights must be numbers; got {wrong[0]!r} among them.")
        if not all(0 <= weight < np.inf for weight in weights) or not any(weights):
            raise ValueError(f"weights must be finite, at least 0 and not all 0; got {weights}.")
        return dict(zip(names, map(float, weights), strict=True))

    def _n_retrieved(self, k: int) -> int:
        return max(k, self.n_candidates)

    def _combine(self, found: PartLists, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        weights = self._weight_of_part()
        codes = [lists.codes for lists in found.lists]
        by_rank = 1 / (_RRF_CONSTANT + 1 + np.arange(codes[0].shape[1]))
        values = [np.broadcast_to(weights[name] * by_rank, lists.codes.shape) for name, lists in found]
        return merge_lists(codes, values, len(self._item_index), k)
