"""An event log taken apart by columns, and put together again with its context as numbers."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions import TIMESTAMP, Column, read_events


@dataclass
class EventColumns:
    """The columns of X.

    Attributes
    ----------
    ids : frame of the two ids, and ``timestamp`` where there is one, or ndarray of shape (n_events, 2)
    id_names : list of str
        Without ``timestamp``.
    timestamp : Series or None
    context : dict from name to Series or 1-D ndarray
    """

    ids: Any
    id_names: list[str]
    timestamp: nw.Series | None
    context: dict[str, Column]

    @classmethod
    def read(cls, X: Any, encoder: Any, reset: bool) -> "EventColumns":
        """Take X apart, with scikit-learn's checks of its shape and names."""
        events = read_events(X, estimator=encoder, reset=reset)
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        names = getattr(encoder, "feature_names_in_", None)
        if names is None:
            names = [f"x{j}" for j in range(encoder.n_features_in_)]
        names = [str(name) for name in names]
        if not isinstance(frame, nw.DataFrame):
            ids = np.column_stack([events.users, events.items])
            columns = [] if events.context is None else list(events.context.T)
            return cls(_checked_objects(ids), names[:2], None, dict(zip(names[2:], columns, strict=True)))
        positions = [j for j, name in enumerate(frame.columns) if name != TIMESTAMP]
        context = {name: frame[:, j] for name, j in zip(names[2:], positions[2:], strict=True)}
        first = positions[:2]
        timestamp = None
        if TIMESTAMP in frame.columns:
            timestamp = frame[TIMESTAMP]
            first = [*first, frame.columns.index(TIMESTAMP)]
        return cls(frame[:, first], names[:2], timestamp, context)

    def __len__(self) -> int:
        return len(self.ids)


def _checked_objects(ids: NDArray) -> NDArray:
    if ids.dtype.kind == "O":
        for cell in ids.ravel().tolist():
            if isinstance(cell, dict | list | set):
                raise TypeError(
                    f"X contains a {type(cell).__name__} as an id; each id argument must be a hashable scalar: a "
                    "string or a number."
                )
    return ids


def distinct_names(names: list[str], taken: set[str]) -> list[str]:
    """Names with a number behind those that are taken: frames allow each name once."""
    found = []
    taken = set(taken)
    for name in names:
        name = name.encode("utf-8", "replace").decode()  # no frame takes half a surrogate pair
        free = next(n for n in (name, *(f"{name}_{i}" for i in range(2, len(names) + 3))) if n not in taken)
        taken.add(free)
        found.append(free)
    return found


def join(events: EventColumns, matrix: NDArray, names: list[str], library: str | None) -> Any:
    """Ids, ``timestamp`` and features as one table.

    Parameters
    ----------
    events : EventColumns
    matrix : array of shape (n_events, n_features), of float32 or of texts
    names : list of str
    library : {"pandas", "polars"} or None
        The kind of table; None is that of ``events``.
    """
    if not isinstance(events.ids, nw.DataFrame):
        array = _join_arrays(events.ids, matrix)
        return array if library is None else _to_frame(array, [*events.id_names, *names], library)
    parts = events.ids
    new_names = dict(zip(parts.columns, events.id_names, strict=False))
    renamed = {old: new for old, new in new_names.items() if old != new}
    parts = parts.rename(renamed) if renamed else parts
    if library not in (None, parts.implementation.value):
        columns = {name: parts[name].to_list() for name in parts.columns}
        parts = nw.from_dict(columns, backend=library)  # type: ignore[arg-type]
    if not names:
        return parts.to_native()
    features = nw.from_native(_to_frame(matrix, names, parts.implementation), eager_only=True)
    if parts.implementation.is_pandas():
        features.to_native().index = parts.to_native().index  # or rows would be matched by their labels
    return nw.concat([parts, features], how="horizontal").to_native()


def _join_arrays(ids: NDArray, features: NDArray) -> NDArray:
    """One array: of floats where both are numeric, else of objects.

    Raises
    ------
    ValueError
        If an integer id is too large for a float.
    """
    if not features.shape[1]:
        return ids
    numeric = ids.dtype.kind in "iufb" and features.dtype.kind == "f"
    joined = np.hstack([part if numeric else part.astype(object) for part in (ids, features)])
    check_ids_survive(ids, joined)
    return joined


def check_ids_survive(ids: NDArray, joined: NDArray) -> None:
    """Refuse integers that a float rounds."""
    if ids.dtype.kind not in "iu" or joined.dtype.kind != "f":
        return
    limit = 2 ** (np.finfo(joined.dtype).nmant + 1)
    # abs() of the smallest int64 overflows
    if len(ids) and (ids.max() > limit or (ids.dtype.kind == "i" and ids.min() < -limit)):
        largest = ids.flat[int(np.argmax(np.abs(ids.astype(float))))]
        raise ValueError(
            f"X is an array of integers with the id {largest}, which a float column beside it would round. Pass a "
            "frame, whose columns keep their types, or an array of dtype=object."
        )


def _to_frame(array: NDArray, names: list[str], library: Any) -> Any:
    if array.dtype.kind == "O":
        columns = {name: array[:, j].tolist() for j, name in enumerate(names)}
        return nw.from_dict(columns, backend=library).to_native()
    return nw.from_numpy(array, schema=names, backend=library).to_native()
