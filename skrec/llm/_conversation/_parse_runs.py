"""Collects the words of a clause, and tells wishes from judgements and from what a user tells of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import Lexicon, concept_text
from skrec.llm._conversation._spelling import find_title
from skrec.llm._conversation._state import Question
from skrec.llm._conversation._tokens import Token
from skrec.utils import is_spaceless

REFERENCES = ("like", "unlike", "love", "hate", "known")
CUES = (
    *("none", "reject", "restart", "known", "hate", "unlike", "love", "like", "only"),
    *("negation", "softly_less", "softly_more"),
    *("asking", "want", "same_kind", "asides", "all_shown", "but", "or", "and", "enough", "compared"),
    *("lesser", "excepted", "small_talk"),
)
GOVERNING = ("want", "like", "love", "hate", "negation", "softly_less", "softly_more")
"""Cues that say what the words after them are: "something with dragons"."""


@dataclass
class Finding:
    """An item, constraint or text in a clause, before its sign is final."""

    kind: str  # "item", "known", "constraint", "text" or "reference"
    value: object
    sign: int
    strict: bool = False
    loose: bool = False  # words that no cue leads to and no item has: of the user, not of what is wanted

    @property
    def is_bound(self) -> bool:
        """Whether it is a limit of a number."""
        return self.kind == "constraint" and self.value.relation in ("<=", ">=")  # type: ignore[attr-defined]

    @property
    def is_theme(self) -> bool:
        """Whether it says what items are like: "long" does, "longer" asks for others."""
        return self.kind in ("constraint", "text") or (self.kind == "comparison" and self.value[2])  # type: ignore[index]


class RunReader:
    """Turns runs of words into findings, clause by clause.

    Parameters
    ----------
    facts : ItemFacts
    shown : sequence of int
        Codes of the last list.
    pending : Question or None
        The last question, if it has no answer yet.
    """

    text: str
    tokens: list[Token]
    quoted: list[tuple[int, int, str]]
    lexicon: Lexicon
    critique: Critique
    findings: list[Finding]
    topic_at: int
    first_finding: int
    is_small_talk: bool
    run_labels: dict[tuple[int, int], str]

    def __init__(self, facts: ItemFacts, shown: Sequence[int], pending: Question | None) -> None:
        self.facts = facts
        self.shown = list(shown)
        self.pending = pending

    # The state of a clause ---------------------------------------------------------------------------

    def _begin_clause(self, at: int) -> None:
        self.sign, self.soft, self.mode, self.only, self.all_shown = 1, False, "", False, False
        self.run: tuple[int, int] | None = None
        self.run_named = False
        self.run_concepts: list[str] = []
        self.lesser_from = self.negated_at = self.negated_from = self.referred_from = self.governed_at = (
            self.run_stop
        ) = -1
        self.judged, self.wished, self.undated, self.chats = 0, False, False, False
        self.rivals: set[str] = set()
        self.clause_at = at
        self.after_item = any(one.kind in ("item", "known") for one in self.findings[self.first_finding :])
        self.first_finding = self.run_from = len(self.findings)
        self.negation_at = -1
        self.asks = self.chooses = self.has_topic = False
        self.narrates = self.refused = self.has_reader = self.negates_verb = False

    def _is_strict(self) -> bool:
        return self.sign < 0 and not self.soft

    def _add(self, finding: Finding) -> None:
        finding.loose |= self.undated
        self.findings.append(finding)

    def _said_from(self, first: int) -> list[Finding]:
        """The findings from one on, without what the user tells of themselves."""
        return [one for one in self.findings[first:] if not one.loose]

    def _extend(self, at: int, n_tokens: int, *, named: bool, concept: str | None = None) -> None:
        start = at if self.run is None else self.run[0]
        self.run = (start, at + n_tokens)
        self.run_named |= named
        self.run_concepts += [] if concept is None else [concept]

    def _flush(self) -> None:
        """End a run of words, and keep it without function words as a wanted or unwanted text."""
        if self.run is None:
            return
        (start, stop), named, concepts = self.run, self.run_named, self.run_concepts
        begin, end = start, stop
        self.run_stop = stop
        self.run, self.run_named, self.run_concepts = None, False, []
        themes = [one for one in self.findings[self.run_from :] if one.kind == "constraint"]
        self.run_from = len(self.findings)
        narrates = self._narrates(begin, end, named)
        if narrates and self.lexicon.opinion([token.norm for token in self.tokens[begin:end]]) < 0 and themes:
            self.judged, narrates = -1, False  # "Dickens always makes me fall asleep"
            return
        for one in themes:
            one.loose |= narrates and one.value.relation == "about"  # type: ignore[attr-defined]
        if is_place := not self.lexicon.there.isdisjoint(token.norm for token in self.tokens[begin:end]):
            for one in self.findings:  # "we are off to Paris, a story set there"
                one.loose &= one.kind != "text" or not self._is_of_items(str(one.value))
        start, stop = self._trimmed(start, stop, named)
        if self._judges(self.tokens[start:stop], self.tokens[begin:end]):
            for one in themes if self._has_item() else ():
                one.loose = True  # "Emma was my childhood favourite"
            return
        if (
            start == stop
            or self._is_time_before(begin, start, stop)
            or (is_place and not named and not self._has_words(self.tokens[start:stop]))
        ):
            return
        if not named and self._turns_down(begin, start, stop):
            return
        if is_spaceless(self.tokens[start].norm) and any("的" in t.norm for t in self.tokens[start:stop]):
            while stop < end and self.tokens[stop].norm in self.lexicon.item_words:
                stop += 1  # "大海的伤感小说" without its last word is no phrase
        words = self.tokens[start:stop]
        said = self._as_named(start, stop)
        if self.mode in REFERENCES and not named and words[0].capital:
            code = find_title(self.facts, [token.norm for token in words])
            if code is not None:
                return self._item(code)
            if self.mode != "love" or self.lexicon.code != "de":
                self.critique.notes.append(("no_such_title", {"title": said}))
        if concepts:
            own = [said] if self.lexicon.code in ("en", self.facts.script) else []
            self.critique.meanings[said] = [*own, *(concept_text(concept, self.facts) for concept in concepts)]
        self.narrates |= narrates or self._is_sentence(begin, end) or self._gives_reason()
        if self.narrates and not (self.wished or self.mode or named or self.has_reader or self._has_words(words)):
            return  # "someone is at the door", "then I cannot sleep"
        if self.mode != "known":
            loose = narrates or self._is_loose(begin, start, words)
            loose |= self.negates_verb and begin == self.governed_at and self._tells(self.clause_at, stop)
            loose |= self.has_reader and begin != self.governed_at
            loose &= narrates or not named
            self._add(Finding("text", said, self.sign, self._is_strict() and not named, loose))

    def _as_named(self, start: int, stop: int) -> str:
        """A run of words as it is said; a label as the items have it, where they lack the words: "comedies"."""
        words = self.tokens[start:stop]
        label = self.run_labels.get((start, stop))
        if label is not None and any(word.norm not in self.facts.vocabulary for word in words):
            return label
        return self.text[words[0].start : words[-1].stop]

    def _is_time_before(self, begin: int, start: int, stop: int) -> bool:
        """Whether a run is but a time that was named before: "one from that period"."""
        words = {token.norm for token in self.tokens[start:stop]}
        pointed = any(token.norm in self.lexicon.pointing for token in self.tokens[begin:start])
        return pointed and words <= self.lexicon.times and bool(self.findings)

    def _trimmed(self, start: int, stop: int, named: bool) -> tuple[int, int]:
        """A run of words without the function words at its ends."""
        plain = set() if named else self.lexicon.item_words
        if any(one.kind == "constraint" for one in self.findings[self.first_finding :]):
            plain = plain | self.lexicon.attribute_names  # "Jane Austen is my favourite author"
        while start < stop and (self.tokens[start].norm in plain or self.lexicon.is_plain(self.tokens[start].norm)):
            start += 1
        while start < stop and (
            self.tokens[stop - 1].norm in plain or self.lexicon.is_plain(self.tokens[stop - 1].norm)
        ):
            stop -= 1
        return start, stop

    def _judges(self, words: list[Token], run: list[Token]) -> bool:
        """Whether a run of words, of which ``words`` are no function words, is a judgement of an item."""
        lexicon = self.lexicon
        if self.mode == "known" or (not words and self._follows_item()):
            # "I have just read it and thought it was great"
            self.judged = lexicon.opinion([token.norm for token in run]) or self.judged
            return bool(self.judged)
        norms = [token.norm for token in words]
        sign = lexicon.judgement(norms) or (lexicon.opinion(norms) if self._has_item() else 0)
        judged = self.findings[self.first_finding :] if sign < 0 else self._has_item()
        if not sign or self.mode or not (judged or self._follows_item()):
            return False
        self.judged = -sign if self.sign < 0 else sign  # "Emma was dull", "the first is not bad"
        return True

    def _turns_down(self, begin: int, start: int, stop: int) -> bool:
        """Whether a run of unknown words turns down what is named or shown, or praises nothing in particular."""
        words = self.tokens[start:stop]
        norms = [token.norm for token in words]
        sign = self.lexicon.judgement(norms)
        if (sign > 0 and (self.sign < 0 or begin != self.governed_at) and not self._has_item()) or (
            sign < 0 < self.sign and begin != self.governed_at and self.findings
        ):
            return True  # "a story from there would be lovely", "what a bore"
        if self.sign > 0 > self.lexicon.opinion(norms) and self.all_shown is False and not self._has_words(words):
            self.refused |= sign < 0 and begin != self.governed_at
            return True  # "you have dreadful taste"
        answers = self.critique.answer is not None and not self.wished
        if (self.all_shown or answers) and self.mode == "like" and not self._has_words(words):
            return True  # "these all look like bricks"
        if self.mode or self._has_words(words):
            return False
        if len(words) > 1 and begin != self.governed_at and self.sign > 0 < self.lexicon.opinion(norms):
            return True  # "lovely weather"
        before = self.negated_from if self.negated_from >= 0 else len(self.findings)
        named = self._said_from(self.first_finding)[: before - self.first_finding]
        narrated = self._tells(begin, stop)
        narrated |= self._tells(self.clause_at, start) and (self.negates_verb or not named)
        if self.sign < 0 and named and (narrated or any(one.kind == "item" for one in named)):
            self.judged = self.judged if self.wished else -1  # "the third doesn't grab me", "horror isn't my genre"
            return True
        refuses = self.sign < 0 or self.lexicon.opinion(norms) < 0
        if refuses and not self.findings and (self.all_shown or (sign < 0 < self.sign)):
            self.refused = True  # "that's not what I meant", "all wrong", "I threw Emma away"
            return True
        return False

    def _is_reader(self, at: int) -> bool:
        """Whether a word such as "son" names who is to read: "for my son", but not "a book about my mother"."""
        lexicon, tokens = self.lexicon, self.tokens
        if tokens[at].norm not in lexicon.kin:
            return False
        for whose in (at - 1, at - 2):  # "my brother", "my little brother"
            if whose >= 0 and tokens[whose].norm in lexicon.kin_before:
                if whose and tokens[whose - 1].norm in lexicon.about:
                    return False
                self.run, self.has_reader = None, True
                return True
        joined = lexicon.cue_at(tokens, at + 1, ("and",)) is not None and at + 2 < len(tokens)
        if joined and tokens[at + 2].norm in lexicon.telling:
            self.run = None
            return True  # "the children and I"
        if at > 1 and tokens[at - 1].norm == "的" and lexicon.cue_at(tokens, at - 2, ("units",)) is not None:
            self.run, self.has_reader = None, True
            return True  # "我十岁的儿子"
        # In Chinese nobody says whose: "孩子喜欢恐龙".
        return lexicon.code == "zh" and (at == 0 or not tokens[at - 1].norm[0].isalnum()) and at + 1 < len(tokens)

    def _verdict(self, at: int) -> int:
        """A yes or a no at the end of a clause, about what the clause names: "Emma yes, Dracula no"."""
        sign = self.lexicon.verdicts.get(self.tokens[at].norm, 0)
        if not sign or not self._ends_clause(at + 1):
            return 0
        self._flush()
        self.judged = sign if self.findings[self.first_finding :] else 0
        return 1 if self.judged else 0

    def _ends_clause(self, at: int) -> bool:
        return at >= len(self.tokens) or self.tokens[at].norm in ",;:.!?()…\n"

    def _is_loose(self, start: int, first: int, words: list[Token]) -> bool:
        """Whether a run from ``start`` on tells of the user: "I read fast", "sorry", "for my train ride"."""
        led = (start == self.governed_at) or any(t.norm in self.lexicon.about for t in self.tokens[start:first])
        if (
            not led
            and len(words) == 1
            and is_spaceless(words[0].norm)
            and len(words[0].norm) == 1
            and not self._has_words(words)
        ):
            return True
        after = self.run_stop
        joins = (
            start == first
            and after < len(self.tokens)
            and self.lexicon.cue_at(self.tokens, after, ("and", "or")) is not None
        )
        return not (led or joins) and not self._has_words(words)

    def _tells(self, start: int, stop: int | None = None) -> bool:
        """Whether there are words of sentences about the user, such as "I" and "is", from one token on."""
        stop = start + 1 if stop is None else stop
        return not self.lexicon.telling.isdisjoint(token.norm for token in self.tokens[start:stop])

    def _narrates(self, start: int, stop: int, named: bool) -> bool:
        """Whether a run that no cue leads to is a sentence, and so no wish: "my flight is only two hours"."""
        lexicon, norms = self.lexicon, [token.norm for token in self.tokens[start:stop]]
        if start == self.governed_at or lexicon.wishing.intersection(norms):
            return False
        if self._has_item():
            return not (self.mode or self.wished) and self._tells(start, stop)  # "Dracula scared the life out of me"
        if named and lexicon.cue_at(self.tokens, stop, ("negation",)) and norms[0] in lexicon.adverbial:
            return False  # "für Gedichte bin ich nicht zu haben"
        led = next(
            (at for at, norm in enumerate(norms) if norm in lexicon.about and at + start > self.clause_at), len(norms)
        )
        content = [norm for norm in norms if norm not in lexicon.function_words and not lexicon.opinion([norm])]
        return bool(content) and (norms[0] in lexicon.adverbial or bool(lexicon.telling.intersection(norms[:led])))

    def _gives_reason(self) -> bool:
        """Whether a clause begins as one that tells why: ", que llaman a la puerta"."""
        begins = self.clause_at > 0 and self.tokens[self.clause_at - 1].norm == ","
        return begins and self.tokens[self.clause_at].norm in self.lexicon.relative

    def _is_sentence(self, start: int, stop: int) -> bool:
        """Whether a run that no cue leads to has function words that no wish has: "¿a qué hora cierran hoy?"."""
        lexicon, norms = self.lexicon, [token.norm for token in self.tokens[start:stop]]
        if start == self.governed_at or lexicon.code == "zh":
            return False
        plain = lexicon.function_words.intersection(norms) - lexicon.indefinite - lexicon.pointing - lexicon.item_words
        first = next((at for at, norm in enumerate(norms) if norm not in lexicon.function_words), 0)
        rest = norms[first:]
        while rest and rest[-1] in lexicon.function_words:
            rest.pop()
        led = norms[0] in lexicon.about - lexicon.relative or lexicon.about.intersection(rest)
        return 2 * len(plain) >= len(norms) and not led and not plain & lexicon.wishing

    def _has_words(self, words: list[Token]) -> bool:
        """Whether the items have one of these words, in any form."""
        plain = self.lexicon.function_words | self.lexicon.times
        content = [token.norm for token in words if not (token.norm in plain or self.lexicon.cardinal(token.norm))]
        spelt = [word for norm in content for word in self.facts.words_of(norm) if word not in plain]
        known = self.facts.vocabulary
        return any(w in known or (not is_spaceless(w) and bool(self.facts.forms_of(w))) for w in spelt)

    def _follows_item(self) -> bool:
        """Whether a clause has nothing yet and follows one about an item: "I have read Emma, it was great"."""
        before = self.findings[self.topic_at :]
        return len(self.findings) == self.first_finding and any(one.kind in ("known", "item") for one in before)

    def _has_item(self) -> bool:
        return any(one.kind == "item" for one in self.findings[self.first_finding :])

    def _names_item(self) -> bool:
        return any(one.kind in ("item", "known") for one in self.findings[min(self.topic_at, self.first_finding) :])

    def _is_of_items(self, text: str) -> bool:
        return any(self.facts.forms_of(word) for word in self.facts.words_of(text))

    def _item(self, code: int) -> None:
        self._flush()
        kind = {"known": "known", "compare": "reference"}.get(self.mode, "item")
        self._add(Finding(kind, code, self.sign))
