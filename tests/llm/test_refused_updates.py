"""An update that is refused or interrupted half-way leaves every wrapper as it was."""

import json

import numpy as np
import pandas as pd
import pytest
from conversing import encoder
from plain_recommender import PlainRecommender
from prompt_reading import blocks_of

from skrec.dummy import PopularRecommender
from skrec.feature_extraction import KeywordExtractor
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender, LLMExplainer, LLMReranker, QuerySuggester
from skrec.llm._conversation._item_knowledge import ItemKnowledge
from skrec.llm._row_texts import RowTexts
from skrec.neighbors import ItemKNNRecommender

LOG = np.array([(1, 10), (1, 20), (2, 10), (2, 30), (3, 20), (3, 30), (4, 10)])
BOOKS = pd.DataFrame(
    {
        "item": [10, 20, 30],
        "title": ["Emma", "Persuasion", "Dracula"],
        "text": ["a village romance", "a naval romance", "a vampire by the sea"],
    }
)
NEW = np.array([(5, 40), (1, 40), (5, 10)])
MORE = FeatureTable(pd.DataFrame({"item": [40], "title": ["Belinda"], "text": ["a london romance"]}))


class Interrupted(Exception):
    """Raised in the middle of an update."""


def read_by_text():
    return ItemKNNRecommender(item_encoder=encoder())


def in_reverse(messages):
    return json.dumps({"order": blocks_of(messages)["candidates"].tokens[::-1]})


def replies(rec):
    turn = rec.reply("no vampires", user=1, k=3)
    return turn.message, turn.recommendations.items.tolist()


def reasons(rec):
    return rec.explain([1, 4], [30, 20]).text


WRAPPERS = {
    "LLMReranker": (lambda base: LLMReranker(base, in_reverse), lambda rec: rec.recommend([1, 4], 3).items.tolist()),
    "LLMExplainer": (LLMExplainer, reasons),
    "ConversationalRecommender": (lambda base: ConversationalRecommender(base, item_encoder=encoder()), replies),
    "QuerySuggester": (
        lambda base: QuerySuggester(base, KeywordExtractor(encoder(), ngram_range=(1, 1))),
        lambda rec: rec.suggest_queries(users=[1, 4], k=3),
    ),
}
# Where each wrapper stands when the recommender inside has taken the new events.
LAST_STEPS = {
    "LLMReranker": (RowTexts, "updated"),
    "LLMExplainer": (RowTexts, "updated"),
    "ConversationalRecommender": (ItemKnowledge, "updated"),
    "QuerySuggester": (KeywordExtractor, "transform"),
}


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("base", [PopularRecommender, read_by_text, PlainRecommender])
@pytest.mark.parametrize("name", WRAPPERS)
def test_half_an_update_is_none(name, base, error, monkeypatch):
    make, answer = WRAPPERS[name]
    rec = make(base()).fit(LOG, item_features=FeatureTable(BOOKS))
    inside, before = rec.recommender_, answer(rec)

    def fails(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*LAST_STEPS[name], fails)
        with pytest.raises(error):
            rec.partial_fit(NEW, item_features=MORE)
    assert rec.items_.tolist() == [10, 20, 30]
    assert rec.recommender_ is inside
    assert inside.items_.tolist() == [10, 20, 30]
    assert answer(rec) == before
    rec.partial_fit(NEW, item_features=MORE)
    assert rec.items_.tolist() == [10, 20, 30, 40]
    answer(rec)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_table_that_only_the_wrapper_refuses(name):
    """The popularity baseline takes any table; the wrapper reads its columns."""
    make, answer = WRAPPERS[name]
    rec = make(PlainRecommender()).fit(LOG, item_features=FeatureTable(BOOKS))
    before = answer(rec)
    with pytest.raises(ValueError, match="item_features"):
        rec.partial_fit(NEW, item_features=FeatureTable(pd.DataFrame({"item": [40, 40], "title": ["a", "b"]})))
    assert rec.items_.tolist() == [10, 20, 30]
    assert answer(rec) == before


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("name", WRAPPERS)
def test_half_a_second_fit_is_none(name, error, monkeypatch):
    make, answer = WRAPPERS[name]
    rec = make(PopularRecommender()).fit(LOG, item_features=FeatureTable(BOOKS))
    before = answer(rec)
    step = {"ConversationalRecommender": ItemKnowledge, "QuerySuggester": KeywordExtractor}.get(name, RowTexts)

    def fails(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(step, "fit" if step is KeywordExtractor else "read", fails)
        with pytest.raises(error):
            rec.fit(NEW, item_features=MORE)
    assert rec.items_.tolist() == [10, 20, 30]
    assert answer(rec) == before
