"""New histories of the models of implicit.

The mean of the item vectors, shrunk, as near as can be to what fit learns from more events; and for logistic matrix
factorization the user that fit would have learned, given the items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit

from skrec.decomposition._popularity_weight import log_popularity
from skrec.decomposition._sgd_fold_in import descend, row_of_entry, scatter
from skrec.utils import row_dots

_MOST_USERS = 500
_SIZES = 2 ** np.arange(6)
_PRIORS = 2.0 ** np.arange(-3, 8, 0.5)
_N_SAMPLES = 512
_LEAST_PENALTY = 1e-3
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


@dataclass(frozen=True)
class LogisticUserLoss:
    """The loss of a user whose items stay as they are.

    It is that of one row in ``implicit.cpu.lmf``, with the expectation over the negative samples in place of drawn
    ones. The L2 penalty of fit is on the distance from a prior instead of from zero: one event says little of a user,
    and where the prior is the shrunken mean of the items, it says more. A user vector ends with the bias of the user,
    which an item meets by a one.

    Attributes
    ----------
    item_factors : float32 array of shape (n_items, n_factors)
    item_biases : float32 array of shape (n_items,)
        Popularity included.
    item_counts : int64 array of shape (n_items,)
        Users of each item, by which negative samples are drawn.
    popularity_weight : float
        How much of the logarithm of popularity the biases hold beyond what was learned.
    n_negatives : int
        Negative samples for each item chosen.
    penalty : float
        L2 penalty on the distance from the prior.
    """

    item_factors: NDArray[np.float32]
    item_biases: NDArray[np.float32]
    item_counts: NDArray[np.int64]
    popularity_weight: float
    n_negatives: int
    penalty: float

    def users(
        self, prior: NDArray[np.float32], mean_user: NDArray[np.float32], events: sp.csr_array
    ) -> NDArray[np.float32]:
        """Where the loss of each row is least.

        Parameters
        ----------
        prior : float32 array of shape (n_rows, n_factors + 1)
        mean_user : float32 array of shape (n_factors + 1,)
            Of the fitted users. The curvature of the loss there stands for that of all.
        events : CSR array of shape (n_rows, n_items)
            The confidence of each item chosen.

        Returns
        -------
        float32 array of shape (n_rows, n_factors + 1)
        """
        sampled, of_sampled = self._sample()
        share = expit(sampled @ mean_user + of_sampled)
        variances, rotation = np.linalg.eigh(scatter(sampled, share * (1 - share) / _N_SAMPLES))
        rotation = rotation.astype(np.float32)
        chosen, of_chosen = self._read(events.indices)
        start, sampled, chosen = prior @ rotation, sampled @ rotation, chosen @ rotation
        owner, n_negatives = row_of_entry(events), self._numbers_of_negatives(events)
        by_row = sp.csr_array((events.data, np.arange(len(owner)), events.indptr), shape=(len(prior), len(owner)))
        curvature = (events.sum(axis=1) + n_negatives)[:, None] * np.maximum(variances, 0).astype(np.float32)

        def slope(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            by_row.data = events.data * expit(-row_dots(rows[owner], chosen) - of_chosen)
            down = n_negatives[:, None] * (expit(rows @ sampled.T + of_sampled) @ sampled)
            falling: NDArray[np.float32] = by_row @ chosen - down / np.float32(_N_SAMPLES)
            return falling - np.float32(self._penalty) * (rows - start)

        found: NDArray[np.float32] = descend(slope, start, curvature + np.float32(self._penalty)) @ rotation.T
        return found

    def parts(
        self, users: NDArray[np.float32], prior: NDArray[np.float32], events: sp.csr_array
    ) -> NDArray[np.float32]:
        """How far each event has moved its user from the prior, in the order of ``events.indices``.

        Where the loss is least, it is the item as far as it was not expected, over the penalty. The rest of the
        distance is what the negative samples did: each event has an equal share of it.
        """
        owner, (chosen, of_chosen) = row_of_entry(events), self._read(events.indices)
        beyond = events.data * expit(-row_dots(users[owner], chosen) - of_chosen) / np.float32(self._penalty)
        by_row = sp.csr_array((beyond, np.arange(len(owner)), events.indptr), shape=(len(users), len(owner)))
        rest = (users - prior - by_row @ chosen) / np.maximum(np.diff(events.indptr), 1)[:, None]
        moved: NDArray[np.float32] = beyond[:, None] * chosen + rest[owner]
        return moved

    @property
    def _penalty(self) -> float:
        return max(self.penalty, _LEAST_PENALTY)

    def _sample(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Items that stand for the negative samples: as often as they are drawn, without chance."""
        bounds = np.cumsum(self.item_counts)
        places = (np.arange(_N_SAMPLES) + 0.5) * (bounds[-1] / _N_SAMPLES)
        return self._read(np.minimum(np.searchsorted(bounds, places, side="right"), len(bounds) - 1))

    def _read(self, items: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of some items, with a one at the end, and their biases as they were learned."""
        popularity = np.float32(self.popularity_weight) * log_popularity(self.item_counts[items])
        vectors = np.column_stack([self.item_factors[items], np.ones(len(items), np.float32)])
        return vectors, self.item_biases[items] - popularity

    def _numbers_of_negatives(self, events: sp.csr_array) -> NDArray[np.float32]:
        """implicit draws no more than its vectors are long, with both biases."""
        most = self.item_factors.shape[1] + 2
        return np.minimum(np.diff(events.indptr) * self.n_negatives, most).astype(np.float32)


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
