"""The L2 penalty that ranks held-out events best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

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


def best_regularization(first: float, score_at: Callable[[float], float]) -> float:
    """Climb from ``first`` in steps of a factor of two, down or else up, until the score falls.

    The maximum of the parabola through the best point and its neighbours, on a logarithmic scale, is returned.

    Parameters
    ----------
    first : float
    score_at : callable
        Takes a regularization and returns its score. Calls follow each other closely, so that each can start from
        what the one before has learned.
    """
    scores: dict[int, float] = {}
    with progress(2 * _MOST_STEPS + 1, "Regularization", "try") as bar:

        def try_step(step: int) -> float:
            scores[step] = score_at(first * 2.0**step if step else first)
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
    return float(first * 2.0 ** (best + _vertex(scores, best)))


def _vertex(scores: dict[int, float], best: int) -> float:
    """Where the parabola through three points has its maximum, in steps from the middle one."""
    if best - 1 not in scores or best + 1 not in scores:
        return 0.0
    left, right = scores[best] - scores[best - 1], scores[best] - scores[best + 1]
    return float(np.clip(0.5 * (left - right) / (left + right), -0.5, 0.5)) if left + right > 0 else 0.0
