"""New histories of a model that ranks: the user who would most likely have chosen it, given the items.

Maximises the softmax likelihood of the history against a fixed sample of items, less two quadratic penalties: on the
distance from what the user's features say, as large as fitted users have it, and on the distance from the fitted row,
in proportion to the events that it was fitted to. Newton's method with one Hessian for all users, that of a mean user:
in its eigenvectors every step is a division.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec.decomposition._factor_state import FactorState

_MAX_SAMPLES = 512
_STEPS = 12
_LEAST_SPREAD = 1e-6


@dataclass
class NegativeSamples:
    """A sample of the items, and how a mean user tells them apart.

    Attributes
    ----------
    rotation : (n_factors, n_factors) float32 array
        Eigenvectors of the covariance of item vectors, weighted by how likely a mean user is to choose them.
    variances : (n_factors,) float32 array
        Its eigenvalues.
    penalty : (n_factors,) float32 array
        One over the spread of fitted users around their priors.
    vectors : (n_samples, n_factors) float32 array
        Rotated item vectors.
    biases : (n_samples,) float32 array
        The bias of each item, and what the mean context adds.
    """

    rotation: NDArray[np.float32]
    variances: NDArray[np.float32]
    penalty: NDArray[np.float32]
    vectors: NDArray[np.float32]
    biases: NDArray[np.float32]

    @classmethod
    def of(cls, state: FactorState) -> NegativeSamples:
        """The sample of a fitted model."""
        n_factors = state.settings.n_factors
        active = np.flatnonzero(state.active_items)
        if not len(active):
            active = np.arange(len(state.items))
        if len(active) > _MAX_SAMPLES:
            active = np.sort(np.random.default_rng(0).choice(active, _MAX_SAMPLES, replace=False))
        vectors, biases = state.item_factors[active], state.item_biases[active].copy()
        if state.context_coef is not None and state.mean_context is not None:
            biases += vectors @ (state.mean_context @ state.context_coef)
        mean = state.user_factors.mean(axis=0)
        share = np.exp(vectors @ mean + biases - (vectors @ mean + biases).max())[:, None]
        share /= share.sum()
        centered = (vectors - (share * vectors).sum(axis=0)).astype(np.float64)
        variances, rotation = np.linalg.eigh(centered.T @ (share * centered))
        rotation = rotation.astype(np.float32)
        apart = (state.users - state.user_prior)[state.active_users, :n_factors] @ rotation
        spread = np.square(apart).mean(axis=0) if len(apart) else np.ones(n_factors, np.float32)
        penalty = (1 / np.maximum(spread, _LEAST_SPREAD)).astype(np.float32)
        return cls(rotation, np.maximum(variances, 0).astype(np.float32), penalty, vectors @ rotation, biases)

    def shares(self, users: NDArray[np.float32]) -> NDArray[np.float32]:
        """Softmax over the sample, for rotated users."""
        scores = users @ self.vectors.T + self.biases
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def most_likely_users(
        self,
        base: NDArray[np.float32],
        n_old: NDArray[np.float32],
        n_new: NDArray[np.float32],
        chosen: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Users once new events are in.

        Parameters
        ----------
        base : float32 array of shape (n_rows, n_factors)
            The users before; zeros for unknown ones.
        n_old, n_new : float32 arrays of shape (n_rows, 1)
            Weight of the events before, and of the new ones.
        chosen : float32 array of shape (n_rows, n_factors)
            The vectors of the new items, weighted and added up.

        Returns
        -------
        float32 array of shape (n_rows, n_factors)
        """
        base = base @ self.rotation
        stay = n_old * self.variances + self.penalty
        curvature = n_new * self.variances + stay
        chosen = chosen @ self.rotation
        rows = base.copy()
        for _ in range(_STEPS):
            gradient = chosen - n_new * (self.shares(rows) @ self.vectors) - stay * (rows - base)
            rows += gradient / curvature
        back: NDArray[np.float32] = rows @ self.rotation.T
        return back
