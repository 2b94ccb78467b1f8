"""Rows of an item-item matrix: one dense accumulator a thread, the best entries of each row kept."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Csr(NamedTuple):
    """The arrays of a CSR matrix, as kernels take them."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.floating]


class PairTable(NamedTuple):
    """Which events of a user meet, and with what weight.

    The weight of a pair of events (e, f) of one user, e of the source item and f of the target, is
    ``source[e] * target[f]`` times ``constant``, plus, where f lies d steps behind e, ``forward[d]``, and where
    it lies d steps before, ``backward[d]``; events of one ``group`` (of equal time) meet forward both ways.
    """

    item_ptr: NDArray[np.int64]
    event_of: NDArray[np.int64]
    row_of: NDArray[np.int64]
    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    group: NDArray[np.int64]
    source: NDArray[np.floating]
    target: NDArray[np.floating]
    forward: NDArray[np.floating]
    backward: NDArray[np.floating]
    constant: float


@njit(cache=True, nogil=True)
def _add_pairs(item, pairs, acc):
    """Add the weights of all pairs whose source is ``item``."""
    items, target = pairs.items, pairs.target
    window = len(pairs.forward) - 1
    for at in range(pairs.item_ptr[item], pairs.item_ptr[item + 1]):
        event = pairs.event_of[at]
        weight = pairs.source[event]
        start, stop = pairs.indptr[pairs.row_of[event]], pairs.indptr[pairs.row_of[event] + 1]
        if pairs.constant > 0:
            base = weight * pairs.constant
            for other in range(start, stop):
                acc[items[other]] += base * target[other]
        for other in range(event + 1, min(event + window + 1, stop)):
            acc[items[other]] += weight * target[other] * pairs.forward[other - event]
        for other in range(max(event - window, start), event):
            lag = pairs.forward if pairs.group[other] == pairs.group[event] else pairs.backward
            acc[items[other]] += weight * target[other] * lag[event - other]


@njit(cache=True, nogil=True)
def _sift_up(values, columns, at):
    value, column = values[at], columns[at]
    while at > 0:
        parent = (at - 1) // 2
        if values[parent] < value or (values[parent] == value and columns[parent] > column):
            break
        values[at], columns[at] = values[parent], columns[parent]
        at = parent
    values[at], columns[at] = value, column


@njit(cache=True, nogil=True)
def _sift_down(values, columns, size):
    value, column = values[0], columns[0]
    at, child = 0, 1
    while child < size:
        right = child + 1
        if right < size and (
            values[right] < values[child] or (values[right] == values[child] and columns[right] > columns[child])
        ):
            child = right
        if value < values[child] or (value == values[child] and column > columns[child]):
            break
        values[at], columns[at] = values[child], columns[child]
        at, child = child, 2 * child + 1
    values[at], columns[at] = value, column


@njit(cache=True, nogil=True)
def _keep_best(acc, values, columns):
    """Move the largest positive entries to ``values`` and ``columns``; clear the accumulator.

    A heap whose root is the worst entry kept: columns come in ascending order, so of equals the first stay.
    """
    size, capacity = 0, len(values)
    threshold = values.dtype.type(0)
    for column in range(len(acc)):
        value = acc[column]
        if value > threshold:
            if size < capacity:
                values[size], columns[size] = value, column
                _sift_up(values, columns, size)
                size += 1
            else:
                values[0], columns[0] = value, column
                _sift_down(values, columns, size)
            if size == capacity:
                threshold = values[0]
        acc[column] = 0
    return size


@njit(cache=True, nogil=True)
def best_pair_rows(start, stop, pairs, row_scale, column_scale, jaccard, values, columns, sizes) -> None:
    """Rows of the pair matrix, scaled, the best entries of each kept.

    Parameters
    ----------
    start, stop : int
        Source items.
    pairs : PairTable
    row_scale, column_scale : arrays of shape (n_items,)
        An entry is multiplied by both; under ``jaccard`` they hold the sizes of the two sets instead.
    jaccard : bool
        Divide a pair weight c by ``size_i + size_j - c``.
    values, columns, sizes : arrays of shape (n_items, n_neighbors), twice, and (n_items,)
        Filled. Only positive entries are kept, never the diagonal.
    """
    acc = np.zeros(len(column_scale), values.dtype)
    for item in range(start, stop):
        _add_pairs(item, pairs, acc)
        acc[item] = 0
        if jaccard:
            for column in range(len(acc)):
                if acc[column] > 0:
                    acc[column] /= row_scale[item] + column_scale[column] - acc[column]
        else:
            for column in range(len(acc)):
                acc[column] *= row_scale[item] * column_scale[column]
        sizes[item] = _keep_best(acc, values[item], columns[item])


@njit(cache=True, nogil=True)
def dense_pair_rows(start, stop, pairs, out) -> None:
    """Add rows ``start`` to ``stop`` of the pair matrix to a dense one; an event meets itself too."""
    for item in range(start, stop):
        _add_pairs(item, pairs, out[item])
        for at in range(pairs.item_ptr[item], pairs.item_ptr[item + 1]):
            event = pairs.event_of[at]
            if len(pairs.forward) > 1:
                out[item, item] += pairs.source[event] * pairs.target[event] * pairs.forward[0]


@njit(cache=True, nogil=True)
def pair_mass(start, stop, pairs, as_source, as_target) -> None:
    """Sum of the weights of each event's pairs with the other events of its row, as source and as target."""
    window = len(pairs.forward) - 1
    for row in range(start, stop):
        first, last = pairs.indptr[row], pairs.indptr[row + 1]
        sources = pairs.source[first:last].sum()
        targets = pairs.target[first:last].sum()
        for event in range(first, last):
            source, target = pairs.source[event], pairs.target[event]
            as_source[event] = pairs.constant * source * (targets - target)
            as_target[event] = pairs.constant * target * (sources - source)
        for event in range(first, last):
            for later in range(event + 1, min(event + window + 1, last)):
                ahead = pairs.forward[later - event]
                back = ahead if pairs.group[later] == pairs.group[event] else pairs.backward[later - event]
                there = pairs.source[event] * pairs.target[later] * ahead
                here = pairs.source[later] * pairs.target[event] * back
                as_source[event] += there
                as_target[later] += there
                as_source[later] += here
                as_target[event] += here


@njit(cache=True, nogil=True)
def _add_row(weight, matrix, row, acc):
    for at in range(matrix.indptr[row], matrix.indptr[row + 1]):
        acc[matrix.indices[at]] += weight * matrix.data[at]


@njit(cache=True, nogil=True)
def best_blended_rows(
    start, stop, graph, near, near_transposed, text, smoothing, text_weight, column_scale, values, columns, sizes
) -> None:  # fmt: skip
    """Best entries of the rows of ``((I + s P) S (I + s P)' + text_weight T) diag(column_scale)``.

    Of a row of ``(I + s P) S``, too, only the best entries off the diagonal go on.

    Parameters
    ----------
    start, stop : int
        Source items.
    graph, near, near_transposed, text : Csr
        S, P, the transpose of P, and T, each (n_items, n_items).
    smoothing, text_weight : float
        s and the weight of T.
    column_scale : array of shape (n_items,)
    values, columns, sizes : arrays of shape (n_items, n_neighbors), twice, and (n_items,)
        Filled as by :func:`best_pair_rows`.
    """
    one = values.dtype.type(1)
    acc = np.zeros(len(column_scale), values.dtype)
    for item in range(start, stop):
        row_values, row_columns = values[item], columns[item]
        _add_row(one, graph, item, acc)
        if smoothing > 0:
            for at in range(near.indptr[item], near.indptr[item + 1]):
                _add_row(smoothing * near.data[at], graph, near.indices[at], acc)
        acc[item] = 0
        size = _keep_best(acc, row_values, row_columns)
        for at in range(size):
            acc[row_columns[at]] += row_values[at]
            if smoothing > 0:
                _add_row(smoothing * row_values[at], near_transposed, row_columns[at], acc)
        _add_row(text_weight, text, item, acc)
        acc[item] = 0
        for column in range(len(acc)):
            acc[column] *= column_scale[column]
        sizes[item] = _keep_best(acc, row_values, row_columns)
