"""New histories of a model that ranks: the user who would most likely have chosen it, among the items as they are.

Maximises the softmax likelihood of the history against a fixed sample of items, less a quadratic pull to what is
known of the user already: the features, as strongly as fitted users keep to theirs, and the fitted row in the measure
of the events it was fitted to. Newton's method with one Hessian for all users, that of a mean user, in whose
eigenvectors every step is a division.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import Histories, Queries

_MAX_RIVALS = 512
_STEPS = 12
_LEAST_SPREAD = 1e-6
_CELLS = 1 << 22


@dataclass
class NegativeSamples:
    """A sample of the items, and how a mean user tells them apart.

    Attributes
    ----------
    rotation : (n_factors, n_factors) float32 array
        Eigenvectors of the covariance of item vectors, as a mean user weighs them.
    variances : (n_factors,) float32 array
        Its eigenvalues.
    pull : (n_factors,) float32 array
        One over the spread of fitted users around their priors.
    vectors : (n_rivals, n_factors) float32 array
        Rotated.
    biases : (n_rivals,) float32 array
        What a user of the mean context starts from: the bias of each, and what the context adds.
    """

    rotation: NDArray[np.float32]
    variances: NDArray[np.float32]
    pull: NDArray[np.float32]
    vectors: NDArray[np.float32]
    biases: NDArray[np.float32]

    def shares(self, users: NDArray[np.float32]) -> NDArray[np.float32]:
        """Softmax over the sample, for rotated users."""
        scores = users @ self.vectors.T + self.biases
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores


def derive(rec: Any) -> NegativeSamples:
    """The sample of a fitted model."""
    active = np.flatnonzero(rec._active_items)
    if not len(active):
        active = np.arange(len(rec._items))
    if len(active) > _MAX_RIVALS:
        active = np.sort(np.random.default_rng(0).choice(active, _MAX_RIVALS, replace=False))
    vectors, biases = rec.item_factors_[active], rec.item_biases_[active].copy()
    if rec._context_map is not None:
        biases += vectors @ (rec._context.mean @ rec.context_coef_)
    mean = rec.user_factors_.mean(axis=0)
    share = np.exp(vectors @ mean + biases - (vectors @ mean + biases).max())[:, None]
    share /= share.sum()
    centered = (vectors - (share * vectors).sum(axis=0)).astype(np.float64)
    variances, rotation = np.linalg.eigh(centered.T @ (share * centered))
    rotation = rotation.astype(np.float32)
    apart = (rec._users - rec._user_prior)[rec._active_users, : rec._n_factors] @ rotation
    spread = np.square(apart).mean(axis=0) if len(apart) else np.ones(rec._n_factors, np.float32)
    pull = (1 / np.maximum(spread, _LEAST_SPREAD)).astype(np.float32)
    return NegativeSamples(rotation, np.maximum(variances, 0).astype(np.float32), pull, vectors @ rotation, biases)


def fold_in(rec: Any, users: NDArray[np.int64], histories: Histories) -> NDArray[np.float32]:
    """Rows of users with histories that were not in fit."""
    folded = np.zeros((len(users), rec._users.shape[1]), np.float32)
    block = max(1, _CELLS // len(rec._design.biases))
    for start in range(0, len(users), block):
        at = slice(start, start + block)
        rows = _fold_in_block(rec, users[at], histories.block(start, min(start + block, len(users))))
        folded[at, : rec._n_factors] = rows
    return folded


def _fold_in_block(rec: Any, users: NDArray[np.int64], histories: Histories) -> NDArray[np.float32]:
    rivals: NegativeSamples = rec._design
    fitted = _weights(rec, rec._histories.take(users))
    new = _weights(rec, histories) - fitted
    n_old, n_new = fitted.sum(axis=1)[:, None], new.sum(axis=1)[:, None]
    base = np.where(users[:, None] >= 0, rec.user_factors_[users], np.float32(0)) @ rivals.rotation
    held = n_old * rivals.variances + rivals.pull
    curvature = n_new * rivals.variances + held
    wanted = (new @ rec.item_factors_) @ rivals.rotation
    rows = base.copy()
    for _ in range(_STEPS):
        gradient = wanted - n_new * (rivals.shares(rows) @ rivals.vectors) - held * (rows - base)
        rows += gradient / curvature
    back: NDArray[np.float32] = rows @ rivals.rotation.T
    return back


def contributions(rec: Any, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each event of a query's history adds to the score of one item a query.

    Where the likelihood is largest, the row of a new user is the sum over the events of what the chosen item has
    beyond the mean of its rivals, over the pull. A known user is taken as new, with all events.
    """
    rivals: NegativeSamples = rec._design
    histories = queries.histories
    rows = _fold_in_block(rec, np.full(len(histories), -1), histories) @ rivals.rotation
    expected = rivals.shares(rows) @ rivals.vectors
    owner = histories.row_of_event()
    asked = (rec.item_factors_[items] @ rivals.rotation / rivals.pull)[owner]
    beyond = rec.item_factors_[histories.items] @ rivals.rotation - expected[owner]
    added: NDArray[np.float64] = histories.y / rec._mean_strength * np.einsum("ij,ij->i", beyond, asked)
    return added


def _weights(rec: Any, histories: Histories) -> sp.csr_array:
    """How much each pair counts."""
    return rec._entries(histories) / np.float32(rec._mean_strength)
