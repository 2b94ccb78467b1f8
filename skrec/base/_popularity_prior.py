"""The weight of an item's popularity in its score, chosen on held-out events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import Histories
from skrec.utils import Matrix, check_number

_MAX_EVENTS, _MIN_EVENTS, _CELLS = 1000, 200, 1 << 24
_ROUNDS = 5
_FEWEST_EVENTS = 30  # with fewer, a choice would be chance
_MANY_REPEATS = 1 / 3
_BLOCK = 32
# In units of the typical score over the typical popularity. The last one stands for popularity alone.
_WEIGHTS = np.concatenate([[0], 2.0 ** np.arange(-8, 7), [2.0**10]])


@dataclass(frozen=True)
class HeldOutEvents:
    """Some events of a log, and the other events of their users.

    Attributes
    ----------
    rows : int64 array of shape (n,)
        User codes; a user may have several events.
    items, y : arrays of shape (n,)
        The held-out events.
    lengths : int64 array of shape (n,)
        All events of the user.
    histories : Histories of n rows
        The earlier events of the user, or all others.
    places : int64 array of shape (n,)
        How many events of the user are earlier.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    lengths: NDArray[np.int64]
    histories: Histories
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, at: NDArray[np.int64]) -> HeldOutEvents:
        """The given rows."""
        histories = self.histories.take(at)
        return HeldOutEvents(self.rows[at], self.items[at], self.y[at], self.lengths[at], histories, self.places[at])

    def steps(self) -> NDArray[np.int64]:
        """How many steps each event of the histories is before the held-out one, or, negative, after it."""
        place = np.arange(len(self.histories.items)) - np.repeat(self.histories.indptr[:-1], self.histories.lengths)
        back = np.repeat(self.places, self.histories.lengths) - place
        return np.where(back > 0, back, back - 1)

    def is_edge(self, graph: Matrix) -> NDArray[np.bool_]:
        """Which events of the histories reach the held-out item in an item graph; only these count in its score."""
        if not sp.issparse(graph):
            return np.ones(len(self.histories.items), dtype=bool)
        return graph[self.histories.items, self.items[self.histories.row_of_event()]] != 0

    @property
    def is_repeat(self) -> NDArray[np.bool_]:
        """Whether the history has the held-out item too."""
        return np.bincount(self.histories.row_of_event()[self.is_same], minlength=len(self)) > 0

    @property
    def is_same(self) -> NDArray[np.bool_]:
        """Which events of the histories are of the held-out item."""
        return self.histories.items == self.items[self.histories.row_of_event()]

    @classmethod
    def sample(cls, histories: Histories, n_items: int, *, by_time: bool) -> HeldOutEvents:
        """Up to 1,000 events, fewer in a large catalogue; at most 5 per user.

        Which ones follows from the events alone, and not from the order of users or of items.
        """
        known = histories if (histories.y > 0).all() else histories.where(histories.y > 0)
        counts = known.item_totals(n_items, count=True).astype(np.int64)
        users = np.flatnonzero(known.lengths >= 2)
        wanted = min(_MAX_EVENTS, max(_MIN_EVENTS, _CELLS // max(1, n_items)))
        if len(users) > wanted:
            users = users[np.argsort(known.lengths[users], kind="stable")]
            users = users[np.linspace(0, len(users) - 1, wanted).round().astype(np.int64)]
        parts = known.take(users)
        if not len(users):
            none = np.zeros(0, np.int64)
            return cls(none, none, np.zeros(0, np.float32), none, parts, none)
        start = np.add.reduceat(counts[parts.items], parts.indptr[:-1]) % parts.lengths
        rows, places = [], []
        for number in range(min(_ROUNDS, max(1, wanted // len(users)))):
            some = np.flatnonzero(parts.lengths >= number + 2)
            rows.append(some)
            lengths = parts.lengths[some]
            places.append(lengths - 1 - number if by_time else (start[some] + number) % lengths)
        return cls._of(parts, users, np.concatenate(rows), np.concatenate(places), by_time)

    @classmethod
    def _of(
        cls, parts: Histories, users: NDArray, rows: NDArray[np.int64], places: NDArray[np.int64], by_time: bool
    ) -> HeldOutEvents:
        at = parts.indptr[rows] + places
        whole = parts.take(rows)
        place = np.arange(len(whole.items)) - np.repeat(whole.indptr[:-1], whole.lengths)
        held = np.repeat(places, whole.lengths)
        others = whole.where(place < held if by_time else place != held)
        events = cls(users[rows], parts.items[at].astype(np.int64), parts.y[at], whole.lengths, others, places)
        is_repeat = events.is_repeat
        # Where users choose the same items again and again, these are ranked as well.
        return events if is_repeat.mean() > _MANY_REPEATS else events.take(np.flatnonzero(~is_repeat))


def best_weight(
    score: Callable[[HeldOutEvents], NDArray[np.float32]],
    events: HeldOutEvents,
    popularity: NDArray[np.float32],
    n_jobs: int | None,
) -> float:
    """The weight of popularity by which held-out events rank highest.

    Popularity (nearly) alone where no weight is better than it by a standard error; else 0 where 0 is so, and no
    other weight is better by two standard errors.

    Parameters
    ----------
    score : callable (HeldOutEvents) -> float32 array of shape (n, n_items)
        Scores without the held-out events, without popularity. Overwritten.
    events : HeldOutEvents
    popularity : float32 array of shape (n_items,)
        Sums of y.
    n_jobs : int or None
    """
    from skrec._kernels.held_out_ranks import held_out_ranks
    from skrec._kernels.threads import run_blocks

    if len(events) < _FEWEST_EVENTS:
        return 0.0
    total = popularity.sum(dtype=np.float64)
    prior = (popularity / total).astype(np.float32)
    own = np.maximum(prior[events.items] - events.y / total, 0).astype(np.float32)
    typical = np.linspace(0, len(events) - 1, _BLOCK).round().astype(np.int64)
    size = np.sqrt(np.square(score(events.take(typical)), dtype=np.float64).mean())
    if not size > 0 or not np.isfinite(size):
        return 0.0
    # A power of two, which depends little on the rows that it was found on.
    weights = _WEIGHTS * 2.0 ** np.round(np.log2(size / np.sqrt(np.square(prior, dtype=np.float64).mean())))
    ranks, is_repeat = np.empty((len(events), len(weights))), events.is_repeat

    def rank_rows(start: int, stop: int) -> None:
        part = events.take(np.arange(start, stop))
        scores, row = score(part), part.histories.row_of_event()
        hidden = ~is_repeat[start:stop][row]
        scores[row[hidden], part.histories.items[hidden]] = -np.inf
        held_out_ranks(scores, prior, part.items, own[start:stop], weights.astype(np.float32), ranks[start:stop])

    run_blocks(rank_rows, len(events), _BLOCK, n_jobs)
    return float(weights[_choice(1 / np.log2(2 + ranks))])


def may_be_as_good(gains: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
    """Whether the mean gain of the same held-out events is at most one standard error of the difference lower."""
    return not _is_better(best, gains, 1)


def _is_better(gains: NDArray[np.float64], other: NDArray[np.float64], n_errors: float) -> bool:
    """Whether the mean gain is higher by more than ``n_errors`` standard errors of the difference."""
    difference = gains - other
    return bool(difference.mean() > n_errors * difference.std() / np.sqrt(len(difference)))


def _choice(gains: NDArray[np.float64]) -> int:
    """A column: the one with the largest mean, if it is not by chance above the first one, or above the last one."""
    best, last = int(np.argmax(gains.mean(axis=0))), gains.shape[1] - 1
    none, alone = gains[:, 0], gains[:, last]
    if not _is_better(gains[:, best], none, 2) and not may_be_as_good(alone, none):
        return 0
    return last if may_be_as_good(alone, gains[:, best]) else best


class PopularityPriorMixin:
    """``popularity_prior``: a weight of the share of all events that an item has, added to its score.

    A model gives ``_leave_one_out_scores(events)`` and adds :meth:`_weighted_popularity` to its scores.
    """

    popularity_prior: Any = 0.0  # of a model that was saved before there was one
    popularity_prior_: float
    _n_weighed_events: int = 0

    def _check_state(self: Any) -> None:
        super()._check_state()  # type: ignore[misc]
        if "popularity_prior_" in self.__dict__:
            check_number(self.popularity_prior_, "popularity_prior_", 0)
            check_number(self._n_weighed_events, "_n_weighed_events", 0)

    def _leave_one_out_scores(self, events: HeldOutEvents) -> NDArray[np.float32]:
        """(n, n_items) scores for the histories of held-out events, as if the events had not been in fit."""
        raise NotImplementedError(f"{type(self).__name__} must define _leave_one_out_scores(events)")

    def _holds_out_latest(self: Any) -> bool:
        """Whether the weight is chosen on the latest event of each user, and not on one anywhere.

        A history of equal weights is made for events that lie anywhere: on the latest one it would look worse than
        popularity where it is not.
        """
        return self._use_time and self.recency_decay < 1

    def _weighted_popularity(self: Any, *, is_update: bool) -> NDArray[np.float32]:
        """Part of the score of each item, by a weight that is chosen in fit, and again when the events have doubled."""
        n_events = len(self._histories.items)
        if not isinstance(self.popularity_prior, str):
            self.popularity_prior_ = float(self.popularity_prior)
        elif not is_update or n_events >= 2 * self._n_weighed_events:
            self._n_weighed_events = n_events
            events = HeldOutEvents.sample(self._histories, len(self._item_index), by_time=self._holds_out_latest())
            self.popularity_prior_ = best_weight(self._leave_one_out_scores, events, self.popularity_, self.n_jobs)
        total = max(self.popularity_.sum(dtype=np.float64), np.finfo(np.float32).tiny)
        return (self.popularity_ * (self.popularity_prior_ / total)).astype(np.float32)
