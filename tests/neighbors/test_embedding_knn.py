"""Against brute force, over metrics and ways to read a history."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrec.exceptions import ColdStartWarning, FeatureCoverageWarning
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.neighbors import EmbeddingKNNRecommender

N_USERS, N_ITEMS, N_COLD, D = 30, 40, 5, 6


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    n = 200
    return pd.DataFrame(
        {
            "user": rng.integers(0, N_USERS, n),
            "item": np.r_[np.arange(N_ITEMS), rng.integers(0, N_ITEMS, n - N_ITEMS)],
            "timestamp": rng.permutation(n),
        }
    )


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(1).normal(loc=0.5, size=(N_ITEMS + N_COLD, D)).astype(np.float32)


def _similarity(metric, a, b):
    if metric == "euclidean":
        return 1 / (1 + np.linalg.norm(a - b))
    return float(a @ b) / (np.linalg.norm(a) * np.linalg.norm(b) if metric == "cosine" else 1)


def _brute_force(log, vectors, user, metric, aggregation, decay, sharpness, strength):
    if metric == "cosine":
        vectors = vectors - vectors.mean(axis=0)
    events = log[log["user"] == user].sort_values("timestamp")
    weights = strength[events.index] * decay ** np.arange(len(events) - 1, -1, -1)
    history = vectors[events["item"]]
    if metric == "cosine":
        history = history / np.linalg.norm(history, axis=1, keepdims=True)
    scores = []
    for vector in vectors:
        if aggregation == "mean":
            scores.append(_similarity(metric, weights @ history / weights.sum(), vector))
            continue
        near = np.array([_similarity(metric, h, vector) for h in history])
        if aggregation == "max":
            scores.append((weights / weights.max() * near).max())
        else:
            attention = weights * np.exp(sharpness * near)
            scores.append((attention * near).sum() / attention.sum())
    return np.array(scores)


@pytest.mark.parametrize("aggregation", ["mean", "max", "attention"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_scores_agree_with_brute_force(log, vectors, metric, aggregation):
    strength = np.random.default_rng(2).uniform(0.5, 2, len(log)).astype(np.float32)
    rec = EmbeddingKNNRecommender(
        metric=metric, aggregation=aggregation, recency_decay=0.7, attention_sharpness=3, whitening=0
    )
    rec.fit(log, strength, item_features=(np.arange(N_ITEMS + N_COLD), vectors))
    recommended = rec.recommend(k=15)
    for user, items, scores in zip(rec.users_, recommended.items, recommended.scores, strict=True):
        expected = _brute_force(log, vectors, user, metric, aggregation, 0.7, 3, strength)
        np.testing.assert_allclose(scores, expected[items], rtol=2e-4, atol=1e-5)


def test_order(log, vectors):
    table = (np.arange(N_ITEMS + N_COLD), vectors)

    def scores(X, **parameters):
        return (
            EmbeddingKNNRecommender(recency_decay=0.5, **parameters).fit(X, item_features=table).recommend(k=5).scores
        )

    untimed = log.drop(columns="timestamp")
    np.testing.assert_allclose(scores(untimed), scores(log, order="none"), rtol=1e-5)
    assert not np.allclose(scores(log), scores(log, order="none"))
    with pytest.raises(ValueError, match="timestamp"):
        scores(untimed, order="time")


def test_sparse_and_dense_vectors_agree(log, vectors):
    table = np.where(vectors > 0.5, vectors, 0)
    ids = np.arange(N_ITEMS + N_COLD)
    for metric in ("cosine", "dot", "euclidean"):
        dense = EmbeddingKNNRecommender(metric=metric, center=False).fit(log, item_features=(ids, table))
        sparse = EmbeddingKNNRecommender(metric=metric).fit(log, item_features=(ids, sp.csr_array(table)))
        np.testing.assert_allclose(dense.recommend(k=5).scores, sparse.recommend(k=5).scores, rtol=1e-4)
        np.testing.assert_allclose(dense.predict(log), sparse.predict(log), rtol=1e-4)


def test_full_whitening_gives_unit_covariance(log, vectors):
    table = (np.arange(N_ITEMS + N_COLD), vectors * np.array([100, 10, 1, 1, 0.5, 0.1], dtype=np.float32))
    rec = EmbeddingKNNRecommender(whitening=1.0).fit(log, item_features=table)
    whitened = (table[1] - rec.center_) @ rec.axes_
    np.testing.assert_allclose(np.cov(whitened.T, bias=True), np.eye(D), atol=1e-3)
    half = EmbeddingKNNRecommender(whitening=0.5).fit(log, item_features=table)
    directions = [axes / np.linalg.norm(axes, axis=0) for axes in (half.axes_, rec.axes_)]
    np.testing.assert_allclose(*directions, rtol=1e-4, atol=1e-6)


def test_axes_of_no_variance_do_not_hurt(log, vectors):
    flat = vectors.copy()
    flat[:, 2] = 3
    rec = EmbeddingKNNRecommender().fit(log, item_features=(np.arange(N_ITEMS + N_COLD), flat))
    rest = EmbeddingKNNRecommender().fit(log, item_features=(np.arange(N_ITEMS + N_COLD), np.delete(flat, 2, axis=1)))
    np.testing.assert_allclose(rec.recommend(k=5).scores, rest.recommend(k=5).scores, atol=1e-4)


def test_new_users_fold_in_and_decay_by_step(log, vectors):
    rec = EmbeddingKNNRecommender().fit(log, item_features=(np.arange(N_ITEMS + N_COLD), vectors))
    history = [[999, item] for item in log[log["user"] == 4].sort_values("timestamp")["item"]]
    folded, known = rec.recommend(history=history, k=5), rec.recommend([4], k=5)
    np.testing.assert_array_equal(folded.items, known.items)


def test_cold_items_reach_the_top():
    items = (["sea1", "sea2", "rose1", "rose2"], [[1.0, 0.1], [0.9, 0.0], [0.0, 1.0], [0.1, 0.9]])
    rec = EmbeddingKNNRecommender().fit([["ann", "sea1"], ["bob", "rose1"]], item_features=items)
    assert rec.recommend(["ann", "bob"], k=1).items.ravel().tolist() == ["sea2", "rose2"]


def test_without_features_popularity_and_a_warning(log):
    with pytest.warns(ColdStartWarning, match="item_encoder"):
        rec = EmbeddingKNNRecommender().fit(log)
    most_frequent = log["item"].mode()[0]
    assert rec.recommend([10**6], k=1).items[0, 0] == most_frequent


def test_users_whose_items_have_no_vector_get_popular_items(log, vectors):
    with pytest.warns(FeatureCoverageWarning, match="20 items of X"):
        rec = EmbeddingKNNRecommender(min_score=0.99).fit(log, item_features=(np.arange(20), vectors[:20]))
    items = rec.recommend([777], history=[[777, 35]], k=3).items[0]
    assert all(item is not None for item in items)


def test_min_score_shortens_lists_and_leaves_predict_finite(log, vectors):
    rec = EmbeddingKNNRecommender(min_score=0.5).fit(log, item_features=(np.arange(N_ITEMS + N_COLD), vectors))
    scores = rec.recommend(k=20).scores
    assert np.isneginf(scores).any()
    assert (scores[np.isfinite(scores)] >= 0.5).all()
    assert np.isfinite(rec.predict(log)).all()


class TestPopularityPrior:
    @pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
    @pytest.mark.parametrize("aggregation", ["mean", "max", "attention"])
    def test_the_share_of_events_is_added_to_scores(self, metric, aggregation, log, vectors):
        table, options = (np.arange(N_ITEMS + N_COLD), vectors), {"metric": metric, "aggregation": aggregation}
        rec = EmbeddingKNNRecommender(popularity_prior=2.5, **options).fit(log, item_features=table)
        plain = EmbeddingKNNRecommender(**options).fit(log, item_features=table)
        pairs = pd.DataFrame({"user": log["user"].iloc[0], "item": rec.items_})
        added = 2.5 * rec.popularity_ / rec.popularity_.sum()
        np.testing.assert_allclose(rec.predict(pairs) - plain.predict(pairs), added, atol=1e-5)
        best = rec.recommend(log["user"].iloc[:1], k=N_ITEMS, exclude_seen=False)
        np.testing.assert_allclose(rec.predict(pairs)[best.items[0]], best.scores[0], atol=1e-5)

    def test_search_and_similar_items_are_without(self, log):
        texts = FeatureTable(
            pd.DataFrame({"item": range(N_ITEMS), "text": [f"word{i % 7} {i}" for i in range(N_ITEMS)]})
        )
        encoder = LLMTextEmbedder(HashingTextEncoder(32), cache=None)
        plain, rec = (
            EmbeddingKNNRecommender(item_encoder=encoder, popularity_prior=prior).fit(log, item_features=texts)
            for prior in (0.0, 1e4)
        )
        assert_same = np.testing.assert_array_equal
        assert_same(rec.search("word3", k=5).items, plain.search("word3", k=5).items)
        assert_same(rec.similar_items([3], k=5).items, plain.similar_items([3], k=5).items)
        popular = rec.items_[np.argsort(-rec.popularity_, kind="stable")[:3]]
        assert_same(rec.recommend(history=[["new", 3]], k=3, exclude_seen=False).items[0], popular)

    def test_auto_takes_popularity_where_vectors_say_nothing(self):
        rng = np.random.default_rng(0)
        share = np.arange(1, 41) ** -1.0
        X = np.column_stack([rng.integers(0, 200, 1500), rng.choice(40, 1500, p=share / share.sum())])
        rec = EmbeddingKNNRecommender(popularity_prior="auto").fit(
            X, item_features=(range(40), rng.normal(size=(40, 5)))
        )
        popular = rec.items_[np.argsort(-rec.popularity_, kind="stable")[:5]]
        assert (rec.recommend(k=5, exclude_seen=False).items == popular).mean() > 0.9

    def test_auto_takes_none_where_they_say_all(self):
        X = np.array([(u, i) for u in range(60) for i in range(u % 2, 40, 2)])
        rec = EmbeddingKNNRecommender(popularity_prior="auto")
        rec.fit(X, item_features=(range(40), np.eye(2)[np.arange(40) % 2] + np.eye(2)[0] / 10))
        assert rec.popularity_prior_ == 0

    def test_an_update_follows_the_new_events(self, log, vectors):
        table = (np.arange(N_ITEMS + N_COLD), vectors)
        rec = EmbeddingKNNRecommender(popularity_prior=2.5).fit(log.iloc[:100], item_features=table)
        whole = EmbeddingKNNRecommender(popularity_prior=2.5).fit(log, item_features=table)
        rec.partial_fit(log.iloc[100:])
        np.testing.assert_allclose(rec.predict(log), whole.predict(log), atol=1e-5)

    def test_a_catalogue_without_events_has_nothing_to_add(self, vectors):
        rec = EmbeddingKNNRecommender(popularity_prior="auto").fit(item_features=(np.arange(len(vectors)), vectors))
        assert rec.popularity_prior_ == 0
        assert len(rec.recommend(history=[["new", 3]], k=3).items[0]) == 3


class TestFaiss:
    pytest.importorskip("faiss")

    @pytest.mark.parametrize("prior", [0.0, 30.0])
    @pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
    def test_agrees_with_exact_search(self, metric, prior):
        rng = np.random.default_rng(5)
        X = np.column_stack([np.repeat(np.arange(200), 5), rng.integers(0, 3000, 1000)])
        table = (np.arange(3000), rng.normal(size=(3000, 16)))
        rec = EmbeddingKNNRecommender(metric=metric, popularity_prior=prior)
        exact = clone(rec).fit(X, item_features=table).recommend(k=10)
        near = rec.set_params(index="faiss").fit(X, item_features=table).recommend(k=10)
        overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.items, near.items, strict=True)])
        assert overlap > 0.95

    def test_it_is_used_and_survives_a_pickle(self, log, vectors, monkeypatch):
        import pickle

        from skrec.neighbors import _faiss

        rec = EmbeddingKNNRecommender(index="faiss").fit(log, item_features=(np.arange(N_ITEMS + N_COLD), vectors))
        expected = rec.recommend(k=3).items
        loaded = pickle.loads(pickle.dumps(rec))
        calls = []
        search = _faiss.search_index
        monkeypatch.setattr(_faiss, "search_index", lambda *args: calls.append(1) or search(*args))
        np.testing.assert_array_equal(loaded.recommend(k=3).items, expected)
        assert calls

    def test_sparse_vectors_are_an_error(self, log):
        with pytest.raises(ValueError, match="exact"):
            EmbeddingKNNRecommender(index="faiss").fit(log, item_features=(np.arange(N_ITEMS), sp.eye_array(N_ITEMS)))

    def test_a_missing_package_is_named(self, log, vectors, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "faiss", None)
        with pytest.raises(ImportError, match="pip install faiss-cpu"):
            EmbeddingKNNRecommender(index="faiss").fit(log, item_features=(np.arange(N_ITEMS + N_COLD), vectors))


class TestPartialFit:
    def test_new_items_join_the_space(self, log, vectors):
        rec = EmbeddingKNNRecommender(metric="dot")
        first = log[log["item"] < 30]
        rec.partial_fit(first, item_features=(np.arange(30), vectors[:30]))
        rec.partial_fit(log[log["item"] >= 30], item_features=(np.arange(30, 45), vectors[30:]))
        whole = EmbeddingKNNRecommender(metric="dot").fit(log, item_features=(np.arange(45), vectors))
        np.testing.assert_array_equal(np.sort(rec.items_), whole.items_)
        np.testing.assert_allclose(rec.predict(log[["user", "item"]]), whole.predict(log[["user", "item"]]), rtol=1e-4)

    def test_updated_rows_replace_old_ones(self, log, vectors):
        for table in (vectors, sp.csr_array(vectors)):
            rec = EmbeddingKNNRecommender(metric="dot").fit(log, item_features=(np.arange(45), table))
            rec.partial_fit(log[:1], item_features=([3], np.ones((1, D))))
            row = rec.item_vectors_[[3]]
            assert (row.toarray() if sp.issparse(row) else row).tolist() == [[1.0] * D]

    def test_another_width_is_an_error(self, log, vectors):
        rec = EmbeddingKNNRecommender().fit(log, item_features=(np.arange(45), vectors))
        with pytest.raises(ValueError, match="2 feature columns, but fit had 6"):
            rec.partial_fit(log[:1], item_features=([3], np.ones((1, 2))))


def test_search_is_by_cosine_to_centred_items_whitened_or_not():
    texts = ["whales and the sea", "a ship at sea", "roses in a garden", "a quiet garden", "storms, ships and whales"]
    X, table = [["ann", "b0"]], pd.DataFrame({"item": [f"b{i}" for i in range(5)], "text": texts})
    encoder = HashingTextEncoder(n_features=64)
    vectors = encoder.encode(texts)
    center = vectors.mean(axis=0)
    query, items = encoder.encode(["a garden"]) - center, vectors - center
    expected = (items @ query[0]) / np.linalg.norm(items, axis=1) / np.linalg.norm(query)
    for whitening in (0, 0.5):
        rec = EmbeddingKNNRecommender(item_encoder=LLMTextEmbedder(model=encoder), whitening=whitening)
        found = rec.fit(X, item_features=table).search("a garden", k=5)
        np.testing.assert_allclose(found.scores[0], np.sort(expected)[::-1], atol=1e-4)


def test_search_needs_an_encoder_that_reads_text(log, vectors):
    table = pd.DataFrame(vectors).assign(item=np.arange(45))[["item", 0, 1]]
    with pytest.raises(ValueError, match="item_encoder"):
        EmbeddingKNNRecommender().fit(log, item_features=table).search("whales")
    rec = EmbeddingKNNRecommender(item_encoder=make_pipeline(StandardScaler())).fit(log, item_features=table)
    with pytest.raises(ValueError, match="does not read a list of texts"):
        rec.search(["whales"])
    with pytest.raises(TypeError, match="list of strings"):
        rec.search([3])


@pytest.mark.parametrize(
    "parameters",
    [{"metric": "cos"}, {"aggregation": "sum"}, {"recency_decay": 0}, {"index": "annoy"}, {"attention_sharpness": -1}],
)
def test_bad_parameters(log, parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        EmbeddingKNNRecommender(**parameters).fit(log)


def test_similar_items_follow_the_metric(log, vectors):
    items = np.arange(N_ITEMS + N_COLD)
    rec = EmbeddingKNNRecommender(metric="euclidean").fit(log, item_features=(items, vectors))
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    np.fill_diagonal(distances, np.inf)
    found = rec.similar_items(items, k=4)
    np.testing.assert_array_equal(found.items, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(found.scores, 1 / (1 + np.sort(distances, axis=1)[:, :4]), rtol=1e-5)


def test_euclidean_distances_survive_a_large_offset():
    table = (np.arange(30), (np.arange(30.0) + 20000)[:, None])
    rec = EmbeddingKNNRecommender(metric="euclidean").fit([[1, 5], [2, 20]], item_features=table)
    items, scores = rec.recommend([1], k=4)
    assert items.tolist() == [[4, 6, 3, 7]]
    np.testing.assert_allclose(scores, [[1 / 2, 1 / 2, 1 / 3, 1 / 3]], rtol=1e-4)


def test_wide_vectors_of_few_items():
    table = (np.arange(20), np.random.default_rng(0).normal(size=(20, 3000)))
    rec = EmbeddingKNNRecommender().fit([[1, 5], [2, 19]], item_features=table)
    assert rec.axes_.shape == (3000, 20)
    assert np.isfinite(rec.recommend(k=3).scores).all()


def test_set_params_after_fit_does_not_mix_models(log, vectors):
    rec = EmbeddingKNNRecommender().fit(log, item_features=(np.arange(N_ITEMS + N_COLD), vectors))
    before = rec.predict(log)
    np.testing.assert_array_equal(rec.set_params(metric="euclidean").predict(log), before)


def test_search_uses_the_query_prompt_and_an_empty_text_gets_popular_items():
    class Spy(HashingTextEncoder):
        seen: ClassVar[list[str]] = []

        def encode(self, texts):
            self.seen.extend(texts)
            return super().encode(texts)

    table = pd.DataFrame({"item": ["a", "b", "c"], "text": ["red fox", "blue sea", "grey sky"]})
    encoder = LLMTextEmbedder(model=Spy(32), prompt="passage: ", query_prompt="query: ", cache=None)
    rec = EmbeddingKNNRecommender(item_encoder=encoder).fit([[1, "b"], [2, "b"], [2, "c"]], item_features=table)
    assert rec.search("fox", k=1).items.tolist() == [["a"]]
    assert Spy.seen[-1] == "query: fox"
    assert rec.search(["  "], k=3).items.tolist() == [["b", "c", "a"]]
