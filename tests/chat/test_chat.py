"""The protocol of chat models, on plain functions."""

import asyncio

import numpy as np
import pytest
from sklearn.base import clone

from skrec._chat._base import as_chat
from skrec._chat._json import parse_json
from skrec._chat._messages import read_conversation
from skrec._chat._prompts import Prompt
from skrec.llm import CallableChat, ChatCache, HeuristicChat, OpenAICompatibleChat, TransformersChat, Usage

SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string"}}},
    "required": ["order"],
}


def test_one_failing_conversation_fails_alone():
    def answer(messages):
        if "bad" in messages[-1]["content"]:
            raise RuntimeError("a secret that must not get out")
        return messages[-1]["content"].upper()

    chat = as_chat(answer)
    good, bad = chat.complete(["good", "bad"])
    assert (good.text, good.error, good.usage.n_calls) == ("GOOD", None, 1)
    assert bad.text == ""
    assert bad.error == "the function raised RuntimeError"
    again = asyncio.run(chat.acomplete(["good"]))
    assert again[0].text == "GOOD"


def test_a_clone_is_the_same_client():
    chat = CallableChat(str)
    assert clone(chat) is chat


@pytest.mark.parametrize(
    "text",
    [
        '{"order": ["a", "b"]}',
        'Sure!\n```json\n{"order": ["a", "b"]}\n```\nAnything else?',
        '<think>{"order": ["z"]}</think>Here: {"order": ["a", "b"]} {"order": []}',
        '{"other": 1} {"order": ["a", "b"]}',
    ],
)
def test_json_is_found_in_chatter(text):
    assert parse_json(text, SCHEMA)[1:] == ({"order": ["a", "b"]}, None)


@pytest.mark.parametrize("text", ["", "none", '{"order": [1]}', '{"order": ["a"', "[" * 5000])
def test_what_does_not_fit_is_an_error(text):
    _, parsed, error = parse_json(text, SCHEMA)
    assert parsed is None
    assert "schema" in error


@pytest.mark.parametrize("noise", ["[" * 1_000_000, "[1," * 300_000, '{"a":' * 200_000])
def test_an_answer_of_brackets_alone_ends(noise):
    """Each may begin a value, so that looking from all of them would take hours."""
    assert parse_json(noise, SCHEMA)[1] is None
    assert parse_json("[" * 100 + '{"order": ["a"]}', SCHEMA)[1] == {"order": ["a"]}


@pytest.mark.parametrize("llm", ["gpt", 3, None, CallableChat])
def test_an_llm_that_is_not_one(llm):
    with pytest.raises(TypeError, match="chat client"):
        as_chat(llm)


@pytest.mark.parametrize(
    ("conversation", "error"),
    [([], ValueError), ([{"role": "root", "content": "x"}], ValueError), (["x"], TypeError)],
)
def test_conversations_that_are_none(conversation, error):
    with pytest.raises(error):
        read_conversation(conversation)


def test_messages_that_were_not_put_into_a_list():
    with pytest.raises(TypeError, match=r"complete\(\[messages\]\)"):
        CallableChat(str).complete([{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"max_tokens": 0}, ValueError),
        ({"max_tokens": 2.5}, TypeError),
        ({"seed": "x"}, TypeError),
        ({"temperature": -1}, ValueError),
        ({"temperature": float("nan")}, ValueError),
        ({"schema": "order"}, TypeError),
    ],
)
def test_settings_that_are_none(setting, error):
    with pytest.raises(error, match=next(iter(setting))):
        CallableChat(str).complete(["x"], **setting)


def test_numbers_of_numpy_are_numbers(tmp_path):
    def shout(messages):
        return messages[-1]["content"].upper()

    shout.fingerprint = "shout"
    chat = CallableChat(shout, cache=tmp_path / "answers.sqlite")
    assert not chat.complete(["x"], seed=np.int64(3), max_tokens=np.int32(9), temperature=np.float32(0.5))[0].cached
    assert chat.complete(["x"], seed=3, max_tokens=9, temperature=0.5)[0].cached


def test_usages_add_up_and_apart():
    one, two = Usage(1, 2, 3, 1, None, 4), Usage(5, 6, 7, 0, 0.5, 1)
    assert one + two - one == two
    assert (one + two).cost == 0.5
    assert one - one == Usage()


def test_prompts_are_filled_once():
    prompt = Prompt("p-v1", "rules", "{a} and {b}")
    assert prompt.write(a="{b}", b="{a.__class__}")[1]["content"] == "{b} and {a.__class__}"
    with pytest.raises(ValueError, match="names"):
        prompt.write(a="x")


CLIENTS = {
    "OpenAICompatibleChat": lambda **options: OpenAICompatibleChat("m", **options),
    "TransformersChat": lambda **options: TransformersChat("m", **options),
    "HeuristicChat": HeuristicChat,
    "CallableChat": lambda **options: CallableChat(str, **options),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_an_unknown_keyword_is_named_with_the_closest(name):
    with pytest.raises(TypeError, match=rf"^{name} has no parameter 'budgt'. Did you mean budget\? .* cache, prices"):
        CLIENTS[name](budgt=None)
    with pytest.raises(TypeError, match=rf"^{name} has no parameter 'zzz'. Its parameters are "):
        CLIENTS[name](zzz=1)


def test_the_parameters_of_a_client_itself_are_among_the_known():
    with pytest.raises(TypeError, match="Did you mean max_retries"):
        OpenAICompatibleChat("m", max_retry=1)
    with pytest.raises(TypeError, match="Did you mean device"):
        TransformersChat("m", devise="cpu")


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_name_writes_nowhere(blank, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for client in CLIENTS.values():
        with pytest.raises(ValueError, match="names no file; name one, such as"):
            client(cache=blank)
    with pytest.raises(ValueError, match="names no file"):
        ChatCache(blank)
    for kind in (OpenAICompatibleChat, TransformersChat):
        with pytest.raises(ValueError, match="names no model; pass"):
            kind(blank)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_no_name():
    with pytest.raises(TypeError, match="model must be the name of a model at the server; got None"):
        OpenAICompatibleChat(None)
