"""Chat over HTTP: a real server on the loopback, the real openai client."""

import asyncio
import builtins
import json
import logging
import pickle
import random
import threading
import time
from collections import Counter

import pytest
from openai_server import OpenAIServer, changed, cut_in_two, dripping, says, slow, status

from skrec._chat._openai_dialect import Dialect
from skrec.llm import Budget, OpenAICompatibleChat
from skrec.llm import ChatCache as Cache
from skrec.utils import _circuit_breaker

pytest.importorskip("openai")
KEY = "sk-very-secret-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string"}}},
    "required": ["order"],
    "additionalProperties": False,
}
GOOD = '{"order": ["a", "b"]}'


def chat(server, **options):
    return OpenAICompatibleChat("small-model", base_url=server.url, **{"timeout": 5, "max_retries": 3, **options})


def answers(results):
    return [result.text or result.error for result in results]


def n_received(server, expected):
    """Requests that the server has read; one that was given up may be read a moment later on a busy machine."""
    end = time.monotonic() + 10
    while len(server.requests) < expected and time.monotonic() < end:
        time.sleep(0.01)
    return len(server.requests)


# What is asked and answered --------------------------------------------------------------------------


def test_answers_in_order_with_usage(openai_server):
    openai_server.answer = lambda messages, body: f"re: {messages[-1]['content']}"
    client = chat(openai_server, n_jobs=4)
    texts = [f"text {i}" for i in range(20)]
    results = client.complete(texts, max_tokens=7, seed=3, temperature=0.5)
    assert answers(results) == [f"re: {text}" for text in texts]
    assert {(r.usage.n_calls, r.usage.prompt_tokens, r.usage.completion_tokens) for r in results} == {(1, 2, 3)}
    assert (client.usage_.n_calls, client.usage_.prompt_tokens, client.usage_.cached_tokens) == (20, 40, 20)
    body = openai_server.bodies[0]
    assert (body["model"], body["max_tokens"], body["seed"], body["temperature"]) == ("small-model", 7, 3, 0.5)
    assert {path for path, _, _ in openai_server.requests} == {"/v1/chat/completions"}


def test_as_many_requests_at_once_as_asked_for(openai_server):
    together = threading.Barrier(4, timeout=20)

    def answer(messages, body):
        together.wait()  # passes only where four requests are open at once
        return "yes"

    openai_server.answer = answer
    assert answers(chat(openai_server, n_jobs=4).complete(["x"] * 12)) == ["yes"] * 12
    assert openai_server.most_open == 4
    openai_server.most_open = 0
    openai_server.answer = lambda messages, body: "yes"
    chat(openai_server, n_jobs=1).complete(["x"] * 4)
    assert openai_server.most_open == 1


def test_inside_a_running_event_loop(openai_server):
    client = chat(openai_server)

    async def both():
        at_once = await asyncio.gather(client.acomplete(["a"]), client.acomplete(["b", "c"]))
        return client.complete(["d"]) + [result for results in at_once for result in results]

    assert answers(asyncio.run(both())) == ["Hello."] * 4
    assert answers(client.complete([])) == []


def test_prices_give_costs(openai_server):
    client = chat(openai_server, prices={"prompt": 2.0, "cached": 1.0, "completion": 10.0})
    (result,) = client.complete(["one two three four"])  # the server says that it had kept half of them
    assert result.usage.cost == pytest.approx((2 * 2 + 2 * 1 + 1 * 10) / 1e6)
    client.complete(["one two three four"])
    assert client.usage_.cost == pytest.approx(2 * result.usage.cost)
    assert chat(openai_server).complete(["x"])[0].usage.cost is None


# Failures --------------------------------------------------------------------------------------------

BROKEN = {
    "500": status(500),
    "503": status(503),
    "429": status(429),
    "408": status(408),
    "silence": slow,
    "an answer that drips": dripping,
    "truncated JSON": cut_in_two,
    "a web page": status(200, b"<html>maintenance</html>", **{"content-type": "text/html"}),
    "not UTF-8": status(200, b'{"choices": "\xff\xfe"}'),
    "a list": status(200, b"[1]"),
    "no choices": status(200, {"object": "chat.completion"}),
    "no choice": changed(lambda payload: payload.update(choices=[])),
    "no message": changed(lambda payload: payload["choices"][0].pop("message")),
    "no content": says(None),
    "an empty answer": says("  \n"),
    "content of another type": says(["x"]),
    "an error with status 200": status(200, {"error": {"message": "overloaded"}}),
}


@pytest.mark.parametrize("failure", BROKEN)
def test_a_failure_is_retried(openai_server, waits, failure):
    openai_server.script = [BROKEN[failure]] * 2
    (result,) = chat(openai_server, timeout=0.7).complete(["x"])
    assert (result.text, result.error, result.usage.n_calls) == ("Hello.", None, 3)
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1


@pytest.mark.parametrize("failure", BROKEN)
def test_a_lasting_failure_fails_its_conversation_alone(openai_server, waits, failure):
    def faults(body):
        return BROKEN[failure] if body["messages"][0]["content"] == "bad" else None

    openai_server.faults = faults
    good, bad, fine = chat(openai_server, timeout=0.7, max_retries=1).complete(["good", "bad", "fine"])
    assert (good.text, fine.text) == ("Hello.", "Hello.")
    assert bad.text == ""
    assert bad.error.startswith("the endpoint ")
    assert bad.error.endswith(", at each of 2 tries")
    assert bad.usage.n_calls == 2


@pytest.mark.parametrize("code", [301, 307, 308, 401, 403, 404, 413])
def test_a_refusal_is_not_repeated(openai_server, waits, code):
    openai_server.script = [status(code, location="http://127.0.0.1:9/v1/chat/completions")]
    (result,) = chat(openai_server).complete(["x"])
    assert result.error.startswith(f"the endpoint answered {code}")
    assert ("check base_url" in result.error) == (code == 404)
    assert (len(openai_server.requests), waits) == (1, [])


def test_no_redirect_is_followed(openai_server, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", KEY)
    other = OpenAIServer()
    try:
        for code in (301, 302, 303, 307, 308):
            openai_server.script = [status(code, location=f"{other.url}/chat/completions")]
            (result,) = chat(openai_server, api_key_env="SHOP_KEY").complete(["x"])
            assert result.error == f"the endpoint answered {code}"
        assert other.requests == []
    finally:
        other.close()


def test_retry_after_is_honoured_and_bounded(openai_server, waits):
    openai_server.script = [status(429, retry_after="7"), status(503, retry_after="9999")]
    assert answers(chat(openai_server, timeout=60).complete(["x"])) == ["Hello."]
    assert waits == [7, 60]  # of 9999 seconds, the time-out at most


def test_a_server_that_is_not_there(waits):
    server = OpenAIServer()
    server.close()
    client = chat(server, max_retries=2, budget=Budget(max_calls=100, max_tokens=10_000))
    results = client.complete(["x", "y"])
    assert answers(results) == ["the endpoint cannot be reached, at each of 3 tries"] * 2
    assert len(waits) == 4
    assert (client.budget.n_calls, client.budget.n_tokens) == (6, 0)  # nothing could be sent


@pytest.fixture
def clock(monkeypatch):
    """The time by which a silent server is left alone; moved by hand."""
    now = [0.0]
    monkeypatch.setattr(_circuit_breaker, "_clock", lambda: now[0])
    return now


LEFT_ALONE = "the endpoint gave no answer lately; no request is sent to it for some seconds"


@pytest.mark.parametrize("fault", [slow, status(502), status(504)], ids=["silent", "502", "504"])
def test_a_server_without_an_answer_is_not_waited_for_by_all(openai_server, waits, clock, fault):
    openai_server.faults = lambda body: fault
    budget = Budget(max_calls=2000)
    timeout = 0.5 if fault is slow else 10  # an answer must have time to come on a busy machine
    client = chat(openai_server, timeout=timeout, max_retries=4, n_jobs=1, budget=budget)
    results = client.complete(["x"] * 1000)
    assert budget.n_calls == 10  # two conversations with all their tries
    assert n_received(openai_server, 10) == 10
    assert [result.error.endswith("at each of 5 tries") for result in results[:2]] == [True] * 2
    assert {result.error for result in results[2:]} == {LEFT_ALONE}
    clock[0] += 9
    assert client.complete(["x"])[0].error == LEFT_ALONE
    clock[0] += 2  # one goes out, with one try, and the next ones must wait again
    first, second = client.complete(["x", "y"])
    assert first.error in (
        "the endpoint gave no answer within 0.5 seconds",
        "the endpoint answered 502",
        "the endpoint answered 504",
    )
    assert second.error == LEFT_ALONE
    assert n_received(openai_server, 11) == 11
    openai_server.faults = lambda body: None
    assert client.complete(["x"])[0].error == LEFT_ALONE
    assert pickle.loads(pickle.dumps(client)).complete(["x"])[0].text == "Hello."  # elsewhere, nothing is known
    clock[0] += 11
    assert answers(client.complete(["x"] * 20)) == ["Hello."] * 20
    openai_server.script = [fault] * 2
    assert client.complete(["x"])[0].usage.n_calls == 3  # and counting begins anew


def test_a_server_that_is_not_there_is_not_tried_by_all(waits):
    server = OpenAIServer()
    server.close()
    results = chat(server, max_retries=4, n_jobs=8).complete(["x"] * 1000)
    reasons = Counter(result.error for result in results)
    assert set(reasons) == {"the endpoint cannot be reached, at each of 5 tries", LEFT_ALONE}
    assert reasons[LEFT_ALONE] >= 990
    assert len(waits) <= 4 * 10


def test_a_server_that_answers_whatever_it_is_not_left_alone(openai_server, waits):
    openai_server.faults = lambda body: BROKEN[body["messages"][0]["content"]]
    alive = [name for name in BROKEN if name not in ("silence", "an answer that drips")]
    results = chat(openai_server, max_retries=1, n_jobs=2).complete(alive * 3)
    assert LEFT_ALONE not in {result.error for result in results}
    # Nor one that often gives none: only what is without an answer in a row counts.
    turns = iter([slow, slow, None] * 10)
    openai_server.faults = lambda body: next(turns)
    results = chat(openai_server, timeout=0.2, max_retries=0, n_jobs=1).complete(["x"] * 30)
    assert [result.error is None for result in results] == [False, False, True] * 10


def test_a_thousand_requests_with_a_third_failing(openai_server, waits):
    rng = random.Random(0)
    faults = [BROKEN[name] for name in ("500", "429", "truncated JSON", "no choices", "an empty answer", "a list")]
    openai_server.faults = lambda body: rng.choice(faults) if rng.random() < 0.3 else None
    openai_server.answer = lambda messages, body: messages[-1]["content"]
    client = chat(openai_server, max_retries=1, budget=Budget(max_calls=1200))
    results = client.complete([f"text {i}" for i in range(1000)])
    assert len(results) == 1000
    assert all((result.text == f"text {i}") == (result.error is None) for i, result in enumerate(results))
    assert len(openai_server.requests) == client.usage_.n_calls == client.budget.n_calls == 1200
    assert any(result.error == "the budget of 1200 calls is used up" for result in results)
    assert sum(result.error is None for result in results) > 800


# Schemas ---------------------------------------------------------------------------------------------


def formats(server):
    return [body.get("response_format", {}).get("type") for body in server.bodies]


def test_a_schema_is_sent(openai_server):
    openai_server.answer = lambda messages, body: GOOD
    (result,) = chat(openai_server).complete(["x"], schema=SCHEMA)
    assert result.parsed == {"order": ["a", "b"]}
    assert openai_server.bodies[0]["response_format"]["json_schema"] == {
        "name": "answer",
        "schema": SCHEMA,
        "strict": True,
    }
    open_schema = {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}}
    openai_server.answer = lambda messages, body: "[]"
    assert chat(openai_server).complete(["x"], schema=open_schema)[0].parsed == []
    assert openai_server.bodies[1]["response_format"]["json_schema"]["strict"] is False


def test_what_the_server_takes_is_remembered(openai_server):
    openai_server.answer = lambda messages, body: GOOD

    def faults(body):
        if body.get("response_format", {}).get("type") == "json_schema":
            return status(400, {"error": {"message": "response_format.type must be text or json_object"}})
        return None

    openai_server.faults = faults
    client = chat(openai_server)
    first, second = client.complete(["x"], schema=SCHEMA) + client.complete(["y"], schema=SCHEMA)
    assert first.parsed == second.parsed == {"order": ["a", "b"]}
    assert formats(openai_server) == ["json_schema", "json_object", "json_object"]
    assert '"order"' in openai_server.bodies[1]["messages"][-1]["content"]
    assert (first.usage.n_calls, second.usage.n_calls) == (2, 1)


def test_a_server_that_fails_over_the_form_of_a_schema_is_not_asked_in_vain(openai_server, waits):
    openai_server.answer = lambda messages, body: GOOD
    said = "1 validation error: ('body', 'response_format', 'type'): Input should be 'text' or 'json_object'"

    def faults(body):  # as llama-cpp-python does
        is_refused = body["response_format"]["type"] == "json_schema"
        return status(500, {"error": {"message": said, "type": "internal_server_error"}}) if is_refused else None

    openai_server.faults = faults
    (result,) = chat(openai_server).complete(["x"], schema=SCHEMA)
    assert (result.parsed, result.usage.n_calls, waits) == ({"order": ["a", "b"]}, 2, [])
    assert openai_server.bodies[1]["response_format"] == {"type": "json_object", "schema": SCHEMA}


def test_without_any_response_format_the_prompt_says_it(openai_server):
    openai_server.answer = lambda messages, body: f"<think>{{}}</think>Sure: {GOOD} Bye"
    openai_server.refuses = {"response_format": "Extra inputs are not permitted"}
    client = chat(openai_server)
    assert client.complete(["x"], schema=SCHEMA)[0].parsed == {"order": ["a", "b"]}
    assert formats(openai_server) == ["json_schema", "json_object", "json_object", None]
    assert [body["response_format"].get("schema") for body in openai_server.bodies[1:3]] == [SCHEMA, None]
    client.complete(["y"], schema=SCHEMA)
    assert formats(openai_server)[4:] == [None]
    assert "JSON schema" in openai_server.bodies[4]["messages"][-1]["content"]


def narrower(*names):
    order = {"type": "array", "items": {"type": "string", "enum": list(names), "maxLength": 9}, "minItems": 2}
    return {"type": "object", "properties": {"order": order}, "required": ["order"], "additionalProperties": False}


def sent_schemas(server):
    return [body["response_format"]["json_schema"]["schema"] for body in server.bodies]


def test_each_conversation_has_its_narrower_schema(openai_server):
    openai_server.answer = lambda messages, body: GOOD  # within the schema of all, and not within the narrower ones
    schemas = {text: narrower(text, "z") for text in "xyz"}
    results = chat(openai_server).complete(list("xyz"), schema=SCHEMA, narrower=list(schemas.values()))
    assert [result.parsed for result in results] == [{"order": ["a", "b"]}] * 3
    sent = {
        body["messages"][0]["content"]: schema
        for body, schema in zip(openai_server.bodies, sent_schemas(openai_server), strict=True)
    }
    assert sent == schemas


def test_a_narrower_schema_is_part_of_what_a_cache_knows(openai_server, tmp_path):
    openai_server.answer = lambda messages, body: GOOD
    client = chat(openai_server, cache=tmp_path / "answers.sqlite")
    for names in ("x", "x", "y"):
        client.complete(["x"], schema=SCHEMA, narrower=[narrower(names)])
    client.complete(["x"], schema=SCHEMA)
    assert len(openai_server.requests) == 3
    assert client.estimate(["x"], schema=SCHEMA, narrower=[narrower("y")]).n_calls == 0
    assert client.estimate(["x"], schema=SCHEMA, narrower=[narrower("z")]).n_calls == 1


def test_a_narrower_schema_needs_one_to_check_against(openai_server):
    with pytest.raises(ValueError, match="needs schema"):
        chat(openai_server).complete(["x"], narrower=[SCHEMA])
    with pytest.raises(ValueError, match="1 schemas for 2 conversations"):
        chat(openai_server).complete(["x", "y"], schema=SCHEMA, narrower=[SCHEMA])


def test_keywords_that_a_server_refuses_are_left_out_and_remembered(openai_server):
    openai_server.answer = lambda messages, body: GOOD

    def faults(body):
        if "maxLength" in str(body["response_format"]):
            return status(400, {"error": {"message": "Invalid schema for 'answer': 'maxLength' is not permitted."}})
        return None

    openai_server.faults = faults
    client = chat(openai_server)
    (first,) = client.complete(["x"], schema=SCHEMA, narrower=[narrower("x")])
    (second,) = client.complete(["y"], schema=SCHEMA, narrower=[narrower("y")])
    assert (first.usage.n_calls, second.usage.n_calls) == (2, 1)
    schema = sent_schemas(openai_server)[-1]
    assert schema["properties"]["order"]["items"] == {"type": "string", "enum": ["y"]}


def test_openai_gets_one_schema_for_all_prompts_in_its_strict_subset(openai_server):
    openai_server.answer = lambda messages, body: GOOD
    client = chat(openai_server)
    client._dialect.current = Dialect.of_openai()
    client.complete(["x", "y"], schema=SCHEMA, narrower=[narrower("x"), narrower("y")])
    wanted = narrower("x")
    wanted["properties"]["order"]["items"] = {"type": "string"}
    assert [body["response_format"]["json_schema"] for body in openai_server.bodies] == [
        {"name": "answer", "schema": wanted, "strict": True}
    ] * 2


@pytest.mark.parametrize("wrong", ["I would rather not.", '{"order": [1]}', '{"other": []}', '{"order": ["a"'])
def test_one_repair(openai_server, wrong):
    openai_server.script = [says(wrong)]
    openai_server.answer = lambda messages, body: GOOD
    (result,) = chat(openai_server).complete(["x"], schema=SCHEMA)
    assert (result.parsed, result.error, result.usage.n_calls) == ({"order": ["a", "b"]}, None, 2)
    roles = [message["role"] for message in openai_server.bodies[1]["messages"]]
    assert roles == ["user", "assistant", "user"]
    assert openai_server.bodies[1]["messages"][1]["content"] == wrong


def test_one_repair_and_no_more(openai_server, waits):
    openai_server.answer = lambda messages, body: "no"
    client = chat(openai_server)
    (result,) = client.complete(["x"], schema=SCHEMA)
    assert result.parsed is None
    assert result.error == "the answer does not fit the schema: no JSON value"
    assert (len(openai_server.requests), waits) == (2, [])
    client.complete(["y"], schema=SCHEMA)  # the server takes a schema and does not keep to it: the prompt says it too
    assert "JSON schema" in openai_server.bodies[2]["messages"][0]["content"]


# What servers do not take ----------------------------------------------------------------------------


def test_refused_fields_are_left_out_and_remembered(openai_server):
    openai_server.refuses = {
        "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
        "seed": "seed is not supported",
        "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    }
    client = chat(openai_server)
    (first,) = client.complete(["x"], max_tokens=9, seed=1)
    assert (first.text, first.usage.n_calls) == ("Hello.", 4)
    (second,) = client.complete(["y"], max_tokens=9, seed=1)
    assert second.usage.n_calls == 1
    body = openai_server.bodies[-1]
    assert body["max_completion_tokens"] == 9
    assert not {"temperature", "seed", "max_tokens"} & set(body)


def test_max_completion_tokens_where_it_is_unknown(openai_server):
    client = chat(openai_server)
    client._dialect.current = Dialect("max_completion_tokens")  # as at OpenAI
    openai_server.refuses = {"max_completion_tokens": "Unrecognized request argument: max_completion_tokens"}
    assert answers(client.complete(["x"])) == ["Hello."]
    assert openai_server.bodies[-1]["max_tokens"] == 512


@pytest.mark.parametrize(
    "message", ["max_tokens is too large", "This model's maximum context length is 8 tokens", "policy", ""]
)
def test_a_request_that_is_refused_for_what_it_is(openai_server, waits, message):
    openai_server.faults = lambda body: status(400, {"error": {"message": message, "code": "bad_request"}})
    for schema in (None, SCHEMA):
        (result,) = chat(openai_server).complete(["x"], schema=schema)
        assert result.error == "the endpoint answered 400 (bad_request)"
    assert len(openai_server.requests) <= 5
    assert waits == []


def test_a_server_that_refuses_everything_ends(openai_server, waits):
    everything = "temperature seed max_tokens max_completion_tokens response_format are not supported"
    openai_server.faults = lambda body: status(422, {"error": {"message": everything}})
    client = chat(openai_server)
    assert client.complete(["x"], schema=SCHEMA, seed=1)[0].error == "the endpoint answered 422"
    assert len(openai_server.requests) <= 9
    openai_server.faults = lambda body: None
    client.complete(["x"], seed=1)
    assert {"temperature", "seed", "max_tokens"} <= set(openai_server.bodies[-1])  # nothing was learnt from a failure


def test_thoughts_are_cut_out(openai_server):
    openai_server.script = [says("<think>hm</think>yes"), says("hm, hm</think>\n yes")]
    assert answers(chat(openai_server).complete(["a", "b"])) == ["yes", "yes"]
    openai_server.script = [says("<think>hm", "length"), says("<think>hm</think>")]
    results = chat(openai_server, n_jobs=1).complete(["a", "b"], max_tokens=5)
    assert [r.error for r in results] == [
        "the answer was cut off at max_tokens=5",
        "the answer contains thoughts alone",
    ]


def test_refusals(openai_server):
    openai_server.script = [says(None, refusal="I cannot."), says("", "content_filter")]
    results = chat(openai_server).complete(["a", "b"], schema=SCHEMA)
    assert {(r.error, r.finish_reason, r.text) for r in results} == {("the model refused to answer", "refusal", "")}
    assert len(openai_server.requests) == 2


def test_answers_cut_off(openai_server):
    openai_server.script = [says("a long sto", "length")]
    (result,) = chat(openai_server).complete(["a"], max_tokens=5)
    assert (result.text, result.finish_reason, result.error) == ("a long sto", "length", None)
    openai_server.script = [says('{"order": ["a', "length")]
    (result,) = chat(openai_server).complete(["a"], max_tokens=5, schema=SCHEMA)
    assert (result.parsed, result.error) == (None, "the answer was cut off at max_tokens=5")
    assert len(openai_server.requests) == 2  # a repair would be cut off again


@pytest.mark.parametrize(
    "usage", [None, "many", {}, {"prompt_tokens": "x", "completion_tokens": -5, "prompt_tokens_details": [1]}]
)
def test_usage_that_is_none(openai_server, usage):
    openai_server.script = [changed(lambda payload: payload.update(usage=usage))]
    budget = Budget(max_tokens=10_000)
    (result,) = chat(openai_server, budget=budget).complete(["x"], max_tokens=7)
    assert (result.text, result.usage.n_tokens) == ("Hello.", 0)
    assert 7 < budget.n_tokens < 100  # what was reserved stays


def test_texts_that_are_no_unicode(openai_server):
    openai_server.answer = lambda messages, body: messages[-1]["content"]
    assert answers(chat(openai_server).complete(["a\ud800b"])) == ["a?b"]


# Keys and addresses ----------------------------------------------------------------------------------


def authorizations(server):
    return {headers.get("authorization") for _, headers, _ in server.requests}


def test_nothing_of_the_environment_is_sent_unasked(openai_server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Token: {KEY}\nAuthorization: Bearer {KEY}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert answers(chat(openai_server).complete(["x"])) == ["Hello."]
    assert answers(chat(openai_server, api_key_env="").complete(["x"])) == ["Hello."]
    assert authorizations(openai_server) == {None}
    assert KEY not in str(openai_server.requests)


def test_openai_itself_gets_its_own_key_and_no_other_thing():
    """Not asked: only what would be sent is looked at."""
    endpoint = OpenAICompatibleChat("m")._endpoint
    assert (endpoint.base_url, endpoint.api_key_env) == ("https://api.openai.com/v1", "OPENAI_API_KEY")
    assert OpenAICompatibleChat("m", api_key_env="")._endpoint.api_key_env == ""
    other = OpenAICompatibleChat("m", base_url="https://api.openai.com.example/v1")
    assert other._endpoint.api_key_env == ""


def test_openai_gets_no_organisation_unasked(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Token: secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://secret.example/v1")
    with OpenAICompatibleChat("m")._endpoint.connect() as connection:
        assert str(connection._client.base_url) == "https://api.openai.com/v1/"
        http_client = connection._client._client
        headers = {name: v for name, v in connection._client.default_headers.items() if isinstance(v, str)}
        request = http_client.build_request("POST", "https://api.openai.com/v1", headers=headers)
        assert "secret" in str(request.headers)  # the client alone would have sent it
        for hook in http_client.event_hooks["request"]:
            hook(request)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "secret" not in str([v for k, v in request.headers.items() if k != "authorization"])


def test_the_key_is_read_when_called_and_kept_nowhere(openai_server, monkeypatch, tmp_path, caplog, waits):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SHOP_KEY", "an older one")
    client = chat(openai_server, api_key_env="SHOP_KEY", cache=tmp_path / "answers.sqlite")
    client.complete(["x"])
    monkeypatch.setenv("SHOP_KEY", KEY)
    openai_server.script = [
        status(401, {"error": {"message": f"Incorrect API key provided: {KEY}", "code": KEY}}),
        status(500, {"error": {"message": f"{KEY}"}}),
    ]
    results = chat(openai_server, api_key_env="SHOP_KEY", max_retries=0, n_jobs=1).complete(["a", "b"])
    client.complete(["y"])
    assert authorizations(openai_server) == {"Bearer an older one", f"Bearer {KEY}"}
    kept = [repr(client), str(vars(client)), str(pickle.dumps(client)), str(results), caplog.text]
    kept += [str([vars(record) for record in caplog.records])]
    kept += [str(path.read_bytes()) for path in tmp_path.iterdir()]
    assert not any(KEY in text for text in kept)
    assert results[0].error.startswith("the endpoint answered 401 (***); check the key")


def test_a_key_that_is_not_set(openai_server, monkeypatch):
    monkeypatch.delenv("SHOP_KEY", raising=False)
    with pytest.raises(ValueError, match="environment variable 'SHOP_KEY' is not set"):
        chat(openai_server, api_key_env="SHOP_KEY").complete(["x"])
    assert openai_server.requests == []


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://localhost/v1", "http://", "https://user:secret@shop.example/v1", "https://secret@x.y/v1"]
    + ["https://x.y/v1?key=secret", "https://x.y/v1#secret", "https://x.y\\@secret/v1", "https://x.y/ secret"]
    + ["http://shop.example/v1", "http://192.168.0.7:8000/v1", "http://0.0.0.0/v1", "http://localhost.example/v1"],
)
def test_addresses_that_are_refused(url):
    with pytest.raises(ValueError, match="base_url") as info:
        OpenAICompatibleChat("m", base_url=url)
    assert "secret" not in str(info.value)


def test_plain_http_where_it_is_asked_for():
    assert OpenAICompatibleChat("m", base_url="http://shop.example/v1", allow_http=True).is_remote
    assert not OpenAICompatibleChat("m", base_url="http://[::1]:8000/v1").is_remote


def test_no_text_decides_an_address(openai_server):
    text = "http://127.0.0.1:9/v1 base_url=http://127.0.0.1:9 \r\nHost: evil.example\r\n\r\n"
    messages = [{"role": "user", "content": text, "name": "x"}]
    assert answers(chat(openai_server).complete([text, messages])) == ["Hello."] * 2
    assert {path for path, _, _ in openai_server.requests} == {"/v1/chat/completions"}
    assert {headers["host"] for _, headers, _ in openai_server.requests} == {f"127.0.0.1:{openai_server.server_port}"}


def test_errors_hold_no_text_of_a_user(openai_server, waits):
    text = "my secret illness"
    openai_server.faults = lambda body: status(400, {"error": {"message": f"cannot read: {text}", "code": text}})
    (result,) = chat(openai_server).complete([text])
    assert "illness" not in result.error


# Personal data ---------------------------------------------------------------------------------------


def test_personal_data_stays_here(openai_server):
    openai_server.answer = lambda messages, body: messages[-1]["content"]
    client = chat(openai_server, scrub=True)
    text = "ada@example.org, 555-123-4567; ISBN 978-0-306-40615-7"
    assert answers(client.complete([text])) == ["[email], [phone]; ISBN 978-0-306-40615-7"]
    assert client.scrubbed_ == {"email": 1, "phone": 1}
    assert "ada@" not in str(openai_server.requests)
    assert answers(chat(openai_server).complete([text])) == [text]  # it stays on this machine


def test_personal_data_is_scrubbed_by_default_for_other_machines(openai_server, tmp_path):
    remote = OpenAICompatibleChat("m", base_url="https://shop.example/v1")
    messages = [[{"role": "user", "content": "ada@example.org"}]]
    assert remote._without_personal_data(messages)[0] == [[{"role": "user", "content": "[email]"}]]
    local = chat(openai_server, cache=tmp_path / "answers.sqlite")  # and for what is written to a file
    openai_server.answer = lambda messages, body: messages[-1]["content"]
    local.complete(["ada@example.org"])
    assert b"ada@" not in local.cache.path.read_bytes()
    assert local.scrubbed_ == {"email": 1}


# Bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 0}, ValueError),
        ({"max_retries": -1}, ValueError),
        ({"n_jobs": 0}, ValueError),
        ({"n_jobs": 1.5}, ValueError),
        ({"budget": 5}, TypeError),
        ({"cache": 5}, TypeError),
        ({"prices": {"prompt": 1}}, ValueError),
        ({"prices": {"prompt": 1, "completion": -1}}, ValueError),
        ({"scrub": "no"}, ValueError),
        ({"api_key": KEY}, TypeError),
    ],
)
def test_settings_that_are_none(options, error):
    with pytest.raises(error, match=next(iter(options))) as info:
        OpenAICompatibleChat("m", **options)
    assert KEY not in str(info.value)


def test_max_tokens_below_one(openai_server):
    with pytest.raises(ValueError, match="max_tokens"):
        chat(openai_server).complete(["x"], max_tokens=0)


def test_without_the_openai_package(openai_server, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "openai":
            raise ImportError("No module named 'openai'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install openai"):
        chat(openai_server).complete(["x"])


def test_a_pickled_client_goes_on(openai_server, tmp_path):
    client = chat(openai_server, cache=tmp_path / "answers.sqlite", budget=Budget(max_calls=3))
    client.complete(["x"])
    again = pickle.loads(pickle.dumps(client))
    assert again.complete(["x"])[0].cached
    assert again.complete(["y"])[0].text == "Hello."
    assert (client.budget.n_calls, again.budget.n_calls) == (1, 2)
    assert json.loads(again.fingerprint) == ["openai", openai_server.url, "small-model"]
    assert isinstance(again.cache, Cache)
