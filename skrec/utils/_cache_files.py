"""Files of a cache: the owner's alone, never followed through a link."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o600
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class UnsafeCacheFile(OSError):
    """A file of a cache is a link, not a regular file, or someone else's and open to others."""


def check_regular(path: Path) -> os.stat_result | None:
    """The status of a cache file; None if there is none yet. Folders may be links, the file itself may not.

    Raises
    ------
    UnsafeCacheFile
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise UnsafeCacheFile(f"{path.name} is a link; pass the file that it points to, or remove it")
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeCacheFile(f"{path.name} is not a regular file")
    return status


def make_private(path: Path) -> None:
    """Create a cache file, or check it, so that its owner alone can read it.

    An existing file is never opened here: to close it again would free the locks that SQLite has on it.

    Raises
    ------
    UnsafeCacheFile
        If others can read or write it, and its permissions cannot be changed.
    OSError
        If it cannot be created.
    """
    status = check_regular(path)
    if status is None:
        with suppress(FileExistsError):
            os.close(os.open(path, _FLAGS | os.O_EXCL, OWNER_ONLY))
    elif os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        try:
            os.chmod(path, OWNER_ONLY)
        except OSError as error:
            why = f"others can read {path.name}, and its permissions cannot be changed: {error}"
            raise UnsafeCacheFile(why) from None
