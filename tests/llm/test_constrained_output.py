"""Schemas say how many and which: what a server that constrains its answers gets, and what comes of it."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from constrained_model import constrained
from conversing import shop
from openai_server import says
from prompt_reading import blocks_of
from sklearn.frozen import FrozenEstimator

from skrec.dummy import PopularRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.interactions import FeatureTable
from skrec.llm import LLMExplainer, LLMReranker, OpenAICompatibleChat, personalise
from skrec.neighbors import ItemKNNRecommender

N_ITEMS = 12
X = np.array([[user, item] for item in range(N_ITEMS) for user in range(N_ITEMS - item)])
ITEMS = FeatureTable(pd.DataFrame({"item": range(N_ITEMS), "title": [f"Film {i:03d}" for i in range(N_ITEMS)]}))
METHODS = ["listwise", "pairwise", "pointwise"]


def schemas(server):
    return [body["response_format"]["json_schema"]["schema"] for body in server.bodies]


def client(server, **options):
    return OpenAICompatibleChat("m", base_url=server.url, max_retries=0, **options)


def reranker(server, method, **options):
    rec = LLMReranker(PopularRecommender(), client(server), method=method, n_candidates=6, **options)
    return rec.fit(X, item_features=ITEMS)


@pytest.mark.parametrize("method", METHODS)
def test_whatever_a_constrained_model_writes_reorders(openai_server, method):
    openai_server.answer = constrained(np.random.default_rng(0))
    rec = reranker(openai_server, method)
    items = (lists := rec.recommend([100, 101, 102], k=6, request=["quiet", "loud", "old"])).items
    assert (np.sort(items, axis=1) == np.arange(6)).all()
    report = lists.report
    assert (report["parsed"], report["n_unknown"], report["n_reranked"]) == (1.0, 0, 3)


def test_a_ranking_names_the_candidates_of_its_prompt(openai_server):
    openai_server.answer = constrained(np.random.default_rng(0))
    reranker(openai_server, "listwise").recommend([100, 101], k=3, request=["quiet", "loud"])
    for body, schema in zip(openai_server.bodies, schemas(openai_server), strict=True):
        order = schema["properties"]["order"]
        assert order["items"]["enum"] == blocks_of(body["messages"])["candidates"].tokens
        assert (order["minItems"], order["maxItems"], schema["additionalProperties"]) == (6, 6, False)
    assert schemas(openai_server)[0] != schemas(openai_server)[1]


def test_a_comparison_names_one_of_two(openai_server):
    openai_server.answer = constrained(np.random.default_rng(0))
    reranker(openai_server, "pairwise").recommend([100], k=3, request="quiet")
    for body, schema in zip(openai_server.bodies, schemas(openai_server), strict=True):
        assert schema["properties"]["better"]["enum"] == blocks_of(body["messages"])["candidates"].tokens


def test_a_grade_is_one_of_eleven(openai_server):
    openai_server.answer = constrained(np.random.default_rng(0))
    reranker(openai_server, "pointwise").recommend([100], k=3, request="quiet")
    assert schemas(openai_server)[0]["properties"]["grade"]["enum"] == list(range(11))


@pytest.mark.parametrize("written", ["[{}] Film", "{} – the best", "{}"])
def test_a_server_that_constrains_nothing_is_read_as_leniently_as_before(openai_server, written):
    def turned(messages, body):
        return json.dumps(
            {"order": [written.format(token) for token in blocks_of(messages)["candidates"].tokens[::-1]]}
        )

    openai_server.answer = turned
    rec = reranker(openai_server, "listwise")
    assert (lists := rec.recommend([100], k=6, request="quiet")).items.tolist() == [[5, 4, 3, 2, 1, 0]]
    assert lists.report["usage"]["n_calls"] == 1


@pytest.mark.parametrize(
    ("method", "text", "is_read"),
    [
        ("listwise", '{{"order": ["{0}", "{1}", "{0}', True),
        ("listwise", '{{"order": ["{0}', False),
        ("pairwise", '{{"better": "{0}", "why": "it is', True),
        ("pairwise", '{{"better": "{0}', False),
        ("pointwise", '{{"grade": 7, "why": "it is', True),
        ("pointwise", '{{"grade": 7', False),
    ],
)
def test_the_readable_beginning_of_an_answer_counts(openai_server, method, text, is_read):
    def faults(body):
        tokens = blocks_of(body["messages"])["candidates"].tokens
        return says(text.format(*(tokens * 2)[:2]), "length")

    openai_server.faults = faults
    rec = reranker(openai_server, method)
    with warnings.catch_warnings(action="ignore", category=LanguageModelWarning):
        items = (lists := rec.recommend([100], k=6, request="quiet")).items.tolist()
    assert sorted(items[0]) == list(range(6))
    assert lists.report["n_reranked"] == is_read


def test_sentences_are_bounded(openai_server):
    openai_server.answer = constrained(np.random.default_rng(0))
    rec = LLMExplainer(FrozenEstimator(ItemKNNRecommender().fit(X)), client(openai_server), max_sentences=5)
    rec.fit(X, item_features=ITEMS)
    explained = rec.explain([0, 1], [11, 11])
    assert explained.report["n_failed"] == explained.report["n_unknown"] == 0
    assert all(explained.text)
    for body, schema in zip(openai_server.bodies, schemas(openai_server), strict=True):
        sentences = schema["properties"]["sentences"]
        assert (sentences["minItems"], sentences["maxItems"]) == (1, 5)
        parts = sentences["items"]["properties"]
        assert parts["text"]["maxLength"] == 400
        assert parts["evidence"]["items"]["enum"] == blocks_of(body["messages"])["chosen before"].tokens
        assert body["max_tokens"] == 5 * 160


def test_a_personal_line_is_bounded(openai_server):
    openai_server.answer = constrained(np.random.default_rng(0))
    rec = ItemKNNRecommender().fit(X)
    lines = personalise([11], [0], client(openai_server), recommender=rec, item_features=ITEMS, max_length=40)
    assert lines.method == ["llm"]
    sentences = schemas(openai_server)[0]["properties"]["sentences"]
    assert (sentences["maxItems"], sentences["items"]["properties"]["text"]["maxLength"]) == (1, 40)
    assert openai_server.bodies[0]["max_tokens"] == 256


def test_what_a_user_says_is_read_within_bounds(openai_server):
    openai_server.answer = constrained(np.random.default_rng(3))
    rec = shop(llm=client(openai_server))
    turn = rec.reply("something quiet", rec.reply("").state)
    assert turn.report["read_by"] == "llm"
    schema, blocks = schemas(openai_server)[-1], blocks_of(openai_server.bodies[-1]["messages"])
    parts = schema["properties"]
    assert parts["liked"]["items"]["enum"] == blocks["shown"].tokens
    assert parts["bounds"]["items"]["properties"]["attribute"]["enum"] == blocks["numbers"].tokens
    assert parts["labels"]["items"]["properties"]["attribute"]["enum"] == blocks["labels"].tokens
    assert parts["wanted"]["items"]["maxLength"] == 200
