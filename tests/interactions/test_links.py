"""Tables of links between users."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.validation import _check_method_params

from skrec.interactions import IdIndex, LinkTable, read_links

PAIRS = [("ann", "bob"), ("bob", "eve")]


def dense(links):
    return links.matrix().toarray().tolist()


@pytest.mark.parametrize(
    "table",
    [
        PAIRS,
        tuple(PAIRS),
        set(PAIRS),
        iter(PAIRS),
        [list(pair) for pair in PAIRS],
        [(*pair, 1.0) for pair in PAIRS],
        np.array(PAIRS),
        np.array([(*pair, 1) for pair in PAIRS], dtype=object),
        pd.DataFrame(PAIRS, columns=["user", "friend"]),
        pl.DataFrame(PAIRS, schema=["user", "friend"], orient="row"),
        pa.table({"user": ["ann", "bob"], "friend": ["bob", "eve"]}),
        pd.DataFrame(PAIRS, dtype="category"),
    ],
    ids=lambda table: type(table).__name__,
)
def test_one_reader_of_many_kinds(table):
    bare = PAIRS if hasattr(table, "__next__") else table
    for links in (read_links(LinkTable(table)), read_links(bare)):
        assert links.user_index.values.tolist() == ["ann", "bob", "eve"]
        assert dense(links) == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]


def test_an_iterator_is_read_once_and_kept():
    table = LinkTable(iter(PAIRS))
    assert dense(read_links(table)) == dense(read_links(table))


def test_directed_links_go_one_way():
    assert dense(read_links(LinkTable(PAIRS, directed=True))) == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    table = pd.DataFrame(PAIRS, columns=["a", "b"]).assign(directed=[True, False])
    assert dense(read_links(LinkTable(table))) == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_a_link_to_oneself_is_dropped():
    links = read_links([(1, 1), (1, 2), (3, 3)])
    assert dense(links) == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_twice_in_both_directions_is_one_link():
    rows = [(1, 2, 0.5), (2, 1, 2.0), (1, 2, 1.0)]
    assert dense(read_links(rows)) == [[0, 2], [2, 0]]
    assert dense(read_links(LinkTable(rows, directed=True))) == [[0, 1], [2, 0]]


def test_a_pair_is_private_and_blocked_if_one_row_says_so():
    table = pd.DataFrame({"a": [1, 2, 1, 4], "b": [2, 1, 3, 1], "private": [0, 1, 0, 0], "blocked": [0, 0, 0, 1]})
    links = read_links(table)
    assert len(links) == 4
    assert links.public().matrix().toarray()[0].tolist() == [0, 0, 1, 0]
    assert links.blocked.tolist() == [[0, 3], [3, 0]]
    # A blocked pair has no link, whatever other rows say.
    table = pd.DataFrame({"a": [1, 2], "b": [2, 1], "blocked": [False, True], "directed": True})
    assert len(read_links(table)) == 0


@pytest.mark.parametrize(
    "table",
    [[], (), np.zeros((0, 2)), pd.DataFrame({"a": [], "b": []}), pl.DataFrame({"a": [], "b": [], "weight": []})],
)
def test_an_empty_table_is_no_link(table):
    links = read_links(LinkTable(table), events=np.zeros((0, 2)))
    assert len(links) == 0
    assert links.matrix().shape == (0, 0)
    assert links.of_users(IdIndex(np.array(["a"])), with_unknown=True).matrix().shape == (1, 1)


def test_users_without_events_are_kept_or_dropped():
    links, users = read_links([(1, 2), (2, 9)]), IdIndex(np.array([2, 1]))
    assert dense(links.of_users(users)) == [[0, 1], [1, 0]]
    known = links.of_users(users, with_unknown=True)
    assert known.user_index.values.tolist() == [2, 1, 9]
    assert dense(known) == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]


def test_a_table_as_long_as_X():
    with pytest.raises(ValueError, match=r"2 rows, as many as X.*skrec.LinkTable"):
        read_links(PAIRS, events=np.zeros((2, 2)))
    assert len(read_links(LinkTable(PAIRS), events=np.zeros((2, 2)))) == 4
    assert len(read_links(PAIRS, events=np.zeros((3, 2)))) == 4


def test_cross_validation_passes_it_whole():
    table = LinkTable(PAIRS)
    passed = _check_method_params(np.zeros((2, 2)), {"user_links": table}, indices=[0])
    assert passed["user_links"] is table


def test_weights_and_times():
    times = [datetime.date(2020, 1, 1), datetime.date(2020, 1, 11)]
    table = pl.DataFrame({"a": [1, 2], "b": [2, 3], "weight": [2.0, 0.0], "time": times})
    assert dense(read_links(table)) == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    table = table.with_columns(weight=pl.lit(1.0))
    aged = read_links(table).matrix(half_life=10 * 86400).toarray()
    assert aged.tolist() == [[0, 0.5, 0], [0.5, 0, 1], [0, 1, 0]]


def test_ids_of_another_kind():
    with pytest.raises(TypeError, match=r"number.*text"):
        read_links([(1, 2)]).of_users(IdIndex(np.array(["1", "2"])))
    with pytest.raises(TypeError, match="in the first column"):
        read_links(pd.DataFrame({"a": [1], "b": ["x"]}))


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("ann", "user_links is of type str"),
        ({"ann": "bob"}, "user_links is of type dict"),
        (3, "user_links is of type int"),
        (["ab", "cd"], "has the row 'ab'"),
        ([(1, 2), (1, 2, 3)], "has the row"),
        ([(1, 2, 3, 4)], "has the row"),
        ((np.array([1, 2]), np.array([2, 3])), "a tuple of columns"),
        (np.zeros((3, 4)), r"shape \(3, 4\)"),
        (np.zeros(3), r"shape \(3,\)"),
        ([(1, 2, -1.0)], "negative"),
        ([(1, 2, np.nan)], "weight of user_links"),
        ([(1, None)], "user_links users contain None"),
        (pd.DataFrame({"a": [1]}), "1 column"),
        (pd.DataFrame({"a": [1], "b": [2], "privat": [True]}), "column 'privat'"),
        (pd.DataFrame({"a": [1], "b": [2], "private": ["no"]}), "'no'; expected True or False"),
        (pd.DataFrame({"a": [1], "b": [2], "private": [None]}), "None; expected True or False"),
        (pd.DataFrame({"a": [1], "b": [2], "timestamp": [1], "time": [1]}), "keep one"),
        (LinkTable([(1, 2)], directed="yes"), "directed must be True or False"),
        (pl.LazyFrame({"a": [1], "b": [2]}), "lazy"),
    ],
)
def test_what_is_no_table_of_links(table, error):
    with pytest.raises((TypeError, ValueError), match=error):
        read_links(table)


def test_its_text():
    assert repr(LinkTable(LinkTable(np.zeros((2, 2)), directed=True))) == "LinkTable(ndarray of 2, directed=True)"


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([0.0, 0.5, 2.0]))), st.booleans())
def test_against_a_dictionary(rows, directed):
    twin = {}
    for a, b, weight in rows:
        for pair in [(a, b)] if directed else [(a, b), (b, a)]:
            if a != b and weight:
                twin[pair] = max(weight, twin.get(pair, 0))
    links = read_links(LinkTable(rows, directed=directed))
    ids = links.user_index.values
    pairs = zip(ids[links.source].tolist(), ids[links.target].tolist(), strict=True)
    found = dict(zip(pairs, links.weight.tolist(), strict=True))
    assert found == twin
