"""Events of feedback in a SQLite file: what was accepted is on the disk, and several processes may share it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    event_id TEXT UNIQUE,
    user TEXT NOT NULL,
    item TEXT NOT NULL,
    value REAL,
    context TEXT,
    timestamp REAL,
    refused TEXT
)
"""


_COLUMNS = "id, user, item, value, context, timestamp, time"


@dataclass(frozen=True)
class LoggedEvent:
    """One event; ``number`` counts from 1 in the order of the log, ``logged`` is when it was written, in seconds
    since 1970, and ``timestamp`` the time that the client gave, in the unit of the model.
    """

    number: int
    user: Any
    item: Any
    value: float | None
    context: dict[str, Any] | None
    timestamp: float | None
    logged: float


class FeedbackLog:
    """The log, by its path. Each call opens the file: any thread and process may write.

    Parameters
    ----------
    path : path
        Made, readable by its owner alone, where there is none.

    Raises
    ------
    ValueError
        If the file is no such log.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            with self._connection() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(_SCHEMA)
                connection.execute(f"SELECT {_COLUMNS}, event_id, refused FROM events LIMIT 1")
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"{self.path} cannot be the log of feedback: {error}.") from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute("PRAGMA synchronous=FULL")
            yield connection

    def append(self, events: Sequence[dict[str, Any]]) -> tuple[int, int]:
        """Write events in one transaction; those whose ``event_id`` is there already are skipped.

        Returns
        -------
        last, n_new : int
            Number of the last event in the log, and how many are new.
        """
        now = time.time()
        rows = [
            (
                now,
                event.get("event_id"),
                json.dumps(event["user"]),
                json.dumps(event["item"]),
                event.get("value"),
                json.dumps(event["context"]) if "context" in event else None,
                event.get("timestamp"),
            )
            for event in events
        ]
        names = "time, event_id, user, item, value, context, timestamp"
        statement = f"INSERT OR IGNORE INTO events ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        with self._connection() as connection:
            before = connection.total_changes
            connection.executemany(statement, rows)
            n_new = connection.total_changes - before
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        return last, n_new

    def read(self, after: int, most: int) -> list[LoggedEvent]:
        """Events behind a number, without those that the model has refused."""
        query = f"SELECT {_COLUMNS} FROM events WHERE id > ? AND refused IS NULL ORDER BY id LIMIT ?"
        with self._connection() as connection:
            rows = connection.execute(query, (after, most)).fetchall()
        return [
            LoggedEvent(number, json.loads(user), json.loads(item), value, context and json.loads(context), *times)
            for number, user, item, value, context, *times in rows
        ]

    def count(self, after: int) -> int:
        """How many events :meth:`read` gives behind a number; numbers have gaps where an ``event_id`` came again."""
        query = "SELECT count(*) FROM events WHERE id > ? AND refused IS NULL"
        with self._connection() as connection:
            (n_events,) = connection.execute(query, (after,)).fetchone()
        return int(n_events)

    def last(self, until: float | None = None) -> int:
        """Number of the last event, of all or of those that were written until a time; 0 where there is none."""
        query, values = "SELECT coalesce(max(id), 0) FROM events", ()
        if until is not None:
            query, values = f"{query} WHERE time <= ?", (until,)  # type: ignore[assignment]
        with self._connection() as connection:
            (number,) = connection.execute(query, values).fetchone()
        return int(number)

    def refuse(self, number: int, reason: str) -> None:
        """Mark an event that the model cannot learn."""
        with self._connection() as connection:
            connection.execute("UPDATE events SET refused = ? WHERE id = ?", (reason[:1000], number))
