"""Caches in memory and on disk."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import numpy as np
import pytest

from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.feature_extraction._encoders import _chunks
from skrec.feature_extraction._encoders import _vector_cache as cache_module
from skrec.feature_extraction._encoders._vector_cache import DiskCache, MemoryCache, cache_keys

KEYS = cache_keys("model", ["a", "b", "c"])
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)


class CountingEncoder(HashingTextEncoder):
    """Counts the texts it is given."""

    def __init__(self, n_features=32):
        super().__init__(n_features)
        self.seen = []

    def encode(self, texts):
        self.seen += texts
        return super().encode(texts)


def test_keys_depend_on_the_namespace_and_the_text():
    assert len({*cache_keys("m", ["a", "b"]), *cache_keys("n", ["a", "b"])}) == 4
    assert cache_keys("m", ["a"]) == cache_keys("m", ["a"])


def test_memory_cache_is_bounded_and_drops_the_least_recently_used():
    cache = MemoryCache(max_bytes=2 * (16 + MemoryCache._OVERHEAD))
    cache.put(KEYS[:2], VECTORS[:2])
    cache.get(KEYS[:1])
    cache.put(KEYS[2:], VECTORS[2:])
    found = cache.get(KEYS)
    assert [vector is not None for vector in found] == [True, False, True]
    np.testing.assert_array_equal(found[2], VECTORS[2])
    assert cache.n_bytes <= cache.max_bytes
    cache.put(KEYS[2:], VECTORS[2:])  # again: not counted twice
    assert len(cache) == 2
    assert cache.n_bytes <= cache.max_bytes
    cache.clear()
    assert (len(cache), cache.n_bytes) == (0, 0)


def test_memory_cache_keeps_no_view_of_a_batch():
    cache = MemoryCache(max_bytes=10**6)
    batch = VECTORS.copy()
    cache.put(KEYS, batch)
    batch[:] = -1
    np.testing.assert_array_equal(cache.get(KEYS)[0], VECTORS[0])


def test_disk_cache_round_trip(tmp_path):
    DiskCache(tmp_path / "new" / "folder").put(KEYS[:2], VECTORS[:2])
    first, second, third = DiskCache(tmp_path / "new" / "folder").get(KEYS)
    np.testing.assert_array_equal([first, second], VECTORS[:2])
    assert third is None


@pytest.mark.parametrize("damage", ["whole file", "page"])
def test_corrupt_database_is_put_aside_and_built_anew(tmp_path, damage):
    cache = DiskCache(tmp_path)
    many = cache_keys("m", [str(i) for i in range(500)])
    cache.put(many, np.ones((500, 64), np.float32))
    blob = bytearray(cache.path.read_bytes())
    if damage == "whole file":
        blob[:] = b"not a database" * 100
    else:
        blob[100:] = b"\xff" * (len(blob) - 100)
    cache.path.write_bytes(blob)
    with pytest.warns(UserWarning, match="set aside as .*corrupt and rebuilt"):
        assert DiskCache(tmp_path).get(many) == [None] * 500
    DiskCache(tmp_path).put(KEYS, VECTORS)
    np.testing.assert_array_equal(DiskCache(tmp_path).get(KEYS), VECTORS)
    assert cache.path.with_name(cache.path.name + ".corrupt").exists()


def test_damaged_vector_is_embedded_again(tmp_path):
    cache = DiskCache(tmp_path)
    cache.put(KEYS, VECTORS)
    with sqlite3.connect(cache.path) as connection:
        connection.execute("UPDATE vectors SET vector = ? WHERE key = ?", (b"torn" * 4, KEYS[1]))
    connection.close()
    with pytest.warns(UserWarning, match="1 vectors in .* are damaged") as caught:
        found = cache.get(KEYS)
    assert caught[0].filename == __file__
    assert found[1] is None
    np.testing.assert_array_equal(found[2], VECTORS[2])


def embed_with_warning(folder, match):
    encoder = HashingTextEncoder(4096)  # long vectors: a few fill a page of the database
    embedder = LLMTextEmbedder(encoder, cache=str(folder)).fit(["a film"])
    with pytest.warns(UserWarning, match=match):
        vectors = embedder.transform(["another film", "a third"])
    np.testing.assert_allclose(vectors, HashingTextEncoder(4096).encode(["another film", "a third"]), atol=1e-6)


@pytest.fixture
def pragma(monkeypatch):
    """Make SQLite itself run into a limit."""

    def limit(statement):
        connect = DiskCache._connect

        def connect_limited(self):
            connection = connect(self)
            connection.execute(statement)
            return connection

        monkeypatch.setattr(DiskCache, "_connect", connect_limited)

    return limit


@pytest.mark.filterwarnings("ignore:The embedding cache")
def test_full_disk_costs_a_warning_not_the_result(tmp_path, pragma):
    pragma("PRAGMA max_page_count = 1")
    embed_with_warning(tmp_path, "cannot be written .*full")


@pytest.mark.filterwarnings("ignore:The embedding cache")
def test_read_only_database_costs_a_warning_not_the_result(tmp_path, pragma):
    pragma("PRAGMA query_only = 1")
    embed_with_warning(tmp_path, "cannot be written .*readonly")


@pytest.mark.filterwarnings("ignore:The embedding cache")
def test_folder_that_cannot_be_made_costs_a_warning_not_the_result(tmp_path):
    (tmp_path / "file").write_text("in the way")
    embed_with_warning(tmp_path / "file" / "folder", "cannot be written")


@pytest.fixture
def foreign_folder():
    """A folder that this process may read and not write, even when the tests run as root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    folder = tempfile.mkdtemp()
    user = os.geteuid()

    def close():
        for name in os.listdir(folder):
            os.chmod(os.path.join(folder, name), 0o444)
        os.chmod(folder, 0o555)
        if user == 0:
            os.seteuid(65534)
        return folder

    yield folder, close
    if user == 0:
        os.seteuid(0)
    os.chmod(folder, 0o755)
    shutil.rmtree(folder)


def test_read_only_folder_still_gives_what_it_holds(foreign_folder):
    folder, close = foreign_folder
    DiskCache(folder).put(KEYS[:2], VECTORS[:2])
    cache = DiskCache(close())
    with pytest.warns(UserWarning, match="cannot be written"):
        first, second, third = cache.get(KEYS)
    np.testing.assert_array_equal([first, second], VECTORS[:2])
    assert third is None
    cache.put(KEYS[2:], VECTORS[2:])  # has given up; says so once
    assert cache.claim(KEYS) == set(KEYS)
    cache.release()


WRITER = """
import sys, numpy as np
from skrec.feature_extraction._encoders._vector_cache import DiskCache, cache_keys
cache = DiskCache(sys.argv[1])
for i in range(10**6):
    keys = cache_keys("m", [f"{i} {j}" for j in range(50)])
    cache.put(keys, np.full((50, 16), i, np.float32))
    print(i, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_writer_leaves_whole_vectors(tmp_path):
    for _ in range(2):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(5):
            done = int(writer.stdout.readline())
        writer.kill()
        writer.wait()
        writer.stdout.close()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for i in range(done + 1):
                found = DiskCache(tmp_path).get(cache_keys("m", [f"{i} {j}" for j in range(50)]))
                np.testing.assert_array_equal(found, np.full((50, 16), i, np.float32))


def test_several_processes_embed_each_text_once(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_cache import CountingEncoder
from skrec.feature_extraction import LLMTextEmbedder
encoder = CountingEncoder()
LLMTextEmbedder(encoder, cache=sys.argv[1]).fit_transform([f"text {{i}}" for i in range(3000)])
print(len(encoder.seen))
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sum(int(worker.communicate()[0]) for worker in workers) == 3000


def test_results_are_stored_as_they_come(tmp_path):
    class Failing(CountingEncoder):
        def encode(self, texts):
            if len(self.seen) > 300:
                raise RuntimeError("out of memory")
            return super().encode(texts)

    texts = [f"text {i}" for i in range(2000)]
    with pytest.raises(RuntimeError, match="out of memory"):
        LLMTextEmbedder(Failing(), cache=tmp_path).fit_transform(texts)
    again = CountingEncoder()
    LLMTextEmbedder(again, cache=tmp_path).fit_transform(texts)
    assert 0 < len(again.seen) < 2000


CLAIMER = """
import sys, time
from skrec.feature_extraction._encoders._vector_cache import DiskCache
DiskCache(sys.argv[1]).claim([bytes([i]) for i in range(5)])
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="only there a process is known to be dead")
def test_a_claim_ends_with_the_process_that_made_it(tmp_path):
    keys = [bytes([i]) for i in range(8)]
    holder = subprocess.Popen([sys.executable, "-c", CLAIMER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "held"
    assert DiskCache(tmp_path).claim(keys) == set(keys[5:])
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert DiskCache(tmp_path).claim(keys[:5]) == set(keys[:5])


def test_a_claim_is_one_owners_until_it_is_put_released_or_old(tmp_path, monkeypatch):
    one, two, keys = DiskCache(tmp_path), DiskCache(tmp_path), cache_keys("m", ["a", "b", "c"])
    assert one.claim(keys[:2]) == set(keys[:2])
    assert one.claim(keys[:2]) == set(keys[:2])
    assert two.claim(keys) == {keys[2]}
    one.put(keys[:1], np.ones((1, 4), np.float32))
    assert two.claim(keys) == {keys[0], keys[2]}
    one.release()
    assert two.claim(keys) == set(keys)
    assert one.claim(keys) == set()
    monkeypatch.setattr(cache_module.time, "time", lambda: time.time_ns() / 1e9 + 100)
    assert one.claim(keys) == set(keys)


def test_claims_of_a_damaged_file_are_nobodys(tmp_path):
    cache, keys = DiskCache(tmp_path), cache_keys("m", ["a", "b"])
    cache.claim([])
    with sqlite3.connect(cache.path) as connection:
        connection.execute("INSERT INTO claims VALUES (?, ?, ?)", (keys[0], 7.5, "never"))
        connection.execute("INSERT INTO claims VALUES (?, ?, ?)", (keys[1], "host:no number:x", 1e300))
    connection.close()
    assert cache.claim(keys) == set(keys)


def test_what_nobody_comes_to_put_is_embedded_here(tmp_path, monkeypatch):
    """The owner of a claim lives, and does not work: after a while its texts are taken."""
    monkeypatch.setattr(_chunks, "_PATIENCE", 0.1)
    encoder = CountingEncoder()
    keys = cache_keys(f"{encoder.fingerprint}\n", ["a", "b"])
    other = DiskCache(tmp_path)
    assert other.claim(keys[:1]) == set(keys[:1])
    vectors = LLMTextEmbedder(encoder, cache=tmp_path).encode(["a", "b"])
    assert encoder.seen == ["b", "a"]
    np.testing.assert_allclose(vectors, HashingTextEncoder(32).encode(["a", "b"]), atol=1e-6)


def test_nothing_is_locked_while_a_model_computes(tmp_path):
    """Another embedder reads from and writes to the same folder in the middle of an encode."""

    class Nesting(CountingEncoder):
        def encode(self, texts):
            if "outer" in texts:
                inner.append(LLMTextEmbedder(CountingEncoder(), cache=tmp_path).encode(["inner"]))
                assert not [path for path in tmp_path.iterdir() if "lock" in path.name]
            return super().encode(texts)

    inner = []
    LLMTextEmbedder(Nesting(), cache=tmp_path).encode(["outer", "other"])
    again = CountingEncoder()
    LLMTextEmbedder(again, cache=tmp_path).encode(["outer", "other", "inner"])
    assert len(inner) == 1
    assert again.seen == []


def test_open_cache():
    assert cache_module.open_cache("memory") is cache_module.memory_cache
    assert isinstance(cache_module.open_cache("folder"), DiskCache)
    assert cache_module.open_cache(None).get([b""]) == [None]


def test_the_first_of_several_processes_is_waited_for(tmp_path):
    """Who opens the file while another one sets it up waits, though SQLite itself would refuse at once."""
    cache = DiskCache(tmp_path)
    first = sqlite3.connect(cache.path, isolation_level=None, check_same_thread=False)
    first.execute("CREATE TABLE other (x)")
    first.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, lambda: first.execute("COMMIT"))
    done.start()
    keys = cache_keys("model", ["a"])
    cache.put(keys, np.ones((1, 4), np.float32))
    done.join()
    first.close()
    np.testing.assert_array_equal(cache.get(keys)[0], np.ones(4))
