"""Gains of the items of ranked lists, and what ranking metrics sum over them."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def list_gains(indptr, indices, values, n_codes, codes, gains, ideal) -> None:
    """Look up the gain of every item of every list, and the gains of the best possible lists.

    Parameters
    ----------
    indptr, indices, values : integer arrays and float64 array
        Relevant items of each list: a CSR matrix without repeats.
    n_codes : int
        Its columns.
    codes : integer array of shape (n_lists, n_places)
        What is looked up; a code that is not relevant, or negative, gains nothing.
    gains : float64 array of shape (n_lists, at least n_places)
        Filled where there is a gain.
    ideal : float64 array of shape (n_lists, n_ranks)
        Filled with the greatest gains of each list, best first.
    """
    gain_of = np.zeros(n_codes)
    for row in range(codes.shape[0]):
        begin, end = indptr[row], indptr[row + 1]
        same = True
        for at in range(begin, end):
            gain_of[indices[at]] = values[at]
            same = same and values[at] == values[begin]
        for place in range(codes.shape[1]):
            code = codes[row, place]
            if 0 <= code < n_codes:
                gains[row, place] = gain_of[code]
        ordered = values[begin:end] if same else np.sort(values[begin:end])
        for rank in range(min(ideal.shape[1], end - begin)):
            ideal[row, rank] = ordered[end - begin - 1 - rank]
        for at in range(begin, end):
            gain_of[indices[at]] = 0


@njit(cache=True, nogil=True)
def list_sums(gains, ideal, k, n_found, first_found, precisions, discounted, best_discounted) -> None:
    """Sums over the first k places of every list.

    Parameters
    ----------
    gains, ideal : float64 arrays of shape (n_lists, n_ranks)
    k : int
        At most ``n_ranks``.
    n_found, first_found : int64 arrays of shape (n_lists,)
        Filled: places with a gain, and the rank of the first of them, 0 if there is none.
    precisions : float64 array of shape (n_lists,)
        Filled: sum of the precision at each of these places.
    discounted, best_discounted : float64 arrays of shape (n_lists,)
        Filled: discounted sums of ``gains`` and of ``ideal``.
    """
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    for row in range(gains.shape[0]):
        found, first, precision, total, best = 0, 0, 0.0, 0.0, 0.0
        for place in range(k):
            best += ideal[row, place] * discount[place]
            gain = gains[row, place]
            if gain > 0:
                found += 1
                first = place + 1 if first == 0 else first
                precision += found / (place + 1)
                total += gain * discount[place]
        n_found[row], first_found[row], precisions[row] = found, first, precision
        discounted[row], best_discounted[row] = total, best
