"""Lengths and axes of item vectors."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.utils import Matrix, is_zero_row


def squared_norms(vectors: Matrix) -> NDArray[np.float32]:
    """Squared length of each row."""
    if sp.issparse(vectors):
        return np.asarray(sp.csr_array(vectors).power(2).sum(axis=1), dtype=np.float32).ravel()
    return np.einsum("ij,ij->i", vectors, vectors)


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
