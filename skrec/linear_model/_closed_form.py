"""The closed form of EASE: Gram matrix, weights, exact updates, and the sparse approximation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray
from scipy.linalg import get_lapack_funcs
from sklearn.utils.extmath import safe_sparse_dot

from skrec._kernels.csr import csr_arrays
from skrec.base import blend, center_rows, classical, merge_repeats, pair_table, repeats_dominate, text_similarity
from skrec.interactions import Histories
from skrec.utils import Matrix, unit_rows

if TYPE_CHECKING:
    from skrec._kernels.item_graph.build import PairTable

_BLOCK = 64
_NEGLIGIBLE = 1e-4
_LEAST_SINGLE_PIVOT = 1 << 12  # weights of EASE are then within about 5e-4 of their value


def gram_pairs(
    histories: Histories,
    n_items: int,
    *,
    order_weight: float = 0.0,
    pair_decay: float = 0.9,
    dtype: DTypeLike = np.float32,
) -> tuple[PairTable, PairTable | None]:
    """Pairs of events whose weights make up the Gram matrix: 1 + order_weight * pair_decay ** distance.

    Returns
    -------
    pairs : PairTable
    near_pairs : PairTable or None
        Where repeats are merged: the pairs by distance, of which a window bounds the number. Else ``pairs`` holds
        them too.
    """
    lags = None
    if order_weight > 0:
        longest = int(histories.lengths.max(initial=1))
        reach = longest if pair_decay == 1 else int(np.ceil(np.log(_NEGLIGIBLE) / np.log(pair_decay)))
        lag = order_weight * np.power(float(pair_decay), np.arange(min(longest, max(reach, 1)) + 1))
        lags = lag, lag
    if not repeats_dominate(histories, n_items):
        return pair_table(histories, n_items, histories.y, histories.y, lags=lags, constant=1.0, dtype=dtype), None
    merged, source, target = merge_repeats(histories, n_items, histories.y, histories.y)
    if lags is None:
        return pair_table(merged, n_items, source, target, constant=1.0, dtype=dtype), None
    return (
        pair_table(merged, n_items, source, target, constant=1.0, dtype=dtype),
        pair_table(histories, n_items, histories.y, histories.y, lags=lags, constant=0.0, dtype=dtype),
    )


def unit_features(matrix: Matrix) -> Matrix:
    """Rows of unit length; dense ones are centred first, since embeddings share a large common part."""
    return unit_rows(center_rows(matrix))


def gram_matrix(
    pairs: PairTable, near_pairs: PairTable | None, features: Matrix | None, side_weight: float, n_jobs: int | None
) -> NDArray:
    """(n_items, n_items) dense Gram matrix of events plus ``side_weight`` times that of features."""
    from skrec._kernels.item_graph.build import dense_pair_rows
    from skrec._kernels.threads import run_blocks

    n_items = len(pairs.item_ptr) - 1
    gram = np.zeros((n_items, n_items), pairs.source.dtype)

    def add_rows(start: int, stop: int) -> None:
        dense_pair_rows(start, stop, pairs, gram)
        if near_pairs is not None:
            dense_pair_rows(start, stop, near_pairs, gram)
        if features is not None and side_weight > 0:
            near = safe_sparse_dot(features[start:stop], features.T, dense_output=True)
            gram[start:stop] += side_weight * near

    run_blocks(add_rows, n_items, _BLOCK, n_jobs, "Pairs of items")
    return gram


def in_double_precision(pairs: PairTable, near_pairs: PairTable | None) -> tuple[PairTable, PairTable | None]:
    """Both tables of :func:`gram_pairs` with the weights of events in float64."""
    return pairs.in_double_precision(), None if near_pairs is None else near_pairs.in_double_precision()


def dense_weights(
    pairs: PairTable,
    near_pairs: PairTable | None,
    features: Matrix | None,
    *,
    side_weight: float,
    penalty: NDArray[np.float64],
    n_jobs: int | None,
) -> tuple[NDArray, NDArray | None]:
    """(n_items, n_items) weights of EASE in the precision of ``pairs``, and the diagonal of the inverse.

    Strengths of very different size leave few digits in float32 or none: then the weights are computed in float64,
    and the diagonal is None, since an update in float32 would lose them again.

    Raises
    ------
    LinAlgError
        If the Gram matrix is not positive definite in float64.
    """

    def solve(pairs: PairTable, near_pairs: PairTable | None) -> tuple[NDArray, NDArray]:
        gram = gram_matrix(pairs, near_pairs, features, side_weight, n_jobs)
        gram[np.diag_indices_from(gram)] += penalty.astype(gram.dtype)
        return gram, solve_in_place(gram, n_jobs, least_pivot=8 if gram.dtype == np.float64 else _LEAST_SINGLE_PIVOT)

    dtype = pairs.source.dtype
    try:
        return solve(pairs, near_pairs)
    except np.linalg.LinAlgError:
        if dtype == np.float64:
            raise
    weights, _ = solve(*in_double_precision(pairs, near_pairs))
    return weights.astype(dtype), None


def penalties(histories: Histories, n_items: int, regularization: float, exponent: float) -> NDArray[np.float64]:
    """L2 penalty per item: ``regularization``, larger for items with more events if ``exponent`` is positive."""
    mass = np.maximum(np.bincount(histories.items, weights=histories.y.astype(np.float64) ** 2, minlength=n_items), 1)
    return regularization * (mass / mass.mean()) ** exponent


def solve_in_place(gram: NDArray, n_jobs: int | None, *, least_pivot: float = 8) -> NDArray:
    """Turn a positive definite matrix into the weights of EASE; returns the diagonal of its inverse.

    Parameters
    ----------
    gram : array of shape (n_items, n_items)
        Overwritten, also where it is refused.
    n_jobs : int or None
    least_pivot : float, default=8
        Least pivot of an item, as a multiple of the rounding error of its diagonal entry.

    Raises
    ------
    LinAlgError
        If a pivot is smaller: the matrix is not positive definite in its precision. A ValueError.
    """
    from skrec._kernels.item_graph.ease import mirror_rows
    from skrec._kernels.threads import run_blocks

    # Seen by LAPACK the rows are columns, so its lower triangle is our upper one: nothing is copied.
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (gram,))
    rounding = least_pivot * np.finfo(gram.dtype).eps * gram.diagonal()
    factor, info = potrf(gram.T, lower=True, overwrite_a=True, clean=False)
    if info == 0 and (factor.diagonal() ** 2 > rounding).all():
        inverse, info = potri(factor, lower=True, overwrite_c=True)
    else:
        raise np.linalg.LinAlgError(
            f"The Gram matrix is not positive definite in {gram.dtype}: regularization is too small for this data; "
            "pass a larger one."
        )
    if not np.shares_memory(inverse, gram):
        gram[:] = inverse.T
    run_blocks(lambda start, stop: mirror_rows(start, stop, gram), len(gram), _BLOCK, n_jobs)
    return to_weights(gram, n_jobs)


def to_weights(inverse: NDArray, n_jobs: int | None) -> NDArray:
    """Turn the inverse Gram matrix into weights, in place; returns its diagonal."""
    from skrec._kernels.item_graph.ease import weight_rows
    from skrec._kernels.threads import run_blocks

    diagonal = inverse.diagonal().copy()
    run_blocks(lambda start, stop: weight_rows(start, stop, inverse, diagonal), len(inverse), _BLOCK, n_jobs)
    return diagonal


def updated_weights(
    weights: NDArray,
    diagonal: NDArray,
    before: sp.csr_array,
    after: sp.csr_array,
    regularization: float,
    n_jobs: int | None,
) -> tuple[NDArray, NDArray]:
    """Weights after some rows (users) have changed, by Woodbury's identity; new items come after the old.

    Parameters
    ----------
    weights, diagonal : arrays of shape (n_old_items, n_old_items) and (n_old_items,)
        Of the model; read, never written, since other threads may be reading them.
    before, after : CSR arrays of shape (n_changed_users, n_items)

    Returns
    -------
    weights, diagonal : arrays of shape (n_items, n_items) and (n_items,)
    """
    from skrec._kernels.item_graph.ease import inverse_rows
    from skrec._kernels.threads import run_blocks

    n_old, n_items = len(weights), after.shape[1]
    inverse = np.zeros((n_items, n_items), weights.dtype)
    run_blocks(lambda start, stop: inverse_rows(start, stop, weights, diagonal, inverse), n_old, _BLOCK, n_jobs)
    added = np.arange(n_old, n_items)
    inverse[added, added] = 1 / regularization
    has_events = before.indptr[1:] > before.indptr[:-1]
    rows = sp.csr_array(sp.vstack([after, before[has_events]]))
    sign = np.concatenate([np.ones(after.shape[0]), -np.ones(int(has_events.sum()))])
    through = rows @ inverse
    inner = np.asarray((rows @ through.T.astype(np.float64)).T)
    inner[np.diag_indices_from(inner)] += sign
    inner = np.linalg.solve(inner, through).astype(inverse.dtype)

    def subtract_rows(start: int, stop: int) -> None:
        inverse[start:stop] -= through[:, start:stop].T @ inner

    run_blocks(subtract_rows, n_items, _BLOCK, n_jobs)
    return inverse, to_weights(inverse, n_jobs)


def sparse_weights(
    pairs: PairTable,
    near_pairs: PairTable | None,
    by_user: sp.csr_array,
    features: Matrix | None,
    *,
    side_weight: float,
    penalty: NDArray[np.float64],
    n_neighbors: int,
    n_jobs: int | None,
    dtype: DTypeLike = np.float32,
) -> sp.csr_array:
    """(n_items, n_items) weights: each item regressed on its ``n_neighbors`` nearest by cosine.

    ``by_user`` may be overwritten.
    """
    from skrec._kernels.item_graph.ease import ridge_columns
    from skrec._kernels.threads import run_blocks

    n_items = by_user.shape[1]
    nearest = classical(by_user, "cosine", bm25_k1=0, bm25_b=0, dtype=dtype).best(n_neighbors, n_jobs)
    dense = np.zeros((n_items, 0))
    if features is not None and side_weight > 0:
        if sp.issparse(features):
            raise ValueError(
                f"n_neighbors={n_neighbors} needs dense item features, but they are a sparse matrix: reduce them to "
                "dense ones, as by item_encoder=make_pipeline(..., TruncatedSVD(100)), or pass n_neighbors=None."
            )
        by_features = text_similarity(features, n_neighbors, 1.0, n_jobs)
        ones = np.ones(n_items)
        nearest = blend(
            nearest, by_features, smoothing=0, text_weight=1, column_scale=ones, n_neighbors=n_neighbors, n_jobs=n_jobs
        )
        dense = features.astype(np.float64)
    arrays, values = csr_arrays(nearest), np.zeros(nearest.nnz, np.float64)

    tables = pairs, pairs if near_pairs is None else near_pairs, near_pairs is not None

    def solve_rows(start: int, stop: int) -> None:
        ridge_columns(start, stop, arrays, *tables, dense, float(side_weight), penalty, values)

    # Each block sets up lists of all users and events, so blocks are few.
    run_blocks(solve_rows, n_items, max(_BLOCK, -(-n_items // 64)), n_jobs, "Item weights")
    columns = sp.csr_array((values.astype(dtype), nearest.indices, nearest.indptr), shape=nearest.shape)
    return sp.csr_array(columns.T)
