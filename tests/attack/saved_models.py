"""Fitted models that are saved, and all uses of a loaded one; for the attacks on files."""

import warnings

import numpy as np
import pandas as pd

from skrec.base import is_recommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import (
    ContextEncoder,
    HashingTextEncoder,
    ItemTextEnricher,
    KeywordExtractor,
    LLMTextEmbedder,
    UserProfileText,
)
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.model_selection import TunedRecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import Pipeline, make_pipeline
from skrec.testing import all_estimators, public_estimators

N_USERS, N_ITEMS = 20, 15


def events(seed=0, *, n=150, context=True):
    """A log with times and, where asked, two columns of context."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(N_USERS, size=n), rng.integers(N_ITEMS, size=n)
    frame = pd.DataFrame({"user": users, "item": items, "timestamp": np.arange(n) * 3600})
    return frame.assign(hour=rng.random(n), home=rng.random(n) > 0.5) if context else frame


def tables():
    """A title of every item, numbers of every item, numbers of every user."""
    rng = np.random.default_rng(1)
    words = np.array(["sea", "storm", "garden", "war", "love", "robot"])
    texts = [" ".join(rng.choice(words, 3)) for _ in range(N_ITEMS + 2)]
    items = pd.DataFrame({"item": np.arange(N_ITEMS + 2), "title": texts})
    numbers = [FeatureTable((np.arange(n), rng.random((n, 3)).astype(np.float32))) for n in (N_ITEMS + 2, N_USERS)]
    return FeatureTable(items), *numbers


def _embedder():
    return LLMTextEmbedder(model=HashingTextEncoder(16))


def _variants():
    """Settings that keep other states than those of ``all_estimators``."""
    text = {"item_encoder": _embedder()}
    small = {"n_factors": 4, "max_iter": 3, "random_state": 0}
    yield HybridMFRecommender(feedback="explicit", **small, **text)
    yield HybridMFRecommender(solver="warp", **small, **text)
    yield PopularRecommender(n_segments=3, recency_decay=0.9, random_state=0)
    yield EASERecommender(n_neighbors=5)
    yield EASERecommender(**text)
    yield ItemKNNRecommender(n_neighbors=5, **text)
    yield ItemKNNRecommender(n_neighbors=5, item_encoder="auto")
    yield UserKNNRecommender(n_neighbors=5, similarity="jaccard")
    yield EmbeddingKNNRecommender(**text)
    yield EmbeddingKNNRecommender(metric="euclidean", aggregation="attention", **text)
    yield EmbeddingKNNRecommender(index="faiss", **text)
    yield TunedRecommender(ItemKNNRecommender(n_neighbors=5), {"n_neighbors": [3]}, n_iter=2)
    yield make_pipeline(ContextEncoder(random_state=0), HybridMFRecommender(**small))
    yield make_pipeline(ContextEncoder(random_state=0), PopularRecommender(n_segments=3, random_state=0))
    for fusion in ("concat", "dense"):
        yield ContextEncoder(roles={2: "text"}, text_encoder=_embedder(), fusion=fusion, random_state=0)
    yield KeywordExtractor(_embedder(), output="phrases")
    yield ItemTextEnricher()
    yield UserProfileText()


def saved_models(*names):
    """Fitted estimators by the name of their class: each public class, in every setting that is tested."""
    found = {cls.__name__: [] for cls in public_estimators() if not names or cls.__name__ in names}
    for estimator in [*all_estimators(), *_variants()]:
        if type(estimator).__name__ in found:
            found[type(estimator).__name__].append(estimator)
    with warnings.catch_warnings(action="ignore"):
        return {name: [_fitted(one) for one in estimators] for name, estimators in found.items()}


def _fitted(estimator):
    if not is_recommender(estimator):
        return estimator.fit(_texts())
    texts, items, users = tables()
    # The plain ones learn from ids and times; a model of context learns its columns too.
    has_context = isinstance(estimator, Pipeline) or getattr(estimator, "n_segments", None) is not None
    has_context |= isinstance(estimator, HybridMFRecommender) and estimator.feedback == "explicit"
    reads_text = any(hasattr(estimator, name) for name in ("llm", "extractor"))
    reads_text |= getattr(estimator, "item_encoder", None) is not None
    X = events(context=has_context)
    y = 1.0 + X.index.to_numpy() % 5
    return estimator.fit(X, y, item_features=texts if reads_text else items, user_features=users)


def _texts():
    return [["u1", "i1", "red sea"], ["u2", "i2", "blue storm"], ["u3", "i1", "red garden"], ["u1", "i3", "red sea"]]


def uses(model, fitted):
    """Every use of a loaded model, as functions; ``fitted`` is what was saved.

    ``partial_fit`` is left out where a parameter has changed: a valid number may ask for a billion passes.
    """
    if not is_recommender(fitted):
        yield lambda: model.transform(_texts())
        yield lambda: model.get_feature_names_out()
        yield lambda: model.encode(["red sea"])
        yield lambda: model.encode_query(["red sea"])
        yield lambda: model.extract(["red sea"])
        return
    history = [[900, 3], [900, 4], [2, 5]]
    yield lambda: model.recommend(k=5)
    yield lambda: model.recommend([1, 2, 999], k=40, exclude_seen=False)
    yield lambda: model.recommend(k=3, history=history)
    yield lambda: model.recommend([1, 2], k=3, candidates=[1, 2, 3])
    yield lambda: model.recommend([1, 2], k=3, context=events(2, n=2)[["hour", "home"]])
    yield lambda: model.recommend([1], k=3, request="a sea garden")
    yield lambda: model.predict(events(3, n=30)[fitted.feature_names_in_])
    yield lambda: model.predict(events(3, n=30, context=False)[["user", "item"]])
    yield lambda: model.similar_items([0, 3], k=4)
    yield lambda: model.search("a sea garden", k=4)
    yield lambda: model.explain([1, 2], [3, 4])
    yield lambda: model.seen_items([1, 2])
    yield lambda: model.suggest_queries("s", [1], k=2)
    yield lambda: model.reply("no war", user=1)
    if repr(model.get_params()) == repr(fitted.get_params()):
        new = events(4, n=12)
        yield lambda: model.partial_fit(new[[*fitted.feature_names_in_, "timestamp"]], np.ones(12))
        yield lambda: model.recommend(k=5)
