"""From the events of ``fit`` to what a network is trained on and validated with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Histories, Interactions, read_events, read_target, split_history
from skrec.neural_network._sequences import START, Sequences
from skrec.utils import check_array, check_kind


@dataclass(frozen=True)
class ContextScale:
    """Mean and standard deviation of the context columns in fit.

    Attributes
    ----------
    center, scale : float32 arrays of shape (n_context,)
    """

    center: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, context: NDArray[np.float32]) -> ContextScale:
        """Read both from the events."""
        deviation = context.std(axis=0, dtype=np.float64)
        return cls(
            context.mean(axis=0, dtype=np.float64).astype(np.float32),
            np.where(deviation > 0, deviation, 1).astype(np.float32),
        )

    def transform(self, context: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardised columns."""
        scaled: NDArray[np.float32] = (context - self.center) / self.scale
        return scaled


def check_context_scale(value: object, name: str, n_context: int) -> None:
    """Check a loaded scale.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ContextScale)
    assert isinstance(value, ContextScale)
    check_array(value.center, f"{name}.center", (n_context,), dtype=np.float32)
    check_array(value.scale, f"{name}.scale", (n_context,), dtype=np.float32)


def targets_of(sequences: Sequences, held_out_rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which positions are trained on: all but the last ones of the rows that are held out."""
    is_target = sequences.items != START
    is_target[sequences.indptr[held_out_rows + 1] - 1] = False
    return is_target


def seen_in_training(sequences: Sequences, is_target: NDArray[np.bool_], n_items: int) -> NDArray[np.bool_]:
    """(n_items,) which items are a target, or are read on the way to one."""
    is_seen = np.zeros(n_items, bool)
    has_next = np.zeros(len(sequences.items), bool)
    has_next[:-1] = is_target[1:]
    starts = sequences.indptr[:-1]
    has_next[starts[starts > 0] - 1] = False
    is_seen[sequences.items[(is_target | has_next) & (sequences.items != START)]] = True
    is_alone = np.diff(sequences.indptr) == 1  # without START, nothing is learned from a single event
    alone = sequences.items[starts[is_alone]]
    learned = np.bincount(sequences.items[np.repeat(~is_alone, np.diff(sequences.indptr))].clip(0), minlength=n_items)
    is_seen[alone[(alone >= 0) & (learned[alone] == 0)]] = False
    return is_seen


@dataclass(frozen=True)
class LaterEvents:
    """Events of ``validation_data``.

    Attributes
    ----------
    users, items : int64 arrays of shape (n_events,)
        Codes; those of items outside the catalogue are -1.
    is_positive : bool array of shape (n_events,)
    context : float32 array of shape (n_events, n_context), or None
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    context: NDArray[np.float32] | None

    def queries(self) -> tuple[NDArray[np.int64], Histories, NDArray[np.float32] | None]:
        """As :func:`as_queries`, of the positive events."""
        context = None if self.context is None else self.context[self.is_positive]
        return as_queries(self.users[self.is_positive], self.items[self.is_positive], context)


def as_queries(
    users: NDArray[np.int64], items: NDArray, context: NDArray[np.float32] | None
) -> tuple[NDArray[np.int64], Histories, NDArray[np.float32] | None]:
    """User, relevant items and context of each query: of each event where there is context, else of each user."""
    if context is not None:
        ones = np.ones(len(users), np.float32)
        return users, Histories(np.arange(len(users) + 1), items.astype(np.int32), ones), context
    distinct, row = np.unique(users, return_inverse=True)
    return distinct, Histories.group(row, items, np.ones(len(items)), None, len(distinct)), None


def validation_events(model: Any, table: Any, lengths: NDArray[np.int64], is_positive: Any) -> LaterEvents:
    """The events of ``validation_data`` whose users have events in fit.

    Parameters
    ----------
    model : recommender
        Its catalogue, users and context columns are read.
    table : table of events, or pair (events, y)
    lengths : int64 array of shape (n_users,)
        How many events each user has that can be read.
    is_positive : callable
        From y to a mask.

    Raises
    ------
    ValueError
        If no event is of a user with events in fit, or none of them is positive.
    """
    given, y = split_history(table)
    events = read_events(given, what="validation_data")
    target = read_target(y, len(events), feedback=model._feedback, what="y of validation_data")
    users = model._user_index.codes(events.users, "users of validation_data")
    kept = (users >= 0) & (lengths[users] > 0)
    if not kept.any():
        raise ValueError(
            f"validation_data has {len(events)} events, and none is of a user who has events in X: pass later events "
            "of the same users."
        )
    positive = np.asarray(is_positive(target), dtype=bool)[kept]
    if not positive.any():
        raise ValueError(
            f"validation_data has {len(events)} events, and none of a user of X is positive: pass events that users "
            "chose, or their y."
        )
    context = None
    if model._scale is not None and events.context is not None:
        context = model._scale.transform(model._context.read_events(events.context))[kept]
    items = model._item_index.codes(events.items, "items")
    return LaterEvents(users[kept], items[kept], positive, context)


def numbers_of_new_events(before: Histories, data: Interactions) -> NDArray[np.int64]:
    """For each event of both, in the order of the histories, its number among the new ones, or -1 for an old one."""
    old, new = before.with_rows(data.n_users), data.histories
    numbers = replace(new, items=np.arange(len(new.items), dtype=np.int32))
    joined = replace(old, items=np.full(len(old.items), -1, np.int32)).followed_by(numbers)
    return joined.items.astype(np.int64)
