"""The L2 penalty of users whom a ranking solver folds in.

It is the one that fit puts on a user of as many events, times a factor. Fit stops after some epochs, which holds its
users back beside the penalty; a user who is folded in is taken to where the loss is least. So the factor makes up for
the epochs that fit did not run. Two rules give one, and the larger counts: by the length of fitted users, and by how
held-out events rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.decomposition._held_out import HeldOutRank
from skrec.decomposition._hyperparameters import row_penalties
from skrec.decomposition._sgd_fold_in import NegativeSamples
from skrec.decomposition._sgd_state import SGDState

if TYPE_CHECKING:
    from skrec._kernels.sgd.epochs import Events

_LEAST_SHARE = 0.2  # of the mean number of events
_MOST_USERS, _MOST_EVENTS = 100, 1 << 12
_LARGEST_SCALE = 2.0**20
_MOST_TRIALS = 500
_SCALES = (2.0, 4.0, 8.0, 16.0, 32.0)
_FARTHEST = 4  # no larger factor is tried where the last two were no better
_SIZES = (1, 4)


def user_penalties(state: SGDState, n_events: NDArray) -> NDArray[np.float32]:
    """The L2 penalty of users with so many events; with very few, they would leave popularity behind too soon."""
    regularization, scaling = state.event_scales.regularization, state.settings.frequency_scaling
    penalties = row_penalties(n_events, state.scales.mean_events[0], regularization, scaling, _LEAST_SHARE)
    return penalties * np.float32(state.user_penalty_scale)


def scale_by_length(state: SGDState, users: NDArray[np.int64], weights: sp.csr_array) -> float:
    """A power of two, by which fitted users, folded in as new ones, go no farther than twice as far.

    Parameters
    ----------
    state : SGDState
    users : int64 array of shape (n_users,)
        Codes of some of the fitted users; see :func:`some_users`.
    weights : CSR array of shape (n_users, n_items)
        The weights of their events.
    """
    samples = NegativeSamples.of(state)
    penalty, none = user_penalties(state, np.diff(weights.indptr)), np.zeros(len(users), np.float32)
    base = np.broadcast_to(state.user_prior, state.users.shape)[users, : state.settings.n_factors]
    mean_users = base + samples.center
    fitted = np.square(state.user_factors[users] - mean_users).sum()
    scale = 1.0
    while fitted > 0 and scale < _LARGEST_SCALE:
        folded = samples.users(base, penalty * np.float32(scale), none, weights)
        if np.square(folded - mean_users).sum() <= 4 * fitted:
            break
        scale *= 2
    return scale


def some_users(state: SGDState) -> NDArray[np.int64]:
    """Codes of fitted users, spread over the catalogue, with few events in all."""
    users = np.flatnonzero(state.active_users)
    users = users[np.linspace(0, len(users) - 1, min(len(users), _MOST_USERS)).astype(np.int64)]
    some: NDArray[np.int64] = users[np.cumsum(state.histories.lengths_of(users)) <= _MOST_EVENTS]
    return some


def scale_by_ranks(state: SGDState, train: Events, held_out: Events, seen: sp.csr_array | None) -> float:
    """The factor by which held-out events rank highest for users folded in with one event or four.

    Parameters
    ----------
    state : SGDState
        What was learned from ``train``.
    train, held_out : Events
    seen : CSR array of shape (n_users, n_items), or None
        Items that are not ranked for a user.
    """
    at = np.flatnonzero(state.active_users[held_out.users])
    if not len(at):
        return 1.0
    rng = np.random.default_rng(0)
    held_out = held_out.take(np.sort(rng.choice(at, min(_MOST_TRIALS, len(at)), replace=False)))
    users, samples = held_out.users, NegativeSamples.of(state)
    own = sp.csr_array((train.weight, (train.users, train.items)), shape=(len(state.users), len(state.items)))[users]
    histories = [_drawn(own, size, rng) for size in _SIZES]
    base = np.broadcast_to(state.user_prior, state.users.shape)[users, : state.settings.n_factors]
    none = np.zeros(len(users), np.float32)
    context = _added_by_context(state, held_out)
    items = state.items[:, : state.settings.n_columns]
    rank = HeldOutRank(held_out.items, held_out.weight, None if seen is None else seen[users])

    def mean_gain(scale: float) -> float:
        found = []
        for events in histories:
            penalty = user_penalties(state, np.diff(events.indptr)) * np.float32(scale)
            rows = samples.users(base, penalty, none, events) + context
            vectors = np.column_stack([rows, np.ones(len(rows), np.float32)])
            found.append(rank(vectors.__getitem__, items, state.active_items))
        return float(np.mean(found))

    best, highest = 1.0, mean_gain(1.0)
    for scale in _SCALES:
        if scale > _FARTHEST * best:
            break
        gain = mean_gain(scale)
        if gain > highest:
            best, highest = scale, gain
    return best


def _drawn(events: sp.csr_array, size: int, rng: np.random.Generator) -> sp.csr_array:
    """At most ``size`` entries of each row, at random."""
    n = np.diff(events.indptr)
    order = np.lexsort((rng.random(events.nnz), np.repeat(np.arange(len(n)), n)))
    kept = np.sort(order[np.arange(events.nnz) - np.repeat(events.indptr[:-1], n) < size])
    indptr = np.append(0, np.cumsum(np.minimum(n, size)))
    return sp.csr_array((events.data[kept], events.indices[kept], indptr), shape=events.shape)


def _added_by_context(state: SGDState, events: Events) -> NDArray[np.float32]:
    """What the context of each event adds to its user vector."""
    scale, coef = state.event_scales.context, state.context_coef
    if scale is None or coef is None:
        return np.zeros((len(events), state.settings.n_factors), np.float32)
    added: NDArray[np.float32] = events.context @ (coef * scale[:, None])
    return added
