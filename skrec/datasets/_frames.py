"""Tables in the caller's frame library, or in NumPy."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FrameName = Literal["auto", "pandas", "polars", "pyarrow"] | None
FRAMES = ("pandas", "polars", "pyarrow")


def resolve_frame(frame: FrameName) -> str | None:
    """The frame library to use: ``"auto"`` is the first installed of pandas, polars and pyarrow, else None.

    Raises
    ------
    ValueError
        If ``frame`` names no frame library.
    ImportError
        If it names one that is not installed.
    """
    if frame is None:
        return None
    if frame == "auto":
        return next((name for name in FRAMES if find_spec(name) is not None), None)
    if frame not in FRAMES:
        raise ValueError(f"frame must be 'auto', {', '.join(map(repr, FRAMES))} or None; got {frame!r}.")
    if find_spec(frame) is None:
        raise ImportError(f"frame={frame!r} needs {frame}: pip install {frame}, or pass frame=None for NumPy.")
    return frame


def make_table(columns: Mapping[str, Any], frame: str) -> Any:
    """A frame of the given columns, in their order."""
    if frame == "pandas":
        import pandas as pd

        return pd.DataFrame(dict(columns))
    if frame == "polars":
        import polars as pl

        return pl.DataFrame(dict(columns))
    import pyarrow as pa

    return pa.table(dict(columns))


def make_events(users: NDArray, items: NDArray, timestamps: NDArray | None, frame: str | None) -> Any:
    """The table X; without a frame library an array of ids alone, because only a frame has a named time."""
    if frame is None:
        return np.column_stack([users, items])
    columns = {"user": users, "item": items}
    if timestamps is not None:
        columns["timestamp"] = timestamps
    return make_table(columns, frame)


def make_features(columns: Mapping[str, Any], frame: str | None) -> Any:
    """A feature table; without a frame library the pair ``(ids, matrix)``."""
    if frame is not None:
        return make_table(columns, frame)
    first, *others = (np.asarray(column) for column in columns.values())
    matrix = np.empty((len(first), len(others)), dtype=object)
    for j, column in enumerate(others):
        matrix[:, j] = column.tolist()
    return first, matrix
