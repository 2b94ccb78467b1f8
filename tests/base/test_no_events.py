"""Feature tables without events: new rows in ``partial_fit``, and a catalogue that nobody has used yet."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

from skrec.base import BaseRecommender
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import SuspiciousDataWarning
from skrec.feature_extraction import ContextEncoder
from skrec.graph import GraphRecommender
from skrec.linear_model import EASERecommender
from skrec.llm import ConversationalRecommender, LLMExplainer, LLMReranker
from skrec.model_selection import TunedRecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.testing import all_estimators

X = pd.DataFrame([(u, i) for u in range(9) for i in range(6) if (u + i) % 3], columns=["user", "item"])
ITEMS = pd.DataFrame({"item": range(6), "a": np.arange(6) % 2, "b": (np.arange(6) + 1) % 2 + 0.5})
USERS = pd.DataFrame({"user": range(9), "c": np.arange(9) % 3, "d": 1.0})
NEW_ITEMS = pd.DataFrame({"item": [6, 7], "a": [1, 0], "b": [0.5, 1.5]})
NEW_USERS = pd.DataFrame({"user": [20, 21], "c": [1, 2], "d": [1.0, 1.0]})
UPDATABLE = [rec for rec in all_estimators() if isinstance(rec, BaseRecommender) and hasattr(rec, "partial_fit")]


@pytest.mark.parametrize("estimator", UPDATABLE, ids=lambda rec: f"{type(rec).__name__}-{getattr(rec, 'solver', '')}")
@pytest.mark.parametrize("times", [False, True])
@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
@pytest.mark.filterwarnings("ignore::skrec.exceptions.ColdStartWarning")
def test_new_rows_without_events(estimator, times):
    rec = clone(estimator)
    if "max_iter" in rec.get_params():
        rec.set_params(max_iter=3)
    table = X.assign(timestamp=np.arange(len(X)) + 1.7e9) if times else X
    y = np.ones(len(X)) if rec.get_params().get("feedback") == "explicit" else None
    encoders = {"item_encoder", "user_encoder"} & set(rec.get_params())
    rec.set_params(**dict.fromkeys(encoders))
    rec.fit(table, y, item_features=ITEMS, user_features=USERS)
    before = rec.recommend([0, 5], k=3)
    for tables in ({"item_features": NEW_ITEMS}, {"user_features": NEW_USERS}):
        assert rec.partial_fit(**tables) is rec
    assert rec.items_.tolist() == list(range(8))
    assert rec.users_.tolist() == [*range(9), 20, 21]
    found = rec.recommend([0, 20, 21], k=8, exclude_seen=False)
    assert np.isfinite(found.scores).all()
    assert {6, 7} <= set(found.items[0].tolist())
    again = rec.recommend([0, 5], k=3, candidates=range(6))
    # In these, features of new items count in all of their pairs and paths.
    if not isinstance(rec, ItemKNNRecommender | EASERecommender | GraphRecommender):
        np.testing.assert_allclose(again.scores, before.scores, rtol=1e-4)
    # Events of the new ids follow, in order where fit had it.
    later = pd.DataFrame({"user": [20, 0], "item": [6, 7]})
    later = later.assign(timestamp=[1.7e9 + 90, 1.7e9 + 91]) if times else later
    rec.partial_fit(later, None if y is None else [1.0, 1.0])
    assert 6 not in rec.recommend([20], k=7).items
    if times:
        assert rec._histories.timestamp is not None


def test_bpr_starts_warm_after_new_rows():
    rec = BPRRecommender(n_factors=4, max_iter=5, random_state=0).fit(X, item_features=ITEMS)
    rec.partial_fit(item_features=NEW_ITEMS).partial_fit(X[:3])
    assert rec.item_factors_.shape == (8, 4)


def test_arguments_of_an_update_without_events():
    rec = ItemKNNRecommender().fit(X, item_features=ITEMS)
    with pytest.raises(ValueError, match="nothing is new; pass new events"):
        rec.partial_fit()
    with pytest.raises(ValueError, match="y was given, and X is None"):
        rec.partial_fit(y=[1.0], item_features=NEW_ITEMS)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        rec.partial_fit(X[:0], item_features=NEW_ITEMS)  # a filter that left nothing is no "without events"


TEXTS = pd.DataFrame({"item": [1, 2, 3, 4], "text": ["red wine", "red apple", "blue sky", "blue sea"]})
WITHOUT_EVENTS = {
    "plain": EmbeddingKNNRecommender,
    "max": lambda **kw: EmbeddingKNNRecommender(aggregation="max", **kw),
    "euclidean": lambda **kw: EmbeddingKNNRecommender(metric="euclidean", **kw),
    "pipeline": lambda **kw: make_pipeline(EmbeddingKNNRecommender(**kw)),
    "conversation": lambda **kw: ConversationalRecommender(EmbeddingKNNRecommender(**kw)),
    "reranker": lambda **kw: LLMReranker(EmbeddingKNNRecommender(**kw), llm=lambda messages: "[1]"),
    "explainer": lambda **kw: LLMExplainer(EmbeddingKNNRecommender(**kw), llm=lambda messages: "[1]"),
}


@pytest.mark.parametrize("name", WITHOUT_EVENTS)
def test_a_catalogue_without_events(name):
    rec = WITHOUT_EVENTS[name](item_encoder=TfidfVectorizer()).fit(item_features=TEXTS)
    assert rec.items_.tolist() == [1, 2, 3, 4]
    assert len(rec.users_) == 0
    base = getattr(rec, "recommender_", rec)
    assert set(base.search("apple red", k=2).items[0].tolist()) == {1, 2}
    assert base.similar_items([3], k=1).items.tolist() == [[4]]
    assert base.recommend(["new"], k=1, request="sea", request_weight=1.0).items.tolist() == [[4]]
    assert base.recommend(k=1, history=[["u", 3]]).items.tolist() == [[4]]
    assert base.recommend(["u"], k=2).scores.tolist() == [[0, 0]]
    assert base.recommend(k=2).items.shape == (0, 2)
    rec.partial_fit(item_features=TEXTS.assign(item=[5, 6, 7, 8]))
    assert rec.items_.tolist() == list(range(1, 9))
    events = pd.DataFrame({"user": ["ann", "ann"], "item": [3, 4], "timestamp": [2.0, 1.0]})
    base = getattr(rec.partial_fit(events), "recommender_", rec)
    assert rec.users_.tolist() == ["ann"]
    assert set(base.recommend(["ann"], k=2).items[0].tolist()) == {7, 8}
    with pytest.raises(TypeError, match="are number"):
        rec.partial_fit(events.assign(user=[1, 2]))


def test_the_first_events_decide_what_fit_would_have():
    """Names, order and the frame library come with them."""
    rec = EmbeddingKNNRecommender(item_encoder=TfidfVectorizer(), recency_decay=0.5)
    table = pl.from_pandas(TEXTS)
    events = pl.DataFrame({"user": ["a", "a"], "item": [3, 1], "timestamp": [2, 1]})
    later = rec.fit(item_features=table).partial_fit(events)
    assert isinstance(later.recommend(k=1).to_frame(), pl.DataFrame)
    assert later.feature_names_in_.tolist() == ["user", "item"]
    expected = clone(rec).fit(events, item_features=table)
    order = np.argsort(expected.items_)
    assert expected.items_[order].tolist() == later.items_.tolist()
    np.testing.assert_allclose(
        later.recommend(k=4, exclude_seen=False).scores, expected.recommend(k=4, exclude_seen=False).scores, rtol=1e-5
    )
    with pytest.warns(SuspiciousDataWarning, match="dates as text"):
        clone(rec).fit(item_features=table).partial_fit(
            events.with_columns(date=pl.Series([f"2024-01-{d:02d}" for d in (1, 2)]))
        )


def test_who_cannot_do_without_says_so():
    for rec in (
        ItemKNNRecommender(),
        HybridMFRecommender(),
        PopularRecommender(),
        LLMReranker(ItemKNNRecommender(), llm=len),
    ):
        with pytest.raises(ValueError, match=r"learns from events: pass X.*EmbeddingKNN"):
            rec.fit(item_features=ITEMS)
    with pytest.raises(ValueError, match="pass at least item_features"):
        EmbeddingKNNRecommender().fit()
    with pytest.raises(ValueError, match="y was given, and X is None"):
        EmbeddingKNNRecommender().fit(y=[1.0], item_features=ITEMS)
    with pytest.raises(ValueError, match="X is None; pass the events"):
        TunedRecommender(EmbeddingKNNRecommender(), {"order": ["none"]}).fit(None, item_features=ITEMS)
    with pytest.raises(ValueError, match="X is None"):
        make_pipeline(ContextEncoder(), EmbeddingKNNRecommender()).fit(item_features=ITEMS)
