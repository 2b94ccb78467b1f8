"""FallbackRecommender: who answers a query, and who fills its list."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator

from skrec.compose import FallbackRecommender, FusionRecommender
from skrec.compose._filled_lists import FilledLists
from skrec.compose._query_options import QueryOptions
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.exceptions import PartFailureWarning, UnsupportedArgumentError
from skrec.interactions import FeatureTable, IdIndex
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.testing._data import checkerboard, item_table, text_encoder

FEW = [[1, 10], [1, 20], [2, 20], [2, 30]]
MORE = [[3, 30], [3, 40], [4, 40], [4, 50], [1, 50]]


class Broken(PopularRecommender):
    """Fits, and fails at every request."""

    def recommend(self, users=None, k=10, **options):
        raise RuntimeError("the server of this part is gone")


def frozen(rec, X, **tables):
    return FrozenEstimator(rec.fit(X, **tables))


def fallback(*parts):
    return FallbackRecommender([(f"part{number}", part) for number, part in enumerate(parts)])


@pytest.fixture
def two():
    """Parts with different catalogues and users."""
    return fallback(frozen(PopularRecommender(), FEW), frozen(PopularRecommender(), MORE)).fit(FEW)


def test_the_first_part_that_knows_the_user_answers(two):
    found = two.recommend([2, 3, 99], k=1)
    assert_array_equal(found.items, [[10], [50], [40]])
    assert found.report["answered"] == {"part0": 1, "part1": 2}
    assert found.report["filled"] == {"part0": 0, "part1": 0}


def test_lists_are_filled_from_the_next_without_repeats(two):
    found = two.recommend([2, 3, 99], k=5, exclude_seen=False)
    assert_array_equal(found.items[0], [20, 10, 30, 40, 50])
    assert_array_equal(found.items[1], [40, 50, 30, 20, 10])
    assert_array_equal(found.items[2], [40, 50, 30, 20, 10])
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert found.report["filled"] == {"part0": 2, "part1": 1}
    assert_array_equal(two.recommend([2], k=5).items[0], [10, 40, 50, None, None])  # seen by any log


def test_a_history_makes_a_user_known(two):
    found = two.recommend([98, 99], k=1, history=[[98, 10], [99, 50], [99, 77]])
    assert_array_equal(found.items, [[20], [40]])
    assert found.report["answered"] == {"part0": 1, "part1": 1}


def test_features_make_a_user_known_to_a_part_that_reads_them():
    X = checkerboard()
    table = FeatureTable((np.arange(26), np.column_stack([np.arange(26) % 2, 1 - np.arange(26) % 2]).astype(float)))
    hybrid = HybridMFRecommender(n_factors=2, max_iter=2, random_state=0)
    rec = fallback(hybrid, PopularRecommender()).fit(X, user_features=table)
    assert rec.recommend([25, 30], k=1).report["answered"] == {"part0": 1, "part1": 1}
    told = rec.recommend([30, 31, 32], k=1, user_features=([31, 30], [[1.0, 0.0], [0.0, 1.0]]))
    assert told.report["answered"] == {"part0": 2, "part1": 1}
    rows = rec.recommend([30, 31], k=1, user_features=[[1.0, 0.0], [0.0, 1.0]])
    assert rows.report["answered"] == {"part0": 2, "part1": 0}
    nested = fallback(FusionRecommender([("hybrid", hybrid)]), PopularRecommender()).fit(X, user_features=table)
    assert nested.recommend([25, 30], k=1).report["answered"] == {"part0": 1, "part1": 1}


def test_an_encoder_parameter_alone_does_not_make_a_user_known():
    X, table = checkerboard(), ([31, 30], [[1.0, 0.0], [0.0, 1.0]])
    users = FeatureTable((np.arange(26), np.column_stack([np.arange(26) % 2, 1 - np.arange(26) % 2]).astype(float)))
    hybrid = HybridMFRecommender(n_factors=2, max_iter=2, random_state=0)
    without, with_table = frozen(hybrid, X), FrozenEstimator(clone(hybrid).fit(X, user_features=users))
    wrapped = FusionRecommender([("hybrid", without)])
    for first in (without, wrapped):
        rec = fallback(first, with_table).fit(X)
        found = rec.recommend([30, 31, 32], k=1, user_features=table)
        assert found.report["answered"] == {"part0": 0, "part1": 3}
        assert rec.recommend([25], k=1).report["answered"] == {"part0": 0, "part1": 1}  # a row of fit, no event
    with pytest.raises(UnsupportedArgumentError, match="user_features"):
        fallback(without, PopularRecommender()).fit(X).recommend([30], k=1, user_features=table)


def test_pairs_go_to_the_part_that_knows_both(two):
    first, second = two.recommenders_
    pairs = [[2, 10], [2, 50], [3, 10], [3, 40], [99, 20], [99, 77]]
    expected = [first, second, first, second, first, second]
    assert_array_equal(
        two.predict(pairs), [part.predict([pair])[0] for part, pair in zip(expected, pairs, strict=True)]
    )
    frame = pd.DataFrame({"item": [10, 50], "user": [2, 3]})
    named = fallback(PopularRecommender(), PopularRecommender()).fit(pd.DataFrame(FEW, columns=["user", "item"]))
    assert_array_equal(named.predict(frame[["user", "item"]]), named.recommenders_[0].predict(frame[["user", "item"]]))


def test_similar_items_come_from_the_part_that_knows_the_item():
    first = frozen(ItemKNNRecommender(), [[1, 10], [1, 20], [2, 20], [2, 30], [2, 10]])
    second = frozen(ItemKNNRecommender(), [[1, 40], [1, 50], [2, 50], [2, 40]])
    rec = fallback(frozen(PopularRecommender(), [[1, 50]]), first, second).fit(FEW)
    found = rec.similar_items([50, 10, 50], k=2)
    assert_array_equal(found.items[[0, 2], 0], [40, 40])
    assert set(found.items[1]) == {20, 30}
    assert "source_item" in found.to_frame().columns
    with pytest.raises(KeyError, match="unknown item"):
        rec.similar_items([77])
    assert_array_equal(rec.similar_items([50], k=1).items, [[40]])


def test_explanations_come_from_the_part_that_answers(two):
    why = two.explain([2, 3, 3], [10, 40, 10])
    assert_array_equal(why.user, [2, 3, 3])
    assert_array_equal(why.item, [10, 40, 10])
    assert [reasons[0].rank for reasons in why.evidence] == [2, 1, 2]
    assert_array_equal(two.explain([3], [40, 10]).user, [3, 3])
    with pytest.raises(KeyError, match="unknown item"):
        two.explain([2], [77])


def test_a_part_that_fails_is_skipped():
    rec = fallback(Broken(), PopularRecommender()).fit(FEW)
    with pytest.warns(PartFailureWarning, match="the server of this part is gone"):
        found = rec.recommend([1, 2, 99], k=3, exclude_seen=False)
    assert (found.codes >= 0).all()
    assert found.report["failures"] == {"part0": "RuntimeError: the server of this part is gone"}
    assert found.report["answered"] == {"part0": 0, "part1": 3}
    with pytest.raises(RuntimeError, match="the server"):
        fallback(Broken()).fit(FEW).recommend([1])


def test_what_a_part_cannot_use_is_told_and_refused_only_where_none_can():
    X = checkerboard()
    table = pd.DataFrame({"item": range(16), "text": [f"text number {item}" for item in range(16)]})
    knn = FrozenEstimator(EmbeddingKNNRecommender(item_encoder=text_encoder()).fit(X, item_features=table))
    rec = fallback(PopularRecommender(), knn).fit(X)
    found = rec.recommend([0], k=2, request="text number 7", exclude_seen=False)
    assert found.report["not_used"] == {"part0": ["request"]}
    with pytest.raises(UnsupportedArgumentError, match="cannot read text"):
        fallback(PopularRecommender(), ItemKNNRecommender()).fit(X).recommend([0], request="seven")


def test_candidates_that_a_part_lacks_do_not_make_it_fail(two):
    found = two.recommend([1, 2, 2], k=2, candidates=[[40], [30, 50, 77], [10]], exclude_seen=False)
    assert_array_equal(found.items, [[40, None], [30, 50], [10, None]])
    assert found.report["failures"] == {}


def test_partial_fit_makes_users_known():
    rec = fallback(ItemKNNRecommender(), PopularRecommender()).fit(FEW)
    assert rec.recommend([9], k=1).report["answered"] == {"part0": 0, "part1": 1}
    rec.partial_fit([[9, 10], [9, 60]])
    assert rec.recommend([9], k=1).report["answered"] == {"part0": 1, "part1": 0}
    assert rec._known_items.shape == (4, 2)


class Contract(BaseEstimator):
    """The public contract and no more: lists as a pair, no seen_items."""

    def fit(self, X, y=None):
        self.users_, self.items_ = np.array([1, 2]), np.array([10, 20, 30])
        self.n_features_in_ = 2
        return self

    def recommend(self, users=None, k=10, **options):
        items = np.array([[30, 20, 10][:k]] * len(users), dtype=object)
        return items, np.arange(items.size, 0.0, -1).reshape(items.shape)

    def predict(self, X):
        return np.zeros(len(X))


def test_a_part_with_the_contract_alone():
    rec = fallback(frozen(PopularRecommender(), MORE), Contract()).fit(FEW)
    found = rec.recommend([2, 3], k=3, exclude_seen=False)
    assert_array_equal(found.items, [[30, 20, 10], [40, 50, 30]])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lists_are_filled_as_one_row_at_a_time(data):
    """Against a loop over the rows."""
    n_items, k, n = 7, data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    lists, twin = FilledLists(n, k, n_items), [[] for _ in range(n)]
    for _ in range(3):
        rows = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))))
        new = [data.draw(st.permutations(range(n_items)))[: data.draw(st.integers(0, 4))] for _ in rows]
        codes, scores = np.full((len(rows), 4), -1, np.int32), np.full((len(rows), 4), -np.inf, np.float32)
        for at, items in enumerate(new):
            codes[at, : len(items)] = items
            scores[at, : len(items)] = np.sort(np.random.default_rng(at).normal(size=len(items)))[::-1]
            row = twin[rows[at]]
            row += [item for item in items if item not in row][: k - len(row)]
        lists.add(rows, codes, scores)
    assert [row[row >= 0].tolist() for row in lists.codes] == twin
    assert lists.lengths.tolist() == [len(row) for row in twin]
    assert np.isfinite(lists.scores[lists.codes >= 0]).all()
    assert all((np.diff(row[row > -np.inf]) <= 0).all() for row in lists.scores)


def test_options_are_taken_apart_by_query():
    users = np.array(["a", "b", "a", "c"], dtype=object)
    frame = pd.DataFrame({"name": ["c", "a"], "age": [3.0, 1.0]})
    options = {
        "context": pd.DataFrame({"hour": [1, 2, 3, 4]}),
        "request": ["one", None, "three", " "],
        "candidates": [[1], [2, 3], [1, 99], [3]],
        "user_features": FeatureTable(frame),
        "history": [["a", 1]],
        "exclude": None,
    }
    queries = QueryOptions.of(users, options, IdIndex(np.array([1, 2, 3])), "name")
    assert queries.feature_row.tolist() == [1, -1, 1, 0]
    taken = queries.take(np.array([2, 1])).arguments()
    assert taken["context"]["hour"].tolist() == [3, 2]
    assert taken["request"] == ["three", None]
    assert [ids.tolist() for ids in taken["candidates"]] == [[1], [2, 3]]
    assert taken["history"] == [["a", 1]]
    assert "user_features" in taken
    assert "user_features" not in queries.take(np.array([1])).arguments()
    assert queries.is_candidate(np.array([0, 0, 0, 2])).tolist() == [True, False, True, True]
    assert queries.among(np.array([True, False, False])).n_candidates().tolist() == [1, 0, 1, 0]
    rows = QueryOptions.of(users, {"user_features": np.eye(4), "context": [[5.0]]}, IdIndex(np.array([1])))
    assert rows.take(np.array([3])).arguments()["user_features"].tolist() == [[0, 0, 0, 1]]
    assert rows.take(np.array([3])).arguments()["context"] == [[5.0]]
    with pytest.raises(ValueError, match="2 texts for 4 users"):
        QueryOptions.of(users, {"request": ["a", "b"]}, IdIndex(np.array([1])))


def test_random_parts_and_cold_items_stay_in_the_lists():
    rec = fallback(RandomRecommender(random_state=0), ItemKNNRecommender())
    rec.fit(checkerboard(), item_features=item_table())
    assert rec._known_items.sum(axis=0).tolist() == [16, 18]
    assert (rec.recommend(k=18, exclude_seen=False).codes >= 0).all()
