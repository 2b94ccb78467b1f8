"""Features that a user of the library adds."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone


def fit_hook(hook: Any, frame: Any, labels: NDArray) -> Any:
    """A fitted clone of a transformer; a function as it is."""
    if not hasattr(hook, "transform"):
        return hook
    return clone(hook).fit(frame, labels)


def hook_columns(hook: Any, frame: Any, n_pairs: int) -> dict[str, NDArray[np.float32]]:
    """The columns that a function or a fitted transformer makes from the frame of pairs.

    Raises
    ------
    ValueError
        If there is not one row per pair, or a column holds no numbers.
    """
    found = hook.transform(frame) if hasattr(hook, "transform") else hook(frame)
    table = nw.from_native(found, eager_only=True, pass_through=True, allow_series=True)
    if isinstance(table, nw.Series):
        table = table.to_frame()
    if isinstance(table, nw.DataFrame):
        names = [str(name) for name in table.columns]
        columns = [table[:, j].to_numpy() for j in range(table.shape[1])]
        n_rows = table.shape[0]
    else:
        array = np.asarray(found.toarray() if hasattr(found, "toarray") else found)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise ValueError(f"features gave an array of shape {array.shape}; return one row per pair.")
        names = [f"feature{j}" for j in range(array.shape[1])]
        columns, n_rows = list(array.T), len(array)
    if n_rows != n_pairs:
        raise ValueError(f"features gave {n_rows} rows for {n_pairs} pairs; return one row per row of the frame.")
    try:
        return {name: column.astype(np.float32) for name, column in zip(names, columns, strict=True)}
    except (TypeError, ValueError):
        raise ValueError("features gave a column that holds no numbers; encode it, or leave it out.") from None
