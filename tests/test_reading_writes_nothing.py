"""Recommending, explaining and searching leave every public estimator as it was: a call writes for its result alone."""

import warnings
from contextlib import suppress

import numpy as np
import pytest
from sklearn.base import clone

from skrec.base import is_recommender
from skrec.testing import all_estimators
from skrec.testing._data import checkerboard, item_table, text_table

RECOMMENDERS = [estimator for estimator in all_estimators() if is_recommender(estimator)]
CALLS = {
    "recommend": lambda rec: rec.recommend([0, 1, 10**6], k=4),
    "recommend by a history": lambda rec: rec.recommend(history=[[900, 2], [0, 5]], k=4),
    "predict": lambda rec: rec.predict([[0, 1], [10**6, 10**6]]),
    "score": lambda rec: rec.score(np.array([[0, 1], [2, 3]])),
    "similar_items": lambda rec: rec.similar_items([3], k=3),
    "search": lambda rec: rec.search(["odd"], k=3),
    "explain": lambda rec: rec.explain([0, 1], [2, 3]),
    "seen_items": lambda rec: rec.seen_items([0]),
    "item_vectors": lambda rec: rec.item_vectors(),
    "suggest": lambda rec: rec.suggest("odd"),
    "suggest_queries": lambda rec: rec.suggest_queries(0),
    "respond": lambda rec: rec.respond("something odd", user=0, k=3),
}


def state_of(estimator):
    """The attributes of an estimator and of the recommenders inside it, by identity."""
    state = {name: id(value) for name, value in vars(estimator).items()}
    inside = [vars(estimator).get(name) for name in ("recommender_", "best_estimator_")]
    inside += list(vars(estimator).get("recommenders_", []))
    return [state, *(state_of(one) for one in inside if hasattr(one, "__dict__"))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", RECOMMENDERS, ids=lambda estimator: type(estimator).__name__)
def test_a_call_writes_nothing(estimator):
    rec = clone(estimator)
    table = text_table() if hasattr(rec, "title_column") or hasattr(rec, "extractor") else item_table()
    with warnings.catch_warnings(action="ignore"):
        rec.fit(checkerboard(), item_features=table)
    done = []
    for name, call in CALLS.items():
        if hasattr(rec, name.split()[0]):
            before = state_of(rec)
            with suppress(ValueError, TypeError):  # not of this model: it is not to write then, either
                call(rec)
            assert state_of(rec) == before, f"{name} of {type(rec).__name__} writes on the estimator"
            done.append(name)
    assert {"recommend", "predict", "score"} <= set(done)
