"""Alternating least squares against brute force."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skrec._kernels.als import ridge as ridge_module
from skrec._kernels.als.grams import GramBlocks, factor_gram
from skrec._kernels.als.ridge import RidgeMap
from skrec._kernels.als.sweeps import ChangingDesign, Design, Side, aligned_zeros, fit_als, make_row_solver


def sparse_matrix(n_rows, n_columns, *, density=0.3, seed=0, ratings=False):
    rng = np.random.default_rng(seed)
    matrix = sp.random_array((n_rows, n_columns), density=density, format="csr", rng=rng, dtype=np.float32)
    matrix.data[:] = rng.integers(1, 6, matrix.nnz) if ratings else rng.uniform(0.5, 2, matrix.nnz)
    return matrix


def random_factors(n_rows, n_columns, seed):
    factors = aligned_zeros(n_rows, n_columns)
    factors[:, :n_columns] = np.random.default_rng(seed).standard_normal((n_rows, n_columns)) * 0.3
    return factors


def row_problem(matrix, row, others, alpha, penalty, prior, offsets):
    """Normal matrix, right-hand side and constant of one row, in float64 and from the definition."""
    others = others.astype(np.float64)
    seen, y = matrix[[row]].indices, matrix[[row]].data.astype(np.float64)
    if alpha is None:
        used, target, confidence = others[seen], y - offsets[seen], np.ones(len(seen))
    else:
        used, target, confidence = others, np.zeros(len(others)), np.ones(len(others))
        target[seen], confidence[seen] = 1.0, 1.0 + alpha * y
    normal = used.T @ (confidence[:, None] * used) + penalty * np.eye(others.shape[1])
    constant = (confidence * target**2).sum() + penalty * prior @ prior
    return normal, used.T @ (confidence * target) + penalty * prior, constant


@pytest.fixture(params=["numba", "torch"])
def device(request):
    return None if request.param == "numba" else "cpu"


@pytest.mark.parametrize("alpha", [None, 0.0, 3.0])
@pytest.mark.parametrize("one_prior", [True, False])
def test_rows_are_the_least_squares_solution(device, alpha, one_prior):
    matrix = sparse_matrix(23, 17, ratings=alpha is None)
    matrix.data[matrix.indptr[4] : matrix.indptr[5]] = 0
    matrix.eliminate_zeros()
    others, factors = random_factors(17, 5, 1), random_factors(23, 5, 2)
    prior = random_factors(1 if one_prior else 23, 5, 3)
    penalty = np.linspace(0.5, 3, 23).astype(np.float32)
    offsets = np.linspace(2, 4, 17).astype(np.float32)
    gram = factor_gram(others, np.ones(17, bool))
    rows = make_row_solver(matrix, alpha, n_jobs=1, device=device)
    objective = rows.solve(
        factors, others, gram=gram, penalty=penalty, prior=prior, offsets=offsets, n_steps=16, tol=1e-7
    )
    for row in range(23):
        m = prior[0 if one_prior else row].astype(np.float64)
        if row == 4:
            assert_array_equal(factors[4], m.astype(np.float32))
            assert objective[4] == 0
            continue
        normal, right, constant = row_problem(matrix, row, others, alpha, penalty[row], m, offsets)
        best = np.linalg.solve(normal, right)
        assert_allclose(factors[row], best, atol=2e-4)
        assert_allclose(objective[row], constant - best @ right, rtol=1e-4)


@pytest.mark.parametrize("alpha", [None, 2.0])
def test_objective_of_an_unfinished_row(device, alpha):
    matrix = sparse_matrix(9, 31, ratings=alpha is None)
    others, factors, prior = random_factors(31, 8, 1), random_factors(9, 8, 2), random_factors(9, 8, 3)
    penalty, offsets = np.full(9, 0.2, np.float32), np.linspace(2, 4, 31).astype(np.float32)
    gram = factor_gram(others, np.ones(31, bool))
    before = factors.copy()
    rows = make_row_solver(matrix, alpha, n_jobs=1, device=device)
    objective = rows.solve(factors, others, gram=gram, penalty=penalty, prior=prior, offsets=offsets, n_steps=1)
    for row in np.flatnonzero(np.diff(matrix.indptr)):
        normal, right, constant = row_problem(
            matrix, row, others, alpha, penalty[row], prior[row].astype(np.float64), offsets
        )
        x = factors[row].astype(np.float64)
        assert_allclose(objective[row], x @ normal @ x - 2 * right @ x + constant, rtol=1e-5)
        start = before[row].astype(np.float64)
        assert x @ normal @ x - 2 * right @ x < start @ normal @ start - 2 * right @ start


@settings(max_examples=20, deadline=None)
@given(n_rows=st.integers(1, 40), n_columns=st.integers(1, 40), seed=st.integers(0, 99), explicit=st.booleans())
def test_threads_do_not_change_a_bit(n_rows, n_columns, seed, explicit):
    matrix = sparse_matrix(n_rows, n_columns, seed=seed)
    others = random_factors(n_columns, 6, seed)
    results = []
    for n_jobs in (1, 2, 3):
        factors = random_factors(n_rows, 6, seed + 1)
        rows = make_row_solver(matrix, None if explicit else 1.0, n_jobs=n_jobs, device=None)
        objective = rows.solve(
            factors,
            others,
            gram=factor_gram(others, np.ones(n_columns, bool)),
            penalty=np.ones(n_rows, np.float32),
            prior=np.zeros((1, 16), np.float32),
            offsets=np.zeros(n_columns, np.float32),
        )
        results.append((factors, objective))
    for factors, objective in results[1:]:
        assert_array_equal(factors, results[0][0])
        assert_array_equal(objective, results[0][1])


def test_aligned_zeros_starts_at_a_register_and_rounds_up():
    matrix = aligned_zeros(3, 17)
    assert matrix.shape == (3, 32)
    assert matrix.dtype == np.float32
    assert matrix.ctypes.data % 64 == 0
    assert not matrix.any()


@pytest.mark.parametrize("bias", [None, 3])
@given(seed=st.integers(0, 99), n_new=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_a_design_that_changes_is_that_of_the_changed_factors(bias, seed, n_new):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(9000, 16)).astype(np.float32)
    active = rng.random(9000) < 0.9
    grams = GramBlocks.of(factors[: 9000 - n_new], active[: 9000 - n_new])
    before = grams.blocks.copy()
    changed = np.unique(np.append(rng.integers(9000, size=3), np.arange(9000 - n_new, 9000)))
    factors[changed] = rng.normal(size=(len(changed), 16))
    design = ChangingDesign(factors, active, bias, 1.5, grams, changed)
    assert_array_equal(design.design.gram, Design.of(factors, active, bias, 1.5).gram)
    factors[changed] += 1
    design.refresh(changed)
    expected = Design.of(factors, active, bias, 1.5)
    assert_array_equal(design.design.gram, expected.gram)
    assert_array_equal(design.design.others, expected.others)
    assert_array_equal(design.design.offsets, expected.offsets)
    assert_array_equal(grams.blocks, before)


def test_factor_gram_excludes_rows():
    factors = np.random.default_rng(0).standard_normal((20_000, 16)).astype(np.float32)
    active = np.random.default_rng(1).random(20_000) < 0.7
    kept = factors[active].astype(np.float64)
    assert_allclose(factor_gram(factors, active), kept.T @ kept, rtol=1e-5, atol=1e-2)


def dense_loss(matrix, users, items, alpha, bias, mean, rho):
    """The objective from its definition, over the rows with entries."""
    u, i = users.active, items.active
    y = matrix.toarray().astype(np.float64)[u][:, i]
    p, q = users.factors[u].astype(np.float64), items.factors[i].astype(np.float64)
    if alpha is None:
        product = p @ q.T - np.outer(p[:, bias], q[:, bias]) + p[:, [bias]] + q[:, bias] + mean
        loss = np.square(np.where(y > 0, y - product, 0)).sum()
    else:
        loss = ((1 + alpha * y) * ((y > 0) - p @ q.T) ** 2).sum()
    for side in (users, items):
        prior = side.prior if len(side.prior) == 1 else side.prior[side.active]
        deviation = np.square(side.factors[side.active] - prior.astype(np.float64)).sum(axis=1)
        loss += (side.penalty[side.active] * deviation).sum()
        if side.ridge is not None:
            loss += rho * np.square(side.ridge.coef.astype(np.float64)).sum()
    return loss


def make_sides(matrix, alpha, *, n_factors=6, features=False, rho=0.5, device=None, n_jobs=1):
    width = n_factors + (alpha is None)
    sides = []
    for seed, entries in enumerate((matrix, matrix.T.tocsr())):
        n = entries.shape[0]
        penalty = np.linspace(0.5, 1.5, n).astype(np.float32)
        rows = make_row_solver(entries, alpha, n_jobs=n_jobs, device=device)
        side = Side(rows, random_factors(n, width, seed), penalty)
        if features:
            z = np.random.default_rng(seed + 5).standard_normal((n, 4)).astype(np.float32)
            side.ridge = RidgeMap(z, penalty * side.active, rho)
        sides.append(side)
    return sides


@pytest.mark.parametrize("alpha", [None, 0.0, 2.0])
@pytest.mark.parametrize("features", [False, True])
def test_loss_is_the_objective_and_never_rises(device, alpha, features):
    matrix = sparse_matrix(40, 30, density=0.2, ratings=alpha is None)
    matrix.data[matrix.indptr[3] : matrix.indptr[4]] = 0
    matrix.eliminate_zeros()
    bias, mean = (6, 3.0) if alpha is None else (None, 0.0)
    users, items = make_sides(matrix, alpha, features=features, device=device)
    losses = []
    for _ in range(8):
        losses += fit_als(users, items, max_iter=1, tol=0, bias=bias, mean=mean)
        assert_allclose(losses[-1], dense_loss(matrix, users, items, alpha, bias, mean, 0.5), rtol=1e-5)
    assert losses[-1] < 0.9 * losses[0]
    assert (np.diff(losses) <= 1e-6 * np.asarray(losses[1:])).all()


def test_cold_rows_are_what_their_features_say():
    matrix = sparse_matrix(20, 12).tolil()
    matrix[:, 5] = 0
    users, items = make_sides(matrix.tocsr(), 1.0, features=True)
    fit_als(users, items, max_iter=5, tol=0)
    assert not items.active[5]
    assert_allclose(items.factors[5], items.ridge.features[5] @ items.ridge.coef, rtol=1e-5)


def test_cold_rows_without_features_change_nothing():
    matrix = sparse_matrix(20, 12)
    wide = sp.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(20, 15))
    few, many = make_sides(matrix, 1.0), make_sides(wide, 1.0)
    many[1].factors[:12], many[1].penalty[:12] = few[1].factors, few[1].penalty
    losses = [fit_als(users, items, max_iter=4, tol=0) for users, items in (few, many)]
    assert_allclose(losses[1], losses[0], rtol=1e-6)
    assert_allclose(many[1].factors[:12], few[1].factors, atol=1e-5)
    assert not many[1].factors[12:].any()


def test_early_stop_and_callback():
    matrix = sparse_matrix(30, 20)
    seen = []
    users, items = make_sides(matrix, 1.0)
    losses = fit_als(users, items, max_iter=100, tol=1e-3, callback=lambda step, loss: seen.append((step, loss)))
    assert 2 <= len(losses) < 100
    assert seen == list(enumerate(losses))
    assert losses[-2] - losses[-1] <= 1e-3 * losses[-2]
    assert losses[-3] - losses[-2] > 1e-3 * losses[-3]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_ridge_map_is_weighted_ridge_regression(monkeypatch, sparse, wide):
    if wide:
        monkeypatch.setattr(ridge_module, "_DENSE_LIMIT", 2)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 7)) * (rng.random((60, 7)) < 0.5)
    weights, factors = rng.uniform(0, 2, 60), rng.standard_normal((60, 3)).astype(np.float32)
    features = sp.csr_array(z.astype(np.float32)) if sparse else z.astype(np.float32)
    ridge = RidgeMap(features, weights, 0.7)
    for scale in (1.0, 2.0):
        prior = ridge.fit(factors * np.float32(scale))
        expected = np.linalg.solve(
            z.T @ (weights[:, None] * z) + 0.7 * np.eye(7), z.T @ (weights[:, None] * factors) * scale
        )
        assert_allclose(ridge.coef, expected, atol=1e-4)
        assert_allclose(prior, z @ expected, atol=1e-4)
    assert_allclose(ridge.penalty(), 0.7 * np.square(expected).sum(), rtol=1e-4)


def test_torch_and_numba_agree(monkeypatch):
    from skrec._kernels.als import torch_backend

    monkeypatch.setattr(torch_backend, "_CELLS", 400)
    matrix = sparse_matrix(40, 30)
    fitted = [make_sides(matrix, 2.0, features=True, device=device) for device in (None, "cpu")]
    losses = [fit_als(*sides, max_iter=5, tol=0) for sides in fitted]
    assert_allclose(losses[1], losses[0], rtol=1e-5)
    for numba_side, torch_side in zip(*fitted, strict=True):
        assert_allclose(torch_side.factors, numba_side.factors, atol=1e-4)


def test_cuda_and_numba_agree():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    matrix = sparse_matrix(400, 300, density=0.05)
    fitted = [make_sides(matrix, 2.0, features=True, device=device) for device in (None, "cuda")]
    losses = [fit_als(*sides, max_iter=5, tol=0) for sides in fitted]
    assert_allclose(losses[1], losses[0], rtol=1e-4)
    for numba_side, cuda_side in zip(*fitted, strict=True):
        assert_allclose(cuda_side.factors, numba_side.factors, atol=1e-3)
