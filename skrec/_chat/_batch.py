"""Prompts in batches, each distinct one sent once, and statistics of the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from skrec._chat._base import BaseChat
from skrec._chat._messages import Message
from skrec._chat._results import Usage
from skrec.exceptions import ExternalAccessError
from skrec.utils import EndpointError


@dataclass
class CallStatistics:
    """Counts over prompts: sent, failed, cached, and what they took."""

    n_prompts: int = 0
    n_failed: int = 0
    n_cached: int = 0
    usage: Usage = field(default_factory=Usage)
    errors: Counter[str] = field(default_factory=Counter)

    def as_report(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return {
            **{name: value for name, value in vars(self).items() if name.startswith("n_")},
            "parsed": 1 - self.n_failed / self.n_prompts if self.n_prompts else None,
            "usage": asdict(self.usage),
            "errors": dict(self.errors),
        }


def complete_batch(
    chat: BaseChat,
    conversations: Sequence[list[Message]],
    statistics: CallStatistics,
    *,
    schema: dict[str, Any],
    narrower: Sequence[dict[str, Any]],
    max_tokens: int,
    seed: int,
    prompt: str,
    accept_beginning: bool = False,
) -> list[Any]:
    """The parsed answer to each conversation, or None; equal conversations are sent once.

    ``narrower`` holds the schema of each conversation. With ``accept_beginning``, the readable beginning of an answer
    that was cut off counts as the answer.
    """
    keys = [tuple(message["content"] for message in messages) for messages in conversations]
    first: dict[tuple[str, ...], int] = {}
    for at, key in enumerate(keys):
        first.setdefault(key, at)
    statistics.n_prompts += len(first)
    try:
        results = chat.complete(
            [conversations[at] for at in first.values()],
            schema=schema,
            narrower=[narrower[at] for at in first.values()],
            max_tokens=max_tokens,
            seed=seed,
            prompt=prompt,
        )
    except ExternalAccessError:
        raise
    except Exception as error:  # nothing is lost because a model failed
        statistics.n_failed += len(first)
        statistics.errors[reason_of(error)] += len(first)
        return [None] * len(conversations)
    values = [result.beginning if accept_beginning and result.parsed is None else result.parsed for result in results]
    for result, value in zip(results, values, strict=True):
        statistics.usage += result.usage
        statistics.n_cached += result.cached
        statistics.n_failed += value is None
        if value is None:
            statistics.errors[result.error or "no answer"] += 1
    answers = dict(zip(first, values, strict=True))
    return [answers[key] for key in keys]


def reason_of(error: Exception) -> str:
    """The reason of an exception, without any text of a user."""
    own = error.brief if isinstance(error, EndpointError) else ""
    return own or f"the model raised {type(error).__name__}"
