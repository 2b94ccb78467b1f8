"""``explain``: the evidence for an item, by the model's own scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skrec._explain._explanations import Evidence, Explanations
from skrec._explain._item_texts import ItemTexts
from skrec._explain._leave_one_out import history_evidence, popularity_of, score_drops, strongest_reasons
from skrec._explain._templates import write_reasons
from skrec.interactions import (
    Column,
    FeatureMatrix,
    FeatureSource,
    Histories,
    History,
    Ids,
    Queries,
    Recommendations,
    Table,
    as_column,
    check_k,
    explained_pairs,
    read_items,
)
from skrec.utils import on_snapshot

_PAIRS_A_BLOCK = 512


class ExplainMixin:
    """``explain`` for every recommender. A model may say better than the base

    - ``_contributions(queries, items)``: contribution of each event to the score of one item per query;
    - ``_context_contributions(queries, items)``: the same for each column of the context;
    - ``_other_evidence(queries, row, item)``: the reason for an item where neither gives one.
    """

    item_texts_: ItemTexts | None = None
    _uses_history: bool = True

    @on_snapshot
    def explain(
        self: Any,
        users: Ids | Recommendations,
        items: Ids | None = None,
        *,
        context: Table | None = None,
        history: History | None = None,
        n_evidence: int = 3,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Explanations:
        """Say why items are, or would be, recommended to users.

        Users and items pair up, the first with the first and so on.

        Parameters
        ----------
        users : array-like of n ids, or Recommendations
            Recommendations stand for both users and items. A single id stands for all items. An
            unknown user gets the reasons of the cold start.
        items : array-like of n ids
            A single one stands for all users.
        context : array-like of shape (n, n_context) or (1, n_context), default=None
            As in :meth:`recommend`.
        history : events ``[user, item, ...]`` or pair (events, y), default=None
            Events that were not in fit, as in :meth:`recommend`.
        n_evidence : int, default=3
            Maximum number of reasons per pair. Those weaker than a tenth of the strongest are dropped.
        user_features : frame, pair (ids, matrix) or array-like of shape (n, n_features), default=None
            As in :meth:`recommend`.

        Returns
        -------
        Explanations
            ``text``, and in ``evidence`` the reasons: items of the history with what they add to the score
            and, where the texts of the items are known, the words that both share; columns of the context;
            else features of the user, or popularity.

        Raises
        ------
        KeyError
            If an item is unknown.
        ValueError
            If users and items have different lengths.
        """
        check_is_fitted(self)
        users, items, context = explained_pairs(users, items, context)
        n_evidence = check_k(n_evidence, "n_evidence")
        users, items = paired(users, items)
        item_ids, codes = read_items(items, self._item_index)
        user_ids, queries = self._read_queries(users, context, history, user_features)
        evidence = []
        for start in range(0, len(codes), _PAIRS_A_BLOCK):
            stop = min(start + _PAIRS_A_BLOCK, len(codes))
            evidence += find_evidence(self, queries.block(start, stop), codes[start:stop], n_evidence)
        explicit = self._feedback == "explicit"
        text = [write_reasons(reasons, explicit=explicit) for reasons in evidence]
        method = ["template"] * len(text)
        return Explanations(user_ids, item_ids, text, evidence, method, backend=self._frame_backend)

    def _contributions(self: Any, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.floating]:
        """What each event of a query's history adds to the score of one item a query.

        Here the fall of the score when all events of the same item are removed, shared by their strength.

        Parameters
        ----------
        queries : Queries
        items : int64 array of shape (n_queries,)
            One item code a query.

        Returns
        -------
        array of shape (n_events,)
            In the order of ``queries.histories.items``.
        """
        return left_out(self, queries, items)

    def _context_contributions(
        self: Any, queries: Queries, items: NDArray[np.int64]
    ) -> tuple[NDArray[np.floating], list[str | None]] | None:
        """What each column of the context adds to the score, against its mean, and the names of the columns."""
        if self._context is None or queries.context is None:
            return None
        mean, names = self._context.mean, self._context.names
        given = np.flatnonzero((queries.context != mean).any(axis=0))
        rows = np.arange(len(queries))
        added = np.zeros((len(queries), len(mean)))
        if len(given):
            scores = self._score_pairs(queries, rows, items)
        for column in given:
            context = np.array(queries.context)
            context[:, column] = mean[column]
            added[:, column] = scores - self._score_pairs(replace(queries, context=context), rows, items)
        return added, names if names is not None else [None] * len(mean)

    def _other_evidence(self: Any, queries: Queries, row: int, item: int) -> Evidence:
        """The reason where no event of the user supports an item."""
        is_given = queries.features is not None and queries.features.is_given[row]
        if self._user_side.n_features is not None and (is_given or queries.users[row] >= 0):
            one = queries.block(row, row + 1)
            if not one.histories.lengths[0] and not self._is_cold(one)[0]:
                return Evidence("features", float(self._score_pairs(one, np.array([0]), np.array([item]))[0]))
        return popularity_of(self.popularity_, item)


def paired(users: Any, items: Any) -> tuple[Column, Column]:
    """Users and items of equal number; a single one is repeated.

    Raises
    ------
    ValueError
        If their numbers differ, or one is no list.
    """
    users, items = as_column(users, "users"), as_column(items, "items")
    n = max(len(users), len(items)) if len(users) and len(items) else 0
    if not {len(users), len(items)} <= {1, n}:
        raise ValueError(
            f"users and items pair up, and there are {len(users)} users and {len(items)} items; pass as many of both, "
            "or one user for all items. The lists of recommend: np.repeat(found.users, k) and found.items.ravel()."
        )
    return _repeated(users, n), _repeated(items, n)


def _repeated(column: Column, n: int) -> Column:
    if len(column) == n:
        return column
    values = column.to_numpy() if isinstance(column, nw.Series) else column
    return np.repeat(values, n)


def find_evidence(rec: Any, queries: Queries, items: NDArray[np.int64], n_evidence: int) -> list[list[Evidence]]:
    """The strongest reasons for one item a query."""
    histories, cold = queries.histories, rec._is_cold(queries) | (not rec._uses_history)
    added = np.asarray(rec._contributions(queries, items) if not cold.all() else np.zeros(len(histories.items)))
    in_context = rec._context_contributions(queries, items)
    found = []
    for row, item in enumerate(items.tolist()):
        reasons = []
        if not cold[row]:
            events = slice(histories.indptr[row], histories.indptr[row + 1])
            of_row = histories.items[events], added[events]
            reasons = history_evidence(*of_row, item, n_evidence, rec._item_index, rec.item_texts_)
        if in_context is not None:
            weights, names = in_context
            reasons += [
                Evidence("context", weight, name=name)
                for weight, name in zip(weights[row].tolist(), names, strict=True)
                if weight > 0
            ]
        kept = strongest_reasons(reasons, n_evidence)
        if not kept:
            has_history = rec._uses_history and bool(histories.lengths[row])
            kept = [replace(rec._other_evidence(queries, row, item), despite_history=has_history)]
        found.append(kept)
    return found


def left_out(rec: Any, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
    """Decrease of the score of one item per query when an item leaves the history, by event."""

    def score(rows: NDArray[np.int64], histories: Histories) -> NDArray:
        some = replace(queries.take(rows), histories=histories)
        return rec._score_pairs(some, np.arange(len(rows)), items[rows])

    return score_drops(queries.histories, len(rec._item_index), score)
