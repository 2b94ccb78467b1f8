"""Context columns become a float32 matrix: one row per event in fit, one row per query later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions._events import without_timestamp
from skrec.interactions._plain_input import WIDE_INTEGERS, as_frame, errors_name, plain_array
from skrec.interactions._types import Table
from skrec.utils import check_array, check_kind, check_number, check_texts


@dataclass
class ContextColumns:
    """The context that a model was fitted on.

    Attributes
    ----------
    model : str
        Name of the recommender, for messages.
    names : list of str, or None
        Names of the columns, where X was a frame.
    mean : float32 array of shape (n_context,)
        Mean over the events of fit: the context of a query that gives none.
    n_events : int
        Events that the mean is taken over.
    """

    model: str
    names: list[str] | None
    mean: NDArray[np.float32]
    n_events: int

    @classmethod
    def fit(cls, context: Table, model: str) -> "tuple[ContextColumns, NDArray[np.float32]]":
        """Read the context columns of X in fit."""
        frame = _as_frame(context)
        matrix = _matrix(context, "X", model)
        names = None if frame is None else [str(name) for name in frame.columns]
        return cls(model, names, _mean(matrix), len(matrix)), matrix

    def read_events(self, context: Table) -> NDArray[np.float32]:
        """The context columns of a later X, whose names were checked with those of the ids."""
        return _matrix(context, "X", self.model)

    def with_events(self, matrix: NDArray[np.float32]) -> "ContextColumns":
        """The same columns, with the events of ``partial_fit`` in the mean."""
        total = self.n_events + len(matrix)
        mean = self.mean + (_mean(matrix) - self.mean) * np.float32(len(matrix) / total)
        return ContextColumns(self.model, self.names, mean, total)

    def read_queries(self, context: Table | None, n_queries: int) -> NDArray[np.float32]:
        """One row per query, from one row per query, one row for all, or None (the training mean).

        Raises
        ------
        ValueError
            If rows or columns do not fit.
        """
        if context is None:
            return np.broadcast_to(self.mean, (n_queries, len(self.mean)))
        check_rows(context, n_queries)
        matrix = _matrix(self._in_fitted_order(context), "context", self.model)
        if matrix.shape[1] != len(self.mean):
            raise ValueError(
                f"context has {matrix.shape[1]} columns, but the X of fit had {len(self.mean)} context columns"
                f"{f' ({self._listed(self.names)})' if self.names else ''}; pass these."
            )
        return np.broadcast_to(matrix, (n_queries, matrix.shape[1]))

    def _in_fitted_order(self, context: Any) -> Any:
        frame = _as_frame(context)
        if frame is None:
            return context
        frame = without_timestamp(frame)
        if self.names is not None:
            check_names(frame.columns, self.names, "context")
            if list(frame.columns) != self.names:
                frame = frame[:, [list(frame.columns).index(name) for name in self.names]]
        return frame.to_native()

    @staticmethod
    def _listed(names: list[str]) -> str:
        return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def check_context(value: object, name: str) -> int:
    """Check loaded context columns, and return their number.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ContextColumns)
    assert isinstance(value, ContextColumns)
    check_array(value.mean, f"{name}.mean", (None,), dtype=np.float32)
    check_kind(value.model, f"{name}.model", str)
    if value.names is not None:
        check_texts(value.names, f"{name}.names", len(value.mean), optional=False)
    check_number(value.n_events, f"{name}.n_events", 1, whole=True)
    return len(value.mean)


def check_rows(context: Table, n_queries: int) -> None:
    """Check that there is one row per query, or one for all.

    Raises
    ------
    ValueError
        If ``context`` is not a table, or has the wrong number of rows.
    """
    shape = _shape(context)
    if len(shape) != 2:
        raise ValueError(
            f"context has {len(shape)} dimension(s); pass a table with one row per user, or one row for all: "
            "[[8.5, 1.0]] and not [8.5, 1.0]."
        )
    if shape[0] not in (1, n_queries):
        raise ValueError(
            f"context has {shape[0]} rows for {n_queries} users; pass one row per user, or one row for all."
        )


def _shape(context: Any) -> tuple[int, ...]:
    if isinstance(context, np.ndarray):
        return context.shape
    if isinstance(context, Mapping) or (
        isinstance(context, list | tuple) and isinstance(next(iter(context), None), Mapping)
    ):
        raise ValueError(
            "context is a dict or a list of dicts; make a frame of it, with one row per user or one row for all: "
            "pandas.DataFrame([{'hour': 8.5, 'home': True}])."
        )
    if sp.issparse(context):
        raise ValueError("context is a sparse matrix; pass context.toarray().")
    if not isinstance(context, list | tuple):
        with errors_name("context"):
            frame = nw.from_native(context, pass_through=True)
        if isinstance(frame, nw.LazyFrame):
            raise ValueError("context is a lazy frame; pass context.collect().")
    try:
        return np.shape(context)
    except ValueError:
        raise ValueError(
            f"context has rows of {sorted({np.size(row) for row in context})} cells; every row needs one cell per "
            "column."
        ) from None


def check_names(given: Sequence[str], expected: list[str], what: str) -> None:
    """The columns of fit, in any order.

    Raises
    ------
    ValueError
        Naming those that are missing and those that are extra.
    """
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    if missing or extra:
        wrong = [f"lacks {missing}"] * bool(missing) + [f"has {extra}, which X did not have in fit"] * bool(extra)
        raise ValueError(f"{what} {' and '.join(wrong)}; pass the context columns of X: {expected}.")


def _as_frame(context: Any) -> nw.DataFrame | None:
    return as_frame(context, "context")


def _mean(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return matrix.mean(axis=0, dtype=np.float64).astype(np.float32)


@np.errstate(over="ignore")
def _matrix(context: Any, what: str, model: str) -> NDArray[np.float32]:
    """A table of numbers as float32.

    Raises
    ------
    ValueError
        If a column is not numeric, or holds NaN or infinity.
    """
    frame = _as_frame(context)
    if frame is not None:
        for name, dtype in frame.schema.items():
            if not (dtype.is_numeric() or dtype == nw.Boolean):
                raise _needs_encoder(what, f"column {name!r} holds {dtype}", model)
        wide = [nw.col(name).cast(nw.Float64) for name, dtype in frame.schema.items() if dtype in WIDE_INTEGERS]
        matrix = np.ascontiguousarray((frame.with_columns(wide) if wide else frame).to_numpy(), dtype=np.float32)
    else:
        array = plain_array(np.asanyarray(context), what)
        if array.dtype.kind == "c":
            raise ValueError(f"Complex data not supported: {what} must have real numbers.")
        if array.ndim != 2:
            raise TypeError(f"{what} is a {type(context).__name__}; pass context as a frame, an array or rows.")
        matrix = _to_float32(array, what, model)
    is_fit = np.isfinite(matrix).all(axis=0)
    if not is_fit.all():
        unfit = int(np.argmin(is_fit))
        name = f"context column {unfit}" if frame is None else f"column {frame.columns[unfit]!r}"
        raise ValueError(
            f"{what}: {name} contains NaN or infinity (as float32). Put ContextEncoder() before {model}, which gives "
            "missing values a place, or fill or drop them."
        )
    return matrix


def _to_float32(array: NDArray, what: str, model: str) -> NDArray[np.float32]:
    if array.dtype.kind in "biuf":
        return array.astype(np.float32, order="C")
    matrix = np.empty(array.shape, np.float32)
    for j in range(array.shape[1]):
        try:
            matrix[:, j] = array[:, j]
        except (TypeError, ValueError):
            found = f"context column {j} holds {_first_other(array[:, j])!r}"
            raise _needs_encoder(what, found, model) from None
    return matrix


def _first_other(values: NDArray) -> Any:
    for value in values.tolist():
        try:
            float(value)
        except (TypeError, ValueError):
            return value
    return values.dtype


def _needs_encoder(what: str, found: str, model: str) -> ValueError:
    return ValueError(
        f"{what}: {found}, which is not numeric, and {model} takes context as numbers. Put ContextEncoder() before "
        f"it, as in skrec.pipeline.make_pipeline(ContextEncoder(), {model}()) (from skrec.feature_extraction import "
        "ContextEncoder), or drop the column."
    )
