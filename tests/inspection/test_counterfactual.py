"""Counterfactuals are tried, not guessed; importance of columns finds what matters."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.inspection import counterfactual, permutation_importance
from skrec.linear_model import EASERecommender
from skrec.metrics import ranking_scorer
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline


@pytest.fixture(scope="module")
def X():
    return load_bookshop().interactions


def listed(rec, history, items, k):
    """The first k of a new user with a history, none of ``items``."""
    candidates = [item for item in rec.items_.tolist() if item not in set(items)]
    given = {"history": [("a new user", item) for item in history]} if history else {}
    return rec.recommend(["a new user"], k, candidates=candidates, **given).items[0].tolist()


@pytest.mark.parametrize("rec", [ItemKNNRecommender(), EASERecommender()], ids=["knn", "ease"])
def test_without_these_the_item_is_gone_and_with_fewer_it_is_there(rec, X):
    rec.fit(X)
    sizes = set()
    for user in rec.users_[:4].tolist():
        history = rec.items_[rec.seen_items([user]).items].tolist()
        for item in listed(rec, history, history, 5):
            found = counterfactual(rec, user, item, k=5)
            sizes.add(len(found.removed))
            if not found.found:  # six items and more would have to leave
                continue
            rest = [other for other in history if other not in found.removed]
            assert item not in listed(rec, rest, history, 5)
            smaller = range(min(len(found.removed), 3)) if found.is_smallest else [len(found.removed) - 1]
            for size in smaller:
                for fewer in combinations(history if found.is_smallest else found.removed, size):
                    rest = [other for other in history if other not in fewer]
                    assert item in listed(rec, rest, history, 5)
    assert {1, 2} <= sizes


def test_what_stays_whatever_is_removed(X):
    """Popular items do not depend on the history."""
    rec = PopularRecommender().fit(X)
    user = rec.users_[0]
    item = rec.recommend([user], 1).items[0, 0]
    found = counterfactual(rec, user, item, k=10, max_size=3)
    assert (found.found, found.removed, found.rank) == (False, [], 1)
    assert "stays in the first 10" in str(found)


def test_counterfactuals_of_bad_input(X):
    rec = ItemKNNRecommender().fit(X)
    with pytest.raises(ValueError, match="has no history"):
        counterfactual(rec, "nobody", rec.items_[0])
    with pytest.raises(KeyError, match="unknown"):
        counterfactual(rec, rec.users_[0], "nothing")
    last = rec.recommend(rec.users_[:1], len(rec.items_)).items[0]
    with pytest.raises(ValueError, match="is not in the first 1"):
        counterfactual(rec, rec.users_[0], [item for item in last if item is not None][-1], k=1)
    with pytest.raises(ValueError, match="max_size"):
        counterfactual(rec, rec.users_[0], rec.items_[0], max_size=0)


def choices(n=2000, seed=0):
    """Tea in the morning and rum in the evening; the weekday tells nothing."""
    rng = np.random.default_rng(seed)
    hour, day = rng.choice(["8", "20"], n), rng.choice(["Monday", "Friday"], n)
    likely = np.where(hour == "8", "tea", "rum")
    item = np.where(rng.random(n) < 0.7, likely, rng.choice(["water", "milk", "tea", "rum"], n))
    return pd.DataFrame({"user": rng.integers(0, 50, n), "item": item, "hour": hour, "day": day})


def test_the_hour_matters_and_the_day_does_not():
    rec = make_pipeline(ContextEncoder(), HybridMFRecommender(n_factors=8, random_state=0)).fit(choices())
    scorer = ranking_scorer("mrr@4", exclude_seen=False)
    X_test = choices(500, seed=1)
    found = permutation_importance(rec, X_test, scoring=scorer, random_state=0)
    assert found.names == ["context: hour", "context: day"]
    assert found.importances.shape == (2, 5)
    assert found.importances_mean[0] > 0.1 > 10 * abs(found.importances_mean[1])
    assert found.score == scorer(rec, X_test)
    again = permutation_importance(rec, X_test, scoring=scorer, random_state=0)
    np.testing.assert_array_equal(again.importances, found.importances)


def test_columns_of_features_are_permuted_and_fitted_again():
    rng = np.random.default_rng(0)
    kind = np.arange(40) % 4
    events = pd.DataFrame({"user": np.repeat(np.arange(60), 6)})
    events["item"] = [int(rng.choice(np.flatnonzero(kind == user % 4))) for user in events["user"]]
    books = pd.DataFrame({"item": np.arange(40), "noise": rng.normal(size=40)})
    books[[f"kind {number}" for number in range(4)]] = 5.0 * np.eye(4)[kind]
    train, test = events[events.index % 6 < 5], events[events.index % 6 == 5]
    rec = EmbeddingKNNRecommender().fit(train, item_features=books)
    found = permutation_importance(
        rec, test, fit_params={"X": train, "item_features": books}, random_state=0, n_repeats=2
    )
    assert found.names[0] == "item_features: noise"
    assert found.importances_mean[1:].max() > found.importances_mean[0]


def test_importance_of_bad_input(X):
    rec = ItemKNNRecommender().fit(X)
    with pytest.raises(ValueError, match="no column to exchange"):
        permutation_importance(rec, X.iloc[:50, :2])
    with pytest.raises(ValueError, match="must hold the X"):
        permutation_importance(rec, X.iloc[:50, :2], fit_params={"item_features": X})
    with pytest.raises(TypeError, match="item_features must be a frame"):
        permutation_importance(
            rec, X.iloc[:50, :2], fit_params={"X": X, "item_features": (rec.items_, np.eye(len(rec.items_)))}
        )
