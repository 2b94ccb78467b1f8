import math
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.metrics import _resampling, compare, evaluate, ranking_scorer
from skrec.metrics._resampling import bootstrap_means, interval, sign_flip_p_values, sums_by_user
from skrec.model_selection import LeaveLastOut


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 80, 900), rng.integers(0, 40, 900) * rng.integers(0, 40, 900) // 40])
    ((train, test),) = LeaveLastOut(3).split(X)
    return X[train], X[test]


def by_metric(frame):
    return frame.set_index("metric")


def test_means_are_those_of_the_scorer_and_lie_in_their_interval(split):
    train, test = split
    names = ["ndcg@10", "recall@5", "novelty@3", "coverage@10", "gini@10"]
    recommender = PopularRecommender().fit(train)
    table = by_metric(evaluate(recommender, test, metrics=names, random_state=0))
    scorer = ranking_scorer(["ndcg@10", "recall@5", "novelty@3", "coverage@10", "neg_gini@10"])
    scores = scorer(recommender, test)
    scores["gini@10"] = -scores.pop("neg_gini@10")
    assert table["mean"].to_dict() == scores
    queried = table.loc[["ndcg@10", "recall@5", "novelty@3"]]
    assert ((queried["ci_low"] < queried["mean"]) & (queried["mean"] < queried["ci_high"])).all()
    assert table.loc[["coverage@10", "gini@10"], ["ci_low", "ci_high"]].isna().all(axis=None)
    assert table["n_queries"].nunique() == 1


def test_several_recommenders_and_the_same_seed_give_the_same_table(split):
    train, test = split
    models = {"popular": PopularRecommender().fit(train), "chance": RandomRecommender(random_state=0).fit(train)}
    first, second = (evaluate(models, test, random_state=7) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert first["model"].unique().tolist() == ["popular", "chance"]
    assert list(first.columns) == ["model", "metric", "mean", "ci_low", "ci_high", "n_queries", "n_dropped"]
    without = evaluate(models, test, n_bootstrap=0)
    assert without["ci_low"].isna().all()
    np.testing.assert_array_equal(without["mean"], first["mean"])


def test_a_higher_confidence_gives_a_wider_interval(split):
    train, test = split
    recommender = PopularRecommender().fit(train)
    widths = []
    for confidence in (0.5, 0.95):
        (row,) = evaluate(recommender, test, metrics="ndcg", confidence=confidence, random_state=0).itertuples()
        widths.append(row.ci_high - row.ci_low)
    assert widths[0] < widths[1]


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        sample = rng.exponential(1.0, (60, 1))
        low, high = interval(bootstrap_means(sample, np.ones_like(sample), 400, trial), 0.9)
        covered += low[0] <= 1.0 <= high[0]
    assert 0.82 < covered / 200 < 0.96  # 0.9, less what a percentile interval of 60 skewed values lacks


def test_bootstrap_equals_resampling_one_by_one():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((6, 2))
    values[2, 1] = np.nan
    users = np.array([5, 5, 1, 2, 2, 2])
    sums, counts = sums_by_user(values, users)
    means = bootstrap_means(sums, counts, 50, seed=4)
    groups = [values[users == user] for user in (1, 2, 5)]
    draws = np.random.default_rng(4).integers(0, 3, (50, 3))
    for drawn, mean in zip(draws, means, strict=True):
        sample = np.concatenate([groups[i] for i in drawn])
        for j in range(2):
            column = sample[~np.isnan(sample[:, j]), j]
            expected = column.mean() if len(column) else math.nan
            assert mean[j] == pytest.approx(expected, nan_ok=True)


def test_resamples_do_not_depend_on_the_block(monkeypatch):
    rng = np.random.default_rng(0)
    sums = rng.standard_normal((11, 2))
    whole = bootstrap_means(sums, np.ones_like(sums), 40, 1), sign_flip_p_values(sums, 40, 1)
    monkeypatch.setattr(_resampling, "_CELLS", 70)
    np.testing.assert_allclose(bootstrap_means(sums, np.ones_like(sums), 40, 1), whole[0])
    assert len(list(_resampling._blocks(40, 11))) > 1


def test_the_p_value_nears_that_of_all_sign_flips():
    differences = np.array([0.5, 0.25, 0.25, -0.125, 0.5, 0.0, 0.75])
    observed = abs(differences.sum())
    flips = [abs(np.dot(signs, differences)) >= observed for signs in product([-1, 1], repeat=7)]
    (p_value,) = sign_flip_p_values(differences[:, None], 20_000, seed=0)
    assert p_value == pytest.approx(np.mean(flips), abs=0.01)
    assert sign_flip_p_values(np.zeros((5, 1)), 99, seed=0) == 1.0


def test_p_values_of_equal_models_are_uniform():
    rng = np.random.default_rng(0)
    p_values = sign_flip_p_values(rng.standard_normal((40, 500)), 999, seed=0)
    assert 0.02 < (p_values < 0.05).mean() < 0.09


def test_compare_tells_models_apart_and_pairs_queries(split):
    train, test = split
    popular, chance = PopularRecommender().fit(train), RandomRecommender(random_state=0).fit(train)
    table = by_metric(compare(popular, chance, test, metrics=["ndcg@10", "coverage@10"], random_state=0))
    single = {
        name: by_metric(evaluate(model, test, metrics=["ndcg@10", "coverage@10"], n_bootstrap=0))["mean"]
        for name, model in (("mean_a", popular), ("mean_b", chance))
    }
    for column, means in single.items():
        np.testing.assert_allclose(table[column], means)
    np.testing.assert_allclose(table["difference"], table["mean_a"] - table["mean_b"])
    row = table.loc["ndcg@10"]
    assert 0 < row["ci_low"] < row["difference"] < row["ci_high"]
    assert row["p_value"] < 0.05
    assert table.loc["coverage@10", ["ci_low", "ci_high", "p_value"]].isna().all()
    other = by_metric(compare(chance, popular, test, metrics=["ndcg@10"], random_state=0)).loc["ndcg@10"]
    assert other["difference"] == -row["difference"]
    assert other["p_value"] == row["p_value"]


def test_compare_of_a_model_with_itself(split):
    train, test = split
    recommender = PopularRecommender().fit(train)
    row = compare(recommender, recommender, test, metrics="ndcg@10", random_state=0).iloc[0]
    assert row[["difference", "ci_low", "ci_high", "p_value"]].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_compare_takes_the_queries_that_both_have():
    a = PopularRecommender().fit(np.array([[1, 10], [2, 10], [2, 20]]))
    b = PopularRecommender().fit(np.array([[1, 20], [2, 10], [1, 10]]))
    test = np.array([[1, 20], [2, 20], [3, 20]])  # user 2 has seen it in a, user 1 in b
    row = compare(a, b, test, metrics="mrr@2", random_state=0).iloc[0]
    assert row["n_queries"] == 1
    assert row[["mean_a", "mean_b"]].tolist() == [0.5, 0.5]


def test_context_makes_queries_of_events_and_units_of_users():
    train = pd.DataFrame({"user": [1, 2, 2, 3], "item": [10, 10, 20, 30], "hour": 0.0})
    test = pd.DataFrame({"user": [1, 1, 1, 2], "item": [20, 20, 30, 30], "hour": [1.0, 2.0, 3.0, 4.0]})
    recommender = PopularRecommender().fit(train)
    row = evaluate(recommender, test, metrics="recall@1", random_state=0, n_bootstrap=400).iloc[0]
    assert row["n_queries"] == 4
    assert row["mean"] == pytest.approx(3 / 4)
    assert row["ci_low"] == pytest.approx(2 / 3)  # user 1 alone: 2 of 3
    assert row["ci_high"] == 1.0


def test_targets_seen_in_training_are_counted():
    a = PopularRecommender().fit(np.array([[1, 10], [2, 10], [2, 20]]))
    b = PopularRecommender().fit(np.array([[1, 20], [1, 30], [2, 10]]))
    test, y = np.array([[1, 20], [1, 20], [1, 30], [2, 20], [3, 20]]), [1, 1, 0, 1, 1]
    table = evaluate({"a": a, "b": b}, test, y, metrics=["recall@2", "mrr@2"], n_bootstrap=0)
    assert table["n_dropped"].tolist() == [1, 1, 2, 2]  # y = 0 is no target
    assert table["n_queries"].tolist() == [2, 2, 2, 2]
    table = evaluate(a, test, y, metrics="recall@2", n_bootstrap=0, exclude_seen=False)
    assert table[["n_queries", "n_dropped"]].to_numpy().tolist() == [[3, 0]]


def test_per_event_pairs_events_and_resamples_users():
    train = np.array([[1, 10], [2, 10], [2, 20], [3, 30]])
    test = np.array([[1, 20], [1, 20], [1, 30], [2, 30], [3, 30]])
    popular = PopularRecommender().fit(train)
    row = evaluate(popular, test, metrics="recall@1", random_state=0, n_bootstrap=400, per="event").iloc[0]
    assert row[["n_queries", "n_dropped"]].tolist() == [4, 1]
    assert row["mean"] == pytest.approx(3 / 4)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([2 / 3, 1.0])  # user 1 alone, or user 2 alone
    chance = RandomRecommender(random_state=0).fit(train)
    row = compare(popular, chance, test, metrics="recall@1", random_state=0, per="event").iloc[0]
    assert row["n_queries"] == 4


def test_where_some_have_context_events_are_compared():
    train = pd.DataFrame({"user": [1, 2, 2, 3], "item": [10, 10, 20, 30], "hour": 0.0})
    test = pd.DataFrame({"user": [1, 1], "item": [20, 30], "hour": [1.0, 2.0]})
    aware = PopularRecommender().fit(train)
    blind = make_pipeline(FunctionTransformer(lambda X: X[["user", "item"]]), PopularRecommender()).fit(train)
    for measure in (
        lambda **rules: evaluate({"a": aware, "b": blind}, test, **rules),
        partial(compare, aware, blind, test),
    ):
        with pytest.warns(UserWarning, match="each held-out event is a query, for all of them"):
            chosen = measure(metrics="recall@2", random_state=0)
        by_event = measure(metrics="recall@2", random_state=0, per="event")
        assert chosen.equals(by_event)
        assert set(by_event["n_queries"]) == {2}
        assert set(measure(metrics="recall@2", per="user")["n_queries"]) == {1}


def test_nothing_to_evaluate_is_nan():
    X = np.array([[1, 10], [2, 20]])
    recommender = PopularRecommender().fit(X)
    with pytest.warns(UndefinedMetricWarning):
        table = evaluate(recommender, X, metrics=["ndcg@10", "coverage@10", "novelty@10"])
    assert table[["mean", "ci_low", "ci_high"]].isna().all(axis=None)
    assert (table["n_queries"] == 0).all()
    row = compare(recommender, recommender, X, metrics="ndcg@10").iloc[0]
    assert row[["mean_a", "difference", "p_value"]].isna().all()


class Rated(PopularRecommender):
    feedback = "explicit"


def test_ndcg_of_unlike_gains_is_not_compared(split):
    train, test = split
    models = {"popular": PopularRecommender().fit(train), "rated": Rated().fit(train, np.ones(len(train)))}
    with pytest.raises(ValueError, match="pass gain='binary'"):
        evaluate(models, test)
    with pytest.raises(ValueError, match="pass gain='binary'"):
        compare(*models.values(), test)
    table = evaluate(models, test, metrics="ndcg", gain="binary", n_bootstrap=0)
    assert table["mean"].nunique() == 1
    evaluate(models, test, metrics="recall", n_bootstrap=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_bootstrap": -1}, ValueError, "n_bootstrap"),
        ({"confidence": 1.0}, ValueError, "confidence"),
        ({"metrics": "ndgc@10"}, ValueError, "Did you mean 'ndcg'"),
        ({"recommenders": {}}, ValueError, "recommenders is empty"),
    ],
)
def test_bad_settings_say_what_to_write(split, options, error, message):
    train, test = split
    arguments = {"recommenders": PopularRecommender().fit(train), "X_test": test} | options
    with pytest.raises(error, match=message):
        evaluate(**arguments)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_the_table_is_of_the_frame_library_that_is_installed(split, library, monkeypatch):
    train, test = split
    monkeypatch.setattr("skrec.metrics._evaluate.installed_frame_library", lambda: library)
    table = evaluate(PopularRecommender().fit(train), test, metrics=["ndcg", "gini"], n_bootstrap=10)
    assert type(table).__module__.split(".")[0] == library
    assert table.shape == (2, 7)
