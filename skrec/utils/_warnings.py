"""Warnings that point at the code of the caller."""

import sys
from types import FrameType


def caller_level() -> int:
    """``stacklevel`` of the first frame outside of this library and of scikit-learn, for ``warnings.warn``."""
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("skrec", "sklearn"):
        frame = frame.f_back
        level += 1
    return level
