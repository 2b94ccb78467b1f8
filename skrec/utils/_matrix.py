"""Operations on dense and sparse matrices."""

from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from sklearn.utils.extmath import safe_sparse_dot

Matrix: TypeAlias = NDArray[np.float32] | sp.csr_array

_LARGEST_CELL = 1e15
"""Greater ones overflow float32 in sums and squares."""
_ONE_REQUEST = 1 << 22
"""Multiplications up to which BLAS is not used: its threads gain 0.1 ms, and wait for 8 on a busy machine."""
_SMALLEST_LENGTH = 10
"""In units of the rounding error: scikit-learn leaves a shorter vector at its length."""


def align(matrix: Matrix, codes: NDArray[np.int64], n: int) -> Matrix:
    """Rows in catalogue order, a zero row where there is none."""
    if sp.issparse(matrix):
        place = sp.csr_array((np.ones(len(codes), np.float32), (codes, np.arange(len(codes)))), shape=(n, len(codes)))
        return sp.csr_array(place @ matrix)
    aligned = np.zeros((n, matrix.shape[1]), np.float32)
    aligned[codes] = matrix
    return aligned


def with_rows(old: Matrix, new: Matrix | None, rows: NDArray[np.int64] | None, n: int) -> Matrix:
    """``old`` with zero rows behind it up to ``n``, and the given rows replaced by those of ``new``."""
    grown = align(old, np.arange(old.shape[0]), n)
    if new is None:
        return grown
    kept = np.ones(n, np.float32)
    kept[rows] = 0
    return sp.diags_array(kept) @ grown + new


def replace_rows(old: tuple[NDArray, ...], rows: NDArray[np.int64], new: tuple[NDArray, ...]) -> tuple[NDArray, ...]:
    """Arrays in rows, as those of a CSR matrix, in which some rows are others.

    Everything between two of them is copied in one piece.

    Parameters
    ----------
    old : tuple of arrays
        ``indptr``, then the arrays that it divides into rows.
    rows : int64 array of shape (n_replaced,)
        In ascending order.
    new : tuple of arrays
        The same of the rows that come instead, n_replaced in all.
    """
    lengths = np.diff(old[0])
    lengths[rows] = np.diff(new[0])
    starts, stops = [0, *old[0][rows + 1].tolist()], [*old[0][rows].tolist(), old[0][-1]]
    bounds = new[0].tolist()
    arrays = []
    for before, after in zip(old[1:], new[1:], strict=True):
        parts = [before[: stops[0]]]
        for place in range(len(rows)):
            parts += [after[bounds[place] : bounds[place + 1]], before[starts[place + 1] : stops[place + 1]]]
        arrays.append(np.concatenate(parts))
    return np.append(0, np.cumsum(lengths)).astype(old[0].dtype), *arrays


def finite_matrix(matrix: Any, what: str) -> Matrix:
    """Float32, dense or CSR, from an array, a sparse matrix or a frame.

    Raises
    ------
    ValueError
        If it has not two dimensions, or holds complex, missing, infinite or far too large numbers.
    """
    if sp.issparse(matrix):
        matrix = sp.csr_array(matrix)
        if matrix.nnz and not (matrix.indices.min() >= 0 and matrix.indices.max() < matrix.shape[1]):
            # Compiled code would read beyond the matrix: an encoder that was loaded may make such a one.
            raise ValueError(f"{what}: the sparse matrix has entries outside of its shape {matrix.shape}.")
    else:
        frame = nw.from_native(matrix, eager_only=True, pass_through=True)
        matrix = np.asarray(frame.to_numpy() if isinstance(frame, nw.DataFrame) else matrix)
        if matrix.ndim != 2:
            raise ValueError(f"{what} must be a matrix of two dimensions; got shape {matrix.shape}.")
    if matrix.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} must have real numbers.")
    with np.errstate(over="ignore"):
        is_sparse = sp.issparse(matrix)
        matrix = matrix.astype(np.float32) if is_sparse else np.ascontiguousarray(matrix, dtype=np.float32)
    values = matrix.data if is_sparse else matrix
    largest = max(values.max(initial=0), -values.min(initial=0))
    if not np.isfinite(largest):
        raise ValueError(f"{what} contains NaN or infinity (as float32); fill or drop those values first.")
    if largest > _LARGEST_CELL:
        raise ValueError(
            f"{what} reaches {largest:.3g}, and at most {_LARGEST_CELL:g} adds up in float32: rescale it, as with "
            "sklearn.preprocessing.StandardScaler."
        )
    return matrix


def inner_products(vectors: Matrix, item_vectors: Matrix, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """(n_queries, n_items) inner products, for all items or for the given codes."""
    chosen = item_vectors if items is None else item_vectors[items]
    if not sp.issparse(vectors) and not sp.issparse(chosen) and len(vectors) * chosen.size <= _ONE_REQUEST:
        return _few_products(vectors, chosen)
    return np.asarray(safe_sparse_dot(vectors, chosen.T, dense_output=True), dtype=np.float32)


def _few_products(vectors: NDArray, item_vectors: NDArray) -> NDArray[np.float32]:
    """Inner products of few query vectors, in one thread."""
    n_items, n_columns = item_vectors.shape
    step = item_vectors.strides[0] // 4
    if item_vectors.dtype != np.float32 or step < n_columns or item_vectors.strides[1] != 4 or not item_vectors.size:
        return np.einsum("qd,id->qi", vectors, item_vectors).astype(np.float32, copy=False)
    from skrec._kernels.row_products import row_products

    # Factors are the leading columns of wider rows. From here on the rows lie in one array without gaps, which
    # compiled code reads in vectors.
    flat = as_strided(item_vectors, ((n_items - 1) * step + n_columns,), (4,), writeable=False)
    products = np.empty((len(vectors), n_items), np.float32)
    row_products(np.ascontiguousarray(vectors, np.float32), flat, step, products)
    return products


def unit_rows(vectors: Matrix) -> Matrix:
    """Rows at unit length, zero rows as they are: scikit-learn's ``normalize``, whose checks cost a request 0.3 ms."""
    if isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and vectors.ndim == 2 and vectors.size:
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if np.isfinite(lengths).all():
            lengths[lengths < _SMALLEST_LENGTH * np.finfo(np.float32).eps] = 1
            return vectors / lengths[:, None]
    from sklearn.preprocessing import normalize

    return normalize(vectors)


def read_only(matrix: Matrix) -> Matrix:
    """The same numbers, without a copy, in arrays that refuse to be written to."""
    if isinstance(matrix, sp.csr_array):
        views = [array.view() for array in (matrix.data, matrix.indices, matrix.indptr)]
        for view in views:
            view.flags.writeable = False
        return sp.csr_array(tuple(views), shape=matrix.shape)
    view = matrix.view()
    view.flags.writeable = False
    return view


def is_zero_row(vectors: Matrix) -> NDArray[np.bool_]:
    """Which rows of a dense or sparse matrix are all zero."""
    if sp.issparse(vectors):
        return np.asarray(abs(vectors).sum(axis=1)).ravel() == 0
    return ~np.any(vectors, axis=1)


def row_dots(a: Matrix, b: Matrix) -> NDArray[np.floating]:
    """Inner product of each row of ``a`` with the same row of ``b``."""
    if sp.issparse(a) or sp.issparse(b):
        return np.asarray((a * b if sp.issparse(a) else b * a).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", a, b)
