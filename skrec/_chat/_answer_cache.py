"""Answers of language models, kept for equal requests later."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

from skrec._chat._results import ChatResult, ChatSettings
from skrec.utils import ExternalMixin, SQLiteStore, caller_level


class ChatCache(ExternalMixin, SQLiteStore):
    """Answers in a SQLite file, for any number of clients, threads and processes.

    An answer is found again by the fingerprint of the client, the name and version of the prompt, the messages,
    the schema, the settings and the seed; only a hash of them is stored. The answer is stored as JSON text with a
    checksum, in a file that its owner alone may read (mode 0600). Failures, refusals and answers cut off are not
    kept, nor is anything of a client without a fingerprint.

    A damaged file is set aside with a warning and rebuilt; a damaged answer is requested again. Where the file cannot
    be written, or stays locked for seconds, a warning says so, the work goes on without, and later it is tried again.

    Parameters
    ----------
    path : path
        Of the file; made when it is first needed.
    ttl : float, default=None
        Seconds that an answer is kept; None for ever.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.llm import CallableChat, ChatCache
    >>> def shout(messages):
    ...     return messages[-1]["content"].upper()
    >>> shout.fingerprint = "shout-1"
    >>> chat = CallableChat(shout, cache=ChatCache(os.path.join(tempfile.mkdtemp(), "answers.sqlite")))
    >>> [chat.complete("a quiet film")[0].cached for _ in range(2)]
    [False, True]
    """

    _NAME = "cache of answers"
    _SCHEMA = (
        "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, created REAL NOT NULL, answer BLOB NOT NULL) "
        "WITHOUT ROWID"
    )

    def __init__(self, path: str | os.PathLike, ttl: float | None = None) -> None:
        if ttl is not None and not ttl > 0:
            raise ValueError(f"ttl={ttl!r} must be a positive number of seconds, or None to keep answers for ever.")
        if not os.fspath(path).strip():
            raise ValueError(
                f"path={path!r} names no file; name one, such as 'answers.sqlite', or pass cache=None for no cache."
            )
        super().__init__(path)
        if self.path.is_symlink():
            raise ValueError(f"path={str(path)!r} is a link; pass the file that it points to.")
        if self.path.is_dir():
            raise ValueError(f"path={str(path)!r} is a folder; name a file in it, such as 'answers.sqlite'.")
        self.ttl = ttl

    def __repr__(self) -> str:
        return f"ChatCache({str(self.path)!r}, ttl={self.ttl})"

    def _external(self) -> list[str]:
        return [f"write answers to {str(self.path)!r}"]

    def _connect(self) -> sqlite3.Connection:
        self._check_active()
        return super()._connect()

    def clear(self) -> None:
        """Forget every answer."""
        self._write("DELETE FROM answers WHERE created > ?", [(-1.0,)])

    def get(self, keys: Sequence[bytes]) -> list[dict[str, Any] | None]:
        """What is kept under each key; None where there is nothing, or nothing whole."""
        since = -1.0 if self.ttl is None else time.time() - self.ttl
        stored = self._select("SELECT key, answer FROM answers WHERE created > ? AND key IN", keys, since)
        answers = {key: _unpack(key, packed) for key, packed in stored.items()}
        if damaged := sum(answer is None for answer in answers.values()):
            warnings.warn(
                f"{damaged} answers in {self.path} are damaged; they are requested again.", stacklevel=caller_level()
            )
        return [answers.get(key) for key in keys]

    def put(self, answers: dict[bytes, dict[str, Any]]) -> None:
        """Keep answers, and drop those past their time."""
        now = time.time()
        rows = [(key, now, _pack(key, answer)) for key, answer in answers.items()]
        if rows:
            self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", rows)
        if rows and self.ttl is not None:
            self._write("DELETE FROM answers WHERE created <= ?", [(now - self.ttl,)])


def cache_key(fingerprint: str, messages: Sequence[dict[str, str]], settings: ChatSettings) -> bytes:
    """A hash of all that decides an answer."""
    decisive = vars(settings) | {"narrower": settings.schema_for(list(messages)) if settings.narrower else None}
    parts = [fingerprint, [[m["role"], m["content"]] for m in messages], sorted(decisive.items())]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=32).digest()


def to_keep(result: ChatResult) -> dict[str, Any] | None:
    """What is kept of a result; None for one that is not to be kept."""
    if result.error is not None or result.finish_reason != "stop":
        return None
    return {"text": result.text}


def _pack(key: bytes, answer: dict[str, Any]) -> bytes:
    """The answer as JSON, behind a checksum of it and of its key: a flipped bit is found, and so is a mix-up."""
    text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    return zlib.crc32(key + text).to_bytes(4, "little") + text


def _unpack(key: bytes, packed: Any) -> dict[str, Any] | None:
    if not isinstance(packed, bytes) or zlib.crc32(key + packed[4:]).to_bytes(4, "little") != packed[:4]:
        return None
    try:
        answer = json.loads(packed[4:])
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("text"), str) else None
