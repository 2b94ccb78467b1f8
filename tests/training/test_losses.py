"""Each loss against its definition in plain Python."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skrec._training import losses


def _scores(seed, n=5, m=4):
    rng = np.random.default_rng(seed)
    valid = rng.random((n, m)) < 0.7
    return rng.normal(size=n), rng.normal(size=(n, m)), valid, rng.normal(size=m) - 2, rng.normal(size=n) - 2


def _tensors(*arrays):
    return [torch.as_tensor(a) for a in arrays]


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


SEEDS = st.integers(0, 10_000)


@given(SEEDS)
def test_full_softmax(seed):
    rng = np.random.default_rng(seed)
    scores, targets = rng.normal(size=(5, 7)), rng.integers(0, 7, 5)
    expected = [-math.log(math.exp(row[t]) / sum(map(math.exp, row))) for row, t in zip(scores, targets, strict=True)]
    assert_allclose(losses.full_softmax(*_tensors(scores, targets)), expected)


@given(SEEDS, st.booleans())
def test_sampled_softmax(seed, targets_are_drawn):
    positive, negative, valid, log_q, own_log_q = _scores(seed)
    expected = []
    for i, score in enumerate(positive):
        own = score - (own_log_q[i] if targets_are_drawn else 0)
        others = [negative[i, j] - log_q[j] for j in range(4) if valid[i, j]]
        expected.append(-math.log(math.exp(own) / sum(map(math.exp, [own, *others]))))
    given_own = torch.as_tensor(own_log_q) if targets_are_drawn else None
    assert_allclose(losses.sampled_softmax(*_tensors(positive, negative, valid, log_q), given_own), expected)


@given(SEEDS)
def test_bce(seed):
    positive, negative, valid, *_ = _scores(seed)
    expected = []
    for i, score in enumerate(positive):
        others = [-math.log(1 - _sigmoid(negative[i, j])) for j in range(4) if valid[i, j]]
        expected.append(-math.log(_sigmoid(score)) + (sum(others) / len(others) if others else 0))
    assert_allclose(losses.bce(*_tensors(positive, negative, valid)), expected)


@given(SEEDS)
def test_bpr(seed):
    positive, negative, valid, *_ = _scores(seed)
    expected = []
    for i, score in enumerate(positive):
        others = [-math.log(_sigmoid(score - negative[i, j])) for j in range(4) if valid[i, j]]
        expected.append(sum(others) / len(others) if others else 0)
    assert_allclose(losses.bpr(*_tensors(positive, negative, valid)), expected)


@given(SEEDS)
def test_info_nce(seed):
    rng = np.random.default_rng(seed)
    queries, keys, ids = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.integers(0, 3, 5)
    expected = []
    for i in range(5):
        cosines = [
            queries[i] @ keys[j] / np.linalg.norm(queries[i]) / np.linalg.norm(keys[j])
            for j in [i] + [j for j in range(5) if ids[j] != ids[i]]
        ]
        weights = [math.exp(c / 0.2) for c in cosines]
        expected.append(-math.log(weights[0] / sum(weights)))
    assert_allclose(losses.info_nce(*_tensors(queries, keys, ids), temperature=0.2), expected)


def test_accidental_hits_are_no_negatives():
    valid = losses.no_accidental_hits(torch.tensor([3, 5]), torch.tensor([5, 3, 1]))
    assert valid.tolist() == [[True, False, True], [False, True, True]]
    own = torch.tensor([[3, 1], [1, 5]])
    assert losses.no_accidental_hits(torch.tensor([3, 5]), own).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("seed", range(3))
def test_corrected_samples_have_the_gradient_of_the_whole_catalogue(seed):
    """Many samples, drawn unevenly: the log-Q correction takes out what the drawing put in."""
    rng = np.random.default_rng(seed)
    n, m = 6, 60_000
    scores = torch.tensor(rng.normal(size=(1, n)), requires_grad=True)
    q = rng.dirichlet(np.ones(n) * 3)
    target = 2
    (whole,) = torch.autograd.grad(losses.full_softmax(scores, torch.tensor([target])).sum(), scores)
    drawn = torch.as_tensor(rng.choice(n, size=m, p=q))
    valid = losses.no_accidental_hits(torch.tensor([target]), drawn)
    log_q = torch.as_tensor(np.log(m * q))[drawn]
    loss = losses.sampled_softmax(scores[:, target], scores[:, drawn], valid, log_q)
    (sampled,) = torch.autograd.grad(loss.sum(), scores)
    assert_allclose(sampled, whole, atol=0.02)
