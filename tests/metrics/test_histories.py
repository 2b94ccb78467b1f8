"""Lists against the histories of their users: calibration and popularity lift."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from skrec.interactions import Histories
from skrec.metrics import _histories, calibration_kl, mean_popularity, popularity_lift

N, C = 6, 4
LISTS = st.lists(st.permutations(range(N)), min_size=1, max_size=5).flatmap(
    lambda rows: st.tuples(*[st.integers(0, N).map(lambda n, row=row: row[:n] + [-1] * (N - n)) for row in rows])
)
WEIGHTS = st.lists(st.lists(st.sampled_from([0.0, 0.0, 1.0, 0.5]), min_size=C, max_size=C), min_size=N, max_size=N)


@st.composite
def cases(draw):
    lists = draw(LISTS)
    return lists, [draw(st.lists(st.integers(0, N - 1), max_size=8)) for _ in lists]


def slow_share(items, weights):
    """Steck's p(c | items): the mean of p(c | item) over the items that have a category."""
    shares = [np.array(weights[i]) / sum(weights[i]) for i in items if sum(weights[i])]
    return np.mean(shares, axis=0) if shares else None


def slow_divergence(items, history, weights, alpha):
    p, q = slow_share(history, weights), slow_share(items, weights)
    if p is None or q is None:
        return math.nan
    return sum(p[c] * math.log(p[c] / ((1 - alpha) * q[c] + alpha * p[c])) for c in range(C) if p[c] > 0)


@settings(deadline=None)
@given(case=cases(), weights=WEIGHTS, alpha=st.sampled_from([0.01, 0.3]), k=st.integers(1, N))
def test_calibration_equals_its_definition(case, weights, alpha, k):
    lists, histories = case
    expected = [
        slow_divergence([i for i in row[:k] if i >= 0], history, weights, alpha)
        for row, history in zip(lists, histories, strict=True)
    ]
    for categories in (np.array(weights), sp.csr_array(np.array(weights))):
        found = calibration_kl(lists, histories, categories, k=k, alpha=alpha, average=False)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert not (found < 0).any()
    assert not (found > -math.log(alpha) + 1e-12).any()


@settings(deadline=None)
@given(case=cases(), popularity=st.lists(st.integers(0, 20), min_size=N, max_size=N), k=st.integers(1, N))
def test_lift_equals_its_definition(case, popularity, k):
    lists, histories = case
    of_lists, of_histories, lifts = [], [], []
    for row, history in zip(lists, histories, strict=True):
        shown, had = [popularity[i] for i in row[:k] if i >= 0], [popularity[i] for i in history]
        if shown and had and sum(had):
            of_lists.append(np.mean(shown))
            of_histories.append(np.mean(had))
            lifts.append(of_lists[-1] / of_histories[-1] - 1)
        else:
            lifts.append(math.nan)
    np.testing.assert_allclose(popularity_lift(lists, histories, popularity, k=k, average=False), lifts, atol=1e-12)
    if of_lists:
        gap = (np.mean(of_lists) - np.mean(of_histories)) / np.mean(of_histories)
        assert popularity_lift(lists, histories, popularity, k=k) == pytest.approx(gap, abs=1e-12)


def test_a_list_like_the_history_is_calibrated_and_lifts_nothing():
    genres = np.array([[1, 0], [0, 1], [1, 1]])
    assert calibration_kl([[0, 1]], [[1, 0, 0, 1]], genres) == 0.0
    assert calibration_kl([[0]], [[1]], genres) == pytest.approx(-math.log(0.01))
    assert popularity_lift([[0, 1]], [[1, 0]], [4, 2, 1]) == 0.0
    assert mean_popularity([[0, 1]], [4, 2, 1]) == 3.0


def test_histories_of_all_kinds_are_the_same():
    rng = np.random.default_rng(0)
    lists, genres, popularity = np.array([[0, 1], [2, 3], [4, -1]]), rng.random((N, C)), np.arange(1, N + 1)
    rows = [[0, 0, 5], [1], [2, 3]]
    kinds = [
        rows,
        np.array([[0, 0, 5], [1, -1, -1], [2, 3, -1]]),
        [np.array(row) for row in rows],
        Histories.read(rows),
        sp.csr_array([[2, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]]),
    ]
    for of_kind in (
        lambda kind: calibration_kl(lists, kind, genres),
        lambda kind: popularity_lift(lists, kind, popularity),
    ):
        assert [of_kind(kind) for kind in kinds] == pytest.approx([of_kind(rows)] * len(kinds))


def test_calibration_does_not_depend_on_the_block(monkeypatch):
    rng = np.random.default_rng(0)
    lists, genres = rng.permuted(np.tile(np.arange(N), (20, 1)), axis=1)[:, :3], rng.random((N, C))
    histories = rng.integers(0, N, (20, 4))
    whole = calibration_kl(lists, histories, genres, average=False)
    monkeypatch.setattr(_histories, "_CELLS", 3 * C)
    np.testing.assert_allclose(calibration_kl(lists, histories, genres, average=False), whole)


@pytest.mark.parametrize("metric", [calibration_kl, popularity_lift])
def test_no_history_is_nan_with_a_warning(metric):
    with pytest.warns(UndefinedMetricWarning, match="no query has both a history and a list"):
        assert math.isnan(metric([[0]], [[]], np.eye(2) if metric is calibration_kl else [1, 2]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: calibration_kl([[0]], [[0]], np.eye(2), alpha=0),
            ValueError,
            "alpha must be a number between 0 and 1",
        ),
        (lambda: calibration_kl([[0]], [[0]], [[-1.0]]), ValueError, "categories has a weight below 0"),
        (lambda: calibration_kl([[0]], [[0]], [1.0]), ValueError, "categories"),
        (lambda: calibration_kl([[2]], [[0]], np.eye(2)), ValueError, "categories has 2 items"),
        (lambda: calibration_kl([[0]], [[2]], np.eye(2)), ValueError, r"histories\[0\] contains the code 2"),
        (lambda: calibration_kl([[0]], [["a"]], np.eye(2)), TypeError, r"histories\[0\] must be integer codes"),
        (lambda: calibration_kl([[0]], [0], np.eye(2)), TypeError, r"histories\[0\] is 0; expected a collection"),
        (lambda: calibration_kl([[0]], 3, np.eye(2)), TypeError, "one collection of item codes per query"),
        (lambda: calibration_kl([[0], [1]], [[0]], np.eye(2)), ValueError, "histories has 1 rows and recommended 2"),
        (lambda: popularity_lift([[0]], sp.csr_array([[1.0]]), [1, 2]), ValueError, "popularity has 2 items"),
        (lambda: popularity_lift([[0]], sp.csr_array([[-1.0, 1]]), [1, 2]), ValueError, "weight below 0"),
        (lambda: popularity_lift([[0]], [[0]], [1, -2]), ValueError, "at least 0"),
    ],
)
def test_bad_input_says_what_to_write(call, error, message):
    with pytest.raises(error, match=message):
        call()
