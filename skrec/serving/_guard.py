"""What stands in front of every request: rate, key, size and time of the body, and headers of the answer."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skrec.serving._errors import ServiceError
from skrec.serving._limits import ServiceLimits

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
_MOST_CLIENTS = 10_000


class SecureHeaders:
    """Adds headers that keep browsers from doing more than the page needs; answers are not cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
                if not any(name == b"cache-control" for name, _ in message["headers"]):
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class RateLimit:
    """A bucket of tokens per client.

    Parameters
    ----------
    rate : float
        Tokens per second; 0 means no limit.
    burst : int
        What a bucket holds.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str, now: float | None = None) -> None:
        """Take a token.

        Raises
        ------
        ServiceError
            429 with ``Retry-After``.
        """
        if not self._rate:
            return
        now = time.monotonic() if now is None else now
        tokens, then = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        self._buckets[client] = (max(tokens - 1, 0.0) if tokens >= 1 else tokens, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if tokens < 1:
            message = f"Too many requests: a client may send {self._rate:g} per second."
            raise ServiceError(429, "rate", message, headers={"Retry-After": "1"})


def check_key(request: Request, key: bytes | None) -> None:
    """Compare the API key, in constant time.

    Raises
    ------
    ServiceError
        401
    """
    if key is None:
        return
    given = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        given = token
    if not hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), key):
        message = "This service needs an API key: send the header 'Authorization: Bearer <key>'."
        raise ServiceError(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


async def read_body(request: Request, limits: ServiceLimits) -> bytes:
    """The body of a request, within its size and time.

    Raises
    ------
    ServiceError
        408, 413 or 415. After the first two the connection is closed, since the rest of the body was not read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Also keeps forms of other sites out: a browser asks before it sends JSON across.
        raise ServiceError(415, "no_json", "The body must be JSON: send the header 'Content-Type: application/json'.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.body_bytes:
        raise _too_large(limits)
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.read_timeout):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        message = f"The body did not arrive within {limits.read_timeout:g} seconds."
        raise ServiceError(408, "slow", message, headers={"Connection": "close"}) from None
    return b"".join(parts)


def _too_large(limits: ServiceLimits) -> ServiceError:
    message = f"The body is too large; at most {limits.body_bytes} bytes are read."
    return ServiceError(413, "too_large", message, headers={"Connection": "close"})
