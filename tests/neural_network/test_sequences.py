"""Histories as sequences, windows of them, and components of features."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skrec._training import rows_to_hold_out
from skrec.interactions import Histories
from skrec.neural_network._components import FeatureComponents
from skrec.neural_network._held_out import HeldOut, last_held_out
from skrec.neural_network._preparation import seen_in_training, targets_of
from skrec.neural_network._sequences import START, Sequences, like_length_batches, n_targets, usual_gap


def _histories(rows, times=None):
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    items = np.array([item for row in rows for item in row], np.int32)
    return Histories(indptr, items, np.ones(len(items), np.float32), times)


def _sequences(rows, n_items=50, **options):
    return Sequences.of(_histories(rows), np.ones(n_items, bool), **{"has_start": False, "gap_unit": None, **options})


ROWS = st.lists(st.lists(st.integers(0, 9), max_size=30), min_size=1, max_size=8)
NO_ROWS = np.zeros(0, np.int64)


@given(ROWS, st.integers(1, 7), st.integers(0, 99), st.booleans())
def test_windows_hold_each_target_once(rows, max_length, seed, has_start):
    sequences = _sequences(rows, has_start=has_start)
    is_target = targets_of(sequences, NO_ROWS)
    windows = sequences.windows(max_length, is_target, np.random.default_rng(seed))
    found = sorted(place for start, n in windows.tolist() for place in range(start + 1, start + n + 1))
    firsts = set(sequences.indptr[:-1][np.diff(sequences.indptr) > 0].tolist())
    assert found == [place for place in range(len(sequences.items)) if place not in firsts]
    assert (windows[:, 1] <= max_length).all()
    row = np.searchsorted(sequences.indptr, windows[:, 0], side="right") - 1
    assert (windows.sum(axis=1) < sequences.indptr[row + 1]).all()
    batches = like_length_batches(windows, 3, np.random.default_rng(seed))
    assert sorted(np.concatenate([*batches, windows[:0]]).tolist()) == sorted(windows.tolist())
    assert all(len(batch) <= 3 for batch in batches)


def test_another_epoch_cuts_long_rows_elsewhere():
    sequences = _sequences([range(40)])
    rng = np.random.default_rng(0)
    is_target = targets_of(sequences, NO_ROWS)
    cuts = {tuple(sequences.windows(10, is_target, rng)[:, 0]) for _ in range(10)}
    assert len(cuts) > 3


def test_events_of_no_strength_or_no_vector_are_not_read():
    histories = _histories([[1, 2, 3], [4, 2]])
    histories.y[0] = 0
    usable = np.ones(6, bool)
    usable[4] = False
    sequences = Sequences.of(histories, usable, has_start=True, gap_unit=None)
    assert_array_equal(sequences.items, [START, 2, 3, START, 2])
    assert_array_equal(sequences.event, [-1, 1, 2, -1, 4])
    assert_array_equal(sequences.indptr, [0, 3, 5])
    rows = sequences.take(np.array([1, 0, 1]), n_fewer=1)
    assert_array_equal(rows.items, [START, START, 2, START])


def test_gaps_are_powers_of_two_around_the_usual_one():
    times = np.array([0, 10, 10, 20, 40, 0, 80_000, 80_005.0])
    histories = _histories([[1, 2, 3, 4, 5], [1, 2, 3]], times)
    assert usual_gap(histories) == 10
    sequences = Sequences.of(histories, np.ones(6, bool), has_start=False, gap_unit=10.0)
    assert_array_equal(sequences.gaps, [0, 8, 0, 8, 9, 0, 15, 7])
    assert usual_gap(_histories([[1], [2]], np.array([3.0, 3.0]))) == 1


def test_held_out_events_are_no_targets():
    sequences = _sequences([[1, 2, 3], [4, 5, 6, 7], [8, 9]])
    is_target = targets_of(sequences, np.array([1]))
    assert_array_equal(np.flatnonzero(~is_target), [6])
    windows = sequences.windows(10, is_target, np.random.default_rng(0))
    assert_array_equal(n_targets(windows, is_target), [2, 2, 1])
    assert_array_equal(np.flatnonzero(seen_in_training(sequences, is_target, 10)), [1, 2, 3, 4, 5, 6, 8, 9])
    held_out = last_held_out(sequences, np.array([1]), None)
    assert_array_equal(held_out.sequences.items, [4, 5, 6])
    assert_array_equal(held_out.relevant.items, [7])


def test_rows_of_one_event_teach_nothing():
    sequences = _sequences([[1], [2, 3], [3], [4]])
    assert_array_equal(np.flatnonzero(seen_in_training(sequences, targets_of(sequences, NO_ROWS), 6)), [2, 3])
    with_start = _sequences([[1], []], has_start=True)
    assert_array_equal(np.flatnonzero(seen_in_training(with_start, targets_of(with_start, NO_ROWS), 6)), [1])


def test_rows_to_hold_out():
    rng = np.random.default_rng(0)
    assert not len(rows_to_hold_out(np.full(100, 2), 0.5, rng))
    assert not len(rows_to_hold_out(np.full(100, 3), 0.1, rng))
    assert len(rows_to_hold_out(np.full(300, 3), 0.1, rng)) == 30
    assert len(rows_to_hold_out(np.full(300, 20), 0.1, rng)) == 120  # a fiftieth of 6,000 events
    assert len(rows_to_hold_out(np.full(2000, 100), 0.1, rng)) == 1000


@given(st.integers(0, 10_000))
def test_ndcg_of_held_out_events(seed):
    """Beside its definition in plain Python; an item outside the catalogue stays in the ideal ranking."""
    rng = np.random.default_rng(seed)
    n_items = 15
    known = [rng.choice(n_items, 3, replace=False).tolist() for _ in range(4)]
    relevant = [rng.choice(n_items + 1, rng.integers(1, 4), replace=False) - 1 for _ in range(4)]
    vectors, queries = rng.normal(size=(n_items, 3)).astype(np.float32), rng.normal(size=(4, 3)).astype(np.float32)
    biases = rng.normal(size=n_items).astype(np.float32)
    held_out = HeldOut(_sequences(known, n_items), _histories(relevant))
    expected = []
    for query, seen, wanted in zip(queries, known, relevant, strict=True):
        scores = vectors @ query + biases
        gain = 0.0
        for item in wanted[wanted >= 0]:
            rank = sum(scores[j] > scores[item] for j in range(n_items) if j not in seen)
            gain += 1 / np.log2(2 + rank) if rank < 10 else 0
        expected.append(gain / sum(1 / np.log2(2 + i) for i in range(len(wanted))))
    assert held_out.ndcg(queries, vectors, biases) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_components_keep_zero_rows_and_have_a_mean_squared_length_of_one(kind):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(60, 8)).astype(np.float32) * np.arange(1, 9, dtype=np.float32)
    matrix[[3, 7]] = 0
    components = FeatureComponents.fit(kind(matrix), 5, 0)
    found = components.transform(kind(matrix))
    assert found.shape == (60, 5)
    assert not found[[3, 7]].any()
    is_there = matrix.any(axis=1)
    assert np.square(found[is_there]).sum(axis=1).mean() == pytest.approx(1, rel=1e-4)
    if kind is np.asarray:
        spread = found[is_there].std(axis=0)
        raw = np.sqrt(np.linalg.eigvalsh(np.cov(matrix[is_there].T, bias=True))[::-1][:5])
        assert_allclose(spread / spread[0], np.sqrt(raw / raw[0]), rtol=1e-3)


def test_components_of_one_row_and_of_constant_columns():
    one = FeatureComponents.fit(np.array([[0.0, 0], [1, 2]], np.float32), 4, 0)
    assert_allclose(one.transform(np.array([[1, 2]], np.float32)), [[1, 2]])
    same = FeatureComponents.fit(np.ones((4, 2), np.float32), 4, 0)
    assert not same.transform(np.ones((4, 2), np.float32)).any()
