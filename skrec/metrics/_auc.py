"""Area under the ROC curve of the scores of each query."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skrec.interactions import read_flag
from skrec.metrics._average import mean_of_defined
from skrec.metrics._lists import read_real_numbers


def user_auc(
    relevant: ArrayLike | sp.sparray | sp.spmatrix, scores: ArrayLike, *, average: bool = True
) -> float | NDArray[np.float64]:
    """Area under the ROC curve of each query: the share of pairs in which the relevant item has the higher score.

    Pairs of a relevant item and one that is not; equal scores count half. 0.5 is chance.

    Parameters
    ----------
    relevant : array or sparse array of shape (n_queries, n_items)
        Items with a value over 0 are relevant.
    scores : array-like of shape (n_queries, n_items)
        NaN stands for items that do not count, such as those that the user has had.
    average : bool, default=True
        Whether to return the mean over queries, or one value per query.

    Returns
    -------
    float, or float64 array of shape (n_queries,)
        NaN, and excluded from the mean, where all items of a query that count are relevant, or none.

    References
    ----------
    .. [1] S. Rendle et al. (2009). BPR: Bayesian personalized ranking from implicit feedback. UAI.

    Examples
    --------
    >>> from skrec.metrics import user_auc
    >>> user_auc([[1, 0, 0], [0, 1, 1]], [[0.9, 0.2, 0.1], [0.5, 0.5, 0.7]], average=False)
    array([1.  , 0.75])
    """
    average = read_flag(average, "average")
    positive = sp.csr_array(read_real_numbers(relevant, "relevant", ndim=2)).toarray() > 0
    found = read_real_numbers(scores, "scores", ndim=2, allow_nan=True)
    table = found.toarray() if sp.issparse(found) else found
    if table.shape != positive.shape:
        raise ValueError(f"scores has shape {table.shape} and relevant {positive.shape}; pass one of each per item.")
    row, column = np.nonzero(~np.isnan(table))
    values = areas(row, table[row, column], positive[row, column], len(table))
    return mean_of_defined(values, "user_auc", "no query has both a relevant item and another") if average else values


def areas(
    row: NDArray[np.int64], scores: NDArray[np.float64], positive: NDArray[np.bool_], n_rows: int
) -> NDArray[np.float64]:
    """:func:`user_auc` of pairs of a row and an item, by the ranks of the positives (Mann and Whitney).

    Equal scores have their mean rank.
    """
    order = np.lexsort((scores, row))
    row, scores, positive = row[order], scores[order], positive[order]
    is_first = np.ones(len(row), bool)
    is_first[1:] = (row[1:] != row[:-1]) | (scores[1:] != scores[:-1])
    tie = np.cumsum(is_first) - 1
    starts = np.append(np.flatnonzero(is_first), len(row))
    rank = (starts[tie] + starts[tie + 1] + 1) / 2.0 - np.searchsorted(row, row)
    n_positive = np.bincount(row[positive], minlength=n_rows).astype(np.float64)
    n_negative = np.bincount(row[~positive], minlength=n_rows)
    above = np.bincount(row[positive], rank[positive], n_rows) - n_positive * (n_positive + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / (n_positive * n_negative))
