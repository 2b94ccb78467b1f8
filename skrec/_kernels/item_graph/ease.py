"""Closed-form item weights: finishing a dense inverse in place, and ridge regressions on few items each."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def mirror_rows(start, stop, matrix) -> None:
    """Copy the upper triangle of a square matrix to rows ``start`` to ``stop`` of the lower one."""
    for row in range(start, stop):
        for column in range(row):
            matrix[row, column] = matrix[column, row]


@njit(cache=True, nogil=True)
def weight_rows(start, stop, inverse, diagonal) -> None:
    """From rows of the inverse Gram matrix to rows of weights: ``-P[i, j] / P[j, j]``, 0 on the diagonal."""
    for row in range(start, stop):
        for column in range(inverse.shape[1]):
            inverse[row, column] /= -diagonal[column]
        inverse[row, row] = 0


@njit(cache=True, nogil=True)
def inverse_rows(start, stop, weights, diagonal, out) -> None:
    """Undo :func:`weight_rows`, into ``out``, which may be larger than ``weights``."""
    for row in range(start, stop):
        for column in range(weights.shape[1]):
            out[row, column] = weights[row, column] * -diagonal[column]
        out[row, row] = diagonal[row]


@njit(cache=True, nogil=True)
def _local_gram(chosen, pairs, head, previous, gram):
    """Gram matrix of a few items: each event is paired with the events of the same user read before it."""
    gram[:] = 0
    window = len(pairs.forward) - 1
    for local in range(len(chosen)):
        item = chosen[local]
        for at in range(pairs.item_ptr[item], pairs.item_ptr[item + 1]):
            event = pairs.event_of[at]
            row = pairs.row_of[at]
            near = pairs.forward[0] if window > 0 else 0.0
            gram[local, local] += pairs.source[event] * pairs.target[event] * (pairs.constant + near)
            other, other_local = head[row, 0], head[row, 1]
            while other >= 0:
                distance = abs(event - other)
                weight = pairs.constant
                if 0 < distance <= window:
                    weight += pairs.forward[distance]
                value = pairs.source[event] * pairs.target[other] * weight
                if other_local == local:
                    gram[local, local] += 2 * value
                else:
                    gram[local, other_local] += value
                    gram[other_local, local] += value
                other, other_local = previous[other, 0], previous[other, 1]
            previous[event, 0], previous[event, 1] = head[row, 0], head[row, 1]
            head[row, 0], head[row, 1] = event, local
    for item in chosen:
        for at in range(pairs.item_ptr[item], pairs.item_ptr[item + 1]):
            head[pairs.row_of[at], 0] = -1


@njit(cache=True, nogil=True)
def _add_near_pairs(chosen, pairs, local_of, gram):
    """Add the pairs of a few items by distance; ``local_of`` is -1 for every item, before and after."""
    window = len(pairs.forward) - 1
    for local in range(len(chosen)):
        local_of[chosen[local]] = local
    for local in range(len(chosen)):
        item = chosen[local]
        for at in range(pairs.item_ptr[item], pairs.item_ptr[item + 1]):
            event = pairs.event_of[at]
            gram[local, local] += pairs.source[event] * pairs.target[event] * pairs.forward[0]
            for other in range(event + 1, min(event + window + 1, pairs.indptr[pairs.row_of[at] + 1])):
                other_local = local_of[pairs.items[other]]
                if other_local >= 0:
                    value = pairs.source[event] * pairs.target[other] * pairs.forward[other - event]
                    gram[local, other_local] += value
                    gram[other_local, local] += value
    for item in chosen:
        local_of[item] = -1


@njit(cache=True, nogil=True)
def ridge_columns(
    start, stop, neighbors, pairs, near_pairs, has_near_pairs, features, side_weight, penalty, out
) -> None:  # fmt: skip
    """Weights of the neighbours of each item in a ridge regression of the item on them.

    Parameters
    ----------
    start, stop : int
        Target items.
    neighbors : Csr of shape (n_items, n_items)
        Row: a target item; its entries are its source items.
    pairs : PairTable
        Symmetric: ``forward`` is read for both directions.
    near_pairs : PairTable
        Pairs by distance apart from ``pairs``; read if ``has_near_pairs``.
    has_near_pairs : bool
    features : float64 array of shape (n_items, d)
    side_weight : float
        Weight of the feature Gram matrix.
    penalty : float64 array of shape (n_items,)
        Added to the diagonal.
    out : array of n_entries
        Filled, in the order of ``neighbors.indices``.
    """
    head = np.full((len(pairs.indptr) - 1, 2), -1, np.int64)
    previous = np.empty((len(pairs.items), 2), np.int64)
    local_of = np.full(len(pairs.item_ptr) - 1, -1, np.int64)
    for target in range(start, stop):
        first, last = neighbors.indptr[target], neighbors.indptr[target + 1]
        if first == last:
            continue
        n = last - first
        chosen = np.empty(n + 1, np.int64)
        chosen[:n] = neighbors.indices[first:last]
        chosen[n] = target
        gram = np.empty((n + 1, n + 1))
        _local_gram(chosen, pairs, head, previous, gram)
        if has_near_pairs:
            _add_near_pairs(chosen, near_pairs, local_of, gram)
        if side_weight > 0:
            local = features[chosen]
            gram += side_weight * (local @ local.T)
        for local_item in range(n):
            gram[local_item, local_item] += penalty[chosen[local_item]]
        out[first:last] = np.linalg.solve(np.ascontiguousarray(gram[:n, :n]), np.ascontiguousarray(gram[:n, n]))
