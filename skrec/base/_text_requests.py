"""Free-text requests, blended with taste."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.base._block_ranking import rank
from skrec.base._ranker import ExactRanker, Ranker, Scores, TopK
from skrec.interactions import Candidates, Histories, Queries
from skrec.utils import Matrix, inner_products, is_zero_row, unwrap_recommender

_TYPED_WEIGHT = 0.7
"""Chosen on validation events of both bookshops: examples/benchmarks/request_weight.py."""
_HEAD = 10
"""Number of best items by which a row of scores is scaled,"""
_LEAST_REST = 4
"""at most this fraction (one in four) of all items."""


def read_requests(request: str | Sequence[str | None] | None, weight: float, n_queries: int) -> list[str | None] | None:
    """One text or None per query; None where no query has a text.

    Raises
    ------
    ValueError
        If the number of texts is not that of the queries, or the weight is out of range.
    TypeError
        If a request is not a string.
    """
    check_request_weight(weight)
    texts = request_texts(request, n_queries)
    return texts if any(texts) else None


def check_request_weight(weight: object) -> None:
    """Raise ValueError where a weight is no number from 0 to 1."""
    if not isinstance(weight, int | float | np.floating | np.integer) or not 0 <= weight <= 1:
        raise ValueError(f"request_weight must be a number from 0 (taste alone) to 1 (request alone); got {weight!r}.")


@dataclass(slots=True, eq=False)
class RequestRanker(Ranker):
    """Ranks queries by a blend of taste and request; those without a request by taste alone.

    Parameters
    ----------
    exact : ExactRanker
        Scores by taste.
    is_cold : callable (queries) -> bool array of shape (n_queries,)
        Queries without a taste: the request alone counts.
    row : int64 array of shape (n_queries,)
        Row of ``vectors`` of each query, -1 where it has no request.
    vectors, item_vectors : matrices of shape (n_texts, d) and (n_items, d)
    weight : float in [0, 1]
        Of the request.
    """

    exact: ExactRanker
    is_cold: Callable[[Queries], NDArray[np.bool_]]
    row: NDArray[np.int64]
    vectors: Matrix
    item_vectors: Matrix
    weight: float

    @classmethod
    def of_texts(
        cls,
        texts: list[str | None],
        text_space: Callable[[list[str]], tuple[Matrix, Matrix]],
        weight: float,
        exact: ExactRanker,
        is_cold: Callable[[Queries], NDArray[np.bool_]],
    ) -> RequestRanker:
        """Embed each distinct text once."""
        distinct = list(dict.fromkeys(text for text in texts if text is not None))
        number = {text: row for row, text in enumerate(distinct)}
        row = np.array([-1 if text is None else number[text] for text in texts], dtype=np.int64)
        return cls(exact, is_cold, row, *text_space(distinct), weight)

    def top_k(self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories) -> TopK:
        """Best items of each query; a row is scaled over the whole catalogue, whatever the candidates."""

        def score_block(start: int, stop: int, columns: NDArray[np.int64] | None) -> Scores:
            scores = self._blended_scores(queries.block(start, stop), self.row[start:stop])
            return scores if columns is None else np.ascontiguousarray(scores[:, columns])

        return rank(score_block, hidden, self.exact.n_items, k, eligible=eligible, n_jobs=self.exact.n_jobs)

    def _blended_scores(self, queries: Queries, row: NDArray[np.int64]) -> Scores:
        """(n_queries, n_items) scores; those of queries without a request are the model's own."""
        scores = self.exact.scores(queries, None)
        with_text = np.flatnonzero(row >= 0)
        with_text = with_text[~is_zero_row(self.vectors[row[with_text]])]  # a text without meaning leaves taste alone
        if len(with_text):
            taste = scores[with_text]
            similarity = inner_products(self.vectors[row[with_text]], self.item_vectors, None)
            weight = np.where(self.is_cold(queries)[with_text], 1.0, self.weight)[:, None]
            blended = (1 - weight) * in_reach(taste) + weight * in_reach(similarity)
            scores[with_text] = np.where(np.isneginf(taste), -np.inf, blended)
        return scores


def in_reach(scores: NDArray) -> NDArray[np.float64]:
    """Rows that begin at their median and whose ten best items are at 1 on average; -inf counts as the least.

    A standard deviation would not do: where most scores are nearly equal, as in item graphs, the best are tens
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
    """One text per query, None for a query without a request.

    Raises
    ------
    ValueError
        If the number of texts is not that of the queries.
    TypeError
        If a request is not a string.
    """
    if isinstance(request, bytes) or not (request is None or isinstance(request, Iterable)):
        raise TypeError(f"request must be a string, or one string (or None) per user; got {request!r}.")
    texts = [request] * n_queries if request is None or isinstance(request, str) else list(request)
    if len(texts) != n_queries:
        raise ValueError(f"request has {len(texts)} texts for {n_queries} users; pass one text, or one per user.")
    for text in texts:
        if not (text is None or isinstance(text, str)):
            raise TypeError(f"request must be a string, or one string (or None) per user; got {text!r} among them.")
    return [text if text is not None and text.strip() else None for text in texts]


def typed_request_weight(recommender: Any) -> float | None:
    """Weight of a request that somebody types, where they name none; None leaves it to the recommender.

    A recommender blends evenly by itself, which leaves a strong taste on top of what was asked for. A reranker that
    lets a language model read the request keeps its own weight.
    """
    defaults = [_default_weight(part) for part in _parts(recommender)]
    return None if defaults[0] is Parameter.empty or 0.0 in defaults else _TYPED_WEIGHT


def _parts(recommender: Any) -> Iterator[Any]:
    """A recommender and those inside it."""
    recommender = unwrap_recommender(recommender)
    yield recommender
    if hasattr(recommender, "recommender_"):
        yield from _parts(recommender.recommender_)
    for part in getattr(recommender, "recommenders_", ()):
        yield from _parts(part)


def _default_weight(recommender: Any) -> Any:
    found = signature(recommender.recommend).parameters.get("request_weight")
    return Parameter.empty if found is None else found.default
