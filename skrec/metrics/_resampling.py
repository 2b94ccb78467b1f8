"""Bootstrap and permutation of per-user sums, in blocks of bounded memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_CELLS = 1 << 22
"""Weights held at once: 32 MiB as float64."""


def sums_by_user(
    values: NDArray[np.float64], users: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> tuple[NDArray, NDArray]:
    """Sum and number of the defined values of each user, one column per metric; with weights, those of sum and number.

    A user with several queries is one unit: their queries are not independent of one another.
    """
    distinct, number = np.unique(users, return_inverse=True)
    defined = ~np.isnan(values)
    sums, counts = np.zeros((2, len(distinct), values.shape[1]))
    for column in range(values.shape[1]):
        weight = defined[:, column] if weights is None else np.where(defined[:, column], weights[:, column], 0.0)
        sums[:, column] = np.bincount(number, np.where(weight > 0, values[:, column], 0.0) * weight, len(distinct))
        counts[:, column] = np.bincount(number, weight, len(distinct))
    return sums, counts


def bootstrap_means(sums: NDArray, counts: NDArray, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """(n_resamples, n_metrics) means of users drawn with replacement."""
    rng = np.random.default_rng(seed)
    n = len(sums)
    means = np.empty((n_resamples, sums.shape[1]))
    for rows in _blocks(n_resamples, n):
        size = rows.stop - rows.start
        draws = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        weights = np.bincount(draws.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means[rows] = (weights @ sums) / (weights @ counts)
    return means


def interval(means: NDArray[np.float64], confidence: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval of each column, NaN where there is nothing to take it from."""
    low, high = np.full((2, means.shape[1]), np.nan)
    for j, column in enumerate(means.T):
        column = column[~np.isnan(column)]
        if len(column):
            low[j], high[j] = np.quantile(column, [(1 - confidence) / 2, (1 + confidence) / 2])
    return low, high


def sign_flip_p_values(sums: NDArray, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Two-sided p-value of each column of paired differences: is the sign of each user's exchangeable?

    The observed signs count as one of the permutations, so that a p-value is never 0.
    """
    rng = np.random.default_rng(seed)
    n = len(sums)
    observed = np.abs(sums.sum(axis=0))
    least = observed - 1e-9 * np.abs(sums).sum(axis=0)  # sums of equal terms differ by rounding
    as_great = np.ones(sums.shape[1])
    for rows in _blocks(n_resamples, n):
        signs = rng.integers(0, 2, (rows.stop - rows.start, n), dtype=np.int8) * 2.0 - 1.0
        as_great += (np.abs(signs @ sums) >= least).sum(axis=0)
    return as_great / (n_resamples + 1)


def _blocks(n_resamples: int, n: int) -> Iterator[slice]:
    size = max(1, _CELLS // max(n, 1))
    for start in range(0, n_resamples, size):
        yield slice(start, min(start + size, n_resamples))
