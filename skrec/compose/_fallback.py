"""Fallback: the first of several recommenders that knows the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skrec.base import uses_features
from skrec.compose._filled_lists import FilledLists
from skrec.compose._query_options import QueryOptions
from skrec.compose._routing import RoutingRecommender
from skrec.interactions import Recommendations, RecommenderView, given_options, read_items
from skrec.utils import Recommender, unwrap_recommender


class FallbackRecommender(RoutingRecommender):
    """Answer each query by the first recommender that knows the user, and fill short lists from the others.

    A part knows a user who has an event in its log; or an event in ``history=`` with an item that the part knows; or
    a row in ``user_features``, of ``fit`` or of the call, if the part was fitted to user features and uses them (an
    encoder parameter alone is not enough). It knows an item that has an event in its log, or a row in ``item_features``
    if it was fitted to these.

    The first part that knows the user makes the list. If the list is short, the next part that knows the user
    continues it, and then those that do not, the last part first: put the most general one last. An item appears once.
    A user whom no part knows gets the list of the last part.

    Parameters
    ----------
    recommenders : list of (name, recommender)
        The preferred one first. ``fit`` fits a clone of each; a :class:`~sklearn.frozen.FrozenEstimator` keeps a
        fitted one.

    Attributes
    ----------
    recommenders_ : list of recommender
        The fitted parts.
    named_recommenders_ : Bunch
        The same by name.

    See Also
    --------
    SwitchRecommender : Choose the recommender by the number of events or by a segment.

    Notes
    -----
    ``predict`` scores a pair by the first part that knows the user and the item, else the item, else the user, else by
    the last part. ``similar_items`` and ``explain`` go to the first such part that has the method. Scores of different
    parts do not compare. In a list they fall along the row: where a part that continues it has better scores, these are
    lowered by the difference.

    The ``report`` of the result counts the queries whose list each part began (``answered``) and continued
    (``filled``). A part that fails is skipped, and named in ``failures``.

    Examples
    --------
    >>> from skrec.compose import FallbackRecommender
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = [["ann", "tea"], ["ann", "rye"], ["bob", "tea"], ["bob", "oat"], ["eve", "rye"]]
    >>> rec = FallbackRecommender([("knn", ItemKNNRecommender()), ("popular", PopularRecommender())]).fit(X)
    >>> found = rec.recommend(["eve", "new user"], k=2)
    >>> found.items
    array([['tea', 'oat'],
           ['rye', 'tea']], dtype=object)
    >>> found.report["answered"]
    {'knn': 1, 'popular': 1}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"recommenders": [list, tuple]}
    _known_users: NDArray[np.bool_]
    _known_items: NDArray[np.bool_]

    def __init__(self, recommenders: Sequence[tuple[str, Recommender]]) -> None:
        self.recommenders = recommenders

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.neighbors import ItemKNNRecommender

        return [cls([("knn", ItemKNNRecommender(n_neighbors=5)), ("popular", PopularRecommender())])]

    def _unite(self) -> None:
        super()._unite()
        parts = [part for _, part in self._parts]
        self._known_users = np.stack([self._users_known_to(part) for part in parts], axis=1)
        self._known_items = np.stack([self._items_known_to(part) for part in parts], axis=1)

    def _users_known_to(self, part: Any) -> NDArray[np.bool_]:
        """Which of all users a part knows."""
        users = self._user_index.values
        view = RecommenderView(unwrap_recommender(part))
        known = ~view.without_events(users, view.seen_items(users))
        if uses_features(part, "user"):  # a user without events is one that a table of fit has
            known[self._user_index.codes(np.asarray(part.users_), "users_ of a part", check_kind=False)] = True
        return known

    def _items_known_to(self, part: Any) -> NDArray[np.bool_]:
        """Which of all items a part knows."""
        view = RecommenderView(unwrap_recommender(part))
        seen = view.seen_items(np.asarray(part.users_))
        codes = self._item_index.codes(np.asarray(part.items_), "items_ of a part", check_kind=False)
        known = np.zeros(len(self._item_index), bool)
        known[codes if uses_features(part, "item") else codes[np.unique(seen.items)]] = True
        return known

    def _knows(self, queries: QueryOptions) -> NDArray[np.bool_]:
        """Whether each part knows the user of each query, of shape (n_queries, n_parts)."""
        codes = self._user_index.codes(queries.users, "users", check_kind=False)
        known = self._known_users[codes] & (codes >= 0)[:, None]
        history = queries.given.get("history")
        if history is not None:
            events = self._read_history(history).by_query(queries.users, "history")
            row, part = np.nonzero(self._known_items[events.items])
            known[events.row_of_event()[row], part] = True
        has_row = queries.feature_row >= 0
        if has_row.any():
            known |= has_row[:, None] & np.array([uses_features(part, "user") for _, part in self._parts])
        return known

    def _orders(self, queries: QueryOptions) -> tuple[NDArray[np.int64], dict[str, Any]]:
        return _first_known(self._knows(queries)), {}

    def _pair_orders(self, queries: QueryOptions, items: NDArray[np.int64]) -> NDArray[np.int64]:
        knows_item = self._known_items[items] & (items >= 0)[:, None]
        return _first_known(knows_item, self._knows(queries))

    def _related(self, method: str, queries: Any, k: int, candidates: Any) -> Recommendations:
        if method != "similar_items":
            return super()._related(method, queries, k, candidates)
        return self._similar_items(queries, k, candidates)

    def _similar_items(self, items: Any, k: int, candidates: Any) -> Recommendations:
        """For each item, by the first part that finds similar items and knows it."""
        ids, codes = read_items(items, self._item_index)
        queries = QueryOptions.of(ids, {"candidates": candidates}, self._item_index)
        able = [at for at, (_, part) in enumerate(self._parts) if hasattr(part, "similar_items")]
        chosen = np.array(able)[_first_known(self._known_items[codes][:, able])[:, 0]]
        if len(np.unique(chosen)) < 2:
            part = self._parts[chosen[0] if len(chosen) else able[0]][1]
            return part.similar_items(items, k, **given_options(candidates=candidates))
        lists, found = None, None
        for position in np.unique(chosen).tolist():
            rows = np.flatnonzero(chosen == position)
            asked = queries.take(rows)
            answer = self._parts[position][1].similar_items(asked.users, k, **asked.arguments())
            found = Recommendations.read(answer, asked.users, self._item_index)
            if lists is None:
                lists = FilledLists(len(ids), min(k, len(self._item_index)), len(self._item_index))
            lists.add(rows, found.codes, found.scores)
        assert found is not None
        assert lists is not None
        return found.with_lists(lists.codes, lists.scores, ids)


def _first_known(*known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of the parts, of shape (n_queries, n_parts): those that know most first, those that do not backwards.

    The first of the masks counts more than the second.
    """
    n_parts = known[0].shape[1]
    rank = np.zeros(known[0].shape, np.int64)
    for mask in known:
        rank = 2 * rank + ~mask
    knows_nothing = 2 ** len(known) - 1
    place = np.where(rank == knows_nothing, np.arange(n_parts)[::-1], np.arange(n_parts))
    return np.argsort(rank * n_parts + place, axis=1)
