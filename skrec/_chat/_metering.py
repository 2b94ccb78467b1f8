"""Budget, cache, prices and personal data around every call of a chat model."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from inspect import signature
from typing import Any

from skrec._chat._answer_cache import ChatCache, cache_key, to_keep
from skrec._chat._budget import Budget, Reservation, most_tokens
from skrec._chat._messages import Message
from skrec._chat._results import ChatResult, ChatSettings, Usage, result_of, safe_result
from skrec.utils import read_scrub

_PRICES = {"prompt", "completion", "cached"}
_counting = threading.Lock()  # one for all clients, so that none has a lock to leave out of its pickle


def _unknown_keywords(client: type, names: list[str]) -> str:
    """What is wrong with keywords that no class of a client takes."""
    makers = [vars(kind)["__init__"] for kind in client.__mro__ if "__init__" in vars(kind)]
    parameters = [one for maker in makers for one in signature(maker).parameters.values()]
    named = [one.name for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)]
    known = [one for one in dict.fromkeys(named) if one != "self"]
    name = names[0]
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{client.__name__} has no parameter {name!r}.{hint} Its parameters are {', '.join(known)}."


class Metering:
    """The parameters and counts that all chat models have: see :class:`BaseChat`."""

    is_remote: bool = False
    budget: Budget | None = None
    cache: ChatCache | None = None
    prices: dict[str, float] | None = None
    scrub: Any = "auto"
    _usage = Usage()
    _scrubbed: Counter[str] = Counter()  # noqa: RUF012

    def __init__(
        self,
        *,
        budget: Budget | None = None,
        cache: ChatCache | str | os.PathLike | None = None,
        prices: dict[str, float] | None = None,
        scrub: Any = "auto",
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(_unknown_keywords(type(self), list(unknown)))
        if budget is not None and not isinstance(budget, Budget):
            raise TypeError(f"budget must be a Budget, such as Budget(max_calls=1000); got {budget!r}.")
        if isinstance(cache, str | os.PathLike):
            cache = ChatCache(cache)
        if cache is not None and not isinstance(cache, ChatCache):
            raise TypeError(f"cache must be a ChatCache or the path of one; got {cache!r}.")
        if prices is not None and not (
            {"prompt", "completion"} <= set(prices) <= _PRICES and all(price >= 0 for price in prices.values())
        ):
            raise ValueError(
                "prices must be per million tokens, as in {'prompt': 0.15, 'completion': 0.6}, with 'cached' if it "
                f"differs; got {prices!r}."
            )
        read_scrub(scrub, leaves=False)
        self.budget = budget
        self.cache = cache
        self.prices = prices
        self.scrub = scrub

    @property
    def usage_(self) -> Usage:
        """What all calls so far took, failed ones included; with ``prices``, the cost."""
        return self._usage

    @property
    def scrubbed_(self) -> dict[str, int]:
        """How much personal data of each kind was taken out of messages so far; never what it was."""
        return dict(self._scrubbed)

    @property
    def fingerprint(self) -> str | None:
        """A short text that identifies the model and its settings; None if unknown, and nothing is cached then."""
        return None

    def reservation(self, messages: list[Message], settings: ChatSettings, *, wait: bool = True) -> Reservation:
        """Reserve the most that a call can take, for as long as it is in flight.

        Raises
        ------
        BudgetExhausted
        """
        n_tokens = 0 if self.budget is None else most_tokens(messages, settings)
        return Reservation(self.budget, n_tokens, wait=wait)

    def _without_personal_data(self, conversations: list[list[Message]]) -> tuple[list[list[Message]], list[Usage]]:
        """The scrubbed conversations, and what was taken out of each, which is added to the counts."""
        conversations, found = self._scrub(conversations)
        usages = [Usage(n_scrubbed=counts.total()) for counts in found]
        with _counting:
            self._scrubbed = sum(found, self._scrubbed)
            self._usage = sum(usages, self._usage)
        return conversations, usages

    def _scrub(self, conversations: list[list[Message]]) -> tuple[list[list[Message]], list[Counter[str]]]:
        scrubber = read_scrub(self.scrub, leaves=self.is_remote or self.cache is not None)
        if scrubber is None:
            return conversations, [Counter() for _ in conversations]
        # A text that many conversations share, such as a system message, is scrubbed once.
        clean = {text: scrubber(text) for text in {message["content"] for one in conversations for message in one}}
        clean_ones = [
            [{**message, "content": clean[message["content"]][0]} for message in one] for one in conversations
        ]
        return clean_ones, [sum((clean[message["content"]][1] for message in one), Counter()) for one in conversations]

    def _keys(self, conversations: list[list[Message]], settings: ChatSettings) -> list[bytes]:
        """One key per conversation; an empty list where nothing is cached."""
        fingerprint = None if self.cache is None else self.fingerprint
        return [] if fingerprint is None else [cache_key(fingerprint, one, settings) for one in conversations]

    def _remembered(self, keys: list[bytes], settings: ChatSettings) -> dict[int, ChatResult]:
        """Cached answers, by position."""
        if self.cache is None or not keys:
            return {}
        kept = enumerate(self.cache.get(keys))
        read = {i: result_of(answer["text"], settings.schema, Usage()) for i, answer in kept if answer is not None}
        return {i: replace(safe_result(result), cached=True) for i, result in read.items() if result.error is None}

    def _remember(self, results: dict[bytes, ChatResult]) -> None:
        kept = {key: answer for key, result in results.items() if (answer := to_keep(result)) is not None}
        if self.cache is not None and kept:
            self.cache.put(kept)

    def _priced(self, result: ChatResult) -> ChatResult:
        if self.prices is None:
            return result
        usage, prices = result.usage, self.prices
        millions = (usage.prompt_tokens - usage.cached_tokens) * prices["prompt"]
        millions += usage.cached_tokens * prices.get("cached", prices["prompt"])
        millions += usage.completion_tokens * prices["completion"]
        return replace(result, usage=replace(usage, cost=millions / 1e6))

    def _count(self, results: Iterable[ChatResult]) -> None:
        with _counting:
            self._usage = sum((result.usage for result in results), self._usage)
