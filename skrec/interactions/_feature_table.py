"""Tables of item and user features, split into ids and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions._columns import Column, as_column, factorize
from skrec.interactions._plain_input import as_frame, check_is_table, plain_array
from skrec.interactions._types import FeatureMatrix, Frame, Ids
from skrec.utils import is_missing_value

_LISTS = (list, tuple, np.ndarray)


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


def read_categories(
    table: FeatureSource, what: str, *, may_be_empty: bool = False
) -> tuple[Column, sp.csr_array, list[str]]:
    """The categories of items, as genres: one or several per item, with weights or without.

    Parameters
    ----------
    table : frame, pair (ids, values) or FeatureTable
        A frame has the id in its first column. One further column holds a category per item or a list of them, and
        several hold numbers: a weight of at least 0 for each category. The values of a pair are the same: a list of
        categories or of lists of texts, or a dense or sparse matrix of weights with a column per category.
    what : str
        Name of the argument, for messages.
    may_be_empty : bool, default=False
        Whether to allow a table without a category for any item.

    Returns
    -------
    ids : Column
    weights : csr_array of shape (n_ids, n_categories)
        Rows sum to 1; a row is empty where an item has no category.
    names : list of str
        Of the categories; their numbers where the weights come without names.

    Raises
    ------
    TypeError, ValueError
        As :func:`read_features`, and if there is no category, or a weight that is negative or no number.
    """
    inner: Any = table.table if isinstance(table, FeatureTable) else table
    frame = as_frame(inner, what)
    if frame is not None:
        ids = read_features(inner, what).ids
        if frame.shape[1] == 2:
            weights, names = _weights_of_names(frame[:, 1].to_list(), what)
        else:
            weights, names = _read_weights(frame[:, 1:].to_numpy(), what), [str(name) for name in frame.columns[1:]]
    elif (cells := _cells_of_pair(inner)) is not None:
        ids = read_features((inner[0], np.zeros((len(cells), 1))), what).ids
        weights, names = _weights_of_names(cells, what)
    else:
        features = read_features(table, what)
        ids, weights = features.ids, _read_weights(features.values, what)
        names = [str(at) for at in range(weights.shape[1])]
    totals = np.asarray(weights.sum(axis=1)).ravel()
    if not totals.any() and not may_be_empty:
        raise ValueError(f"{what} has no category for any item; give each item one category, or several.")
    weights.data /= np.repeat(totals, np.diff(weights.indptr))
    return ids, weights, names


def _cells_of_pair(pair: Any) -> list[Any] | None:
    """One cell of names per id; None where it is no pair, or one with a matrix."""
    if not isinstance(pair, tuple) or len(pair) != 2 or sp.issparse(pair[1]) or getattr(pair[1], "ndim", 1) == 0:
        return None
    cells = pair[1].to_list() if hasattr(pair[1], "to_list") else pair[1]
    if isinstance(cells, str | bytes) or not isinstance(cells, Sequence | np.ndarray):
        return None
    has_text = any(isinstance(name, str) for cell in cells for name in _names_of(cell))
    return list(cells) if has_text or not any(isinstance(cell, _LISTS) for cell in cells) else None


def _read_weights(values: Any, what: str) -> sp.csr_array:
    if np.iscomplexobj(values):
        raise ValueError(f"{what}: a weight is a real number of at least 0; got complex numbers.")
    try:
        weights = sp.csr_array(values, dtype=np.float64, copy=True)
    except (TypeError, ValueError):
        raise ValueError(
            f"{what}: several columns must be numbers, one weight per category; for names of categories write one "
            "column, with one name per item or a list of names."
        ) from None
    weights.sum_duplicates()
    if not np.isfinite(weights.data).all() or weights.data.min(initial=0) < 0:
        raise ValueError(f"{what} has a weight that is negative or not finite; a weight is a number of at least 0.")
    weights.eliminate_zeros()
    return weights


def _weights_of_names(cells: list[Any], what: str) -> tuple[sp.csr_array, list[str]]:
    """1 for each category that is named, once per item, and the names."""
    column: dict[Any, int] = {}
    try:
        rows = [sorted({column.setdefault(name, len(column)) for name in _names_of(cell)}) for cell in cells]
    except TypeError:
        raise TypeError(f"{what}: a category must be text or a number, and a cell one of them or a list.") from None
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    indices = np.array([code for row in rows for code in row], dtype=np.int64)
    names = [str(name) for name in column] or [""]
    return sp.csr_array((np.ones(len(indices)), indices, indptr), shape=(len(rows), len(names))), names


def _names_of(cell: Any) -> list[Any]:
    if isinstance(cell, (*_LISTS, set, frozenset)):
        return [name for name in cell if not is_missing_value(name)]
    return [] if is_missing_value(cell) else [cell]


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
