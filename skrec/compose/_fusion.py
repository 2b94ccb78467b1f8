"""Fusion: one list from those of several recommenders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skrec._explain import Evidence, Explanations, paired, write_reasons
from skrec.compose._merge import merge_lists
from skrec.compose._part_lists import PartLists
from skrec.compose._score_scale import ScoreScale
from skrec.compose._shared_evidence import shared_evidence, with_names
from skrec.compose._weighted import WeightedComposite
from skrec.interactions import (
    IdIndex,
    Recommendations,
    Table,
    as_column,
    check_k,
    factorize,
    list_length,
    read_events,
)
from skrec.utils import RandomState, on_snapshot

_RRF_CONSTANT = 60
"""Of Cormack et al.: how much the first places stand out."""
_BLOCK = 1 << 14


class FusionRecommender(WeightedComposite):
    """Merge the lists of several recommenders, by ranks or by scores, with weights that are given or learned.

    An item gets a value from each list that holds it, times the weight of the part, and the sum orders the items.

    Parameters
    ----------
    recommenders : list of (name, recommender)
        ``fit`` fits a clone of each; a :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one.
    method : {"rrf", "score", "learned"}, default="rrf"
        "rrf": the value is ``1 / (60 + rank)`` (reciprocal rank fusion). "score": the score, on a scale on which the
        mean of the fifty best of the list is 1, and the last of its ``n_candidates`` items is 0; an item outside a list
        gets 0 from it. "learned": as "score", with weights that ``fit`` chooses on held-out events; equal ones
        where no others are better there by two standard errors.
    weights : sequence of float, default=None
        One non-negative weight per recommender, or with ``by_segment`` one such row per segment. None means
        equal weights. Only their ratios count. A part of weight 0 everywhere is not asked. Not used by "learned".
    by_segment : sequence of int, default=None
        Weights of their own for users with few and many events: ``[5, 20]`` makes three segments, of users with up to
        4, with 5 to 19, and with 20 events and more, ``history`` included.
    n_candidates : int, default=100
        Length of the lists that are merged, or ``k`` where that is more.
    cv : splitter, iterable of splits or int, default=None
        What "learned" holds out to choose weights: a splitter of :mod:`skrec.model_selection` or of scikit-learn. None
        takes the last event of each user that has several, else the last fifth of the events. Where the events to
        predict lie anywhere in time, pass a splitter that draws so, such as ``LeaveKOut``.
    n_iter : int, default=50
        Settings of the weights that "learned" tries.
    random_state : int, RandomState instance or None, default=0
        Draws these settings.

    Attributes
    ----------
    recommenders_ : list of recommender
        The fitted parts.
    named_recommenders_ : Bunch
        The same by name.
    weights_ : ndarray of shape (n_segments, n_parts)
        The weights in use, each row of sum 1. Given ones are read from the parameter: ``set_params(weights=...)`` of
        a fitted fusion takes effect at once.

    Notes
    -----
    A user whom a part does not know, since none of its events are of this user and the call brings no ``history``,
    gets nothing from this part where another part knows the user. This happens with parts that were fitted to
    different events.

    "learned" fits each part twice: to the events that are not held out, and then to all. A frozen part is not fitted
    again; if it has events that are held out, its weight would be learned from what it has seen, and ``fit`` refuses
    it. ``partial_fit`` keeps learned weights.

    ``predict`` with "score" and "learned" is the fused score itself, on the scale of the user's own lists, as
    ``recommend`` gives it by default; with ``exclude_seen=False``, ``candidates`` or ``exclude`` lists have scales of
    their own, so the tag ``lists_follow_predict`` is off. With "rrf" it is that of the first recommender: the rank of a
    pair is known only beside all others. Scores of ``recommend`` compare within a row.

    ``similar_items`` and ``search`` merge the lists of all parts that have the method in the same way; ``explain``
    merges the reasons of the parts that explain, each with its share of the fused score.

    References
    ----------
    G. V. Cormack, C. L. A. Clarke and S. Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
    learning methods", SIGIR 2009.

    Examples
    --------
    >>> from skrec.compose import FusionRecommender
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = [["ann", "tea"], ["ann", "rye"], ["bob", "tea"], ["bob", "oat"], ["eve", "rye"]]
    >>> rec = FusionRecommender([("popular", PopularRecommender()), ("knn", ItemKNNRecommender())]).fit(X)
    >>> rec.recommend(["eve"], k=2).items
    array([['tea', 'oat']], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "recommenders": [list, tuple],
        "method": [StrOptions({"rrf", "score", "learned"})],
        "weights": ["array-like", None],
        "by_segment": ["array-like", None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object", None],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        recommenders: Sequence[tuple[str, Any]],
        *,
        method: Literal["rrf", "score", "learned"] = "rrf",
        weights: Sequence[float] | Sequence[Sequence[float]] | None = None,
        by_segment: Sequence[int] | None = None,
        n_candidates: int = 100,
        cv: BaseCrossValidator | Iterable[Any] | int | None = None,
        n_iter: int = 50,
        random_state: RandomState = 0,
    ) -> None:
        self.recommenders = recommenders
        self.method = method
        self.weights = weights
        self.by_segment = by_segment
        self.n_candidates = n_candidates
        self.cv = cv
        self.n_iter = n_iter
        self.random_state = random_state

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.neighbors import ItemKNNRecommender

        def parts() -> list[tuple[str, Any]]:
            return [("popular", PopularRecommender()), ("knn", ItemKNNRecommender(n_neighbors=5))]

        return [
            cls(parts()),
            cls(parts(), method="score", by_segment=[3]),
            cls(parts(), method="learned", n_iter=4),
        ]

    # Merge ---------------------------------------------------------------------------------------------

    def _n_retrieved(self, k: int) -> int:
        return min(max(k, self.n_candidates), len(self._item_index))

    def _make_lists(self, users: NDArray, k: int, options: dict[str, Any]) -> Recommendations:
        found = self._retrieve(self._asked(), users, self._n_retrieved(k), options)
        codes, scores = self._merged(found, self._row_weights(found.names, users, options.get("history")), k)
        return found.lists[0].with_lists(codes, scores, report=found.report)

    def _merged(
        self, found: PartLists, weights: NDArray[np.float64], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Codes and scores of the merged lists. A list of weight 0 gives no items either."""
        codes, values = [], []
        for lists, weight in zip(found.lists, weights.T[:, :, None], strict=True):
            codes.append(np.where(weight > 0, lists.codes, np.int32(-1)))
            values.append(weight * self._values(lists))
        return merge_lists(codes, values, len(self._item_index), k)

    def _values(self, lists: Recommendations) -> NDArray[np.float64]:
        """What each place of the lists is worth."""
        if self.method == "rrf":
            return np.broadcast_to(1 / (_RRF_CONSTANT + 1 + np.arange(lists.codes.shape[1])), lists.codes.shape)
        return ScoreScale.of(lists.scores)(lists.scores)

    # Pairs ---------------------------------------------------------------------------------------------

    @on_snapshot
    def predict(self, X: Table) -> NDArray:
        """Score of each (user, item) row: the fused score, or with "rrf" that of the first part.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events,)
        """
        check_is_fitted(self)
        if self.method == "rrf":
            return super().predict(X)
        of_parts = {name: np.asarray(part.predict(X), dtype=np.float64) for name, part in self._asked()}
        events = read_events(X)
        if events.context is None:  # one list per user, else one per moment
            users, query = factorize(events.users, "user ids")
        else:
            users, query = np.asarray(as_column(events.users, "X")), np.arange(len(events))
        scores = np.zeros(len(query))
        for start in range(0, len(users), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(users)))
            context = None if events.context is None else _safe_indexing(events.context, block)
            found = self._retrieve(self._asked(), users[block], self._n_retrieved(1), {"context": context})
            rows = np.flatnonzero((query >= block[0]) & (query <= block[-1]))
            weights = self._row_weights(found.names, users[block], None)
            for (name, lists), weight in zip(found, weights.T, strict=True):
                scale = ScoreScale.of(lists.scores).of_rows(query[rows] - start)
                scores[rows] += weight[query[rows] - start] * scale(of_parts[name][rows, None])[:, 0]
        return scores

    # Lists of all parts, and their reasons -----------------------------------------------------------------

    def _related(self, method: str, queries: Any, k: int, candidates: Any) -> Recommendations:
        """Merged from the lists of the parts that have the method; of similar items, those that know all items."""
        able = self._parts_with(method)
        if method == "search":
            return self._fused(method, able, [queries] if isinstance(queries, str) else queries, k, candidates)
        ids = np.asarray(as_column(queries, "items"))
        knowing = [(name, part) for name, part in able if _knows_items(part, ids).all()]
        return self._fused(method, knowing or able[-1:], ids, k, candidates)

    def _parts_with(self, method: str) -> list[tuple[str, Any]]:
        """The parts with a weight that have a method, or all that have it where those with a weight do not."""
        able = [(name, part) for name, part in self._asked() if hasattr(part, method)]
        return able or [(name, part) for name, part in self._parts if hasattr(part, method)]

    def _fused(
        self, method: str, parts: list[tuple[str, Any]], queries: Any, k: int, candidates: Any
    ) -> Recommendations:
        """The merged lists of some parts for what are no users: the weights are the means over the segments."""
        k = list_length(k, len(self._item_index))
        n = self._n_retrieved(k)
        found = PartLists.of(parts, queries, n, self._item_index, method=method, candidates=candidates)
        weights = self.weights_.mean(axis=0)[[self._part_names.index(name) for name in found.names]]
        weights = weights if weights.sum() > 0 else np.full(len(weights), 1.0 / len(weights))
        codes, scores = self._merged(found, np.tile(weights, (len(found.lists[0]), 1)), k)
        return found.lists[0].with_lists(codes, scores, report=found.report)

    def _explain(self, users: Any, items: Any, options: dict[str, Any]) -> Explanations:
        """By the reasons of the parts that contribute to an item, each with its share of the fused score."""
        of_users, of_items = map(np.asarray, paired(users, items))
        n_evidence = check_k(options["n_evidence"], "n_evidence")
        about = {name: options[name] for name in ("context", "history", "user_features")}
        able = self._parts_with("explain")
        if len(able) == 1 or not len(of_items):
            return self._explained_by(able[0][1], of_users, of_items, options)
        shares = self._shares(of_users, of_items, able, about)
        reasons: list[list[Sequence[Evidence]]] = [[()] * len(able) for _ in of_items]
        for at, (_, part) in enumerate(able):
            rows = np.flatnonzero(shares[:, at] > 0)
            if len(rows):
                given = {**options, "context": _of_rows(options["context"], rows, len(of_items))}
                explained = self._explained_by(part, of_users[rows], of_items[rows], given)
                for row, evidence in zip(rows, explained.evidence, strict=True):
                    reasons[row][at] = evidence
        merged = [shared_evidence(*one, n_evidence) for one in zip(reasons, shares, strict=True)]
        merged = with_names(merged, [part for _, part in self._parts])
        texts = [write_reasons(one, explicit=self.feedback == "explicit") for one in merged]
        return explained.rewritten(texts, merged, ["template"] * len(of_items), (of_users, of_items))

    def _shares(
        self, users: NDArray, items: NDArray, able: list[tuple[str, Any]], about: dict[str, Any]
    ) -> NDArray[np.float64]:
        """What each part that explains contributes to each pair; rows sum to 1."""
        found = self._retrieve(self._asked(), users, self._n_retrieved(1), about)
        weights = self._row_weights(found.names, users, about["history"])
        codes, names = self._item_index.codes(items, "items"), [name for name, _ in able]
        shares = np.zeros((len(codes), len(able)))
        for (name, lists), weight in zip(found, weights.T, strict=True):
            if name in names:
                hit = (lists.codes == codes[:, None]) & (codes >= 0)[:, None]
                shares[:, names.index(name)] = weight * np.where(hit, self._values(lists), 0).sum(axis=1)
        knows = np.array([_knows_items(part, items) for _, part in able])
        first = np.where(knows.any(axis=0), knows.argmax(axis=0), len(able) - 1)
        total = shares.sum(axis=1, keepdims=True)
        return np.where(total > 0, shares / np.where(total > 0, total, 1), np.eye(len(able))[first])


def _knows_items(part: Any, items: NDArray) -> NDArray[np.bool_]:
    return IdIndex(np.asarray(part.items_)).codes(items, "items", check_kind=False) >= 0


def _of_rows(context: Any, rows: NDArray[np.int64], n_rows: int) -> Any:
    """The context of some of the pairs; one row is for all of them."""
    return context if context is None or np.shape(context)[0] != n_rows else _safe_indexing(context, rows)
