"""Metrics that compare recommended lists with the histories of their users."""

from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import gen_batches

from skrec.interactions import FeatureMatrix, Histories, Recommendations, read_flag
from skrec.metrics._average import mean_of_defined
from skrec.metrics._beyond_accuracy import read_popularity
from skrec.metrics._lists import is_padding, is_real, read_codes, read_real_numbers

_CELLS = 1 << 22
_NO_HISTORY = "no query has both a history and a list"

HistoryCodes: TypeAlias = Sequence[Collection[int]] | sp.sparray | sp.spmatrix | Histories
"""The history of each query: codes of items, or a matrix of weights."""


def calibration_kl(
    recommended: ArrayLike | Recommendations,
    histories: HistoryCodes,
    categories: FeatureMatrix,
    *,
    k: int | None = None,
    alpha: float = 0.01,
    average: bool = True,
) -> float | NDArray[np.float64]:
    r"""How far the categories of a list are from those of the user's history: 0 where the shares are equal.

    The Kullback-Leibler divergence, in nats, of the list from the history:

    .. math:: \mathrm{KL}(p \,\|\, \tilde q) = \sum_c p_c \log \frac{p_c}{\tilde q_c}, \qquad
              \tilde q = (1 - \alpha)\, q + \alpha\, p

    with :math:`p_c` and :math:`q_c` the mean share of category c in the items of the history and of the list. An item
    of several categories counts in equal parts for each, or by the given weights.

    Parameters
    ----------
    recommended : int array of shape (n_queries, n_ranks), or Recommendations
        Codes, rows of ``categories``; -1 for none.
    histories : sequence of collections of codes, Histories, or sparse array of shape (n_queries, n_items)
        The events of each query. A code that occurs twice counts twice; a sparse matrix contains weights.
    categories : array or sparse array of shape (n_items, n_categories)
        Weights of at least 0, such as 1 for the genres of a film. An item without one counts in neither share.
    k : int, default=None
        Ranks that count; None means all.
    alpha : float in (0, 1), default=0.01
        Smoothing, which keeps the divergence finite where a list lacks a category of the history. The greatest
        value is :math:`-\log \alpha`.
    average : bool, default=True
        Whether to return the mean over queries, or one value per query.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        Lower is better. NaN, and excluded from the mean, where no item of the history or of the list has a category.

    References
    ----------
    .. [1] H. Steck (2018). Calibrated recommendations. RecSys.

    Examples
    --------
    >>> from skrec.metrics import calibration_kl
    >>> genres = [[1, 0], [0, 1], [1, 1]]
    >>> calibration_kl([[0, 1], [0, -1]], [[2], [0, 1]], genres, average=False).round(3)
    array([0.   , 1.959])
    """
    average = read_flag(average, "average")
    if not is_real(alpha) or not 0 < alpha < 1:
        raise ValueError(f"alpha must be a number between 0 and 1; got {alpha!r}.")
    shares = sp.csr_array(read_real_numbers(categories, "categories", ndim=2))
    if shares.data.min(initial=0) < 0:
        raise ValueError("categories has a weight below 0; a weight is a number of at least 0.")
    codes = read_codes(recommended, shares.shape[0], k, "categories")
    past = _read_histories(histories, len(codes), shares.shape[0], "categories")
    values = divergences(codes, past, _with_sum_1(shares), alpha)
    return mean_of_defined(values, "calibration_kl", f"{_NO_HISTORY} with categories") if average else values


def divergences(
    codes: NDArray[np.integer], histories: sp.csr_array, shares: sp.csr_array, alpha: float = 0.01
) -> NDArray[np.float64]:
    """:func:`calibration_kl` of checked input; the rows of ``shares`` sum to 1, or are empty."""
    values = np.empty(len(codes))
    for block in gen_batches(len(codes), max(1, _CELLS // shares.shape[1])) if len(codes) else ():
        wanted, found = (_distribution(rows, shares) for rows in (histories[block], _membership(codes[block], shares)))
        mixed = (1 - alpha) * found + alpha * wanted
        with np.errstate(invalid="ignore", divide="ignore"):
            terms = np.where(wanted == 0, 0.0, wanted * np.log(wanted / mixed))
        values[block] = np.where(np.isnan(found[:, 0]), np.nan, np.maximum(terms.sum(axis=1), 0.0))
    return values


def _distribution(items: sp.csr_array, shares: sp.csr_array) -> NDArray[np.float64]:
    totals = (items @ shares).toarray()
    with np.errstate(invalid="ignore"):
        return np.asarray(totals / totals.sum(axis=1, keepdims=True))


def _membership(codes: NDArray[np.integer], shares: sp.csr_array) -> sp.csr_array:
    row, rank = np.nonzero(codes >= 0)
    return sp.csr_array((np.ones(len(row)), (row, codes[row, rank])), shape=(len(codes), shares.shape[0]))


def _with_sum_1(weights: sp.csr_array) -> sp.csr_array:
    totals = np.asarray(weights.sum(axis=1)).ravel()
    scale = np.divide(1.0, totals, out=np.zeros(len(totals)), where=totals > 0)
    return sp.csr_array(sp.diags_array(scale) @ weights)


def popularity_lift(
    recommended: ArrayLike | Recommendations,
    histories: HistoryCodes,
    popularity: ArrayLike,
    *,
    k: int | None = None,
    average: bool = True,
) -> float | NDArray[np.float64]:
    r"""By how much the lists are more popular than the users' own histories: 0 where they are equally popular.

    .. math:: \frac{\mathrm{GAP}_\text{lists} - \mathrm{GAP}_\text{histories}}{\mathrm{GAP}_\text{histories}}

    with GAP the mean over users of the mean popularity of their items: of those that are recommended
    (:func:`mean_popularity`), or of those of the history. 1 means twice as popular, below 0 less popular.

    Parameters
    ----------
    recommended : int array of shape (n_queries, n_ranks), or Recommendations
        Codes, positions in ``popularity``; -1 for none.
    histories : sequence of collections of codes, Histories, or sparse array of shape (n_queries, n_items)
        As in :func:`calibration_kl`.
    popularity : array-like of shape (n_items,)
        Events of each item, or their summed strength, as a recommender's ``popularity_``.
    k : int, default=None
        Ranks that count; None means all.
    average : bool, default=True
        Whether to return the lift of all queries together, which is a ratio of two means, or that of each query. The
        first is the mean of the second, weighted by the mean popularity of the histories.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        NaN, and excluded from the means, where the history or the list is empty.

    References
    ----------
    .. [1] H. Abdollahpouri, M. Mansoury, R. Burke, B. Mobasher (2019). The unfairness of popularity bias in
       recommendation. RMSE workshop at RecSys.

    Examples
    --------
    >>> from skrec.metrics import popularity_lift
    >>> popularity_lift([[0, 1], [0, 2]], [[1, 2], [2]], popularity=[6, 2, 1], average=False).round(2)
    array([1.67, 2.5 ])
    >>> popularity_lift([[0, 1], [0, 2]], [[1, 2], [2]], popularity=[6, 2, 1])
    2.0
    """
    average = read_flag(average, "average")
    weights = read_popularity(popularity)
    codes = read_codes(recommended, len(weights), k, "popularity")
    past = _read_histories(histories, len(codes), len(weights), "popularity")
    lifts, of_histories = lifts_and_weights(codes, past, weights)
    if not average:
        return lifts
    defined = ~np.isnan(lifts)
    if not defined.any():
        return mean_of_defined(lifts, "popularity_lift", _NO_HISTORY)
    return float(np.average(lifts[defined], weights=of_histories[defined]))


def lifts_and_weights(
    codes: NDArray[np.integer], histories: sp.csr_array, popularity: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """:func:`popularity_lift` of each query, of checked input, and the mean popularity of its history."""
    there = codes >= 0
    with np.errstate(invalid="ignore", divide="ignore"):
        of_lists = np.where(there, popularity[codes], 0.0).sum(axis=1) / there.sum(axis=1)
        of_histories = (histories @ popularity.astype(np.float64)) / np.asarray(histories.sum(axis=1)).ravel()
        return np.where(of_histories > 0, of_lists / of_histories - 1.0, np.nan), of_histories


def _read_histories(histories: HistoryCodes, n_queries: int, n_items: int, what: str) -> sp.csr_array:
    """Weights of the items of each history."""
    if isinstance(histories, Histories):
        histories = counts_of(histories, n_items)
    if sp.issparse(histories):
        past = sp.csr_array(read_real_numbers(histories, "histories", ndim=2))
        if past.shape[1] != n_items:
            raise ValueError(f"histories has {past.shape[1]} columns, and {what} has {n_items} items.")
        if past.data.min(initial=0) < 0:
            raise ValueError("histories has a weight below 0; a weight is a number of at least 0.")
    else:
        past = _counts_of_lists(histories, n_items, what)
    if past.shape[0] != n_queries:
        raise ValueError(f"histories has {past.shape[0]} rows and recommended {n_queries}; pass one of each per query.")
    return past


def counts_of(histories: Histories, n_items: int) -> sp.csr_array:
    """How often each item is in each history."""
    return sp.csr_array(histories.to_csr(n_items, values=np.ones(len(histories.items))), dtype=np.float64)


def _counts_of_lists(histories: Sequence[Collection[int]], n_items: int, what: str) -> sp.csr_array:
    if isinstance(histories, str | bytes) or not isinstance(histories, Sequence | np.ndarray):
        raise TypeError(
            f"histories must be one collection of item codes per query, or a sparse matrix; got {histories!r:.100}."
        )
    lists = []
    for i, row in enumerate(histories):
        if isinstance(row, str | bytes) or not isinstance(row, Collection | np.ndarray):
            raise TypeError(f"histories[{i}] is {row!r:.100}; expected a collection of item codes.")
        codes = np.asarray(list(row))
        codes = codes[~is_padding(codes)] if codes.ndim == 1 else codes
        if codes.ndim != 1 or (len(codes) and (codes.dtype.kind not in "iu" or codes.min() < 0)):
            raise TypeError(f"histories[{i}] must be integer codes, positions in {what}; got {row!r:.100}.")
        if len(codes) and codes.max() >= n_items:
            raise ValueError(f"histories[{i}] contains the code {codes.max()}; {what} has {n_items} items.")
        lists.append(codes.astype(np.int64))
    return counts_of(Histories.read(lists), n_items)
