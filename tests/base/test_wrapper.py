"""What every wrapper of a recommender hands on."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted

from skrec.base._meta import MetaRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.metrics import evaluate
from skrec.pipeline import make_pipeline
from skrec.testing import check_recommender

X = np.array([[1, 10], [1, 20], [2, 20], [2, 30], [3, 10], [3, 30]])


class Plain(MetaRecommender):
    """Changes nothing."""

    def __init__(self, recommender):
        self.recommender = recommender

    _parameter_constraints = {}  # noqa: RUF012

    def recommend(self, users=None, k=10, **options):
        check_is_fitted(self)
        return self.recommender_.recommend(users, k, **options)


def test_a_wrapper_keeps_both_contracts():
    plain = Plain(HybridMFRecommender(n_factors=4, max_iter=3, random_state=0))
    check_recommender(plain)
    for estimator, check in estimator_checks_generator(plain, mark=None):
        if check.func.__name__ != "check_array_api_input":
            with warnings.catch_warnings(action="ignore"):
                check(estimator)


def test_nested_parameters_are_tuned():
    search = GridSearchCV(Plain(PopularRecommender()), {"recommender__recency_decay": [0.5, 1.0]}, cv=2).fit(X)
    assert np.isfinite(search.best_score_)


def test_a_frozen_recommender_is_kept():
    fitted = PopularRecommender().fit(X)
    wrapper = Plain(FrozenEstimator(fitted)).fit(X[:2])
    assert wrapper.items_.tolist() == [10, 20, 30]


def test_around_a_frozen_pipeline():
    rows = np.column_stack([X, np.arange(6) % 2])
    pipeline = make_pipeline(ContextEncoder(), PopularRecommender()).fit(rows)
    wrapper = Plain(FrozenEstimator(pipeline)).fit(rows)
    assert wrapper.recommend([1], k=1).to_frame()["item"].tolist() == [30]
    assert np.isfinite(wrapper.score(rows[:2] + [1, 0, 0]))
    assert wrapper.popularity_.tolist() == [2, 2, 2]


def test_histories_are_those_of_fit_and_the_later_ones():
    wrapper = Plain(PopularRecommender()).fit(X)
    histories = wrapper._histories_of([1, 9, 1], [[9, 30], [1, 30], [9, 99]])
    assert [histories.items[a:b].tolist() for a, b in zip(histories.indptr, histories.indptr[1:], strict=False)] == [
        [0, 1, 2],
        [2],
        [0, 1, 2],
    ]


def test_around_a_pipeline():
    rows = np.column_stack([X, np.arange(6) % 2])
    wrapper = Plain(make_pipeline(ContextEncoder(), PopularRecommender(n_segments=2, random_state=0)))
    assert clone(wrapper).feedback == "implicit"
    wrapper.fit(rows)
    assert wrapper.recommend([1], k=1, context=[[1]]).items.shape == (1, 1)
    assert len(evaluate(wrapper, rows, metrics=["ndcg@2"], exclude_seen=False)) == 1


def test_what_is_no_recommender_is_refused():
    with pytest.raises(TypeError, match="recommend"):
        Plain(ContextEncoder()).fit(X)


class Refusing(Plain):
    """Refuses y."""

    def _fit_wrapper(self, X, y, item_features, user_features):
        if y is not None:
            raise ValueError("no y")


@pytest.mark.parametrize("y", [[1, -1, 1, 1, 1, 1], np.ones(6)], ids=["by the recommender", "by the wrapper"])
def test_a_refused_fit_leaves_the_old_model(y):
    wrapper = Refusing(PopularRecommender())
    with pytest.raises(ValueError, match=r"negative|no y"):
        wrapper.fit(X, y)
    with pytest.raises(NotFittedError):
        wrapper.recommend([1])
    wrapper.fit(X)
    before = wrapper.recommend([1])
    with pytest.raises(ValueError, match=r"negative|no y"):
        wrapper.fit(X[:4], y[:4])
    np.testing.assert_array_equal(wrapper.recommend([1]).items, before.items)


def test_methods_are_those_of_the_recommender():
    assert not hasattr(Plain(PopularRecommender()), "similar_items")
    assert hasattr(Plain(HybridMFRecommender()), "similar_items")


class FewKeywords(BaseEstimator):
    """Recommends by a fixed order and takes nothing but users and k."""

    def fit(self, X, y=None):
        self.items_ = np.unique(np.asarray(X)[:, 1])
        self.users_ = np.unique(np.asarray(X)[:, 0])
        return self

    def recommend(self, users=None, k=10):
        return np.tile(self.items_[:k], (len(users), 1)), np.zeros((len(users), k))

    def similar_items(self, items, k=10):
        return np.tile(self.items_[:k], (len(items), 1)), np.zeros((len(items), k))

    def partial_fit(self, X, y=None):
        self.items_[:] = np.unique(np.asarray(X)[:, 1])[-1]
        return self


class Delegating(MetaRecommender):
    """Delegates all that it can."""

    def __init__(self, recommender):
        self.recommender = recommender

    _parameter_constraints = {}  # noqa: RUF012


def test_only_what_is_given_is_passed_on():
    wrapper = Delegating(FewKeywords()).fit(X)
    assert wrapper.recommend([1], k=2, exclude_seen=True)[0].tolist() == [[10, 20]]
    assert wrapper.similar_items([10], k=1)[0].tolist() == [[10]]
    with pytest.raises(TypeError, match="candidates"):
        wrapper.recommend([1], k=2, candidates=[10])
    with pytest.raises(TypeError, match="history"):
        wrapper.recommend([1], k=2, history=[[1, 10]])


def test_an_update_of_a_recommender_that_writes_in_place_works_on_a_copy():
    wrapper = Delegating(FewKeywords()).fit(X)
    before = wrapper.recommender_
    assert wrapper.partial_fit([[1, 99]]) is wrapper
    assert wrapper.items_.tolist() == [99, 99, 99]
    assert before.items_.tolist() == [10, 20, 30]


@pytest.mark.parametrize("name", ["recommend", "similar_items", "search", "explain", "partial_fit"])
def test_keywords_are_spelled_out(name):
    """But for further tables, which a recommender of one's own may take in partial_fit."""
    parameters = inspect.signature(getattr(Delegating, name)).parameters
    others = [parameter.name for parameter in parameters.values() if parameter.kind is parameter.VAR_KEYWORD]
    assert others == (["tables"] if name == "partial_fit" else [])
    if name == "partial_fit":
        assert {"item_features", "user_features"} <= set(parameters)


def test_all_keywords_reach_the_recommender():
    wrapper, plain = Delegating(PopularRecommender()).fit(X), PopularRecommender().fit(X)
    options = {"history": [[1, 30]], "candidates": [20, 30], "exclude_seen": False, "exclude": [[1, 20]]}
    np.testing.assert_array_equal(
        wrapper.recommend([1, 2], k=2, **options).items, plain.recommend([1, 2], k=2, **options).items
    )
    assert wrapper.explain([1], [30], n_evidence=1).text == plain.explain([1], [30], n_evidence=1).text
