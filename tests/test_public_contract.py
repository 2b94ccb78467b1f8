"""A recommender with the public contract alone, and no class of this library, is measured, tuned and explained."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from skrec.base import BaseRecommender
from skrec.inspection import explain_by_leave_one_out
from skrec.interactions import FeatureTable
from skrec.metrics import compare, evaluate, explanation_faithfulness, ranking_scorer
from skrec.model_selection import ColdUserSplit, LeaveLastOut, TunedRecommender
from skrec.pipeline import Pipeline

EVERY_METRIC = ["precision@3", "recall@3", "hit_rate@3", "ndcg@3", "map@3", "mrr@3", "novelty@3", "popularity@3"]
EVERY_METRIC += ["diversity@3", "coverage@3", "gini@3"]


class Together(BaseEstimator):
    """Ranks by how many users had an item together with those of the user. Its code is the whole contract."""

    def __init__(self, n_min=1):
        self.n_min = n_min

    def fit(self, X, y=None):
        X = np.asarray(X)
        self.users_, user = np.unique(X[:, 0], return_inverse=True)
        self.items_, item = np.unique(X[:, 1], return_inverse=True)
        self.seen_ = np.zeros((len(self.users_), len(self.items_)))
        self.seen_[user, item] = 1
        together = self.seen_.T @ self.seen_
        self.together_ = np.where(together < self.n_min, 0, together)
        np.fill_diagonal(self.together_, 0)
        return self

    def seen_items(self, users):
        return [np.flatnonzero(row) for row in self._profiles(users, None)]

    def recommend(self, users=None, k=10, *, history=None, candidates=None, exclude_seen=True):
        users = self.users_ if users is None else np.asarray(users, dtype=object)
        profiles = self._profiles(users, history)
        scores = profiles @ self.together_
        if candidates is not None:
            for row, wanted in enumerate(candidates if np.ndim(candidates[0]) else [candidates] * len(users)):
                scores[row, ~np.isin(self.items_, wanted)] = -np.inf
        if exclude_seen:
            scores[profiles > 0] = -np.inf
        scores = np.pad(scores, ((0, 0), (0, max(0, k - len(self.items_)))), constant_values=-np.inf)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        items = np.append(self.items_.astype(object), [None] * k)[best]
        scores = np.take_along_axis(scores, best, axis=1)
        return np.where(np.isneginf(scores), None, items), scores

    def predict(self, X):
        users, items = np.asarray(X)[:, 0], np.asarray(X)[:, 1]
        scores = self._profiles(users, None) @ self.together_
        return (scores * (self.items_ == items[:, None])).sum(axis=1)

    def _profiles(self, users, history):
        events = np.asarray(history[0] if isinstance(history, tuple) else [] if history is None else history)
        known = [self.seen_[self.users_ == user].sum(axis=0) for user in users]
        more = [np.isin(self.items_, events[events[:, 0] == user, 1]) if len(events) else 0 for user in users]
        return np.array(known).reshape(len(users), -1) + np.array(more).reshape(len(users), -1)


class Unseen(Together):
    """Without ``seen_items``, which is optional."""

    seen_items = property()


class Base(BaseRecommender):
    """The same scores by the base class of this library."""

    def _fit(self, data, item_matrix, user_matrix):
        seen = data.to_csr().sign().toarray()
        self.together_ = seen.T @ seen
        np.fill_diagonal(self.together_, 0)

    def _is_cold(self, queries):
        return np.zeros(len(queries), bool)

    def _score(self, queries, items):
        scores = (queries.histories.to_csr(len(self.items_)).sign() @ self.together_).astype(np.float32)
        return scores if items is None else scores[:, items]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    rows = [[u, i] for u in range(40) for i in rng.permutation(16) if (u + i) % 2 == 0 and rng.random() < 0.7]
    return np.array(rows)


@pytest.fixture
def split(X):
    train, test = next(LeaveLastOut(2).split(X))
    return X[train], X[test]


def test_it_is_fifty_lines():
    import inspect

    assert len(inspect.getsource(Together).splitlines()) <= 50
    assert Together.__mro__[1] is BaseEstimator


def test_every_metric(split):
    train, test = split
    vectors = FeatureTable((np.arange(16), np.eye(16)))
    rec = Together().fit(train)
    table = evaluate(rec, test, metrics=EVERY_METRIC, item_vectors=vectors, n_bootstrap=20, random_state=0)
    assert table["metric"].tolist() == EVERY_METRIC
    assert np.isfinite(table["mean"]).all()
    scores = ranking_scorer([name for name in EVERY_METRIC if name[:3] not in ("pop", "gin")], item_vectors=vectors)
    assert scores(rec, test)["recall@3"] == table["mean"].tolist()[1]


def test_it_scores_as_the_same_model_with_the_base_class_does(split):
    train, test = split
    ours, theirs = Together().fit(train), Base().fit(train)
    vectors = FeatureTable((np.arange(16), np.eye(16)))
    options = {"metrics": EVERY_METRIC, "item_vectors": vectors, "n_bootstrap": 0, "random_state": 0}
    for protocol in ({}, {"exclude_seen": False}, {"candidates": list(range(8))}, {"candidates": "test"}):
        a, b = (evaluate(rec, test, **options, **protocol) for rec in (ours, theirs))
        np.testing.assert_allclose(a["mean"], b["mean"], rtol=1e-4)
        assert a["n_dropped"].tolist() == b["n_dropped"].tolist()


def test_compare(split):
    train, test = split
    table = compare(Together().fit(train), Base().fit(train), test, metrics="ndcg@3", random_state=0)
    assert abs(table["difference"][0]) < 1e-6


def test_history_of_cold_users(X):
    train, test = next(ColdUserSplit(2, random_state=0).split(X))
    scorer = ranking_scorer("recall@4", n_history=3)
    assert scorer(Together().fit(X[train]), X[test]) == pytest.approx(scorer(Base().fit(X[train]), X[test]), abs=0.1)
    assert scorer(Together().fit(X[train]), X[test]) == scorer(Unseen().fit(X[train]), X[test])


def test_seen_items_is_optional(split):
    train, test = split
    rec = Unseen().fit(train)
    assert not hasattr(rec, "seen_items")
    assert ranking_scorer("ndcg@3")(rec, test) == ranking_scorer("ndcg@3")(Together().fit(train), test)
    with pytest.raises(ValueError, match=r"neither popularity_ .* nor seen_items"):
        ranking_scorer("novelty@3")(rec, test)
    rec.popularity_ = np.ones(len(rec.items_))
    assert ranking_scorer("novelty@3")(rec, test) == pytest.approx(4)


def test_searches(X):
    scoring = ranking_scorer(["ndcg@3", "novelty@3"])
    search = GridSearchCV(Together(), {"n_min": [1, 100]}, cv=LeaveLastOut(), scoring=scoring, refit="ndcg@3")
    assert search.fit(X).best_params_ == {"n_min": 1}
    assert np.isfinite(cross_val_score(Together(), X, cv=LeaveLastOut(), scoring=ranking_scorer("mrr"))).all()
    tuned = TunedRecommender(Together(), {"n_min": [100]}, n_iter=2, scoring=ranking_scorer("ndcg@3")).fit(X)
    assert tuned.best_params_ == {}
    items, scores = tuned.recommend([0, 1], k=3)
    assert items.shape == scores.shape == (2, 3)
    assert ranking_scorer("ndcg@3")(tuned, [[0, 1], [1, 0]]) >= 0


def test_pipeline(X):
    pipe = Pipeline([("recommender", Together())]).fit(X)
    items, _ = pipe.recommend([0], k=2)
    assert items.shape == (1, 2)
    assert clone(pipe).fit(X).items_.tolist() == list(range(16))
    assert ranking_scorer("ndcg@3", exclude_seen=False)(pipe, X) > 0


@pytest.mark.parametrize("wrap", [lambda rec: rec, lambda rec: Pipeline([("recommender", rec)])])
def test_leave_one_out(split, wrap):
    train, _ = split
    rec = wrap(Together()).fit(train)
    users = np.arange(5)
    items = rec.recommend(users, k=1)[0].ravel().astype(int)
    why = explain_by_leave_one_out(rec, users, items, n_evidence=2)
    own = {user: set(train[train[:, 0] == user, 1]) for user in users}
    together = Together().fit(train).together_
    for user, item, reasons in zip(users, items, why.evidence, strict=True):
        assert len(reasons) == 2
        assert {reason.item for reason in reasons} <= own[user]
        # The score is a sum over the history, so the fall is the share of the item.
        best = sorted((together[chosen, item] for chosen in own[user]), reverse=True)[:2]
        assert [reason.weight for reason in reasons] == best
    assert all(text.startswith("Because you chose") for text in why.text)
    found = explanation_faithfulness(rec, why, n_bootstrap=10, n_permutations=10, random_state=0)
    assert found["difference"][0] > 0


def test_leave_one_out_without_a_history(X):
    rec = Together().fit(X)
    new, item = explain_by_leave_one_out(rec, [999], [3]), rec.items_[3]
    assert new.evidence[0][0].kind == "popularity"
    assert new.item.tolist() == [item]
    alone = explain_by_leave_one_out(Together().fit(np.vstack([X, [[77, 2]]])), [77], [4]).evidence[0][0]
    assert (alone.kind, alone.item) == ("history", 2)
    with pytest.raises(KeyError):
        explain_by_leave_one_out(rec, [0], [999])
    with pytest.raises(TypeError, match="has no recommend"):
        explain_by_leave_one_out(BaseEstimator(), [0], [1])


def test_what_breaks_the_contract_is_named(split):
    train, test = split

    class OneList(Together):
        def seen_items(self, users):
            return [[1, 2]]

    class TooShort(Together):
        def recommend(self, users=None, k=10, **options):
            return super().recommend(users, k - 1, **options)

    with pytest.raises(ValueError, match=r"one list of item codes, .* per user"):
        ranking_scorer("ndcg@3")(OneList().fit(train), test)
    with pytest.raises(ValueError, match=r"must be of shape \(n_users, k\)"):
        ranking_scorer("ndcg@3")(TooShort().fit(train), test)
