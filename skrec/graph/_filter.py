"""The closed-form filter of a graph of events: nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from skrec.base import center_rows
from skrec.graph._adjacency import degrees, inverse_power
from skrec.utils import Matrix, unit_rows

LARGEST_DENSE = 4096
MOST_ENTRIES = 1000
_BLOCK_CELLS = 1 << 24


@dataclass(frozen=True)
class GraphFilter:
    """The parts of a filter: a history h scores the items by ``h matrix + (h sources) vectors'``.

    Attributes
    ----------
    matrix : dense array or CSR array of shape (n_items, n_items)
        float32. Row: the item of the history; column: the item that is scored.
    sources, vectors : float32 arrays of shape (n_items, d)
    """

    matrix: Matrix
    sources: NDArray[np.float32]
    vectors: NDArray[np.float32]


def graph_filter(
    events: sp.csr_array,
    texts: sp.csr_array | None,
    *,
    n_factors: int,
    low_pass: float,
    damping: float,
    user_exponent: float,
    item_exponent: float,
    score_exponent: float | None,
    seed: int,
) -> GraphFilter:
    """GF-CF: paths over two edges, and the components that vary least over the graph.

    Parameters
    ----------
    events : CSR array of shape (n_users, n_items)
        Edges of weight 1.
    texts : CSR array of shape (n_items, n_items), or None
        Symmetric edges between items.
    n_factors : int
        Components of the low-pass part.
    low_pass : float
        Its weight; the rest is that of the paths.
    damping : float
        Takes weight from its smaller components.
    user_exponent, item_exponent : float
        Edges are divided by the degrees of the user and of the item to these powers.
    score_exponent : float or None
        Scores of the low-pass part are multiplied by the degree of the item to this power; None for ``item_exponent``.
    seed : int
    """
    of_items = degrees(events, 0)
    item_scale = inverse_power(of_items, item_exponent)
    rows = np.repeat(inverse_power(degrees(events, 1), user_exponent), np.diff(events.indptr))
    normalised = sp.csr_array(
        (events.data * rows * item_scale[events.indices], events.indices, events.indptr), shape=events.shape
    )
    axes, values = _leading_axes(normalised, n_factors, seed)
    largest = values.max(initial=0) or np.float32(1)
    share = np.square(values / largest)
    # Half of the weight on either side, so that the cosines of ``vectors`` see it too.
    axes *= np.sqrt(np.divide((1 + damping) * share, share + damping, out=np.zeros_like(share), where=share > 0))
    sources = axes * (np.float32(low_pass) * item_scale)[:, None]
    power = item_exponent if score_exponent is None else score_exponent
    vectors = axes * inverse_power(of_items, -power)[:, None]
    near = None if texts is None else _normalised(texts)
    if near is not None:
        cold = of_items == 0
        shares = sp.diags_array(inverse_power(degrees(near, 1), 1.0)) @ near
        vectors[cold] = (shares @ vectors)[cold]
    paths = normalised / largest  # as it would be for powers of 1/2
    return GraphFilter(_paths(paths, near, np.float32(1 - low_pass)), sources, vectors)


def _leading_axes(
    normalised: sp.csr_array, n_factors: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n_items, d) right singular vectors of the largest singular values, and these, 0 where there is no direction."""
    n_factors = min(n_factors, *normalised.shape)
    if not normalised.nnz:
        return np.zeros((normalised.shape[1], n_factors), np.float32), np.zeros(n_factors, np.float32)
    _, lengths, right = randomized_svd(normalised, n_factors, n_iter=7, random_state=seed)
    kept = lengths > max(float(lengths.max()), 1e-30) * 1e-5  # the axes of zeros are arbitrary
    return np.ascontiguousarray(right.T * kept, dtype=np.float32), np.asarray(lengths * kept, dtype=np.float32)


def _normalised(edges: sp.csr_array) -> sp.csr_array:
    scale = sp.diags_array(inverse_power(degrees(edges, 1), 0.5))
    return sp.csr_array(scale @ edges @ scale)


def _paths(normalised: sp.csr_array, near: sp.csr_array | None, weight: np.float32) -> Matrix:
    """``weight`` times the two-step paths between items and the edges of texts; the largest entries of each row."""
    n_items = normalised.shape[1]
    if not weight:
        return sp.csr_array((n_items, n_items), dtype=np.float32)
    from_items = sp.csr_array(normalised.T)
    is_dense = n_items <= LARGEST_DENSE
    height = max(1, _BLOCK_CELLS // max(1, n_items))
    blocks = []
    for start in range(0, n_items, height):
        block = sp.csr_array(from_items[start : start + height] @ normalised)
        if near is not None:
            block = sp.csr_array(block + near[start : start + height])
        blocks.append(block.toarray() if is_dense else _largest(block, MOST_ENTRIES))
    if is_dense:
        return np.ascontiguousarray(np.vstack(blocks) * weight, dtype=np.float32)
    paths = sp.csr_array(sp.vstack(blocks, format="csr") * weight, dtype=np.float32)
    paths.sort_indices()
    return paths


def _largest(block: sp.csr_array, n: int) -> sp.csr_array:
    """The ``n`` largest entries of each row."""
    kept = np.ones(block.nnz, bool)
    for row in np.flatnonzero(np.diff(block.indptr) > n):
        start, stop = block.indptr[row], block.indptr[row + 1]
        kept[start + np.argpartition(-block.data[start:stop], n - 1)[n:]] = False
    sizes = np.add.reduceat(np.append(kept, False).astype(np.int64), block.indptr[:-1]) * (np.diff(block.indptr) > 0)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    return sp.csr_array((block.data[kept], block.indices[kept], indptr), shape=block.shape)


def reduced(matrix: Matrix, n_components: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors of encoded items: dense ones centred, sparse ones reduced to leading components."""
    if sp.issparse(matrix):
        left, lengths, _ = randomized_svd(matrix, min(n_components, *matrix.shape), random_state=seed)
        matrix = left * lengths
    return np.asarray(unit_rows(center_rows(matrix)), dtype=np.float32)
