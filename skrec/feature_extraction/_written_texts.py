"""Texts that a language model writes, kept with the estimator that asked for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from skrec._chat import BaseChat, TextWriter, Usage

LanguageModel: TypeAlias = "BaseChat | Callable[[Any], str]"
Facts: TypeAlias = Sequence[Sequence[str]]


class WrittenTextsMixin:
    """A transformer for which ``llm`` writes texts, each of them once.

    A text is kept by everything that decides it: the model, the prompt and the facts. Placed before
    :class:`~skrec.utils.PersistenceMixin` in the bases.
    """

    llm: Any
    prompt: str | None
    language: str | None
    max_words: int
    max_chars: int
    max_tokens: int

    def _make_writer(self, prompt_file: str, block: str, *, as_list: bool = False, **fields: str) -> TextWriter | None:
        """What asks the model; None without a model."""
        if self.llm is None:
            return None
        from skrec._chat import TextWriter, in_language, read_prompt

        fields |= {"max_words": str(self.max_words), "language": in_language(self.language)}
        return TextWriter(
            self.llm,
            read_prompt(self.prompt, prompt_file),
            block,
            fields,
            max_chars=self.max_chars,
            max_tokens=self.max_tokens,
            as_list=as_list,
        )

    @property
    def _written(self) -> dict[str, str]:
        """What the model wrote in earlier calls, by what decides it."""
        return getattr(self, "_memory", {})

    def _remember(self, texts: dict[str, str], *, forget: bool) -> None:
        """Keep what was written; ``forget`` drops what is not among it, as a new fit does."""
        self._memory = texts if forget else self._written | texts

    def _estimate(self, writer: TextWriter | None, facts: Facts) -> Usage:
        """What it would take to write the texts that are not kept yet."""
        from skrec._chat import Usage

        return Usage() if writer is None else writer.estimate(facts, self._written)

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        if state.get("_memory"):
            from skrec._chat import persistent_texts

            state["_memory"] = persistent_texts(state["_memory"])
        return state
