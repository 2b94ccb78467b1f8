"""The regularization that is found, what users have in common, and data too few to learn from."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrec.decomposition import HybridMFRecommender
from skrec.decomposition._held_out import HeldOutRank, held_out_shares
from skrec.decomposition._hyperparameters import noise_edge
from skrec.decomposition._penalty_search import best_regularization
from skrec.dummy import PopularRecommender

N_ITEMS, N_KINDS = 300, 6


def shop(n_events=9000, n_users=1200, seed=0):
    """Orders of users with about seven events each: popularity falls as rank ** -0.9, and taste says a little."""
    rng = np.random.default_rng(seed)
    popularity = rng.permutation(np.arange(1, N_ITEMS + 1) ** -0.9)
    kind, taste = rng.integers(0, N_KINDS, N_ITEMS), rng.integers(0, N_KINDS, n_users)
    users, hours = rng.integers(0, n_users, n_events), rng.integers(0, N_KINDS, n_events)
    weight = popularity * np.exp(
        1.2 * (kind == taste[:, None])[:, None] + 0.8 * (kind == np.arange(N_KINDS)[:, None])[None]
    )
    cumulated = np.cumsum(weight / weight.sum(axis=2, keepdims=True), axis=2)
    drawn = rng.random(n_events)
    items = (cumulated[users, hours] < drawn[:, None]).sum(axis=1).clip(max=N_ITEMS - 1)
    return np.column_stack([users, items]), np.eye(N_KINDS)[hours]


def ndcg(lists, wanted):
    """NDCG@10 of queries with one relevant item each."""
    hit = lists == np.asarray(wanted)[:, None]
    return np.where(hit.any(axis=1), 1 / np.log2(2 + hit.argmax(axis=1)), 0.0)


@pytest.mark.parametrize("in_context", [False, True])
@pytest.mark.parametrize("alpha", ["auto", 0.0])
def test_not_below_popularity_where_events_are_few(in_context, alpha):
    X, context = shop()
    X, test, given = X[:-1500], X[-1500:], context[-1500:]
    events = np.hstack([X, context[:-1500]]) if in_context else X
    rec = HybridMFRecommender(solver="als", alpha=alpha, random_state=0).fit(events)
    lists = rec.recommend(test[:, 0], exclude_seen=False, context=given if in_context else None).items
    popular = PopularRecommender().fit(X).recommend(test[:, 0], exclude_seen=False).items
    difference = ndcg(lists, test[:, 1]) - ndcg(popular, test[:, 1])
    assert difference.mean() > -1.96 * difference.std() / np.sqrt(len(difference)) - 1e-9


def test_what_is_found_is_what_can_be_passed():
    X, _ = shop()
    found = HybridMFRecommender(n_factors=8, random_state=0).fit(X)
    passed = HybridMFRecommender(n_factors=8, regularization=found.regularization_, random_state=0).fit(X)
    assert_array_equal(found.item_factors_, passed.item_factors_)
    assert found.regularization_ == HybridMFRecommender(n_factors=8, random_state=1).fit(X).regularization_
    rule = HybridMFRecommender(n_factors=8, validation_fraction=0, random_state=0).fit(X)
    users, items = np.unique(X, axis=0).T
    edge = noise_edge(users, items, np.ones(len(users)))
    mean_y = len(X) / len(users)
    assert rule.regularization_ == pytest.approx(0.5 * edge * np.sqrt(1 + rule.alpha_ * mean_y), rel=1e-6)


def test_the_edge_of_noise_is_a_singular_value():
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 40, 600), rng.integers(0, 30, 600)
    shuffled = np.zeros((40, 30))
    np.add.at(shuffled, (users, items[np.random.default_rng(0).permutation(600)]), 1)
    centred = shuffled - np.outer(shuffled.sum(axis=1), shuffled.sum(axis=0)) / shuffled.sum()
    assert noise_edge(users, items, np.ones(600)) == pytest.approx(np.linalg.norm(centred, 2), rel=0.1)
    assert noise_edge(users[:0], items[:0], np.ones(0)) == 0


@pytest.mark.parametrize("best", [0.5, 3.0, 10.0, 70.0])
def test_the_search_finds_the_maximum(best):
    tried = []

    def score_at(regularization):
        tried.append(regularization)
        return -(np.log2(regularization / best) ** 2) + np.array([0.01, -0.01])

    assert best_regularization(8.0, score_at) == pytest.approx(best, rel=1e-6)
    assert len(tried) <= 9


def test_the_search_ends_where_scores_are_flat_or_rise_for_ever():
    """Where nothing tells penalties apart, the largest is taken."""
    one = np.ones(2)
    assert best_regularization(8.0, lambda regularization: one) == 8 * 2**6
    assert best_regularization(8.0, lambda regularization: regularization * one) == 8 * 2**6
    assert best_regularization(8.0, lambda regularization: -regularization * one) == 8 / 2**6


def test_what_is_no_better_than_the_largest_penalty_by_a_standard_error_is_not_taken():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=100)
    noise -= noise.mean()

    def gains_at(lead):
        error = noise.std() / 10
        return lambda regularization: (lead * error + noise) * (np.log2(regularization / 8) ** 2 < 1)

    assert best_regularization(8.0, gains_at(0.9)) == 8 * 2**6
    assert best_regularization(8.0, gains_at(1.1)) == 8.0


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_few_events_of_many_items_are_ranked_by_popularity(seed):
    """Choices by popularity alone: a model of tastes would be chance."""
    rng = np.random.default_rng(seed)
    items = rng.choice(300, 4000, p=np.arange(1, 301) ** -0.9 / (np.arange(1, 301) ** -0.9).sum())
    X = np.unique(np.column_stack([rng.integers(0, 700, 4000), items]), axis=0)
    X = X[rng.permutation(len(X))]
    X, test = X[:-500], X[-500:]
    lists = HybridMFRecommender(n_factors=16, random_state=0).fit(X).recommend(test[:, 0]).items
    popular = PopularRecommender().fit(X).recommend(test[:, 0]).items
    assert ndcg(lists, test[:, 1]).mean() >= 0.97 * ndcg(popular, test[:, 1]).mean()


def test_held_out_events_leave_their_items_others():
    rng = np.random.default_rng(0)
    items = np.r_[np.repeat(np.arange(50), 6), [50]]
    share = held_out_shares(items, np.ones(len(items), np.int64), 0.3, rng)
    assert set(np.unique(share)) == {0.0, 1.0}
    assert 0.2 < share.mean() < 0.4
    assert held_out_shares(items[:30], np.ones(30, np.int64), 0.3, rng) is None
    counts = np.full(len(items), 10)
    assert 0.2 < held_out_shares(items, counts, 0.3, rng).mean() < 0.4


def test_the_rank_of_held_out_items():
    import scipy.sparse as sp

    vectors, queries = np.array([[3.0], [2.0], [1.0], [9.0]]), np.ones((2, 1))
    active = np.array([True, True, True, False])
    rank = HeldOutRank(np.array([1, 2]), np.ones(2), None)
    assert rank(lambda at: queries[at], vectors, active) == pytest.approx((1 / np.log2(3) + 1 / np.log2(4)) / 2)
    seen = sp.csr_array(np.array([[1, 0, 0, 0], [0, 0, 0, 0]]))
    rank = HeldOutRank(np.array([1, 2]), np.ones(2), seen)
    assert rank(lambda at: queries[at], vectors, active) == pytest.approx((1 + 1 / np.log2(4)) / 2)


def test_repeats_are_ranked_where_they_are_what_users_do():
    """Users who take the same few items again and again: a model that ranks those well is chosen."""
    rng = np.random.default_rng(0)
    own = rng.integers(0, 40, (200, 3))
    users = np.repeat(np.arange(200), 40)
    X = np.column_stack([users, own[users, rng.integers(0, 3, len(users))]])
    rec = HybridMFRecommender(n_factors=16, random_state=0).fit(X)
    items = rec.recommend(np.arange(200), k=3, exclude_seen=False).items
    assert np.mean([set(row) <= set(mine) for row, mine in zip(items, own, strict=True)]) > 0.7
    of_pairs = HybridMFRecommender(n_factors=16, random_state=0).fit(np.unique(X, axis=0))
    assert rec.regularization_ < 0.5 * of_pairs.regularization_


@pytest.mark.parametrize("solver", ["als", "bpr", "softmax", "warp"])
@pytest.mark.parametrize("features", [None, ([1, 2, 3], [[0.2, 1.0, -0.4], [1.1, -0.3, 0.5], [-0.8, 0.1, 0.9]])])
@pytest.mark.parametrize("events", [[(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (1, 2), (1, 3), (2, 1)]])
def test_own_items_come_first_where_events_are_a_handful(solver, features, events):
    rec = HybridMFRecommender(solver=solver, random_state=0).fit(events, item_features=features)
    for user in {user for user, _ in events}:
        own = {item for other, item in events if other == user}
        assert set(rec.recommend([user], k=len(own), exclude_seen=False).items[0]) == own


def test_the_solver_follows_from_the_data_and_stays():
    X, context = shop(1500, 200)
    events = np.hstack([X, context])
    rec = HybridMFRecommender(n_factors=8, random_state=0)
    assert rec.fit(X).solver_ == "als"
    assert rec.partial_fit(X[:5]).solver_ == "als"
    assert rec.fit(events).solver_ == "warp"
    assert rec.partial_fit(events[:5]).solver_ == "warp"
    assert_array_equal(
        rec.fit(events).item_factors_,
        HybridMFRecommender(n_factors=8, solver="warp", random_state=0).fit(events).item_factors_,
    )
    rated = HybridMFRecommender(n_factors=8, feedback="explicit", random_state=0)
    assert rated.fit(events, np.arange(len(events)) % 5).solver_ == "als"


# What users have in common ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_context():
    X, context = shop(3000, 400)
    return HybridMFRecommender(n_factors=8, solver="als", regularization=10.0, random_state=0).fit(
        np.hstack([X, context])
    )


def test_an_unknown_user_is_what_users_have_in_common(in_context):
    moment = np.eye(N_KINDS)[:1]
    expected = in_context.item_factors_ @ (in_context.user_intercept_ + moment[0] @ in_context.context_coef_)
    lists = in_context.recommend([-5], k=5, context=moment)
    assert_array_equal(lists.items[0], in_context.items_[np.argsort(-expected, kind="stable")[:5]])
    assert_allclose(lists.scores[0], np.sort(expected)[::-1][:5], rtol=1e-4)


def test_given_features_add_to_what_users_have_in_common():
    X, _ = shop(3000, 400)
    table = (np.arange(400), np.random.default_rng(0).normal(size=(400, 3)))
    rec = HybridMFRecommender(n_factors=8, regularization=10.0, max_iter=200, tol=0, random_state=0)
    rec.fit(X, user_features=table)
    new = np.array([[0.5, -1.0, 2.0]])
    expected = rec.item_factors_ @ (rec.user_intercept_ + new[0] @ rec.user_coef_)
    scores = rec.recommend([-1], k=5, user_features=([-1], new)).scores
    assert_allclose(scores[0], np.sort(expected)[::-1][:5], rtol=1e-4)
    same = rec.recommend([7], k=5, user_features=([7], table[1][7:8]))
    assert_allclose(same.scores, rec.recommend([7], k=5).scores, rtol=5e-3)


def test_new_users_of_an_update_start_from_what_users_have_in_common():
    X, _ = shop(3000, 400)
    rec = HybridMFRecommender(n_factors=8, regularization=10.0, random_state=0).fit(X)
    intercept = rec.user_intercept_.copy()
    rec.partial_fit([[1000, X[0, 1]], [1000, X[1, 1]]])
    assert_array_equal(rec.user_intercept_, intercept)
    folded = HybridMFRecommender(n_factors=8, regularization=10.0, random_state=0).fit(X)
    history = [[1000, X[0, 1]], [1000, X[1, 1]]]
    assert_allclose(rec.recommend([1000], k=5).scores, folded.recommend(history=history, k=5).scores, rtol=0.05)
