import math
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from skrec.dummy import PopularRecommender
from skrec.metrics import (
    _beyond_accuracy,
    catalogue_coverage,
    gini_index,
    intra_list_diversity,
    mean_popularity,
    novelty,
    personalisation,
)

N = 7
LISTS = st.lists(st.permutations(range(N)), min_size=1, max_size=6).flatmap(
    lambda rows: st.tuples(*[st.integers(0, N).map(lambda n, row=row: row[:n] + [-1] * (N - n)) for row in rows])
)
POPULARITY = st.lists(st.integers(0, 50), min_size=N, max_size=N).filter(any)


def items_of(row):
    return [item for item in row if item >= 0]


@settings(deadline=None)
@given(LISTS)
def test_coverage_and_gini_equal_their_definitions(lists):
    counts = [sum(row.count(item) for row in lists) for item in range(N)]
    assert catalogue_coverage(lists, N) == sum(c > 0 for c in counts) / N
    if any(counts):
        differences = sum(abs(a - b) for a in counts for b in counts)
        assert gini_index(lists, N) == pytest.approx(differences / (2 * N * sum(counts)))


@settings(deadline=None)
@given(LISTS, POPULARITY)
def test_novelty_and_popularity_equal_their_definitions(lists, popularity):
    least = min(p for p in popularity if p > 0)
    bits = [-math.log2(max(p, least) / sum(popularity)) for p in popularity]
    for metric, values in ((novelty, bits), (mean_popularity, popularity)):
        expected = [np.mean([values[i] for i in items_of(row)]) if items_of(row) else math.nan for row in lists]
        np.testing.assert_allclose(metric(lists, popularity, average=False), expected, atol=1e-12)


@pytest.mark.parametrize("as_matrix", [np.asarray, sp.csr_array])
@settings(deadline=None)
@given(lists=LISTS, seed=st.integers(0, 99))
def test_diversity_equals_its_definition(as_matrix, lists, seed):
    vectors = np.random.default_rng(seed).standard_normal((N, 3))
    vectors[0] = 0
    expected = []
    for row in lists:
        distances = []
        for a, b in combinations(vectors[items_of(row)], 2):
            norms = np.linalg.norm(a) * np.linalg.norm(b)
            distances.append(1 - (a @ b / norms if norms else 0))
        expected.append(np.mean(distances) if distances else math.nan)
    np.testing.assert_allclose(intra_list_diversity(lists, as_matrix(vectors), average=False), expected, atol=1e-12)


def test_diversity_does_not_depend_on_the_block(monkeypatch):
    rng = np.random.default_rng(0)
    lists, vectors = rng.permuted(np.tile(np.arange(N), (20, 1)), axis=1)[:, :3], rng.standard_normal((N, 4))
    whole = intra_list_diversity(lists, vectors, average=False)
    monkeypatch.setattr(_beyond_accuracy, "_QUERIES_A_BLOCK", 3)
    np.testing.assert_allclose(intra_list_diversity(lists, vectors, average=False), whole)


@settings(deadline=None)
@given(LISTS, st.integers(1, N))
def test_personalisation_equals_its_definition(lists, k):
    sets = [set(items_of(row[:k])) for row in lists]
    expected = []
    for i, one in enumerate(sets):
        others = [other for j, other in enumerate(sets) if j != i and other]
        cosines = [len(one & other) / math.sqrt(len(one) * len(other)) for other in others] if one else []
        expected.append(1 - np.mean(cosines) if cosines else math.nan)
    np.testing.assert_allclose(personalisation(lists, k=k, average=False), expected, atol=1e-12)
    if not np.isnan(expected).all():
        assert personalisation(lists, k=k) == pytest.approx(np.nanmean(expected))


def test_personalisation_of_ids_and_repeats():
    assert personalisation([["a", "b"], ["b", None], ["a", "a"]], average=False) == pytest.approx(
        [1 - math.sqrt(0.5), 1 - math.sqrt(0.5) / 2, 1 - math.sqrt(0.5) / 2]
    )
    assert personalisation([[1, 2]] * 4) == pytest.approx(0.0, abs=1e-12)
    assert personalisation([[1, 2], [3, 4]]) == 1.0
    with pytest.warns(UndefinedMetricWarning, match="no two lists"):
        assert math.isnan(personalisation([["a"], [None]]))


def test_ids_do_for_coverage_and_gini_and_k_cuts():
    lists = [["a", "b"], ["c", None]]
    assert catalogue_coverage(lists, 4) == 0.75
    assert catalogue_coverage(lists, 4, k=1) == 0.5
    assert gini_index(lists, 4) == pytest.approx(0.25)


def test_takes_recommendations():
    recommender = PopularRecommender().fit(np.array([[1, 10], [2, 10], [2, 20], [3, 30]]))
    lists = recommender.recommend(k=2)
    assert catalogue_coverage(lists, 3) == 1.0
    assert mean_popularity(lists, recommender.popularity_) == np.mean([1.0, 1.0, 1.5])


@pytest.mark.parametrize("metric", [novelty, mean_popularity, gini_index, intra_list_diversity])
def test_nothing_recommended_is_nan_with_a_warning(metric):
    second = 3 if metric is gini_index else np.ones((3, 2)) if metric is intra_list_diversity else [1, 2, 3]
    with pytest.warns(UndefinedMetricWarning, match="undefined"):
        assert math.isnan(metric([[-1, -1]], second))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: novelty([["a"]], [1, 2]), TypeError, "integer codes"),
        (lambda: novelty([[2]], [1, 2]), ValueError, "popularity has 2 items"),
        (lambda: novelty([[1]], [0, 0]), ValueError, "0 for every item"),
        (lambda: mean_popularity([[1]], [1, -1]), ValueError, "at least 0"),
        (lambda: mean_popularity([[1]], [1, np.nan]), ValueError, "NaN"),
        (lambda: catalogue_coverage([["a", "b"]], 1), ValueError, "more than n_items=1"),
        (lambda: intra_list_diversity([[0, 9]], np.eye(3)), ValueError, "vectors has 3 items"),
    ],
)
def test_bad_input_says_what_to_write(call, error, message):
    with pytest.raises(error, match=message):
        call()
