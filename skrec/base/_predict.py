"""Scores of single (user, item) pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec._kernels.threads import block_rows
from skrec.interactions import ContextColumns, Histories, IdIndex, Queries, Table, read_events
from skrec.utils import on_snapshot

_EVENT_BLOCK = 1 << 14


class PredictMixin:
    """``predict``, from scores of pairs."""

    _user_index: IdIndex
    _item_index: IdIndex
    _histories: Histories
    _context: ContextColumns | None

    @on_snapshot
    def predict(self, X: Table) -> NDArray[np.float64]:
        """Score of each (user, item) row; finite for unknown users and items too.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            As in fit; ``timestamp`` is optional.

        Returns
        -------
        ndarray of shape (n_events,)
            Scores compare within a user (and a context). Seen items are scored like others.
        """
        check_is_fitted(self)
        events = read_events(X, estimator=self, reset=False)
        user_codes = self._user_index.codes(events.users, "user ids")
        items = self._item_index.codes(events.items, "item ids")
        if self._context is not None:
            return self._predict_in_context(user_codes, items, self._context.read_events(events.context))
        distinct, rows = np.unique(user_codes, return_inverse=True)
        queries = Queries(distinct, self._histories.take(distinct))
        return self._predict(queries, rows, items)

    def _predict_in_context(
        self, users: NDArray[np.int64], items: NDArray[np.int64], context: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Each event is a query of its own; blocks bound the copies of histories."""
        scores = np.empty(len(users))
        for start in range(0, len(users), _EVENT_BLOCK):
            at = slice(start, start + _EVENT_BLOCK)
            queries = Queries(users[at], self._histories.take(users[at]), context[at])
            scores[at] = self._predict(queries, np.arange(len(queries)), items[at])
        return scores

    def _unknown_item_scores(self, queries: Queries) -> NDArray[np.float64]:
        """One score per query for an item outside the catalogue."""
        return np.zeros(len(queries))

    def _predict(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
        predicted = self._unknown_item_scores(queries)[rows]
        known = items >= 0
        predicted[known] = self._score_pairs(queries, rows[known], items[known])
        return predicted

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        """Scores of (query, item) pairs, given by the number of the query and the code of the item."""
        return self._score_pairs_from_rows(queries, rows, items)

    def _score_pairs_from_rows(
        self: Any, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Scores of pairs, taken from rows of scores of whole blocks of queries."""
        from skrec._kernels.threads import run_blocks

        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(len(queries) + 1))
        scores = np.empty(len(rows))

        def score_block(start: int, stop: int) -> None:
            at = order[bounds[start] : bounds[stop]]
            columns, column = np.unique(items[at], return_inverse=True)
            if len(at):
                scores[at] = self._score_with_cold_start(queries.block(start, stop), columns)[rows[at] - start, column]

        run_blocks(score_block, len(queries), block_rows(len(self._item_index)), getattr(self, "n_jobs", None))
        return scores
