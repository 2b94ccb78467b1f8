"""Lists that are filled from one recommender after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class FilledLists:
    """Lists that grow at their ends, without repeats, until they are full.

    Parameters
    ----------
    n_queries, k, n_items : int

    Attributes
    ----------
    codes : int32 array of shape (n_queries, k)
        -1 where a row has no further item.
    scores : float32 array of shape (n_queries, k)
        They fall along a row; -inf where it has no further item.
    lengths : int array of shape (n_queries,)
    """

    def __init__(self, n_queries: int, k: int, n_items: int) -> None:
        self.codes = np.full((n_queries, k), -1, np.int32)
        self.scores = np.full((n_queries, k), -np.inf, np.float32)
        self.lengths = np.zeros(n_queries, np.int64)
        self._n_items = n_items

    def add(self, rows: NDArray[np.int64], codes: NDArray[np.int32], scores: NDArray[np.float32]) -> None:
        """Put the items of further lists behind those that the rows have.

        Where the first of them has a better score than the last of the row, they are all lowered to it.

        Parameters
        ----------
        rows : int array of shape (n_rows,)
        codes, scores : arrays of shape (n_rows, width)
            Best first; -1 is no item.
        """
        at = np.arange(len(rows), dtype=np.int64)[:, None] * self._n_items
        present = self.codes[rows]
        is_new = codes >= 0
        if (present >= 0).any():
            is_new &= ~np.isin(at + codes, (at + present)[present >= 0])
        place = self.lengths[rows, None] + np.cumsum(is_new, axis=1) - 1
        row, column = np.nonzero(is_new & (place < self.codes.shape[1]))
        added = np.bincount(row, minlength=len(rows))
        first = np.full(len(rows), -np.inf)
        first[row[::-1]] = scores[row[::-1], column[::-1]]
        last = np.where(self.lengths[rows] > 0, self.scores[rows, self.lengths[rows] - 1], np.inf)
        with np.errstate(invalid="ignore"):
            lowered = np.where(first > last, last - first, 0)
        target = rows[row], place[row, column]
        self.codes[target] = codes[row, column]
        self.scores[target] = np.minimum(scores[row, column] + lowered[row], last[row])
        self.lengths[rows] += added
