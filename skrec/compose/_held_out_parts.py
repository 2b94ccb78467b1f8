"""Events that are held out from the parts of a composite, to learn from how they rank them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skrec.compose._united import known_events
from skrec.interactions import IdIndex, factorize, read_events


def refuse_leaks(parts: Mapping[str, Any], X_train: Any, X_test: Any) -> None:
    """Refuse a part that has seen held-out events, as one that is frozen may have.

    Raises
    ------
    ValueError
    """
    train, test = read_events(X_train), read_events(X_test)
    users, row = factorize(test.users, "user ids")
    items, code = factorize(test.items, "item ids")
    held_out = np.unique(row * len(items) + code)
    user_of, item_of = IdIndex(users), IdIndex(items)
    by_train = (
        user_of.codes(train.users, "user ids", check_kind=False),
        item_of.codes(train.items, "item ids", check_kind=False),
    )
    is_among = (by_train[0] >= 0) & (by_train[1] >= 0)
    again = np.unique(by_train[0][is_among] * len(items) + by_train[1][is_among])
    new = np.setdiff1d(held_out, again)
    for name, part in parts.items():
        seen = known_events(part, users, item_of)
        known = seen.items >= 0
        pairs = seen.row_of_event()[known] * len(items) + seen.items[known]
        n_leaks = int(np.isin(new, pairs).sum())
        if n_leaks:
            raise ValueError(
                f"Part {name!r} is not fitted again and has seen {n_leaks} of the {len(new)} held-out events, so "
                "nothing can be learned from how it ranks them. Pass it without FrozenEstimator, or freeze one that "
                "was fitted to earlier events; or search_weights on events that no part has seen, and pass weights."
            )
