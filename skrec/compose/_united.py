"""Catalogues and events of several fitted recommenders as those of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Histories, IdIndex, Ids, RecommenderView
from skrec.utils import unwrap_recommender


def united_index(parts: Sequence[Any], attribute: str) -> IdIndex:
    """The ids of the first part in its order, then those of the others that are new.

    Parameters
    ----------
    parts : sequence of fitted recommenders
    attribute : {"items_", "users_"}

    Raises
    ------
    TypeError
        If the ids of one part are text and those of another numbers.
    """
    index = IdIndex(np.asarray(getattr(parts[0], attribute)))
    for part in parts[1:]:
        ids = np.asarray(getattr(part, attribute))
        if not index.has_values(ids):
            if len(ids) and len(index):
                index.check_kind(ids, f"{attribute} of a part", fitted="of the first part")
            index = index.extended(ids)
    return index


def have_one_log(parts: Sequence[Any]) -> bool:
    """Whether all parts know the same users, items and events."""
    first = parts[0]
    items, users = IdIndex(np.asarray(first.items_)), IdIndex(np.asarray(first.users_))
    if not all(items.has_values(np.asarray(part.items_)) for part in parts[1:]):
        return False
    if not all(users.has_values(np.asarray(part.users_)) for part in parts[1:]):
        return False
    log = _seen(first, users.values)
    for part in parts[1:]:
        other = _seen(part, users.values)
        if not (np.array_equal(log.indptr, other.indptr) and np.array_equal(log.items, other.items)):
            return False
    return True


def united_events(parts: Sequence[Any], users: Ids, index: IdIndex) -> Histories:
    """Events of users by the first part, then the pairs that only the others have; codes are those of ``index``."""
    found = _in_codes_of(index, _seen(parts[0], users), parts[0])
    for part in parts[1:]:
        rows = _in_codes_of(index, _seen(part, users), part)
        known = found.row_of_event() * len(index) + found.items
        is_new = ~np.isin(rows.row_of_event() * len(index) + rows.items, known)
        found = found.followed_by(rows.where(is_new))
    return found


def knows_users(part: Any, users: NDArray) -> NDArray[np.bool_]:
    """Whether a fitted recommender has events of each user."""
    view = RecommenderView(unwrap_recommender(part))
    return ~view.without_events(users, view.seen_items(users))


def known_events(part: Any, users: NDArray, index: IdIndex) -> Histories:
    """Events of users by a part, in codes of ``index``, -1 outside it; none for one without ``seen_items``."""
    if not hasattr(unwrap_recommender(part), "seen_items"):
        return Histories.empty(len(users))
    rows = _seen(part, users)
    codes = index.codes(np.asarray(part.items_), "items_ of a part", check_kind=False).astype(np.int32)
    return Histories(rows.indptr, codes[rows.items], rows.y, rows.timestamp)


def reads_features(recommender: Any, side: str) -> bool:
    """Whether a recommender, or one inside of it, has an encoder parameter for the features of users or of items.

    That is known before fit; :func:`~skrec.base.uses_features` says whether a fitted one has learned from them.
    """
    inner = unwrap_recommender(recommender)
    names = inner.get_params() if hasattr(inner, "get_params") else vars(inner)
    return any(name.split("__")[-1] == f"{side}_encoder" for name in names)


def _seen(part: Any, users: Ids) -> Histories:
    return Histories.read(unwrap_recommender(part).seen_items(users))


def _in_codes_of(index: IdIndex, rows: Histories, part: Any) -> Histories:
    ids: NDArray = np.asarray(part.items_)
    if index.has_values(ids):
        return rows
    codes = index.codes(ids, "items_ of a part").astype(np.int32)
    return Histories(rows.indptr, codes[rows.items], rows.y, rows.timestamp)
