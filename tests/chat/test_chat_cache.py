"""Answers kept on disk."""

import json
import os
import shutil
import sqlite3
import stat
import tempfile
import threading

import pytest

from skrec._chat import _answer_cache as module
from skrec._chat._answer_cache import cache_key
from skrec._chat._results import ChatSettings
from skrec.llm import CallableChat, ChatCache

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


class Model:
    fingerprint = "model-1"

    def __init__(self, answer=lambda text: f"re: {text}"):
        self.asked = []
        self.answer = answer

    def __call__(self, messages):
        self.asked.append(messages[-1]["content"])
        return self.answer(messages[-1]["content"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "answers.sqlite"


def test_an_answer_is_asked_for_once(path):
    model = Model()
    first = CallableChat(model, cache=ChatCache(path)).complete(["a", "b"])
    second = CallableChat(model, cache=path).complete(["b", "c", "a"])
    assert [result.text for result in first + second] == ["re: a", "re: b", "re: b", "re: c", "re: a"]
    assert [result.cached for result in second] == [True, False, True]
    assert model.asked == ["a", "b", "c"]
    assert second[0].usage.n_calls == 0


def test_parsed_answers_come_back_parsed(path):
    chat = CallableChat(Model(lambda text: {"a": 1}), cache=path)
    assert [chat.complete(["x"], schema=SCHEMA)[0].parsed for _ in range(2)] == [{"a": 1}] * 2


@pytest.mark.parametrize(
    "other",
    [
        {"schema": {**SCHEMA, "title": "other"}},
        {"max_tokens": 7},
        {"temperature": 0.5},
        {"seed": 1},
        {"prompt": "p-v2"},
    ],
)
def test_all_that_decides_an_answer_is_in_its_key(path, other):
    model = Model(lambda text: {"a": 1})
    chat = CallableChat(model, cache=path)
    options = {"schema": SCHEMA, "prompt": "p-v1"}
    chat.complete(["x"], **options)
    chat.complete(["x"], **{**options, **other})
    assert len(model.asked) == 2
    chat.complete([[{"role": "system", "content": "x"}]], **options)
    model.fingerprint = "model-2"
    chat.complete(["x"], **options)
    assert len(model.asked) == 4
    model.fingerprint = "model-1"
    assert chat.complete(["x"], **options)[0].cached


def test_keys_are_hashed_and_the_file_is_its_owners(path):
    old = os.umask(0)
    try:
        CallableChat(Model(lambda text: "fine"), cache=path).complete(["a secret wish"])
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.parent.iterdir())
    assert not any(b"secret" in file.read_bytes() for file in path.parent.iterdir())
    with sqlite3.connect(path) as connection:
        ((key, answer),) = connection.execute("SELECT key, answer FROM answers").fetchall()
    connection.close()
    assert len(key) == 32
    assert json.loads(answer[4:]) == {"text": "fine"}  # behind a checksum


def test_failures_are_not_kept(path):
    answers = iter([{"b": 1}, {"a": 1}])
    model = Model(lambda text: next(answers))
    chat = CallableChat(model, cache=path)
    first, second, third = (chat.complete(["x"], schema=SCHEMA)[0] for _ in range(3))
    assert first.error
    assert (second.parsed, third.parsed, third.cached) == ({"a": 1}, {"a": 1}, True)
    assert len(model.asked) == 2


def test_refusals_and_answers_cut_off_are_not_kept(path, openai_server):
    from openai_server import says

    from skrec.llm import OpenAICompatibleChat

    chat = OpenAICompatibleChat("m", base_url=openai_server.url, cache=path)
    openai_server.script = [says("cut", "length"), says(None, refusal="no"), says("whole")]
    results = [chat.complete(["x"])[0] for _ in range(4)]
    assert [result.text for result in results] == ["cut", "", "whole", "whole"]
    assert [result.cached for result in results] == [False, False, False, True]


def test_a_callable_without_a_fingerprint_is_not_kept(path):
    model = Model()
    model.fingerprint = None
    chat = CallableChat(model, cache=path)
    assert [chat.complete(["x"])[0].cached for _ in range(2)] == [False, False]
    assert not path.exists()


def test_answers_are_kept_as_they_come(path):
    def answer(text):
        if text == "text 150":
            raise KeyboardInterrupt
        return "fine"

    texts = [f"text {i}" for i in range(200)]
    with pytest.raises(KeyboardInterrupt):
        CallableChat(Model(answer), cache=path).complete(texts)
    model = Model()
    CallableChat(model, cache=path).complete(texts)
    assert len(model.asked) <= 200 - 128


def test_time_to_live(path, monkeypatch):
    now = 1e9
    monkeypatch.setattr(module.time, "time", lambda: now)
    model = Model()
    chat = CallableChat(model, cache=ChatCache(path, ttl=60))
    chat.complete(["x"])
    now += 59
    assert chat.complete(["x"])[0].cached
    now += 2
    assert not chat.complete(["x"])[0].cached
    assert CallableChat(model, cache=ChatCache(path)).complete(["x"])[0].cached
    now += 61
    chat.complete(["y"])  # drops what is past its time
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    connection.close()


def test_clear(path):
    cache = ChatCache(path)
    chat = CallableChat(Model(), cache=cache)
    chat.complete(["x"])
    cache.clear()
    assert not chat.complete(["x"])[0].cached


@pytest.mark.parametrize("damage", ["whole file", "page"])
def test_a_damaged_file_is_put_aside(path, damage):
    chat = CallableChat(Model(), cache=path)
    chat.complete([f"text {i}" for i in range(300)])
    blob = bytearray(path.read_bytes())
    if damage == "whole file":
        blob[:] = b"not a database" * 100
    else:
        blob[100:] = b"\xff" * (len(blob) - 100)
    path.write_bytes(blob)
    with pytest.warns(UserWarning, match=r"cache of answers .* set aside as answers.sqlite.corrupt"):
        assert chat.complete(["text 1"])[0].text == "re: text 1"
    assert chat.complete(["text 1"])[0].cached


def test_a_damaged_answer_is_asked_for_again(path):
    chat = CallableChat(Model(), cache=path)
    chat.complete(["x", "y"])
    with sqlite3.connect(path) as connection:
        key = cache_key("model-1", [{"role": "user", "content": "x"}], ChatSettings())
        assert connection.execute("UPDATE answers SET answer = '{' WHERE key = ?", (key,)).rowcount == 1
    connection.close()
    with pytest.warns(UserWarning, match="1 answers in .* are damaged"):
        results = chat.complete(["x", "y"])
    assert [(result.text, result.cached) for result in results] == [("re: x", False), ("re: y", True)]


@pytest.fixture
def foreign_folder():
    """A folder that this process may read and not write, even when the tests run as root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    folder, user = tempfile.mkdtemp(), os.geteuid()

    def close():
        for name in os.listdir(folder):
            os.chmod(os.path.join(folder, name), 0o444)
        os.chmod(folder, 0o555)
        if user == 0:
            os.seteuid(65534)

    yield folder, close
    if user == 0:
        os.seteuid(0)
    os.chmod(folder, 0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_costs_a_warning(foreign_folder):
    folder, close = foreign_folder
    path = os.path.join(folder, "answers.sqlite")
    model = Model()
    CallableChat(model, cache=path).complete(["x"])
    close()
    chat = CallableChat(model, cache=path)
    with pytest.warns(UserWarning, match="cannot be written"):
        results = chat.complete(["x", "y"])
    assert [(result.text, result.cached) for result in results] == [("re: x", True), ("re: y", False)]
    assert chat.complete(["y"])[0].text == "re: y"  # has given up; says so once


@pytest.mark.filterwarnings("ignore:The cache of answers")
def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    chat = CallableChat(Model(), cache=tmp_path / "file" / "answers.sqlite")
    with pytest.warns(UserWarning, match="cannot be written"):
        assert chat.complete(["x"])[0].text == "re: x"


def test_threads_share_a_file(path):
    model, errors = Model(), []

    def work(start):
        try:
            CallableChat(model, cache=path).complete([f"text {i}" for i in range(start, start + 50)])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(25 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(result.cached for result in CallableChat(model, cache=path).complete([f"text {i}" for i in range(175)]))


@pytest.mark.parametrize("ttl", [0, -1, float("nan")])
def test_a_time_to_live_that_is_none(path, ttl):
    with pytest.raises(ValueError, match="ttl"):
        ChatCache(path, ttl=ttl)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        ChatCache(tmp_path)
