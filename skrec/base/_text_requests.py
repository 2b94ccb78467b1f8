"""Free-text requests, blended with taste."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.base._block_ranking import rank
from skrec.interactions import Candidates, Histories, Queries
from skrec.utils import inner_products, is_zero_row

_HEAD = 10
"""Best items of a row that say how far its scores reach,"""
_LEAST_REST = 4
"""and no more than a quarter of all."""


def read_requests(rec: Any, request: Any, weight: Any, n_queries: int) -> RequestRanking | None:
    """What is asked for in free text; None where nothing is, whatever the model can read.

    Raises
    ------
    ValueError
        If there is not one text a query, the weight is out of range, or the model reads no text.
    TypeError
        If a request is no text.
    """
    if not isinstance(weight, int | float | np.number) or not 0 <= weight <= 1:
        raise ValueError(f"request_weight must be a number from 0 (taste alone) to 1 (request alone); got {weight!r}.")
    texts = request_texts(request, n_queries)
    if not any(texts):
        return None
    return RequestRanking(rec, texts, float(weight))


class RequestRanking:
    """Scores of queries of which some come with a request.

    Parameters
    ----------
    rec : recommender
    texts : list of n_queries str or None
    weight : float in [0, 1]
    """

    def __init__(self, rec: Any, texts: list[str | None], weight: float) -> None:
        distinct = list(dict.fromkeys(text for text in texts if text is not None))
        number = {text: row for row, text in enumerate(distinct)}
        self._rec, self._weight = rec, weight
        self._row = np.array([-1 if text is None else number[text] for text in texts], dtype=np.int64)
        self._vectors, self._item_vectors = rec._text_space(distinct)

    def rank(
        self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Best k items of each query; a row is scaled over the whole catalogue, whatever the candidates."""

        def score_block(start: int, stop: int, columns: NDArray[np.int64] | None) -> NDArray[np.float32]:
            scores = self._blended_scores(queries.block(start, stop), self._row[start:stop])
            return scores if columns is None else np.ascontiguousarray(scores[:, columns])

        n_jobs = getattr(self._rec, "n_jobs", None)
        return rank(score_block, hidden, len(self._rec._item_index), k, eligible=eligible, n_jobs=n_jobs)

    def _blended_scores(self, queries: Queries, row: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n_queries, n_items) scores; those of queries without a request are the model's own."""
        scores: NDArray[np.float32] = self._rec._ranked_scores(queries, None)
        asked = np.flatnonzero(row >= 0)
        asked = asked[~is_zero_row(self._vectors[row[asked]])]  # of a text that says nothing, taste is left
        if len(asked):
            taste = scores[asked]
            likeness = inner_products(self._vectors[row[asked]], self._item_vectors, None)
            weight = np.where(self._rec._is_cold(queries)[asked], 1.0, self._weight)[:, None]
            blended = (1 - weight) * in_reach(taste) + weight * in_reach(likeness)
            scores[asked] = np.where(np.isneginf(taste), -np.inf, blended)
        return scores


def in_reach(scores: NDArray) -> NDArray[np.float64]:
    """Rows that begin at their median and whose ten best items are at 1 on average; -inf counts as the least.

    A standard deviation would not do: where most scores are nearly alike, as in item graphs, the best are tens
    of deviations away and nothing blended with them would be heard.
    """
    finite = np.where(np.isneginf(scores), np.nan, scores.astype(np.float64))
    least = np.nanmin(finite, axis=1, keepdims=True)
    filled = np.where(np.isnan(finite), least, finite)
    middle = np.median(filled, axis=1, keepdims=True)
    n = max(1, min(_HEAD, filled.shape[1] // _LEAST_REST))
    head = np.partition(filled, filled.shape[1] - n, axis=1)[:, -n:].mean(axis=1, keepdims=True)
    spread = filled.max(axis=1, keepdims=True) - least
    reach = np.where(head > middle, head - middle, spread)  # where half of the items share the first place
    return np.divide(filled - middle, reach, out=np.zeros_like(filled), where=reach > 0)


def request_texts(request: Any, n_queries: int) -> list[str | None]:
    """One text a query, None where nothing is asked for.

    Raises
    ------
    ValueError
        If there is not one text a query.
    TypeError
        If a request is no text.
    """
    if isinstance(request, bytes) or not (request is None or isinstance(request, Iterable)):
        raise TypeError(f"request must be a text, or one text (or None) a user; got {request!r}.")
    texts = [request] * n_queries if request is None or isinstance(request, str) else list(request)
    if len(texts) != n_queries:
        raise ValueError(f"request has {len(texts)} texts for {n_queries} users; pass one text, or one a user.")
    for text in texts:
        if not (text is None or isinstance(text, str)):
            raise TypeError(f"request must be a text, or one text (or None) a user; got {text!r} among them.")
    return [text if text is not None and text.strip() else None for text in texts]
