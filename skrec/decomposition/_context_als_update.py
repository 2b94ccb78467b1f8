"""Rows of a model with context once new events are in: users given the items, and items given the users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.decomposition._factor_state import Scales

if TYPE_CHECKING:
    from skrec._kernels.als.sweeps import Design

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
    context_vectors : float32 array of shape (n_new, width) or (1, width)
        What the context adds to the user vector.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    counts: NDArray[np.float32]
    context_vectors: NDArray[np.float32]


def changed_users(
    base: NDArray[np.float32],
    old: sp.csr_array,
    new: NewEvents,
    design: Design,
    *,
    alpha: float | None,
    n_events: NDArray[np.float32],
    penalty: NDArray[np.float32],
) -> NDArray[np.float32]:
    """User vectors given the items.

    Parameters
    ----------
    base : float32 array of shape (n_rows, width)
        The vectors before.
    old : CSR array of shape (n_rows, n_items)
        What they were fitted to.
    new : NewEvents
    design : Design
        Of the items.
    alpha : float or None
        None for explicit feedback.
    n_events, penalty : arrays of shape (n_rows,)
        Events of each user, the new ones included, and the L2 penalty.

    Returns
    -------
    float32 array of shape (n_rows, width)
    """
    from skrec._kernels.als.updates import NewRequests, changed_rows

    queries = base[new.rows] + new.context_vectors
    scores = np.einsum("ij,ij->i", queries, design.others[new.items])
    y, moved = new.y, np.zeros_like(base)
    if alpha is None:
        y = y - design.offsets[new.items]
    else:
        np.add.at(moved, new.rows, new.counts[:, None] * queries)
        moved = moved @ design.gram
    return changed_rows(
        base,
        old,
        NewRequests(new.rows, new.items, y, new.counts, scores),
        design.others,
        alpha=alpha,
        gram=design.gram,
        n_grams=n_events,
        moved=moved,
        penalty=penalty,
    )


def changed_items(
    base: NDArray[np.float32],
    codes: NDArray[np.int64],
    old_queries: NDArray[np.float32],
    queries: NDArray[np.float32],
    old: sp.csr_array,
    new: NewEvents,
    *,
    scales: Scales,
    bias: int | None,
    query_gram: NDArray[np.float32],
    context_covariance: NDArray[np.float32],
    penalty: NDArray[np.float32],
    n_jobs: int | None,
) -> NDArray[np.float32]:
    """The vectors of the items of the new events, given the users.

    Parameters
    ----------
    base : float32 array of shape (n_rows, width)
        The item vectors before.
    codes : int64 array of shape (n_rows,)
        The items, in ascending order.
    old_queries : float32 array of shape (n_old, width)
        User vectors in the mean context, which that of old events counts as.
    queries : float32 array of shape (n_new, width)
        User vectors in the contexts of the new events.
    old : CSR array of shape (n_rows, n_old)
        What the items were fitted to.
    new : NewEvents
    scales : Scales
    bias : int or None
        The column of the biases.
    query_gram : float32 array of shape (width, width)
        Of the queries of the old events.
    context_covariance : float32 array of shape (width, width)
        Of what the contexts of the old events added to the user vectors: without it an item could move freely
        wherever only contexts point, as its old events count in the mean one.
    penalty : float32 array of shape (n_rows,)
    n_jobs : int or None

    Returns
    -------
    float32 array of shape (n_rows, width)
    """
    from skrec._kernels.als.updates import NewRequests, changed_rows

    rows, y = np.searchsorted(codes, new.items), new.y
    spread = _rows_of_gram(context_covariance)
    if bias is not None:
        y = y - queries[:, bias] - np.float32(scales.mean)
        old_queries, queries = old_queries.copy(), queries.copy()
        old_queries[:, bias] = queries[:, bias] = 1.0
        spread[:, bias] = 0.0
    # The contexts of the old events of an item: rows of its own, as many as the covariance has directions.
    strengths = np.diff(old.indptr) if scales.alpha is None else old.sum(axis=1)
    contexts = (np.sqrt(strengths)[:, None, None] * spread).reshape(-1, spread.shape[1])
    others = np.concatenate([old_queries, queries, contexts.astype(np.float32)])
    places = np.arange(len(contexts))
    of_contexts = sp.csr_array(
        (np.ones(len(places), np.float32), places, np.arange(len(codes) + 1) * len(spread)),
        shape=(len(codes), len(places)),
    )
    entries = sp.hstack([old, sp.csr_array((len(codes), len(queries))), of_contexts], format="csr")
    gram = queries.T @ queries
    scores = np.einsum("ij,ij->i", queries, base[rows])
    return changed_rows(
        base,
        entries,
        NewRequests(rows, len(old_queries) + np.arange(len(rows)), y, new.counts, scores),
        others,
        alpha=scales.alpha,
        gram=query_gram + gram,
        n_grams=np.ones(len(codes), np.float32),
        moved=np.zeros_like(base) if bias is not None else base @ gram,
        penalty=penalty,
        n_jobs=n_jobs,
    )


def _rows_of_gram(gram: NDArray[np.float32]) -> NDArray[np.float64]:
    """The fewest rows, of shape (n_rows, width), whose Gram matrix is the one given."""
    values, vectors = np.linalg.eigh(gram.astype(np.float64))
    kept = values > max(_ROUNDING * values[-1], np.finfo(np.float32).tiny)
    rows: NDArray[np.float64] = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return rows


def different_entries(entries: sp.csr_array, part: sp.csr_array, *, explicit: bool) -> sp.csr_array:
    """Strengths less those of ``part``; of ratings, those that ``part`` lacks or has with another value."""
    if explicit:
        return _ratings(entries, part, equal=False)
    rest = sp.csr_array(entries - part)
    rest.data[rest.data < _ROUNDING * np.abs(entries.data).max(initial=0)] = 0
    rest.eliminate_zeros()
    return rest


def equal_ratings(entries: sp.csr_array, part: sp.csr_array) -> sp.csr_array:
    """Ratings that ``part`` has with the same value."""
    return _ratings(entries, part, equal=True)


def _ratings(entries: sp.csr_array, part: sp.csr_array, *, equal: bool) -> sp.csr_array:
    """Ratings by whether ``part`` has them with the same value. A rating may be zero."""
    (rows, columns), values = sp.coo_array(entries).coords, entries.data
    in_part = sp.csr_array((np.ones(part.nnz, np.int8), part.indices, part.indptr), shape=part.shape)
    chosen = ((in_part[rows, columns] > 0) & (part[rows, columns] == values)) == equal
    return sp.csr_array((values[chosen], (rows[chosen], columns[chosen])), shape=entries.shape)
