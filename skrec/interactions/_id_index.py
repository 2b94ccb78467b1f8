"""Ids on one side, integer codes on the other."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.interactions._columns import FIRST_ROUNDED, Column, as_column, column_kind, factorize
from skrec.utils import check_array, check_kind

_ID_KINDS = "iufbUSOMm"
_TABLE_SPAN = 2
"""Range of integer ids, as a multiple of their number, up to which a table of all between takes no sort."""
_FEW_IDS = 16
"""Ids up to which each is looked up, be it a repeat: to find the distinct ones takes longer."""


class IdIndex:
    """The catalogue order of ids: position is code.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Distinct ids.
    """

    def __init__(self, values: NDArray) -> None:
        # These arrays are public, as users_ and items_: read-only, so that no caller changes the catalogue.
        self.values = values.view() if values.flags.writeable else values
        self.values.flags.writeable = False
        self._ordered: tuple[NDArray, NDArray] | None = None
        self._positions: dict | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getstate__(self) -> dict[str, Any]:
        return {"values": self.values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        check_array(state["values"], "the ids", (None,), kinds=_ID_KINDS, finite=False)
        self.__init__(state["values"])  # type: ignore[misc]

    def has_values(self, values: NDArray) -> bool:
        """Whether these are the ids, in the same order."""
        return self.values is values or (len(self) == len(values) and bool(np.array_equal(self.values, values)))

    def codes(self, ids: Column, what: str, *, check_kind: bool = True, fitted: str = "in fit") -> NDArray[np.int64]:
        """Code of every id, -1 where it is unknown; ``fitted`` says in messages where the ids of the index are from.

        Raises
        ------
        TypeError
            If no id is known and the ids are text where numbers were fitted, or the reverse.
        """
        column = as_column(ids, what)
        if len(column) <= _FEW_IDS and _are_plain_ids(column):
            found = self._find(column)
            if (found >= 0).any():
                return found
        if isinstance(column, np.ndarray) and column.dtype.kind == "i" and self._table is not None:
            low, table = self._table
            # Read without a sign, what lies below is large too.
            return table[np.minimum((column - low).view(np.uint64), np.uint64(len(table) - 1)).view(np.int64)]
        uniques, inverse = factorize(column, what)
        found = self._find(uniques)
        if check_kind and len(found) and len(self.values) and (found < 0).all():
            self.check_kind(uniques, what, fitted)
        return found[inverse]

    @cached_property
    def _table(self) -> tuple[np.int64, NDArray[np.int64]] | None:
        """The least id, and the codes of all integers from it to the greatest; None for ids of another kind."""
        if self.values.dtype.kind != "i" or not len(self):
            return None
        low = np.int64(self.values.min())
        span = int(self.values.max()) - int(low) + 1
        if span > _TABLE_SPAN * len(self):
            return None
        codes = np.full(span + 1, -1, np.int64)  # the last is for what lies outside
        codes[self.values - low] = np.arange(len(self))
        return low, codes

    def _find(self, uniques: NDArray) -> NDArray[np.int64]:
        if not len(self.values) or not len(uniques):
            return np.full(len(uniques), -1, np.int64)
        # Between kinds, as int64 and uint64, NumPy would compare through float64 and round.
        if self.values.dtype.kind == uniques.dtype.kind and uniques.dtype.kind in "iuf":
            if self._ordered is None:
                order = np.argsort(self.values, kind="stable")
                self._ordered = (self.values[order], order)
            ordered, order = self._ordered
            at = np.minimum(np.searchsorted(ordered, uniques), len(ordered) - 1)
            return np.where(ordered[at] == uniques, order[at], -1)
        if self._positions is None:
            self._positions = {value: code for code, value in enumerate(self.values.tolist())}
        known = self._positions
        return np.fromiter((known.get(value, -1) for value in uniques.tolist()), np.int64, len(uniques))

    def check_kind(self, uniques: NDArray, what: str, fitted: str = "in fit") -> None:
        """Check that ids are of the kind of those in the index.

        Raises
        ------
        TypeError
            If they are text where the index has numbers, and the like.
        """
        given, expected = column_kind(uniques), column_kind(self.values)
        if given == expected or "mixed" in (given, expected):
            return
        hint = "np.array([[1, 'a']]) has turned the 1 into '1': use a frame, or dtype=object"
        if "bytes" in (given, expected):
            hint = "decode bytes before fit, as in [value.decode() for value in ids]"
        one, other = _first(uniques), _first(self.values)
        raise TypeError(
            f"{what} are {given} (as {one!r}), but the ids {fitted} were {expected} (as {other!r}). Pass ids of the "
            f"fitted kind; {hint}."
        )

    def extended(self, ids: NDArray) -> "IdIndex":
        """A new index: the present ids, then those of ``ids`` (distinct) that are new."""
        new = ids[self._find(ids) < 0]
        if not len(new):
            return self
        if not len(self.values):
            return IdIndex(new)
        if self.values.dtype.kind == new.dtype.kind and new.dtype.kind in "iufU":
            return IdIndex(np.concatenate([self.values, new]))
        if self.values.dtype.kind in "iuf" and new.dtype.kind in "iuf":
            with np.errstate(invalid="ignore"):
                same = new.astype(self.values.dtype)
            if same.tolist() == new.tolist():
                return IdIndex(np.concatenate([self.values, same]))
        values = np.empty(len(self.values) + len(new), dtype=object)
        values[:] = self.values.tolist() + new.tolist()
        return IdIndex(values)

    def decode(self, codes: NDArray) -> NDArray:
        """Ids of codes; None where a code is -1, and then the result is of dtype object."""
        if not len(self.values):
            return np.full(codes.shape, None, dtype=object)
        if (codes >= 0).all():
            return self.values[codes]
        decoded = self.values[codes].astype(object)
        decoded[codes < 0] = None
        return decoded


def _are_plain_ids(column: Column) -> bool:
    """Whether these are texts, or numbers of which none is missing, infinite, or stands for several integers."""
    if not isinstance(column, np.ndarray) or not len(column):
        return False
    if column.dtype.kind == "f":
        return bool(np.abs(column).max() < FIRST_ROUNDED)  # false for NaN
    return column.dtype.kind in "iu" or all(type(value) is str for value in column.tolist())


def unknown_ids(ids: NDArray, n: int) -> NDArray:
    """``n`` distinct ids that are not among ``ids``, and are of their kind (number or text)."""
    if column_kind(ids) == "number" and len(ids):
        top = ids.max()
        first = top + 1 if top < np.iinfo(np.int32).max - n else ids.min() - n
        return first + np.arange(n, dtype=ids.dtype if ids.dtype.kind in "iuf" else None)
    name = "new user"
    while any(isinstance(value, str) and value.startswith(name) for value in ids.tolist()):
        name += "."
    return np.array([f"{name} {number}" for number in range(n)], dtype=object)


def _first(ids: NDArray) -> object:
    """The first id as Python shows it: 1, and not np.int64(1)."""
    return ids[:1].tolist()[0]


def check_index(value: object, name: str, *, n: int | None = None) -> None:
    """Check a loaded catalogue of ids.

    Raises
    ------
    DamagedStateError
        If it is none, or not of ``n`` ids.
    """
    check_kind(value, name, IdIndex)
    assert isinstance(value, IdIndex)
    check_array(value.values, f"{name}.values", (n,), kinds=_ID_KINDS, finite=False)
