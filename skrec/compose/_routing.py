"""The base class of composites that choose a part for each query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Explanations
from skrec.compose._composite import CompositeRecommender
from skrec.compose._filled_lists import FilledLists
from skrec.compose._part_lists import PartLists
from skrec.compose._query_options import QueryOptions
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    Recommendations,
    Table,
    as_column,
    given_options,
    ids_first,
    read_events,
    take_rows,
)
from skrec.utils import on_snapshot


class RoutingRecommender(CompositeRecommender):
    """A composite of which one part answers a query, and others where that one fails.

    A subclass says in ``_orders`` and ``_pair_orders`` which parts answer, the first to answer first. With ``_fills``,
    the next parts also fill a list that is short; else they answer only where a list would be empty.
    """

    _fills: ClassVar[bool] = True

    def _orders(self, queries: QueryOptions) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Positions of the parts in the order in which they answer, (n_queries, n_parts); and what to report of it."""
        raise NotImplementedError(f"{type(self).__name__} must define _orders(queries)")

    def _pair_orders(self, queries: QueryOptions, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same positions for pairs of a user and an item; the code of an unknown item is -1."""
        return self._orders(queries)[0]

    def _reads(self, argument: str) -> bool:
        """Whether the composite itself has a use for an argument that its parts may lack."""
        return False

    # Recommend -----------------------------------------------------------------------------------------

    def _make_lists(self, users: NDArray, k: int, options: dict[str, Any]) -> Recommendations:
        options = self._with_all_seen(users, options)
        queries = QueryOptions.of(users, options, self._item_index, self._user_column)
        if not len(queries):
            found = self._retrieve(self._parts, users, k, options)
            return found.lists[0].with_lists(*self._no_lists(k), report=found.report)
        lists = FilledLists(len(queries), k, len(self._item_index))
        found, counts = self._ask_in_order(queries, lists, k)
        report = found.report | counts
        return found.lists[0].with_lists(lists.codes, lists.scores, users, report=report)

    @staticmethod
    def _no_lists(k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        return np.full((0, k), -1, np.int32), np.full((0, k), -np.inf, np.float32)

    def _ask_in_order(self, queries: QueryOptions, lists: FilledLists, k: int) -> tuple[PartLists, dict[str, Any]]:
        """Fill lists from the parts; what became of them, and how many queries each answered and filled."""
        found, parts = PartLists(), self._parts
        orders, about = self._orders(queries)
        answered = dict.fromkeys((name for name, _ in parts), 0)
        filled = dict(answered)
        for turn in range(len(parts)):
            for position in np.unique(orders[:, turn]).tolist():
                name, part = parts[position]
                before = lists.lengths.copy()
                rows = np.flatnonzero((orders[:, turn] == position) & (before < (k if self._fills else 1)))
                rows = rows[self._has_candidates(queries, rows, part)]
                if not len(rows) or name in found.failures:
                    continue
                asked = queries.take(rows)
                answer = found.ask(name, part, asked.users, k, self._item_index, **asked.arguments())
                if answer is None:
                    continue
                if name not in found.names:
                    found.names.append(name)
                    found.lists.append(answer)
                lists.add(rows, answer.codes, answer.scores)
                gained = lists.lengths > before
                answered[name] += int((gained & (before == 0)).sum())
                filled[name] += int((gained & (before > 0)).sum())
        self._check_use(found, queries)
        return found, {"answered": answered, "filled": filled} | about

    def _has_candidates(self, queries: QueryOptions, rows: NDArray[np.int64], part: Any) -> NDArray[np.bool_]:
        """Which of the queries have a candidate that a part knows: one without any would make it fail."""
        if queries.shared is None and queries.own is None:
            return np.ones(len(rows), bool)
        if self._item_index.has_values(np.asarray(part.items_)):
            return np.ones(len(rows), bool)
        return queries.take(rows).among(self._in_catalogue(part)).n_candidates() > 0

    def _check_use(self, found: PartLists, queries: QueryOptions) -> None:
        """Refuse what no part can use, also none of those that were not asked; warn of failures."""
        for argument in found.unused():
            others = [part for name, part in self._parts if name not in found.names and name not in found.failures]
            one = queries.take(np.zeros(1, np.int64)).arguments()
            if self._reads(argument) or any(_can_use(part, queries.users[:1], one, argument) for part in others):
                found.refused.pop(argument)
        found.check(partial(self._check_request, queries.users, queries.arguments()))

    # Pairs ---------------------------------------------------------------------------------------------

    @on_snapshot
    def predict(self, X: Table) -> NDArray:
        """Score of each (user, item) row, by the part that answers it.

        Scores of different parts do not compare.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events,)
        """
        check_is_fitted(self)
        try:
            events = read_events(ids_first(X, getattr(self, "feature_names_in_", None), "X"))
        except (TypeError, ValueError):
            self._parts[0][1].predict(X)  # says what is wrong with it
            raise
        users = np.asarray(as_column(events.users, "X"))
        queries = QueryOptions.of(users, {"context": events.context}, self._item_index)
        items = self._item_index.codes(events.items, "item ids", check_kind=False)
        chosen = self._pair_orders(queries, items)[:, 0]
        scores = np.empty(len(events), np.float64)
        for position in np.unique(chosen).tolist():
            rows = np.flatnonzero(chosen == position)
            part = self._parts[position][1]
            scores[rows] = part.predict(X if len(rows) == len(events) else take_rows(X, rows))
        return scores

    def _explain(self, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        """Each pair by the part that answers it."""
        able = [position for position, (_, part) in enumerate(self._parts) if hasattr(part, "explain")]
        n_evidence = options.pop("n_evidence")
        user_ids, item_ids = _pairs(users, items)
        codes = self._item_index.codes(item_ids, "items", check_kind=False)
        if not len(user_ids) or len(user_ids) != len(item_ids) or (codes < 0).any():
            return self._parts[able[0]][1].explain(users, items)  # says what is wrong
        queries = QueryOptions.of(user_ids, options, self._item_index, self._user_column)
        orders = self._pair_orders(queries, codes)
        has_items = np.stack([self._in_catalogue(part)[codes] for _, part in self._parts], axis=1)
        usable = np.isin(orders, able) & np.take_along_axis(has_items, orders, axis=1)
        chosen = np.where(usable.any(1), orders[np.arange(len(codes)), usable.argmax(1)], able[-1])
        groups = []
        for position in np.unique(chosen).tolist():
            rows = np.flatnonzero(chosen == position)
            asked = queries.take(rows)
            part = self._parts[position][1]
            groups.append((rows, _explained(part, asked, item_ids[rows], n_evidence)))
        return Explanations.in_order(groups)

    # What queries are read with ------------------------------------------------------------------------

    @property
    def _user_column(self) -> str | None:
        names: Sequence[str] | None = getattr(self, "feature_names_in_", None)
        return None if names is None else str(names[0])

    def _in_catalogue(self, part: Any) -> NDArray[np.bool_]:
        """Which of the items a part has."""
        mask = np.zeros(len(self._item_index), bool)
        mask[self._item_index.codes(np.asarray(part.items_), "items_ of a part")] = True
        return mask


def _pairs(users: Any, items: Any) -> tuple[NDArray, NDArray]:
    """Ids of pairs, of which a single one stands for all."""
    ids = [np.asarray(as_column(column, what)) for column, what in ((users, "users"), (items, "items"))]
    n = max(map(len, ids))
    one, other = (np.repeat(column, n) if len(column) == 1 else column for column in ids)
    return one, other


def _explained(part: Any, asked: QueryOptions, items: NDArray, n_evidence: int) -> Explanations:
    """The reasons of a part, without ``user_features`` where it cannot use them."""
    given = given_options(**asked.arguments(), n_evidence=n_evidence)
    try:
        return part.explain(asked.users, items, **given)
    except UnsupportedArgumentError:
        given.pop("user_features", None)
        return part.explain(asked.users, items, **given)


def _can_use(part: Any, users: NDArray, arguments: dict[str, Any], argument: str) -> bool:
    """Whether a part takes an argument."""
    if argument not in arguments:
        return False
    try:
        part.recommend(users, 1, **{argument: arguments[argument]})
    except Exception:
        return False
    return True
