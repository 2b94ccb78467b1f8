"""Which frame library to answer in."""

from typing import Any

import narwhals as nw


def installed_frame_library() -> str:
    """The first of pandas, polars and pyarrow that is installed."""
    from importlib.util import find_spec

    for name in ("pandas", "polars", "pyarrow"):
        if find_spec(name) is not None:
            return name
    raise ImportError("A frame needs one of pandas, polars and pyarrow; install one, as with pip install pandas.")


def frame_backend(X: Any) -> str | None:
    """The library of a frame, by the name that narwhals gives it; None for what is no frame."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame.implementation.value if isinstance(frame, nw.DataFrame) else None
