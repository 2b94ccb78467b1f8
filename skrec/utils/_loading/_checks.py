"""Checks of what a loaded file holds, before a compiled loop trusts it.

A compiled loop reads and writes where indices say. In a file that was damaged, or written by a stranger, an index may
say anything: so a loaded object looks through its arrays once. Every check raises :class:`DamagedStateError`, with the
attribute and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.exceptions import DamagedStateError

_MOST_WRITTEN = 60
_MOST_COLUMNS = 1 << 20
_PLAIN_ARRAYS = (np.ndarray, np.memmap)


def refuse_state(name: str, found: str, expected: str) -> NoReturn:
    """Raise the error of a damaged attribute.

    Raises
    ------
    DamagedStateError
    """
    raise DamagedStateError(f"{name} is {found}; expected {expected}")


def check_kind(value: Any, name: str, kinds: type | tuple[type, ...]) -> None:
    """Check that an attribute is an instance of one of the types."""
    if not isinstance(value, kinds):
        names = [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
        refuse_state(name, _written(value), " or ".join(names))


def check_choice(value: Any, name: str, choices: Collection[Any]) -> None:
    """Check that an attribute is one of a few values, of the same type."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        refuse_state(name, _written(value), f"one of {', '.join(map(repr, choices))}")


def check_flag(value: Any, name: str) -> None:
    """Check that an attribute is a bool."""
    check_kind(value, name, (bool, np.bool_))


def check_number(value: Any, name: str, low: float = -np.inf, high: float = np.inf, *, whole: bool = False) -> None:
    """Check that an attribute is a finite number from ``low`` to ``high``."""
    kind = Integral if whole else Real
    if isinstance(value, bool | np.bool_) or not isinstance(value, kind) or not np.isfinite(float(value)):
        refuse_state(name, _written(value), "a whole number" if whole else "a finite number")
    if not low <= float(value) <= high:
        refuse_state(name, _written(value), f"a number from {low:g} to {high:g}")


def check_width(value: Any, name: str, low: int = 0) -> None:
    """Check that an attribute is a number of columns: one that a loop over their names, or a row of them, can take."""
    check_number(value, name, low, _MOST_COLUMNS, whole=True)


def check_columns(estimator: Any) -> None:
    """Check the number of columns that an estimator was fitted to, and that it has a name for each or for none."""
    state = vars(estimator)
    if "n_features_in_" in state:
        check_width(state["n_features_in_"], "n_features_in_", 1)
    if "feature_names_in_" in state:
        check_array(state["feature_names_in_"], "feature_names_in_", (estimator.n_features_in_,), kinds="O")


def check_texts(value: Any, name: str, n: int, *, optional: bool = True) -> None:
    """Check that an attribute is a list of ``n`` texts, or None where that is allowed."""
    check_kind(value, name, list)
    if len(value) != n:
        refuse_state(name, f"a list of {len(value)}", f"{n} texts")
    for text in value:
        if not isinstance(text, str) and not (optional and text is None):
            refuse_state(name, f"a list with {_written(text)} in it", "texts")


def check_array(
    value: Any, name: str, shape: tuple[int | None, ...], *, kinds: str = "f", dtype: Any = None, finite: bool = True
) -> NDArray:
    """Check that an attribute is a plain array.

    Parameters
    ----------
    value : object
    name : str
    shape : tuple of int or None
        None allows any length.
    kinds : str
        The kinds of dtype that are allowed, as in ``dtype.kind``.
    dtype : dtype, default=None
        The only dtype that is allowed.
    finite : bool, default=True
        Whether floats must be finite.
    """
    if type(value) not in _PLAIN_ARRAYS:
        refuse_state(name, _written(value), "an array")
    if value.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, value.shape, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        refuse_state(name, f"an array of shape {value.shape}", f"shape ({wanted})")
    if value.dtype.kind not in kinds if dtype is None else value.dtype != np.dtype(dtype):
        wanted = f"dtype of kind {' or '.join(kinds)}" if dtype is None else f"dtype {np.dtype(dtype)}"
        refuse_state(name, f"an array of dtype {value.dtype}", wanted)
    if not value.dtype.isnative or (value.dtype.kind in "if" and value.dtype.itemsize not in (4, 8)):
        refuse_state(
            name, f"an array of dtype {value.dtype.str}", "numbers of 4 or 8 bytes in the order of this machine"
        )
    if finite and value.dtype.kind == "f" and not np.isfinite(value).all():
        refuse_state(name, "an array with NaN or infinity", "finite numbers")
    found: NDArray = value
    return found


def check_codes(value: Any, name: str, n: int, *, size: int | None = None, dtype: Any = None) -> None:
    """Check that an attribute is an array of codes from 0 to ``n - 1``."""
    check_array(value, name, (size,), kinds="i", dtype=dtype)
    if len(value) and not (value.min() >= 0 and value.max() < n):
        at = int(np.argmax((value < 0) | (value >= n)))
        refuse_state(name, f"{value[at]} at position {at}", f"codes from 0 to {n - 1}")


def check_indptr(value: Any, name: str, n_rows: int | None, n_entries: int) -> None:
    """Check that an attribute says where the rows of ``n_entries`` entries begin and end."""
    check_array(value, name, (None if n_rows is None else n_rows + 1,), kinds="i")
    if not len(value) or value[0] != 0 or value[-1] != n_entries or (value[1:] < value[:-1]).any():
        refuse_state(name, "not a row of ascending places", f"places that rise from 0 to {n_entries}")


def check_matrix(value: Any, name: str, shape: tuple[int | None, int | None], *, kinds: str = "f") -> None:
    """Check that an attribute is a dense or a CSR matrix of finite numbers."""
    if sp.issparse(value):
        check_csr(value, name, shape, kinds=kinds)
    else:
        check_array(value, name, shape, kinds=kinds)


def check_csr(value: Any, name: str, shape: tuple[int | None, int | None], *, kinds: str = "f") -> None:
    """Check that an attribute is a CSR matrix of finite numbers, whose indices lie inside of it."""
    check_kind(value, name, (sp.csr_array, sp.csr_matrix))
    if len(value.shape) != 2 or any(n is not None and n != m for n, m in zip(shape, value.shape, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        refuse_state(name, f"a matrix of shape {value.shape}", f"shape ({wanted})")
    check_csr_places(value, name)
    check_array(value.data, f"{name}.data", (len(value.indices),), kinds=kinds)


def check_csr_places(value: Any, name: str) -> None:
    """Check that the entries of a CSR matrix lie inside of it."""
    n_rows, n_columns = value.shape
    check_codes(value.indices, f"{name}.indices", n_columns)
    check_indptr(value.indptr, f"{name}.indptr", n_rows, len(value.indices))
    if len(value.data) != len(value.indices):
        refuse_state(f"{name}.data", f"an array of {len(value.data)}", f"{len(value.indices)} entries")


def _written(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, str | bytes | Real) or value is None:
        text = repr(value)
        return text if len(text) <= _MOST_WRITTEN else f"{text[: _MOST_WRITTEN - 1]}…"
    return f"of type {type(value).__name__}"
