"""What is worth tuning in each model, and how far."""

from typing import Any

from scipy.stats import loguniform, randint, uniform
from sklearn.pipeline import Pipeline

# By name, so that no family is imported here.
_SPACES: dict[str, dict[str, Any]] = {
    "PopularRecommender": {"recency_decay": uniform(0.2, 0.8)},
    "EmbeddingKNNRecommender": {
        "aggregation": ["mean", "max", "attention"],
        "recency_decay": uniform(0.4, 0.6),
        "whitening": uniform(0, 1),
        "attention_sharpness": loguniform(2, 50),
    },
    "ItemKNNRecommender": {
        "n_neighbors": [50, 100, 200, 400],
        "source_exponent": uniform(0.2, 0.6),
        "target_exponent": uniform(0, 0.5),
        "length_exponent": uniform(0, 1),
        "pair_decay": uniform(0.6, 0.4),
        "backward_weight": uniform(0, 1),
        "recency_decay": uniform(0.4, 0.6),
        "text_weight": uniform(0, 2),
        "text_smoothing": uniform(0, 3),
    },
    "UserKNNRecommender": {
        "n_neighbors": [25, 50, 100, 200, 400],
        "similarity": ["cosine", "tfidf", "bm25"],
        "amplification": uniform(0.5, 2),
        "recency_decay": uniform(0.5, 0.5),
        "vote_decay": uniform(0.7, 0.3),
        "feature_weight": loguniform(0.01, 0.3),
    },
    "EASERecommender": {
        "regularization": loguniform(10, 3000),
        "regularization_exponent": uniform(0, 0.8),
        "order_weight": uniform(0, 2),
        "pair_decay": uniform(0.6, 0.4),
        "recency_decay": uniform(0.4, 0.6),
        "side_weight": loguniform(1, 100),
    },
    "HybridMFRecommender": {
        "n_factors": [16, 32, 64, 128],
        "regularization": loguniform(1, 100),
        "alpha": [0.0, 1.0, 4.0, 16.0, "auto"],
        "frequency_scaling": uniform(0, 1),
    },
    "BPRRecommender": {
        "n_factors": [16, 32, 64, 128],
        "learning_rate": loguniform(0.01, 0.2),
        "regularization": loguniform(0.003, 0.1),
        "max_iter": randint(30, 200),
        "popularity_weight": uniform(0, 1),
    },
    "LogisticMFRecommender": {
        "n_factors": [8, 16, 32, 64],
        "learning_rate": loguniform(0.3, 1.5),
        "regularization": loguniform(0.3, 10),
        "max_iter": randint(15, 60),
    },
}


def search_space(estimator: Any) -> dict[str, Any]:
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
        If there is none for a model of this kind.

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
    for cls in type(estimator).__mro__:
        if cls.__name__ in _SPACES:
            return dict(_SPACES[cls.__name__])
    raise ValueError(
        f"There is no default search space for {type(estimator).__name__}; pass param_distributions, as in "
        "{'n_neighbors': [50, 100, 200]}."
    )
