"""Item-item similarities from features, and their blend with those from histories."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import safe_sparse_dot

from skrec._kernels.csr import csr_arrays
from skrec._kernels.threads import block_rows
from skrec.base._item_similarity import collect_rows
from skrec.utils import Matrix, is_zero_row


def text_similarity(vectors: Matrix, n_neighbors: int, exponent: float, n_jobs: int | None = None) -> sp.csr_array:
    """(n_items, n_items) matrix: cosine ** exponent of each item's ``n_neighbors`` nearest, where positive.

    Dense vectors are centred first: embeddings of language models share a large common part. A zero
    vector has no neighbours.
    """
    from skrec._kernels.nearest_columns import nearest_columns
    from skrec._kernels.threads import run_blocks

    n_items = vectors.shape[0]
    if not sp.issparse(vectors):
        told = ~is_zero_row(vectors)
        center = vectors[told].mean(axis=0) if told.sum() > 1 else 0
        vectors = np.where(told[:, None], vectors - center, 0)
    unit = normalize(vectors)
    shape = (n_items, min(n_neighbors, n_items))
    codes, cosines = np.empty(shape, np.int32), np.empty(shape, unit.dtype)
    sizes = np.empty(n_items, np.int64)

    def nearest(start: int, stop: int) -> None:
        at = slice(start, stop)
        block = np.asarray(safe_sparse_dot(unit[at], unit.T, dense_output=True))
        nearest_columns(block, np.arange(start, stop), codes[at], cosines[at], sizes[at])

    run_blocks(nearest, n_items, block_rows(n_items), n_jobs)
    kept = np.arange(shape[1]) < sizes[:, None]
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    graph = sp.csr_array((cosines[kept] ** unit.dtype.type(exponent), codes[kept], indptr), shape=(n_items, n_items))
    graph.sort_indices()
    return graph


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

    S is ``graph`` in units of the mean of its row maxima, T is ``text``, P is T with rows that add up to 1, s is
    ``smoothing``. Of ``(I + s P) S`` the ``n_neighbors`` largest of each row go on.
    """
    from skrec._kernels.item_graph.build import best_blended_rows

    dtype = graph.dtype
    near = normalize(text, norm="l1").astype(dtype)
    largest = graph.max(axis=1).toarray()
    unit = largest[largest > 0].mean() if (largest > 0).any() else 1
    scaled, lent = csr_arrays(graph / dtype.type(unit)), csr_arrays(near)
    lent_back, alike = csr_arrays(sp.csr_array(near.T)), csr_arrays(text.astype(dtype))
    lending, weight, scale = dtype.type(smoothing), dtype.type(text_weight), column_scale.astype(dtype)

    def best_rows(start: int, stop: int, values: NDArray, columns: NDArray, sizes: NDArray) -> None:
        best_blended_rows(start, stop, scaled, lent, lent_back, alike, lending, weight, scale, values, columns, sizes)

    return collect_rows(best_rows, graph.shape[0], n_neighbors, dtype, n_jobs)
