"""The second of two ways to rank: a weighted history against an item-item matrix."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec._kernels.csr import csr_arrays
from skrec.base._item_graph_ranker import ItemGraph, ItemGraphRanker, check_graph
from skrec.base._ranker import ExactRanker, Ranker
from skrec.base._recommender import BaseRecommender
from skrec.base._text_search import SearchMixin
from skrec.base._text_similarity import center_rows
from skrec.base._text_space import text_space
from skrec.interactions import (
    CandidateIds,
    Candidates,
    Histories,
    Ids,
    Queries,
    Recommendations,
    list_length,
    read_items,
)
from skrec.utils import Matrix, check_flag, check_matrix, on_snapshot, unit_rows

_PAIR_BLOCK = 1 << 18


def _has_feature_vectors(model: Any) -> bool:
    if not hasattr(model, "item_encoder") or (model.__sklearn_is_fitted__() and model._item_matrix is None):
        raise AttributeError(
            f"{type(model).__name__} has no item vectors: it was fitted without item_features, or does not read them."
        )
    return True


class ItemGraphRecommender(SearchMixin, BaseRecommender):
    """A recommender that ranks by ``sum over history of weight * graph[history item, item]``.

    ``_fit`` calls ``_set_graph(graph, prior)`` with an (n_items, n_items) matrix, CSR or dense; row: the source
    item, of a history; column: the target item. ``_history_weights(histories)`` gives one weight per event: its
    strength, decayed by ``recency_decay`` if the model uses time order (``_use_time``). ``prior`` is added to every
    row of scores. Items without any similarity to a history follow in the order of popularity. A model with an
    ``item_encoder`` that keeps the encoded items as ``_item_matrix`` can be searched by text.
    """

    _item_graph: ItemGraph
    _item_matrix: Matrix | None = None
    _use_time: bool = False

    def _set_graph(self, graph: Matrix, prior: NDArray[np.float32] | None = None) -> None:
        """Rank by a graph, and by a score that each item has without any history."""
        if isinstance(graph, sp.csr_array) and not graph.has_sorted_indices:
            graph = graph.sorted_indices()  # pairs are found by binary search
        largest = np.abs(graph.data).max(initial=0) if sp.issparse(graph) else max(graph.max(), -graph.min())
        # Far below the contribution of one neighbour: it only orders the items without any.
        scale = np.float32(1e-7) * (largest if largest > 0 else 1)
        order = (self.popularity_ * (scale / max(self.popularity_.max(), 1))).astype(np.float32)
        self._item_graph = ItemGraph.with_prior(graph, order if prior is None else prior + order)

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        check_graph(self._item_graph, "_item_graph", len(self._item_index))
        if self._item_matrix is not None:
            check_matrix(self._item_matrix, "_item_matrix", (len(self._item_index), None))
        check_flag(self._use_time, "_use_time")

    def _history_weights(self, histories: Histories) -> NDArray[np.float32]:
        return histories.decayed(getattr(self, "recency_decay", 1.0)) if self._use_time else histories.y

    def _graph_scores(self, graph: Matrix, histories: Histories) -> NDArray[np.float32]:
        """(n_rows, n_items) scores of histories by a graph alone, without a prior."""
        no_prior = np.zeros(len(self._item_index), np.float32)
        return ItemGraph(graph, no_prior, np.zeros(0, np.int32)).score(
            histories, self._history_weights(histories), None
        )

    # Scores ----------------------------------------------------------------------------------------

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        return self._item_graph.score(queries.histories, self._history_weights(queries.histories), items)

    def _ranker(self) -> Ranker:
        return ItemGraphRanker(self._item_graph, self._history_weights, self._exact_ranker(), self._is_cold)

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        from skrec._kernels.item_graph.ranking import score_pairs_dense, score_pairs_sparse
        from skrec._kernels.threads import run_blocks

        graph: Any = self._item_graph.matrix
        is_sparse = sp.issparse(graph)
        kernel, graph = (score_pairs_sparse, csr_arrays(graph)) if is_sparse else (score_pairs_dense, graph)
        order = np.argsort(rows, kind="stable")
        pair_ptr, targets = np.searchsorted(rows[order], np.arange(len(queries) + 1)), items[order]
        sums, ranges = np.zeros(len(rows)), _ranges(queries.histories.indptr[1:], _PAIR_BLOCK)

        def score_ranges(first: int, last: int) -> None:
            for start, stop in ranges[first:last]:
                histories, at = queries.histories.block(start, stop), slice(pair_ptr[start], pair_ptr[stop])
                read = histories.indptr, histories.items, self._history_weights(histories)
                kernel(*read, graph, pair_ptr[start : stop + 1] - pair_ptr[start], targets[at], sums[at])

        run_blocks(score_ranges, len(ranges), 1, getattr(self, "n_jobs", None))
        scores = np.empty(len(rows))
        scores[order] = sums + self._item_graph.prior[targets]
        cold = self._is_cold(queries)[rows]
        scores[cold] = self._cold_start_scores(items[cold])
        return scores

    def _contributions(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Contribution of each event of a query's history to the score of one item per query.

        Parameters
        ----------
        queries : Queries
        items : int64 array of shape (n_queries,)
            One item code per query.

        Returns
        -------
        float32 array of shape (n_events,)
            In the order of ``queries.histories.items``. The entries of a query and the prior of the item
            (its popularity, by ``popularity_prior``) add up to its score.
        """
        histories = queries.histories
        if not len(histories.items):
            return np.zeros(0, np.float32)
        targets = np.repeat(items, histories.lengths)
        return self._history_weights(histories) * np.asarray(
            self._item_graph.matrix[histories.items, targets], np.float32
        )

    # Vectors of items ------------------------------------------------------------------------------

    @available_if(_has_feature_vectors)
    @on_snapshot
    def item_vectors(self) -> Matrix:
        """Vectors of the item features, by whose cosine the model compares items.

        The method exists where the model was fitted with ``item_features`` that it reads.

        Returns
        -------
        float32 array or CSR array of shape (n_items, d)
            One row per item, in the order of ``items_``: the encoded features, centred if dense, at unit length. A
            row of zeros belongs to an item without features.
        """
        check_is_fitted(self)
        assert self._item_matrix is not None
        return unit_rows(self._to_feature_space(self._item_matrix))

    def _to_feature_space(self, matrix: Matrix) -> Matrix:
        """Encoded features as the vectors whose cosine the model takes."""
        return center_rows(matrix)

    # Texts -----------------------------------------------------------------------------------------

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        if not hasattr(self, "item_encoder"):
            return super()._text_space(texts)
        return text_space(self.item_encoder_, texts, self._item_matrix)

    # Neighbours ------------------------------------------------------------------------------------

    @on_snapshot
    def similar_items(self, items: Ids, k: int = 10, *, candidates: CandidateIds | None = None) -> Recommendations:
        """Target items of the largest weights of each item; an item is never its own neighbour.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        candidates : list of item ids, or one list per item, default=None

        Returns
        -------
        Recommendations
            One row per item; ``users`` holds the items asked for. Only positive weights are listed, so a
            row may be shorter than k.

        Raises
        ------
        KeyError
            If an id is unknown.
        """
        check_is_fitted(self)
        k = list_length(k, len(self._item_index))
        ids, sources = read_items(items, self._item_index)
        own = Histories(np.arange(len(sources) + 1), sources.astype(np.int32), np.ones(len(sources), np.float32))
        eligible = None if candidates is None else Candidates(candidates, self._item_index, len(sources))
        graph = self._item_graph.without_prior()
        exact = ExactRanker(
            lambda queries, items: graph.score(queries.histories, queries.histories.y, items),
            len(self._item_index),
            getattr(self, "n_jobs", None),
        )
        ranker = ItemGraphRanker(graph, lambda histories: histories.y, exact)
        codes, scores = ranker.top_k(Queries(np.full(len(sources), -1), own), k, eligible, own)
        codes, scores = np.where(scores > 0, codes, -1), np.where(scores > 0, scores, -np.inf)
        return self._listed(codes, scores, ids, "item")


def _ranges(bounds: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Ranges of rows that hold about ``size`` events each; ``bounds`` are the events up to each row's end."""
    if not len(bounds):
        return []
    cuts = np.searchsorted(bounds, np.arange(size, bounds[-1] + size, size), side="left") + 1
    stops = np.unique(np.append(np.minimum(cuts, len(bounds)), len(bounds)))
    return list(zip(np.append(0, stops[:-1]).tolist(), stops.tolist(), strict=True))
