"""What one request, and one client, may ask."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class ServiceLimits:
    """Bounds of a service: compiled code cannot be interrupted, so what is asked of it is bounded.

    Parameters
    ----------
    body_bytes : int, default=1_000_000
        Size of the body of a request.
    depth : int, default=8
        Nesting of its JSON.
    k : int, default=100
        Length of a list.
    queries : int, default=100
        Users, items, texts or pairs in one request.
    entries : int, default=2_000
        Queries times ``k``.
    reasons : int, default=100
        Recommendations that are explained in one request: reasons cost more than lists.
    history : int, default=1_000
        Events of ``history``, of ``exclude`` and of ``/feedback`` in one request.
    candidates : int, default=10_000
        Items in ``candidates``.
    text_length : int, default=2_000
        Characters of a request, of a search, or of a turn of a conversation.
    rate : float, default=100
        Requests per second and client, over time; 0 means no limit. A client is an address.
    burst : int, default=200
        Requests that a client may send at once.
    threads : int, default=2
        Calls of the model that run at a time.
    queue : int, default=64
        Calls that run or wait; further ones are answered by 503 and ``Retry-After``.
    timeout : float, default=10
        Seconds from a request to its answer. A call that has not begun by then never begins.
    read_timeout : float, default=10
        Seconds for the headers, and again for the body of a request.
    connections : int, default=256
        Open connections; further ones are answered by 503.

    Raises
    ------
    ValueError
        If a bound is not positive.

    Examples
    --------
    >>> from skrec.serving import ServiceLimits
    >>> ServiceLimits(k=20).k
    20
    """

    body_bytes: int = 1_000_000
    depth: int = 8
    k: int = 100
    queries: int = 100
    entries: int = 2_000
    reasons: int = 100
    history: int = 1_000
    candidates: int = 10_000
    text_length: int = 2_000
    rate: float = 100.0
    burst: int = 200
    threads: int = 2
    queue: int = 64
    timeout: float = 10.0
    read_timeout: float = 10.0
    connections: int = 256

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            is_whole = is_number and (isinstance(field.default, float) or isinstance(value, int))
            if not is_whole or not (value > 0 or (field.name == "rate" and value == 0)):
                kind = "a positive number" if isinstance(field.default, float) else "a positive integer"
                raise ValueError(f"{field.name} must be {kind}; got {value!r}.")
