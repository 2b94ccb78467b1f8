"""Fusion by ranks and scores: weights, segments, cold users, learned weights, explanations."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skrec.compose import FusionRecommender
from skrec.compose._score_scale import ScoreScale
from skrec.compose._weights import best_weights
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import DamagedStateError, PartFailureWarning
from skrec.feature_extraction import ContextEncoder
from skrec.llm import LLMReranker
from skrec.metrics import ranking_scorer
from skrec.model_selection import LeaveKOut, LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.persistence import skops_trusted_types
from skrec.pipeline import make_pipeline
from skrec.testing._data import checkerboard, text_encoder

RNG = np.random.default_rng(0)
TASTES = np.array([[u, i] for u in range(60) for i in RNG.permutation(40)[:30] if u % 4 == i % 4])
ALL = slice(None)


def two(**params):
    return FusionRecommender([("popular", PopularRecommender()), ("knn", ItemKNNRecommender())], **params)


@pytest.fixture(scope="module")
def split():
    train, test = next(iter(LeaveLastOut().split(TASTES)))
    return TASTES[train], TASTES[test]


class Fixed(PopularRecommender):
    """Recommends given items with given scores, whoever asks."""

    def __init__(self, items=(), scores=()):
        super().__init__()
        self.items, self.scores = items, scores

    def recommend(self, users=None, k=10, *, exclude_seen=True, **options):
        items, scores = np.full((len(users), k), None, dtype=object), np.full((len(users), k), -np.inf)
        n = min(k, len(self.items))
        items[:, :n], scores[:, :n] = self.items[:n], self.scores[:n]
        return items, scores


def fixed(*lists, **params):
    parts = [(f"part{at}", Fixed(*one)) for at, one in enumerate(lists)]
    return FusionRecommender(parts, **params).fit([[1, item] for item in range(10, 20)])


# Scores on one scale


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_scale_keeps_the_order_and_leaves_room_below(scores):
    scores = -np.sort(-scores, axis=1)
    values = ScoreScale.of(scores)(scores)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values, axis=1) <= 1e-12).all()
    is_flat = scores.max(axis=1) == scores.min(axis=1)
    assert_allclose(values[~is_flat, :50].mean(axis=1), 1, rtol=1e-3)
    assert not values[is_flat].any()
    ending = np.pad(scores, ((0, 0), (0, 1)), constant_values=-np.inf)
    assert (ScoreScale.of(ending)(ending)[:, :-1] > 0).all()


@given(
    arrays(np.float32, 12, elements=st.integers(-50, 50)),
    st.integers(0, 12),
    st.sampled_from([0.5, 2.0, 64.0]),
    st.integers(-8, 8),
)
def test_a_scale_knows_no_unit_and_no_padding(scores, n_padding, factor, shift):
    scores = -np.sort(-scores)[None]
    padded = np.concatenate([scores, np.full((1, n_padding), -np.inf, np.float32)], axis=1)
    values = ScoreScale.of(padded)(padded)
    assert not values[:, 12:].any()
    if n_padding:
        assert_allclose(values, ScoreScale.of(padded[:, :13])(padded))
    moved = (padded * factor + shift).astype(np.float32)
    assert_allclose(ScoreScale.of(moved)(moved), values, rtol=1e-4)


def test_a_scale_of_nothing_and_of_equal_scores():
    empty = np.full((1, 3), -np.inf, np.float32)
    assert_array_equal(ScoreScale.of(empty)(empty), np.zeros((1, 3)))
    equal = np.array([[0.1, 0.1, -np.inf]], np.float32)
    assert_allclose(ScoreScale.of(equal)(equal), [[1, 1, 0]])
    assert_array_equal(ScoreScale.of(equal[:, :2])(equal), [[0, 0, 0]])
    assert_array_equal(ScoreScale.of(np.zeros((2, 0), np.float32))(np.zeros((2, 0))), np.zeros((2, 0)))


def test_scores_weigh_by_how_far_an_item_leads():
    """By ranks the second list decides nothing; by scores its great lead does."""
    first, second = ([10, 11, 12, 13], [4.0, 3.9, 3.8, 0.0]), ([12, 11, 10, 13], [90.0, 2.0, 1.0, 0.0])
    assert fixed(first, second, method="score").recommend([5], k=4).items[0].tolist() == [12, 11, 10, 13]
    assert fixed(first, second, method="rrf").recommend([5], k=1).items[0, 0] == 10


def test_no_overlap_short_lists_and_padding():
    lists = ([10, 11, 12], [3.0, 2.0, 1.0]), ([15], [-7.0])
    for method in ("rrf", "score"):
        found = fixed(*lists, method=method).recommend([5], k=6)
        assert set(found.items[0, :4]) == {10, 11, 12, 15}
        assert_array_equal(found.items[0, 4:], [None, None])
        assert np.isneginf(found.scores[0, 4:]).all()
        assert (np.diff(found.scores[0, :4]) <= 0).all()


# Weights


@pytest.mark.parametrize("method", ["rrf", "score"])
def test_a_part_alone_is_the_part(method, split):
    rec = two(method=method, weights=[0, 3], n_candidates=5).fit(split[0])
    users = np.arange(60)
    expected = ItemKNNRecommender().fit(split[0]).recommend(users, k=4)
    found = rec.recommend(users, k=4)
    assert_array_equal(found.items, expected.items)
    assert found.report["parts"] == ["knn"]
    assert_array_equal(rec.weights_, [[0, 1]])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"weights": [0, 0]}, ValueError, "not all 0"),
        ({"weights": [1]}, ValueError, "one per part"),
        ({"weights": [1, -1]}, ValueError, "at least 0"),
        ({"weights": [1, np.inf]}, ValueError, "finite"),
        ({"weights": [1, "a"]}, TypeError, "must be numbers"),
        ({"weights": [[1, 1]], "by_segment": [3]}, ValueError, "one row per segment"),
        ({"weights": [[1, 1], 2], "by_segment": [3]}, TypeError, "must be numbers"),
        ({"by_segment": [3, 3]}, ValueError, "rising"),
        ({"by_segment": []}, ValueError, "rising"),
        ({"by_segment": [2.5]}, TypeError, "numbers of events"),
    ],
)
def test_bad_weights(params, error, message):
    with pytest.raises(error, match=message):
        two(**params).fit(TASTES)


def test_where_only_parts_of_weight_0_answer_they_fill_the_list():
    class Broken(PopularRecommender):
        def recommend(self, users=None, k=10, **options):
            raise RuntimeError("gone")

    parts = [("broken", Broken()), ("few", PopularRecommender()), ("many", ItemKNNRecommender())]
    weights = [[1, 0, 1], [1, 1, 0]]
    rec = FusionRecommender(parts, method="score", weights=weights, by_segment=[10**6]).fit(TASTES)
    with pytest.warns(PartFailureWarning, match="gone"):
        assert_array_equal(rec.recommend([0], k=5).items, ItemKNNRecommender().fit(TASTES).recommend([0], k=5).items)
    rec.set_params(weights=[[1, 0, 0], [1, 1, 1]])
    with pytest.warns(PartFailureWarning):
        assert all(item is not None for item in rec.recommend([0], k=5).items[0])


def test_segments_have_weights_of_their_own():
    X = np.array([[u, i] for u in range(8) for i in range(2 if u < 4 else 6)] + [[9, i] for i in range(12)])
    rec = two(method="score", weights=[[1, 0], [0, 1]], by_segment=[3]).fit(X)
    assert_array_equal(rec.recommend([0, 99], k=5).items, PopularRecommender().fit(X).recommend([0, 99], k=5).items)
    assert_array_equal(rec.recommend([5], k=5).items, ItemKNNRecommender().fit(X).recommend([5], k=5).items)
    history = [[99, 0], [99, 1], [99, 2]]
    expected = ItemKNNRecommender().fit(X).recommend([99], k=5, history=history)
    assert_array_equal(rec.recommend([99], k=5, history=history).items, expected.items)


@pytest.mark.parametrize("method", ["rrf", "score"])
def test_a_part_that_does_not_know_a_user_is_silent(method):
    """Its cold start would only blur what the other part knows of the user."""
    first = FrozenEstimator(ItemKNNRecommender().fit(TASTES[TASTES[:, 0] < 30]))
    second = FrozenEstimator(PopularRecommender().fit([[u + 1000, i] for u, i in TASTES]))
    rec = FusionRecommender([("old", first), ("new", second)], method=method).fit(TASTES)
    assert_array_equal(rec.recommend([3], k=4).items, first.recommend([3], k=4).items)
    assert_array_equal(rec.recommend([1003], k=4).items, second.recommend([1003], k=4).items)
    blurred = rec.recommend([5000], k=4).items
    assert_array_equal(blurred, rec.recommend([5001], k=4).items)
    history = [[3000, 4], [3000, 8]]
    assert len(rec.recommend([3000], k=4, history=history).report["parts"]) == 2


# Pairs


@pytest.mark.parametrize("method", ["score", "learned"])
def test_predict_is_the_score_of_the_list(method, split):
    rec = two(method=method, n_candidates=8, n_iter=5, weights=[1, 2]).fit(split[0])
    found = rec.recommend(np.arange(30), k=8).to_frame()
    assert_allclose(rec.predict(found[["user", "item"]].to_numpy()), found["score"], rtol=1e-4, atol=1e-6)
    assert np.isfinite(rec.predict([[0, 10**6], [10**6, 1]])).all()


def test_predict_in_context_asks_for_each_moment():
    X = pd.DataFrame(TASTES, columns=["user", "item"]).assign(hour=np.arange(len(TASTES)) % 3)
    mf = HybridMFRecommender(n_factors=4, random_state=0)
    parts = [("mf", mf), ("knn", ItemKNNRecommender())]
    rec = make_pipeline(ContextEncoder(), FusionRecommender(parts, method="score", n_candidates=6)).fit(X)
    context = pd.DataFrame({"hour": [0, 1]})
    found = rec.recommend([0, 0], k=5, context=context)
    rows = found.to_frame()[["user", "item"]].assign(hour=np.repeat([0, 1], 5))
    assert_allclose(rec.predict(rows), found.scores.ravel(), rtol=1e-4)


def test_ranks_have_no_score_of_a_pair(split):
    rec = two().fit(split[0])
    assert_array_equal(rec.predict(split[1]), PopularRecommender().fit(split[0]).predict(split[1]))


# Learned weights


def test_learned_weights_find_the_better_part(split):
    rec = two(method="learned", n_iter=12).fit(split[0])
    score = rec.score(split[1])
    assert rec.weights_[0, 1] > 0.5
    assert score > 0.9 * ItemKNNRecommender().fit(split[0]).score(split[1])
    assert score > two(weights=[1, 0]).fit(split[0]).score(split[1])
    again = clone(rec).fit(split[0])
    assert_array_equal(again.weights_, rec.weights_)
    assert_array_equal(again.recommend(k=3).items, rec.recommend(k=3).items)


def test_parts_are_fitted_to_all_events_after_learning(split):
    rec = two(method="learned", n_iter=3).fit(split[0])
    assert_array_equal(rec.named_recommenders_.popular.popularity_, PopularRecommender().fit(split[0]).popularity_)


@pytest.mark.parametrize("cv", [LeaveKOut(2, n_splits=2, random_state=0), 3])
def test_learned_by_a_splitter_and_by_segment(cv, split):
    rec = two(method="learned", cv=cv, n_iter=5, by_segment=[5, 10**6]).fit(split[0])
    assert rec.weights_.shape == (3, 2)
    assert_allclose(rec.weights_.sum(axis=1), 1)
    assert_allclose(rec.weights_[2], 0.5)  # nobody is there
    rec.set_params(by_segment=None)
    with pytest.raises(ValueError, match="fit again"):
        rec.recommend([0])


@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
def test_a_frozen_part_that_has_seen_what_is_held_out_is_refused(split):
    frozen = FrozenEstimator(ItemKNNRecommender().fit(split[0]))
    inside = LLMReranker(frozen, lambda messages: "")
    for part in (frozen, inside):
        rec = FusionRecommender([("popular", PopularRecommender()), ("old", part)], method="learned")
        with pytest.raises(ValueError, match="'old' is not fitted again and has seen"):
            rec.fit(split[0])
    earlier = FrozenEstimator(ItemKNNRecommender().fit(split[0][split[0][:, 0] < 30]))
    others = split[0][split[0][:, 0] >= 30]
    rec = FusionRecommender([("popular", PopularRecommender()), ("old", earlier)], method="learned", n_iter=3)
    assert rec.fit(others).weights_.shape == (1, 2)


def test_learning_without_learned():
    rec = two().fit(TASTES).set_params(method="learned")
    with pytest.raises(ValueError, match="fit again"):
        rec.recommend([0])


def test_an_update_keeps_learned_weights(split):
    rec = two(method="learned", n_iter=5).fit(split[0])
    before = rec.weights_
    rec.partial_fit(split[1])
    assert_array_equal(rec.weights_, before)
    assert rec.seen_items([0]).lengths[0] == (TASTES[:, 0] == 0).sum()


def test_search_weights_ranks_each_part_once(split):
    class Counted(PopularRecommender):
        n_calls = 0

        def recommend(self, users=None, k=10, **options):
            Counted.n_calls += 1
            return super().recommend(users, k, **options)

    rec = FusionRecommender([("popular", Counted()), ("knn", ItemKNNRecommender())], method="score").fit(split[0])
    before = dict(rec.__dict__)
    found = rec.search_weights(split[1], n_iter=20)
    assert Counted.n_calls == 1
    assert rec.__dict__ == before
    assert list(found.table.columns) == ["popular", "knn", "score"]
    assert len(found.table) == 20
    assert (np.diff(found.table["score"]) <= 0).all()
    settings = found.table[["popular", "knn"]].to_numpy()
    for alone in ([1, 0], [0, 1], [0.5, 0.5]):
        assert (settings == alone).all(axis=1).any()
    assert rec.set_params(weights=found.weights).score(split[1]) == pytest.approx(found.score)
    assert rec.set_params(weights=settings[0]).score(split[1]) == pytest.approx(found.table["score"].max())
    alone = two(method="score").fit(split[0]).search_weights(split[1], scoring=lambda *given: rec.score(*given[1:]))
    assert_array_equal(alone.weights, [0.5, 0.5])  # all settings score the same


def test_weights_must_be_better_than_equal_ones_by_two_standard_errors():
    settings, rng = np.array([[0.5, 0.5], [1, 0], [0, 1]]), np.random.default_rng(0)
    values = np.tile(rng.random(100), (3, 1))
    values[1] += rng.normal(0.001, 0.1, 100)
    assert_array_equal(best_weights(settings, values), [0.5, 0.5])
    values[2] += 0.05
    values[2, 3] = np.nan
    assert_array_equal(best_weights(settings, values), [0, 1])
    assert_array_equal(best_weights(settings, np.array([[0.1], [0.3], [0.2]])), [1, 0])
    assert_array_equal(best_weights(settings, np.zeros((3, 0))), [0.5, 0.5])


def test_search_weights_by_segment(split):
    rec = two(method="score", by_segment=[6]).fit(split[0])
    found = rec.search_weights(split[1], scoring=ranking_scorer("recall@3"), n_iter=6)
    assert set(found.table["segment"]) == {0, 1}
    assert found.weights.shape == (2, 2)
    best = ranking_scorer("recall@3")(rec.set_params(weights=found.weights), split[1])
    assert best == pytest.approx(found.score)


# Explanations, similar items, search


def test_evidence_of_the_parts_by_their_share():
    knn, mf = ItemKNNRecommender(), HybridMFRecommender(n_factors=4, random_state=0)
    rec = FusionRecommender([("knn", knn), ("mf", mf)], method="score", weights=[3, 1]).fit(TASTES)
    lists = rec.recommend([0, 1], k=3)
    found = rec.explain(lists, n_evidence=4)
    assert len(found) == 6
    assert_array_equal(found.user, np.repeat([0, 1], 3))
    for evidence in found.evidence:
        weights = [reason.weight for reason in evidence]
        assert 0 < len(evidence) <= 4
        assert weights == sorted(weights, reverse=True)
        assert sum(map(abs, weights)) <= 1 + 1e-6
        assert len({(reason.kind, reason.item) for reason in evidence}) == len(evidence)
    alone = rec.set_params(weights=[1, 0]).explain(lists, n_evidence=2)
    expected = ItemKNNRecommender().fit(TASTES).explain(lists, n_evidence=2)
    assert alone.text == expected.text
    with pytest.raises(KeyError):
        rec.set_params(weights=[1, 1]).explain([0], [10**6])
    seen = int(TASTES[0, 1])
    assert rec.explain([0], [seen]).text[0]


def test_similar_items_are_merged():
    table = pd.DataFrame({"item": range(16), "text": [f"text number {item}" for item in range(16)]})
    text = EmbeddingKNNRecommender(item_encoder=text_encoder())
    knn = FrozenEstimator(ItemKNNRecommender().fit(checkerboard()))
    rec = FusionRecommender([("knn", knn), ("text", text)], method="score")
    rec.fit(checkerboard(), item_features=table)
    found = rec.similar_items([3, 4], k=5)
    assert 3 not in found.items[0]
    assert 4 not in found.items[1]
    assert found.report["parts"] == ["knn", "text"]
    only_text = rec.set_params(weights=[0, 1]).similar_items([3], k=5)
    assert_array_equal(only_text.items, rec.named_recommenders_.text.similar_items([3], k=5).items)
    assert found.to_frame().columns[0] == "source_item"
    with pytest.raises(KeyError):
        rec.similar_items([10**6])


def test_search_asks_all_parts_that_read():
    table = pd.DataFrame({"item": range(16), "text": [f"text number {item}" for item in range(16)]})
    text = EmbeddingKNNRecommender(item_encoder=text_encoder())
    knn = FrozenEstimator(ItemKNNRecommender().fit(checkerboard()))
    rec = FusionRecommender([("knn", knn), ("a", text), ("b", clone(text))])
    rec.fit(checkerboard(), item_features=table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rec.search("text number 7", k=4)
    assert found.report["parts"][-2:] == ["a", "b"]
    assert found.items[0, 0] == 7
    assert_array_equal(rec.search(["text number 7", "text number 2"], k=1, candidates=[2, 7]).items[:, 0], [7, 2])


# In company


def test_in_a_search_over_weights_and_parts(split):
    grid = {"weights": [[1, 0], [0, 1]], "knn__n_neighbors": [3, 20], "method": ["rrf", "score"]}
    search = GridSearchCV(two(), grid, cv=LeaveLastOut(), error_score="raise").fit(split[0])
    assert search.best_params_["weights"] == [0, 1]
    assert len(search.best_estimator_.recommend([0], k=2).items[0]) == 2


@pytest.mark.parametrize("method", ["rrf", "score", "learned"])
def test_saved_and_loaded(method, tmp_path, split):
    skops = pytest.importorskip("skops.io")
    rec = two(method=method, n_iter=4).fit(split[0])
    expected = rec.recommend(k=4)
    joblib.dump(rec, tmp_path / "rec.joblib")
    skops.dump(rec, tmp_path / "rec.skops")
    trusted = skops_trusted_types()
    for loaded in (joblib.load(tmp_path / "rec.joblib"), skops.load(tmp_path / "rec.skops", trusted=trusted)):
        assert_array_equal(loaded.recommend(k=4).items, expected.items)
        assert_array_equal(loaded.weights_, rec.weights_)


def test_a_damaged_file_is_refused(split):
    rec = two(method="learned", n_iter=4).fit(split[0])
    state = rec.__getstate__()
    state["_learned"] = np.array([[np.nan, 1.0]])
    with pytest.raises(DamagedStateError, match="_learned"):
        object.__new__(FusionRecommender).__setstate__(state)


@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
def test_under_a_reranker(split):
    rec = LLMReranker(two(method="score"), lambda messages: "").fit(split[0])
    assert_array_equal(
        rec.recommender_.recommend([0], k=5).items, two(method="score").fit(split[0]).recommend([0], k=5).items
    )
    assert_array_equal(rec.predict(split[1]), rec.recommender_.predict(split[1]))


def test_explanations_have_one_name_per_item():
    """One part was fitted to titles, the other knows ids alone; a composite inside knows what its parts know."""
    X = checkerboard()
    ids = np.unique(X[:, 1])
    words = ["red" if item % 2 else "blue" for item in ids]
    table = pd.DataFrame({"item": ids, "title": [f"{word} {item}" for word, item in zip(words, ids, strict=True)]})
    knn = FrozenEstimator(ItemKNNRecommender().fit(X))
    text = FrozenEstimator(EmbeddingKNNRecommender(item_encoder=text_encoder()).fit(X, item_features=table))
    for titled in (text, FrozenEstimator(FusionRecommender([("text", text)]).fit(X))):
        rec = FusionRecommender([("knn", knn), ("text", titled)]).fit(X)
        users = rec.users_[:8]
        explained = rec.explain(users, rec.recommend(users, k=1).items[:, 0], n_evidence=6)
        of_parts = {kind for row in explained.evidence for kind in (reason.kind for reason in row)}
        assert of_parts == {"history"}
        for row in explained.evidence:
            assert all(reason.name is not None for reason in row)
            assert len({reason.item for reason in row}) == len(row)
