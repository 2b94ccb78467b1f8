"""Files of fitted recommenders: read once, known by their digest, and refused with a reason."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any, overload

from skrec.persistence import allow_external as activate
from skrec.persistence import external_access, skops_trusted_types
from skrec.serving._errors import ModelFileError

_logger = logging.getLogger("skrec.serving")
_ZIP = b"PK\x03\x04"
_DIGITS = 16


@dataclass(frozen=True)
class ModelFile:
    """What a file held.

    Attributes
    ----------
    recommender : fitted recommender
    digest : str
        The first 16 digits of the SHA-256 of the bytes.
    modified : float
        When the file was written, in seconds since 1970.
    """

    recommender: Any
    digest: str
    modified: float


@overload
def read_model(path: Any, *, allow_pickle: bool = ..., allow_external: bool = ...) -> ModelFile: ...
@overload
def read_model(path: Any, *, allow_pickle: bool = ..., allow_external: bool = ..., unless: str) -> ModelFile | None: ...
def read_model(
    path: str | PathLike[str],
    *,
    allow_pickle: bool = False,
    allow_external: bool = False,
    unless: str | None = None,
) -> ModelFile | None:
    """Load the recommender of a file, and ask it for one list; None where the digest is ``unless``.

    Raises
    ------
    ModelFileError
        If there is no file, if it is damaged, of a newer version, or of a kind that is not allowed, or if it holds no
        fitted recommender.
    """
    data, modified = read_bytes(path)
    digest = digest_of(data)
    if digest == unless:
        return None
    recommender = _loaded(path, data, allow_pickle)
    if not hasattr(recommender, "recommend"):
        raise ModelFileError(
            f"{path} holds a {type(recommender).__name__}, which has no recommend(): save a fitted recommender."
        )
    if allow_external:
        activate(recommender)
    elif data.startswith(_ZIP) and (inactive := external_access(recommender)):
        _logger.warning(
            "the model of %s is to %s. What a skops file would reach is inactive: calls that need it, such as texts "
            "in /search, /recommend and /converse, are refused (422 not_allowed). Lists from histories do not need it. "
            "If you trust the file, allow it by --allow-external (allow_external=True).",
            path,
            "; ".join(inactive),
        )
    _try(path, recommender)
    return ModelFile(recommender, digest, modified)


def _try(path: Any, recommender: Any) -> None:
    """Ask for one list: what cannot answer is found before it is served, and compiled code is loaded."""
    try:
        recommender.recommend(recommender.users_[:1], k=1)
    except Exception as error:
        raise ModelFileError(f"{path} gives no list: {type(error).__name__}: {error!s:.500}") from error


def read_bytes(path: str | PathLike[str]) -> tuple[bytes, float]:
    """The bytes of a file, and when it was written."""
    try:
        with open(path, "rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime
    except OSError as error:
        raise ModelFileError(f"The model file {path} cannot be read: {error.strerror}.") from None


def digest_of(data: bytes) -> str:
    """What a file is known by."""
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def _loaded(path: Any, data: bytes, allow_pickle: bool) -> Any:
    if data.startswith(_ZIP):
        return _by(_skops, path, data)
    if not allow_pickle:
        raise ModelFileError(
            f"{path} is no skops file. If it is of pickle or joblib, it can run any code when it is loaded: allow that "
            "(--allow-pickle) only for files that you wrote yourself, or save it by skops.io.dump."
        )
    return _by(_joblib, path, data)


def _by(load: Callable[[bytes], Any], path: Any, data: bytes) -> Any:
    try:
        return load(data)
    except ImportError as error:
        raise ModelFileError(f"{path} needs a package that is not installed: {error}.") from error
    except Exception as error:  # what a damaged file raises depends on its bytes
        said = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{path} cannot be loaded. {said[:1000]}") from error


def _skops(data: bytes) -> Any:
    import skops.io

    return skops.io.loads(data, trusted=skops_trusted_types())


def _joblib(data: bytes) -> Any:
    import joblib

    return joblib.load(io.BytesIO(data))
