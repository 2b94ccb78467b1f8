"""Tables in JSON, as the recommender takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions import TIMESTAMP
from skrec.serving._errors import ServiceError
from skrec.serving._model import ServedModel
from skrec.utils import installed_frame_library


def as_ids(ids: Sequence[Any]) -> Any:
    """Ids as a column: of mixed kinds, none is turned into another."""
    if len({type(value) for value in ids}) <= 1:
        return list(ids)
    column = np.empty(len(ids), dtype=object)
    column[:] = ids
    return column


def as_rows(rows: Sequence[Sequence[Any]]) -> NDArray:
    """Rows of equal length as an array; numbers stay numbers beside text."""
    if all(isinstance(cell, int | float) for row in rows for cell in row):
        return np.array(rows, dtype=float)
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for at, row in enumerate(rows):
        table[at] = row
    return table


def as_pairs(pairs: Sequence[tuple[Any, Any]]) -> NDArray:
    """Pairs of ids as an array; whole numbers stay whole."""
    if all(isinstance(value, int) for pair in pairs for value in pair):
        return np.array(pairs, dtype=np.int64)
    table = np.empty((len(pairs), 2), dtype=object)
    for at, pair in enumerate(pairs):
        table[at] = pair
    return table


def read_context(model: ServedModel, given: Any, n_queries: int) -> Any:
    """The context of queries: one row for all, or a list of one per query; a row is an object or a list of cells.

    Raises
    ------
    ServiceError
        422, where columns or rows are not those of the model.
    """
    if given is None or given == []:
        return None
    if isinstance(given, dict) or not isinstance(given[0], list | dict):
        given = [given]
    if len(given) not in (1, n_queries):
        raise _wrong(
            f"context has {len(given)} rows, and there are {n_queries} queries; pass one row, or one per query."
        )
    if any(isinstance(row, dict) != isinstance(given[0], dict) for row in given):
        raise _wrong("context mixes objects and lists; write each row in the same way.")
    return _named_context(model, given) if isinstance(given[0], dict) else _plain_context(model, given)


def _plain_context(model: ServedModel, rows: list[list[Any]]) -> NDArray:
    if any(len(row) != model.n_context for row in rows):
        raise _wrong(
            f"A row of context has {len(rows[0])} cells; this model has {model.n_context} context columns"
            f"{_names(model)}."
        )
    return as_rows(rows)


def _named_context(model: ServedModel, rows: list[dict[str, Any]]) -> Any:
    columns = model.context_columns
    with_time = TIMESTAMP in rows[0]
    expected = [*columns, TIMESTAMP] if with_time else columns
    for row in rows:
        if set(row) != set(expected) or not columns:
            raise _wrong(
                f"context has the columns {sorted(row)!s:.200}; this model has {model.n_context} context columns"
                f"{_names(model)}. Pass all of them."
            )
    return frame_of(rows, expected)


def frame_of(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Any:
    """Objects as a frame; without a frame library, as an array without names."""
    try:
        backend: Any = installed_frame_library()
    except ImportError:
        return as_rows([[row[name] for name in columns] for row in rows])
    return nw.from_dict({name: [row[name] for row in rows] for name in columns}, backend=backend).to_native()


def _names(model: ServedModel) -> str:
    return f", {model.context_columns}" if model.context_columns else ""


def _wrong(message: str) -> ServiceError:
    return ServiceError(422, "invalid", message, path="context")


def read_history(model: ServedModel, given: list[dict[str, Any]] | None) -> Any:
    """Events that were not in fit, in the order of time, as ``recommend`` takes them."""
    if not given:
        return None
    model.catalogue.check_items(as_ids([event["item"] for event in given]))
    pairs = as_pairs([(event["user"], event["item"]) for event in given])
    values = [event.get("value") for event in given]
    if all(value is None for value in values):
        return pairs
    if any(value is None for value in values):
        raise ServiceError(422, "invalid", "Some events of history have a value and some have none.", path="history")
    return pairs, np.array(values, dtype=float)


def read_features(given: list[dict[str, Any]] | None) -> Any:
    """Features of users: one object per user, all with the same fields."""
    if not given:
        return None
    if any(set(row) != set(given[0]) for row in given):
        message = "The objects of user_features have different fields; give all of them the same."
        raise ServiceError(422, "invalid", message, path="user_features")
    return frame_of(given, list(given[0]))
