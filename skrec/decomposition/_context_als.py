"""Alternating least squares with context under the estimator: every event is a request of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skrec.decomposition._als import add_features, coef_of, derive, draw, rows_of, sides_of
from skrec.decomposition._attribution import contributions
from skrec.decomposition._context_als_update import fold_in, partial_fit
from skrec.decomposition._hyperparameters import alpha_at, column_scale, confidence_spread, noise_level
from skrec.decomposition._weighted_events import Requests, counted_events, distinct_requests
from skrec.interactions import Interactions
from skrec.utils import Matrix

__all__ = ["contributions", "derive", "fit", "fold_in", "partial_fit"]

_CONTEXT_PENALTY = 0.1  # a context has many more events than a user or an item


def fit(rec: Any, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
    """Learn both sides and the context map."""
    from skrec._kernels.als.context import ContextALS, ContextEvents
    from skrec._kernels.als.sweeps import aligned_zeros

    requests = distinct_requests(data, counted_events(data, explicit=rec._explicit), rec._sample_weight)
    assert requests.context is not None
    _set_scales(rec, requests)
    scale = column_scale(requests.context)
    events = ContextEvents(requests.users, requests.items, requests.y, requests.weight, requests.context / scale)
    (by_user, _), (by_item, _) = (events.entries(data.n_users, data.n_items, by=by) for by in ("users", "items"))
    counts = (
        np.bincount(c, requests.weight, n) for c, n in ((requests.users, data.n_users), (requests.items, data.n_items))
    )
    users, items = sides_of(rec, by_user, by_item, *counts)
    add_features(rec, users, user_matrix)
    add_features(rec, items, item_matrix)
    draw(items.factors, rec._n_factors, check_random_state(rec.random_state))
    coef = aligned_zeros(len(scale), rec._n_columns)
    sweeps = ContextALS(
        events,
        users,
        items,
        coef,
        alpha=rec.alpha_,
        penalty=_CONTEXT_PENALTY * rec.regularization_,
        bias=rec._bias,
        mean=rec.mean_,
        make=lambda matrix: rows_of(rec, matrix),
    )
    rec.loss_curve_ = sweeps.fit(rec._max_iter, rec.tol, rec._report if rec.verbose else None)
    rec._context_map = coef / scale[:, None]
    rec._query_gram = sweeps.query_gram()
    rec.user_coef_, rec.item_coef_ = coef_of(rec, users), coef_of(rec, items)
    rec._set_sides(users, items)


def _set_scales(rec: Any, requests: Requests) -> None:
    """The mean rating, the settings that follow from the data, and the mean events of a row."""
    total = float(requests.weight.sum(dtype=np.float64))
    n_users, n_items = max(1, len(np.unique(requests.users))), max(1, len(np.unique(requests.items)))
    mean_y = float(np.average(requests.y, weights=requests.weight)) if total else 1.0
    per_user, per_item = total / n_users, total / n_items
    rec._mean_events = per_user, per_item
    rec.mean_ = mean_y if rec._explicit else 0.0
    if rec._explicit:
        rec.alpha_, spread = None, float(requests.y.std()) or 1.0
    else:
        rec.alpha_ = alpha_at(1 / n_items, mean_y) if isinstance(rec.alpha, str) else rec.alpha
        spread = confidence_spread(rec.alpha_, mean_y)
    automatic = noise_level(per_user, per_item, spread) or 1.0
    rec.regularization_ = automatic if isinstance(rec.regularization, str) else rec.regularization
