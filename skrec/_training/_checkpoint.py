"""The state of a training run in a file: written whole or not at all, and read without running code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec._training._settings import TrainerSettings

_FORMAT = 3


def write_checkpoint(settings: TrainerSettings, state: dict[str, Any]) -> None:
    """Replace the checkpoint file of a run in one step."""
    import torch

    assert settings.checkpoint is not None
    path = Path(settings.checkpoint)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            torch.save({"format": _FORMAT, "settings": settings.compared(), **state}, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_checkpoint(settings: TrainerSettings) -> dict[str, Any] | None:
    """The state that a run continues from; None where there is no file.

    Raises
    ------
    ValueError
        If the file is damaged, or of a run with other parameters or data.
    """
    import torch

    if settings.checkpoint is None or not Path(settings.checkpoint).exists():
        return None
    what = f"checkpoint={settings.checkpoint!r}"
    try:
        state = torch.load(settings.checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise ValueError(
            f"{what} cannot be read ({type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}); "
            "delete the file to train from the beginning."
        ) from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT or not isinstance(state.get("settings"), dict):
        raise ValueError(f"{what} is no checkpoint of this version of skrec; delete it, or pass another path.")
    here, there = settings.compared(), state["settings"]
    different = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if different:
        name = different[0]
        raise ValueError(
            f"{what} is of a run with other {', '.join(different)} ({name}={there.get(name)} there, {here.get(name)} "
            "here); fit with the same parameters and data, or delete the file to train from the beginning."
        )
    return state


def forget_checkpoint(path: str | None) -> None:
    """Delete the file of a run that is over."""
    if path is not None:
        with suppress(OSError):
            Path(path).unlink(missing_ok=True)


def digest_of(arrays: Iterable[NDArray | None]) -> str:
    """What a fingerprint tells data by."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
