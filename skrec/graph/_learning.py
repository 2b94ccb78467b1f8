"""``fit`` and ``partial_fit`` of a graph model, in terms of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skrec.base import ItemGraph, text_similarity
from skrec.graph._adjacency import Graph, event_edges, propagate, symmetric
from skrec.graph._filter import GraphFilter, graph_filter, reduced
from skrec.graph._node_vectors import NodeVectors
from skrec.graph._trained import TrainedMixin, warn_of_no_edges
from skrec.graph._user_vectors import UserVectors, befriended
from skrec.interactions import Interactions
from skrec.utils import Matrix, with_rows

MAX_SEED = 2**31 - 1
_TEXT_COMPONENTS = 256


class LearningMixin(TrainedMixin):
    """What a graph model learns, and keeps to serve from.

    Attributes
    ----------
    _item_matrix : matrix of shape (n_items, d), or None
        Encoded features.
    _user_vectors : UserVectors
    _item_graph : ItemGraph or None
        Of the closed form.
    _nodes : NodeVectors or None
        What was trained.
    _item_vectors : float32 array of shape (n_items, d)
    """

    _item_matrix: Any
    _user_vectors: UserVectors
    _item_graph: ItemGraph | None
    _nodes: NodeVectors | None
    _item_vectors: Any

    def _fit(self: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._item_matrix = item_matrix
        self._seed = int(check_random_state(self.random_state).randint(MAX_SEED))
        self._nodes = None
        self._no_epochs()
        self._learn(len(data.users) > 0)

    def _partial_fit(self: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        self._learn(len(data.users) > 0)

    def _text_edges(self: Any) -> sp.csr_array | None:
        """Edges between items whose features are similar, each with the weight of its cosine times ``text_weight``."""
        if self._item_matrix is None or not self._item_matrix.shape[1] or not self.text_weight:
            return None
        near = text_similarity(self._item_matrix, int(self.n_neighbors), 1.0)
        return symmetric(sp.csr_array(near * np.float32(self.text_weight), dtype=np.float32))

    def _learn(self: Any, has_new_events: bool) -> None:
        n_items = len(self._item_index)
        graph = Graph(event_edges(self._histories, n_items), self._text_edges(), self._user_edges())
        uses_features = self.signal == "features" or (self.signal == "auto" and self._item_matrix is not None)
        if self.trainable:
            self._train(graph, has_new_events)
        elif uses_features and self._item_matrix is not None:
            self._smooth_features(graph)
        else:
            found = self._filter(graph)
            self._item_graph = ItemGraph.with_prior(found.matrix, self._faint_popularity(found.matrix))
            self._item_vectors, self._user_vectors = found.vectors, befriended(UserVectors(found.sources), graph)

    def _smooth_features(self: Any, graph: Graph) -> None:
        """Vectors of features, averaged over the neighbours in the graph."""
        vectors = reduced(self._item_matrix, _TEXT_COMPONENTS, self._seed)
        nothing = np.zeros((len(self._user_index), vectors.shape[1]), np.float32)
        over_items = Graph(graph.events, graph.items).normalised()
        _, items, _ = propagate(over_items, nothing, vectors, int(self.n_layers))
        self._item_graph = None
        self._item_vectors, self._user_vectors = items, befriended(UserVectors(items), graph)

    def _filter(self: Any, graph: Graph) -> GraphFilter:
        if not graph.events.nnz and graph.items is None:
            warn_of_no_edges(type(self).__name__)
        return graph_filter(
            graph.events,
            graph.items,
            n_factors=int(self.n_factors),
            low_pass=float(self.low_pass),
            damping=float(self.damping),
            user_exponent=float(self.user_exponent),
            item_exponent=float(self.item_exponent),
            score_exponent=None if self.score_exponent is None else float(self.score_exponent),
            seed=self._seed,
        )

    def _faint_popularity(self: Any, matrix: Matrix) -> NDArray[np.float32]:
        """Orders the items without any path to a history, and no others."""
        values = np.asarray(matrix.data if sp.issparse(matrix) else matrix)
        largest = float(values.max(initial=0)) or 1.0
        faint: NDArray[np.float32] = self.popularity_ * np.float32(
            1e-7 * largest / max(float(self.popularity_.max(initial=0)), 1)
        )
        return faint.astype(np.float32)
