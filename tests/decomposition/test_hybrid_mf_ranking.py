"""HybridMFRecommender by the solvers that learn to rank; what they share with ALS is in the other modules."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skrec.decomposition import HybridMFRecommender
from skrec.interactions import FeatureTable

N_USERS, N_ITEMS, N_TASTES = 60, 40, 4


def events(seed=0, per_user=10, noise=0.1):
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


@pytest.fixture(params=["bpr", "warp", "softmax"])
def rec(request):
    return HybridMFRecommender(6, solver=request.param, learning_rate=0.2, random_state=0)


def own_taste(items, users):
    return (items % N_TASTES == np.asarray(users)[:, None] % N_TASTES).mean()


def test_recommends_the_taste_of_the_user(rec):
    assert own_taste(rec.fit(events()).recommend(k=2).items, range(N_USERS)) > 0.9
    assert rec.alpha_ is None
    assert rec.item_biases_.any()
    assert not rec.user_biases_.any()


def test_score_is_that_of_the_fitted_attributes(rec):
    X = events()
    rec.fit(X)
    expected = (rec.user_factors_[X[:, 0]] * rec.item_factors_[X[:, 1]]).sum(axis=1) + rec.item_biases_[X[:, 1]]
    assert_allclose(rec.predict(X), expected, atol=1e-5)


def test_epochs_are_found_on_held_out_events(rec):
    rec.set_params(n_iter_no_change=3).fit(events())
    assert rec.n_iter_ == np.argmax(rec.validation_scores_) + 1 == len(rec.loss_curve_)
    assert len(rec.validation_scores_) <= rec.n_iter_ + 3
    rec.set_params(validation_fraction=0, max_iter=4).fit(events())
    assert rec.validation_scores_ is None
    assert rec.n_iter_ == 4


def test_cold_items_and_users_come_from_their_features(rec):
    X = events()
    X = X[X[:, 1] < N_ITEMS - 8]
    rec.fit(X, item_features=taste_table(N_ITEMS), user_features=taste_table(N_USERS + 8))
    cold_items, cold_users = np.arange(N_ITEMS - 8, N_ITEMS), np.arange(N_USERS, N_USERS + 8)
    assert rec.user_coef_.shape == (N_TASTES, 6)
    assert rec.item_coef_.shape == (N_TASTES, 7)
    assert_allclose(rec.user_factors_[cold_users], rec.user_coef_[cold_users % N_TASTES], rtol=1e-5)
    assert own_taste(rec.recommend(np.arange(N_USERS), k=2, candidates=cold_items).items, range(N_USERS)) > 0.9
    assert own_taste(rec.recommend(cold_users, k=3).items, cold_users) > 0.9


def test_items_of_which_nothing_is_known_come_last(rec):
    ids = np.arange(N_ITEMS + 2)
    values = np.eye(N_TASTES)[ids % N_TASTES]
    values[N_ITEMS:] = 0
    rec.fit(events(), item_features=(ids, values))
    assert_allclose(rec.item_biases_[N_ITEMS:], rec.item_biases_[:N_ITEMS].min())
    assert not rec.item_factors_[N_ITEMS:].any()


def test_unknown_users_get_what_is_popular(rec):
    X = np.vstack([events(), [[user, 3] for user in range(N_USERS)]])
    assert rec.fit(X).recommend([999], k=1).items[0, 0] == 3


def test_new_histories_and_later_events(rec):
    X = events()
    rec.fit(X[X[:, 0] >= 12])
    history = X[X[:, 0] < 12]
    folded = rec.recommend(history=history, k=2)
    assert own_taste(folded.items, folded.users) > 0.8
    before = rec.item_factors_.copy()
    rec.partial_fit(history)
    assert own_taste(rec.recommend(np.arange(12), k=2).items, range(12)) > 0.8
    assert np.abs(rec.item_factors_ - before).mean() < 0.5 * np.abs(before).mean()


def test_parts_of_a_history_add_up_to_its_score(rec):
    rec.fit(events())
    history = np.array([[99, 3], [99, 7], [99, 7], [98, 4]])
    _, queries = rec._read_queries([99, 98], None, history)
    for item in range(0, N_ITEMS, 7):
        items = np.full(2, item)
        sums = np.bincount(queries.histories.row_of_event(), rec._contributions(queries, items), minlength=2)
        mean_user = rec.item_biases_[item] + rec._state.design.center @ rec.item_factors_[item]
        assert_allclose(sums + mean_user, rec._score_pairs(queries, np.arange(2), items), atol=0.02)


def test_partial_fit_adds_items_by_their_features(rec):
    rec.fit(events(), item_features=taste_table(N_ITEMS))
    rec.partial_fit([[0, N_ITEMS], [4, N_ITEMS]], item_features=taste_table(6, offset=N_ITEMS))
    cold = np.arange(N_ITEMS + 1, N_ITEMS + 6)
    assert (rec.recommend([1, 2], k=1, candidates=cold).items[:, 0] % N_TASTES).tolist() == [1, 2]


def test_weights_are_repeats_and_zeros_are_nothing(rec):
    X = events()
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = clone(rec).fit(X, sample_weight=weight)
    repeated = clone(rec).fit(np.random.default_rng(1).permutation(X.repeat(weight, axis=0)))
    assert_array_equal(weighted.item_factors_, repeated.item_factors_)
    stronger = clone(rec).fit(X, np.full(len(X), 5.0))
    assert_array_equal(stronger.item_factors_, clone(rec).fit(X).item_factors_)
    with_zeros = clone(rec).fit(np.vstack([X, [[0, 39], [1, 38]]]), np.r_[np.ones(len(X)), 0, 0])
    assert_array_equal(with_zeros.item_factors_, clone(rec).fit(X).item_factors_)


def test_only_zeros_rank_by_popularity(rec):
    rec.fit(events(), np.zeros(len(events())))
    assert np.isfinite(rec.recommend(k=3).scores).all()


def test_ratings_are_for_least_squares(rec):
    with pytest.raises(ValueError, match=r"solver='\w+' learns rankings.*pass solver='als'"):
        rec.set_params(feedback="explicit").fit(events(), np.ones(len(events())))


@pytest.mark.parametrize("batch_size", [256, 8])
def test_many_small_updates_do_not_wear_out_what_was_learned(rec, batch_size):
    """Items that later events do not choose are negative samples each time; the smaller batch samples them."""
    rec.set_params(batch_size=batch_size, n_negatives=16).fit(events())
    norms = np.linalg.norm(rec.item_factors_, axis=1)
    for row in events(1)[::12]:
        rec.partial_fit([row])
    ratio = np.linalg.norm(rec.item_factors_, axis=1) / norms
    assert np.median(ratio) > 0.8
    assert own_taste(rec.recommend(np.arange(N_USERS), k=2).items, range(N_USERS)) > 0.9


@pytest.mark.parametrize("n_context", [0, 2])
def test_held_out_items_without_other_events_tell_nothing(rec, n_context):
    """Each item has one event, so that none can be both learned and held out."""
    X = np.column_stack([np.arange(300) % 20, np.arange(300), np.ones((300, n_context))])
    rec.set_params(max_iter=2).fit(X)
    assert rec.validation_scores_ is None
    assert rec.n_iter_ == 2


@pytest.mark.parametrize("features", [None, taste_table(N_ITEMS)])
def test_what_diverges_is_refused(rec, features):
    rec.set_params(learning_rate=1e30, max_iter=3)
    with pytest.raises(ValueError, match=r"HybridMFRecommender diverged.*Lower learning_rate"):
        rec.fit(events(), sample_weight=np.ones(len(events())), item_features=features)
    with pytest.raises(NotFittedError):
        rec.recommend(k=3)
    assert np.isfinite(rec.set_params(learning_rate=0.1).partial_fit(events()[:100]).recommend(k=3).scores).all()


def test_later_events_that_diverge_leave_the_model_as_it_was(rec):
    before = rec.fit(events()).predict(events())
    with pytest.raises(ValueError, match="diverged"):
        rec.set_params(learning_rate=1e30).partial_fit(events(1))
    assert_array_equal(rec.predict(events()), before)


def test_verbose_shows_the_loss_and_the_score_of_held_out_events(rec, capsys):
    rec.set_params(verbose=1, max_iter=2, n_iter_no_change=1).fit(events())
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "epoch" in err
    assert "held-out score" in err


@pytest.mark.parametrize("solver", ["bpr", "warp", "softmax"])
def test_minibatches_of_torch_under_the_estimator(monkeypatch, solver):
    """The path of GPUs, on torch's CPU, since a test has no other device to count on."""

    monkeypatch.setattr("skrec.decomposition._sgd_problem.resolve_device", lambda device: device)
    rec = HybridMFRecommender(6, solver=solver, learning_rate=0.2, batch_size=32, device="cpu", random_state=0)
    rec.fit(events()).partial_fit([[0, 1], [77, 3]])
    assert own_taste(rec.recommend(np.arange(N_USERS), k=2).items, range(N_USERS)) > 0.9


@pytest.mark.parametrize(
    "parameters",
    [{"learning_rate": 0}, {"batch_size": 0}, {"n_negatives": 0}, {"validation_fraction": 1}, {"n_iter_no_change": 0}],
)
def test_parameters_are_validated(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        HybridMFRecommender(solver="warp", **parameters).fit(events())


def test_fits_on_cuda():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for solver in ("bpr", "warp", "softmax"):
        rec = HybridMFRecommender(6, solver=solver, learning_rate=0.2, device="cuda", random_state=0).fit(events())
        assert own_taste(rec.recommend(k=2).items, range(N_USERS)) > 0.9


def test_weighted_strengths_beyond_float32_are_refused(rec):
    with pytest.raises(ValueError, match=r"y times sample_weight reaches 1e\+25"):
        rec.fit(events(), np.full(len(events()), 1e15), sample_weight=np.full(len(events()), 1e10))
