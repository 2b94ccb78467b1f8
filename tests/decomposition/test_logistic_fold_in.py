"""A new user of logistic matrix factorization: the one whom fit would have learned, given the items."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skrec.decomposition import LogisticMFRecommender
from skrec.decomposition._implicit_fold_in import LogisticUserLoss
from skrec.decomposition._implicit_models import ImplicitFactorRecommender
from skrec.dummy import PopularRecommender
from skrec.metrics import ndcg_at_k

N_ITEMS, N_FACTORS = 60, 6


@pytest.fixture
def loss():
    rng = np.random.default_rng(0)
    factors, biases = rng.normal(size=(N_ITEMS, N_FACTORS)), rng.normal(size=N_ITEMS) - 1
    counts = rng.integers(0, 50, N_ITEMS)
    return LogisticUserLoss(
        factors.astype(np.float32), biases.astype(np.float32), counts, popularity_weight=0.5, n_negatives=3, penalty=2.0
    )


@pytest.fixture
def events():
    rows = [[4], [1, 2, 3], [], list(range(0, 40, 2))]
    indptr = np.cumsum([0, *map(len, rows)])
    confidence = np.linspace(1, 3, indptr[-1], dtype=np.float32)
    return sp.csr_array((confidence, np.concatenate(rows).astype(np.int32), indptr), shape=(4, N_ITEMS))


def brute_force(loss, prior, chosen, confidence):
    """The least expected loss of one user over all items, each drawn as a negative sample by its number of users."""
    items = np.column_stack([loss.item_factors, np.ones(N_ITEMS)]).astype(float)
    biases = loss.item_biases - loss.popularity_weight * np.log1p(loss.item_counts)
    n_negatives = min(loss.n_negatives * len(chosen), N_FACTORS + 2)
    share = loss.item_counts / loss.item_counts.sum()

    def value(user):
        log_odds = items @ user + biases
        return (
            confidence @ np.logaddexp(0, -log_odds[chosen])
            + n_negatives * share @ np.logaddexp(0, log_odds)
            + loss.penalty / 2 * np.square(user - prior).sum()
        )

    return minimize(value, prior.astype(float), method="BFGS").x


def test_a_user_is_where_the_loss_is_least(loss, events):
    rng = np.random.default_rng(1)
    prior = rng.normal(size=(4, N_FACTORS + 1)).astype(np.float32)
    found = loss.users(prior, prior.mean(axis=0), events)
    for row in range(4):
        at = slice(*events.indptr[row : row + 2])
        expected = brute_force(loss, prior[row], events.indices[at], events.data[at])
        assert_allclose(found[row], expected, atol=0.02)  # 512 quantiles stand for the draws
    assert_allclose(found[2], prior[2], atol=1e-6)


def test_a_row_does_not_depend_on_the_other_rows(loss, events):
    prior = np.zeros((4, N_FACTORS + 1), np.float32)
    together = loss.users(prior, prior[0], events)
    for row in range(4):
        assert_allclose(loss.users(prior[:1], prior[0], events[[row]])[0], together[row], atol=1e-5)


def test_the_parts_of_the_events_add_up(loss, events):
    prior = np.ones((4, N_FACTORS + 1), np.float32)
    users = loss.users(prior, prior[0], events)
    parts = loss.parts(users, prior, events)
    sums = np.zeros_like(users)
    np.add.at(sums, np.repeat(np.arange(4), np.diff(events.indptr)), parts)
    assert_allclose(sums, users - prior, atol=1e-5)


def choices(n_users=250, n_items=150, n_events=60, seed=0):
    """Each user chooses by a taste of four factors, each item once."""
    rng = np.random.default_rng(seed)
    utility = 1.2 * rng.normal(size=(n_users, 4)) @ rng.normal(size=(4, n_items)) + rng.normal(size=n_items)
    chosen = np.argsort(-utility - rng.gumbel(size=utility.shape), axis=1)[:, :n_events]
    return np.column_stack([np.repeat(np.arange(n_users), n_events), rng.permuted(chosen, axis=1).ravel()])


def test_fitted_users_are_near_where_their_loss_is_least():
    """So this is the loss of implicit, down to the number of negative samples."""
    rec = LogisticMFRecommender(n_factors=8, max_iter=60, popularity_weight=0.5, random_state=0).fit(choices())
    chosen = rec._entries(rec._chosen_items(rec._histories))
    none = np.zeros((len(rec.users_), 9), np.float32)
    found, fitted = rec._user_loss.users(none, none[0], chosen), np.column_stack([rec.user_factors_, rec.user_biases_])
    cosine = (found * fitted).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(fitted, axis=1)
    assert np.median(cosine) > 0.95
    assert_allclose(np.linalg.norm(found, axis=1).mean(), np.linalg.norm(fitted, axis=1).mean(), rtol=0.1)


@pytest.mark.parametrize("n_events", [1, 5, 40])
def test_most_of_what_fitting_gains_however_long_the_history(n_events):
    X = choices()
    own, others = X[X[:, 0] < 80].reshape(80, -1, 2), X[X[:, 0] >= 80]
    history, later = own[:, :n_events].reshape(-1, 2), own[:, n_events:, 1]
    model, popular = LogisticMFRecommender(n_factors=8, random_state=0), PopularRecommender().fit(others)
    refitted = LogisticMFRecommender(n_factors=8, random_state=0).fit(np.vstack([others, history]))
    lists = [rec.recommend(range(80), k=10, history=history) for rec in (popular, model.fit(others))]
    lists.append(refitted.recommend(range(80), k=10))
    of_popular, folded, fitted = (ndcg_at_k(list(later), part, k=10) for part in lists)
    assert fitted > of_popular
    assert folded - of_popular > 0.8 * (fitted - of_popular)


def test_long_histories_say_more_than_their_mean(monkeypatch):
    X = choices()
    own, others = X[X[:, 0] < 80].reshape(80, -1, 2), X[X[:, 0] >= 80]
    rec = LogisticMFRecommender(n_factors=8, popularity_weight=0.5, random_state=0).fit(others)

    def gain():
        found = rec.recommend(range(80), k=10, history=own[:, :40].reshape(-1, 2))
        return ndcg_at_k(list(own[:, 40:, 1]), found, k=10)

    folded = gain()
    monkeypatch.setattr(LogisticMFRecommender, "_fold_in", ImplicitFactorRecommender._fold_in)
    assert folded > gain() + 0.03


def test_an_added_user_without_events_has_a_bias_too():
    X = choices(n_users=40)
    features = (np.arange(40), np.eye(2)[np.arange(40) % 2])
    rec = LogisticMFRecommender(n_factors=4, random_state=0).fit(X, user_features=features)
    rec.partial_fit(None, user_features=([99], np.array([[1.0, 0.0]])))
    assert len(rec.user_biases_) == len(rec.users_) == 41
