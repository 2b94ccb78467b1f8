"""From held-out events to a fitted ranker."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.compose._cascade._pairs import Pairs
from skrec.compose._cascade._targets import Targets, sample_pairs
from skrec.exceptions import TemporalLeakWarning
from skrec.interactions import IdIndex, RecommenderView
from skrec.utils import caller_level


@dataclass
class TrainingPairs:
    """Labelled pairs with their features.

    Attributes
    ----------
    names : list of str
    values : float32 array of shape (n_pairs, n_features)
    grades : float32 array of shape (n_pairs,)
    queries : int64 array of shape (n_pairs,)
        Ascending.
    late : bool array of shape (n_pairs,)
        Pairs that calibrate probabilities.
    """

    names: list[str]
    values: NDArray[np.float32]
    grades: NDArray[np.float32]
    queries: NDArray[np.int64]
    late: NDArray[np.bool_]

    @property
    def can_be_learnt(self) -> bool:
        """Whether there are pairs of both kinds."""
        return bool((self.grades > 0).any() and (self.grades <= 0).any())

    @classmethod
    def joined(cls, parts: list[TrainingPairs]) -> TrainingPairs:
        """The pairs of several splits."""
        first = np.cumsum([0, *(part.queries.max(initial=-1) + 1 for part in parts)])
        queries = np.concatenate([part.queries + start for part, start in zip(parts, first[:-1], strict=True)])
        values, grades, late = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "grades", "late")
        )
        return cls(parts[0].names, values, grades, queries, late)

    def where(self, kept: NDArray[np.bool_]) -> TrainingPairs:
        """Some of the pairs."""
        return TrainingPairs(self.names, self.values[kept], self.grades[kept], self.queries[kept], self.late[kept])


def unseen_by_frozen(targets: Targets, frozen: list[tuple[str, Any]], item_index: IdIndex) -> Targets:
    """Targets without those that a frozen part was fitted to: it would rank what it knows.

    Raises
    ------
    ValueError
        If none is left.

    Warns
    -----
    TemporalLeakWarning
    """
    left = targets
    for name, part in frozen:
        view = RecommenderView(part)
        seen = view.seen_items(targets.users)
        codes = item_index.codes(view.item_index.values, "items_ of a part")[seen.items]
        keys = seen.row_of_event() * len(item_index) + codes
        n_before = len(left.keys)
        left = left.without(keys[codes >= 0])
        n_seen = n_before - len(left.keys)
        if not len(left.keys) and n_seen:
            raise ValueError(
                f"The frozen retriever {name!r} was fitted to all events that the ranker is to learn from. Fit it to "
                "older events and pass those after them too, or pass it unfrozen."
            )
        if n_seen:
            warnings.warn(
                f"The frozen retriever {name!r} was fitted to {n_seen} of {n_before} held-out events; the ranker is "
                "trained on the others. Fit it to events before those that are held out, or pass it unfrozen.",
                TemporalLeakWarning,
                stacklevel=caller_level(),
            )
    return left


def chosen_queries(targets: Targets, n_items: int, most: int | None, random: np.random.RandomState) -> Targets:
    """At most so many queries with a target, at random."""
    queries = np.unique(targets.keys // n_items)
    if most is not None and len(queries) > most:
        queries = np.sort(random.choice(queries, most, replace=False))
    return targets.take(queries, n_items)


def later_queries(targets: Targets, share: float) -> NDArray[np.bool_]:
    """Which queries are the last in time, or in the rows of X."""
    when = targets.rows if targets.before is None else targets.before
    order = np.lexsort((targets.rows, when))
    is_late = np.zeros(len(targets), bool)
    is_late[order[len(order) - round(share * len(order)) :]] = True
    return is_late


def pairs_to_learn_from(
    pairs: Pairs, targets: Targets, is_late: NDArray[np.bool_], n_negatives: int | None, random: np.random.RandomState
) -> tuple[Pairs, NDArray[np.float32], NDArray[np.bool_]]:
    """Sampled pairs of early queries and all pairs of late ones, their grades, and which pairs are late."""
    grades = targets.grade_of(pairs)
    late = is_late[pairs.queries]
    is_sampled = np.zeros(len(pairs), bool)
    early = np.flatnonzero(~late)
    is_sampled[early[sample_pairs(pairs.take(early), grades[early], n_negatives, random)]] = True
    kept = np.flatnonzero(is_sampled | late)
    return pairs.take(kept), grades[kept], late[kept]
