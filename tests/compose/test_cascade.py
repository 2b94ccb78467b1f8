"""The cascade: what the ranker learns from, the features of pairs, and what goes wrong."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline as sklearn_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skrec._chat import in_given_order
from skrec.compose import CascadeRecommender
from skrec.compose._cascade._item_log import ItemLog
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.exceptions import DamagedStateError, PartFailureWarning, TemporalLeakWarning, UntrainedRankerWarning
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable, Histories
from skrec.llm import LLMReranker
from skrec.metrics import ranking_scorer
from skrec.model_selection import LeaveKOut, LeaveLastOut
from skrec.neighbors import ItemKNNRecommender
from skrec.persistence import skops_trusted_types
from skrec.pipeline import make_pipeline
from skrec.testing._data import N_COLD, N_ITEMS, N_USERS, checkerboard, item_table

SMALL = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3, random_state=0)


def parts():
    return [("popular", PopularRecommender()), ("knn", ItemKNNRecommender(n_neighbors=5))]


def cascade(ranker=SMALL, retrievers=None, **params):
    return CascadeRecommender(retrievers or parts(), ranker, **{"random_state": 0, **params})


def log_of_tastes(seed=0, n_users=120, n_items=40, n_events=12):
    """Users of a parity, over time, with popularity among the items of it."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        own = np.arange(user % 2, n_items, 2)
        chosen = rng.choice(own, n_events, replace=False, p=(w := 1 / np.arange(1, len(own) + 1)) / w.sum())
        rows += [(user, item, 1e9 + rng.integers(10**6)) for item in chosen]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    return frame.sort_values("timestamp", ignore_index=True)


class Broken(PopularRecommender):
    """Fits, and fails at requests once it is switched off."""

    works = True

    def recommend(self, users=None, k=10, **options):
        if not Broken.works:
            raise RuntimeError("the server of this part is gone")
        return super().recommend(users, k, **options)


# What the ranker learns from -------------------------------------------------------------------------------


def test_it_learns_the_held_out_events_that_were_retrieved():
    X = log_of_tastes()
    rec = cascade(n_candidates=10, n_negatives=None).fit(X)
    train, test = next(LeaveLastOut().split(X))
    found = [part.fit(X.iloc[train]).recommend(np.arange(120), k=10).items for _, part in parts()]
    union = [set(a) | set(b) for a, b in zip(*found, strict=True)]
    targets = X.iloc[test].set_index("user")["item"]
    hits = [targets[user] in union[user] for user in range(120)]
    assert rec.n_positives_ == sum(hits) < 120
    assert rec.n_pairs_ == sum(len(items) for items, hit in zip(union, hits, strict=True) if hit)


def test_the_number_of_negatives_and_of_queries():
    X = log_of_tastes()
    rec = cascade(n_candidates=30, n_negatives=4, max_queries=50).fit(X)
    assert rec.n_positives_ <= 50
    assert rec.n_pairs_ <= 5 * rec.n_positives_


def test_it_ranks_better_than_its_retrievers():
    X = log_of_tastes(n_users=200)
    train, test = next(LeaveLastOut().split(X))
    score = ranking_scorer("ndcg@10")
    random, popular = RandomRecommender(random_state=0), PopularRecommender()
    rec = cascade(None, [("random", random), ("popular", popular)], n_candidates=40, cv=0.3)
    own = score(rec.fit(X.iloc[train]), X.iloc[test])
    assert own > score(clone(random).fit(X.iloc[train]), X.iloc[test])


def test_shuffled_targets_teach_nothing():
    """With held-out events of nobody in particular, it is no better than its best retriever."""
    X = log_of_tastes(n_users=300)
    train, test = next(LeaveLastOut().split(X))
    before, target = next(LeaveLastOut().split(X.iloc[train]))
    X = X.iloc[train].reset_index(drop=True)
    shuffled = X.copy()
    shuffled.loc[target, "item"] = np.random.default_rng(0).permutation(40)[shuffled.loc[target, "item"]]
    events, score = log_of_tastes(n_users=300).iloc[test], ranking_scorer("ndcg@10")
    taught = cascade(None, n_candidates=40, cv=[(before, target)])
    ranker = taught.fit(shuffled).ranker_
    knn = score(ItemKNNRecommender(n_neighbors=5).fit(X), events)
    real = taught.fit(X)
    assert score(real, events) > 0.9 * knn
    real.ranker_ = ranker
    assert score(real, events) < knn + 0.02


@pytest.mark.parametrize("cv", [None, 0.25, LeaveLastOut(n_splits=2), LeaveKOut(2, n_splits=1, random_state=0), 3])
def test_what_is_held_out(cv):
    rec = cascade(cv=cv).fit(checkerboard())
    assert rec.ranker_ is not None
    assert rec.recommend(k=3).items.shape == (N_USERS, 3)


def test_features_are_those_of_before_the_target():
    """Nothing that lies after the target counts, of the user or of others, whatever the split."""
    X = log_of_tastes()
    frames = []

    def look(frame):
        frames.append(frame)
        return np.zeros((len(frame), 1))

    rec = cascade(cv=LeaveKOut(1, n_splits=1, random_state=0), features=look, n_candidates=40, n_negatives=None)
    rec.fit(X)
    train, test = next(LeaveKOut(1, n_splits=1, random_state=0).split(X))
    before, target = X.iloc[train], X.iloc[test].set_index("user")["timestamp"]
    assert len(frames[0]) > 1000
    for _, row in frames[0].iloc[::97].iterrows():
        past = before[before["timestamp"] < target[row["user"]]]
        n, total = (past["item"] == row["item"]).sum(), len(past)
        assert np.isclose(row["item_popularity"], np.log((n + 1) / (total + 40)), rtol=1e-4)
        assert np.isclose(row["user_n_events"], np.log1p((past["user"] == row["user"]).sum()), rtol=1e-4)


def test_counts_up_to_a_moment():
    """Against a count by hand."""
    rng = np.random.default_rng(0)
    users = np.sort(rng.integers(8, size=60))
    items, times = rng.integers(5, size=60), rng.integers(100, size=60).astype(float)
    order = np.lexsort((times, users))
    items, times, users = items[order], times[order], users[order]
    log = ItemLog.of(Histories.group(users, items, np.ones(60, np.float32), times, 8), 6)
    asked, before = rng.integers(6, size=40), rng.integers(-5, 110, size=40).astype(float)
    table = log.columns(asked, before)
    n = np.array([((items == i) & (times < t)).sum() for i, t in zip(asked, before, strict=True)])
    total = np.array([(times < t).sum() for t in before])
    assert_allclose(table["item_popularity"], np.log((n + 1) / (total + 6)), rtol=1e-5)
    for i, t, age, since in zip(asked, before, table["item_age"], table["item_recency"], strict=True):
        own = times[(items == i) & (times < t)]
        if len(own):
            assert_allclose(age, np.log1p((t - own.min()) / log.window), rtol=1e-5)
            assert_allclose(since, np.log1p((t - own.max()) / log.window), rtol=1e-5)
        else:
            assert np.isnan(age)
            assert np.isnan(since)


def test_numbers_of_events_are_no_clock():
    X = log_of_tastes()
    assert "item_trend" in cascade().fit(X).feature_names_
    steps = X.assign(timestamp=X.groupby("user").cumcount())
    assert "item_trend" not in cascade().fit(steps).feature_names_
    assert "item_trend" not in cascade().fit(X[["user", "item"]]).feature_names_


# Features --------------------------------------------------------------------------------------------------


def test_the_frame_of_pairs():
    X = log_of_tastes()
    rec = cascade(n_candidates=10).fit(X)
    frame = rec.pair_features([3, 0, 3], [1, 2, 39])
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["user", "item", *rec.feature_names_]
    assert_array_equal(frame["user"], [3, 0, 3])
    assert_array_equal(frame["item"], [1, 2, 39])
    lists = rec.named_recommenders_.knn.recommend([3, 0], k=10)
    ranks = {item: place + 1 for place, item in enumerate(lists.items[0])}
    assert_array_equal(frame["knn_rank"].iloc[[0, 2]], [ranks.get(1, np.nan), ranks.get(39, np.nan)])
    assert_array_equal(frame["knn_retrieved"], frame["knn_rank"].notna())
    pairs = pd.DataFrame({"user": [3, 0, 3], "item": [1, 2, 39]})
    assert_allclose(frame["knn_score"], rec.named_recommenders_.knn.predict(pairs), rtol=1e-4, atol=1e-6)
    assert_allclose(rec.pair_features([3], [1, 39])["knn_score"], frame["knn_score"].iloc[[0, 2]], rtol=1e-5)
    with pytest.raises(ValueError, match="no pairs"):
        rec.pair_features([1, 2, 3], [1, 2])


def test_columns_of_tables_and_of_the_context():
    X = log_of_tastes()[["user", "item"]].assign(hour=np.arange(1440) % 24.0)
    books = pd.DataFrame({"item": range(40), "price": np.arange(40.0), "title": "text", "new": True})
    readers = FeatureTable((np.arange(60), np.arange(60.0)[:, None]))
    retrievers = [("popular", PopularRecommender()), ("recent", PopularRecommender(recency_decay=0.9))]
    rec = cascade(None, retrievers, n_candidates=20, max_queries=60)
    rec.fit(X, item_features=books, user_features=readers)
    frame = rec.pair_features([3, 100], [1, 2], context=[[7.0]])
    assert_array_equal(frame["item_price"], [1, 2])
    assert_array_equal(frame["item_new"], [1, 1])
    assert_array_equal(frame["user_0"], [3, np.nan])
    assert_array_equal(frame["context_hour"], [7, 7])
    assert_array_equal(rec.pair_features([3], [1])["context_hour"], [11.5])
    hours = rec.recommend([3, 3], k=4, context=pd.DataFrame({"hour": [1.0, 22.0]}))
    again = rec.predict(pd.DataFrame({"user": 3, "item": hours.items[1], "hour": 22.0}))
    assert_allclose(again, hours.scores[1], rtol=1e-4)


def test_similarity_of_vectors():
    mf = ("mf", HybridMFRecommender(n_factors=4, random_state=0))
    rec = cascade(retrievers=[mf, *parts()]).fit(log_of_tastes())
    frame = rec.pair_features([3], [1])
    V = rec.named_recommenders_.mf.item_vectors()
    V = V / np.linalg.norm(V, axis=1, keepdims=True)
    own = rec.seen_items([3]).items
    mean = V[own].mean(axis=0)
    assert_allclose(frame["mf_similarity"], mean @ V[1] / np.linalg.norm(mean), rtol=1e-4)
    assert_allclose(frame["mf_last_similarity"], V[own[-1]] @ V[1], rtol=1e-4)
    assert np.isnan(rec.pair_features([10**6], [1])["mf_similarity"][0])


def test_items_come_back():
    X = checkerboard()
    rec = cascade(exclude_seen=False).fit(np.vstack([X, X]))
    user, item = X[0]
    assert_allclose(np.asarray(rec.pair_features([user], [item])["user_item_events"]), [2])
    found = rec.recommend([user], k=N_ITEMS, exclude_seen=False)
    assert_allclose(rec.predict([[user, i] for i in found.items[0]]), found.scores[0], rtol=1e-4)


@pytest.mark.parametrize("kind", ["function", "frame", "transformer"])
def test_own_features(kind):
    hooks = {
        "function": lambda frame: (frame["user"].to_numpy() + frame["item"].to_numpy()) % 2,
        "frame": lambda frame: pd.DataFrame({"same": (frame["user"] + frame["item"]) % 2}),
        "transformer": FunctionTransformer(lambda frame: frame[["user", "item"]].to_numpy()),
    }
    names = {"function": ["feature0"], "frame": ["same"], "transformer": ["feature0", "feature1"]}
    rec = cascade(features=hooks[kind]).fit(log_of_tastes())
    assert rec.feature_names_[-len(names[kind]) :] == names[kind]
    assert list(rec.pair_features([1], [2]).columns)[-1] == names[kind][-1]
    found = rec.recommend([3], k=5)
    rows = pd.DataFrame({"user": 3, "item": found.items[0]})
    assert_allclose(rec.predict(rows), found.scores[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (lambda frame: np.zeros((len(frame) + 1, 1)), "rows for"),
        (lambda frame: np.zeros((len(frame), 2, 2)), "one row per pair"),
        (lambda frame: np.full((len(frame), 1), "a"), "no numbers"),
    ],
)
def test_bad_own_features(hook, message):
    with pytest.raises(ValueError, match=message):
        cascade(features=hook).fit(checkerboard())


# Rankers ---------------------------------------------------------------------------------------------------


RANKERS = [
    SMALL,
    HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=3, random_state=0),
    sklearn_pipeline(StandardScaler(), LogisticRegression()),
    ExtraTreesClassifier(20, random_state=0),
    Ridge(),
]


@pytest.mark.parametrize("ranker", RANKERS, ids=lambda ranker: type(ranker).__name__)
def test_any_ranker(ranker):
    rec = cascade(ranker, n_candidates=10).fit(log_of_tastes())
    found = rec.recommend(np.arange(20), k=5)
    rows = pd.DataFrame({"user": np.repeat(np.arange(20), 5), "item": found.items.ravel()})
    assert_allclose(rec.predict(rows), found.scores.ravel(), rtol=1e-4, atol=1e-6)
    assert np.isfinite(rec.predict(pd.DataFrame({"user": [0, 10**6, 0], "item": [10**6, 3, 39]}))).all()


def test_lightgbm_learns_by_group():
    lightgbm = pytest.importorskip("lightgbm")
    ranker = lightgbm.LGBMRanker(n_estimators=20, min_child_samples=3, n_jobs=1, verbose=-1)
    rec = cascade(ranker, n_candidates=10, cv=0.3).fit(log_of_tastes())
    assert rec.ranker_.n_features_in_ == len(rec.feature_names_)
    assert list(rec.feature_importances_.values()) == sorted(rec.ranker_.feature_importances_, reverse=True)
    assert rec.recommend([1, 2], k=3).items.shape == (2, 3)


def test_xgboost_learns_by_group():
    xgboost = pytest.importorskip("xgboost")
    rec = cascade(xgboost.XGBRanker(n_estimators=10, n_jobs=1), n_candidates=10).fit(log_of_tastes())
    assert rec.recommend([1, 2], k=3).items.shape == (2, 3)
    assert set(rec.feature_importances_) == set(rec.feature_names_)


def test_importances_by_name():
    X = log_of_tastes()
    trees = cascade(ExtraTreesClassifier(20, random_state=0), n_candidates=10).fit(X)
    assert set(trees.feature_importances_) == set(trees.feature_names_)
    lines = cascade(sklearn_pipeline(StandardScaler(), LogisticRegression()), n_candidates=10).fit(X)
    assert next(iter(lines.feature_importances_.values())) == np.abs(lines.ranker_[-1].coef_).max()
    rec = cascade(n_candidates=10).fit(X)
    assert not hasattr(rec, "feature_importances_")
    later = pd.DataFrame({"user": np.arange(40), "item": rec.recommend(np.arange(40), k=1).items[:, 0]})
    found = rec.permutation_importances(later, n_repeats=1, random_state=0)
    assert set(found) == set(rec.feature_names_)
    assert max(found.values()) > 0
    with pytest.raises(ValueError, match="none of the events"):
        rec.permutation_importances(pd.DataFrame({"user": [1], "item": [10**6]}))


def test_probabilities():
    X = log_of_tastes(n_users=200)
    rec = cascade(n_candidates=20, calibration="sigmoid").fit(X)
    chance = rec.predict_proba(X[["user", "item"]].iloc[:50])
    assert chance.shape == (50, 2)
    assert_allclose(chance.sum(axis=1), 1)
    items = rec.recommend([5], k=20).items[0]
    of_list = rec.predict_proba(pd.DataFrame({"user": 5, "item": items}))[:, 1]
    assert (np.diff(of_list) <= 1e-9).all()
    assert 0.2 < of_list.sum() < 2  # of one next event
    assert not hasattr(cascade(), "predict_proba")
    with pytest.raises(ValueError, match="needs a classifier"):
        cascade(Ridge(), calibration="sigmoid").fit(X)


@pytest.mark.parametrize("ranker", [KMeans(), "trees", PopularRecommender()])
def test_what_is_no_ranker(ranker):
    with pytest.raises(TypeError, match="ranker must be a classifier"):
        cascade(ranker).fit(checkerboard())


# As a recommender ------------------------------------------------------------------------------------------


def test_a_score_does_not_depend_on_what_is_eligible():
    rec = cascade(n_candidates=8).fit(log_of_tastes())
    whole = rec.recommend([3, 4], k=8, exclude_seen=False)
    few = whole.items[:, ::2].tolist()
    among = rec.recommend([3, 4], k=4, candidates=few, exclude_seen=False)
    assert_array_equal(among.items, few)
    assert_allclose(among.scores, whole.scores[:, ::2], rtol=1e-4)
    left = rec.recommend([3, 4], k=3, exclude=[[3, whole.items[0, 0]]], exclude_seen=False)
    assert_array_equal(left.items, [whole.items[0, 1:4], whole.items[1, :3]])


@pytest.fixture(scope="module")
def fitted():
    return cascade().fit(log_of_tastes())


@given(k=st.integers(1, 60), n_candidates=st.integers(1, 50))
@settings(max_examples=15, deadline=None)
def test_lists_are_full_and_ordered(fitted, k, n_candidates):
    rec = fitted.set_params(n_candidates=n_candidates)
    found = rec.recommend([0, 7, 10**6], k=k)
    assert found.items.shape == (3, min(k, 40))
    n_new = [28, 28, 40]
    assert_array_equal((found.codes >= 0).sum(axis=1), np.minimum(n_new, k))
    finite = np.where(found.codes >= 0, found.scores, np.nan)
    assert not (np.diff(finite, axis=1) > 0).any()


def test_a_search_over_parts_and_the_ranker():
    rec = cascade(retrievers=parts(), ranker=SMALL)
    grid = {"knn__n_neighbors": [3, 5], "ranker__max_leaf_nodes": [4], "n_candidates": [8]}
    search = GridSearchCV(rec, grid, cv=LeaveLastOut()).fit(checkerboard())
    assert search.best_estimator_.ranker_.max_leaf_nodes == 4
    assert np.isfinite(search.best_score_)


def test_updates_leave_the_ranker():
    X = checkerboard()
    rec = cascade().fit(X, item_features=item_table())
    ranker = rec.ranker_
    rec.partial_fit([[900, 3], [900, 950], [0, 950]], item_features=FeatureTable(([950], [[1.0, 0.0]])))
    assert rec.ranker_ is ranker
    assert 950 in rec.items_
    assert 900 in rec.users_
    frame = rec.pair_features([900], [950])
    assert_allclose(np.asarray(frame["user_n_events"]), np.log1p(2), rtol=1e-5)
    assert_allclose(np.asarray(frame["item_0"]), [1.0])
    assert np.isfinite(rec.recommend([900], k=5).scores).all()


def test_in_a_pipeline_with_context():
    X = log_of_tastes()[["user", "item"]].assign(place=np.tile(["home", "work"], 720))
    mf = HybridMFRecommender(n_factors=4, solver="als", random_state=0)
    pipe = make_pipeline(ContextEncoder(), cascade(retrievers=[("mf", mf), *parts()], max_queries=80)).fit(X)
    found = pipe.recommend([1, 2], k=3, context=pd.DataFrame({"place": ["work", "home"]}))
    assert found.items.shape == (2, 3)
    assert np.isfinite(pipe.predict(X.iloc[:20])).all()
    assert any(name.startswith("context_") for name in pipe[-1].feature_names_)


def test_inside_a_reranker():
    base = cascade(retrievers=[("popular", PopularRecommender()), ("random", RandomRecommender(random_state=0))])
    table = pd.DataFrame({"item": range(N_ITEMS), "title": [f"book {item}" for item in range(N_ITEMS)]})
    rec = LLMReranker(base, in_given_order, n_candidates=3)
    found = rec.fit(checkerboard(), item_features=table).recommend([0], k=3)
    plain = base.fit(checkerboard(), item_features=table).recommend([0], k=3)
    assert_array_equal(found.items, plain.items)


def test_explanations_come_from_a_part_that_explains():
    rec = cascade(retrievers=[("knn", ItemKNNRecommender(n_neighbors=5)), ("popular", PopularRecommender())])
    rec.fit(checkerboard())
    assert rec.explain([0], [3]).text == rec.named_recommenders_.knn.explain([0], [3]).text


@pytest.mark.parametrize("calibration", [None, "sigmoid"])
def test_saved_with_skops(calibration):
    skops_io = pytest.importorskip("skops.io")
    rec = cascade(None, calibration=calibration).fit(checkerboard(), item_features=item_table())
    data = skops_io.dumps(rec)
    assert set(skops_io.get_untrusted_types(data=data)) <= set(skops_trusted_types())
    loaded = skops_io.loads(data, trusted=skops_trusted_types())
    assert_array_equal(loaded.recommend(k=3).scores, rec.recommend(k=3).scores)


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 10**4)])
def test_trees_that_lead_nowhere_are_not_loaded(field, value):
    rec = cascade(None).fit(checkerboard(), item_features=item_table())
    nodes = next(t.nodes for trees in rec.ranker_._predictors for t in trees if len(t.nodes) > 1)
    nodes[field][0] = value
    with pytest.raises(DamagedStateError, match="ranker_"):
        pickle.loads(pickle.dumps(rec))


# What goes wrong -------------------------------------------------------------------------------------------


def test_nothing_to_hold_out():
    with pytest.warns(UntrainedRankerWarning, match="no event could be held out"):
        rec = cascade().fit([[1, 10]])
    assert rec.ranker_ is None
    with pytest.warns(UntrainedRankerWarning):
        rec = cascade(n_candidates=1, cv=[([0, 1, 2], [3])]).fit([[1, 10], [1, 20], [2, 30], [2, 40]])
    found = rec.recommend([1], k=2, exclude_seen=False)
    assert_allclose(rec.predict([[1, i] for i in found.items[0]]), found.scores[0], rtol=1e-5)


def test_no_positive_is_retrieved():
    X = log_of_tastes()
    train, test = next(LeaveLastOut().split(X))
    rare = X.copy()
    rare.loc[test, "item"] = 1000 + np.arange(len(test)) // 2
    with pytest.warns(UntrainedRankerWarning, match="none of a known item"):
        cascade(n_candidates=5).fit(rare)
    known = pd.concat([rare.iloc[train], rare.iloc[test].assign(user=10**6)])
    both = pd.concat([known, rare.iloc[test]], ignore_index=True)
    split = np.arange(len(known)), np.arange(len(known), len(both))
    with pytest.warns(UntrainedRankerWarning, match="no retriever found any"):
        rec = cascade(retrievers=[("popular", PopularRecommender())], n_candidates=3, cv=[split]).fit(both)
    assert rec.recommend([1], k=5).items.shape == (1, 5)


def test_a_frozen_retriever_does_not_tell_the_ranker_its_own_events():
    X = log_of_tastes()
    train, test = next(LeaveLastOut().split(X))
    fitted = FrozenEstimator(ItemKNNRecommender().fit(X))
    with pytest.raises(ValueError, match="fitted to all events"):
        cascade(retrievers=[("knn", fitted), ("popular", PopularRecommender())]).fit(X)
    half = FrozenEstimator(ItemKNNRecommender().fit(X.iloc[np.concatenate([train, test[:60]])]))
    with pytest.warns(TemporalLeakWarning, match="60 of 120 held-out events"):
        rec = cascade(retrievers=[("knn", half), ("popular", PopularRecommender())], n_candidates=40).fit(X)
    assert rec.n_positives_ == 60
    before = FrozenEstimator(ItemKNNRecommender().fit(X.iloc[train]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rec = cascade(retrievers=[("knn", before), ("popular", PopularRecommender())], n_candidates=40).fit(X)
    assert rec.n_positives_ == 120


def test_catalogues_differ():
    """A part that lacks items scores them as missing, and nothing is lost of what the other knows."""
    X = log_of_tastes()
    small = FrozenEstimator(ItemKNNRecommender().fit(X[(X["item"] < 20) & (X.index < 700)]))
    rec = cascade(retrievers=[("knn", small), ("popular", PopularRecommender())], n_candidates=40)
    with warnings.catch_warnings(action="ignore"):
        rec.fit(X)
    assert len(rec.items_) == 40
    frame = rec.pair_features([3, 3], [39, 1])
    assert np.isnan(frame["knn_score"][0])
    assert np.isfinite(frame["knn_score"][1])
    assert rec.recommend([3], k=28).items.dtype != object


def test_lists_without_overlap():
    X = log_of_tastes()
    even, odd = (PopularRecommender().fit(X[X["item"] % 2 == parity].iloc[:300]) for parity in (0, 1))
    rec = cascade(retrievers=[("even", FrozenEstimator(even)), ("odd", FrozenEstimator(odd))], n_candidates=5)
    with warnings.catch_warnings(action="ignore"):
        rec.fit(X)
    found = rec.recommend([1], k=5)
    assert found.items.shape == (1, 5)
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("ranker", [SMALL, LogisticRegression(C=0.01)], ids=lambda ranker: type(ranker).__name__)
def test_a_retriever_that_fails_leaves_missing_values(ranker, monkeypatch):
    retrievers = [("knn", ItemKNNRecommender()), ("broken", Broken())]
    rec = cascade(ranker, retrievers, n_candidates=10).fit(log_of_tastes())
    monkeypatch.setattr(Broken, "works", False)
    with pytest.warns(PartFailureWarning, match="the server of this part is gone"):
        found = rec.recommend([1, 2], k=10)
    assert (found.codes >= 0).all()
    assert np.isfinite(found.scores).all()
    assert found.report["failures"] == {"broken": "RuntimeError: the server of this part is gone"}


def test_cold_items_of_the_table():
    rec = cascade(n_candidates=N_ITEMS + N_COLD).fit(checkerboard(), item_features=item_table())
    assert N_ITEMS in rec.items_
    assert np.isfinite(rec.predict([[0, N_ITEMS]])).all()


def test_an_update_without_times_leaves_the_columns_of_time_missing():
    X = pd.DataFrame(checkerboard(), columns=["user", "item"])
    X["timestamp"] = 1.6e9 + 1e5 * (np.arange(len(X)) * 7 % len(X))
    rec = CascadeRecommender([("popular", PopularRecommender()), ("knn", ItemKNNRecommender())], LogisticRegression())
    rec.fit(X)
    assert "item_trend" in rec.feature_names_
    with pytest.warns(UserWarning, match="X has no 'timestamp', and fit had one"):
        rec.partial_fit(X[["user", "item"]][:3])
    scores = rec.recommend(k=3, exclude_seen=False).scores
    assert np.isfinite(scores).all()
    assert np.isfinite(rec.predict(X[["user", "item"]])).all()


@pytest.mark.parametrize("context", [5, "evening", [8.5], np.zeros((4, 1)), pl.LazyFrame({"hour": [1.0]})], ids=str)
def test_pair_features_refuses_a_context_that_is_no_table(context):
    rec = cascade().fit(checkerboard())
    with pytest.raises((TypeError, ValueError), match="context"):
        rec.pair_features(rec.users_[:2], rec.items_[:2], context=context)
