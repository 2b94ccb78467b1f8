"""Products of sparse matrices, added to dense blocks."""

from numba import njit


@njit(cache=True, nogil=True)
def add_sparse_product(a_indptr, a_columns, a_values, b_indptr, b_columns, b_values, out) -> None:
    """Add ``A @ B`` to ``out``, both matrices in CSR form.

    A sparse result would have to find, grow and sort its rows; a dense row that fits into the cache is written
    directly.

    Parameters
    ----------
    a_indptr, a_columns, a_values : arrays
        (n_rows, n_inner) CSR matrix.
    b_indptr, b_columns, b_values : arrays
        (n_inner, n_columns) CSR matrix.
    out : array of shape (n_rows, n_columns)
        Changed in place.
    """
    for r in range(len(a_indptr) - 1):
        row = out[r]
        for at in range(a_indptr[r], a_indptr[r + 1]):
            weight = a_values[at]
            inner = a_columns[at]
            for other in range(b_indptr[inner], b_indptr[inner + 1]):
                row[b_columns[other]] += weight * b_values[other]
