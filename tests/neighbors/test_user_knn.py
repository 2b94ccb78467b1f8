"""Against brute force, over similarities, weightings, orders and features."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from skrec._kernels.nearest_columns import nearest_columns
from skrec._kernels.sparse_products import add_sparse_product
from skrec.exceptions import FeatureCoverageWarning
from skrec.interactions import FeatureTable
from skrec.neighbors import UserKNNRecommender

N_USERS, N_ITEMS = 14, 11


def _log(rng, n=70, n_users=N_USERS, n_items=N_ITEMS):
    frame = pd.DataFrame(
        {"user": rng.integers(0, n_users, n), "item": rng.integers(0, n_items, n), "timestamp": rng.permutation(n)}
    )
    return frame, np.round(rng.uniform(0, 3, n), 1)


class _BruteForce:
    """The docstring, in loops over dicts."""

    def __init__(self, rec, log, y, features=None):
        self.rec, self.features = rec, features
        by_time = rec.order != "none" and "timestamp" in log
        events = {user: [] for user in sorted(set(log["user"]) | set(features or ()))}
        rows = log.assign(y=y)
        for row in (rows.sort_values("timestamp") if by_time else rows).itertuples():
            events[row.user].append((row.item, row.y))
        self.plain = {u: self._strength(history, 1.0) for u, history in events.items()}
        query_decay = rec.recency_decay if by_time else 1.0
        self.query = {u: self._strength(history, query_decay) for u, history in events.items()}
        self.votes = {u: self._strength(history, rec.vote_decay if by_time else 1.0) for u, history in events.items()}
        self.seen = {u: {item for item, _ in history} for u, history in events.items()}
        lengths = [len(strength) for strength in self.plain.values() if strength]
        self.n_users, self.mean_length = len(lengths), np.mean(lengths)

    @staticmethod
    def _strength(history, decay):
        strength = {}
        for back, (item, y) in enumerate(reversed(history)):
            if y > 0:
                strength[item] = strength.get(item, 0) + np.float32(y) * decay**back
        return strength

    def _weights(self, strength):
        rec = self.rec
        weights = {}
        for item, y in strength.items():
            frequency = sum(item in other for other in self.plain.values())
            if rec.similarity == "tfidf":
                y = np.sqrt(y) * (np.log((1 + self.n_users) / (1 + frequency)) + 1)
            elif rec.similarity == "bm25":
                scale = rec.bm25_k1 * (1 - rec.bm25_b + rec.bm25_b * len(strength) / self.mean_length)
                y = y / (y + scale) * np.log(1 + (self.n_users - frequency + 0.5) / (frequency + 0.5))
            weights[item] = y
        norm = np.sqrt(sum(w * w for w in weights.values()))
        return {item: w / norm for item, w in weights.items()}

    def similarity(self, u, v):
        if not self.plain[v]:
            return 0.0
        if self.rec.similarity == "jaccard":
            a, b = set(self.plain[u]), set(self.plain[v])
            near = len(a & b) / len(a | b)
        else:
            a, b = self._weights(self.query[u]), self._weights(self.plain[v])
            near = sum(w * b.get(item, 0) for item, w in a.items())
        if self.features is not None:
            x, z = np.asarray(self.features[u]), np.asarray(self.features[v])
            length = np.linalg.norm(x) * np.linalg.norm(z)
            near += self.rec.feature_weight * (x @ z / length if length else 0)
        return near

    def scores(self, u, items):
        others = [(self.similarity(u, v), v) for v in self.plain if v != u]
        nearest = sorted((-s, v) for s, v in others if s > 0)[: self.rec.n_neighbors]
        return np.array(
            [sum((-s) ** self.rec.amplification * self.votes[v].get(i, 0) for s, v in nearest) for i in items]
        )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    similarity=st.sampled_from(["cosine", "jaccard", "tfidf", "bm25"]),
    order=st.sampled_from(["auto", "none"]),
    with_features=st.booleans(),
)
def test_similarities_agree_with_brute_force(seed, similarity, order, with_features):
    """In float64: the same code, with the one constant that says how similarities are stored."""
    rng = np.random.default_rng(seed)
    log, y = _log(rng)
    features = {u: rng.normal(size=3) for u in range(N_USERS + 1)} if with_features else None
    rec = UserKNNRecommender(similarity=similarity, order=order, recency_decay=0.6, feature_weight=0.4)
    rec._dtype = np.float64
    table = None if features is None else (list(features), np.array(list(features.values())))
    rec.fit(log, y, user_features=table)
    truth = _BruteForce(rec, log, y, features)
    near = _all_similarities(rec)
    for i, u in enumerate(rec.users_):
        for j, v in enumerate(rec.users_):
            if u != v:
                assert near[i, j] == pytest.approx(truth.similarity(u, v), rel=1e-6, abs=1e-6)


def _all_similarities(rec):
    """What the ranking sees, before it is cut to the nearest."""
    kept = []
    original = rec._similarities
    rec._similarities = lambda weights, users: kept.append(original(weights, users)) or kept[-1].copy()
    rec.recommend(k=1)
    del rec._similarities
    return np.vstack(kept)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    similarity=st.sampled_from(["tfidf", "jaccard"]),
    n_neighbors=st.integers(1, 20),
    amplification=st.sampled_from([0.5, 1.0, 2.5]),
)
def test_votes_agree_with_brute_force(seed, similarity, n_neighbors, amplification):
    rng = np.random.default_rng(seed)
    log, y = _log(rng)
    rec = UserKNNRecommender(
        n_neighbors, similarity=similarity, amplification=amplification, vote_decay=0.7, popularity_prior=0
    ).fit(log, y)
    truth = _BruteForce(rec, log, y)
    # Among equals in float64, rounding decides who is a neighbour; such draws prove nothing.
    for u in rec.users_:
        near = sorted(truth.similarity(u, v) for v in rec.users_ if v != u)[::-1]
        if not near[0] or (n_neighbors < len(near) and abs(near[n_neighbors - 1] - near[n_neighbors]) < 1e-5):
            continue
        predicted = rec.predict(pd.DataFrame({"user": u, "item": rec.items_}))
        np.testing.assert_allclose(predicted, truth.scores(u, rec.items_), rtol=2e-5, atol=1e-6)


@given(seed=st.integers(0, 10**6), k=st.integers(1, 40), columns=st.integers(1, 100))
def test_nearest_columns_is_a_sort(seed, k, columns):
    rng = np.random.default_rng(seed)
    block = rng.integers(-2, 6, (4, columns)).astype(float)
    skip = rng.integers(-1, columns, 4)
    codes, values, sizes = np.empty((4, k), np.int32), np.empty((4, k)), np.empty(4, np.int64)
    nearest_columns(block, skip, codes, values, sizes)
    for row, left_out, code, value, size in zip(block, skip, codes, values, sizes, strict=True):
        expected = [c for c in np.argsort(-row, kind="stable") if row[c] > 0 and c != left_out][:k]
        assert sorted(code[:size]) == sorted(expected)
        np.testing.assert_array_equal(value[:size], row[code[:size]])


@given(seed=st.integers(0, 10**6))
def test_sparse_product_is_added(seed):
    rng = np.random.default_rng(seed)
    a, b = (sp.random_array(shape, density=0.3, format="csr", rng=rng) for shape in ((5, 7), (7, 6)))
    out = rng.normal(size=(5, 6))
    expected = out + a.toarray() @ b.toarray()
    add_sparse_product(a.indptr, a.indices, a.data, b.indptr, b.indices, b.data, out)
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_blocks_do_not_change_the_result(monkeypatch):
    log, y = _log(np.random.default_rng(1), n=400, n_users=60, n_items=30)
    whole = UserKNNRecommender(5).fit(log, y).recommend(k=5)
    monkeypatch.setattr("skrec.neighbors._user_knn._BLOCK_CELLS", 150)
    monkeypatch.setattr("skrec._kernels.threads._MAX_ROWS", 7)
    parts = UserKNNRecommender(5).fit(log, y).recommend(k=5)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.scores, whole.scores)


class TestUserFeatures:
    X = np.array([["ann", "tea"], ["ann", "milk"], ["bob", "nails"], ["bob", "glue"], ["cid", "tea"]])
    TABLE = pd.DataFrame(
        {"user": ["ann", "bob", "cid", "dan", "eve"], "trade": ["cook", "smith", "cook", "smith", "poet"]}
    )

    def fit(self, **parameters):
        encoder = OneHotEncoder(handle_unknown="ignore")
        rec = UserKNNRecommender(user_encoder=encoder, **parameters)
        return rec.fit(self.X, user_features=FeatureTable(self.TABLE))

    def test_users_without_events_ask_those_who_are_like_them(self):
        items, _ = self.fit().recommend(["dan"], k=2)
        assert set(items[0]) == {"nails", "glue"}

    def test_who_resembles_nobody_gets_popular_items(self):
        assert self.fit().recommend(["eve", "unknown"], k=1).items.ravel().tolist() == ["tea", "tea"]

    def test_weight_zero_is_without_features(self):
        plain = UserKNNRecommender().fit(self.X).predict(self.X)
        np.testing.assert_allclose(self.fit(feature_weight=0).predict(self.X), plain)

    def test_dense_and_sparse_agree(self):
        ids, values = list(self.TABLE["user"]), np.random.default_rng(0).normal(size=(5, 3))
        dense = UserKNNRecommender(feature_weight=1).fit(self.X, user_features=(ids, values))
        sparse = UserKNNRecommender(feature_weight=1).fit(self.X, user_features=(ids, sp.csr_array(values)))
        np.testing.assert_allclose(dense.predict(self.X), sparse.predict(self.X), rtol=1e-5)

    def test_half_a_table_warns_with_the_count_and_none_is_an_error(self):
        with pytest.warns(FeatureCoverageWarning, match="1 users of X"):
            UserKNNRecommender().fit(self.X, user_features=(["ann", "bob"], np.eye(2)))
        with pytest.raises(ValueError, match="covers none of the 3 users"):
            UserKNNRecommender().fit(self.X, user_features=(["x", "y"], np.eye(2)))


class TestPartialFit:
    @pytest.mark.parametrize("similarity", ["bm25", "jaccard"])
    def test_it_equals_fit_on_everything(self, similarity):
        log, y = _log(np.random.default_rng(3), n=200)
        first = log["timestamp"].to_numpy() < 120
        features = np.random.default_rng(4).normal(size=(N_USERS, 2))
        users = np.arange(N_USERS)
        rec = UserKNNRecommender(similarity=similarity, popularity_prior=0)
        known = np.unique(log["user"][first])
        rec.partial_fit(log[first], y[first], user_features=(known, features[known]))
        rec.partial_fit(log[~first], y[~first], user_features=(users[5:], features[5:]))
        whole = UserKNNRecommender(similarity=similarity, popularity_prior=0).fit(
            log, y, user_features=(users, features)
        )
        pairs = pd.DataFrame({"user": np.repeat(users, N_ITEMS), "item": np.tile(np.arange(N_ITEMS), N_USERS)})
        np.testing.assert_allclose(rec.predict(pairs), whole.predict(pairs), rtol=1e-5)

    @pytest.mark.parametrize("similarity", ["tfidf", "cosine", "bm25", "jaccard"])
    @pytest.mark.parametrize("seed", range(3))
    def test_an_update_computes_what_all_users_would(self, similarity, seed):
        """To the bit, with repeats, strengths of 0, new users and new items; several updates in a row."""
        rng = np.random.default_rng(seed)
        got, whole = (UserKNNRecommender(similarity=similarity) for _ in range(2))
        for size, n_users, n_items in ((200, 30, 20), (1, 30, 20), (2, 33, 20), (3, 33, 24), (40, 40, 24), (1, 40, 20)):
            ids = rng.integers(0, n_users, size), rng.integers(0, n_items, size)
            log = pd.DataFrame(dict(zip(("user", "item"), ids, strict=True)))
            log = log.assign(timestamp=rng.integers(0, 50, size)) if seed else log
            y = rng.choice([0, 0.3, 1, 5], size)
            with patch("skrec.neighbors._user_knn._LARGEST_UPDATE", 2):
                got.partial_fit(log, y)
            with patch.object(UserKNNRecommender, "_update", return_value=False):
                whole.partial_fit(log, y)
            for name in ("_item_vectors", "_votes"):
                for part in ("indptr", "indices", "data"):
                    one, other = (getattr(getattr(rec, name), part) for rec in (got, whole))
                    np.testing.assert_array_equal(one, other)
                    assert one.dtype == other.dtype
            np.testing.assert_array_equal(got.item_weights_, whole.item_weights_)
            np.testing.assert_array_equal(got._set_sizes, whole._set_sizes)

    def test_other_settings_are_not_mixed_into_an_update(self):
        log, y = _log(np.random.default_rng(3), n=200)
        rec = UserKNNRecommender().fit(log[:199], y[:199]).set_params(vote_decay=0.5).partial_fit(log[199:], y[199:])
        assert (rec._votes != UserKNNRecommender(vote_decay=0.5).fit(log, y)._votes).nnz == 0

    def test_new_feature_rows_replace_old_ones(self):
        rec = UserKNNRecommender().fit([[0, 1], [1, 2]], user_features=([0, 1], np.eye(2)))
        rec.partial_fit([[0, 1]], user_features=([1], np.array([[3.0, 0.0]])))
        np.testing.assert_allclose(rec.user_vectors_, [[1, 0], [1, 0]])


class TestNewHistories:
    def test_a_known_history_under_a_new_name_meets_the_same_users(self):
        log, y = _log(np.random.default_rng(5), n=150)
        rec = UserKNNRecommender(n_neighbors=N_USERS).fit(log, y)
        own = log["user"] == 3
        rows = log[own].sort_values("timestamp")
        rows["user"] = 900
        items = rec.items_
        folded = rec.recommend([900], k=N_ITEMS, history=(rows, y[rows.index]), exclude_seen=False, candidates=items)
        # The new name meets user 3 too, who votes for what was seen; among the rest the order is theirs.
        unseen = [item for item in folded.items[0] if item not in set(rows["item"])]
        known = [item for item in rec.recommend([3], k=N_ITEMS).items[0] if item is not None]
        assert unseen == known

    def test_the_last_events_count_most(self):
        X = pd.DataFrame({"user": [1, 1, 2, 2], "item": ["tea", "milk", "nails", "glue"], "timestamp": [1, 2, 1, 2]})
        rec = UserKNNRecommender(recency_decay=0.5).fit(X)
        for last, expected in (("tea", "milk"), ("nails", "glue")):
            other = "tea" if last == "nails" else "nails"
            assert rec.recommend([9], k=1, history=[[9, other], [9, last]]).items[0, 0] == expected

    def test_unknown_items_alone_are_a_cold_start(self):
        rec = UserKNNRecommender().fit([[1, 10], [2, 10], [2, 20]])
        assert rec.recommend([9], k=1, history=[[9, 999]]).items.tolist() == [[10]]


class TestBadInput:
    def test_one_event_one_user_one_item(self):
        assert UserKNNRecommender().fit([[1, 10]]).recommend([1, 2], k=1).items.tolist() == [[None], [10]]
        one_user = UserKNNRecommender().fit([[1, 10], [1, 20]])
        assert np.isfinite(one_user.predict([[1, 10], [2, 20]])).all()
        one_item = UserKNNRecommender(similarity="bm25").fit([[1, 10], [2, 10], [3, 10]])
        assert one_item.predict([[1, 10]])[0] > 0

    def test_an_item_seen_by_all_still_makes_neighbours(self):
        for similarity in ("cosine", "tfidf", "bm25", "jaccard"):
            rec = UserKNNRecommender(similarity=similarity).fit([[1, 10], [2, 10], [2, 20]])
            assert rec.recommend([1], k=1).items.tolist() == [[20]]

    def test_zeros_are_seen_and_have_no_weight(self):
        rec = UserKNNRecommender().fit([[1, 10], [1, 20], [2, 10], [2, 30], [3, 20], [3, 40]], [1, 0, 1, 1, 1, 1])
        items, scores = rec.recommend([1], k=2)
        assert items.tolist() == [[30, 40]]
        assert scores[0, 1] == 0
        for similarity in ("cosine", "tfidf", "bm25", "jaccard"):
            silent = UserKNNRecommender(similarity=similarity).fit([[1, 10], [2, 10]], [0, 0])
            assert np.isfinite(silent.recommend([9], history=[[9, 10]], exclude_seen=False, k=1).scores).all()

    @pytest.mark.parametrize("times", [[5, 5, 5, 5], [4, 2, 3, 1], [-4, -2, -3, -1]])
    def test_equal_unsorted_and_negative_times(self, times):
        X = pd.DataFrame({"user": [1, 1, 2, 2], "item": [10, 20, 20, 30], "timestamp": times})
        assert UserKNNRecommender().fit(X).recommend([1], k=1).items.tolist() == [[30]]

    def test_order_time_needs_a_timestamp(self):
        with pytest.raises(ValueError, match="timestamp"):
            UserKNNRecommender(order="time").fit([[1, 10]])

    @pytest.mark.parametrize(
        "parameters",
        [
            {"n_neighbors": 0},
            {"similarity": "dot"},
            {"bm25_k1": -1},
            {"bm25_b": 2},
            {"amplification": 0},
            {"recency_decay": 0},
            {"vote_decay": 1.5},
            {"feature_weight": -1},
        ],
    )
    def test_bad_parameters(self, parameters):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            UserKNNRecommender(**parameters).fit([[1, 10]])


@pytest.mark.parametrize("strength", [1e-28, 1e-20, 1e14])
def test_a_cosine_does_not_depend_on_the_size_of_strengths(strength):
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 30], [3, 20], [3, 10], [4, 30]])
    y = np.array([1, 2, 3, 1, 1, 2, 1.0])
    scores = [UserKNNRecommender(similarity="cosine").fit(X, y * scale).predict(X) for scale in (1, strength)]
    np.testing.assert_allclose(scores[1] / strength, scores[0], rtol=1e-5)
