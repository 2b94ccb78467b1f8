"""Sentences of a language model that cite evidence. Sentences that cite none are dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skrec._chat import (
    BaseChat,
    CallStatistics,
    Message,
    Prompt,
    as_data,
    closed_object,
    complete_batch,
    content_rng,
    delimited,
    list_of,
    names_of,
    token_in,
)
from skrec._explain import Evidence, context_words
from skrec.utils import Text, template_fields

_SENTENCE = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "evidence": {"type": "array", "items": {"type": "string"}}},
    "required": ["text", "evidence"],
}
SENTENCES = {
    "type": "object",
    "properties": {"sentences": {"type": "array", "items": _SENTENCE}},
    "required": ["sentences"],
}
_LONGEST = 400
_TOKENS_PER_SENTENCE = 160  # four hundred letters, and the tokens of the evidence
_BLOCK = 1024
"""Cases whose prompts are held in memory at a time."""


@dataclass
class GroundedCounts(CallStatistics):
    """Statistics of the prompts of one call.

    Attributes
    ----------
    n_pairs, n_llm, n_template : int
        Texts that were requested, and how many the model and the template wrote.
    n_sentences : int
        Sentences in the answers. Of these, ``n_unknown`` cited evidence that was not in the prompt, ``n_uncited``
        cited nothing, and ``n_too_long`` were too long.
    n_without_text : int
        Pairs where the item, or all of its evidence, has no text.
    """

    n_pairs: int = 0
    n_llm: int = 0
    n_template: int = 0
    n_sentences: int = 0
    n_unknown: int = 0
    n_uncited: int = 0
    n_too_long: int = 0
    n_without_text: int = 0


@dataclass(frozen=True)
class Entry:
    """The text that a model reads for one piece of evidence.

    Attributes
    ----------
    block : str
        Name of its data block: the kind of reason.
    text : str
    evidence : Evidence
    """

    block: str
    text: str
    evidence: Evidence


@dataclass(frozen=True)
class Case:
    """One pair of user and item, as the model reads it.

    Attributes
    ----------
    item : str
    entries : list of Entry
        One piece of evidence may have several entries.
    """

    item: str
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the evidence that it cites."""

    text: str
    evidence: list[Evidence]


@dataclass(frozen=True)
class GroundedWriter:
    """Requests sentences from a model and keeps those that cite evidence of the prompt.

    Attributes
    ----------
    chat : BaseChat
    prompt : Prompt
        Has the fields ``item`` and ``evidence``, and those of ``fields``.
    fields : dict from str to str
        Further fields, the same in every prompt.
    seed : int
        Seed of the tokens that stand for evidence.
    max_chars : int
        Longer texts are truncated.
    max_tokens : int
        Raised to 160 per sentence.
    counts : GroundedCounts
        Updated by every call.
    most : int
        Maximum number of sentences.
    longest : int
        Maximum number of characters of a sentence.
    """

    chat: BaseChat
    prompt: Prompt
    fields: dict[str, str]
    seed: int
    max_chars: int
    max_tokens: int
    counts: GroundedCounts
    most: int = 1
    longest: int = _LONGEST

    def write(self, cases: Sequence[Case | None]) -> Iterator[tuple[int, list[Sentence]]]:
        """Row and sentences of each case that is not None; no sentences where none was usable."""
        for start in range(0, len(cases), _BLOCK):
            block = [(start + at, case) for at, case in enumerate(cases[start : start + _BLOCK]) if case is not None]
            sentences = self._write_block([case for _, case in block])
            yield from zip((row for row, _ in block), sentences, strict=True)

    def _write_block(self, cases: Sequence[Case]) -> list[list[Sentence]]:
        shown = [self._show(case) for case in cases]
        answers = complete_batch(
            self.chat,
            [messages for messages, _, _ in shown],
            self.counts,
            schema=SENTENCES,
            narrower=[self._narrow(list(evidence)) for _, _, evidence in shown],
            max_tokens=max(self.max_tokens, self.most * _TOKENS_PER_SENTENCE),
            seed=self.seed,
            prompt=self.prompt.name,
            accept_beginning=True,
        )
        return [
            [] if parsed is None else self._read(parsed["sentences"], of_item, evidence)
            for parsed, (_, of_item, evidence) in zip(answers, shown, strict=True)
        ]

    def _narrow(self, tokens: list[str]) -> dict[str, Any]:
        """So many sentences of such a length, with evidence of this prompt.

        A model may cite nothing: forced to, it would cite anything, and the sentence would not be dropped.
        """
        text = {"type": "string", "maxLength": min(self.longest, _LONGEST)}
        sentence = closed_object(text=text, evidence=names_of(tokens, len(tokens)))
        return closed_object(sentences=list_of(sentence, self.most, least=1))

    def _show(self, case: Case) -> tuple[list[Message], str, dict[str, Evidence]]:
        rng = content_rng(self.seed, case.item, *(entry.text for entry in case.entries))
        item, (of_item,) = delimited("item", [case.item], rng, max_chars=self.max_chars)
        blocks: list[str] = []
        evidence: dict[str, Evidence] = {}
        for name in dict.fromkeys(entry.block for entry in case.entries):
            entries = [entry for entry in case.entries if entry.block == name]
            block, tokens = delimited(name, [entry.text for entry in entries], rng, max_chars=self.max_chars)
            blocks.append(block)
            evidence |= zip(tokens, (entry.evidence for entry in entries), strict=True)
        messages = self.prompt.write(item=item, evidence="\n".join(blocks), **self.fields)
        return messages, of_item, evidence

    def _read(self, sentences: list[Any], of_item: str, evidence: dict[str, Evidence]) -> list[Sentence]:
        kept: dict[str, Sentence] = {}
        for sentence in sentences:
            self.counts.n_sentences += 1
            cited = [token for name in sentence["evidence"] if (token := token_in(name)) != of_item]
            text = _without_tokens(sentence["text"], [of_item, *evidence])
            if any(token not in evidence for token in cited):
                self.counts.n_unknown += 1
            elif not cited or not text:
                self.counts.n_uncited += 1
            elif len(text) > _LONGEST:
                self.counts.n_too_long += 1
            else:
                kept.setdefault(text, Sentence(text, list(dict.fromkeys(evidence[token] for token in cited))))
        return list(kept.values())


def entries_of(
    evidence: Sequence[Evidence],
    text_of: Callable[[Any], Text],
    *,
    explicit: bool,
    context: Text = None,
    user: Text = None,
) -> list[Entry]:
    """What a model may read of evidence: no ids, and only items that have a text.

    Parameters
    ----------
    evidence : list of Evidence
    text_of : callable from an item id to its text or None
    explicit : bool
        Whether events are ratings.
    context, user : str or None
        Texts of the context and of the user, for evidence of these kinds.
    """
    entries: list[Entry] = []
    for reason in evidence:
        if reason.kind == "history" and (text := text_of(reason.item)):
            entries.append(Entry("rated before" if explicit else "chosen before", text, reason))
        if reason.keywords:
            entries.append(Entry("words that both texts share", ", ".join(reason.keywords), reason))
        if reason.kind == "context" and (text := _situation(reason, context)):
            entries.append(Entry("situation of the user", text, reason))
        if reason.kind == "features":
            entries.append(Entry("what is known of the user", user or "people with a like profile choose it", reason))
        if reason.kind == "popularity" and reason.weight > 0:
            entries.append(Entry("popularity", f"number {reason.rank} of {reason.n_items}", reason))
    return list({(entry.block, entry.text): entry for entry in reversed(entries)}.values())[::-1]


def _situation(reason: Evidence, context: Text) -> Text:
    """The context of a user, and the moment, which the text of the context lacks."""
    words = context_words(reason.name, reason.value)
    is_moment = isinstance(reason.value, np.datetime64)
    return "; ".join(part for part in (context, words if is_moment or not context else None) if part) or None


def check_grounded_prompt(prompt: Prompt, fields: Sequence[str]) -> None:
    """Refuse a prompt that shows no item or no evidence, or that names an unknown field.

    Raises
    ------
    ValueError
    """
    prompt.write(**dict.fromkeys(("item", "evidence", *fields), ""))
    named = [name for _, name in template_fields(prompt.template)]
    if missing := [name for name in ("item", "evidence") if name not in named]:
        raise ValueError(
            f"The prompt {prompt.name!r} shows no {missing[0]}; its template must contain {{{missing[0]}}}."
        )


def _without_tokens(text: str, tokens: Sequence[str]) -> str:
    """One clean line, without the tokens that the model wrote into it."""
    for token in tokens:
        text = re.sub(rf"\s*[\[(]?\b{token}\b[\])]?", "", text)
    return as_data(text, 2 * _LONGEST) if text.strip() else ""
