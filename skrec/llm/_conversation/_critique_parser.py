"""Parses a text without a language model: by the phrases of a language and the words of the items."""

from __future__ import annotations

import itertools

from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._detection import detect_language
from skrec.llm._conversation._lexicon import Cue, load_lexicon
from skrec.llm._conversation._parse_answers import SIGNS, AnswerReader
from skrec.llm._conversation._parse_numbers import NumberReader
from skrec.llm._conversation._parse_runs import CUES, GOVERNING, REFERENCES, Finding
from skrec.llm._conversation._spelling import corrected
from skrec.llm._conversation._state import Constraint
from skrec.llm._conversation._tokens import tokenize, without_initials_stops
from skrec.llm._conversation._word_forms import stem
from skrec.utils import quoted_texts

_NEAR = 5


class CritiqueReader(AnswerReader):
    """Parses one text.

    Parameters
    ----------
    facts : ItemFacts
    shown : sequence of int
        Codes of the last list.
    pending : Question or None
        The last question, if it has no answer yet.
    """

    def read(self, text: str, last_language: str) -> Critique:
        """Parse a text.

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
        self.tokens = tokenize(text, self.lexicon.segmenter(self.facts))
        if (mended := corrected(text, self.tokens, self.facts, self.lexicon)) is not None:
            self.text = text = mended
            self.tokens = tokenize(text, self.lexicon.segmenter(self.facts))
        self.numbers = NumberReader(self.facts, self.lexicon)
        self.quoted = quoted_texts(text)
        self.findings: list[Finding] = []
        self.run_labels = {}
        self.topic_at = self.first_finding = 0
        self.is_small_talk = False
        self._begin_clause(0)
        at = self._answer()
        adverbs = self.lexicon.intensifiers
        self.tokens[at:] = [t for t in self.tokens[at:] if t.norm not in adverbs or t.capital]
        self.tokens = without_initials_stops(self.tokens)
        if self.tokens and self.tokens[-1].norm == "没有" and any("有" in t.norm for t in self.tokens[:-1]):
            self.tokens.pop()  # "有…没有" asks
        self.clause_at = at
        while at < len(self.tokens):
            at += self._step(at)
        self._end_clause(at)
        has_objects = any(one.kind != "text" for one in self.findings)
        if self.pending is not None and self.critique.answer is None and not has_objects:
            self.critique.answer = self._late_answer()
            self.findings = [] if self.critique.answer else self.findings
            self.critique.reject_shown &= self.critique.answer is None
        self._settle()
        return self.critique

    # One step ----------------------------------------------------------------------------------------

    def _step(self, at: int) -> int:
        token = self.tokens[at]
        if token.norm in SIGNS:
            return self._sign_between(at)
        if at == self.clause_at and self._ends_clause(at + 1) and (token.norm,) in self.lexicon.fillers:
            return 1  # "War and Peace? God, so dull"
        for read in (
            self._fresh_start,
            self._title,
            self._number,
            self._ordinal,
            self._described,
            self._label,
            self._scale,
            self._verdict,
            self._cue,
        ):
            if n_tokens := read(at):
                return n_tokens
        if token.norm in self.rivals and (self.run is not None or len(self.findings) > self.first_finding):
            self._flush()  # "rather this than that"
            self.sign, self.soft, self.rivals = -1, True, set()
            return 1
        if self._is_reader(at):
            self._flush()
            return 1
        concept = self.lexicon.concept_at(self.tokens, at)
        # "No axes" is not "nothing violent".
        if (
            concept is not None
            and token.norm not in self.lexicon.function_words
            and not self._judges_item(token.norm)
            and (concept.is_central or not self._is_strict())
        ):
            self._add(Finding("constraint", Constraint("", "about", concept.name), self.sign, self._is_strict()))
            self._extend(at, concept.n_tokens, named=True, concept=concept.name)
            return concept.n_tokens
        self._extend(at, 1, named=False)
        return 1

    def _judges_item(self, word: str) -> bool:
        """Whether a word is what is thought of an item: "the first one was fun"."""
        has_item = self._has_item() or self._follows_item()
        return not self.mode and has_item and self.lexicon.opinion([word]) != 0

    def _sign_between(self, at: int) -> int:
        """A comma within "no horror, war or crime" continues the clause; every other sign ends it."""
        if self.tokens[at].norm == "," and self.negated_at == at and at and not (self.all_shown or self._is_no(at - 1)):
            self.negated_at = at + 1  # "nichts, was nach 1900 erschienen ist"
        elif self.tokens[at].norm == "," and (self.lesser_from >= 0 or (self.sign < 0 and self._is_listed(at + 1))):
            self._flush()
        elif self.tokens[at].norm != ":":
            self._end_clause(at + 1)
        return 1

    def _is_no(self, at: int) -> bool:
        """Whether a word turns down what was said before: "Poe? No, more like Wells"."""
        return at == self.clause_at and self.lexicon.verdicts.get(self.tokens[at].norm, 0) < 0

    def _is_listed(self, at: int) -> bool:
        for distance, token in enumerate(self.tokens[at : at + 8]):
            if self.lexicon.cue_at([token], 0, ("or",)):
                return distance > 0
            if token.norm in ".;!?" or self.lexicon.cue_at(self.tokens, at + distance, (*REFERENCES, "want", "but")):
                return False
        return False

    # Numbers -----------------------------------------------------------------------------------------

    def _number(self, at: int) -> int:
        found = self.numbers.read(self.tokens, at, negated=self._is_negated(at), most=self.only)
        if found is None:
            return self._undated(at)
        constraints, missing, n_tokens = found
        self._flush()
        if missing is not None:
            said = self.text[self.tokens[at].start : self.tokens[at + n_tokens - 1].stop]
            attribute = self.lexicon.attribute_words.get(missing, missing)
            self.critique.notes.append(("no_bound", {"attribute": attribute, "text": said}))
        # A negated single bound was reversed, so the negation is used up.
        self.sign = 1 if self._is_negated(at) and len(constraints) == 1 else self.sign
        for one in constraints:
            self._add(Finding("constraint", one, self.sign, True))
        return n_tokens

    def _is_negated(self, at: int) -> bool:
        """Whether a negation leads to a token with function words alone between: "nothing published after 1900"."""
        between = self.tokens[self.negated_at : at] if self.negated_at >= 0 else None
        return between is not None and all(self.lexicon.is_plain(token.norm) for token in between)

    def _undated(self, at: int) -> int:
        """ "Before the war" has no year: what follows is not what the item is about, if anything else is said."""
        cue = self.lexicon.cue_at(self.tokens, at, ("bounds",))
        phrase = tuple(token.norm for token in self.tokens[at : at + cue.n_tokens]) if cue else ()
        if cue is None or phrase not in self.lexicon.year_bounds or (cue.value == ">=" and self.lexicon.code == "de"):
            return 0  # "nach" is "to" as well
        if self.lexicon.cue_at(self.tokens, at, ("comparatives", *CUES)) is not None:
            return 0
        self._flush()
        self.undated = True
        return cue.n_tokens

    def _scale(self, at: int) -> int:
        """Shorter, cheaper; short, cheap: against an item named beside it, else the last list, else the catalogue."""
        cue = self.lexicon.cue_at(self.tokens, at, ("comparatives", "adjectives"))
        if cue is None or not self._may_compare(at + cue.n_tokens, cue.value, cue.kind):
            return 0
        longer = self.lexicon.cue_at(self.tokens, at, ("restart", "reject"))
        if longer is not None and longer.n_tokens > cue.n_tokens:
            return 0  # "new search"
        if self.run is not None and all(t.norm in self.lexicon.attribute_names for t in self.tokens[self.run[0] : at]):
            self.run = None  # "篇幅短的"
        since = self.findings[max(self.negated_from, self.first_finding) :]
        self._flush()
        # "Nothing older", "I never finish long books"; but not "nothing violent and older".
        joined = at > 0 and self.lexicon.cue_at(self.tokens, at - 1, ("or",)) is not None
        joined &= bool(since) and since[-1].kind == "comparison" and since[-1].sign < 0
        sign = -1 if joined or (self.sign < 0 and all(one.kind == "comparison" for one in since)) else 1
        if self.negated_at == at:
            self.sign, self.negated_at = 1, -1
        up = cue.value.endswith("+")
        # "These are old" of the list complains like "these are too old".
        complains = (
            cue.kind == "adjectives"
            and self.all_shown
            and not (self.mode or self.wished or self._said_from(self.first_finding))
        )
        up ^= complains
        absolute = cue.kind == "adjectives" and self.mode != "compare" and not complains
        self._add(Finding("comparison", (cue.value[:-1], up, absolute), sign, True))
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
                self._label_at(after)
                or self.lexicon.cue_at(
                    self.tokens, after, ("than", "and", "or", "but", "want", "negation", "adjectives")
                )
            )
        )

    # Cues --------------------------------------------------------------------------------------------

    def _cue(self, at: int) -> int:
        cue = self.lexicon.cue_at(self.tokens, at, CUES)
        if cue is None:
            return 0
        after = at + cue.n_tokens
        if cue.kind == "like" and at == self.clause_at and after == at + 1 and self._tells(after):
            return 1  # "wie ist das Wetter?"
        if cue.kind == "reject" and after < len(self.tokens) and self.tokens[after].norm in self.lexicon.times:
            return cue.n_tokens + 1  # "next week"
        is_run, n_tokens = self.run is not None, self._read_cue(at, cue)
        last = self.findings[-1] if self.findings else None
        joined = cue.kind in ("and", "or") and last is not None and not last.loose and (is_run or last.is_bound)
        if joined or cue.kind in GOVERNING:
            self.governed_at = at + n_tokens
        return n_tokens

    def _read_cue(self, at: int, cue: Cue) -> int:
        kind = cue.kind
        if kind == "all_shown":
            return self._point_at_all(at, cue.n_tokens)
        if kind == "enough":
            return self._have_enough(at, cue.n_tokens)
        if kind == "same_kind":
            return self._refer_back(at, cue.n_tokens)
        if kind == "compared":  # "比第三本短的": shorter than the third one
            self.mode = "compare"
        elif kind == "lesser":
            self.lesser_from = len(self.findings)
        elif kind == "excepted":  # "恐怖以外的都行"
            self._flush()
            for one in self.findings[self.first_finding :]:
                one.sign, one.strict, one.loose = -1, True, False
            self.sign, self.negated_at = 1, -1
        elif kind == "only":
            self.only = True
        elif kind == "asking":
            self.asks = True
        elif kind in ("reject", "none", "restart"):
            return self._reject(at, cue.n_tokens, kind)
        elif kind in ("and", "or"):
            self._flush()
            if (
                self.mode in ("love", "hate", "known")
                and not self._said_from(self.referred_from)
                and self._names_item()
            ):
                self._end_clause(at + cue.n_tokens)  # "the fifth I know and the third I don't like"
        elif kind == "but":
            self._end_clause(at + cue.n_tokens)
        elif kind in ("asides", "small_talk"):
            self._flush()
            self.chats |= kind == "small_talk"
        elif kind == "want":
            self.wished, self.undated = True, False
            self.rivals = self.lexicon.rivals(cue.value)
            if self.lesser_from >= 0:  # "比起犯罪更想看自然": crime is the lesser wish
                self._flush()
                for one in self.findings[self.lesser_from :]:
                    one.sign, one.loose = (-1 if one.kind in ("constraint", "text") else one.sign), False
                self.lesser_from = -1
            if self.mode == "hate" and self.governed_at == at:
                pass  # "I can't be bothered with anything over 400 pages"
            elif self.negated_at != at:
                self._flush()
                self.sign, self.soft, self.mode = 1, False, ""
            else:
                self.negated_at = at + cue.n_tokens
        elif kind == "negation" and cue.value in self.lexicon.more_of and self._means_more(at + cue.n_tokens):
            self._flush()
            self.sign, self.soft = 1, True  # "plus de Wells, moins d'Austen"
        elif kind == "softly_more" and self._is_negated(at):
            pass  # "don't give me any more horror"
        elif kind in ("negation", "softly_less", "softly_more"):
            self._flush()
            self.sign, self.soft = (1 if kind == "softly_more" else -1), kind != "negation"
            self.negation_at = at
            self.negates_verb = kind == "negation" and cue.value.split()[-1] in self.lexicon.verbal_negations
            self.negated_at = at + cue.n_tokens if kind == "negation" else -1
            self.negated_from = len(self.findings)
        else:
            self._refer(at, cue.n_tokens, kind)
        return cue.n_tokens

    def _means_more(self, at: int) -> bool:
        """Whether "plus de" is "more of": before a person, or beside "moins de"."""
        found = self._label_at(at) if at < len(self.tokens) else None
        less = (self.lexicon.cue_at(self.tokens, other, ("softly_less",)) for other in range(len(self.tokens)))
        return (found is not None and self.facts.is_person(found[0][0])) or any(less)

    def _have_enough(self, at: int, n_tokens: int) -> int:
        """ "Enough horror", unlike "long enough", begins its clause."""
        if self.run is not None and any(
            t.norm not in self.lexicon.function_words for t in self.tokens[self.run[0] : at]
        ):
            return 0
        self.run = None
        self.sign, self.soft, self.negated_at = -1, False, at + n_tokens
        return n_tokens

    def _refer_back(self, at: int, n_tokens: int) -> int:
        """ "X was great, what else is like that": the item is named before; without one, nothing is read here."""
        if self.negated_at == at or not any(one.kind == "item" and one.sign > 0 for one in self.findings):
            other = self.lexicon.cue_at(self.tokens, at, tuple(kind for kind in CUES if kind != "same_kind"))
            return 0 if other is None else self._read_cue(at, other)
        self.run = None
        self.critique.reject_shown = False  # "something else of the kind"
        return n_tokens

    def _refer(self, at: int, n_tokens: int, kind: str) -> None:
        self._flush()
        if kind == "love" and self.sign < 0 and len(self.findings) == self.negated_from:
            kind = "hate"  # "I never liked it", "hat mir noch nie gefallen"
        negated = self.negated_at == at
        self.has_topic = not (self.mode or self.wished) and bool(self._said_from(self.first_finding))
        self.referred_from = len(self.findings)
        self.chooses = any(token.norm in self.lexicon.choosing for token in self.tokens[at : at + n_tokens])
        self.mode, self.soft = kind, kind in ("like", "unlike")
        if kind in ("hate", "unlike"):
            self.sign = -1
        elif (kind != "known" and not (negated or (kind == "like" and self.sign < 0))) or kind == "known":
            self.sign = 1

    def _reject(self, at: int, n_tokens: int, kind: str) -> int:
        if kind == "restart" and at + n_tokens < len(self.tokens):
            self._refer(at, n_tokens, "hate")
            if length := self._title(at + n_tokens):
                return n_tokens + length  # "j'ai laissé tomber Moby Dick"
            self.mode, self.sign = "", 1
        whole = len([t for t in self.tokens if t.norm[0].isalnum()]) == n_tokens
        if kind == "restart":
            self.critique.restart = True
            self.findings.clear()
            self.run = None
        elif kind == "reject" and self.mode in ("", "like") and self._has_item():
            self.mode, self.referred_from = "hate", len(self.findings)  # "the third, something else please"
        elif kind == "none" or whole or not any(one.sign < 0 for one in self._said_from(0)):
            # "Not the fourth, something else": something else than the fourth.
            self.critique.reject_shown = True
        self._end_clause(at + n_tokens)
        follower = self.tokens[at + n_tokens].norm if at + n_tokens < len(self.tokens) else ""
        if kind == "none" or (kind == "restart" and follower not in self.lexicon.about):
            # "None of them speaks to me", "forget all that I said": what follows is said of them.
            while at + n_tokens < len(self.tokens) and not self._begins_clause(at + n_tokens):
                n_tokens += 1
        return n_tokens

    def _fresh_start(self, at: int) -> int:
        """A verb and a word near it that ask for a fresh start: "let's start all over", "ignore all that"."""
        for verbs, ends in itertools.chain.from_iterable(map(itertools.permutations, self.lexicon.fresh_starts)):
            if self.tokens[at].norm in verbs:
                for stop in range(at + 1, min(at + _NEAR, len(self.tokens))):
                    if self.tokens[stop].norm in ends:
                        return self._reject(at, stop + 1 - at, "restart")
                    if self._ends_clause(stop) or self.tokens[stop].norm not in self.lexicon.function_words:
                        break
        return 0

    def _begins_clause(self, at: int) -> bool:
        return self.tokens[at].norm in SIGNS or self.lexicon.cue_at(self.tokens, at, ("but", "want")) is not None
