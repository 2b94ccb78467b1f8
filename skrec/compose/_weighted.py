"""A composite that weighs its parts, and chooses the weights from held-out events."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import check_is_fitted

from skrec.compose._composite import CompositeRecommender
from skrec.compose._held_out_parts import refuse_leaks
from skrec.compose._part_lists import PartLists
from skrec.compose._united import knows_users
from skrec.compose._weights import (
    WeightSearch,
    best_weights,
    read_edges,
    read_weights,
    weight_table,
    weights_to_try,
)
from skrec.interactions import Table, as_whole, factorize, is_empty, read_events
from skrec.metrics import ranking_scorer
from skrec.model_selection import read_splits
from skrec.utils import RandomState, check_array, on_snapshot


class WeightedComposite(CompositeRecommender):
    """Parts with weights: one row for all users, or one for each segment of them.

    A subclass has the parameters below, and merges by ``_row_weights`` in ``_make_lists``.
    """

    recommenders: Sequence[tuple[str, Any]]
    method: str
    weights: Any
    by_segment: Any
    cv: Any
    n_iter: int
    random_state: Any
    _learned: NDArray[np.float64] | None
    _answers: _Answers

    # Weights -------------------------------------------------------------------------------------------

    def _check_composite(self) -> None:
        edges = read_edges(self.by_segment)
        read_weights(self.weights, len(self.recommenders), len(edges) + 1)

    @property
    def weights_(self) -> NDArray[np.float64]:
        """Weights in use, one row per segment."""
        check_is_fitted(self)
        n_segments = len(read_edges(self.by_segment)) + 1
        if self.method != "learned":
            return read_weights(self.weights, len(self._part_names), n_segments)
        if self._learned is None or len(self._learned) != n_segments:
            raise ValueError("method='learned' has no weights for these parameters yet; fit again.")
        return self._learned

    def _check_state(self) -> None:
        super()._check_state()
        if self.__dict__.get("_learned") is not None:
            check_array(self._learned, "_learned", (None, len(self._part_names)))

    def _fit_composite(self, X: Any, y: Any, **tables: Any) -> None:
        self._learned = None
        if self.method == "learned":
            self._learned = self._learned_weights(X, y, tables)

    def _learned_weights(self, X: Any, y: Any, tables: dict[str, Any]) -> NDArray[np.float64]:
        """The best weights of each segment on held-out events, for parts that were fitted to the others."""
        settings = self._settings(self.n_iter, self.random_state)
        found = []
        for train, test in read_splits(self.cv, X, y):
            X_train, X_test = _safe_indexing(X, train), _safe_indexing(X, test)
            y_train, y_test = (None if y is None else _safe_indexing(y, at) for at in (train, test))
            trial = clone(self).set_params(method="score", weights=None)
            given = {name: table for name, table in tables.items() if table is not None}
            trial.fit(X_train, y_train, **as_whole(given))
            refuse_leaks(trial.named_recommenders_, X_train, X_test)
            found.append(trial._scored(X_test, y_test, settings, ranking_scorer("ndcg@10")))
        of_segments = [np.concatenate(values, axis=1) for values in zip(*found, strict=True)]
        return np.stack([best_weights(settings, values) for values in of_segments])

    def _settings(self, n: int, random_state: RandomState) -> NDArray[np.float64]:
        return weights_to_try(len(self.recommenders), n, check_random_state(random_state))

    def _segments(self, users: Any, history: Any = None) -> NDArray[np.int64]:
        """The segment of each user, by events of fit and of ``history``."""
        edges = read_edges(self.by_segment)
        if not len(edges):
            return np.zeros(len(users), np.int64)
        counts = self.seen_items(users).lengths
        if history is not None and not is_empty(history):
            counts = counts + self._read_history(history).by_query(users, "history").lengths
        return np.searchsorted(edges, counts, side="right")

    @on_snapshot
    def search_weights(
        self,
        X: Table,
        y: ArrayLike | None = None,
        *,
        scoring: str | Callable[..., float] = "ndcg@10",
        n_iter: int = 20,
        random_state: RandomState = 0,
    ) -> WeightSearch:
        """Score settings of the weights on held-out events, from one ranking of each part.

        Each part alone, equal weights, and random weights between. The fusion itself is not changed:
        ``set_params(weights=found.weights)`` puts the best in use. Ranks are merged where ``method="rrf"``, else
        scores.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            Events that no part has seen.
        y : array-like of shape (n_events,), default=None
        scoring : str or callable, default="ndcg@10"
            A metric, or what :func:`~skrec.metrics.ranking_scorer` makes.
        n_iter : int, default=20
            Number of settings; at least each part alone and equal weights.
        random_state : int, RandomState instance or None, default=0

        Returns
        -------
        WeightSearch
            ``table``, the best ``weights``, and their ``score``. With ``by_segment``, those of each segment. The
            weights are equal where no other setting is better by two standard errors.
        """
        check_is_fitted(self)
        scorer: Callable[..., Any] = ranking_scorer(scoring) if isinstance(scoring, str) else scoring
        settings = self._settings(n_iter, random_state)
        found = self._scored(X, y, settings, scorer)
        best = np.stack([best_weights(settings, values) for values in found])
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of means of nothing
            means = np.stack([np.nanmean(values, axis=1) for values in found])
        chosen = np.array([mean[(settings == one).all(axis=1)][0] for mean, one in zip(means, best, strict=True)])
        n_queries, known = np.array([values.shape[1] for values in found]), np.isfinite(chosen)
        score = float(np.average(chosen[known], weights=n_queries[known])) if known.any() else float("nan")
        table = weight_table(self._part_names, settings, means)
        return WeightSearch(table, best if len(best) > 1 else best[0], score)

    def _scored(
        self, X: Any, y: Any, settings: NDArray[np.float64], scorer: Callable[..., Any]
    ) -> list[NDArray[np.float64]]:
        """For each segment values of shape (n_settings, n_queries), from one ranking of each part."""
        users, row_of_event = factorize(read_events(X).users, "user ids of X")
        segment = self._segments(users)[row_of_event]
        found = []
        for at in range(len(read_edges(self.by_segment)) + 1):
            rows = np.flatnonzero(segment == at)
            if not len(rows):
                found.append(np.zeros((len(settings), 0)))
                continue
            X_part, y_part = _safe_indexing(X, rows), None if y is None else _safe_indexing(y, rows)
            replay, values = self._replay(), []
            for one in settings:
                replay.weights = one.tolist()
                replay._answers.position = 0
                per_query = getattr(scorer, "per_query", lambda *given: [scorer(*given)])
                values.append(per_query(replay, X_part, y_part))
            found.append(np.asarray(values, dtype=np.float64))
        return found

    def _replay(self) -> Any:
        """The same parts and one segment, asked once for each call that follows; then rewound and weighed again."""
        replay = object.__new__(type(self))
        method = "rrf" if self.method == "rrf" else "score"
        replay.__dict__ = {**self.__dict__, "method": method, "by_segment": None, "_answers": _Answers()}
        return replay

    def _retrieve(self, parts: Sequence[tuple[str, Any]], users: NDArray, n: int, options: dict[str, Any]) -> PartLists:
        def ask() -> PartLists:
            return super(WeightedComposite, self)._retrieve(parts, users, n, options)

        answers: _Answers | None = self.__dict__.get("_answers")
        return ask() if answers is None else answers.next(ask)

    # Weights of a call ---------------------------------------------------------------------------------

    def _asked(self) -> list[tuple[str, Any]]:
        """The parts that have a weight anywhere; all of them where weights are tried."""
        if "_answers" in self.__dict__:
            return self._parts
        return [part for part, weight in zip(self._parts, self.weights_.max(axis=0), strict=True) if weight > 0]

    def _row_weights(self, names: list[str], users: NDArray, history: Any) -> NDArray[np.float64]:
        """Weights of shape (n_queries, n_lists) of the parts that answered, for each user."""
        columns = [self._part_names.index(name) for name in names]
        weights = self.weights_[self._segments(users, history)][:, columns]
        if not self._has_one_log:
            weights = weights * self._knows(columns, users, history)
        return np.where(weights.sum(axis=1, keepdims=True) > 0, weights, 1.0 / len(names))

    def _knows(self, columns: list[int], users: NDArray, history: Any) -> NDArray[np.bool_]:
        """Which users the parts know; all of them where none does, and for users with a history."""
        knows = np.stack([knows_users(self._parts[at][1], users) for at in columns], axis=1)
        knows[~knows.any(axis=1)] = True
        if history is not None and not is_empty(history):
            knows[self._read_history(history).by_query(users, "history").lengths > 0] = True
        return knows


class _Answers:
    """What the parts answered to one call after another, to be merged again by other weights."""

    def __init__(self) -> None:
        self.kept: list[PartLists] = []
        self.position = 0

    def next(self, ask: Callable[[], PartLists]) -> PartLists:
        """The answer to the next call, which is asked for the first time only."""
        if self.position == len(self.kept):
            self.kept.append(ask())
        self.position += 1
        return self.kept[self.position - 1]
