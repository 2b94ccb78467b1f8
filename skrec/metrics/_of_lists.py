"""Metrics of each list of one ranking: what they need is read once, where one of them needs it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import FeatureSource, IdIndex, RecommenderView, read_categories, read_features
from skrec.metrics._beyond_accuracy import (
    differences_of_lists,
    intra_list_diversity,
    mean_popularity,
    novelty,
    read_popularity,
)
from skrec.metrics._held_out import HeldOut
from skrec.metrics._histories import counts_of, divergences, lifts_and_weights
from skrec.metrics._lists import read_real_numbers
from skrec.metrics._measured import Values
from skrec.metrics._names import Metric


class ListMetrics:
    """Collects the values of one metric after the other, block by block of lists.

    Parameters
    ----------
    view : RecommenderView
    queries : HeldOut
    tables : dict from "item_vectors" and "item_categories" to FeatureSource or None
    candidates : int64 array or None
        Codes of the items that are ranked; None means all.
    exclude_seen : bool
        Whether items that a user has had are not.
    """

    def __init__(
        self,
        view: RecommenderView,
        queries: HeldOut,
        tables: dict[str, FeatureSource | None],
        candidates: NDArray[np.int64] | None,
        exclude_seen: bool,
    ) -> None:
        self._view = view
        self._queries = queries
        self._tables = tables
        self._candidates = candidates
        self._exclude_seen = exclude_seen
        self._values: dict[str, list[NDArray]] = {}
        self._weights: dict[str, list[NDArray]] = {}

    def check(self, metric: Metric) -> None:
        """Read what a metric needs, before the lists are made.

        Raises
        ------
        ValueError
            If it is not there.
        """
        if metric.kind == "diversity":
            _ = self._vectors
        if metric.kind == "calibration_kl":
            _ = self._categories
        if metric.kind in ("calibration_kl", "popularity_lift") and not hasattr(self._view.recommender, "seen_items"):
            raise ValueError(
                f"{metric.name!r} compares lists with histories, and {type(self._view.recommender).__name__} has no "
                "seen_items(users), which gives them."
            )

    def add(self, metric: Metric, at: NDArray[np.int64], codes: NDArray[np.integer]) -> None:
        """The lists of the queries ``at``."""
        codes = codes[:, : metric.k]
        if metric.kind == "popularity_lift":
            values, weights = lifts_and_weights(codes, self._histories(at), self._popularity)
            self._weights.setdefault(metric.name, []).append(weights)
        else:
            values = self._of_lists[metric.kind](self, at, codes)
        self._values.setdefault(metric.name, []).append(values)

    def values(self, metric: Metric) -> Values:
        """Those of all lists that were added."""
        parts = self._values.get(metric.name, [])
        if metric.kind == "personalisation":
            return Values(_pseudo_values(np.concatenate(parts) if parts else np.zeros((0, 0), np.int64)))
        weights = self._weights.get(metric.name)
        found = metric.sign * np.concatenate([np.zeros(0), *parts])
        return Values(found, None if weights is None else np.concatenate(weights))

    def is_expected(self, at: NDArray[np.int64], codes: NDArray[np.integer], k: int) -> NDArray[np.bool_]:
        """Whether an item is among the k most popular ones that may be recommended for its query."""
        place = self._places
        n = len(place)
        places = np.where(codes >= 0, place[codes], n)
        if not self._exclude_seen:
            return places < k
        seen = self._queries.profiles(at)
        keys = np.unique(seen.row_of_event() * (n + 1) + place[seen.items])
        start = np.arange(len(codes))[:, None] * (n + 1)
        n_seen_before = np.searchsorted(keys, start + places) - np.searchsorted(keys, start)
        return places - n_seen_before < k

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """The place of each item in a list of all candidates by popularity; the number of items for others."""
        n = len(self._view.item_index)
        order = np.argsort(-self._popularity, kind="stable")
        if self._candidates is not None:
            order = order[np.isin(order, self._candidates)]
        places = np.full(n, n, np.int64)
        places[order] = np.arange(len(order))
        return places

    @cached_property
    def _popularity(self) -> NDArray[np.float64]:
        return read_popularity(self._view.popularity())

    @cached_property
    def _vectors(self) -> tuple[Any, NDArray[np.int64]]:
        """The matrix of item vectors, and the row of each item of the catalogue, -1 for items without a row."""
        table = self._table("item_vectors", "'diversity@k'", "the vectors that distances are measured between")
        features = read_features(table, "item_vectors")
        matrix = nw.from_native(features.values, eager_only=True, pass_through=True)
        matrix = matrix.to_numpy() if isinstance(matrix, nw.DataFrame) else matrix
        matrix = read_real_numbers(matrix, "item_vectors", ndim=2)
        return matrix, _row_of_item(self._view.item_index, features.ids, "item_vectors")

    @cached_property
    def _categories(self) -> sp.csr_array:
        """Shares of the categories in each item of the catalogue; an empty row for items without one."""
        table = self._table("item_categories", "'calibration_kl@k'", "the categories of the items, such as genres")
        ids, shares, _ = read_categories(table, "item_categories")
        row = _row_of_item(self._view.item_index, ids, "item_categories")
        known = np.flatnonzero(row >= 0)
        place = sp.csr_array((np.ones(len(known)), (known, row[known])), shape=(len(row), shares.shape[0]))
        aligned = sp.csr_array(place @ shares)
        if not aligned.nnz:
            raise ValueError(
                f"item_categories has a category for none of the {len(row)} items of the catalogue, whose ids are as "
                f"{self._view.item_index.values[:1].tolist()[0]!r}; pass the ids as in X, and a category for each."
            )
        return aligned

    def _table(self, name: str, metric: str, what: str) -> FeatureSource:
        table = self._tables[name]
        if table is None:
            raise ValueError(f"{metric} needs {name}=(ids, matrix), {what}.")
        return table

    def _histories(self, at: NDArray[np.int64]) -> sp.csr_array:
        return counts_of(self._queries.profiles(at), len(self._view.item_index))

    def _novelty(self, at: NDArray, codes: NDArray) -> NDArray:
        return np.asarray(novelty(codes, self._popularity, average=False))

    def _mean_popularity(self, at: NDArray, codes: NDArray) -> NDArray:
        return np.asarray(mean_popularity(codes, self._popularity, average=False))

    def _diversity(self, at: NDArray, codes: NDArray) -> NDArray:
        matrix, row_of_item = self._vectors
        rows = np.where(codes >= 0, row_of_item[codes], -1)
        return np.asarray(intra_list_diversity(rows, matrix, average=False))

    def _calibration(self, at: NDArray, codes: NDArray) -> NDArray:
        return divergences(codes, self._histories(at), self._categories)

    def _lists(self, at: NDArray, codes: NDArray) -> NDArray:
        return codes.copy()  # each is compared with all others, when all are there

    _of_lists: ClassVar[dict[str, Callable[[Any, NDArray, NDArray], NDArray]]] = {
        "novelty": _novelty,
        "popularity": _mean_popularity,
        "diversity": _diversity,
        "calibration_kl": _calibration,
        "personalisation": _lists,
    }


def _row_of_item(index: IdIndex, ids: Any, what: str) -> NDArray[np.int64]:
    codes = index.codes(ids, f"{what} ids")
    rows = np.full(len(index), -1, np.int64)
    rows[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    return rows


def _pseudo_values(codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Values whose mean is the personalisation of all lists, and whose variance is that of a mean over pairs.

    A list is in every pair that it has with another, so a mean of pairs varies twice as much as one of lists would:
    these are the pseudo-values of the jackknife.
    """
    values = differences_of_lists(codes)
    defined = values[~np.isnan(values)]
    return 2.0 * values - defined.mean() if len(defined) else values
