import math
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_rules import logs, slow_queries
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.base import BaseRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.metrics import (
    average_precision_at_k,
    evaluate,
    hit_rate_at_k,
    ndcg_at_k,
    precision_at_k,
    ranking_scorer,
    recall_at_k,
    reciprocal_rank_at_k,
)
from skrec.model_selection import ColdUserSplit, LeaveLastOut

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


class Rated(PopularRecommender):
    """Popularity with explicit feedback: the gain of NDCG is the rating."""

    feedback = "explicit"


class Recording(PopularRecommender):
    """Keeps what it is asked."""

    def recommend(self, users=None, k=10, **asked):
        self.asked = {"users": users, "k": k} | asked
        return super().recommend(users, k, **asked)


def events(*rows, columns=("user", "item")):
    return pd.DataFrame(list(rows), columns=list(columns))


TRAIN = events((1, 10), (2, 10), (3, 10), (2, 20), (3, 20), (3, 30), (4, 40))
ONES = np.ones(len(TRAIN))
"""Popularity: 10 (3), 20 (2), 30 and 40 (1)."""

# One by one, against a plain reading of the rules -------------------------------------------------------


@settings(deadline=None)
@example(  # more relevant items than the catalogue has: the best possible list is still of length k
    log=(np.array([[0, 0]]), np.array([[0, 0], [0, 1]]), np.ones(2)),
    explicit=False,
    exclude_seen=False,
    n_history=None,
    threshold=None,
    k=2,
    per="user",
)
@given(
    log=logs(),
    explicit=st.booleans(),
    exclude_seen=st.booleans(),
    n_history=st.sampled_from([None, 1, 2]),
    threshold=st.sampled_from([None, 2.0]),
    k=st.integers(1, 4),
    per=st.sampled_from(["user", "event"]),
)
def test_equals_a_plain_reading_of_the_rules(log, explicit, exclude_seen, n_history, threshold, k, per):
    train, test, y = log
    recommender = (Rated if explicit else PopularRecommender)().fit(train, np.ones(len(train)))
    queries, n_dropped = slow_queries(train.tolist(), test, y, explicit, exclude_seen, n_history, per)
    if not queries:
        return
    lists, relevant, binary = [], [], []
    for user, history, found in queries:
        past = (test[history], y[history]) if history else None
        lists.append(recommender.recommend([user], k, history=past, exclude_seen=exclude_seen).items[0].tolist())
        relevant.append(found if explicit else dict.fromkeys(found, 1.0))
        binary.append({i: 1.0 for i, v in found.items() if threshold is None or v >= threshold})
    names = {
        "ndcg": ndcg_at_k(relevant, lists, k=k),
    }
    if any(binary):
        names |= {
            "precision": precision_at_k(binary, lists, k=k),
            "recall": recall_at_k(binary, lists, k=k),
            "hit_rate": hit_rate_at_k(binary, lists, k=k),
            "map": average_precision_at_k(binary, lists, k=k),
            "mrr": reciprocal_rank_at_k(binary, lists, k=k),
        }
    rules = {"exclude_seen": exclude_seen, "n_history": n_history, "relevance_threshold": threshold, "per": per}
    assert ranking_scorer(names, k=k, **rules)(recommender, test, y) == pytest.approx(names)
    table = evaluate(recommender, test, y, names, k=k, n_bootstrap=0, **rules)
    assert set(table["n_dropped"]) == {n_dropped}


def test_training_items_leave_the_relevant_set_and_the_ranking():
    test = events((1, 10), (1, 20), (2, 10))
    recommender = PopularRecommender().fit(TRAIN)
    assert ranking_scorer("recall@1")(recommender, test) == 1.0  # of user 1 alone: 20 comes first behind 10
    assert ranking_scorer("recall@1", exclude_seen=False)(recommender, test) == pytest.approx((0.5 + 1) / 2)


def test_items_outside_of_the_catalogue_count_as_missed():
    recommender = PopularRecommender().fit(TRAIN)
    test = events((1, 20), (1, 99))
    assert ranking_scorer("recall@4")(recommender, test) == 0.5
    ideal = 1 + 1 / math.log2(3)
    assert ranking_scorer("ndcg@4")(recommender, test) == pytest.approx(1 / ideal)


def test_cold_users_count():
    assert ranking_scorer("mrr@4")(PopularRecommender().fit(TRAIN), events((77, 20))) == 0.5


def test_y_0_is_not_relevant_and_explicit_gain_is_y():
    test = events((1, 20), (1, 30), (1, 40))
    assert ranking_scorer("recall@1")(PopularRecommender().fit(TRAIN), test, [1, 0, 0]) == 1.0
    dcg = 1.0 + 5 / math.log2(3)
    ideal = 5 + 1 / math.log2(3)
    scores = {
        gain: ranking_scorer("ndcg@2", gain=gain)(Rated().fit(TRAIN, ONES), test, [1, 5, 0]) for gain in ("auto", "y")
    }
    assert scores == pytest.approx({"auto": dcg / ideal, "y": dcg / ideal})
    assert ranking_scorer("ndcg@2", gain="binary")(Rated().fit(TRAIN, ONES), test, [1, 5, 0]) == pytest.approx(1.0)
    assert ranking_scorer("ndcg@2")(PopularRecommender().fit(TRAIN), test, [1, 5, 0]) == pytest.approx(1.0)


def test_threshold_is_met_by_an_equal_y_in_single_precision():
    assert ranking_scorer("recall@1", relevance_threshold=0.7)(Rated().fit(TRAIN, ONES), events((1, 20)), [0.7]) == 1.0


def test_the_last_rating_in_time_counts():
    test = events((1, 20, 2), (1, 20, 1), (1, 30, 1), columns=("user", "item", "timestamp"))
    recommender = Rated().fit(TRAIN, ONES)
    # Of item 20 the rating 0 comes last in time and 5 last in rows.
    assert ranking_scorer("recall@1")(recommender, test, [0, 5, 1]) == 0.0


def test_one_query_an_event_where_there_is_context():
    train = TRAIN.assign(hour=0.0)
    test = events((1, 20, 7.0), (2, 30, 8.0), (1, 30, 9.0), (2, 10, 1.0), columns=("user", "item", "hour"))
    recommender = Recording().fit(train)
    assert ranking_scorer("recall@1")(recommender, test) == pytest.approx(2 / 3)
    assert recommender.asked["users"].tolist() == [1, 2, 1]  # user 2 has seen item 10
    assert recommender.asked["context"]["hour"].tolist() == [7.0, 8.0, 9.0]
    shuffled = test.assign(timestamp=[4, 3, 2, 1])
    assert ranking_scorer("recall@1")(recommender, shuffled) == pytest.approx(2 / 3)
    assert recommender.asked["context"]["hour"].tolist() == [7.0, 8.0, 9.0]


class ByHour(BaseRecommender):
    """Ranks first the item of the hour: even hours want 20, odd ones 30."""

    _uses_context = True

    def _fit(self, data, item_matrix, user_matrix):
        self.hours_ = data.context.mean()

    def _score(self, queries, items):
        wanted = np.where(queries.context[:, :1] % 2, 30, 20)
        return (self.items_[None, :] == wanted).astype(np.float32)

    def _is_cold(self, queries):
        return np.zeros(len(queries), bool)


def test_each_event_is_asked_with_its_own_context_and_per_user_without_any():
    train = TRAIN.assign(hour=[0.0, 0, 0, 0, 0, 0, 7])  # mean 1
    test = events((1, 20, 4.0), (1, 20, 5.0), (4, 30, 7.0), (2, 40, 2.0), columns=("user", "item", "hour"))
    recommender = ByHour().fit(train)
    for per in ("auto", "event"):
        assert ranking_scorer("recall@1", per=per)(recommender, test) == pytest.approx(2 / 4)
    scorer = ranking_scorer("recall@1", per="user")
    assert scorer(recommender, test) == pytest.approx(1 / 3)  # at the mean hour 30 comes first: user 4 alone wants it
    assert repr(scorer) == "ranking_scorer('recall@1', per='user')"


def test_each_event_is_a_query_without_context_too():
    test = events((1, 20), (1, 20), (1, 30), (2, 30), (2, 10))
    recommender = Recording().fit(TRAIN)
    assert ranking_scorer("recall@1", per="event")(recommender, test) == pytest.approx(3 / 4)
    assert recommender.asked["users"].tolist() == [1, 1, 1, 2]  # user 2 has seen item 10
    assert recommender.asked.get("context") is None
    assert recommender.asked.get("history") is None
    assert ranking_scorer("recall@1")(recommender, test) == pytest.approx((1 / 2 + 1) / 2)


def test_requests_are_asked_in_blocks(monkeypatch):
    test = events(*((1 + i % 4, 10 * (1 + i % 3), float(i)) for i in range(20)), columns=("user", "item", "hour"))
    recommender = ByHour().fit(TRAIN.assign(hour=1.0))
    scorer = ranking_scorer("mrr@3", n_history=1)
    whole = scorer(recommender, test)
    monkeypatch.setattr("skrec.metrics._measure._REQUESTS", 3)
    assert scorer(recommender, test) == whole


def test_training_scores_need_the_seen_items():
    X = random_events()
    folds = KFold(2, shuffle=True, random_state=0)
    with pytest.warns(UndefinedMetricWarning, match="100 events were dropped.*pass exclude_seen=False"):
        result = cross_validate(PopularRecommender(), X, cv=folds, return_train_score=True)
    assert np.isnan(result["train_score"]).all()
    assert np.isfinite(result["test_score"]).all()
    scoring = ranking_scorer("ndcg@10", exclude_seen=False)
    result = cross_validate(PopularRecommender(), X, cv=folds, scoring=scoring, return_train_score=True)
    assert (result["train_score"] > 0).all()


def test_n_history_folds_in_the_first_events_of_cold_users():
    test = events((77, 40, 3), (77, 10, 1), (77, 20, 2), (1, 20, 1), (78, 20, 1), columns=("user", "item", "timestamp"))
    recommender = Recording().fit(TRAIN)
    score = ranking_scorer("recall@1", n_history=2)(recommender, test, [1, 2, 3, 1, 1])
    past, y = recommender.asked["history"]
    assert sorted(zip(past["user"], past["item"], y, strict=True)) == [(77, 10, 2), (77, 20, 3), (78, 20, 1)]
    assert recommender.asked["users"].tolist() == [1, 77]  # nothing is left of user 78
    assert score == 0.5  # user 1: 20; user 77 has seen 10 and 20, gets 30 and wants 40
    ranking_scorer("recall@1", n_history=1)(recommender, test)
    assert recommender.asked["history"]["item"].tolist() == [10, 20]
    ranking_scorer("recall@1")(recommender, test)
    assert recommender.asked.get("history") is None


def test_candidates_of_the_test_events():
    recommender = PopularRecommender().fit(TRAIN)
    test = events((1, 30), (2, 40))
    assert ranking_scorer("mrr@4")(recommender, test) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert ranking_scorer("mrr@4", candidates="test")(recommender, test) == pytest.approx((1 + 1 / 2) / 2)
    assert ranking_scorer("mrr@4", candidates=[40])(recommender, test) == pytest.approx((0 + 1) / 2)


def test_metrics_of_the_lists():
    recommender = PopularRecommender().fit(TRAIN)
    test = events((1, 20), (2, 30))
    names = ["coverage@1", "novelty@1", "neg_popularity@1", "neg_gini@1", "diversity@3"]
    vectors = ([10, 20, 40], np.array([[1.0, 0], [0, 1], [1, 1]]))
    scores = ranking_scorer(names, item_vectors=vectors)(recommender, test)  # 20 and 30, then 30 and 40
    expected = {
        "coverage@1": 0.5,
        "novelty@1": (-math.log2(2 / 7) - math.log2(1 / 7)) / 2,
        "neg_popularity@1": -1.5,
        "neg_gini@1": -0.5,
        "diversity@3": 1 - math.sqrt(0.5),  # 30 has no vector: 20 and 40 of the first list are left
    }
    assert scores == pytest.approx(expected)
    with pytest.raises(ValueError, match="needs item_vectors"):
        ranking_scorer("diversity@2")(recommender, test)


def test_one_ranking_for_all_metrics():
    class Counting(PopularRecommender):
        calls = 0

        def recommend(self, users=None, k=10, **asked):
            Counting.calls += 1
            return super().recommend(users, k, **asked)

    ranking_scorer(["ndcg@10", "recall@3", "coverage", "map@2"])(Counting().fit(TRAIN), events((1, 20)))
    assert Counting.calls == 1


@pytest.mark.parametrize(
    ("test", "y"), [(events((1, 10)), None), (events((1, 20)), [0.0])], ids=["all seen", "nothing relevant"]
)
def test_nothing_to_score_is_nan_and_says_why(test, y):
    with pytest.warns(UndefinedMetricWarning, match="none of the 1 users of X has an event with y > 0"):
        assert math.isnan(ranking_scorer("ndcg@10")(PopularRecommender().fit(TRAIN), test, y))


def test_no_query_over_the_threshold_is_nan_and_says_why():
    scorer = ranking_scorer(["ndcg@10", "recall@10"], relevance_threshold=4)
    with pytest.warns(UndefinedMetricWarning, match="recall@10 is undefined.*relevance_threshold"):
        scores = scorer(PopularRecommender().fit(TRAIN), events((1, 20)), [3])
    assert scores["ndcg@10"] == 1.0
    assert math.isnan(scores["recall@10"])


# As scikit-learn uses it ----------------------------------------------------------------------------------


def random_events(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"user": rng.integers(0, 20, n), "item": rng.integers(0, 30, n) ** 2 // 30, "timestamp": rng.permutation(n)}
    )


@pytest.mark.parametrize("library", [*FRAMES, "numpy"])
def test_cross_validate_and_search_on_any_table(library):
    X = random_events()
    if library == "numpy":
        X = X.sort_values("timestamp")[["user", "item"]].to_numpy()
    elif library != "pandas":
        X = FRAMES[library](X.to_dict("list"))
    scoring = ranking_scorer(["ndcg@10", "recall@10"])
    result = cross_validate(PopularRecommender(), X, cv=LeaveLastOut(n_splits=2), scoring=scoring)
    assert result["test_ndcg@10"].shape == (2,)
    assert np.isfinite(result["test_recall@10"]).all()

    grid = {"order": ["none", "auto"], "recency_decay": [0.5]}
    search = GridSearchCV(PopularRecommender(), grid, cv=LeaveLastOut(), scoring=scoring, refit="ndcg@10").fit(X)
    assert search.best_score_ == search.cv_results_["mean_test_ndcg@10"].max()
    one = GridSearchCV(PopularRecommender(), grid, cv=LeaveLastOut(), scoring=ranking_scorer("ndcg@10")).fit(X)
    assert one.best_score_ == search.best_score_


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("frozen", [False, True])
def test_text_ids_in_any_frame(library, frozen):
    make = FRAMES[library]
    recommender = PopularRecommender().fit(make({"user": ["a", "a", "b", "c"], "item": ["x", "y", "y", "z"]}))
    test = make({"user": ["a", "b", "d", "d", "e"], "item": ["z", "z", "x", "z", "w"]})
    scored = FrozenEstimator(recommender) if frozen else recommender
    # a: z of [z]; b: z of [x, z]; d: of [y, x, z] or, once x is history, of [y, z]; e: w is unknown.
    assert ranking_scorer("mrr")(scored, test) == pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4)
    assert ranking_scorer("mrr", n_history=1)(scored, test, np.ones(5)) == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert ranking_scorer("mrr", candidates="test")(scored, test) == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)


def test_a_dict_needs_refit_by_name():
    search = GridSearchCV(PopularRecommender(), {"order": ["none"]}, scoring=ranking_scorer(["ndcg", "recall"]))
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search.fit(random_events())


def test_plain_k_fold_has_cold_users_and_no_nan():
    X = random_events(40)
    result = cross_validate(
        PopularRecommender(), X, cv=KFold(5), scoring=ranking_scorer("ndcg@10"), error_score="raise"
    )
    assert np.isfinite(result["test_score"]).all()


def test_fold_in_of_cold_users_in_cross_validation():
    X = random_events()
    cv = ColdUserSplit(3, random_state=0)
    scores = cross_validate(RandomRecommender(random_state=0), X, cv=cv, scoring=ranking_scorer("recall", n_history=2))
    assert np.isfinite(scores["test_score"]).all()


def test_plain_pipeline_and_search_score_like_what_they_end_in():
    X = random_events().assign(hour=1.0)
    train, test = X[:150], X[150:]
    drop = FunctionTransformer(lambda frame: frame.drop(columns="hour"))
    scorer = ranking_scorer("ndcg@10")
    pipeline = make_pipeline(drop, PopularRecommender()).fit(train)
    alone = PopularRecommender().fit(train.drop(columns="hour"))
    expected = scorer(alone, test.drop(columns="hour"))
    assert scorer(pipeline, test) == expected
    assert (
        scorer(make_pipeline(PopularRecommender()).fit(train.drop(columns="hour")), test.drop(columns="hour"))
        == expected
    )
    search = GridSearchCV(make_pipeline(drop, PopularRecommender()), {}, cv=LeaveLastOut(), scoring=scorer).fit(train)
    assert scorer(search, test) == expected
    assert search.score(test) == expected


def test_works_with_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            PopularRecommender(), {"order": ["none"]}, cv=LeaveLastOut(), scoring=ranking_scorer("ndcg@10")
        )
        assert np.isfinite(search.fit(random_events()).best_score_)


def test_scorers_pickle_clone_and_show_what_they_do():
    scorer = ranking_scorer(["ndcg@10", "recall"], k=5, n_history=3)
    assert repr(scorer) == "ranking_scorer(['ndcg@10', 'recall'], k=5, n_history=3)"
    assert repr(ranking_scorer("map@5")) == "ranking_scorer('map@5')"
    recommender, test = PopularRecommender().fit(TRAIN), events((1, 20))
    search = GridSearchCV(PopularRecommender(), {}, scoring=scorer)
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False), clone(search).scoring):
        assert repr(copy) == repr(scorer)
        assert copy(recommender, test) == scorer(recommender, test)


# Bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ranking_scorer("nDCG@10"), ValueError, "Unknown metric 'nDCG@10'. Did you mean 'ndcg'.*hit_rate"),
        (lambda: ranking_scorer("accuracy"), ValueError, "Unknown metric 'accuracy'. .*precision, recall"),
        (lambda: ranking_scorer("ndcg@ten"), ValueError, "Did you mean 'ndcg'"),
        (lambda: ranking_scorer("neg_ndcg@10"), ValueError, "Unknown metric 'neg_ndcg@10'"),
        (lambda: ranking_scorer("gini@10"), ValueError, "write 'neg_gini@10'"),
        (lambda: ranking_scorer([]), ValueError, "metrics is empty"),
        (lambda: ranking_scorer(["map", "map"]), ValueError, "'map' more than once"),
        (lambda: ranking_scorer([3]), TypeError, "must be names"),
        (lambda: ranking_scorer("ndcg@0"), ValueError, "k of the metric 'ndcg@0' must be at least 1"),
        (lambda: ranking_scorer("ndcg", k=-1), ValueError, "k must be at least 1"),
        (lambda: ranking_scorer("ndcg", k=2.0), TypeError, "k must be a positive integer"),
        (lambda: ranking_scorer("ndcg", n_history=0), ValueError, "n_history must be"),
        (lambda: ranking_scorer("ndcg", candidates="cold"), ValueError, "candidates must be"),
        (lambda: ranking_scorer("ndcg", gain="rating"), ValueError, "gain must be"),
        (lambda: ranking_scorer("ndcg", per="row"), ValueError, "per must be 'auto', 'event' or 'user'; got 'row'"),
    ],
)
def test_bad_settings_say_what_to_write(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_what_cannot_be_scored():
    scorer = ranking_scorer("ndcg@10")
    with pytest.raises(TypeError, match=r"LinearRegression has no recommend\(\)"):
        scorer(LinearRegression().fit([[0.0]], [0.0]), TRAIN)
    with pytest.raises(NotFittedError):
        scorer(PopularRecommender(), TRAIN)
    with pytest.raises(NotFittedError):
        scorer(GridSearchCV(PopularRecommender(), {}), TRAIN)
    with pytest.raises(ValueError, match="y has 1 values and X has 7 rows"):
        scorer(PopularRecommender().fit(TRAIN), TRAIN, [1])
    with pytest.raises(ValueError, match="negative"):
        scorer(PopularRecommender().fit(TRAIN), events((1, 20)), [-1])
    with pytest.raises(TypeError, match="item ids of X are text"):
        scorer(PopularRecommender().fit(TRAIN), events((1, "x")))


EVERY = ["ndcg@3", "recall@5", "map@4", "mrr@5", "precision@2", "hit_rate@5", "coverage@3", "neg_gini@3", "novelty@4"]


@pytest.mark.parametrize("cells", [1, 7, 20])
def test_blocks_of_queries_change_nothing(monkeypatch, cells):
    rng = np.random.default_rng(0)
    X = np.unique(np.column_stack([rng.integers(0, 30, 300), rng.integers(0, 12, 300)]), axis=0)
    rng.shuffle(X)
    vectors = (np.arange(12), rng.standard_normal((12, 3)))
    metrics = [*EVERY, "neg_popularity@5", "diversity@4"]
    rec = PopularRecommender().fit(X[:200])
    whole = ranking_scorer(metrics, item_vectors=vectors)(rec, X[200:])
    monkeypatch.setattr("skrec.metrics._measure._CELLS", cells)
    assert ranking_scorer(metrics, item_vectors=vectors)(rec, X[200:]) == pytest.approx(whole, rel=1e-12)


def test_long_lists_take_little_memory(monkeypatch):
    """recall@2000 of 3,000 users held 48 MB per metric and more; now the blocks alone."""
    n_users, n_items, k = 3000, 2000, 2000
    users = np.repeat(np.arange(n_users), 2)
    items = np.random.default_rng(0).integers(0, n_items, len(users))
    X = np.column_stack([users, items])
    rec = PopularRecommender().fit(np.vstack([X[::2], np.column_stack([np.zeros(n_items, int), np.arange(n_items)])]))
    monkeypatch.setattr("skrec.metrics._measure._CELLS", 1 << 16)
    tracemalloc.start()
    try:
        found = evaluate(rec, X[1::2], metrics=[f"recall@{k}", f"ndcg@{k}", f"coverage@{k}"], n_bootstrap=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found["mean"][0] == pytest.approx(1)
    assert peak < 20e6 < 8 * n_users * k
