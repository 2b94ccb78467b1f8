"""What a conversation says, in the language that it is held in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import Lexicon
from skrec.llm._conversation._state import Constraint, ConversationState, Question
from skrec.llm._conversation._word_forms import name_words, stem

_LONGEST = 80
_MOST_ITEMS_NAMED = 3


class Phrasing:
    """Writes the replies of a conversation.

    Parameters
    ----------
    lexicon : Lexicon
        Lexicon of the language of the reply.
    facts : ItemFacts
    """

    def __init__(self, lexicon: Lexicon, facts: ItemFacts) -> None:
        self.lexicon = lexicon
        self.facts = facts

    def say(self, key: str, **fields: Any) -> str:
        """A message with its fields filled in."""
        # Values are inserted once, so that braces in them are kept.
        return self.lexicon.messages[key].format(**fields)

    def message(
        self,
        critique: Critique,
        state: ConversationState,
        shown: Sequence[int],
        violated: Sequence[Constraint],
        n_matching: int,
        *,
        is_first: bool,
    ) -> tuple[str, str | None]:
        """The text of a reply, and the question in it.

        Parameters
        ----------
        critique : Critique
        state : ConversationState
            The state after the turn.
        shown : sequence of int
            Codes of the list.
        violated : sequence of Constraint
            Constraints that the list violates.
        n_matching : int
            Number of items that satisfy all strict constraints.
        is_first : bool
            Whether the conversation begins with this turn.
        """
        heard = self.heard(critique)
        if heard is None and not critique.notes:
            heard = self.say("hello" if is_first else "nothing_said")
        lines = [*([heard] if heard else []), *self.notes(critique)]
        if violated:
            lines.append(
                self.say("relaxed", things=self.lexicon.joiner.join(dict.fromkeys(map(self.constraint, violated))))
            )
        elif not shown:
            lines.append(self.say("exhausted"))
        elif len(shown) == n_matching < self.facts.n_items:
            lines.append(self.say("only_some", count=len(shown)))
        asked = None if state.pending is None else self.question(state.pending)
        return "\n".join([*lines, self.listed(shown), *([asked] if asked else [])]), asked

    # What was understood -------------------------------------------------------------------------------

    def heard(self, critique: Critique) -> str | None:
        """A summary of the parsed text, in the words of the user where possible."""
        things = [self.say("restarted")] if critique.restart else []
        things += [self.say("rejected")] if critique.reject_shown else []
        things += [self.say("answer_any")] if critique.answer == "any" else []
        for key, codes in (("like", critique.liked), ("unlike", critique.disliked), ("known", critique.known)):
            things += [self.say(key, title=self.facts.titles[code]) for code in codes[:_MOST_ITEMS_NAMED]]
        # A text used instead of a missing attribute has a note of its own.
        own = [text for text in critique.wanted if text not in self.lexicon.attribute_texts.values()]
        things += [_short(text) for text in own if not self._is_label(text, critique)]
        things += [self.constraint(one) for one in critique.constraints if self._adds_information(one, critique)]
        excluded = any(one.weight < 0 and one.strict for one in critique.constraints)
        things += [] if excluded else [self.say("unwanted", text=_short(text)) for text in critique.unwanted]
        return self.say("heard", things=self.lexicon.joiner.join(dict.fromkeys(things))) if things else None

    def _is_label(self, text: str, critique: Critique) -> bool:
        """Whether a text only repeats a required label, or the answer to a question."""
        words = {stem(word) for word in name_words(text)}
        labels = [one for one in critique.constraints if one.relation == "is" and (one.strict or one.weight > 1)]
        return any(words <= {stem(word) for word in name_words(str(one.value))} for one in labels)

    def _adds_information(self, constraint: Constraint, critique: Critique) -> bool:
        """Whether a constraint adds information to the words that it was parsed from."""
        if not constraint.strict and abs(constraint.weight) < 2:
            return False
        if constraint.relation == "about" and constraint.strict:
            name = self.lexicon.concept_names.get(str(constraint.value), "")
            labels = [str(one.value).lower() for one in critique.constraints if one.relation == "is" and one.weight < 0]
            return name.lower() not in labels
        return True

    def constraint(self, constraint: Constraint) -> str:
        """A constraint in words."""
        value = constraint.value
        if constraint.relation == "about":
            name = self.lexicon.concept_names.get(str(value), str(value))
            key = "about" if constraint.weight > 0 else "not_about" if constraint.strict else "rather_not_about"
            return self.say(key, value=_short(name))
        if constraint.relation == "is":
            key = "is" if constraint.weight > 0 else "is_not"
            return self.say(key, attribute=self.attribute(constraint.attribute), value=_short(str(value)))
        key = "at_most" if (constraint.relation == "<=") == (constraint.weight > 0) else "at_least"
        edge = float(value)
        if constraint.weight < 0 and edge.is_integer():  # not up to 1850: from 1851
            edge += 1 if constraint.relation == "<=" else -1
        shown = self.number(constraint.attribute, edge)
        key = f"year_{key}" if self.facts.kind_of(constraint.attribute) == "year" else key
        return self.say(key, attribute=self.attribute(constraint.attribute), value=shown)

    def attribute(self, column: str) -> str:
        """The name of a column in words."""
        kind = self.facts.kind_of(column)
        return self.lexicon.attribute_words.get(kind or column.lower(), column.replace("_", " "))

    def number(self, column: str, value: float) -> str:
        """A number in words: years without decimals, and negative ones as years before Christ."""
        text = f"{value:.0f}" if abs(value) >= 1000 or value.is_integer() else f"{value:.4g}"
        if self.facts.kind_of(column) == "year" and value < 0:
            return self.say("bc", year=text.lstrip("-"))
        return text

    def notes(self, critique: Critique) -> list[str]:
        """Messages about requests that could not be met."""
        return list(dict.fromkeys(self.say(key, **fields) for key, fields in critique.notes))

    # The list ------------------------------------------------------------------------------------------

    def listed(self, codes: Sequence[int]) -> str:
        """The items by number and title, with their authors and years."""
        return "\n".join(f"  {place}. {self.item(code)}" for place, code in enumerate(codes, 1))

    def item(self, code: int) -> str:
        """One line about an item."""
        facts = self.facts
        parts = [_short(facts.titles[code])]
        for column in facts.labels:
            if facts.is_person(column) and (people := facts.cells[column][code]) is not None:
                parts.append(_short(str(people)))
                break
        year = facts.column_of("year")
        if year is not None and facts.numbers[year][code] == facts.numbers[year][code]:
            parts.append(self.number(year, float(facts.numbers[year][code])))
        return self.lexicon.comma.join(parts)

    # Questions -----------------------------------------------------------------------------------------

    def question(self, question: Question) -> str:
        """A question in words."""
        attribute = self.attribute(question.attribute)
        values = [_short(str(value)) for value in question.values]
        if question.relation == "about":
            return self.say("ask_about", value=self.lexicon.concept_names.get(values[0], values[0]))
        if question.relation == "is" and len(values) > 1:
            return self.say("ask_which", attribute=attribute, values=self.lexicon.list_comma.join(values))
        if question.relation == "is":
            return self.say("ask_is", attribute=attribute, value=values[0])
        number = self.number(question.attribute, float(question.values[0]))
        key = "ask_year" if self.facts.kind_of(question.attribute) == "year" else "ask_at_most"
        return self.say(key, attribute=attribute, value=number)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"
