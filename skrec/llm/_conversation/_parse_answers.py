"""Finds the answer to the last question in a text."""

from __future__ import annotations

from skrec.llm._conversation._parse_clauses import ClauseReader

SIGNS = ",;:.!?()…\n"


class AnswerReader(ClauseReader):
    """Adds an answer to the critique; as for :class:`ClauseReader`."""

    def _answer(self) -> int:
        """Read an answer to the last question at the start of the text; the number of its tokens."""
        beyond = self._after_fillers()
        # "OK" alone is an answer, not a filler.
        start = beyond if beyond < len(self.tokens) else 0
        particles = self.lexicon.particles
        whole = tuple(t.norm for t in self.tokens[start:] if t.norm[0].isalnum() and t.norm not in particles)
        kind = self.lexicon.answer(whole) if self.pending is not None else None
        if self.pending is not None and kind is not None and (kind != "other" or self.pending.relation == "is"):
            self.critique.answer = kind
            return len(self.tokens)
        stops = [at for at, token in enumerate(self.tokens) if at > start and not token.norm[0].isalnum()]
        first = next((at for at, token in enumerate(self.tokens) if not token.norm[0].isalnum()), 0)
        if self.pending is not None and self.lexicon.answers.get(self._norms(0, first)) in ("yes", "no"):
            self.critique.answer = self.lexicon.answers[self._norms(0, first)]
            return first  # "nein, eher was mit Rittern"
        for stop in [*stops[:1], len(self.tokens)]:
            phrase = tuple(token.norm for token in self.tokens[start:stop] if token.norm not in particles)
            if phrase in self.lexicon.answers:
                kind = self.lexicon.answers[phrase]
                if self.pending is not None and (kind != "other" or self.pending.relation == "is"):
                    self.critique.answer = kind
                    return stop
                if self.lexicon.answer(tuple(t.norm for t in self.tokens[stop:] if t.norm[0].isalnum())) == kind:
                    return len(self.tokens)  # "no sé, elige tú"
                return stop if kind == "any" or (kind in ("yes", "no") and self._is_polite(stop)) else beyond
        return beyond

    def _is_polite(self, at: int) -> bool:
        """Whether nothing but thanks and the like follows: "no, thank you"."""
        fillers = self.lexicon.fillers
        return all((t.norm,) in fillers or not t.norm[0].isalnum() for t in self.tokens[at:])

    def _late_answer(self) -> str | None:
        """An answer at the start or end of a clause of a text that says nothing else: "um, not really, no"."""
        if not self.lexicon.deciding.isdisjoint(token.norm for token in self.tokens):
            return "any"
        clauses: list[list[str]] = [[]]
        for token in self.tokens:
            clauses += [[]] if token.norm in SIGNS else []
            clauses[-1] += [token.norm] if token.norm[0].isalnum() else []
        for words in filter(None, clauses):
            for phrase in (tuple(words), tuple(words[:2]), (words[0],), tuple(words[-2:]), (words[-1],)):
                if (kind := self.lexicon.answers.get(phrase)) in ("yes", "no", "any"):
                    return kind
        return None

    def _after_fillers(self) -> int:
        """Position of the first token that is not a filler or a sign: 1 for "hmm no"."""
        at = 0
        while at < len(self.tokens):
            lengths = [length for length in (2, 1) if self._norms(at, length) in self.lexicon.fillers]
            if lengths:
                at += lengths[0]
            elif at and not self.tokens[at].norm[0].isalnum():
                at += 1
            else:
                break
        return at

    def _norms(self, at: int, length: int) -> tuple[str, ...]:
        return tuple(token.norm for token in self.tokens[at : at + length])
