import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, check_cv

from skrec.dummy import PopularRecommender
from skrec.exceptions import TemporalLeakWarning
from skrec.model_selection import ColdItemSplit, ColdUserSplit, LeaveKOut, LeaveLastOut, TimeSplit

ALL = [
    TimeSplit(2),
    LeaveLastOut(),
    LeaveLastOut(2, n_splits=2),
    LeaveKOut(2, n_splits=2, random_state=0),
    ColdItemSplit(2, random_state=0),
    ColdItemSplit(2, test_size=0.4, random_state=0),
    ColdUserSplit(2, random_state=0),
    ColdUserSplit(2, test_size=1, min_events=1, random_state=0),
]
SETTINGS = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.filter_too_much])
TABLES = {
    "numpy": lambda X: X[["user", "item"]].to_numpy(),
    "pandas": lambda X: X,
    "polars": lambda X: pl.DataFrame(X.to_dict("list")),
    "pyarrow": lambda X: pa.table(X.to_dict("list")),
}


@st.composite
def logs(draw, with_time=True):
    row = st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 20))
    rows = draw(st.lists(row, min_size=8, max_size=40))
    X = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    return X if with_time and draw(st.booleans()) else X[["user", "item"]]


def splits_of(splitter, X):
    """The splits, or a discarded example where the log is too small for them."""
    try:
        return list(splitter.split(X))
    except ValueError as error:
        assume(not str(error).startswith(type(splitter).__name__))
        raise


def times_of(X):
    return X["timestamp"].to_numpy() if "timestamp" in X else np.arange(len(X))


@pytest.mark.parametrize("splitter", ALL, ids=repr)
@SETTINGS
@given(X=logs())
def test_parts_are_disjoint_sorted_rows_and_never_empty(splitter, X):
    splits = splits_of(splitter, X)
    assert len(splits) == splitter.get_n_splits(X)
    for train, test in splits:
        both = np.concatenate([train, test])
        assert len(train) > 0
        assert len(test) > 0
        assert len(np.unique(both)) == len(both)
        assert set(both) <= set(range(len(X)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


@SETTINGS
@given(X=logs(), n_splits=st.integers(1, 4), test_size=st.sampled_from([None, 1, 2, 0.1, 0.3]))
def test_time_split_leaks_nothing(X, n_splits, test_size):
    splits = splits_of(TimeSplit(n_splits, test_size=test_size), X)
    times = times_of(X)
    for train, test in splits:
        assert times[train].max() < times[test].min()
        # Whatever came before the window is trained on, so that equal times are on one side.
        assert set(train) == set(np.flatnonzero(times < times[test].min()))
    tested = np.concatenate([test for _, test in splits])
    assert len(np.unique(tested)) == len(tested)
    assert set(tested) == set(np.flatnonzero(times >= times[splits[0][1]].min()))
    if test_size == 2 or test_size == 1:
        assert len(tested) >= n_splits * test_size


@SETTINGS
@given(X=logs(), k=st.integers(1, 3))
def test_leave_last_out_takes_the_last_events_of_each_user_that_has_more(X, k):
    ((train, test),) = splits_of(LeaveLastOut(k), X)
    assert len(train) + len(test) == len(X)
    order = np.argsort(times_of(X), kind="stable")
    users = X["user"].to_numpy()
    for user in set(users):
        rows = [row for row in order if users[row] == user]
        expected = rows[-k:] if len(rows) > k else []
        assert set(test) & set(rows) == set(expected)


@SETTINGS
@given(X=logs(), k=st.integers(1, 2))
def test_earlier_leave_last_out_splits_come_from_the_training_part_of_later_ones(X, k):
    splits = splits_of(LeaveLastOut(k, n_splits=2), X)
    (train, test), (later_train, later_test) = splits
    assert set(train) | set(test) == set(later_train)
    np.testing.assert_array_equal(later_test, next(LeaveLastOut(k).split(X))[1])
    ((_, again),) = LeaveLastOut(k).split(X.iloc[later_train])
    np.testing.assert_array_equal(later_train[again], test)


@SETTINGS
@given(X=logs(), k=st.integers(1, 3), seed=st.integers(0, 20))
def test_leave_k_out_takes_k_events_of_each_user_that_has_more(X, k, seed):
    splits = splits_of(LeaveKOut(k, n_splits=3, random_state=seed), X)
    sizes = X["user"].value_counts()
    for train, test in splits:
        assert len(train) + len(test) == len(X)
        tested = X["user"].iloc[test].value_counts()
        assert (tested == k).all()
        assert set(tested.index) == set(sizes.index[sizes > k])
    again = list(LeaveKOut(k, n_splits=3, random_state=seed).split(X))
    assert all((a[1] == b[1]).all() for a, b in zip(splits, again, strict=True))


def test_leave_k_out_draws_every_event_alike():
    X = np.array([[1, item] for item in range(5)])
    tested = np.concatenate([test for _, test in LeaveKOut(2, n_splits=2000, random_state=0).split(X)])
    shares = np.bincount(tested) / 2000
    assert np.abs(shares - 2 / 5).max() < 0.05


@pytest.mark.parametrize(("Splitter", "column"), [(ColdItemSplit, "item"), (ColdUserSplit, "user")])
@SETTINGS
@given(X=logs(), test_size=st.sampled_from([None, 1, 0.5]), seed=st.integers(0, 20))
def test_cold_splits_hold_out_all_events_of_an_id(Splitter, column, X, test_size, seed):
    splits = splits_of(Splitter(2, test_size=test_size, random_state=seed), X)
    ids = X[column].to_numpy()
    for train, test in splits:
        assert len(train) + len(test) == len(X)
        assert not set(ids[train]) & set(ids[test])
        if Splitter is ColdUserSplit:
            assert (X["user"].value_counts()[list(set(ids[test]))] >= 2).all()
    if test_size is None:
        eligible = {i for i in set(ids) if Splitter is ColdItemSplit or (ids == i).sum() >= 2}
        assert sorted(np.concatenate([np.unique(ids[test]) for _, test in splits])) == sorted(eligible)


def test_users_with_one_event_stay_in_training():
    X = np.array([[1, 1], [2, 1], [2, 2], [3, 2], [3, 3], [4, 1]])
    for splitter in (LeaveLastOut(), LeaveKOut(n_splits=3, random_state=0), ColdUserSplit(2, random_state=0)):
        for train, _ in splitter.split(X):
            assert {0, 5} <= set(train)


@pytest.mark.parametrize("splitter", ALL, ids=repr)
def test_every_table_gives_the_same_splits(splitter):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"user": rng.integers(0, 8, 60), "item": rng.integers(0, 9, 60), "timestamp": np.arange(60)})
    expected = [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]
    for make in TABLES.values():
        assert [(train.tolist(), test.tolist()) for train, test in splitter.split(make(X))] == expected


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("splitter", ALL, ids=repr)
def test_as_cv_of_a_search(splitter, library):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"user": rng.integers(0, 8, 60), "item": rng.integers(0, 20, 60), "timestamp": np.arange(60)})
    assert check_cv(splitter) is splitter
    search = GridSearchCV(PopularRecommender(), {"order": ["none"]}, cv=splitter).fit(TABLES[library](X))
    assert search.n_splits_ == splitter.get_n_splits()
    assert np.isfinite(search.best_score_)
    assert repr(clone(search).cv) == repr(splitter)


def test_date_times_and_text_ids():
    X = pd.DataFrame(
        {
            "timestamp": pd.to_datetime(["2024-01-03", "2024-01-01", "2024-01-02"]),
            "user": ["a", "a", "b"],
            "item": ["x", "y", "z"],
        }
    )
    ((train, test),) = TimeSplit(1, test_size=1).split(X)
    assert (train.tolist(), test.tolist()) == ([1, 2], [0])
    ((train, test),) = LeaveLastOut().split(X)
    assert (train.tolist(), test.tolist()) == ([1, 2], [0])


def test_repr_names_the_settings():
    assert repr(TimeSplit(3, test_size=0.1)) == "TimeSplit(n_splits=3, test_size=0.1)"
    assert repr(LeaveLastOut()) == "LeaveLastOut(k=1, n_splits=1)"
    expected = "ColdUserSplit(min_events=2, n_splits=5, random_state=0, test_size=None)"
    assert repr(ColdUserSplit(random_state=0)) == expected


ONE_EACH = np.array([[1, 1], [2, 2], [3, 3]])


@pytest.mark.parametrize(
    ("splitter", "X", "message"),
    [
        (LeaveLastOut(), ONE_EACH, "no user with more than k=1 events"),
        (LeaveLastOut(n_splits=2), np.array([[1, 1], [1, 2]]), "in split 1 of 2; lower k or n_splits"),
        (LeaveKOut(2), ONE_EACH, "no user with more than k=2 events"),
        (TimeSplit(3), ONE_EACH, "Lower n_splits or test_size"),
        (TimeSplit(1, test_size=3), ONE_EACH, "needs 1 windows of 3 events"),
        (TimeSplit(1, test_size=0.01), ONE_EACH, "needs 1 windows"),
        (
            TimeSplit(1),
            pd.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3], "timestamp": [5, 5, 5]}),
            r"equal times.*1 distinct times in 3 events",
        ),
        (ColdItemSplit(5), ONE_EACH, "needs more items than the 3 in X"),
        (ColdUserSplit(2), ONE_EACH, "users with at least min_events=2 events than the 0 in X"),
        (TimeSplit(), np.empty((0, 2)), "0 sample"),
        (TimeSplit(), np.ones((4, 1)), "minimum of 2 is required"),
        (LeaveLastOut(), pd.DataFrame({"user": [1.0, np.nan], "item": [1, 2]}), "missing|NaN"),
    ],
)
def test_a_log_that_cannot_be_split_says_why(splitter, X, message):
    with pytest.raises(ValueError, match=message):
        list(splitter.split(X))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: TimeSplit(0), ValueError),
        (lambda: TimeSplit(2.0), TypeError),
        (lambda: TimeSplit(test_size=1.5), ValueError),
        (lambda: TimeSplit(test_size=0), ValueError),
        (lambda: TimeSplit(test_size=True), ValueError),
        (lambda: LeaveLastOut(0), ValueError),
        (lambda: LeaveLastOut(n_splits=0), ValueError),
        (lambda: LeaveKOut(1.0), TypeError),
        (lambda: LeaveKOut(True), TypeError),
        (lambda: ColdItemSplit(1), ValueError),
        (lambda: ColdUserSplit(min_events=0), ValueError),
    ],
)
def test_bad_settings(make, error):
    with pytest.raises(error):
        make()


@pytest.mark.filterwarnings("error")
class TestTimeSplitWithoutTimes:
    """Row order is then taken as time order, which blocks of one user or item belie."""

    @pytest.mark.parametrize("column", [0, 1])
    def test_rows_grouped_by_ids_are_warned_of(self, column):
        X = np.random.default_rng(0).integers(0, 20, (200, 2))
        grouped = X[np.argsort(X[:, column], kind="stable")]
        with pytest.warns(TemporalLeakWarning, match=f"grouped by {('user', 'item')[column]}"):
            splits = list(TimeSplit(2).split(grouped))
        assert [test.tolist() for _, test in splits] == [test.tolist() for _, test in TimeSplit(2).split(X)]

    def test_with_times_they_are_not(self):
        X = pd.DataFrame({"user": np.repeat(np.arange(20), 5), "item": 1, "timestamp": np.arange(100)})
        assert len(list(TimeSplit(2).split(X))) == 2

    def test_nor_is_a_log_of_which_each_user_has_one_event(self):
        assert len(list(TimeSplit(2).split(np.column_stack([np.arange(30), np.arange(30) % 7])))) == 2
