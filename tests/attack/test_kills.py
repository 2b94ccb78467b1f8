"""Writers of caches, killed by signal 9 at random moments: what was written is whole, and nobody waits for the dead."""

import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import skrec
from skrec.feature_extraction._encoders._vector_cache import DiskCache, cache_keys
from skrec.llm import ChatCache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
N_ROUNDS = 30
_HERE = Path(__file__).parent

WRITER = """
import sys
from test_kills import CACHES
make, keys_of, put, _ = CACHES[sys.argv[1]]
cache, start = make(sys.argv[2]), int(sys.argv[3])
for i in range(start, start + 10**6):
    if hasattr(cache, "claim"):
        cache.claim(keys_of(i))
    put(cache, i)
    print(i, flush=True)
"""


def _vector_keys(i):
    return cache_keys("m", [f"{i} {j}" for j in range(20)])


def _put_vectors(cache, i):
    import numpy as np

    cache.put(_vector_keys(i), np.full((20, 16), i, np.float32))


def _answer_keys(i):
    return [b"%d %d" % (i, j) for j in range(20)]


def _put_answers(cache, i):
    cache.put({key: {"text": f"answer {i}"} for key in _answer_keys(i)})


CACHES = {
    "vectors": (DiskCache, _vector_keys, _put_vectors, lambda i, found: bool((found == i).all())),
    "answers": (
        lambda folder: ChatCache(Path(folder) / "answers.sqlite"),
        _answer_keys,
        _put_answers,
        lambda i, found: found == {"text": f"answer {i}"},
    ),
}


def _kill_writers(name, folder, n_rounds):
    """The number of entries that were written and looked at."""
    make, keys_of, _, is_right = CACHES[name]
    rng, done = random.Random(0), -1
    paths = f"import sys; sys.path[:0] = {[str(_HERE), str(Path(skrec.__file__).parents[1])]!r}\n"
    for _ in range(n_rounds):
        command = [sys.executable, "-c", paths + WRITER, name, str(folder), str(done + 1)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        first = int(writer.stdout.readline())
        time.sleep(rng.uniform(0, 0.1))
        writer.kill()
        lines = writer.communicate()[0].split("\n")[:-1]  # the last one may be cut off
        done = int(lines[-1]) if lines else first
        cache = make(folder)
        with warnings.catch_warnings(action="error"):
            for i in range(first, done + 1):
                assert all(is_right(i, found) for found in cache.get(keys_of(i)))
            half = cache.get(keys_of(done + 1))  # which was being written
            assert all(found is None or is_right(done + 1, found) for found in half)
            if hasattr(cache, "claim"):
                missing = {key for key, found in zip(keys_of(done + 1), half, strict=True) if found is None}
                assert missing <= cache.claim(keys_of(done + 1))
                cache.release()
    return 20 * (done + 1)


def test_a_killed_writer_of_answers_leaves_whole_entries(tmp_path):
    assert _kill_writers("answers", tmp_path, 1)  # that of vectors is in tests/feature_extraction/test_cache.py


@pytest.mark.attack
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CACHES)
def test_many_killed_writers_leave_whole_entries(name, tmp_path, attack_log):
    attack_log(kills=N_ROUNDS, entries=_kill_writers(name, tmp_path, N_ROUNDS), lost=0)
