"""Metrics of recommended lists that need no relevant items."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from skrec.interactions import FeatureMatrix, Recommendations, check_k, factorize, read_flag
from skrec.metrics._average import mean_of_defined
from skrec.metrics._lists import is_padding, read_codes, read_lists, read_real_numbers, without_repeats
from skrec.utils import LARGEST_NUMBER

_QUERIES_A_BLOCK = 4096
_MOST_ITEMS = 1 << 53  # whole numbers beyond it are not exact in float64
_EMPTY = "every list is empty"


def catalogue_coverage(recommended: ArrayLike | Recommendations, n_items: int, *, k: int | None = None) -> float:
    """Share of the catalogue that is recommended at least once.

    Parameters
    ----------
    recommended : array-like of shape (n_queries, n_ranks), or Recommendations
        Ranked ids or codes; None, NaN and -1 stand for no item.
    n_items : int
        Items in the catalogue.
    k : int, default=None
        Ranks that count; None means all.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from skrec.metrics import catalogue_coverage
    >>> catalogue_coverage([["a", "b"], ["a", "c"]], n_items=6)
    0.5
    """
    return len(_exposures(recommended, n_items, k)) / n_items


def gini_index(recommended: ArrayLike | Recommendations, n_items: int, *, k: int | None = None) -> float:
    r"""Inequality of exposure: 0 where all items are recommended equally often, near 1 where a few get all.

    .. math:: G = \frac{\sum_{i=1}^{n} (2i - n - 1) x_i}{n \sum_i x_i}

    with :math:`x_1 \le \ldots \le x_n` how often each item of the catalogue is recommended, zeros included.

    Parameters
    ----------
    recommended, n_items, k
        As in :func:`catalogue_coverage`.

    Returns
    -------
    float
        Between 0 and (n_items - 1) / n_items; NaN with a warning where nothing is recommended.

    Examples
    --------
    >>> from skrec.metrics import gini_index
    >>> gini_index([["a", "b"], ["c", "d"]], n_items=4)
    0.0
    >>> gini_index([["a"], ["a"]], n_items=4)
    0.75
    """
    exposures = _exposures(recommended, n_items, k)
    if not len(exposures):
        return mean_of_defined(np.zeros(0), "gini_index", _EMPTY)
    return gini_of_exposures(exposures, n_items)


def gini_of_exposures(exposures: NDArray[np.int64], n_items: int) -> float:
    """:func:`gini_index` of how often each item that is recommended at all is recommended."""
    exposures = np.sort(exposures)
    position = np.arange(n_items - len(exposures) + 1, n_items + 1)  # items never recommended come first, with 0
    return float(((2 * position - n_items - 1) * exposures).sum() / (n_items * exposures.sum()))


def _exposures(recommended: ArrayLike | Recommendations, n_items: int, k: int | None) -> NDArray[np.int64]:
    """How often each item that is recommended at all is recommended."""
    if check_k(n_items, "n_items") > _MOST_ITEMS:
        raise ValueError(f"n_items must be at most {_MOST_ITEMS}; got {n_items}.")
    if isinstance(recommended, Recommendations):
        recommended = recommended.codes
    ids = read_lists(recommended, k)
    there = ids[~is_padding(ids)]
    if not len(there):
        return np.zeros(0, np.int64)
    counts = np.bincount(factorize(there, "recommended ids")[1])
    if len(counts) > n_items:
        raise ValueError(f"recommended contains {len(counts)} distinct items, more than n_items={n_items}.")
    return counts


def personalisation(
    recommended: ArrayLike | Recommendations, *, k: int | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    r"""How different the lists of different users are: 1 - the mean cosine of two lists, over all pairs.

    The cosine of two lists with :math:`n_1` and :math:`n_2` items, of which :math:`m` are in both, is
    :math:`m / \sqrt{n_1 n_2}`. Time and memory grow with the number of lists, not with that of pairs.

    Parameters
    ----------
    recommended : array-like of shape (n_queries, n_ranks), or Recommendations
        Ids or codes; None, NaN and -1 stand for no item. A repeated item counts once.
    k : int, default=None
        Ranks that count; None means all.
    average : bool, default=True
        Whether to return the mean over pairs, or for each query 1 - its mean cosine with the other lists.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        Between 0, where all lists have the same items, and 1. An empty list is NaN and excluded from the mean, and so
        is a list that has no other beside it.

    References
    ----------
    .. [1] T. Zhou et al. (2010). Solving the apparent diversity-accuracy dilemma of recommender systems. PNAS 107(10).

    Examples
    --------
    >>> from skrec.metrics import personalisation
    >>> personalisation([["a", "b"], ["b", "c"], ["a", "b"]], average=False)
    array([0.25, 0.5 , 0.25])
    """
    average = read_flag(average, "average")
    ids = read_lists(recommended.codes if isinstance(recommended, Recommendations) else recommended, k)
    there = ~is_padding(ids)
    codes = np.full(ids.shape, -1, np.int64)
    if there.any():
        codes[there] = factorize(ids[there], "recommended ids")[1]
    values = differences_of_lists(without_repeats(codes))
    return mean_of_defined(values, "personalisation", "there are no two lists") if average else values


def differences_of_lists(codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """:func:`personalisation` of each list; codes of a list are distinct but for -1."""
    there = codes >= 0
    n = there.sum(axis=1)
    n_others = np.count_nonzero(n) - 1
    if n_others < 1:
        return np.full(len(codes), np.nan)
    weights = 1.0 / np.sqrt(np.maximum(n, 1))
    totals = np.bincount(codes[there], np.repeat(weights, n))
    cosines = weights * np.where(there, totals[codes], 0.0).sum(axis=1) - 1.0  # without the list itself
    return np.where(n > 0, np.clip(1.0 - cosines / n_others, 0.0, 1.0), np.nan)


def novelty(
    recommended: ArrayLike | Recommendations, popularity: ArrayLike, *, k: int | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    r"""Mean self-information, in bits, of the items of a list.

    An item with a share p of all events has the self-information :math:`-\log_2 p`. An item
    without events counts as the least popular one that has some.

    Parameters
    ----------
    recommended : int array of shape (n_queries, n_ranks), or Recommendations
        Codes, positions in ``popularity``; -1 for none.
    popularity : array-like of shape (n_items,)
        Events of each item, or their summed strength, as a recommender's ``popularity_``.
    k : int, default=None
        Ranks that count; None means all.
    average : bool, default=True
        Whether to return the mean over queries, or one value per query.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        An empty list is NaN and excluded from the mean.

    References
    ----------
    .. [1] S. Vargas, P. Castells (2011). Rank and relevance in novelty and diversity metrics for recommender
       systems. RecSys.

    Examples
    --------
    >>> from skrec.metrics import novelty
    >>> novelty([[0, 1], [1, -1]], popularity=[6, 2], average=False).round(3)
    array([1.208, 2.   ])
    """
    weights = read_popularity(popularity)
    if not (weights > 0).any():
        raise ValueError("popularity is 0 for every item; pass the events of each item in training.")
    information = -np.log2(np.maximum(weights, weights[weights > 0].min()) / weights.sum())
    return _list_means(recommended, information, k, average, "novelty")


def mean_popularity(
    recommended: ArrayLike | Recommendations, popularity: ArrayLike, *, k: int | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    """Mean popularity of the items of a list, in the units of ``popularity``.

    Its mean over users is known as average recommendation popularity (ARP). Against what the users have had it is
    :func:`popularity_lift`.

    Parameters
    ----------
    recommended, popularity, k, average
        As in :func:`novelty`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        An empty list is NaN and excluded from the mean.

    Examples
    --------
    >>> from skrec.metrics import mean_popularity
    >>> mean_popularity([[0, 1], [1, -1]], popularity=[6, 2])
    3.0
    """
    return _list_means(recommended, read_popularity(popularity), k, average, "mean_popularity")


def read_popularity(popularity: ArrayLike) -> NDArray[np.float64]:
    """One number of at least 0 per item."""
    weights = read_real_numbers(popularity, "popularity", ndim=1)
    if weights.min() < 0 or weights.max() > LARGEST_NUMBER:
        raise ValueError(f"popularity must be one number of at least 0 per item, {LARGEST_NUMBER:g} at most.")
    return weights


def _list_means(
    recommended: ArrayLike | Recommendations, values: NDArray[np.float64], k: int | None, average: bool, name: str
) -> float | NDArray[np.float64]:
    average = read_flag(average, "average")
    codes = read_codes(recommended, len(values), k, "popularity")
    there = codes >= 0
    with np.errstate(invalid="ignore"):
        means = np.where(there, values[codes], 0.0).sum(axis=1) / there.sum(axis=1)
    return mean_of_defined(means, name, _EMPTY) if average else means


def intra_list_diversity(
    recommended: ArrayLike | Recommendations, vectors: FeatureMatrix, *, k: int | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    """Mean cosine distance (1 - cosine) between the items of a list, over all pairs.

    Parameters
    ----------
    recommended : int array of shape (n_queries, n_ranks), or Recommendations
        Codes, rows of ``vectors``; -1 for none.
    vectors : array or sparse array of shape (n_items, d)
        Any embedding or feature matrix, in catalogue order. A zero vector has cosine 0 with every other.
    k : int, default=None
        Ranks that count; None means all.
    average : bool, default=True
        Whether to return the mean over queries, or one value per query.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        Between 0 (identical directions) and 2. A list of fewer than two items is NaN and excluded from the mean.

    References
    ----------
    .. [1] B. Smyth, P. McClave (2001). Similarity vs. diversity. ICCBR.

    Examples
    --------
    >>> from skrec.metrics import intra_list_diversity
    >>> intra_list_diversity([[0, 1], [1, 2]], [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], average=False)
    array([0., 1.])
    """
    average = read_flag(average, "average")
    unit = normalize(read_real_numbers(vectors, "vectors", ndim=2))
    codes = read_codes(recommended, unit.shape[0], k, "vectors")
    diversities = np.empty(len(codes))
    for block in gen_batches(len(codes), _QUERIES_A_BLOCK) if len(codes) else ():
        diversities[block] = _pairwise_distance(codes[block], unit)
    return mean_of_defined(diversities, "intra_list_diversity", "no list has two items") if average else diversities


def _pairwise_distance(codes: NDArray[np.int64], unit: Any) -> NDArray[np.float64]:
    """Mean over pairs from sums alone: |sum of v|^2 = sum of |v|^2 + twice the cosines of all pairs."""
    row, column = np.nonzero(codes >= 0)
    items = codes[row, column]
    members = sp.csr_array((np.ones(len(row)), (row, items)), shape=(len(codes), unit.shape[0]))
    squares = unit.multiply(unit) if sp.issparse(unit) else unit**2
    of_sums = members @ unit
    of_sums = np.asarray((of_sums.multiply(of_sums) if sp.issparse(of_sums) else of_sums**2).sum(axis=1)).ravel()
    sums_of = members @ np.asarray(squares.sum(axis=1)).ravel()
    n = (codes >= 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = 1.0 - (of_sums - sums_of) / (n * (n - 1.0))
    return np.where(n > 1, np.clip(distance, 0.0, 2.0), np.nan)
