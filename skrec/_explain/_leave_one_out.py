"""Leave-one-out: what each event of a history adds to a score, by the score without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from skrec._explain._explanations import Evidence
from skrec._explain._item_texts import ItemTexts
from skrec.interactions import Histories, IdIndex, Recommendations, unknown_ids

_WEAK = 0.1
"""Share of the strongest reason below which others are dropped."""
_MOST_ITEMS = 200
_EVENTS_A_BLOCK = 1 << 18

Score: TypeAlias = Callable[[NDArray[np.int64], Histories], NDArray]
"""Scores of one item per row: from the numbers of the rows, and the histories to score them with."""


def score_drops(histories: Histories, n_items: int, score: Score) -> NDArray[np.float64]:
    """Decrease of the score when an item leaves the history, shared among the events of the item by strength.

    Of a long history the latest 200 items are tried. Where an item is the whole history, its part is the score
    itself, if that is positive.

    Parameters
    ----------
    histories : Histories of n_rows rows
    n_items : int
        Size of the catalogue.
    score : callable from rows and histories to scores
        For the item that each row is about.

    Returns
    -------
    array of shape (n_events,)
    """
    added = np.zeros(len(histories.items))
    rows = histories.row_of_event()
    pairs, of_event = np.unique(rows * np.int64(n_items) + histories.items, return_inverse=True)
    if not len(pairs):
        return added
    row, item, number = _latest(pairs // n_items, pairs % n_items, of_event)
    scores = score(np.arange(len(histories)), histories)
    drops = np.zeros(len(pairs))
    bounds = np.cumsum(histories.lengths[row])
    start = 0
    while start < len(row):
        before = bounds[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(bounds, before + _EVENTS_A_BLOCK)))
        at = slice(start, stop)
        rest = _without(histories.take(row[at]), item[at])
        without = score(row[at], rest)
        empty = rest.lengths == 0
        drops[number[at]] = np.where(empty, np.maximum(scores[row[at]], 0), scores[row[at]] - without)
        start = stop
    strength = np.maximum(histories.y.astype(np.float64), 1e-12)
    total = np.bincount(of_event, weights=strength, minlength=len(pairs))
    return drops[of_event] * strength / total[of_event]


def _latest(row: NDArray, item: NDArray, of_event: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Of each row the items with the latest events, with their numbers."""
    last = np.zeros(len(row), np.int64)
    np.maximum.at(last, of_event, np.arange(len(of_event)))
    order = np.lexsort((-last, row))
    starts = np.searchsorted(row[order], row[order], side="left")
    kept = np.sort(order[np.arange(len(order)) - starts < _MOST_ITEMS])
    return row[kept], item[kept], kept


def _without(histories: Histories, items: NDArray[np.int64]) -> Histories:
    """Histories without the events of one item per row."""
    return histories.where(histories.items != np.repeat(items, histories.lengths))


def history_evidence(
    chosen: NDArray, added: NDArray, item: int, n: int, catalogue: IdIndex, texts: ItemTexts | None
) -> list[Evidence]:
    """The ``n`` items of a history that raise the score most, without the explained item itself."""
    distinct, position = np.unique(chosen, return_inverse=True)
    totals = np.bincount(position, weights=added, minlength=len(distinct))
    totals[distinct == item] = 0
    strongest = np.argsort(-totals, kind="stable")[:n]
    return [
        Evidence(
            "history",
            float(totals[at]),
            item=catalogue.values[[distinct[at]]].tolist()[0],
            name=None if texts is None else texts.names[distinct[at]],
            keywords=() if texts is None else texts.shared_words(distinct[at], item),
        )
        for at in strongest
        if totals[at] > 0
    ]


def strongest_reasons(reasons: list[Evidence], n: int) -> list[Evidence]:
    """The ``n`` strongest reasons, without those far weaker than the first."""
    ordered = sorted(reasons, key=lambda reason: -reason.weight)
    return [reason for reason in ordered[:n] if reason.weight >= _WEAK * ordered[0].weight]


def popularity_of(popularity: NDArray, item: int) -> Evidence:
    """How often others chose an item."""
    rank = int((popularity > popularity[item]).sum()) + 1
    return Evidence("popularity", float(popularity[item]), rank=rank, n_items=len(popularity))


@dataclass(frozen=True)
class LeaveOneOut:
    """Evidence from any recommender by its ``recommend`` alone.

    A score is that of an unknown user with the given history, so the recommender must use ``history``.

    Attributes
    ----------
    recommender : fitted recommender
    catalogue : IdIndex
        Its items.
    popularity : array of shape (n_items,)
        The evidence where no event raises the score.
    """

    recommender: Any
    catalogue: IdIndex
    popularity: NDArray

    def evidence(
        self, histories: Histories, items: NDArray[np.int64], context: Any, n_evidence: int
    ) -> list[list[Evidence]]:
        """The strongest reasons for one item per history.

        Parameters
        ----------
        histories : Histories of n rows
        items : int64 array of shape (n,)
            Codes of the items to explain.
        context : table of n rows or of one row, or None
        n_evidence : int
        """

        def score(rows: NDArray[np.int64], remaining: Histories) -> NDArray[np.float64]:
            return self._scores(remaining, items[rows], _rows_of(context, rows))

        added = score_drops(histories, len(self.catalogue), score)
        found = []
        for row, item in enumerate(items.tolist()):
            at = slice(histories.indptr[row], histories.indptr[row + 1])
            reasons = history_evidence(histories.items[at], added[at], item, n_evidence, self.catalogue, None)
            other = replace(popularity_of(self.popularity, item), despite_history=bool(histories.lengths[row]))
            found.append(strongest_reasons(reasons, n_evidence) or [other])
        return found

    def _scores(self, histories: Histories, items: NDArray[np.int64], context: Any) -> NDArray[np.float64]:
        """Scores of one item per history; 0 for an item that the recommender does not return."""
        users = unknown_ids(np.asarray(self.recommender.users_), len(histories))
        events = np.empty((len(histories.items), 2), dtype=object)
        events[:, 0] = users[histories.row_of_event()].tolist()
        events[:, 1] = self.catalogue.values[histories.items].tolist()
        given: dict[str, Any] = {} if context is None else {"context": context}
        if len(events):
            # Plain events, where there is nothing else to say: a small recommender may read no pair (events, y).
            given["history"] = events if (histories.y == 1).all() else (events, histories.y)
        candidates = [[item] for item in self.catalogue.values[items].tolist()]
        found = self.recommender.recommend(users, 1, candidates=candidates, exclude_seen=False, **given)
        ranked = Recommendations.read(found, users, self.catalogue)
        return np.where(ranked.codes[:, 0] == items, ranked.scores[:, 0], 0.0).astype(np.float64)


def _rows_of(context: Any, rows: NDArray[np.int64]) -> Any:
    shared = context is None or getattr(context, "shape", (len(context),))[0] == 1
    return context if shared else _safe_indexing(context, rows)
