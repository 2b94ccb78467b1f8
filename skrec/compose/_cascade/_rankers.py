"""Models that order pairs: classifiers, regressors, and rankers that learn by group."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import get_tags


def kind_of_ranker(ranker: Any) -> str:
    """Either "classifier", "regressor" or "groups": a ranker that learns from the order within a query.

    Raises
    ------
    TypeError
        If it is none of them.
    """
    if hasattr(ranker, "fit") and hasattr(ranker, "get_params"):
        if is_classifier(ranker):
            return "classifier"
        if is_regressor(ranker):
            return "regressor"
        if hasattr(ranker, "predict") and "group" in signature(ranker.fit).parameters:
            return "groups"
    raise TypeError(
        "ranker must be a classifier, a regressor, or a ranker whose fit takes group=, as LGBMRanker and XGBRanker; "
        f"got {ranker!r}. Pass for example HistGradientBoostingClassifier(), or None for that one."
    )


def new_ranker(ranker: Any, random: np.random.RandomState) -> Any:
    """An unfitted copy with a seed, or the default for None."""
    seed = int(random.randint(2**31 - 1))
    if ranker is None:
        return HistGradientBoostingClassifier(
            max_iter=150, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=50, random_state=seed
        )
    ranker = clone(ranker)
    if ranker.get_params().get("random_state", seed) is None:
        ranker.set_params(random_state=seed)
    return ranker


def fit_ranker(ranker: Any, values: NDArray, grades: NDArray, queries: NDArray) -> Any:
    """Fit a ranker to pairs.

    Parameters
    ----------
    ranker : estimator
        As :func:`new_ranker` gives it.
    values : array of shape (n_pairs, n_features)
    grades : array of shape (n_pairs,)
        0 for what did not happen.
    queries : int array of shape (n_pairs,)
        Ascending.
    """
    kind = kind_of_ranker(ranker)
    if kind == "classifier":
        return ranker.fit(values, (grades > 0).astype(np.int64))
    if kind == "regressor":
        return ranker.fit(values, grades)
    sizes = np.unique(queries, return_counts=True)[1]
    return ranker.fit(values, np.ceil(grades).astype(np.int64), group=sizes)


def score_pairs(ranker: Any, values: NDArray) -> NDArray[np.float32]:
    """The probability, decision or prediction of a fitted ranker.

    Raises
    ------
    ValueError
        If it gives NaN or infinity.
    """
    if not is_classifier(ranker):
        scores = ranker.predict(values)
    elif hasattr(ranker, "predict_proba"):
        scores = ranker.predict_proba(values)[:, -1]
    else:
        scores = ranker.decision_function(values)
    scores = np.asarray(scores, dtype=np.float32).ravel()
    if not np.isfinite(scores).all():
        raise ValueError(f"{type(ranker).__name__} scored some pairs with NaN or infinity; pass another ranker.")
    return scores


def takes_missing(ranker: Any) -> bool:
    """Whether a ranker reads NaN as a missing value."""
    return bool(get_tags(ranker).input_tags.allow_nan)


def fill_values(values: NDArray[np.float32], names: list[str], worst_rank: int) -> NDArray[np.float32]:
    """What stands for a missing value of each column: behind the last rank, the lowest score, else the mean."""
    filled = np.zeros(len(names), np.float32)
    for j, name in enumerate(names):
        given = values[np.isfinite(values[:, j]), j]
        if name.endswith("_rank"):
            filled[j] = worst_rank
        elif len(given):
            filled[j] = given.min() if name.endswith("_score") else given.mean(dtype=np.float64)
    return filled


def importances(ranker: Any, names: list[str]) -> dict[str, float]:
    """What a fitted ranker says of its features, largest first.

    Raises
    ------
    AttributeError
        If it has neither ``feature_importances_`` nor ``coef_``.
    """
    last = ranker[-1] if hasattr(ranker, "steps") else ranker
    found = getattr(last, "feature_importances_", None)
    if found is None and getattr(last, "coef_", None) is not None:
        found = np.abs(last.coef_).ravel()
    if found is None or len(found) != len(names):
        raise AttributeError(
            f"{type(last).__name__} has no importances of the features; permutation_importances(X) of held-out events "
            "measures them for any ranker."
        )
    order = np.argsort(-np.asarray(found), kind="stable")
    return {names[j]: float(found[j]) for j in order}
