"""Tuning that needs no set-up, and the spaces it draws from."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import RandomizedSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.base import is_recommender
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.exceptions import BelowPopularityWarning
from skrec.metrics import evaluate, ranking_scorer
from skrec.model_selection import LeaveKOut, LeaveLastOut, TunedRecommender, search_space
from skrec.neighbors import EmbeddingKNNRecommender, UserKNNRecommender
from skrec.testing import all_estimators, public_estimators


@pytest.fixture(scope="module")
def log():
    """Trends: each user takes what is new at the time."""
    rng = np.random.default_rng(0)
    n = 600
    time = np.sort(rng.uniform(0, 100, n))
    item = (time // 5 + rng.integers(0, 4, n)).astype(int)
    return pd.DataFrame({"user": rng.integers(0, 60, n), "item": item, "timestamp": time}).drop_duplicates(
        ["user", "item"]
    )


def test_it_finds_what_matters(log):
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [0.1, 0.5, 1.0]}, n_iter=4).fit(log)
    assert rec.best_params_["recency_decay"] < 1
    by_hand = PopularRecommender(**rec.best_params_).fit(log)
    np.testing.assert_array_equal(rec.recommend(k=5).items, by_hand.recommend(k=5).items)
    assert rec.best_score_ == pytest.approx(rec.cv_results_["mean_test_score"].max())


def test_given_parameters_are_the_first_candidate_and_win_ties(log):
    rec = TunedRecommender(PopularRecommender(recency_decay=0.1), {"recency_decay": [1.0]}, n_iter=5).fit(log)
    assert rec.best_params_ == {}
    assert rec.cv_results_["params"] == [{}, {"recency_decay": 1.0}]
    assert rec.best_estimator_.recency_decay == 0.1


def test_it_tests_on_the_last_events(log):
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}, n_iter=2).fit(log)
    train, test = next(LeaveLastOut().split(log))
    score = PopularRecommender().fit(log.iloc[train]).score(log.iloc[test])
    assert rec.cv_results_["mean_test_score"][0] == pytest.approx(score)
    assert rec.cv is None


def test_users_with_one_event_are_split_by_time():
    X = pd.DataFrame({"user": range(20), "item": [1, 2] * 10, "timestamp": range(20)})
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}, n_iter=2).fit(X)
    train = PopularRecommender().fit(X.iloc[:16])
    assert rec.cv_results_["mean_test_score"][0] == pytest.approx(train.score(X.iloc[16:]))


def test_one_event_is_an_error():
    with pytest.raises(ValueError, match="n_samples=1"):
        TunedRecommender(PopularRecommender()).fit([[1, 2]])


@pytest.mark.filterwarnings("ignore::skrec.exceptions.BelowPopularityWarning")
def test_own_splits_and_several_metrics(log):
    rec = TunedRecommender(
        UserKNNRecommender(),
        n_iter=3,
        cv=LeaveKOut(n_splits=2, random_state=0),
        scoring=ranking_scorer(["ndcg@10", "recall@5"]),
        refit="recall@5",
        random_state=0,
    ).fit(log)
    assert {"mean_test_ndcg@10", "split1_test_recall@5"} <= set(rec.cv_results_)


def test_the_same_seed_draws_the_same_candidates(log):
    a, b, c = (TunedRecommender(UserKNNRecommender(), n_iter=3, random_state=s).fit(log) for s in (0, 0, 1))
    assert a.cv_results_["params"] == b.cv_results_["params"] != c.cv_results_["params"]


@pytest.mark.filterwarnings("ignore::skrec.exceptions.BelowPopularityWarning")
def test_bare_frames_of_features_stay_whole(log):
    """Of as many rows as X, which a plain search would slice."""
    rng = np.random.default_rng(1)
    ids = [*log["item"].unique(), *range(1000, 1000 + len(log) - log["item"].nunique())]
    table = pd.DataFrame({"item": ids, "a": rng.normal(size=len(ids)), "b": rng.normal(size=len(ids))})
    assert len(table) == len(log)
    rec = TunedRecommender(EmbeddingKNNRecommender(), {"recency_decay": [0.5]}, n_iter=2).fit(log, item_features=table)
    assert len(rec.items_) == len(table)


def test_methods_are_those_of_the_recommender(log):
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}, n_iter=2)
    assert is_recommender(rec)
    assert not hasattr(rec, "similar_items")
    assert not hasattr(rec, "search")
    assert hasattr(TunedRecommender(UserKNNRecommender()), "similar_items")
    knn = TunedRecommender(UserKNNRecommender(), n_iter=2, random_state=0).fit(log)
    np.testing.assert_array_equal(knn.similar_items([5], k=3).items, knn.best_estimator_.similar_items([5], k=3).items)
    history = [[999, 5]]
    np.testing.assert_array_equal(
        knn.recommend([999], 3, history=history, candidates=[4, 6, 7]).items,
        knn.best_estimator_.recommend([999], 3, history=history, candidates=[4, 6, 7]).items,
    )


def test_partial_fit_goes_on_with_the_chosen_parameters(log):
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [0.1]}, n_iter=2)
    rec.partial_fit(log[:300])
    chosen = rec.best_params_
    rec.partial_fit(log[300:])
    assert rec.best_params_ == chosen
    whole = PopularRecommender(**chosen).fit(log)
    np.testing.assert_array_equal(np.sort(rec.users_), whole.users_)


def test_it_nests_and_saves(log):
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [0.1]}, n_iter=2)
    scores = cross_validate(rec, log, cv=LeaveLastOut(n_splits=2), error_score="raise")
    assert np.isfinite(scores["test_score"]).all()
    fitted = clone(rec).fit(log[:-50])
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.recommend(k=4).items, fitted.recommend(k=4).items)
    table = evaluate({"tuned": fitted, "plain": PopularRecommender().fit(log[:-50])}, log[-50:], metrics=["recall@5"])
    assert len(table) == 2


def test_errors_are_the_recommenders_own(log):
    with pytest.raises(ValueError, match="negative"):
        TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}).fit(log, -np.ones(len(log)))
    with pytest.raises(TypeError, match="item_features"):
        TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}).fit(log, item_features=3)


def test_a_candidate_that_fails_is_passed_over(log):
    rec = TunedRecommender(PopularRecommender(), {"recency_decay": [-1.0, 0.5]}, n_iter=3)
    with pytest.warns(UserWarning, match="non-finite"), pytest.warns(FitFailedWarning, match="1 fits failed"):
        rec.fit(log)
    assert rec.best_params_.get("recency_decay", 1) > 0


@pytest.mark.parametrize("scoring", ["recall@3", "mrr"])
def test_metrics_by_name(log, scoring):
    by_name = TunedRecommender(UserKNNRecommender(), {"n_neighbors": [1]}, n_iter=2, scoring=scoring).fit(log)
    scorer = ranking_scorer(scoring)
    by_scorer = TunedRecommender(UserKNNRecommender(), {"n_neighbors": [1]}, n_iter=2, scoring=scorer).fit(log)
    assert by_name.scoring == scoring
    assert by_name.best_score_ == by_scorer.best_score_


def test_several_metrics_by_name(log):
    names = ["recall@3", "coverage@3"]
    rec = TunedRecommender(UserKNNRecommender(), {"n_neighbors": [1]}, n_iter=2, scoring=names, refit="recall@3")
    assert set(rec.fit(log).cv_results_) >= {"mean_test_recall@3", "mean_test_coverage@3"}


def test_an_unknown_metric_is_named(log):
    with pytest.raises(ValueError, match=r"Unknown metric 'ndgc@10'\. Did you mean 'ndcg'"):
        TunedRecommender(UserKNNRecommender(), {"n_neighbors": [1]}, scoring="ndgc@10").fit(log)


def test_popularity_is_scored_on_the_same_events(log):
    split = next(iter(LeaveLastOut().split(log)))
    rec = TunedRecommender(UserKNNRecommender(), {"n_neighbors": [5, 20]}, cv=[split], scoring="recall@5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BelowPopularityWarning)
        rec.fit(log)
    popular = PopularRecommender().fit(log.iloc[split[0]])
    assert rec.popularity_score_ == ranking_scorer("recall@5")(popular, log.iloc[split[1]])
    assert TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}).fit(log).popularity_score_ is None


def test_a_model_that_does_not_beat_popularity_is_named():
    rng = np.random.default_rng(0)
    share = np.arange(1, 41) ** -1.5
    X = np.column_stack([np.repeat(np.arange(60), 5), rng.choice(40, 300, p=share / share.sum())])
    with pytest.warns(BelowPopularityWarning, match=r"and popularity 0\.\d+\. Collect more events"):
        rec = TunedRecommender(RandomRecommender(random_state=0), {"random_state": [1]}, scoring="ndcg@3").fit(X)
    assert rec.best_score_ <= rec.popularity_score_


class TestSearchSpace:
    @pytest.mark.parametrize("recommender", [r for r in all_estimators() if hasattr(r, "search_space")], ids=str)
    def test_every_name_is_a_parameter_and_every_draw_is_valid(self, recommender):
        spaces, rng = search_space(recommender), np.random.RandomState(0)
        for space in [spaces] if isinstance(spaces, dict) else spaces:
            assert set(space) <= set(recommender.get_params())
            for name, values in space.items():
                draws = values.rvs(size=50, random_state=rng) if hasattr(values, "rvs") else values
                for value in draws:
                    clone(recommender).set_params(**{name: value})._validate_params()

    def test_a_space_for_each_solver(self):
        als, warp = search_space(HybridMFRecommender())
        assert (als["solver"], warp["solver"]) == (["als"], ["warp"])
        assert set(als) - set(warp) == {"alpha"}
        assert set(warp) - set(als) == {"learning_rate"}
        assert "solver" not in search_space(HybridMFRecommender(solver="softmax"))
        assert "alpha" not in search_space(HybridMFRecommender(feedback="explicit"))
        prefixed = search_space(make_pipeline(FunctionTransformer(), HybridMFRecommender()))
        assert [space["hybridmfrecommender__solver"] for space in prefixed] == [["als"], ["warp"]]

    def test_the_families_have_one(self):
        assert sum(hasattr(cls, "search_space") for cls in public_estimators()) >= 8

    def test_pipelines_get_a_prefix(self):
        pipeline = make_pipeline(FunctionTransformer(), BPRRecommender())
        assert "bprrecommender__learning_rate" in search_space(pipeline)

    def test_it_is_a_copy_for_plain_searches(self, log):
        space = search_space(UserKNNRecommender())
        space["n_neighbors"] = [3]
        assert search_space(UserKNNRecommender())["n_neighbors"] != [3]
        search = RandomizedSearchCV(UserKNNRecommender(), space, n_iter=2, cv=LeaveLastOut(), random_state=0).fit(log)
        assert search.best_params_["n_neighbors"] == 3

    def test_an_unknown_model_is_an_error(self, log):
        with pytest.raises(ValueError, match="param_distributions"):
            search_space(DummyClassifier())

        class Mine(UserKNNRecommender):
            pass

        assert "n_neighbors" in search_space(Mine())
        assert isinstance(Mine(), BaseEstimator)
