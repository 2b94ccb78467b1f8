"""Threads over row ranges.

Kernels release the GIL and are run by plain threads over fixed row ranges: no threading layer of a
compiler that would clash with fork, with torch or with a pool around it, and the same result for any
number of threads, since the ranges do not depend on it.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


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


@cache
def _blas_controller() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """One BLAS thread inside the block: blocks run side by side instead, and round alike."""
    with _blas_controller().limit(limits=1):
        yield


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
