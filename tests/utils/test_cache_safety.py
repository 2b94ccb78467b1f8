"""Caches on disk under attack: links, FIFOs, locks, flipped bits, damaged schemas, lax permissions."""

import os
import sqlite3
import stat
import time
import warnings

import numpy as np
import pytest

from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.feature_extraction._encoders._vector_cache import DiskCache, cache_keys
from skrec.llm import CallableChat, ChatCache
from skrec.utils import SQLiteStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
KEYS = cache_keys("m", ["a", "b"])
VECTORS = np.ones((2, 4), np.float32)


class Model:
    fingerprint = "model"

    def __init__(self):
        self.n_calls = 0

    def __call__(self, messages):
        self.n_calls += 1
        return f"re: {messages[-1]['content']}"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def short(monkeypatch):
    """Waits of tenths of seconds in place of seconds."""
    monkeypatch.setattr(SQLiteStore, "_BUSY_SECONDS", 0.2)
    monkeypatch.setattr(SQLiteStore, "_PAUSE_SECONDS", 0.3)


# Links and files that are none --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["embeddings-v1.sqlite", "embeddings-v1.sqlite-wal"])
def test_a_fifo_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LLMTextEmbedder(HashingTextEncoder(4), cache=tmp_path).fit_transform(["a", "b"])
    assert time.monotonic() - start < 10


def test_a_link_to_a_folder_will_do(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    DiskCache(tmp_path / "link").put(KEYS, VECTORS)
    np.testing.assert_array_equal(DiskCache(tmp_path / "real").get(KEYS), VECTORS)


def test_a_cache_file_that_is_a_link_is_refused(tmp_path):
    other = tmp_path / "other"
    other.write_text("not yours")
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "answers.sqlite").symlink_to(other)
    (folder / "embeddings-v1.sqlite").symlink_to(other)
    with pytest.raises(ValueError, match="is a link"):
        ChatCache(folder / "answers.sqlite")
    with pytest.raises(ValueError, match="is a link"):
        DiskCache(folder)
    assert other.read_text() == "not yours"


def test_a_file_that_becomes_a_link_is_refused_at_its_use(tmp_path):
    chat = CallableChat(Model(), cache=tmp_path / "answers.sqlite")
    other = tmp_path / "other"
    sqlite3.connect(other).close()
    (tmp_path / "answers.sqlite").symlink_to(other)
    with pytest.warns(UserWarning, match="not safe .*is a link"):
        assert chat.complete(["x"])[0].text == "re: x"
    assert other.read_bytes() == b""


# Permissions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["answers", "vectors"])
def test_every_file_is_its_owners_alone(tmp_path, kind):
    def use(text):
        if kind == "answers":
            CallableChat(Model(), cache=tmp_path / "answers.sqlite").complete([text])
        else:
            LLMTextEmbedder(HashingTextEncoder(4), cache=tmp_path).fit_transform([text])

    old = os.umask(0)
    try:
        use("a")
        (path,) = tmp_path.glob("*.sqlite")
        # An open connection keeps the journals there.
        reader = sqlite3.connect(path)
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        for file in tmp_path.iterdir():  # as an older version made them
            file.chmod(0o666)
        use("b")
    finally:
        os.umask(old)
    files = {file.name.replace(path.name, "") for file in tmp_path.iterdir()}
    assert {"-wal", "-shm"} <= files
    assert {mode(file) for file in tmp_path.iterdir()} == {0o600}
    reader.close()


def test_a_file_of_someone_else_that_others_read_gets_nothing_new(tmp_path, monkeypatch):
    path = tmp_path / "answers.sqlite"
    CallableChat(Model(), cache=path).complete(["x"])
    path.chmod(0o644)

    def refuse(*args, **kwargs):
        raise PermissionError("not the owner")

    monkeypatch.setattr(os, "chmod", refuse)
    with pytest.warns(UserWarning, match="others can read answers.sqlite"):
        results = CallableChat(Model(), cache=path).complete(["x", "y"])
    assert [(result.text, result.cached) for result in results] == [("re: x", True), ("re: y", False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not CallableChat(Model(), cache=path).complete(["y"])[0].cached


# Locks --------------------------------------------------------------------------------------------------


def test_a_file_that_stays_locked_is_not_waited_for_and_tried_again(tmp_path, short):
    path = tmp_path / "answers.sqlite"
    chat = CallableChat(Model(), cache=path)
    chat.complete(["x"])
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    with pytest.warns(UserWarning, match="locked"):
        assert chat.complete([f"text {i}" for i in range(300)])[299].text == "re: text 299"  # five batches
    assert time.monotonic() - start < 5
    holder.execute("COMMIT")
    holder.close()
    time.sleep(0.4)
    chat.complete(["y"])
    assert chat.complete(["y"])[0].cached


# Damage -------------------------------------------------------------------------------------------------


def test_no_flipped_bit_serves_a_wrong_answer(tmp_path):
    path = tmp_path / "answers.sqlite"
    texts = [f"text {i}" for i in range(30)]
    CallableChat(Model(), cache=path).complete(texts)
    whole, n_hidden = path.read_bytes(), []
    rng = np.random.default_rng(0)
    for at in rng.choice(len(whole), 150, replace=False):
        blob = bytearray(whole)
        blob[at] ^= 1 << rng.integers(8)
        for file in tmp_path.iterdir():
            file.unlink()
        path.write_bytes(blob)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = CallableChat(Model(), cache=path).complete(texts)
            assert [result.text for result in results] == [f"re: {text}" for text in texts]
            # And the cache goes on, whatever was damaged. A key out of its order may hide some others.
            again = CallableChat(Model(), cache=path).complete(texts)
            assert [result.text for result in again] == [f"re: {text}" for text in texts]
            n_hidden.append(sum(not result.cached for result in again))
    assert np.mean(n_hidden) < 3


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE answers SET answer = CAST(x'ff00fe' AS TEXT)",
        "UPDATE answers SET answer = x'ff00fe'",
        "UPDATE answers SET answer = 'an answer without a checksum'",
        "UPDATE answers SET answer = 3",
        "DROP TABLE answers",
        "ALTER TABLE answers RENAME COLUMN answer TO other",
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'CREATE NONSENSE'",
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET rootpage = 99999",
    ],
)
def test_a_damaged_row_or_schema_is_set_aside_and_the_cache_goes_on(tmp_path, damage):
    path = tmp_path / "answers.sqlite"
    model = Model()
    CallableChat(model, cache=path).complete(["x", "y"])
    connection = sqlite3.connect(path)
    connection.executescript(damage)
    connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chat = CallableChat(model, cache=path)
        assert [result.text for result in chat.complete(["x", "y"])] == ["re: x", "re: y"]
    warnings.simplefilter("error")
    assert [result.cached for result in CallableChat(model, cache=path).complete(["x", "y"])] == [True, True]
    assert model.n_calls == 4


def test_answers_of_two_keys_cannot_be_exchanged(tmp_path):
    path = tmp_path / "answers.sqlite"
    chat = CallableChat(Model(), cache=path)
    chat.complete(["x", "y"])
    with sqlite3.connect(path) as connection:
        (one, first), (two, second) = connection.execute("SELECT key, answer FROM answers").fetchall()
        connection.executemany("UPDATE answers SET answer = ? WHERE key = ?", [(second, one), (first, two)])
    connection.close()
    with pytest.warns(UserWarning, match="2 answers in .* are damaged"):
        assert [result.text for result in chat.complete(["x", "y"])] == ["re: x", "re: y"]
