"""Public vectors of items: which ones they are, and who has them."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from skrec.base import VectorRecommender
from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.linear_model import EASERecommender
from skrec.llm import HeuristicChat, LLMReranker
from skrec.model_selection import TunedRecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.testing import all_estimators

rng = np.random.default_rng(0)
X = np.unique(np.column_stack([rng.integers(0, 30, 200), rng.integers(100, 120, 200)]), axis=0)
ITEMS = (np.arange(100, 122), rng.normal(size=(22, 5)).astype(np.float32))
VECTOR_RANKERS = [
    EmbeddingKNNRecommender(),
    EmbeddingKNNRecommender(metric="euclidean"),
    UserKNNRecommender(),
    HybridMFRecommender(n_factors=4, max_iter=2, random_state=0),
    HybridMFRecommender(n_factors=4, max_iter=2, feedback="explicit", random_state=0),
    BPRRecommender(n_factors=4, max_iter=2, random_state=0),
    LogisticMFRecommender(n_factors=4, max_iter=2, random_state=0),
]


def fitted(model):
    if isinstance(model, UserKNNRecommender | BPRRecommender | LogisticMFRecommender):
        return model.fit(X)
    return model.fit(X, X[:, 1] % 5 + 1, item_features=ITEMS)


@pytest.mark.parametrize("model", VECTOR_RANKERS, ids=str)
def test_similar_items_are_those_of_nearest_vectors(model):
    rec = fitted(model)
    vectors = rec.item_vectors()
    assert vectors.shape[0] == len(rec.items_)
    is_euclidean = getattr(rec, "metric", None) == "euclidean"
    nearness = 1 / (1 + euclidean_distances(vectors)) if is_euclidean else cosine_similarity(vectors)
    np.fill_diagonal(nearness, -np.inf)
    scores = rec.similar_items(rec.items_[:5], k=1).scores
    np.testing.assert_allclose(scores[:, 0], nearness[:5].max(axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", VECTOR_RANKERS, ids=str)
def test_vectors_are_neither_copied_nor_writeable(model):
    rec = fitted(model)
    vectors, again = rec.item_vectors(), rec.item_vectors()
    first, second = (at.data if sp.issparse(at) else at for at in (vectors, again))
    assert np.shares_memory(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[:] = 0


def test_a_score_is_an_inner_product():
    rec = HybridMFRecommender(n_factors=4, max_iter=2, random_state=0).fit(X)
    np.testing.assert_array_equal(rec.item_vectors(), rec.item_factors_)
    np.testing.assert_allclose(
        rec.predict(X[:5]), (rec.user_factors_ @ rec.item_vectors().T)[X[:5, 0], X[:5, 1] - 100], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("model", [ItemKNNRecommender(), ItemKNNRecommender(whitening=0), EASERecommender()], ids=str)
def test_item_graphs_have_the_vectors_of_their_features(model):
    assert hasattr(model, "item_vectors")
    with pytest.raises(NotFittedError):
        model.item_vectors()
    rec = model.fit(X, item_features=ITEMS)
    vectors = rec.item_vectors()
    assert vectors.shape == (22, 5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    if getattr(model, "whitening", 0) == 0:
        centred = ITEMS[1] - ITEMS[1].mean(axis=0)
        np.testing.assert_allclose(cosine_similarity(vectors), cosine_similarity(centred), atol=1e-5)
    assert not hasattr(model.fit(X), "item_vectors")


def test_the_vectors_of_item_knn_are_those_of_its_similarities():
    rec = ItemKNNRecommender(n_text_neighbors=3, text_exponent=1).fit(X, item_features=ITEMS)
    cosines = cosine_similarity(rec.set_params(whitening=0).item_vectors())  # what was fitted counts
    graph = rec._text_graph.toarray()
    np.testing.assert_allclose(graph[graph > 0], cosines[graph > 0], rtol=1e-4)


@pytest.mark.parametrize("model", [PopularRecommender(), RandomRecommender(random_state=0)], ids=str)
def test_no_vectors_no_method(model):
    assert not hasattr(model.fit(X), "item_vectors")
    assert not hasattr(LLMReranker(model, HeuristicChat()), "item_vectors")


def test_the_message_says_why_there_are_none():
    with pytest.raises(AttributeError, match="item_vectors") as raised:
        EASERecommender().fit(X).item_vectors()
    assert "fitted without item_features" in str(raised.value.__cause__)


def test_wrappers_give_those_of_the_recommender():
    rows = pd.DataFrame({"user": X[:, 0], "item": X[:, 1], "hour": X[:, 0] % 3})
    mf = HybridMFRecommender(n_factors=3, max_iter=2, random_state=0)
    pipeline = make_pipeline(ContextEncoder(), mf).fit(rows)
    expected = pipeline[-1].item_vectors()
    wrappers = [
        pipeline,
        FrozenEstimator(pipeline),
        LLMReranker(FrozenEstimator(pipeline), HeuristicChat()).fit(rows, item_features=([100, 101], [["a"], ["b"]])),
    ]
    for wrapper in wrappers:
        np.testing.assert_array_equal(wrapper.item_vectors(), expected)
    tuned = TunedRecommender(mf, {"regularization": [1.0]}, n_iter=1, verbose=0).fit(X)
    np.testing.assert_array_equal(tuned.item_vectors(), tuned.best_estimator_.item_vectors())


def test_partial_fit_adds_rows():
    rec = EmbeddingKNNRecommender().fit(X, item_features=ITEMS)
    rec.partial_fit([[1, 500]], item_features=([500], [[1.0, 0, 0, 0, 0]]))
    assert rec.item_vectors().shape == (23, 5)
    assert rec.item_vectors()[-1].any()


def test_every_public_vector_ranker_has_them():
    rankers = [rec for rec in all_estimators() if isinstance(rec, VectorRecommender)]
    assert len(rankers) >= 5
    assert all(hasattr(rec, "item_vectors") for rec in rankers)
