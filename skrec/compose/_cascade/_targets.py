"""Held-out events, which say what a ranker is to put first."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from skrec.compose._cascade._pairs import Pairs
from skrec.interactions import TIMESTAMP, EventTable, IdIndex, factorize
from skrec.model_selection import read_splits

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


def held_out_rows(cv: Any, X: Any, y: Any, events: EventTable) -> list[Split]:
    """Rows before and rows held out.

    Parameters
    ----------
    cv : None, float, splitter, iterable of splits or int
        None holds out the last event of each user, or the last fifth of all events where no user has several; a share
        that of the last events of each user.
    """
    if isinstance(cv, Real) and not isinstance(cv, int | np.integer):
        return [_last_share(events, float(cv))]
    try:
        return read_splits(cv, X, y)
    except ValueError:
        if cv is not None:
            raise
        return []  # too few events: the caller warns of it


def _last_share(events: EventTable, share: float) -> Split:
    """The last events of each user that has several, at least one."""
    users = factorize(events.users, "user ids")[1]
    time = np.zeros(len(users)) if events.timestamp is None else events.timestamp
    order = np.lexsort((time, users))
    sizes = np.bincount(users)
    steps_back = np.empty(len(users), np.int64)
    steps_back[order] = np.repeat(np.cumsum(sizes), sizes) - 1 - np.arange(len(users))
    n_held_out = np.where(sizes > 1, np.clip(np.round(share * sizes), 1, sizes - 1), 0)
    is_test = steps_back < n_held_out[users]
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def context_rows(X: Any, rows: NDArray | None = None) -> Any:
    """The columns of an event log behind the ids, ``timestamp`` among them, at some rows."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        ids = [j for j, name in enumerate(frame.columns) if name != TIMESTAMP][:2]
        X = frame[:, [j for j in range(frame.shape[1]) if j not in ids]].to_native()
    else:
        X = np.asarray(X if isinstance(X, np.ndarray) else np.array(X, dtype=object))[:, 2:]
    return X if rows is None else _safe_indexing(X, rows)


@dataclass
class Targets:
    """What the users of held-out events turned to.

    Attributes
    ----------
    users : ndarray of shape (n_queries,)
        Ids.
    rows : int64 array of shape (n_queries,)
        A row of X of each query.
    by_event : bool
        Whether each held-out event is a query of its own, with its context.
    keys : int64 array of shape (n_targets,)
        ``query * n_items + item``, sorted.
    grades : float32 array of shape (n_targets,)
    before : float64 array of shape (n_queries,) or None
        The time of the first target of each query.
    """

    users: NDArray
    rows: NDArray[np.int64]
    by_event: bool
    keys: NDArray[np.int64]
    grades: NDArray[np.float32]
    before: NDArray[np.float64] | None

    @classmethod
    def of(cls, events: EventTable, grades: NDArray[np.float32], rows: NDArray, item_index: IdIndex) -> Targets:
        """The targets among some rows; events of grade 0 and of unknown items are none.

        A query is a user, or an event where there are context columns.
        """
        rows = rows[grades[rows] > 0]
        held_out = events.take(rows)
        items = item_index.codes(held_out.items, "item ids of X")
        known = items >= 0
        rows, items = rows[known], items[known]
        ids, user = factorize(events.users, "user ids")
        user = user[rows]
        by_event = events.context is not None
        query_key = rows if by_event else user
        _, first, query = np.unique(query_key, return_index=True, return_inverse=True)
        before = None
        if events.timestamp is not None:
            before = np.full(len(first), np.inf)
            np.minimum.at(before, query, events.timestamp[rows].astype(np.float64))
        keys = query * len(item_index) + items
        order = np.lexsort((-grades[rows], keys))
        keys, at = np.unique(keys[order], return_index=True)
        return cls(ids[user[first]], rows[first], by_event, keys, grades[rows][order][at], before)

    def __len__(self) -> int:
        return len(self.users)

    def take(self, queries: NDArray[np.int64], n_items: int) -> Targets:
        """Some of the queries, in ascending order."""
        place = np.full(len(self), -1, np.int64)
        place[queries] = np.arange(len(queries))
        of_key = place[self.keys // n_items]
        kept = of_key >= 0
        keys = of_key[kept] * n_items + self.keys[kept] % n_items
        before = None if self.before is None else self.before[queries]
        return Targets(self.users[queries], self.rows[queries], self.by_event, keys, self.grades[kept], before)

    def without(self, seen: NDArray[np.int64]) -> Targets:
        """Without the pairs of some keys."""
        kept = ~np.isin(self.keys, seen)
        return Targets(self.users, self.rows, self.by_event, self.keys[kept], self.grades[kept], self.before)

    def grade_of(self, pairs: Pairs) -> NDArray[np.float32]:
        """The grade of each pair; 0 for what is no target."""
        if not len(self.keys):
            return np.zeros(len(pairs), np.float32)
        at = np.minimum(np.searchsorted(self.keys, pairs.keys), len(self.keys) - 1)
        return np.where(self.keys[at] == pairs.keys, self.grades[at], 0).astype(np.float32)


def sample_pairs(
    pairs: Pairs, grades: NDArray, n_negatives: int | None, random: np.random.RandomState
) -> NDArray[np.int64]:
    """Numbers of the pairs to learn from: of each query with a positive all positives, and some negatives at random."""
    n_positives = np.bincount(pairs.queries, grades > 0, pairs.n_queries)
    at = np.flatnonzero(n_positives[pairs.queries] > 0)
    if n_negatives is None:
        return at
    query = pairs.queries[at]
    order = np.lexsort((random.random_sample(len(at)), grades[at] <= 0, query))
    at, query = at[order], query[order]
    place = np.arange(len(at)) - np.searchsorted(query, query)
    return np.sort(at[place < n_positives[query] + n_negatives])
