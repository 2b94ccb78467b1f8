"""The graph of users and items: the filter in closed form, features sent over the graph, and bad input."""

import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer

from skrec.datasets import make_interactions
from skrec.exceptions import ColdStartWarning, DamagedStateError
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.graph import GraphRecommender
from skrec.graph import _filter as filter_module
from skrec.interactions import FeatureTable
from skrec.model_selection import LeaveKOut
from skrec.persistence import skops_trusted_types


def closed(**options):
    return GraphRecommender(**({"n_factors": 8, "random_state": 0} | options))


def log(n_users=60, n_items=30, n_events=600):
    frame = make_interactions(n_users, n_items, n_events, random_state=0).X
    return np.asarray(frame)[:, :2].astype(np.int64)


def filter_by_hand(X, users, items, n_factors, low_pass, a, b, damping, c=None):
    """GF-CF, its components damped, written with dense matrices."""
    R = np.zeros((len(users), len(items)))
    for user, item in X:
        R[np.searchsorted(users, user), np.searchsorted(items, item)] = 1
    rows, columns = R.sum(axis=1), R.sum(axis=0)
    normalised = R / rows[:, None] ** a / columns**b
    _, lengths, right = np.linalg.svd(normalised, full_matrices=False)
    axes = right[:n_factors].T
    share = (lengths[:n_factors] / lengths[0]) ** 2
    low = (
        (R / columns**b)
        @ axes
        * (share * (1 + damping) / (share + damping))
        @ axes.T
        * columns ** (b if c is None else c)
    )
    return (1 - low_pass) * R @ normalised.T @ normalised / lengths[0] ** 2 + low_pass * low


def two_kinds(n_cold=2):
    """Users stay with a kind of items; the last items are in the table of texts alone."""
    rng = np.random.default_rng(0)
    X = np.array([[user, 2 * rng.integers(0, 6) + user % 2] for user in range(60) for _ in range(4)])
    ids = np.arange(12 + n_cold)
    texts = [f"a story of {'dragons and magic' if i % 2 else 'murder and police'}" for i in ids]
    return X, FeatureTable(pd.DataFrame({"item": ids, "text": texts}))


# The closed form ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low_pass", "a", "b", "damping", "c"),
    [
        (0.3, 0.5, 0.5, 0, None),
        (0, 0.5, 0.5, 0, None),
        (1, 0.5, 0.5, 0, None),
        (0.5, 0.1, 0.2, 0, None),
        (1, 0.1, 0.2, 0.1, None),
        (0.7, 0.1, 0.2, 0.1, -0.1),
    ],
    ids=str,
)
def test_the_filter_equals_dense_matrices(low_pass, a, b, damping, c):
    X = log()
    options = {"user_exponent": a, "item_exponent": b, "score_exponent": c}
    rec = closed(low_pass=low_pass, damping=damping, **options).fit(X)
    expected = filter_by_hand(X, rec.users_, rec.items_, 8, low_pass, a, b, damping, c)
    pairs = np.array([[user, item] for user in rec.users_ for item in rec.items_])
    scores = rec.predict(pairs).reshape(expected.shape)
    degree = np.array([len(np.unique(X[X[:, 0] == user, 1])) for user in rec.users_])
    assert_allclose(scores, expected / np.sqrt(degree)[:, None], rtol=2e-3, atol=2e-4)


def test_damped_components_are_a_ridge_regression():
    X, damping = log(), 0.2
    rec = closed(n_factors=30, low_pass=1.0, user_exponent=0, item_exponent=0, damping=damping).fit(X)
    R = np.zeros((len(rec.users_), len(rec.items_)))
    R[np.searchsorted(rec.users_, X[:, 0]), np.searchsorted(rec.items_, X[:, 1])] = 1
    gram, penalty = R.T @ R, damping * np.linalg.norm(R, 2) ** 2
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), gram)
    pairs = np.array([[user, item] for user in rec.users_ for item in rec.items_])
    scores = rec.predict(pairs).reshape(R.shape) * np.sqrt(R.sum(axis=1))[:, None]
    assert_allclose(scores, (1 + damping) * R @ weights, rtol=2e-3, atol=2e-4)


def test_items_without_events_have_finite_vectors_by_a_negative_power():
    X, texts = two_kinds()
    encoder = LLMTextEmbedder(model=HashingTextEncoder())
    rec = closed(signal="events", low_pass=1.0, score_exponent=-0.5, item_encoder=encoder).fit(X, item_features=texts)
    assert np.isfinite(rec.item_vectors()).all()
    assert np.isfinite(rec.predict(np.array([[0, item] for item in rec.items_]))).all()


def test_a_sparse_filter_equals_the_dense_one(monkeypatch):
    X = log()
    dense = closed().fit(X).recommend(k=5)
    monkeypatch.setattr(filter_module, "LARGEST_DENSE", 10)
    monkeypatch.setattr(filter_module, "_BLOCK_CELLS", 100)
    sparse = closed().fit(X)
    assert sp.issparse(sparse._item_graph.matrix)
    assert_allclose(sparse.recommend(k=5).scores, dense.scores, rtol=1e-5)
    monkeypatch.setattr(filter_module, "MOST_ENTRIES", 4)
    cut = closed(low_pass=0).fit(X)._item_graph.matrix
    assert np.diff(cut.indptr).max() == 4
    whole = sparse._item_graph.matrix.toarray() / 0.7
    assert_allclose(cut.toarray().max(axis=1), whole.max(axis=1), rtol=1e-5)


def test_a_new_user_with_the_history_of_a_known_one_gets_its_list():
    X = log()
    rec = closed().fit(X)
    own = X[X[:, 0] == X[0, 0]]
    history = np.column_stack([np.full(len(own), 9999), own[:, 1]])
    assert_allclose(rec.recommend(history=history, k=5).scores, rec.recommend([X[0, 0]], k=5).scores, rtol=1e-5)


def test_an_edge_counts_once_and_an_event_of_zero_is_none():
    X = log()
    once = np.unique(X, axis=0)
    lists = closed().fit(once).recommend(k=5)
    assert_allclose(closed().fit(np.vstack([once, once])).recommend(k=5).scores, lists.scores, rtol=1e-4)
    zeros = np.column_stack([once[:40, 0], np.roll(once[:40, 1], 7)])
    zeros = np.array([pair for pair in zeros if not (once == pair).all(axis=1).any()])
    y = np.concatenate([np.ones(len(once)), np.zeros(len(zeros))])
    with_zeros = closed().fit(np.vstack([once, zeros]), y)
    assert_array_equal(with_zeros._item_graph.matrix, closed().fit(once)._item_graph.matrix)
    seen = with_zeros.recommend([zeros[0, 0]], k=30).items
    assert zeros[0, 1] not in seen


def test_partial_fit_equals_fit_on_all_data():
    X = log()
    more = np.array([[500, 1], [500, 2], [0, 700], [1, 700]])
    updated = closed().fit(X).partial_fit(more)
    whole = closed().fit(np.vstack([X, more]))
    users = whole.users_
    assert_allclose(updated.recommend(users, k=5).scores, whole.recommend(users, k=5).scores, rtol=1e-4)


def test_reasons_add_up_to_the_score():
    rec = closed().fit(log())
    user = rec.users_[3]
    item = rec.recommend([user], k=1).items[0, 0]
    _, queries = rec._read_queries([user], None, None)
    added = rec._contributions(queries, np.array([np.searchsorted(rec.items_, item)]))
    assert_allclose(added.sum(), rec.predict([[user, item]])[0], rtol=1e-4)
    evidence = rec.explain([user], [item]).evidence[0]
    assert {reason.kind for reason in evidence} == {"history"}


# Texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", ["features", "events"])
def test_cold_items_are_reached_by_their_texts(signal):
    X, items = two_kinds()
    rec = closed(item_encoder=LLMTextEmbedder(model=HashingTextEncoder()), signal=signal).fit(X, item_features=items)
    scores = rec.predict([[0, 12], [0, 13], [1, 12], [1, 13]])
    assert scores[0] > scores[1]
    assert scores[3] > scores[2]
    assert rec.search("murder", k=7).items[0, 0] % 2 == 0
    assert rec.similar_items([12], k=3).items.shape == (1, 3)
    assert len(rec.item_vectors()) == 14
    rec.partial_fit(item_features=FeatureTable(pd.DataFrame({"item": [15], "text": ["dragons and magic"]})))
    later = rec.predict([[0, 15], [1, 15]])
    assert later[1] > later[0]


def test_texts_alone_are_no_worse_after_they_went_over_the_graph():
    """The texts of half of the items say nothing: their neighbours in the graph tell their kind."""
    X, _ = two_kinds()
    rng = np.random.default_rng(1)
    features = np.column_stack([np.arange(12) % 2, 1 - np.arange(12) % 2, *rng.normal(scale=0.1, size=(2, 12))])
    features[:6] = rng.normal(scale=0.1, size=(6, 4))
    rec = closed(text_weight=0, n_layers=6).fit(X, item_features=(np.arange(12), features))
    lists = rec.recommend([0, 1], k=6, exclude_seen=False).items
    assert (lists % 2 == [[0], [1]]).mean() > 0.9


def test_sparse_features_are_reduced():
    X, _ = two_kinds()
    features = sp.random(12, 40, density=0.3, random_state=0, format="csr")
    rec = closed().fit(X, item_features=(np.arange(12), features))
    assert rec.item_vectors().shape == (12, 12)
    assert np.isfinite(rec.recommend(k=3).scores).all()


# Around it ---------------------------------------------------------------------------------------------------


def test_hidden_events_do_not_change_a_fold():
    """Cross-validation fits on the edges of the training part alone."""
    X = log()
    train, test = next(iter(LeaveKOut(2, n_splits=1, random_state=0).split(X)))
    moved = X.copy()
    moved[test, 1] = np.roll(moved[test, 1], 1)
    first, second = (clone(closed()).fit(events[train]) for events in (X, moved))
    assert_array_equal(first._item_graph.matrix, second._item_graph.matrix)
    search = GridSearchCV(closed(), {"low_pass": [0.2, 0.8]}, cv=LeaveKOut(2, n_splits=1, random_state=0)).fit(X)
    assert search.best_score_ > 0


def test_it_is_kept_in_files(tmp_path):
    rec = closed().fit(log())
    joblib.dump(rec, tmp_path / "rec.joblib")
    skops.io.dump(rec, tmp_path / "rec.skops")
    for loaded in (
        joblib.load(tmp_path / "rec.joblib"),
        skops.io.load(tmp_path / "rec.skops", trusted=skops_trusted_types()),
    ):
        assert_array_equal(loaded.recommend(k=4).codes, rec.recommend(k=4).codes)
    code = f"""
        import sys, joblib
        joblib.load({str(tmp_path / "rec.joblib")!r}).recommend(k=3)
        print("torch" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_damaged_files_are_refused(tmp_path):
    rec = closed().fit(log())
    rec._user_vectors = type(rec._user_vectors)(rec._user_vectors.sources[:-1])
    joblib.dump(rec, tmp_path / "rec.joblib")
    with pytest.raises(DamagedStateError, match=r"_user_vectors\.sources"):
        joblib.load(tmp_path / "rec.joblib")


# Bad input ---------------------------------------------------------------------------------------------------


def test_a_graph_without_edges_ranks_by_popularity():
    X = log()
    with pytest.warns(ColdStartWarning, match="The graph has no edges"):
        rec = closed().fit(X, np.zeros(len(X)))
    assert rec.recommend(k=3).items.shape == (60, 3)


def test_one_item_and_one_user():
    rec = closed().fit([[1, 5]])
    assert rec.recommend([1, 2], k=3, exclude_seen=False).items[:, 0].tolist() == [5, 5]
    assert rec.recommend(history=[[9, 5]], k=1, exclude_seen=False).items.tolist() == [[5]]


def test_an_encoder_whose_width_changes_is_refused():
    class Widening(FunctionTransformer):
        width = 3

        def transform(self, X):
            return np.ones((len(X), self.width))

    X, items = two_kinds()
    rec = closed(item_encoder=Widening()).fit(X, item_features=items)
    rec.item_encoder_.width = 4
    with pytest.raises(ValueError, match="feature columns, but fit had 3"):
        rec.partial_fit(item_features=FeatureTable(pd.DataFrame({"item": [99], "text": ["a storm"]})))
    assert 99 not in rec.items_


def test_text_is_not_read_without_an_encoder():
    with pytest.raises(ValueError, match="item_encoder that reads text"):
        closed().fit(log()).search("dragons")
