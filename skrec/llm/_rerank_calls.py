"""The calls of a reranker to a model, in batches, and their statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skrec._chat import (
    BaseChat,
    CallStatistics,
    Message,
    closed_object,
    complete_batch,
    names_of,
    reason_of,
    token_in,
)
from skrec.exceptions import ExternalAccessError
from skrec.llm._orders import read_order
from skrec.llm._prompt_context import PromptContext, PromptWriter

Shown: TypeAlias = tuple[PromptContext, Sequence[int]]

_NAME = {"type": "string", "maxLength": 200}  # a token; some models write the title behind it
_BETTER = {"type": "object", "properties": {"better": _NAME}, "required": ["better"]}
_GRADE = {
    "type": "object",
    "properties": {"grade": {"type": "number", "minimum": 0, "maximum": 10}},
    "required": ["grade"],
}
# Narrower, for servers that constrain what a model writes: whole grades, and the names of the prompt alone.
_WHOLE_GRADE = closed_object(grade={"type": "integer", "enum": list(range(11))})
_TOKENS_PER_ENTRY = 16
_NO_LIKELIHOOD = "no likelihood: the prompt exceeds the context length of the model, or the budget"


@dataclass
class Counts(CallStatistics):
    """Statistics of the prompts of one ``recommend``."""

    n_queries: int = 0
    n_reranked: int = 0
    n_unknown: int = 0
    n_repeated: int = 0
    n_missing: int = 0
    n_without_text: int = 0
    n_cut: int = 0
    variances: list[float] = field(default_factory=list)

    def as_report(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return {**super().as_report(), "shuffle_variance": float(np.mean(self.variances)) if self.variances else None}


class Calls:
    """Calls a model for orders, comparisons and grades of candidates; an unusable answer is None.

    Parameters
    ----------
    chat : BaseChat
    writer : PromptWriter
    max_tokens : int
    counts : Counts
        Updated by every batch.
    """

    def __init__(self, chat: BaseChat, writer: PromptWriter, max_tokens: int, counts: Counts) -> None:
        self.chat = chat
        self.writer = writer
        self.max_tokens = max_tokens
        self.counts = counts

    def orders(self, shown: Sequence[Shown]) -> list[list[int] | None]:
        """The order of each list of candidates."""
        longest = max((len(candidates) for _, candidates in shown), default=1)
        return self._complete(shown, _order_schema(longest), _whole_order, self._order, longest)

    def better(self, pairs: Sequence[Shown]) -> list[int | None]:
        """The better one of each pair of candidates."""
        return self._complete(pairs, _BETTER, _one_of_two, self._better)

    def grades(self, shown: Sequence[Shown]) -> list[float | None]:
        """A grade from 0 to 10 of each single candidate."""
        return self._complete(shown, _GRADE, lambda tokens: _WHOLE_GRADE, lambda parsed, tokens: float(parsed["grade"]))

    def likelihoods(self, shown: Sequence[Shown]) -> list[float | None]:
        """Log-probability of a yes minus that of a no, for each single candidate."""
        messages = [self.writer.write(*one)[0] for one in shown]
        self.counts.n_prompts += len(messages)
        before = self.chat.usage_
        try:
            yes_no = self.chat.score(messages, [["Yes", "No"]] * len(messages))
        except ExternalAccessError:
            raise
        except Exception as error:  # no list is lost because a model failed
            yes_no = np.full((len(messages), 2), np.nan)
            self.counts.errors[reason_of(error)] += len(messages)
        else:
            if n_without := int((~np.isfinite(yes_no)).any(axis=1).sum()):
                self.counts.errors[_NO_LIKELIHOOD] += n_without
        self.counts.usage += self.chat.usage_ - before
        with np.errstate(invalid="ignore"):
            likelier: NDArray[np.float64] = yes_no[:, 0] - yes_no[:, 1]
        usable = np.isfinite(likelier)
        self.counts.n_failed += int((~usable).sum())
        return [float(value) if good else None for value, good in zip(likelier, usable, strict=True)]

    def _complete(
        self,
        shown: Sequence[Shown],
        schema: dict[str, Any],
        narrow: Callable[[list[str]], dict[str, Any]],
        read: Callable[[Any, dict[str, int]], Any],
        longest: int = 1,
    ) -> list[Any]:
        written = [self.writer.write(*one) for one in shown]
        narrower = [narrow(list(tokens)) for _, tokens in written]
        results = self._distinct([messages for messages, _ in written], schema, narrower, longest)
        both = zip(results, written, strict=True)
        return [None if result is None else read(result, tokens) for result, (_, tokens) in both]

    def _distinct(
        self, conversations: list[list[Message]], schema: dict[str, Any], narrower: list[dict[str, Any]], longest: int
    ) -> list[Any]:
        """The parsed answer to each conversation; identical ones are sent once."""
        writer = self.writer
        return complete_batch(
            self.chat,
            conversations,
            self.counts,
            schema=schema,
            narrower=narrower,
            max_tokens=max(self.max_tokens, longest * _TOKENS_PER_ENTRY),
            seed=writer.seed,
            prompt=writer.prompt.name,
            accept_beginning=True,
        )

    def _order(self, parsed: Any, tokens: dict[str, int]) -> list[int] | None:
        read = read_order([token_in(name) for name in parsed["order"]], tokens)
        self.counts.n_unknown += read.n_unknown
        self.counts.n_repeated += read.n_repeated
        self.counts.n_missing += read.n_missing
        return read.order if read.n_missing < len(tokens) else None

    def _better(self, parsed: Any, tokens: dict[str, int]) -> int | None:
        name = token_in(parsed["better"])
        self.counts.n_unknown += name not in tokens
        return tokens.get(name)


def _order_schema(longest: int) -> dict[str, Any]:
    """An order of at most so many candidates. A weak model that is held to no length repeats itself for ever."""
    order = {"type": "array", "items": _NAME, "maxItems": 2 * longest}  # a few repetitions are ignored
    return {"type": "object", "properties": {"order": order}, "required": ["order"]}


def _whole_order(tokens: list[str]) -> dict[str, Any]:
    """Each candidate of the prompt, as far as a schema can say so: as many entries as there are, and these alone."""
    return closed_object(order=names_of(tokens, len(tokens), least=len(tokens)))


def _one_of_two(tokens: list[str]) -> dict[str, Any]:
    return closed_object(better={"type": "string", "enum": tokens})
