import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import ndcg_score

from skrec.dummy import PopularRecommender
from skrec.metrics import (
    average_precision_at_k,
    f1_at_k,
    hit_rate_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
    serendipity_at_k,
)

ALL = [precision_at_k, recall_at_k, f1_at_k, hit_rate_at_k, ndcg_at_k, average_precision_at_k, reciprocal_rank_at_k]


def slow(metric, relevant: dict, ranked: list, k: int) -> float:
    """The definition, rank by rank, for one query."""
    relevant = {item: gain for item, gain in relevant.items() if gain > 0}
    if not relevant:
        return math.nan
    hits, seen = [], set()
    for item in ranked[:k]:
        hits.append(item in relevant and item not in seen)
        seen.add(item)
    gains = [relevant[item] if hit else 0.0 for item, hit in zip(ranked, hits, strict=False)]
    if metric is precision_at_k:
        return sum(hits) / k
    if metric is recall_at_k:
        return sum(hits) / len(relevant)
    if metric is f1_at_k:
        precision, recall = sum(hits) / k, sum(hits) / len(relevant)
        return 2 * precision * recall / (precision + recall) if any(hits) else 0.0
    if metric is hit_rate_at_k:
        return float(any(hits))
    if metric is ndcg_at_k:
        best = sorted(relevant.values(), reverse=True)[:k]
        return _dcg(gains) / _dcg(best)
    if metric is average_precision_at_k:
        precisions = [sum(hits[: r + 1]) / (r + 1) for r in range(len(hits)) if hits[r]]
        return sum(precisions) / min(k, len(relevant))
    return max((1 / (r + 1) for r, hit in enumerate(hits) if hit), default=0.0)


def _dcg(gains):
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


ITEMS = st.integers(0, 12)
RELEVANT = st.lists(
    st.dictionaries(ITEMS, st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0]), max_size=8), min_size=1, max_size=5
)


@st.composite
def queries(draw):
    relevant = draw(RELEVANT)
    ranked = [draw(st.lists(st.one_of(ITEMS, st.just(-1)), max_size=9)) for _ in relevant]
    return relevant, ranked


@settings(deadline=None)
@given(case=queries(), k=st.integers(1, 12))
def test_equals_the_definition(case, k):
    for metric in ALL:
        expected = [slow(metric, *query, k) for query in zip(*case, strict=True)]
        np.testing.assert_allclose(metric(*case, k=k, average=False), expected, atol=1e-12)


@settings(deadline=None)
@given(case=queries(), k=st.integers(1, 12))
def test_ids_codes_and_sparse_gains_agree(case, k):
    relevant, ranked = case
    matrix = sp.lil_array((len(relevant), 13))
    for row, gains in enumerate(relevant):
        for item, gain in gains.items():
            matrix[row, item] = gain
    width = max(map(len, ranked))
    codes = np.array([row + [-1] * (width - len(row)) for row in ranked]).reshape(len(ranked), width)
    texts = [[f"i{item}" if item >= 0 else None for item in row] for row in ranked]
    text_gains = [{f"i{item}": gain for item, gain in row.items()} for row in relevant]
    for metric in ALL:
        expected = metric(relevant, ranked, k=k, average=False)
        np.testing.assert_array_equal(metric(matrix.tocoo(), codes.astype(int), k=k, average=False), expected)
        np.testing.assert_array_equal(metric(text_gains, texts, k=k, average=False), expected)


@settings(deadline=None)
@given(case=queries(), k=st.integers(1, 12))
def test_lies_between_0_and_1(case, k):
    for metric in ALL:
        values = metric(*case, k=k, average=False)
        assert ((values >= 0) & (values <= 1 + 1e-12) | np.isnan(values)).all()


@settings(deadline=None)
@given(relevant=st.lists(st.sets(ITEMS, min_size=1), min_size=1, max_size=4), k=st.integers(1, 5))
def test_the_ideal_ranking_is_perfect_up_to_what_k_allows(relevant, k):
    n = np.array([len(row) for row in relevant])
    found = np.minimum(n, k)
    best = {precision_at_k: found / k, recall_at_k: found / n, f1_at_k: 2 * found / (k + n)}
    for metric in ALL:
        values = metric(relevant, [sorted(row) for row in relevant], k=k, average=False)
        np.testing.assert_allclose(values, best.get(metric, np.ones(len(n))))


@settings(deadline=None)
@given(case=queries(), k=st.integers(1, 8))
def test_more_ranks_never_lower_recall_and_hit_rate(case, k):
    for metric in (recall_at_k, hit_rate_at_k, reciprocal_rank_at_k):
        fewer, more = (metric(*case, k=n, average=False) for n in (k, k + 1))
        assert ((more >= fewer) | np.isnan(fewer)).all()


@settings(deadline=None)
@given(case=queries(), data=st.data(), k=st.integers(1, 12))
def test_serendipity_equals_its_definition(case, data, k):
    relevant, ranked = case
    expected = [data.draw(st.lists(st.one_of(ITEMS, st.just(-1)), max_size=9)) for _ in relevant]
    slowly = []
    for gains, row, dull in zip(relevant, ranked, expected, strict=True):
        wanted = {item for item, gain in gains.items() if gain > 0}
        slowly.append(len(wanted & set(row[:k]) - set(dull[:k])) / k if wanted else math.nan)
    np.testing.assert_allclose(serendipity_at_k(relevant, ranked, expected, k=k, average=False), slowly)
    without = serendipity_at_k(relevant, ranked, [[]] * len(ranked), k=k, average=False)
    np.testing.assert_array_equal(without, precision_at_k(relevant, ranked, k=k, average=False))


def test_expected_lists_are_named_in_errors():
    with pytest.raises(ValueError, match="relevant has 1 rows and expected 2"):
        serendipity_at_k([["a"]], [["a"]], [["a"], ["b"]])
    with pytest.raises(TypeError, match="expected contains a set, which has no order"):
        serendipity_at_k([["a"]], [["a"]], [{"a"}])
    with pytest.raises(ValueError, match="expected contains codes from 7 to 7"):
        serendipity_at_k(sp.csr_array(np.eye(1)), [[0]], [[7]])


def test_ndcg_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    gains, scores = rng.integers(0, 4, (20, 30)).astype(float), rng.permuted(np.tile(np.arange(30.0), (20, 1)), axis=1)
    ranked = np.argsort(-scores, axis=1)
    assert ndcg_at_k(sp.csr_array(gains), ranked, k=7) == pytest.approx(ndcg_score(gains, scores, k=7))


def test_mean_leaves_out_queries_without_relevant_items():
    assert recall_at_k([{"a"}, set()], [["a"], ["a"]], k=1) == 1.0
    with pytest.warns(UndefinedMetricWarning, match="no query has a relevant item"):
        assert math.isnan(recall_at_k([[], []], [["a"], ["b"]]))


def test_relevant_items_outside_of_the_catalogue_stay_in_the_ideal():
    matrix = sp.csr_array(np.array([[1.0, 0.0, 1.0]]))
    ideal = 1 + 1 / math.log2(3)
    assert ndcg_at_k(matrix, np.array([[0, 1]]), k=2) == pytest.approx(1 / ideal)


def test_takes_recommendations():
    X = np.array([[1, 10], [2, 10], [2, 20], [3, 20], [3, 30]])
    recommended = PopularRecommender().fit(X).recommend([1, 2], k=3)
    assert recall_at_k([[20], [30]], recommended, k=1) == 1.0
    assert precision_at_k([[20], [30]], recommended, k=3) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("relevant", "recommended", "error", "message"),
    [
        ([["a"]], [{"a", "b"}], TypeError, "no order"),
        ([["a"]], sp.csr_array(np.eye(1)), TypeError, "no order"),
        (["abc"], [["a"]], TypeError, "collection of ids"),
        ([["a"]], ["a"], ValueError, r"Write \[items\]"),
        ([["a"]], np.array(["a"]), ValueError, "one row per query"),
        ([["a"], ["b"]], [["a"]], ValueError, "relevant has 2 rows and recommended 1"),
        ([["a", None]], [["a"]], ValueError, "stand for no item"),
        ([{"a": np.nan}], [["a"]], ValueError, "finite gain"),
        ([["a"]], [[1, 2]], TypeError, "ids are number"),
        (sp.csr_array(np.eye(2)), [["a"], ["b"]], TypeError, "integer codes"),
        (sp.csr_array(np.eye(2)), [[0], [5]], ValueError, "codes from 0 to 5"),
    ],
)
def test_bad_input_says_what_to_write(relevant, recommended, error, message):
    with pytest.raises(error, match=message):
        recall_at_k(relevant, recommended)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)])
def test_bad_k(k, error):
    with pytest.raises(error, match="k must be"):
        ndcg_at_k([["a"]], [["a"]], k=k)
