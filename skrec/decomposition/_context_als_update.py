"""Later events and new histories of a model with context: the contexts of fitted events are not kept.

What a row was fitted to enters by its curvature alone, see ``skrec._kernels.als.updates``. A history without
context counts as if it had the mean of training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.decomposition._als import grow, make_sides
from skrec.decomposition._hyperparameters import pulls
from skrec.decomposition._weighted_events import counted_events
from skrec.interactions import Histories, Interactions
from skrec.utils import Matrix

if TYPE_CHECKING:
    from skrec._kernels.als.sweeps import Design, Side

_UPDATE_SWEEPS = 3
_ROUNDING = 1e-5


@dataclass
class NewEvents:
    """Events that were not in fit.

    Attributes
    ----------
    rows, items : int64 arrays of shape (n_new,)
        Codes; ``rows`` are of users.
    y : float32 array of shape (n_new,)
    counts : float32 array of shape (n_new,)
        Events that each stands for.
    told : (n_new, width) or (1, width) float32 array
        What the context adds to the vector of the user.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    counts: NDArray[np.float32]
    told: NDArray[np.float32]


# Histories -------------------------------------------------------------------------------------------


def fold_in(rec: Any, users: NDArray[np.int64], histories: Histories) -> NDArray[np.float32]:
    """Rows of users with histories that were not in fit."""
    fitted = rec._histories.take(users)
    entries, old = rec._entries(histories), rec._entries(fitted)
    changed = sp.coo_array(_without(entries, old, rec._explicit))
    if rec._explicit:
        old = _ratings(entries, old, alike=True)
    counts = _counts(rec, histories)
    new_counts = np.ones(changed.nnz, np.float32)
    if not rec._explicit:
        new_counts = (counts - _counts(rec, fitted)).tocsr()[changed.row, changed.col].astype(np.float32)
    rows, items = changed.row.astype(np.int64), changed.col.astype(np.int64)
    new = NewEvents(rows, items, changed.data, new_counts, _mean_told(rec))
    base = np.where(users[:, None] >= 0, rec._users[users], np.float32(0))
    return _changed_users(rec, rec._design, base, old, new, counts.sum(axis=1))


def _counts(rec: Any, histories: Histories) -> sp.csr_array:
    """Events of each pair that count; of its ratings, the last."""
    if not rec._explicit:
        return histories.to_csr(len(rec._item_index), values=histories.y > 0)
    ratings = rec._entries(histories)
    return sp.csr_array((np.ones(ratings.nnz), ratings.indices, ratings.indptr), shape=ratings.shape)


def _mean_told(rec: Any) -> NDArray[np.float32]:
    told: NDArray[np.float32] = rec._context.mean[None] @ rec._context_map
    return told


def _changed_users(
    rec: Any,
    design: Design,
    base: NDArray[np.float32],
    old: sp.csr_array,
    new: NewEvents,
    n_events: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Users given the items."""
    from skrec._kernels.als.updates import NewRequests, changed_rows

    queries = base[new.rows] + new.told
    scores = np.einsum("ij,ij->i", queries, design.others[new.items])
    y, moved = new.y, np.zeros_like(base)
    if rec._explicit:
        y = y - design.offsets[new.items]
    else:
        np.add.at(moved, new.rows, new.counts[:, None] * queries)
        moved = moved @ design.gram
    return changed_rows(
        base,
        old,
        NewRequests(new.rows, new.items, y, new.counts, scores),
        design.others,
        alpha=rec.alpha_,
        gram=design.gram,
        n_grams=n_events,
        moved=moved,
        penalty=pulls(n_events, rec._mean_events[0], rec.regularization_, rec._frequency_scaling),
    )


def _without(entries: sp.csr_array, part: sp.csr_array, explicit: bool) -> sp.csr_array:
    """Strengths of which a part is taken away; ratings that are not in the part, or differ."""
    if explicit:
        return _ratings(entries, part, alike=False)
    rest = sp.csr_array(entries - part)
    rest.data[rest.data < _ROUNDING * np.abs(entries.data).max(initial=0)] = 0
    rest.eliminate_zeros()
    return rest


def _ratings(entries: sp.csr_array, part: sp.csr_array, *, alike: bool) -> sp.csr_array:
    """Those that are in the part too, with the same value, or the others. A rating may be zero."""
    (rows, columns), values = sp.coo_array(entries).coords, entries.data
    known = sp.csr_array((np.ones(part.nnz, np.int8), part.indices, part.indptr), shape=part.shape)
    chosen = ((known[rows, columns] > 0) & (part[rows, columns] == values)) == alike
    return sp.csr_array((values[chosen], (rows[chosen], columns[chosen])), shape=entries.shape)


# More events -----------------------------------------------------------------------------------------


def partial_fit(rec: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
    """Let the new events change their users and items; the context map stays."""
    from skrec._kernels.als.sweeps import Design

    entries = rec._entries(rec._histories)
    users, items = make_sides(rec, entries, sp.csr_array(entries.T.tocsr()))
    grow(rec, users, items, data, item_matrix, user_matrix)
    counted = counted_events(data, explicit=rec._explicit)
    ones = np.ones(len(counted), np.float32)
    told = data.context[counted] @ rec._context_map
    new = NewEvents(data.users[counted], data.items[counted], data.y[counted], ones, told)
    old = _without(entries, rec._entries(data.histories), rec._explicit)
    first_users, first_items = users.factors.copy(), items.factors.copy()
    at, rows = np.unique(new.rows, return_inverse=True)
    of_users = NewEvents(rows, new.items, new.y, ones, told)
    n_events = _counts(rec, rec._histories.take(at)).sum(axis=1)
    for _ in range(_UPDATE_SWEEPS):
        design = Design.of(items.factors, items.active, rec._bias, rec.mean_)
        users.factors[at] = _changed_users(rec, design, first_users[at], old[at], of_users, n_events)
        _change_items(rec, items, users, first_items, old, new)
    queries = users.factors[new.rows] + new.told
    rec._query_gram = rec._query_gram + queries.T @ queries
    rec._set_sides(users, items)


def _change_items(
    rec: Any, items: Side, users: Side, first: NDArray[np.float32], old: sp.csr_array, new: NewEvents
) -> None:
    """Items given the users; the contexts of old events count as the mean."""
    from skrec._kernels.als.updates import NewRequests, changed_rows

    at, rows = np.unique(new.items, return_inverse=True)
    base, queries, y = first[at], users.factors[new.rows] + new.told, new.y
    others = np.concatenate([users.factors + _mean_told(rec), queries])
    if rec._explicit:
        y = y - queries[:, rec._bias] - np.float32(rec.mean_)
        others[:, rec._bias] = queries[:, rec._bias] = 1.0
    by_item = sp.csr_array(sp.csr_array(old.T.tocsr())[at])
    by_item.resize((len(at), len(others)))
    gram = queries.T @ queries
    scores = np.einsum("ij,ij->i", queries, base[rows])
    items.factors[at] = changed_rows(
        base,
        by_item,
        NewRequests(rows, len(users.factors) + np.arange(len(rows)), y, new.counts, scores),
        others,
        alpha=rec.alpha_,
        gram=rec._query_gram + gram,
        n_grams=np.ones(len(at), np.float32),
        moved=np.zeros_like(base) if rec._explicit else base @ gram,
        penalty=items.penalty[at],
        n_jobs=rec.n_jobs,
    )
