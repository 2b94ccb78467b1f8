"""A few new events in a matrix of item-item similarities, at the cost of what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.csr import Csr, csr_arrays
from skrec.base._item_similarity import BestRows, Similarity

if TYPE_CHECKING:
    from skrec._kernels.item_graph.build import PairTable

_BLOCK_COLUMNS = 4
_BLOCK_ROWS = 1024


def updated_graph(
    graph: sp.csr_array,
    changed: NDArray[np.int64],
    similarity_of: Callable[[NDArray[np.int64]], Similarity],
    n_neighbors: int,
    n_jobs: int | None = None,
) -> sp.csr_array:
    """The best entries of each row after an update, the same to the bit as if all rows were computed.

    Parameters
    ----------
    graph : CSR array of shape (n_items_before, n_items_before)
        What :meth:`Similarity.best` gave before, for as many neighbours per row.
    changed : int64 array of shape (n_changed,)
        The items whose pair weights or scales have changed, in ascending order.
    similarity_of : callable
        ``similarity_of(items)`` holds all pairs of these items, and the scales of all items after the update.
    n_neighbors : int
    n_jobs : int, default=None

    Returns
    -------
    CSR array of shape (n_items, n_items)
    """
    from skrec._kernels.item_graph.update import merge_columns
    from skrec._kernels.threads import run_blocks

    similarity = similarity_of(changed)
    n_items, dtype = len(similarity.row_scale), graph.dtype
    rows = BestRows.empty(n_items, n_neighbors, dtype)
    is_changed, is_open = np.zeros((2, n_items), bool)
    is_changed[changed] = True
    indptr = np.append(graph.indptr, np.full(n_items - graph.shape[0], graph.indptr[-1], graph.indptr.dtype))
    before = csr_arrays(sp.csr_array((graph.data, graph.indices, indptr), shape=(n_items, n_items)))
    columns = _changed_columns(similarity.pairs, changed, n_jobs)
    scales = similarity.row_scale.astype(dtype), similarity.column_scale.astype(dtype)
    read = before, columns, is_changed, *scales
    out = rows.values, rows.columns, rows.sizes, is_open
    run_blocks(lambda start, stop: merge_columns(start, stop, *read, *out), n_items, _BLOCK_ROWS, n_jobs)
    similarity.fill(rows, changed, n_jobs)
    incomplete = np.flatnonzero(is_open & ~is_changed)
    if len(incomplete):
        similarity_of(incomplete).fill(rows, incomplete, n_jobs)
    return rows.to_csr(n_jobs)


def _changed_columns(pairs: PairTable, items: NDArray[np.int64], n_jobs: int | None) -> Csr:
    """The columns ``items`` of the pair matrix, by rows and not scaled; 0 on the diagonal."""
    from skrec._kernels.item_graph.update import pair_columns
    from skrec._kernels.threads import run_blocks

    n_items, n = len(pairs.item_ptr) - 1, len(items)
    lengths = np.diff(pairs.indptr)[pairs.row_of]
    total = np.append(0, np.cumsum(lengths))
    room = np.minimum(total[pairs.item_ptr[items + 1]] - total[pairs.item_ptr[items]], n_items)
    bounds = np.concatenate([[0], np.cumsum(room)])
    sources, weights = np.empty(bounds[-1], np.int32), np.empty(bounds[-1], pairs.source.dtype)
    sizes = np.zeros(n, np.int64)
    run_blocks(
        lambda start, stop: pair_columns(start, stop, items, pairs, bounds, sources, weights, sizes),
        n,
        _BLOCK_COLUMNS,
        n_jobs,
    )
    kept = np.arange(bounds[-1]) < np.repeat(bounds[:-1] + sizes, room)
    columns = np.repeat(items.astype(np.int32), sizes)
    by_row = sp.coo_array((weights[kept], (sources[kept], columns)), shape=(n_items, n_items)).tocsr()
    return csr_arrays(by_row)
