"""The data home, and downloads that are whole or not there."""

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["clear_data_home", "get_data_home"]

PathLike = str | os.PathLike[str]
_TIMEOUT = 60.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes
    ----------
    url : str
    name : str
        Its name below the data home.
    md5 : str or None
        The checksum its publisher gives; None where none is published. Then the announced length is checked
        here, and the content by whoever reads it.
    """

    url: str
    name: str
    md5: str | None = None


def get_data_home(data_home: PathLike | None = None) -> str:
    """Return the folder of downloaded data, and make it where it is missing.

    Parameters
    ----------
    data_home : path-like, default=None
        The folder. None means the environment variable ``SKREC_DATA_HOME``, else ``~/skrec_data``.

    Returns
    -------
    str

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import get_data_home
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.path.isdir(get_data_home(os.path.join(folder, "data")))
    True
    """
    folder = Path(data_home or os.environ.get("SKREC_DATA_HOME") or "~/skrec_data").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def clear_data_home(data_home: PathLike | None = None) -> None:
    """Delete the folder of downloaded data, with all that is in it.

    Parameters
    ----------
    data_home : path-like, default=None
        As in :func:`get_data_home`.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import clear_data_home, get_data_home
    >>> folder = get_data_home(os.path.join(tempfile.mkdtemp(), "data"))
    >>> clear_data_home(folder)
    >>> os.path.exists(folder)
    False
    """
    shutil.rmtree(get_data_home(data_home))


def fetch_file(
    remote: RemoteFile,
    data_home: PathLike | None,
    download_if_missing: bool,
    hint: str,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Path of a file in the data home, downloaded where it is missing.

    A download goes to a temporary file beside its place and is moved there when it is whole and right, so
    that a broken one leaves nothing behind.

    Parameters
    ----------
    hint : str
        What to do where there is no network; ends the message of every error.
    check : callable, optional
        Looks at the content of a download, and raises where it is not what was asked for.

    Raises
    ------
    OSError
        If the file is missing and must not, or cannot, be downloaded, or comes truncated or changed.
    """
    home = Path(get_data_home(data_home))
    path = home / remote.name
    if path.exists():
        return path
    if not download_if_missing:
        raise OSError(f"{remote.name} is not in {home} and download_if_missing=False. {hint}")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _download(remote, file, hint)
        if check is not None:
            _check(remote, check, temporary, hint)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def check_zip(path: Path) -> None:
    """Raise where an archive, or a file in it, is damaged."""
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise ValueError(f"{broken} in it is damaged")


def _check(remote: RemoteFile, check: Callable[[Path], None], path: Path, hint: str) -> None:
    try:
        check(path)
    except Exception as error:
        raise OSError(f"{remote.url} is not the file that was expected ({error}); nothing was kept. {hint}") from error


def _download(remote: RemoteFile, file: IO[bytes], hint: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    received = 0
    try:
        with urllib.request.urlopen(remote.url, timeout=_TIMEOUT) as response:
            announced = response.headers.get("Content-Length")
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                received += len(chunk)
                file.write(chunk)
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"{remote.url} answered {error.code} {error.reason}. {hint}") from error
    except (OSError, http.client.HTTPException) as error:
        raise OSError(f"{remote.url} could not be reached ({getattr(error, 'reason', error)}). {hint}") from error
    if announced is not None and received != int(announced):
        raise OSError(
            f"{remote.url} broke off after {received} of {announced} bytes; nothing was kept. Try again. {hint}"
        )
    if remote.md5 is not None and digest.hexdigest() != remote.md5:
        raise OSError(
            f"{remote.url} has MD5 {digest.hexdigest()}, but {remote.md5} is published; nothing was kept. The file "
            f"was changed on its way or at its source. {hint}"
        )


def find_folder(folder: PathLike, name: str, landmarks: list[list[str]]) -> Path:
    """``folder``, or the folder ``name`` in it: the one that holds every file of one list of landmarks.

    Raises
    ------
    FileNotFoundError
        If neither does.
    """
    root = Path(folder).expanduser()
    for place in (root, root / name):
        if any(all((place / file).is_file() for file in files) for files in landmarks):
            return place
    if not root.is_dir():
        raise FileNotFoundError(f"folder={str(folder)!r} is not a folder.")
    wanted = " or ".join(" and ".join(files) for files in landmarks)
    found = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise FileNotFoundError(f"folder={str(folder)!r} must hold {wanted}, itself or in {name!r}; it holds {found}.")
