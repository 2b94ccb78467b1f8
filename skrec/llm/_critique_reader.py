"""Wishes out of a text without a language model: by the phrases of a language and the words of the items."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skrec.llm._conversation_state import Constraint, Question
from skrec.llm._critique import Critique
from skrec.llm._critique_numbers import NumberReader
from skrec.llm._item_facts import ItemFacts, stem
from skrec.llm._lexicon import Token, concept_text, detect_language, load_lexicon, quoted_parts, spell, tokenize

_REFERENCES = ("like", "unlike", "love", "hate", "known")
_CUES = (
    *("reject", "restart", "known", "hate", "unlike", "love", "like", "only", "negation", "softly_less", "softly_more"),
    *("want", "all_shown", "but", "or", "and"),
)
_CLOSE = 0.86
_DESPITE = {"like", "unlike", "love", "hate", "known"}
_STRICT, _SOFT = True, False


@dataclass
class _Finding:
    """Something named in a clause, before its sign is final."""

    kind: str  # "item", "known", "constraint", "text" or "reference"
    value: object
    sign: int
    strict: bool = False


class CritiqueReader:
    """Reads one text.

    Parameters
    ----------
    facts : ItemFacts
    shown : sequence of int
        Codes of the last list.
    pending : Question or None
        What was asked last.
    """

    def __init__(self, facts: ItemFacts, shown: Sequence[int], pending: Question | None) -> None:
        self.facts = facts
        self.shown = list(shown)
        self.pending = pending

    def read(self, text: str, last_language: str) -> Critique:
        """The wishes of a text.

        Parameters
        ----------
        text : str
        last_language : str
            The language of the conversation so far.

        Returns
        -------
        Critique
        """
        self.text, self.tokens = text, tokenize(text)
        known = {word for spelt in self.facts.label_words for word in spelt}
        known |= {stem(word) for spelt in self.facts.title_codes for word in spelt}
        language = detect_language(self.tokens, last_language, known)
        self.critique = Critique(language=language)
        if language is None:
            self.critique.wanted.append(text.strip())
            return self.critique
        self.lexicon = load_lexicon(language)
        self.numbers = NumberReader(self.facts, self.lexicon)
        self.quoted = quoted_parts(text)
        self.findings: list[_Finding] = []
        self._begin_clause()
        at = self._answer()
        while at < len(self.tokens):
            at += self._step(at)
        self._end_clause()
        self._settle()
        return self.critique

    # Clauses ---------------------------------------------------------------------------------------

    def _begin_clause(self) -> None:
        self.sign, self.soft, self.mode, self.only = 1, False, "", False
        self.run: tuple[int, int] | None = None
        self.run_named = False
        self.run_concepts: list[str] = []
        self.negated_at = self.referred_from = -1
        self.first_finding = len(self.findings)

    def _end_clause(self) -> None:
        trailing = self.negated_at == len(self.tokens) or (self.sign < 0 and self.run is None)
        self._flush()
        clause = self.findings[self.first_finding :]
        if self.mode in ("love", "hate", "known") and len(self.findings) == self.referred_from:
            # "The second one I know": what a clause says of items may stand behind them.
            for one in clause:
                if one.kind == "item":
                    one.kind = "known" if self.mode == "known" else "item"
                    one.sign = -1 if self.mode == "hate" else 1
        # "Den zweiten mag ich nicht": a negation behind all that it denies.
        if trailing and clause and self.mode == "love" and all(one.sign > 0 for one in clause):
            for one in clause:
                one.sign, one.strict = -1, True
        self._begin_clause()

    def _answer(self) -> int:
        """Read an answer to the last question at the start of the text; the number of its tokens."""
        stops = [at for at, token in enumerate(self.tokens) if not token.norm[0].isalnum()]
        for stop in [*stops[:1], len(self.tokens)]:
            phrase = tuple(token.norm for token in self.tokens[:stop])
            if phrase in self.lexicon.answers:
                kind = self.lexicon.answers[phrase]
                if self.pending is not None and (kind != "other" or self.pending.relation == "is"):
                    self.critique.answer = kind
                    return stop
                return stop if kind in ("yes", "no") and stop == len(self.tokens) else 0
        return 0

    # One step ----------------------------------------------------------------------------------------

    def _step(self, at: int) -> int:
        token = self.tokens[at]
        if token.norm in ",;:.!?()…\n":
            return self._sign_between(at)
        for read in (self._title, self._number, self._ordinal, self._label, self._scale, self._cue):
            if n_tokens := read(at):
                return n_tokens
        concept = self.lexicon.concept_at(self.tokens, at)
        if concept is not None:
            self._add(_Finding("constraint", Constraint("", "about", concept[0]), self.sign, self._is_strict()))
            self._extend(at, concept[1], named=True, concept=concept[0])
            return concept[1]
        self._extend(at, 1, named=False)
        return 1

    def _sign_between(self, at: int) -> int:
        """A comma within "no horror, war or crime" changes nothing; every other sign ends the clause."""
        if self.tokens[at].norm == "," and self.sign < 0 and self._is_listed(at + 1):
            self._flush()
        elif self.tokens[at].norm != ":":
            self._end_clause()
        return 1

    def _is_listed(self, at: int) -> bool:
        for distance, token in enumerate(self.tokens[at : at + 8]):
            if self.lexicon.cue_at([token], 0, ("or",)):
                return distance > 0
            if token.norm in ".;!?" or self.lexicon.cue_at(self.tokens, at + distance, (*_REFERENCES, "want", "but")):
                return False
        return False

    # What a text can name ----------------------------------------------------------------------------

    def _title(self, at: int) -> int:
        token = self.tokens[at]
        for start, stop, content in self.quoted:
            if start <= token.start < stop:
                inside = [t for t in self.tokens[at:] if t.start < stop]
                code = find_title(self.facts, [t.norm for t in tokenize(content)])
                if code is None and self.mode in _REFERENCES:
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
        """Whether words that spell a title are meant as one: a shop may sell a book called "Short" or "I Want"."""
        alone = len(part) == len([t for t in self.tokens if t.norm[0].isalnum()])
        content = [t for t in part if t.norm not in self.lexicon.function_words]
        if not content:
            return False
        if self.mode in _REFERENCES:
            return True
        capital = all(t.capital or t.norm.isdigit() for t in content)
        follower = self.lexicon.cue_at(self.tokens, at + len(part), ("love", "hate", "known"))
        if alone or follower is not None:
            return capital or not any(self.lexicon.knows(t.norm) for t in content)
        return capital and (len(content) > 1 or (at > 0 and self.lexicon.code != "de"))

    def _item(self, code: int) -> None:
        self._flush()
        kind = {"known": "known", "compare": "reference"}.get(self.mode, "item")
        self._add(_Finding(kind, code, self.sign))

    def _number(self, at: int) -> int:
        found = self.numbers.read(self.tokens, at, negated=self.negated_at == at)
        if found is None:
            return 0
        constraints, missing, n_tokens = found
        self._flush()
        if missing is not None:
            said = self.text[self.tokens[at].start : self.tokens[at + n_tokens - 1].stop]
            self._note_missing(missing, said)
        # One bound has been turned round where it was negated, and the negation is spent.
        self.sign = 1 if self.negated_at == at and len(constraints) == 1 else self.sign
        for one in constraints:
            self._add(_Finding("constraint", one, self.sign, True))
        return n_tokens

    def _note_missing(self, kind: str, text: str) -> None:
        attribute = self.lexicon.attribute_words.get(kind, kind)
        self.critique.notes.append(("no_attribute", {"attribute": attribute, "text": text}))

    def _ordinal(self, at: int) -> int:
        """A place in the last list: "the second one", "number 3"."""
        lexicon, tokens = self.lexicon, self.tokens
        sign = lexicon.cue_at(tokens, at, ("number_signs",))
        after = at + (sign.n_tokens if sign else 0)
        if sign and after < len(tokens) and tokens[after].norm.isdigit():
            return self._point(int(tokens[after].norm)) and after + 1 - at
        alone = len([t for t in tokens if t.norm[0].isalnum()]) == 1
        if tokens[at].norm.isdigit() and len(tokens[at].norm) <= 2 and (alone or self.mode in _DESPITE):
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
        if follower in lexicon.item_words:
            n_tokens += 1
        elif follower and follower[0].isalpha() and not self._is_structure(at + n_tokens):
            return 0  # "the second world war", "a first love"
        return self._point(place) and n_tokens

    def _is_structure(self, at: int) -> bool:
        """Whether a word holds a sentence together, and is not what it is about."""
        kinds = (*_CUES, "comparatives", "bounds", "than")
        norm = self.tokens[at].norm
        return norm in self.lexicon.function_words or self.lexicon.cue_at(self.tokens, at, kinds) is not None

    def _point(self, place: int) -> int:
        self._flush()
        if not self.shown:
            self.critique.notes.append(("nothing_shown", {}))
        elif not (1 <= place <= len(self.shown) or place == -1):
            self.critique.notes.append(("no_such_ordinal", {"number": place, "count": len(self.shown)}))
        else:
            self._item(self.shown[place - 1 if place > 0 else -1])
        return 1

    def _label(self, at: int) -> int:
        by = self.lexicon.cue_at(self.tokens, at, ("by",))
        start = at + (by.n_tokens if by else 0)
        if by is not None and start < len(self.tokens) and (found := self._label_at(start)) is not None:
            (column, value), length = found
            if self.facts.is_person(column):
                self._add(_Finding("constraint", Constraint(column, "is", value), self.sign, True))
                self._extend(at, start + length - at, named=True)
                return start + length - at
        if (found := self._label_at(at)) is None:
            return 0
        (column, value), length = found
        cue = self.lexicon.cue_at(self.tokens, at, _CUES)
        if cue is not None and cue.n_tokens >= length:
            return 0
        self._add(_Finding("constraint", Constraint(column, "is", value), self.sign, self.only or self._is_strict()))
        # Some items about war have no label that says so.
        if (concept := self.lexicon.concept_at(self.tokens, at)) is not None and concept[1] == length:
            self._add(_Finding("constraint", Constraint("", "about", concept[0]), self.sign, self._is_strict()))
        self._extend(at, length, named=True)
        return length

    def _label_at(self, at: int) -> tuple[tuple[str, str], int] | None:
        for length in range(min(self.facts.longest_label, len(self.tokens) - at), 0, -1):
            part = self.tokens[at : at + length]
            found = self.facts.label_words.get(tuple(stem(t.norm) for t in part))
            plain = length == 1 and part[0].norm in self.lexicon.function_words
            if found is not None and not (plain and found[1].lower() != part[0].norm):
                return found, length
        return None

    def _scale(self, at: int) -> int:
        """Shorter, cheaper; short, cheap: against an item named beside it, else the last list, else the catalogue."""
        cue = self.lexicon.cue_at(self.tokens, at, ("comparatives", "adjectives"))
        if cue is None or not self._may_compare(at + cue.n_tokens, cue.value, cue.kind):
            return 0
        self._flush()
        # What negates a comparison stands before it: "nothing older", and not "nothing violent and older".
        negated = self.negated_at == at
        up = cue.value.endswith("+") != negated
        if negated:
            self.sign, self.negated_at = 1, -1
        self._add(_Finding("comparison", (cue.value[:-1], up, cue.kind == "adjectives"), 1, True))
        n_tokens = cue.n_tokens
        than = self.lexicon.cue_at(self.tokens, at + n_tokens, ("than",))
        if than is not None:
            self.mode = "compare"
            n_tokens += than.n_tokens
        return n_tokens

    def _may_compare(self, after: int, scale: str, kind: str) -> bool:
        """Whether the word is about the items: "older books" is, "older men" is not."""
        if after >= len(self.tokens) or (kind == "comparatives" and scale[:-1] in ("length", "price")):
            return True
        norm = self.tokens[after].norm
        return (
            not norm[0].isalnum()
            or norm in self.lexicon.item_words | self.lexicon.function_words
            or bool(
                self._label_at(after) or self.lexicon.cue_at(self.tokens, after, ("than", "and", "or", "but", "want"))
            )
        )

    # Cues --------------------------------------------------------------------------------------------

    def _cue(self, at: int) -> int:
        cue = self.lexicon.cue_at(self.tokens, at, _CUES)
        if cue is None:
            return 0
        kind = cue.kind
        if kind == "all_shown":
            return self._point_at_all(cue.n_tokens)
        if kind == "only":
            self.only = True
        elif kind in ("reject", "restart"):
            return self._reject(at, cue.n_tokens, kind)
        elif kind in ("and", "or"):
            self._flush()
        elif kind == "but":
            self._end_clause()
        elif kind == "want":
            if self.negated_at != at:
                self._flush()
                self.sign, self.soft, self.mode = 1, False, ""
            else:
                self.negated_at = at + cue.n_tokens
        elif kind in ("negation", "softly_less", "softly_more"):
            self._flush()
            self.sign, self.soft = (1 if kind == "softly_more" else -1), kind != "negation"
            self.negated_at = at + cue.n_tokens if kind == "negation" else -1
        else:
            self._refer(at, cue.n_tokens, kind)
        return cue.n_tokens

    def _refer(self, at: int, n_tokens: int, kind: str) -> None:
        self._flush()
        negated = self.negated_at == at
        self.referred_from = len(self.findings)
        self.mode, self.soft = kind, kind in ("like", "unlike")
        if kind in ("hate", "unlike"):
            self.sign = -1
        elif (kind != "known" and not (negated or (kind == "like" and self.sign < 0))) or kind == "known":
            self.sign = 1

    def _reject(self, at: int, n_tokens: int, kind: str) -> int:
        whole = len([t for t in self.tokens if t.norm[0].isalnum()]) == n_tokens
        if kind == "restart":
            self.critique.restart = True
            self.findings.clear()
        elif whole or kind == "reject":
            self.critique.reject_shown = True
        self._end_clause()
        return n_tokens

    def _point_at_all(self, n_tokens: int) -> int:
        if self.mode in _REFERENCES and self.shown:
            self._flush()
            kind = "known" if self.mode == "known" else "item"
            self.findings += [_Finding(kind, code, self.sign) for code in self.shown]
        return n_tokens

    # Words -------------------------------------------------------------------------------------------

    def _is_strict(self) -> bool:
        return self.sign < 0 and not self.soft

    def _add(self, finding: _Finding) -> None:
        self.findings.append(finding)

    def _extend(self, at: int, n_tokens: int, *, named: bool, concept: str | None = None) -> None:
        start = at if self.run is None else self.run[0]
        self.run = (start, at + n_tokens)
        self.run_named |= named
        self.run_concepts += [] if concept is None else [concept]

    def _flush(self) -> None:
        """End a run of words: what is left of it without function words is wanted, or not."""
        if self.run is None:
            return
        (start, stop), named, concepts = self.run, self.run_named, self.run_concepts
        self.run, self.run_named, self.run_concepts = None, False, []
        plain = self.lexicon.function_words | (set() if named else self.lexicon.item_words)
        while start < stop and self.tokens[start].norm in plain:
            start += 1
        while start < stop and self.tokens[stop - 1].norm in plain:
            stop -= 1
        if start == stop:
            return
        words = self.tokens[start:stop]
        said = self.text[words[0].start : words[-1].stop]
        if self.mode in _REFERENCES and not named and words[0].capital:
            code = find_title(self.facts, [token.norm for token in words])
            if code is not None:
                return self._item(code)
            if self.mode != "love" or self.lexicon.code != "de":
                self.critique.notes.append(("no_such_title", {"title": said}))
        if concepts and self.lexicon.code != "en":
            # Most encoders, and most texts of items, are at home in English.
            self.critique.meanings[said] = "; ".join(map(concept_text, concepts))
        if self.mode != "known":
            self._add(_Finding("text", said, self.sign, self._is_strict() and not named))

    # Settle ------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        critique = self.critique
        comparisons: list[tuple[str, bool, bool]] = []
        referred: list[int] = []
        for one in self.findings:
            if one.kind == "known":
                critique.known.append(one.value)  # type: ignore[arg-type]
            elif one.kind in ("item", "reference"):
                referred.append(one.value)  # type: ignore[arg-type]
                if one.kind == "item":
                    (critique.liked if one.sign > 0 else critique.disliked).append(one.value)  # type: ignore[arg-type]
            elif one.kind == "comparison":
                comparisons.append(one.value)  # type: ignore[arg-type]
            elif one.kind == "constraint":
                self._constrain(one)
            elif one.sign > 0:
                critique.wanted.append(str(one.value))
            else:
                critique.unwanted.append(str(one.value))
                if one.strict:
                    critique.constraints.append(Constraint("", "about", str(one.value), -1.0, True))
        for kind, up, absolute in comparisons:
            self._compare(kind, up, absolute, referred)

    def _constrain(self, one: _Finding) -> None:
        found: Constraint = one.value  # type: ignore[assignment]
        if found.relation in ("<=", ">=") and one.sign < 0:
            return  # "not from the 19th century" leaves two sides open, which one bound cannot say
        made = Constraint(found.attribute, found.relation, found.value, float(one.sign), one.strict)
        if made not in self.critique.constraints:
            self.critique.constraints.append(made)

    def _compare(self, kind: str, up: bool, absolute: bool, referred: list[int]) -> None:
        column = self.facts.column_of(kind)
        scale = kind + ("+" if up else "-")
        if column is None:
            if text := self.lexicon.attribute_texts.get(scale):
                self._go_by_words(kind, text)
            return
        values = self.facts.numbers[column]
        edge = reference_value(values, referred, self.shown, up, absolute)
        if edge is not None:
            self.critique.constraints.append(Constraint(column, ">=" if up else "<=", edge, 1.0, True))

    def _go_by_words(self, kind: str, text: str) -> None:
        """No column tells the attribute: labels and texts may."""
        self._note_missing(kind, ", ".join(text.split(", ")[:2]))
        for part in text.split(", "):
            label = self.facts.label_words.get(tuple(stem(word) for word in spell(part)))
            if label is not None:
                self.critique.constraints.append(Constraint(*label[:1], "is", label[1], 1.0, False))
        self.critique.wanted.append(text)


def find_title(facts: ItemFacts, words: list[str]) -> int | None:
    """The item of a title, or of one that is spelt nearly so."""
    code = facts.title_codes.get(tuple(words))
    if code is None and words:
        spelt = {" ".join(title): found for title, found in facts.title_codes.items()}
        close = difflib.get_close_matches(" ".join(words), spelt, n=1, cutoff=_CLOSE)
        code = spelt[close[0]] if close else None
    return code


def reference_value(
    values: np.ndarray, referred: Sequence[int], shown: Sequence[int], up: bool, absolute: bool
) -> float | None:
    """The edge of a comparison: the next value beyond the items it is against.

    Parameters
    ----------
    values : ndarray of shape (n_items,)
    referred, shown : sequences of item codes
        Items named in the text, else the last list, else the catalogue count.
    up : bool
        Greater is asked for.
    absolute : bool
        "Short", not "shorter": the third of the catalogue that is.
    """
    told = values[np.isfinite(values)]
    if not len(told):
        return None
    if absolute:
        return float(np.quantile(told, 2 / 3 if up else 1 / 3, method="nearest"))
    for group in (list(referred), list(shown)):
        against = values[group][np.isfinite(values[group])] if group else np.zeros(0)
        if len(against):
            break
    else:
        against = told
    middle = float(np.quantile(against, 0.5, method="lower" if up else "higher"))
    beyond = told[told > middle] if up else told[told < middle]
    step = 1.0 if up else -1.0
    return float(beyond.min() if up else beyond.max()) if len(beyond) else middle + step
