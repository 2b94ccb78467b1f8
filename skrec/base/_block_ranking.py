"""Rankings, block by block: no (queries x items) matrix ever exists whole."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Candidates, Histories

ScoreBlock = Callable[[int, int, NDArray[np.int64] | None], NDArray[np.float32]]


def rank(
    score_block: ScoreBlock,
    hidden: Histories,
    n_items: int,
    k: int,
    *,
    eligible: Candidates | None = None,
    n_jobs: int | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Best k items of each query.

    Parameters
    ----------
    score_block : callable (start, stop, columns) -> (stop - start, n_columns) float32 array
        Scores of queries ``start`` to ``stop`` for the item codes ``columns``, or for all items where it is
        None. The array is overwritten.
    hidden : Histories of n_queries rows
        Item codes never to be given.
    n_items : int
        Size of the catalogue.
    k : int
    eligible : Candidates, optional
    n_jobs : int or None

    Returns
    -------
    codes, scores : int32 and float32 arrays of shape (n_queries, k)
        -1 and -inf behind the last eligible item.
    """
    from skrec._kernels.threads import block_rows, run_blocks
    from skrec._kernels.topk import mask_and_select

    codes = np.full((len(hidden), k), -1, np.int32)
    best = np.full((len(hidden), k), -np.inf, np.float32)

    def rank_block(start: int, stop: int) -> None:
        columns = None if eligible is None else eligible.columns(start, stop)
        scores = score_block(start, stop, columns)
        masked = hidden.block(start, stop)
        where = masked.items.astype(np.int64)
        if eligible is not None and columns is not None:
            eligible.mask(scores, columns, start)
            position = np.full(n_items, -1, np.int64)
            position[columns] = np.arange(len(columns))
            where = position[where]
        width = min(k, scores.shape[1])
        found, found_scores = codes[start:stop, :width], best[start:stop, :width]
        mask_and_select(scores, masked.indptr, where, width, found, found_scores)
        if columns is not None:
            found[:] = np.where(found >= 0, columns[found], -1)

    run_blocks(rank_block, len(hidden), block_rows(n_items), n_jobs)
    return codes, best
