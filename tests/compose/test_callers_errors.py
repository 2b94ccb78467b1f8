"""What is the caller's fault is raised, what is a part's is reported."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skrec.compose import CascadeRecommender, FallbackRecommender, FusionRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import PartFailureWarning
from skrec.interactions import FeatureTable

USERS = FeatureTable((np.arange(12), np.column_stack([np.arange(12) % 2, 1 - np.arange(12) % 2]).astype(float)))


def log():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 12, 150), "item": rng.integers(0, 20, 150)})
    return frame.assign(hour=rng.integers(0, 24, 150), timestamp=1.7e9 + np.arange(150))


class Careless(PopularRecommender):
    """Makes use of users and k alone, so that nothing else is wrong for it."""

    def recommend(self, users=None, k=10, **options):
        return super().recommend(users, k)


class Picky(PopularRecommender):
    """Fails wherever there is a history."""

    def recommend(self, users=None, k=10, *, history=None, **options):
        if history is not None:
            raise ValueError("not today")
        return super().recommend(users, k)


def composites(first):
    parts = [("first", first), ("careless", Careless())]
    return [
        FusionRecommender(parts),
        FusionRecommender(parts, method="score"),
        CascadeRecommender(parts, LogisticRegression(), n_candidates=10, random_state=0),
        FallbackRecommender(parts),
    ]


HYBRID = HybridMFRecommender(n_factors=2, max_iter=2, random_state=0)
N_COMPOSITES = 4
WRONG = {
    "a time in milliseconds": {"history": pd.DataFrame({"user": [1], "item": [2], "hour": [3], "timestamp": [1.8e12]})},
    "a history without items": {"history": [[1]]},
    "a column too many": {"context": np.ones((1, 2))},
    "a column of another name": {"context": pd.DataFrame({"minute": [3]})},
    "too many rows": {"context": np.ones((3, 1))},
    "features of another width": {"user_features": np.ones((2, 5))},
    "pairs of one column": {"exclude": [[1]]},
    "no such list": {"k": 0},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("number", range(N_COMPOSITES), ids=["rrf", "score", "cascade", "fallback"])
def test_a_wrong_request_is_raised_though_a_part_takes_it(number, wrong):
    rec = composites(HYBRID)[number].fit(log(), user_features=USERS)
    with pytest.raises((ValueError, TypeError)):
        rec.recommend([1, 2], **({"k": 3} | wrong))


def test_an_unknown_argument_and_ids_of_another_kind_are_raised():
    for rec in composites(HYBRID)[:N_COMPOSITES]:
        rec.fit(log(), user_features=USERS)
        with pytest.raises(TypeError, match="unknown"):
            rec.recommend([1], unknown=1)
        with pytest.raises(TypeError, match="users"):
            rec.recommend(["one"], k=2)


@pytest.mark.parametrize("number", range(N_COMPOSITES), ids=["rrf", "score", "cascade", "fallback"])
def test_a_part_that_refuses_a_right_request_has_failed(number):
    rec = composites(Picky())[number].fit(log())
    with pytest.warns(PartFailureWarning, match="not today"):
        found = rec.recommend([1], k=3, history=[[1, 2, 3]])
    assert found.report["failures"] == {"first": "ValueError: not today"}
    assert (found.items != None).all()  # noqa: E711
