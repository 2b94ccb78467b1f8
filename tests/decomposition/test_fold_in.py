"""Users who were not in fit, with a few events: what they gain over popularity, beside users who were."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skrec.datasets import load_bookshop
from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
from skrec.dummy import PopularRecommender
from skrec.metrics import ndcg_at_k

SOLVERS = ["bpr", "warp", "softmax"]
MODELS = [*(HybridMFRecommender(solver=solver, random_state=0) for solver in ("als", *SOLVERS))]
MODELS += [BPRRecommender(random_state=0), LogisticMFRecommender(random_state=0)]


def two_tastes(n_users=40, n_items=30, seed=0):
    """Users choose even items or odd ones, and all choose item 0."""
    rng = np.random.default_rng(seed)
    rows = [(user, 2 * rng.integers(n_items // 2) + user % 2) for user in range(n_users) for _ in range(8)]
    return np.vstack([rows, [(user, 0) for user in range(n_users)]])


def fitted(solver, **settings):
    return HybridMFRecommender(n_factors=6, solver=solver, max_iter=15, random_state=0, **settings).fit(two_tastes())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_row_does_not_depend_on_the_other_rows(solver):
    rec = fitted(solver)
    history = np.array([[90, 2], [91, 3], [91, 5], [92, 4], [92, 4], [92, 8]])
    together = rec.recommend([90, 91, 92], k=30, history=history)
    for row, user in enumerate((90, 91, 92)):
        alone = rec.recommend([user], k=30, history=history[history[:, 0] == user])
        assert_allclose(alone.scores[0], together.scores[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_other_user_fits_the_history_better(solver):
    """The slope of the loss vanishes: the parts of the history, over the penalty, are the user less a mean user."""
    rec = fitted(solver)
    history = np.column_stack([np.full(12, 90), np.arange(0, 24, 2)])
    _, queries = rec._read_queries([90], None, history)
    vector = rec._query_vectors(queries)[0]
    parts = [rec._contributions(queries, np.array([item])).sum() for item in range(30)]
    away = vector[: rec.n_factors] - rec._state.design.center
    assert_allclose(parts, rec.item_factors_ @ away, atol=2e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_large_penalty_leaves_a_mean_user(solver):
    rec = fitted(solver, regularization=1e5)
    mean = rec.user_factors_.mean(axis=0)
    scores = rec.recommend([90], k=30, history=[[90, 3]], exclude_seen=False)
    expected = np.sort(rec.item_biases_ + rec.item_factors_ @ mean)[::-1]
    assert_allclose(scores.scores[0], expected, atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_event_weighs_as_in_fit(solver):
    rec = fitted(solver)
    at_the_cap = rec.recommend([90], k=30, history=([[90, 3]], [10.0]))
    beyond = rec.recommend([90], k=30, history=([[90, 3]], [1e6]))
    assert_allclose(beyond.scores, at_the_cap.scores, rtol=1e-5)
    repeated = rec.recommend([90], k=30, history=[[90, 3], [90, 3]])
    assert_allclose(rec.recommend([90], k=30, history=([[90, 3]], [2.0])).scores, repeated.scores, rtol=1e-5)


def hold_out(X, n):
    """Events of the other users, and those of ``n`` users with their place in a random order."""
    rng = np.random.default_rng(0)
    users, n_events = np.unique(X[:, 0], return_counts=True)
    held = np.isin(X[:, 0], rng.choice(users[n_events >= 8], n, replace=False))
    own = X[held][rng.permutation(held.sum())]
    own = own[np.argsort(own[:, 0], kind="stable")]
    return X[~held], own, np.arange(len(own)) - np.searchsorted(own[:, 0], own[:, 0])


def sparse_log(seed, n_events=20_000, n_users=1_500, n_items=400, n_kinds=8):
    """Half of the events by popularity alone, half by it and the taste of the user."""
    rng = np.random.default_rng(seed)
    popularity = rng.permutation(np.arange(1.0, n_items + 1) ** -0.7)
    kind, taste = rng.integers(0, n_kinds, n_items), rng.dirichlet(np.full(n_kinds, 0.5), n_users)
    activity = rng.gamma(1.0, 1.0, n_users)
    users = rng.choice(n_users, n_events, p=activity / activity.sum())
    by_taste = rng.random(n_events) < 0.5
    kinds = (rng.random(n_events)[:, None] > taste[users].cumsum(axis=1)).sum(axis=1).clip(max=n_kinds - 1)
    items = rng.choice(n_items, n_events, p=popularity / popularity.sum())
    for k in range(n_kinds):
        share, at = popularity * (kind == k), np.flatnonzero(by_taste & (kinds == k))
        items[at] = rng.choice(n_items, len(at), p=share / share.sum())
    return np.column_stack([users, items])


@pytest.mark.parametrize("solver", ["bpr", "warp"])
def test_few_events_of_a_sparse_log_are_no_worse_than_popularity(solver):
    others, own, place = hold_out(sparse_log(2), 200)
    rec = HybridMFRecommender(solver=solver, random_state=0).fit(others)
    popular = PopularRecommender().fit(others)
    assert rec._state.user_penalty_scale > 1
    for n_events in (1, 2, 5):
        history, later = own[place < n_events], own[place >= n_events]
        users = np.unique(later[:, 0])
        chosen = [later[later[:, 0] == user, 1] for user in users]
        lists = [model.recommend(users, k=10, history=history) for model in (popular, rec)]
        of_popular, folded = (ndcg_at_k(chosen, part, k=10, average=False) for part in lists)
        gain = folded - of_popular
        assert gain.mean() > -2 * gain.std() / np.sqrt(len(users)), n_events


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_most_of_what_fitting_gains_on_the_bookshop(model):
    others, own, place = hold_out(np.asarray(load_bookshop(frame=None).X)[:, :2], 100)
    rec, popular = model.fit(others), PopularRecommender().fit(others)
    for n_events in (1, 5):
        history, later = own[place < n_events], own[place >= n_events]
        users = np.unique(later[:, 0])
        chosen = [later[later[:, 0] == user, 1] for user in users]
        refitted = type(model)(**model.get_params()).fit(np.vstack([others, history]))
        of_popular, folded, known = (
            ndcg_at_k(chosen, lists, k=10, average=False)
            for lists in (
                popular.recommend(users, k=10, history=history),
                rec.recommend(users, k=10, history=history),
                refitted.recommend(users, k=10),
            )
        )
        gain, gain_of_fit = folded - of_popular, known - of_popular
        assert gain.mean() > 2 * gain.std() / np.sqrt(len(users))
        assert gain.mean() > 0.8 * gain_of_fit.mean(), n_events
