"""Ranking by user and item factors, however they were learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.base import VectorRecommender, text_space
from skrec.interactions import Histories, Queries
from skrec.utils import Matrix, is_zero_row

if TYPE_CHECKING:
    from skrec._kernels.als.sweeps import Side


class FactorModel(VectorRecommender):
    """Scores are p.q, and with ratings the mean and the biases; histories that were not in fit are folded in.

    A subclass calls ``_set_sides`` when it has learned. Factor matrices hold ``n_factors`` columns, the bias
    (explicit feedback) and zeros up to a full register.
    """

    _explicit: bool
    _item_biases_only: bool
    _n_factors: int
    _mean_events: tuple[float, float]
    _best_rating: float
    _item_texts: Matrix | None
    mean_: float
    alpha_: float
    regularization_: float
    _frequency_scaling: float
    user_coef_: NDArray[np.float32] | None
    item_coef_: NDArray[np.float32] | None
    _context_map: NDArray[np.float32] | None
    _query_gram: NDArray[np.float32] | None

    @property
    def _bias(self) -> int | None:
        """The column of the biases."""
        return self._n_factors if self._explicit or self._item_biases_only else None

    @property
    def _n_columns(self) -> int:
        return self._n_factors + (self._bias is not None)

    @property
    def _n_query(self) -> int:
        """Columns of a query vector; with ratings, the last is what a query adds to all of its scores."""
        return self._n_factors + self._explicit

    def _entries(self, histories: Histories) -> sp.csr_array:
        """What is fitted: strengths above 0 added up, or the last ratings."""
        n_items = len(self._item_index)
        if self._explicit:
            return histories.last_rating(n_items)
        entries = histories.to_csr(n_items)
        entries.eliminate_zeros()
        return entries

    def _set_sides(self, users: Side, items: Side) -> None:
        self._users, self._items = users.factors, items.factors
        self._user_prior, self._item_prior = users.prior, items.prior
        self._active_users, self._active_items = users.active, items.active
        learned = (self._users, self._items, self._context_map, self._query_gram)
        if not all(np.isfinite(part).all() for part in learned if part is not None):
            raise ValueError(
                f"{type(self).__name__} diverged: what it learned leaves the range of float32. Lower learning_rate "
                "or regularization where one is very large, and rescale y, sample_weight, features or context."
            )
        self._derive()

    def _derive(self) -> None:
        """What follows from the rest of the state, and is not saved."""
        self._design = self._derive_design()
        self._item_vectors, self._item_bias = self.item_factors_, None
        if self._bias is not None:
            self._item_bias = self.item_biases_
        if self._explicit:
            # The last column meets what a query adds to all of its scores, which _link does instead.
            self._item_vectors = np.pad(self.item_factors_, ((0, 0), (0, 1)))

    def _derive_design(self) -> Any:
        """What new histories are folded in by."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        derived = ("_design", "_item_vectors", "_item_bias")
        return {name: value for name, value in super().__getstate__().items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "_items"):
            self._derive()

    # What was learned ------------------------------------------------------------------------------

    @property
    def user_factors_(self) -> NDArray[np.float32]:
        """User vectors in catalogue order."""
        return self._users[:, : self._n_factors]

    @property
    def item_factors_(self) -> NDArray[np.float32]:
        """Item vectors in catalogue order."""
        return self._items[:, : self._n_factors]

    @property
    def user_biases_(self) -> NDArray[np.float32]:
        """User biases; zero for implicit feedback."""
        return self._users[:, self._n_factors] if self._explicit else np.zeros(len(self._users), np.float32)

    @property
    def item_biases_(self) -> NDArray[np.float32]:
        """Item biases; zero for implicit feedback by least squares."""
        return np.zeros(len(self._items), np.float32) if self._bias is None else self._items[:, self._bias]

    @property
    def context_coef_(self) -> NDArray[np.float32] | None:
        """C, transposed; with explicit feedback w is the last column. None where X had no context."""
        return None if self._context_map is None else self._context_map[:, : self._n_query]

    # Rank ------------------------------------------------------------------------------------------

    def _query_vectors(self, queries: Queries) -> NDArray[np.float32]:
        known = queries.users >= 0
        factors = np.zeros((len(queries), self._users.shape[1]), np.float32)
        factors[known] = self._users[queries.users[known]]
        fitted = np.where(known, np.diff(self._histories.indptr)[queries.users], 0)
        changed = np.flatnonzero(queries.histories.lengths != fitted)
        if len(changed):
            factors[changed] = self._fold_in(queries.users[changed], queries.histories.take(changed))
            known[changed] = True
        vectors = factors[:, : self._n_query]
        if self._context_map is not None and queries.context is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                vectors = vectors + queries.context @ self._context_map[:, : self._n_query]
            known[:] = True
        if self._explicit:
            vectors[known, -1] += self.mean_
        if not np.isfinite(vectors).all():
            raise ValueError(
                "What the history or the context of a request adds leaves the range of float32; pass numbers of the "
                "size that fit had."
            )
        return vectors

    def _fold_in(self, users: NDArray[np.int64], histories: Histories) -> NDArray[np.float32]:
        """Rows of histories that were not in fit, with the items as they are."""
        raise NotImplementedError

    def _link(self, scores: NDArray, vectors: Matrix) -> NDArray:
        return scores + vectors[:, -1:] if self._explicit else scores

    def _cold_start_scores(self, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        if not self._explicit:
            return super()._cold_start_scores(items)
        biases = self.item_biases_ if items is None else self.item_biases_[items]
        return np.float32(self.mean_) + biases

    def _unknown_item_scores(self, queries: Queries) -> NDArray[np.float64]:
        if not self._explicit:
            return super()._unknown_item_scores(queries)
        vectors = self._query_vectors(queries)
        return np.where(is_zero_row(vectors), self.mean_, vectors[:, -1]).astype(np.float64)

    def _history_rating(self) -> float:
        return self._best_rating if self._explicit else 1.0

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        return text_space(self.item_encoder_, texts, self._item_texts)
