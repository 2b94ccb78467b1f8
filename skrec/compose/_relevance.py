"""The scores of retrieved lists as a relevance to weigh against, and lists of what was chosen from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Recommendations


def relevance(retrieved: Recommendations) -> NDArray[np.float64]:
    """Scores, scaled to run from 0 for the last to 1 for the first item of each list; 0 where there is no item."""
    there = retrieved.codes >= 0
    scores = np.where(there, retrieved.scores, 0.0).astype(np.float64)
    lowest = np.min(scores, axis=1, initial=np.inf, where=there, keepdims=True)
    spread = np.max(scores, axis=1, initial=-np.inf, where=there, keepdims=True) - lowest
    scaled = np.zeros(scores.shape)
    np.divide(scores - np.where(there, lowest, 0.0), spread, out=scaled, where=there & (spread > 0))
    return scaled


def self_information(popularity: NDArray) -> NDArray[np.float64]:
    """Self-information of each item over that of the least popular one; 0 where there are no events."""
    total = popularity.sum(dtype=np.float64)
    if total <= 0:
        return np.zeros(len(popularity))
    share = np.maximum(popularity, popularity[popularity > 0].min()) / total
    information = -np.log2(np.minimum(share, 1.0))
    largest = information.max()
    return information / largest if largest > 0 else information


def chosen_lists(
    retrieved: Recommendations, places: NDArray[np.int32], *, keep_order: bool
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Codes and scores of the items at some places of the retrieved lists; a place of -1 is none.

    With ``keep_order`` they stand as they did there, with their own scores; else in the order of ``places``, with the
    scores that stood at the same ranks.
    """
    width = retrieved.codes.shape[1]
    if not keep_order:
        return _at(retrieved.codes, places, -1), retrieved.scores[:, : places.shape[1]]
    places = np.sort(np.where(places >= 0, places, width), axis=1)
    places[places == width] = -1
    return _at(retrieved.codes, places, -1), _at(retrieved.scores, places, -np.inf)


def _at(values: NDArray, places: NDArray[np.int32], missing: float) -> NDArray:
    found = np.take_along_axis(values, np.maximum(places, 0), axis=1)
    found[places < 0] = missing
    return found
