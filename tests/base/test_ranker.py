"""The seam between a model and what finds its best items."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skrec.base import ExactRanker, Queries, Ranker
from skrec.dummy import PopularRecommender
from skrec.interactions import Candidates, Histories, IdIndex
from skrec.neighbors import ItemKNNRecommender

N_ITEMS = 9


def _queries(rng, n):
    histories = Histories.group(np.arange(n), rng.integers(0, N_ITEMS, n), np.ones(n, np.float32), None, n)
    return Queries(np.arange(n), histories)


def _brute_force(scores, k, allowed):
    codes = np.full((len(scores), k), -1)
    for row, (values, ok) in enumerate(zip(scores, allowed, strict=True)):
        best = [item for item in np.argsort(-values, kind="stable") if ok[item] and np.isfinite(values[item])][:k]
        codes[row, : len(best)] = best
    return codes


@given(st.integers(0, 2**31), st.integers(1, 12), st.booleans(), st.booleans())
def test_exact_ranking_is_that_of_brute_force(seed, k, has_mask, has_candidates):
    rng = np.random.default_rng(seed)
    queries = _queries(rng, 5)
    table = rng.integers(0, 6, (5, N_ITEMS)).astype(np.float32)

    def score(some, items):
        rows = table[some.users]
        return rows.copy() if items is None else rows[:, items]

    def mask(some, scores):
        scores[scores < 2] = -np.inf

    eligible = Candidates([1, 4, 5], IdIndex(np.arange(N_ITEMS)), 5) if has_candidates else None
    ranker = ExactRanker(score, N_ITEMS, 1, mask if has_mask else None)
    codes, scores = ranker.top_k(queries, k, eligible, queries.histories)
    allowed = np.ones(table.shape, bool)
    allowed[np.arange(5), queries.histories.items] = False
    if has_candidates:
        allowed &= np.isin(np.arange(N_ITEMS), [1, 4, 5])
    if has_mask:
        allowed &= table >= 2
    np.testing.assert_array_equal(codes, _brute_force(table, k, allowed))
    np.testing.assert_array_equal(scores[codes >= 0], table[np.nonzero(codes >= 0)[0], codes[codes >= 0]])
    assert np.isneginf(scores[codes < 0]).all()


@pytest.mark.parametrize("candidates", [None, [0, 2, 3, 7]])
@pytest.mark.parametrize("k", [3, 400])
def test_the_ranker_of_an_item_graph_agrees_with_its_scores(k, candidates):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 30, 300), rng.integers(0, N_ITEMS, 300)])
    rec = ItemKNNRecommender().fit(X)
    assert sp.issparse(rec.similarity_)
    found = rec.recommend([3, 4, 99], k=k, candidates=candidates)
    for user, items, scores in zip([3, 4, 99], *found, strict=True):
        listed = [item for item in items.tolist() if item is not None]
        rows = np.column_stack([np.full(len(listed), user), listed])
        if len(listed):
            np.testing.assert_allclose(rec.predict(rows.astype(int)), scores[: len(listed)], rtol=1e-5, atol=1e-12)
        assert not set(listed) & set(X[X[:, 0] == user, 1].tolist())


class Backwards(Ranker):
    """Ranks from the last item to the first."""

    def top_k(self, queries, k, eligible, hidden):
        codes = np.tile(np.arange(N_ITEMS - 1, N_ITEMS - 1 - k, -1, dtype=np.int32), (len(queries), 1))
        return codes, -np.arange(k, dtype=np.float32) * np.ones((len(queries), 1), np.float32)


class OtherWay(PopularRecommender):
    """Has its lists made elsewhere."""

    def _ranker(self):
        return Backwards()


def test_a_ranker_can_be_plugged_in():
    rec = OtherWay().fit(np.column_stack([np.arange(N_ITEMS), np.arange(N_ITEMS)]))
    assert rec.recommend([0], k=2).items.tolist() == [[8, 7]]
