"""The wrappers need no more than the public contract: a recommender of fifty lines without a base class will do."""

import inspect
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from conversing import encoder
from plain_recommender import PlainRecommender
from prompt_reading import blocks_of

from skrec.exceptions import LanguageModelWarning
from skrec.feature_extraction import KeywordExtractor
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender, LLMExplainer, LLMReranker, QuerySuggester, personalise
from skrec.neighbors import UserKNNRecommender

LOG = np.array(
    [
        (1, 10),
        (1, 20),
        (1, 30),
        (2, 10),
        (2, 20),
        (3, 20),
        (3, 30),
        (4, 40),
        (4, 50),
        (5, 40),
        (5, 50),
        (6, 10),
        (6, 40),
    ]
)
BOOKS = FeatureTable(
    pd.DataFrame(
        {
            "item": [10, 20, 30, 40, 50],
            "title": ["Emma", "Persuasion", "Sanditon", "Dracula", "Carmilla"],
            "text": ["a village romance", "a naval romance", "a seaside romance", "a vampire", "a vampire girl"],
        }
    )
)
NEW = np.array([(7, 60), (7, 10), (2, 60)])
MORE = FeatureTable(pd.DataFrame({"item": [60], "title": ["Belinda"], "text": ["a london romance"]}))
TEXT_USERS = np.array([[f"u{user}", f"i{item}"] for user, item in LOG])


def backwards(messages):
    return json.dumps({"order": blocks_of(messages)["candidates"].tokens[::-1]})


def cites_all(messages):
    blocks = blocks_of(messages)
    tokens = [token for name, block in blocks.items() if name != "item" for token in block.tokens]
    return json.dumps({"sentences": [{"text": "For this reason.", "evidence": tokens}]})


def test_it_has_at_most_fifty_lines_and_no_base_class():
    assert len(inspect.getsource(PlainRecommender).splitlines()) <= 50
    assert PlainRecommender.__mro__[1:] == (object,)


def test_a_language_model_reranks_it():
    plain = PlainRecommender().fit(LOG)
    rec = LLMReranker(PlainRecommender(), backwards, n_candidates=3).fit(LOG, item_features=BOOKS)
    items, scores = plain.recommend([1, 5, 99], 3)
    found = rec.recommend([1, 5, 99], 3)
    for row, before in zip(found.items.tolist(), items.tolist(), strict=True):
        assert [item for item in row if item is not None] == [item for item in before if item is not None][::-1]
    np.testing.assert_allclose(found.scores, scores)
    assert found.report["n_reranked"] == 3
    assert found.to_frame().columns.tolist() == ["user", "item", "score", "rank"]
    np.testing.assert_array_equal(rec.predict([(1, 40), (5, 10)]), plain.predict([(1, 40), (5, 10)]))


def test_the_prompt_shows_the_history_of_fit_and_of_the_call():
    prompts = []

    def judge(messages):
        prompts.append(messages)
        return backwards(messages)

    rec = LLMReranker(PlainRecommender(), judge).fit(LOG, item_features=BOOKS)
    rec.recommend([3], history=[[3, 40]])
    assert [text.split(";")[0] for text in blocks_of(prompts[-1])["history"].texts] == [
        "title: Dracula",
        "title: Sanditon",
        "title: Persuasion",
    ]


def test_users_are_those_of_fit_or_of_the_history():
    rec = LLMReranker(PlainRecommender(), backwards).fit(LOG, item_features=BOOKS)
    assert rec.recommend().users.tolist() == [1, 2, 3, 4, 5, 6]
    assert rec.popularity_.tolist() == [3, 3, 2, 3, 2]
    assert rec.feedback == "implicit"


def test_the_order_of_the_recommender_stays_without_an_answer():
    rec = LLMReranker(PlainRecommender(), lambda messages: "nothing").fit(LOG, item_features=BOOKS)
    with pytest.warns(LanguageModelWarning, match="No answer"):
        found = rec.recommend([1])
    assert found.items[0, :2].tolist() == PlainRecommender().fit(LOG).recommend([1])[0][0, :2].tolist()


def test_it_is_explained_by_leaving_events_out():
    rec = LLMExplainer(PlainRecommender()).fit(LOG, item_features=BOOKS)
    (reasons,) = rec.explain([2], [30]).evidence
    # Both items of the history were chosen together with 30: Persuasion by two users, Emma by one.
    assert [(reason.item, reason.name, reason.weight) for reason in reasons] == [
        (20, "Persuasion", pytest.approx(2)),
        (10, "Emma", pytest.approx(1)),
    ]
    assert rec.explain([2], [30]).text == ["Because you chose Persuasion and Emma."]
    assert [reason.item for reason in rec.explain([2], [50], history=[[2, 40]]).evidence[0]] == [40]
    assert rec.explain([99], [20]).evidence[0][0].kind == "popularity"
    with pytest.raises(KeyError, match="unknown item"):
        rec.explain([1], [12345])
    with pytest.raises(ValueError, match="pair up"):
        rec.explain([1, 2, 3], [10, 20])


def test_a_language_model_words_that_evidence():
    rec = LLMExplainer(PlainRecommender(), cites_all).fit(LOG, item_features=BOOKS)
    found = rec.explain([2, 4], [30, 10])
    assert found.method[0] == "llm"
    assert {reason.item for reason in found.evidence[0]} == {10, 20}


def test_a_line_rests_on_that_evidence():
    rec = LLMExplainer(PlainRecommender()).fit(LOG, item_features=BOOKS)
    assert personalise([30], [2], recommender=rec).text == ["Because you chose Persuasion and Emma."]


def test_text_ids():
    rec = LLMExplainer(PlainRecommender()).fit(TEXT_USERS)
    assert {reason.item for reason in rec.explain(["u2"], ["i30"]).evidence[0]} == {"i10", "i20"}


def test_leave_one_out_agrees_with_a_model_that_explains():
    """The public contract gives what the model itself gives, where a known user scores as an unknown one does."""
    rng = np.random.default_rng(0)
    log = np.column_stack([np.repeat(np.arange(40), 6), rng.integers(0, 25, 240)])
    model = UserKNNRecommender(n_neighbors=10).fit(log)
    hidden = LLMExplainer(WithoutExplain()).fit(log)
    history = [[900, item] for item in (3, 5, 8, 13)]
    items = [item for item in range(25) if item not in (3, 5, 8, 13)]
    ours = hidden.explain([900], items, history=history).evidence
    theirs = model.explain([900], items, history=history).evidence
    for one, other in zip(ours, theirs, strict=True):
        assert [reason.item for reason in one] == [reason.item for reason in other]
        np.testing.assert_allclose([r.weight for r in one], [r.weight for r in other], rtol=1e-5)


class WithoutExplain(PlainRecommender):
    """The public contract of another model but for ``explain``."""

    def fit(self, X, y=None, **tables):
        self.model = UserKNNRecommender(n_neighbors=10).fit(X)
        for name in ("users_", "items_", "seen_items", "recommend", "predict"):
            setattr(self, name, getattr(self.model, name))
        return self


def test_a_conversation_over_it():
    rec = ConversationalRecommender(PlainRecommender(), item_encoder=encoder()).fit(LOG, item_features=BOOKS)
    turn = rec.reply("no vampires", user=2, k=3)
    assert turn.recommendations.items[0, 0] == 30
    assert set(turn.recommendations.items[0].tolist()) == {30, None}
    turn = rec.reply("like Dracula", k=2)
    assert 40 not in turn.recommendations.items[0]


def test_queries_are_suggested_from_it():
    extractor = KeywordExtractor(encoder(), ngram_range=(1, 1))
    rec = QuerySuggester(PlainRecommender(), extractor, n_items=1, taste_weight=1.0).fit(LOG, item_features=BOOKS)
    assert "seaside" in rec.suggest_queries(users=[2], k=10)[0]
    assert "seaside" not in rec.suggest_queries(users=[4], k=10)[0]


def test_a_table_with_items_that_it_does_not_know():
    """A recommender without feature tables knows only the items of its events."""
    extractor = KeywordExtractor(encoder(), ngram_range=(1, 1))
    rec = QuerySuggester(PlainRecommender(), extractor).fit(LOG[LOG[:, 1] != 50], item_features=BOOKS)
    assert rec.keywords_.shape[0] == 4
    assert rec.suggest_queries("girl") == [[]]


@pytest.mark.parametrize(
    "rec",
    [
        LLMReranker(PlainRecommender(), backwards),
        LLMExplainer(PlainRecommender(), cites_all),
        ConversationalRecommender(PlainRecommender(), item_encoder=encoder()),
        QuerySuggester(PlainRecommender(), KeywordExtractor(encoder(), ngram_range=(1, 1))),
    ],
    ids=lambda rec: type(rec).__name__,
)
def test_updates_and_pickles(rec):
    rec.fit(LOG, item_features=BOOKS)
    assert not hasattr(rec, "similar_items")
    rec.partial_fit(NEW, item_features=MORE)
    assert rec.items_.tolist() == [10, 20, 30, 40, 50, 60]
    assert rec.seen_items([7]).items.tolist() == [0, 5]
    loaded = pickle.loads(pickle.dumps(rec))
    assert loaded.items_.tolist() == rec.items_.tolist()
    if isinstance(rec, LLMReranker):
        np.testing.assert_array_equal(loaded.recommend([1], 2).items, rec.recommend([1], 2).items)
    if isinstance(rec, ConversationalRecommender):
        assert 60 in rec.reply("like Emma", user=3).recommendations.items[0]
    if isinstance(rec, QuerySuggester):
        assert rec.suggest_queries("london", k=1) == [[]]  # the extractor that was fitted first lacks the word
    if isinstance(rec, LLMExplainer):
        assert rec.explain([2], [30]).evidence[0]
