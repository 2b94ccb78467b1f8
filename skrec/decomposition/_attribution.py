"""What each event of a history adds to a score of matrix factorization.

A user's vector is the solution x of (G + l I + sum_j w_j q_j q_j') x = sum_j t_j q_j + l m, with m what the
features say. So x.q_i is the sum over the history of t_j q_j.z plus l m.z, where z solves the same system for
q_i: the similarity of items as this user sees it (Hu, Koren and Volinsky, "Collaborative Filtering for Implicit
Feedback Datasets", ICDM 2008, section 5).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.decomposition._hyperparameters import pulls
from skrec.interactions import Queries


def contributions(rec: Any, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
    """One number an event, in the order of ``queries.histories.items``.

    With those of the user's features, and with ratings the mean and the item's bias, they add up to the score
    of the history as it is folded in. A model with context takes every event to have had the mean context.
    """
    histories, others = queries.histories, rec._design.others
    entries = rec._entries(histories)
    added = np.zeros(len(histories.items))
    n_events = histories.lengths if rec._context_map is not None else np.diff(entries.indptr)
    pull = pulls(n_events, rec._mean_events[0], rec.regularization_, rec._frequency_scaling)
    for row, (start, stop) in enumerate(pairwise(entries.indptr)):
        chosen = entries.indices[start:stop]
        q, y = others[chosen].astype(np.float64), entries.data[start:stop].astype(np.float64)
        weight = np.ones(len(y)) if rec._explicit else rec.alpha_ * y
        target = y - rec._design.offsets[chosen] if rec._explicit else 1 + weight
        system = (q.T * weight) @ q
        if not rec._explicit:
            system += rec._design.gram * (n_events[row] if rec._context_map is not None else 1)
        system[np.diag_indices_from(system)] += pull[row]
        parts = target * (q @ np.linalg.solve(system, others[items[row]].astype(np.float64)))
        added[histories.indptr[row] : histories.indptr[row + 1]] = _per_event(
            histories.items[histories.indptr[row] : histories.indptr[row + 1]], chosen, parts
        )
    return added


def _per_event(events: NDArray, chosen: NDArray, parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The parts of items, shared among the events of each."""
    if not len(chosen):
        return np.zeros(len(events))
    order = np.argsort(chosen)
    at = np.minimum(np.searchsorted(chosen[order], events), len(chosen) - 1)
    found = chosen[order][at] == events
    position = order[at]
    counts = np.bincount(position[found], minlength=len(chosen))
    return np.where(found, parts[position] / np.maximum(counts[position], 1), 0.0)
