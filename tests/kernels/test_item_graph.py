"""Reading an item graph, against dense products."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skrec._kernels.csr import csr_arrays
from skrec._kernels.item_graph.ranking import _PANEL, rank_sparse, score_dense, score_sparse
from skrec.interactions._histories import Histories


def _histories(rng, n_rows, n_items, n_events):
    rows = np.sort(rng.integers(0, n_rows, n_events))
    weights = rng.choice([0, 0.5, 1, 2], n_events).astype(np.float32)
    return Histories.group(rows, rng.integers(0, n_items, n_events), weights, None, n_rows)


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(0, 60))
def test_scores_are_the_product_with_the_history(seed, n_items, n_events):
    rng = np.random.default_rng(seed)
    histories = _histories(rng, 5, n_items, n_events)
    graph = sp.random_array((n_items, n_items), density=0.4, rng=rng, format="csr", dtype=np.float32)
    expected = histories.to_csr(n_items) @ graph.toarray()
    read = histories.indptr, histories.items, histories.y
    for score, matrix in ((score_sparse, csr_arrays(graph)), (score_dense, graph.toarray())):
        out = np.full((5, n_items), 1, np.float32)
        score(*read, matrix, out)
        np.testing.assert_allclose(out - 1, expected, atol=1e-5)


def test_dense_scores_cross_panels():
    rng = np.random.default_rng(0)
    n_items = 2 * _PANEL + 3
    histories = _histories(rng, 4, n_items, 20)
    graph = rng.normal(size=(n_items, n_items)).astype(np.float32)
    out = np.zeros((4, n_items), np.float32)
    score_dense(histories.indptr, histories.items, histories.y, graph, out)
    np.testing.assert_allclose(out, histories.to_csr(n_items) @ graph, atol=1e-4)


@pytest.mark.parametrize("k", [1, 3, 8])
@given(seed=st.integers(0, 1000), n_items=st.sampled_from([8, 400]))
def test_ranking_is_the_masked_sort(k, seed, n_items):
    rng = np.random.default_rng(seed)
    n_rows = 6
    histories, hidden = _histories(rng, n_rows, n_items, 20), _histories(rng, n_rows, n_items, 15)
    # A large catalogue takes the way of few sums; ties, and weights below the prior, must not show which was taken.
    density = 0.5 if n_items < 100 else 0.01
    graph = sp.random_array((n_items, n_items), density=density, rng=rng, format="csr", dtype=np.float32)
    graph.data = rng.choice([-1, 0.5, 1], graph.nnz).astype(np.float32)
    prior = rng.choice([0, 0.25, 0.5, 1], n_items).astype(np.float32)
    by_prior = np.argsort(-prior, kind="stable").astype(np.int32)
    codes, scores = np.full((n_rows, k), 7, np.int32), np.full((n_rows, k), 7, np.float32)
    read = histories.indptr, histories.items, histories.y, csr_arrays(graph), prior, by_prior
    rank_sparse(0, n_rows, *read, hidden.indptr, hidden.items.astype(np.int64), codes, scores)

    full = np.tile(prior, (n_rows, 1))
    score_sparse(histories.indptr, histories.items, histories.y, csr_arrays(graph), full)
    full[hidden.row_of_event(), hidden.items] = -np.inf
    order = np.argsort(-full, axis=1, kind="stable")[:, :k]
    expected = np.take_along_axis(full, order, axis=1)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(codes, np.where(np.isneginf(expected), -1, order))
