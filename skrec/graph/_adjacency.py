"""Edges between users and items, between items and between users, normalised, and vectors propagated over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import Histories


def event_edges(histories: Histories, n_items: int, kept: NDArray[np.bool_] | None = None) -> sp.csr_array:
    """(n_users, n_items) matrix with 1 for each pair that has an event with ``y`` > 0, of those that a mask keeps."""
    used = histories.y > 0 if kept is None else kept & (histories.y > 0)
    edges = histories.where(used).to_csr(n_items)
    edges.data[:] = 1
    return edges


def degrees(edges: sp.csr_array, axis: int) -> NDArray[np.float32]:
    """Sum of the weights of each row (``axis=1``) or column (``axis=0``)."""
    return np.asarray(edges.sum(axis=axis), dtype=np.float32).ravel()


def inverse_power(values: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """``values ** -power``, and 0 for values of 0."""
    return np.where(values > 0, np.where(values > 0, values, 1) ** np.float32(-power), 0).astype(np.float32)


@dataclass(frozen=True)
class Graph:
    """A graph of users and items, in parts; each edge between two items, or two users, is there both ways.

    Attributes
    ----------
    events : CSR array of shape (n_users, n_items)
    items : CSR array of shape (n_items, n_items), or None
        Symmetric.
    users : CSR array of shape (n_users, n_users), or None
        Symmetric.
    """

    events: sp.csr_array
    items: sp.csr_array | None = None
    users: sp.csr_array | None = None

    @property
    def n_edges(self) -> int:
        """Edges of all kinds, those between two items or two users counted both ways."""
        return int(self.events.nnz) + sum(part.nnz for part in (self.items, self.users) if part is not None)

    def degrees(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sums of the weights of the edges of each user, and of each item."""
        of_users, of_items = degrees(self.events, 1), degrees(self.events, 0)
        if self.users is not None:
            of_users = of_users + degrees(self.users, 1)
        if self.items is not None:
            of_items = of_items + degrees(self.items, 1)
        return of_users, of_items

    def normalised(self) -> Graph:
        """Each edge divided by the square roots of the degrees of both of its ends."""
        user_scale, item_scale = (inverse_power(degree, 0.5) for degree in self.degrees())

        def scaled(part: sp.csr_array, left: NDArray[np.float32], right: NDArray[np.float32]) -> sp.csr_array:
            rows = np.repeat(left, np.diff(part.indptr))
            return sp.csr_array((part.data * rows * right[part.indices], part.indices, part.indptr), shape=part.shape)

        return Graph(
            scaled(self.events, user_scale, item_scale),
            None if self.items is None else scaled(self.items, item_scale, item_scale),
            None if self.users is None else scaled(self.users, user_scale, user_scale),
        )

    def whole(self) -> sp.csr_array:
        """(n_users + n_items, n_users + n_items) symmetric matrix, users first."""
        parts = [[self.users, self.events], [sp.csr_array(self.events.T), self.items]]
        n_users, n_items = self.events.shape
        if self.users is None:
            parts[0][0] = sp.csr_array((n_users, n_users), dtype=np.float32)
        if self.items is None:
            parts[1][1] = sp.csr_array((n_items, n_items), dtype=np.float32)
        return sp.csr_array(sp.block_array(parts, format="csr", dtype=np.float32))


def propagate(
    graph: Graph, users: NDArray[np.float32], items: NDArray[np.float32], n_layers: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Vectors averaged over the layers of a normalised graph, as LightGCN has it.

    Parameters
    ----------
    graph : Graph
        Normalised.
    users, items : float32 arrays of shape (n_users, d) and (n_items, d)
        Layer 0.
    n_layers : int

    Returns
    -------
    users, items : float32 arrays
        Means of the layers from 0 to ``n_layers``.
    sources : float32 array of shape (n_items, d)
        Sum of the layers of the items up to the last but one, over ``n_layers + 1``: what an edge of weight 1 to the
        item adds to a user.
    """
    to_items = sp.csr_array(graph.events.T)
    share = np.float32(1 / (n_layers + 1))
    user_sum, item_sum, sources = users.copy(), items.copy(), np.zeros_like(items)
    for _ in range(n_layers):
        sources += items
        next_users, next_items = graph.events @ items, to_items @ users
        if graph.users is not None:
            next_users += graph.users @ users
        if graph.items is not None:
            next_items += graph.items @ items
        users, items = next_users, next_items
        user_sum += users
        item_sum += items
    return user_sum * share, item_sum * share, sources * share


def symmetric(edges: sp.csr_array) -> sp.csr_array:
    """Edges both ways, each with the larger weight of the two, without those from a node to itself."""
    both = sp.csr_array(edges.maximum(edges.T))
    both.setdiag(0)
    both.eliminate_zeros()
    both.sort_indices()
    return both
