"""The first of two ways to rank: a query vector against item vectors, plus a bias."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from skrec._features import Matrix, finite_matrix
from skrec._histories import Histories
from skrec._queries import Candidates, Queries, check_k, read_items
from skrec._ranking import rank
from skrec._recommendations import Recommendations
from skrec._recommender import BaseRecommender

_PAIR_BLOCK = 1 << 16
_ONE_REQUEST = 1 << 22
"""Multiplications up to which BLAS is passed over: its threads gain 0.1 ms, and wait for 8 on a busy machine."""


class VectorRecommender(BaseRecommender):
    """A recommender that ranks by the inner product of query and item vector, plus a bias.

    ``_fit`` sets ``_item_vectors`` ((n_items, d), dense or CSR) and ``_item_bias`` ((n_items,) or None); a
    subclass gives ``_query_vectors(queries)``. A query whose vector is zero gets the cold start.
    """

    _item_vectors: Matrix
    _item_bias: NDArray[np.float32] | None = None

    def _query_vectors(self, queries: Queries) -> Matrix:
        raise NotImplementedError(f"{type(self).__name__} must define _query_vectors(queries)")

    def _link(self, scores: NDArray, vectors: Matrix) -> NDArray:
        """From inner products, one row a query vector, to scores; monotone within a row."""
        return scores

    def _scores(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        vectors = self._query_vectors(queries)
        scores = inner_products(vectors, self._item_vectors, items)
        if self._item_bias is not None:
            scores += self._item_bias if items is None else self._item_bias[items]
        scores = self._link(scores, vectors)
        cold = is_zero_row(vectors)
        if cold.any():
            scores[cold] = self._cold_scores(items)
        return scores

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        vectors = self._query_vectors(queries)
        scores = np.empty(len(rows))
        for start in range(0, len(rows), _PAIR_BLOCK):
            at = slice(start, start + _PAIR_BLOCK)
            queried = vectors[rows[at]]
            products = row_dots(queried, self._item_vectors[items[at]])
            if self._item_bias is not None:
                products = products + self._item_bias[items[at]]
            scores[at] = self._link(products[:, None], queried)[:, 0]
        cold = is_zero_row(vectors)[rows]
        scores[cold] = self._cold_scores(items[cold])
        return scores

    # Items and texts as queries ----------------------------------------------------------------------

    def similar_items(self, items: Any, k: int = 10, *, candidates: Any = None) -> Recommendations:
        """Items whose vectors are nearest by cosine; an item is never its own neighbour.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        candidates : list of item ids, or one list an item, default=None

        Returns
        -------
        Recommendations
            One row an item; ``users`` holds the items asked for.

        Raises
        ------
        KeyError
            If an id is unknown.
        """
        check_is_fitted(self)
        k = check_k(k)
        ids, codes = read_items(items, self._item_index)
        vectors = normalize(self._item_vectors)
        own = Histories.group(np.arange(len(codes)), codes, np.ones(len(codes), np.float32), None, len(codes))
        return self._nearest(vectors[codes], vectors, ids, own, k, candidates, "item")

    def search(self, texts: Any, k: int = 10, *, candidates: Any = None) -> Recommendations:
        """Rank the catalogue for free text.

        Parameters
        ----------
        texts : str or list of str
        k : int, default=10
        candidates : list of item ids, or one list a text, default=None

        Returns
        -------
        Recommendations
            One row a text; ``users`` holds the texts.

        Raises
        ------
        ValueError
            If the items have no text vectors, or the item encoder does not read text.
        """
        check_is_fitted(self)
        k = check_k(k)
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("texts must be a string or a list of strings.")
        if not texts:
            raise ValueError("texts is empty; pass a string or a list of at least one.")
        queries, vectors = self._text_space(texts)
        asked = np.empty(len(texts), dtype=object)
        asked[:] = texts
        return self._nearest(queries, vectors, asked, Histories.empty(len(texts)), k, candidates, "text")

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        """Vectors of texts, and of the items in the same space."""
        raise ValueError(f"{type(self).__name__} has no item vectors in the space of texts.")

    def _nearest(
        self,
        vectors: Matrix,
        item_vectors: Matrix,
        asked: NDArray,
        hidden: Histories,
        k: int,
        candidates: Any,
        name: str,
    ) -> Recommendations:
        eligible = None if candidates is None else Candidates(candidates, self._item_index, len(asked))

        def score_block(start: int, stop: int, columns: NDArray[np.int64] | None) -> NDArray[np.float32]:
            scores = inner_products(vectors[start:stop], item_vectors, columns)
            scores[is_zero_row(vectors[start:stop])] = self._cold_scores(columns)
            return scores

        n_jobs = getattr(self, "n_jobs", None)
        codes, scores = rank(score_block, hidden, len(self._item_index), k, eligible=eligible, n_jobs=n_jobs)
        return Recommendations(codes, scores, asked, self._item_index, backend=self._frame_backend, query_name=name)


def inner_products(vectors: Matrix, item_vectors: Matrix, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """(n_queries, n_items) inner products, for all items or for the given codes."""
    chosen = item_vectors if items is None else item_vectors[items]
    if not sp.issparse(vectors) and not sp.issparse(chosen) and len(vectors) * chosen.size <= _ONE_REQUEST:
        return np.einsum("qd,id->qi", vectors, chosen).astype(np.float32, copy=False)
    return np.asarray(safe_sparse_dot(vectors, chosen.T, dense_output=True), dtype=np.float32)


def is_zero_row(vectors: Matrix) -> NDArray[np.bool_]:
    """Which rows of a dense or sparse matrix hold nothing."""
    if sp.issparse(vectors):
        return np.asarray(abs(vectors).sum(axis=1)).ravel() == 0
    return ~np.any(vectors, axis=1)


def row_dots(a: Matrix, b: Matrix) -> NDArray[np.floating]:
    """Inner product of each row of ``a`` with the same row of ``b``."""
    if sp.issparse(a) or sp.issparse(b):
        return np.asarray((a * b if sp.issparse(a) else b * a).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", a, b)


def encode_texts(encoder: Any, texts: list[str]) -> Matrix:
    """Vectors of free texts in the space of a fitted item encoder.

    The encoder has ``encode(texts)``, or is a pipeline whose first step has, or reads lists of texts.

    Raises
    ------
    ValueError
        If there is no encoder, or it needs several columns.
    """
    if encoder is None:
        raise ValueError(
            "search needs an item_encoder that reads text, fitted on item_features; pass "
            "item_encoder=LLMTextEmbedder() (from skrec.feature_extraction import LLMTextEmbedder)."
        )
    first, *later = [step for _, step in encoder.steps] if isinstance(encoder, Pipeline) else [encoder]
    try:
        encode = getattr(first, "encode_query", None) or getattr(first, "encode", None) or first.transform
        vectors = encode(texts)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"search: {type(first).__name__} does not read a list of texts ({error}); use an item_encoder with "
            "encode(texts), such as LLMTextEmbedder, first in a pipeline."
        ) from error
    for step in later:
        vectors = vectors if step in (None, "passthrough") else step.transform(vectors)
    return finite_matrix(vectors, "the texts as encoded")
