"""Servers that speak OpenAI's protocol: address, key and retries."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import urlsplit

from skrec.utils._circuit_breaker import CircuitBreaker
from skrec.utils._endpoint_errors import (
    EndpointError,
    EndpointNeedsPackage,
    EndpointNotReady,
    EndpointTimeout,
    EndpointUnavailable,
    InvalidResponse,
    RequestRejected,
)
from skrec.utils._http_limits import MOST_BYTES, BadResponse, RequestLimits

OPENAI_URL = "https://api.openai.com/v1"

_FIRST_WAIT = 0.5  # seconds; doubled with each try
_LONGEST_WAIT = 60.0
_RETRIED_STATUS = frozenset({408, 409, 425, 429})
_NO_ANSWER = frozenset({None, 502, 504})  # of a gateway: the server behind it does not answer
_KEPT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
)
_ADVICE = {
    401: "check the key, and that api_key_env names its variable",
    404: "check base_url, which often ends in /v1, and the model's name",
}
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_CODE = re.compile(r"[\w.-]{1,60}", re.ASCII)
_FINAL_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})  # at any status
_SHORTEST_SECRET = 8

_sleep = time.sleep
Answer = TypeVar("Answer")


class Endpoint:
    """A server that speaks OpenAI's protocol, reached through the ``openai`` client.

    No key, address or organisation is taken from the environment unless named: the key is that of the variable
    ``api_key_env``, by default none, save for OpenAI itself, which gets ``OPENAI_API_KEY``. It is read at each
    call and kept nowhere. Redirects are not followed. While the server gives no answer, most requests fail at once:
    see :class:`~skrec.utils._circuit_breaker.CircuitBreaker`.

    Parameters
    ----------
    model : str
    base_url : str
    api_key_env : str or None
        None for OpenAI's own variable at OpenAI, and for no key elsewhere; ``""`` for no key anywhere.
    allow_http : bool
        Whether text and key may go to another machine unencrypted.
    timeout : float
        Seconds of each request as a whole, from connecting to the last byte; also the longest wait that a
        ``Retry-After`` header is granted.
    max_retries : int

    Raises
    ------
    ValueError
        If ``base_url`` is not a web address, carries credentials, or is plain http to another machine.
    """

    def __init__(
        self, model: str, base_url: str, api_key_env: str | None, allow_http: bool, timeout: float, max_retries: int
    ) -> None:
        url = _split(base_url)
        self.is_loopback = _is_loopback(url.hostname or "")
        if url.scheme == "http" and not (self.is_loopback or allow_http):
            raise ValueError(
                f"base_url={base_url!r} would send text, and any key, unencrypted to another machine. Write "
                "https://, or pass allow_http=True if the network between is yours."
            )
        self.model = model
        self.base_url = base_url.rstrip("/")
        self.is_openai = url.scheme == "https" and url.hostname == "api.openai.com"
        self.api_key_env = ("OPENAI_API_KEY" if self.is_openai else "") if api_key_env is None else api_key_env
        self.timeout = timeout
        self.max_retries = max_retries
        self.breaker = CircuitBreaker()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection with the key as it is now.

        Raises
        ------
        ImportError
            If ``openai`` is not installed.
        ValueError
            If the key's variable is not set.
        """
        key, limits = self._key(), RequestLimits()
        with self._client(key, limits) as client:
            yield Connection(self, client, key, limits)

    def _key(self) -> str:
        if not self.api_key_env:
            return ""
        key = os.environ.get(self.api_key_env, "").strip()
        # Some pass the key itself where its variable belongs: only what looks like a name is repeated.
        name = repr(self.api_key_env) if _VARIABLE.fullmatch(self.api_key_env) else "that api_key_env names"
        problem = ""
        if not key:
            problem = f"the environment variable {name} is not set; it must contain the key of {self.base_url}"
        elif not (key.isascii() and key.isprintable()):
            problem = f"the environment variable {name} contains characters that no key has"
        if problem:
            raise EndpointNotReady(f"{problem[0].upper()}{problem[1:]}.", problem)
        return key

    def _client(self, key: str, limits: RequestLimits) -> Any:
        try:
            import openai
        except ImportError as error:
            needed = "an endpoint needs the openai package; run: pip install openai"
            raise EndpointNeedsPackage(f"A{needed[1:]}", needed) from error

        def strip_headers(request: Any) -> None:
            # The client also sends OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS, to anyone.
            for name in list(request.headers):
                if name.lower() not in _KEPT_HEADERS:
                    del request.headers[name]
            if key:
                request.headers["authorization"] = f"Bearer {key}"

        http_client = openai.DefaultHttpxClient(
            follow_redirects=False,
            # A proxy from the environment would read what goes over plain http.
            trust_env=self.base_url.startswith("https:"),
            event_hooks={"request": [strip_headers, limits.apply], "response": [limits.limit_body]},
        )
        return openai.OpenAI(
            api_key=key or "no-key",  # the client insists on one
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout,
            http_client=http_client,
        )


@dataclass
class _Failure:
    """One failed try."""

    kind: type[EndpointError]
    what: str
    status: int | None = None
    said: str = ""
    wait: float = 0.0  # seconds that the server asks for

    @property
    def is_final(self) -> bool:
        return issubclass(self.kind, RequestRejected)

    @property
    def is_unanswered(self) -> bool:
        """Whether nobody answered, as far as the circuit breaker is concerned."""
        return self.kind is EndpointTimeout or (self.kind is EndpointUnavailable and self.status in _NO_ANSWER)


class Connection:
    """An open client; lives for one call and is never stored."""

    def __init__(self, endpoint: Endpoint, client: Any, key: str, limits: RequestLimits) -> None:
        self.endpoint = endpoint
        self._client = client
        self._secret = key
        self._limits = limits

    def call(self, request: Callable[[Any], Answer], *, max_bytes: int = MOST_BYTES) -> Answer:
        """What ``request(client)`` returns, repeated after a time-out, overload or a malformed answer.

        Each try ends ``timeout`` seconds after its start, whatever the server does.

        Raises
        ------
        EndpointError
            Of the kind that the last try ended with. What else ``request`` raises goes through.
        """
        breaker = self.endpoint.breaker
        tries, n_unanswered = breaker.tries(self.endpoint.max_retries + 1), 0
        failure = _Failure(EndpointUnavailable, "gave no answer lately; no request is sent to it for some seconds")
        if not tries:
            raise self._error(failure, "")
        for attempt in range(tries):
            self._limits.max_bytes = max_bytes
            self.start_clock()
            try:
                answer = request(self._client)
            except EndpointError:
                raise
            except Exception as error:
                found = self._failure_of(error)
                if found is None:
                    raise
                failure = found
            else:
                breaker.answered()
                return answer
            n_unanswered += failure.is_unanswered
            if failure.is_final or attempt == tries - 1:
                break
            # Waits of half to all of the step, so that clients turned away together do not return together.
            wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.5, 1)
            _sleep(max(wait, failure.wait))
        if failure.is_unanswered:
            breaker.unanswered(n_unanswered)
        else:
            breaker.answered()
        # Raised out here, where no error of the client is its context: that carries the request, and with it the key.
        raise self._error(failure, "" if failure.is_final else _tried(tries))

    def start_clock(self) -> None:
        """Start the time-out of the try of this thread; again, where ``request`` had to wait before it sends."""
        self._limits.begin(self.endpoint.timeout)

    def redacted(self, text: str) -> str:
        """The text without the key, should it contain it; a key too short to be a secret is left."""
        is_secret = len(self._secret) >= _SHORTEST_SECRET
        return text.replace(self._secret, "***") if is_secret and self._secret in text else text

    def _failure_of(self, error: Exception) -> _Failure | None:
        """What an exception of the client means; None if it is none of the client's."""
        import openai

        timed_out = _Failure(EndpointTimeout, f"gave no answer within {self.endpoint.timeout} seconds")
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        if isinstance(error, openai.APITimeoutError) or isinstance(cause, TimeoutError):
            return timed_out
        if isinstance(cause, BadResponse):
            return _Failure(InvalidResponse, f"gave {cause}")
        if isinstance(error, openai.APIConnectionError):
            return _Failure(EndpointUnavailable, "cannot be reached", said=str(cause or error))
        if isinstance(error, openai.APIStatusError):
            return self._refusal(error)
        if isinstance(error, openai.APIError | ValueError | RecursionError):  # of a body that is no JSON, or too deep
            return _Failure(InvalidResponse, "gave invalid JSON")
        return None

    def _refusal(self, error: Any) -> _Failure:
        status, code = error.status_code, _code_of(error)
        is_final = (status < 500 and status not in _RETRIED_STATUS) or code in _FINAL_CODES
        wait = min(retry_after(error.response.headers.get("retry-after")), self.endpoint.timeout)
        what = f"answered {status}{f' ({code})' if code else ''}"
        return _Failure(
            RequestRejected if is_final else EndpointUnavailable, what, status, str(error.message)[:300], wait
        )

    def _error(self, failure: _Failure, more: str) -> EndpointError:
        what, said, status = self._without_key(failure.what), self._without_key(failure.said), failure.status
        details = f" ({said})" if said and status is None else f": {said}" if said else ""
        if status in _ADVICE:
            more = f"; {_ADVICE[status]}"
        where = f"The endpoint {self.endpoint.base_url} (model {self.endpoint.model!r})"
        return failure.kind(f"{where} {what}{details}{more}.", f"the endpoint {what}{more}", status, said)

    def _without_key(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text


def _code_of(error: Any) -> str:
    """The server's word for an error, such as ``model_not_found``; nothing that could be a text."""
    body = error.body if isinstance(error.body, dict) else {}
    for code in (error.code, error.type, body.get("code"), body.get("type")):
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return ""


def _tried(n_times: int) -> str:
    return f", at each of {n_times} tries" if n_times > 1 else ""


def _split(base_url: str) -> Any:
    advice = "pass a web address such as 'http://localhost:8000/v1'."
    if re.search(r"[\s\\]|[^\x21-\x7e]", base_url):
        raise ValueError(f"base_url contains a space, a backslash or a character that no address has; {advice}")
    url = urlsplit(base_url)
    if "@" in base_url:
        raise ValueError("base_url must carry no user or password; name the key's variable in api_key_env.")
    if url.query or url.fragment:
        raise ValueError(f"base_url must carry no '?' or '#', where a key could stand; {advice}")
    try:
        is_address = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError(f"base_url={base_url!r} is not a web address; {advice}")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after(header: str | None) -> float:
    """Seconds that a Retry-After header asks for, at most a minute; 0 if there is none."""
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, IndexError):  # as odd dates raise
            return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT) if isfinite(seconds) else 0.0
