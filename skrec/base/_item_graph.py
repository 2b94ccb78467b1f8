"""The second of two ways to rank: a weighted history against an item-item matrix."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec._kernels.csr import csr_arrays
from skrec.base._recommender import BaseRecommender
from skrec.base._text_search import SearchMixin
from skrec.base._text_space import text_space
from skrec.interactions import Candidates, Histories, IdIndex, Queries, Recommendations, check_k, read_items
from skrec.utils import Matrix, on_snapshot

_FUSED_ROWS = 256
_FUSED_K = 256
_PAIR_BLOCK = 1 << 18


class ItemGraphRecommender(SearchMixin, BaseRecommender):
    """A recommender that ranks by ``sum over history of weight * graph[history item, item]``.

    ``_fit`` calls ``_set_graph(graph)`` with an (n_items, n_items) matrix, CSR or dense; row: the source
    item, of a history; column: the target item. ``_history_weights(histories)`` gives one weight per event: its
    strength, decayed by ``recency_decay`` if the model uses time order (``_use_time``). Items without any
    similarity to a history follow in the order of popularity. A model with an ``item_encoder`` that keeps the
    encoded items as ``_item_matrix`` can be searched by text.
    """

    _graph: Matrix
    _item_matrix: Matrix | None = None
    _use_time: bool = False

    def _set_graph(self, graph: Matrix) -> None:
        if isinstance(graph, sp.csr_array) and not graph.has_sorted_indices:
            graph = graph.sorted_indices()  # pairs are found by binary search
        self._graph = graph
        largest = np.abs(graph.data).max(initial=0) if sp.issparse(graph) else max(graph.max(), -graph.min())
        # Far below the contribution of one neighbour: it only orders the items without any.
        scale = np.float32(1e-7) * (largest if largest > 0 else 1)
        self._set_prior((self.popularity_ * (scale / max(self.popularity_.max(), 1))).astype(np.float32))

    def _set_prior(self, prior: NDArray[np.float32]) -> None:
        self._prior = prior
        self._by_prior = np.argsort(-prior, kind="stable").astype(np.int32)

    def _history_weights(self, histories: Histories) -> NDArray[np.float32]:
        return histories.decayed(getattr(self, "recency_decay", 1.0)) if self._use_time else histories.y

    # Scores ----------------------------------------------------------------------------------------

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        from skrec._kernels.item_graph.ranking import score_dense, score_sparse

        histories = queries.histories
        read = (histories.indptr, histories.items, self._history_weights(histories))
        if sp.issparse(self._graph):
            scores = np.tile(self._prior, (len(queries), 1))
            score_sparse(*read, csr_arrays(self._graph), scores)
            return scores if items is None else scores[:, items]
        narrow = items is not None and 4 * len(items) < len(self._item_index)
        graph, prior = (self._graph[:, items], self._prior[items]) if narrow else (self._graph, self._prior)
        scores = np.tile(prior, (len(queries), 1))
        score_dense(*read, graph, scores)
        return scores if narrow or items is None else scores[:, items]

    def _rank(
        self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        if eligible is not None or k > _FUSED_K or not sp.issparse(self._graph):
            return super()._rank(queries, k, eligible, hidden)
        from skrec._kernels.item_graph.ranking import rank_sparse
        from skrec._kernels.threads import run_blocks

        histories = queries.histories
        weights, graph = self._history_weights(histories), csr_arrays(self._graph)
        read = histories.indptr, histories.items, weights, graph, self._prior, self._by_prior
        masked = hidden.indptr, hidden.items.astype(np.int64)
        codes = np.full((len(queries), k), -1, np.int32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        width = min(k, len(self._item_index))
        out = codes[:, :width], scores[:, :width]

        def rank_rows(start: int, stop: int) -> None:
            rank_sparse(start, stop, *read, *masked, *out)

        run_blocks(rank_rows, len(queries), _FUSED_ROWS, self._n_threads())
        cold = np.flatnonzero(self._is_cold(queries))
        if len(cold):
            asked = Queries(queries.users[cold], queries.histories.take(cold))
            codes[cold], scores[cold] = super()._rank(asked, k, None, hidden.take(cold))
        return codes, scores

    def _n_threads(self) -> int | None:
        return getattr(self, "n_jobs", None)

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        from skrec._kernels.item_graph.ranking import score_pairs_dense, score_pairs_sparse
        from skrec._kernels.threads import run_blocks

        is_sparse = sp.issparse(self._graph)
        kernel, graph = (score_pairs_sparse, csr_arrays(self._graph)) if is_sparse else (score_pairs_dense, self._graph)
        order = np.argsort(rows, kind="stable")
        pair_ptr, targets = np.searchsorted(rows[order], np.arange(len(queries) + 1)), items[order]
        sums, ranges = np.zeros(len(rows)), _ranges(queries.histories.indptr[1:], _PAIR_BLOCK)

        def score_ranges(first: int, last: int) -> None:
            for start, stop in ranges[first:last]:
                histories, at = queries.histories.block(start, stop), slice(pair_ptr[start], pair_ptr[stop])
                read = histories.indptr, histories.items, self._history_weights(histories)
                kernel(*read, graph, pair_ptr[start : stop + 1] - pair_ptr[start], targets[at], sums[at])

        run_blocks(score_ranges, len(ranges), 1, self._n_threads())
        scores = np.empty(len(rows))
        scores[order] = sums + self._prior[targets]
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
            In the order of ``queries.histories.items``. With the item's prior (popularity, seven orders
            of magnitude below the strongest neighbour) the entries of a query add up to its score.
        """
        histories = queries.histories
        if not len(histories.items):
            return np.zeros(0, np.float32)
        targets = np.repeat(items, histories.lengths)
        return self._history_weights(histories) * np.asarray(self._graph[histories.items, targets], np.float32)

    # Texts -----------------------------------------------------------------------------------------

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        if not hasattr(self, "item_encoder"):
            return super()._text_space(texts)
        return text_space(self.item_encoder_, texts, self._item_matrix)

    # Neighbours ------------------------------------------------------------------------------------

    @on_snapshot
    def similar_items(self, items: Any, k: int = 10, *, candidates: Any = None) -> Recommendations:
        """Target items of the largest weights of each item; an item is never its own neighbour.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        candidates : list of item ids, or one list an item, default=None

        Returns
        -------
        Recommendations
            One row an item; ``users`` holds the items asked for. Only positive weights are listed, so a
            row may be shorter than k.

        Raises
        ------
        KeyError
            If an id is unknown.
        """
        check_is_fitted(self)
        k = check_k(k)
        ids, asked = read_items(items, self._item_index)
        own = Histories(np.arange(len(asked) + 1), asked.astype(np.int32), np.ones(len(asked), np.float32))
        eligible = None if candidates is None else Candidates(candidates, self._item_index, len(asked))
        neighbours = _Neighbours(self._graph, self._item_index, self._n_threads())
        codes, scores = neighbours.rank(Queries(np.full(len(asked), -1), own), k, eligible, own)
        codes, scores = np.where(scores > 0, codes, -1), np.where(scores > 0, scores, -np.inf)
        backend = self._frame_backend
        return Recommendations(codes, scores, ids, self._item_index, backend=backend, query_name="item")


class _Neighbours(ItemGraphRecommender):
    """The graph of a fitted model by itself: every event has weight 1, and popularity adds nothing."""

    def __init__(self, graph: Matrix, item_index: IdIndex, n_jobs: int | None) -> None:
        self._graph = graph
        self._item_index = item_index
        self._set_prior(np.zeros(len(item_index), np.float32))
        self.n_jobs = n_jobs

    def rank(
        self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Best k item codes and scores of each query."""
        return self._rank(queries, k, eligible, hidden)


def _ranges(bounds: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Ranges of rows that hold about ``size`` events each; ``bounds`` are the events up to each row's end."""
    if not len(bounds):
        return []
    cuts = np.searchsorted(bounds, np.arange(size, bounds[-1] + size, size), side="left") + 1
    stops = np.unique(np.append(np.minimum(cuts, len(bounds)), len(bounds)))
    return list(zip(np.append(0, stops[:-1]).tolist(), stops.tolist(), strict=True))
