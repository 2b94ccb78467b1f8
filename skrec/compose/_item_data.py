"""The base class of wrappers that read columns of the items and the users at a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skrec.base import MetaRecommender
from skrec.compose._query_options import QueryOptions
from skrec.compose._rules import ItemColumns, TableColumns, check_table_columns
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    Recommendations,
    as_column,
    as_unique_ids,
    given_options,
    ids_in_front,
    list_length,
    read_events,
    read_exclusions,
    read_features,
    read_flag,
    read_history,
)
from skrec.utils import check_array


class ItemDataRecommender(MetaRecommender):
    """A wrapper that keeps the columns of both feature tables, and reads ``item_table`` besides.

    ``item_table`` counts as it is at the request: a new one by ``set_params`` needs no fit. A subclass makes the lists
    in ``_make_lists``.
    """

    item_table: Any
    _item_columns: TableColumns
    _user_columns: TableColumns
    _read_table: tuple[Any, TableColumns]
    _first_event: NDArray[np.float64] | None
    _last_event: float

    def _make_lists(self, queries: QueryOptions, k: int) -> Recommendations:
        """Lists of k items for some queries, with a report."""
        raise NotImplementedError(f"{type(self).__name__} must define _make_lists(queries, k)")

    def _reads_users(self) -> bool:
        """Whether this reads the columns of the users, whatever the recommender makes of them."""
        return False

    # Fit -----------------------------------------------------------------------------------------------

    def _fit_inside(self, recommender: Any, X: Any, y: Any, tables: dict[str, Any]) -> None:
        try:
            super()._fit_inside(recommender, X, y, tables)
        except UnsupportedArgumentError as error:
            if error.argument != "item_features":
                raise
            advice = f"Where only {type(self).__name__} needs the columns, pass the table as its item_table= alone."
            raise UnsupportedArgumentError(f"{error} {advice}", error.argument) from error

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self._item_columns = TableColumns.read(item_features, "item_features").aligned(self._item_index)
        self._user_columns = TableColumns.read(user_features, "user_features")
        self._first_event, self._last_event = None, -np.inf
        self._note_times(X)
        self._read_table = (self.item_table, self._columns_of_table())

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        items = self._item_columns.updated(TableColumns.read(item_features, "item_features"))
        self._item_columns = items.aligned(self._item_index)
        self._user_columns = self._user_columns.updated(TableColumns.read(user_features, "user_features"))
        self._note_times(X)
        self._read_table = (self.item_table, self._columns_of_table())

    def _note_times(self, X: Any) -> None:
        """Keep the time of the first event of each item."""
        events = None if X is None else read_events(X)
        known = self._first_event
        if known is None and (events is None or events.timestamp is None):
            return
        first = np.full(len(self._item_index), np.inf)
        if known is not None:
            first[: len(known)] = known
        if events is not None and events.timestamp is not None:
            codes = self._item_index.codes(events.items, "item ids", check_kind=False)
            times = np.asarray(events.timestamp, np.float64)
            np.minimum.at(first, codes[codes >= 0], times[codes >= 0])
            self._last_event = max(self._last_event, float(times.max(initial=-np.inf)))
        self._first_event = first

    def _columns_of_table(self) -> TableColumns:
        """The columns of ``item_table``, in catalogue order."""
        table = self.item_table
        if table is not None:
            names = getattr(self, "feature_names_in_", None)
            table = ids_in_front(table, "item_table", self._item_index, None if names is None else str(names[1]))
        return TableColumns.read(table, "item_table").aligned(self._item_index)

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, or of the recommender as ``recommender__parameter``.

        Parameters
        ----------
        **params
            A new ``item_table`` counts from the next request on, without a fit.

        Returns
        -------
        self : object
        """
        super().set_params(**params)
        if "item_table" in params and self.__sklearn_is_fitted__():
            self._read_table = (self.item_table, self._columns_of_table())
        return self

    def _check_state(self) -> None:
        super()._check_state()
        if "recommender_" not in self.__dict__:
            return
        for name in ("_item_columns", "_user_columns"):
            check_table_columns(self.__dict__.get(name), name)
        if self.__dict__.get("_first_event") is not None:
            check_array(self._first_event, "_first_event", (len(self.items_),), dtype=np.float64, finite=False)
        self._read_table = (None, TableColumns.read(None, "item_table"))
        if self.item_table is not None:
            self._read_table = (self.item_table, self._columns_of_table())

    # What a request reads --------------------------------------------------------------------------------

    def _columns_of_items(self) -> ItemColumns:
        """The columns of the items, those of ``item_table`` first."""
        source, columns = self._read_table
        if source is not self.item_table:  # it was set as an attribute
            columns = self._columns_of_table()
        since_first = None
        if self._first_event is not None:
            since_first = self._last_event - np.minimum(self._first_event, self._last_event)
        tables = columns, self._item_columns
        return ItemColumns(self._item_columns.index, tables, lambda: self.popularity_, since_first)

    def _context_names(self) -> Sequence[str] | None:
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names[2:]]

    def _queries(self, users: Any, options: dict[str, Any]) -> QueryOptions:
        names = getattr(self, "feature_names_in_", None)
        ids = self._queried_users(users, options.get("history"), options.get("user_features"))
        return QueryOptions.of(ids, options, self._item_columns.index, None if names is None else str(names[0]))

    def _queried_users(self, users: Any, history: Any, user_features: Any) -> NDArray:
        """The users of a call: those given, else those of the history and of the features, else all."""
        if users is not None:
            return np.asarray(as_column(users, "users"))
        if user_features is not None:
            given = given_options(history=history, user_features=user_features)
            try:
                return np.asarray(self.recommender_.recommend(None, 1, **given).users)
            except UnsupportedArgumentError:
                if not self._reads_users():
                    raise
            return as_unique_ids(read_features(self._tables_in_front(None, user_features)[1], "user_features"))
        if history is not None:
            names = getattr(self, "feature_names_in_", None)
            return read_history(history, self._item_index, self.feedback, 1.0, names).users_in_order()
        return self.users_

    def _lists_of(self, queries: QueryOptions, k: int) -> Recommendations:
        """The lists of the recommender, which may have no use for ``user_features`` that this reads."""
        given, k = queries.arguments(), min(k, len(queries.item_index))
        try:
            return self._retrieve(queries.users, k, **given)
        except UnsupportedArgumentError as error:
            if error.argument != "user_features" or not self._reads_users():
                raise
        return self._retrieve(queries.users, k, **{**given, "user_features": None})

    def _hidden(self, queries: QueryOptions, codes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which items (one per query) the user has seen, and which are excluded."""
        at = np.arange(len(queries)) * len(self._item_index) + codes
        seen = self._histories_of(queries.users, queries.given.get("history"))
        is_seen = np.isin(at, seen.row_of_event() * len(self._item_index) + seen.items)
        exclude = queries.given.get("exclude")
        if exclude is None:
            return is_seen, np.zeros(len(at), bool)
        names = getattr(self, "feature_names_in_", None)
        pairs = read_exclusions(exclude, self._item_index, names).by_query(queries.users, "exclude")
        return is_seen, np.isin(at, pairs.row_of_event() * len(self._item_index) + pairs.items)

    def _recommend(self, users: Any, k: int, options: dict[str, Any]) -> Recommendations:
        k = list_length(k, len(self._item_columns.index))
        options = options | {"exclude_seen": read_flag(options["exclude_seen"], "exclude_seen")}
        return self._make_lists(self._queries(users, options), k)
