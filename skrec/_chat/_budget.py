"""A limit on the calls and tokens of language models."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from skrec._chat._messages import Message
    from skrec._chat._results import ChatSettings

# One for all, so that no pickle contains a lock. A Condition will not do: its __enter__ is written in Python, where an
# interrupt may arrive between taking the lock and the block that gives it back.
_counting = threading.Lock()
_POLL = 0.01  # seconds between two looks at what calls in flight have left

_TOKENS_AROUND = 16  # what a chat template may write around a message
_TOKENS_OF_SCHEMA = 128  # of the words that ask for it


class BudgetExhausted(Exception):
    """A call would go beyond the budget; becomes the error of its one conversation."""


class Budget:
    """At most so many calls and tokens, over all clients and threads that share it.

    Before a call, the most it can take is reserved: a token for every byte of the prompt, which no tokenizer
    of today exceeds, and ``max_tokens`` for the answer. After it, what was used is what counts; where the server
    does not say, the reservation stays. So the budget is never exceeded, unless a server writes more than
    ``max_tokens``; and the last few thousand tokens of one may stay unused. A call that does not fit beside those
    in flight waits for them. Every retry is a call. A conversation for which the budget does not suffice has an
    ``error``; nothing raises.

    Clones of an estimator share its client, and with it the budget. A pickle, such as worker processes get
    (``n_jobs``), is a copy that starts from what was left: four workers can spend that four times. Use
    ``joblib.parallel_config(backend="threading")`` where that matters.

    Parameters
    ----------
    max_calls, max_tokens : int, default=None
        None for no limit; one of them is needed.

    Attributes
    ----------
    n_calls, n_tokens : int
        Taken or reserved so far.

    Examples
    --------
    >>> from skrec.llm import Budget, CallableChat
    >>> chat = CallableChat(lambda messages: "yes", budget=Budget(max_calls=2))
    >>> [result.text or result.error for result in chat.complete(["a", "b", "c"])]
    ['yes', 'yes', 'the budget of 2 calls is used up']
    """

    def __init__(self, max_calls: int | None = None, max_tokens: int | None = None) -> None:
        for name, value in (("max_calls", max_calls), ("max_tokens", max_tokens)):
            if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < 1):
                raise ValueError(f"{name}={value!r} must be a whole number of at least 1, or None for no limit.")
        if max_calls is None and max_tokens is None:
            raise ValueError("A budget needs max_calls or max_tokens; for no limit pass budget=None.")
        self.max_calls = max_calls
        self.max_tokens = max_tokens
        self.n_calls = 0
        self.n_tokens = 0
        self._n_open = 0  # tokens of calls that are not settled yet

    def __repr__(self) -> str:
        return f"Budget(max_calls={self.max_calls}, max_tokens={self.max_tokens})"

    def reserve(self, n_tokens: int, *, wait: bool = False) -> None:
        """Reserve one call of at most ``n_tokens`` tokens.

        Parameters
        ----------
        n_tokens : int
        wait : bool, default=False
            Whether to wait for calls in flight where they may leave enough; each of them has to be settled, by
            another thread.

        Raises
        ------
        BudgetExhausted
            If there is not that much left.
        """
        while not self._try_reserve(n_tokens, wait):
            time.sleep(_POLL)

    def _try_reserve(self, n_tokens: int, wait: bool) -> bool:
        """Reserve a call; False where it has to wait for those in flight."""
        with _counting:
            if self.max_calls is not None and self.n_calls >= self.max_calls:
                raise BudgetExhausted(f"the budget of {self.max_calls} calls is used up")
            left = n_tokens if self.max_tokens is None else self.max_tokens - self.n_tokens
            if left < n_tokens:
                if wait and left + self._n_open >= n_tokens:
                    return False
                budget = f"the budget of {self.max_tokens} tokens"
                raise BudgetExhausted(f"{budget} has {max(left, 0)} left, and the call may take {n_tokens}")
            self.n_calls += 1
            self.n_tokens += n_tokens
            self._n_open += n_tokens
            return True

    def settle(self, reserved: int, used: int) -> None:
        """Replace the reservation of a call by what it used."""
        with _counting:
            self.n_tokens += used - reserved
            self._n_open -= reserved

    def __getstate__(self) -> dict[str, Any]:
        with _counting:
            return {name: value for name, value in vars(self).items() if name != "_n_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _n_open=0)


class Reservation:
    """A call that a budget was asked for: settled once, by what it used or, where that is unknown, as it is.

    Parameters
    ----------
    budget : Budget or None
        None for no limit.
    n_tokens : int
        The most that the call can take.
    wait : bool
        As in :meth:`Budget.reserve`.

    Raises
    ------
    BudgetExhausted
    """

    def __init__(self, budget: Budget | None, n_tokens: int, *, wait: bool) -> None:
        if budget is not None:
            budget.reserve(n_tokens, wait=wait)
        self._budget = budget
        self._n_tokens = n_tokens

    def settle(self, used: int | None) -> None:
        """Count what the call used; None, unknown, keeps the reservation. A second time does nothing."""
        budget, self._budget = self._budget, None
        if budget is not None:
            budget.settle(self._n_tokens, self._n_tokens if used is None else used)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.settle(None)


@contextmanager
def settled(reservations: Sequence[Reservation]) -> Iterator[None]:
    """Settle, at the end and after any error, what is not settled by then."""
    try:
        yield
    finally:
        for reservation in reservations:
            reservation.settle(None)


def most_tokens(messages: Sequence[Message], settings: ChatSettings) -> int:
    """The most tokens that a call can take."""
    texts, n_bytes = [message["content"] for message in messages], 0
    if settings.schema is not None:
        texts.append(max(json.dumps(settings.schema), json.dumps(settings.schema_for(list(messages))), key=len))
        n_bytes = _TOKENS_OF_SCHEMA
    n_bytes += sum(len(text.encode("utf-8", "replace")) + _TOKENS_AROUND for text in texts)
    return n_bytes + settings.max_tokens


def about_tokens(text: str) -> int:
    """Approximate number of tokens of a text: four bytes each. For estimates only."""
    return ceil(len(text.encode("utf-8", "replace")) / 4)
