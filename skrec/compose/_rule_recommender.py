"""Rules at request time: filters, caps and budgets over the lists of a recommender."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, TypeGuard

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skrec.compose._item_data import ItemDataRecommender
from skrec.compose._query_options import QueryOptions
from skrec.compose._rules import BudgetRule, CapRule, FilterRule, ListMaker, Omissions, Rule, RuleTables, rule_labels
from skrec.interactions import (
    CandidateIds,
    FeatureMatrix,
    FeatureSource,
    History,
    Ids,
    Recommendations,
    Table,
    as_column,
    given_options,
    list_length,
    read_flag,
)
from skrec.utils import Recommender, on_snapshot


class RuleRecommender(ItemDataRecommender):
    """Recommend only what rules allow: in stock, for the region and the age of the user, few per category, in a budget.

    Lists stay full as long as the catalogue allows. Rules about items alone choose the candidates. Where the others
    leave a list short, more is retrieved, up to the whole catalogue.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is.
    rules : sequence of FilterRule, CapRule, BudgetRule or function, default=()
        All of them hold. A function gets the ids of users and of items, two arrays of one length, and returns a bool
        for each pair; to save the estimator, it must be importable. Filters and functions come first, then caps and
        budgets, each in the given order.
    item_table : frame, pair (ids, matrix) or FeatureTable, default=None
        Columns of the items as they are now, such as the stock, before those of ``item_features``. A new table by
        ``set_params(item_table=...)`` counts from the next request on, without a fit.
    n_candidates : int, default=100
        Length of the first lists that are retrieved for rules that are not about items alone.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.

    See Also
    --------
    FilterRule : Compare a column of the items with a value, or with a column of the user or of the context.
    CapRule : At most so many items of a list per category.
    BudgetRule : The sum of a column over a list stays within a limit.
    ReservedPlacesReranker : At least so many items of a group; put it around this one.

    Notes
    -----
    The order and the scores are those of the recommender, and so is ``predict``. Rules about items alone also hold in
    ``similar_items`` and ``search``. ``item_features`` are passed on to the recommender, which needs an encoder for
    text if it reads them; what only the rules need can be in ``item_table``.

    The ``report`` of the result counts in ``removed``, by rule, the pairs of a query and an item that it kept out: of
    all candidates for a rule about items alone, else of the retrieved ones. A pair counts for the first rule that
    forbids it. ``n_short`` counts lists that are not full.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.compose import FilterRule, RuleRecommender
    >>> from skrec.dummy import PopularRecommender
    >>> X = pd.DataFrame({"user": [1, 2, 3, 1, 2, 3], "item": ["tea", "tea", "tea", "rye", "rye", "oat"]})
    >>> stock = pd.DataFrame({"item": ["tea", "rye", "oat"], "stock": [0, 5, 2]})
    >>> rec = RuleRecommender(PopularRecommender(), [FilterRule("stock", ">", 0)], item_table=stock).fit(X)
    >>> found = rec.recommend([4], k=2)
    >>> found.items
    array([['rye', 'oat']], dtype=object)
    >>> found.report["removed"]
    {'stock > 0': 1}
    >>> rec.why_not([4], ["tea"])
    user  item  why not
    4     tea   is kept out by the rule 'stock > 0'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "rules": [list, tuple],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        recommender: Recommender,
        rules: Sequence[Rule] = (),
        *,
        item_table: FeatureSource | None = None,
        n_candidates: int = 100,
    ) -> None:
        self.recommender = recommender
        self.rules = rules
        self.item_table = item_table
        self.n_candidates = n_candidates

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender

        return [cls(PopularRecommender(), [FilterRule("n_events", ">=", 0), CapRule("n_events", 1000)])]

    def _check_wrapper(self) -> None:
        rule_labels(self.rules)

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        super()._fit_wrapper(X, y, item_features, user_features)
        columns = self._columns_of_items()
        if any(table.columns for table in columns.tables):
            for rule in self.rules:
                if isinstance(rule, FilterRule | CapRule | BudgetRule):
                    columns.cells(rule.column)  # says if there is none

    def _reads_users(self) -> bool:
        return any(isinstance(rule, FilterRule | BudgetRule) and rule.user is not None for rule in self.rules)

    # Recommend -----------------------------------------------------------------------------------------

    def _among_allowed(self, queries: QueryOptions) -> tuple[QueryOptions, dict[str, int]]:
        """The queries with the candidates that rules about items allow, and how many each rule has removed."""
        columns, removed = self._columns_of_items(), {}
        for label, rule in zip(rule_labels(self.rules), self.rules, strict=True):
            removed[label] = 0
            if _is_of_items(rule):
                before = queries
                queries = queries.among(columns.allowed(rule))
                removed[label] = int(before.n_candidates().sum() - queries.n_candidates().sum())
        return queries, removed

    def _tables(self, queries: QueryOptions) -> RuleTables:
        return RuleTables(self._columns_of_items(), self._user_columns, self._context_names(), queries)

    def _make_lists(self, queries: QueryOptions, k: int) -> Recommendations:
        queries, removed = self._among_allowed(queries)
        labels = dict(zip(rule_labels(self.rules), self.rules, strict=True))
        maker = ListMaker({label: rule for label, rule in labels.items() if not _is_of_items(rule)}, k)
        tables = self._tables(queries)
        maker.check(tables)
        rows = np.flatnonzero(queries.n_candidates() > 0)
        codes = np.full((len(queries), k), -1, np.int32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        n, first = maker.first_length(self.n_candidates), None
        while len(rows):
            again = []
            for at in maker.blocks(rows, n):
                asked = queries.take(at)
                found = self._lists_of(asked, n)
                first = found if first is None else first
                made = maker.make(found.codes, found.scores, tables.take(at), is_last=n >= len(queries.item_index))
                done = made.is_final
                codes[at[done]], scores[at[done]] = made.codes[done], made.scores[done]
                for label, n_removed in made.removed.items():
                    removed[label] += int(n_removed[done].sum())
                again.append(at[~done])
            rows, n = np.concatenate(again), min(4 * n, len(queries.item_index))
        if first is None:
            first = self._retrieve(queries.users[:0], 1)
        n_short = int(((codes >= 0).sum(axis=1) < k).sum())
        report = {"removed": removed, "n_short": n_short, "recommender": first.report}
        return first.with_lists(codes, scores, queries.users, report=report)

    # Similar items and search ----------------------------------------------------------------------------

    def _related(self, method: str, given: Any, k: int, candidates: Any) -> Recommendations:
        """By the recommender, of what the rules about items allow."""
        if method == "similar_items":
            ids = np.asarray(as_column(given, "items"))
        else:
            ids = np.array([given] if isinstance(given, str) else list(given), dtype=object)
        queries = QueryOptions.of(ids, {"candidates": candidates}, self._item_columns.index)
        queries, _ = self._among_allowed(queries)
        ask = getattr(self.recommender_, method)
        rows = np.flatnonzero(queries.n_candidates() > 0)
        if len(rows) == len(queries):
            return ask(given, k, **queries.arguments())
        found = ask(given, k, **given_options(candidates=candidates))  # where nothing is allowed, the rows are empty
        codes, scores = np.full_like(found.codes, -1), np.full_like(found.scores, -np.inf)
        if len(rows):
            allowed = queries.take(rows)
            some = ask(allowed.users.tolist(), k, **allowed.arguments())
            codes[rows], scores[rows] = some.codes, some.scores
        return found.with_lists(codes, scores)

    # Why not -------------------------------------------------------------------------------------------

    @on_snapshot
    def why_not(
        self,
        users: Ids,
        items: Ids,
        k: int = 10,
        *,
        context: Table | None = None,
        history: History | None = None,
        candidates: CandidateIds | None = None,
        exclude_seen: bool = True,
        exclude: Table | None = None,
        request: str | Sequence[str | None] | None = None,
        request_weight: float | None = None,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Omissions:
        """Say which step or rule keeps an item out of the list of a user.

        Parameters
        ----------
        users, items : array-like of ids
            Pairs of a user and an item. A single id is used for all pairs.
        k : int, default=10
            Length of the lists.
        context, history, candidates, exclude_seen, exclude, request, request_weight, user_features
            As in :meth:`recommend`; what has one entry per user has one per pair here.

        Returns
        -------
        Omissions
            ``step`` of each pair is the first that applies of "not in catalogue", "not a candidate", "seen",
            "excluded", "rule" (a filter or a function, named in ``rule``), "not retrieved", "rule" (a cap or a
            budget), "below the cut" (with the ``rank``), and "recommended".
        """
        check_is_fitted(self)
        k = list_length(k, len(self.items_))
        item_ids = np.asarray(as_column(items, "items"))
        user_ids = np.asarray(as_column(users, "users"))
        n = max(len(user_ids), len(item_ids)) if min(len(user_ids), len(item_ids)) else 0
        if {len(user_ids), len(item_ids)} - {1, n}:
            raise ValueError(f"{len(user_ids)} users and {len(item_ids)} items; pass one of each per pair.")
        user_ids, item_ids = (np.resize(ids, n) for ids in (user_ids, item_ids))
        exclude_seen = read_flag(exclude_seen, "exclude_seen")
        options: dict[str, Any] = {"context": context, "history": history, "candidates": candidates}
        options |= {"exclude_seen": exclude_seen, "exclude": exclude, "request": request}
        options |= {"request_weight": request_weight, "user_features": user_features}
        return self._omissions(self._queries(user_ids, options), item_ids, k)

    def _omissions(self, queries: QueryOptions, items: NDArray, k: int) -> Omissions:
        n = len(queries)
        codes = self._item_columns.index.codes(items, "items", check_kind=False)
        step, rule = np.full(n, "", dtype=object), np.full(n, None, dtype=object)
        rank: list[int | None] = [None] * n
        is_seen, is_excluded = self._hidden(queries, codes)
        _mark(step, codes < 0, "not in catalogue")
        _mark(step, ~queries.is_candidate(codes), "not a candidate")
        _mark(step, is_seen & queries.given.get("exclude_seen", True), "seen")
        _mark(step, is_excluded, "excluded")
        labels = dict(zip(rule_labels(self.rules), self.rules, strict=True))
        maker, tables = ListMaker(labels, len(self.items_)), self._tables(queries)
        for label in maker.filters:
            rows = np.flatnonzero(step == "")
            out = rows[~tables.allowed(labels[label], rows, codes[rows])]
            step[out], rule[out] = "rule", label
        among, _ = self._among_allowed(queries)
        for at in maker.blocks(np.flatnonzero(step == ""), len(self.items_)):
            found = self._lists_of(among.take(at), len(self.items_))
            made = maker.make(found.codes, found.scores, tables.take(at), is_last=True)
            for row, position in enumerate(at.tolist()):
                step[position], rule[position], rank[position] = made.place_of(row, int(codes[position]), k)
        return Omissions(queries.users, items, step.tolist(), rule.tolist(), rank, k)


def _is_of_items(rule: Rule) -> TypeGuard[FilterRule]:
    """Whether a rule says the same for all users and lists."""
    return isinstance(rule, FilterRule) and rule.is_of_items


def _mark(step: NDArray, mask: NDArray[np.bool_], name: str) -> None:
    """Name the step of the pairs of a mask that have none yet."""
    step[mask & (step == "")] = name
