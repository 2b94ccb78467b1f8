"""Recommended items matched with relevant ones: one matrix of hits that every ranking metric reads."""

from dataclasses import dataclass, field

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
    _sums: dict[int, "Sums"] = field(default_factory=dict, repr=False)

    @classmethod
    def match(cls, relevant: sp.csr_array, codes: NDArray, k: int) -> "Hits":
        """Look up ranked codes, -1 for none, in a canonical (n_queries, n_codes) matrix of positive gains."""
        from skrec._kernels.list_gains import list_gains

        n_relevant = np.diff(relevant.indptr).astype(np.int64)
        k = min(k, max(codes.shape[1], int(n_relevant.max(initial=1))))
        gains, ideal = np.zeros((2, relevant.shape[0], k))
        arrays = relevant.indptr, relevant.indices, relevant.data
        list_gains(*arrays, relevant.shape[1], codes[:, :k], gains, ideal)
        return cls(gains, ideal, n_relevant)

    def sums(self, k: int) -> "Sums":
        """What the metrics of the first k ranks are made of, computed once for all of them."""
        from skrec._kernels.list_gains import list_sums

        n, n_ranks = self.gains.shape
        k = min(k, n_ranks)
        if k not in self._sums:
            found = Sums(*np.zeros((2, n), np.int64), *np.zeros((3, n)))
            list_sums(
                self.gains, self.ideal, k, found.n_found, found.first, found.precisions, found.gain, found.best_gain
            )
            self._sums[k] = found
        return self._sums[k]

    def undefined_to_nan(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """NaN for the queries that have no relevant item."""
        return np.where(self.n_relevant > 0, values, np.nan)


@dataclass
class Sums:
    """Sums over the first ranks of each list.

    Attributes
    ----------
    n_found : int64 array of shape (n_queries,)
        Ranks with a relevant item.
    first : int64 array of shape (n_queries,)
        The first of them, 0 if there is none.
    precisions : float64 array of shape (n_queries,)
        Sum of the precision at each of them.
    gain, best_gain : float64 arrays of shape (n_queries,)
        Discounted gain of the list, and the greatest that there could be.
    """

    n_found: NDArray[np.int64]
    first: NDArray[np.int64]
    precisions: NDArray[np.float64]
    gain: NDArray[np.float64]
    best_gain: NDArray[np.float64]


def precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Share of the k places with a relevant item."""
    return hits.undefined_to_nan(hits.sums(k).n_found / k)


def recall(hits: Hits, k: int) -> NDArray[np.float64]:
    """Share of the relevant items that are in the first k places."""
    return hits.undefined_to_nan(hits.sums(k).n_found / np.maximum(hits.n_relevant, 1))


def f1(hits: Hits, k: int) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall: 2 n / (k + number of relevant items)."""
    return hits.undefined_to_nan(2.0 * hits.sums(k).n_found / (float(k) + hits.n_relevant))


def serendipity(hits: Hits, is_expected: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Share of the k places with a relevant item that is not expected; ``is_expected`` has the first k ranks."""
    found = (hits.gains[:, : is_expected.shape[1]] > 0) & ~is_expected
    return hits.undefined_to_nan(np.count_nonzero(found, axis=1).astype(np.float64) / k)


def hit_rate(hits: Hits, k: int) -> NDArray[np.float64]:
    """1 where any of the first k places has a relevant item."""
    return hits.undefined_to_nan(np.minimum(hits.sums(k).n_found, 1.0))


def ndcg(hits: Hits, k: int) -> NDArray[np.float64]:
    """Discounted gain over the greatest that there could be."""
    with np.errstate(invalid="ignore"):
        return hits.sums(k).gain / hits.sums(k).best_gain


def average_precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Mean of the precision at each relevant rank."""
    return hits.undefined_to_nan(hits.sums(k).precisions / np.clip(hits.n_relevant, 1, k))


def reciprocal_rank(hits: Hits, k: int) -> NDArray[np.float64]:
    """One over the first rank with a relevant item, 0 where there is none."""
    first = hits.sums(k).first
    return hits.undefined_to_nan(np.where(first > 0, 1.0 / np.maximum(first, 1), 0.0))
