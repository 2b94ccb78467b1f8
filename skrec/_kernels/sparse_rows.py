"""Sums over few columns in one dense row with a list of the columns written; the others are never read.

In a sparse catalogue an item has pairs with one in a hundred of the others, and a search through all columns for
them would cost more than the sums.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class SparseRow(NamedTuple):
    """A row of sums: ``is_written`` says where, ``written[:n_written[0]]`` lists it."""

    values: NDArray[np.floating]
    is_written: NDArray[np.uint8]
    written: NDArray[np.int32]
    n_written: NDArray[np.int64]


@njit(cache=True, nogil=True)
def new_row(start):
    """Values as in ``start``, nothing written."""
    n = len(start)
    # One place more: the next column is stored before the check whether it is new.
    return SparseRow(start.copy(), np.zeros(n, np.uint8), np.empty(n + 1, np.int32), np.zeros(1, np.int64))


@njit(cache=True, nogil=True)
def list_all(row):
    """List every column as written, for more sums than there are columns: then no column has to be checked."""
    for column in range(len(row.values)):
        row.written[column] = column
    row.is_written[:] = 1
    row.n_written[0] = len(row.values)


@njit(cache=True, nogil=True)
def add(row, column, value):
    """Add a value to a column."""
    n = row.n_written[0]
    row.values[column] += value
    row.written[n] = column
    row.n_written[0] = n + 1 - row.is_written[column]
    row.is_written[column] = 1


@njit(cache=True, nogil=True)
def add_scaled(row, weight, columns, values, start, stop):
    """Add ``weight * values[start:stop]`` to ``columns[start:stop]``, repeats allowed."""
    sums, is_written, written = row.values, row.is_written, row.written
    n = row.n_written[0]
    columns, values = columns[start:stop], values[start:stop]
    for at in range(stop - start):
        column = np.uint32(columns[at])  # a signed index costs a check for negative values
        sums[column] += weight * values[at]
        # No branch: a processor cannot predict whether a column is new.
        written[n] = column
        n += 1 - is_written[column]
        is_written[column] = 1
    row.n_written[0] = n


@njit(cache=True, nogil=True)
def add_csr_row(row, weight, matrix, at_row):
    """Add ``weight`` times a row of a CSR matrix."""
    add_scaled(row, weight, matrix.indices, matrix.data, matrix.indptr[at_row], matrix.indptr[at_row + 1])


@njit(cache=True, nogil=True)
def written_columns(row):
    """Columns written, in the order of writing."""
    return row.written[: row.n_written[0]]


@njit(cache=True, nogil=True)
def clear(row, start):
    """Reset the columns written to their values in ``start``."""
    for column in written_columns(row):
        row.values[column] = start[column]
        row.is_written[column] = 0
    row.n_written[0] = 0


@njit(cache=True, nogil=True)
def largest_first(values, n, k):
    """Bring the k largest of the first n to the front, k < n; returns the least of them."""
    start, stop = 0, n
    while True:
        a, b, c = values[start], values[(start + stop) // 2], values[stop - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        # Both loops always swap and count, since a branch would be mispredicted half of the time.
        greater = start
        for at in range(start, stop):
            value = values[at]
            values[at], values[greater] = values[greater], value
            greater += value > pivot
        if k <= greater:
            stop = greater
            continue
        equal = greater
        for at in range(greater, stop):
            value = values[at]
            values[at], values[equal] = values[equal], value
            equal += value == pivot
        if k <= equal:
            return pivot
        start = equal


@njit(cache=True, nogil=True)
def _cut(row, k, buffer):
    """The k-th largest positive sum, and how many of the k largest equal it; 0 if there are fewer than k.

    Sums above the cut so far go to a buffer of 2 k, which is cut back to k when it is full.
    """
    size = 0
    cut = buffer.dtype.type(0)
    for column in written_columns(row):
        value = row.values[column]
        if value > cut:
            buffer[size] = value
            size += 1
            if size == len(buffer):
                cut = largest_first(buffer, size, k)
                size = k
    if size < k:
        return cut, 0
    if size > k:
        cut = largest_first(buffer, size, k)
    n_equal = 0
    for at in range(k):
        n_equal += buffer[at] == cut
    return cut, n_equal


class Scratch(NamedTuple):
    """Work space of :func:`keep_best`: one bit per column, all 0 before and after, and a buffer of 2 k values."""

    bits: NDArray[np.uint64]
    buffer: NDArray[np.floating]


@njit(cache=True, nogil=True)
def new_scratch(start, k):
    """Work space for rows as long as ``start``, of which k entries are kept."""
    return Scratch(np.zeros((len(start) + 63) // 64, np.uint64), np.empty(2 * k, start.dtype))


@njit(cache=True, nogil=True)
def keep_best(row, scratch, best, where):
    """Copy the largest positive sums to ``best`` and ``where``, ordered by column; returns their number.

    Of equal sums the first columns are kept. The bits put the columns in order: a sort would cost more than all
    the rest.
    """
    bits = scratch.bits
    cut, n_equal = _cut(row, len(best), scratch.buffer)
    for column in written_columns(row):
        value = row.values[column]
        if value > 0 and value >= cut:
            bits[column >> 6] |= np.uint64(1) << np.uint64(column & 63)
    size = 0
    for at in range(len(bits)):
        word = bits[at]
        if word == 0:
            continue
        bits[at] = 0
        while word != 0:
            column = (at << 6) + _lowest_bit(word)
            word &= word - np.uint64(1)
            value = row.values[column]
            if value == cut:
                if n_equal == 0:
                    continue
                n_equal -= 1
            best[size], where[size] = value, column
            size += 1
    return size


_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_POSITIONS = np.zeros(64, np.int64)
for _bit in range(64):
    _POSITIONS[(int(_DE_BRUIJN) << _bit & 0xFFFFFFFFFFFFFFFF) >> 58] = _bit


@njit(cache=True, nogil=True)
def _lowest_bit(word):
    """Position of the lowest bit set: times a de Bruijn sequence, its top 6 bits differ for every position."""
    lowest = word & (~word + np.uint64(1))
    return _POSITIONS[(lowest * _DE_BRUIJN) >> np.uint64(58)]
