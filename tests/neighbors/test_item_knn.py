"""Against brute force, over similarities, orders and features; bad input; the promises of the docstring."""

import warnings
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from sklearn.feature_extraction.text import TfidfVectorizer

from skrec.base import blend, classical, pair_table, text_similarity
from skrec.exceptions import FeatureCoverageWarning
from skrec.interactions import FeatureTable, Histories, Interactions, read_events
from skrec.interactions._queries import Queries
from skrec.neighbors import ItemKNNRecommender
from skrec.neighbors._asymmetric import asymmetric, distance_weights

N_USERS, N_ITEMS = 9, 7


def _log(seed, n=50, *, ties=False):
    rng = np.random.default_rng(seed)
    times = rng.integers(-5, 6, n) if ties else rng.permutation(n) - n // 2
    frame = pd.DataFrame({"user": rng.integers(0, N_USERS, n), "item": rng.integers(0, N_ITEMS, n), "timestamp": times})
    return frame, np.round(rng.uniform(0, 3, n), 1)


def _data(frame, y):
    return Interactions.from_events(read_events(frame), np.asarray(y, np.float32))


def _sequences(data):
    histories = data.histories
    for start, stop in zip(histories.indptr[:-1], histories.indptr[1:], strict=True):
        yield list(
            zip(histories.items[start:stop], histories.y[start:stop], histories.timestamp[start:stop], strict=True)
        )


def _pair_weights(data, *, decay, backward, window, length_exponent, ordered):
    """The docstring in loops: M with its diagonal, float64."""
    pairs = np.zeros((data.n_items, data.n_items))
    for events in _sequences(data):
        share = (1 + len(events)) ** -length_exponent
        for a, (i, yi, ti) in enumerate(events):
            for b, (j, yj, tj) in enumerate(events):
                if a == b:
                    continue
                weight = 1.0
                if ordered:
                    weight = decay ** (abs(b - a) - 1) if abs(b - a) <= window else 0
                    weight *= backward if b < a and ti != tj else 1
                pairs[i, j] += weight * share * float(yi) * float(yj)
    return pairs


def _best(matrix, n_neighbors):
    matrix = matrix.copy()
    np.fill_diagonal(matrix, 0)
    order = np.argsort(-matrix, axis=1, kind="stable")[:, :n_neighbors]
    kept = np.zeros_like(matrix)
    np.put_along_axis(kept, order, np.take_along_axis(matrix, order, axis=1), axis=1)
    return np.maximum(kept, 0)


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ordered=st.booleans(),
    ties=st.booleans(),
    window=st.integers(1, 8),
    exponents=st.tuples(*[st.floats(0, 1)] * 3),
    decay=st.floats(0.3, 1),
    backward=st.floats(0, 1.5),
)
def test_asymmetric_similarity_is_the_docstring(seed, ordered, ties, window, exponents, decay, backward):
    data = _data(*_log(seed, ties=ties))
    source, target, length = exponents
    lags = distance_weights(data.histories, decay, backward, window) if ordered else None
    got = asymmetric(
        data.histories,
        data.n_items,
        source_exponent=source,
        target_exponent=target,
        length_exponent=length,
        lags=lags,
        dtype=np.float64,
    ).best(data.n_items)
    pairs = _pair_weights(data, decay=decay, backward=backward, window=window, length_exponent=length, ordered=ordered)
    expected = pairs / ((1 + pairs.sum(1, keepdims=True)) ** source * (1 + pairs.sum(0)) ** target)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(got.toarray(), expected, rtol=1e-6, atol=1e-9)


def test_a_long_history_of_few_items():
    rng = np.random.default_rng(0)
    frame, y = _log(1)
    long = pd.DataFrame({"user": 77, "item": rng.integers(0, 5, 1500), "timestamp": np.arange(1500)})
    data = _data(pd.concat([frame, long], ignore_index=True), np.concatenate([y, rng.integers(1, 4, 1500)]))
    got = asymmetric(
        data.histories,
        data.n_items,
        source_exponent=0.4,
        target_exponent=0.3,
        length_exponent=0.7,
        dtype=np.float64,
    ).best(data.n_items)
    pairs = _pair_weights(data, decay=1, backward=1, window=1, length_exponent=0.7, ordered=False)
    expected = pairs / ((1 + pairs.sum(1, keepdims=True)) ** 0.4 * (1 + pairs.sum(0)) ** 0.3)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(got.toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("similarity", ["cosine", "tfidf"])
@pytest.mark.parametrize("strength", [1e-28, 1e-20, 1e14])
def test_a_cosine_does_not_depend_on_the_size_of_strengths(similarity, strength):
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 30], [3, 20], [3, 10], [4, 30]])
    y = np.array([1, 2, 3, 1, 1, 2, 1.0])
    expected = ItemKNNRecommender(similarity=similarity).fit(X, y).similarity_.toarray()
    got = ItemKNNRecommender(similarity=similarity).fit(X, y * strength)
    np.testing.assert_allclose(got.similarity_.toarray(), expected, rtol=1e-5)
    assert np.isfinite(got.predict(X)).all()


def test_the_cosine_of_two_items_with_tiny_strengths():
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [3, 20]])
    rec = ItemKNNRecommender(similarity="cosine").fit(X, np.full(5, 1e-20))
    np.testing.assert_allclose(rec.similarity_.toarray(), np.array([[0, 1], [1, 0]]) * np.sqrt(2 / 3), rtol=1e-5)


@pytest.mark.parametrize("n_pairs", [1, 40])
@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pairs_score_as_rankings_do(n_pairs, seed):
    frame, y = _log(seed)
    rec = ItemKNNRecommender(n_neighbors=4).fit(frame, y)
    rng = np.random.default_rng(seed)
    pairs = pd.DataFrame({"user": rng.integers(0, N_USERS + 2, n_pairs), "item": rng.integers(0, N_ITEMS, n_pairs)})
    known = pairs[pairs["item"].isin(rec.items_)]
    if not len(known):
        return
    users = known["user"].unique()
    ranked = rec.recommend(users, k=len(rec.items_), exclude_seen=False).to_frame()
    expected = known.merge(ranked, on=["user", "item"], how="left")["score"]
    np.testing.assert_allclose(rec.predict(known), expected, rtol=1e-5, atol=1e-9)


def _classical_by_hand(by_user, similarity):
    x = by_user.toarray().astype(float)
    n_items = x.shape[1]
    if similarity == "jaccard":
        sets = [set(np.flatnonzero(column)) for column in x.T]
        return np.array([[len(a & b) / max(1, len(a | b)) for b in sets] for a in sets])
    if similarity in ("tfidf", "bm25"):
        idf = np.maximum(np.log(n_items) - np.log1p((x > 0).sum(axis=1)), 0)[:, None]
        if similarity == "bm25":
            lengths = x.sum(axis=0)
            norm = (1 - 0.75) + 0.75 * lengths / lengths.mean()
            return (lambda w: w.T @ w)(np.where(x > 0, x * 2.2 / (1.2 * norm + x), 0) * idf)
        x = np.sqrt(x) * idf
    norms = np.linalg.norm(x, axis=0)
    return x.T @ x / np.maximum(np.outer(norms, norms), 1e-300)


@pytest.mark.parametrize("similarity", ["cosine", "jaccard", "tfidf", "bm25"])
@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_classical_similarities_are_their_formulas(similarity, seed):
    data = _data(*_log(seed, n=25))
    by_user = data.to_csr()
    got = classical(by_user.copy(), similarity, bm25_k1=1.2, bm25_b=0.75, dtype=np.float64).best(data.n_items)
    expected = _classical_by_hand(by_user, similarity)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(got.toarray(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Method expects CSR input")
@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25"])
def test_classical_similarities_are_those_of_implicit(similarity):
    peers = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}
    rng = np.random.default_rng(0)
    by_user = sp.random_array((60, 40), density=0.15, rng=rng, format="csr")
    peer = peers[similarity](K=100, num_threads=1)
    peer.fit(sp.csr_matrix(by_user), show_progress=False)
    expected = peer.similarity.toarray()
    np.fill_diagonal(expected, 0)
    got = classical(by_user, similarity, bm25_k1=1.2, bm25_b=0.75, dtype=np.float64).best(40)
    np.testing.assert_allclose(got.toarray(), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("n_neighbors", [1, 3, 100])
@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_largest_similarities_are_kept(n_neighbors, seed):
    data = _data(*_log(seed))
    similarity = classical(data.to_csr(), "jaccard", bm25_k1=1, bm25_b=0, dtype=np.float64)
    whole, best = similarity.best(data.n_items).toarray(), similarity.best(n_neighbors).toarray()
    np.testing.assert_allclose(best, _best(whole, n_neighbors))


def _text_by_hand(vectors, n_neighbors, exponent):
    told = np.any(vectors != 0, axis=1)
    centred = np.where(told[:, None], vectors - vectors[told].mean(axis=0), 0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    return _best(np.maximum(unit @ unit.T, 0) ** exponent, n_neighbors)


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    smoothing=st.floats(0, 3),
    weight=st.floats(0, 3),
    n_neighbors=st.sampled_from([2, 4, 50]),
)
def test_text_smoothing_is_the_docstring(seed, smoothing, weight, n_neighbors):
    rng = np.random.default_rng(seed)
    graph = np.where(rng.random((N_ITEMS, N_ITEMS)) < 0.4, rng.random((N_ITEMS, N_ITEMS)), 0)
    np.fill_diagonal(graph, 0)
    graph[0, 1] = 0.5
    vectors = rng.normal(size=(N_ITEMS, 3))
    vectors[2] = 0
    text = text_similarity(vectors.astype(np.float64), 3, 2.5)
    np.testing.assert_allclose(text.toarray(), _text_by_hand(vectors, 3, 2.5), rtol=1e-6, atol=1e-9)

    scale = rng.uniform(0.5, 2, N_ITEMS)
    got = blend(
        sp.csr_array(graph),
        text,
        smoothing=smoothing,
        text_weight=weight,
        column_scale=scale,
        n_neighbors=n_neighbors,
    )
    t = text.toarray()
    near = t / np.maximum(t.sum(axis=1, keepdims=True), 1e-300)
    largest = graph.max(axis=1)
    unit = graph / largest[largest > 0].mean()
    lent = _best(unit + smoothing * near @ unit, n_neighbors)
    whole = (lent + smoothing * lent @ near.T + weight * t) * scale
    np.testing.assert_allclose(got.toarray(), _best(whole, n_neighbors), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("similarity", ["asymmetric", "bm25"])
def test_ranking_predicting_and_contributions_agree(similarity):
    frame, y = _log(3, n=60)
    rec = ItemKNNRecommender(4, similarity=similarity).fit(frame, y)
    ranked = rec.recommend([1, 2, 99], k=5, exclude_seen=False)
    pairs = pd.DataFrame({"user": np.repeat([1, 2, 99], 5), "item": ranked.items.ravel()})
    np.testing.assert_allclose(rec.predict(pairs), ranked.scores.ravel(), rtol=1e-6)
    by_candidates = rec.recommend([1, 2, 99], k=5, exclude_seen=False, candidates=list(rec.items_))
    np.testing.assert_array_equal(by_candidates.items, ranked.items)

    histories = rec._histories.take(np.array([1, 2]))
    item = ranked.items[:2, 0]
    parts = rec._contributions(Queries(np.array([1, 2]), histories), item.astype(np.int64))
    sums = np.bincount(histories.row_of_event(), weights=parts, minlength=2)
    np.testing.assert_allclose(sums + rec._item_graph.prior[item], ranked.scores[:2, 0], rtol=1e-6)
    n = histories.lengths[0]
    decayed = histories.y[:n] * rec.recency_decay ** np.arange(n)[::-1]
    by_hand = decayed * rec.similarity_.toarray()[histories.items[:n], item[0]]
    np.testing.assert_allclose(parts[:n], by_hand, rtol=1e-5)


def test_order_tells_what_follows_what():
    frame = pd.DataFrame({"user": np.repeat(range(4), 3), "item": ["a", "b", "c"] * 4, "timestamp": [1, 2, 3] * 4})
    by_time = ItemKNNRecommender(length_exponent=0).fit(frame).similarity_.toarray()
    assert by_time[0, 1] > by_time[0, 2] > 0
    assert by_time[0, 1] > by_time[1, 0]
    without = ItemKNNRecommender(order="none").fit(frame).similarity_.toarray()
    np.testing.assert_allclose(without[np.triu_indices(3, 1)], without[0, 1], rtol=1e-6)
    shuffled = frame.sample(frac=1, random_state=0)
    np.testing.assert_allclose(ItemKNNRecommender(length_exponent=0).fit(shuffled).similarity_.toarray(), by_time)


def _books():
    log = np.array([["u1", "sea"], ["u1", "ship"], ["u2", "sea"], ["u2", "ship"], ["u2", "pie"], ["u3", "pie"]])
    words = pd.DataFrame(
        {
            "item": ["sea", "ship", "pie", "boat", "cake"],
            "text": ["deep sea water", "ship on water", "apple pie oven", "boat ship water", "cake from the oven"],
        }
    )
    return log, FeatureTable(words)


@pytest.mark.parametrize("power", [0, 0.6, 1])
def test_features_are_compared_after_whitening(power):
    frame, _ = _log(3)
    items = np.unique(frame["item"])
    vectors = np.random.default_rng(0).normal(size=(len(items), 3)) * [100, 3, 1] + 5
    vectors[1] = 0
    has_features = np.arange(len(items)) != 1
    centred = (vectors - vectors[has_features].mean(axis=0)) * has_features[:, None]
    _, lengths, axes = np.linalg.svd(centred[has_features], full_matrices=False)
    by_hand = _text_by_hand(centred @ axes.T / lengths**power, 4, 1.5)
    rec = ItemKNNRecommender(whitening=power, n_text_neighbors=4)
    got = rec.fit(frame, item_features=(items, vectors))._text_graph.toarray()
    np.testing.assert_allclose(got, by_hand, rtol=1e-3, atol=1e-5)


def test_text_reaches_items_without_events():
    log, books = _books()
    rec = ItemKNNRecommender(item_encoder=TfidfVectorizer(), text_smoothing=0).fit(log, item_features=books)
    cold = rec.recommend(["u1", "u3"], k=1, candidates=["boat", "cake"])
    assert cold.items.ravel().tolist() == ["boat", "cake"]
    assert (cold.scores > 0).all()
    more = ItemKNNRecommender(item_encoder=TfidfVectorizer(), cold_boost=100).fit(log, item_features=books)
    assert set(more.recommend(["u1"], k=2).items[0]) == {"boat", "cake"}
    none = ItemKNNRecommender(item_encoder=TfidfVectorizer(), cold_boost=0).fit(log, item_features=books)
    assert none.similarity_[:, [3, 4]].nnz == 0
    assert rec.similar_items(["boat"], k=1).items[0, 0] == "ship"


def test_partial_fit_is_fit_on_everything():
    frame, y = _log(5, n=60)
    frame = frame.sort_values("timestamp", ignore_index=True)
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS + 1, 4))
    first = frame[:30]
    items = np.unique(first["item"])
    rest = np.setdiff1d(np.arange(N_ITEMS + 1), items)
    rec = ItemKNNRecommender(3).fit(first, y[:30], item_features=(items, vectors[items]))
    rec.partial_fit(frame[30:], y[30:], item_features=(rest, vectors[rest]))
    whole = ItemKNNRecommender(3).fit(frame, y, item_features=(np.arange(N_ITEMS + 1), vectors))
    again = np.searchsorted(rec.items_, whole.items_, sorter=np.argsort(rec.items_))
    order = np.argsort(rec.items_)[again]
    np.testing.assert_allclose(
        rec.similarity_.toarray()[np.ix_(order, order)], whole.similarity_.toarray(), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(rec.recommend([1, 2], k=3).items, whole.recommend([1, 2], k=3).items)


def test_the_result_does_not_depend_on_threads():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 300, 5000), rng.integers(0, 200, 5000)])
    vectors = (np.arange(200), rng.normal(size=(200, 8)))
    one, many = (ItemKNNRecommender(10, n_jobs=n).fit(X, item_features=vectors) for n in (1, 4))
    assert (one.similarity_ != many.similarity_).nnz == 0
    np.testing.assert_array_equal(one.recommend(k=5).scores, many.recommend(k=5).scores)


def test_a_list_goes_on_by_popularity():
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [3, 30], [4, 30], [5, 30], [6, 40]])
    rec = ItemKNNRecommender().fit(X)
    assert rec.recommend(history=[[9, 10]], k=3).items.tolist() == [[20, 30, 40]]
    assert rec.recommend([77], k=2).items[0, 0] == 30
    assert rec.recommend([1], k=300).items.shape == (1, len(rec.items_))


# Bad and odd input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", ["asymmetric", "cosine", "jaccard", "tfidf", "bm25"])
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
def test_small_logs(similarity, X):
    rec = ItemKNNRecommender(similarity=similarity).fit(np.array(X))
    assert np.isfinite(rec.predict(np.array(X))).all()
    assert np.isfinite(rec.similarity_.data).all()
    ranked = rec.recommend([1, 99], k=3, exclude_seen=False)
    assert ranked.items[1, 0] in rec.items_


@pytest.mark.parametrize("similarity", ["asymmetric", "cosine", "jaccard", "tfidf", "bm25"])
def test_ratings_of_zero_say_nothing(similarity):
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [3, 30], [3, 10]])
    rec = ItemKNNRecommender(similarity=similarity).fit(X, [1, 1, 1, 1, 0, 1])
    assert rec.similarity_[:, [2]].nnz == 0
    assert 30 not in rec.recommend([3], k=2).items
    rec.fit(X, np.zeros(6))
    assert rec.similarity_.nnz == 0
    assert np.isfinite(rec.predict(X)).all()


def test_a_history_of_unknown_items_gets_the_cold_start():
    frame, y = _log(1)
    rec = ItemKNNRecommender().fit(frame, y)
    np.testing.assert_array_equal(rec.recommend(history=[[777, 888]], k=3).items, rec.recommend([999], k=3).items)


def test_timestamps_equal_unsorted_negative_missing():
    frame, y = _log(2, ties=True)
    rec = ItemKNNRecommender().fit(frame.assign(timestamp=-3), y)
    np.testing.assert_allclose(rec.similarity_.toarray() > 0, (rec.similarity_.T > 0).toarray())
    frame["timestamp"] = frame["timestamp"].astype(float)
    frame.loc[3, "timestamp"] = np.nan
    with pytest.raises(ValueError, match="timestamp"):
        rec.fit(frame, y)
    with pytest.raises(ValueError, match="order='time'"):
        ItemKNNRecommender(order="time").fit(frame[["user", "item"]])


def test_feature_tables_that_cover_half_or_none():
    frame, _ = _log(4)
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, 3))
    half = (np.arange(3), vectors[:3])
    with pytest.warns(FeatureCoverageWarning, match="^4 "):
        rec = ItemKNNRecommender().fit(frame, item_features=half)
    assert np.isfinite(rec.similarity_.data).all()
    with pytest.raises(KeyError, match="unknown item ids"):
        rec.similar_items([12345])
    with pytest.raises(ValueError, match="covers none"):
        rec.fit(frame, item_features=(np.arange(3) + 100, vectors[:3]))


def test_one_item_with_features():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rec = ItemKNNRecommender().fit([[1, 10]], item_features=([10], [[1.0, 2.0]]))
    assert rec.recommend([5], k=1).items.tolist() == [[10]]


@pytest.mark.parametrize("n_items", [10, 1 << 16, 200_000])
def test_events_are_sorted_by_item_and_keep_their_order(n_items):
    rng = np.random.default_rng(0)
    items, rows = rng.integers(0, n_items, 5_000).astype(np.int32), np.sort(rng.integers(0, 50, 5_000))
    events = Histories.group(rows, items, np.ones(5_000, np.float32), None, 50)
    table = pair_table(events, n_items, events.y, events.y)
    expected = np.argsort(items, kind="stable")
    np.testing.assert_array_equal(table.event_of, expected)
    np.testing.assert_array_equal(table.row_of, rows[expected])
    np.testing.assert_array_equal(np.repeat(np.arange(n_items), np.diff(table.item_ptr)), items[expected])
    some = np.unique(items[:20]).astype(np.int64)
    of_some = pair_table(events, n_items, events.y, events.y, only=some)
    np.testing.assert_array_equal(of_some.event_of, expected[np.isin(items[expected], some)])


@pytest.mark.parametrize("n_neighbors", [1, 4, 200])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_an_update_computes_what_all_rows_would(seed, ordered, n_neighbors):
    """To the bit, with repeats, strengths of 0, equal times, new users and new items; several updates in a row."""
    rng = np.random.default_rng(seed)

    def drawn(n, n_users, n_items, start):
        log = pd.DataFrame({"user": rng.integers(0, n_users, n), "item": (n_items * rng.random(n) ** 2).astype(int)})
        return (log.assign(timestamp=start + np.sort(rng.integers(0, n // 2 + 1, n))) if ordered else log), n

    def strengths(n):
        return rng.choice([0, 0.3, 1, 2.7], n)

    log, n = drawn(400, 40, 30, 0)
    settings = {"n_neighbors": n_neighbors, "backward_weight": 0.3, "length_exponent": 1.5, "window": 4}
    got, whole = (ItemKNNRecommender(**settings) for _ in range(2))
    y = strengths(n)
    for rec in (got, whole):
        rec.fit(log, y)
    for size, n_users, n_items in ((1, 40, 30), (2, 40, 30), (3, 42, 30), (2, 40, 33), (60, 50, 40), (1, 40, 30)):
        log, n = drawn(size, n_users, n_items, 150 if seed % 2 else 1000)
        y = strengths(n)
        with patch("skrec.neighbors._item_knn._LARGEST_UPDATE", 2):
            got.partial_fit(log, y)
        with patch("skrec.neighbors._item_knn._LARGEST_UPDATE", 0):
            whole.partial_fit(log, y)
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(got.similarity_, name), getattr(whole.similarity_, name))
        np.testing.assert_array_equal(got.popularity_, whole.popularity_)


def test_an_update_merges_repeats_as_fit_does():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 30, 3000), rng.integers(0, 25, 3000)])
    X[:1500, 0] = 0  # a long history of few items: its repeats are merged
    got, whole = ItemKNNRecommender(5).fit(X), ItemKNNRecommender(5).fit(X)
    assert got._fitted_settings[4]
    for user in (0, 7):
        with patch("skrec.neighbors._item_knn._LARGEST_UPDATE", 2):
            got.partial_fit([[user, 3]])
        with patch("skrec.neighbors._item_knn._LARGEST_UPDATE", 0):
            whole.partial_fit([[user, 3]])
        assert (got.similarity_ != whole.similarity_).nnz == 0


def test_other_settings_are_not_mixed_into_an_update():
    X = np.random.default_rng(0).integers(0, 20, (200, 2))
    rec = ItemKNNRecommender(5).fit(X).set_params(source_exponent=0.1, n_neighbors=3).partial_fit([[1, 2]])
    whole = ItemKNNRecommender(3, source_exponent=0.1).fit(np.vstack([X, [[1, 2]]]))
    assert (rec.similarity_ != whole.similarity_).nnz == 0


def test_text_similarities_are_kept_until_features_change():
    log, books = _books()
    rec = ItemKNNRecommender(item_encoder=TfidfVectorizer()).fit(log, item_features=books)
    kept = rec._text_graph
    rec.partial_fit(log[:1])
    assert rec._text_graph is kept
    assert rec.set_params(n_text_neighbors=1).partial_fit(log[:1])._text_graph is not kept
    kept = rec._text_graph
    rec.partial_fit(log[:1], item_features=books)
    assert rec._text_graph is not kept


def test_rows_that_are_too_long_for_an_update_are_computed_from_scratch():
    """As a damaged file may hold them."""
    X = np.random.default_rng(0).integers(0, 20, (200, 2))
    got, whole = ItemKNNRecommender(3).fit(X), ItemKNNRecommender(3).fit(X)
    got.similarity_ = ItemKNNRecommender(15).fit(X).similarity_
    with patch("skrec.neighbors._item_knn._LARGEST_UPDATE", 2):
        got.partial_fit([[1, 2]])
    assert (got.similarity_ != whole.partial_fit([[1, 2]]).similarity_).nnz == 0
