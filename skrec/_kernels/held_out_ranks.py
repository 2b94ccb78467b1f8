"""Ranks of held-out items for several weights of a prior."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def held_out_ranks(scores, prior, items, own_prior, weights, ranks) -> None:
    """Rank of one item per row by ``score + weight * prior``, for each weight; equals count half.

    Parameters
    ----------
    scores : float32 array of shape (n_rows, n_items)
    prior : float32 array of shape (n_items,)
    items : int array of shape (n_rows,)
        The item that is ranked.
    own_prior : float32 array of shape (n_rows,)
        Its prior, in place of the one in ``prior``.
    weights : float32 array of shape (n_weights,)
    ranks : float64 array of shape (n_rows, n_weights)
        Filled; 0 is the first rank.
    """
    for row in range(len(scores)):
        of_row, item = scores[row], items[row]
        for number in range(len(weights)):
            weight = weights[number]
            mine = of_row[item] + weight * own_prior[row]
            above, equal = 0, 0
            for other in range(len(prior)):
                score = of_row[other] + weight * prior[other]
                above += score > mine
                equal += score == mine
            itself = of_row[item] + weight * prior[item]
            above -= itself > mine
            equal -= itself == mine
            ranks[row, number] = above + np.float64(0.5) * equal
