"""Limits on one HTTP request: a deadline for all of it, and a size for its answer once it is unpacked."""

from __future__ import annotations

import contextlib
import threading
import time
import zlib
from collections.abc import Iterator
from math import inf
from typing import Any

MOST_BYTES = 4 * 2**20  # of an answer, where a request does not say
_ERROR_BYTES = 64 * 2**10  # of the body of an error, the rest of which is not read
_PIECE = 64 * 2**10
_GZIP = 16 + zlib.MAX_WBITS  # with its header


class BadResponse(Exception):
    """A malformed answer with status 200; the request is repeated."""


class RequestLimits(threading.local):
    """The limits of the request that a thread has open.

    A time-out of an HTTP client bounds each single read. A server that sends a byte now and then, in the headers
    or before them, is never slow by that measure. So the streams of the client look at one deadline.
    """

    _ends = inf
    max_bytes = MOST_BYTES

    def begin(self, seconds: float) -> None:
        """Start the clock of a request."""
        self._ends = time.monotonic() + seconds

    def seconds_left(self, most: float | None = None) -> float:
        """Seconds until the deadline, at most ``most``.

        Raises
        ------
        TimeoutError
            If the deadline has passed.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the request has passed")
        return left if most is None else min(left, most)

    def apply(self, request: Any) -> None:
        """Put a request under these limits; a hook of the client, before the request is sent."""
        # "trace" is how httpcore reports what it does; its streams have no other way in.
        request.extensions["trace"] = self._watch
        request.headers["accept-encoding"] = "gzip"  # what limit_body can unpack piece by piece

    def limit_body(self, response: Any) -> None:
        """Bound the unpacked size of an answer; a hook of the client, before the body is read."""
        stream, is_error = response.stream, response.status_code >= 400
        encoding = response.headers.pop("content-encoding", "").strip().lower()
        # The client's own class, whichever of httpx's names this version of openai uses.
        kind = next(base for base in type(stream).__mro__ if base.__name__ == "SyncByteStream")
        most = _ERROR_BYTES if is_error else self.max_bytes

        def pieces(_: Any) -> Iterator[bytes]:
            n_bytes = 0
            for piece in _unpacked(stream, encoding):
                n_bytes += len(piece)
                self.seconds_left()
                if n_bytes > most and not is_error:
                    raise BadResponse(f"an answer of more than {most} bytes")
                yield piece
                if n_bytes > most:
                    return

        response.stream = type("LimitedStream", (kind,), {"__iter__": pieces, "close": lambda _: stream.close()})()

    def _watch(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            self._limit_stream(info["return_value"])

    def _limit_stream(self, stream: Any) -> Any:
        """Make the reads and writes of a connection end at the deadline of the thread that uses it."""
        read, write, start_tls = stream.read, stream.write, stream.start_tls

        def limited_read(max_bytes: int, timeout: float | None = None) -> bytes:
            return read(max_bytes, self.seconds_left(timeout))

        def limited_write(buffer: bytes, timeout: float | None = None) -> None:
            for start in range(0, len(buffer), _PIECE):
                write(buffer[start : start + _PIECE], self.seconds_left(timeout))

        def limited_tls(ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
            return self._limit_stream(start_tls(ssl_context, server_hostname, self.seconds_left(timeout)))

        # A stream that takes no attributes is left as it is: the time-out of each read still holds.
        with contextlib.suppress(AttributeError):
            stream.read, stream.write, stream.start_tls = limited_read, limited_write, limited_tls
        return stream


def _unpacked(stream: Any, encoding: str) -> Iterator[bytes]:
    """The bytes of a body, unpacked in small pieces: a few bytes of gzip may stand for gigabytes."""
    if encoding in ("", "identity"):
        yield from stream
        return
    if encoding not in ("gzip", "x-gzip"):
        raise BadResponse("an answer in an encoding that was not offered")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for packed in stream:
            while packed and not unpacker.eof:
                yield unpacker.decompress(packed, _PIECE)
                packed = unpacker.unconsumed_tail
    except zlib.error:
        raise BadResponse("an answer that is not valid gzip") from None
