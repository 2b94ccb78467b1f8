"""HybridMFRecommender with context."""

import pickle
from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrec.datasets import make_context_choices
from skrec.decomposition import HybridMFRecommender
from skrec.pipeline import make_pipeline

N_USERS, N_ITEMS, N_CONTEXTS, PER_USER, HELD_OUT = 80, 40, 4, 25, 5
SOLVERS = ["als", "bpr", "warp", "softmax"]


@pytest.fixture(scope="module")
def choices():
    """Training and held-out events of simulated choices, as arrays with one column a context."""
    data = make_context_choices(
        N_USERS,
        PER_USER + HELD_OUT,
        n_items=N_ITEMS,
        n_contexts=N_CONTEXTS,
        taste_scale=2.0,
        frame=None,
        random_state=0,
    )
    return data.X[: N_USERS * PER_USER], data.X[N_USERS * PER_USER :]


def make(**parameters):
    return HybridMFRecommender(**{"n_factors": 8, "learning_rate": 0.1, "random_state": 0, **parameters})


@pytest.fixture(scope="module", params=SOLVERS)
def solver(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(solver, choices):
    return make(solver=solver).fit(choices[0])


def ndcg(rec, events, *, context=True, **options):
    """NDCG@10 with each event a query of its own."""
    given = events[:, 2:] if context else None
    ranked = rec.recommend(events[:, 0], k=10, context=given, exclude_seen=False, **options)
    return ((ranked.items == events[:, [1]]) / np.log2(np.arange(10) + 2)).sum(axis=1).mean()


def ratings(seed=0):
    """Ratings from biases, taste and what the moment adds, of items and overall."""
    rng = np.random.default_rng(seed)
    X = np.argwhere(rng.random((60, 40)) < 0.6)
    context = rng.normal(size=(len(X), 2)).astype(np.float32)
    p, q = rng.normal(size=(60, 2)), rng.normal(size=(40, 2))
    shift = context @ np.array([[1.0, 0.0], [0.0, 0.5]])
    y = 3 + 0.7 * context[:, 0] + 0.4 * rng.normal(size=40)[X[:, 1]] + ((p[X[:, 0]] + shift) * q[X[:, 1]]).sum(axis=1)
    return np.column_stack([X, context]), y + rng.normal(scale=0.1, size=len(X))


# Quality ---------------------------------------------------------------------------------------------


def test_context_helps_and_shuffled_context_does_not(solver, choices, fitted):
    """A model with random contexts does as well as one without them."""
    rng = np.random.default_rng(0)
    shuffled = [np.column_stack([part[:, :2], rng.permutation(part[:, 2:])]) for part in choices]
    fooled = make(solver=solver).fit(shuffled[0])
    assert ndcg(fitted, choices[1]) > 1.15 * ndcg(fitted, choices[1], context=False)
    assert ndcg(fitted, choices[1]) > 1.15 * ndcg(fooled, shuffled[1])
    assert ndcg(fooled, shuffled[1]) < 1.03 * ndcg(fooled, shuffled[1], context=False)


def test_new_users_get_what_the_moment_asks_for(fitted, choices):
    test = choices[1].copy()
    test[:, 0] += 10_000
    assert ndcg(fitted, test) > 1.15 * ndcg(fitted, test, context=False)


# What the score is -----------------------------------------------------------------------------------


def test_score_is_that_of_the_fitted_attributes(fitted, choices):
    test = choices[1][np.isin(choices[1][:, 1], fitted.items_)]
    users, items = test[:, 0].astype(int), np.searchsorted(fitted.items_, test[:, 1])
    queries = fitted.user_factors_[users] + test[:, 2:] @ fitted.context_coef_
    expected = fitted.item_biases_[items] + (queries * fitted.item_factors_[items]).sum(axis=1)
    assert_allclose(fitted.predict(test), expected, atol=1e-5)
    assert fitted.context_coef_.shape == (N_CONTEXTS, 8)


def test_no_context_is_the_mean_of_training(fitted, choices):
    mean = choices[0][:, 2:].mean(axis=0, keepdims=True)
    expected = fitted.recommend(k=5, context=mean)
    assert_array_equal(fitted.recommend(k=5).items, expected.items)
    assert_allclose(fitted.recommend(k=5).scores, expected.scores, atol=1e-5)


def test_scale_of_a_column_does_not_matter(solver, choices):
    train, test = choices
    factor = np.array([1, 1, 100.0, 1, 0.01, 1], np.float32)
    plain, scaled = (make(solver=solver, max_iter=40, validation_fraction=0) for _ in range(2))
    expected = ndcg(plain.fit(train), test)
    assert ndcg(scaled.fit(train * factor), test * factor) == pytest.approx(expected, abs=0.03)


def test_without_context_columns_there_is_no_map(solver, choices):
    rec = make(solver=solver).fit(choices[0])
    rec.fit(choices[0][:, :2])
    assert rec.context_coef_ is None
    with pytest.raises(ValueError, match="X had no context columns"):
        rec.recommend([0], context=[[1.0, 0, 0, 0]])


# Later -----------------------------------------------------------------------------------------------


def test_history_of_a_new_user_is_folded_in(fitted, choices):
    train, test = choices
    renamed, queries = train[:, :2] + [10_000, 0], test + [10_000, 0, 0, 0, 0, 0]
    folded = ndcg(fitted, queries, history=renamed)
    assert folded > 1.02 * ndcg(fitted, queries)
    assert folded > 0.9 * ndcg(fitted, test)


def test_history_of_a_known_user_moves_what_was_fitted(fitted):
    before = fitted.predict(np.array([[0, 7, 1, 0, 0, 0]]))
    history = [[0, 7]] * 30
    request = {"k": N_ITEMS, "context": [[1, 0, 0, 0]], "exclude_seen": False}
    ranked = fitted.recommend([0], history=history, **request)
    position = np.flatnonzero(ranked.items[0] == 7)[0]
    assert position < np.flatnonzero(fitted.recommend([0], **request).items[0] == 7)[0] or position == 0
    assert_array_equal(fitted.predict(np.array([[0, 7, 1, 0, 0, 0]])), before)


def test_partial_fit_goes_on(solver, choices):
    train, test = choices
    started = train[:, 0] < 60
    rec = make(solver=solver).fit(train[started])
    before = ndcg(rec, test[test[:, 0] < 60])
    new_users = test[test[:, 0] >= 60]
    cold = ndcg(rec, new_users)
    rec.partial_fit(train[~started])
    assert ndcg(rec, new_users) > 1.05 * cold
    assert ndcg(rec, test[test[:, 0] < 60]) > 0.95 * before


def test_partial_fit_adds_items(solver, choices):
    """A new item that is chosen in one context alone is recommended there."""
    rec = make(solver=solver).fit(choices[0])
    new = np.array([[user, 99, 0, 1, 0, 0] for user in range(0, 40)], float)
    rec.partial_fit(new)
    scores = rec.predict(np.array([[70, 99, *row] for row in np.eye(4)], float))
    assert scores.argmax() == 1


def test_pickle_keeps_the_map(fitted, choices):
    test = choices[1]
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(loaded.predict(test), fitted.predict(test))
    history = [[0, 3], [555, 4]]
    assert_array_equal(loaded.recommend(history=history).scores, fitted.recommend(history=history).scores)


def test_same_result_for_any_number_of_threads(solver, choices, fitted):
    assert_array_equal(make(solver=solver, n_jobs=1).fit(choices[0]).item_factors_, fitted.item_factors_)


# Ratings ---------------------------------------------------------------------------------------------


def test_ratings_in_context():
    X, y = ratings()
    held_out = np.random.default_rng(1).random(len(X)) < 0.1
    in_context = make(n_factors=3, feedback="explicit", regularization=0.5).fit(X[~held_out], y[~held_out])
    blind = make(n_factors=3, feedback="explicit", regularization=0.5).fit(X[~held_out][:, :2], y[~held_out])

    def error(rec, X):
        return np.sqrt(((rec.predict(X) - y[held_out]) ** 2).mean())

    assert error(in_context, X[held_out]) < 0.3 < 1.0 < error(blind, X[held_out][:, :2])
    assert in_context.context_coef_.shape == (2, 4)
    assert in_context.context_coef_[0, -1] == pytest.approx(0.7, abs=0.15)
    users, items = X[:, 0].astype(int), X[:, 1].astype(int)
    queries = in_context.user_factors_[users] + X[:, 2:] @ in_context.context_coef_[:, :-1]
    expected = in_context.mean_ + in_context.user_biases_[users] + X[:, 2:] @ in_context.context_coef_[:, -1]
    expected += in_context.item_biases_[items] + (queries * in_context.item_factors_[items]).sum(axis=1)
    assert_allclose(in_context.predict(X), expected, atol=1e-4)
    ranked = in_context.recommend([3], k=4, context=[[1.0, -1.0]], exclude_seen=False)
    rows = np.column_stack([np.full(4, 3), ranked.items[0], np.ones(4), -np.ones(4)])
    assert_allclose(ranked.scores[0], in_context.predict(rows), atol=1e-4)


def test_ratings_of_new_users_and_later_ratings():
    X, y = ratings()
    mine = X[:, 0] == 7
    rec = make(n_factors=3, feedback="explicit", regularization=0.5).fit(X[~mine], y[~mine])
    before = np.abs(rec.predict(X[mine]) - y[mine]).mean()
    rec.partial_fit(X[mine], y[mine])
    assert np.abs(rec.predict(X[mine]) - y[mine]).mean() < 0.3 * before
    assert np.isfinite(rec.predict([[999, 3, 0, 0], [3, 999, 0, 0], [999, 999, 0, 0]])).all()
    history = (np.array([[1000, 3], [1000, 5]]), [5.0, 1.0])
    scores = rec.recommend([1000], k=40, history=history, exclude_seen=False)
    order = scores.items[0].tolist()
    assert order.index(3) < order.index(5)


def test_only_the_last_rating_of_a_pair_counts():
    X, y = ratings()
    once = make(feedback="explicit").fit(X, y)
    twice = make(feedback="explicit").fit(np.vstack([X, X]), np.concatenate([9 - y, y]))
    assert_allclose(twice.predict(X), once.predict(X), atol=1e-3)


@pytest.mark.parametrize("later", ["history", "partial_fit", "partial_fit_of_others"])
def test_rating_of_zero_is_a_rating(later):
    X, y = ratings()
    mine = X[:, 0] == 7

    def scores(value):
        rec = make(n_factors=3, feedback="explicit", regularization=0.5)
        if later == "partial_fit_of_others":
            rec.fit(X, np.where(mine, value, y)).partial_fit([[7, 999, 0.0, 0.0]], [1.0])
            return rec.predict(X[mine])
        rec.fit(X[~mine], y[~mine])
        if later == "partial_fit":
            return rec.partial_fit(X[mine], np.full(mine.sum(), value)).predict(X[mine])
        return rec.recommend([7], k=40, history=(X[mine][:, :2], np.full(mine.sum(), value))).scores

    assert_allclose(scores(0.0), scores(1e-3), atol=5e-3)


def test_only_the_last_rating_of_a_pair_counts_in_later_events():
    X, y = ratings()
    once, twice = (make(feedback="explicit").fit(X, y) for _ in range(2))
    once.partial_fit([[7, 3, 0.0, 0.0]], [9.0])
    twice.partial_fit([[7, 3, 0.0, 0.0]] * 4, [-9.0, -9.0, -9.0, 9.0])
    assert_allclose(twice.predict(X), once.predict(X), atol=2e-2)


def test_a_rating_changed_in_a_history_replaces_the_fitted_one():
    X, y = ratings()
    X, y = np.vstack([X, [1000, 3, 0.0, 0.0]]), np.append(y, 9.0)
    rec = make(n_factors=3, feedback="explicit", regularization=0.01).fit(X, y)

    def score(user, rating):
        request = {"candidates": [3], "context": [[0.0, 0.0]], "exclude_seen": False}
        return rec.recommend([user], k=1, history=([[user, 3]], [rating]), **request).scores[0, 0]

    assert score(1000, 9.0) == pytest.approx(rec.predict([[1000, 3, 0, 0]])[0], abs=1e-4)
    assert score(1000, 1.0) == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("context", [True, False])
def test_ratings_around_zero(context):
    X, _ = ratings()
    X = X if context else X[:, :2]
    for y in (np.zeros(len(X)), np.where(np.arange(len(X)) % 2, 1.0, -1.0)):
        rec = make(feedback="explicit").fit(X, y)
        assert rec.alpha_ is None
        assert np.isfinite(rec.predict(X)).all()


# Bad and odd input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e30])
def test_columns_at_the_ends_of_float32(solver, scale):
    X = np.column_stack([np.arange(40) % 8, np.arange(40) % 5, scale * np.linspace(-1, 1, 40)])
    rec = make(solver=solver, max_iter=3).fit(X)
    assert np.isfinite(rec.context_coef_).all()
    assert np.isfinite(rec.predict(X)).all()


def test_number_beyond_float32_is_refused(choices):
    with pytest.raises(ValueError, match=r"context column 0 contains NaN or infinity \(as float32\)"):
        make().fit(np.column_stack([choices[0][:, :2].astype(float), np.full(len(choices[0]), 1e39)]))


def test_requests_that_leave_float32_are_refused():
    X, y = ratings()
    with pytest.raises(ValueError, match="user vector of a request leaves the range of float32"):
        make(feedback="explicit").fit(X, y).recommend([3], context=[[3e38, 3e38]])
    with pytest.raises(ValueError, match="user vector of a request leaves the range of float32"):
        make(solver="als", regularization=1.0).fit(X).recommend(history=([[999, 3]] * 500, np.full(500, 1e15)))


def test_moments_that_say_nothing_of_ratings_cost_little():
    """Forty columns that are one at random: what the items could fit in them is noise."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(150, size=6000), rng.integers(100, size=6000)
    y = 3 + (rng.normal(size=(150, 3))[users] * rng.normal(size=(100, 3))[items]).sum(axis=1) + rng.normal(size=6000)
    X = np.column_stack([users, items, np.eye(40)[rng.integers(40, size=6000)]])
    in_context = make(feedback="explicit", n_factors=16).fit(X[:5000], y[:5000])
    blind = make(feedback="explicit", n_factors=16).fit(X[:5000, :2], y[:5000])
    errors = in_context.predict(X[5000:]) - y[5000:], blind.predict(X[5000:, :2]) - y[5000:]
    in_context_error, blind_error = (np.sqrt(np.mean(np.square(error))) for error in errors)
    assert in_context_error < 1.02 * blind_error


@pytest.mark.parametrize("constant", [False, True], ids=["context", "constant context"])
def test_ratings_one_at_a_time_keep_the_quality(constant):
    """Items must not follow single ratings into directions where only contexts point."""
    rng = np.random.default_rng(0)
    users, items, context = rng.integers(60, size=4000), rng.integers(80, size=4000), rng.random((4000, 3))
    effect = (context - 0.5) @ rng.normal(size=(3, 80)) * 2
    y = 3 + rng.normal(size=60)[users] + effect[np.arange(4000), items] + rng.normal(size=4000)
    X = np.column_stack([users, items, np.ones_like(context) if constant else context])
    train, new, test = slice(3000), range(3000, 3200), slice(3200, None)
    rec = make(feedback="explicit", n_factors=8).fit(X[train], y[train])
    before = np.sqrt(np.mean((rec.predict(X[test]) - y[test]) ** 2))
    for row in new:
        rec.partial_fit(X[[row]], y[[row]])
    after = np.sqrt(np.mean((rec.predict(X[test]) - y[test]) ** 2))
    assert after < 1.01 * before


def test_very_large_weights_of_events(solver, choices):
    """The weight is far more events than an integer counts."""
    X = choices[0][:200]
    rec = make(solver=solver, max_iter=2).fit(X, np.full(200, 1e-10), sample_weight=np.full(200, 1e20))
    assert np.isfinite(rec.predict(X)).all()


# In a pipeline ---------------------------------------------------------------------------------------


def test_behind_an_encoder():
    from skrec.feature_extraction import ContextEncoder

    data = make_context_choices(N_USERS, PER_USER, n_items=N_ITEMS, n_contexts=N_CONTEXTS, random_state=0)
    pipe = make_pipeline(ContextEncoder(), make()).fit(data.X)
    request = data.X[["moment"]].iloc[[0]].assign(moment="moment_2")
    assert pipe.recommend([1], context=request).items.shape == (1, 10)
    other = data.X[["moment"]].iloc[[0]].assign(moment="moment_3")
    assert set(pipe.recommend([1], context=request).items[0]) != set(pipe.recommend([1], context=other).items[0])


@pytest.mark.parametrize("feedback", ["implicit", "explicit"])
def test_an_update_reads_the_users_of_its_items_and_no_others(feedback):
    """By users that share no item with the new events: without them, the same rows come out."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 30, 300), rng.integers(0, 12, 300), rng.random(300)])
    apart = np.column_stack([rng.integers(30, 60, 300), rng.integers(12, 24, 300), rng.random(300)])
    new = np.array([[0, 3, 0.5], [1, 4, 0.25], [1, 4, 0.75]])
    y, later = np.full(600, 2.0), np.array([3.0, 4.0, 5.0])
    rec = make(solver="als", feedback=feedback, max_iter=3).fit(np.vstack([X, apart]), y)
    before = rec.item_factors_, rec.user_factors_
    read = []
    entries = type(rec._make_solver(rec._state.settings)).entries

    def watched(self, histories, n_items):
        read.append(histories)
        return entries(self, histories, n_items)

    with patch("skrec.decomposition._context_als.ContextALSSolver.entries", watched):
        rec.partial_fit(new, later)
    assert max(histories.items.max(initial=0) for histories in read) < 12
    changed = np.flatnonzero((rec.item_factors_ != before[0]).any(axis=1)).tolist()
    assert changed == [3, 4]
    assert np.flatnonzero((rec.user_factors_ != before[1]).any(axis=1)).tolist() == [0, 1]


def test_an_event_of_strength_zero_changes_no_vector(choices):
    rec = make(max_iter=2).fit(choices[0])
    before = rec.item_factors_, rec.user_factors_
    rec.partial_fit(choices[1][:1], [0.0])
    assert_array_equal(rec.item_factors_, before[0])
    assert_array_equal(rec.user_factors_, before[1])
