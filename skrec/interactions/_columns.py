"""One column of a table, and its factorisation.

A column is a NumPy array or a narwhals Series. The columns of a frame are factorised one by one, by the frame
library itself: no object array of a whole table is ever made.
"""

from collections.abc import Hashable, Iterable
from typing import Any, TypeAlias, cast

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions._plain_input import WIDE_INTEGERS, plain_array
from skrec.interactions._types import Ids
from skrec.utils import is_missing_value

FIRST_ROUNDED = 2**53  # from here on, a float64 may stand for several integers
_SORT_SPAN = 16
"""Range of integer ids, as a multiple of their number, beyond which a sort is faster than a walk through it."""

Column: TypeAlias = Any  # a 1-D numpy array or a narwhals Series


def as_column(values: Ids, what: str) -> Column:
    """Take a list, an array or a Series of ids; a list of mixed types keeps them."""
    if isinstance(values, str | bytes) or np.isscalar(values):
        raise TypeError(
            f"{what} must be a list or an array of ids; got the single value {values!r}: write [{values!r}]."
        )
    if values is None:
        raise TypeError(f"{what} must be a list or an array of ids; got None.")
    # Narwhals needs 30 microseconds to see that an array is no Series, and a request has several.
    native = (
        None if isinstance(values, np.ndarray | list) else nw.from_native(values, allow_series=True, pass_through=True)
    )
    if isinstance(native, nw.DataFrame | nw.LazyFrame):
        raise _frame_as_ids(native, what)
    if isinstance(native, nw.Series):
        if native.dtype == nw.Boolean:
            raise _mask_as_ids(what)
        if native.dtype not in WIDE_INTEGERS:
            return native
        values = native.to_list()
    if not isinstance(values, np.ndarray):
        if not hasattr(values, "to_pylist") and not isinstance(values, Iterable):
            raise TypeError(f"{what} must be a list or an array of ids; got a {type(values).__name__}.")
        values = values.to_pylist() if hasattr(values, "to_pylist") else list(cast(Iterable[Any], values))
        array = None if _has_text(values) else np.asarray(values)
        if array is None or array.ndim != 1 or not is_exact(array, values):
            array = np.empty(len(values), dtype=object)
            array[:] = values
        values = array
    values = plain_array(values, what)
    if values.dtype.kind == "b":
        raise _mask_as_ids(what)
    if values.ndim != 1:
        raise ValueError(f"{what} must be one-dimensional; got an array of shape {values.shape}.")
    return values


def _frame_as_ids(frame: nw.DataFrame | nw.LazyFrame, what: str) -> TypeError:
    first = frame.collect_schema().names()[:1]
    column = f"df[{first[0]!r}]" if first else "one of its columns"
    return TypeError(
        f"{what} must be a list, an array or a Series of ids; got a frame, of which only the column names would be "
        f"read: pass {column}."
    )


def _mask_as_ids(what: str) -> TypeError:
    return TypeError(f"{what} must be ids; got a boolean mask, which would be read as the ids 0 and 1: pass ids[mask].")


def _has_text(values: list) -> bool:
    return any(not isinstance(value, int | float | np.number) for value in values)


def is_exact(array: NDArray, values: list) -> bool:
    """Whether numbers survived their way into an array: a float64 rounds integers beyond 2**53."""
    return array.dtype.kind in "iub" or array.tolist() == values


def _rounded_ids(what: str, value: float) -> ValueError:
    return ValueError(
        f"{what} contain {value!r}, a float of at least 2**53, where a float stands for several integers: different "
        "ids have become one. Read them as integers or as text, as in pandas.read_csv(..., dtype={'user': str})."
    )


def factorize(column: Column, what: str) -> tuple[NDArray, NDArray[np.int64]]:
    """Sorted distinct ids of a column and the position of each row's id among them.

    Raises
    ------
    ValueError
        If an id is missing (None, NaN) or infinite, or a float that stands for several integers.
    TypeError
        If an id is not a hashable scalar.
    """
    if isinstance(column, nw.Series):
        return _factorize_series(column, what)
    column = plain_array(column, what)
    kind = column.dtype.kind
    if kind in "iub":
        return _factorize_integers(column)
    if kind == "f":
        if not np.isfinite(column).all():
            raise ValueError(f"{what} contain NaN or infinity; drop those rows, or give them an id.")
        if (np.abs(column) >= FIRST_ROUNDED).any():
            raise _rounded_ids(what, float(column[np.argmax(np.abs(column))]))
        return np.unique(column, return_inverse=True)
    if kind in "US":
        return np.unique(column, return_inverse=True)
    if kind == "c":
        raise ValueError(f"Complex data not supported: {what} must be text or real numbers.")
    if kind in "mM":
        raise TypeError(f"{what} are date-times; pass text or numbers, or name the column 'timestamp'.")
    return _factorize_objects(column, what)


def _factorize_integers(values: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    if values.dtype.kind == "b":
        values = values.astype(np.int8)
    if not len(values):
        return values, np.zeros(0, np.int64)
    low, high = int(values.min()), int(values.max())
    if high - low > _SORT_SPAN * len(values):
        return np.unique(values, return_inverse=True)
    # Ids in a compact range need no sort: mark those present, then number the marks.
    offset = (values - values.dtype.type(low)).astype(np.int64) if values.dtype.kind == "u" else values - np.int64(low)
    present = np.zeros(high - low + 1, dtype=bool)
    present[offset] = True
    number = np.cumsum(present, dtype=np.int64) - 1
    distinct = np.flatnonzero(present)
    return distinct.astype(values.dtype) + values.dtype.type(low), number[offset]


def _factorize_objects(values: NDArray, what: str) -> tuple[NDArray, NDArray[np.int64]]:
    first_seen: dict[Hashable, int] = {}
    try:
        codes = np.fromiter(
            (first_seen.setdefault(value, len(first_seen)) for value in values.tolist()),
            np.int64,
            len(values),
        )
    except TypeError as error:
        raise TypeError(
            f"{what}: every id argument must be a hashable scalar, a string or a number; {error}."
        ) from None
    return _sort_distinct(list(first_seen), codes, what)


def _sort_distinct(distinct: list, codes: NDArray, what: str) -> tuple[NDArray, NDArray[np.int64]]:
    distinct = [value.item() if isinstance(value, np.generic) else value for value in distinct]
    for value in distinct:
        if is_missing_value(value) or (isinstance(value, float) and np.isinf(value)):
            found = "NaN" if isinstance(value, float) and value != value else repr(value)
            raise ValueError(f"{what} contain {found}; drop those rows, or give them an id.")
        if isinstance(value, float) and abs(value) >= FIRST_ROUNDED:
            raise _rounded_ids(what, value)
        if not isinstance(value, str | bytes | int | float):
            raise TypeError(
                f"{what} contain a {type(value).__name__}; each id argument must be a hashable scalar: "
                "a string or a number."
            )
    try:
        order = sorted(range(len(distinct)), key=distinct.__getitem__)
    except TypeError:  # text and numbers side by side have no order of their own
        order = sorted(range(len(distinct)), key=lambda i: (type(distinct[i]).__name__, str(distinct[i])))
    uniques = np.empty(len(distinct), dtype=object)
    uniques[:] = [distinct[i] for i in order]
    if all(isinstance(value, int | float) for value in distinct):
        numbers = np.asarray(uniques.tolist(), dtype=None if distinct else np.float64)
        uniques = numbers if is_exact(numbers, uniques.tolist()) and numbers.dtype.kind != "O" else uniques
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return uniques, rank[codes]


def _factorize_series(series: nw.Series, what: str) -> tuple[NDArray, NDArray[np.int64]]:
    if series.null_count():
        raise ValueError(f"{what} contain {series.null_count()} missing values; drop those rows, or give them an id.")
    if series.dtype in WIDE_INTEGERS or series.dtype.is_nested():
        return _factorize_objects(_objects(series.to_list()), what)
    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        return factorize(series.to_numpy(), what)
    if series.dtype.is_temporal():
        raise TypeError(f"{what} are date-times; pass text or numbers, or name the column 'timestamp'.")
    native: Any = series.to_native()
    if series.implementation.is_pandas():
        import pandas as pd

        try:
            codes, distinct = pd.factorize(native)
        except TypeError:  # a cell has no hash; the next function says which
            return _factorize_objects(_objects(native.tolist()), what)
        return _sort_distinct(list(distinct), codes, what)
    if series.implementation.is_polars():
        import polars as pl

        if native.dtype == pl.String:
            native = native.cast(pl.Categorical)
        if not isinstance(native.dtype, pl.Categorical | pl.Enum):
            return _factorize_objects(_objects(native.to_list()), what)
        used, codes = _factorize_integers(native.to_physical().to_numpy())
        example = np.empty(len(used), np.int64)
        example[codes] = np.arange(len(codes))
        return _sort_distinct(native[example].cast(pl.String).to_list(), codes, what)
    if series.implementation.is_pyarrow():
        encoded = native.combine_chunks() if hasattr(native, "combine_chunks") else native
        encoded = encoded if hasattr(encoded, "dictionary") else encoded.dictionary_encode()
        used, codes = _factorize_integers(encoded.indices.to_numpy(zero_copy_only=False))
        named, same = _factorize_objects(_objects([encoded.dictionary[int(i)].as_py() for i in used]), what)
        return named, same[codes]  # a dictionary may hold one value several times
    return _factorize_objects(_objects(series.to_list()), what)


def _objects(values: list) -> NDArray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def column_kind(uniques: NDArray) -> str:
    """``"number"``, ``"text"``, ``"bytes"`` or ``"mixed"``."""
    if uniques.dtype.kind in "iufb":
        return "number"
    if uniques.dtype.kind == "S" or (len(uniques) and all(isinstance(value, bytes) for value in uniques)):
        return "bytes"
    if uniques.dtype.kind == "U" or all(isinstance(value, str) for value in uniques):
        return "text"
    return "number" if all(isinstance(value, int | float) for value in uniques) else "mixed"
