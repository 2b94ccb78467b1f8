"""A table of keys and values in a SQLite file that several processes may share, and that may be damaged."""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

_BUSY_WAIT = 0.01  # seconds


class SQLiteStore:
    """Rows by key, each batch one transaction in WAL mode.

    A damaged database is set aside as ``….corrupt``, with a warning, and rebuilt. Where the file cannot be
    written, a warning says so once and the work goes on without.

    Parameters
    ----------
    path : path
        Of the file; ``~`` is the home folder.
    mode : int, default=None
        Permissions of a new file, such as ``0o600``; by default those of any new file.
    """

    _NAME = "cache"  # as warnings call it
    _SCHEMA = "CREATE TABLE IF NOT EXISTS ..."
    _BUSY_SECONDS = 30.0
    _QUERY_KEYS = 500  # below SQLite's limit of 999 variables

    def __init__(self, path: str | os.PathLike, mode: int | None = None) -> None:
        self.path = Path(path).expanduser()
        self._mode = mode
        self._can_write = True

    def _select(self, query: str, keys: Sequence[bytes], *more: Any) -> dict[bytes, Any]:
        """Key to value; ``query`` ends in a condition on ``key IN``, after what ``more`` fills."""
        stored: dict[bytes, Any] = {}
        try:
            with closing(self._connect()) as connection:
                for start in range(0, len(keys), self._QUERY_KEYS):
                    some = keys[start : start + self._QUERY_KEYS]
                    marks = ",".join("?" * len(some))
                    stored.update(connection.execute(f"{query} ({marks})", (*more, *some)))
        except sqlite3.DatabaseError as error:
            self._recover(error, "read")
        return stored

    def _write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        if not self._can_write:
            return
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany(statement, rows)
        except sqlite3.DatabaseError as error:
            self._recover(error, "written")

    def _connect(self) -> sqlite3.Connection:
        """Open a new connection per call: one survives neither a fork nor its thread."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from None
        if self._mode is not None:
            with suppress(OSError):  # the journals beside it get the permissions of the file
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, self._mode))
        connection = sqlite3.connect(self.path, timeout=self._BUSY_SECONDS)
        try:
            self._use_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(self._SCHEMA)
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                return self._connect_read_only(error)
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL mode, which, other than most statements, does not wait for other users of the file."""
        last_try = time.monotonic() + self._BUSY_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last_try:
                    raise
                time.sleep(_BUSY_WAIT)

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
            f"The {self._NAME} {self.path} could not be {what} ({error}); it is set aside as {aside.name} and rebuilt.",
            stacklevel=5,
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
                f"The {self._NAME} in {self.path.parent} cannot be written ({error}); what is new is not kept. "
                "Free some space, or pass cache= a place that can be written.",
                stacklevel=5,
            )
