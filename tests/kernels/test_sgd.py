"""The stochastic solvers: their gradients, their losses, and what they agree on."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skrec._kernels.als.sweeps import aligned_zeros
from skrec._kernels.sgd.epochs import Events, ParameterRows, State, run_epochs
from skrec._kernels.sgd.pairwise import PairwiseTrainer
from skrec._kernels.sgd.pairwise_torch import PairwiseTorchTrainer
from skrec._kernels.sgd.softmax import SoftmaxTrainer
from skrec._kernels.sgd.softmax_torch import SoftmaxTorchTrainer
from skrec.decomposition._sgd import _held_out_rank

N_USERS, N_ITEMS, N_FACTORS = 30, 24, 5


def problem(n_context=0, seed=0):
    """Items have a taste and a moment: users choose their taste, and in context its moment."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(N_USERS), 20)
    moment = rng.integers(0, 2, len(users))
    time_of_item = moment if n_context else rng.integers(0, 2, len(users))
    items = 4 * rng.integers(0, N_ITEMS // 4, len(users)) + 2 * time_of_item + users % 2
    context = np.eye(2, dtype=np.float32)[moment][:, :n_context]
    events = Events(users.astype(np.int32), items.astype(np.int32), np.ones(len(users), np.float32), context)
    return state(n_context, seed), events


def state(n_context, seed=0, penalty=0.001):
    rng = np.random.default_rng(seed)
    sides = []
    for n in (N_USERS, N_ITEMS, n_context):
        factors = aligned_zeros(n, N_FACTORS + 1)
        factors[:, :N_FACTORS] = 0.1 * rng.normal(size=(n, N_FACTORS))
        sides.append(ParameterRows(factors, np.full(n, penalty, np.float32), np.ones(n, bool)))
    return State(*sides, N_FACTORS)


def trainer(solver, seen=None, device=None, **options):
    pool = np.arange(N_ITEMS)
    if solver == "softmax":
        options = {"learning_rate": 0.1, "batch_size": 16, "n_negatives": 20, **options}
        popularity = np.full(N_ITEMS, 1 / N_ITEMS)
        if device:
            return SoftmaxTorchTrainer(popularity, device=device, **options)
        return SoftmaxTrainer(popularity, **options)
    options = {"learning_rate": 0.1, "n_negatives": 10, **options}
    if device:
        return PairwiseTorchTrainer(solver, pool, seen, batch_size=16, device=device, **options)
    return PairwiseTrainer(solver, pool, seen, **options)


TRAINERS = [("bpr", None), ("warp", None), ("softmax", None), ("bpr", "cpu"), ("warp", "cpu"), ("softmax", "cpu")]


@pytest.mark.parametrize(("solver", "device"), TRAINERS)
@pytest.mark.parametrize("n_context", [0, 2])
def test_what_was_chosen_comes_to_score_highest(solver, device, n_context):
    learned, events = problem(n_context)
    run = trainer(solver, device=device)
    losses, _ = run_epochs(run, learned, events, np.random.default_rng(0), 15)
    assert losses[-1] < 0.9 * losses[0]
    scores = learned.queries(events) @ learned.items.factors.T
    best = scores.argmax(axis=1)
    kinds = 4 if n_context else 2
    assert (best % kinds == events.items % kinds).mean() > 0.9


@pytest.mark.parametrize(("solver", "device"), TRAINERS)
def test_same_seed_same_result(solver, device):
    results = []
    for _ in range(2):
        learned, events = problem(2)
        trainer(solver, device=device).epoch(learned, events, np.random.default_rng(3))
        results.append([rows.factors.copy() for rows in (learned.users, learned.items, learned.context)])
    for a, b in zip(*results, strict=True):
        assert_array_equal(a, b)


def exact_softmax_loss(learned, events):
    scores = (learned.queries(events) @ learned.items.factors.T).astype(np.float64)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return -(events.weight * np.log(shares[np.arange(len(events)), events.items])).sum()


@pytest.mark.parametrize("device", [None, "cpu"])
def test_first_step_of_softmax_goes_down_the_gradient(device):
    """With sums of squares so large that steps are tiny multiples of the gradient, by finite differences."""
    learned, events = problem(2)
    events = events.take(np.arange(16))
    events.weight = np.linspace(0.5, 2, 16).astype(np.float32)
    for rows in (learned.users, learned.items, learned.context):
        rows.penalty[:] = 0
        rows.accumulated[:] = 1e6
    before = [rows.factors.copy() for rows in (learned.users, learned.items, learned.context)]
    expected = []
    for rows in (learned.users, learned.items, learned.context):
        slope = np.zeros_like(rows.factors)
        columns = N_FACTORS + (rows is learned.items)
        for place in np.ndindex(len(rows.factors), columns):
            values = []
            for step in (1e-2, -1e-2):
                rows.factors[place] += step
                values.append(exact_softmax_loss(learned, events))
                rows.factors[place] -= step
            slope[place] = (values[0] - values[1]) / 2e-2
        expected.append(slope)
    trainer("softmax", device=device, learning_rate=1.0).epoch(learned, events, np.random.default_rng(0))
    for rows, start, slope in zip((learned.users, learned.items, learned.context), before, expected, strict=True):
        assert_allclose((start - rows.factors) * 1e3, slope, atol=0.02)


def test_compiled_and_torch_softmax_are_one():
    """With weights, context, priors, users and items that repeat in a batch, and a last batch of fewer events."""
    states = []
    for device in (None, "cpu"):
        learned, events = problem(2)
        events = events.take(np.arange(0, 490, 7))
        events.weight = np.linspace(0.5, 2, len(events)).astype(np.float32)
        learned.users.prior = np.full_like(learned.users.factors, 0.1)
        learned.users.prior[:, N_FACTORS:] = 0
        for rows in (learned.users, learned.items, learned.context):
            rows.penalty[:] = np.linspace(0.01, 0.1, len(rows.penalty))
        losses, _ = run_epochs(trainer("softmax", device=device), learned, events, np.random.default_rng(0), 3)
        states.append((learned, losses))
    (compiled, losses), (torch_state, torch_losses) = states
    assert_allclose(losses, torch_losses, rtol=1e-4)
    for name in ("users", "items", "context"):
        used = slice(None) if name == "items" else slice(N_FACTORS)
        ours, theirs = (getattr(of, name).factors[:, used] for of in (compiled, torch_state))
        assert_allclose(ours, theirs, atol=1e-4)
        assert_allclose(getattr(compiled, name).accumulated, getattr(torch_state, name).accumulated, rtol=1e-3)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_sampled_softmax_estimates_the_exact_one(device):
    """The mean step over many draws is that of the softmax over all items, popular or not."""
    rng = np.random.default_rng(0)
    items = rng.choice(N_ITEMS, 64, p=np.arange(1, N_ITEMS + 1) / np.arange(1, N_ITEMS + 1).sum())
    events = Events(
        rng.integers(0, N_USERS, 64).astype(np.int32),
        items.astype(np.int32),
        np.ones(64, np.float32),
        np.zeros((64, 0), np.float32),
    )
    popularity = np.arange(1, N_ITEMS + 1) / np.arange(1, N_ITEMS + 1).sum()

    def mean_step(n_negatives, batch_size, n_draws):
        total = np.zeros((N_ITEMS, N_FACTORS + 1))
        for seed in range(n_draws):
            learned = state(0, penalty=0.0)
            learned.items.accumulated[:] = 1e6
            learned.items.factors[:, N_FACTORS] = 0
            start = learned.items.factors.copy()
            options = {"learning_rate": 1e-3, "batch_size": batch_size, "n_negatives": n_negatives}
            run = (
                SoftmaxTorchTrainer(popularity, device=device, **options)
                if device
                else SoftmaxTrainer(popularity, **options)
            )
            run.exact = n_draws == 1
            run.epoch(learned, events, np.random.default_rng(seed))
            total += (learned.items.factors - start)[:, : N_FACTORS + 1] * 1e6
        return total / n_draws

    exact, sampled = mean_step(N_ITEMS, 64, 1), mean_step(16, 8, 60)
    assert np.corrcoef(exact[:, N_FACTORS], sampled[:, N_FACTORS])[0, 1] > 0.97


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("solver", ["bpr", "warp"])
def test_items_that_were_seen_are_no_negative_samples(solver, device):
    """Every user has seen all items but one, which alone is then pushed down."""
    learned, events = problem()
    others = np.delete(np.arange(N_ITEMS), 7)
    events.items[:] = others[np.arange(len(events)) % len(others)]
    seen = sp.csr_array(np.tile((np.arange(N_ITEMS) != 7).astype(np.float32), (N_USERS, 1)))
    learned.items.penalty[:] = learned.items.factors[:, N_FACTORS] = 0
    trainer(solver, seen, device, n_negatives=200).epoch(learned, events, np.random.default_rng(0))
    biases = learned.items.factors[:, N_FACTORS]
    assert biases[7] < 0
    assert (biases[others] >= 0).all()


@pytest.mark.parametrize(("solver", "device"), TRAINERS)
def test_a_large_penalty_keeps_rows_at_their_priors(solver, device):
    learned, events = problem()
    learned.users.penalty[:] = 1e4
    learned.users.prior = np.full_like(learned.users.factors, 0.3)
    learned.users.prior[:, N_FACTORS:] = 0
    run_epochs(trainer(solver, device=device), learned, events, np.random.default_rng(0), 5)
    assert_allclose(learned.users.factors[:, :N_FACTORS], 0.3, atol=0.2)


def test_epochs_stop_where_the_score_no_longer_rises():
    learned, events = problem()
    scores_given = iter([0.1, 0.3, 0.2, 0.2, 0.2, 0.9])
    losses, scores = run_epochs(
        trainer("bpr"), learned, events, np.random.default_rng(0), 50, validate=lambda _: next(scores_given), patience=3
    )
    assert scores == [0.1, 0.3, 0.2, 0.2, 0.2]
    assert len(losses) == 5


def test_held_out_score_is_that_of_the_ranks(monkeypatch):
    learned, events = problem(2)
    events = events.take(np.arange(0, 40, 3))
    events.weight = np.linspace(1, 2, len(events)).astype(np.float32)
    seen = sp.csr_array((np.random.default_rng(1).random((N_USERS, N_ITEMS)) < 0.3).astype(np.float32))
    scores = learned.queries(events) @ learned.items.factors.T
    gains = []
    for row, user, item in zip(scores, events.users, events.items, strict=True):
        others = np.setdiff1d(np.flatnonzero(seen[[user]].toarray() == 0), [item])
        gains.append(1 / np.log2(2 + (row[others] > row[item]).sum()))
    expected = np.average(gains, weights=events.weight)
    assert _held_out_rank(events, seen)(learned) == pytest.approx(expected, rel=1e-6)
    monkeypatch.setattr("skrec.decomposition._held_out._CELLS", 50)
    assert _held_out_rank(events, seen)(learned) == pytest.approx(expected, rel=1e-6)
