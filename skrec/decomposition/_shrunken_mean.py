"""A user from some events: the mean of the item vectors, shrunk, as near as can be to what fit learns from more."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_MOST_USERS = 500
_SIZES = 2 ** np.arange(6)
_PRIORS = 2.0 ** np.arange(-3, 8, 0.5)
_TINY = float(np.finfo(np.float64).tiny)


class ShrunkenMean(NamedTuple):
    """How the vector of a user follows from those of n items.

    It is the sum of ``(scale * (item - share * mean_item) + mean_user) / (n + prior)`` over the items, where
    ``share`` is ``n / (n + prior)``: few events leave it near zero, where items rank by popularity, and many move it
    away from the mean user. Both means are zero where that is nearer to the fitted users.
    """

    scale: float
    prior: float
    mean_user: NDArray[np.float32]
    mean_item: NDArray[np.float32]

    def per_item(self, n_items: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The factor on each item vector of users with so many items, and what is added to each: shapes (n_users,
        1) and (n_users, n_factors)."""
        weight = 1 / (n_items[:, None] + self.prior)
        factor = weight * self.scale
        added = weight * self.mean_user - factor * n_items[:, None] * weight * self.mean_item
        return factor.astype(np.float32), added.astype(np.float32)

    @classmethod
    def fitted(cls, events: sp.csr_array, users: NDArray[np.float32], items: NDArray[np.float32]) -> ShrunkenMean:
        """The one that comes nearest to fitted users from some of their events, one to 32 of each; least squares.

        Parameters
        ----------
        events : CSR array of shape (n_users, n_items)
            Ones for the distinct items of each user.
        users, items : float32 arrays of shape (n_users, n_factors) and (n_items, n_factors)
            What fit has learned.
        """
        lengths, none = np.diff(events.indptr), np.zeros(items.shape[1], np.float32)
        if not lengths.any():
            return cls(1.0, 1.0, none, none)
        sample = _sample(events, users, items)
        mean_user = users[lengths > 0].mean(axis=0)
        mean_item = (events.sum(axis=0) @ items / events.nnz).astype(np.float32)
        found = [_least_squares(*sample, *means) for means in ((none, none), (mean_user, mean_item))]
        return min(found, key=lambda of_means: of_means[0])[1]


def _sample(
    events: sp.csr_array, users: NDArray[np.float32], items: NDArray[np.float32]
) -> tuple[NDArray, NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of events, the sums of their item vectors, and the fitted users."""
    rng, lengths = np.random.default_rng(0), np.diff(events.indptr)
    numbers, sums, targets = [], [], []
    for size in _SIZES[: int(lengths.max()).bit_length()]:
        enough = np.flatnonzero(lengths >= size)
        drawn = np.sort(rng.choice(enough, min(_MOST_USERS, len(enough)), replace=False))
        starts = events.indptr[drawn]
        own = [rng.choice(length, size, replace=False) for length in lengths[drawn]]
        sums.append(items[events.indices[starts[:, None] + np.array(own)]].sum(axis=1, dtype=np.float64))
        numbers.append(np.full((len(drawn), 1), size))
        targets.append(users[drawn].astype(np.float64))
    return np.concatenate(numbers), np.concatenate(sums), np.concatenate(targets)


def _least_squares(
    number: NDArray,
    total: NDArray[np.float64],
    target: NDArray[np.float64],
    mean_user: NDArray[np.float32],
    mean_item: NDArray[np.float32],
) -> tuple[float, ShrunkenMean]:
    """The squared distance that is left with the best scale and prior, and these."""
    fits = []
    for prior in _PRIORS:
        share = number / (number + prior)
        mean, beyond = (total - share * number * mean_item) / (number + prior), target - share * mean_user
        scale = max(0.0, float((mean * beyond).sum()) / max(float(np.square(mean).sum()), _TINY))
        fits.append((float(np.square(beyond - scale * mean).sum()), scale, float(prior)))
    left, scale, prior = min(fits)
    return left, ShrunkenMean(scale, prior, mean_user, mean_item)
