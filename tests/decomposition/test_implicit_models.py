"""Models of implicit behind the contract: same numbers, no object of theirs kept."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skrec.decomposition import BPRRecommender, LogisticMFRecommender
from skrec.exceptions import FeatureCoverageWarning

N_USERS, N_ITEMS = 60, 40
MODELS = [
    BPRRecommender(n_factors=8, max_iter=150, random_state=0),
    LogisticMFRecommender(n_factors=8, regularization=1.0, max_iter=40, random_state=0),
]
both = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def _two_tastes(seed=0, n_users=N_USERS, share=0.5):
    """Users choose items of their own parity; the item that is missing is the known answer."""
    rng = np.random.default_rng(seed)
    users, items = np.meshgrid(np.arange(n_users), np.arange(N_ITEMS), indexing="ij")
    chosen = ((users + items) % 2 == 0) & (rng.random(users.shape) < share)
    return np.column_stack([users[chosen], items[chosen]])


def _own_share(recommendations):
    return np.mean((np.asarray(recommendations.users, int)[:, None] + recommendations.items) % 2 == 0)


@both
def test_the_withheld_items_are_found(model):
    assert _own_share(clone(model).fit(_two_tastes()).recommend(k=5)) > 0.95


def test_bpr_is_that_of_implicit():
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    X = _two_tastes()
    rec = clone(MODELS[0]).set_params(popularity_weight=0).fit(X)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    theirs = BayesianPersonalizedRanking(
        factors=8, learning_rate=0.05, regularization=0.03, iterations=150, num_threads=1, random_state=seed
    )
    matrix = sp.csr_matrix((np.ones(len(X), np.float32), (X[:, 0], X[:, 1])), shape=(N_USERS, N_ITEMS))
    theirs.fit(matrix, show_progress=False)
    pairs = [[user, item] for user in range(N_USERS) for item in range(N_ITEMS)]
    np.testing.assert_allclose(
        rec.predict(pairs), (theirs.user_factors @ theirs.item_factors.T).ravel(), rtol=1e-4, atol=1e-5
    )


def test_popularity_is_given_back():
    X = np.vstack([_two_tastes(), _two_tastes(seed=1)])
    without, half = (clone(MODELS[0]).set_params(popularity_weight=w).fit(X) for w in (0, 0.5))
    n_users = np.bincount(np.unique(X, axis=0)[:, 1])
    np.testing.assert_allclose(half.item_biases_ - without.item_biases_, 0.5 * np.log1p(n_users), rtol=1e-4, atol=1e-6)
    # Going on starts from what was learned, not from what was added to it.
    for rec in (without, half):
        rec.partial_fit(X[:5])
    np.testing.assert_array_equal(half.item_factors_, without.item_factors_)


@both
def test_popularity_is_all_there_is_where_users_have_no_taste(model):
    rng = np.random.default_rng(0)
    share = np.arange(1, 41) ** -1.2
    X = np.column_stack([np.repeat(np.arange(300), 6), rng.choice(40, 1800, p=share / share.sum())])
    rec = clone(model).set_params(popularity_weight="auto").fit(X)
    assert rec.popularity_weight_ >= 2
    passed = clone(model).set_params(popularity_weight=rec.popularity_weight_).fit(X)
    np.testing.assert_array_equal(passed.item_biases_, rec.item_biases_)
    weight = rec.popularity_weight_
    assert rec.partial_fit(X[:5]).popularity_weight_ == weight
    assert clone(rec).fit(X[:20]).popularity_weight_ == 0.5


def test_logistic_mf_is_that_of_implicit():
    from implicit.cpu.lmf import LogisticMatrixFactorization

    X = _two_tastes()
    rec = clone(MODELS[1]).set_params(popularity_weight=0).fit(X)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    theirs = LogisticMatrixFactorization(
        factors=8, learning_rate=1.0, regularization=rec.regularization, iterations=40, num_threads=1, random_state=seed
    )
    matrix = sp.csr_matrix((np.ones(len(X), np.float32), (X[:, 0], X[:, 1])), shape=(N_USERS, N_ITEMS))
    theirs.fit(matrix, show_progress=False)
    scores = rec.predict([[user, item] for user in range(N_USERS) for item in range(N_ITEMS)])
    odds = scores.reshape(N_USERS, N_ITEMS) + rec.user_biases_[:, None]
    np.testing.assert_allclose(odds, theirs.user_factors @ theirs.item_factors.T, rtol=1e-4, atol=1e-5)


@both
def test_no_object_of_implicit_is_saved(model):
    rec = clone(model).fit(_two_tastes())
    state = pickle.dumps(rec)
    assert b"implicit.cpu" not in state
    script = (
        "import pickle, sys\n"
        "rec = pickle.loads(sys.stdin.buffer.read())\n"
        "rec.recommend([1], k=3)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'implicit'], 'implicit was loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=state, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@both
def test_a_fresh_process_warns_of_nothing(model):
    """implicit warns once a process of a BLAS with several threads; it must find one."""
    script = (
        "import warnings; warnings.simplefilter('error')\n"
        "import numpy as np, scipy.linalg\n"
        f"from skrec.decomposition import {type(model).__name__} as Model\n"
        "Model(n_factors=4, max_iter=2).fit(np.array([[1, 1], [1, 2], [2, 2]])).recommend([1], k=1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


class TestThreads:
    @both
    def test_a_seed_means_one_thread(self, model, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr("skrec._kernels.threads.effective_n_threads", lambda n_jobs: 7)
        assert clone(model)._n_threads() == 1
        assert clone(model).set_params(random_state=None)._n_threads() == 7

    @both
    def test_same_seed_same_factors_for_any_n_jobs(self, model):
        a, b = (clone(model).set_params(n_jobs=n).fit(_two_tastes()) for n in (1, 4))
        np.testing.assert_array_equal(a.item_factors_, b.item_factors_)
        c = clone(model).set_params(random_state=1).fit(_two_tastes())
        assert not np.allclose(a.item_factors_, c.item_factors_)

    @both
    def test_without_a_seed_it_fits_on_all(self, model):
        assert _own_share(clone(model).set_params(random_state=None).fit(_two_tastes()).recommend(k=5)) > 0.75


class TestFoldIn:
    @both
    def test_new_histories_get_their_own_taste(self, model):
        rec = clone(model).fit(_two_tastes())
        history = [[user, item] for user in (900, 901) for item in range(user % 2, 12, 2)]
        assert _own_share(rec.recommend([900, 901], k=5, history=history)) > 0.9

    @both
    def test_new_events_move_a_known_user(self, model):
        rec = clone(model).fit(_two_tastes())
        other = [[0, item] for item in range(1, 30, 2)] * 3
        assert _own_share(rec.recommend([0], k=5)) == 1
        assert _own_share(rec.recommend([0], k=5, history=other, exclude_seen=False)) < 1
        np.testing.assert_array_equal(rec.recommend([1], k=5, history=other).items, rec.recommend([1], k=5).items)

    @both
    def test_unknown_items_alone_are_a_cold_start(self, model):
        rec = clone(model).fit(_two_tastes())
        cold = rec.recommend([900], k=5).items
        np.testing.assert_array_equal(rec.recommend([900], k=5, history=[[900, 10**6]]).items, cold)


class TestFeatures:
    @both
    def test_cold_items_and_users_are_what_their_features_say(self, model):
        items = np.arange(N_ITEMS + 6)
        users = np.arange(N_USERS + 4)
        noise = np.random.default_rng(1).normal(scale=0.1, size=(len(items) + len(users), 2))
        tables = {
            "item_features": (items, np.column_stack([items % 2, 1 - items % 2]) + noise[: len(items)]),
            "user_features": (users, np.column_stack([users % 2, 1 - users % 2]) + noise[len(items) :]),
        }
        rec = clone(model).set_params(feature_regularization=0.1).fit(_two_tastes(), **tables)
        assert _own_share(rec.recommend(range(10), k=3, candidates=list(range(N_ITEMS, N_ITEMS + 6)))) > 0.9
        assert _own_share(rec.recommend(users[-4:], k=5)) > 0.9

    @both
    def test_an_item_without_anything_ranks_last(self, model):
        items = np.arange(N_ITEMS + 1)
        table = (items[:30], np.ones((30, 1)))
        with pytest.warns(FeatureCoverageWarning):
            rec = clone(model).fit(np.vstack([_two_tastes(), [[0, 999]]]), [*np.ones(len(_two_tastes())), 0],
                                   item_features=table)  # fmt: skip
        assert rec.item_biases_[-1] == rec.item_biases_.min()
        assert not rec.item_factors_[-1].any()

    @both
    def test_sparse_and_dense_tables_agree(self, model):
        values = np.random.default_rng(2).normal(size=(N_ITEMS + 2, 3))
        fits = [
            clone(model).fit(_two_tastes(), item_features=(np.arange(N_ITEMS + 2), table))
            for table in (values, sp.csr_array(values))
        ]
        np.testing.assert_allclose(fits[0].item_factors_, fits[1].item_factors_, atol=2e-3)


class TestPartialFit:
    @both
    def test_it_goes_on_and_adds_users_and_items(self, model):
        X = _two_tastes()
        first = (X[:, 0] < 50) & (X[:, 1] < 36)
        rec = clone(model).partial_fit(X[first]).partial_fit(X[~first])
        assert _own_share(rec.recommend(k=5)) > 0.9
        assert set(rec.items_) == set(range(N_ITEMS))

    def test_logistic_mf_equals_fit_on_everything(self):
        X = _two_tastes()
        later = X[::7][np.isin(X[::7, 0], X[1::7, 0]) & np.isin(X[::7, 1], X[1::7, 1])]
        rest = X[[tuple(row) not in set(map(tuple, later)) for row in X]]
        rec = clone(MODELS[1]).partial_fit(rest).partial_fit(later)
        np.testing.assert_array_equal(rec.item_factors_, clone(MODELS[1]).fit(X).item_factors_)

    def test_bpr_keeps_its_vectors_comparable(self):
        X = _two_tastes()
        rec = clone(MODELS[0]).fit(X)
        before = rec.item_factors_
        rec.partial_fit([[0, 2]])
        cosine = (before * rec.item_factors_).sum() / np.linalg.norm(before) / np.linalg.norm(rec.item_factors_)
        fresh = clone(MODELS[0]).set_params(random_state=5).fit(X).item_factors_
        unlike = (before * fresh).sum() / np.linalg.norm(before) / np.linalg.norm(fresh)
        assert cosine > 0.9 > unlike

    @both
    def test_new_rows_of_a_table_are_mapped(self, model):
        values = np.column_stack([np.arange(50) % 2, 1 - np.arange(50) % 2]).astype(float)
        rec = clone(model).set_params(feature_regularization=0.1)
        rec.fit(_two_tastes(), item_features=(np.arange(N_ITEMS), values[:N_ITEMS]))
        rec.partial_fit([[0, 0]], item_features=(np.arange(N_ITEMS, 50), values[N_ITEMS:]))
        assert _own_share(rec.recommend(range(10), k=3, candidates=list(range(N_ITEMS, 50)))) > 0.9


class TestBadInput:
    @both
    def test_tiny_logs(self, model):
        for X in ([[1, 10]], [[1, 10], [1, 20]], [[1, 10], [2, 10]]):
            rec = clone(model).fit(X)
            assert np.isfinite(rec.predict(X)).all()
            assert rec.recommend([1, 2], k=1, exclude_seen=False).items[0, 0] in (10, 20)

    @both
    def test_zeros_alone_teach_nothing(self, model):
        rec = clone(model).fit([[1, 10], [2, 20]], [0, 0])
        assert not rec.item_factors_.any()
        assert np.isfinite(rec.recommend(k=2, exclude_seen=False).scores).all()

    @both
    def test_zeros_are_seen_and_no_choice(self, model):
        X = _two_tastes()
        y = (X[:, 1] < 30).astype(float)
        rec = clone(model).fit(X, y)
        assert not rec.item_factors_[30:].any()
        assert not set(rec.recommend([0], k=10).items[0]) & set(X[X[:, 0] == 0, 1])

    @pytest.mark.parametrize("times", ["equal", "unsorted", "negative"])
    @both
    def test_times_change_nothing(self, model, times):
        X = _two_tastes()
        n = len(X)
        stamps = {"equal": np.zeros(n), "unsorted": np.random.default_rng(0).permutation(n), "negative": -np.arange(n)}
        frame = pd.DataFrame(X, columns=["user", "item"])
        with_times = clone(model).set_params(max_iter=2).fit(frame.assign(timestamp=stamps[times]))
        plain = clone(model).set_params(max_iter=2).fit(frame)
        np.testing.assert_array_equal(with_times.item_factors_, plain.item_factors_)

    def test_divergence_is_an_error_that_says_what_to_change(self):
        with pytest.raises(ValueError, match="learning_rate"):
            BPRRecommender(learning_rate=1e30, random_state=0).fit(_two_tastes())

    def test_alpha_weighs_strong_events(self):
        X = _two_tastes()
        y = np.where(X[:, 1] == 4, 100.0, 1.0)
        weighed, plain = (
            LogisticMFRecommender(n_factors=4, alpha=alpha, random_state=0).fit(X, y) for alpha in (1.0, 0.0)
        )

        def lead(rec):
            return rec.predict([[0, 4]])[0] - np.mean(rec.predict([[0, i] for i in range(6, 20, 2)]))

        assert lead(weighed) > lead(plain) + 0.1

    @pytest.mark.parametrize(
        "parameters",
        [{"n_factors": 0}, {"learning_rate": 0}, {"regularization": -1}, {"max_iter": 0}, {"random_state": "a"}],
    )
    @both
    def test_bad_parameters(self, model, parameters):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            clone(model).set_params(**parameters).fit([[1, 10]])
