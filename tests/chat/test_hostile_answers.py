"""Whatever a model or a server sends, each conversation has a result, and none raises."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai_server import changed, says, status

from skrec._chat._json import parse_beginning, parse_json
from skrec._chat._messages import fold_system
from skrec._chat._results import standard_reason
from skrec._chat._schema import fits
from skrec._chat._thoughts import without_thoughts
from skrec.feature_extraction import ItemTextEnricher
from skrec.llm import BaseChat, CallableChat, ChatResult, OpenAICompatibleChat

ANY = {"type": "object"}


def chat(server, **options):
    return OpenAICompatibleChat("m", base_url=server.url, **{"timeout": 5, "max_retries": 0, **options})


class Itself(dict):
    def __init__(self):
        super().__init__()
        self["self"] = self


# Answers of functions and of other clients ------------------------------------------------------------

ANSWERS = {
    "a lone surrogate": "a\ud800b",
    "a surrogate escaped": '{"a": "\\ud800"}',
    "an integer of 5,000 digits": '{"a": ' + "9" * 5000 + "}",
    "NaN": '{"a": NaN}',
    "a number without end": '{"a": 1e999}',
    "nested deep": "[" * 100_000 + "]" * 100_000,
    "a NumPy integer": {"a": np.int64(3)},
    "a NumPy array": {"a": np.arange(3)},
    "a set": {"a": {1, "x"}},
    "bytes": {"a": b"x"},
    "a key that is a pair": {(1, 2): 3},
    "a value that holds itself": Itself(),
    "a dict nested deep": json.loads("[" * 900 + "]" * 900),
    "NaN in a dict": {"a": float("nan")},
    "an object": object(),
    "bytes alone": b"x",
    "nothing": None,
}


@pytest.mark.parametrize("schema", [None, ANY])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_loses_a_batch(tmp_path, schema, name):
    def model(messages):
        return ANSWERS[name] if messages[-1]["content"] == "bad" else {"a": "fine"}

    model.fingerprint = "m"
    client = CallableChat(model, cache=tmp_path / "answers.sqlite")
    for _ in range(2):  # the second time, from the cache where it was kept
        before, bad, after = client.complete(["x", "bad", "y"], schema=schema)
        assert before.text == after.text == '{"a": "fine"}'
        assert bad.error is None or isinstance(bad.error, str)
        bad.text.encode()
        json.dumps(bad.parsed, allow_nan=False, ensure_ascii=False).encode()


def test_numbers_of_numpy_and_sets_are_written_as_json():
    answers = iter([{"a": np.int64(3), "b": np.float32(0.5)}, {"a": {2, 1}}])
    results = CallableChat(lambda messages: next(answers)).complete(["x", "y"], schema=ANY)
    assert [result.parsed for result in results] == [{"a": 3, "b": 0.5}, {"a": [1, 2]}]


class Odd(BaseChat):
    """A client of someone else's that gives what it likes."""

    def __init__(self, result, **options):
        super().__init__(**options)
        self.result = result

    def _answer(self, conversations, settings):
        return [self.result] * len(conversations)


@pytest.mark.parametrize(
    "result",
    [
        ChatResult(text="\udfff", error="\udfff"),
        ChatResult(text=None),
        ChatResult(text="x", parsed={"a": np.int64(1)}),
        ChatResult(text="x", parsed=Itself()),
        ChatResult(text="x", parsed=object()),
    ],
)
def test_results_of_any_client_are_made_safe(result):
    (safe,) = Odd(result).complete(["x"])
    (safe.text + (safe.error or "")).encode()
    json.dumps(safe.parsed).encode()


def test_a_surrogate_loses_no_row_of_a_table():
    frame = pd.DataFrame({"item": [1, 2], "title": ["Alien", "Emma"]})
    written = ItemTextEnricher(lambda messages: "a\ud800 tale").fit_transform(frame)
    assert [text.encode() for text in written["description"]] == [b"a? tale"] * 2


def test_a_surrogate_over_http(openai_server, tmp_path):
    openai_server.script = [status(200, b'{"choices": [{"message": {"content": "a\\ud800b"}}]}')]
    results = chat(openai_server, n_jobs=1, cache=tmp_path / "answers.sqlite").complete(["x", "y"])
    assert [result.text for result in results] == ["a?b", "Hello."]


# What servers call things ------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["eos_token", "end_turn", "STOP", None, "eos"])
def test_other_servers_words_for_the_end(openai_server, tmp_path, reason):
    openai_server.faults = lambda body: says("yes", reason)
    client = chat(openai_server, cache=tmp_path / "answers.sqlite")
    assert [(r.text, r.finish_reason, r.error) for r in client.complete(["x"])] == [("yes", "stop", None)]
    assert client.complete(["x"])[0].cached


def test_other_words_for_a_cut_and_for_a_refusal():
    assert [standard_reason(word) for word in ("MAX_TOKENS", "model_length", "SAFETY", "tool_calls")] == [
        "length",
        "length",
        "refusal",
        "tool_calls",
    ]


def test_content_in_parts(openai_server):
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a quiet "},
        {"type": "text", "text": "film"},
    ]
    openai_server.script = [says(parts)]
    assert chat(openai_server).complete(["x"])[0].text == "a quiet film"
    openai_server.script = [says([{"type": "image"}])]
    assert chat(openai_server).complete(["x"])[0].error == "the endpoint gave an empty answer"


SYSTEM = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("code", [400, 422, 500])
@pytest.mark.parametrize(
    "message",
    [
        "System role not supported",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "This model does not support system messages.",
    ],
)
def test_a_model_without_a_system_role(openai_server, waits, code, message):
    def faults(body):
        refused = body["messages"][0]["role"] == "system"
        return status(code, {"error": {"message": message}}) if refused else None

    openai_server.faults = faults
    client = chat(openai_server, max_retries=3)
    assert client.complete([SYSTEM])[0].text == "Hello."
    assert client.complete([SYSTEM])[0].text == "Hello."
    assert [len(body["messages"]) for body in openai_server.bodies] == [2, 1, 1]  # remembered
    assert openai_server.bodies[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nHi"}]
    assert waits == []


def test_system_messages_anywhere():
    system, user, assistant = ({"role": role, "content": role[0]} for role in ("system", "user", "assistant"))
    assert fold_system([system]) == [{"role": "user", "content": "s"}]
    assert fold_system([user, assistant]) == [user, assistant]
    assert fold_system([system, system, user, assistant, system]) == [
        {"role": "user", "content": "s\n\ns\n\nu"},
        assistant,
        {"role": "user", "content": "s"},
    ]


# Thoughts ----------------------------------------------------------------------------------------------

GPT_OSS = "<|channel|>analysis<|message|>draft {}<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>"


@pytest.mark.parametrize(
    "text",
    [
        "<think>draft</think>yes",
        "<THINK>draft</THINK>\nyes",
        "<thinking>draft</thinking> yes",
        "<reasoning>draft</reasoning>yes",
        "[THINK]draft[/THINK]yes",
        "draft</thinking>yes",
        '{"draft": 1} hm</think>yes',
        'draft {"a": "</think>"} more</think>yes',
        "<think>a</think>ye<think>b</think>s",
        "yes<think>and then",
        GPT_OSS,
        GPT_OSS.replace("<|return|>", ""),
        "analysisWe need a draft.assistantfinalyes",
    ],
)
def test_thoughts_in_any_marks(text):
    assert without_thoughts(text) == "yes"


def test_a_channel_of_thoughts_alone_is_no_answer():
    assert without_thoughts("<|channel|>analysis<|message|>still thin") == ""


@pytest.mark.parametrize("mark", ["<think>", "</think>", "[THINK]", "<thinking>x</thinking>"])
def test_a_mark_inside_a_value_is_part_of_it(mark):
    value = {"text": f"the tag {mark} is"}
    assert parse_json(json.dumps(value), ANY)[1] == value
    assert parse_json(f"<think>{{}}</think>Here: {json.dumps(value)} Done.", ANY)[1] == value


@given(st.text())
def test_text_without_marks_stays(text):
    marked = any(mark in text.lower() for mark in ("think", "thought", "reason", "scratch", "<|", "analysis"))
    assert marked or without_thoughts(text) == text.strip()


# Schemas -----------------------------------------------------------------------------------------------

TREE = {"$defs": {"t": {"type": "object", "properties": {"in": {"$ref": "#/$defs/t"}}, "additionalProperties": False}}}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": ["integer", "null"]}, [1, None], ["x", 1.5, True]),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, ["x", 1], [None, 1.5]),
        ({"const": 3}, [3], [4]),
        ({**TREE, "$ref": "#/$defs/t"}, [{"in": {"in": {}}}], [{"in": {"out": 1}}]),
        (
            {"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["a", "b"]}},
            [["a"]],
            [[], ["a"] * 3, ["c"]],
        ),
        ({"type": "string", "maxLength": 3}, ["abc"], ["abcd"]),
        ({"type": "number", "minimum": 0, "maximum": 1}, [0, 0.5], [2, "0"]),
    ],
)
def test_all_of_a_schema_is_checked(schema, good, bad):
    assert [fits(value, schema) for value in good] == [None] * len(good)
    assert all(fits(value, schema) for value in bad)


def test_the_reason_of_a_misfit_repeats_nothing_of_the_answer():
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}
    assert fits({"a": ["a secret"]}, schema) == "an entry of a is no integer"
    assert fits({"a": [], "b": 1}, {**schema, "additionalProperties": False}) == (
        "the value has a name that is not in the schema"
    )
    assert "secret" not in fits({"secret": 1}, {"additionalProperties": {"type": "string"}})


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "integr"}, "not a valid JSON schema, at type"),
        ({"type": "array", "items": 3}, "not a valid JSON schema"),
        ({"$ref": "https://example.org/schema.json"}, "does not contain; nothing is fetched"),
        ({"items": {"$ref": "#/$defs/none"}}, "does not contain"),
        ({"enum": {1, 2}}, "not JSON"),
    ],
)
def test_a_schema_that_cannot_be_checked_is_refused_before_anything_is_sent(openai_server, schema, problem):
    with pytest.raises(ValueError, match=problem):
        chat(openai_server).complete(["x"], schema=schema)
    assert openai_server.requests == []


def test_a_name_that_looks_like_a_reference_is_none():
    schema = {"properties": {"$ref": {"const": {"$ref": "x"}}}}
    assert CallableChat(lambda messages: "{}").complete(["x"], schema=schema)[0].parsed == {}


# The beginning of an answer ----------------------------------------------------------------------------

ORDER = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 4}},
    "required": ["order"],
}


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ('{"order": ["a", "b", "c', {"order": ["a", "b"]}),
        ('```json\n{"order": ["a", "b",', {"order": ["a", "b"]}),
        ('{"order": ["a", "b"]', {"order": ["a", "b"]}),
        ('{"order": ["a,]", "b\\"", "c', {"order": ["a,]", 'b"']}),
        ('{"order": ["a"', {"order": []}),
        ('{"ord', None),
        ("no value", None),
        ("[" * 100_000, None),
        ('{"order": ["a", "b", "c", "d", "e", "f', {"order": ["a", "b", "c", "d"]}),  # no longer than it may be
    ],
)
def test_the_readable_beginning(text, beginning):
    assert parse_beginning(text, ORDER) == beginning


def test_a_cut_off_answer_has_its_beginning(openai_server):
    openai_server.script = [says('{"order": ["a", "b", "c', "length")]
    (result,) = chat(openai_server).complete(["x"], schema=ORDER, max_tokens=9)
    assert (result.parsed, result.beginning) == (None, {"order": ["a", "b"]})
    assert result.error == "the answer was cut off at max_tokens=9"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(choices=[None]),
        lambda p: p["choices"][0].update(message=[1]),
        lambda p: p["choices"][0].update(finish_reason={"a": 1}),
        lambda p: p["choices"][0]["message"].update(refusal=[1]),
        lambda p: p.update(usage=[1, 2]),
        lambda p: p.update(choices={"0": 1}),
    ],
)
def test_payloads_of_other_shapes(openai_server, change):
    openai_server.script = [changed(change)]
    (result,) = chat(openai_server).complete(["x"])
    assert result.text == "Hello." or result.error
