"""Functions that make a pipeline that recommends."""

from typing import Any

import numpy as np
import sklearn.pipeline
from joblib import Memory
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import _name_estimators
from sklearn.utils.validation import check_is_fitted

from skrec.interactions import EventTemplate, Table
from skrec.pipeline._pipeline import Pipeline


def as_recommender(fitted: BaseEstimator, X: Table | None = None) -> Any:
    """Give a fitted pipeline of scikit-learn, or a search over one, the methods of a recommender.

    Nothing is copied or fitted again: the result has the same steps.

    Parameters
    ----------
    fitted : Pipeline or search
        Fitted, a pipeline that ends in a recommender. A search gives its ``best_estimator_``.
    X : array-like or frame, default=None
        The events of fit, or some rows of them: their column names and types are those of ``context`` in
        ``recommend``. Needed where the pipeline has several steps and was fitted to a frame.

    Returns
    -------
    Pipeline
        With ``recommend``, ``similar_items``, ``search`` and ``explain``. What already is a recommender, as the best
        estimator of a search over one, is returned as it is.

    Raises
    ------
    TypeError
        If there is no recommender at the end.
    ValueError
        If X is needed.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.model_selection import LeaveLastOut
    >>> from skrec.pipeline import as_recommender
    >>> X = np.array([[1, 10], [2, 10], [2, 20], [3, 30], [3, 20]])
    >>> search = GridSearchCV(make_pipeline(PopularRecommender()), {}, cv=LeaveLastOut()).fit(X)
    >>> as_recommender(search).recommend([99], k=1).items
    array([[10]])
    """
    while isinstance(fitted, BaseSearchCV) and not hasattr(fitted, "recommend"):
        check_is_fitted(fitted)
        fitted = fitted.best_estimator_
    check_is_fitted(fitted)
    if hasattr(fitted, "recommend"):
        return fitted
    if not isinstance(fitted, sklearn.pipeline.Pipeline) or not hasattr(fitted.steps[-1][1], "recommend"):
        raise TypeError(
            f"fitted must be a fitted recommender, or a Pipeline or a search that ends in one; got {fitted!r}."
        )
    return Pipeline.of_fitted(fitted, _template_of(fitted) if X is None else EventTemplate.of(X))


def _template_of(fitted: sklearn.pipeline.Pipeline) -> EventTemplate:
    """What a fitted pipeline still knows of the X of fit."""
    first = next(step for _, step in fitted.steps if step not in (None, "passthrough"))
    if len(fitted.steps) > 1 and getattr(first, "feature_names_in_", None) is not None:
        raise ValueError(
            "The pipeline was fitted to a frame, and keeps its column names without their types: pass the events of "
            "fit too, as in as_recommender(fitted, X)."
        )
    items = np.asarray(fitted.steps[-1][1].items_)
    return EventTemplate.of_array(getattr(first, "n_features_in_", 2), items)


def make_pipeline(
    *steps: BaseEstimator | str,
    memory: str | Memory | None = None,
    transform_input: list[str] | None = None,
    verbose: bool = False,
) -> Pipeline:
    """Chain transformers and a recommender, named by their types.

    Parameters
    ----------
    *steps : estimators
    memory, transform_input, verbose
        As in :func:`sklearn.pipeline.make_pipeline`.

    Returns
    -------
    Pipeline

    Examples
    --------
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.feature_extraction import ContextEncoder
    >>> from skrec.pipeline import make_pipeline
    >>> make_pipeline(ContextEncoder(), PopularRecommender())
    Pipeline(steps=[('contextencoder', ContextEncoder()),
                    ('popularrecommender', PopularRecommender())])
    """
    return Pipeline(_name_estimators(steps), memory=memory, transform_input=transform_input, verbose=verbose)
