"""Reserved places: a list holds so many items of each group."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skrec.compose._item_data import ItemDataRecommender
from skrec.compose._query_options import QueryOptions
from skrec.compose._rules import FilterRule
from skrec.interactions import FeatureSource, Ids, Recommendations, as_column
from skrec.utils import Recommender

NEW = FilterRule("n_events", "<=", 5)
"""The group "new" where ``groups`` says nothing else."""


class ReservedPlacesReranker(ItemDataRecommender):
    """Reserve places of each list for groups of items, such as new ones.

    A list of the recommender is kept in its order. If it has fewer items of a group than are reserved, the best further
    items of the group take the places of the last items that no group needs. If the group has no more items that may
    be recommended to the user, the places go back.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is.
    reserved : dict, default={"new": 2}
        Places by name of the group: an int is a number of places in each list, a float a share of the list, rounded.
        Where they are more than the list is long, groups that come first are served first. An item counts for every
        group that it is in.
    groups : dict, default=None
        What the groups are, by name: a :class:`FilterRule` over columns of the items, or a list of item ids. "new" is
        ``FilterRule("n_events", "<=", 5)`` unless it is given.
    item_table : frame, pair (ids, matrix) or FeatureTable, default=None
        Columns of the items for the groups, before those of ``item_features``. A new table by ``set_params`` needs no
        fit.
    n_candidates : int, default=100
        Length of the lists in which items of the groups are looked for first. Where they do not suffice, the
        recommender is asked for items of the group alone.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.

    See Also
    --------
    RuleRecommender : Filters, caps and budgets.

    Notes
    -----
    Scores are those of the recommender, lowered where an item would stand behind a worse one. ``predict`` is that of
    the recommender. The ``report`` of the result has ``in_group``, the number of items of each group in all lists, and
    ``n_short``, the number of lists with fewer than are reserved.

    Examples
    --------
    >>> from skrec.compose import ReservedPlacesReranker
    >>> from skrec.dummy import PopularRecommender
    >>> X = [["ann", "tea"], ["bob", "tea"], ["eve", "tea"], ["ann", "rye"], ["bob", "rye"], ["eve", "oat"]]
    >>> rec = ReservedPlacesReranker(PopularRecommender(), {"rare": 1}, groups={"rare": ["oat"]}).fit(X)
    >>> rec.recommend(["new user"], k=2).items
    array([['tea', 'oat']], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "reserved": [Mapping, None],
        "groups": [Mapping, None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        recommender: Recommender,
        reserved: Mapping[str, int | float] | None = None,
        *,
        groups: Mapping[str, FilterRule | Ids] | None = None,
        item_table: FeatureSource | None = None,
        n_candidates: int = 100,
    ) -> None:
        self.recommender = recommender
        self.reserved = reserved
        self.groups = groups
        self.item_table = item_table
        self.n_candidates = n_candidates

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender

        return [cls(PopularRecommender())]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.lists_follow_predict = False
        return tags

    # Groups --------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        groups = self._groups()
        for name, places in self._reserved().items():
            if name not in groups:
                raise ValueError(f"reserved has places for {name!r}, and groups are {sorted(groups)}; say what it is.")
            if not isinstance(places, Real) or isinstance(places, bool) or places < 0:
                raise ValueError(f"reserved[{name!r}] must be a number of at least 0; got {places!r}.")
            if not isinstance(places, Integral) and places > 1:
                raise ValueError(f"reserved[{name!r}]={places!r} is a share, at most 1; pass an int for places.")
            rule = groups[name]
            if isinstance(rule, FilterRule) and not rule.is_of_items:
                raise ValueError(f"The group {name!r} uses a column of users or contexts; {rule.label!r} must not.")

    def _reserved(self) -> Mapping[str, int | float]:
        return {"new": 2} if self.reserved is None else self.reserved

    def _groups(self) -> Mapping[str, Any]:
        return {"new": NEW, **(self.groups or {})}

    def _members(self) -> dict[str, NDArray[np.bool_]]:
        """Which items each group has that has reserved places."""
        columns, groups, members = self._columns_of_items(), self._groups(), {}
        for name in self._reserved():
            rule = groups[name]
            if isinstance(rule, FilterRule):
                members[name] = columns.allowed(rule)
                continue
            codes = self._item_index.codes(as_column(rule, f"groups[{name!r}]"), f"groups[{name!r}]")
            members[name] = np.zeros(len(self._item_index), bool)
            members[name][codes[codes >= 0]] = True
        return members

    # Recommend -----------------------------------------------------------------------------------------

    def _make_lists(self, queries: QueryOptions, k: int) -> Recommendations:
        members = self._members()
        places = {
            name: min(int(n) if isinstance(n, Integral) else round(n * k), k) for name, n in self._reserved().items()
        }
        found = self._lists_of(queries, max(k, self.n_candidates))
        codes, scores = found.codes, found.scores
        goes_on = codes[:, -1] >= 0  # a list that has an end holds all that there is
        for name, n_places in places.items():
            codes, scores = self._with_more(queries, goes_on, codes, scores, members[name], n_places)
        chosen = _chosen(codes, list(members.values()), list(places.values()), k)
        order = np.argsort(~chosen, axis=1, kind="stable")[:, :k]
        codes, scores = np.take_along_axis(codes, order, axis=1), np.take_along_axis(scores, order, axis=1)
        is_chosen = np.take_along_axis(chosen, order, axis=1)
        codes = np.where(is_chosen, codes, -1).astype(np.int32)
        scores = np.minimum.accumulate(np.where(is_chosen, scores, -np.inf), axis=1).astype(np.float32)
        counts = {name: ((codes >= 0) & mask[codes]).sum(axis=1) for name, mask in members.items()}
        report = {
            "in_group": {name: int(n.sum()) for name, n in counts.items()},
            "n_short": {name: int((n < places[name]).sum()) for name, n in counts.items()},
            "recommender": found.report,
        }
        return found.with_lists(codes, scores, report=report)

    def _with_more(
        self,
        queries: QueryOptions,
        goes_on: NDArray[np.bool_],
        codes: NDArray[np.int32],
        scores: NDArray[np.float32],
        mask: NDArray[np.bool_],
        n_places: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The lists, with the best items of a group behind those that have too few of it."""
        rows = np.flatnonzero(goes_on & (((codes >= 0) & mask[codes]).sum(axis=1) < n_places))
        asked = queries.take(rows).among(mask)
        rows, asked = rows[asked.n_candidates() > 0], asked.take(np.flatnonzero(asked.n_candidates() > 0))
        if not len(rows) or not n_places:
            return codes, scores
        more = self._lists_of(asked, n_places)
        at = np.arange(len(rows), dtype=np.int64)[:, None] * len(self._item_index)
        is_new = (more.codes >= 0) & ~np.isin(at + more.codes, (at + codes[rows])[codes[rows] >= 0])
        added = np.full((len(codes), more.codes.shape[1]), -1, np.int32)
        added_scores = np.full(added.shape, -np.inf, np.float32)
        added[rows], added_scores[rows] = np.where(is_new, more.codes, -1), more.scores
        return np.hstack([codes, added]), np.hstack([scores, added_scores])


def _chosen(codes: NDArray[np.int32], members: list[NDArray[np.bool_]], places: list[int], k: int) -> NDArray[np.bool_]:
    """Which items of each row make the list of k: those that the groups need, then the best of the others."""
    is_item = codes >= 0
    chosen = np.zeros(codes.shape, bool)
    for mask, n_places in zip(members, places, strict=True):
        of_group = is_item & mask[codes]
        needed = n_places - (chosen & of_group).sum(axis=1)
        needed = np.minimum(needed, k - chosen.sum(axis=1))[:, None]
        free = of_group & ~chosen
        chosen |= free & (np.cumsum(free, axis=1) <= needed)
    free = is_item & ~chosen
    return chosen | (free & (np.cumsum(free, axis=1) <= (k - chosen.sum(axis=1))[:, None]))
