"""The first of two ways to rank: a query vector against item vectors, plus a bias."""

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec.base._block_ranking import ScoreBlock
from skrec.base._recommender import BaseRecommender
from skrec.base._text_search import SearchMixin
from skrec.base._text_space import encode_texts, text_space
from skrec.interactions import CandidateIds, Histories, Ids, Queries, Recommendations, list_length, read_items
from skrec.utils import (
    Matrix,
    check_array,
    check_matrix,
    inner_products,
    is_zero_row,
    on_snapshot,
    read_only,
    row_dots,
    unit_rows,
)

__all__ = ["VectorRecommender", "encode_texts", "inner_products", "is_zero_row", "row_dots", "text_space"]

_PAIR_BLOCK = 1 << 16


class VectorRecommender(SearchMixin, BaseRecommender):
    """A recommender that ranks by the inner product of query and item vector, plus a bias.

    ``_fit`` sets ``_item_vectors`` ((n_items, d), dense or CSR) and ``_item_bias`` ((n_items,) or None); a
    subclass defines ``_query_vectors(queries)``. A query whose vector is zero gets the cold start. A model whose
    scores are not linear adds ``_item_offset`` ((n_items,) or None) to what ``_link`` makes of the products.
    """

    _item_vectors: Matrix
    _item_bias: NDArray[np.float32] | None = None
    _item_offset: NDArray[np.float32] | None = None

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False) or "_item_vectors" not in self.__dict__:
            return
        n_items = len(self._item_index)
        check_matrix(self._item_vectors, "_item_vectors", (n_items, None), kinds="fiub")
        for name in ("_item_bias", "_item_offset"):
            if getattr(self, name) is not None:
                check_array(getattr(self, name), name, (n_items,))

    def _query_vectors(self, queries: Queries) -> Matrix:
        raise NotImplementedError(f"{type(self).__name__} must define _query_vectors(queries)")

    def _link(self, scores: NDArray, vectors: Matrix) -> NDArray:
        """From inner products, one row per query vector, to scores; monotone within a row."""
        return scores

    def _is_cold(self, queries: Queries) -> NDArray[np.bool_]:
        return is_zero_row(self._query_vectors(queries))

    def _score_with_cold_start(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        vectors = self._query_vectors(queries)
        scores = inner_products(vectors, self._item_vectors, items)
        if self._item_bias is not None:
            scores += self._item_bias if items is None else self._item_bias[items]
        scores = self._link(scores, vectors)
        if self._item_offset is not None:
            scores += self._item_offset if items is None else self._item_offset[items]
        cold = is_zero_row(vectors)
        if cold.any():
            scores[cold] = self._cold_start_scores(items)
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
        if self._item_offset is not None:
            scores += self._item_offset[items]
        cold = is_zero_row(vectors)[rows]
        scores[cold] = self._cold_start_scores(items[cold])
        return scores

    # Vectors of items ----------------------------------------------------------------------

    @on_snapshot
    def item_vectors(self) -> Matrix:
        """Vectors of the items, as the model ranks by them.

        A score is the inner product of a query vector and an item vector, plus a bias of the item where the model
        has one. Items are compared by the cosine of their vectors, as in :meth:`similar_items`;
        by their distance where the metric of the model is Euclidean.

        Returns
        -------
        float32 array or CSR array of shape (n_items, d)
            One row per item, in the order of ``items_``. Rows are not scaled to unit length; a row of zeros belongs
            to an item that the model knows nothing about. The array is no copy, and cannot be written to.
        """
        check_is_fitted(self)
        return read_only(self._vectors_of_items())

    def _vectors_of_items(self) -> Matrix:
        return self._item_vectors

    # Items as queries ----------------------------------------------------------------------

    @on_snapshot
    def similar_items(self, items: Ids, k: int = 10, *, candidates: CandidateIds | None = None) -> Recommendations:
        """Items whose vectors are nearest, by cosine if the model has no metric; an item is never its own neighbour.

        Parameters
        ----------
        items : array-like of item ids
        k : int, default=10
        candidates : list of item ids, or one list per item, default=None

        Returns
        -------
        Recommendations
            One row per item; ``users`` holds the items asked for.

        Raises
        ------
        KeyError
            If an id is unknown.
        """
        check_is_fitted(self)
        k = list_length(k, len(self._item_index))
        ids, codes = read_items(items, self._item_index)
        own = Histories.group(np.arange(len(codes)), codes, np.ones(len(codes), np.float32), None, len(codes))
        empty = is_zero_row(self._item_vectors[codes])
        return self._nearest(self._neighbor_scores(codes), empty, ids, own, k, candidates, "item")

    def _neighbor_scores(self, codes: NDArray[np.int64]) -> ScoreBlock:
        """Similarities of some items to others: cosines."""
        vectors = unit_rows(self._item_vectors)
        queries = vectors[codes]
        return lambda start, stop, items: inner_products(queries[start:stop], vectors, items)
