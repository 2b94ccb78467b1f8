"""The smallest part of a history without which an item would not be recommended."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skrec.interactions import Histories, RecommenderView, check_k, read_items
from skrec.utils import unwrap_recommender

_MOST_ITEMS = 100
"""Items of a history that are tried, the latest ones: pairs of them are 4,950 histories."""


@dataclass(frozen=True)
class Counterfactual:
    """What :func:`counterfactual` found.

    Attributes
    ----------
    user, item : id
    removed : list of ids
        Items of the history; without them, and them alone, the item is not in the list. Empty where ``found`` is False.
    found : bool
        Whether there is such a set among those that were tried.
    is_smallest : bool
        Whether no smaller set does it: sizes 1 and 2 are searched whole, larger sets step by step.
    rank : int
        Place of the item in the list of the whole history, from 1.
    k : int
        Length of the list.
    """

    user: Hashable
    item: Hashable
    removed: list[Any]
    found: bool
    is_smallest: bool
    rank: int
    k: int

    def __str__(self) -> str:
        if not self.found:
            return f"{self.item} stays in the first {self.k} whatever leaves the history, as far as was tried"
        return f"without {', '.join(map(str, self.removed))}, {self.item} would not be in the first {self.k}"


def counterfactual(
    recommender: BaseEstimator, user: Hashable, item: Hashable, *, k: int = 10, max_size: int = 5
) -> Counterfactual:
    """Find the smallest set of items of a history whose removal drops an item from the list.

    Each shorter history is that of a new user, who is folded in: nothing is fitted again, and what a fit without the
    events would give may differ. Items of the whole history are never recommended, also where they were removed.

    Parameters
    ----------
    recommender : recommender, or a Pipeline or search that ends in one
        Fitted, with ``seen_items``; its ``recommend`` takes ``history`` and ``candidates``. A context is not used.
    user : id
        A user of fit.
    item : id
        An item in the list of the user, when the user is folded in with the whole history.
    k : int, default=10
        Length of the list.
    max_size : int, default=5
        Largest set that is tried. All sets of one and two items are tried; larger ones grow from the pair that comes
        nearest, by the item that lowers the score most, and what proves needless at the end is put back.

    Returns
    -------
    Counterfactual
        Of a long history the latest 100 items are tried. Every set that is returned was tried itself.

    Raises
    ------
    KeyError
        If the item is unknown.
    ValueError
        If the user has no history, or the item is not in the list.

    References
    ----------
    Tran, Ghazimatin and Saha Roy, "Counterfactual Explanations for Neural Recommenders", SIGIR 2021, ask the same
    question.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.inspection import counterfactual
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 30], [3, 10], [3, 30], [4, 20], [4, 40], [5, 20], [5, 50]])
    >>> print(counterfactual(ItemKNNRecommender().fit(X), user=1, item=30, k=1))
    without 10, 30 would not be in the first 1
    """
    k, max_size = check_k(k), check_k(max_size, "max_size")
    model = unwrap_recommender(recommender)
    check_is_fitted(model)
    view = RecommenderView(model)
    histories = view.seen_items([user])
    if not histories.lengths[0]:
        raise ValueError(f"user {user!r} has no history, so that nothing can be removed from it.")
    item_ids, codes = read_items(cast(Any, [item]), view.item_index)
    trial = _Trials(view, histories, int(codes[0]), k)
    rank = trial.rank()
    if rank == 0:
        raise ValueError(
            f"item {item!r} is not in the first {k} of user {user!r} when the history is folded in; pass an item of "
            "recommend(history=...) for a new user with these events, or a greater k."
        )
    removed, is_smallest = _smallest(trial, min(max_size, len(trial.items)))
    ids = view.item_index.values[removed].tolist()
    return Counterfactual(user, item_ids.tolist()[0], ids, bool(removed), is_smallest, rank, k)


def _smallest(trial: _Trials, max_size: int) -> tuple[list[int], bool]:
    """The items to remove, none where nothing was found; and whether no smaller set would do."""
    items = trial.items.tolist()
    best: list[int] = []
    for size in range(1, min(max_size, 2) + 1):
        sets = [list(each) for each in combinations(items, size)]
        margins = trial.margins(sets)
        best = sets[int(np.argmin(margins))]
        if margins.min() < 0:
            return best, True
    while len(best) < max_size:
        sets = [[*best, other] for other in items if other not in best]
        margins = trial.margins(sets)
        best = sets[int(np.argmin(margins))]
        if margins.min() < 0:
            return _without_needless(trial, best), False
    return [], False


def _without_needless(trial: _Trials, removed: list[int]) -> list[int]:
    """The set without the items that need not leave."""
    for item in list(removed):
        fewer = [other for other in removed if other != item]
        if fewer and trial.margins([fewer])[0] < 0:
            removed = fewer
    return removed


class _Trials:
    """Lists for one user with parts of the history."""

    def __init__(self, view: RecommenderView, histories: Histories, item: int, k: int) -> None:
        self._view, self._histories, self._item, self._k = view, histories, item, k
        latest = histories.items[::-1]
        first = np.sort(np.unique(latest, return_index=True)[1])
        self.items = latest[first[:_MOST_ITEMS]]
        """Distinct items of the history, the latest first."""
        eligible = np.ones(len(view.item_index), bool)
        eligible[histories.items] = False
        self._candidates = view.item_index.values[eligible].tolist()

    def rank(self) -> int:
        """Place of the item with the whole history, from 1; 0 where it is not in the list."""
        codes, _ = self._lists(self._histories, self._k)
        return int(np.flatnonzero(codes[0] == self._item)[0]) + 1 if self._item in codes[0] else 0

    def margins(self, removed: list[list[int]]) -> NDArray[np.float64]:
        """How far the item is above the first that is not in the list; below 0 where the item itself is not.

        Parameters
        ----------
        removed : list of lists of codes
            What leaves the history, one list per trial.
        """
        rest = self._histories.take(np.zeros(len(removed), np.int64))
        gone = np.zeros((len(removed), len(self._view.item_index)), bool)
        for row, items in enumerate(removed):
            gone[row, items] = True
        codes, scores = self._lists(rest.where(~gone[rest.row_of_event(), rest.items]), self._k + 1)
        inside = codes[:, : self._k] == self._item
        own = np.where(inside, scores[:, : self._k], -np.inf).max(axis=1)
        # Where there is no further item, nothing can push this one out.
        next_one = scores[:, self._k] if scores.shape[1] > self._k else np.full(len(removed), -np.inf)
        span = np.where(np.isfinite(next_one), own - next_one, np.finfo(float).max)
        return np.where(inside.any(axis=1), span, -1.0)

    def _lists(self, histories: Histories, k: int) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
        return self._view.rank_histories(histories, k, self._candidates)
