"""Some columns of a CSR matrix replaced."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def replace_columns(indptr, columns, values, is_replaced, new_indptr, new_columns, new_values):
    """The arrays of a CSR matrix whose replaced columns are those of another matrix.

    Parameters
    ----------
    indptr, columns, values : arrays
        (n_rows_before, n_columns) CSR matrix, sorted by column.
    is_replaced : bool array of shape (n_columns,)
    new_indptr, new_columns, new_values : arrays
        (n_rows, n_columns) CSR matrix with at least as many rows, sorted by column; entries in replaced columns alone.
    """
    n_rows = len(new_indptr) - 1
    room = len(columns) + len(new_columns)
    out_indptr = np.zeros(n_rows + 1, indptr.dtype)
    out_columns, out_values = np.empty(room, columns.dtype), np.empty(room, values.dtype)
    size = 0
    for row in range(n_rows):
        at, stop = (indptr[row], indptr[row + 1]) if row < len(indptr) - 1 else (indptr[-1], indptr[-1])
        for other in range(new_indptr[row], new_indptr[row + 1]):
            column = new_columns[other]
            while at < stop and columns[at] < column:
                if not is_replaced[columns[at]]:
                    out_columns[size], out_values[size] = columns[at], values[at]
                    size += 1
                at += 1
            out_columns[size], out_values[size] = column, new_values[other]
            size += 1
        while at < stop:
            if not is_replaced[columns[at]]:
                out_columns[size], out_values[size] = columns[at], values[at]
                size += 1
            at += 1
        out_indptr[row + 1] = size
    return out_indptr, out_columns[:size].copy(), out_values[:size].copy()
