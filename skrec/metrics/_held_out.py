"""Held-out events become queries with their relevant items."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from skrec.interactions import EventTable, Histories, Interactions, RecommenderView, Table, read_events, read_target
from skrec.metrics._leaks import warn_of_leaks
from skrec.utils import is_pipeline, is_search


def unwrap(estimator: Any, X: Any) -> tuple[Any, Any]:
    """The fitted recommender inside a pipeline or a search, and X as its steps transform it; X may be None."""
    while is_pipeline(estimator) or is_search(estimator):
        check_is_fitted(estimator)
        if X is not None and is_pipeline(estimator) and len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1] if is_pipeline(estimator) else estimator.best_estimator_
    if not hasattr(estimator, "recommend"):
        raise TypeError(
            f"{type(estimator).__name__} has no recommend(); pass a recommender, or a Pipeline or a search that "
            "ends in one."
        )
    check_is_fitted(estimator)
    return estimator, X


@dataclass
class HeldOut:
    """One row per query that has relevant items.

    Attributes
    ----------
    users : ndarray of shape (n_queries,)
        User ids.
    keys : int64 array of shape (n_queries,)
        What the query stands for in X: the number of a user or, if a query is an event, of a row. Queries of two
        recommenders are the same where their keys are equal.
    user_numbers : int64 array of shape (n_queries,)
        Queries of one user have the same number.
    strengths : csr_array of shape (n_queries, n_codes)
        Positive y of the relevant items. Codes beyond the catalogue are items that it lacks.
    context : frame or ndarray of n_queries rows, or None
    history : pair (events, y), events, or None
        First events of cold users.
    events : EventTable
        All events of X, as given.
    rows : int64 array of shape (n_queries,)
        A row of X that belongs to the query: the event itself, or one of the user's.
    new_items : ndarray
        Ids of the codes beyond the catalogue, some of which are in the catalogue.
    seen : Histories
        Events in fit of each user of X, by ``user_numbers``.
    folded_in : Histories or None
        Events of ``history`` in the same way, of items in the catalogue.
    n_users : int
        Users of X, including those without a query.
    n_dropped : int
        Events of X with y > 0 that do not count, since the user had seen the item before.
    by_event : bool
        Whether a query is an event rather than a user.
    """

    users: NDArray
    keys: NDArray[np.int64]
    user_numbers: NDArray[np.int64]
    strengths: sp.csr_array
    context: Any
    history: Any
    events: EventTable
    rows: NDArray[np.int64]
    new_items: NDArray
    seen: Histories
    folded_in: Histories | None
    n_users: int
    n_dropped: int
    by_event: bool

    def __len__(self) -> int:
        return len(self.keys)

    def profiles(self, at: NDArray[np.int64]) -> Histories:
        """What the users of the given queries had before: the events of fit, and those of ``history``."""
        users = self.user_numbers[at]
        seen = self.seen.take(users)
        return seen if self.folded_in is None else seen.followed_by(self.folded_in.take(users))


def hold_out(
    view: RecommenderView,
    X: Table,
    y: ArrayLike | None,
    *,
    exclude_seen: bool,
    n_history: int | None,
    per: str = "auto",
) -> HeldOut:
    """Make one query per user, or one per event; ``per="auto"`` means per event where X has context columns.

    The first ``n_history`` events of users without training events become history. Items seen in training or in
    that history are not relevant, unless ``exclude_seen`` is False. Queries without a relevant item are dropped.
    """
    events = read_events(X, estimator=view.recommender if hasattr(view.recommender, "n_features_in_") else None)
    data = Interactions.from_events(events, read_target(y, len(events), feedback=view.feedback))
    row_of_event = np.arange(len(data)) if data.order is None else data.order
    seen = view.seen_items(data.user_index.values)

    n_items = len(view.item_index)
    known = view.item_index.codes(data.item_index.values, "item ids of X")
    items = np.where(known >= 0, known, n_items + np.arange(len(known)))[data.items]
    width = n_items + len(known)

    is_history = np.zeros(len(data), bool)
    if n_history is not None:
        is_history = _first_events(data, n_history) & view.without_events(data.user_index.values, seen)[data.users]
    is_target = ~is_history
    pairs = data.users * width + items
    was_seen = _among(pairs, seen, width)
    if exclude_seen:
        is_target &= ~(was_seen | np.isin(pairs, pairs[is_history]))
    warn_of_leaks(view.recommender, data, seen, ~was_seen, items)
    target = np.flatnonzero(is_target)

    by_event = per == "event" or (per == "auto" and data.context is not None)
    keys = row_of_event if by_event else data.users
    n_keys = len(data) if by_event else data.n_users
    grouped = Histories.group(keys[target], items[target], data.y[target], None, n_keys)
    explicit = view.feedback == "explicit"
    strengths = _positive(grouped.last_rating(width) if explicit else grouped.to_csr(width))

    kept = np.flatnonzero(np.diff(strengths.indptr))
    numbers = _users_by_row(data, row_of_event)[kept] if by_event else kept
    folded_in = None
    if is_history.any():
        at = np.flatnonzero(is_history & (items < n_items))
        folded_in = Histories.group(data.users[at], items[at], data.y[at], None, data.n_users)
    return HeldOut(
        users=data.user_index.values[numbers],
        keys=kept,
        user_numbers=numbers,
        strengths=strengths if len(kept) == n_keys else strengths[kept],
        context=_safe_indexing(data.context, kept) if by_event and data.context is not None else None,
        history=_history(X, y, np.sort(row_of_event[is_history])),
        events=events,
        rows=kept if by_event else _row_of_user(data, row_of_event)[kept],
        new_items=data.item_index.values,
        seen=seen,
        folded_in=folded_in,
        n_users=data.n_users,
        n_dropped=int(((data.y > 0) & ~is_history & ~is_target).sum()),
        by_event=by_event,
    )


def _first_events(data: Interactions, n: int) -> NDArray[np.bool_]:
    """The first n events of each user."""
    by_user = np.argsort(data.users, kind="stable")
    sizes = np.bincount(data.users, minlength=data.n_users)
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(data), np.int64)
    rank[by_user] = np.arange(len(data)) - np.repeat(starts, sizes)
    return rank < n


def _among(pairs: NDArray[np.int64], seen: Histories, width: int) -> NDArray[np.bool_]:
    """Which (user, item) pairs were seen. The training events, which may be many more, are not sorted."""
    if not len(seen.items):
        return np.zeros(len(pairs), bool)
    distinct, inverse = np.unique(pairs, return_inverse=True)
    known = seen.row_of_event() * width + seen.items
    at = np.minimum(np.searchsorted(distinct, known), len(distinct) - 1)
    was_seen = np.zeros(len(distinct), bool)
    was_seen[at[distinct[at] == known]] = True
    return was_seen[inverse]


def _positive(matrix: sp.csr_array) -> sp.csr_array:
    matrix = sp.csr_array(matrix, dtype=np.float64)
    matrix.sum_duplicates()
    matrix.data[matrix.data < 0] = 0
    matrix.eliminate_zeros()
    return matrix


def _users_by_row(data: Interactions, row_of_event: NDArray[np.int64]) -> NDArray[np.int64]:
    users = np.empty(len(data), np.int64)
    users[row_of_event] = data.users
    return users


def _row_of_user(data: Interactions, row_of_event: NDArray[np.int64]) -> NDArray[np.int64]:
    rows = np.empty(data.n_users, np.int64)
    rows[data.users] = row_of_event
    return rows


def _history(X: Any, y: Any, rows: NDArray[np.int64]) -> Any:
    if not len(rows):
        return None
    events = _safe_indexing(X, rows)
    return events if y is None else (events, _safe_indexing(y, rows))
