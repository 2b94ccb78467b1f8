"""Every recommender of the library on one small log: what the tests of updates and of attacks fit, update and ask."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from skrec.base import is_recommender
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable
from skrec.neighbors import ItemKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.testing import all_estimators
from skrec.testing._data import text_encoder

WORDS = ["garden", "sea", "storm", "rose", "whale", "ship", "walled", "deep"]
_RNG = np.random.default_rng(0)
EVENTS = pd.DataFrame(
    {"user": _RNG.integers(0, 12, 90), "item": 10 * _RNG.integers(0, 15, 90), "timestamp": np.arange(90)}
)
CONTEXT = pd.DataFrame({"hour": _RNG.integers(0, 24, 90).astype(float), "heat": _RNG.normal(size=90)})
N_ITEMS = 15


def more_events(seed):
    """Events of known and new users and items."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": [*rng.integers(0, 12, 5), 100 + seed, 100 + seed],
            "item": [*(10 * rng.integers(0, 15, 6)), 1000 + seed],
            "timestamp": 90 + seed * 7 + np.arange(7),
        }
    )


def text_table(items):
    text = [" ".join(np.random.default_rng(int(item)).choice(WORDS, 4)) for item in items]
    return FeatureTable(pd.DataFrame({"item": items, "text": text}))


def vector_table(items):
    return FeatureTable((items, np.random.default_rng(7).normal(size=(len(items), 3))))


def name_of(rec):
    return type(rec).__name__ + getattr(rec, "solver", "")


def table_for(rec):
    """A function that makes the item features that this recommender can use."""
    return vector_table if any(map(_reads_vectors, _inside(rec))) else text_table


def _inside(rec):
    """A recommender and all that it is made of."""
    parts = [value for _, value in getattr(rec, "recommenders", getattr(rec, "retrievers", []))]
    parts += [rec.recommender] if hasattr(rec, "recommender") and "llm" not in type(rec).__module__ else []
    return [rec, *(one for part in parts for one in _inside(part))]


def _reads_vectors(rec):
    return hasattr(rec, "item_encoder") and rec.item_encoder is None and "llm" not in type(rec).__module__


@dataclass
class Subject:
    """A recommender and the log that it is fitted to."""

    name: str
    rec: Any
    has_context: bool = False

    def __str__(self):
        return self.name

    def events(self, log=EVENTS):
        return pd.concat([log, CONTEXT[: len(log)]], axis=1) if self.has_context else log

    def table(self, items):
        rec = self.rec.steps[-1][1] if hasattr(self.rec, "steps") else self.rec
        return table_for(rec)(items)

    def fit(self):
        with warnings.catch_warnings(action="ignore"):
            return clone(self.rec).fit(self.events(), item_features=self.table(np.unique(EVENTS["item"])))

    def update(self, rec, seed=1):
        with warnings.catch_warnings(action="ignore"):
            return rec.partial_fit(self.events(more_events(seed)), item_features=self.table([0, 2000 + seed]))

    def refit(self, rec):
        some = EVENTS[:50]
        with warnings.catch_warnings(action="ignore"):
            return rec.fit(self.events(some), item_features=self.table(np.unique(some["item"])))


def answers(rec):
    """What a fitted recommender says of itself, of known and of unknown users."""
    users = [0, 3, 101, 7777]
    with warnings.catch_warnings(action="ignore"):
        found = rec.recommend(users, k=5, history=pd.DataFrame({"user": [3], "item": [20], "timestamp": [999]}))
        pairs = pd.DataFrame({"user": users, "item": [0, 10, 20, 30]})
        scores = rec.predict(pairs if rec.n_features_in_ == 2 else pairs.assign(hour=1.0, heat=0.5))
    return found.items.tolist(), found.scores.tolist(), scores.tolist(), rec.items_.tolist(), rec.users_.tolist()


UPDATABLE = [
    Subject(name_of(rec), rec) for rec in all_estimators() if is_recommender(rec) and hasattr(rec, "partial_fit")
]
"""One subject of every public recommender, in each of the settings of ``all_estimators``."""

_FACTORS = {"n_factors": 4, "max_iter": 3, "random_state": 0}
SPECIAL = [
    Subject("ItemKNN of texts", ItemKNNRecommender(item_encoder=text_encoder())),
    Subject("HybridMF of texts", HybridMFRecommender(item_encoder=text_encoder(), **_FACTORS)),
    Subject("HybridMF in context", HybridMFRecommender(**_FACTORS), has_context=True),
    Subject("HybridMF warp in context", HybridMFRecommender(solver="warp", **_FACTORS), has_context=True),
    Subject("Pipeline", make_pipeline(ContextEncoder(), HybridMFRecommender(**_FACTORS)), has_context=True),
]
"""Recommenders with an encoder of text, with context, and in a pipeline."""
