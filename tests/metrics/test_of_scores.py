"""Metrics of scores: AUC per user, and errors of ratings."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rules import logs, slow_queries
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import mean_absolute_error, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.base import BaseRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.metrics import _of_scores, compare, evaluate, ranking_scorer, user_auc
from skrec.model_selection import TunedRecommender

TRAIN = np.array([[1, 10], [2, 10], [3, 10], [2, 20], [3, 20], [3, 30], [4, 40]])
"""Popularity: 10 (3), 20 (2), 30 and 40 (1)."""


class Rated(PopularRecommender):
    feedback = "explicit"


def slow_auc(positives, negatives):
    """Each pair in turn; equal scores count half."""
    pairs = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    return np.mean(pairs) if pairs else math.nan


SCORES = st.sampled_from([0.0, 1.0, 2.0, -1.0, math.nan])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.tuples(st.booleans(), SCORES), min_size=5, max_size=5), min_size=1, max_size=4))
def test_auc_equals_its_definition(rows):
    relevant = np.array([[is_relevant for is_relevant, _ in row] for row in rows], dtype=float)
    scores = np.array([[score for _, score in row] for row in rows])
    expected = [
        slow_auc(
            *([score for is_relevant, score in row if is_relevant == side and score == score] for side in (True, False))
        )
        for row in rows
    ]
    np.testing.assert_allclose(user_auc(relevant, scores, average=False), expected)
    for one, score, value in zip(relevant, scores, expected, strict=True):
        there = ~np.isnan(score)
        if not math.isnan(value):
            assert roc_auc_score(one[there], score[there]) == pytest.approx(value)


def test_auc_of_bad_input():
    with pytest.raises(ValueError, match=r"scores has shape \(1, 2\) and relevant \(1, 3\)"):
        user_auc([[1, 0, 0]], [[0.5, 0.2]])
    with pytest.raises(ValueError, match="relevant"):
        user_auc([[1, np.nan]], [[0.5, 0.2]])
    with pytest.warns(UndefinedMetricWarning, match="both a relevant item and another"):
        assert math.isnan(user_auc([[1, 1]], [[0.5, 0.2]]))


@settings(deadline=None, max_examples=60)
@given(
    log=logs(),
    exclude_seen=st.booleans(),
    threshold=st.sampled_from([None, 2.0]),
    candidates=st.sampled_from([None, [0, 2, 3, 99]]),
    per=st.sampled_from(["user", "event"]),
)
def test_auc_by_a_plain_reading_of_the_rules(log, exclude_seen, threshold, candidates, per):
    train, test, y = log
    recommender = PopularRecommender().fit(train)
    queries, _ = slow_queries(train.tolist(), test, y, False, exclude_seen, None, per)
    ranked = set(recommender.items_.tolist()) & set(recommender.items_.tolist() if candidates is None else candidates)
    aucs = []
    for user, _, found in queries:
        relevant = {item for item, strength in found.items() if threshold is None or strength >= threshold}
        seen = {item for u, item in train.tolist() if u == user} if exclude_seen else set()
        score = {item: recommender.predict([[user, item]])[0] for item in ranked | relevant}
        aucs.append(slow_auc([score[i] for i in relevant], [score[i] for i in ranked - relevant - seen]))
    if np.isnan(aucs).all() or not ranked:
        return
    rules = {"exclude_seen": exclude_seen, "relevance_threshold": threshold, "candidates": candidates, "per": per}
    assert ranking_scorer("auc", **rules)(recommender, test, y) == pytest.approx(np.nanmean(aucs))


class Numbered(BaseRecommender):
    """The score of an item is its number."""

    def _fit(self, data, item_matrix, user_matrix):
        pass

    def _score(self, queries, items):
        return np.tile(self.items_[items].astype(np.float32), (len(queries), 1))

    def _is_cold(self, queries):
        return np.zeros(len(queries), bool)


@pytest.fixture(scope="module")
def numbered():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 30, 400), rng.integers(0, 60, 400)])
    test = np.column_stack([rng.integers(0, 35, 90), rng.integers(0, 65, 90)])  # with unknown users and items
    return Numbered().fit(X), X, test


def test_sampled_auc_nears_that_of_all_items(numbered):
    recommender, _, test = numbered
    table = evaluate(recommender, test, metrics=["auc", "auc_sampled@20000", "auc_sampled"], n_bootstrap=0)
    whole, many, few = table["mean"]
    assert many == pytest.approx(whole, abs=0.003)
    assert few == pytest.approx(whole, abs=0.03)
    assert few != many
    assert table["n_queries"].nunique() == 1


def test_negatives_are_neither_seen_nor_relevant_and_are_drawn_evenly():
    rows, items = np.array([0, 0, 1, 1, 1, 1, 2, 2]), np.array([1, 3, 0, 1, 2, 3, 1, 9])
    negatives = _of_scores._Negatives(5, None)
    row, item = negatives.draw(rows, items, 3, 3000, np.random.default_rng(0))
    counts = np.zeros((3, 5), int)
    np.add.at(counts, (row, item), 1)
    allowed = np.array([[1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 0, 1, 1, 1]], bool)
    assert (counts.sum(axis=1) == 3000).all()
    assert (counts[~allowed] == 0).all()
    assert (counts[0][allowed[0]] > 900).all()
    assert (counts[2][allowed[2]] > 650).all()
    every = negatives.all(rows, items, 3)
    np.testing.assert_array_equal(np.column_stack(every), np.argwhere(allowed))


@settings(deadline=None)
@given(
    hidden=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=20),
    candidates=st.sets(st.integers(0, 5), min_size=1),
)
def test_no_negative_is_hidden(hidden, candidates):
    rows, items = np.array(hidden, dtype=np.int64).reshape(-1, 2).T
    negatives = _of_scores._Negatives(6, np.array(sorted(candidates)))
    left = {(row, item) for row in range(4) for item in candidates} - set(hidden)
    assert set(zip(*(part.tolist() for part in negatives.all(rows, items, 4)), strict=True)) == left
    drawn = zip(*(part.tolist() for part in negatives.draw(rows, items, 4, 50, np.random.default_rng(0))), strict=True)
    assert set(drawn) <= left
    assert {row for row, _ in left} == {
        int(row) for row in negatives.draw(rows, items, 4, 1, np.random.default_rng(0))[0]
    }


def test_blocks_change_nothing(numbered, monkeypatch):
    recommender, _, test = numbered
    scorer = ranking_scorer(["auc", "auc_sampled@7"])
    whole = scorer(recommender, test)
    monkeypatch.setattr(_of_scores, "_PAIRS", 100)
    assert scorer(recommender, test) == pytest.approx(whole)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize("as_text", [False, True])
def test_any_table_gives_the_same(numbered, library, as_text):
    _, X, test = numbered
    expected = ranking_scorer(["auc", "auc_sampled@9"])(PopularRecommender().fit(X), test)

    def frame(array):
        columns = {"u": array[:, 0], "i": array[:, 1], "timestamp": np.arange(len(array))}
        return library(
            {name: [f"x{v:02}" for v in c] if as_text and name != "timestamp" else c for name, c in columns.items()}
        )

    found = ranking_scorer(["auc", "auc_sampled@9"])(PopularRecommender().fit(frame(X)), frame(test))
    assert found == pytest.approx(expected)


class ByHour(BaseRecommender):
    """Even hours want 20, odd ones 30."""

    _uses_context = True

    def _fit(self, data, item_matrix, user_matrix):
        pass

    def _score(self, queries, items):
        wanted = np.where(queries.context[:, 0] % 2 == 0, 20, 30)
        return (self.items_[items][None, :] == wanted[:, None]).astype(np.float32)

    def _is_cold(self, queries):
        return np.zeros(len(queries), bool)


@pytest.mark.parametrize("as_frame", [True, False])
def test_each_event_is_scored_in_its_own_context(as_frame):
    train = pd.DataFrame(TRAIN, columns=["user", "item"]).assign(hour=0.0)
    test = pd.DataFrame({"user": [1, 1, 1], "item": [20, 30, 30], "hour": [2.0, 3.0, 4.0]})
    if not as_frame:
        train, test = train.to_numpy(), test.to_numpy()
    recommender = ByHour().fit(train)
    assert ranking_scorer("auc")(recommender, test) == pytest.approx((1 + 1 + 0.25) / 3)  # 30 and 40 tie at hour 4
    with pytest.raises(ValueError, match="pass per='event'"):
        ranking_scorer("auc", per="user")(recommender, test)


def test_auc_needs_predict_and_takes_no_history():
    class Lists(BaseEstimator):
        items_, users_ = np.array([10, 20]), np.array([1])

        def fit(self, X, y=None):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def recommend(self, users, k=10):
            return np.full((len(users), k), 10), np.zeros((len(users), k))

    class Wrong(PopularRecommender):
        def predict(self, X):
            return np.full(len(X), np.nan)

    test = np.array([[1, 20], [7, 10], [7, 20]])
    with pytest.raises(ValueError, match=r"'auc' needs predict\(X\).*Lists has none"):
        ranking_scorer("auc")(Lists(), test)
    with pytest.raises(ValueError, match="leave out n_history"):
        ranking_scorer("auc_sampled@5", n_history=1)(PopularRecommender().fit(TRAIN), test)
    with pytest.raises(ValueError, match=r"Wrong.predict gave.*NaN"):
        ranking_scorer("auc")(Wrong().fit(TRAIN), test)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("auc@10", "'auc@10' is of scores.*write 'auc'"),
        ("rmse@10", "write 'rmse'"),
        ("auc_sampled@0", "number of negatives"),
        ("auc_sampled@2000000", "write 'auc' for all items"),
        ("mae", "write 'neg_mae'"),
        ("neg_auc", "Unknown metric 'neg_auc'"),
    ],
)
def test_names(name, message):
    with pytest.raises(ValueError, match=message):
        ranking_scorer(name)


# Ratings ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 20, 400), rng.integers(0, 25, 400)])
    y = np.clip(np.round(3 + rng.standard_normal(20)[X[:, 0]] + rng.standard_normal(400)), -1, 5)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture(scope="module")
def models(ratings):
    X, y, *_ = ratings
    settings_ = {"feedback": "explicit", "max_iter": 3, "random_state": 0}
    return [HybridMFRecommender(n_factors=n, **settings_).fit(X, y) for n in (2, 8)]


def test_errors_are_those_of_scikit_learn_over_all_events(ratings, models):
    _, _, X, y = ratings
    table = evaluate(models[0], X, y, metrics=["rmse", "ndcg@5", "mae"], random_state=0).set_index("metric")
    predicted = models[0].predict(X)
    assert table.loc["rmse", "mean"] == pytest.approx(root_mean_squared_error(y, predicted))
    assert table.loc["mae", "mean"] == pytest.approx(mean_absolute_error(y, predicted))
    assert table.loc[["rmse", "mae"], "n_queries"].tolist() == [100, 100]
    assert (table["ci_low"] < table["mean"]).all()
    assert (table["mean"] < table["ci_high"]).all()
    assert list(table.index) == ["rmse", "ndcg@5", "mae"]
    scores = ranking_scorer(["neg_rmse", "neg_mae"])(models[0], X, y)
    assert scores == pytest.approx({"neg_rmse": -table.loc["rmse", "mean"], "neg_mae": -table.loc["mae", "mean"]})


def test_the_interval_of_rmse_is_of_roots_of_resampled_users(ratings, models):
    _, _, X, y = ratings
    row = evaluate(models[0], X, y, metrics="rmse", n_bootstrap=200, random_state=3).iloc[0]
    squared = (models[0].predict(X) - y) ** 2
    by_user = [squared[X[:, 0] == user] for user in np.unique(X[:, 0])]
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    draws = np.random.default_rng(seed).integers(0, len(by_user), (200, len(by_user)))
    roots = [math.sqrt(np.concatenate([by_user[i] for i in drawn]).mean()) for drawn in draws]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(np.quantile(roots, [0.025, 0.975]), rel=1e-5)


def test_compare_takes_the_difference_of_roots(ratings, models):
    _, _, X, y = ratings
    table = compare(*models, X, y, metrics=["rmse", "ndcg@5", "mae"], random_state=0).set_index("metric")
    errors = [root_mean_squared_error(y, model.predict(X)) for model in models]
    row = table.loc["rmse"]
    assert [row["mean_a"], row["mean_b"]] == pytest.approx(errors)
    assert row["difference"] == pytest.approx(errors[0] - errors[1])
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert row["n_queries"] == 100
    assert 0 < row["p_value"] <= 1
    same = compare(models[0], models[0], X, y, metrics="rmse", random_state=0).iloc[0]
    assert same[["difference", "ci_low", "ci_high", "p_value"]].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_errors_of_a_pipeline_and_in_searches(ratings):
    X, y, *_ = ratings
    model = HybridMFRecommender(n_factors=2, max_iter=2, feedback="explicit", random_state=0)
    pipeline = make_pipeline(FunctionTransformer(), model).fit(X, y)
    assert ranking_scorer("neg_rmse")(pipeline, X, y) == ranking_scorer("neg_rmse")(model.fit(X, y), X, y)
    search = GridSearchCV(model, {"n_factors": [2, 3]}, scoring=ranking_scorer("neg_rmse"), cv=KFold(2)).fit(X, y)
    assert search.best_score_ < 0
    tuned = TunedRecommender(model, {"n_factors": [2, 3]}, n_iter=2, scoring="neg_rmse", cv=KFold(2)).fit(X, y)
    assert tuned.best_score_ == pytest.approx(search.best_score_)


def test_ratings_are_needed(ratings, models):
    X = ratings[2]
    with pytest.raises(ValueError, match=r"PopularRecommender has feedback='implicit'.*feedback='explicit'"):
        ranking_scorer("neg_rmse")(PopularRecommender().fit(X), X)
    with pytest.raises(ValueError, match="'mae' compares predictions with ratings; pass them as y"):
        evaluate(models[0], X, metrics=["ndcg", "mae"])
