"""A server that gives no answer is left alone for a while."""

from __future__ import annotations

import threading
import time

_LIMIT = 10  # requests in a row
_PAUSE = 10.0  # seconds

_clock = time.monotonic
_lock = threading.Lock()  # one for all, so that none has a lock to leave out of its pickle


class CircuitBreaker:
    """Tells how often a server may be asked, by what became of the requests before.

    Once ten requests in a row have had no answer, all tries of those that were given up counted, one request
    goes out every ten seconds and the others are refused, until there is an answer again. Any answer is one,
    an error too. A copy of it, as in another process, knows nothing of this.
    """

    # On the class, so that a copy, whose state is empty, begins with them.
    _n_unanswered = 0
    _open_until = 0.0

    def __getstate__(self) -> dict[str, float]:
        return {}

    def tries(self, n_wanted: int) -> int:
        """Requests that may go out now: as many as are wanted, one to see whether the server is back, or none."""
        with _lock:
            if self._n_unanswered < _LIMIT:
                return n_wanted
            now = _clock()
            if now < self._open_until:
                return 0
            self._open_until = now + _PAUSE
            return 1

    def unanswered(self, n_requests: int) -> None:
        """So many requests were given up without an answer."""
        with _lock:
            self._n_unanswered += n_requests
            self._open_until = _clock() + _PAUSE

    def answered(self) -> None:
        """There was an answer."""
        with _lock:
            self._n_unanswered = 0
