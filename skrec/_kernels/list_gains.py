"""Gains of the items of ranked lists."""

from numba import njit


@njit(cache=True, nogil=True)
def list_gains(indptr, indices, values, codes, gains) -> None:
    """Look up the gain of every item of every list.

    Parameters
    ----------
    indptr, indices, values : int64, int64 and float64 arrays
        Relevant items of each list: a CSR matrix with sorted indices.
    codes : int64 array of shape (n_lists, n_places)
        What is looked up; a code that is not relevant, or negative, gains nothing.
    gains : float64 array of shape (n_lists, at least n_places)
        Filled where there is a gain.
    """
    for row in range(codes.shape[0]):
        begin, end = indptr[row], indptr[row + 1]
        for place in range(codes.shape[1]):
            code, first, last = codes[row, place], begin, end
            while first < last:
                middle = (first + last) // 2
                if indices[middle] < code:
                    first = middle + 1
                else:
                    last = middle
            if first < end and indices[first] == code:
                gains[row, place] = values[first]
