"""Rows of an item-item matrix: one dense accumulator per thread; the best entries of each row are kept."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skrec._kernels.prefetch import prefetch
from skrec._kernels.sparse_rows import (
    add,
    add_csr_row,
    add_scaled,
    clear,
    keep_best,
    list_all,
    new_row,
    new_scratch,
    written_columns,
)

_AHEAD = 3
_LINE = 16
_PREFETCHED = 6 * _LINE
"""Elements of a row that are loaded ahead; the processor itself foresees the rest."""


class PairTable(NamedTuple):
    """Pairs of events of a user, and their weights.

    The weight of a pair of events (e, f) of one user, e of the source item and f of the target, is
    ``source[e] * target[f] * (constant + lag)``. Here ``lag`` is ``forward[d]`` if f comes d steps after e, and
    ``backward[d]`` if it comes d steps before; within a ``group`` (of equal times) it is ``forward[d]`` in both
    directions. ``group`` is empty if weights do not depend on distance. ``event_of`` lists the events of each item
    in ascending order, and ``row_of`` their rows: what a sum over the events of an item reads lies in order.
    """

    item_ptr: NDArray[np.int64]
    event_of: NDArray[np.integer]
    row_of: NDArray[np.int32]
    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    group: NDArray[np.int64]
    source: NDArray[np.floating]
    target: NDArray[np.floating]
    forward: NDArray[np.floating]
    backward: NDArray[np.floating]
    constant: float
    has_unit_target: bool
    """Whether ``target`` is 1 everywhere, so that it need not be read."""

    def in_double_precision(self) -> "PairTable":
        """The same, with the weights of events in float64."""
        return self._replace(source=self.source.astype(np.float64), target=self.target.astype(np.float64))


@njit(cache=True, nogil=True)
def sort_by_item(indptr, items, place, event_of, row_of) -> None:
    """Events in the order of their items, and their rows.

    Parameters
    ----------
    indptr, items : arrays
        Events by row.
    place : int64 array of shape (n_items,)
        Where the events of each item begin in the result, or -1 for an item whose events are not wanted. Changed.
    event_of, row_of : integer arrays
        Filled.
    """
    for row in range(len(indptr) - 1):
        for event in range(indptr[row], indptr[row + 1]):
            at = place[items[event]]
            if at >= 0:
                event_of[at], row_of[at] = event, row
                place[items[event]] = at + 1


@njit(cache=True, nogil=True)
def _prefetch_row(pairs, at):
    """Begin to load the row of an event that is soon to be read: rows lie anywhere in memory."""
    row = pairs.row_of[at]
    start = pairs.indptr[row]
    for line in range(start, min(pairs.indptr[row + 1], start + _PREFETCHED), _LINE):
        prefetch(pairs.items, line)
        if not pairs.has_unit_target:
            prefetch(pairs.target, line)


@njit(cache=True, nogil=True)
def _add_pairs(item, pairs, row):
    """Add the weights of all pairs whose source is ``item``."""
    items, target = pairs.items, pairs.target
    window = len(pairs.forward) - 1
    n_events = pairs.item_ptr[item + 1] - pairs.item_ptr[item]
    # Of histories of mean length, as many pairs as there are columns.
    is_dense = n_events * len(items) > len(row.values) * (len(pairs.indptr) - 1)
    if is_dense:
        list_all(row)
    end = pairs.item_ptr[item + 1]
    for at in range(pairs.item_ptr[item], end):
        event = pairs.event_of[at]
        weight = pairs.source[event]
        start, stop = pairs.indptr[pairs.row_of[at]], pairs.indptr[pairs.row_of[at] + 1]
        if pairs.constant > 0:
            if at + _AHEAD < end:
                _prefetch_row(pairs, at + _AHEAD)
            base = target.dtype.type(weight * pairs.constant)
            if is_dense and pairs.has_unit_target:
                columns = items[start:stop]
                for other in range(stop - start):
                    row.values[np.uint32(columns[other])] += base
            elif is_dense:
                columns, weights = items[start:stop], target[start:stop]
                for other in range(stop - start):
                    # Unsigned: a signed index costs a check for negative values, which takes as long as the sum.
                    row.values[np.uint32(columns[other])] += base * weights[other]
            else:
                add_scaled(row, base, items, target, start, stop)
        for other in range(event + 1, min(event + window + 1, stop)):
            add(row, items[other], weight * target[other] * pairs.forward[other - event])
        for other in range(max(event - window, start), event):
            lag = pairs.forward if pairs.group[other] == pairs.group[event] else pairs.backward
            add(row, items[other], weight * target[other] * lag[event - other])


@njit(cache=True, nogil=True)
def best_pair_rows(start, stop, chosen, pairs, row_scale, column_scale, jaccard, values, columns, sizes) -> None:
    """The best entries of rows of the scaled pair matrix.

    Parameters
    ----------
    start, stop : int
    chosen : int64 array
        Source items; the rows of ``chosen[start:stop]`` are filled.
    pairs : PairTable
    row_scale, column_scale : arrays of shape (n_items,)
        An entry is multiplied by both; under ``jaccard`` they hold the sizes of the two sets instead.
    jaccard : bool
        Divide a pair weight c by ``size_i + size_j - c``.
    values, columns, sizes : arrays of shape (n_items, n_neighbors), twice, and (n_items,)
        Filled. Only positive entries are kept, never the diagonal.
    """
    zeros = np.zeros(len(column_scale), values.dtype)
    row, scratch = new_row(zeros), new_scratch(zeros, values.shape[1])
    for at in range(start, stop):
        item = chosen[at]
        _add_pairs(item, pairs, row)
        row.values[item] = 0
        if jaccard:
            for column in written_columns(row):
                if row.values[column] > 0:
                    row.values[column] /= row_scale[item] + column_scale[column] - row.values[column]
        else:
            for column in written_columns(row):
                row.values[column] *= row_scale[item] * column_scale[column]
        sizes[item] = keep_best(row, scratch, values[item], columns[item])
        clear(row, zeros)


@njit(cache=True, nogil=True)
def dense_pair_rows(start, stop, pairs, out) -> None:
    """Add rows ``start`` to ``stop`` of the pair matrix to a dense one; an event is paired with itself too."""
    zeros = np.zeros(out.shape[1], out.dtype)
    row = new_row(zeros)
    for item in range(start, stop):
        _add_pairs(item, pairs, row)
        for column in written_columns(row):
            out[item, column] += row.values[column]
        clear(row, zeros)
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
def best_blended_rows(
    start, stop, graph, near, near_transposed, text, smoothing, text_weight, column_scale, values, columns, sizes
) -> None:  # fmt: skip
    """Best entries of the rows of ``((I + s P) S (I + s P)' + text_weight T) diag(column_scale)``.

    Of a row of ``(I + s P) S``, too, only the best entries off the diagonal are used.

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
    zeros = np.zeros(len(column_scale), values.dtype)
    row, scratch = new_row(zeros), new_scratch(zeros, values.shape[1])
    for item in range(start, stop):
        row_values, row_columns = values[item], columns[item]
        add_csr_row(row, one, graph, item)
        if smoothing > 0:
            for at in range(near.indptr[item], near.indptr[item + 1]):
                add_csr_row(row, smoothing * near.data[at], graph, near.indices[at])
        row.values[item] = 0
        size = keep_best(row, scratch, row_values, row_columns)
        clear(row, zeros)
        for at in range(size):
            add(row, row_columns[at], row_values[at])
            if smoothing > 0:
                add_csr_row(row, smoothing * row_values[at], near_transposed, row_columns[at])
        add_csr_row(row, text_weight, text, item)
        row.values[item] = 0
        for column in written_columns(row):
            row.values[column] *= column_scale[column]
        sizes[item] = keep_best(row, scratch, row_values, row_columns)
        clear(row, zeros)


@njit(cache=True, nogil=True)
def pack_rows(start, stop, values, columns, indptr, packed_values, packed_columns) -> None:
    """Copy the filled parts of rows ``start`` to ``stop`` one after the other."""
    for row in range(start, stop):
        first = indptr[row]
        for at in range(indptr[row + 1] - first):
            packed_values[first + at] = values[row, at]
            packed_columns[first + at] = columns[row, at]
