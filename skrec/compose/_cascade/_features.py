"""The features of pairs, as a matrix of named columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.compose._cascade._columns import SideColumns
from skrec.compose._cascade._item_log import ItemLog
from skrec.compose._cascade._pairs import Pairs, Requests
from skrec.compose._part_lists import PartLists
from skrec.interactions import Histories, IdIndex
from skrec.utils import row_dots, unit_rows

_RRF_CONSTANT = 60
_LAST_EVENTS = 20
"""Items of a user that a candidate is compared with."""
_MOST_PAIRS = 50_000
"""Pairs whose vectors are multiplied at once."""


@dataclass
class PairFeatures:
    """Makes the features of pairs.

    Attributes
    ----------
    parts : sequence of (name, fitted recommender)
    item_index : IdIndex
        The united catalogue.
    log : ItemLog
    item_names : list of str
        Of the columns of ``item_values``.
    item_values : float32 array of shape (n_items, n_columns)
    user_columns : SideColumns or None
    context_names : list of str
    n_ranked : int
        Length of the lists in which a rank counts.
    with_repeats : bool
        Whether users come back to items.
    """

    parts: Sequence[tuple[str, Any]]
    item_index: IdIndex
    log: ItemLog
    item_names: list[str]
    item_values: NDArray[np.float32]
    user_columns: SideColumns | None
    context_names: list[str]
    n_ranked: int
    with_repeats: bool

    def table(
        self, requests: Requests, pairs: Pairs, found: PartLists, scores: dict[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """One column of shape (n_pairs,) per feature; NaN where a value is missing.

        Parameters
        ----------
        requests : Requests
        pairs : Pairs
        found : PartLists
            The lists of the queries. A part that failed is not among them, and its columns are NaN.
        scores : dict
            Of each pair by name of the part.
        """
        table = self._retrieval(pairs, found, scores)
        for name, part in self.parts:
            if hasattr(part, "item_vectors"):
                table |= self._similarity(name, part, requests.histories, pairs)
        table |= self._log_columns(requests, pairs)
        if len(self.item_names):
            values = np.where(pairs.items[:, None] >= 0, self.item_values[pairs.items], np.nan)
            table |= dict(zip(self.item_names, values.T, strict=True))
        if self.user_columns is not None:
            values = self.user_columns.of(requests.users)[pairs.queries]
            table |= dict(zip(self.user_columns.names, values.T, strict=True))
        return table | dict(zip(self.context_names, requests.context[pairs.queries].T, strict=True))

    def _retrieval(self, pairs: Pairs, found: PartLists, scores: dict[str, NDArray]) -> dict[str, NDArray[np.float32]]:
        """Ranks, scores, and in how many lists a pair is."""
        table: dict[str, NDArray[np.float32]] = {}
        n_lists, reciprocal = np.zeros(len(pairs), np.float32), np.zeros(len(pairs), np.float32)
        lists_of_part = dict(found)
        for name, _ in self.parts:
            rank = score = scaled = np.full(len(pairs), np.nan, np.float32)
            retrieved = np.zeros(len(pairs), np.float32)
            if name in lists_of_part:
                lists = lists_of_part[name]
                place = pairs.places_in(lists)
                is_ranked = (place >= 0) & (place < self.n_ranked)
                rank = np.where(is_ranked, place + 1, np.nan).astype(np.float32)
                retrieved = is_ranked.astype(np.float32)
                score = scores[name]
                scaled = _scaled(score, lists.scores[:, : self.n_ranked], pairs.queries)
            table |= {f"{name}_rank": rank, f"{name}_retrieved": retrieved}
            table |= {f"{name}_score": score, f"{name}_scaled_score": scaled}
            n_lists += retrieved
            reciprocal += np.nan_to_num(1 / (_RRF_CONSTANT + rank)) * retrieved
        return table | {"n_retrieved": n_lists, "reciprocal_ranks": reciprocal}

    def _log_columns(self, requests: Requests, pairs: Pairs) -> dict[str, NDArray[np.float32]]:
        """What the events of the item and of the user say."""
        known = pairs.items >= 0
        before = None if requests.before is None else requests.before[pairs.queries]
        table = self.log.columns(np.where(known, pairs.items, 0), before)
        table = {name: np.where(known, column, np.nan).astype(np.float32) for name, column in table.items()}
        events = requests.histories
        rows = events.row_of_event()
        when = None if requests.before is None else requests.before[rows]
        popularity = np.bincount(rows, self.log.columns(events.items, when)["item_popularity"], len(requests))
        with np.errstate(invalid="ignore"):
            mean = (popularity / np.where(events.lengths > 0, events.lengths, np.nan)).astype(np.float32)
        table["user_n_events"] = np.log1p(events.lengths).astype(np.float32)[pairs.queries]
        table["user_popularity"] = mean[pairs.queries]
        table["popularity_gap"] = table["item_popularity"] - table["user_popularity"]
        if self.with_repeats:
            table["user_item_events"] = pairs.events_in(events)
        return table

    def _similarity(self, name: str, part: Any, events: Histories, pairs: Pairs) -> dict[str, NDArray[np.float32]]:
        """Cosine of an item with the mean of the user's last items, and with the last one."""
        last = events.where(events.steps_back() < _LAST_EVENTS)
        used, inverse = np.unique(np.concatenate([pairs.items, last.items]), return_inverse=True)
        at = self._codes_in(part, used)
        vectors = part.item_vectors()
        rows = unit_rows(vectors[np.maximum(at, 0)])
        known = sp.diags_array((at >= 0).astype(np.float32), format="csr")
        rows = known @ rows  # unknown items are rows of zeros
        item, event = inverse[: len(pairs)], inverse[len(pairs) :]
        shape = (len(last), len(used))
        ones = np.ones(len(event), np.float32)
        profiles = unit_rows(sp.csr_array((ones, event.astype(np.int64), last.indptr), shape=shape) @ rows)
        is_any = last.lengths > 0
        newest = np.zeros(len(last), np.int64)
        newest[is_any] = event[last.indptr[1:][is_any] - 1]
        mean, latest = (np.empty(len(pairs), np.float32) for _ in range(2))
        for start in range(0, len(pairs), _MOST_PAIRS):
            block = slice(start, start + _MOST_PAIRS)
            of_item, query = rows[item[block]], pairs.queries[block]
            mean[block] = row_dots(profiles[query], of_item)
            latest[block] = row_dots(rows[newest[query]], of_item)
        has_history = is_any[pairs.queries] & (at[item] >= 0)
        return {
            f"{name}_similarity": np.where(has_history, mean, np.nan).astype(np.float32),
            f"{name}_last_similarity": np.where(has_history, latest, np.nan).astype(np.float32),
        }

    def _codes_in(self, part: Any, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of items in the catalogue of a part; -1 where it lacks one."""
        ids = np.asarray(part.items_)
        if self.item_index.has_values(ids):
            return items
        known = np.flatnonzero(items >= 0)
        codes = np.full(len(items), -1, np.int64)
        if len(known):
            codes[known] = IdIndex(ids).codes(self.item_index.values[items[known]], "items", check_kind=False)
        return codes


def _scaled(score: NDArray, scores: NDArray, queries: NDArray) -> NDArray[np.float32]:
    """Scores as a share of the way from the last of a list (0) to its first (1)."""
    is_there = np.isfinite(scores)
    top = np.where(is_there, scores, -np.inf).max(axis=1, initial=-np.inf)
    bottom = np.where(is_there, scores, np.inf).min(axis=1, initial=np.inf)
    width = np.where(np.isfinite(top) & (top > bottom), top - bottom, np.nan)
    return ((score - bottom[queries]) / width[queries]).astype(np.float32)
