"""HTTP by uvicorn and h11, with a limit on the time that headers may take, and an end that is no failure."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol


class Server(uvicorn.Server):
    """A server that ends on a signal when all is answered; uvicorn's own then dies of the signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def protocol(read_timeout: float) -> type[H11Protocol]:
    """The protocol class for a limit in seconds; uvicorn itself waits for headers for ever."""

    class TimedProtocol(H11Protocol):
        _headers_due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._await_headers()

        def data_received(self, data: bytes) -> None:
            if not self._is_busy():
                self._await_headers()
            super().data_received(data)
            if self._is_busy():
                self._forget()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _is_busy(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _await_headers(self) -> None:
            if self._headers_due is None:
                self._headers_due = self.loop.call_later(read_timeout, self._end)

        def _end(self) -> None:
            self._headers_due = None
            if not self._is_busy() and not self.transport.is_closing():
                self.transport.close()

        def _forget(self) -> None:
            if self._headers_due is not None:
                self._headers_due.cancel()
                self._headers_due = None

    return TimedProtocol
