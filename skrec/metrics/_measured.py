"""Values of metrics, and what intervals and comparisons take from them."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from skrec.metrics._resampling import bootstrap_means, sums_by_user
from skrec.utils import caller_level


@dataclass
class Values:
    """One value per unit: a query, or a rated event.

    Attributes
    ----------
    values : float64 array of shape (n_units,)
        NaN where the metric is undefined.
    weights : float64 array of shape (n_units,), or None
        The metric is the mean of ``values`` by these weights; None for 1 each.
    root : {0, 1, -1}
        1: the metric is the root of the mean. -1: the negative root. 0: the mean.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None
    root: int = 0

    def mean(self) -> float:
        """The metric; NaN where no value is defined."""
        defined = ~np.isnan(self.values)
        if not defined.any():
            return float("nan")
        if self.weights is None:
            mean = self.values[defined].mean()
        else:
            mean = np.average(self.values[defined], weights=self.weights[defined])
        return float(self.root * np.sqrt(mean) if self.root else mean)

    def where(self, is_defined: NDArray[np.bool_]) -> "Values":
        """NaN in other places."""
        return Values(np.where(is_defined, self.values, np.nan), self.weights, self.root)


@dataclass
class Sample:
    """Metrics with values for the same units.

    Attributes
    ----------
    keys : int64 array of shape (n_units,)
        Units of two recommenders are the same where their keys are equal.
    users : int64 array of shape (n_units,)
        Units of one user have the same number.
    columns : dict from metric to Values
    """

    keys: NDArray[np.int64]
    users: NDArray[np.int64]
    columns: dict[str, Values]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: NDArray[np.int64]) -> "Sample":
        """The given units."""
        columns = {
            name: Values(found.values[rows], None if found.weights is None else found.weights[rows], found.root)
            for name, found in self.columns.items()
        }
        return Sample(self.keys[rows], self.users[rows], columns)

    def terms(self) -> NDArray[np.float64]:
        """(n_units, n_metrics) what is summed: values times weights."""
        terms = [
            column.values if column.weights is None else column.values * column.weights
            for column in self.columns.values()
        ]
        return np.column_stack([np.empty((len(self), 0)), *terms])

    def sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums and weights by user, one column per metric."""
        found = self.columns.values()
        values = np.column_stack([np.empty((len(self), 0)), *(column.values for column in found)])
        if all(column.weights is None for column in found):
            return sums_by_user(values, self.users)
        ones = np.ones(len(self))
        weights = np.column_stack([ones if column.weights is None else column.weights for column in found])
        return sums_by_user(values, self.users, weights)

    def bootstrap(self, n_resamples: int, seed: int) -> NDArray[np.float64]:
        """(n_resamples, n_metrics) values of the metrics, of users drawn with replacement."""
        if not n_resamples:
            return np.empty((0, len(self.columns)))
        sums, counts = self.sums()
        return self._with_roots(bootstrap_means(sums, counts, n_resamples if sums.size else 0, seed))

    def bootstrap_differences(self, other: "Sample", n_resamples: int, seed: int) -> NDArray[np.float64]:
        """The same of the differences from another sample of the same units: the same users are drawn for both."""
        sums, counts = (np.hstack(pair) for pair in zip(self.sums(), other.sums(), strict=True))
        means = bootstrap_means(sums, counts, n_resamples if sums.size else 0, seed)
        n = len(self.columns)
        return self._with_roots(means[:, :n]) - other._with_roots(means[:, n:])

    def _with_roots(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        for j, column in enumerate(self.columns.values()):
            if column.root:
                means[:, j] = column.root * np.sqrt(means[:, j])
        return means


@dataclass
class Measured:
    """The metrics of one recommender.

    Attributes
    ----------
    metrics : list of str
        In the order in which they were asked for.
    of_queries, of_events : Sample
        Those with a value per query, and per rated event.
    of_all_lists : dict from metric to float
        Those that are of all lists together.
    n_users, n_dropped : int
        As in HeldOut.
    by_event : bool
        Whether a query is an event.
    """

    metrics: list[str]
    of_queries: Sample
    of_events: Sample
    of_all_lists: dict[str, float]
    n_users: int
    n_dropped: int
    by_event: bool

    @property
    def columns(self) -> dict[str, Values]:
        """All metrics that have one value per unit."""
        return self.of_queries.columns | self.of_events.columns

    def n_units(self, name: str) -> int:
        """Number of queries, or of rated events, in the mean."""
        found = self.columns.get(name)
        return len(self.of_queries) if found is None else int((~np.isnan(found.values)).sum())

    def means(self) -> dict[str, float]:
        """The metrics."""
        found = self.columns
        means = {name: found[name].mean() if name in found else self.of_all_lists[name] for name in self.metrics}
        undefined = [name for name, mean in means.items() if np.isnan(mean)]
        if undefined:
            self._warn(undefined)
        return means

    def _warn(self, undefined: Iterable[str]) -> None:
        why = (
            f"none of the {len(self.of_queries)} queries has a relevant item over relevance_threshold, or a list "
            "with a history, where the metric needs one"
            if len(self.of_queries)
            else f"none of the {self.n_users} users of X has an event with y > 0 that counts. "
            f"{self.n_dropped} events were dropped, since the user had the item in training or in the first "
            "n_history events (to score training events, pass exclude_seen=False)"
        )
        warnings.warn(
            f"{', '.join(undefined)} is undefined and set to nan: {why}.",
            UndefinedMetricWarning,
            stacklevel=caller_level(),
        )
