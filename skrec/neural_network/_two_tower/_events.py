"""From the events of ``fit`` to what towers are trained on, validated with and calibrated by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skrec._training import rows_to_hold_out
from skrec.interactions import Histories


def is_positive(y: NDArray[np.float32], threshold: float | None) -> NDArray[np.bool_]:
    """Which events count as chosen."""
    return y > 0 if threshold is None else y >= np.float32(threshold)


def has_both_classes(labels: NDArray[np.bool_]) -> bool:
    """Whether there are positive and negative events."""
    return bool(labels.any() and not labels.all())


def held_out_events(
    histories: Histories, fraction: float, rng: np.random.Generator, *, of_all: bool
) -> NDArray[np.bool_]:
    """(n_events,) events that are not trained on.

    Parameters
    ----------
    histories : Histories
    fraction : float
    rng : Generator
    of_all : bool
        Whether to hold out the last share of each user with three events or more, which is enough to calibrate
        probabilities on; else it is one event of a share of these users: the last one where events have times. Rows
        without times may be in any order, such as that of the items, of which the last ones are no sample.
    """
    lengths = histories.lengths
    if of_all:
        n_held = np.where(lengths >= 3, np.maximum(1, (lengths * fraction).astype(np.int64)), 0)
        return histories.steps_back() < np.repeat(n_held, lengths)
    mask = np.zeros(len(histories.items), bool)
    rows = rows_to_hold_out(lengths, fraction, rng)
    place = lengths[rows] - 1 if histories.timestamp is not None else rng.integers(0, lengths[rows])
    mask[histories.indptr[rows] + place] = True
    return mask
