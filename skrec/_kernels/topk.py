"""Fused mask and top-k over a block of scores."""

import numpy as np
from numba import njit

_CHUNK = 32
_INSERTION_LIMIT = 256


@njit(cache=True, nogil=True)
def _mask_and_select(scores, mask_indptr, mask_columns, k, out_columns, out_scores):
    n_rows, n_columns = scores.shape
    for r in range(n_rows):
        row = scores[r]
        for j in range(mask_indptr[r], mask_indptr[r + 1]):
            if mask_columns[j] >= 0:
                row[mask_columns[j]] = -np.inf
        best, where = out_scores[r], out_columns[r]
        best[:] = -np.inf
        where[:] = -1
        threshold = np.float32(-np.inf)
        for start in range(0, n_columns, _CHUNK):
            stop = min(start + _CHUNK, n_columns)
            # A whole chunk below the threshold is the common case, and this loop has no branch to miss.
            above = 0
            for c in range(start, stop):
                above += row[c] > threshold
            if above == 0:
                continue
            for c in range(start, stop):
                score = row[c]
                if score > threshold:
                    at = k - 1
                    while at > 0 and best[at - 1] < score:
                        best[at] = best[at - 1]
                        where[at] = where[at - 1]
                        at -= 1
                    best[at] = score
                    where[at] = c
                    threshold = best[k - 1]


def mask_and_select(scores, mask_indptr, mask_columns, k, out_columns, out_scores) -> None:
    """Write the k best columns of each row, best first, equals by column; masked columns are excluded.

    Parameters
    ----------
    scores : float32 array of shape (n_rows, n_columns)
        Overwritten at the masked places.
    mask_indptr, mask_columns : int64 arrays
        The columns to exclude, row after row; -1 is skipped.
    k : int
        At most n_columns.
    out_columns, out_scores : int32 and float32 arrays of shape (n_rows, k)
        Filled; -1 and -inf where a row has fewer than k columns left.
    """
    if k <= _INSERTION_LIMIT:
        _mask_and_select(scores, mask_indptr, mask_columns, k, out_columns, out_scores)
        return
    rows = np.repeat(np.arange(len(scores)), np.diff(mask_indptr))
    valid = mask_columns >= 0
    scores[rows[valid], mask_columns[valid]] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    out_scores[:] = np.take_along_axis(scores, order, axis=1)
    out_columns[:] = np.where(np.isneginf(out_scores), -1, order)
