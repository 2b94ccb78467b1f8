"""Lists of several recommenders merged into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def merge_lists(
    codes: Sequence[NDArray[np.int32]], values: Sequence[NDArray[np.floating]], n_items: int, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Add up what several lists say of an item, and take the best k of each row.

    Parameters
    ----------
    codes : sequence of n_lists int32 arrays of shape (n_queries, width)
        Item codes; -1 is no item.
    values : sequence of n_lists float arrays of the same shapes
        What each list gives to its items.
    n_items : int
    k : int

    Returns
    -------
    codes, scores : arrays of shape (n_queries, k)
        Best first, ties by catalogue order; -1 and -inf where a row has no further item.
    """
    n_queries = len(codes[0])
    all_codes, all_values = np.hstack(codes).astype(np.int64), np.hstack(values)
    given = all_codes >= 0
    rows = np.nonzero(given)[0]
    pairs, inverse = np.unique(rows * n_items + all_codes[given], return_inverse=True)
    totals = np.bincount(inverse, all_values[given], len(pairs)).astype(np.float64)
    return best_of_pairs(pairs // n_items, pairs % n_items, totals, n_queries, k)


def best_of_pairs(
    rows: NDArray[np.int64], items: NDArray[np.int64], values: NDArray[np.floating], n_queries: int, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The best k items of each query, from distinct pairs.

    Parameters
    ----------
    rows, items : int64 arrays of shape (n_pairs,)
        Numbers of queries, and item codes.
    values : float array of shape (n_pairs,)
    n_queries, k : int

    Returns
    -------
    codes, scores : arrays of shape (n_queries, k)
        Best first, ties by catalogue order; -1 and -inf where a row has no further item.
    """
    order = np.lexsort((items, -values, rows))
    rows, items, values = rows[order], items[order], values[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, np.arange(n_queries))[rows]
    kept = place < k
    out = np.full((n_queries, k), -1, np.int32)
    scores = np.full((n_queries, k), -np.inf, np.float32)
    out[rows[kept], place[kept]] = items[kept]
    scores[rows[kept], place[kept]] = values[kept]
    return out, scores
