"""Events that are held out to see when training should stop, and how they are ranked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skrec.utils import inner_products

if TYPE_CHECKING:
    from skrec.interactions import Histories

_LEAST_QUERIES = 20
_ENOUGH_QUERIES = 1_000
_SMALL_SHARE = 0.02
_MOST_QUERIES = 10_000
_CELLS = 1 << 22
_LENGTH = 10


def ndcg(
    queries: NDArray[np.float32],
    item_vectors: NDArray[np.float32],
    item_biases: NDArray[np.float32] | None,
    indptr: NDArray[np.int64],
    seen_items: NDArray,
    relevant: Histories,
) -> float:
    """Mean NDCG@10 of the whole catalogue less the seen items of each query.

    Parameters
    ----------
    queries : float32 array of shape (n_queries, d)
    item_vectors : float32 array of shape (n_items, d)
    item_biases : float32 array of shape (n_items,), or None
    indptr, seen_items : int arrays
        Rows of items that are not ranked; codes below 0 stand for none.
    relevant : Histories
        Rows of one item or more; codes of -1 are outside the catalogue.
    """
    gains = np.zeros(len(queries))
    discounts = np.append(1 / np.log2(np.arange(2, _LENGTH + 2)), 0.0)
    block = max(1, _CELLS // max(1, len(item_vectors)))
    for start in range(0, len(queries), block):
        stop = min(start + block, len(queries))
        scores = inner_products(queries[start:stop], item_vectors, None)
        if item_biases is not None:
            scores += item_biases
        wanted = relevant.block(start, stop)
        known = wanted.items >= 0
        row, item = wanted.row_of_event()[known], wanted.items[known]
        own = scores[row, item]
        seen = seen_items[indptr[start] : indptr[stop]]
        seen_by = np.repeat(np.arange(stop - start), np.diff(indptr[start : stop + 1]))
        scores[seen_by[seen >= 0], seen[seen >= 0]] = -np.inf
        rank = np.array([(scores[r] > score).sum() for r, score in zip(row, own, strict=True)], np.int64)
        gains[start:stop] = np.bincount(row, discounts[np.minimum(rank, _LENGTH)], stop - start)
    ideal = np.cumsum(discounts)[np.minimum(relevant.lengths, _LENGTH) - 1]
    return float((gains / ideal).mean())


def rows_to_hold_out(lengths: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of which an event is held out: a share of those with three events or more, none where they are too few.

    A hundred events tell one epoch from another by luck. So where rows are long, it is more than the share: a thousand
    rows, as long as their events are a fiftieth of all, which training does not miss.
    """
    eligible = np.flatnonzero(lengths >= 3)
    enough = min(_ENOUGH_QUERIES, len(eligible), int(lengths.sum() * _SMALL_SHARE))
    n = min(max(round(len(eligible) * fraction), enough), _MOST_QUERIES)
    return np.sort(rng.choice(eligible, n, replace=False)) if n >= _LEAST_QUERIES else eligible[:0]


@dataclass(frozen=True)
class RankedEvents:
    """Held-out events, to be ranked among what their users have no other event of.

    Attributes
    ----------
    users : int64 array of shape (n_queries,)
    known : Histories of n_queries rows
        Items that are not ranked.
    relevant : Histories of n_queries rows
        Codes of -1 are outside the catalogue.
    context : float32 array of shape (n_queries, n_context), or None
    """

    users: NDArray[np.int64]
    known: Histories
    relevant: Histories
    context: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        histories: Histories,
        held_out: NDArray[np.bool_],
        positive: NDArray[np.bool_],
        context: NDArray[np.float32] | None = None,
    ) -> RankedEvents | None:
        """The positive events of a mask; None where they are too few.

        Parameters
        ----------
        histories : Histories
        held_out, positive : bool arrays of shape (n_events,)
        context : float32 array of shape (n_events, n_context), default=None
            With it each event is a query of its own; without, each user is one.
        """
        wanted = held_out & positive
        relevant = histories.where(wanted)
        if len(relevant.items) < _LEAST_QUERIES:
            return None
        if context is None:
            users = np.flatnonzero(relevant.lengths)
            relevant = relevant.take(users)
        else:
            users, context = relevant.row_of_event(), context[wanted]
            relevant = replace(relevant, indptr=np.arange(len(users) + 1))
        return cls(users, histories.where(~held_out).take(users), relevant, context)

    def ndcg(
        self,
        queries: NDArray[np.float32],
        item_vectors: NDArray[np.float32],
        item_biases: NDArray[np.float32] | None = None,
    ) -> float:
        """Mean NDCG@10 of the whole catalogue less the known items, by one vector per query."""
        return ndcg(queries, item_vectors, item_biases, self.known.indptr, self.known.items, self.relevant)
