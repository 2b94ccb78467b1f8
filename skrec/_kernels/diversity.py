"""Greedy orders of many lists: relevance against similarity, against volume, against shares of categories.

Each kernel takes the candidates of a list in the order of the recommender and writes the places of the chosen ones, one
after the other: the candidate of the largest gain, of equal ones the first. A candidate of which a category is full is
skipped until only such are left, which then follow in their order.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_LEAST_VOLUME = 1e-6
"""Of an item that the chosen ones span, up to the rounding of float32: what is left there is noise."""


class Vectors(NamedTuple):
    """Unit vectors of the items, dense or as the rows of a CSR matrix; the other form is empty, or both."""

    dense: NDArray[np.float32]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float32]
    width: int


class Categories(NamedTuple):
    """Categories of the items, a CSR matrix whose rows sum to 1 or are empty; at most ``cap`` of a list have one.

    A width of 0 is no matrix: no category is looked up.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    shares: NDArray[np.float64]
    width: int
    cap: int


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _dot(a, b):
    total = np.float32(0)
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@njit(cache=True, nogil=True)
def _gather(codes, n, vectors, near) -> None:
    """Copy the dense vectors of the candidates, which are read once for each choice."""
    if vectors.dense.shape[1]:
        for c in range(n):
            near[c] = vectors.dense[codes[c]]


@njit(cache=True, nogil=True)
def _cosines(best, codes, n, is_taken, vectors, near, scratch, out) -> None:
    """Cosines of one candidate and of each that is not taken; ``scratch`` is zero before and after."""
    if vectors.dense.shape[1]:
        for c in range(n):
            if not is_taken[c]:
                out[c] = _dot(near[best], near[c])
        return
    if not vectors.width:
        out[:n] = 0
        return
    code = codes[best]
    for at in range(vectors.indptr[code], vectors.indptr[code + 1]):
        scratch[vectors.indices[at]] = vectors.data[at]
    for c in range(n):
        total = np.float32(0)
        for at in range(vectors.indptr[codes[c]], vectors.indptr[codes[c] + 1]):
            total += vectors.data[at] * scratch[vectors.indices[at]]
        out[c] = total
    for at in range(vectors.indptr[code], vectors.indptr[code + 1]):
        scratch[vectors.indices[at]] = 0


@njit(cache=True, nogil=True)
def _length(codes):
    n = 0
    while n < len(codes) and codes[n] >= 0:
        n += 1
    return n


@njit(cache=True, nogil=True)
def _choose(gains, n, codes, is_taken, categories, counts):
    """Take the best candidate that no full category keeps out, or the first one left; count its categories."""
    best, first = -1, -1
    for c in range(n):
        if is_taken[c]:
            continue
        if first < 0:
            first = c
        if best >= 0 and not gains[c] > gains[best]:
            continue
        fits = True
        if categories.width:
            for at in range(categories.indptr[codes[c]], categories.indptr[codes[c] + 1]):
                if counts[categories.indices[at]] >= categories.cap:
                    fits = False
        if fits:
            best = c
    if best < 0:
        best = first
    is_taken[best] = True
    if not categories.width:
        return best
    for at in range(categories.indptr[codes[best]], categories.indptr[codes[best] + 1]):
        counts[categories.indices[at]] += 1
    return best


@njit(cache=True, nogil=True)
def mmr_places(start, stop, codes, relevance, strength, vectors, takes_mean, categories, places) -> None:
    """Maximal marginal relevance: ``(1 - strength) * relevance - strength * largest cosine to a chosen item``.

    Parameters
    ----------
    start, stop : int
        Range of the lists.
    codes : int32 array of shape (n_lists, n_candidates)
        -1 behind the end of a shorter list.
    relevance : float64 array of shape (n_lists, n_candidates)
    strength : float
    vectors : Vectors
    takes_mean : bool
        Whether to take the mean of the cosines instead of the largest.
    categories : Categories
    places : int32 array of shape (n_lists, k)
        Filled as far as there are candidates.
    """
    width = codes.shape[1]
    gains, nearest, cosines = np.empty(width), np.empty(width, np.float32), np.empty(width, np.float32)
    is_taken, scratch = np.empty(width, np.bool_), np.zeros(vectors.width, np.float32)
    near = np.empty((width, vectors.dense.shape[1]), np.float32)
    counts = np.empty(categories.width, np.int64)
    for row in range(start, stop):
        n = _length(codes[row])
        is_taken[:] = False
        counts[:] = 0
        cosines[:] = 0
        _gather(codes[row], n, vectors, near)
        for place in range(min(n, places.shape[1])):
            for c in range(n):
                gains[c] = (1 - strength) * relevance[row, c]
                if place:
                    gains[c] -= strength * (nearest[c] / place if takes_mean else nearest[c])
            best = _choose(gains, n, codes[row], is_taken, categories, counts)
            places[row, place] = best
            if place + 1 == places.shape[1]:
                break
            _cosines(best, codes[row], n, is_taken, vectors, near, scratch, cosines)
            for c in range(n):
                if takes_mean and place:
                    nearest[c] += cosines[c]
                else:
                    nearest[c] = max(nearest[c], cosines[c]) if place else cosines[c]


@njit(cache=True, nogil=True)
def dpp_places(start, stop, codes, relevance, strength, vectors, categories, places) -> None:
    """Greedy MAP of a determinantal point process.

    The sum over a list of ``(1 - strength) * relevance`` plus ``strength`` times the log determinant of the matrix of
    similarities ``(1 + cosine) / 2`` grows by ``(1 - strength) * relevance + strength * log(d2)``, where d2 is
    the squared distance of an item to the span of the chosen ones. Its Cholesky rows grow by one per choice.

    Parameters are those of :func:`mmr_places`, without ``takes_mean``.
    """
    width, k = codes.shape[1], places.shape[1]
    gains, left, cosines = np.empty(width), np.empty(width), np.empty(width, np.float32)
    is_taken, scratch = np.empty(width, np.bool_), np.zeros(vectors.width, np.float32)
    near = np.empty((width, vectors.dense.shape[1]), np.float32)
    counts = np.empty(categories.width, np.int64)
    factor = np.empty((min(k, width), width))
    for row in range(start, stop):
        n = _length(codes[row])
        is_taken[:] = False
        counts[:] = 0
        left[:] = 1.0
        cosines[:] = 0
        gains[:] = np.inf
        _gather(codes[row], n, vectors, near)
        for place in range(min(n, k)):
            top = -np.inf
            for c in range(n):
                # Gains only fall: one that was lower before needs no logarithm. A cap may keep the highest out.
                if not is_taken[c] and gains[c] > top:
                    gains[c] = (1 - strength) * relevance[row, c] + strength * np.log(left[c])
                    if not categories.width:
                        top = max(top, gains[c])
            best = _choose(gains, n, codes[row], is_taken, categories, counts)
            places[row, place] = best
            if place + 1 == k:
                break
            _cosines(best, codes[row], n, is_taken, vectors, near, scratch, cosines)
            added, root = factor[place], np.sqrt(left[best])
            for c in range(n):
                added[c] = 0.5 + 0.5 * cosines[c]
            for before in range(place):
                weight = factor[before, best]
                for c in range(n):
                    added[c] -= weight * factor[before, c]
            for c in range(n):
                added[c] /= root
                left[c] = max(left[c] - added[c] * added[c], _LEAST_VOLUME)


@njit(cache=True, nogil=True)
def calibrated_places(start, stop, codes, relevance, strength, wanted, smoothing, categories, places) -> None:
    """Relevance against the divergence of the list's categories from the wanted ones.

    The next item is that of the largest ``(1 - strength) * relevance - strength * KL(p || q)``, where q are the shares
    of the categories in the list with it, ``(1 - smoothing) * q + smoothing * p``. Items without a category do not
    count in q.

    Parameters
    ----------
    start, stop, codes, relevance, strength, categories, places
        As in :func:`mmr_places`.
    wanted : Csr
        Row i - start: the shares p of list i, which sum to 1; an empty row wants nothing.
    smoothing : float
    """
    width = codes.shape[1]
    gains, is_taken = np.empty(width), np.empty(width, np.bool_)
    counts, sums = np.empty(categories.width, np.int64), np.empty(categories.width)
    p, terms = np.zeros(categories.width), np.empty(categories.width)
    for row in range(start, stop):
        n = _length(codes[row])
        is_taken[:] = False
        counts[:] = 0
        sums[:] = 0
        n_counted = 0
        first, last = wanted.indptr[row - start], wanted.indptr[row - start + 1]
        for at in range(first, last):
            p[wanted.indices[at]] = wanted.data[at]
        for place in range(min(n, places.shape[1])):
            now, grown = 0.0, 0.0
            for at in range(first, last):
                g = wanted.indices[at]
                now += _term(p[g], sums[g] / max(n_counted, 1), smoothing)
                terms[g] = _term(p[g], sums[g] / (n_counted + 1), smoothing)
                grown += terms[g]
            for c in range(n):
                if is_taken[c]:
                    continue
                begin, end = categories.indptr[codes[row, c]], categories.indptr[codes[row, c] + 1]
                divergence = grown if begin < end else now
                for at in range(begin, end):
                    g = categories.indices[at]
                    if p[g] > 0:
                        share = (sums[g] + categories.shares[at]) / (n_counted + 1)
                        divergence += _term(p[g], share, smoothing) - terms[g]
                gains[c] = (1 - strength) * relevance[row, c] - strength * divergence
            best = _choose(gains, n, codes[row], is_taken, categories, counts)
            places[row, place] = best
            begin, end = categories.indptr[codes[row, best]], categories.indptr[codes[row, best] + 1]
            for at in range(begin, end):
                sums[categories.indices[at]] += categories.shares[at]
            n_counted += begin < end
        for at in range(first, last):
            p[wanted.indices[at]] = 0


@njit(cache=True, nogil=True)
def _term(p, q, smoothing):
    return p * np.log(p / ((1 - smoothing) * q + smoothing * p))
