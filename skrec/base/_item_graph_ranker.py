"""Ranking by a weighted history against an item-item matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.csr import csr_arrays
from skrec.base._ranker import ExactRanker, Ranker, Scores, TopK
from skrec.interactions import Candidates, Histories, Queries
from skrec.utils import Matrix, check_array, check_codes, check_kind, check_matrix

_FUSED_ROWS = 256
_FUSED_K = 256


@dataclass(frozen=True)
class ItemGraph:
    """An item-item matrix, and a score that each item has without any history.

    Attributes
    ----------
    matrix : CSR or dense float32 array of shape (n_items, n_items)
        Row: the source item, of the history; column: the target item.
    prior : float32 array of shape (n_items,)
    by_prior : int32 array of shape (n_items,)
        Item codes by descending prior, ties by catalogue order.
    """

    matrix: Matrix
    prior: NDArray[np.float32]
    by_prior: NDArray[np.int32]

    @classmethod
    def with_prior(cls, matrix: Matrix, prior: NDArray[np.float32]) -> ItemGraph:
        """A graph whose order by prior is still to be found."""
        return cls(matrix, prior, np.argsort(-prior, kind="stable").astype(np.int32))

    def without_prior(self) -> ItemGraph:
        """The same matrix, with a prior of 0."""
        return ItemGraph.with_prior(self.matrix, np.zeros_like(self.prior))

    def score(self, histories: Histories, weights: NDArray[np.float32], items: NDArray[np.int64] | None) -> Scores:
        """(n_rows, n_items) sums over each history of weight times matrix entry, plus the prior."""
        from skrec._kernels.item_graph.ranking import score_dense, score_sparse

        read = (histories.indptr, histories.items, weights)
        if sp.issparse(self.matrix):
            scores = np.tile(self.prior, (len(histories), 1))
            score_sparse(*read, csr_arrays(self.matrix), scores)
            return scores if items is None else scores[:, items]
        narrow = items is not None and 4 * len(items) < len(self.prior)
        matrix, prior = (self.matrix[:, items], self.prior[items]) if narrow else (self.matrix, self.prior)
        scores = np.tile(prior, (len(histories), 1))
        score_dense(*read, matrix, scores)
        return scores if narrow or items is None else scores[:, items]


def check_graph(value: object, name: str, n_items: int) -> None:
    """Check a loaded graph.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ItemGraph)
    assert isinstance(value, ItemGraph)
    check_matrix(value.matrix, f"{name}.matrix", (n_items, n_items))
    check_array(value.prior, f"{name}.prior", (n_items,), dtype=np.float32)
    check_codes(value.by_prior, f"{name}.by_prior", n_items, size=n_items, dtype=np.int32)


@dataclass(slots=True, eq=False)
class ItemGraphRanker(Ranker):
    """Ranks without a row of scores where the matrix is sparse and the whole catalogue is eligible.

    Parameters
    ----------
    graph : ItemGraph
    weigh : callable (histories) -> float32 array of shape (n_events,)
        Weight of each event.
    exact : ExactRanker
        Ranks in all other cases.
    is_cold : callable (queries) -> bool array of shape (n_queries,), optional
        Queries whose scores are not those of the graph.
    """

    graph: ItemGraph
    weigh: Callable[[Histories], NDArray[np.float32]]
    exact: ExactRanker
    is_cold: Callable[[Queries], NDArray[np.bool_]] | None = None

    def top_k(self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories) -> TopK:
        graph = self.graph
        if eligible is not None or k > _FUSED_K or not sp.issparse(graph.matrix):
            return self.exact.top_k(queries, k, eligible, hidden)
        from skrec._kernels.item_graph.ranking import rank_sparse
        from skrec._kernels.threads import run_blocks

        histories = queries.histories
        read = histories.indptr, histories.items, self.weigh(histories), csr_arrays(graph.matrix)
        masked = hidden.indptr, hidden.items.astype(np.int64)
        codes = np.full((len(queries), k), -1, np.int32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        width = min(k, len(graph.prior))
        out = codes[:, :width], scores[:, :width]

        def rank_rows(start: int, stop: int) -> None:
            rank_sparse(start, stop, *read, graph.prior, graph.by_prior, *masked, *out)

        run_blocks(rank_rows, len(queries), _FUSED_ROWS, self.exact.n_jobs)
        if self.is_cold is None:
            return codes, scores
        return self.exact.replace_rows(self.is_cold(queries), (codes, scores), queries, hidden)
