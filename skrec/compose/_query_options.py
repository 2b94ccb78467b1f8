"""The options of ``recommend`` taken apart by query, for recommenders that ask different ones about different users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.base import request_texts
from skrec.interactions import (
    Candidates,
    Column,
    FeatureTable,
    Histories,
    IdIndex,
    as_column,
    as_frame,
    check_names,
    check_rows,
    factorize,
    take_rows,
    without_timestamp,
)


@dataclass(frozen=True)
class QueryOptions:
    """The users of a call, and the options that go with them.

    Attributes
    ----------
    users : ndarray of shape (n_queries,)
    given : dict
        The options as given, but for the candidates.
    by_row : frozenset of str
        Names of those that have one entry per query; the others hold for all queries, or go by id.
    item_index : IdIndex
    shared : int array, or None
        Codes of the candidates where all queries have the same.
    own : Histories of n_queries rows, or None
        Codes of the candidates where each query has its own.
    feature_row : int array of shape (n_queries,)
        Row of each user in the table ``user_features`` of the call; -1 for a user whom it lacks.
    """

    users: NDArray
    given: dict[str, Any]
    by_row: frozenset[str]
    item_index: IdIndex
    shared: NDArray[np.int64] | None
    own: Histories | None
    feature_row: NDArray[np.int64]

    @classmethod
    def of(
        cls, users: NDArray, options: dict[str, Any], item_index: IdIndex, user_column: str | None = None
    ) -> QueryOptions:
        """Read the options of a call.

        Parameters
        ----------
        users : ndarray of shape (n_queries,)
        options : dict
            Of ``recommend``, as given; None stands for an option that was not given.
        item_index : IdIndex
            The catalogue.
        user_column : str, default=None
            Name of the user column in X.

        Raises
        ------
        ValueError, TypeError
            If the rows of an option are not those of the users.
        """
        given = {name: value for name, value in options.items() if value is not None}
        chosen = given.pop("candidates", None)
        candidates = None if chosen is None else Candidates(chosen, item_index, len(users))
        by_row = set()
        if "context" in given:
            check_rows(given["context"], len(users))
            if np.shape(given["context"])[0] == len(users):
                by_row.add("context")
        if "request" in given and not isinstance(given["request"], str):
            given["request"] = request_texts(given["request"], len(users))
            by_row.add("request")
        feature_row = np.full(len(users), -1, np.int64)
        if "user_features" in given:
            feature_row, is_alone = _feature_rows(given["user_features"], users, user_column)
            by_row |= {"user_features"} if is_alone else set()
        shared, own = (None, None) if candidates is None else (candidates.shared, candidates.rows)
        return cls(users, given, frozenset(by_row), item_index, shared, own, feature_row)

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.int64]) -> QueryOptions:
        """Those of the given queries, in this order."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        given = {name: _take(value, rows) if name in self.by_row else value for name, value in self.given.items()}
        feature_row = self.feature_row[rows]
        if len(rows) and not (feature_row >= 0).any():
            given.pop("user_features", None)  # a table that has none of the users is an error
        own = None if self.own is None else self.own.take(rows)
        return replace(self, users=self.users[rows], given=given, own=own, feature_row=feature_row)

    def arguments(self) -> dict[str, Any]:
        """The keywords of ``recommend``, candidates included."""
        if self.shared is not None:
            return self.given | {"candidates": self.item_index.values[self.shared]}
        if self.own is not None:
            ids = self.item_index.values[self.own.items]
            return self.given | {"candidates": np.split(ids, self.own.indptr[1:-1])[: len(self)]}
        return dict(self.given)

    def among(self, allowed: NDArray[np.bool_]) -> QueryOptions:
        """The same with the candidates that a mask over the catalogue allows."""
        if self.own is not None:
            return replace(self, own=self.own.where(allowed[self.own.items]))
        if self.shared is not None:
            return replace(self, shared=self.shared[allowed[self.shared]])
        return self if allowed.all() else replace(self, shared=np.flatnonzero(allowed))

    def n_candidates(self) -> NDArray[np.int64]:
        """Number of the candidates of each query."""
        if self.own is not None:
            return self.own.lengths
        return np.full(len(self), len(self.item_index) if self.shared is None else len(self.shared))

    def is_candidate(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether an item (one per query) is a candidate of its query."""
        if self.own is not None:
            pairs = self.own.row_of_event() * len(self.item_index) + self.own.items
            return np.isin(np.arange(len(self)) * len(self.item_index) + codes, pairs)
        return np.ones(len(codes), bool) if self.shared is None else np.isin(codes, self.shared)


def _take(value: Any, rows: NDArray[np.int64]) -> Any:
    return FeatureTable(take_rows(value.table, rows)) if isinstance(value, FeatureTable) else take_rows(value, rows)


def _feature_rows(table: Any, users: NDArray, user_column: str | None) -> tuple[NDArray[np.int64], bool]:
    """Row of each user in a table of features, and whether its rows are those of the users, without ids."""
    ids = _ids_of(table, user_column)
    if ids is not None:
        try:
            distinct, inverse = factorize(ids, "user_features ids")
            codes = IdIndex(distinct).codes(as_column(users, "users"), "users", check_kind=False)
        except (TypeError, ValueError):  # a column of features, which the parts read by their rows
            codes = np.full(len(users), -1, np.int64)
        if (codes >= 0).any():
            row_of = np.zeros(len(distinct), np.int64)
            row_of[inverse] = np.arange(len(inverse))
            return np.where(codes >= 0, row_of[codes], -1), False
    inner = table.table if isinstance(table, FeatureTable) else table
    if isinstance(inner, tuple) or np.shape(inner)[:1] != (len(users),):
        return np.full(len(users), -1, np.int64), False
    return np.arange(len(users)), True


def _ids_of(table: Any, user_column: str | None) -> Column | None:
    """The ids of a table of features, where it may have some."""
    inner = table.table if isinstance(table, FeatureTable) else table
    if isinstance(inner, tuple):
        return as_column(inner[0], "user_features ids")
    frame = as_frame(inner, "user_features")
    if frame is None or not frame.columns:
        return None
    return frame[user_column] if user_column in frame.columns else frame[:, 0]


def check_columns(context: Any, n_queries: int, n_columns: int, names: Any) -> None:
    """Refuse a context that has not the columns of X.

    Parameters
    ----------
    context : table
        Of a call.
    n_queries, n_columns : int
        Its rows, or one for all; and its columns in fit.
    names : sequence of str or None
        Names of the columns of X, ids first.

    Raises
    ------
    ValueError
    """
    check_rows(context, n_queries)
    frame = as_frame(context, "context")
    if frame is None:
        n_given = np.shape(context)[1]
        if n_given != n_columns:
            raise ValueError(f"context has {n_given} columns, but X had {n_columns} in fit; pass the same ones.")
    elif names is not None:
        check_names(without_timestamp(frame).columns, [str(name) for name in names[2:]], "context")


def check_part_table(part: Any, users: NDArray, table: Any) -> None:
    """Refuse user features that a part cannot read which reads such: it answers without them, and not with them.

    Raises
    ------
    ValueError, TypeError
        As the part.
    """
    try:
        part.recommend(users, 1)
    except Exception:  # it is the part that fails
        return
    part.recommend(users, 1, user_features=table)
