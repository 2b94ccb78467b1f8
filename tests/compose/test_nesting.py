"""Every composite that is public nests: in searches, pipelines, wrappers, other composites, files."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold

from skrec.compose import FusionRecommender, RuleRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.llm import LLMReranker
from skrec.pipeline import make_pipeline
from skrec.testing import all_estimators
from skrec.testing._data import N_ITEMS, checkerboard, item_table

COMPOSITES = [one for one in all_estimators() if type(one).__module__.startswith("skrec.compose.")]


@pytest.fixture(params=COMPOSITES, ids=lambda one: type(one).__name__)
def composite(request):
    return clone(request.param)


@pytest.fixture
def fitted(composite):
    return composite.fit(checkerboard(), item_features=item_table())


def with_context():
    X = checkerboard()
    device = np.where(X[:, 0] % 3 == 0, "phone", "desk")
    return pd.DataFrame({"user": X[:, 0], "item": X[:, 1], "device": device})


def test_a_search_varies_what_is_inside(composite):
    """By the parameters of a part: the composite gives its own names for them."""
    params = composite.get_params().items()
    numbers = {name: value for name, value in params if "__" in name and type(value) in (int, float) and value > 0}
    name = next(iter(numbers))
    other = numbers[name] + 1 if isinstance(numbers[name], int) else numbers[name] / 2
    search = GridSearchCV(composite, {name: [numbers[name], other]}, cv=KFold(2, shuffle=True, random_state=0))
    search.fit(checkerboard())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.recommend([0], k=2).items.shape == (1, 2)


def test_as_part_of_another(composite):
    rec = FusionRecommender([("inner", composite), ("popular", PopularRecommender())])
    rec.fit(checkerboard(), item_features=item_table())
    found = rec.recommend([0, 10**6], k=N_ITEMS)
    assert found.report["failures"] == {}
    assert found.report["parts"] == ["inner", "popular"]
    assert (rec.recommend([10**6], k=5).codes >= 0).all()
    assert rec.explain(found[:1][0]).text


def test_around_another_composite(composite):
    """A part, or what is wrapped, may be a composite."""
    parts = {name: value for name, value in composite.get_params().items() if hasattr(value, "recommend")}
    composite.set_params(**{name: RuleRecommender(clone(part)) for name, part in parts.items()})
    found = composite.fit(checkerboard()).recommend([0, 10**6], k=5)
    assert (found.codes[1] >= 0).all()
    assert np.isfinite(composite.predict([[0, 1], [10**6, 10**6]])).all()


def test_in_a_pipeline_with_context(composite):
    X = with_context()
    pipe = make_pipeline(ContextEncoder(), composite).fit(X)
    found = pipe.recommend([0, 1], k=3, context=pd.DataFrame({"device": ["desk", "phone"]}))
    assert (found.codes >= 0).all()
    assert np.isfinite(pipe.predict(X[:5])).all()
    assert pipe.recommend([0, 1], k=3, context=[["desk"]]).items.shape == (2, 3)


def test_around_a_pipeline_with_context(composite):
    """Each part may encode the context in its own way."""
    parts = {name: value for name, value in composite.get_params().items() if hasattr(value, "recommend")}
    composite.set_params(**{name: make_pipeline(ContextEncoder(), clone(part)) for name, part in parts.items()})
    X = with_context()
    composite.fit(X)
    assert (composite.recommend([0, 1], k=3, context=X[["device"]][:2]).codes >= 0).all()
    assert np.isfinite(composite.predict(X[:5])).all()


def test_as_a_base_of_the_reranker(fitted):
    rec = LLMReranker(FrozenEstimator(fitted), lambda messages: "", n_candidates=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rec.fit(checkerboard()).recommend([0, 1], k=4)
    assert_array_equal(found.items, fitted.recommend([0, 1], k=4).items)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_explains_its_own_lists(fitted):
    found = fitted.recommend([0, 10**6], k=3)
    why = fitted.explain(found)
    assert_array_equal(why.user, np.repeat([0, 10**6], 3))
    assert_array_equal(why.item, found.items.ravel())
    assert all(why.text)


def test_recommending_changes_nothing(fitted):
    before = pickle.dumps(fitted)
    fitted.recommend([0, 99], k=3, history=[[99, 3]], exclude=[[0, 1]], candidates=[[1, 2], [3, 4]])
    fitted.recommend(k=2)
    fitted.predict([[0, 1]])
    assert pickle.dumps(fitted) == before


def test_a_query_is_answered_the_same_alone(fitted):
    """Whatever stands beside it: options of each query stay with it."""
    users = np.array([3, 900, 0, 3, 10**6, 901])
    candidates = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10, 11], [0, 2, 4], [1, 12, 13]]
    options = {"history": [[900, 2], [901, 3], [900, 6]], "exclude": [[0, 7], [900, 5]]}
    together = fitted.recommend(users, k=3, candidates=candidates, **options)
    for row, user in enumerate(users):
        alone = fitted.recommend([user], k=3, candidates=[candidates[row]], **options)
        assert_array_equal(alone.items[0], together.items[row])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)
    assert set(together.items[2]) <= {6, 8, 9, None}


def test_no_users_and_short_lists(fitted):
    nobody = fitted.recommend([], k=3)
    assert nobody.items.shape == (0, 3)
    short = fitted.recommend([0], k=4, candidates=[2, 3], exclude_seen=False)
    assert_array_equal(short.codes[0] >= 0, [True, True, False, False])
    assert np.isneginf(short.scores[0, 2:]).all()
    nothing = fitted.recommend([0], k=2, candidates=[2], exclude=[[0, 2]])
    assert_array_equal(nothing.items, [[None, None]])
