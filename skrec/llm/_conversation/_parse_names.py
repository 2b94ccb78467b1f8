"""Finds items (by title or position) and labels in a text."""

from __future__ import annotations

from skrec.llm._conversation._parse_runs import CUES, REFERENCES, Finding, RunReader
from skrec.llm._conversation._spelling import find_title
from skrec.llm._conversation._state import Constraint
from skrec.llm._conversation._tokens import Token, tokenize
from skrec.llm._conversation._word_forms import fold, name_words, stem
from skrec.utils import is_spaceless


class NameReader(RunReader):
    """Adds items and labels to the findings; as for :class:`RunReader`."""

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
        named = self.lexicon.naming.intersection(t.norm for t in self.tokens[max(at - 3, 0) : at])
        if named and self.has_reader and token.capital:
            self.run = None
            return 1  # "my daughter is called Emma"
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
        if len(part) > 1 and part[0].capital:
            # Many languages write the first word of a title alone with a capital.
            capital |= self.text[part[0].start : part[-1].stop] == self.facts.own_titles[code]
        led = self.tokens[at - 1].norm if at else ""
        if len(content) > 1 and led not in self.lexicon.about | self.lexicon.indefinite:
            return True  # "treasure island", but not "a time machine"
        if self.mode in REFERENCES:
            return capital or len(content) > 1 or not self._is_common_word(content[0], code)
        if alone or judged:
            common = len(content) == 1 and self._is_common_word(content[0], code)
            return capital or not (common or any(self.lexicon.knows(t.norm) for t in content))
        stands_out = at > 0 or len(part) > 1 or is_spaceless(content[0].norm)
        stands_out |= not self.lexicon.knows_form(content[0].norm) and not self._is_shared(content[0], code)
        if is_spaceless(content[0].norm) and len(content[0].norm) > 1 and not self.lexicon.knows_form(content[0].norm):
            capital |= not self._is_shared(content[0], code)
        if self.lexicon.code == "de":  # where nouns have capitals
            stands_out = not self.lexicon.knows_form(content[0].norm) and not self._is_shared(content[0], code)
        return capital and (len(content) > 1 or stands_out)

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
        return self._is_shared(token, code)

    def _is_shared(self, token: Token, code: int) -> bool:
        """Whether the texts of other items have the word of a title."""
        rows = self.facts.items_with([*self.facts.forms_of(token.norm), token.norm])
        return bool(rows.sum() > rows[code])

    def _is_all_but_negations(self, at: int, n_tokens: int) -> bool:
        """Whether a text has nothing else than these tokens, but for "not": "Emma nicht", "no Emma"."""
        rest = [token for token in (*self.tokens[:at], *self.tokens[at + n_tokens :]) if token.norm[0].isalnum()]
        spelt = self.lexicon.function_words
        return all(t.norm in spelt or self.lexicon.cue_at([t], 0, ("negation",)) is not None for t in rest)

    def _ordinal(self, at: int) -> int:
        """A position in the last list: "the second one", "number 3"."""
        lexicon, tokens = self.lexicon, self.tokens
        if (several := lexicon.cue_at(tokens, at, ("first_places",))) is not None:
            return self._point_at_several(at, int(several.value), several.n_tokens)
        sign = lexicon.cue_at(tokens, at, ("number_signs",))
        after = at + (sign.n_tokens if sign else 0)
        if after < len(tokens) and (n_tokens := self._several_places(after)):
            return after + n_tokens - at
        if sign and after < len(tokens) and (place := lexicon.cardinal(tokens[after].norm)):
            return self._point(place) and after + 1 - at
        alone = len([t for t in tokens if t.norm[0].isalnum()]) == 1
        place = lexicon.cardinal(tokens[at].norm) if alone or self.mode in REFERENCES else 0
        if (tokens[at].norm.isdigit() and 0 < place < 100) or (place > 1 and self._ends_clause(at + 1)):
            return self._point(place)  # "drop the five"
        cue = lexicon.cue_at(tokens, at, ("ordinals",))
        if cue and at and tokens[at - 1].norm in lexicon.indefinite | {"to"}:
            return 0  # "wait a second", "it has to last"
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
        elif follower and follower[0].isalpha() and not self._stands_alone(at, at + n_tokens):
            return 0  # "the second world war", "a first love"
        return self._point(place) and n_tokens

    def _several_places(self, at: int) -> int:
        """Places that are joined: "numbers one and four", "2, 3 and 5 please"; 0 for a single number."""
        lexicon, tokens = self.lexicon, self.tokens
        places, stop = [lexicon.cardinal(tokens[at].norm)], at + 1
        while places[-1]:
            next_at, joined = stop, False
            while next_at < len(tokens) and (
                tokens[next_at].norm == ","
                or tokens[next_at].norm in lexicon.pointing
                or lexicon.cue_at(tokens, next_at, ("and", "or"))
            ):
                joined |= tokens[next_at].norm not in lexicon.pointing
                next_at += 1
            until = None if joined else lexicon.cue_at(tokens, next_at, ("range_to",))
            next_at += until.n_tokens if until else 0
            joined |= until is not None
            place = lexicon.cardinal(tokens[next_at].norm) if joined and next_at < len(tokens) else 0
            if not place:
                break
            between = range(places[-1] + 1, place) if until else ()  # "one to three"
            places, stop = [*places, *between, place], next_at + 1
        if len(places) < 2 or max(places) > len(self.shown) or not all(places):
            return 0
        if stop < len(tokens) and tokens[stop].norm[0].isalnum() and not self._is_structure(stop):
            return 0  # "one or two dragons"
        for place in places:
            self._point(place)
        return stop - at

    def _described(self, at: int) -> int:
        """The one shown item that fits what is said of it: "the pirate one", "celui avec les pirates"."""
        lexicon, tokens = self.lexicon, self.tokens
        if not self.shown or tokens[at].norm not in lexicon.pointing or (at and tokens[at - 1].norm == ","):
            return 0
        if (author := self._by_shown_author(at + 1)) > 0:
            return 1 + author
        alone, has_head, is_linked, stop = tokens[at].norm in lexicon.pointing_alone, False, False, at + 1
        described: list[str] = []
        while stop < len(tokens) and not (described and (has_head or is_linked)):
            norm = tokens[stop].norm
            if not norm[0].isalnum() or lexicon.cue_at(tokens, stop, ("negation", "but", "and", "or")):
                return 0
            if norm in lexicon.item_words:
                has_head = True
            elif norm in lexicon.about:
                is_linked = has_head or (alone and not described)
                if not is_linked:
                    return 0
            elif lexicon.cue_at(tokens, stop, ("ordinals", "first_places")) is not None:
                return 0
            elif norm not in lexicon.function_words | lexicon.pointing:
                if has_head and not is_linked:
                    return 0
                described.append(norm)
            stop += 1
        if not described or not (has_head or is_linked):
            return 0
        fitting = self.facts.items_with([form for word in described for form in [*self.facts.forms_of(word), word]])
        codes = [code for code in self.shown if fitting[code]]
        if len(codes) != 1:
            return 0
        self._item(codes[0])
        while stop < len(tokens) and self._tells_of(stop, codes[0]):
            stop += 1  # "the one about the time machine"
        return stop - at

    def _by_shown_author(self, at: int) -> int:
        """The one shown item of a person of whom something is said: "the Dostoevsky is too long"."""
        found = self._label_at(at) if at < len(self.tokens) else None
        stop = at + (found[1] if found else 0)
        if found is None or not self.facts.is_person(found[0][0]) or not self._tells(stop):
            return 0
        rows = self.facts.items_with([self.tokens[stop - 1].norm])
        codes = [code for code in self.shown if rows[code]]
        if len(codes) != 1 or self.wished:
            return 0
        self._item(codes[0])
        return found[1]

    def _tells_of(self, at: int, code: int) -> bool:
        """Whether a word is in the texts of an item, in any form."""
        forms = self.facts.forms_of(self.tokens[at].norm)
        return bool(forms) and bool(self.facts.items_with(forms)[code])

    def _stands_alone(self, at: int, after: int) -> bool:
        """Whether a place goes without the word that follows: "das dritte tauschen", "第三本能换吗"."""
        if self.lexicon.code == "de" and not self.tokens[after].capital:
            return True  # it is no noun
        unknown = not self._has_words([self.tokens[after]]) and self.lexicon.concept_at(self.tokens, after) is None
        if unknown and not self.tokens[after].capital and self.lexicon.code in ("en", "fr", "es"):
            led = at == self.clause_at or self.tokens[at - 1].norm in self.lexicon.pointing
            led &= at < 2 or self.tokens[at - 2].norm not in self.lexicon.about  # "about the second world war"
            return led or self._is_structure(after)  # "el tercero suena bien"
        if self.lexicon.code == "zh" and (
            len(self.tokens[at].norm) > 2 or self.lexicon.cue_at(self.tokens, after, ("ordinals",))
        ):
            return True  # "第二第三本"
        return self._is_structure(after)

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
        if self.mode == "like" and self._said_from(0):
            return n_tokens  # "X was great, what else is like that"
        if self.negated_at == at and self.mode not in REFERENCES and not self._said_from(self.topic_at):
            self.critique.reject_shown = True  # "not that one", but not "horror, so not that"
        if self.mode in ("love", "hate", "known") and (self._names_item() or self._said_from(self.topic_at)):
            return n_tokens  # "monsters? My lad loves them", "we did Emma in school, so I know that one"
        if self.mode == "hate":  # "I don't fancy any of those"
            self.critique.reject_shown = True
        elif self.mode in REFERENCES and self.shown:
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
        self.run_labels[at, at + length] = value
        return length

    def _is_a_story(self, at: int, label: str) -> bool:
        """Whether a word for items means them although a genre has its name: "une histoire de baleine", of a whale."""
        norm = self.tokens[at].norm
        if norm not in self.lexicon.item_words or at + 2 >= len(self.tokens):
            return False
        is_one_of_many = norm != fold(label) or (at > 0 and self.tokens[at - 1].norm in self.lexicon.indefinite)
        follower = self.tokens[at + 1].norm
        if follower == ",":  # "eine Geschichte, die auf dem Meer spielt"
            relative = self.tokens[at + 2].norm in self.lexicon.function_words
            return is_one_of_many and relative and not self.lexicon.cue_at(self.tokens, at + 2, ("but", "and", "want"))
        return is_one_of_many and follower in self.lexicon.about

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
            if found is not None and self.facts.is_person(found[0]) and length == 1:
                plain |= all(len(part[0].norm) < len(w) - 1 for w in name_words(found[1]) if w.startswith(part[0].norm))
            if found is not None and not (plain and found[1].lower() != part[0].norm):
                return found, length
        return None
