"""Lists of a recommender with the choices of friends in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.graph._friends import entries
from skrec.interactions import Candidates, IdIndex, Recommendations


@dataclass(frozen=True)
class BlendedLists:
    """Candidates of each query with their scores by the recommender and by friends.

    Attributes
    ----------
    found : Recommendations
        The lists of the recommender.
    codes : int32 array of shape (n_queries, width)
        Items of its lists and behind them those of friends; -1 for none.
    scores, friends : float64 arrays of shape (n_queries, width)
        Scores of the recommender, and how much friends chose the item, from 0 to 1.
    """

    found: Recommendations
    codes: NDArray[np.int32]
    scores: NDArray[np.float64]
    friends: NDArray[np.float64]

    @classmethod
    def of(cls, found: Recommendations, more: Recommendations | None, chosen: sp.csr_array) -> BlendedLists:
        """The lists of the recommender, more items of friends, and what friends chose."""
        codes, scores = found.codes, found.scores.astype(np.float64)
        if more is not None:
            codes, scores = np.hstack([codes, more.codes]), np.hstack([scores, more.scores.astype(np.float64)])
        row = np.repeat(np.arange(len(codes)), codes.shape[1]).reshape(codes.shape)
        friends = np.zeros(codes.shape)
        is_item = codes >= 0
        if is_item.any():
            friends[is_item] = entries(chosen, row[is_item], codes[is_item])
        return cls(found, codes, scores, friends)

    def blend(self, weight: NDArray[np.float64], k: int) -> Recommendations:
        """The best k, where friends have a weight per query; scores are on the scale of the recommender's list."""
        listed = np.isfinite(self.found.scores)
        low = np.where(listed, self.found.scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        best = np.where(listed, self.found.scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        low = np.where(np.isfinite(low), low, 0.0)
        spread = list_range(low, best)
        share = np.where(self.friends.any(axis=1), weight, 0.0)[:, None]
        is_item = self.codes >= 0
        scores = np.where(is_item, self.scores, 0.0)
        scores = np.where(np.isfinite(scores), scores, low)
        scores = np.where(is_item, (1 - share) * scores + share * (low + spread * self.friends), -np.inf)
        order = np.lexsort((self.codes, -scores), axis=1)[:, :k]
        codes, best = np.take_along_axis(self.codes, order, 1), np.take_along_axis(scores, order, 1)
        return self.found.with_lists(codes, best.astype(np.float32))


def list_range(low: NDArray[np.floating], best: NDArray[np.floating]) -> NDArray[np.float64]:
    """The range of the scores of a list; 1 where all are equal, or there are none."""
    with np.errstate(invalid="ignore"):
        spread = np.asarray(best, np.float64) - np.asarray(low, np.float64)
    return np.where(np.isfinite(spread) & (spread > 0), spread, 1.0)


def wanted_items(
    found: Recommendations, chosen: sp.csr_array, candidates: Any, index: IdIndex, n_most: int
) -> list[NDArray[np.int64]]:
    """Codes of the items that friends chose most and that a list lacks, per query."""
    asked = None if candidates is None else Candidates(candidates, index, len(found))
    shared = None if asked is None or asked.shared is None else np.asarray(asked.shared)
    wanted = []
    for at in range(len(found)):
        start, stop = chosen.indptr[at], chosen.indptr[at + 1]
        codes, values = chosen.indices[start:stop], chosen.data[start:stop]
        kept = ~np.isin(codes, found.codes[at]) & (values > 0)
        if shared is not None:
            kept &= np.isin(codes, shared)
        elif asked is not None and asked.rows is not None:
            kept &= np.isin(codes, asked.rows.block(at, at + 1).items)
        codes, values = codes[kept], values[kept]
        wanted.append(codes[np.argsort(-values, kind="stable")[:n_most]].astype(np.int64))
    return wanted


def only_wanted(more: Recommendations, wanted: list[NDArray[np.int64]], n_items: int) -> Recommendations:
    """The lists without items that were not asked for, such as a placeholder."""
    keys = np.concatenate([at * n_items + codes for at, codes in enumerate(wanted)])
    is_wanted = (more.codes >= 0) & np.isin(np.arange(len(wanted))[:, None] * n_items + more.codes, keys)
    codes = np.where(is_wanted, more.codes, -1).astype(np.int32)
    return more.with_lists(codes, np.where(is_wanted, more.scores, -np.inf).astype(np.float32))
