"""Random numbers inside compiled loops."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(inline="always")
def next_number(state):
    """SplitMix64 (Steele, Lea and Flood, 2014): the next state and a number of 32 bits."""
    state += np.uint64(0x9E3779B97F4A7C15)
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, (z ^ (z >> np.uint64(31))) >> np.uint64(32)
