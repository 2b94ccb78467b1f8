"""Recommended items matched with relevant ones: one matrix of hits that every ranking metric reads."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass
class Hits:
    """Gains of the recommended items and of the best possible list, rank by rank.

    Attributes
    ----------
    gains : float64 array of shape (n_queries, n_ranks)
        Gain of the item at each rank, 0 where it is not relevant. ``n_ranks`` is k, or what lists and relevant items
        need of it.
    ideal : float64 array of shape (n_queries, n_ranks)
        The greatest gains among the relevant items of the query, best first, 0 beyond the last.
    n_relevant : int64 array of shape (n_queries,)
    """

    gains: NDArray[np.float64]
    ideal: NDArray[np.float64]
    n_relevant: NDArray[np.int64]

    @classmethod
    def match(cls, relevant: sp.csr_array, codes: NDArray, k: int) -> "Hits":
        """Look up ranked codes, -1 for none, in a canonical (n_queries, n_codes) matrix of positive gains."""
        n_queries = relevant.shape[0]
        n_relevant = np.diff(relevant.indptr).astype(np.int64)
        row = np.repeat(np.arange(n_queries), n_relevant)
        k = min(k, max(codes.shape[1], int(n_relevant.max(initial=1))))
        gains = np.zeros((n_queries, k))
        if relevant.nnz:
            from skrec._kernels.list_gains import list_gains

            indptr, indices = relevant.indptr.astype(np.int64), relevant.indices.astype(np.int64)
            list_gains(indptr, indices, relevant.data.astype(np.float64), codes[:, :k].astype(np.int64), gains)
        return cls(gains, _ideal_gains(relevant, row, k), n_relevant)

    def undefined_to_nan(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """NaN for the queries that have no relevant item."""
        return np.where(self.n_relevant > 0, values, np.nan)


def _ideal_gains(relevant: sp.csr_array, row: NDArray, k: int) -> NDArray[np.float64]:
    best_first = np.lexsort((-relevant.data, row))
    rank = np.arange(relevant.nnz) - relevant.indptr[:-1].astype(np.int64)[row]
    within = rank < k
    ideal = np.zeros((relevant.shape[0], k))
    ideal[row[within], rank[within]] = relevant.data[best_first][within]
    return ideal


def precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Share of the k places with a relevant item."""
    return hits.undefined_to_nan(_n_found(hits, k) / k)


def recall(hits: Hits, k: int) -> NDArray[np.float64]:
    """Share of the relevant items that are in the first k places."""
    return hits.undefined_to_nan(_n_found(hits, k) / np.maximum(hits.n_relevant, 1))


def f1(hits: Hits, k: int) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall: 2 n / (k + number of relevant items)."""
    return hits.undefined_to_nan(2.0 * _n_found(hits, k) / (float(k) + hits.n_relevant))


def serendipity(hits: Hits, is_expected: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Share of the k places with a relevant item that is not expected; ``is_expected`` has the first k ranks."""
    found = (hits.gains[:, : is_expected.shape[1]] > 0) & ~is_expected
    return hits.undefined_to_nan(np.count_nonzero(found, axis=1).astype(np.float64) / k)


def hit_rate(hits: Hits, k: int) -> NDArray[np.float64]:
    """1 where any of the first k places has a relevant item."""
    return hits.undefined_to_nan(np.minimum(_n_found(hits, k), 1.0))


def _n_found(hits: Hits, k: int) -> NDArray[np.float64]:
    return np.count_nonzero(hits.gains[:, :k], axis=1).astype(np.float64)


def ndcg(hits: Hits, k: int) -> NDArray[np.float64]:
    """Discounted gain over the greatest that there could be."""
    discount = 1.0 / np.log2(np.arange(2, hits.gains[:, :k].shape[1] + 2))
    with np.errstate(invalid="ignore"):
        return (hits.gains[:, :k] @ discount) / (hits.ideal[:, :k] @ discount)


def average_precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Mean of the precision at each relevant rank."""
    found = hits.gains[:, :k] > 0
    precisions = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return hits.undefined_to_nan(np.einsum("qr,qr->q", precisions, found) / np.clip(hits.n_relevant, 1, k))


def reciprocal_rank(hits: Hits, k: int) -> NDArray[np.float64]:
    """One over the first rank with a relevant item, 0 where there is none."""
    found = hits.gains[:, :k] > 0
    return hits.undefined_to_nan(np.where(found.any(axis=1), 1.0 / (found.argmax(axis=1) + 1.0), 0.0))
