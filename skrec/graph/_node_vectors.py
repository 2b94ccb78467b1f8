"""The vectors of users and items that training learns, in NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec.graph._adjacency import Graph, inverse_power, propagate
from skrec.graph._user_vectors import UserVectors
from skrec.utils import check_array, check_kind


@dataclass(frozen=True)
class NodeVectors:
    """What is learned: the vectors that are sent over the graph.

    Attributes
    ----------
    users, items : float32 arrays of shape (n_users, d) and (n_items, d)
        Zero where there was no event to learn from.
    """

    users: NDArray[np.float32]
    items: NDArray[np.float32]

    @classmethod
    def draw(cls, n_users: int, n_items: int, n_factors: int, rng: np.random.Generator) -> NodeVectors:
        """What training starts from."""
        users, items = (rng.normal(0, 0.1, (n, n_factors)).astype(np.float32) for n in (n_users, n_items))
        return cls(users, items)

    def grown(self, n_users: int, n_items: int) -> NodeVectors:
        """With zeros for later users and items."""
        grown = [np.zeros((n, self.users.shape[1]), np.float32) for n in (n_users, n_items)]
        for new, old in zip(grown, (self.users, self.items), strict=True):
            new[: len(old)] = old
        return NodeVectors(*grown)

    def of_active(self, of_users: NDArray[np.bool_], of_items: NDArray[np.bool_]) -> NodeVectors:
        """With zeros for the other users and items."""
        return NodeVectors(self.users * of_users[:, None], self.items * of_items[:, None])

    def over(self, graph: Graph, n_layers: int) -> tuple[UserVectors, NDArray[np.float32]]:
        """How users become vectors, and the vectors of the items, after ``n_layers`` steps over a graph."""
        normalised = graph.normalised()
        users, items, sources = propagate(normalised, self.users, self.items, n_layers)
        own = users - normalised.events @ sources
        of_users = graph.degrees()[0] - np.asarray(graph.events.sum(axis=1), np.float32).ravel()
        sources *= inverse_power(graph.degrees()[1], 0.5)[:, None]
        return UserVectors(sources, own, of_users), items

    @staticmethod
    def check(value: object, name: str, n_users: int, n_items: int) -> None:
        """Check what was loaded.

        Raises
        ------
        DamagedStateError
        """
        check_kind(value, name, NodeVectors)
        assert isinstance(value, NodeVectors)
        check_array(value.users, f"{name}.users", (n_users, None), dtype=np.float32)
        check_array(value.items, f"{name}.items", (n_items, value.users.shape[1]), dtype=np.float32)
