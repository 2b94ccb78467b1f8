"""Threads over row ranges.

Kernels release the GIL and are run by plain threads over fixed row ranges: no threading layer of a
compiler that would clash with fork, with torch or with a pool around it, and the same result for any
number of threads, since the ranges do not depend on it.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_BLOCK_CELLS = 1 << 22
_MAX_ROWS = 1024


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
    return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)


class _SingleThreadedBlas:
    """The process's BLAS at one thread for as long as any thread is inside.

    threadpoolctl lets only the thread that set a limit undo it, and overlapping limits of several threads
    would restore each other's: so one thread of its own sets the limit for the first in and undoes it after
    the last out.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._setter = ThreadPoolExecutor(1)
        self._controller: ThreadpoolController | None = None
        self._limit: Any = None
        self._delegate = 0

    def _set(self) -> None:
        if self._controller is None:
            self._controller = ThreadpoolController().select(user_api="blas")
        self._limit = self._controller.limit(limits=1)
        self._limit.__enter__()

    def enter(self) -> None:
        with self._lock:
            self._delegate += 1
            if self._delegate == 1:
                self._setter.submit(self._set).result()

    def exit(self) -> None:
        with self._lock:
            self._delegate -= 1
            if self._delegate == 0:
                self._setter.submit(self._limit.__exit__, None, None, None).result()


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
    blas = _blas
    blas.enter()
    try:
        yield
    finally:
        blas.exit()


def run_blocks(task: Callable[[int, int], None], n_rows: int, block: int, n_jobs: int | None) -> None:
    """Call ``task(start, stop)`` for every block of rows, on threads; the first error is raised."""
    starts = range(0, n_rows, block)
    if len(starts) <= 1:
        if n_rows:
            task(0, n_rows)
        return
    n_threads = min(effective_n_threads(n_jobs), len(starts))
    with single_threaded_blas():
        if n_threads == 1:
            for start in starts:
                task(start, min(start + block, n_rows))
            return
        with ThreadPoolExecutor(n_threads) as pool:
            for _ in pool.map(lambda start: task(start, min(start + block, n_rows)), starts):
                pass


def block_rows(n_items: int) -> int:
    """Queries per block: it depends on the catalogue alone, so that results do not depend on threads."""
    return max(1, min(_MAX_ROWS, _BLOCK_CELLS // max(1, n_items)))
