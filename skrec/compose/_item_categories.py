"""The categories of items that caps and calibrated lists count."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.csr import csr_arrays
from skrec.exceptions import FeatureCoverageWarning
from skrec.interactions import FeatureTable, Histories, IdIndex, as_column, as_frame, read_categories
from skrec.utils import caller_level, check_csr, check_kind, check_texts, is_missing_value

if TYPE_CHECKING:
    from skrec._kernels.diversity import Categories

_NO_CAP = 1 << 62


@dataclass(frozen=True)
class ItemCategories:
    """One category or several per item of a catalogue.

    Attributes
    ----------
    names : list of n_categories str
    weights : float64 CSR array of shape (n_items, n_categories)
        Rows sum to 1; a row is empty where an item has no category.
    """

    names: list[str]
    weights: sp.csr_array

    @classmethod
    def none(cls, n_items: int) -> ItemCategories:
        """Of items of which no category is known."""
        return cls([], sp.csr_array((n_items, 0)))

    @classmethod
    def read(
        cls, table: Any, columns: str | Sequence[str], separator: str | None, index: IdIndex, *, is_update: bool = False
    ) -> ItemCategories:
        """Those of the items of a catalogue, from columns of a table; rows of other items are left out.

        Raises
        ------
        ValueError
            If the table is no frame, lacks a column, or has no category and is no update of a fitted catalogue.
        """
        ids, weights, names = read_categories(
            _columns(table, columns, separator), "item_features", may_be_empty=is_update
        )
        codes = index.codes(as_column(ids, "item_features ids"), "item_features", check_kind=False)
        known = np.flatnonzero(codes >= 0)
        place = sp.csr_array((np.ones(len(known)), (codes[known], known)), shape=(len(index), weights.shape[0]))
        return cls(names, sp.csr_array(place @ weights))

    def updated(self, later: ItemCategories) -> ItemCategories:
        """These and the later ones of the grown catalogue, which replace those of the same item."""
        names = list(dict.fromkeys([*self.names, *later.names]))
        column = {name: at for at, name in enumerate(names)}
        n_items = later.weights.shape[0]
        old, new = (_widened(at, column, n_items) for at in (self, later))
        kept = (np.diff(new.indptr) == 0).astype(np.float64)
        return ItemCategories(names, sp.csr_array(sp.diags_array(kept) @ old + new))

    def warn_of_missing(self) -> None:
        """Warn with the number of items that have no category."""
        missing = int((np.diff(self.weights.indptr) == 0).sum())
        if missing:
            warnings.warn(
                f"{missing} of {self.weights.shape[0]} items have no category in item_features: they count in no share "
                "and no cap.",
                FeatureCoverageWarning,
                stacklevel=caller_level(),
            )

    def for_kernels(self, cap: int | None) -> Categories:
        """As the kernels take them."""
        from skrec._kernels.diversity import Categories

        indptr, indices, shares = csr_arrays(self.weights)
        cap = _NO_CAP if cap is None else cap
        return Categories(indptr, indices, shares.astype(np.float64, copy=False), self.weights.shape[1], cap)

    def shares(self, histories: Histories) -> sp.csr_array:
        """(n_rows, n_categories) mean shares of the items of each history that have a category."""
        n_items = self.weights.shape[0]
        events = histories.to_csr(n_items, values=np.ones(len(histories.items)))
        sums = sp.csr_array(events.astype(np.float64) @ self.weights)
        sums.data /= np.repeat(np.asarray(sums.sum(axis=1)).ravel(), np.diff(sums.indptr))
        return sums

    def largest_counts(self, codes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Of each list, how many of its items share their most frequent category."""
        row, place = np.nonzero(codes >= 0)
        members = sp.csr_array((np.ones(len(row)), (row, codes[row, place])), (len(codes), self.weights.shape[0]))
        has_category = sp.csr_array(self.weights, copy=True)
        has_category.data[:] = 1
        counts = sp.csr_array(members @ has_category)
        return np.asarray(counts.max(axis=1).toarray()).ravel().astype(np.int64) if counts.nnz else _zeros(len(codes))


def check_categories(value: object, name: str, n_items: int) -> None:
    """Check loaded categories.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ItemCategories)
    assert isinstance(value, ItemCategories)
    check_texts(value.names, f"{name}.names", len(value.names), optional=False)
    check_csr(value.weights, f"{name}.weights", (n_items, len(value.names)))


def _zeros(n: int) -> NDArray[np.int64]:
    return np.zeros(n, np.int64)


def _widened(categories: ItemCategories, column: dict[str, int], n_items: int) -> sp.csr_array:
    at = categories.weights.tocoo()
    columns = np.array([column[name] for name in categories.names], dtype=np.int64)[at.col]
    return sp.csr_array((at.data, (at.row, columns)), shape=(n_items, len(column)))


def _columns(table: Any, columns: str | Sequence[str], separator: str | None) -> Any:
    """The ids of a table and the columns of categories."""
    inner = table.table if isinstance(table, FeatureTable) else table
    frame = as_frame(inner, "item_features")
    wanted = [columns] if isinstance(columns, str) else list(columns)
    if frame is None:
        raise ValueError(
            f"categories={columns!r} names columns, and item_features has none: pass a frame whose first column is "
            "the item id."
        )
    names = [str(name) for name in frame.columns]
    if absent := [name for name in wanted if name not in names[1:]]:
        raise ValueError(f"categories: item_features has no column {absent[0]!r}; it has {names[1:]}.")
    at = [names.index(name) for name in wanted]
    if separator is None or len(at) > 1:
        return FeatureTable(frame[:, [0, *at]].to_native())
    cells = [None if is_missing_value(cell) else _split(cell, separator) for cell in frame[:, at[0]].to_list()]
    return frame[:, 0], cells


def _split(cell: Any, separator: str) -> Any:
    if not isinstance(cell, str):
        return cell
    return [part.strip() for part in cell.split(separator) if part.strip()]
