"""From the events of ``fit`` to what a network is trained on and validated with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Histories, IdIndex, Interactions, read_events, read_target, split_history
from skrec.neural_network._held_out import HeldOut
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


def validation_events(
    table: Any, users: IdIndex, items: IdIndex, sequences: Sequences, context: Any, feedback: str
) -> HeldOut:
    """Queries of ``validation_data``: the events of its known users, to be told from those of fit.

    Parameters
    ----------
    table : table of events, or pair (events, y)
    users, items : IdIndex
    sequences : Sequences of all users
    context : callable from context columns to float32 array, or None
        Where it is given and the table has the columns, each event is a query of its own.
    feedback : str

    Raises
    ------
    ValueError
        If no event is of a user with events in fit.
    """
    given, y = split_history(table)
    events = read_events(given, what="validation_data")
    target = read_target(y, len(events), feedback=feedback, what="y of validation_data")
    user, item = users.codes(events.users, "users of validation_data"), items.codes(events.items, "items")
    lengths = np.diff(sequences.indptr)
    kept = (user >= 0) & (target > 0)
    kept &= np.where(user >= 0, lengths[user], 0) > 0
    if not kept.any():
        raise ValueError(
            f"validation_data has {len(events)} events, and none is of a user who has events in X: pass later events "
            "of the same users."
        )
    user, item = user[kept], item[kept]
    if context is not None and events.context is not None:
        ones = np.ones(len(user), np.float32)
        relevant = Histories(np.arange(len(user) + 1), item.astype(np.int32), ones)
        return HeldOut(sequences.take(user), relevant, context(events.context)[kept])
    distinct, row = np.unique(user, return_inverse=True)
    relevant = Histories.group(row, item, np.ones(len(item)), None, len(distinct))
    return HeldOut(sequences.take(distinct), relevant)


def numbers_of_new_events(before: Histories, data: Interactions) -> NDArray[np.int64]:
    """For each event of both, in the order of the histories, its number among the new ones, or -1 for an old one."""
    old, new = before.with_rows(data.n_users), data.histories
    numbers = replace(new, items=np.arange(len(new.items), dtype=np.int32))
    joined = replace(old, items=np.full(len(old.items), -1, np.int32)).followed_by(numbers)
    return joined.items.astype(np.int64)
