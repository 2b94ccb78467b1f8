"""What is worth tuning in each model, and how far."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline


def search_space(estimator: BaseEstimator) -> dict[str, Any] | list[dict[str, Any]]:
    """Distributions of the parameters that are worth tuning, for a random search.

    Parameters
    ----------
    estimator : recommender
        One of this library, or a Pipeline that ends in one.

    Returns
    -------
    dict of str to list or distribution, or list of such dicts
        New ones at each call, to be changed at will. A list has one space for each way to fit the model, such as the
        solvers of :class:`~skrec.decomposition.HybridMFRecommender`. Names in a pipeline carry the step's prefix.

    Raises
    ------
    ValueError
        If the class has no attribute ``search_space``.

    Examples
    --------
    >>> from skrec.decomposition import BPRRecommender, HybridMFRecommender
    >>> from skrec.model_selection import search_space
    >>> sorted(search_space(BPRRecommender()))
    ['learning_rate', 'max_iter', 'n_factors', 'popularity_weight', 'regularization']
    >>> [space["solver"] for space in search_space(HybridMFRecommender())]
    [['als'], ['warp']]
    >>> sorted(search_space(HybridMFRecommender(solver="softmax")))
    ['frequency_scaling', 'learning_rate', 'n_factors', 'regularization']
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        space = search_space(last)
        return _prefixed(space, name) if isinstance(space, dict) else [_prefixed(one, name) for one in space]
    spaces: Any = getattr(estimator, "search_space", None)
    if spaces is None:
        raise ValueError(
            f"There is no default search space for {type(estimator).__name__}; pass param_distributions, as in "
            "{'n_neighbors': [50, 100, 200]}."
        )
    return dict(spaces) if isinstance(spaces, dict) else [dict(space) for space in spaces]


def _prefixed(space: dict[str, Any], name: str) -> dict[str, Any]:
    return {f"{name}__{parameter}": values for parameter, values in space.items()}
