"""A table of keys and values in a SQLite file that several processes may share, and that may be damaged."""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from skrec.utils._cache_files import UnsafeCacheFile, check_regular, make_private
from skrec.utils._warnings import caller_level

_BUSY_WAIT = 0.01  # seconds
_SIDECARS = ("-wal", "-shm")
# Of a file whose schema, pages or format are not what SQLite wrote. ERROR: a table that is not the one it should be.
_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
    }
)
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


class SQLiteStore:
    """Rows by key, each batch one transaction in WAL mode.

    A damaged database is set aside as ``….corrupt``, with a warning, and rebuilt. Where the file cannot be written,
    or others have it locked for longer than ``_BUSY_SECONDS``, a warning says so once, and the work goes on
    without the cache; after a pause it is tried again.

    The file and its journals can be read by their owner alone (mode 0600). A link in place of the file is refused.

    Parameters
    ----------
    path : path
        Of the file; ``~`` is the home folder.
    """

    _NAME = "cache"  # as warnings call it
    _SCHEMA = "CREATE TABLE IF NOT EXISTS ..."  # one statement, or several with semicolons between
    _BUSY_SECONDS = 5.0
    _PAUSE_SECONDS = 30.0
    _QUERY_KEYS = 500  # below SQLite's limit of 999 variables

    # On the class, so that a copy in another process begins with them.
    _locked_until = 0.0  # neither read nor written before
    _closed_until = 0.0  # not written before
    _has_warned = False

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path).expanduser()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_locked_until", "_closed_until", "_has_warned")
        return {name: value for name, value in vars(self).items() if name not in own}

    def _select(self, query: str, keys: Sequence[bytes], *more: Any) -> dict[bytes, Any]:
        """Key to value; ``query`` ends in a condition on ``key IN``, after what ``more`` fills."""
        stored: dict[bytes, Any] = {}
        if time.monotonic() < self._locked_until:
            return stored
        try:
            with closing(self._connect()) as connection:
                for start in range(0, len(keys), self._QUERY_KEYS):
                    some = keys[start : start + self._QUERY_KEYS]
                    marks = ",".join("?" * len(some))
                    stored.update(connection.execute(f"{query} ({marks})", (*more, *some)))
        except sqlite3.Error as error:
            self._recover(error, "read")
        return stored

    def _write(self, statement: str, rows: Iterable[Sequence[Any]]) -> bool:
        """Run a statement once per row; return whether it was written."""
        return self._write_all([(statement, list(rows))])

    def _write_all(self, work: Sequence[tuple[str, Sequence[Sequence[Any]]]]) -> bool:
        """Run statements, each once per row of its own, as one transaction; return whether it was written."""
        for _ in range(2):  # the second time into a new file, where the old one is damaged
            if time.monotonic() < max(self._locked_until, self._closed_until):
                return False
            try:
                with closing(self._connect()) as connection, connection:
                    for statement, rows in work:
                        connection.executemany(statement, rows)
            except sqlite3.Error as error:
                if not self._recover(error, "written"):
                    return False
            else:
                # What was closed is open again. A connection that only reads does not come so far.
                self._has_warned = False
                return True
        return False

    def _connect(self) -> sqlite3.Connection:
        """Open a new connection per call: one survives neither a fork nor its thread."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for suffix in _SIDECARS:
                if check_regular(self._beside(suffix)) is not None:
                    make_private(self._beside(suffix))
            make_private(self.path)
        except OSError as error:
            return self._connect_read_only(error)
        last_try = time.monotonic() + self._BUSY_SECONDS
        connection = sqlite3.connect(self.path, timeout=self._BUSY_SECONDS)
        connection.text_factory = bytes  # a text that is not UTF-8 is a damaged row, and no error of all rows
        try:
            self._use_wal(connection, last_try)
            connection.execute(f"PRAGMA busy_timeout={max(0, int(1000 * (last_try - time.monotonic())))}")
            connection.execute("PRAGMA synchronous=NORMAL")
            for statement in self._SCHEMA.split(";"):
                connection.execute(statement)
        except sqlite3.Error as error:
            connection.close()
            if _code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                return self._connect_read_only(error)
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection, last_try: float) -> None:
        """Switch to WAL mode, which, other than most statements, does not wait for other users of the file."""
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > last_try:
                    raise
                time.sleep(_BUSY_WAIT)

    def _connect_read_only(self, error: Exception) -> sqlite3.Connection:
        try:
            is_there = check_regular(self.path) is not None
        except OSError as unsafe:
            is_there, error = False, unsafe
        self._pause_writing(error)
        if not is_there:
            raise sqlite3.OperationalError(str(error)) from None
        # "immutable" because a reader may not create the -shm file that WAL needs; checksums guard the rest.
        connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        connection.text_factory = bytes
        return connection

    def _recover(self, error: sqlite3.Error, what: str) -> bool:
        """Set a damaged file aside; otherwise pause. Whether there is a new file to write to."""
        code = _code(error)
        if code in _LOCKED:
            self._locked_until = time.monotonic() + self._PAUSE_SECONDS
            self._warn(f"is locked by another process ({error}); the work goes on without it.")
        if code not in _DAMAGED:
            self._pause_writing(error)
            return False
        aside = self._beside(".corrupt")
        warnings.warn(
            f"The {self._NAME} {self.path} could not be {what} ({error}); it is set aside as {aside.name} and rebuilt.",
            stacklevel=caller_level(),
        )
        try:
            self.path.replace(aside)
            for suffix in _SIDECARS:
                self._beside(suffix).unlink(missing_ok=True)
        except OSError as failure:
            self._pause_writing(failure)
            return False
        return True

    def _pause_writing(self, error: Exception) -> None:
        self._closed_until = time.monotonic() + self._PAUSE_SECONDS
        if isinstance(error, UnsafeCacheFile):
            self._warn(f"cannot be written, since it is not safe ({error}); what is new is not kept.")
        else:
            self._warn(
                f"cannot be written ({error}); what is new is not kept. Free some space, or pass cache= a place that "
                "can be written."
            )

    def _warn(self, what: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(f"The {self._NAME} in {self.path.parent} {what}", stacklevel=caller_level())

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


def _code(error: sqlite3.Error) -> int:
    """The primary code of SQLite; 0 for an error that Python found."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
