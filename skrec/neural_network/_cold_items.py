"""Vectors of items without events, from those of trained items with like features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import safe_sparse_dot

from skrec.base import center_rows
from skrec.utils import Matrix, is_zero_row, unit_rows

_NEIGHBORS = 30
_EXPONENT = 8  # of the cosine: chosen on hidden items of Amazon Beauty, where 3 is weaker
_CELLS = 1 << 24


def with_like_items(
    vectors: NDArray[np.float32], active: NDArray[np.bool_], item_matrix: Matrix | None, share: float
) -> NDArray[np.float32]:
    """The vectors, where those of items without events have a share from the trained items nearest to them.

    Parameters
    ----------
    vectors : float32 array of shape (n_items, n_factors)
    active : bool array of shape (n_items,)
        Items seen in training; their vectors stay.
    item_matrix : matrix of shape (n_items, n_features), or None
        Encoded features. An item whose row is zero, or near to none, keeps its vector.
    share : float
        Of the mean of the nearest trained items, weighted by a power of the cosine.
    """
    if item_matrix is None or not share:
        return vectors
    has_features = ~is_zero_row(item_matrix)
    cold, known = np.flatnonzero(~active & has_features), np.flatnonzero(active & has_features)
    if not len(cold) or not len(known):
        return vectors
    unit = unit_rows(center_rows(item_matrix))
    trained, n_neighbors = unit[known], min(_NEIGHBORS, len(known))
    mixed = vectors.copy()
    block = max(1, _CELLS // len(known))
    for start in range(0, len(cold), block):
        rows = cold[start : start + block]
        cosines = np.asarray(safe_sparse_dot(unit[rows], trained.T, dense_output=True))
        nearest = np.argpartition(-cosines, n_neighbors - 1, axis=1)[:, :n_neighbors]
        weights = np.maximum(np.take_along_axis(cosines, nearest, axis=1), 0) ** _EXPONENT
        total = weights.sum(axis=1, keepdims=True)
        mean = np.einsum("ij,ijk->ik", weights / np.where(total > 0, total, 1), vectors[known[nearest]])
        mixed[rows] = np.where(total > 0, (1 - share) * vectors[rows] + share * mean, vectors[rows])
    return mixed
