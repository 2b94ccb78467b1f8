"""Weighted histories against an item-item matrix, row by row: read, mask and top-k in one pass."""

import numpy as np
from numba import njit

from skrec._kernels.topk import _mask_and_select

_PANEL = 512


@njit(cache=True, nogil=True)
def _read_row(row, indptr, items, weights, graph, scores):
    """Add ``weight * graph[item]`` of every event of a row."""
    for event in range(indptr[row], indptr[row + 1]):
        weight = weights[event]
        if weight == 0:
            continue
        item = items[event]
        for at in range(graph.indptr[item], graph.indptr[item + 1]):
            scores[graph.indices[at]] += weight * graph.data[at]


@njit(cache=True, nogil=True)
def rank_sparse(start, stop, indptr, items, weights, graph, prior, hidden_ptr, hidden, codes, scores) -> None:
    """The best items of rows ``start`` to ``stop``, hidden ones left out.

    Parameters
    ----------
    start, stop : int
    indptr, items, weights : arrays
        Histories: item codes and weights of each row's events.
    graph : Csr of shape (n_items, n_items)
        Row: an item of the history; column: the item that it speaks for.
    prior : float32 array of shape (n_items,)
        Where every row of scores starts.
    hidden_ptr, hidden : int64 arrays
        Item codes to leave out, row after row.
    codes, scores : int32 and float32 arrays of shape (n_rows, k)
        Filled; -1 and -inf where a row has fewer than k items left.
    """
    row_scores = np.empty((1, len(prior)), np.float32)
    k = codes.shape[1]
    for row in range(start, stop):
        row_scores[0] = prior
        _read_row(row, indptr, items, weights, graph, row_scores[0])
        _mask_and_select(row_scores, hidden_ptr[row : row + 2], hidden, k, codes[row : row + 1], scores[row : row + 1])


@njit(cache=True, nogil=True)
def score_sparse(indptr, items, weights, graph, out) -> None:
    """Add the scores of all rows to ``out``, float32 of shape (n_rows, n_items)."""
    for row in range(len(indptr) - 1):
        _read_row(row, indptr, items, weights, graph, out[row])


@njit(cache=True, nogil=True, fastmath={"contract"})
def score_dense(indptr, items, weights, graph, out) -> None:
    """Add the scores of all rows to ``out``, from a dense (n_items, n_columns) matrix.

    By panels of columns, so that rows of the matrix that several histories share stay in the cache.
    """
    n_columns = graph.shape[1]
    for left in range(0, n_columns, _PANEL):
        right = min(left + _PANEL, n_columns)
        for row in range(len(indptr) - 1):
            into = out[row, left:right]
            for event in range(indptr[row], indptr[row + 1]):
                weight = weights[event]
                source = graph[items[event], left:right]
                for column in range(right - left):
                    into[column] += weight * source[column]
