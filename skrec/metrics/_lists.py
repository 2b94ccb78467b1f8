"""Ranked lists and relevant items, in all shapes that are accepted, as integer codes."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from decimal import Decimal
from numbers import Integral, Number, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_array

from skrec.interactions import IdIndex, Recommendations, as_column, check_k, factorize, plain_array
from skrec.utils import is_missing_value

_SWAPPED = "the relevant items come first and the ranked lists second, as y_true and y_pred in scikit-learn"


def read_lists(recommended: Any, k: int | None = None, name: str = "recommended") -> NDArray:
    """The first ``k`` columns of a two-dimensional array of ids or codes, with short lists padded."""
    if sp.issparse(recommended) or isinstance(recommended, Mapping):
        raise TypeError(f"{name} is a {type(recommended).__name__}, which has no order; {_SWAPPED}.")
    if isinstance(recommended, Recommendations):
        recommended = recommended.items
    if not isinstance(recommended, np.ndarray):
        recommended = _pad(recommended, name)
    recommended = plain_array(recommended, name)
    if recommended.ndim != 2:
        raise ValueError(
            f"{name} must have one row per query and one column per rank; got shape {recommended.shape}. "
            "Write [items] for one query."
        )
    return recommended if k is None else recommended[:, : check_k(k)]


def read_codes(
    recommended: Any, n_items: int, k: int | None, what: str, name: str = "recommended"
) -> NDArray[np.int64]:
    """The same, where the entries must be positions in an array of ``n_items``."""
    codes = recommended.codes if isinstance(recommended, Recommendations) else recommended
    codes = read_lists(codes, k, name)
    if codes.dtype == object and all(v is None or isinstance(v, Integral) for v in codes.flat):
        codes = np.where(is_padding(codes), -1, codes)
        _check_codes(codes, n_items, what, name)  # before they go into 64 bits
        codes = codes.astype(np.int64)
    if codes.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be integer codes, positions in {what}, -1 for none; got dtype {codes.dtype}. "
            "Pass the Recommendations themselves, or their .codes."
        )
    _check_codes(codes, n_items, what, name)
    return codes.astype(np.int64)


def _check_codes(codes: NDArray, n_items: int, what: str, name: str) -> None:
    if codes.size and (codes.max() >= n_items or codes.min() < -1):
        raise ValueError(f"{name} contains codes from {codes.min()} to {codes.max()}; {what} has {n_items} items.")


def read_real_numbers(values: Any, name: str, *, ndim: int, allow_nan: bool = False) -> Any:
    """Finite numbers as float64, in one or two dimensions; or NaN, where it is allowed.

    Raises
    ------
    ValueError
        Naming the argument.
    """
    try:
        found = check_array(
            values,
            accept_sparse="csr" if ndim == 2 else False,
            ensure_2d=ndim == 2,
            dtype=np.float64,
            ensure_all_finite="allow-nan" if allow_nan else True,
            input_name=name,
        )
    except Exception as error:  # what is raised depends on the library that the values come from
        if re.search(rf"\b{name}\b", str(error)):
            raise
        raise ValueError(
            f"{name} must be an array of {ndim} dimension(s) of real numbers; got {values!r:.60}."
        ) from None
    if found.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s); got {found.ndim}.")
    return found


def is_real(value: Any) -> bool:
    """Whether a value is a number, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _pad(lists: Iterable, name: str) -> NDArray:
    if isinstance(lists, str | bytes) or not isinstance(lists, Iterable):
        raise TypeError(f"{name} must be one list per query; got {lists!r:.100}.")
    rows = list(lists)
    for row in rows:
        if isinstance(row, Set | Mapping):
            raise TypeError(f"{name} contains a {type(row).__name__}, which has no order; {_SWAPPED}.")
        if isinstance(row, str | bytes) or not isinstance(row, Sequence | np.ndarray):
            raise ValueError(f"{name} must be one list per query; got {row!r}. Write [items] for one query.")
    padded = np.full((len(rows), max(map(len, rows), default=0)), None, dtype=object)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def is_padding(ids: NDArray) -> NDArray[np.bool_]:
    """Where there is no item: None, NaN or -1."""
    if ids.dtype.kind in "iuf":
        return (ids == -1) | (ids != ids)
    if ids.dtype.kind in "US":
        return np.zeros(ids.shape, bool)
    flat = [is_missing_value(v) or (isinstance(v, Number) and bool(v != v or v == -1)) for v in ids.ravel()]
    return np.array(flat, dtype=bool).reshape(ids.shape)


def encode(
    relevant: Any, recommended: Any, k: int, name: str = "recommended"
) -> tuple[sp.csr_array, NDArray[np.int64]]:
    """Gains as a canonical (n_queries, n_codes) matrix, and ranked codes; a repeated item counts once, first."""
    if sp.issparse(relevant):
        if relevant.ndim != 2 or relevant.dtype.kind not in "biuf":
            raise ValueError(
                f"relevant is a sparse {relevant.ndim}-D array of {relevant.dtype}; expected real gains, one row per "
                "query and one column per item."
            )
        gains = sp.csr_array(relevant, dtype=np.float64, copy=True)
        codes = read_codes(recommended, gains.shape[1], k, "the columns of relevant", name)
    else:
        gains, index = _encode_relevant(relevant)
        codes = _encode_ranked(read_lists(recommended, k, name), index, name)
    if gains.shape[0] != len(codes):
        raise ValueError(f"relevant has {gains.shape[0]} rows and {name} {len(codes)}; pass one row of each per query.")
    if not np.isfinite(gains.data).all():
        raise ValueError("relevant has gains that are NaN or infinite; give every relevant item a finite gain.")
    gains.sum_duplicates()
    gains.data[gains.data < 0] = 0
    gains.eliminate_zeros()
    return gains, without_repeats(codes)


def _encode_relevant(relevant: Any) -> tuple[sp.csr_array, IdIndex]:
    if isinstance(relevant, str | bytes) or not isinstance(relevant, Iterable):
        raise TypeError(f"relevant must be one collection of ids per query; got {relevant!r:.100}.")
    rows = [_gains_of_row(row, i) for i, row in enumerate(relevant)]
    ids = as_column([item for row in rows for item in row], "relevant")
    if is_padding(ids).any():
        raise ValueError("relevant contains None, NaN or -1, which stand for no item in a ranked list; drop them.")
    uniques, inverse = factorize(ids, "relevant ids")
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    gains = np.array([_as_gain(gain) for row in rows for gain in row.values()], dtype=np.float64)
    return sp.csr_array((gains, inverse, indptr), shape=(len(rows), max(len(uniques), 1))), IdIndex(uniques)


def _gains_of_row(row: Any, i: int) -> Mapping:
    if isinstance(row, str | bytes) or not isinstance(row, Iterable):
        raise TypeError(f"relevant[{i}] is {row!r}; expected a collection of ids: a list, a set or a dict.")
    if isinstance(row, Mapping):
        return row
    try:
        return dict.fromkeys(_as_list(row), 1.0)
    except TypeError as error:
        raise TypeError(f"relevant[{i}] contains what is no id ({error}); ids are text or numbers.") from None


def _as_gain(gain: Any) -> float:
    if isinstance(gain, Real | np.bool_ | Decimal):
        with suppress(OverflowError):
            return float(gain)
    raise ValueError(f"relevant has the gain {gain!r:.100}; expected a real number in the range of float64.")


def _as_list(row: Iterable) -> list:
    return row.tolist() if isinstance(row, np.ndarray) else list(row)


def _encode_ranked(ids: NDArray, index: IdIndex, name: str) -> NDArray[np.int64]:
    codes = np.full(ids.shape, -1, np.int64)
    there = ~is_padding(ids)
    if len(index) and there.any():
        codes[there] = index.codes(ids[there], f"{name} ids", fitted="of relevant")
    return codes


def without_repeats(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """-1 in place of a code that stands further in front in its row."""
    order = np.argsort(codes, axis=1, kind="stable")
    ranked = np.take_along_axis(codes, order, axis=1)
    ranked[:, 1:][ranked[:, 1:] == ranked[:, :-1]] = -1
    unsorted = np.empty_like(codes)
    np.put_along_axis(unsorted, order, ranked, axis=1)
    return unsorted
