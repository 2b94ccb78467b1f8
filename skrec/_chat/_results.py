"""Results of chat models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

from skrec._chat._json import parse_beginning, parse_json, write_json
from skrec._chat._messages import Message
from skrec._chat._schema import TOO_LONG, check_schema

_FINISH_REASONS = {
    "stop": ("eos", "eos_token", "end", "end_turn", "stop_sequence", "complete", "completed", "finished"),
    "length": ("max_tokens", "max_length", "max_output_tokens", "model_length", "token_limit", "incomplete"),
    "refusal": ("content_filter", "safety", "blocked", "recitation", "prohibited_content"),
}
_STANDARD_REASON = {word: reason for reason, words in _FINISH_REASONS.items() for word in words}


@dataclass(frozen=True)
class Usage:
    """Calls, tokens and cost.

    Attributes
    ----------
    n_calls : int
        Requests sent, retries included; 0 for an answer from the cache.
    prompt_tokens, completion_tokens : int
        Tokens read and written, as the model counts them; 0 where it does not say.
    cached_tokens : int
        Of the tokens read, those that the server had kept.
    cost : float or None
        By the prices that the client was given; None without.
    n_scrubbed : int
        Pieces of personal data taken out of the messages first.
    """

    n_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None
    n_scrubbed: int = 0

    @property
    def n_tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.n_calls + other.n_calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            sum(costs) if costs else None,
            self.n_scrubbed + other.n_scrubbed,
        )

    def __sub__(self, other: Usage) -> Usage:
        negative = {name: -value for name, value in vars(other).items() if value is not None}
        return self + Usage(**negative)


@dataclass(frozen=True)
class ChatResult:
    """The answer to one conversation, or why there is none.

    Attributes
    ----------
    text : str
        What the model wrote, without blocks of thought; empty where it failed.
    parsed : object or None
        The JSON value in ``text`` that fits the schema; None without a schema.
    usage : Usage
    finish_reason : str or None
        "stop", "length" (cut off), "refusal", or what else the model says.
    cached : bool
        Whether it came from the cache.
    beginning : object or None
        Of a JSON answer that was cut off, or is longer than the schema allows, what can be read of it: it fits the
        schema, but lists may be shorter.
    error : str or None
        Why there is no usable answer; never contains a key or a text of a user.
    """

    text: str = ""
    parsed: Any = None
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    cached: bool = False
    error: str | None = None
    beginning: Any = None


@dataclass(frozen=True)
class ChatSettings:
    """How a batch of conversations is to be answered.

    ``narrower`` holds the narrower schemas by conversation, written as JSON.
    """

    schema: dict[str, Any] | None = None
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int | None = None
    prompt: str | None = None
    narrower: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def with_narrower(
        self, conversations: Sequence[list[Message]], narrower: Sequence[dict[str, Any]] | None
    ) -> ChatSettings:
        """Settings with a narrower schema of each conversation.

        Raises
        ------
        ValueError
            If there is no schema to be narrower than, or if the numbers differ.
        """
        if narrower is None:
            return self
        if self.schema is None:
            raise ValueError("narrower=... needs schema, against which answers are checked.")
        if len(narrower) != len(conversations):
            raise ValueError(f"narrower has {len(narrower)} schemas for {len(conversations)} conversations.")
        return replace(self, narrower=dict(zip(map(json.dumps, conversations), narrower, strict=True)))

    def schema_for(self, conversation: list[Message]) -> dict[str, Any] | None:
        """What constrains the answer to a conversation: its narrower schema, else the schema of all."""
        return self.narrower.get(json.dumps(conversation), self.schema) if self.narrower else self.schema

    @classmethod
    def read(cls, schema: Any, max_tokens: Any, temperature: Any, seed: Any, prompt: str | None) -> ChatSettings:
        """Settings as they were given, NumPy's numbers too.

        Raises
        ------
        TypeError
            If ``max_tokens`` or ``seed`` is no whole number, or the schema no dict.
        ValueError
            If ``max_tokens`` is below 1, ``temperature`` negative, or ``schema`` no valid JSON schema.
        """
        for name, value in (("max_tokens", max_tokens), ("seed", 0 if seed is None else seed)):
            if not isinstance(value, Integral) or isinstance(value, bool):
                raise TypeError(f"{name}={value!r} must be a whole number.")
        if schema is not None and not isinstance(schema, dict):
            raise TypeError(
                f"schema must be a JSON schema as a dict; got {schema!r:.80} of type {type(schema).__name__}."
            )
        if schema is not None:
            check_schema(schema)
        if max_tokens < 1:
            raise ValueError(f"max_tokens={max_tokens!r} must be at least 1.")
        if not temperature >= 0:
            raise ValueError(f"temperature={temperature!r} must be 0 or more.")
        return cls(schema, int(max_tokens), float(temperature), None if seed is None else int(seed), prompt)


def result_of(answer: Any, schema: dict[str, Any] | None, usage: Usage, finish_reason: str = "stop") -> ChatResult:
    """The result of an answer, parsed if there is a schema."""
    if not isinstance(answer, str | dict | list):
        return ChatResult(usage=usage, error=f"the answer is of type {type(answer).__name__}, and not text")
    try:
        text, parsed, error = parse_json(answer, schema)
    except (TypeError, ValueError, RecursionError) as failure:
        return ChatResult(usage=usage, error=f"the answer is not JSON ({type(failure).__name__})")
    is_cut = error is not None and (finish_reason == "length" or error.endswith(TOO_LONG))
    beginning = parse_beginning(text, schema) if schema is not None and is_cut else None
    return ChatResult(text, parsed, usage, finish_reason, error=error, beginning=beginning)


def standard_reason(reason: Any) -> str:
    """The ``finish_reason`` of any server in the words of OpenAI; "stop" where there is none."""
    if not isinstance(reason, str) or not reason:
        return "stop"
    return _STANDARD_REASON.get(reason.lower(), reason.lower())


def safe_result(result: ChatResult) -> ChatResult:
    """A result that every table, cache and log can store: plain JSON, and no lone surrogates.

    Each result of each model goes through here, once.
    """
    if not isinstance(result.text, str):
        return ChatResult(usage=result.usage, error=f"the text is of type {type(result.text).__name__}, and not text")
    text = _without_surrogates(result.text)
    error = None if result.error is None else _without_surrogates(str(result.error))
    try:
        parsed, beginning = _plain_value(result.parsed), _plain_value(result.beginning)
    except (TypeError, ValueError, RecursionError) as failure:
        return replace(
            result, text=text, parsed=None, beginning=None, error=f"the answer is not JSON ({type(failure).__name__})"
        )
    return replace(result, text=text, parsed=parsed, beginning=beginning, error=error)


def _plain_value(value: Any) -> Any:
    return None if value is None else json.loads(_without_surrogates(write_json(value)))


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
