"""Histories as a network reads them: rows of item codes, with the time between events, cut into windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skrec.interactions import Histories
from skrec.neural_network._shape import N_GAPS

START = -1
"""Stands before the first item, where a row without items is to have a vector too."""


@dataclass(frozen=True)
class Sequences:
    """Rows of events in time order.

    Attributes
    ----------
    indptr : int64 array of shape (n_rows + 1,)
    items : int64 array of shape (n_positions,)
        Item codes, or ``START``.
    event : int64 array of shape (n_positions,)
        The number of the event in the histories that it was made of; -1 for ``START``.
    gaps : int64 array of shape (n_positions,), or None
        Bucket of the time since the event before.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int64]
    event: NDArray[np.int64]
    gaps: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of(
        cls, histories: Histories, usable: NDArray[np.bool_], *, has_start: bool, gap_unit: float | None
    ) -> Sequences:
        """The events of histories whose strength is not 0 and whose item has a vector.

        Parameters
        ----------
        histories : Histories
        usable : bool array of shape (n_items,)
        has_start : bool
            Whether each row begins with ``START``.
        gap_unit : float or None
            The time that counts as one; None reads no gaps.
        """
        kept = (histories.y > 0) & usable[histories.items]
        event = np.flatnonzero(kept)
        lengths = np.diff(np.concatenate([[0], np.cumsum(kept)])[histories.indptr])
        gaps = None
        if gap_unit is not None and histories.timestamp is not None:
            row = np.repeat(np.arange(len(histories)), lengths)
            gaps = gap_buckets(histories.timestamp[event], row, gap_unit)
        items = histories.items[event].astype(np.int64)
        if has_start:
            first = np.concatenate([[0], np.cumsum(lengths)])[:-1]
            items, event = np.insert(items, first, START), np.insert(event, first, -1)
            gaps = None if gaps is None else np.insert(gaps, first, 0)
            lengths = lengths + 1
        return cls(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), items, event, gaps)

    def take(self, rows: NDArray[np.int64], *, n_fewer: int = 0) -> Sequences:
        """Some rows, without their last ``n_fewer`` positions."""
        lengths = np.diff(self.indptr)[rows] - n_fewer
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        gaps = None if self.gaps is None else self.gaps[at]
        return Sequences(indptr, self.items[at], self.event[at], gaps)

    def windows(self, max_length: int, is_target: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
        """Parts of rows to train on: (n_windows, 2) first position, and the number of positions that are read.

        The position after each that is read is its target. A row that is too long is cut at places that are drawn, so
        that another epoch reads it with other beginnings. Windows without any target are left out.
        """
        n_read = np.maximum(np.diff(self.indptr) - 1, 0)
        first = np.where(n_read > max_length, rng.integers(1, max_length + 1, len(n_read)), n_read)
        n_windows = (n_read > 0) + -(-(n_read - first) // max_length)
        row = np.repeat(np.arange(len(n_read)), n_windows)
        number = np.arange(len(row)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
        begin = np.where(number == 0, 0, first[row] + (number - 1) * max_length)
        end = np.minimum(first[row] + number * max_length, n_read[row])
        windows = np.column_stack([self.indptr[row] + begin, end - begin])
        return windows[n_targets(windows, is_target) > 0]


def n_targets(windows: NDArray[np.int64], is_target: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many targets each window has."""
    before = np.concatenate([[0], np.cumsum(is_target)])
    counts: NDArray[np.int64] = before[windows.sum(axis=1) + 1] - before[windows[:, 0] + 1]
    return counts


def like_length_batches(
    windows: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Batches of windows of like length, in an order that is drawn; which windows are together is drawn too."""
    order = np.lexsort((rng.random(len(windows)), windows[:, 1]))
    batches = [windows[order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def gap_buckets(times: NDArray, row: NDArray, unit: float) -> NDArray[np.int64]:
    """The time since the event before in the same row, by powers of two around a unit; 0 for none."""
    gaps = np.diff(times.astype(np.float64), prepend=times[:1].astype(np.float64))
    has_gap = (gaps > 0) & (np.diff(row, prepend=-1) == 0)
    powers = np.round(np.log2(np.where(has_gap, gaps, unit) / unit)) + N_GAPS // 2
    return np.where(has_gap, np.clip(powers, 1, N_GAPS - 1), 0).astype(np.int64)


def usual_gap(histories: Histories) -> float:
    """The median time between two events of a row; 1 where there is none."""
    if histories.timestamp is None:
        return 1.0
    gaps = np.diff(histories.timestamp.astype(np.float64))
    gaps = gaps[(np.diff(histories.row_of_event()) == 0) & (gaps > 0)]
    return float(np.median(gaps)) if len(gaps) else 1.0
