"""What a reranker asks a model, in batches, and the count of what came of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skrec.llm._chat import BaseChat, Message, Usage
from skrec.llm._orders import read_order
from skrec.llm._situations import PromptWriter, Situation

Shown: TypeAlias = tuple[Situation, Sequence[int]]

_FIRST_WORD = re.compile(r"[^a-z0-9]*([a-z0-9]+)")

_ORDER = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "string"}}},
    "required": ["order"],
}
_BETTER = {"type": "object", "properties": {"better": {"type": "string"}}, "required": ["better"]}
_GRADE = {
    "type": "object",
    "properties": {"grade": {"type": "number", "minimum": 0, "maximum": 10}},
    "required": ["grade"],
}


@dataclass
class Counts:
    """What came of the prompts of one ``recommend``."""

    n_queries: int = 0
    n_reranked: int = 0
    n_prompts: int = 0
    n_failed: int = 0
    n_unknown: int = 0
    n_repeated: int = 0
    n_missing: int = 0
    n_without_text: int = 0
    n_cut: int = 0
    n_cached: int = 0
    usage: Usage = field(default_factory=Usage)
    errors: Counter[str] = field(default_factory=Counter)
    variances: list[float] = field(default_factory=list)

    def as_report(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        numbers = {name: value for name, value in vars(self).items() if name.startswith("n_")}
        return {
            **numbers,
            "parsed": 1 - self.n_failed / self.n_prompts if self.n_prompts else None,
            "shuffle_variance": float(np.mean(self.variances)) if self.variances else None,
            "usage": asdict(self.usage),
            "errors": dict(self.errors),
        }


class Calls:
    """Asks a model about candidates; an answer that cannot be used is None.

    Parameters
    ----------
    chat : BaseChat
    writer : PromptWriter
    max_tokens : int
    counts : Counts
        Grows with every batch.
    """

    def __init__(self, chat: BaseChat, writer: PromptWriter, max_tokens: int, counts: Counts) -> None:
        self.chat = chat
        self.writer = writer
        self.max_tokens = max_tokens
        self.counts = counts

    def orders(self, shown: Sequence[Shown]) -> list[list[int] | None]:
        """The order of each list of candidates."""
        return self._complete(shown, _ORDER, self._order)

    def better(self, pairs: Sequence[Shown]) -> list[int | None]:
        """The better one of each pair of candidates."""
        return self._complete(pairs, _BETTER, self._better)

    def grades(self, shown: Sequence[Shown]) -> list[float | None]:
        """A grade from 0 to 10 of each single candidate."""
        return self._complete(shown, _GRADE, lambda parsed, tokens: float(parsed["grade"]))

    def likelihoods(self, shown: Sequence[Shown]) -> list[float | None]:
        """How much likelier a yes is than a no, in log-probability, for each single candidate."""
        messages = [self.writer.write(*one)[0] for one in shown]
        self.counts.n_prompts += len(messages)
        try:
            yes_no = self.chat.score(messages, [["Yes", "No"]] * len(messages))
        except Exception as error:  # no list is lost because a model failed
            yes_no = np.full((len(messages), 2), np.nan)
            self.counts.errors[f"the model raised {type(error).__name__}"] += len(messages)
        with np.errstate(invalid="ignore"):
            likelier: NDArray[np.float64] = yes_no[:, 0] - yes_no[:, 1]
        usable = np.isfinite(likelier)
        self.counts.n_failed += int((~usable).sum())
        return [float(value) if good else None for value, good in zip(likelier, usable, strict=True)]

    def _complete(
        self, shown: Sequence[Shown], schema: dict[str, Any], read: Callable[[Any, dict[str, int]], Any]
    ) -> list[Any]:
        written = [self.writer.write(*one) for one in shown]
        results = self._distinct([messages for messages, _ in written], schema)
        both = zip(results, written, strict=True)
        return [None if result is None else read(result, tokens) for result, (_, tokens) in both]

    def _distinct(self, conversations: list[list[Message]], schema: dict[str, Any]) -> list[Any]:
        """What fits the schema in the answer to each conversation; equal ones are sent once."""
        keys = [tuple(message["content"] for message in messages) for messages in conversations]
        first: dict[tuple[str, ...], list[Message]] = {}
        for key, messages in zip(keys, conversations, strict=True):
            first.setdefault(key, messages)
        counts = self.counts
        counts.n_prompts += len(first)
        try:
            results = self.chat.complete(
                list(first.values()),
                schema=schema,
                max_tokens=self.max_tokens,
                seed=self.writer.seed,
                prompt=self.writer.prompt.name,
            )
        except Exception as error:  # no list is lost because a model failed
            counts.n_failed += len(first)
            counts.errors[f"the model raised {type(error).__name__}"] += len(first)
            return [None] * len(conversations)
        for result in results:
            counts.usage += result.usage
            counts.n_cached += result.cached
            counts.n_failed += result.parsed is None
            if result.parsed is None:
                counts.errors[result.error or "no answer"] += 1
        answers = dict(zip(first, (result.parsed for result in results), strict=True))
        return [answers[key] for key in keys]

    def _order(self, parsed: Any, tokens: dict[str, int]) -> list[int] | None:
        read = read_order([_token(name) for name in parsed["order"]], tokens)
        self.counts.n_unknown += read.n_unknown
        self.counts.n_repeated += read.n_repeated
        self.counts.n_missing += read.n_missing
        return read.order if read.n_missing < len(tokens) else None

    def _better(self, parsed: Any, tokens: dict[str, int]) -> int | None:
        name = _token(parsed["better"])
        self.counts.n_unknown += name not in tokens
        return tokens.get(name)


def _token(name: str) -> str:
    """The token in what a model names a candidate by, as in ``"[k4tm8] a title"``."""
    found = _FIRST_WORD.match(name.lower())
    return found[1] if found else ""
