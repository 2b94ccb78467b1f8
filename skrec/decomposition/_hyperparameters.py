"""Hyperparameters that follow from the data."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.utils import Matrix

MOST_NEGATIVES = 10_000

_NOISE_SHARE = 0.7
_EDGE_SHARE = 0.5
_POWER_STEPS = 12
_MAX_ALPHA = 40.0
_LEAST_SCALE = 1e-30  # below it, one over the scale leaves float32


def mean_events(entries: sp.csr_array) -> float:
    """Entries per row, over the rows that have any."""
    counts = np.diff(entries.indptr)
    return float(entries.nnz / max(1, np.count_nonzero(counts)))


def auto_alpha(entries: sp.csr_array) -> float:
    """Alpha of the confidence of a seen pair: the sparser the data, the larger."""
    if not entries.nnz:
        return 0.0
    n_cells = np.count_nonzero(np.diff(entries.indptr)) * len(np.unique(entries.indices))
    return alpha_at(entries.nnz / n_cells, float(entries.data.mean(dtype=np.float64)))


def alpha_at(density: float, mean_y: float) -> float:
    """Alpha from the share of pairs that are seen, and the mean strength of a seen pair."""
    return float(min(0.07 * density**-0.75, _MAX_ALPHA) / mean_y)


def auto_regularization(ratings: sp.csr_array) -> float:
    """About the largest singular value of noise in a matrix of ratings of this shape and density."""
    if not ratings.nnz:
        return 1.0
    per_item = ratings.nnz / len(np.unique(ratings.indices))
    return noise_level(mean_events(ratings), per_item, float(ratings.data.std(dtype=np.float64)) or 1.0)


def noise_edge(users: NDArray[np.int64], items: NDArray[np.int64], weight: NDArray[np.floating]) -> float:
    """Largest singular value of the events with their items shuffled, less what popularity explains.

    Signal stands out from noise above it (parallel analysis; Horn, "A Rationale and Test for the Number of Factors in
    Factor Analysis", Psychometrika 1965). By the power method from a fixed start.
    """
    if not len(items):
        return 0.0
    rng = np.random.default_rng(0)
    entries = sp.csr_array((weight.astype(np.float64), (users, items[rng.permutation(len(items))])))
    entries.sum_duplicates()
    of_users, of_items = entries.sum(axis=1), entries.sum(axis=0)
    total, by_item = max(float(of_users.sum()), _LEAST_SCALE), sp.csr_array(entries.T)
    x, length = rng.standard_normal(entries.shape[1]), 0.0
    for _ in range(_POWER_STEPS):
        image = entries @ x - of_users * (of_items @ x / total)
        x = by_item @ image - of_items * (of_users @ image / total)
        length = float(np.linalg.norm(x))
        if length == 0:
            return 0.0
        x /= length
    return float(np.sqrt(length))


def rank_regularization(edge: float, alpha: float, mean_y: float) -> float:
    """Regularization of implicit feedback: half the edge of noise, weighted as seen pairs are."""
    return (_EDGE_SHARE * edge * confidence_spread(alpha, mean_y)) or 1.0


def confidence_spread(alpha: float, mean_y: float) -> float:
    """Standard deviation of a weighted entry of implicit feedback."""
    return float(np.sqrt(1.0 + alpha * mean_y))


def noise_level(per_user: float, per_item: float, spread: float) -> float:
    """Regularization from the mean events of users and items and the standard deviation of an entry."""
    return float(_NOISE_SHARE * spread * (np.sqrt(per_user) + np.sqrt(per_item)))


def row_penalties(
    counts: NDArray, mean: float, regularization: float, scaling: float, least_share: float = 0.0
) -> NDArray[np.float32]:
    """L2 penalty of rows with ``counts`` events: that of a row with ``mean`` events is ``regularization``.

    No row has less than that of a row with ``least_share * mean`` events.
    """
    share = np.maximum(np.maximum(counts, 1) / max(mean, 1.0), least_share)
    return (regularization * share**scaling).astype(np.float32)


def feature_penalty(features: Matrix, regularization: float, feature_regularization: float) -> float:
    """L2 penalty of a map from features: it follows the mean squared length of the feature rows."""
    return feature_regularization * regularization * mean_squared_length(features)


def mean_squared_length(features: Matrix) -> float:
    """Mean squared length of the rows that are not zero; 1 if there is none."""
    if sp.issparse(features):
        squared = np.asarray(sp.csr_array(features).power(2).sum(axis=1), dtype=np.float64).ravel()
    else:
        squared = np.einsum("ij,ij->i", features, features, dtype=np.float64)
    return float(squared[squared > 0].mean()) if squared.any() else 1.0


def column_scale(context: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square of the values of each column that are not zero; 1 where all are zero."""
    counts = np.maximum(np.count_nonzero(context, axis=0), 1)
    scale = np.sqrt(np.einsum("ij,ij->j", context, context, dtype=np.float64) / counts)
    return np.where(scale > _LEAST_SCALE, scale, 1.0).astype(np.float32)
