"""What a column is worth: the loss of quality when its values are exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import RandomState as Generator
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skrec.interactions import TIMESTAMP, FeatureTable, Table, as_frame, check_k
from skrec.metrics import ranking_scorer
from skrec.utils import RandomState, is_pipeline, read_random_state

_TABLES = ("item_features", "user_features")


def permutation_importance(
    recommender: BaseEstimator,
    X_test: Table,
    y_test: ArrayLike | None = None,
    *,
    scoring: Any = "ndcg@10",
    n_repeats: int = 5,
    fit_params: Mapping[str, Any] | None = None,
    random_state: RandomState = None,
) -> Bunch:
    """Measure how much quality a recommender loses when the values of one column are exchanged at random.

    Columns of the context are exchanged among the held-out events; nothing is fitted again. Columns of feature tables
    are exchanged among their items or users, and a clone is fitted on them, since a recommender keeps what it read of
    features in fit: pass what it was fitted on as ``fit_params`` for these.

    Parameters
    ----------
    recommender : fitted recommender, or a Pipeline or search that ends in one
    X_test : array-like or frame of shape (n_events, n_columns)
        Held-out events; what is beyond user and item is context, in a Pipeline ``timestamp`` too.
    y_test : array-like of shape (n_events,), default=None
    scoring : str or scorer, default="ndcg@10"
        A name as in :func:`skrec.metrics.ranking_scorer`, or ``scorer(recommender, X, y)``; higher is better.
    n_repeats : int, default=5
        Permutations of each column.
    fit_params : dict, default=None
        ``X`` and, where they were given, ``y``, ``item_features`` and ``user_features``: frames, or a FeatureTable of
        one. None measures the context alone.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    Bunch
        ``names``, a list of n_columns str such as "context: hour" and "item_features: genre"; ``importances`` of shape
        (n_columns, n_repeats), the score less the score with the permuted column; ``importances_mean`` and
        ``importances_std`` of shape (n_columns,); and ``score``.

    Raises
    ------
    ValueError
        If there is neither a column of context nor a feature table.
    TypeError
        If a feature table is no frame: a matrix has no columns to name.

    See Also
    --------
    sklearn.inspection.permutation_importance : The same for estimators whose X is a table of features.

    References
    ----------
    Breiman, "Random Forests", Machine Learning 45, 2001.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.decomposition import HybridMFRecommender
    >>> from skrec.feature_extraction import ContextEncoder
    >>> from skrec.inspection import permutation_importance
    >>> from skrec.pipeline import make_pipeline
    >>> X = pd.DataFrame({"user": [1, 1, 2, 2, 3, 3, 4, 4], "item": ["tea", "rye"] * 4, "hour": [8, 20] * 4})
    >>> rec = make_pipeline(ContextEncoder(), HybridMFRecommender(random_state=0)).fit(X)
    >>> X_test = pd.DataFrame({"user": [5, 6], "item": ["tea", "rye"], "hour": [8, 20]})  # new users, known hours
    >>> permutation_importance(rec, X_test, scoring="recall@1", random_state=0).names
    ['context: hour']
    """
    check_is_fitted(recommender)
    check_k(n_repeats, "n_repeats")
    scorer: Any = ranking_scorer(scoring) if isinstance(scoring, str) else scoring
    rng = read_random_state(random_state)
    names: list[str] = []
    scores: list[list[float]] = []
    for name, tables in _context_columns(X_test, n_repeats, rng, reads_time=is_pipeline(recommender)):
        names.append(name)
        scores.append([scorer(recommender, table, y_test) for table in tables])
    for name, params in _feature_columns(fit_params or {}, n_repeats, rng):
        names.append(name)
        scores.append([scorer(clone(recommender).fit(**given), X_test, y_test) for given in params])
    if not names:
        raise ValueError(
            "There is no column to exchange: X_test has no context, and fit_params no item_features or user_features. "
            "Pass fit_params=dict(X=X_train, item_features=table)."
        )
    score = scorer(recommender, X_test, y_test)
    importances = score - np.asarray(scores, float)
    return Bunch(
        names=names,
        importances=importances,
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        score=score,
    )


def _context_columns(
    X: Table, n_repeats: int, rng: Generator, *, reads_time: bool
) -> Iterator[tuple[str, Iterator[Any]]]:
    """Each column of context by name, with tables in which it alone is permuted."""
    frame = as_frame(X, "X_test")
    if frame is None:
        array = np.asarray(X)
        for column in range(2, array.shape[1] if array.ndim == 2 else 0):
            yield f"context: column {column}", (_permuted_array(array, column, rng) for _ in range(n_repeats))
        return
    for name in frame.columns[2:]:
        if name == TIMESTAMP and not reads_time:  # a recommender alone takes it for the order of events
            continue
        yield f"context: {name}", (_permuted_frame(frame, name, rng) for _ in range(n_repeats))


def _feature_columns(
    fit_params: Mapping[str, Any], n_repeats: int, rng: Generator
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Each column of the feature tables by name, with the arguments of fit in which it alone is permuted."""
    tables = {what: fit_params[what] for what in _TABLES if fit_params.get(what) is not None}
    if fit_params and fit_params.get("X") is None:
        raise ValueError("fit_params must hold the X that the recommender was fitted on, as in dict(X=X_train, ...).")
    for what, table in tables.items():
        frame = as_frame(table.table if isinstance(table, FeatureTable) else table, what)
        if frame is None:
            raise TypeError(f"{what} must be a frame, whose columns have names; got {type(table).__name__}.")
        for name in frame.columns[1:]:
            permuted = (FeatureTable(_permuted_frame(frame, name, rng)) for _ in range(n_repeats))
            yield f"{what}: {name}", ({**fit_params, what: one} for one in permuted)


def _permuted_frame(frame: Any, name: str, rng: Generator) -> Any:
    order = rng.permutation(len(frame))
    return frame.with_columns(frame[name][order.tolist()].alias(name)).to_native()


def _permuted_array(array: NDArray, column: int, rng: Generator) -> NDArray:
    permuted = array.copy()
    permuted[:, column] = array[rng.permutation(len(array)), column]
    return permuted
