"""Stop sending requests to a server that does not answer."""

from __future__ import annotations

import threading
import time

_LIMIT = 10  # requests in a row
_PAUSE = 10.0  # seconds

_clock = time.monotonic
_lock = threading.Lock()  # one for all, so that none has a lock to leave out of its pickle


class CircuitBreaker:
    """Decides how many requests may go to a server, by the outcome of earlier ones.

    After ten requests in a row without an answer, retries counted, the circuit is open: one request
    goes out every ten seconds and the others are refused, until there is an answer again. An error response is
    an answer too. A copy, as in another process, starts closed.
    """

    # On the class, so that a copy, whose state is empty, begins with them.
    _n_unanswered = 0
    _open_until = 0.0

    def __getstate__(self) -> dict[str, float]:
        return {}

    def tries(self, n_wanted: int) -> int:
        """Requests that may go out now: ``n_wanted``, one to probe whether the server is back, or none."""
        with _lock:
            if self._n_unanswered < _LIMIT:
                return n_wanted
            now = _clock()
            if now < self._open_until:
                return 0
            self._open_until = now + _PAUSE
            return 1

    def unanswered(self, n_requests: int) -> None:
        """Count ``n_requests`` that ended without an answer."""
        with _lock:
            self._n_unanswered += n_requests
            self._open_until = _clock() + _PAUSE

    def answered(self) -> None:
        """Close the circuit: there was an answer."""
        with _lock:
            self._n_unanswered = 0
