"""Equal events become one with a weight, in an order that does not depend on that of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Interactions

_HASH_BLOCK = 1 << 16
_MAX_EVENTS = 1 << 31  # that an entry stands for, when some are drawn


@dataclass
class WeightedEvents:
    """Distinct events: what users chose, and in which context.

    Attributes
    ----------
    users, items : int64 arrays of shape (n,)
        In the order of users, then items.
    y : float32 array of shape (n,)
    weight : float32 array of shape (n,)
        Events that each stands for, sample weights included.
    context : float32 array of shape (n, n_context) or None
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    weight: NDArray[np.float32]
    context: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.users)

    def n_events(self) -> NDArray[np.int64]:
        """Whole events that each stands for, at least one."""
        return whole_events(self.weight)

    def scaled(self, share: NDArray[np.float32]) -> WeightedEvents:
        """A share of each; those of which none is left are gone."""
        at = np.flatnonzero(share > 0)
        context = None if self.context is None else self.context[at]
        return WeightedEvents(self.users[at], self.items[at], self.y[at], (self.weight * share)[at], context)


def whole_events(weight: NDArray[np.floating]) -> NDArray[np.int64]:
    """Whole numbers of events, at least one each."""
    return np.clip(np.rint(weight), 1, _MAX_EVENTS).astype(np.int64)


def counted_events(data: Interactions, *, explicit: bool) -> NDArray[np.int64]:
    """Events that count: strengths above 0, or the last rating of each pair."""
    if not explicit:
        return np.flatnonzero(data.y > 0)
    pairs = data.users * data.n_items + data.items
    last = np.unique(pairs[::-1], return_index=True)[1]
    return np.sort(len(pairs) - 1 - last)


def distinct_events(
    data: Interactions, counted: NDArray[np.int64], sample_weight: NDArray[np.float32] | None
) -> WeightedEvents:
    """Distinct events among those that count: events that agree in user, item, y and context are one.

    Parameters
    ----------
    data : Interactions
        Its ``y`` has been multiplied by ``sample_weight``.
    counted : int64 array
        Positions of events.
    sample_weight : float32 array in the order of the events, or None for ones
    """
    users, items, y = data.users[counted], data.items[counted], data.y[counted]
    weight = np.ones(len(y), np.float32) if sample_weight is None else sample_weight[counted]
    y = (y / weight).astype(np.float32)
    context = None if data.context is None else data.context[counted]
    details = _hashes(y[:, None])
    if context is not None:
        details = details * np.uint64(31) + _hashes(context)
    order = np.lexsort((details, items, users))
    keys = np.stack([users, items, details.view(np.int64)])[:, order]
    new = np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)])[: len(order)]
    starts = np.flatnonzero(new)
    first = order[starts]
    total = np.add.reduceat(weight[order], starts) if len(starts) else weight
    return WeightedEvents(users[first], items[first], y[first], total, None if context is None else context[first])


def _hashes(rows: NDArray[np.float32]) -> NDArray[np.uint64]:
    """One number per row: equal for equal rows; for different rows, equal with a chance of 1 in 2 ** 64."""
    multipliers = np.random.default_rng(0).integers(1 << 63, size=rows.shape[1], dtype=np.uint64) * np.uint64(2)
    multipliers += np.uint64(1)
    hashes = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), _HASH_BLOCK):
        block = np.ascontiguousarray(rows[start : start + _HASH_BLOCK] + np.float32(0))  # minus zero is zero
        hashes[start : start + _HASH_BLOCK] = block.view(np.uint32).astype(np.uint64) @ multipliers
    return hashes
