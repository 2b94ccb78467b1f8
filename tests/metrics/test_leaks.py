"""The warning of an evaluation that uses the future."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

from skrec.dummy import PopularRecommender
from skrec.exceptions import TemporalLeakWarning
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.llm import LLMReranker
from skrec.metrics import _leaks, evaluate, ranking_scorer
from skrec.model_selection import ColdItemSplit, ColdUserSplit, LeaveLastOut, TimeSplit
from skrec.pipeline import make_pipeline

pytestmark = pytest.mark.filterwarnings("error")
ITEMS = pd.DataFrame({"item": range(25), "title": [f"Item {i}" for i in range(25)]})
SCORING = ranking_scorer("ndcg@5")


@pytest.fixture(autouse=True)
def first_in_the_process(monkeypatch):
    monkeypatch.setattr(_leaks, "_warned", False)


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    n = 600
    return pd.DataFrame(
        {"user": rng.integers(0, 40, n), "item": rng.integers(0, 25, n), "timestamp": np.arange(n, dtype=float)}
    )


@pytest.mark.parametrize(
    "measure",
    [
        lambda X: cross_val_score(PopularRecommender(), X, cv=3),
        lambda X: GridSearchCV(PopularRecommender(), {}, cv=3, scoring=SCORING).fit(X),
        lambda X: PopularRecommender().fit(X[50:]).score(X[:50]),
        lambda X: evaluate(PopularRecommender().fit(X[50:]), X[:50], metrics="ndcg@5", n_bootstrap=0),
    ],
    ids=["cross_val_score", "search", "score", "evaluate"],
)
def test_it_is_warned_of_once(X, measure):
    with pytest.warns(TemporalLeakWarning, match=r"Split with .*LeaveLastOut") as caught:
        measure(X)
    assert len(caught) == 1
    measure(X)  # a second warning would be an error


def test_what_order_misleads_is_named(X):
    train, test = train_test_split(X, random_state=0)
    with pytest.warns(TemporalLeakWarning, match="EASERecommender .* order='none'"):
        SCORING(EASERecommender().fit(train), test)
    _leaks._warned = False
    with pytest.warns(TemporalLeakWarning) as caught:
        SCORING(EASERecommender(order="none").fit(train), test)
    assert "order=" not in str(caught[0].message)
    _leaks._warned = False
    with pytest.warns(TemporalLeakWarning, match="EASERecommender .* order='none'"):
        SCORING(
            LLMReranker(make_pipeline(EASERecommender(item_encoder=TfidfVectorizer())), llm=len, blend=0.0).fit(
                train, item_features=ITEMS
            ),
            test,
        )


@pytest.mark.parametrize(
    "cv",
    [TimeSplit(3), LeaveLastOut(2), ColdUserSplit(3, random_state=0), ColdItemSplit(3, random_state=0)],
    ids=lambda cv: type(cv).__name__,
)
def test_honest_splits_are_quiet(X, cv):
    ids = np.arange(25)
    features = {"item_features": FeatureTable((ids, np.eye(25)))}
    assert np.isfinite(cross_val_score(PopularRecommender(), X, cv=cv, scoring=SCORING, params=features)).all()


def test_training_scores_and_events_without_times_are_quiet(X):
    rec = PopularRecommender().fit(X)
    assert ranking_scorer("ndcg@5", exclude_seen=False)(rec, X) > 0
    X = X[["user", "item"]]
    assert np.isfinite(cross_val_score(PopularRecommender(), X, cv=3, scoring=SCORING)).all()


def test_equal_times_are_no_leak():
    X = pd.DataFrame({"user": np.repeat(np.arange(20), 3), "item": np.tile([1, 2, 3], 20), "timestamp": 5.0})
    assert np.isfinite(cross_val_score(PopularRecommender(), X, cv=3, scoring=SCORING)).all()


def test_it_is_silenced_by_its_category(X):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=TemporalLeakWarning)
        cross_val_score(PopularRecommender(), X, cv=3)
