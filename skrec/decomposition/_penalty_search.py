"""The L2 penalty that ranks held-out events best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skrec.base import may_be_as_good
from skrec.utils import progress

if TYPE_CHECKING:
    from skrec._kernels.als.sweeps import Side

SEARCH_TOL = 1e-3
_FIRST_SWEEPS, _NEXT_SWEEPS = 12, 6
_MOST_STEPS = 6


class PenaltyPath:
    """Two sides that are solved at one regularization after the other, each from the factors of the one before."""

    def __init__(self, sides: tuple[Side, Side], regularization: float) -> None:
        self.sides, self.regularization = sides, regularization
        self._has_moved = False

    def move_to(self, regularization: float) -> int:
        """Set the penalties of all rows; returns the number of sweeps that are due."""
        for side in self.sides:
            side.penalty *= np.float32(regularization / self.regularization)
        n_sweeps = _NEXT_SWEEPS if self._has_moved else _FIRST_SWEEPS
        self.regularization, self._has_moved = regularization, True
        return n_sweeps


def best_regularization(first: float, gains_at: Callable[[float], NDArray[np.float64]]) -> float:
    """Climb from ``first`` in steps of a factor of two, down or else up, until the mean gain falls.

    The maximum of the parabola through the best point and its neighbours, on a logarithmic scale, is returned. Where
    the best is not better by a standard error than the largest penalty of all, under which users share one vector and
    the items come by popularity, that one is.

    Parameters
    ----------
    first : float
    gains_at : callable
        Takes a regularization and returns the gain of each held-out event. Calls follow each other closely, so that
        each can start from what the one before has learned.
    """
    gains: dict[int, NDArray[np.float64]] = {}
    scores: dict[int, float] = {}
    with progress(2 * _MOST_STEPS + 1, "Regularization", "try") as bar:

        def try_step(step: int) -> float:
            gains[step] = gains_at(first * 2.0**step if step else first)
            scores[step] = float(gains[step].mean())
            bar.update(note=f"score {scores[step]:.4f}")
            return scores[step]

        try_step(0)
        for direction in (-1, 1):
            step = direction
            while abs(step) <= _MOST_STEPS and step not in scores:
                if try_step(step) <= scores[step - direction]:
                    break
                step += direction
            if len(scores) > 2:
                break
        best = max(scores, key=lambda step: (scores[step], step))
        if _MOST_STEPS not in scores:
            try_step(_MOST_STEPS)
    if may_be_as_good(gains[_MOST_STEPS], gains[best]):
        return float(first * 2.0**_MOST_STEPS)
    return float(first * 2.0 ** (best + _vertex(scores, best)))


def _vertex(scores: dict[int, float], best: int) -> float:
    """Where the parabola through three points has its maximum, in steps from the middle one."""
    if best - 1 not in scores or best + 1 not in scores:
        return 0.0
    left, right = scores[best] - scores[best - 1], scores[best] - scores[best + 1]
    return float(np.clip(0.5 * (left - right) / (left + right), -0.5, 0.5)) if left + right > 0 else 0.0
