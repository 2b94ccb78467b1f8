"""Item-item similarities from features, and their blend with those from histories."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.extmath import safe_sparse_dot

from skrec._kernels.csr import csr_arrays
from skrec._kernels.threads import block_rows
from skrec.base._item_similarity import BestRows
from skrec.utils import Matrix, is_zero_row, unit_rows


def center_rows(vectors: Matrix) -> Matrix:
    """Dense vectors less their mean, zero vectors apart; sparse ones unchanged."""
    if sp.issparse(vectors):
        return vectors
    has_features = ~is_zero_row(vectors)
    center = vectors[has_features].mean(axis=0) if has_features.sum() > 1 else 0
    return np.where(has_features[:, None], vectors - center, 0)


def text_similarity(vectors: Matrix, n_neighbors: int, exponent: float, n_jobs: int | None = None) -> sp.csr_array:
    """(n_items, n_items) matrix: cosine ** exponent of each item's ``n_neighbors`` nearest, where positive.

    Dense vectors are centred first: embeddings of language models share a large common part. A zero
    vector has no neighbours.
    """
    from skrec._kernels.nearest_columns import nearest_columns
    from skrec._kernels.threads import run_blocks

    n_items = vectors.shape[0]
    unit = unit_rows(center_rows(vectors))
    shape = (n_items, min(n_neighbors, n_items))
    codes, cosines = np.empty(shape, np.int32), np.empty(shape, unit.dtype)
    sizes = np.empty(n_items, np.int64)

    def nearest(start: int, stop: int) -> None:
        at = slice(start, stop)
        block = np.asarray(safe_sparse_dot(unit[at], unit.T, dense_output=True))
        nearest_columns(block, np.arange(start, stop), codes[at], cosines[at], sizes[at])

    run_blocks(nearest, n_items, block_rows(n_items), n_jobs, "Similarities of features")
    kept = np.arange(shape[1]) < sizes[:, None]
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    graph = sp.csr_array((cosines[kept] ** unit.dtype.type(exponent), codes[kept], indptr), shape=(n_items, n_items))
    graph.sort_indices()
    return graph


def mean_of_maxima(graph: sp.csr_array) -> float:
    """Mean of the largest entry of each row, over the rows that have a positive one."""
    largest = graph.max(axis=1).toarray()
    return float(largest[largest > 0].mean()) if (largest > 0).any() else 1.0


def blend(
    graph: sp.csr_array,
    text: sp.csr_array,
    *,
    smoothing: float,
    text_weight: float,
    column_scale: NDArray,
    n_neighbors: int,
    n_jobs: int | None = None,
) -> sp.csr_array:
    """The ``n_neighbors`` largest of each row of ``((I + s P) S (I + s P)' + text_weight T) diag(column_scale)``.

    S is ``graph`` divided by the mean of its row maxima, T is ``text``, P is T with rows that sum to 1, s is
    ``smoothing``. Of each row of ``(I + s P) S`` the ``n_neighbors`` largest are kept.
    """
    from sklearn.preprocessing import normalize

    from skrec._kernels.item_graph.build import best_blended_rows

    dtype = graph.dtype
    near = normalize(text, norm="l1").astype(dtype)
    scaled, forward = csr_arrays(graph / dtype.type(mean_of_maxima(graph))), csr_arrays(near)
    backward, cosines = csr_arrays(sp.csr_array(near.T)), csr_arrays(text.astype(dtype))
    share, weight, scale = dtype.type(smoothing), dtype.type(text_weight), column_scale.astype(dtype)

    read = scaled, forward, backward, cosines, share, weight, scale
    rows = BestRows.empty(graph.shape[0], n_neighbors, dtype)
    rows.fill(
        lambda start, stop, *out: best_blended_rows(start, stop, *read, *out),
        rows.n_items,
        n_jobs,
        "Blended similarities",
    )
    return rows.to_csr(n_jobs)
