"""Against the closed form in float64, ridge regressions one by one, and fits on everything."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from skrec.exceptions import FeatureCoverageWarning
from skrec.interactions import Interactions, read_events
from skrec.interactions._queries import Queries
from skrec.linear_model import EASERecommender
from skrec.linear_model._closed_form import gram_matrix, gram_pairs, solve_in_place, unit_features

N_USERS, N_ITEMS = 14, 9


class _Exact(EASERecommender):
    """The estimator in float64."""

    _dtype = np.float64


def _log(seed, n=70):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"user": rng.integers(0, N_USERS, n), "item": rng.integers(0, N_ITEMS, n), "timestamp": rng.permutation(n)}
    )
    return frame, rng.integers(0, 4, n).astype(float)


def _matrix(frame, y):
    x = np.zeros((frame["user"].max() + 1, frame["item"].max() + 1))
    np.add.at(x, (frame["user"], frame["item"]), y)
    return x[:, np.unique(frame["item"])]


def _session_gram(frame, y, decay):
    reach = np.inf if decay == 1 else np.ceil(np.log(1e-4) / np.log(decay))
    items = np.unique(frame["item"])
    gram = np.zeros((len(items), len(items)))
    for _, events in frame.assign(y=y).sort_values("timestamp").groupby("user"):
        codes = np.searchsorted(items, events["item"])
        for a, (i, yi) in enumerate(zip(codes, events["y"], strict=True)):
            for b, (j, yj) in enumerate(zip(codes, events["y"], strict=True)):
                gram[i, j] += yi * yj * decay ** abs(a - b) if abs(a - b) <= reach else 0
    return gram


def _weights(gram):
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@given(
    seed=st.integers(0, 10_000),
    regularization=st.floats(0.5, 100),
    exponent=st.sampled_from([0, 0.25, 1]),
    order_weight=st.sampled_from([0, 0.5, 2]),
    decay=st.sampled_from([0.5, 0.9, 1]),
    with_features=st.booleans(),
)
def test_weights_are_the_closed_form(seed, regularization, exponent, order_weight, decay, with_features):
    frame, y = _log(seed)
    x = _matrix(frame, y)
    gram = x.T @ x + order_weight * _session_gram(frame, y, decay)
    features = None
    if with_features:
        vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 3))[np.unique(frame["item"])]
        features = (np.unique(frame["item"]), vectors)
        centred = vectors - vectors.mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        gram += 2 * (centred @ centred.T)
    events = np.searchsorted(np.unique(frame["item"]), frame["item"])
    mass = np.maximum(np.bincount(events, weights=y**2), 1)
    gram += np.diag(regularization * (mass / mass.mean()) ** exponent)
    rec = _Exact(
        regularization,
        regularization_exponent=exponent,
        order_weight=order_weight,
        pair_decay=decay,
        side_weight=2,
    ).fit(frame, y, item_features=features)
    tolerance = 1e-4 if with_features else 1e-6  # features reach the model in float32
    np.testing.assert_allclose(rec.weights_, _weights(gram), rtol=0, atol=tolerance)
    single = EASERecommender(**rec.get_params()).fit(frame, y, item_features=features)
    assert single.weights_.dtype == np.float32
    np.testing.assert_allclose(single.weights_, rec.weights_, atol=1e-3)


@given(seed=st.integers(0, 10_000), side_weight=st.floats(0, 20))
def test_side_information_is_the_closed_form_in_float64(seed, side_weight):
    frame, y = _log(seed)
    x = _matrix(frame, y)
    vectors = np.random.default_rng(seed).normal(size=(x.shape[1], 3))
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    histories = Interactions.from_events(read_events(frame), y.astype(np.float32)).histories
    pairs = gram_pairs(histories, x.shape[1], dtype=np.float64)
    gram = gram_matrix(*pairs, unit_features(vectors), side_weight, None) + 5 * np.eye(x.shape[1])
    expected = _weights(x.T @ x + side_weight * centred @ centred.T + 5 * np.eye(x.shape[1]))
    solve_in_place(gram, None)
    np.testing.assert_allclose(gram, expected, rtol=0, atol=1e-6)


@given(seed=st.integers(0, 10_000), n_neighbors=st.sampled_from([1, 3, 100]), order_weight=st.sampled_from([0, 1.5]))
def test_sparse_weights_are_ridge_regressions_on_neighbours(seed, n_neighbors, order_weight):
    frame, y = _log(seed)
    # No two items are equally near: rounding would choose between them.
    y += np.random.default_rng(seed).integers(1, 64, len(y)) / 64
    rec = _Exact(
        5.0, regularization_exponent=0, n_neighbors=n_neighbors, order_weight=order_weight, pair_decay=0.95
    ).fit(frame, y)
    x = _matrix(frame, y)
    gram = x.T @ x + (order_weight * _session_gram(frame, y, 0.95) if order_weight else 0)
    norms = np.linalg.norm(x, axis=0)
    cosine = x.T @ x / np.outer(norms, norms)
    np.fill_diagonal(cosine, 0)
    for item in range(x.shape[1]):
        chosen = [j for j in np.argsort(-cosine[item], kind="stable")[:n_neighbors] if cosine[item, j] > 0]
        expected = np.zeros(x.shape[1])
        if chosen:
            local = gram[np.ix_(chosen, chosen)] + 5.0 * np.eye(len(chosen))
            expected[chosen] = np.linalg.solve(local, gram[chosen, item])
            if not order_weight:
                by_sklearn = Ridge(alpha=5.0, fit_intercept=False).fit(x[:, chosen], x[:, item]).coef_
                np.testing.assert_allclose(expected[chosen], by_sklearn, atol=1e-8)
        np.testing.assert_allclose(rec.weights_[:, [item]].toarray().ravel(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("with_features", [False, True])
def test_the_sparse_form_with_all_neighbours_is_the_dense_one(with_features):
    X = np.array([[u, i] for u in range(12) for i in range(6) if (u * 7 + i * 3) % 5])
    features = (np.arange(6), np.random.default_rng(0).normal(size=(6, 3))) if with_features else None
    dense, sparse = (EASERecommender(3.0, n_neighbors=n).fit(X, item_features=features) for n in (None, 10))
    np.testing.assert_allclose(sparse.weights_.toarray(), dense.weights_, atol=1e-5)
    np.testing.assert_allclose(sparse.predict(X), dense.predict(X), atol=1e-4)


def test_sparse_form_refuses_sparse_features():
    features = (np.arange(3), sp.eye_array(3, format="csr"))
    with pytest.raises(ValueError, match="TruncatedSVD"):
        EASERecommender(n_neighbors=2).fit([[1, 0], [1, 1], [2, 1], [2, 2]], item_features=features)
    assert EASERecommender().fit([[1, 0], [1, 1]], item_features=features).weights_.shape == (3, 3)


@given(seed=st.integers(0, 10_000), exponent=st.sampled_from([0, 0.5]), n_neighbors=st.sampled_from([None, 4]))
def test_partial_fit_is_fit_on_everything(seed, exponent, n_neighbors):
    frame, y = _log(seed)
    # Of equally near items the first in the catalogue is taken, and its order is not the same here: no two are.
    y += np.random.default_rng(seed).uniform(0, 0.5, len(y))
    X = frame[["user", "item"]].to_numpy()
    options = {"regularization_exponent": exponent, "n_neighbors": n_neighbors}
    rec = EASERecommender(20.0, **options).fit(X[:40], y[:40])
    rec.partial_fit(X[40:55], y[40:55]).partial_fit(X[55:], y[55:])
    whole = EASERecommender(20.0, **options).fit(X, y)
    order = np.argsort(rec.items_)
    np.testing.assert_array_equal(rec.items_[order], whole.items_)
    weights = rec.weights_ if n_neighbors is None else rec.weights_.toarray()
    expected = whole.weights_ if n_neighbors is None else whole.weights_.toarray()
    np.testing.assert_allclose(weights[np.ix_(order, order)], expected, atol=1e-4)


def test_an_update_solves_nothing_anew(monkeypatch):
    frame, y = _log(0)
    X = frame[["user", "item"]].to_numpy()
    rec = EASERecommender(regularization_exponent=0).fit(X[:40], y[:40])
    monkeypatch.setattr(EASERecommender, "_solve", lambda self: pytest.fail("solved anew"))
    rec.partial_fit(X[40:], y[40:])


def test_partial_fit_with_features_and_times():
    frame, y = _log(1)
    frame = frame.sort_values("timestamp", ignore_index=True)
    features = (np.arange(N_ITEMS), np.random.default_rng(0).normal(size=(N_ITEMS, 3)))
    rec = EASERecommender().fit(frame[:40], y[:40], item_features=features)
    changed = (np.array([2]), np.ones((1, 3)))
    rec.partial_fit(frame[40:], y[40:], item_features=changed)
    table = features[1].copy()
    table[2] = 1
    whole = EASERecommender().fit(frame, y, item_features=(np.arange(N_ITEMS), table))
    np.testing.assert_allclose(rec.weights_, whole.weights_, atol=1e-5)


@pytest.mark.parametrize("n_neighbors", [None, 3])
def test_ranking_predicting_and_contributions_agree(n_neighbors):
    frame, y = _log(3)
    rec = EASERecommender(5.0, n_neighbors=n_neighbors).fit(frame, y)
    ranked = rec.recommend([1, 2, 99], k=5, exclude_seen=False)
    pairs = pd.DataFrame({"user": np.repeat([1, 2, 99], 5), "item": ranked.items.ravel()})
    np.testing.assert_allclose(rec.predict(pairs), ranked.scores.ravel(), rtol=1e-4, atol=1e-6)
    few = rec.recommend([1, 2, 99], k=2, exclude_seen=False, candidates=[3, 5])
    assert set(few.items.ravel()) == {3, 5}
    np.testing.assert_allclose(
        rec.predict(pd.DataFrame({"user": [1, 1], "item": few.items[0]})), few.scores[0], rtol=1e-4, atol=1e-6
    )

    histories = rec._histories.take(np.array([1, 2]))
    item = np.array([4, 6])
    parts = rec._contributions(Queries(np.array([1, 2]), histories), item)
    weights = rec.weights_ if n_neighbors is None else rec.weights_.toarray()
    decayed = histories.y * rec.recency_decay ** histories.steps_back()
    np.testing.assert_allclose(parts, decayed * weights[histories.items, item[histories.row_of_event()]], rtol=1e-5)


def test_features_reach_items_without_events():
    X = np.array([[1, 0], [1, 1], [2, 0], [2, 1], [3, 2], [3, 3], [4, 2], [4, 3]])
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.05], [0.05, 1]])
    rec = EASERecommender(5.0).fit(X, item_features=(np.arange(6), vectors))
    assert rec.recommend([1, 3], k=1, candidates=[4, 5]).items.ravel().tolist() == [4, 5]


def test_the_recent_past_counts_more():
    rows = [[u, i] for u in range(8) for i in (0, 1)] + [[u, i] for u in range(8, 16) for i in (2, 3)]
    frame = pd.DataFrame(rows, columns=["user", "item"]).assign(timestamp=range(len(rows)))
    rec = EASERecommender(1.0, recency_decay=0.5).fit(frame)
    history = pd.DataFrame({"user": [99, 99], "item": [0, 2], "timestamp": [100, 101]})
    assert rec.recommend(history=history, k=1).items[0, 0] == 3


# Bad and odd input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_neighbors", [None, 2])
@pytest.mark.parametrize(
    "X",
    [
        [[1, 10]],
        [[1, 10], [1, 20], [1, 30]],
        [[1, 10], [2, 10], [3, 10]],
        [[1, 10], [1, 20], [2, 10], [2, 30], [3, 10], [3, 20]],
    ],
    ids=["one event", "one user", "one item", "an item seen by all"],
)
def test_small_logs(n_neighbors, X):
    rec = EASERecommender(n_neighbors=n_neighbors).fit(np.array(X))
    assert np.isfinite(rec.predict(np.array(X))).all()
    assert rec.recommend([1, 99], k=3, exclude_seen=False).items[1, 0] in rec.items_


def test_ratings_of_zero_say_nothing():
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [3, 30], [3, 10]])
    rec = EASERecommender(1.0).fit(X, [1, 1, 1, 1, 0, 1])
    assert not rec.weights_[2].any()
    assert not rec.weights_[:, 2].any()
    assert 30 not in rec.recommend([3], k=2).items
    assert np.isfinite(rec.fit(X, np.zeros(6)).predict(X)).all()


def test_too_little_regularization_is_told():
    X = np.array([[u, i] for u in range(30) for i in range(2)])
    with pytest.raises(ValueError, match="regularization is too small"):
        EASERecommender(1e-15, regularization_exponent=0).fit(X)


def test_counts_of_very_different_size_are_solved_in_double_precision():
    rng = np.random.default_rng(0)
    X = np.array([[u, i] for u in range(20) for i in range(30) if rng.random() < 0.6])
    for largest in (100, 1000, 10_000, 100_000):
        y = rng.integers(1, largest + 1, len(X))
        rec, exact = EASERecommender().fit(X, y), _Exact().fit(X, y)
        assert rec.weights_.dtype == np.float32
        np.testing.assert_allclose(rec.weights_, exact.weights_, rtol=0, atol=1e-3)
    # Two identical items: each predicts the other, whatever the scale of their strengths.
    same = EASERecommender(1e-3, regularization_exponent=0).fit([[u, i] for u in range(20) for i in (0, 1)], [1e4] * 40)
    np.testing.assert_allclose(same.weights_, [[0, 1], [1, 0]], rtol=1e-5)


def test_a_model_in_double_precision_is_updated_from_scratch():
    X = np.array([[u, i] for u in range(20) for i in (0, 1)])
    rec = EASERecommender(1e-3, regularization_exponent=0).fit(X, [1e4] * 40)
    rec.partial_fit([[3, 2], [4, 2]], [5e3, 1])
    whole = EASERecommender(1e-3, regularization_exponent=0).fit(
        np.vstack([X, [[3, 2], [4, 2]]]), [1e4] * 40 + [5e3, 1]
    )
    np.testing.assert_allclose(rec.weights_, whole.weights_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_neighbors", [None, 3])
@pytest.mark.parametrize("order_weight", [0, 1.5])
def test_a_long_history_of_few_items(n_neighbors, order_weight, monkeypatch):
    rng = np.random.default_rng(0)
    frame, y = _log(0)
    long = pd.DataFrame({"user": 77, "item": rng.integers(0, 6, 1500), "timestamp": 100 + np.arange(1500)})
    frame, y = pd.concat([frame, long], ignore_index=True), np.concatenate([y, rng.integers(1, 4, 1500)])
    options = {"order_weight": order_weight, "pair_decay": 0.8, "n_neighbors": n_neighbors}
    rec = _Exact(50.0, **options).fit(frame, y)
    monkeypatch.setattr("skrec.base._item_similarity._LONG_ROW", 10**9)
    expected = _Exact(50.0, **options).fit(frame, y)
    weights = [m if n_neighbors is None else m.toarray() for m in (rec.weights_, expected.weights_)]
    np.testing.assert_allclose(*weights, rtol=0, atol=1e-9)
    if n_neighbors is None:
        events = np.searchsorted(np.unique(frame["item"]), frame["item"])
        mass = np.maximum(np.bincount(events, weights=y**2), 1)
        x = _matrix(frame, y)
        gram = x.T @ x + np.diag(50.0 * (mass / mass.mean()) ** 0.25)
        gram += order_weight * _session_gram(frame, y, 0.8) if order_weight else 0
        np.testing.assert_allclose(rec.weights_, _weights(gram), rtol=0, atol=1e-6)


def test_a_history_of_unknown_items_gets_the_cold_start():
    frame, y = _log(1)
    rec = EASERecommender().fit(frame, y)
    np.testing.assert_array_equal(rec.recommend(history=[[777, 888]], k=3).items, rec.recommend([999], k=3).items)


def test_timestamps_equal_unsorted_negative_missing():
    frame, y = _log(2)
    assert np.isfinite(EASERecommender().fit(frame.assign(timestamp=-3), y).weights_).all()
    shuffled = frame.assign(y=y).sample(frac=1, random_state=0)
    np.testing.assert_allclose(
        EASERecommender().fit(shuffled[["user", "item", "timestamp"]], shuffled["y"]).weights_,
        EASERecommender().fit(frame, y).weights_,
        atol=1e-5,
    )
    frame["timestamp"] = frame["timestamp"].astype(float)
    frame.loc[3, "timestamp"] = np.nan
    with pytest.raises(ValueError, match="timestamp"):
        EASERecommender().fit(frame, y)
    with pytest.raises(ValueError, match="order='time'"):
        EASERecommender(order="time").fit(frame[["user", "item"]])


def test_feature_tables_that_cover_half_or_none():
    frame, _ = _log(4)
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, 3))
    with pytest.warns(FeatureCoverageWarning, match="^5 "):
        rec = EASERecommender().fit(frame, item_features=(np.arange(4), vectors[:4]))
    assert np.isfinite(rec.weights_).all()
    with pytest.raises(ValueError, match="covers none"):
        rec.fit(frame, item_features=(np.arange(3) + 100, vectors[:3]))
