"""Metrics of the lists of fitted recommenders: against histories, expectations and one another."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rules import logs, slow_queries
from sklearn.base import BaseEstimator

from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.interactions import FeatureTable
from skrec.metrics import (
    calibration_kl,
    compare,
    evaluate,
    f1_at_k,
    personalisation,
    popularity_lift,
    ranking_scorer,
    serendipity_at_k,
)
from skrec.metrics._of_lists import _pseudo_values
from skrec.metrics._resampling import bootstrap_means, interval
from skrec.model_selection import LeaveLastOut, TunedRecommender

GENRES = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0], [0, 0, 1]])
"""Of items 0 to 7; item 3 has none."""
NAMES = ["drama", "comedy", "war"]
CELLS = [[NAMES[c] for c in np.flatnonzero(row)] for row in GENRES]


@settings(deadline=None, max_examples=60)
@given(
    log=logs(),
    exclude_seen=st.booleans(),
    n_history=st.sampled_from([None, 1, 2]),
    candidates=st.sampled_from([None, [0, 1, 2, 5, 99]]),
    k=st.integers(1, 4),
    per=st.sampled_from(["user", "event"]),
)
def test_equals_a_plain_reading_of_the_rules(log, exclude_seen, n_history, candidates, k, per):
    train, test, y = log
    recommender = RandomRecommender(random_state=0).fit(train)
    popular = PopularRecommender().fit(train)
    code = {item: i for i, item in enumerate(recommender.items_.tolist())}
    queries, _ = slow_queries(train.tolist(), test, y, False, exclude_seen, n_history, per)
    if not queries or (candidates and not set(candidates) & set(code)):
        return
    lists, relevant, expected, histories = [], [], [], []
    for user, history, found in queries:
        options = {"history": (test[history], y[history]) if history else None, "exclude_seen": exclude_seen}
        lists.append(recommender.recommend([user], k, candidates=candidates, **options).items[0].tolist())
        expected.append(popular.recommend([user], k, candidates=candidates, **options).items[0].tolist())
        relevant.append(list(found))
        had = [item for u, item in train.tolist() if u == user] + test[history, 1].tolist()
        histories.append([code[item] for item in had if item in code])
    codes = [[code.get(item, -1) for item in row] for row in lists]
    means = {
        "f1": f1_at_k(relevant, lists, k=k),
        "serendipity": serendipity_at_k(relevant, lists, expected, k=k),
    }
    if sum(any(c >= 0 for c in row) for row in codes) > 1:
        means["personalisation"] = personalisation(lists)
    if any(had and max(row) >= 0 for had, row in zip(histories, codes, strict=True)):
        means["popularity_lift"] = popularity_lift(codes, histories, popular.popularity_)
    genres = GENRES[recommender.items_]
    values = calibration_kl(codes, histories, genres, average=False)
    if not np.isnan(values).all():
        means["calibration_kl"] = np.nanmean(values)
    rules = {"exclude_seen": exclude_seen, "n_history": n_history, "candidates": candidates, "per": per}
    table = evaluate(recommender, test, y, list(means), k=k, n_bootstrap=0, item_categories=(range(8), GENRES), **rules)
    assert dict(zip(table["metric"], table["mean"], strict=True)) == pytest.approx(means)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 60, 900), rng.integers(0, 8, 900) * rng.integers(0, 8, 900) // 7])
    X = X[np.unique(X, axis=0, return_index=True)[1]]
    ((train, test),) = LeaveLastOut(2).split(X)
    return X[train], X[test]


def test_a_popularity_list_is_never_serendipitous(split):
    train, test = split
    scores = ranking_scorer(["serendipity@1", "serendipity@3", "recall@3"])(PopularRecommender().fit(train), test)
    assert scores["serendipity@1"] == scores["serendipity@3"] == 0.0
    assert scores["recall@3"] > 0


TABLES = {
    "weights": (range(8), GENRES),
    "sparse": (range(8), sp.csr_array(GENRES)),
    "lists": (range(8), CELLS),
    "sets": (range(8), [set(cell) for cell in CELLS]),
    "pandas of weights": pd.DataFrame(GENRES, columns=NAMES).assign(i=range(8))[["i", *NAMES]],
    "pandas": pd.DataFrame({"i": range(8), "genre": CELLS}),
    "polars": pl.DataFrame({"i": range(8), "genre": CELLS}),
    "pyarrow": FeatureTable(pa.table({"i": range(8), "genre": CELLS})),
}


@pytest.mark.parametrize("kind", TABLES)
def test_categories_of_all_kinds_are_the_same(split, kind):
    train, test = split
    recommender = PopularRecommender().fit(train)
    found = [
        ranking_scorer("neg_calibration_kl@3", item_categories=table)(recommender, test)
        for table in (TABLES["weights"], TABLES[kind])
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[0] < 0


def test_one_category_per_item_and_items_without(split):
    train, test = split
    recommender = PopularRecommender().fit(train)
    first = [cell[0] if cell else None for cell in CELLS]
    weights = np.array([[name == one for name in NAMES] for one in first], dtype=float)
    numbers = pd.DataFrame({"i": range(8), "genre": [NAMES.index(one) if one else np.nan for one in first]})
    tables = [(range(8), weights), (range(8), first), (np.arange(8), np.array(first)), numbers]
    found = [ranking_scorer("neg_calibration_kl@3", item_categories=table)(recommender, test) for table in tables]
    assert found == pytest.approx([found[0]] * 4)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (None, ValueError, r"'calibration_kl@k' needs item_categories=\(ids, matrix\), the categories of the items"),
        (3, TypeError, "item_categories must be a frame"),
        (([0, 1], ["a"]), ValueError, "item_categories has 2 ids and a matrix of 1 rows"),
        (([0, 0], ["a", "b"]), ValueError, "duplicate ids"),
        (([0, 1], [None, None]), ValueError, "no category for any item"),
        (([0, 1], [[1.0, -1.0], [0, 1]]), ValueError, "weight that is negative or not finite"),
        (([0, 1], [[1.0], [0, 1]]), ValueError, "different lengths"),
        (([0, 1], [[{}], ["a"]]), TypeError, "a category must be text or a number"),
        (pd.DataFrame({"i": [0], "a": ["x"], "b": ["y"]}), ValueError, "several columns must be numbers"),
        (pd.DataFrame({"i": [0]}), ValueError, "at least one feature"),
        (([77], ["a"]), ValueError, "a category for none of the 6 items"),
        ((["x"], ["a"]), TypeError, "item_categories ids are text"),
    ],
)
def test_bad_categories_say_what_to_write(split, table, error, message):
    train, test = split
    with pytest.raises(error, match=message):
        evaluate(PopularRecommender().fit(train), test, metrics="calibration_kl@3", item_categories=table)


def test_what_needs_a_history_says_so():
    class Forgetful(BaseEstimator):
        items_, users_, popularity_ = np.array([10, 20]), np.array([1]), np.array([2, 1])

        def fit(self, X, y=None):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def recommend(self, users, k=10):
            return np.full((len(users), k), 10), np.zeros((len(users), k))

    categories = ([10, 20], ["a", "b"])
    for name in ("popularity_lift@2", "calibration_kl@2"):
        with pytest.raises(ValueError, match=rf"'{name}' compares lists.*Forgetful has no seen_items"):
            evaluate(Forgetful(), [[7, 20]], metrics=name, item_categories=categories)
    for name in ("popularity_lift@2", "calibration_kl@2"):  # nobody has a history
        with pytest.warns(UserWarning, match="is undefined.*or a list with a history"):
            table = evaluate(
                PopularRecommender().fit([[1, 10], [1, 20]]), [[7, 20]], metrics=name, item_categories=categories
            )
        assert math.isnan(table["mean"][0])


def test_short_lists_and_padding():
    train = np.array([[1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [3, 4]])
    recommender = PopularRecommender().fit(train)
    table = evaluate(
        recommender,
        [[1, 4], [2, 2]],  # one item is left for user 1, and two for user 2
        metrics=["f1@10", "serendipity@10", "personalisation@10", "popularity_lift@10", "calibration_kl@10", "arp@10"],
        item_categories=(range(8), GENRES),
        n_bootstrap=0,
    ).set_index("metric")["mean"]
    assert table["f1@10"] == pytest.approx(2 / 11)
    assert table["serendipity@10"] == 0.0
    assert table["personalisation@10"] == pytest.approx(1 - math.sqrt(0.5))
    assert table["arp@10"] == 1.0
    assert table["popularity_lift@10"] == pytest.approx(2 / (5 / 3 + 2) - 1)
    expected = calibration_kl([[4, -1], [2, 4]], [[0, 1, 2], [0, 1]], GENRES)
    assert table["calibration_kl@10"] == pytest.approx(expected)


def test_more_ranks_than_items_are_all_of_them(split):
    train, test = split
    recommender, options = PopularRecommender().fit(train), {"item_categories": TABLES["lists"], "n_bootstrap": 0}
    kinds = ["personalisation", "popularity_lift", "calibration_kl"]
    whole, beyond = (
        evaluate(recommender, test, metrics=[f"{kind}@{k}" for kind in kinds], **options)["mean"] for k in (6, 10**25)
    )
    np.testing.assert_array_equal(whole, beyond)
    table = evaluate(recommender, test, metrics=[f"f1@{10**25}", f"serendipity@{10**25}"], n_bootstrap=0)
    assert table["mean"].tolist() == pytest.approx([0.0, 0.0])


def test_all_of_one_ranking_in_scorers_and_searches(split):
    class Counting(PopularRecommender):
        calls = 0

        def recommend(self, users=None, k=10, **asked):
            Counting.calls += 1
            return super().recommend(users, k, **asked)

    train, test = split
    names = ["f1@3", "serendipity@3", "personalisation@3", "neg_popularity_lift@3", "neg_calibration_kl@3", "neg_arp@3"]
    scorer = ranking_scorer(names, item_categories=TABLES["lists"])
    scores = scorer(Counting().fit(train), test)
    assert Counting.calls == 1
    assert scores["neg_arp@3"] == ranking_scorer("neg_popularity@3")(PopularRecommender().fit(train), test)
    assert "item_categories=" in repr(scorer)
    tuned = TunedRecommender(PopularRecommender(), {"n_segments": [None]}, n_iter=1, scoring=scorer, refit="f1@3")
    assert math.isfinite(tuned.fit(train).best_score_)


def test_intervals_hold_the_mean_and_comparisons_the_difference(split):
    train, test = split
    names = ["f1@3", "serendipity@3", "personalisation@3", "popularity_lift@3", "calibration_kl@3", "auc", "coverage@3"]
    models = PopularRecommender().fit(train), RandomRecommender(random_state=0).fit(train)
    options = {"item_categories": TABLES["lists"], "random_state": 0}
    a, b = (evaluate(model, test, metrics=names, **options).set_index("metric") for model in models)
    in_interval = b["ci_low"].le(b["mean"]) & b["mean"].le(b["ci_high"])
    assert in_interval.drop("coverage@3").all()
    table = compare(*models, test, metrics=names, **options).set_index("metric")
    assert list(table.index) == names
    np.testing.assert_allclose(table["mean_a"], a["mean"])
    np.testing.assert_allclose(table["difference"], a["mean"] - b["mean"], atol=1e-12)
    row = table.loc["popularity_lift@3"]
    assert 0 < row["ci_low"] < row["difference"] < row["ci_high"]
    assert row["p_value"] < 0.01
    assert table.loc["coverage@3", ["ci_low", "ci_high", "p_value"]].isna().all()


def test_the_interval_of_a_lift_is_of_ratios_of_resampled_means(split):
    train, test = split
    recommender = PopularRecommender().fit(train)
    row = evaluate(recommender, test, metrics="popularity_lift@2", n_bootstrap=200, random_state=3).iloc[0]
    users = np.unique(test[:, 0])
    popularity = recommender.popularity_
    code = {item: i for i, item in enumerate(recommender.items_.tolist())}
    lists = [
        np.mean([popularity[code[i]] for i in row if i is not None]) for row in recommender.recommend(users, 2).items
    ]
    past = [np.mean([popularity[code[i]] for i in train[train[:, 0] == user, 1]]) for user in users]
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    draws = np.random.default_rng(seed).integers(0, len(users), (200, len(users)))
    ratios = np.array(lists)[draws].mean(axis=1) / np.array(past)[draws].mean(axis=1) - 1
    assert row["n_queries"] == len(users)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(np.quantile(ratios, [0.025, 0.975]))


def test_the_interval_of_personalisation_covers_the_truth_as_often_as_it_says():
    """A mean over pairs varies twice as much as one over as many lists."""
    rng = np.random.default_rng(0)
    share = np.array([0.4, 0.3, 0.2, 0.1])  # of lists of one item: two differ by 1 - sum of squares
    truth = 1 - (share**2).sum()
    covered = 0
    for trial in range(200):
        values = _pseudo_values(rng.choice(4, (80, 1), p=share))[:, None]
        low, high = interval(bootstrap_means(values, np.ones_like(values), 300, trial), 0.9)
        covered += low[0] <= truth <= high[0]
    assert 0.84 < covered / 200 < 0.96
