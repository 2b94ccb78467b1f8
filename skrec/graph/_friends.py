"""What the friends of users chose, as sparse matrices."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import Histories

_BLOCK = 512


def rows_of(matrix: sp.csr_array, rows: NDArray[np.int64]) -> sp.csr_array:
    """The given rows of a matrix; an empty row for -1."""
    return selection(rows, matrix.shape[0]) @ matrix


def selection(rows: NDArray[np.int64], n: int) -> sp.csr_array:
    """A matrix with a 1 in each row, at the given place; none for -1."""
    known = np.flatnonzero(rows >= 0)
    ones = np.ones(len(known), np.float32)
    return sp.csr_array((ones, (known, rows[known])), shape=(len(rows), n))


def entries(matrix: sp.csr_array, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> NDArray[np.float32]:
    """The numbers at the given places, one per pair of a row and a column."""
    if not len(rows):
        return np.zeros(0, np.float32)
    return np.asarray(sp.csr_matrix(matrix)[rows, columns]).ravel()


def scaled_rows(matrix: sp.csr_array, largest: NDArray[np.floating]) -> sp.csr_array:
    """Each row over its number, a row of zeros where that is 0."""
    inverse = np.divide(1.0, largest, out=np.zeros(len(largest)), where=largest > 0)
    return sp.csr_array(sp.diags_array(inverse.astype(np.float32)) @ matrix)


def row_maxima(matrix: sp.csr_array) -> NDArray[np.float32]:
    """The largest number of each row, 0 for an empty one."""
    if not matrix.shape[1]:
        return np.zeros(matrix.shape[0], np.float32)
    return matrix.max(axis=1).toarray().ravel()


def unit_sparse_rows(matrix: sp.csr_array) -> sp.csr_array:
    """Rows of length 1."""
    return scaled_rows(matrix, np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()))


def by_rarity(matrix: sp.csr_array) -> NDArray[np.float32]:
    """1 / log of the number of links of each user, after Adamic and Adar; of one link as of two."""
    return (1 / np.log(np.maximum(np.diff(matrix.indptr), 2))).astype(np.float32)


def choices(
    histories: Histories, n_users: int, n_items: int, *, explicit: bool, half_life: float | None
) -> sp.csr_array:
    """What users chose, in rows of length 1.

    Implicit events count by the logarithm of their strength; of ratings, those count that are at least the mean of all.

    Parameters
    ----------
    histories : Histories
        Of the first users; the others have no events.
    n_users, n_items : int
    explicit : bool
        Whether y is a rating.
    half_life : float or None
        Time after which an event counts half, where there are times.
    """
    if explicit:
        matrix = histories.last_rating(n_items)
        matrix.data = (matrix.data >= histories.y.mean()).astype(np.float32) if len(matrix.data) else matrix.data
    else:
        strength = histories.y
        times = histories.timestamp
        if half_life is not None and times is not None and len(times):
            strength = strength * np.power(0.5, (times.max() - times) / half_life)
        events = (strength.astype(np.float32), (histories.row_of_event(), histories.items))
        matrix = sp.csr_array(events, shape=(len(histories), n_items))
        matrix.sum_duplicates()
        matrix.data = np.log1p(matrix.data)
    matrix = sp.csr_array(matrix)
    matrix.eliminate_zeros()
    matrix.resize((n_users, n_items))
    return unit_sparse_rows(matrix)


def friends_choices(
    links: sp.csr_array, blocked: sp.csr_array, chosen: sp.csr_array, rows: NDArray[np.int64], second_step: float
) -> sp.csr_array:
    """How much the friends of users chose each item, at most 1 in a row.

    Parameters
    ----------
    links : csr_array of shape (n_users, n_users)
        Rows are those who chose the link.
    blocked : csr_array of shape (n_users, n_users)
        Pairs who have nothing of each other.
    chosen : csr_array of shape (n_users, n_items)
    rows : int array
        The users asked for; -1 for an unknown one.
    second_step : float
        Weight of the best friend of friends, where a friend weighs 1.

    Returns
    -------
    csr_array of shape (len(rows), n_items)
    """
    parts = [np.zeros(0, np.int64)] if not len(rows) else np.split(rows, np.arange(_BLOCK, len(rows), _BLOCK))
    found = [_of_block(links, blocked, chosen, part, second_step) for part in parts]
    matrix = sp.csr_array(sp.vstack(found, format="csr"))
    matrix.sum_duplicates()  # in the order of columns, a place is found by bisection
    return matrix


def _of_block(
    links: sp.csr_array, blocked: sp.csr_array, chosen: sp.csr_array, rows: NDArray[np.int64], second_step: float
) -> sp.csr_array:
    own = selection(rows, links.shape[0])
    weights = own @ links
    if second_step:
        two = sp.csr_array(weights.multiply(by_rarity(links)[None, :])) @ links
        two = two - two.multiply(own)
        weights = weights + scaled_rows(two, np.maximum(row_maxima(two), 1) / second_step)
    if blocked.nnz:
        weights = weights - weights.multiply(own @ blocked)
    found = sp.csr_array(weights @ chosen)
    return scaled_rows(found, row_maxima(found))
