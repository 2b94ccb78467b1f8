"""Inner products of few vectors with all rows of a matrix."""

from numba import njit


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def row_products(vectors, rows, step, out) -> None:
    """Write ``out[q, i]``, the inner product of vector ``q`` and row ``i``.

    Parameters
    ----------
    vectors : float32 array of shape (n_queries, n_columns)
    rows : float32 array of shape (n_elements,)
        Row ``i`` begins at ``i * step``, and may be followed by columns that do not count.
    step : int
    out : float32 array of shape (n_queries, n_rows)
        Filled.
    """
    n_queries, n_columns = vectors.shape
    for i in range(out.shape[1]):
        row = rows[i * step : i * step + n_columns]
        for q in range(n_queries):
            vector = vectors[q]
            total = vectors.dtype.type(0)
            for column in range(n_columns):
                total += vector[column] * row[column]
            out[q, i] = total
