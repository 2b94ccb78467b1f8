"""Finds items (by title or position) and labels in a text."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import Lexicon, Token, concept_text, tokenize
from skrec.llm._conversation._state import Constraint, Question
from skrec.llm._conversation._word_forms import fold, name_words, stem
from skrec.utils import is_spaceless

REFERENCES = ("like", "unlike", "love", "hate", "known")
CUES = (
    *("none", "reject", "restart", "known", "hate", "unlike", "love", "like", "only"),
    *("negation", "softly_less", "softly_more"),
    *("want", "same_kind", "asides", "all_shown", "but", "or", "and", "enough", "compared"),
)
_CLOSE = 0.86


@dataclass
class Finding:
    """An item, constraint or text in a clause, before its sign is final."""

    kind: str  # "item", "known", "constraint", "text" or "reference"
    value: object
    sign: int
    strict: bool = False


class NameReader:
    """Turns the tokens of a text into findings, clause by clause.

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
        self.negated_at = self.referred_from = -1
        self.judged, self.wished = 0, False
        self.rivals: set[str] = set()
        self.clause_at = at
        self.first_finding = len(self.findings)

    def _is_strict(self) -> bool:
        return self.sign < 0 and not self.soft

    def _add(self, finding: Finding) -> None:
        self.findings.append(finding)

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
        end = stop
        self.run, self.run_named, self.run_concepts = None, False, []
        plain = self.lexicon.function_words | (set() if named else self.lexicon.item_words)
        while start < stop and self.tokens[start].norm in plain:
            start += 1
        while start < stop and self.tokens[stop - 1].norm in plain:
            stop -= 1
        if start == stop:
            return
        if is_spaceless(self.tokens[start].norm) and any("的" in t.norm for t in self.tokens[start:stop]):
            while stop < end and self.tokens[stop].norm in self.lexicon.item_words:
                stop += 1  # "大海的伤感小说" without its last word is no phrase
        words = self.tokens[start:stop]
        sign = self.lexicon.judgement([token.norm for token in words])
        if sign and not self.mode and (self.findings[self.first_finding :] if sign < 0 else self._has_item()):
            self.judged = -sign if self.sign < 0 else sign  # "Emma was dull", "the first is not bad"
            return
        said = self.text[words[0].start : words[-1].stop]
        if self.mode in REFERENCES and not named and words[0].capital:
            code = find_title(self.facts, [token.norm for token in words])
            if code is not None:
                return self._item(code)
            if self.mode != "love" or self.lexicon.code != "de":
                self.critique.notes.append(("no_such_title", {"title": said}))
        if concepts:
            own = [said] if self.lexicon.code in ("en", self.facts.script) else []
            self.critique.meanings[said] = [*own, *(concept_text(concept, self.facts) for concept in concepts)]
        if self.mode != "known":
            self._add(Finding("text", said, self.sign, self._is_strict() and not named))

    def _is_reader(self, at: int) -> bool:
        """Whether a word such as "son" names who is to read: "for my son", but not "a book about my mother"."""
        lexicon, tokens = self.lexicon, self.tokens
        if tokens[at].norm not in lexicon.kin:
            return False
        if at and tokens[at - 1].norm in lexicon.kin_before:
            return at < 2 or tokens[at - 2].norm not in lexicon.about
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

    def _is_remark(self) -> bool:
        """Whether a clause tells of the user in words that no item has: "..., I read fast"."""
        clause, start = self.findings[self.first_finding :], self.clause_at
        if (
            self.mode
            or self.wished
            or start >= len(self.tokens)
            or self.tokens[start].norm not in self.lexicon.subjects
        ):
            return False
        texts = [str(one.value) for one in clause if one.kind == "text" and one.sign > 0]
        words = [word for text in texts for word in name_words(text)]
        forms = [form for word in words for form in (*self.facts.forms_of(word), word)]
        return len(texts) == len(clause) > 0 and not self.facts.items_with(forms).any()

    def _has_item(self) -> bool:
        return any(one.kind == "item" for one in self.findings[self.first_finding :])

    # Items and labels --------------------------------------------------------------------------------

    def _title(self, at: int) -> int:
        token = self.tokens[at]
        for start, stop, content in self.quoted:
            if start <= token.start < stop:
                inside = [t for t in self.tokens[at:] if t.start < stop]
                code = find_title(self.facts, name_words(content))
                if code is None and self.mode in REFERENCES:
                    self.critique.notes.append(("no_such_title", {"title": content}))
                if code is not None:
                    self._item(code)
                    return len(inside)
                return 0
        longest = min(self.facts.longest_title, len(self.tokens) - at)
        for length in range(longest, 0, -1):
            part = self.tokens[at : at + length]
            code = self.facts.title_codes.get(tuple(t.norm for t in part))
            if code is not None and self._may_be_title(part, at, code):
                self._item(code)
                return length
        return 0

    def _may_be_title(self, part: list[Token], at: int, code: int) -> bool:
        """Whether a match is meant as a title: a book may be called "Short" or "I Want"."""
        content = [t for t in part if t.norm not in self.lexicon.function_words]
        if not content:
            return False
        capital = all(t.capital or t.norm.isdigit() for t in content)
        alone = self._is_all_but_negations(at, len(part))
        judged = self._is_judged(at + len(part))
        if len(part) > 1 and part[0].capital and (at > 0 or judged or self.mode in REFERENCES or len(content) > 1):
            # Many languages write the first word of a title alone with a capital.
            capital |= self.text[part[0].start : part[-1].stop] == self.facts.own_titles[code]
        if self.mode in REFERENCES:
            return capital or len(content) > 1 or not self._is_common_word(content[0], code)
        if alone or judged:
            common = len(content) == 1 and self._is_common_word(content[0], code)
            return capital or not (common or any(self.lexicon.knows(t.norm) for t in content))
        return capital and (len(content) > 1 or (at > 0 and self.lexicon.code != "de"))

    def _is_judged(self, at: int) -> bool:
        """Whether a verb about an item follows, with function words between: "Emma, I finished it"."""
        lexicon = self.lexicon
        while at < len(self.tokens):
            norm = self.tokens[at].norm
            if lexicon.cue_at(self.tokens, at, ("love", "hate", "known")) or lexicon.judgement([norm]):
                return True
            if norm in lexicon.verdicts and self._ends_clause(at + 1):
                return True
            if lexicon.cue_at(self.tokens, at, ("negation", "want", "but")) or not (
                norm == "," or norm in lexicon.function_words or norm in lexicon.times or lexicon.is_last(norm)
            ):
                return False
            at += 1
        return False

    def _is_common_word(self, token: Token, code: int) -> bool:
        """Whether a word in lower case is not the title that it equals: "I hate aliens" is not about Aliens."""
        if is_spaceless(token.norm):
            return False
        if any(other.capital for other in self.tokens if other is not token) or self.lexicon.knows(token.norm):
            return True
        rows = self.facts.items_with([*self.facts.forms_of(token.norm), token.norm])
        return bool(rows.sum() > rows[code])

    def _is_all_but_negations(self, at: int, n_tokens: int) -> bool:
        """Whether a text has nothing else than these tokens, but for "not": "Emma nicht", "no Emma"."""
        rest = [token for token in (*self.tokens[:at], *self.tokens[at + n_tokens :]) if token.norm[0].isalnum()]
        spelt = self.lexicon.function_words
        return all(t.norm in spelt or self.lexicon.cue_at([t], 0, ("negation",)) is not None for t in rest)

    def _item(self, code: int) -> None:
        self._flush()
        kind = {"known": "known", "compare": "reference"}.get(self.mode, "item")
        self._add(Finding(kind, code, self.sign))

    def _ordinal(self, at: int) -> int:
        """A position in the last list: "the second one", "number 3"."""
        lexicon, tokens = self.lexicon, self.tokens
        if (several := lexicon.cue_at(tokens, at, ("first_places",))) is not None:
            return self._point_at_several(at, int(several.value), several.n_tokens)
        sign = lexicon.cue_at(tokens, at, ("number_signs",))
        after = at + (sign.n_tokens if sign else 0)
        if sign and after < len(tokens) and (place := lexicon.cardinal(tokens[after].norm)):
            return self._point(place) and after + 1 - at
        alone = len([t for t in tokens if t.norm[0].isalnum()]) == 1
        if tokens[at].norm.isdigit() and len(tokens[at].norm) <= 2 and (alone or self.mode in REFERENCES):
            return self._point(int(tokens[at].norm))
        cue = lexicon.cue_at(tokens, at, ("ordinals",))
        suffix = at + 1 < len(tokens) and tokens[at].norm.isdigit() and tokens[at + 1].norm
        if cue is None and suffix in ("st", "nd", "rd", "th", "e", "er", "eme", "º") and len(tokens[at].norm) <= 2:
            place, n_tokens = int(tokens[at].norm), 2
        elif cue is not None:
            place, n_tokens = int(cue.value), cue.n_tokens
        else:
            return 0
        follower = tokens[at + n_tokens].norm if at + n_tokens < len(tokens) else ""
        if follower in lexicon.times:
            return n_tokens + 1  # "last week"
        if at and tokens[at - 1].norm in lexicon.times:
            return n_tokens
        if follower in lexicon.item_words:
            n_tokens += 1
        elif follower and follower[0].isalpha() and not self._is_structure(at + n_tokens):
            return 0  # "the second world war", "a first love"
        return self._point(place) and n_tokens

    def _is_structure(self, at: int) -> bool:
        """Whether a word is a function word or a cue."""
        kinds = (*CUES, "comparatives", "bounds", "than", *(["adjectives"] if self.mode == "compare" else []))
        norm = self.tokens[at].norm
        return norm in self.lexicon.function_words or self.lexicon.cue_at(self.tokens, at, kinds) is not None

    def _point_at_several(self, at: int, count: int, n_tokens: int) -> int:
        """The first two, or for a negative count the last ones."""
        start = len(self.shown) + 1 + count if count < 0 else 1
        for place in range(max(start, 1), max(start, 1) + abs(count)):
            self._point(place)
        follower = self.tokens[at + n_tokens].norm if at + n_tokens < len(self.tokens) else ""
        return n_tokens + (follower in self.lexicon.item_words)

    def _point(self, place: int) -> int:
        self._flush()
        if not self.shown:
            self.critique.notes.append(("nothing_shown", {}))
        elif not (1 <= place <= len(self.shown) or -len(self.shown) <= place <= -1):
            self.critique.notes.append(("no_such_ordinal", {"number": place, "count": len(self.shown)}))
        else:
            self._item(self.shown[place - 1 if place > 0 else place])
        return 1

    def _point_at_all(self, at: int, n_tokens: int) -> int:
        self.all_shown = True
        if self.mode == "like" and any(one.kind == "item" for one in self.findings):
            return n_tokens  # "X was great, what else is like that"
        if self.negated_at == at and self.mode not in REFERENCES:
            self.critique.reject_shown = True  # "not that one"
        if self.mode in REFERENCES and self.shown:
            self._flush()
            kind = "known" if self.mode == "known" else "item"
            self.findings += [Finding(kind, code, self.sign) for code in self.shown]
        return n_tokens

    def _label(self, at: int) -> int:
        by = self.lexicon.cue_at(self.tokens, at, ("by",))
        start = at + (by.n_tokens if by else 0)
        if by is not None and start < len(self.tokens) and (found := self._label_at(start)) is not None:
            (column, value), length = found
            if self.facts.is_person(column):
                self._add(Finding("constraint", Constraint(column, "is", value), self.sign, True))
                self._extend(at, start + length - at, named=True)
                return start + length - at
        if (found := self._label_at(at)) is None:
            return 0
        (column, value), length = found
        cue = self.lexicon.cue_at(self.tokens, at, CUES)
        if (cue is not None and cue.n_tokens >= length) or self._is_a_story(at, value):
            return 0
        self._add(Finding("constraint", Constraint(column, "is", value), self.sign, self.only or self._is_strict()))
        # Some items about war have no such label.
        concept = self.lexicon.concept_at(self.tokens, at)
        if concept is not None and concept.n_tokens == length and concept.is_central:
            self._add(Finding("constraint", Constraint("", "about", concept.name), self.sign, self._is_strict()))
            self._extend(at, length, named=True, concept=concept.name)
        self._extend(at, length, named=True)
        return length

    def _is_a_story(self, at: int, label: str) -> bool:
        """Whether a word for items means them although a genre has its name: "une histoire de baleine", of a whale."""
        norm = self.tokens[at].norm
        if norm not in self.lexicon.item_words or at + 2 >= len(self.tokens):
            return False
        is_one_of_many = norm != fold(label) or (at > 0 and self.tokens[at - 1].norm in self.lexicon.indefinite)
        return is_one_of_many and self.tokens[at + 1].norm in self.lexicon.about

    def _label_at(self, at: int) -> tuple[tuple[str, str], int] | None:
        longest = max(self.facts.longest_label, self.lexicon.longest)
        for length in range(min(longest, len(self.tokens) - at), 0, -1):
            part = self.tokens[at : at + length]
            found = self.facts.label_words.get(tuple(stem(t.norm) for t in part))
            if found is None:
                for label in self.lexicon.synonyms.get(tuple(t.norm for t in part), ()):
                    found = self.facts.label_words.get(tuple(stem(t.norm) for t in tokenize(label)))
                    if found is not None:
                        return found, length
            plain = length == 1 and part[0].norm in self.lexicon.function_words
            if found is not None and not (plain and found[1].lower() != part[0].norm):
                return found, length
        return None


def find_title(facts: ItemFacts, words: list[str]) -> int | None:
    """The item with a title, exact or with a spelling mistake."""
    code = facts.title_codes.get(tuple(words))
    if code is None and words:
        said = " ".join(words)
        # Mistakes seldom change both the first letter and every word; comparing with all titles would be slow.
        near = (
            t for t in facts.title_codes if abs(len(t) - len(words)) <= 1 and (t[0][0] == said[0] or {*t} & {*words})
        )
        spelt = {" ".join(title): facts.title_codes[title] for title in near}
        close = difflib.get_close_matches(said, spelt, n=1, cutoff=_CLOSE)
        code = spelt[close[0]] if close else None
    return code
