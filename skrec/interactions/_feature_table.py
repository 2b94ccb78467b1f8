"""Tables of item and user features, split into ids and values."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions._columns import Column, as_column, factorize
from skrec.interactions._plain_input import as_frame, check_is_table, plain_array
from skrec.interactions._types import FeatureMatrix, Frame, Ids


class FeatureTable:
    """A table of item or user features that cross-validation passes on whole.

    Cross-validation slices every fit parameter that has as many rows as X. This wrapper has no length and
    no shape, so that it never looks like one.

    Parameters
    ----------
    table : frame, or pair (ids, matrix)
        The first column of a frame is the id; a pair holds n ids and a dense or sparse matrix of n rows.

    Examples
    --------
    >>> from skrec.interactions import FeatureTable
    >>> books = FeatureTable((["b1", "b2"], [[1.0, 0.0], [0.0, 1.0]]))
    >>> books.table[0]
    ['b1', 'b2']
    """

    def __init__(self, table: Frame | tuple[Ids, FeatureMatrix]) -> None:
        self.table: Any = table

    def __repr__(self) -> str:
        return f"FeatureTable({type(self.table).__name__})"


FeatureSource: TypeAlias = Frame | tuple[Ids, FeatureMatrix] | FeatureTable


@dataclass
class Features:
    """A feature table split in two: ids and, in the same order, a frame or a matrix."""

    ids: Column
    values: Any
    is_bare_frame: bool

    def __len__(self) -> int:
        return len(self.ids)


def read_features(table: FeatureSource, what: str) -> Features:
    """Split a feature table into ids and values.

    Raises
    ------
    TypeError
        If ``table`` is neither a frame, nor a pair, nor a :class:`FeatureTable`.
    ValueError
        If it has duplicate ids, no rows, no feature column, or ids and matrix of different lengths.
    """
    wrapped = isinstance(table, FeatureTable)
    inner: Any = table.table if isinstance(table, FeatureTable) else table
    frame = as_frame(inner, what)
    if frame is not None:
        if frame.shape[1] < 2:
            raise ValueError(f"{what} has {frame.shape[1]} column(s); expected the id and at least one feature.")
        features = Features(frame[:, 0], frame[:, 1:].to_native(), not wrapped)
    elif isinstance(inner, tuple) and len(inner) == 2:
        matrix: Any = inner[1] if sp.issparse(inner[1]) else _two_dimensional(inner[1], what)
        features = Features(as_column(inner[0], f"{what} ids"), matrix, False)
        if features.values.shape[0] != len(features.ids):
            raise ValueError(
                f"{what} has {len(features.ids)} ids and a matrix of {features.values.shape[0]} rows; "
                "pass one row per id."
            )
    else:
        raise TypeError(
            f"{what} must be a frame whose first column is the id, a pair (ids, matrix), or a FeatureTable of "
            f"one of them; got {type(inner).__name__}."
        )
    if not len(features):
        raise ValueError(f"{what} has no rows; pass None for no features.")
    uniques, inverse = factorize(features.ids, f"{what} ids")
    if len(uniques) < len(features):
        twice = uniques[np.flatnonzero(np.bincount(inverse) > 1)[:3]]
        raise ValueError(
            f"{what} has {len(features) - len(uniques)} duplicate ids, as {', '.join(map(repr, twice.tolist()))}; "
            "keep one row per id."
        )
    return features


def feature_names(features: Features) -> tuple[str, ...]:
    """Names of the id column and of the feature columns; none where the table was no frame."""
    frame = nw.from_native(features.values, eager_only=True, pass_through=True)
    if not isinstance(features.ids, nw.Series) or not isinstance(frame, nw.DataFrame):
        return ()
    return (str(features.ids.name), *map(str, frame.columns))


def _two_dimensional(matrix: Any, what: str) -> NDArray:
    check_is_table(matrix, what, "a pair (ids, matrix), with a matrix of one row per id")
    try:
        matrix = plain_array(np.asanyarray(matrix), what)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"{what}: the rows of the matrix have different lengths; pass one cell per feature.") from None
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise ValueError(f"{what}: the matrix must have two dimensions and a column; got shape {matrix.shape}.")
    return matrix
