"""Arguments of a request as integer codes: users, histories, candidates and exclusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions._columns import Column, as_column, factorize
from skrec.interactions._events import TIMESTAMP, read_events, read_target
from skrec.interactions._histories import Histories
from skrec.interactions._id_index import IdIndex
from skrec.interactions._plain_input import as_frame
from skrec.interactions._types import History, Ids, Table
from skrec.utils import Matrix


@dataclass
class Queries:
    """The queries of one call, one row per query.

    Attributes
    ----------
    users : int64 array of shape (n_queries,)
        User codes, -1 for an unknown user.
    histories : Histories of n_queries rows
        Events of fit and those of ``history``, in time order.
    context : float32 array of shape (n_queries, n_context) or None
    features : GivenFeatures of n_queries rows, or None
        Features of users that came with the call, for a model that uses them.
    """

    users: NDArray[np.int64]
    histories: Histories
    context: NDArray[np.float32] | None = None
    features: "GivenFeatures | None" = None

    def __len__(self) -> int:
        return len(self.users)

    def block(self, start: int, stop: int) -> "Queries":
        """Queries ``start`` to ``stop``."""
        return self._part(slice(start, stop), self.histories.block(start, stop))

    def take(self, rows: NDArray[np.int64]) -> "Queries":
        """The given queries, with repeats."""
        return self._part(rows, self.histories.take(rows))

    def _part(self, at: Any, histories: Histories) -> "Queries":
        context = None if self.context is None else self.context[at]
        features = None if self.features is None else self.features.part(at)
        return Queries(self.users[at], histories, context, features)


@dataclass
class GivenFeatures:
    """Encoded user features that came with a call of ``recommend``.

    Attributes
    ----------
    matrix : matrix of shape (n_queries, n_features)
        Zero rows where nothing was given.
    is_given : bool array of shape (n_queries,)
    """

    matrix: Matrix
    is_given: NDArray[np.bool_]

    def part(self, at: Any) -> "GivenFeatures":
        """Those of the given queries."""
        return GivenFeatures(self.matrix[at], self.is_given[at])


def check_k(k: object, name: str = "k") -> int:
    """``k`` as an int of at least 1."""
    if not isinstance(k, Integral) or isinstance(k, bool):
        raise TypeError(f"{name} must be a positive integer; got {k!r} of type {type(k).__name__}.")
    if k < 1:
        raise ValueError(f"{name} must be at least 1; got {k}.")
    return int(k)


def list_length(k: object, n_items: int) -> int:
    """Places of each list: ``k``, and never more than the catalogue has items."""
    return min(check_k(k), n_items)


def read_flag(value: object, name: str) -> bool:
    """A yes or no as a bool.

    Raises
    ------
    TypeError
        If it is neither a bool nor 0 or 1.
    """
    is_number = isinstance(value, Integral | np.bool_)
    if not is_number or value not in (0, 1):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


def read_items(items: Ids, item_index: IdIndex) -> tuple[NDArray, NDArray[np.int64]]:
    """Item ids and their codes; an unknown id is a KeyError."""
    column = as_column(items, "items")
    codes = item_index.codes(column, "items")
    ids = np.asarray(column)
    if (codes < 0).any():
        unknown = ids[codes < 0].tolist()
        raise KeyError(
            f"{len(unknown)} unknown item ids, as {unknown[0]!r}; pass ids that items_ lists, which holds "
            f"{len(item_index)} (as {item_index.values[:1].tolist()[0]!r})."
        )
    return ids, codes


def ids_first(events: Table, names: Sequence[str] | None, what: str) -> Any:
    """Events with the user and the item column first, found by the names of X where they are a frame.

    Parameters
    ----------
    events : table
    names : sequence of str, or None
        The columns of X, user and item first; None where X had no names, and the position alone decides.
    what : str
        The name of the argument, for messages.

    Raises
    ------
    ValueError
        If a frame has one of the two names only, at another position than in X.
    """
    if names is None or isinstance(events, np.ndarray | list):
        return events
    frame = as_frame(events, what)
    if frame is None:
        return events
    given = [str(name) for name in frame.columns]
    ids = [str(name) for name in names[:2]]
    if all(name in given for name in ids):
        order = [given.index(name) for name in ids]
        order += [j for j in range(len(given)) if j not in order]
        return events if order == list(range(len(given))) else frame[:, order].to_native()
    first = [name for name in given if name != TIMESTAMP]
    for place, name in enumerate(ids):
        if name in first and first.index(name) != place:
            raise ValueError(
                f"{what} has the columns {first}; {name!r} must be at the same position as in X, which starts with "
                f"{ids}. Name both id columns as in X (then their positions are free), or put the "
                f"{('user', 'item')[place]} ids in column {place}."
            )
    return events


def read_history(
    history: History, item_index: IdIndex, feedback: str, default_y: float, names: Sequence[str] | None = None
) -> "EventPairs":
    """Events ``[user, item, ...]``, or a pair ``(events, y)``; unknown items are skipped."""
    events, y = split_history(history)
    table = read_events(ids_first(events, names, "history"), what="history")
    values = read_target(y, len(table), feedback=feedback, what="y of history")
    if y is None:
        values = values * np.float32(default_y)
    items = item_index.codes(table.items, "item ids of history")
    return EventPairs(table.users, items, values, table.timestamp)


def split_history(history: History) -> tuple[Any, Any]:
    """The events and the y of a history, None where it has none.

    Raises
    ------
    ValueError
        If a tuple is not a pair (events, y).
    """
    if not isinstance(history, tuple):
        return history, None
    if len(history) != 2 or (isinstance(history[0], list | tuple) and not _is_nested(history[0])):
        raise ValueError(
            f"history is a tuple of {len(history)}, and a tuple must be the pair (events, y): pass a list of rows, as "
            "in history=[[user, item], [user, item]], or ([[user, item], [user, item]], [y, y])."
        )
    return history


def read_exclusions(exclude: Table, item_index: IdIndex, names: Sequence[str] | None = None) -> "EventPairs":
    """Pairs ``[user, item]``; unknown items are skipped."""
    table = read_events(_two_columns(ids_first(exclude, names, "exclude")), what="exclude")
    items = item_index.codes(table.items, "item ids of exclude")
    return EventPairs(table.users, items, np.ones(len(items), np.float32), None)


def _two_columns(pairs: Any) -> Any:
    """The id columns of a frame: what else it has, as the scores of recommendations, does not count."""
    frame = as_frame(pairs, "exclude")
    if frame is None or frame.shape[1] <= 2:
        return pairs
    return frame[:, [j for j, name in enumerate(frame.columns) if name != TIMESTAMP][:2]].to_native()


def first_appearance(users: Column) -> NDArray:
    """Distinct ids of a column, in order of first appearance."""
    uniques, inverse = factorize(users, "user ids of history")
    first = np.full(len(uniques), len(inverse))
    np.minimum.at(first, inverse, np.arange(len(inverse)))
    return uniques[np.argsort(first, kind="stable")]


@dataclass
class EventPairs:
    """Events that were not in fit: user ids and item codes."""

    users: Column
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    timestamp: NDArray | None

    def users_in_order(self) -> NDArray:
        """Distinct user ids in order of first appearance."""
        return first_appearance(self.users)

    def by_query(self, query_users: NDArray, what: str) -> Histories:
        """One row per query user (repeated users get identical rows); events of other users are dropped."""
        distinct, inverse = factorize(as_column(query_users, "users"), "users")
        rows = IdIndex(distinct).codes(self.users, f"user ids of {what}")
        order = slice(None) if self.timestamp is None else np.argsort(self.timestamp, kind="stable")
        keep = np.zeros(len(rows), bool)
        keep[:] = (rows >= 0) & (self.items >= 0)
        keep = keep[order]
        times = None if self.timestamp is None else self.timestamp[order][keep]
        grouped = Histories.group(rows[order][keep], self.items[order][keep], self.y[order][keep], times, len(distinct))
        return grouped.take(inverse)


class Candidates:
    """The eligible items: one list for all queries, or one for each.

    Parameters
    ----------
    candidates : list of ids, or list of n_queries lists of ids
    item_index : IdIndex
    n_queries : int

    Raises
    ------
    ValueError
        If no candidate is known, or the number of lists is not the number of queries.
    """

    def __init__(self, candidates: Any, item_index: IdIndex, n_queries: int) -> None:
        self.shared: NDArray[np.int64] | None = None
        self.rows: Histories | None = None
        candidates = _lists_of_series(candidates)
        if not _is_nested(candidates):
            self.shared = _known_codes(candidates, item_index, "candidates")
            return
        lists = list(candidates)
        if len(lists) != n_queries:
            raise ValueError(
                f"candidates has {len(lists)} lists for {n_queries} queries; pass one list for all, or one list per "
                "query."
            )
        codes = [_known_codes(ids, item_index, f"candidates[{i}]") for i, ids in enumerate(lists)]
        indptr = np.concatenate([[0], np.cumsum([len(c) for c in codes])]).astype(np.int64)
        items = np.concatenate(codes).astype(np.int32) if codes else np.zeros(0, np.int32)
        self.rows = Histories(indptr, items, np.ones(len(items), np.float32))

    def columns(self, start: int, stop: int) -> NDArray[np.int64]:
        """Sorted codes of the items that are eligible for at least one query of the block."""
        if self.shared is not None:
            return self.shared
        assert self.rows is not None
        return np.unique(self.rows.block(start, stop).items).astype(np.int64)

    def mask(self, scores: NDArray[np.float32], columns: NDArray[np.int64], start: int) -> None:
        """Set the scores of items outside each query's own list to -inf."""
        if self.rows is None:
            return
        block = self.rows.block(start, start + len(scores))
        allowed = np.zeros(scores.shape, bool)
        allowed[block.row_of_event(), np.searchsorted(columns, block.items)] = True
        scores[~allowed] = -np.inf


def is_empty(table: object) -> bool:
    """Whether a table of events has no rows."""
    if isinstance(table, list):
        return not table
    shape = getattr(table, "shape", None)
    return isinstance(shape, tuple) and len(shape) > 0 and shape[0] == 0


def _lists_of_series(candidates: Any) -> Any:
    """A Series of lists as a list of lists; anything else as it is."""
    if isinstance(candidates, np.ndarray | list | tuple):
        return candidates
    if hasattr(candidates, "to_pylist") and not hasattr(candidates, "columns"):
        return candidates.to_pylist()
    series = nw.from_native(candidates, series_only=True, pass_through=True)
    if isinstance(series, nw.Series) and (series.dtype == nw.Object or isinstance(series.dtype, nw.List | nw.Array)):
        values = series.to_list()
        return values if _is_nested(values) else candidates
    return candidates


def _is_nested(candidates: Any) -> bool:
    if isinstance(candidates, Mapping):
        raise TypeError("candidates is a mapping; pass one list of item ids, or a list of lists, one per user.")
    if isinstance(candidates, np.ndarray) and candidates.dtype != object:
        return candidates.ndim > 1
    if isinstance(candidates, list | tuple | np.ndarray) and len(candidates):
        return isinstance(candidates[0], list | tuple | set | frozenset | np.ndarray)
    return False


def _known_codes(ids: Any, item_index: IdIndex, what: str) -> NDArray[np.int64]:
    ids = as_column(list(ids) if isinstance(ids, set | frozenset) else ids, what)
    codes = item_index.codes(ids, what)
    known = np.unique(codes[codes >= 0])
    if not len(known):
        raise ValueError(
            f"{what} holds {len(ids)} ids and none is in the catalogue of {len(item_index)} items "
            f"(ids as {item_index.values[:1].tolist()[0]!r}); pass at least one known id."
        )
    return known
