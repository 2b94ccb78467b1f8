"""Greedy orders of lists against brute-force twins in NumPy."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skrec._kernels.csr import Csr, csr_arrays
from skrec._kernels.diversity import Categories, Vectors, calibrated_places, dpp_places, mmr_places
from skrec._kernels.threads import run_blocks

NO_CAP = 10**9
SMOOTHING = 0.01


def problem(seed, n_lists=4, n_candidates=12, n_items=20, width=16, n_categories=5):
    """Lists of different lengths, relevance that falls, unit vectors, categories with shares."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_items, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = np.stack([rng.permutation(n_items)[:n_candidates] for _ in range(n_lists)]).astype(np.int32)
    for row, length in enumerate(rng.integers(0, n_candidates + 1, n_lists)):
        if row:  # the first is full
            codes[row, length:] = -1
    relevance = -np.sort(-rng.random((n_lists, n_candidates)), axis=1)
    weights = (rng.random((n_items, n_categories)) < 0.4) * rng.random((n_items, n_categories))
    totals = weights.sum(axis=1, keepdims=True)
    shares = sp.csr_array(np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0))
    wanted = rng.random((n_lists, n_categories)) * (rng.random((n_lists, n_categories)) < 0.7)
    wanted[-1] = 0  # of whom nothing is known
    sums = wanted.sum(axis=1, keepdims=True)
    return codes, relevance, vectors, shares, np.divide(wanted, sums, out=np.zeros_like(wanted), where=sums > 0)


def as_vectors(vectors, *, is_sparse=False):
    if is_sparse:
        return Vectors(np.zeros((0, 0), np.float32), *csr_arrays(sp.csr_array(vectors)), vectors.shape[1])
    return Vectors(vectors, np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), 0)


def as_categories(shares, cap):
    return Categories(*csr_arrays(shares), shares.shape[1], cap)


def greedy(codes, k, gain, shares, cap):
    """The largest gain first, of equal ones the first; what a full category keeps out comes last."""
    left, chosen, counts = list(range(int((codes >= 0).sum()))), [], np.zeros(shares.shape[1])
    has = shares.toarray() > 0
    while left and len(chosen) < k:
        open_ = [c for c in left if not (counts[has[codes[c]]] >= cap).any()]
        best = max(open_, key=lambda c: (gain(chosen, c), -c)) if open_ else left[0]
        counts += has[codes[best]]
        chosen.append(best)
        left.remove(best)
    return chosen + [-1] * (k - len(chosen))


def mmr_twin(codes, relevance, strength, vectors, aggregate=max):
    def gain(chosen, c):
        cosines = [float(vectors[codes[c]] @ vectors[codes[j]]) for j in chosen] or [0.0]
        return (1 - strength) * relevance[c] - strength * aggregate(cosines)

    return gain


def dpp_twin(codes, relevance, strength, vectors):
    def log_determinant(places):
        chosen = vectors[codes[places]].astype(np.float64)
        similarity = (1 + chosen @ chosen.T) / 2
        np.fill_diagonal(similarity, 1)
        return np.linalg.slogdet(similarity)[1]

    def gain(chosen, c):
        grown = log_determinant([*chosen, c]) - (log_determinant(chosen) if chosen else 0)
        return (1 - strength) * relevance[c] + strength * grown

    return gain


def calibrated_twin(codes, relevance, strength, shares, wanted):
    dense = shares.toarray()

    def gain(chosen, c):
        counted = [dense[codes[j]] for j in [*chosen, c] if dense[codes[j]].any()]
        q = np.mean(counted, axis=0) if counted else np.zeros(len(wanted))
        at = wanted > 0
        mixed = (1 - SMOOTHING) * q[at] + SMOOTHING * wanted[at]
        return (1 - strength) * relevance[c] - strength * float(np.sum(wanted[at] * np.log(wanted[at] / mixed)))

    return gain


def run(
    method, codes, relevance, strength, k, vectors, shares, wanted, cap=NO_CAP, *, n_jobs=1, block=2, is_sparse=False
):
    places, categories = np.full((len(codes), k), -1, np.int32), as_categories(shares, cap)

    def task(start, stop):
        if method == "calibrated":
            rows = Csr(*csr_arrays(sp.csr_array(wanted[start:stop])))
            calibrated_places(start, stop, codes, relevance, strength, rows, SMOOTHING, categories, places)
        else:
            read = codes, relevance, strength, as_vectors(vectors, is_sparse=is_sparse)
            if method == "dpp":
                dpp_places(start, stop, *read, categories, places)
            else:
                mmr_places(start, stop, *read, method == "mmr, mean", categories, places)

    run_blocks(task, len(codes), block, n_jobs)
    return places


def twin(method, codes, relevance, strength, k, vectors, shares, wanted, cap=NO_CAP):
    rows = []
    for row in range(len(codes)):
        given = codes[row], relevance[row], strength
        if method == "calibrated":
            gain = calibrated_twin(*given, shares, wanted[row])
        else:
            gain = TWINS[method](*given, vectors)
        rows.append(greedy(codes[row], k, gain, shares, cap))
    return np.array(rows)


TWINS = {"mmr": mmr_twin, "mmr, mean": partial(mmr_twin, aggregate=np.mean), "dpp": dpp_twin}
METHODS = [*TWINS, "calibrated"]


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), strength=st.sampled_from([0.0, 0.1, 0.5, 0.9]), cap=st.sampled_from([1, 2, NO_CAP]))
def test_kernels_are_their_twins(method, seed, strength, cap):
    codes, relevance, vectors, shares, wanted = problem(seed)
    for k in (1, 5, 12):
        given_ = codes, relevance, strength, k, vectors, shares, wanted, cap
        np.testing.assert_array_equal(run(method, *given_), twin(method, *given_))


def test_greedy_dpp_of_12_items_has_the_determinants_of_its_twin():
    codes, relevance, vectors, shares, wanted = problem(1, n_lists=1)
    chosen = run("dpp", codes, relevance, 0.7, 12, vectors, shares, wanted)[0]
    assert sorted(chosen) == list(range(12))
    np.testing.assert_array_equal(chosen, twin("dpp", codes, relevance, 0.7, 12, vectors, shares, wanted)[0])


@pytest.mark.parametrize("method", METHODS)
def test_any_number_of_threads_gives_the_same(method):
    codes, relevance, vectors, shares, wanted = problem(5, n_lists=50)
    given_ = codes, relevance, 0.4, 6, vectors, shares, wanted
    one, three = run(method, *given_), run(method, *given_, n_jobs=3, block=7)
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("method", TWINS)
def test_sparse_vectors_give_the_same(method):
    codes, relevance, vectors, shares, wanted = problem(6, n_lists=20)
    given_ = codes, relevance, 0.4, 6, vectors, shares, wanted
    np.testing.assert_array_equal(run(method, *given_), run(method, *given_, is_sparse=True))


@pytest.mark.parametrize("method", TWINS)
def test_copies_of_an_item_come_last(method):
    """Items that the chosen ones span have no volume left, and are ordered by relevance among themselves."""
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 0, 2, 0]]
    codes, relevance = np.arange(6, dtype=np.int32)[None], np.linspace(1, 0, 6)[None]
    no_categories = sp.csr_array((6, 0))
    places = run(method, codes, relevance, 0.9, 6, vectors, no_categories, np.zeros((1, 0)))[0]
    assert places.tolist() == [0, 2, 4, 1, 3, 5]


def test_zero_vectors_are_unlike_everything():
    vectors = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], np.float32)
    codes, relevance = np.arange(4, dtype=np.int32)[None], np.linspace(1, 0.9, 4)[None]
    none = sp.csr_array((4, 0)), np.zeros((1, 0))
    for method in TWINS:
        places = run(method, codes, relevance, 0.5, 4, vectors, *none)[0]
        assert places[0] == 0
        assert places[-1] == 1, "the copy comes last"
