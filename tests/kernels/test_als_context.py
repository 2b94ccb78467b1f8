"""Alternating least squares with context, against the loss written out over all requests and items."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skrec._kernels.als import context as context_module
from skrec._kernels.als.context import ContextALS, ContextEvents
from skrec._kernels.als.sweeps import Side, aligned_zeros, make_row_solver
from skrec._kernels.als.updates import NewRequests, changed_rows

N_USERS, N_ITEMS, N_CONTEXT, N_EVENTS, N_FACTORS = 7, 9, 3, 60, 4
PENALTY, CONTEXT_PENALTY, MEAN = 0.7, 0.3, 2.5


def make(alpha, *, device=None, seed=0):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, N_USERS - 1, N_EVENTS), rng.integers(1, N_ITEMS, N_EVENTS)
    y = rng.uniform(0.5, 2, N_EVENTS).astype(np.float32)
    weight = np.ones_like(y) if alpha is None else rng.integers(1, 4, N_EVENTS).astype(np.float32)
    requests = ContextEvents(users, items, y, weight, rng.normal(size=(N_EVENTS, N_CONTEXT)).astype(np.float32))
    bias = N_FACTORS if alpha is None else None
    width = N_FACTORS + (alpha is None)
    sides = []
    for by, n in (("users", N_USERS), ("items", N_ITEMS)):
        matrix, _ = requests.entries(N_USERS, N_ITEMS, by=by)
        factors = aligned_zeros(n, width)
        factors[:, :N_FACTORS] = rng.normal(size=(n, N_FACTORS))
        penalty = (PENALTY * rng.uniform(0.5, 2, n)).astype(np.float32)
        sides.append(Side(make_row_solver(matrix, alpha, n_jobs=1, device=device), factors, penalty))
    return ContextALS(
        requests,
        *sides,
        aligned_zeros(N_CONTEXT, width),
        alpha=alpha,
        penalty=CONTEXT_PENALTY,
        bias=bias,
        mean=MEAN if alpha is None else 0.0,
        make=lambda matrix: make_row_solver(matrix, alpha, n_jobs=1, device=device),
    )


def written_out(als, p, q, coef):
    """The loss, one term a request and item (or a rating), in float64."""
    requests, total = als.requests, 0.0
    events = zip(requests.users, requests.items, requests.y, requests.weight, requests.context, strict=True)
    for user, item, y, weight, context in events:
        query = p[user] + context @ coef
        if als.alpha is None:
            predicted = MEAN + query[N_FACTORS] + q[item, N_FACTORS] + query[:N_FACTORS] @ q[item, :N_FACTORS]
            total += (y - predicted) ** 2
            continue
        for other in np.flatnonzero(als.items.active):
            chosen = other == item
            total += weight * (1 + als.alpha * y * chosen) * (chosen - query @ q[other]) ** 2
    total += CONTEXT_PENALTY * (coef**2).sum()
    for side, factors in ((als.users, p), (als.items, q)):
        total += (side.penalty[side.active] * (factors[side.active] ** 2).sum(axis=1)).sum()
    return total


def state(als):
    return [array.astype(np.float64) for array in (als.users.factors, als.items.factors, als.coef)]


@pytest.mark.parametrize("alpha", [0.0, 3.0, None])
def test_loss_is_that_written_out(alpha):
    als = make(alpha)
    losses = als.fit(max_iter=5, tol=0)
    assert losses[-1] == pytest.approx(written_out(als, *state(als)), rel=1e-4)
    assert (np.diff(losses) <= 1e-6).all()


@pytest.mark.parametrize("alpha", [0.0, 3.0, None])
def test_no_small_step_lowers_the_loss_at_the_end(alpha):
    """Users, items and the map are each where the loss written out is least, the others as they are."""
    als = make(alpha)
    als.fit(max_iter=1500, tol=0)
    arrays = state(als)
    least = written_out(als, *arrays)
    rng = np.random.default_rng(1)
    width = N_FACTORS + (alpha is None)
    for position in range(3):
        for _ in range(10):
            step = [np.zeros_like(array) for array in arrays]
            step[position][:, :width] = 0.03 * rng.normal(size=step[position][:, :width].shape)
            if position < 2:
                step[position][~(als.users, als.items)[position].active] = 0
            assert written_out(als, *[a + s for a, s in zip(arrays, step, strict=True)]) > least - 1e-5 * least


@pytest.mark.parametrize("alpha", [3.0, None])
def test_blocks_do_not_matter(alpha, monkeypatch):
    whole = make(alpha)
    whole.fit(max_iter=4, tol=0)
    monkeypatch.setattr(context_module, "_BLOCK", 7)
    parts = make(alpha)
    parts.fit(max_iter=4, tol=0)
    for a, b in zip(state(whole), state(parts), strict=True):
        assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("alpha", [3.0, None])
def test_rows_of_torch_agree(alpha):
    numba, torch = make(alpha), make(alpha, device="cpu")
    for als in (numba, torch):
        als.fit(max_iter=5, tol=0)
    for a, b in zip(state(numba), state(torch), strict=True):
        assert_allclose(a, b, atol=1e-3)


def test_contexts_of_zeros_leave_plain_least_squares():
    """Then each event of a user is compared with all items once, and nothing else."""
    als = make(2.0)
    als.requests.context[:] = 0
    events = als.requests
    als = ContextALS(
        ContextEvents(events.users, events.items, events.y, np.ones_like(events.y), events.context),
        als.users,
        als.items,
        als.coef,
        alpha=2.0,
        penalty=1.0,
        bias=None,
        mean=0.0,
        make=als.make,
    )
    als.sweep_context()
    assert not als.coef.any()
    for _ in range(20):
        als.sweep_users()
    q, requests = als.items.factors.astype(np.float64), als.requests
    active = als.items.active
    for user in range(3):
        mine = requests.users == user
        chosen = q[requests.items[mine]]
        weights = 2.0 * requests.y[mine]
        normal = mine.sum() * q[active].T @ q[active] + chosen.T @ (weights[:, None] * chosen)
        normal += als.users.penalty[user] * np.eye(len(normal))
        assert_allclose(als.users.factors[user], np.linalg.solve(normal, chosen.T @ (1 + weights)), atol=1e-4)


@pytest.mark.parametrize("alpha", [2.0, None])
def test_changed_rows_of_an_empty_history_solve_their_least_squares(alpha):
    rng = np.random.default_rng(0)
    others = aligned_zeros(N_ITEMS, N_FACTORS)
    others[:, :N_FACTORS] = rng.normal(size=(N_ITEMS, N_FACTORS))
    gram, width = others.T @ others, others.shape[1]
    columns, y = np.array([1, 4, 4, 6]), np.array([1, 2, 0.5, 1], np.float32)
    found = changed_rows(
        aligned_zeros(1, N_FACTORS),
        sp.csr_array((1, N_ITEMS), dtype=np.float32),
        NewRequests(np.zeros(4, np.int64), columns, y, np.ones(4, np.float32), np.zeros(4, np.float32)),
        others,
        alpha=alpha,
        gram=gram,
        n_grams=np.full(1, 4, np.float32),
        moved=np.zeros((1, width), np.float32),
        penalty=np.full(1, 0.5, np.float32),
    )
    chosen = others[columns].astype(np.float64)
    weights = np.ones(4) if alpha is None else alpha * y
    normal = chosen.T @ (weights[:, None] * chosen) + 0.5 * np.eye(width)
    if alpha is not None:
        normal += 4 * gram
    right = chosen.T @ (y if alpha is None else 1 + weights)
    assert_allclose(found[0], np.linalg.solve(normal, right), atol=1e-4)
