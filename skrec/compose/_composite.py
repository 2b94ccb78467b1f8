"""The base class of recommenders that are made of several others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Explanations
from skrec.base import check_request_weight, request_texts, uses_features
from skrec.compose._part_lists import PartLists
from skrec.compose._parts import PartsMixin
from skrec.compose._query_options import check_columns, check_part_table
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    Candidates,
    IdIndex,
    Recommendations,
    Table,
    as_column,
    given_options,
    is_empty,
    list_length,
    read_exclusions,
    read_flag,
    read_history,
)
from skrec.utils import (
    on_snapshot,
)


class CompositeRecommender(PartsMixin):
    """A recommender that is made of others, a parameter that lists them as ``(name, recommender)``.

    ``fit`` fits a clone of each part; a :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one. Of the parts, only
    the public contract is used. Their catalogues are united: the items of the first part in its order, then those
    of the others that are new. A subclass says in ``_combine`` how their lists become one, and in ``_fit_composite``
    what it learns beside its parts.
    """

    # What a subclass says ------------------------------------------------------------------------------

    def _n_retrieved(self, k: int) -> int:
        """Length of the lists of the parts from which lists of ``k`` items are made."""
        return k

    def _combine(self, found: PartLists, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Codes and scores of the lists, of shape (n_queries, k), from those of the parts.

        Scores fall along a row; -1 and -inf stand where a row has no further item.
        """
        raise NotImplementedError(f"{type(self).__name__} must define _combine(found, k)")

    # Recommend -----------------------------------------------------------------------------------------

    def _recommend(self, users: Any, k: int, options: dict[str, Any]) -> Recommendations:
        k = list_length(k, len(self._item_index))
        options = options | {"exclude_seen": read_flag(options["exclude_seen"], "exclude_seen")}
        if options["request"] is None:
            options["request_weight"] = None
        ids = self._queried_users(users, options["history"], options["user_features"])
        if options["candidates"] is not None:
            Candidates(options["candidates"], self._item_index, len(ids))  # refuses bad ones, whatever the parts do
        return self._make_lists(ids, k, options)

    def _make_lists(self, users: NDArray, k: int, options: dict[str, Any]) -> Recommendations:
        """Lists of k items for users; ``options`` are those of ``recommend``."""
        found = self._retrieve(self._parts, users, min(self._n_retrieved(k), len(self._item_index)), options)
        codes, scores = self._combine(found, k)
        return found.lists[0].with_lists(codes, scores, report=found.report)

    def _retrieve(self, parts: Sequence[tuple[str, Any]], users: NDArray, n: int, options: dict[str, Any]) -> PartLists:
        """Lists of n items of some of the parts, without anything that the user has seen by the log of any part."""
        given = self._with_all_seen(users, options)
        check = partial(self._check_request, users, options)
        return PartLists.of(parts, users, n, self._item_index, check_request=check, **given)

    def _check_request(self, users: NDArray, options: dict[str, Any]) -> None:
        """Refuse what is wrong by the united ids, events and columns, whichever part is asked.

        Raises
        ------
        ValueError, TypeError
        """
        names = getattr(self, "feature_names_in_", None)
        history, exclude, request = (options.get(name) for name in ("history", "exclude", "request"))
        self._user_index.codes(as_column(users, "users"), "users", check_kind=history is None)
        if history is not None and not is_empty(history):
            self.seen_items(users).followed_by(self._read_history(history).by_query(users, "history"))
        if exclude is not None and not is_empty(exclude):
            read_exclusions(exclude, self._item_index, names).by_query(users, "exclude")
        if request is not None:
            request_texts(request, len(users))
        if options.get("request_weight") is not None:
            check_request_weight(options["request_weight"])
        if options.get("context") is not None:
            check_columns(options["context"], len(users), self.n_features_in_ - 2, names)
        if options.get("user_features") is not None:
            for _, part in self._parts:
                if uses_features(part, "user"):
                    check_part_table(part, users, options["user_features"])

    def _with_all_seen(self, users: NDArray, options: dict[str, Any]) -> dict[str, Any]:
        """The options, with what the users have seen by the log of any part among the pairs to exclude."""
        if not options.get("exclude_seen", True) or self._has_one_log:
            return options
        return options | {"exclude": self._with_seen(users, options.get("exclude"))}

    def _with_seen(self, users: NDArray, exclude: Any) -> Any:
        """Pairs to exclude: those given, and what the users have seen by the log of any part."""
        seen = self.seen_items(users)
        if exclude is not None and not is_empty(exclude):
            names = getattr(self, "feature_names_in_", None)
            seen = seen.followed_by(read_exclusions(exclude, self._item_index, names).by_query(users, "exclude"))
        if not len(seen.items):
            return None
        pairs = np.empty((len(seen.items), 2), dtype=object)
        pairs[:, 0] = users[seen.row_of_event()].tolist()
        pairs[:, 1] = self._item_index.values[seen.items].tolist()
        return pairs

    def _queried_users(self, users: Any, history: Any, user_features: Any) -> NDArray:
        """The users of a call: those given, else those of the history and of the features, else all."""
        if users is not None:
            column = as_column(users, "users")
            return np.asarray(column)
        if user_features is not None:
            return self._users_by_a_part(history, user_features)
        if history is not None:
            return self._read_history(history).users_in_order()
        return self._user_index.values

    def _users_by_a_part(self, history: Any, user_features: Any) -> NDArray:
        """The users of a table of features, as the first part that can use one reads them."""
        refused: UnsupportedArgumentError | None = None
        for _, part in self._parts:
            try:
                return part.recommend(None, 1, **given_options(history=history, user_features=user_features)).users
            except UnsupportedArgumentError as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def _read_history(self, history: Any) -> Any:
        names = getattr(self, "feature_names_in_", None)
        return read_history(history, self._item_index, self.feedback, self._history_rating(), names)

    def _history_rating(self) -> float:
        """The y of a history event without one: the highest rating of fit, or 1 for implicit feedback."""
        if self.feedback != "explicit":
            return 1.0
        return float(self.seen_items(self.users_).y.max(initial=-np.inf))

    @on_snapshot
    def predict(self, X: Table) -> NDArray:
        """Score of each (user, item) row, by the first part.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events,)
        """
        check_is_fitted(self)
        scores: NDArray = self._parts[0][1].predict(X)
        return scores

    # By a part -----------------------------------------------------------------------------------------

    def _related(self, method: str, queries: Any, k: int, candidates: Any) -> Recommendations:
        """By the first part that finds similar items and knows them, or that reads text."""
        options = given_options(candidates=candidates)
        if method == "similar_items":
            return self._part_that_knows(method, queries).similar_items(queries, k, **options)
        refused: UnsupportedArgumentError | None = None
        for _, part in self._parts:
            if hasattr(part, method):
                try:
                    return part.search(queries, k, **options)
                except UnsupportedArgumentError as error:
                    refused = refused or error
        assert refused is not None
        raise refused

    def _explain(self, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        """By the first part that explains and knows the items."""
        return self._explained_by(self._part_that_knows("explain", items), users, items, options)

    def _explained_by(self, part: Any, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        """The explanations of a part, without ``user_features`` where it cannot use them."""
        try:
            return part.explain(users, items, **given_options(**options))
        except UnsupportedArgumentError as error:
            if options.get(error.argument) is None:
                raise
            return part.explain(users, items, **given_options(**{**options, error.argument: None}))

    def _part_that_knows(self, method: str, items: Any) -> Any:
        """The first part that has a method and all of the items, else the last that has the method."""
        able = [part for _, part in self._parts if hasattr(part, method)]
        column = as_column(items, "items")
        for part in able[:-1]:
            if (IdIndex(np.asarray(part.items_)).codes(column, "items", check_kind=False) >= 0).all():
                return part
        return able[-1]
