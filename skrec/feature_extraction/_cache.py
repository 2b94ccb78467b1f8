"""Where vectors are kept: in memory for this process, or in a folder for several."""

import hashlib
import os
import sqlite3
import threading
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class VectorCache(Protocol):
    """What a cache of vectors offers, in memory or in a folder."""

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]: ...

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None: ...

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold others off while a chunk is looked up, embedded and stored, so that none is embedded twice."""
        ...


def cache_keys(namespace: str, texts: Sequence[str]) -> list[bytes]:
    """One key a text; the namespace names the model and every setting that changes its vectors."""
    salt = hashlib.blake2b(namespace.encode(), digest_size=32).digest()
    return [hashlib.blake2b(text.encode(), key=salt, digest_size=20).digest() for text in texts]


class NoCache:
    """Keeps nothing."""

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]:
        return [None] * len(keys)

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        pass

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield


class MemoryCache(NoCache):
    """Vectors of this process, the least recently used dropped first.

    Parameters
    ----------
    max_bytes : int
        Most memory the vectors may take. Can be set at any time; it holds from the next vectors stored.
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


class DiskCache:
    """Vectors in a SQLite database in a folder, for any number of processes.

    Each vector carries a checksum and each batch is one transaction in WAL mode, so a process killed at any
    moment leaves whole vectors behind. What is found damaged is embedded again, with a warning: a damaged
    vector alone, a damaged database after it was put aside as ``….corrupt``. Where the folder cannot be
    written, a warning says so and the work goes on without.
    """

    _FILE = "embeddings-v1.sqlite"
    _BUSY_SECONDS = 30.0
    _QUERY_KEYS = 500  # below SQLite's limit of 999 variables

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.path = self.folder / self._FILE
        self._can_write = True

    def get(self, keys: Sequence[bytes]) -> list[Vector | None]:
        stored: dict[bytes, bytes] = {}
        try:
            with closing(self._connect()) as connection:
                for start in range(0, len(keys), self._QUERY_KEYS):
                    some = keys[start : start + self._QUERY_KEYS]
                    marks = ",".join("?" * len(some))
                    stored.update(connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some))
        except sqlite3.DatabaseError as error:
            self._recover(error, "read")
        vectors = {key: _unpack(blob) for key, blob in stored.items()}
        if damaged := sum(vector is None for vector in vectors.values()):
            warnings.warn(f"{damaged} vectors in {self.path} are damaged; they are embedded again.", stacklevel=2)
        return [vectors.get(key) for key in keys]

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        if not self._can_write:
            return
        rows = [(key, _pack(vector)) for key, vector in zip(keys, vectors, strict=True)]
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except sqlite3.DatabaseError as error:
            self._recover(error, "written")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold a lock on the folder, which the operating system frees if its holder dies."""
        try:
            import fcntl

            file = open(self.folder / "embeddings.lock", "w")  # noqa: SIM115
        except (ImportError, OSError):
            yield  # the price is that two processes may embed the same text
            return
        with file:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _connect(self) -> sqlite3.Connection:
        """Open the database, as a new one a call: a connection outlives neither a fork nor its thread."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from None
        connection = sqlite3.connect(self.path, timeout=self._BUSY_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                return self._connect_read_only(error)
            raise
        return connection

    def _connect_read_only(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        if not self.path.exists():
            raise error
        self._give_up(error)
        # "immutable" because a reader may not create the -shm file that WAL needs; checksums guard the rest.
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

    def _recover(self, error: sqlite3.DatabaseError, what: str) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._give_up(error)
            return
        aside = self.path.with_name(self.path.name + ".corrupt")
        warnings.warn(
            f"The embedding cache {self.path} could not be {what} ({error}); it is put aside as {aside.name} "
            "and built anew.",
            stacklevel=4,
        )
        try:
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as failure:
            self._give_up(failure)

    def _give_up(self, error: Exception) -> None:
        if self._can_write:
            self._can_write = False
            warnings.warn(
                f"The embedding cache in {self.folder} cannot be written ({error}); new vectors are not kept. "
                "Free some space, or pass cache= a folder that can be written.",
                stacklevel=4,
            )


def _pack(vector: Vector) -> bytes:
    numbers = vector.astype("<f4").tobytes()
    return zlib.crc32(numbers).to_bytes(4, "little") + numbers


def _unpack(blob: bytes) -> Vector | None:
    numbers = blob[4:]
    if len(numbers) % 4 or zlib.crc32(numbers).to_bytes(4, "little") != blob[:4]:
        return None
    return np.frombuffer(numbers, dtype="<f4").astype(np.float32, copy=False)


memory_cache = MemoryCache(max_bytes=512 * 2**20)
"""The cache of ``cache="memory"``: one a process, with ``max_bytes``, ``n_bytes`` and ``clear()``."""


def open_cache(cache: str | os.PathLike | None) -> VectorCache:
    """The cache that a ``cache`` parameter names."""
    if cache is None:
        return NoCache()
    return memory_cache if cache == "memory" else DiskCache(cache)
