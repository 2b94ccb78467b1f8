"""Vectors that are trained over the graph, with the filter in closed form beside them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._training import RankedEvents, TrainerSettings, TrainingResult, rows_to_hold_out
from skrec.base import ItemGraph
from skrec.exceptions import ColdStartWarning
from skrec.graph._adjacency import Graph, event_edges
from skrec.graph._filter import GraphFilter
from skrec.graph._node_vectors import NodeVectors
from skrec.graph._solver import GraphSolver
from skrec.graph._user_vectors import UserVectors
from skrec.utils import caller_level

_SAMPLED_USERS = 256


class TrainedMixin:
    """What a graph model does where its vectors are trained."""

    _nodes: NodeVectors | None
    _item_graph: ItemGraph | None

    def _train(self: Any, graph: Graph, has_new_events: bool) -> None:
        if self.signal == "features":
            raise ValueError(
                "trainable=True trains vectors of its own, and signal='features' sends those of the features. Pass "
                "signal='auto', or trainable=False."
            )
        n_users, n_items = graph.events.shape
        solver, rng = self._solver(), np.random.default_rng(self._seed)
        is_first = self._nodes is None
        nodes = NodeVectors.draw(n_users, n_items, int(self.n_factors), rng) if is_first else self._nodes
        self._nodes = nodes.grown(n_users, n_items)
        if has_new_events and graph.events.nnz:
            self._run(solver, graph, rng, is_first=is_first)
        elif is_first:
            warn_of_no_edges(type(self).__name__)
            self._nodes = NodeVectors(self._nodes.users * 0, self._nodes.items * 0)
        users, items = self._nodes.over(graph, int(self.n_layers))
        self._publish(users, items, graph)

    def _run(self: Any, solver: GraphSolver, graph: Graph, rng: np.random.Generator, *, is_first: bool) -> None:
        if not is_first:
            self._nodes, result = solver.train(self._nodes, graph, max_iter=-(-int(self.max_iter) // 10))
            self._add_epochs(result)
            return
        histories, held = self._histories, np.zeros(len(self._histories.items), bool)
        if self.early_stopping:
            rows = rows_to_hold_out(histories.lengths, float(self.validation_fraction), rng)
            # Any event: the last row of a log that is not in order of time may be the least popular one.
            held[histories.indptr[rows] + rng.integers(0, histories.lengths[rows])] = True
        ranked = RankedEvents.of(histories, held, histories.y > 0)
        if ranked is not None:
            graph = replace(graph, events=event_edges(histories, graph.events.shape[1], ~held))

        def train(**options: Any) -> TrainingResult:
            self._nodes, result = solver.train(self._nodes, graph, ranked, **options)
            return result

        self._train_epochs(train)

    def _solver(self: Any) -> GraphSolver:
        settings = TrainerSettings(
            learning_rate=float(self.learning_rate),
            max_iter=int(self.max_iter),
            regularization=0.0,
            patience=self.n_iter_no_change,
            seed=self._seed,
            label=type(self).__name__,
        )
        return GraphSolver(
            settings,
            self.loss,
            int(self.n_layers),
            int(self.n_negatives),
            int(self.batch_size),
            float(self.regularization),
            float(self.contrastive_weight),
            float(self.noise),
            self.device,
        )

    def _publish(self: Any, users: UserVectors, items: NDArray[np.float32], graph: Graph) -> None:
        """Serve a weighted sum of both scores, that of the filter on the scale of the trained ones."""
        share = np.float32(self.filter_weight)
        if not share:
            self._item_graph, self._item_vectors, self._user_vectors = None, items, users
            return
        found = self._filter(graph)
        scale = share * _ratio_of_ranges(users, items, found, graph.events)
        if share == 1:  # the vectors that were trained count for nothing
            scale, items = np.float32(1), items * 0
        # Both parts of an item vector have the same length on average, so that cosines see both.
        level = _mean_length(items) / _mean_length(found.vectors)
        trained = users.sources * (1 - share)
        own = None if users.own is None else users.own * (1 - share)
        sources = np.hstack([trained, found.sources * (scale / level)])
        matrix = found.matrix * scale
        self._item_vectors = np.hstack([items, found.vectors * level])
        self._user_vectors = replace(users, sources=sources, own=own)
        self._item_graph = ItemGraph.with_prior(matrix, self._faint_popularity(matrix))


def _ratio_of_ranges(
    users: UserVectors, items: NDArray[np.float32], found: GraphFilter, events: sp.csr_array
) -> np.float32:
    """By what the scores of the filter are multiplied to spread as the trained ones do, over some users."""
    rows = np.flatnonzero(np.diff(events.indptr))
    if not len(rows):
        return np.float32(1)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, _SAMPLED_USERS).astype(np.int64))]
    steps = events[rows]
    steps = sp.csr_array(sp.diags_array(1 / np.sqrt(np.diff(steps.indptr)).astype(np.float32)) @ steps)
    own = 0 if users.own is None else users.own[rows]
    trained = (steps @ users.sources + own) @ items.T
    paths = steps @ found.matrix
    of_filter = (paths.toarray() if sp.issparse(paths) else paths) + (steps @ found.sources) @ found.vectors.T
    spread = float(of_filter.std(axis=1).mean())
    return np.float32(float(trained.std(axis=1).mean()) / spread if spread > 0 else 1.0)


def _mean_length(vectors: NDArray[np.float32]) -> np.float32:
    length = float(np.sqrt(np.square(vectors).sum(axis=1)).mean()) if len(vectors) else 0.0
    return np.float32(length if length > 0 else 1.0)


def warn_of_no_edges(name: str) -> None:
    """Say that nothing can be learned from a graph."""
    warnings.warn(
        f"The graph has no edges: no event has a y above 0. {name} ranks by popularity.",
        ColdStartWarning,
        stacklevel=caller_level(),
    )
