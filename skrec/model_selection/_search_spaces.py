"""What is worth tuning in each model, and how far."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline


def search_space(estimator: BaseEstimator) -> dict[str, Any]:
    """Distributions of the parameters that are worth tuning, for a random search.

    Parameters
    ----------
    estimator : recommender
        One of this library, or a Pipeline that ends in one.

    Returns
    -------
    dict of str to list or distribution
        A new one at each call, to be changed at will. Names in a pipeline carry the step's prefix.

    Raises
    ------
    ValueError
        If the class has no attribute ``search_space``.

    Examples
    --------
    >>> from skrec.decomposition import BPRRecommender
    >>> from skrec.model_selection import search_space
    >>> sorted(search_space(BPRRecommender()))
    ['learning_rate', 'max_iter', 'n_factors', 'popularity_weight', 'regularization']
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return {f"{name}__{parameter}": values for parameter, values in search_space(last).items()}
    space: dict[str, Any] | None = getattr(type(estimator), "search_space", None)
    if space is not None:
        return dict(space)
    raise ValueError(
        f"There is no default search space for {type(estimator).__name__}; pass param_distributions, as in "
        "{'n_neighbors': [50, 100, 200]}."
    )
