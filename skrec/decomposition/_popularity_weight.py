"""The weight of popularity in the score of a factor model, chosen on held-out events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.base import may_be_as_good
from skrec.decomposition._held_out import HeldOutRank, held_out_shares

DEFAULT_WEIGHT = 0.5
_FRACTION = 0.1
_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def log_popularity(n_users: NDArray[np.int64]) -> NDArray[np.float32]:
    """The logarithm of one plus the number of users of each item."""
    return np.log1p(n_users).astype(np.float32)


def best_popularity_weight(
    chosen: sp.csr_matrix, fit: Callable[[sp.csr_matrix], tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> float:
    """The weight by which held-out pairs rank highest, the larger one in doubt; 0.5 where they are too few.

    Parameters
    ----------
    chosen : CSR matrix of shape (n_users, n_items)
    fit : callable (chosen) -> (user matrix, item matrix)
        Their product are the scores without popularity.
    """
    share = held_out_shares(chosen.indices, np.ones(chosen.nnz, np.int64), _FRACTION, np.random.default_rng(0))
    if share is None:
        return DEFAULT_WEIGHT
    pairs, kept = chosen.tocoo(), share == 0
    train = sp.csr_matrix((pairs.data[kept], (pairs.row[kept], pairs.col[kept])), shape=chosen.shape)
    n_users = np.bincount(train.indices, minlength=train.shape[1])
    users, items = fit(train.copy())
    vectors, active = np.column_stack([items, log_popularity(n_users)]), n_users > 0
    out = np.flatnonzero(~kept)
    of_users = pairs.row[out]
    rank = HeldOutRank(pairs.col[out], np.ones(len(out), np.float32), sp.csr_array(train)[of_users])

    def gains(weight: float) -> NDArray[np.float64]:
        def queries(at: slice) -> NDArray[np.float32]:
            rows = users[of_users[at]]
            return np.column_stack([rows, np.full(len(rows), weight, np.float32)])

        return rank.gains(queries, vectors, active)

    tried = [gains(weight) for weight in _WEIGHTS]
    best = max(tried, key=lambda of_weight: float(of_weight.mean()))
    return max(weight for weight, found in zip(_WEIGHTS, tried, strict=True) if may_be_as_good(found, best))
