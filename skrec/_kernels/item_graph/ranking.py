"""Weighted histories against an item-item matrix, row by row: read, mask and top-k in one pass."""

import numpy as np
from numba import njit

from skrec._kernels.sparse_rows import add, add_csr_row, clear, new_row, written_columns
from skrec._kernels.topk import _mask_and_select

_PANEL = 256
_SEARCH_COST = 8  # sums that take as long as one binary search
_DENSE_SHARE = 8  # a row that takes more than this share of the items is quicker read whole


@njit(cache=True, nogil=True)
def _insert(score, column, best, where):
    """Insert a column into the sorted best, in place of the last one; of equals the first column leads."""
    at = len(best) - 1
    while at > 0 and (best[at - 1] < score or (best[at - 1] == score and where[at - 1] > column)):
        best[at], where[at] = best[at - 1], where[at - 1]
        at -= 1
    best[at], where[at] = score, column


@njit(cache=True, nogil=True)
def _select_written(row, prior, by_prior, best, where):
    """The best columns of a row: of those written, and of the others, whose scores are those of ``prior``."""
    best[:] = -np.inf
    where[:] = -1
    last = len(best) - 1
    for column in written_columns(row):
        score = row.values[column]
        if score > best[last] or (score == best[last] and column < where[last]):
            _insert(score, column, best, where)
    for column in by_prior:
        score = prior[column]
        if score < best[last] or (score == best[last] and column > where[last]):
            return
        if not row.is_written[column]:
            _insert(score, column, best, where)


@njit(cache=True, nogil=True)
def rank_sparse(start, stop, indptr, items, weights, graph, prior, by_prior, hidden_ptr, hidden, codes, scores) -> None:
    """The best items of rows ``start`` to ``stop``, hidden ones excluded.

    Parameters
    ----------
    start, stop : int
    indptr, items, weights : arrays
        Histories: item codes and weights of each row's events.
    graph : Csr of shape (n_items, n_items)
        Row: the source item, of the history; column: the target item.
    prior : float32 array of shape (n_items,)
        Added to every row of scores.
    by_prior : int32 array of shape (n_items,)
        Item codes from the largest prior to the least, equals in order.
    hidden_ptr, hidden : int64 arrays
        Item codes to exclude, row after row.
    codes, scores : int32 and float32 arrays of shape (n_rows, k)
        Filled; -1 and -inf where a row has fewer than k items left.
    """
    few, whole = new_row(prior), np.empty((1, len(prior)), np.float32)
    for row in range(start, stop):
        n_sums = _n_sums(row, indptr, items, graph)
        read, masked = (indptr, items, weights, graph, prior), (hidden_ptr, hidden)
        if n_sums * _DENSE_SHARE > len(prior):
            _rank_whole(row, *read, *masked, whole, codes, scores)
        else:
            _rank_few(row, *read, by_prior, *masked, few, codes, scores)


@njit(cache=True, nogil=True)
def _rank_whole(row, indptr, items, weights, graph, prior, hidden_ptr, hidden, whole, codes, scores):
    """Search all items: faster if a history has many target items."""
    whole[0] = prior
    _read_row(row, indptr, items, weights, graph, whole[0])
    k = codes.shape[1]
    _mask_and_select(whole, hidden_ptr[row : row + 2], hidden, k, codes[row : row + 1], scores[row : row + 1])


@njit(cache=True, nogil=True)
def _rank_few(row, indptr, items, weights, graph, prior, by_prior, hidden_ptr, hidden, few, codes, scores):
    """Search the target items of the history, then the others in the order of ``prior`` until the list is full."""
    for event in range(indptr[row], indptr[row + 1]):
        if weights[event] != 0:
            add_csr_row(few, weights[event], graph, items[event])
    for at in range(hidden_ptr[row], hidden_ptr[row + 1]):
        if hidden[at] >= 0:
            add(few, hidden[at], -np.inf)
    _select_written(few, prior, by_prior, scores[row], codes[row])
    clear(few, prior)


@njit(cache=True, nogil=True)
def _read_row(row, indptr, items, weights, graph, scores):
    """Add ``weight * graph[item]`` of every event of a row."""
    for event in range(indptr[row], indptr[row + 1]):
        item, weight = items[event], weights[event]
        if weight == 0:
            continue
        first, last = graph.indptr[item], graph.indptr[item + 1]
        columns, values = graph.indices[first:last], graph.data[first:last]
        for at in range(last - first):
            scores[np.uint32(columns[at])] += weight * values[at]


@njit(cache=True, nogil=True)
def score_sparse(indptr, items, weights, graph, out) -> None:
    """Add the scores of all rows to ``out``, float32 of shape (n_rows, n_items)."""
    for row in range(len(indptr) - 1):
        _read_row(row, indptr, items, weights, graph, out[row])


@njit(cache=True, nogil=True, fastmath={"contract"})
def score_dense(indptr, items, weights, graph, out) -> None:
    """Add the scores of all rows to ``out``, from a dense (n_items, n_columns) matrix.

    In panels of columns, so that rows of the matrix that several histories share stay in the cache, and four events at
    a time, so that a score is read and written once for all of them.
    """
    n_columns = graph.shape[1]
    for begin in range(0, n_columns, _PANEL):
        # Unsigned, or numba would ask of every index whether it counts from the end.
        left, width = np.uint64(begin), np.uint64(min(_PANEL, n_columns - begin))
        for row in range(len(indptr) - 1):
            into, event, stop = out[row], indptr[row], indptr[row + 1]
            while event + 4 <= stop:
                w0, w1, w2, w3 = weights[event], weights[event + 1], weights[event + 2], weights[event + 3]
                s0, s1 = np.uint64(items[event]), np.uint64(items[event + 1])
                s2, s3 = np.uint64(items[event + 2]), np.uint64(items[event + 3])
                for column in range(width):
                    at = left + column
                    score = into[at] + w0 * graph[s0, at]
                    into[at] = ((score + w1 * graph[s1, at]) + w2 * graph[s2, at]) + w3 * graph[s3, at]
                event += 4
            while event < stop:
                weight, source = weights[event], np.uint64(items[event])
                for column in range(width):
                    into[left + column] += weight * graph[source, left + column]
                event += 1


@njit(cache=True, nogil=True)
def _entry(graph, source, target):
    """One entry of a CSR matrix with sorted indices; 0 where it is not stored."""
    first, last = graph.indptr[source], graph.indptr[source + 1]
    end = last
    while first < last:
        middle = (first + last) // 2
        if graph.indices[middle] < target:
            first = middle + 1
        else:
            last = middle
    if first < end and graph.indices[first] == target:
        return graph.data[first]
    return graph.data.dtype.type(0)


@njit(cache=True, nogil=True)
def _n_sums(row, indptr, items, graph):
    """Entries of the graph in the rows of a history."""
    total = 0
    for event in range(indptr[row], indptr[row + 1]):
        total += graph.indptr[items[event] + 1] - graph.indptr[items[event]]
    return total


@njit(cache=True, nogil=True)
def score_pairs_sparse(indptr, items, weights, graph, pair_ptr, targets, out) -> None:
    """Scores of a few target items of each row.

    A row with few targets looks up its entries; a row with many reads its history once, for all items.

    Parameters
    ----------
    indptr, items, weights : arrays
        Histories: item codes and weights of each row's events.
    graph : Csr of shape (n_items, n_items)
        With sorted indices.
    pair_ptr, targets : int64 arrays
        Target items of each row, row after row.
    out : float64 array of shape (n_pairs,)
        Filled.
    """
    zeros = np.zeros(0)
    whole = new_row(zeros)
    for row in range(len(indptr) - 1):
        first, last = pair_ptr[row], pair_ptr[row + 1]
        n_lookups = (last - first) * (indptr[row + 1] - indptr[row])
        if n_lookups * _SEARCH_COST <= _n_sums(row, indptr, items, graph):
            for at in range(first, last):
                total = 0.0
                for event in range(indptr[row], indptr[row + 1]):
                    total += weights[event] * _entry(graph, items[event], targets[at])
                out[at] = total
            continue
        if len(zeros) == 0:
            zeros = np.zeros(len(graph.indptr) - 1)
            whole = new_row(zeros)
        for event in range(indptr[row], indptr[row + 1]):
            add_csr_row(whole, weights[event], graph, items[event])
        for at in range(first, last):
            out[at] = whole.values[targets[at]]
        clear(whole, zeros)


@njit(cache=True, nogil=True)
def score_pairs_dense(indptr, items, weights, graph, pair_ptr, targets, out) -> None:
    """:func:`score_pairs_sparse` for a dense (n_items, n_items) matrix."""
    for row in range(len(indptr) - 1):
        for at in range(pair_ptr[row], pair_ptr[row + 1]):
            total = 0.0
            for event in range(indptr[row], indptr[row + 1]):
                total += weights[event] * graph[items[event], targets[at]]
            out[at] = total
