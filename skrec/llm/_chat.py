"""The protocol of chat models: conversations in, one result each, no exception for one that failed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skrec.llm._json import parse_json

Message: TypeAlias = dict[str, str]
Conversation: TypeAlias = str | Sequence[Message]

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Usage:
    """What calls took.

    Attributes
    ----------
    n_calls : int
        Requests sent, retries included; 0 for an answer from the cache.
    prompt_tokens, completion_tokens : int
        Tokens read and written.
    cached_tokens : int
        Of the tokens read, those that the server had kept.
    """

    n_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.n_calls + other.n_calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True)
class ChatResult:
    """The answer to one conversation, or why there is none.

    Attributes
    ----------
    text : str
        What the model wrote, without blocks of thought; empty where it failed.
    parsed : object or None
        The JSON value in ``text`` that fits the schema that was asked for; None without a schema.
    usage : Usage
    finish_reason : str or None
        "stop", "length" (cut off), "refusal", or what else the model says.
    cached : bool
        Whether it came from the cache.
    error : str or None
        Why there is no usable answer; never holds a key or a text of a user.
    """

    text: str = ""
    parsed: Any = None
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    cached: bool = False
    error: str | None = None


@dataclass(frozen=True)
class ChatSettings:
    """How a batch of conversations is to be answered."""

    schema: dict[str, Any] | None = None
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int | None = None
    prompt: str | None = None


class BaseChat(ABC):
    """A chat model behind one protocol.

    A subclass gives ``_answer(conversations, settings)``: one :class:`ChatResult` a conversation, in order,
    never raising for one that failed; and ``_score`` where it has log-probabilities (``can_score``).

    A clone shares the client (and with it budget, cache and counts); worker processes get copies.
    """

    can_score: bool = False

    def __sklearn_clone__(self) -> Self:
        return self

    @property
    def fingerprint(self) -> str | None:
        """What decides the answers, as a short text; None if that cannot be told, and nothing is cached then."""
        return None

    @abstractmethod
    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        """One result a conversation, in order."""

    def complete(
        self,
        conversations: Sequence[Conversation],
        *,
        schema: dict[str, Any] | None = None,
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
            JSON schema that the answer has to fit; ``parsed`` then holds it.
        max_tokens : int, default=512
            Most tokens an answer.
        temperature : float, default=0.0
        seed : int, default=None
        prompt : str, default=None
            Name and version of the prompt that the conversations were written from.

        Returns
        -------
        list of n ChatResult
            In order. A conversation that failed has an ``error``; none raises.
        """
        settings = ChatSettings(schema, max_tokens, temperature, seed, prompt)
        conversations = [conversations] if isinstance(conversations, str) else conversations
        return self._answer([read_conversation(one) for one in conversations], settings)

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
            If the model tells no log-probabilities (``can_score`` is False).
        """
        raise NotImplementedError(f"{type(self).__name__} tells no log-probabilities; check can_score first.")


class CallableChat(BaseChat):
    """Any function as a chat model.

    Parameters
    ----------
    function : callable (messages) -> str, dict or list
        Takes the messages of one conversation, a list of ``{"role": ..., "content": ...}``. A dict or list
        stands for its JSON. An exception makes that one conversation fail.
    """

    def __init__(self, function: Any) -> None:
        self.function = function

    def __repr__(self) -> str:
        return f"CallableChat({getattr(self.function, '__name__', type(self.function).__name__)})"

    @property
    def fingerprint(self) -> str | None:
        """What the function says of itself, if it does."""
        return getattr(self.function, "fingerprint", None)

    def _answer(self, conversations: list[list[Message]], settings: ChatSettings) -> list[ChatResult]:
        return [self._answer_one(messages, settings) for messages in conversations]

    def _answer_one(self, messages: list[Message], settings: ChatSettings) -> ChatResult:
        usage = Usage(n_calls=1)
        try:
            answer = self.function([dict(message) for message in messages])
        except Exception as error:  # whatever a function of someone else's raises, the list must not be lost
            return ChatResult(usage=usage, error=f"the function raised {type(error).__name__}")
        return result_of(answer, settings.schema, usage)


def result_of(answer: Any, schema: dict[str, Any] | None, usage: Usage, finish_reason: str = "stop") -> ChatResult:
    """An answer, parsed where a schema was asked for."""
    if not isinstance(answer, str | dict | list):
        return ChatResult(usage=usage, error=f"the answer is of type {type(answer).__name__}, and not text")
    text, parsed, error = parse_json(answer, schema)
    return ChatResult(text, parsed, usage, finish_reason, error=error)


def as_chat(llm: Any) -> BaseChat:
    """A chat model from what a parameter ``llm`` holds.

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


def read_conversation(conversation: Conversation) -> list[Message]:
    """Messages of a conversation.

    Raises
    ------
    TypeError
        If it is neither a text nor a list of messages.
    ValueError
        If it is empty, or a message has another role than system, user and assistant.
    """
    if isinstance(conversation, str):
        return [{"role": "user", "content": conversation}]
    messages = list(conversation)
    if not messages:
        raise ValueError("A conversation has no messages; pass a text, or at least one message.")
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(content, str):
            raise TypeError(
                "A conversation must be a text or a list of messages {'role': ..., 'content': ...} with text as "
                f"content; got a message of type {type(message).__name__}."
            )
        if message.get("role") not in _ROLES:
            raise ValueError(f"The role of a message must be one of {_ROLES}; got {message.get('role')!r}.")
    return messages
