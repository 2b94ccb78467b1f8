"""The largest positive entries of each row of a dense block."""

from numba import njit

_CHUNK = 32


@njit(cache=True, nogil=True)
def _is_worse(value, column, other_value, other_column):
    return value < other_value or (value == other_value and column > other_column)


@njit(cache=True, nogil=True)
def _sink(values, columns, at, size):
    """Move an entry down a heap whose root is the worst."""
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        right = child + 1
        if right < size and _is_worse(values[right], columns[right], values[child], columns[child]):
            child = right
        if not _is_worse(values[child], columns[child], values[at], columns[at]):
            return
        values[at], values[child] = values[child], values[at]
        columns[at], columns[child] = columns[child], columns[at]
        at = child


@njit(cache=True, nogil=True)
def nearest_columns(block, skip, columns, values, sizes) -> None:
    """Keep the largest positive entries of each row, of equals the first columns; not sorted within a row.

    Parameters
    ----------
    block : array of shape (n_rows, n_columns)
    skip : int array of shape (n_rows,)
        A column to exclude in each row; -1 for none.
    columns, values : arrays of shape (n_rows, k)
        Filled.
    sizes : int array of shape (n_rows,)
        Filled with the number of entries of each row, at most k.
    """
    n_columns, k = block.shape[1], columns.shape[1]
    for r in range(len(block)):
        row, best, where = block[r], values[r], columns[r]
        size = 0
        threshold = row.dtype.type(0)
        for start in range(0, n_columns, _CHUNK):
            stop = min(start + _CHUNK, n_columns)
            # A whole chunk below the threshold is the common case, and this loop has no branch to miss.
            above = 0
            for c in range(start, stop):
                above += row[c] > threshold
            if above == 0:
                continue
            for c in range(start, stop):
                if row[c] <= threshold or c == skip[r]:
                    continue
                if size < k:
                    best[size], where[size] = row[c], c
                    size += 1
                    if size < k:
                        continue
                    for at in range(k // 2 - 1, -1, -1):
                        _sink(best, where, at, k)
                else:
                    best[0], where[0] = row[c], c
                    _sink(best, where, 0, k)
                threshold = best[0]
        sizes[r] = size
