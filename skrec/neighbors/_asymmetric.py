"""Item similarities with a direction, from the order of events."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from skrec.base import Similarity, merge_repeats, pair_table
from skrec.interactions import Histories


def distance_weights(
    histories: Histories, pair_decay: float, backward_weight: float, window: int
) -> tuple[NDArray, NDArray]:
    """Weight of a pair of events by its distance in steps, forward and backward; 0 at distance 0."""
    window = min(window, max(1, int(histories.lengths.max(initial=0))))  # no pair is further apart
    forward = np.concatenate([[0], np.power(float(pair_decay), np.arange(window))])
    return forward, backward_weight * forward


def asymmetric(
    histories: Histories,
    n_items: int,
    *,
    source_exponent: float,
    target_exponent: float,
    length_exponent: float,
    lags: tuple[NDArray, NDArray] | None = None,
    merged: bool = False,
    only: NDArray[np.int64] | None = None,
    dtype: DTypeLike = np.float32,
    n_jobs: int | None = None,
) -> Similarity:
    """Pair weights, normalised by powers of the total weight of the source item and of the target item.

    Each user's pairs are divided by (1 + events of the user) ** ``length_exponent``, then a pair weight by
    (1 + total of the source) ** ``source_exponent`` and (1 + total of the target) ** ``target_exponent``.
    ``merged`` merges the repeats of an item in a row, which needs weights that do not depend on distance.
    With ``only``, the pairs of these items alone can be read.
    """
    from skrec._kernels.item_graph.build import pair_mass
    from skrec._kernels.threads import run_blocks

    share = np.power(1.0 + histories.lengths, -length_exponent)
    weights = histories.y * share[histories.row_of_event()], histories.y
    pairs = pair_table(histories, n_items, *weights, lags=lags, only=only, dtype=dtype)
    masses = np.zeros((2, len(histories.items)))
    run_blocks(lambda start, stop: pair_mass(start, stop, pairs, *masses), len(histories), 1024, n_jobs)
    of_source, of_target = (np.bincount(histories.items, weights=mass, minlength=n_items) for mass in masses)
    if merged:
        # The masses count pairs of two events of one item; from here on only pairs of two items matter.
        rows, source, target = merge_repeats(histories, n_items, pairs.source, pairs.target)
        pairs = pair_table(rows, n_items, source, target, only=only, dtype=dtype)
    return Similarity(pairs, (1 + of_source) ** -source_exponent, (1 + of_target) ** -target_exponent)
