"""Ranking by user and item factors, whichever solver learned them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.base import VectorRecommender, text_space
from skrec.decomposition._factor_state import FactorState, SolverSettings
from skrec.decomposition._solver import Solver
from skrec.decomposition._state_checks import check_factors
from skrec.interactions import Histories, Queries
from skrec.utils import Matrix, check_matrix, check_number, is_zero_row

_LARGEST = 1e30  # products with item vectors stay in the range of float32


class FactorModel(VectorRecommender):
    """Scores are p.q, and with ratings the mean and the biases; histories that were not in fit are folded in.

    All that was learned is in ``_state``. A subclass gives ``_make_solver(settings)``, and learns by
    ``_learn_state``.
    """

    _state: FactorState
    _best_rating: float
    _item_matrix: Matrix | None

    def _make_solver(self, settings: SolverSettings) -> Solver[Any]:
        """The solver of these settings."""
        raise NotImplementedError

    @property
    def _solver(self) -> Solver[Any]:
        """The solver that learned the state."""
        return self._make_solver(self._state.settings)

    def _learn_state(self, learn: Callable[..., FactorState], *args: Any) -> None:
        """Rank by the state that ``learn(*args)`` returns from here on.

        Raises
        ------
        ValueError
            If the factors have left the range of float32.
        """
        try:
            state: FactorState | None = learn(*args)
        except np.linalg.LinAlgError:  # a decomposition of a matrix with infinite entries
            state = None
        if state is None or not state.is_finite():
            raise ValueError(
                f"{type(self).__name__} diverged: the factors leave the range of float32. Lower learning_rate or "
                "regularization if one is very large, and rescale y, sample_weight, features or context."
            )
        self._state = self._make_solver(state.settings).ready(state)
        self._set_item_vectors()

    def _set_item_vectors(self) -> None:
        state = self._state
        self._item_vectors, self._item_bias = state.item_factors, None
        if state.settings.bias is not None:
            self._item_bias = state.item_biases
        if state.settings.explicit:
            # The last column of a query vector is what it adds to all of its scores: _link adds it.
            self._item_vectors = np.pad(state.item_factors, ((0, 0), (0, 1)))

    def __getstate__(self) -> dict[str, Any]:
        derived = ("_item_vectors", "_item_bias")
        return {name: value for name, value in super().__getstate__().items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "_state"):
            self._state = self._solver.ready(self._state)
            self._set_item_vectors()

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_users, n_items = len(self._user_index), len(self._item_index)
        n_context = 0 if self._context is None else len(self._context.mean)
        check_factors(self._state, "_state", n_users, n_items, n_context)
        self._solver.check(self._state)
        check_number(self._best_rating, "_best_rating")
        if self._item_matrix is not None:
            check_matrix(self._item_matrix, "_item_matrix", (n_items, None))

    # What was learned ------------------------------------------------------------------------------

    @property
    def solver_(self) -> str:
        """The solver that learned the model."""
        return self._state.settings.solver

    @property
    def user_factors_(self) -> NDArray[np.float32]:
        """User vectors in catalogue order."""
        return self._state.user_factors

    @property
    def item_factors_(self) -> NDArray[np.float32]:
        """Item vectors in catalogue order."""
        return self._state.item_factors

    @property
    def user_biases_(self) -> NDArray[np.float32]:
        """User biases; zero for implicit feedback."""
        return self._state.user_biases

    @property
    def item_biases_(self) -> NDArray[np.float32]:
        """Item biases; zero for implicit feedback by least squares."""
        return self._state.item_biases

    @property
    def mean_(self) -> float:
        """Mean rating; zero for implicit feedback."""
        return self._state.scales.mean

    @property
    def alpha_(self) -> float | None:
        """The alpha used; None where it has no use."""
        return self._state.scales.alpha

    @property
    def regularization_(self) -> float:
        """The regularization used."""
        return self._state.scales.regularization

    @property
    def user_coef_(self) -> NDArray[np.float32] | None:
        """A, transposed. With explicit feedback, the last column gives the bias. None without user features."""
        return self._state.user_coef

    @property
    def user_intercept_(self) -> NDArray[np.float32] | None:
        """The vector of a user of whom nothing is known; None where items have biases instead."""
        intercept = self._state.user_intercept
        return None if intercept is None else intercept[: self._state.settings.n_factors]

    @property
    def item_coef_(self) -> NDArray[np.float32] | None:
        """B, transposed. Where items have biases, the last column gives them. None without item features."""
        return self._state.item_coef

    @property
    def context_coef_(self) -> NDArray[np.float32] | None:
        """C, transposed. With explicit feedback, the last column adds to ratings. None where X had no context."""
        return self._state.context_coef

    @property
    def loss_curve_(self) -> list[float]:
        """The objective after every sweep of fit, or the mean loss of an event in every epoch."""
        return self._state.loss_curve

    @property
    def validation_scores_(self) -> list[float] | None:
        """The held-out score after every epoch; None for "als" or without held-out events."""
        return self._state.validation_scores

    @property
    def n_iter_(self) -> int:
        """Sweeps done, or epochs that the final model learned for."""
        return len(self._state.loss_curve)

    # Rank ------------------------------------------------------------------------------------------

    def _query_vectors(self, queries: Queries) -> NDArray[np.float32]:
        state = self._state
        known = queries.users >= 0
        factors = np.zeros((len(queries), state.users.shape[1]), np.float32)
        factors[known] = state.users[queries.users[known]]
        lengths = queries.histories.lengths
        is_changed = lengths != state.histories.lengths_of(queries.users)
        shift = None
        if queries.features is not None:
            shift = state.shift_of_priors(queries.users, queries.features)
            factors += shift
            factors[queries.features.is_given & ~known] += state.unknown_user
            is_changed |= queries.features.is_given & (lengths > 0)
            known |= queries.features.is_given
        changed = np.flatnonzero(is_changed)
        if len(changed):
            of_changed = None if shift is None else shift[changed]
            factors[changed] = self._fold_in(queries.users[changed], queries.histories.take(changed), of_changed)
            known[changed] = True
        vectors = factors[:, : state.settings.n_query]
        if state.context_coef is not None and queries.context is not None:
            vectors[~known] = state.unknown_user[: state.settings.n_query]
            with np.errstate(over="ignore", invalid="ignore"):
                vectors = vectors + queries.context @ state.context_coef
            known[:] = True
        if state.settings.explicit:
            vectors[known, -1] += state.scales.mean
        if not (np.abs(vectors) < _LARGEST).all():
            raise ValueError(
                "The user vector of a request leaves the range of float32, by its history or its context; pass numbers "
                "of the size that fit had."
            )
        return vectors

    def _fold_in(
        self, users: NDArray[np.int64], histories: Histories, shift: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Rows of histories that were not in fit; the items stay."""
        return self._solver.fold_in(self._state, users, histories, shift)

    def _contributions(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.floating]:
        return self._solver.contributions(self._state, queries, items)

    def _link(self, scores: NDArray, vectors: Matrix) -> NDArray:
        return scores + vectors[:, -1:] if self._state.settings.explicit else scores

    def _cold_start_scores(self, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        if not self._state.settings.explicit:
            return super()._cold_start_scores(items)
        biases = self._state.item_biases if items is None else self._state.item_biases[items]
        return np.float32(self._state.scales.mean) + biases

    def _unknown_item_scores(self, queries: Queries) -> NDArray[np.float64]:
        if not self._state.settings.explicit:
            return super()._unknown_item_scores(queries)
        vectors = self._query_vectors(queries)
        return np.where(is_zero_row(vectors), self._state.scales.mean, vectors[:, -1]).astype(np.float64)

    def _vectors_of_items(self) -> Matrix:
        return self._state.item_factors

    def _history_rating(self) -> float:
        return self._best_rating if self._state.settings.explicit else 1.0

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        return text_space(self.item_encoder_, texts, self._item_matrix)
