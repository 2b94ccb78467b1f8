"""Weights of the entries of a (n_users, n_items) matrix, computed in place: there may be many millions."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def column_sums(indices, data, out, power=1) -> None:
    """Add the entries of each column, to a power, to float64 ``out``."""
    for at in range(len(indices)):
        out[indices[at]] += np.float64(data[at]) ** power


@njit(cache=True, nogil=True)
def weigh_entries(indptr, indices, data, idf, k1, relative_lengths) -> None:
    """Replace the entries by their BM25 weights, or their TF-IDF weights if ``k1`` is negative.

    Parameters
    ----------
    indptr, indices, data : arrays
        A CSR matrix; rows are the terms, columns the documents.
    idf : float64 array of shape (n_rows,)
    k1 : float
    relative_lengths : float64 array of shape (n_columns,)
        Of the documents, normalised by ``b``.
    """
    for row in range(len(indptr) - 1):
        for at in range(indptr[row], indptr[row + 1]):
            value = np.float64(data[at])
            weight = value * (k1 + 1) / (k1 * relative_lengths[indices[at]] + value) if k1 >= 0 else np.sqrt(value)
            data[at] = weight * idf[row]
