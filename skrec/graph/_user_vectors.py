"""From a user and a history to a vector, in NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.graph._adjacency import Graph, inverse_power
from skrec.interactions import Histories, Queries
from skrec.utils import check_array, check_kind, refuse_state


@dataclass(frozen=True)
class UserVectors:
    """How a user becomes a vector: a part of its own, and one step from the items of the history.

    Attributes
    ----------
    sources : float32 array of shape (n_items, d)
        What an event of each item adds, before it is divided by the square root of the degree of the user.
    own : float32 array of shape (n_users, at most d), or None
        What the user has beside its events, added to the leading columns.
    link_degrees : float32 array of shape (n_users,), or None
        What links add to the degree.
    """

    sources: NDArray[np.float32]
    own: NDArray[np.float32] | None = None
    link_degrees: NDArray[np.float32] | None = None

    def event_weights(self, queries: Queries) -> NDArray[np.float32]:
        """Weight of each event of the histories: an item counts once, and not where ``y`` is 0."""
        histories = queries.histories
        weights = first_events(histories, len(self.sources))
        degree = np.bincount(histories.row_of_event(), weights=weights, minlength=len(queries))
        if self.link_degrees is not None:
            degree = degree + np.where(queries.users >= 0, self.link_degrees[queries.users], 0)
        scale = (1 / np.sqrt(np.maximum(degree, 1e-12))).astype(np.float32)
        weights *= np.repeat(scale, histories.lengths)
        return weights

    def vectors(self, queries: Queries) -> NDArray[np.float32]:
        """(n_queries, d) vectors of queries."""
        histories = queries.histories
        weights = self.event_weights(queries)
        steps = sp.csr_array((weights, histories.items, histories.indptr), shape=(len(queries), len(self.sources)))
        vectors = np.asarray(steps @ self.sources, dtype=np.float32)
        if self.own is not None:
            known = queries.users >= 0
            vectors[known, : self.own.shape[1]] += self.own[queries.users[known]]
        return vectors


def befriended(users: UserVectors, graph: Graph) -> UserVectors:
    """With users who have links and no events at the mean of the users that they are linked to."""
    if graph.users is None:
        return users
    weights = graph.users * (np.diff(graph.events.indptr) == 0)[:, None]
    total = np.asarray(weights.sum(axis=1), np.float32).ravel()
    per_event = sp.diags_array(inverse_power(np.diff(graph.events.indptr).astype(np.float32), 0.5)) @ graph.events
    means = sp.diags_array(inverse_power(total, 1.0)) @ weights
    own = np.asarray((means @ per_event) @ users.sources, dtype=np.float32)
    return replace(users, own=own)


def first_events(histories: Histories, n_items: int) -> NDArray[np.float32]:
    """1 for the first event of each item in a row that has ``y`` > 0, and 0 for the others."""
    weights = np.zeros(len(histories.items), np.float32)
    used = np.flatnonzero(histories.y > 0)
    pairs = histories.row_of_event()[used] * n_items + histories.items[used]
    weights[used[np.unique(pairs, return_index=True)[1]]] = 1
    return weights


def check_user_vectors(value: object, name: str, n_users: int, n_items: int, width: int) -> None:
    """Check what was loaded.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, UserVectors)
    assert isinstance(value, UserVectors)
    check_array(value.sources, f"{name}.sources", (n_items, width), dtype=np.float32)
    if value.own is not None:
        check_array(value.own, f"{name}.own", (n_users, None), dtype=np.float32)
        if value.own.shape[1] > width:
            refuse_state(f"{name}.own", f"{value.own.shape[1]} columns", f"at most {width}")
    if value.link_degrees is not None:
        check_array(value.link_degrees, f"{name}.link_degrees", (n_users,), dtype=np.float32)
