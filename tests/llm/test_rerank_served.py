"""LLMReranker on a server of OpenAI's protocol that fails in every way, through the real client."""

import json
import time
import warnings
from collections import Counter

import joblib
import numpy as np
import pandas as pd
import pytest
from openai_server import changed, cut_in_two, says, status
from prompt_reading import Judge, blocks_of

from skrec.dummy import PopularRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable
from skrec.llm import Budget, ChatCache, LLMReranker, OpenAICompatibleChat
from skrec.pipeline import make_pipeline

KEY = "sk-a-key-that-must-not-get-out"
N_ITEMS = 30
X = np.array([[user, item] for item in range(N_ITEMS) for user in range(N_ITEMS - item)])
ITEMS = FeatureTable(pd.DataFrame({"item": range(N_ITEMS), "title": [f"Film {i:03d}" for i in range(N_ITEMS)]}))
FORWARDS, TURNED = list(range(10)), list(range(9, -1, -1))


def turned(messages, body):
    return json.dumps({"order": blocks_of(messages)["candidates"].tokens[::-1]})


def fitted(chat, **parameters):
    return LLMReranker(PopularRecommender(), chat, n_candidates=10, **parameters).fit(X, item_features=ITEMS)


def faulty(rng):
    """Three answers in ten are none."""
    faults = [
        status(500),
        status(429),
        cut_in_two,
        says('{"order": ["'),
        says('{"sequence": []}'),
        says('{"order": ["made", "up"]}'),
        says(""),
        changed(lambda payload: payload.pop("choices")),
    ]
    return lambda body: faults[rng.integers(len(faults))] if rng.random() < 0.3 else None


@pytest.mark.slow
def test_a_thousand_requests_of_which_three_in_ten_fail(openai_server):
    openai_server.answer = turned
    openai_server.faults = faulty(np.random.default_rng(0))
    budget = Budget(max_calls=1200)
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, max_retries=0, budget=budget)
    rec = fitted(chat)
    requests = [f"a film about the number {i}" for i in range(1000)]
    items = (lists := rec.recommend(np.arange(100, 1100), k=10, request=requests)).items.tolist()
    assert all(row in (FORWARDS, TURNED) for row in items)
    assert 600 < sum(row == TURNED for row in items) < 1000
    report = lists.report
    assert report["n_reranked"] == sum(row == TURNED for row in items)
    assert len(openai_server.requests) <= budget.n_calls <= 1200
    assert report["usage"]["n_calls"] == budget.n_calls
    assert sum(report["errors"].values()) == report["n_failed"]
    again = rec.recommend(np.arange(100, 1100), k=10, request=requests).items.tolist()
    assert all(row in (FORWARDS, TURNED) for row in again)
    assert len(openai_server.requests) <= budget.n_calls <= 1200


def test_a_budget_that_ends_ends_no_list(openai_server):
    openai_server.answer = turned
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, budget=Budget(max_calls=3))
    rec = fitted(chat)
    items = rec.recommend(range(100, 105), k=10, request=list("abcde")).items.tolist()
    assert Counter(map(tuple, items)) == {tuple(TURNED): 3, tuple(FORWARDS): 2}
    assert len(openai_server.requests) == 3
    with pytest.warns(LanguageModelWarning, match="budget"):
        rec.recommend([100], request="f")


def test_calls_of_a_round_go_out_together(openai_server):
    openai_server.answer = lambda messages, body: time.sleep(0.05) or turned(messages, body)
    rec = fitted(OpenAICompatibleChat("m", base_url=openai_server.url, n_jobs=8))
    rec.recommend(range(100, 140), request=[f"request {i}" for i in range(40)])
    assert openai_server.most_open > 2


def test_an_answer_from_the_cache_is_the_same(openai_server, tmp_path):
    openai_server.answer = turned
    cache = ChatCache(tmp_path / "answers.sqlite")
    rec = fitted(OpenAICompatibleChat("m", base_url=openai_server.url, cache=cache), n_shuffles=3)
    first = (lists := rec.recommend([100], k=10, request="the sea")).items
    assert (lists.report["n_cached"], len(openai_server.requests)) == (0, 3)
    np.testing.assert_array_equal((lists := rec.recommend([100], k=10, request="the sea")).items, first)
    assert (lists.report["n_cached"], len(openai_server.requests)) == (3, 3)


def test_no_key_gets_out(openai_server, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SHOP_KEY", KEY)
    openai_server.answer = turned
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, api_key_env="SHOP_KEY", max_retries=0)
    rec = fitted(chat)
    rec.recommend([100], request="the sea")
    assert openai_server.requests[-1][1]["authorization"] == f"Bearer {KEY}"
    openai_server.faults = lambda body: status(401)
    with pytest.warns(LanguageModelWarning, match="check the key") as warned:
        lists = rec.recommend([100], request="the land")
    path = tmp_path / "reranker.joblib"
    joblib.dump(rec, path)
    said = [repr(rec), repr(chat), str(lists.report), caplog.text, *(str(one.message) for one in warned)]
    assert KEY not in "".join(said)
    assert KEY.encode() not in path.read_bytes()
    openai_server.faults = lambda body: None
    loaded = joblib.load(path)
    assert loaded.recommend([100], k=10, request="the land").items[0].tolist() == TURNED
    assert openai_server.requests[-1][1]["authorization"] == f"Bearer {KEY}"


def test_a_key_that_is_not_there_is_said(openai_server, monkeypatch):
    monkeypatch.delenv("SHOP_KEY", raising=False)
    rec = fitted(OpenAICompatibleChat("m", base_url=openai_server.url, api_key_env="SHOP_KEY"))
    with pytest.warns(LanguageModelWarning, match="environment variable 'SHOP_KEY' is not set"):
        assert rec.recommend([100], k=10).items[0].tolist() == FORWARDS


def test_all_that_is_told_of_a_user_is_scrubbed_and_counted(openai_server):
    """Of the history, the user, the context and the candidates too; never the values."""
    openai_server.answer = turned
    told = "ann@example.com, +44 20 7946 0958, card 4111 1111 1111 1111"
    titles = [f"Film {i:03d}" for i in range(N_ITEMS)]
    titles[3], titles[20] = f"of {told}", f"by {told}"
    items = FeatureTable(pd.DataFrame({"item": range(N_ITEMS), "title": titles}))
    users = FeatureTable(pd.DataFrame({"user": [0, 100], "about": [None, told]}))
    events = pd.DataFrame(X, columns=["user", "item"]).assign(place="home")
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, scrub=True)
    model = make_pipeline(ContextEncoder(), PopularRecommender())
    rec = LLMReranker(model, chat, n_candidates=10).fit(events, item_features=items, user_features=users)
    context, history = pd.DataFrame({"place": [told]}), pd.DataFrame({"user": [100], "item": [20]})
    with warnings.catch_warnings(action="ignore"):  # a place that was not in fit
        lists = rec.recommend([100], k=10, context=context, history=history, request=told)
    sent = str(openai_server.bodies)
    assert sent.count("[email], [phone], card [card]") == 5
    assert not any(value in sent for value in ("example.com", "7946", "4111"))
    assert lists.report["usage"]["n_scrubbed"] == chat.usage_.n_scrubbed == 15
    assert chat.scrubbed_ == {"email": 5, "phone": 5, "card": 5}
    assert not any(value in str(lists.report) for value in ("example.com", "7946", "4111"))


def test_what_a_user_writes_is_scrubbed_for_a_server_elsewhere(openai_server):
    openai_server.answer = turned
    judge = Judge(lambda text, messages: 0)
    here = fitted(judge)
    here.recommend([100], request="write to ann@example.com")
    assert "ann@example.com" in judge.seen[0][-1]["content"]
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, scrub=True)
    fitted(chat).recommend([100], request="write to ann@example.com")
    assert "example.com" not in str(openai_server.bodies)
    assert "[email]" in openai_server.bodies[-1]["messages"][-1]["content"]


def test_the_beginning_of_an_order_that_was_cut_off_counts(openai_server):
    """A weak model that repeats itself until it is cut off still says which are the best."""

    def weak(messages, body):
        return '{"order": [' + ", ".join(f'"{token}"' for token in blocks_of(messages)["candidates"].tokens[:6:-1])

    def cut(payload):
        payload["choices"][0]["finish_reason"] = "length"

    openai_server.answer = weak
    openai_server.faults = lambda body: changed(cut)
    rec = fitted(OpenAICompatibleChat("m", base_url=openai_server.url))
    items = (lists := rec.recommend([100], k=10, request="a film")).items.tolist()
    assert items == [[9, 8, *range(8)]]  # the third token may not have been whole
    assert lists.report["n_failed"] == 0
    body = openai_server.bodies[-1]
    order = body["response_format"]["json_schema"]["schema"]["properties"]["order"]
    assert (order["minItems"], order["maxItems"], len(order["items"]["enum"])) == (10, 10, 10)


def test_tokens_follow_from_a_long_list(openai_server):
    openai_server.answer = turned
    rec = LLMReranker(
        PopularRecommender(), OpenAICompatibleChat("m", base_url=openai_server.url), n_candidates=30, max_tokens=100
    ).fit(X, item_features=ITEMS)
    rec.recommend([100], k=10, request="a film")
    assert openai_server.bodies[-1]["max_tokens"] == 16 * 20  # of a window of twenty
