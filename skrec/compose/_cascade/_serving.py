"""Requests to a cascade: candidates, the features of pairs, and their scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.base import lists_follow_predict
from skrec.compose._cascade._columns import SideColumns, context_columns
from skrec.compose._cascade._features import PairFeatures
from skrec.compose._cascade._hook import hook_columns
from skrec.compose._cascade._item_log import ItemLog
from skrec.compose._cascade._pairs import Pairs, Requests
from skrec.compose._cascade._rankers import score_pairs
from skrec.compose._composite import CompositeRecommender
from skrec.compose._merge import best_of_pairs
from skrec.compose._part_lists import PartLists
from skrec.interactions import ContextColumns, Recommendations, check_rows, factorize, is_empty
from skrec.utils import installed_frame_library

_MOST_PAIRS = 200_000
"""Pairs whose features are made at once."""


class CascadeServing(CompositeRecommender):
    """What a cascade does once its parts are fitted: also that of a part of the events, in training."""

    n_candidates: int
    exclude_seen: bool
    ranker_: Any
    features_: Any
    _log: ItemLog
    _item_columns: SideColumns | None
    _user_columns: SideColumns | None
    _item_values: NDArray[np.float32]
    _context: ContextColumns | None
    _context_names: list[str]
    _fill: NDArray[np.float32] | None
    _backend: str | None

    # Candidates ----------------------------------------------------------------------------------------

    def _make_lists(self, users: NDArray, k: int, options: dict[str, Any]) -> Recommendations:
        n = min(max(k, self.n_candidates), len(self._item_index))
        found = self._retrieve(self._parts, users, n, options)
        ranked_by = found
        if not self._is_open(options):
            # A score does not depend on what else is eligible: ranks are those among all items.
            ranked_by = self._retrieve(self._parts, users, self._n_ranked, self._open(options))
        pairs = Pairs.united(found, len(self._item_index))
        scores = self._scores(self._requests(users, options), pairs, ranked_by, options)
        codes, best = best_of_pairs(pairs.queries, pairs.items, scores, len(users), k)
        return found.lists[0].with_lists(codes, best, report=found.report)

    @property
    def _n_ranked(self) -> int:
        return min(self.n_candidates, len(self._item_index))

    def _is_open(self, options: dict[str, Any]) -> bool:
        """Whether nothing but what the ranker was trained on limits the lists."""
        excluded = options.get("exclude")
        is_limited = options.get("candidates") is not None or not (excluded is None or is_empty(excluded))
        return not is_limited and options.get("exclude_seen", True) == self.exclude_seen

    def _open(self, options: dict[str, Any]) -> dict[str, Any]:
        return options | {"candidates": None, "exclude": None, "exclude_seen": self.exclude_seen}

    def _requests(self, users: NDArray, options: dict[str, Any], before: NDArray[np.float64] | None = None) -> Requests:
        """Users with their events before the target, and their context as numbers."""
        events = self.seen_items(users)
        if options.get("history") is not None:
            events = events.followed_by(self._read_history(options["history"]).by_query(users, "history"))
        if not self._log.has_clock:
            before = None
        if before is not None and events.timestamp is not None:
            events = events.where(events.timestamp < before[events.row_of_event()])
        context = np.zeros((len(users), 0), np.float32)
        if self._context is not None:
            given = options.get("context")
            given = None if given is None else context_columns(given, self._context_names)
            context = np.asarray(self._context.read_queries(given, len(users)))
        return Requests(users, events, context, before)

    # Features ------------------------------------------------------------------------------------------

    def _scores(
        self, requests: Requests, pairs: Pairs, found: PartLists, options: dict[str, Any]
    ) -> NDArray[np.float32]:
        """The score of each pair by the ranker, or by reciprocal ranks where there is none."""
        return self._map(requests, pairs, found, options, self._score_table).astype(np.float32)

    def _map(
        self,
        requests: Requests,
        pairs: Pairs,
        found: PartLists,
        options: dict[str, Any],
        function: Callable[[dict[str, NDArray[np.float32]]], NDArray],
    ) -> NDArray:
        """What a function makes of the features of pairs, in blocks."""
        of_part = self._part_scores(requests.users, pairs, found, options)
        out = np.empty(len(pairs))
        for block in _blocks(len(pairs)):
            scores = {name: column[block] for name, column in of_part.items()}
            out[block] = function(self._table(requests, pairs.take(block), found, scores))
        return out

    def _asked_pairs(
        self, users: NDArray, items: NDArray, context: Any, history: Any
    ) -> tuple[Requests, Pairs, NDArray[np.int64], PartLists, dict[str, Any]]:
        """Given pairs in the order of their queries, which rows they are, and the lists that rank them.

        A query is a user, or each pair where there is one row of context per pair.
        """
        options: dict[str, Any] = {"context": context, "history": history, "exclude_seen": self.exclude_seen}
        if context is not None:
            check_rows(context, len(users))
        if context is None or np.shape(context)[0] == 1:
            ids, query = factorize(users, "user ids")
        else:
            ids, query = users, np.arange(len(users))
        order = np.argsort(query, kind="stable")
        codes = self._item_index.codes(items, "item ids")[order]
        pairs = Pairs(query[order], codes, len(ids), len(self._item_index))
        found = self._retrieve(self._parts, ids, self._n_ranked, options)
        return self._requests(ids, options), pairs, order, found, options

    def _score_table(self, table: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        if self.ranker_ is None:
            return table["reciprocal_ranks"]
        return score_pairs(self.ranker_, self._matrix(table))

    def _matrix(self, table: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """The columns of fit as one matrix; missing values are filled for a ranker that takes none.

        A column may have gone since: an update without a ``timestamp`` takes those of time.
        """
        missing = np.full(len(next(iter(table.values()))), np.nan, np.float32)
        columns = [table.get(name, missing) for name in self.__dict__.get("feature_names_") or table]
        return self._filled(np.column_stack(columns).astype(np.float32, copy=False))

    def _filled(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values if self._fill is None else np.where(np.isfinite(values), values, self._fill)

    def _table(
        self, requests: Requests, pairs: Pairs, found: PartLists, scores: dict[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """The named columns of some pairs, those of the hook among them."""
        table = self._own_table(requests, pairs, found, scores)
        if self.features_ is None:
            return table
        return table | hook_columns(self.features_, self._frame(requests, pairs, table), len(pairs))

    def _own_table(
        self, requests: Requests, pairs: Pairs, found: PartLists, scores: dict[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """The named columns without those of the hook."""
        features = PairFeatures(
            parts=self._parts,
            item_index=self._item_index,
            log=self._log,
            item_names=[] if self._item_columns is None else self._item_columns.names,
            item_values=self._item_values,
            user_columns=self._user_columns,
            context_names=[f"context_{name}" for name in self._context_names],
            n_ranked=self._n_ranked,
            with_repeats=not self.exclude_seen,
        )
        return features.table(requests, pairs, found, scores)

    def _frame(self, requests: Requests, pairs: Pairs, table: dict[str, NDArray[np.float32]]) -> Any:
        """The features beside the ids, in the frame library of X."""
        items = self._item_index.decode(pairs.items.astype(np.int32)[:, None])[:, 0]
        return self._frame_of({"user": requests.users[pairs.queries], "item": items} | table)

    def _frame_of(self, table: dict[str, NDArray]) -> Any:
        columns = {name: v.tolist() if v.dtype.kind in "OUS" else v for name, v in table.items()}
        backend: Any = self._backend or installed_frame_library()
        return nw.from_dict(columns, backend=backend).to_native()

    def _part_scores(
        self, users: NDArray, pairs: Pairs, found: PartLists, options: dict[str, Any]
    ) -> dict[str, NDArray[np.float32]]:
        """The score of each pair by each part that answered, also of what is not in its list."""
        parts, scores = dict(self._parts), {}
        for name, lists in found:
            scores[name] = pairs.scores_in(lists)
            missing = np.isnan(scores[name]) & (pairs.items >= 0)
            if missing.any() and lists_follow_predict(parts[name]):
                at = np.flatnonzero(missing)
                scores[name][at] = self._asked_scores(name, parts[name], users, pairs.take(at), options)
        return scores

    def _asked_scores(
        self, name: str, part: Any, users: NDArray, pairs: Pairs, options: dict[str, Any]
    ) -> NDArray[np.float32]:
        """Scores of pairs by a list of exactly these items."""
        fitted = np.asarray(part.items_)
        known = np.ones(len(self._item_index), bool)
        if not self._item_index.has_values(fitted):
            known[:] = False
            known[self._item_index.codes(fitted, "items_ of a part")] = True
        asked = pairs.take(known[pairs.items])
        if not len(asked):
            return np.full(len(pairs), np.nan, np.float32)
        queries, sizes = np.unique(asked.queries, return_counts=True)
        candidates: list[NDArray] = [fitted[:1]] * len(users)  # each query needs an item
        ids = self._item_index.values[asked.items]
        for query, own in zip(queries.tolist(), np.split(ids, np.cumsum(sizes)[:-1]), strict=True):
            candidates[query] = own
        given = self._open(options) | {"candidates": candidates, "exclude_seen": False}
        try:
            found = PartLists.of([(name, part)], users, int(sizes.max()), self._item_index, **given)
        except Exception:  # a part that takes no candidates: its other scores stay missing values
            return np.full(len(pairs), np.nan, np.float32)
        return pairs.scores_in(found.lists[0])


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _MOST_PAIRS, n)) for start in range(0, n, _MOST_PAIRS)]
