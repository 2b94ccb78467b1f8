"""ReservedPlacesReranker: lists hold so many items of each group."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skrec.compose import FilterRule, ReservedPlacesReranker
from skrec.compose._reserved_places import _chosen
from skrec.dummy import PopularRecommender
from skrec.interactions import FeatureTable
from skrec.neighbors import ItemKNNRecommender


def popular(n_items=12):
    """Events by which item 0 is the most popular, and item ``n_items - 1`` the least."""
    return [[user, item] for item in range(n_items) for user in range(n_items - item)]


def reserve(reserved, groups=None, **params):
    return ReservedPlacesReranker(PopularRecommender(), reserved, groups=groups, **params).fit(popular())


def test_a_list_keeps_its_order_and_its_length():
    rec = reserve({"a": 2}, {"a": [7, 9, 11]})
    found = rec.recommend([99], k=5)
    assert found.items.tolist() == [[0, 1, 2, 7, 9]]
    assert (np.diff(found.scores) <= 0).all()
    assert found.report["in_group"] == {"a": 2}
    assert found.report["n_short"] == {"a": 0}
    assert rec.set_params(groups={"a": [1, 3]}).recommend([99], k=5).items.tolist() == [[0, 1, 2, 3, 4]]
    assert rec.set_params(reserved={"a": 0}).recommend([99], k=3).items.tolist() == [[0, 1, 2]]


def test_places_go_back_where_a_group_has_too_few():
    rec = reserve({"a": 3}, {"a": [8]})
    assert rec.recommend([99], k=4).items.tolist() == [[0, 1, 2, 8]]
    gone = rec.recommend([99], k=4, exclude=[[99, 8]])
    assert gone.items.tolist() == [[0, 1, 2, 3]]
    assert gone.report["n_short"] == {"a": 1}
    assert rec.recommend([99], k=3, candidates=[1, 2, 3, 4]).items.tolist() == [[1, 2, 3]]
    assert rec.set_params(groups={"a": [777]}).recommend([99], k=2).items.tolist() == [[0, 1]]


def test_items_beyond_the_retrieved_list_are_asked_for():
    rec = reserve({"a": 2, "b": 1}, {"a": [9, 11], "b": [10]}, n_candidates=4)
    found = rec.recommend([99, 0, 98], k=4, candidates=[[0, 1, 2, 3, 9, 10, 11], list(range(12)), [0, 1, 2, 3, 4, 10]])
    assert found.items[0].tolist() == [0, 9, 11, 10]
    assert found.items[2].tolist() == [0, 1, 2, 10]
    assert (np.diff(found.scores[[0, 2]]) <= 0).all()
    assert found.report["n_short"] == {"a": 2, "b": 1}, "user 0 has seen all, and nobody's list has both"


def test_shares_and_groups_that_come_first():
    rec = reserve({"a": 0.5, "b": 3}, {"a": [8, 9, 10], "b": [9, 11]})
    assert rec.recommend([99], k=4).items.tolist() == [[0, 8, 9, 11]]
    assert rec.recommend([99], k=2).items.tolist() == [[8, 9]]


def test_groups_by_columns_and_by_age():
    table = pd.DataFrame({"item": range(12), "shelf": ["x"] * 10 + ["y", None]})
    times = [float(item) for _, item in popular()]
    X = pd.DataFrame(popular(), columns=["user", "item"]).assign(timestamp=times)
    rec = ReservedPlacesReranker(PopularRecommender(), {"y": 1}, groups={"y": FilterRule("shelf", "==", "y")})
    rec.fit(X, item_features=FeatureTable(table))
    assert rec.recommend([99], k=3).items.tolist() == [[0, 1, 10]]
    rec.set_params(groups={"y": FilterRule("time_since_first_event", "<", 1)})
    assert rec.recommend([99], k=3).items.tolist() == [[0, 1, 11]]
    rec.partial_fit(pd.DataFrame({"user": [50], "item": [12], "timestamp": [20.0]}))
    assert rec.recommend([99], k=3).items.tolist() == [[0, 1, 12]]
    rec.set_params(groups={"y": FilterRule("shelf", "==", "z")}, item_table=pd.DataFrame({"item": [4], "shelf": ["z"]}))
    assert rec.recommend([99], k=3).items.tolist() == [[0, 1, 4]]
    rec.set_params(groups={"y": FilterRule("shelf", "==", "z", missing="keep")})
    assert rec.recommend([99], k=3).items.tolist() == [[0, 1, 2]], "the others have no row in the table that counts"


def test_new_items_have_few_events():
    rec = ReservedPlacesReranker(PopularRecommender()).fit(popular())
    assert rec.recommend([99], k=4).items.tolist() == [[0, 1, 7, 8]]


@pytest.mark.parametrize(
    ("reserved", "groups", "message"),
    [
        ({"a": 1}, None, "say what it is"),
        ({"new": -1}, None, "at least 0"),
        ({"new": 1.5}, None, "is a share"),
        ({"new": "two"}, None, "must be a number"),
        ({"new": 1}, {"new": FilterRule("x", "==", user="y")}, "must not"),
        ({"new": 1}, {"new": FilterRule("x", "==", 1)}, "reads the column 'x'"),
        ({"new": 1}, {"new": FilterRule("time_since_first_event", "<", 1)}, "with a timestamp in X"),
    ],
)
def test_bad_groups(reserved, groups, message):
    with pytest.raises(ValueError, match=message):
        reserve(reserved, groups).recommend([1])


def test_another_base_and_its_report():
    rec = ReservedPlacesReranker(ItemKNNRecommender(), {"a": 1}, groups={"a": [11]}).fit(popular())
    found = rec.recommend([3, 11], k=3)
    assert (found.codes == 11).any(axis=1).all()
    assert found.report["recommender"] is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_places_are_given_as_in_a_loop(data):
    """Against one row, one group and one item at a time."""
    n_items, k = 8, data.draw(st.integers(1, 5))
    row = data.draw(st.permutations(range(n_items)))[: data.draw(st.integers(1, 8))]
    codes = np.array([row + [-1] * (n_items - len(row))], np.int32)
    members = [np.array(data.draw(st.lists(st.booleans(), min_size=8, max_size=8))) for _ in range(2)]
    places = [data.draw(st.integers(0, 4)) for _ in range(2)]
    chosen = set()
    for mask, n_places in zip(members, places, strict=True):
        have = sum(mask[item] for item in chosen)
        for item in row:
            if mask[item] and item not in chosen and have < n_places and len(chosen) < k:
                chosen.add(item)
                have += 1
    for item in row:
        if len(chosen) < k:
            chosen.add(item)
    assert_array_equal(codes[_chosen(codes, members, places, k)], [item for item in row if item in chosen])
