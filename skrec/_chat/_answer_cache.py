"""Answers of language models, kept for equal requests later."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Sequence
from typing import Any

from skrec._chat._results import ChatResult, ChatSettings
from skrec.utils import SQLiteStore


class ChatCache(SQLiteStore):
    """Answers in a SQLite file, for any number of clients, threads and processes.

    An answer is found again by the fingerprint of the client, the name and version of the prompt, the messages,
    the schema, the settings and the seed; only a hash of them is stored. The answer is stored as the JSON text
    it is, in a file that its owner alone may read. Failures, refusals and answers cut off are not kept, nor is
    anything of a client without a fingerprint.

    A damaged file is set aside with a warning and rebuilt; where the file cannot be written, a warning says
    so and the work goes on without.

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
        "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, created REAL NOT NULL, answer TEXT NOT NULL) "
        "WITHOUT ROWID"
    )

    def __init__(self, path: str | os.PathLike, ttl: float | None = None) -> None:
        if ttl is not None and not ttl > 0:
            raise ValueError(f"ttl={ttl!r} must be a positive number of seconds, or None to keep answers for ever.")
        super().__init__(path, mode=0o600)
        if self.path.is_dir():
            raise ValueError(f"path={str(path)!r} is a folder; name a file in it, such as 'answers.sqlite'.")
        self.ttl = ttl

    def __repr__(self) -> str:
        return f"ChatCache({str(self.path)!r}, ttl={self.ttl})"

    def clear(self) -> None:
        """Forget every answer."""
        self._write("DELETE FROM answers WHERE created > ?", [(-1.0,)])

    def get(self, keys: Sequence[bytes]) -> list[dict[str, Any] | None]:
        """What is kept under each key; None where there is nothing, or nothing whole."""
        since = -1.0 if self.ttl is None else time.time() - self.ttl
        stored = self._select("SELECT key, answer FROM answers WHERE created > ? AND key IN", keys, since)
        answers = {key: _read(text) for key, text in stored.items()}
        if damaged := sum(answer is None for answer in answers.values()):
            warnings.warn(f"{damaged} answers in {self.path} are damaged; they are requested again.", stacklevel=2)
        return [answers.get(key) for key in keys]

    def put(self, answers: dict[bytes, dict[str, Any]]) -> None:
        """Keep answers, and drop those past their time."""
        now = time.time()
        rows = [(key, now, json.dumps(answer, ensure_ascii=False)) for key, answer in answers.items()]
        if rows:
            self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", rows)
        if rows and self.ttl is not None:
            self._write("DELETE FROM answers WHERE created <= ?", [(now - self.ttl,)])


def cache_key(fingerprint: str, messages: Sequence[dict[str, str]], settings: ChatSettings) -> bytes:
    """A hash of all that decides an answer."""
    parts = [fingerprint, [[m["role"], m["content"]] for m in messages], sorted(vars(settings).items())]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=32).digest()


def to_keep(result: ChatResult) -> dict[str, Any] | None:
    """What is kept of a result; None for one that is not to be kept."""
    if result.error is not None or result.finish_reason != "stop":
        return None
    return {"text": result.text}


def _read(text: Any) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except (TypeError, ValueError):
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("text"), str) else None
