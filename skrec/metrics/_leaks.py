"""A warning where the held-out events are older than the training events of the same users."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.exceptions import TemporalLeakWarning
from skrec.interactions import Histories, Interactions
from skrec.utils import caller_level, unwrap_recommender

_warned = False


def warn_of_leaks(
    recommender: Any, data: Interactions, seen: Histories, is_new: NDArray[np.bool_], items: NDArray[np.int64]
) -> None:
    """Warn once per process where a model was fitted to events that are later than those it is tested on.

    Items without training events do not count: to rank new items, events of other items are held back in the middle
    of a history on purpose.

    Parameters
    ----------
    recommender : fitted recommender
    data : Interactions
        The held-out events.
    seen : Histories
        Training events, one row per user of ``data``.
    is_new : bool array of shape (n_events,)
        Events whose item the user had not seen in training.
    items : int64 array of shape (n_events,)
        Codes in the catalogue of the recommender; greater codes are unknown items.
    """
    global _warned
    if _warned or data.timestamp is None or seen.timestamp is None or not len(seen.items):
        return
    last = np.full(len(seen), -np.inf)
    rows = np.flatnonzero(seen.lengths)
    last[rows] = seen.timestamp[seen.indptr[rows + 1] - 1]
    is_known = np.isin(items, seen.items)
    is_early = is_new & is_known & (data.timestamp < last[data.users])
    if not is_early.any():
        return
    _warned = True
    order = ""
    inner = unwrap_recommender(recommender)
    while hasattr(inner, "recommender_"):
        inner = unwrap_recommender(inner.recommender_)
    if getattr(inner, "order", "none") != "none":
        order = (
            f" {type(inner).__name__} reads a history in time order, which misleads on such a split: "
            "order='none' is fairer to it."
        )
    warnings.warn(
        f"{is_early.mean():.0%} of the held-out events are older than training events of the same users, so the "
        "model has seen their future. Split with skrec.model_selection.TimeSplit() or LeaveLastOut(), for example "
        f"cv=LeaveLastOut().{order} If the split is meant so, silence this with warnings.filterwarnings('ignore', "
        "category=skrec.exceptions.TemporalLeakWarning). It is shown once per process.",
        TemporalLeakWarning,
        stacklevel=caller_level(),
    )
