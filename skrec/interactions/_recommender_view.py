"""A fitted recommender as its public contract shows it, in integer codes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from skrec.interactions._columns import Column
from skrec.interactions._histories import Histories
from skrec.interactions._id_index import IdIndex, unknown_ids
from skrec.interactions._recommendations import Recommendations

_DEFAULTS = {"exclude_seen": True, "n_evidence": 3}


class RecommenderView:
    """Codes of what a fitted recommender shows: nothing but its public contract is used.

    A recommender has ``items_``, ``users_`` and ``recommend``. These are optional: ``seen_items``,
    ``popularity_`` and ``feedback``.

    Parameters
    ----------
    recommender : fitted recommender

    Attributes
    ----------
    item_index : IdIndex
        The catalogue.
    """

    def __init__(self, recommender: Any) -> None:
        self.recommender = recommender
        self.item_index = IdIndex(np.asarray(recommender.items_))

    @property
    def feedback(self) -> str:
        """Either "explicit", for a model of ratings, or "implicit"."""
        return cast(str, getattr(self.recommender, "feedback", "implicit"))

    def seen_items(self, users: Column) -> Histories:
        """Events of each user in fit; empty rows for unknown users, and for a model without ``seen_items``.

        Raises
        ------
        ValueError
            If ``seen_items`` does not give one list per user.
        """
        if not hasattr(self.recommender, "seen_items"):
            return Histories.empty(len(users))
        found = Histories.read(self.recommender.seen_items(users))
        if len(found) != len(users):
            raise ValueError(
                f"{type(self.recommender).__name__}.seen_items gave {len(found)} lists for {len(users)} users; it must "
                "give one list of item codes, which are positions in items_, per user."
            )
        return found

    def without_events(self, users: Column, seen: Histories) -> NDArray[np.bool_]:
        """Which users have no event in fit; ``seen`` is what :meth:`seen_items` gave for them."""
        if hasattr(self.recommender, "seen_items"):
            return seen.lengths == 0
        return IdIndex(np.asarray(self.recommender.users_)).codes(users, "users", check_kind=False) < 0

    def popularity(self) -> NDArray[np.floating]:
        """Events of each item, in catalogue order: ``popularity_``, else counted from ``seen_items``.

        Raises
        ------
        ValueError
            If the recommender has neither.
        """
        if hasattr(self.recommender, "popularity_"):
            return np.asarray(self.recommender.popularity_)
        if not hasattr(self.recommender, "seen_items"):
            raise ValueError(
                f"The popularity of items is needed, and {type(self.recommender).__name__} has neither popularity_ "
                "(one number per item) nor seen_items(users): give it one of them."
            )
        seen = self.seen_items(self.recommender.users_)
        return np.bincount(seen.items, minlength=len(self.item_index)).astype(np.float32)

    def rank(self, users: NDArray, k: int, **options: Any) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
        """Codes and scores that ``recommend`` gives; -1 and -inf where there is no item.

        Options that have their default are not passed: see :func:`given_options`.

        Raises
        ------
        ValueError
            If ``recommend`` does not give k items and scores per user, or as many as the catalogue has.
        """
        k = min(k, len(self.item_index))
        found = self.recommender.recommend(users, k, **given_options(**options))
        ranked = Recommendations.read(found, users, self.item_index)
        if ranked.codes.shape != (len(users), k) or ranked.scores.shape != ranked.codes.shape:
            raise ValueError(
                f"{type(self.recommender).__name__}.recommend gave lists of shape {ranked.codes.shape} for "
                f"{len(users)} users and k={k}; items and scores must be of shape (n_users, k), with None and -inf "
                "where there is no further item."
            )
        return ranked.codes, ranked.scores

    def rank_histories(
        self, histories: Histories, k: int, candidates: list[Any] | None = None
    ) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
        """Codes and scores for new users who have nothing but a history; seen items are ranked too.

        Nothing is fitted again. The recommender must take ``history`` and ``exclude_seen``. ``candidates`` is one list
        of ids for all, or one list per history.
        """
        users = unknown_ids(np.asarray(self.recommender.users_), len(histories))
        events = np.empty((len(histories.items), 2), dtype=object)
        events[:, 0] = users[histories.row_of_event()].tolist()
        events[:, 1] = self.item_index.values[histories.items].tolist()
        history = (events, histories.y) if len(events) else None
        return self.rank(users, k, history=history, candidates=candidates, exclude_seen=False)


def _is_default(name: str, value: object) -> bool:
    return isinstance(value, int) and value == _DEFAULTS.get(name)  # arrays, and pandas' NA, have no truth value


def given_options(**options: Any) -> dict[str, Any]:
    """The keywords of ``recommend`` and its like that differ from their defaults.

    Only these are passed to a recommender, so it needs no keyword that nobody uses. A default is None where
    ``_DEFAULTS`` names no other.
    """
    return {name: value for name, value in options.items() if value is not None and not _is_default(name, value)}
