"""Orders of candidates, against brute force."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.llm._orders import (
    blend_orders,
    comparators,
    limit_rise,
    mean_order,
    order_by_grade,
    penalize_popularity,
    read_order,
    rotations,
    windows,
)

ORDERS = st.integers(1, 30).flatmap(lambda n: st.permutations(range(n)))


def test_what_an_answer_lacks_falls_back_to_base_order():
    read = read_order(["c", "x", "a", "c", "c"], {"a": 0, "b": 1, "c": 2, "d": 3})
    assert read.order == [2, 0, 1, 3]
    assert (read.n_unknown, read.n_repeated, read.n_missing) == (1, 2, 2)


@pytest.mark.parametrize("n", range(17))
def test_comparators_sort_every_sequence_of_zeros_and_ones(n):
    """A network that sorts these sorts everything."""
    rounds = list(comparators(n))
    assert all(len({place for pair in pairs for place in pair}) == 2 * len(pairs) for pairs in rounds)
    for bits in product([0, 1], repeat=n) if n <= 12 else np.random.default_rng(n).integers(2, size=(500, n)):
        bits = list(bits)
        for i, j in (pair for pairs in rounds for pair in pairs):
            bits[i], bits[j] = min(bits[i], bits[j]), max(bits[i], bits[j])
        assert bits == sorted(bits)


def test_comparisons_are_bounded():
    assert sum(map(len, comparators(20))) == 97
    assert len(list(comparators(20))) == 15


@given(st.integers(0, 200), st.integers(2, 40))
def test_windows_carry_the_best_to_the_front(n, size):
    found = windows(n, size)
    assert found[0].stop == n
    assert found[-1].start == 0
    assert all(0 <= one.start <= one.stop and one.stop - one.start <= size for one in found)
    assert all(earlier.start - later.start <= size // 2 for earlier, later in pairwise(found))
    order = list(range(n))[::-1]
    for window in found:
        order[window] = sorted(order[window])
    assert order[: size // 2] == list(range(min(n, size // 2)))


def test_windows_of_a_hundred():
    assert [(one.start, one.stop) for one in windows(100, 20)] == [(s, s + 20) for s in range(80, -1, -10)]


@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 3))
def test_rotations_stand_everywhere_alike(n, n_orders, seed):
    orders = rotations(n, n_orders, np.random.default_rng(seed))
    assert all(sorted(order) == list(range(n)) for order in orders)
    places = np.mean([np.argsort(order) for order in orders], axis=0)
    assert np.abs(places - (n - 1) / 2).max() <= n / n_orders / 2 + 1


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=4)))
def test_mean_order_is_by_mean_rank(orders):
    order, variance = mean_order(orders)
    mean = [np.mean([one.index(candidate) for one in orders]) for candidate in range(len(order))]
    assert order == sorted(range(len(order)), key=lambda candidate: (mean[candidate], candidate))
    assert variance == pytest.approx(
        np.mean([np.var([one.index(candidate) for one in orders]) for candidate in range(len(order))])
    )


def test_mean_order_of_other_candidates_than_the_first():
    assert mean_order([[9, 4, 7], [4, 9, 7]]) == ([4, 9, 7], pytest.approx(1 / 6))


def test_without_a_grade_a_candidate_keeps_its_place():
    assert order_by_grade([1, np.nan, 5, 5]) == [2, 1, 3, 0]
    assert order_by_grade([np.nan] * 3) == [0, 1, 2]


@given(ORDERS)
def test_the_ends_of_a_blend(order):
    assert blend_orders(order, 1.0) == order
    assert blend_orders(order, 0.0) == sorted(order)
    assert sorted(blend_orders(order, 0.5)) == sorted(order)


def test_popular_candidates_lose_places():
    assert penalize_popularity([0, 1, 2], [9, 5, 1], 0.0) == [0, 1, 2]
    assert penalize_popularity([0, 1, 2], [9, 5, 1], 1.5) == [2, 1, 0]
    assert penalize_popularity([1, 0, 2], [5, 5, 5], 1.0) == [1, 0, 2]


@given(ORDERS, st.integers(0, 30))
def test_no_candidate_rises_further(order, max_rise):
    held = limit_rise(order, max_rise)
    assert sorted(held) == sorted(order)
    assert all(candidate - place <= max_rise for place, candidate in enumerate(held))
    assert limit_rise(order, 0) == sorted(order)
    assert limit_rise(order, len(order)) == order


@pytest.mark.parametrize("max_rise", [0, 1, 2])
def test_the_held_order_is_the_first_allowed_one(max_rise):
    """By brute force: at each place the best candidate that may stand there."""
    for order in permutations(range(5)):
        allowed = [p for p in permutations(range(5)) if all(c - place <= max_rise for place, c in enumerate(p))]
        wanted = min(allowed, key=lambda p: [order.index(candidate) for candidate in p])
        assert limit_rise(order, max_rise) == list(wanted)
