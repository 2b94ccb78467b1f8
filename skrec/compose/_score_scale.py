"""Scores of different recommenders on one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_N_BEST = 50
_ROUNDING = 1e-6


@dataclass(frozen=True)
class ScoreScale:
    """A linear scale for each list: the mean of its fifty best is 1, and what is not in the list is at 0.

    0 is the lowest score of a full list: what lies outside may score the same. Where a list ends early, nothing lies
    outside, and 0 is below its lowest score, by its range over its length.

    Attributes
    ----------
    low, best : float64 arrays of shape (n_lists, 1)
        The lowest score of each list, and the mean of its fifty best.
    step : float64 array of shape (n_lists, 1)
        How far below ``low`` the zero lies.
    of_equal : float64 array of shape (n_lists, 1)
        Value of all items of a list of equal scores: 0 where it is full and says nothing, else 1.
    """

    low: NDArray[np.float64]
    best: NDArray[np.float64]
    step: NDArray[np.float64]
    of_equal: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[np.floating]) -> ScoreScale:
        """The scale of each row of scores; what is not finite is padding, and counts for nothing.

        Parameters
        ----------
        scores : array of shape (n_lists, width)
        """
        is_item = np.isfinite(scores)
        n_items = is_item.sum(axis=1, keepdims=True)
        ranked = -np.sort(np.where(is_item, -scores.astype(np.float64), np.inf), axis=1)
        among_best = np.arange(scores.shape[1]) < np.minimum(n_items, _N_BEST)
        total = np.where(among_best, ranked, 0.0).sum(axis=1, keepdims=True)
        best = total / np.maximum(among_best.sum(axis=1, keepdims=True), 1)
        low = np.where(is_item, scores.astype(np.float64), np.inf).min(axis=1, keepdims=True, initial=np.inf)
        low = np.where(n_items > 0, np.minimum(low, best), best)  # the mean of equal scores may be rounded
        ends_early = n_items < scores.shape[1]
        step = np.where(ends_early, (best - low) / np.maximum(n_items, 1), 0.0)
        return cls(low, best, step, ends_early.astype(np.float64))

    def of_rows(self, rows: NDArray[np.int64]) -> ScoreScale:
        """The scales of some of the lists."""
        return ScoreScale(self.low[rows], self.best[rows], self.step[rows], self.of_equal[rows])

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scores on the scale of their row: 0 below the lowest of the list."""
        spread = self.best - self.low
        in_list = np.isfinite(scores) & (scores >= self.low - _ROUNDING * spread)
        above = np.where(in_list, scores, self.low).astype(np.float64) - self.low + self.step
        length = spread + self.step
        of_equal = np.broadcast_to(self.of_equal, np.shape(scores)).copy()
        scaled = np.divide(above, length, out=of_equal, where=length > 0)
        return np.where(in_list, np.maximum(scaled, 0.0), 0.0)
