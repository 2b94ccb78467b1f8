"""Settles a clause at its end, and what a whole text asks for."""

from __future__ import annotations

from typing import cast

from skrec.llm._conversation._parse_names import NameReader
from skrec.llm._conversation._parse_numbers import reference_value
from skrec.llm._conversation._parse_runs import Finding
from skrec.llm._conversation._state import Constraint
from skrec.llm._conversation._tokens import spell
from skrec.llm._conversation._word_forms import stem

_INSTEAD = 1.5
"""Weight of labels used instead of a missing attribute, such as "novella" for "short"."""


class ClauseReader(NameReader):
    """Gives the findings of each clause their signs, and turns them into a critique; as for :class:`NameReader`."""

    # Clauses ---------------------------------------------------------------------------------------

    def _end_clause(self, at: int) -> None:
        trailing = self.negated_at == len(self.tokens)
        self._flush()
        since = self._said_from(max(self.negated_from, self.first_finding))
        relative = any(token.norm in self.lexicon.relative for token in self.tokens[self.clause_at : self.negation_at])
        trailing |= self.sign < 0 and not since and not (self.negates_verb and (self.wished or relative))
        # "Davon sagt mir keins zu"
        self.refused |= self.all_shown and self.sign < 0
        if self.refused and not self.judged and any(one.kind == "item" for one in self.findings[self.first_finding :]):
            self.judged = -1
        self.judged = self.judged or -self._finds_fault()
        self.critique.reject_shown |= bool(self.refused and self.shown and not self.findings)
        self.is_small_talk |= self.chats
        self._leave_asides()
        if trailing and self.mode == "love":
            self.mode = "hate"  # "von denen mag ich keins"
        if self.asks:
            del self.findings[self.first_finding :]  # "how long is the third one?"
        clause = self._said_from(self.first_finding)
        # "The third, I have read it": a verb without items of its own is about those just before.
        about = clause or self._said_from(self.topic_at)
        judges = self.judged < 0 or self.mode in ("hate", "known")
        if judges and clause and all(one.is_bound for one in clause) and self._names_item():
            for one in clause:
                one.loose = True  # "War and Peace? I gave up after a hundred pages"
            clause, about = [], self._said_from(self.topic_at)
        if self.mode == "hate" or self.judged < 0:  # "we read Emma in school, I hated it" is not about schools
            items = [one for one in about if one.kind in ("item", "known")]
            for one in about if items else ():
                one.loose = one not in items and (one.is_theme or one.kind != "comparison")
            about = items or about
        if self.mode in ("love", "hate", "known") and not self._said_from(self.referred_from) and not self.judged:
            # "The second one I know", "这些我都不喜欢": the verb of a clause may follow its items.
            if self.all_shown and not about:
                self._refer_to_all_shown()
            self._read_verb(clause if self.critique.reject_shown else about)
        elif self.judged:
            for one in about:
                if one.kind == "known":  # "I have just read Emma, it was great"
                    one.kind, one.sign = "item", self.judged
                elif one.kind == "item" or (self.judged < 0 and one.is_theme):
                    one.sign, one.strict = self.judged, True
        # "Den zweiten mag ich nicht", "horror, so not that": a negation at the end applies to what was said.
        if trailing and about and self.mode in ("love", "") and all(one.sign > 0 for one in about):
            for one in about:
                one.sign, one.strict = -1, True
        # "Vampires, I hate them" begins with what it is about; "something with vampires" is a wish.
        is_topic = bool(clause) and self.mode in ("", "known") and not self.wished
        if is_topic and not self.mode and self.sign > 0 and self._says_already(at):
            for one in clause:
                one.kind = "known" if one.kind == "item" and one.sign > 0 else one.kind
        if len(self.findings) > self.first_finding or self.mode or self.wished:
            self.topic_at = self.first_finding if is_topic else len(self.findings)
        self._begin_clause(at)

    def _leave_asides(self) -> None:
        """Leave what the user tells beside the verb of a clause: "hated every page of it"."""
        if self._is_impression() or (self.chats and not (self.wished or self.mode)):
            for one in self.findings[self.first_finding :]:
                one.loose |= one.kind in ("constraint", "text", "comparison")
        is_told = self.chooses or self._names_item() or self._goes_on()
        if self.mode in ("love", "hate") and self.referred_from >= 0:
            for one in self.findings[self.referred_from :]:  # "I read Emma and hated every page", "war bores me stiff"
                is_unknown = one.kind == "text" and not self._is_of_items(str(one.value))
                one.loose |= is_unknown and (is_told or self.has_topic)
        if self.mode in ("love", "hate") and not (is_told or self._said_from(self.first_finding)):
            for one in self.findings[self.first_finding :]:
                one.loose = False  # the verb is about it
        if self.negates_verb and any(one.kind == "item" for one in self.findings[self.first_finding :]):
            for place, one in enumerate(self.findings[self.first_finding :], start=self.first_finding):
                # "Didn't get on with Emma", "Don Quichotte ne me fait pas rire"
                one.loose |= one.kind == "text" and not self._is_of_items(str(one.value))
                if one.is_theme and 0 < self.negated_from <= place and not (self.wished or self.mode):
                    one.loose, self.judged = True, -1

    def _read_verb(self, about: list[Finding]) -> None:
        """Apply "I love", "I hate" or "I know" to what was named before it."""
        items = [one for one in about if one.kind in ("item", "known")]
        for one in about:
            one.loose |= bool(items) and self.mode == "known" and one not in items
            if one.kind == "item" or (one.kind == "known" and self.mode != "known"):
                one.kind = "known" if self.mode == "known" else "item"
                one.sign = -1 if self.mode == "hate" else 1
            elif self.mode == "hate" and one.is_theme:
                one.sign, one.strict = -1, True
        # "Not my thing" and nothing else is about the last list.
        self.critique.reject_shown |= self.mode == "hate" and not self.findings and bool(self.shown)

    def _goes_on(self) -> bool:
        """Whether a clause goes on about an item that the one before turns down: "a slog, gave up halfway"."""
        before = self.findings[: self.referred_from]
        return self.mode == "hate" and self.after_item and bool(before) and before[-1].sign < 0

    def _finds_fault(self) -> bool:
        """Whether a clause says what is wrong with an item: "the second one is too long"."""
        said = self.findings[self.first_finding :]
        compares = bool(said) and said[-1].kind == "comparison" and not said[-1].is_theme and said[-1].sign > 0
        return compares and said[0].kind == "item" and not (self.mode or self.wished) and len(said) == 2

    def _is_impression(self) -> bool:
        """Whether a clause says how the items of the one before seem: "the third one is not for me, it looks sad"."""
        first = [token.norm for token in self.tokens[self.clause_at : self.clause_at + 2]]
        return not (self.mode or self.wished) and self.after_item and bool({*first} & self.lexicon.impressions)

    def _says_already(self, at: int) -> bool:
        """Whether a clause has "already": "Emma is on my shelf already"."""
        return any(token.norm in self.lexicon.already for token in self.tokens[self.clause_at : at])

    def _refer_to_all_shown(self) -> None:
        if self.mode == "hate":
            self.critique.reject_shown = True
        else:
            kind = "known" if self.mode == "known" else "item"
            self.findings += [Finding(kind, code, 1) for code in self.shown]

    # Settle ------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        critique = self.critique
        comparisons: list[tuple[str, bool, bool]] = []
        referred: list[int] = []
        said = self._said_from(0)
        is_understood = said or critique.restart or critique.reject_shown or critique.answer or self.is_small_talk
        for one in said if is_understood else self.findings:
            if one.kind == "known":
                critique.known.append(one.value)  # type: ignore[arg-type]
            elif one.kind in ("item", "reference"):
                referred.append(one.value)  # type: ignore[arg-type]
                if one.kind == "item":
                    (critique.liked if one.sign > 0 else critique.disliked).append(one.value)  # type: ignore[arg-type]
            elif one.kind == "comparison":
                scale, rises, is_absolute = cast(tuple[str, bool, bool], one.value)
                comparisons.append((scale, rises != (one.sign < 0), is_absolute))
            elif one.kind == "constraint":
                self._constrain(one)
            elif one.sign > 0:
                critique.wanted.append(str(one.value))
            else:
                critique.unwanted.append(str(one.value))
                if one.strict:
                    critique.constraints.append(Constraint("", "about", str(one.value), -1.0, True))
        people = [one for one in critique.constraints if one.weight > 0 and self.facts.is_person(one.attribute)]
        critique.reject_shown &= not (people or critique.restart)  # "is there anything else by Wells?"
        for kind, up, absolute in comparisons:
            if absolute and (kind, not up, False) in comparisons:
                continue  # "they are rather old, have you got newer ones?"
            self._compare(kind, up, absolute, referred)

    def _constrain(self, one: Finding) -> None:
        found: Constraint = one.value  # type: ignore[assignment]
        if found.relation in ("<=", ">=") and one.sign < 0:
            bounds = [f.value for f in self.findings if f.kind == "constraint" and f.value.attribute == found.attribute]  # type: ignore[attr-defined]
            if len(bounds) == 1:  # "1900年以后出的就不要了"
                reverse = ">=" if found.relation == "<=" else "<="
                self.critique.constraints.append(Constraint(found.attribute, reverse, found.value, 1.0, True))
            return  # "not from the 19th century" allows two intervals, which one bound cannot express
        made = Constraint(found.attribute, found.relation, found.value, one.sign * found.weight, one.strict)
        if made not in self.critique.constraints:
            self.critique.constraints.append(made)

    def _compare(self, kind: str, up: bool, absolute: bool, referred: list[int]) -> None:
        column = self.facts.column_of(kind)
        relation = ">=" if up else "<="
        if any(one.attribute == column is not None for one in self.critique.constraints):
            return  # "a short one, under 200 pages", "300 pages long": the number says it
        scale = kind + ("+" if up else "-")
        if column is None:
            if text := self.lexicon.attribute_texts.get(scale):
                self._match_words(kind, text)
            return
        values = self.facts.numbers[column]
        edge = reference_value(values, referred, self.shown, up, absolute)
        if edge is not None:
            self.critique.constraints.append(Constraint(column, relation, edge, 1.0, True))

    def _match_words(self, kind: str, text: str) -> None:
        """Match labels and texts, where no column has the attribute."""
        attribute = self.lexicon.attribute_words.get(kind, kind)
        words = ", ".join(text.split(", ")[:2])
        self.critique.notes.append(("no_attribute", {"attribute": attribute, "text": words}))
        for part in text.split(", "):
            label = self.facts.label_words.get(tuple(stem(word) for word in spell(part)))
            if label is not None:
                self._constrain(Finding("constraint", Constraint(*label[:1], "is", label[1], _INSTEAD), 1))
        self.critique.wanted.append(text)
