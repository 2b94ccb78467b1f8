"""The one seam through which lists are made: from queries to the codes of their best items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skrec.base._block_ranking import rank
from skrec.interactions import Candidates, Histories, Queries

Scores: TypeAlias = NDArray[np.float32]
Score: TypeAlias = Callable[[Queries, NDArray[np.int64] | None], Scores]
TopK: TypeAlias = tuple[NDArray[np.int32], Scores]


class Ranker(ABC):
    """Finds the best items of queries. An index, a GPU or a service ranks in another way by another ranker."""

    @abstractmethod
    def top_k(self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories) -> TopK:
        """Best items of each query.

        Parameters
        ----------
        queries : Queries
        k : int
        eligible : Candidates or None
            The only items that may be listed; None allows the whole catalogue.
        hidden : Histories of n_queries rows
            Item codes that may not be listed.

        Returns
        -------
        codes, scores : int32 and float32 arrays of shape (n_queries, k)
            Best first, ties by catalogue order; -1 and -inf behind the last eligible item.
        """


@dataclass(slots=True, eq=False)
class ExactRanker(Ranker):
    """Ranks by the scores of all eligible items, block by block.

    Parameters
    ----------
    score : callable (queries, items) -> float32 array of shape (n_queries, n_items)
        Scores for the given item codes, or for all items where they are None. The array is overwritten.
    n_items : int
        Size of the catalogue.
    n_jobs : int or None
    mask : callable (queries, scores), optional
        Sets to -inf the scores of items that may not be listed, such as those below a minimum score.
    """

    score: Score
    n_items: int
    n_jobs: int | None = None
    mask: Callable[[Queries, Scores], None] | None = None

    def scores(self, queries: Queries, items: NDArray[np.int64] | None) -> Scores:
        """Scores of a block of queries, masked."""
        scores = self.score(queries, items)
        if self.mask is not None:
            self.mask(queries, scores)
        return scores

    def top_k(self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories) -> TopK:
        def score_block(start: int, stop: int, columns: NDArray[np.int64] | None) -> Scores:
            return self.scores(queries.block(start, stop), columns)

        return rank(score_block, hidden, self.n_items, k, eligible=eligible, n_jobs=self.n_jobs)

    def replace_rows(self, rows: NDArray[np.bool_], found: TopK, queries: Queries, hidden: Histories) -> TopK:
        """Lists found in another way, with the given rows ranked exactly; the whole catalogue is eligible."""
        at = np.flatnonzero(rows)
        if len(at):
            codes, scores = found
            codes[at], scores[at] = self.top_k(queries.take(at), codes.shape[1], None, hidden.take(at))
        return found
