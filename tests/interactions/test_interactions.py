"""Tables in, codes out."""

from itertools import pairwise
from unittest.mock import patch

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skrec.interactions import (
    FeatureTable,
    Histories,
    IdIndex,
    Interactions,
    read_events,
    read_features,
    read_target,
)
from skrec.interactions._columns import factorize

IDS = st.one_of(
    hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(-5, 5)),
    hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(-(10**15), 10**15)),
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6)),
    st.lists(st.text(max_size=3), min_size=1, max_size=40).map(lambda x: np.array(x, dtype=object)),
)


def _interactions(X, y=None):
    events = read_events(X)
    return Interactions.from_events(events, read_target(y, len(events), feedback="implicit"))


@given(IDS)
def test_factorize_is_unique_with_inverse(ids):
    uniques, codes = factorize(ids, "ids")
    assert uniques[codes].tolist() == ids.tolist()
    assert uniques.tolist() == sorted(set(ids.tolist()))


@given(IDS)
def test_factorize_agrees_over_frame_libraries(ids):
    expected, codes = factorize(ids, "ids")
    values = ids.tolist()
    for column in (
        pd.Series(values),
        pl.Series(values),
        pa.chunked_array([values[:1], values[1:]], type=pa.array(values).type),
    ):
        uniques, found = factorize(nw.from_native(column, series_only=True), "ids")
        assert uniques.tolist() == expected.tolist()
        assert found.tolist() == codes.tolist()


@pytest.mark.parametrize("dtype", ["category", "string", "str", "object", "string[pyarrow]"])
def test_pandas_text_columns(dtype):
    X = pd.DataFrame({"user": pd.Series(["b", "a", "b"]).astype(dtype), "item": [1, 2, 3]})
    data = _interactions(X)
    assert data.user_index.values.tolist() == ["a", "b"]
    assert data.users.tolist() == [1, 0, 1]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["z", "b", "a"]), pl.String])
def test_polars_text_columns(dtype):
    data = _interactions(pl.DataFrame({"user": pl.Series(["b", "a", "b"], dtype=dtype), "item": [1, 2, 3]}))
    assert data.user_index.values.tolist() == ["a", "b"]
    assert data.users.tolist() == [1, 0, 1]


def test_a_list_of_unlike_ids_keeps_their_types():
    data = _interactions([[1, "a"], [2, "b"], [1, "b"]])
    assert data.user_index.values.tolist() == [1, 2]
    assert data.item_index.values.tolist() == ["a", "b"]


def test_integer_column_names():
    data = _interactions(pd.DataFrame([[7, 1], [8, 2], [7, 3]]))
    assert data.user_index.values.tolist() == [7, 8]
    assert len(data) == 3


class TestTimestamp:
    X = pd.DataFrame({"timestamp": [3, 1, 2, 1], "user": [1, 1, 1, 1], "item": [30, 10, 20, 11]})

    def test_it_orders_events_and_equal_times_keep_row_order(self):
        data = _interactions(self.X, [3.0, 1.0, 2.0, 1.5])
        assert data.item_index.values[data.items].tolist() == [10, 11, 20, 30]
        assert data.y.tolist() == [1.0, 1.5, 2.0, 3.0]
        assert data.histories.timestamp.tolist() == [1, 1, 2, 3]

    @pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
    @pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
    def test_date_times_are_seconds(self, convert, zone):
        times = (
            pd.to_datetime(["2020-01-01 00:00:01", "1970-01-01 00:00:00"]).tz_localize("UTC").tz_convert(zone or "UTC")
        )
        times = times if zone else times.tz_localize(None)
        table = read_events(convert(pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": times})))
        assert table.timestamp.tolist() == [1577836801.0, 0.0]

    @pytest.mark.parametrize("times", [[1, 2, np.nan, 3], [1, 2, np.inf, 3], pd.to_datetime(["2020-01-01", None] * 2)])
    def test_missing_is_an_error(self, times):
        with pytest.raises(ValueError, match="timestamp"):
            read_events(self.X.assign(timestamp=times))

    def test_text_is_an_error(self):
        with pytest.raises(TypeError, match="numbers or date-times"):
            read_events(self.X.assign(timestamp=["a", "b", "c", "d"]))


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (np.zeros((3, 1)), ValueError, "1 feature"),
        (np.zeros((0, 2)), ValueError, "0 sample"),
        (pd.DataFrame({"user": [1]}), ValueError, "1 feature"),
        (pd.DataFrame({"user": [], "item": []}), ValueError, "0 sample"),
        (np.zeros(3), ValueError, "1D array"),
        (np.array([[1j, 2]]), ValueError, "Complex"),
        (sp.csr_array(np.eye(3)), TypeError, "[Ss]parse"),
        (np.array([[1, {"a": 1}]], dtype=object), TypeError, "hashable scalar"),
        (np.array([[1, (1, 2)], [1, 3]], dtype=object), TypeError, "tuple"),
        ([[1, None]], ValueError, "None"),
        ([[1.0, np.nan]], ValueError, "NaN"),
        ([[np.inf, 1.0]], ValueError, "infinity"),
        (np.array([["a", np.nan]], dtype=object), ValueError, "NaN"),
        (pd.DataFrame({"user": ["a", None], "item": [1, 2]}), ValueError, "missing"),
        (pl.DataFrame({"user": ["a", None], "item": [1, 2]}), ValueError, "missing"),
        (pd.DataFrame({"user": pd.to_datetime(["2020-01-01"]), "item": [1]}), TypeError, "date-times"),
        (pd.DataFrame({"user": [1], "item": [2], "Rating": [3]}), ValueError, "pass it as y"),
        (pl.DataFrame({"user": [1], "item": [2]}).lazy(), TypeError, "collect"),
    ],
)
def test_bad_events(X, kind, message):
    with pytest.raises(kind, match=message):
        _interactions(X)


@pytest.mark.parametrize(
    "bad", [[1.0], [1.0, np.nan], [1.0, np.inf], [1.0, -1.0], ["a", "b"], [[1.0, 2.0], [1.0, 2.0]]]
)
def test_bad_targets(bad):
    with pytest.raises(ValueError, match=r"."):
        _interactions([[1, 2], [3, 4]], bad)


def test_explicit_targets_may_be_negative():
    assert read_target([-1.0, 2.0], 2, feedback="explicit").tolist() == [-1.0, 2.0]


class TestIdIndex:
    def test_codes_and_decode(self):
        index = IdIndex(np.array([10, 20, 30]))
        assert index.codes([30, 5, 10.0], "ids").tolist() == [2, -1, 0]
        assert index.decode(np.array([0, 2])).dtype == index.values.dtype
        assert index.decode(np.array([0, -1])).tolist() == [10, None]

    def test_extended_keeps_codes(self):
        index = IdIndex(np.array(["b", "c"], dtype=object)).extended(np.array(["a", "c"], dtype=object))
        assert index.values.tolist() == ["b", "c", "a"]
        assert index.codes(["a", "b"], "ids").tolist() == [2, 0]

    @pytest.mark.parametrize(("fitted", "asked"), [([1, 2], ["1", "2"]), (["1", "2"], [1, 2])])
    def test_the_other_kind_is_a_type_error(self, fitted, asked):
        with pytest.raises(TypeError, match="fitted"):
            IdIndex(np.array(fitted)).codes(asked, "ids")

    def test_one_known_id_is_enough(self):
        assert IdIndex(np.array([1, 2])).codes([2, 99], "ids").tolist() == [1, -1]
        assert IdIndex(np.array([1, 2])).codes([98, 99], "ids").tolist() == [-1, -1]

    @pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
    @pytest.mark.parametrize("step", [1, 2, 90])
    def test_integers_are_found_whether_they_lie_close_together_or_not(self, dtype, step):
        fitted = np.random.default_rng(0).permutation(np.arange(-3, 4) * (step if dtype != np.int8 else 1) + 5)
        ends = np.iinfo(dtype)
        asked = np.concatenate([np.arange(-100, 101, dtype=dtype), np.array([ends.min, ends.max], dtype), [7, 7]])
        expected = [{value: code for code, value in enumerate(fitted.tolist())}.get(i, -1) for i in asked.tolist()]
        assert IdIndex(fitted).codes(asked.astype(dtype), "ids").tolist() == expected


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, 4), st.integers(0, 9)), max_size=30).map(
            lambda e: (n, e)
        )
    )
)
def test_histories_group_take_and_join(case):
    n, events = case
    rows, items, times = (np.array([e[j] for e in events], dtype=np.int64) for j in range(3))
    order = np.argsort(times, kind="stable")
    grouped = Histories.group(rows[order], items[order], times[order].astype(float), times[order], n)
    expected = [[(i, t) for r, i, t in sorted(events, key=lambda e: e[2]) if r == row] for row in range(n)]

    def as_lists(histories):
        ends = histories.indptr
        return [
            list(zip(histories.items[a:b].tolist(), histories.timestamp[a:b].tolist(), strict=True))
            for a, b in pairwise(ends)
        ]

    assert as_lists(grouped) == expected
    picked = np.array([n - 1, -1, 0])
    assert as_lists(grouped.take(picked)) == [expected[n - 1], [], expected[0]]
    assert as_lists(grouped.block(0, n - 1)) == expected[: n - 1]
    joined = grouped.followed_by(grouped)
    for joined_row, row in zip(as_lists(joined), expected, strict=True):
        assert sorted(joined_row) == sorted(row + row)
        assert [time for _, time in joined_row] == sorted(time for _, time in row + row)
    assert grouped.steps_back().tolist() == [len(e) - 1 - j for e in expected for j in range(len(e))]
    dense = np.zeros((n, 5))
    for row, item, time in events:
        dense[row, item] += time
    assert np.allclose(grouped.to_csr(5).toarray(), dense)


def test_last_rating_counts():
    data = _interactions(pd.DataFrame({"u": [1, 1, 1], "i": [5, 5, 6], "timestamp": [2, 1, 3]}), [4.0, 1.0, 0.0])
    assert data.last_rating().toarray().tolist() == [[4.0, 0.0]]
    assert data.to_csr().toarray().tolist() == [[5.0, 0.0]]


class TestFeatures:
    def test_three_forms(self):
        frame = pd.DataFrame({"item": ["a", "b"], "x": [1.0, 2.0]})
        for table in (frame, pl.from_pandas(frame), (["a", "b"], [[1.0], [2.0]]), FeatureTable(frame)):
            features = read_features(table, "item_features")
            assert list(features.ids) == ["a", "b"]
            assert np.asarray(features.values).tolist() == [[1.0], [2.0]]

    @pytest.mark.parametrize(
        ("table", "kind", "message"),
        [
            (pd.DataFrame({"item": [1, 1], "x": [1, 2]}), ValueError, "duplicate ids, as 1"),
            (pd.DataFrame({"item": [1, 2]}), ValueError, "at least one feature"),
            (pd.DataFrame({"item": [1, None], "x": [1, 2]}), ValueError, "NaN|missing"),
            (([1, 2], [[1.0]]), ValueError, "one row per id"),
            (([1, 2], [1.0, 2.0]), ValueError, "two dimensions"),
            (pd.DataFrame({"item": [], "x": []}), ValueError, "no rows"),
            ({"item": [1]}, TypeError, "FeatureTable"),
            (np.eye(2), TypeError, "FeatureTable"),
        ],
    )
    def test_bad_tables(self, table, kind, message):
        with pytest.raises(kind, match=message):
            read_features(table, "item_features")

    def test_a_feature_table_looks_like_no_array(self):
        table = FeatureTable(pd.DataFrame({"item": [1], "x": [1.0]}))
        assert not any(hasattr(table, name) for name in ("__len__", "shape", "__array__"))


class TestLargeIds:
    big = 2**60

    def test_integers_of_the_other_sign_are_compared_exactly(self):
        index = IdIndex(np.array([self.big + 1, self.big + 2], dtype=np.uint64))
        assert index.codes(np.array([self.big + 2, self.big + 3], dtype=np.int64), "ids").tolist() == [1, -1]
        with pytest.raises(ValueError, match="stands for several integers"):
            index.codes(np.array([float(self.big)]), "ids")

    def test_extension_keeps_the_dtype_and_every_id(self):
        index = IdIndex(np.array([self.big + 1, self.big + 2]))
        for new in (np.array([7], dtype=np.uint64), np.array([7.0])):
            grown = index.extended(new)
            assert grown.values.dtype == np.int64
            assert grown.values.tolist() == [self.big + 1, self.big + 2, 7]
        assert index.extended(np.array([0.5])).values.tolist() == [self.big + 1, self.big + 2, 0.5]

    def test_lists_and_objects_do_not_round(self):
        X = [[2**53, 1, 0.5], [2**53 + 1, 2, 0.5]]
        assert _interactions(X).user_index.values.tolist() == [2**53, 2**53 + 1]
        X = np.array([[2**63, 1], [2**63 + 1, 2], [-1, 3]], dtype=object)
        assert _interactions(X).user_index.values.tolist() == [-1, 2**63, 2**63 + 1]

    def test_compact_unsigned_ids(self):
        ids = 2**63 + np.array([3, 1, 3], dtype=np.uint64)
        data = _interactions(np.column_stack([ids, ids]))
        assert data.users.tolist() == [1, 0, 1]
        assert data.user_index.values.tolist() == [2**63 + 1, 2**63 + 3]


def test_numpy_scalars_in_object_columns_are_plain_ids():
    X = np.array([["u1", np.int64(10)], ["u2", np.int64(20)]], dtype=object)
    data = _interactions(X)
    assert data.item_index.values.dtype.kind == "i"
    with pytest.raises(TypeError, match=r"fitted|in fit"):
        data.item_index.codes(["10"], "ids")
    for bad in (np.float32("inf"), np.datetime64("2020-01-01"), np.complex64(1)):
        with pytest.raises((TypeError, ValueError), match=r"inf|hashable"):
            _interactions(np.array([["u1", bad], ["u2", 1.0]], dtype=object))


def test_targets_beyond_float32_are_an_error():
    with pytest.raises(ValueError, match="rescale y"):
        read_target([1.0, 1e39], 2, feedback="implicit")


def test_targets_that_are_all_but_zero_are_an_error():
    with pytest.raises(ValueError, match=r"y is 2e-40 at most.*rescale y"):
        read_target([0.0, 2e-40], 2, feedback="implicit")
    assert read_target([0.0, 0.0], 2, feedback="implicit").tolist() == [0.0, 0.0]
    assert read_target([1e-40, 1.0], 2, feedback="implicit")[1] == 1.0


@given(
    st.lists(st.integers(-(2**62), 2**62) | st.integers(-50, 50), min_size=1, max_size=40),
    st.sampled_from(["int64", "int32", "uint64"]),
)
def test_integers_are_numbered_in_order_whatever_their_range(values, dtype):
    ids = np.array(values).astype(dtype)
    uniques, codes = factorize(ids, "ids")
    np.testing.assert_array_equal(uniques, np.unique(ids))
    np.testing.assert_array_equal(uniques[codes], ids)
    assert uniques.dtype == ids.dtype


@given(
    seed=st.integers(0, 10_000),
    n_old=st.integers(0, 25),
    n_new=st.integers(0, 8),
    timed=st.sampled_from(["no", "yes", "new"]),
    few_rows=st.sampled_from([-1, 2, 4]),
)
def test_later_events_follow_by_time(seed, n_old, n_new, timed, few_rows):
    rng = np.random.default_rng(seed)

    def drawn(n, *, has_times):
        rows, items, y = rng.integers(0, 4, n), rng.integers(0, 9, n), rng.integers(1, 9, n)
        return rows, items, y, np.sort(rng.integers(0, 6, n)) if has_times else None

    old, new = drawn(n_old, has_times=timed == "yes"), drawn(n_new, has_times=timed != "no")
    with patch("skrec.interactions._histories._FEW_ROWS", few_rows):
        got = Histories.group(*old, 4).followed_by(Histories.group(*new, 4))
    events = [np.concatenate([a, b]) for a, b in zip(old[:3], new[:3], strict=True)]
    times = None
    if timed == "yes" or (timed == "new" and not n_old):
        times = np.concatenate([np.zeros(0, int) if old[3] is None else old[3], new[3]])
        order = np.argsort(times, kind="stable")
        events, times = [one[order] for one in events], times[order]
    expected = Histories.group(*events, times, 4)
    for name in ("indptr", "items", "y"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
        assert getattr(got, name).dtype == getattr(expected, name).dtype
    if times is not None:
        np.testing.assert_array_equal(got.timestamp, expected.timestamp)
    elif n_new:
        assert got.timestamp is None
