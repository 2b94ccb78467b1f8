"""Events held out inside ``fit``: which ones, and how a model ranks them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_MIN_HELD_OUT, _MAX_HELD_OUT = 20, 10_000
_CELLS = 1 << 22


def held_out_shares(
    items: NDArray, n_events: NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> NDArray[np.float32] | None:
    """Share of each entry that is held out; only of items with other events. None where there are too few.

    Parameters
    ----------
    items : integer array of shape (n_entries,)
    n_events : int64 array of shape (n_entries,)
        Events that each entry stands for; each of them is held out by chance.
    fraction : float
        Of the events; at most 10,000 of them are held out.
    rng : Generator
    """
    fraction = min(fraction, _MAX_HELD_OUT / max(1, n_events.sum()))
    share = (rng.binomial(n_events, fraction) / n_events).astype(np.float32)
    share[~np.isin(items, items[share < 1])] = 0
    return share if np.count_nonzero(share) >= _MIN_HELD_OUT else None


class HeldOutRank:
    """The rank of held-out items: the mean of ``1 / log2(1 + rank)``, which is NDCG without a cut.

    Parameters
    ----------
    items : integer array of shape (n_events,)
        The items held out.
    weight : float32 array of shape (n_events,)
    seen : CSR array of shape (n_events, n_items), or None
        Items that are not ranked for an event, but for the held-out item itself.
    """

    def __init__(self, items: NDArray, weight: NDArray[np.float32], seen: sp.csr_array | None) -> None:
        self.items, self.weight, self.seen = items, weight, seen

    def __call__(
        self, queries: Callable[[slice], NDArray[np.float32]], vectors: NDArray[np.float32], active: NDArray[np.bool_]
    ) -> float:
        """The mean over the events, ranked by ``queries(events) @ vectors.T``; items that are not active come last."""
        return float(np.average(self.gains(queries, vectors, active), weights=self.weight))

    def gains(
        self, queries: Callable[[slice], NDArray[np.float32]], vectors: NDArray[np.float32], active: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """``1 / log2(1 + rank)`` of each event."""
        gains = np.empty(len(self.items))
        block = max(1, _CELLS // len(vectors))
        for start in range(0, len(self.items), block):
            at = slice(start, min(start + block, len(self.items)))
            scores = queries(at) @ vectors.T
            scores[:, ~active] = -np.inf
            gains[at] = 1 / np.log2(2 + self._above(scores, at))
        return gains

    def weighted_gains(
        self, queries: Callable[[slice], NDArray[np.float32]], vectors: NDArray[np.float32], active: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Gains times the weight of their events over the mean weight."""
        weighted: NDArray[np.float64] = self.gains(queries, vectors, active) * (self.weight / self.weight.mean())
        return weighted

    def _above(self, scores: NDArray[np.float32], at: slice) -> NDArray[np.int64]:
        """How many items score above the one held out."""
        own = scores[np.arange(len(scores)), self.items[at]]
        if self.seen is not None:
            seen = self.seen[at]
            scores[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = -np.inf
        above: NDArray[np.int64] = (scores > own[:, None]).sum(axis=1)
        return above
