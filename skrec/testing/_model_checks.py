"""Checks of a model as an estimator: refits, seeds, pickles, updates and model selection."""

import pickle
import warnings
from typing import Any

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.utils.validation import has_fit_parameter

from skrec.exceptions import ColdStartWarning, FeatureCoverageWarning
from skrec.testing._data import N_ITEMS, assert_same, checkerboard, fit, item_table


def check_refit_starts_from_scratch(rec: Any) -> None:
    """A second fit keeps nothing of the first."""
    first, second = checkerboard(), checkerboard()[:100] + [0, 1]
    fresh = fit(clone(rec), second)
    fit(fit(rec, first, item_features=item_table()), second)
    assert_array_equal(rec.items_, fresh.items_)
    assert_same(rec.recommend(k=5), fresh.recommend(k=5))


def check_same_seed_same_result(rec: Any) -> None:
    """The same ``random_state`` gives the same result for any number of threads."""
    if "random_state" in rec.get_params():
        rec.set_params(random_state=7)
    again = clone(rec)
    if "n_jobs" in again.get_params():
        rec.set_params(n_jobs=1)
        again.set_params(n_jobs=2)
    a = fit(rec, checkerboard(), item_features=item_table()).recommend(k=5)
    b = fit(again, checkerboard(), item_features=item_table()).recommend(k=5)
    assert_array_equal(a.codes, b.codes)
    assert_array_equal(a.scores, b.scores)


def check_pickle_round_trip(rec: Any) -> None:
    """A loaded model gives the same results as the saved one."""
    fit(rec, checkerboard(), item_features=item_table())
    loaded = pickle.loads(pickle.dumps(rec))
    assert_same(loaded.recommend(k=5), rec.recommend(k=5))
    assert_same(loaded.recommend(history=[[900, 2]], k=5), rec.recommend(history=[[900, 2]], k=5))


def check_partial_fit(rec: Any) -> None:
    """If the model has it: the first call fits, later calls add events, users and items."""
    if not hasattr(rec, "partial_fit"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        rec.partial_fit(checkerboard()).partial_fit([[0, 1], [500, 600], [500, 3]])
    assert 500 in rec.users_ and rec.items_[-1] == 600
    items = rec.recommend([0, 500], k=N_ITEMS + 1).items
    assert 1 not in items[0] and not {600, 3} & set(items[1])
    assert np.isfinite(rec.predict([[500, 1], [0, 600]])).all()


def check_sample_weight(rec: Any) -> None:
    """If the model has it: events of weight 0 are dropped before ids are learned."""

    if not has_fit_parameter(rec, "sample_weight") or getattr(rec, "feedback", "implicit") == "explicit":
        return
    X = checkerboard()
    weight = (X[:, 1] != 3).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        weighted = clone(rec).fit(X, sample_weight=weight)
    assert 3 not in weighted.items_
    assert_same(weighted.recommend(k=4), fit(rec, X[weight > 0]).recommend(k=4))


def check_model_selection(rec: Any) -> None:
    """cross_validate and GridSearchCV run over shuffled folds, cold users and items included, with finite scores."""
    X = np.vstack([checkerboard(), [[700, 1], [701, 800]]])
    folds = KFold(3, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        scores = cross_validate(rec, X, cv=folds, params={"item_features": item_table()}, error_score="raise")
        assert np.isfinite(scores["test_score"]).all()
        name, value = next(iter(rec.get_params(deep=False).items()))
        search = GridSearchCV(rec, {name: [value]}, cv=folds, error_score="raise")
        search.fit(X, item_features=item_table())
    assert np.isfinite(search.best_score_)
