"""Caches of vectors: in memory for one process, or in a folder for several."""

import hashlib
import os
import platform
import re
import threading
import time
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skrec.utils import SQLiteStore, caller_level

_OWNER = re.compile(rb"(.*):([0-9]{1,19}):[0-9a-f]{16}", re.DOTALL)  # machine, process, cache object

Vector = NDArray[np.float32]


class VectorCache(Protocol):
    """The interface of a cache of vectors."""

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]: ...

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None: ...

    def claim(self, keys: Sequence[bytes]) -> set[bytes]:
        """The keys that are for the caller to embed; what others have claimed is missing from them."""
        ...

    def release(self) -> None:
        """Give up what was claimed and not put."""
        ...


def cache_keys(namespace: str, texts: Sequence[str]) -> list[bytes]:
    """One key per text; the namespace names the model and every setting that changes its vectors."""
    salt = hashlib.blake2b(namespace.encode(), digest_size=32).digest()
    return [hashlib.blake2b(text.encode(), key=salt, digest_size=20).digest() for text in texts]


class NoCache:
    """A cache that stores nothing."""

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]:
        return [None] * len(keys)

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        pass

    def claim(self, keys: Sequence[bytes]) -> set[bytes]:
        return set(keys)

    def release(self) -> None:
        pass


class MemoryCache(NoCache):
    """Vectors of this process, the least recently used dropped first.

    Parameters
    ----------
    max_bytes : int
        Most memory the vectors may take. Can be set at any time; it takes effect when the next vectors are stored.
    """

    _OVERHEAD = 300  # bytes an entry costs beside its numbers: key, array header, table slot

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def clear(self) -> None:
        """Forget every vector."""
        with self._lock:
            self._vectors.clear()
            self.n_bytes = 0

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]:
        with self._lock:
            found = [self._vectors.get(key) for key in keys]
            for key, vector in zip(keys, found, strict=True):
                if vector is not None:
                    self._vectors.move_to_end(key)
        return found

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        with self._lock:
            for key, row in zip(keys, vectors, strict=True):
                if (old := self._vectors.pop(key, None)) is not None:
                    self.n_bytes -= old.nbytes + self._OVERHEAD
                self._vectors[key] = vector = row.copy()  # a view would keep its whole batch alive
                self.n_bytes += vector.nbytes + self._OVERHEAD
            while self.n_bytes > self.max_bytes and self._vectors:
                self.n_bytes -= self._vectors.popitem(last=False)[1].nbytes + self._OVERHEAD


class DiskCache(SQLiteStore):
    """Vectors in a SQLite database in a folder, for any number of processes.

    Each vector carries a checksum and each batch is one transaction, so a process killed at any moment leaves
    whole vectors behind. Damaged vectors are embedded again, with a warning; a damaged
    database is set aside first.

    A process claims the texts that it is about to embed, for a time, in the same database. No lock is held
    while it embeds, so that others embed other texts meanwhile.
    """

    _NAME = "embedding cache"
    _SCHEMA = (
        "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) "
        "WITHOUT ROWID"
    )
    _FILE = "embeddings-v1.sqlite"
    _CLAIM_SECONDS = 60.0

    def __init__(self, folder: str | os.PathLike):
        super().__init__(Path(folder) / self._FILE)
        if self.path.is_symlink():
            raise ValueError(
                f"cache={os.fspath(folder)!r} contains {self._FILE}, which is a link; pass the folder of the file that "
                "it points to. A link to a folder will do."
            )
        self.folder = self.path.parent
        self._owner = f"{platform.node()}:{os.getpid()}:{os.urandom(8).hex()}"

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]:
        stored = self._select("SELECT key, vector FROM vectors WHERE key IN", keys)
        vectors = {key: _unpack(blob) for key, blob in stored.items()}
        if damaged := sum(vector is None for vector in vectors.values()):
            warnings.warn(
                f"{damaged} vectors in {self.path} are damaged; they are embedded again.", stacklevel=caller_level()
            )
        return [vectors.get(key) for key in keys]

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Store vectors; a claim on them ends."""
        rows = [(key, _pack(vector)) for key, vector in zip(keys, vectors, strict=True)]
        self._write_all(
            [
                ("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows),
                ("DELETE FROM claims WHERE key = ?", [(key,) for key in keys]),
            ]
        )

    def claim(self, keys: Sequence[bytes]) -> set[bytes]:
        """The keys that no other process is embedding. Where claims cannot be written, all of them.

        A claim ends when its vector is put, when its owner releases it or, on the same machine, is dead, and at the
        latest after a minute: the price is that two processes may embed the same text.
        """
        now = time.time()
        rows = [(key, self._owner, now + self._CLAIM_SECONDS, now) for key in keys]
        statement = (
            "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT (key) "
            "DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE until < ?"
        )
        if not self._write(statement, rows):
            return set(keys)
        owners = self._select("SELECT key, owner FROM claims WHERE key IN", keys)
        mine = self._owner.encode()
        others = {key: owner for key, owner in owners.items() if owner != mine}
        dead = [(key,) for key, owner in others.items() if _is_dead(owner)]
        if dead and self._write("DELETE FROM claims WHERE key = ?", dead):
            return self.claim(keys)
        return {key for key in keys if key not in others}

    def release(self) -> None:
        """Give up what was claimed and not put, and clear away old claims of others."""
        self._write("DELETE FROM claims WHERE owner = ? OR until < ?", [(self._owner, time.time())])


def _is_dead(owner: object) -> bool:
    """Whether a claim is of a process of this machine that is no more, or of nobody, as in a damaged file."""
    parts = _OWNER.fullmatch(owner) if isinstance(owner, bytes) else None
    if parts is None:
        return True
    if parts[1].decode("utf-8", "replace") != platform.node() or os.name != "posix":
        return False
    try:
        os.kill(int(parts[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False


def _pack(vector: Vector) -> bytes:
    numbers = vector.astype("<f4").tobytes()
    return zlib.crc32(numbers).to_bytes(4, "little") + numbers


def _unpack(blob: bytes) -> Vector | None:
    if not isinstance(blob, bytes):
        return None
    numbers = blob[4:]
    if len(numbers) % 4 or zlib.crc32(numbers).to_bytes(4, "little") != blob[:4]:
        return None
    return np.frombuffer(numbers, dtype="<f4").astype(np.float32, copy=False)


memory_cache = MemoryCache(max_bytes=512 * 2**20)
"""The cache of ``cache="memory"``: one per process, with ``max_bytes``, ``n_bytes`` and ``clear()``."""


def open_cache(cache: str | os.PathLike | None) -> VectorCache:
    """The cache that a ``cache`` parameter names."""
    if cache is None:
        return NoCache()
    return memory_cache if cache == "memory" else DiskCache(cache)
