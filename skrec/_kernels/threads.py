"""Threads over row ranges.

Kernels release the GIL and are run by plain threads over fixed row ranges: no threading layer of a
compiler that would clash with fork, with torch or with a pool around it, and the same result for any
number of threads, since the ranges do not depend on it.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from threadpoolctl import ThreadpoolController

from skrec.utils import block_progress

_BLOCK_CELLS = 1 << 22
_MAX_ROWS = 256  # so that two threads share a thousand queries
_MOST_THREADS = 256  # OpenMP starts as many as it is asked for, and ends the process where it cannot


def effective_n_threads(n_jobs: int | None) -> int:
    """Number of threads for ``n_jobs``: ``None`` and ``-1`` mean all cores that this process may use.

    ``OMP_NUM_THREADS`` bounds it, as joblib's workers set it to keep nested parallelism within the cores.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdigit():
        available = max(1, min(available, int(limit)))
    if n_jobs is None:
        return available
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning; pass None or -1 for all cores, or a positive number.")
    return min(n_jobs, max(available, _MOST_THREADS)) if n_jobs > 0 else max(1, available + 1 + n_jobs)


class _Stay:
    """One time in a block of one BLAS thread."""


class _SingleThreadedBlas:
    """The process's BLAS at one thread for as long as any thread is inside.

    threadpoolctl lets only the thread that set a limit undo it, and overlapping limits of several threads
    would restore each other's: so one thread of its own sets the limit for the first in and undoes it after
    the last out. No interrupt reaches that thread, which therefore needs no lock that Ctrl-C could leave locked.
    A stay that an interrupt never let end is gone with its frame, hence the weak references.
    """

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1)
        self._controller: ThreadpoolController | None = None
        self._limit: Any = None
        self._stays: WeakSet[_Stay] = WeakSet()

    def enter(self, stay: _Stay) -> None:
        self._worker.submit(self._add, stay).result()

    def exit(self, stay: _Stay) -> None:
        self._worker.submit(self._remove, stay).result()

    def _add(self, stay: _Stay) -> None:
        self._stays.add(stay)
        if self._limit is None:
            if self._controller is None:
                self._controller = ThreadpoolController().select(user_api="blas")
            self._limit = self._controller.limit(limits=1)
            self._limit.__enter__()

    def _remove(self, stay: _Stay) -> None:
        self._stays.discard(stay)
        if not self._stays and self._limit is not None:
            self._limit.__exit__(None, None, None)
            self._limit = None


_blas = _SingleThreadedBlas()


def _forget_threads() -> None:
    """In a forked child, the thread that sets limits is not there."""
    global _blas
    _blas = _SingleThreadedBlas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """One BLAS thread inside the block: blocks run in parallel instead, and round the same for any n_jobs."""
    blas, stay = _blas, _Stay()
    try:
        blas.enter(stay)
        yield
    finally:
        blas.exit(stay)


def run_blocks(
    task: Callable[[int, int], None], n_rows: int, block: int, n_jobs: int | None, label: str | None = None
) -> None:
    """Call ``task(start, stop)`` for every block of rows, on threads; the first error is raised.

    With a ``label``, or inside ``watched_blocks``, long work shows its progress.
    """
    starts = range(0, n_rows, block)
    if len(starts) <= 1:
        if n_rows:
            task(0, n_rows)
        return
    n_threads = min(effective_n_threads(n_jobs), len(starts))
    with single_threaded_blas(), block_progress(n_rows, "row", label) as bar:
        if n_threads == 1:
            for start in starts:
                task(start, min(start + block, n_rows))
                bar.update(block)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            for _ in pool.map(lambda start: task(start, min(start + block, n_rows)), starts):
                bar.update(block)


def block_rows(n_items: int) -> int:
    """Queries per block: it depends on the catalogue alone, so that results do not depend on threads."""
    return max(1, min(_MAX_ROWS, _BLOCK_CELLS // max(1, n_items)))
