"""Chunks of texts on their way from the cache, through the model, into the cache."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.feature_extraction._encoders._encoder import Encoder, Pending
from skrec.feature_extraction._encoders._vector_cache import Vector, VectorCache

_FEWEST, _FIRST = 64, 256  # texts per chunk
_CHUNK_SECONDS = 2.0
_POLL = 0.05  # seconds between looks at what another process is embedding
_PATIENCE = 60.0  # seconds without a vector of another process, after which its texts are embedded here


class ChunkedEmbedding:
    """Vectors of distinct texts: looked up, claimed, computed in chunks, stored as they come.

    While the encoder computes a chunk on a GPU, one thread tokenises the next one and another one stores the one
    before. An encoder that computes on the CPU does one after the other: threads would take its cores.

    Parameters
    ----------
    texts : list of str
        Distinct texts.
    keys : list of bytes
        Their keys in the cache.
    prompt : str
    encoder : Encoder
    store : VectorCache

    Attributes
    ----------
    vectors : list of ndarray or None
        One per text, as they come.
    n_truncated : int
        How many texts were cut.
    """

    def __init__(self, texts: list[str], keys: list[bytes], prompt: str, encoder: Encoder, store: VectorCache):
        self.texts, self.keys, self.prompt, self.encoder, self.store = texts, keys, prompt, encoder, store
        self.vectors: list[Vector | None] = store.get(keys)
        self.n_truncated = 0
        self._elsewhere: list[int] = []

    @property
    def n_done(self) -> int:
        return sum(vector is not None for vector in self.vectors)

    def run(self, advance: Callable[[int], Any]) -> None:
        """Compute what is missing; ``advance`` receives the number of texts that are done."""
        missing = [i for i, vector in enumerate(self.vectors) if vector is None]
        # Texts of about one length share a chunk, and the longest come first: what will not fit fails early.
        missing.sort(key=lambda i: -len(self.texts[i]))
        try:
            self._pass(missing, advance)
            last_progress = time.monotonic()
            while self._elsewhere:
                n_before, missing, self._elsewhere = len(self._elsewhere), self._elsewhere, []
                is_lost = time.monotonic() - last_progress > _PATIENCE
                self._pass(missing, advance, claim=not is_lost)
                if len(self._elsewhere) < n_before:
                    last_progress = time.monotonic()
                elif self._elsewhere:
                    time.sleep(_POLL)
        finally:
            if missing:
                self.store.release()

    def _pass(self, missing: list[int], advance: Callable[[int], Any], claim: bool = True) -> None:
        sizes = _ChunkSizes(self.encoder.most_texts)
        chunks = sizes.cut(missing)
        ahead = 1 if self.encoder.is_asynchronous and len(missing) > _FIRST else 0
        reading: deque[Future] = deque()
        storing: Future | None = None
        with _workers(ahead) as pool:
            while True:
                if not reading and (chunk := next(chunks, None)) is not None:
                    reading.append(_submit(pool, self._read, chunk, claim))
                if not reading:
                    break
                n_texts, todo, tokens = reading.popleft().result()
                if ahead and (chunk := next(chunks, None)) is not None:
                    reading.append(_submit(pool, self._read, chunk, claim))
                pending = self.encoder.start(tokens) if todo else None
                if storing is not None:
                    storing.result()
                storing = None if pending is None else _submit(pool, self._store, todo, pending)
                advance(n_texts)
                sizes.adapt()
            if storing is not None:
                storing.result()

    def _read(self, chunk: list[int], claim: bool) -> tuple[int, list[int], Any]:
        """What of a chunk is done, what is to be computed, and that tokenised."""
        mine = self.store.claim([self.keys[i] for i in chunk]) if claim else set(self.keys)
        # Another process may have embedded some of these since they were looked up.
        for i, vector in zip(chunk, self.store.get([self.keys[i] for i in chunk]), strict=True):
            self.vectors[i] = vector
        missing = [i for i in chunk if self.vectors[i] is None]
        todo = [i for i in missing if self.keys[i] in mine]
        self._elsewhere += [i for i in missing if self.keys[i] not in mine]
        tokens = self.encoder.read([self.texts[i] for i in todo], self.prompt) if todo else None
        return len(chunk) - len(missing) + len(todo), todo, tokens

    def _store(self, todo: list[int], pending: Pending) -> None:
        fresh, n_cut = pending.result()
        self.store.put([self.keys[i] for i in todo], fresh)
        self.n_truncated += n_cut
        for i, vector in zip(todo, fresh, strict=True):
            self.vectors[i] = vector

    def stacked(self) -> NDArray[np.float32]:
        """All vectors, one row per text."""
        widths = {len(vector) for vector in self.vectors if vector is not None}
        if len(widths) > 1:
            raise ValueError(
                f"The model gave vectors of different lengths: {sorted(widths)}; is it the same throughout?"
            )
        return np.stack([vector for vector in self.vectors if vector is not None])


class _ChunkSizes:
    """Chunks that take about ``_CHUNK_SECONDS`` each."""

    def __init__(self, most: int):
        self.size, self.most = min(_FIRST, most), most
        self._since = time.perf_counter()

    def cut(self, items: Sequence[int]) -> Iterator[list[int]]:
        start = 0
        while start < len(items):
            self._since = time.perf_counter() if start == 0 else self._since
            stop = start + self.size
            yield list(items[start:stop])
            start = stop

    def adapt(self) -> None:
        now = time.perf_counter()
        fast = now - self._since < _CHUNK_SECONDS
        self.size = min(2 * self.size, self.most) if fast else max(self.size // 2, _FEWEST)
        self._since = now


def _workers(ahead: int) -> AbstractContextManager[ThreadPoolExecutor | None]:
    """One thread that tokenises and one that stores; none where nothing is done ahead."""
    return ThreadPoolExecutor(2, "skrec-embedding") if ahead else nullcontext()


def _submit(pool: ThreadPoolExecutor | None, work: Callable, *args: Any) -> Future:
    if pool is not None:
        return pool.submit(work, *args)
    done: Future = Future()
    done.set_result(work(*args))
    return done
