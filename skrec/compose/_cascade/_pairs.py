"""Pairs of a query and an item, and what the lists of retrievers say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skrec.compose._part_lists import PartLists
from skrec.interactions import Histories, Recommendations


@dataclass
class Requests:
    """Who asks, and what is known of them.

    Attributes
    ----------
    users : ndarray of shape (n_queries,)
        Ids.
    histories : Histories
        Their events, in the codes of the united catalogue.
    context : float32 array of shape (n_queries, n_context)
    before : float64 array of shape (n_queries,) or None
        Only events before it count; None means all events.
    """

    users: NDArray
    histories: Histories
    context: NDArray[np.float32]
    before: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.users)


@dataclass
class Pairs:
    """Pairs in the order of the queries.

    Attributes
    ----------
    queries : int64 array of shape (n_pairs,)
        Numbers of queries, ascending.
    items : int64 array of shape (n_pairs,)
        Item codes; -1 is an item outside the catalogue.
    n_queries, n_items : int
    """

    queries: NDArray[np.int64]
    items: NDArray[np.int64]
    n_queries: int
    n_items: int

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def united(cls, found: PartLists, n_items: int) -> Self:
        """Each item that any of the lists of a query holds, once."""
        n_queries = len(found.lists[0].codes)
        keys = np.unique(np.concatenate([_keys(lists.codes, n_items)[1] for lists in found.lists]))
        return cls(keys // n_items, keys % n_items, n_queries, n_items)

    @property
    def keys(self) -> NDArray[np.int64]:
        """One number per pair; -1 for an item outside the catalogue."""
        return np.where(self.items >= 0, self.queries * self.n_items + self.items, -1)

    def take(self, at: NDArray | slice) -> Self:
        """Some of the pairs."""
        return type(self)(self.queries[at], self.items[at], self.n_queries, self.n_items)

    def places_in(self, lists: Recommendations) -> NDArray[np.int64]:
        """Where each pair stands in a list of its query, from 0; -1 where it does not."""
        at, keys = _keys(lists.codes, self.n_items)
        return _look_up(keys, at % lists.codes.shape[1], self.keys, -1)

    def scores_in(self, lists: Recommendations) -> NDArray[np.float32]:
        """The score of each pair in a list of its query; NaN where it has none."""
        at, keys = _keys(lists.codes, self.n_items)
        return _look_up(keys, lists.scores.ravel()[at], self.keys, np.nan)

    def events_in(self, histories: Histories) -> NDArray[np.float32]:
        """Number of events of each pair in the history of its query."""
        known = np.sort(histories.row_of_event() * self.n_items + histories.items)
        wanted = self.keys
        found = np.searchsorted(known, wanted, side="right") - np.searchsorted(known, wanted)
        return found.astype(np.float32)


def _keys(codes: NDArray[np.int32], n_items: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat places of the items in lists, and the keys of their pairs."""
    at = np.flatnonzero(codes.ravel() >= 0)
    return at, at // codes.shape[1] * n_items + codes.ravel()[at].astype(np.int64)


def _look_up(keys: NDArray, values: NDArray, wanted: NDArray, default: float) -> NDArray:
    """The value of each wanted key, or a default."""
    found = np.full(len(wanted), default, values.dtype)
    if not len(keys):
        return found
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    is_there = keys[at] == wanted
    found[is_there] = values[at[is_there]]
    return found
