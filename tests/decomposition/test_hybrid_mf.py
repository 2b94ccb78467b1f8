"""Matrix factorization with side features."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder

from skrec.decomposition import HybridMFRecommender
from skrec.interactions import FeatureTable

N_USERS, N_ITEMS, N_TASTES = 60, 40, 4


def events(seed=0, per_user=8, noise=0.1):
    """Users of four tastes; taste t likes items of code t modulo 4, and sometimes any."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(N_USERS):
        liked = np.arange(user % N_TASTES, N_ITEMS, N_TASTES)
        chosen = np.where(rng.random(per_user) < noise, rng.integers(0, N_ITEMS, per_user), rng.choice(liked, per_user))
        rows += [(user, item) for item in np.unique(chosen)]
    return np.array(rows)


def taste_table(n, offset=0):
    ids = np.arange(n) + offset
    return FeatureTable((ids, np.eye(N_TASTES)[ids % N_TASTES]))


def ratings(seed=0, n_users=80, n_items=50, density=0.4):
    """Ratings from a mean, biases and one taste, with a little noise."""
    rng = np.random.default_rng(seed)
    user_bias, item_bias = rng.normal(scale=0.5, size=n_users), rng.normal(scale=0.7, size=n_items)
    p, q = rng.normal(size=n_users), rng.normal(size=n_items)
    X = np.argwhere(rng.random((n_users, n_items)) < density)
    y = 3 + user_bias[X[:, 0]] + item_bias[X[:, 1]] + p[X[:, 0]] * q[X[:, 1]] + rng.normal(scale=0.1, size=len(X))
    return X, y


def make(**parameters):
    return HybridMFRecommender(**{"n_factors": 6, "random_state": 0, **parameters})


def test_recommends_the_taste_of_the_user():
    rec = make().fit(events())
    items = rec.recommend(k=2).items
    assert (items % N_TASTES == np.arange(N_USERS)[:, None] % N_TASTES).mean() > 0.95


@pytest.mark.parametrize("alpha", [0.0, 5.0])
def test_each_side_is_optimal_given_the_other(alpha):
    """At convergence a user's row solves its weighted least squares, written out densely, around the common row."""
    X = events()
    rec = make(alpha=alpha, regularization=2.0, frequency_scaling=1.0, max_iter=500, tol=0).fit(X)
    seen = np.zeros((N_USERS, N_ITEMS))
    np.add.at(seen, (X[:, 0], X[:, 1]), 1)
    q = rec.item_factors_.astype(np.float64)
    n_seen = (seen > 0).sum(axis=1)
    penalty = 2.0 * n_seen / n_seen.mean()
    for user in range(0, N_USERS, 7):
        confidence = 1 + alpha * seen[user]
        normal = q.T @ (confidence[:, None] * q) + penalty[user] * np.eye(6)
        target = q.T @ (confidence * (seen[user] > 0)) + penalty[user] * rec.user_intercept_
        assert_allclose(rec.user_factors_[user], np.linalg.solve(normal, target), atol=2e-3)
    assert_allclose(rec.user_intercept_, np.average(rec.user_factors_, axis=0, weights=penalty), atol=2e-3)


@pytest.mark.parametrize("feedback", ["implicit", "explicit"])
def test_loss_curve_falls_and_stops(feedback):
    X, y = ratings()
    rec = make(feedback=feedback, tol=1e-3, max_iter=200).fit(X, np.clip(y, 0, None))
    losses = np.array(rec.loss_curve_)
    assert rec.n_iter_ == len(losses) < 200
    assert (np.diff(losses) <= 1e-6 * losses[1:]).all()
    assert losses[-2] - losses[-1] <= 1e-3 * losses[-2]


def test_explicit_predicts_ratings():
    X, y = ratings()
    held_out = np.random.default_rng(1).random(len(X)) < 0.1
    rec = make(feedback="explicit", regularization=0.3, max_iter=100, tol=1e-6).fit(X[~held_out], y[~held_out])
    error = rec.predict(X[held_out]) - y[held_out]
    assert np.sqrt((error**2).mean()) < 0.35
    assert y[held_out].std() > 1.2
    items, scores = rec.recommend([3], k=3)
    assert_allclose(scores[0], rec.predict(np.column_stack([np.full(3, 3), items[0].astype(int)])), rtol=1e-4)
    own = rec.mean_ + rec.user_biases_[3] + rec.item_biases_ + rec.item_factors_ @ rec.user_factors_[3]
    assert_allclose(rec.predict(np.column_stack([np.full(50, 3), np.arange(50)])), own, rtol=1e-4)


def test_explicit_unknown_ids_get_mean_and_known_biases():
    X, y = ratings()
    rec = make(feedback="explicit").fit(X, y)
    assert rec.predict([[999, 4]])[0] == pytest.approx(rec.mean_ + rec.item_biases_[4], rel=1e-5)
    assert rec.predict([[4, 999]])[0] == pytest.approx(rec.mean_ + rec.user_biases_[4], rel=1e-5)
    assert rec.predict([[999, 999]])[0] == pytest.approx(rec.mean_, rel=1e-5)
    assert rec.recommend([999], k=1).items[0, 0] == np.argmax(rec.item_biases_)


def test_explicit_takes_the_last_rating_of_a_pair():
    X, y = ratings()
    first = make(feedback="explicit").fit(X, y)
    doubled = make(feedback="explicit").fit(np.vstack([X, X]), np.concatenate([5 - y, y]))
    assert_allclose(doubled.predict(X), first.predict(X), rtol=1e-4)


def test_implicit_adds_up_repeats_and_ignores_zeros():
    X = events()
    strong = make(alpha=2.0, regularization=3.0).fit(X, np.full(len(X), 2.0))
    repeated = make(alpha=2.0, regularization=3.0).fit(np.vstack([X, X]))
    weighted = make(alpha=2.0, regularization=3.0).fit(X, sample_weight=np.full(len(X), 2.0))
    zeros = np.vstack([X, [[0, 39], [1, 38]]])
    with_zeros = make(alpha=2.0, regularization=3.0).fit(zeros, np.r_[np.full(len(X), 2.0), 0, 0])
    for other in (repeated, weighted, with_zeros):
        assert_allclose(other.item_factors_, strong.item_factors_, atol=1e-5)
    assert strong.alpha_ == 2.0
    assert strong.regularization_ == 3.0


def test_only_zeros_rank_by_popularity():
    rec = make().fit(events(), np.zeros(len(events())))
    assert not rec.item_factors_.any()
    assert np.isfinite(rec.recommend(k=3).scores).all()


def test_sample_weight_is_not_for_ratings():
    X, y = ratings()
    with pytest.raises(ValueError, match="sample_weight"):
        make(feedback="explicit").fit(X, y, sample_weight=np.ones(len(X)))


def test_cold_items_come_from_their_features():
    X = events()
    X = X[X[:, 1] < N_ITEMS - 8]
    rec = make().fit(X, item_features=taste_table(N_ITEMS))
    cold = np.arange(N_ITEMS - 8, N_ITEMS)
    assert_allclose(rec.item_factors_[cold], rec.item_coef_[cold % N_TASTES], rtol=1e-5)
    items = rec.recommend(k=2, candidates=cold).items
    assert (items % N_TASTES == np.arange(N_USERS)[:, None] % N_TASTES).mean() > 0.95


def test_cold_users_come_from_their_features():
    X = events()
    rec = make().fit(X, user_features=taste_table(N_USERS + 8))
    cold = np.arange(N_USERS, N_USERS + 8)
    from_features = rec.user_intercept_ + rec.user_coef_[cold % N_TASTES]
    assert_allclose(rec.user_factors_[cold], from_features, rtol=1e-5, atol=1e-6)
    items = rec.recommend(cold, k=3).items
    assert (items % N_TASTES == cold[:, None] % N_TASTES).mean() > 0.95


def test_cold_items_of_ratings_have_a_bias_from_features():
    rng = np.random.default_rng(0)
    X = np.argwhere(rng.random((50, 30)) < 0.5)
    good = (X[:, 1] % 2).astype(float)
    y = 2 + 2 * good + rng.normal(scale=0.2, size=len(X))
    kept = X[:, 1] < 26
    features = FeatureTable((np.arange(30), np.column_stack([np.arange(30) % 2, 1 - np.arange(30) % 2])))
    rec = make(feedback="explicit", feature_regularization=0.01).fit(X[kept], y[kept], item_features=features)
    predicted = rec.predict(X[~kept])
    assert np.abs(predicted - 2 - 2 * good[~kept]).mean() < 0.3


def test_features_help_where_events_are_few():
    X, test = events(per_user=3, noise=0), events(seed=5, per_user=6, noise=0)
    plain = make().fit(X)
    with_features = make().fit(X, item_features=taste_table(N_ITEMS), user_features=taste_table(N_USERS))
    assert with_features.score(test) > plain.score(test)


def test_sparse_and_wide_features_agree_with_dense(monkeypatch):
    from skrec._kernels.als import ridge

    ids = np.arange(N_ITEMS)
    dense = np.eye(N_TASTES)[ids % N_TASTES]
    recs = [make().fit(events(), item_features=(ids, table)) for table in (dense, sp.csr_array(dense))]
    monkeypatch.setattr(ridge, "_DENSE_LIMIT", 1)
    recs.append(make().fit(events(), item_features=(ids, sp.csr_array(dense))))
    for rec in recs[1:]:
        assert_allclose(rec.item_factors_, recs[0].item_factors_, atol=1e-3)


def test_scale_of_features_does_not_matter():
    ids = np.arange(N_ITEMS)
    dense = np.eye(N_TASTES)[ids % N_TASTES]
    recs = [make().fit(events(), item_features=(ids, scale * dense)) for scale in (1.0, 1000.0)]
    assert_allclose(recs[1].item_factors_, recs[0].item_factors_, atol=1e-4)


@pytest.mark.parametrize("feedback", ["implicit", "explicit"])
def test_fold_in_of_a_history_is_the_fitted_user(feedback):
    """A new user with the events of a fitted one gets that user's row, but for the last digits."""
    X, y = ratings() if feedback == "explicit" else (events(), np.ones(len(events())))
    rec = make(feedback=feedback, max_iter=300, tol=0).fit(X, y)
    mine = X[:, 0] == 7
    history = X[mine].copy()
    history[:, 0] = 777
    fitted = rec.recommend([7], k=10)
    folded = rec.recommend(history=(history, y[mine]), k=10)
    assert folded.users.tolist() == [777]
    assert_allclose(folded.scores, fitted.scores, atol=5e-3)
    assert_array_equal(folded.items[0, :3], fitted.items[0, :3])


def test_history_of_a_known_user_is_added_to_what_was_fitted():
    rec = make().fit(events(noise=0))
    new = [[0, 1], [0, 5], [0, 9], [0, 13], [0, 17], [0, 21], [0, 25]]
    before, after = rec.recommend([0], k=20), rec.recommend([0], k=20, history=new)
    assert set(before.items[0, :2] % N_TASTES) == {0}
    assert 1 in after.items[0, :4] % N_TASTES
    assert not {1, 5, 9, 13, 17, 21, 25} & set(after.items[0].tolist())
    assert_array_equal(rec.recommend([0], k=20).items, before.items)


def test_explicit_history_without_y_counts_as_the_best_rating():
    X, y = ratings()
    rec = make(feedback="explicit").fit(X, y)
    history = [[777, 0], [777, 1]]
    best = rec.recommend([777], k=5, history=(history, [y.max(), y.max()]))
    assert_array_equal(rec.recommend([777], k=5, history=history).items, best.items)


def test_partial_fit_goes_on():
    X = events()
    new_users = np.column_stack([np.repeat([100, 101], 4), [0, 4, 8, 12, 1, 5, 9, 13]])
    rec = make().fit(X)
    untouched = rec.user_factors_[5].copy()
    rec.partial_fit(new_users)
    assert rec.users_.tolist() == [*range(N_USERS), 100, 101]
    assert_array_equal(rec.user_factors_[5], untouched)
    items = rec.recommend([100, 101], k=3).items
    assert (items % N_TASTES == [[0], [1]]).mean() > 0.8


def test_partial_fit_is_near_a_fit_on_everything():
    X = np.random.default_rng(0).permutation(events(per_user=10))
    test = events(seed=9, per_user=10)
    cut = int(0.8 * len(X))
    whole, part = make().fit(X), make().fit(X[:cut])
    before = part.score(test)
    part.partial_fit(X[cut:])
    assert part.score(test) > before - 0.02
    assert abs(part.score(test) - whole.score(test)) < 0.05


def test_partial_fit_adds_items_with_and_without_events():
    X = events()
    rec = make().fit(X, item_features=taste_table(N_ITEMS))
    texts = taste_table(6, offset=N_ITEMS)
    rec.partial_fit([[0, N_ITEMS], [4, N_ITEMS]], item_features=texts)
    assert len(rec.items_) == N_ITEMS + 6
    cold = np.arange(N_ITEMS + 1, N_ITEMS + 6)
    assert_allclose(rec.item_factors_[cold], rec.item_coef_[cold % N_TASTES], rtol=1e-5)
    items = rec.recommend([1, 2], k=1, candidates=cold).items
    assert (items[:, 0] % N_TASTES).tolist() == [1, 2]


def test_partial_fit_of_ratings():
    X, y = ratings()
    rec = make(feedback="explicit", regularization=0.3).fit(X, y)
    new = np.column_stack([np.full(20, 500), np.arange(20)])
    target = rec.predict(np.column_stack([np.full(20, 7), np.arange(20)]))
    rec.partial_fit(new, target)
    assert np.corrcoef(rec.predict(new), target)[0, 1] > 0.95


@pytest.mark.parametrize("side", ["item_features", "user_features"])
def test_partial_fit_wants_the_features_of_fit(side):
    rec = make().fit(events())
    with pytest.raises(ValueError, match="not given to fit"):
        rec.partial_fit(events(1), **{side: taste_table(5)})
    rec = make().fit(events(), **{side: taste_table(N_USERS)})
    with pytest.raises(ValueError, match="fit had 4"):
        rec.partial_fit(events(1), **{side: (np.arange(5), np.ones((5, 3)))})


@pytest.mark.parametrize("feedback", ["implicit", "explicit"])
def test_same_result_for_any_number_of_threads(feedback):
    X, y = ratings()
    features = {"item_features": taste_table(50), "user_features": taste_table(80)}
    recs = [
        make(feedback=feedback, n_jobs=n).fit(X, np.clip(y, 0, None), **features).partial_fit(X[:5], [1] * 5)
        for n in (1, 3)
    ]
    assert_array_equal(recs[0].item_factors_, recs[1].item_factors_)
    assert_array_equal(recs[0].recommend(k=5).codes, recs[1].recommend(k=5).codes)


def test_second_fit_starts_anew():
    X, y = ratings()
    rec = make(feedback="explicit").fit(X, y, item_features=taste_table(50))
    rec.set_params(feedback="implicit", n_factors=3).fit(events())
    fresh = make(n_factors=3).fit(events())
    assert rec.item_coef_ is None
    assert rec.mean_ == 0
    assert_array_equal(rec.item_factors_, fresh.item_factors_)
    assert_array_equal(rec.recommend(k=4).items, fresh.recommend(k=4).items)


def test_set_params_does_not_change_a_fitted_model():
    X, y = ratings()
    rec = make(feedback="explicit").fit(X, y)
    before = rec.predict(X)
    rec.set_params(n_factors=2, feedback="implicit", frequency_scaling=0.0)
    assert_array_equal(rec.predict(X), before)


def test_pickle_leaves_out_what_follows():
    rec = make(n_factors=16).fit(events(), item_features=taste_table(N_ITEMS))
    state = rec.__getstate__()
    assert not {"_item_vectors", "_item_bias"} & set(state)
    assert state["_state"].__getstate__()["design"] is None
    again = pickle.loads(pickle.dumps(rec))
    new = [[777, 0], [777, 4]]
    for a, b in [
        (rec.recommend(k=5), again.recommend(k=5)),
        (rec.recommend(history=new), again.recommend(history=new)),
    ]:
        assert_array_equal(a.items, b.items)
        assert_array_equal(a.scores, b.scores)


def test_text_through_an_encoder_and_search():
    words = np.array(["quiet grief film", "loud space battle", "funny family dog", "old crime noir"])
    ids = np.arange(N_ITEMS + 4)
    table = FeatureTable(pd.DataFrame({"item": ids, "text": words[ids % N_TASTES]}))
    rec = make(item_encoder=TfidfVectorizer()).fit(events(), item_features=table)
    found = rec.search(["a crime story", "dog"], k=5)
    assert (found.items % N_TASTES == [[3], [2]]).all()
    rec.partial_fit(
        [[0, 99]], item_features=pd.DataFrame({"item": [99, 100], "text": ["grief and rain", "battle of crime"]})
    )
    assert rec.search("grief", k=12).items[0].tolist().count(99) == 1
    with pytest.raises(ValueError, match="item_encoder"):
        make().fit(events(), item_features=taste_table(N_ITEMS)).search("dog")


def test_categorical_user_features_through_an_encoder():
    ids = np.arange(N_USERS + 4)
    table = FeatureTable(pd.DataFrame({"user": ids, "taste": np.array(list("abcd"))[ids % N_TASTES]}))
    rec = make(user_encoder=OneHotEncoder()).fit(events(), user_features=table)
    assert (rec.recommend([N_USERS, N_USERS + 1], k=1).items[:, 0] % N_TASTES).tolist() == [0, 1]


def test_similar_items_share_the_taste():
    similar = make().fit(events(noise=0)).similar_items([0, 1], k=4).items
    assert (similar % N_TASTES == [[0], [1]]).all()


def test_verbose_shows_the_loss(capsys):
    rec = make(verbose=1, max_iter=3, tol=0).fit(events())
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    assert f"loss {rec.loss_curve_[-1]:.6g}" in err


def test_auto_settings_follow_the_data():
    """Sparser data, more confidence in what was seen; stronger y, the same confidence."""
    few, many = make().fit(events(per_user=3)), make().fit(events(per_user=20))
    assert few.alpha_ > many.alpha_ > 0
    strong = make().fit(events(per_user=3), np.full(len(events(per_user=3)), 10.0))
    assert strong.alpha_ == pytest.approx(few.alpha_ / 10)
    assert_allclose(strong.item_factors_, few.item_factors_, atol=1e-4)


@pytest.mark.parametrize("device", ["no-such-device", "cuda:99"])
def test_device_that_is_not_there(device):
    with pytest.raises(ValueError, match="cannot be used here"):
        make(device=device).fit(events())


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_devices_agree(device):
    assert_allclose(
        make(device=device).fit(events()).item_factors_, make().fit(events()).item_factors_, rtol=1e-2, atol=1e-3
    )


@pytest.mark.parametrize("features", [False, True])
def test_rows_of_torch_under_the_estimator(monkeypatch, features):
    """The rows of torch under the estimator: on its CPU, since a test has no other device to count on."""

    monkeypatch.setattr("skrec.decomposition._als.resolve_device", lambda device: device)
    tables = {"item_features": taste_table(N_ITEMS), "user_features": taste_table(N_USERS)} if features else {}
    by_torch = make(device="cpu").fit(events(), **tables).partial_fit([[0, 1], [77, 3]])
    by_numba = make().fit(events(), **tables).partial_fit([[0, 1], [77, 3]])
    assert_allclose(by_torch.item_factors_, by_numba.item_factors_, atol=1e-3)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_factors": 0},
        {"regularization": 0},
        {"regularization": "much"},
        {"alpha": -1},
        {"frequency_scaling": 2},
        {"feature_regularization": 0},
        {"feedback": "ratings"},
        {"solver": "sgd"},
        {"max_iter": 0},
        {"item_encoder": "text"},
    ],
)
def test_parameters_are_validated(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        clone(make()).set_params(**parameters).fit(events())
