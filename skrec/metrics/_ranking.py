"""Metrics of ranked lists against relevant items."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skrec.interactions import Recommendations, check_k, read_flag
from skrec.metrics import _hits
from skrec.metrics._average import mean_of_defined
from skrec.metrics._hits import Hits
from skrec.metrics._lists import encode

_NOTHING_RELEVANT = "no query has a relevant item"

Relevant: TypeAlias = Sequence[Collection[Any]] | sp.sparray | sp.spmatrix
"""The relevant items of each query, as ids or in a matrix of gains."""


def precision_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    """Share of the first ``k`` places with a relevant item.

    The denominator is ``k``, also where a list is shorter. The best value is 1 only where a query has at
    least ``k`` relevant items.

    Parameters
    ----------
    relevant : sequence of collections of ids, or sparse array of shape (n_queries, n_items)
        The relevant items of each query: a list, a set, or a dict from id to gain. A sparse matrix
        contains gains, and ``recommended`` is then column numbers. Items with a gain of 0 or less are not relevant.
    recommended : array-like of shape (n_queries, n_ranks), or Recommendations
        Ranked ids, best first. None, NaN and -1 stand for no item and are never a hit; a repeated item
        counts once, at its best rank.
    k : int, default=10
        Ranks that count.
    average : bool, default=True
        Whether to return the mean over queries, or one value per query.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        A query without relevant items is NaN and excluded from the mean. Where no query is left, the
        mean is NaN, with an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Examples
    --------
    >>> from skrec.metrics import precision_at_k
    >>> precision_at_k([{"a", "b"}, {"c"}], [["a", "x", "b"], ["x", "y", "z"]], k=3, average=False).round(2)
    array([0.67, 0.  ])
    """
    return _evaluate(_hits.precision, relevant, recommended, k, average)


def recall_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    """Share of a query's relevant items that are in the first ``k`` places.

    The denominator is the number of relevant items, also where it is greater than ``k``.

    Parameters
    ----------
    relevant, recommended, k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    Examples
    --------
    >>> from skrec.metrics import recall_at_k
    >>> recall_at_k([{"a", "b"}, {"c"}], [["a", "x"], ["c", "y"]], k=2)
    0.75
    """
    return _evaluate(_hits.recall, relevant, recommended, k, average)


def f1_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    r"""Harmonic mean of precision and recall of the first ``k`` places.

    .. math:: \mathrm{F1@}k = \frac{2 P R}{P + R} = \frac{2 h}{k + n}

    with h the hits, and n the number of relevant items of the query. The mean is over the values of the queries, and
    so not the harmonic mean of mean precision and mean recall.

    Parameters
    ----------
    relevant, recommended, k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    Examples
    --------
    >>> from skrec.metrics import f1_at_k
    >>> f1_at_k([{"a", "b"}, {"c"}], [["a", "x"], ["x", "y"]], k=2, average=False)
    array([0.5, 0. ])
    """
    return _evaluate(_hits.f1, relevant, recommended, k, average)


def hit_rate_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    """Share of the queries with a relevant item in the first ``k`` places.

    Parameters
    ----------
    relevant, recommended, k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    Examples
    --------
    >>> from skrec.metrics import hit_rate_at_k
    >>> hit_rate_at_k([{"a", "b"}, {"c"}], [["a", "x"], ["x", "y"]], k=2)
    0.5
    """
    return _evaluate(_hits.hit_rate, relevant, recommended, k, average)


def ndcg_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    r"""Normalised discounted cumulative gain of the first ``k`` places.

    .. math:: \mathrm{NDCG@}k = \frac{\sum_{r=1}^{k} g_r / \log_2(r + 1)}
                                     {\sum_{r=1}^{\min(k, n)} g^*_r / \log_2(r + 1)}

    with :math:`g_r` the gain of the item at rank r, and :math:`g^*` the gains of the n relevant items of the
    query, greatest first, whether or not the recommender knows them. The gain is 1, or what a dict or a
    sparse ``relevant`` gives; it is not raised to a power of two.

    Parameters
    ----------
    relevant, recommended, k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    References
    ----------
    .. [1] K. Järvelin, J. Kekäläinen (2002). Cumulated gain-based evaluation of IR techniques. ACM TOIS 20(4).

    Examples
    --------
    >>> from skrec.metrics import ndcg_at_k
    >>> round(ndcg_at_k([{"a", "b"}], [["a", "x", "b"]], k=3), 4)
    0.9197
    >>> round(ndcg_at_k([{"a": 1.0, "b": 5.0}], [["a", "b"]], k=2), 4)
    0.7378
    """
    return _evaluate(_hits.ndcg, relevant, recommended, k, average)


def average_precision_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    r"""Average precision of the first ``k`` places; its mean over queries is known as MAP.

    .. math:: \mathrm{AP@}k = \frac{1}{\min(k, n)} \sum_{r=1}^{k} \mathrm{precision@}r \cdot [\text{hit at } r]

    with n the number of relevant items of the query. Some authors divide by n instead, which keeps a query
    of more than ``k`` relevant items below 1.

    Parameters
    ----------
    relevant, recommended, k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    Examples
    --------
    >>> from skrec.metrics import average_precision_at_k
    >>> round(average_precision_at_k([{"a", "b"}], [["a", "x", "b"]], k=3), 4)
    0.8333
    """
    return _evaluate(_hits.average_precision, relevant, recommended, k, average)


def reciprocal_rank_at_k(
    relevant: Relevant, recommended: ArrayLike | Recommendations, *, k: int = 10, average: bool = True
) -> float | NDArray[np.float64]:
    """One over the rank of the first relevant item, 0 beyond ``k``; its mean over queries is known as MRR.

    Parameters
    ----------
    relevant, recommended, k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    Examples
    --------
    >>> from skrec.metrics import reciprocal_rank_at_k
    >>> reciprocal_rank_at_k([{"b"}, {"c"}], [["a", "b"], ["x", "y"]], k=2)
    0.25
    """
    return _evaluate(_hits.reciprocal_rank, relevant, recommended, k, average)


def serendipity_at_k(
    relevant: Relevant,
    recommended: ArrayLike | Recommendations,
    expected: ArrayLike | Recommendations,
    *,
    k: int = 10,
    average: bool = True,
) -> float | NDArray[np.float64]:
    """Share of the first ``k`` places with a relevant item that was not to be expected.

    An item is expected if it is in the first ``k`` places of another list for the same query, that of a primitive
    recommender: in :func:`evaluate` that of the most popular items which the user has not had. Precision is the same
    without this condition.

    Parameters
    ----------
    relevant, recommended
        As in :func:`precision_at_k`.
    expected : array-like of shape (n_queries, n_ranks), or Recommendations
        Lists as ``recommended``, such as those of :class:`~skrec.dummy.PopularRecommender` for the same queries.
    k, average
        As in :func:`precision_at_k`.

    Returns
    -------
    float, or float64 array of shape (n_queries,)

    References
    ----------
    .. [1] M. Ge, C. Delgado-Battenfeld, D. Jannach (2010). Beyond accuracy: evaluating recommender systems by
       coverage and serendipity. RecSys.

    Examples
    --------
    >>> from skrec.metrics import serendipity_at_k
    >>> serendipity_at_k([{"a", "b"}], [["a", "b"]], expected=[["a", "c"]], k=2)
    0.5
    """
    k, average = check_k(k), read_flag(average, "average")
    gains, codes = encode(relevant, recommended, k)
    _, others = encode(relevant, expected, k, "expected")
    row = np.arange(len(codes))[:, None] * (gains.shape[1] + 1)
    is_expected = np.isin(row + codes, row + others)  # -1, for no item, is never relevant
    values = _hits.serendipity(Hits.match(gains, codes, k), is_expected, k)
    return mean_of_defined(values, f"serendipity@{k}", _NOTHING_RELEVANT) if average else values


def _evaluate(
    metric: Callable[[Hits, int], NDArray[np.float64]],
    relevant: Relevant,
    recommended: ArrayLike | Recommendations,
    k: int,
    average: bool,
) -> float | NDArray[np.float64]:
    k, average = check_k(k), read_flag(average, "average")
    gains, codes = encode(relevant, recommended, k)
    values = metric(Hits.match(gains, codes, k), k)
    if not average:
        return values
    return mean_of_defined(values, f"{metric.__name__}@{k}", _NOTHING_RELEVANT)
