"""Looking through what stands around an estimator.

Pipelines and searches of scikit-learn are imported where they are looked for: they load 160 of its modules, which no
import of a recommender needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from sklearn.frozen import FrozenEstimator

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline


def is_pipeline(value: object) -> TypeGuard[Pipeline]:
    """Whether this is a pipeline."""
    from sklearn.pipeline import Pipeline

    return isinstance(value, Pipeline)


def is_search(value: object) -> TypeGuard[BaseSearchCV]:
    """Whether this is a search over parameters."""
    from sklearn.model_selection._search import BaseSearchCV

    return isinstance(value, BaseSearchCV)


def is_column_transformer(value: object) -> TypeGuard[ColumnTransformer]:
    """Whether this treats columns of a table in different ways."""
    from sklearn.compose import ColumnTransformer

    return isinstance(value, ColumnTransformer)


def first_step(encoder: Any) -> Any:
    """The first step of a pipeline; anything else as it is."""
    return encoder.steps[0][1] if is_pipeline(encoder) else encoder


def unwrap_recommender(estimator: Any) -> Any:
    """The recommender inside a pipeline, a search or what freezes it; before fit, the one a search starts from."""
    while True:
        if is_pipeline(estimator):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif is_search(estimator):
            estimator = getattr(estimator, "best_estimator_", estimator.estimator)
        else:
            return estimator
