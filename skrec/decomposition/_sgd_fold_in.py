"""New histories of a model that ranks: the user that the solver would have learned from them, given the items.

Minimises the expected loss of the history against a fixed sample of items, and the L2 penalty that the solver puts on
a user of as many events. It is on the distance from a mean user with the same features: there a user ranks items by
popularity, and at zero by their biases alone, which say less. For a fitted user it is on the distance from the fitted
row, and the events of fit count as a quadratic. BPR has its own loss. WARP has that of softmax, which compares the
chosen item with those that score highest, as WARP does, and is smooth. Newton's method with one Hessian for all users,
that of a mean user: in its eigenvectors every step is a division. A step that goes too far is halved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.decomposition._factor_state import FactorState
from skrec.utils import row_dots

_MAX_SAMPLES = 512
_MAX_STEPS = 12
_TOLERANCE = 1e-3
_MOST_BEYOND = 0.25
_LONGEST_SHARE = np.float32(4)
_TINY = np.float32(1e-30)
_CELLS = 1 << 18  # of a matrix that stays in the processor's cache

Slope: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The direction in which the loss of each row falls."""


@dataclass
class NegativeSamples:
    """A sample of the items, and how a mean user tells them apart.

    Attributes
    ----------
    is_pairwise : bool
        Whether the loss is that of BPR.
    rotation : (n_factors, n_factors) float32 array
        Eigenvectors of the Hessian of the loss of one event, for a mean user.
    variances : (n_factors,) float32 array
        Its eigenvalues.
    center : (n_factors,) float32 array
        The mean of the fitted users, less what their features say.
    item_vectors : (n_items, n_factors) float32 array
        All item vectors, rotated.
    item_biases : (n_items,) float32 array
        The bias of each item, and what the mean context adds.
    sample : int64 array of shape (n_samples,)
        The items of the sample.
    vectors, biases : float32 arrays of shape (n_samples, n_factors) and (n_samples,)
        Those of the sample.
    """

    is_pairwise: bool
    rotation: NDArray[np.float32]
    variances: NDArray[np.float32]
    center: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    item_biases: NDArray[np.float32]
    sample: NDArray[np.int64]

    def __post_init__(self) -> None:
        self.vectors, self.biases = self.item_vectors[self.sample], self.item_biases[self.sample]

    @classmethod
    def of(cls, state: FactorState) -> NegativeSamples:
        """The sample of a fitted model."""
        sample = np.flatnonzero(state.active_items)
        if not len(sample):
            sample = np.arange(len(state.items))
        if len(sample) > _MAX_SAMPLES:
            sample = np.sort(np.random.default_rng(0).choice(sample, _MAX_SAMPLES, replace=False))
        factors, biases = state.item_factors, state.item_biases.copy()
        if state.context_coef is not None and state.mean_context is not None:
            biases += factors @ (state.mean_context @ state.context_coef)
        is_pairwise = state.settings.solver == "bpr"
        vectors = factors[sample]
        if is_pairwise:
            n_events = np.bincount(state.histories.items, minlength=len(factors)).astype(np.float64)
            center = vectors.mean(axis=0, dtype=np.float64)
            hessian = scatter(vectors - center, np.full(len(vectors), 1 / len(vectors)))
            hessian = (hessian + scatter(factors - center, n_events / max(1.0, n_events.sum()))) / 4
        else:
            scores = vectors @ state.user_factors.mean(axis=0) + biases[sample]
            share = np.exp(scores - scores.max(), dtype=np.float64)
            share /= share.sum()
            hessian = scatter(vectors - share @ vectors, share)
        variances, rotation = np.linalg.eigh(hessian)
        variances, rotation = np.maximum(variances, 0).astype(np.float32), rotation.astype(np.float32)
        beyond = (state.users - state.user_prior)[state.active_users, : factors.shape[1]]
        center = beyond.mean(axis=0) if len(beyond) else np.zeros(factors.shape[1], np.float32)
        return cls(is_pairwise, rotation, variances, center, factors @ rotation, biases, sample)

    def users(
        self,
        base: NDArray[np.float32],
        penalty: NDArray[np.float32],
        n_old: NDArray[np.float32],
        events: sp.csr_array,
    ) -> NDArray[np.float32]:
        """Users once new events are in.

        Parameters
        ----------
        base : float32 array of shape (n_rows, n_factors)
            The users before; of those without events, what their features say.
        penalty : float32 array of shape (n_rows,)
            L2 penalty.
        n_old : float32 array of shape (n_rows,)
            Weight of the events before.
        events : CSR array of shape (n_rows, n_items)
            Weights of the new events.

        Returns
        -------
        float32 array of shape (n_rows, n_factors)
        """
        base = np.where(n_old[:, None] > 0, base, base + self.center) @ self.rotation
        stay = n_old[:, None] * self.variances + penalty[:, None]
        curvature = events.sum(axis=1)[:, None] * self.variances + stay
        of_events = self._pairwise_slope(events) if self.is_pairwise else self._softmax_slope(events)
        rows = descend(lambda rows: of_events(rows) - stay * (rows - base), base, curvature)
        back: NDArray[np.float32] = rows @ self.rotation.T
        return back

    def contributions(
        self,
        users: NDArray[np.float32],
        penalty: NDArray[np.float32],
        events: sp.csr_array,
        items: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """What each event adds to the score of one item per row, in the order of ``events.indices``.

        Where the loss is least, the row of a new user is that of a mean user and a sum over the events, over the
        penalty: the chosen item less the negative samples, weighted by how likely they are chosen instead.

        Parameters
        ----------
        users : float32 array of shape (n_rows, n_factors)
            What :meth:`users` returns for users without a base.
        penalty : float32 array of shape (n_rows,)
        events : CSR array of shape (n_rows, n_items)
        items : int64 array of shape (n_rows,)

        Returns
        -------
        float32 array of shape (n_events,)
        """
        rows, owner, chosen = users @ self.rotation, row_of_entry(events), self.item_vectors[events.indices]
        scored = (self.item_vectors[items] / penalty[:, None])[owner]
        if not self.is_pairwise:
            beyond = chosen - (self._shares(rows) @ self.vectors)[owner]
            return events.data * row_dots(beyond, scored)
        added = np.empty(len(owner), np.float32)
        for at, directions in self._pairwise_directions(rows, events, owner):
            added[at] = row_dots(directions, scored[at])
        return added

    def _shares(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Softmax over the sample."""
        scores = rows @ self.vectors.T + self.biases
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def _softmax_slope(self, events: sp.csr_array) -> Slope:
        chosen, n_events = events @ self.item_vectors, events.sum(axis=1)[:, None]
        return lambda rows: chosen - n_events * (self._shares(rows) @ self.vectors)

    def _pairwise_slope(self, events: sp.csr_array) -> Slope:
        owner = row_of_entry(events)

        def slope(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            total = np.zeros_like(rows)
            for at, directions in self._pairwise_directions(rows, events, owner):
                first = np.flatnonzero(np.diff(owner[at], prepend=-1))
                total[owner[at][first]] += np.add.reduceat(directions, first, axis=0)
            return total

        return slope

    def _pairwise_directions(
        self, rows: NDArray[np.float32], events: sp.csr_array, owner: NDArray[np.int64]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """BPR: where each event moves its user, away from the items of the sample; some events at a time."""
        scores, n = rows @ self.vectors.T + self.biases, max(1, _CELLS // len(self.sample))
        for start in range(0, len(owner), n):
            at = slice(start, start + n)
            items = events.indices[at]
            own = row_dots(rows[owner[at]], self.item_vectors[items]) + self.item_biases[items]
            errors = scores[owner[at]]
            errors -= own[:, None]
            errors /= 2
            np.tanh(errors, out=errors)  # the logistic function is (1 + tanh(x / 2)) / 2, and this is the faster one
            errors += 1
            errors *= events.data[at, None] / np.float32(2 * len(self.sample))
            yield at, errors.sum(axis=1)[:, None] * self.item_vectors[items] - errors @ self.vectors


def descend(slope: Slope, start: NDArray[np.float32], curvature: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the loss of each row is least, by steps of Newton's method.

    A step that goes too far is halved. The next one is longer or shorter by the curvature that the last one met.
    """
    rows, downhill, share = start, slope(start), np.ones((len(start), 1), np.float32)
    open_rows = np.ones(len(start), bool)
    for _ in range(_MAX_STEPS):
        step = share * downhill / curvature
        step[~open_rows] = 0
        moved = rows + step
        further = slope(moved)
        rise, left = row_dots(downhill, step), row_dots(further, step)
        fits = left >= -_MOST_BEYOND * rise
        met = np.maximum(rise - left, rise / _LONGEST_SHARE)  # the curvature along the step, over the one assumed
        share[:, 0] *= np.where(fits, rise / np.maximum(met, _TINY), 0.5)
        rows, downhill = np.where(fits[:, None], moved, rows), np.where(fits[:, None], further, downhill)
        open_rows &= row_dots(step, step) > _TOLERANCE**2 * row_dots(moved, moved)
        if not open_rows.any():
            break
    return rows


def scatter(vectors: NDArray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted sum of the outer products."""
    vectors = vectors.astype(np.float64)
    scatter: NDArray[np.float64] = vectors.T @ (weights[:, None] * vectors)
    return scatter


def row_of_entry(events: sp.csr_array) -> NDArray[np.int64]:
    """The row of each stored entry."""
    return np.repeat(np.arange(events.shape[0]), np.diff(events.indptr))
