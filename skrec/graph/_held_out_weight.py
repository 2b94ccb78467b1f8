"""The weight of friends, chosen on held-out events."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing

from skrec.interactions import as_whole, factorize, read_events

_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
_MOST_USERS, _FEWEST_USERS = 1000, 30
_K = 10


def held_out_weight(social: Any, X: Any, y: Any, tables: dict[str, Any]) -> float:
    """The weight by which the last events of users rank highest, by the recommender fitted to the others.

    0 unless another weight is better by two standard errors, and where there are fewer than thirty such users.

    Raises
    ------
    ValueError
        If the recommender is frozen, so that it has seen the events.
    """
    if isinstance(social.recommender, FrozenEstimator):
        raise ValueError(
            "weight='auto' fits the recommender without some events, and a FrozenEstimator has seen them. Pass a "
            "number as weight, or the recommender without FrozenEstimator."
        )
    events = read_events(X)
    users, row = factorize(events.users, "user ids")
    times = np.arange(len(row)) if events.timestamp is None else events.timestamp
    order = np.lexsort((times, row))
    last = order[np.flatnonzero(np.diff(row[order], append=-1))]
    held = last[np.bincount(row)[row[last]] > 1]
    if len(held) < _FEWEST_USERS:
        return 0.0
    held = np.sort(held[np.unique(np.linspace(0, len(held) - 1, _MOST_USERS).astype(np.int64))])
    kept = np.setdiff1d(np.arange(len(row)), held)
    trial = clone(social).set_params(weight=0.5)
    given = as_whole({name: table for name, table in tables.items() if table is not None})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fit to all events gives them
        trial.fit(_safe_indexing(X, kept), None if y is None else _safe_indexing(y, kept), **given)
    items = factorize(events.items, "item ids")
    targets = trial._item_index.codes(items[0], "item ids", check_kind=False)[items[1][held]]
    lists = trial._blended_lists(users[row[held]], _K, {"exclude_seen": True})
    gains = np.array([_gains(lists.blend(np.full(len(held), w), _K).codes, targets) for w in _WEIGHTS])
    best = int(gains.mean(axis=1).argmax())
    more = gains[best] - gains[0]
    return _WEIGHTS[best] if more.mean() > 2 * more.std() / np.sqrt(len(more)) else 0.0


def _gains(codes: NDArray[np.int32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """NDCG of lists with one target each."""
    hits = (codes == targets[:, None]) & (targets >= 0)[:, None]
    return (hits / np.log2(np.arange(2, codes.shape[1] + 2))).sum(axis=1)
