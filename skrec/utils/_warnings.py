"""Warnings that point at the code of the caller."""

import sys
from types import FrameType

# What stands between two of our frames: decorated methods, cached steps of a pipeline, and the calls of functions.
_BETWEEN = ("skrec", "sklearn", "contextlib", "functools", "joblib")


def caller_level() -> int:
    """``stacklevel`` of the first frame outside of this library and of what calls it, for ``warnings.warn``."""
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame = frame.f_back
        level += 1
    return level
