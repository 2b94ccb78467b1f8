"""Item-item similarities from histories: which items meet, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from skrec.interactions import Histories

if TYPE_CHECKING:
    from skrec._kernels.item_graph.build import PairTable

_BLOCK = 128
_PACKED_ROWS = 4096
_LONG_ROW = 1024


def pair_table(
    histories: Histories,
    n_items: int,
    source: NDArray,
    target: NDArray,
    *,
    lags: tuple[NDArray, NDArray] | None = None,
    constant: float | None = None,
    only: NDArray[np.int64] | None = None,
    dtype: DTypeLike = np.float32,
) -> PairTable:
    """The pairs of events of each row, as a :class:`~skrec._kernels.item_graph.build.PairTable`.

    Parameters
    ----------
    histories : Histories
    n_items : int
    source, target : arrays of shape (n_events,)
        Weight of an event as the source of a pair, and as its target.
    lags : pair of arrays of shape (window + 1,), or None
        Weight of a pair by distance, forward and backward; None is no such weight.
    constant : float, default=None
        Weight of every pair of a row, whatever its distance; None is 1 without ``lags`` and 0 with them.
    only : int64 array, default=None
        The items whose pairs are wanted, in ascending order; None is all.
    dtype : float32 or float64
    """
    from skrec._kernels.item_graph.build import PairTable, sort_by_item

    indptr, items = histories.indptr.astype(np.int64, copy=False), histories.items
    is_wanted = np.ones(n_items, bool) if only is None else np.isin(np.arange(n_items), only)
    counts = np.where(is_wanted, np.bincount(items, minlength=n_items), 0)
    item_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    place = np.where(is_wanted, item_ptr[:-1], -1)
    event_of = np.empty(item_ptr[-1], np.int32 if len(items) <= np.iinfo(np.int32).max else np.int64)
    row_of = np.empty(item_ptr[-1], np.int32)
    sort_by_item(indptr, items, place, event_of, row_of)
    forward, backward = (np.zeros(1), np.zeros(1)) if lags is None else lags
    weights = source.astype(dtype, copy=False)
    others = weights if target is source else target.astype(dtype, copy=False)
    return PairTable(
        item_ptr=item_ptr,
        event_of=event_of,
        row_of=row_of,
        indptr=indptr,
        items=items,
        group=np.zeros(0, np.int64) if lags is None else _equal_times(histories),
        source=weights,
        target=others,
        forward=forward.astype(dtype),
        backward=backward.astype(dtype),
        constant=float(lags is None) if constant is None else constant,
        has_unit_target=bool((others == 1).all()),
    )


def repeats_dominate(histories: Histories, n_items: int) -> bool:
    """Whether most pairs of long rows are those of repeated items, so that :func:`merge_repeats` pays off."""
    lengths = histories.lengths
    is_long = lengths > _LONG_ROW
    if not is_long.any():
        return False
    at = np.repeat(is_long, lengths)
    cells = np.unique(histories.row_of_event()[at] * np.int64(n_items) + histories.items[at])
    n_distinct = np.bincount(cells // n_items, minlength=len(histories))
    pairs, distinct = (np.square(n, dtype=np.float64).sum() for n in (lengths[is_long], n_distinct))
    return bool(pairs >= 2 * distinct)


def merge_repeats(
    histories: Histories, n_items: int, source: NDArray, target: NDArray
) -> tuple[Histories, NDArray, NDArray]:
    """Repeats of an item in a row as one event with the sum of their weights.

    Of pairs whose weight does not depend on distance, those of two different items have the same sum then, and
    their number no longer grows with the square of the repeats.
    """
    shape = len(histories), n_items
    events = histories.items, histories.indptr
    sums = [sp.csr_array((weights.astype(float), *events), shape, copy=True) for weights in (source, target)]
    for matrix in sums:
        matrix.sum_duplicates()
    merged = Histories(sums[0].indptr.astype(np.int64), sums[0].indices.astype(np.int32), sums[1].data)
    return merged, sums[0].data, sums[1].data


def _equal_times(histories: Histories) -> NDArray[np.int64]:
    """A group number per event: adjacent events with the same time have the same one."""
    if histories.timestamp is None or not len(histories.items):
        return np.arange(len(histories.items))
    return np.concatenate([[0], np.cumsum(histories.timestamp[1:] != histories.timestamp[:-1])]).astype(np.int64)


@dataclass
class Similarity:
    """Pair weights and their normalisation: scaled by row and column, or divided by the union of two sets."""

    pairs: PairTable
    row_scale: NDArray
    column_scale: NDArray
    is_jaccard: bool = False

    def best(self, n_neighbors: int, n_jobs: int | None = None) -> sp.csr_array:
        """(n_items, n_items) matrix of the ``n_neighbors`` largest positive similarities of each item."""
        rows = BestRows.empty(len(self.row_scale), n_neighbors, self.pairs.source.dtype)
        self.fill(rows, np.arange(rows.n_items), n_jobs)
        return rows.to_csr(n_jobs)

    def fill(self, rows: BestRows, items: NDArray[np.int64], n_jobs: int | None = None) -> None:
        """Find the best entries of the rows of some items."""
        from skrec._kernels.item_graph.build import best_pair_rows

        dtype = self.pairs.source.dtype
        read = items, self.pairs, self.row_scale.astype(dtype), self.column_scale.astype(dtype), self.is_jaccard
        rows.fill(
            lambda start, stop, *out: best_pair_rows(start, stop, *read, *out), len(items), n_jobs, "Item similarities"
        )


def classical(
    by_user: sp.csr_array, similarity: str, *, bm25_k1: float, bm25_b: float, dtype: DTypeLike = np.float32
) -> Similarity:
    """Cosine, Jaccard, TF-IDF (cosine) or BM25 similarity of the columns of a (n_users, n_items) matrix.

    The matrix may be overwritten. TF-IDF and BM25 weights are those of the implicit library, computed in place: items
    are the documents and users the terms, so that users with many items have less weight. A negative idf, of a user
    with nearly every item, becomes 0.
    """
    from skrec._kernels.item_graph.weights import column_sums, weigh_entries

    by_user = by_user.astype(dtype, copy=False)
    by_user.eliminate_zeros()
    n_items = by_user.shape[1]
    sums = np.zeros(n_items)
    if similarity == "jaccard":
        by_user.data[:] = 1
        column_sums(by_user.indices, by_user.data, sums)
        return Similarity(_unordered_pairs(by_user, dtype), sums, sums, is_jaccard=True)
    if similarity in ("tfidf", "bm25") and by_user.nnz:
        column_sums(by_user.indices, by_user.data, sums)
        idf = np.maximum(np.log(n_items) - np.log1p(np.diff(by_user.indptr)), 0)
        k1 = bm25_k1 if similarity == "bm25" else -1.0
        relative_lengths = 1 - bm25_b + bm25_b * sums / sums.mean()
        weigh_entries(by_user.indptr, by_user.indices, by_user.data, idf, k1, relative_lengths)
    scale = np.ones(n_items)
    if similarity in ("cosine", "tfidf"):
        sums[:] = 0
        column_sums(by_user.indices, by_user.data, sums, 2)
        norms = np.sqrt(sums)
        if (by_user.data != 1).any():
            # Norms near 1, or products of tiny strengths would be 0 in float32. Powers of two round nothing.
            shift = -np.frexp(norms)[1]
            np.ldexp(by_user.data, shift[by_user.indices], out=by_user.data)
            norms = np.ldexp(norms, shift)
        scale = 1 / np.where(norms > 0, norms, 1)
    return Similarity(_unordered_pairs(by_user, dtype), scale, scale)


def _unordered_pairs(by_user: sp.csr_array, dtype: DTypeLike) -> PairTable:
    rows = Histories(by_user.indptr.astype(np.int64), by_user.indices.astype(np.int32, copy=False), by_user.data)
    return pair_table(rows, by_user.shape[1], by_user.data, by_user.data, dtype=dtype)


@dataclass
class BestRows:
    """The largest entries of each row of an (n_items, n_items) matrix, as kernels fill them."""

    values: NDArray[np.floating]
    columns: NDArray[np.int32]
    sizes: NDArray[np.int64]

    @classmethod
    def empty(cls, n_items: int, n_neighbors: int, dtype: DTypeLike) -> BestRows:
        """Room for the ``n_neighbors`` largest of each row, off the diagonal."""
        shape = n_items, max(1, min(n_neighbors, n_items - 1))
        return cls(np.empty(shape, dtype), np.empty(shape, np.int32), np.zeros(n_items, np.int64))

    @property
    def n_items(self) -> int:
        """The number of rows."""
        return len(self.sizes)

    def fill(self, kernel: Callable[..., None], n: int, n_jobs: int | None, label: str | None = None) -> None:
        """Call ``kernel(start, stop, values, columns, sizes)`` for blocks of 0 to n, with progress under a label."""
        from skrec._kernels.threads import run_blocks

        out = self.values, self.columns, self.sizes
        run_blocks(lambda start, stop: kernel(start, stop, *out), n, _BLOCK, n_jobs, label)

    def to_csr(self, n_jobs: int | None) -> sp.csr_array:
        """The rows put together."""
        from skrec._kernels.item_graph.build import pack_rows
        from skrec._kernels.threads import run_blocks

        indptr = np.concatenate([[0], np.cumsum(self.sizes)])
        packed = np.empty(indptr[-1], self.values.dtype), np.empty(indptr[-1], np.int32)
        read = self.values, self.columns, indptr
        run_blocks(lambda start, stop: pack_rows(start, stop, *read, *packed), self.n_items, _PACKED_ROWS, n_jobs)
        # scipy takes the wider of two index types for both, and would copy.
        narrow = indptr.astype(np.int32 if indptr[-1] < np.iinfo(np.int32).max else np.int64)
        return sp.csr_array((*packed, narrow), shape=(self.n_items, self.n_items))
