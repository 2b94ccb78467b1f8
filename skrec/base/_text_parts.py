"""Which columns of an encoded item table stand for text, where it also has numbers and categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import get_tags

from skrec.utils import Matrix, first_step, is_column_transformer, is_pipeline

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


def text_columns(encoder: Any) -> NDArray[np.int64] | None:
    """Columns of the output of a fitted encoder that are made of text; None for all.

    An encoder of its own says so by ``text_columns_``. Behind further steps of a pipeline, text is in all columns.
    """
    encoder = only_step(encoder)
    if is_column_transformer(encoder):
        return np.concatenate([columns for _, columns, _ in text_parts(encoder)] or [np.zeros(0, np.int64)])
    return getattr(encoder, "text_columns_", None)


def text_part(encoder: Any, matrix: Matrix) -> Matrix:
    """The columns of encoded items that are made of text."""
    columns = text_columns(encoder)
    return matrix if columns is None else matrix[:, columns]


def only_step(encoder: Any) -> Any:
    """The step of a pipeline that has one; anything else as it is."""
    steps = effective_steps(encoder)
    return only_step(steps[0]) if is_pipeline(encoder) and len(steps) == 1 else encoder


def effective_steps(encoder: Any) -> list[Any]:
    """The steps of a pipeline that change what passes through."""
    steps = [step for _, step in encoder.steps] if is_pipeline(encoder) else [encoder]
    return [step for step in steps if step not in (None, "passthrough")]


def text_parts(encoder: ColumnTransformer) -> list[tuple[Any, NDArray[np.int64], float]]:
    """The fitted parts of a ColumnTransformer that read text, with their output columns and weights."""
    weights = encoder.transformer_weights or {}
    parts = []
    for name, part, _ in encoder.transformers_:
        place = encoder.output_indices_[name]
        if place.stop > place.start and _reads_lists_of_texts(part):
            parts.append((part, np.arange(place.start, place.stop), float(weights.get(name, 1.0))))
    return parts


def _reads_lists_of_texts(part: Any) -> bool:
    first = first_step(part)
    if hasattr(first, "encode") or hasattr(first, "encode_query"):
        return True
    return hasattr(first, "__sklearn_tags__") and not get_tags(first).input_tags.two_d_array
