"""Calls of the model: in threads, with a bounded queue and a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from skrec.serving._errors import ServiceError

R = TypeVar("R")


class WorkPool:
    """A few threads, and a queue that refuses what it could not serve in time.

    Parameters
    ----------
    threads : int
    most : int
        Calls that run or wait.
    timeout : float
        Seconds. A call that runs cannot be stopped: it keeps its place until it ends.
    """

    def __init__(self, threads: int, most: int, timeout: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="skrec-model")
        self._most = most
        self._timeout = timeout
        self.n_pending = 0

    async def run(self, work: Callable[..., R], *args: Any) -> R:
        """The result of ``work(*args)``.

        Raises
        ------
        ServiceError
            503 with ``Retry-After``, where the queue is full or the time is over.
        """
        if self.n_pending >= self._most:
            raise ServiceError(
                503, "busy", f"{self.n_pending} calls run or wait; try again.", headers={"Retry-After": "1"}
            )
        deadline = time.monotonic() + self._timeout
        loop = asyncio.get_running_loop()
        self.n_pending += 1
        future = self._executor.submit(_begin, deadline, work, args)
        future.add_done_callback(lambda done: self._note_end(loop, done))
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise _too_late(self._timeout) from None

    def _note_end(self, loop: asyncio.AbstractEventLoop, done: Future) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self.n_pending -= 1

    def close(self) -> None:
        """Wait for what runs; what has not begun never begins."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _begin(deadline: float, work: Callable[..., R], args: tuple[Any, ...]) -> R:
    if time.monotonic() > deadline:
        raise TimeoutError
    return work(*args)


def _too_late(timeout: float) -> ServiceError:
    message = f"The answer was not ready within {timeout:g} seconds; ask for less, or try again."
    return ServiceError(503, "timeout", message, headers={"Retry-After": "2"})
