"""Lengths and axes of item vectors."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.utils import Matrix, is_zero_row, unit_rows

_OFF_CENTER = 0.0123


def squared_norms(vectors: Matrix) -> NDArray[np.float32]:
    """Squared length of each row."""
    if sp.issparse(vectors):
        return np.asarray(sp.csr_array(vectors).power(2).sum(axis=1), dtype=np.float32).ravel()
    return np.einsum("ij,ij->i", vectors, vectors)


def off_mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """An origin near the mean and off it, since a zero vector stands for an item without features."""
    mean, spread = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    near: NDArray[np.float32] = (mean + _OFF_CENTER * spread).astype(np.float32)
    return near


def whitening_axes(centered: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """(d, min(n, d)) principal axes, each divided by its standard deviation to a power; 0 for axes without variance."""
    if len(centered) < centered.shape[1]:
        _, lengths, rows = np.linalg.svd(centered.astype(np.float64), full_matrices=False)
        variance, axes = lengths**2 / len(centered), rows.T
    else:
        variance, axes = np.linalg.eigh(centered.T.astype(np.float64) @ centered / len(centered))
    varies = variance > variance.max() * np.finfo(np.float32).eps
    scale = np.where(varies, np.where(varies, variance, 1) ** (-power / 2), 0)
    return (axes * scale).astype(np.float32)


def whitened(vectors: Matrix, power: float) -> Matrix:
    """Dense vectors, centred and on their whitening axes; zero vectors stay zero, sparse ones are unchanged."""
    if sp.issparse(vectors) or not power:
        return vectors
    has_features = ~is_zero_row(vectors)
    if has_features.sum() < 2:
        return vectors
    centered = (vectors - vectors[has_features].mean(axis=0)) * has_features[:, None]
    return centered @ whitening_axes(centered[has_features], power)


def unwhitened(
    queries: Matrix,
    item_vectors: NDArray[np.float32],
    axes: NDArray[np.float32],
    center: NDArray[np.float32],
    columns: NDArray[np.int64] | None,
) -> tuple[Matrix, Matrix]:
    """Encoded queries and whitened items, such that their products are the cosines before whitening.

    Parameters
    ----------
    queries : matrix of shape (n_queries, d), or as many columns as ``columns`` names
    item_vectors : float32 array of shape (n_items, n_axes)
        Centred, multiplied by ``axes``, and of unit length.
    axes : float32 array of shape (d, n_axes)
    center : float32 array of shape (d,)
    columns : int64 array or None
        Those of the items that queries have; None for all.
    """
    # An item vector is u A / |u A| for its centred vector u: back through A, up to a length.
    back = np.linalg.pinv(axes)
    if columns is not None:
        back, center = back[:, columns], center[columns]
    lengths = np.sqrt(squared_norms(item_vectors @ back))
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    centered = np.where(is_zero_row(queries)[:, None], 0, queries - center)
    return unit_rows(centered) @ back.T, item_vectors * scale[:, None]
