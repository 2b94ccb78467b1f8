"""Parses a text by a language model, into the structure of the phrase parser, by a schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skrec._chat import BaseChat, ChatResult, Prompt, closed_object, content_rng, delimited, list_of, names_of
from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._parse_numbers import reference_value
from skrec.llm._conversation._spelling import find_title
from skrec.llm._conversation._state import Constraint, Question
from skrec.llm._conversation._word_forms import fold, name_words, stem

_MOST_ENTRIES = 12
_MOST_NARROW = 6
_MOST_CHARS = 200
_MOST_LABELS = 40
_NO_ENTRY = "(none)"


_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_TEXT_LISTS = [
    "liked",
    "disliked",
    "known",
    "liked_titles",
    "disliked_titles",
    "known_titles",
    "wanted",
    "unwanted",
    "excluded",
]
_YES_NO: dict[str, Any] = {"type": "boolean"}
_LABEL = {"attribute": _TEXT, "value": _TEXT, "wanted": _YES_NO, "must": _YES_NO}
_BOUND: dict[str, dict[str, Any]] = {
    "attribute": _TEXT,
    "relation": {"type": "string", "enum": ["at_most", "at_least"]},
    "value": {"type": "number"},
}
_COMPARISON: dict[str, dict[str, Any]] = {"attribute": _TEXT, "direction": {"type": "string", "enum": ["less", "more"]}}
SCHEMA = closed_object(
    **dict.fromkeys(_TEXT_LISTS, _TEXTS),
    labels={"type": "array", "items": closed_object(**_LABEL)},
    bounds={"type": "array", "items": closed_object(**_BOUND)},
    comparisons={"type": "array", "items": closed_object(**_COMPARISON)},
    answer={"type": "string", "enum": ["yes", "no", "any", "other", "none"]},
    reject_shown=_YES_NO,
    start_over=_YES_NO,
)
"""Schema of the answer."""


@dataclass
class _Tokens:
    """Items, numeric columns and label columns of the tokens in a prompt."""

    items: dict[str, int]
    numbers: dict[str, str]
    labels: dict[str, str]


class LLMCritiqueReader:
    """Parses a text by a language model.

    Parameters
    ----------
    llm : BaseChat
    prompt : Prompt
    facts : ItemFacts
    shown : sequence of int
        Codes of the last list.
    pending : Question or None
    question : str or None
        Text of the pending question.
    seed : int
    max_tokens : int
    """

    def __init__(
        self,
        llm: BaseChat,
        prompt: Prompt,
        facts: ItemFacts,
        shown: Sequence[int],
        pending: Question | None,
        question: str | None,
        seed: int,
        max_tokens: int,
    ) -> None:
        self.llm = llm
        self.prompt = prompt
        self.facts = facts
        self.shown = list(shown)
        self.pending = pending
        self.question = question
        self.seed = seed
        self.max_tokens = max_tokens

    def read(self, text: str, language: str | None) -> tuple[Critique | None, ChatResult, int]:
        """Parse a text.

        Parameters
        ----------
        text : str
        language : str or None
            As detected by the phrase parser.

        Returns
        -------
        critique : Critique or None
            None where the answer of the model was unusable.
        result : ChatResult
        n_unknown : int
            Entries of the answer with an unknown name; they are ignored.
        """
        messages, tokens = self._write(text)
        result = self.llm.complete(
            [messages],
            schema=SCHEMA,
            narrower=[_narrow(tokens)],
            max_tokens=self.max_tokens,
            seed=self.seed,
            prompt=self.prompt.name,
        )[0]
        if result.error is not None or not isinstance(result.parsed, dict):
            return None, result, 0
        critique, n_unknown = self._critique(result.parsed, tokens, language)
        return critique, result, n_unknown

    # The prompt --------------------------------------------------------------------------------------

    def _write(self, text: str) -> tuple[list[dict[str, str]], _Tokens]:
        facts = self.facts
        titles = [facts.own_titles[code] for code in self.shown]  # never the id instead
        numbers, labels = list(facts.numbers), list(facts.labels)
        described = [f"{column}: {', '.join(self._common_labels(column))}" for column in labels]
        rng = content_rng(self.seed, text, self.question, *titles, *numbers, *described)
        blocks, tokens = {}, {}
        for name, texts, longest in (
            ("shown", titles, 200),
            ("numbers", numbers, 100),
            ("labels", described, 1000),
            ("question", [self.question] if self.question else [], 500),
            ("request", [text], 2000),
        ):
            blocks[name], tokens[name] = delimited(name, texts, rng, max_chars=longest) if texts else (_NO_ENTRY, [])
        known = _Tokens(
            dict(zip(tokens["shown"], self.shown, strict=True)),
            dict(zip(tokens["numbers"], numbers, strict=True)),
            dict(zip(tokens["labels"], labels, strict=True)),
        )
        return self.prompt.write(**blocks), known

    def _common_labels(self, column: str) -> list[str]:
        values = self.facts.labels[column]
        return sorted(values, key=lambda value: (-len(values[value]), value))[:_MOST_LABELS]

    # The answer --------------------------------------------------------------------------------------

    def _critique(self, answer: dict[str, Any], tokens: _Tokens, language: str | None) -> tuple[Critique, int]:
        critique = Critique(language=language)
        self.n_unknown = 0
        critique.liked = self._items(answer["liked"], answer["liked_titles"], tokens)
        critique.disliked = self._items(answer["disliked"], answer["disliked_titles"], tokens)
        critique.known = self._items(answer["known"], answer["known_titles"], tokens)
        critique.wanted, critique.unwanted = _texts(answer["wanted"]), _texts(answer["unwanted"])
        for phrase in _texts(answer["excluded"]):
            critique.constraints.append(Constraint("", "about", phrase, -1.0, True))
            critique.unwanted.append(phrase)
        for one in answer["labels"][:_MOST_ENTRIES]:
            self._add_label(critique, one, tokens)
        for one in answer["bounds"][:_MOST_ENTRIES]:
            column = self._known(tokens.numbers, one["attribute"])
            relation = "<=" if one["relation"] == "at_most" else ">="
            if column is not None and abs(one["value"]) < 1e15:
                critique.constraints.append(Constraint(column, relation, float(one["value"]), 1.0, True))
        for one in answer["comparisons"][:_MOST_ENTRIES]:
            self._add_comparison(critique, one, tokens)
        critique.answer = None if answer["answer"] == "none" or self.pending is None else answer["answer"]
        critique.reject_shown, critique.restart = answer["reject_shown"], answer["start_over"]
        return critique, self.n_unknown

    def _known(self, table: dict[str, Any], token: str) -> Any:
        found = table.get(token.strip("[] "))
        self.n_unknown += found is None
        return found

    def _items(self, given: list[str], titles: list[str], tokens: _Tokens) -> list[int]:
        codes = [self._known(tokens.items, token) for token in given[:_MOST_ENTRIES]]
        for title in titles[:_MOST_ENTRIES]:
            code = find_title(self.facts, name_words(title[:_MOST_CHARS]))
            self.n_unknown += code is None
            codes.append(code)
        return list(dict.fromkeys(code for code in codes if code is not None))

    def _add_label(self, critique: Critique, one: dict[str, Any], tokens: _Tokens) -> None:
        column = self._known(tokens.labels, one["attribute"])
        if column is None:
            return
        spelt = {tuple(map(stem, name_words(label))): label for label in self.facts.labels[column]}
        label = spelt.get(tuple(stem(word) for word in name_words(fold(one["value"][:_MOST_CHARS]))))
        if label is None:
            self.n_unknown += 1
            return
        weight = 1.0 if one["wanted"] else -1.0
        critique.constraints.append(Constraint(column, "is", label, weight, one["must"] or not one["wanted"]))

    def _add_comparison(self, critique: Critique, one: dict[str, Any], tokens: _Tokens) -> None:
        column = self._known(tokens.numbers, one["attribute"])
        if column is None:
            return
        up = one["direction"] == "more"
        edge = reference_value(self.facts.numbers[column], critique.liked, self.shown, up, False)
        if edge is not None:
            critique.constraints.append(Constraint(column, ">=" if up else "<=", edge, 1.0, True))


def _narrow(tokens: _Tokens) -> dict[str, Any]:
    """The schema with the names of this prompt, and with limits: a weak model would fill a list for ever."""
    text = {"type": "string", "maxLength": _MOST_CHARS}

    def entries(names: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
        if not names:
            return list_of(closed_object(**properties), 0)
        attribute = {"type": "string", "enum": list(names)}
        return list_of(closed_object(**properties | {"attribute": attribute}), _MOST_NARROW)

    items = names_of(list(tokens.items), max(len(tokens.items), 1))
    return closed_object(
        **SCHEMA["properties"]
        | dict.fromkeys(_TEXT_LISTS, list_of(text, _MOST_NARROW))
        | dict.fromkeys(("liked", "disliked", "known"), items)
        | {
            "labels": entries(tokens.labels, _LABEL | {"value": text}),
            "bounds": entries(tokens.numbers, _BOUND),
            "comparisons": entries(tokens.numbers, _COMPARISON),
        }
    )


def _texts(given: list[str]) -> list[str]:
    return [text for one in given[:_MOST_ENTRIES] if (text := " ".join(one[:_MOST_CHARS].split()))]
