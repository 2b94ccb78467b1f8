"""The protocol of chat models: conversations in, one result each, no exception for one that failed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skrec._chat._budget import BudgetExhausted, Reservation, about_tokens, settled
from skrec._chat._messages import Conversation, Message, read_conversation
from skrec._chat._metering import Metering
from skrec._chat._results import ChatResult, ChatSettings, Usage, result_of, safe_result
from skrec.utils import ExternalMixin, advance, progress

_CHUNK = 64  # conversations after which answers are put into a cache


class BaseChat(ExternalMixin, Metering, ABC):
    """A chat model behind one protocol, with a budget, a cache and counts.

    A subclass gives ``_answer(conversations, settings)``: one :class:`ChatResult` per conversation, in order,
    never raising for one that failed; ``fingerprint``, without which nothing is cached; and ``score`` where it
    has log-probabilities (``can_score``). It passes the parameters below to this ``__init__``.

    A clone shares the client, and with it budget, cache and counts. Worker processes get copies: the cache file
    is still shared; a budget starts there from what was left, and counts stay there.

    Parameters
    ----------
    budget : Budget, default=None
    cache : ChatCache or path, default=None
    prices : dict, default=None
        Prices per million tokens: ``{"prompt": 0.15, "completion": 0.6}``, and ``"cached"`` for prompt tokens
        that the server had cached, by default the price of other prompt tokens.
    scrub : "auto", bool or Scrubber, default="auto"
        Whether personal data is taken out of messages first: "auto" where they go to another machine, or
        answers into a cache.
    """

    can_score: bool = False

    def __sklearn_clone__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def _external(self) -> list[str]:
        return [] if self.cache is None else self.cache._external()

    @abstractmethod
    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        """One result per conversation, in order."""

    def complete(
        self,
        conversations: Sequence[Conversation],
        *,
        schema: dict[str, Any] | None = None,
        narrower: Sequence[dict[str, Any]] | None = None,
        max_tokens: int = 512,
        temperature: float = 0.0,
        seed: int | None = None,
        prompt: str | None = None,
    ) -> list[ChatResult]:
        """Answer conversations.

        Parameters
        ----------
        conversations : list of n conversations
            Each a text (of the user), or a list of messages ``{"role": ..., "content": ...}``.
        schema : dict, default=None
            JSON schema of the answer; ``parsed`` is then the value that fits it.
        narrower : list of n dict, default=None
            Per conversation, a schema within ``schema``: how many entries, and which. A server that constrains its
            answers gets it in place of ``schema``; the answer is still checked against ``schema`` alone.
        max_tokens : int, default=512
            Most tokens per answer.
        temperature : float, default=0.0
        seed : int, default=None
        prompt : str, default=None
            Name and version of the prompt that the conversations were written from.

        Returns
        -------
        list of n ChatResult
            In order. A conversation that failed has an ``error``; none raises.
        """
        self._check_active()
        settings = ChatSettings.read(schema, max_tokens, temperature, seed, prompt)
        conversations = [conversations] if isinstance(conversations, str) else conversations
        messages, scrubbed = self._without_personal_data([read_conversation(one) for one in conversations])
        settings = settings.with_narrower(messages, narrower)
        keys = self._keys(messages, settings)
        results = self._remembered(keys, settings)
        missing = [i for i in range(len(messages)) if i not in results]
        with progress(len(messages), "Language model", "call", done=len(results)) as bar:
            for batch in self._answers([messages[i] for i in missing], settings):
                new = {missing[at]: self._priced(safe_result(result)) for at, result in batch.items()}
                self._count(new.values())
                self._remember({keys[i]: result for i, result in new.items()} if keys else {})
                results.update(new)
                bar.reach(len(results))
        return [replace(results[i], usage=results[i].usage + usage) for i, usage in enumerate(scrubbed)]

    def estimate(
        self,
        conversations: Sequence[Conversation],
        *,
        schema: dict[str, Any] | None = None,
        narrower: Sequence[dict[str, Any]] | None = None,
        max_tokens: int = 512,
        temperature: float = 0.0,
        seed: int | None = None,
        prompt: str | None = None,
    ) -> Usage:
        """Estimate the usage of :meth:`complete`, without a call.

        Parameters
        ----------
        conversations, schema, narrower, max_tokens, temperature, seed, prompt
            As in :meth:`complete`.

        Returns
        -------
        Usage
            A call for each conversation that no cache answers; a prompt token for every four bytes; ``max_tokens``
            for each answer, which most stay below; with ``prices``, the cost of these. Retries are not included.
        """
        settings = ChatSettings.read(schema, max_tokens, temperature, seed, prompt)
        messages, _ = self._scrub([read_conversation(one) for one in conversations])
        settings = settings.with_narrower(messages, narrower)
        kept = self._remembered(self._keys(messages, settings), settings)
        missing = [one for i, one in enumerate(messages) if i not in kept]
        n_read = sum(about_tokens(message["content"]) for one in missing for message in one)
        usage = Usage(n_calls=len(missing), prompt_tokens=n_read, completion_tokens=len(missing) * max_tokens)
        return self._priced(ChatResult(usage=usage)).usage

    async def acomplete(self, conversations: Sequence[Conversation], **options: Any) -> list[ChatResult]:
        """As :meth:`complete`, for use inside an event loop."""
        return await asyncio.to_thread(partial(self.complete, conversations, **options))

    def score(
        self, prompts: Sequence[Conversation], options: Sequence[Sequence[str]], *, normalize: str = "sum"
    ) -> NDArray[np.float64]:
        """Log-probability of each option as the continuation of its prompt.

        Parameters
        ----------
        prompts : list of n texts or conversations
        options : list of n lists of m texts
        normalize : {"sum", "mean"}, default="sum"
            "mean" divides by the number of tokens of the option.

        Returns
        -------
        float64 array of shape (n, m)

        Raises
        ------
        NotImplementedError
            If the model gives no log-probabilities (``can_score`` is False).
        """
        raise NotImplementedError(f"{type(self).__name__} gives no log-probabilities; check can_score first.")

    # Around a call -----------------------------------------------------------------------------------

    def _answers(self, conversations: list[list[Message]], settings: ChatSettings) -> Iterator[dict[int, ChatResult]]:
        """Results by position, as they come: as many conversations at once as the budget allows."""
        for start, reservations, refused in self._batches(conversations, settings):
            if not reservations:
                yield {start: ChatResult(error=refused)}
                continue
            batch = conversations[start : start + len(reservations)]
            with settled(reservations):
                results = self._answer(batch, settings)
                for reservation, result in zip(reservations, results, strict=True):
                    reservation.settle(result.usage.n_tokens or None)
            yield dict(enumerate(results, start))

    def _batches(
        self, conversations: list[list[Message]], settings: ChatSettings
    ) -> Iterator[tuple[int, list[Reservation], str | None]]:
        """Where each run begins that the budget suffices for, and its reservations; none, and why, for one too many.

        Each run is to be settled before the next is reserved.
        """
        n_most = len(conversations) if self.cache is None else _CHUNK
        start = 0
        while start < len(conversations):
            reservations, refused = self._affordable(conversations[start : start + n_most], settings)
            yield start, reservations, refused
            start += len(reservations) or 1

    def _affordable(
        self, conversations: list[list[Message]], settings: ChatSettings, *, wait: bool = True
    ) -> tuple[list[Reservation], str | None]:
        """Reservations of the first conversations, as far as the budget goes; and why it goes no further."""
        reservations: list[Reservation] = []
        for messages in conversations:
            try:
                # Only a thread that holds no reservation may wait: it would wait for itself.
                reservations.append(self.reservation(messages, settings, wait=wait and not reservations))
            except BudgetExhausted as error:
                return reservations, str(error)
        return reservations, None


class CallableChat(BaseChat):
    """Any function as a chat model.

    Parameters
    ----------
    function : callable (messages) -> str, dict or list
        Takes the messages of one conversation, a list of ``{"role": ..., "content": ...}``. A dict or list
        is written as JSON. An exception makes that one conversation fail. It may have a string attribute
        ``fingerprint`` that changes with what it answers; without one nothing is cached.
    **options
        ``budget``, ``cache``, ``prices`` and ``scrub`` of :class:`BaseChat`. What the function does with a text
        cannot be known: pass ``scrub=True`` if it sends it away.
    """

    def __init__(self, function: Any, **options: Any) -> None:
        super().__init__(**options)
        self.function = function

    def __repr__(self) -> str:
        return f"CallableChat({getattr(self.function, '__name__', type(self.function).__name__)})"

    @property
    def fingerprint(self) -> str | None:
        """The ``fingerprint`` attribute of the function, if it is a string."""
        own = getattr(self.function, "fingerprint", None)
        return own if isinstance(own, str) else None

    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        results = []
        for messages in conversations:
            results.append(self._answer_one(messages, settings))
            advance()
        return results

    def _answer_one(self, messages: list[Message], settings: ChatSettings) -> ChatResult:
        usage = Usage(n_calls=1)
        try:
            answer = self.function([dict(message) for message in messages])
        except Exception as error:  # whatever a function of someone else's raises, the list must not be lost
            return ChatResult(usage=usage, error=f"the function raised {type(error).__name__}")
        return result_of(answer, settings.schema, usage)


LanguageModel: TypeAlias = BaseChat | Callable[..., Any]
"""A client, or a function from messages to an answer."""


def as_chat(llm: Any) -> BaseChat:
    """The chat model of a parameter ``llm``.

    Raises
    ------
    TypeError
        If it is neither a chat client nor a callable.
    """
    if isinstance(llm, BaseChat):
        return llm
    if callable(llm) and not isinstance(llm, type):
        return CallableChat(llm)
    raise TypeError(
        f"llm must be a chat client of skrec.llm (OpenAICompatibleChat, TransformersChat, HeuristicChat) or a "
        f"function from messages to text; got {llm!r} of type {type(llm).__name__}."
    )
