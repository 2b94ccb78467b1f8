"""The phrases of a language, from a data file, and how they are found in a text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._segmentation import Segmenter, SpacelessPhrases
from skrec.llm._conversation._tokens import LONG_NAME, Token, spell
from skrec.llm._conversation._word_forms import fold, lengths_by_sign, stem
from skrec.utils import is_spaceless

LANGUAGES = ("en", "de", "fr", "es", "zh")
LATIN = ("en", "de", "fr", "es")
_LISTS = (
    *("want", "negation", "softly_less", "softly_more", "like", "unlike", "love", "hate", "known", "only", "by"),
    *("all_shown", "none", "reject", "restart", "and", "or", "but", "item_words", "number_signs"),
    *("between", "range_to", "than", "before_christ", "century", "enough", "compared", "lesser"),
    *("excepted", "small_talk", "asides", "same_kind", "decade", "asking"),
)
_SCALES = (
    "comparatives",
    "adjectives",
    "bounds",
    "bounds_after",
    "ordinals",
    "first_places",
    "units",
    "period_parts",
    "century_numbers",
)
_INFLECTED = ("love", "hate", "known", "adjectives", "century_numbers")
_ROMANCE = ("fr", "es")
"""Where a comparative is a word and an adjective, "plus longs"; "longer" is no form of "long" to :func:`stem`."""
_DEGREES = {
    "more": ("comparatives", 1),
    "less": ("comparatives", -1),
    "not": ("adjectives", -1),
    "very": ("adjectives", 1),
}
_CENTRAL = 6
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cue:
    """A phrase of the lexicon that was found in a text."""

    kind: str
    value: str
    n_tokens: int


@dataclass(frozen=True)
class Concept:
    """The theme of a word: central to it, such as "violent", or marginal, such as "axe"."""

    name: str
    n_tokens: int
    is_central: bool


class Lexicon:
    """The phrases of one language.

    Parameters
    ----------
    code : {"en", "de", "fr", "es", "zh"}
        Reads ``skrec/llm/_conversation/languages/CODE.json``.
    """

    def __init__(self, code: str) -> None:
        text = files("skrec.llm._conversation").joinpath("languages", f"{code}.json").read_text(encoding="utf-8")
        data: dict[str, Any] = json.loads(text)
        self.code = code
        self.messages: dict[str, str] = data["messages"]
        self.joiner, self.comma, self.list_comma = ("；", "，", "、") if code == "zh" else ("; ", ", ", ", ")
        self._read_themes(data)
        self._read_words(data)
        self._read_values(data)
        self._read_cues(data)
        self._index_cues()
        self._index_themes()
        self._vocabulary = self.function_words | self.item_words | {word for phrase in self.cues for word in phrase}
        self._vocabulary |= {word for table in (self.answers, self.synonyms, self.fillers) for p in table for word in p}
        self._vocabulary |= self._judgements.keys() | self.already | self.intensifiers | self._numerals.keys()
        self._vocabulary |= {word for words, *_ in self._concept_words for word in words}

    def _read_themes(self, data: dict[str, Any]) -> None:
        """Themes and attributes: their words, names and texts."""
        self.concept_names: dict[str, str] = data["concept_names"]
        # Most encoders and item texts are English; a sentence is more similar to such texts than a word.
        self.concept_texts: dict[str, str] = data.get("concept_texts", {})
        self.concepts: dict[str, list[str]] = data["concepts"]
        self.attribute_words: dict[str, str] = data["attribute_words"]
        self.attribute_texts: dict[str, str] = data["attribute_texts"]
        self.attribute_names = {fold(word) for word in self.attribute_words.values()}

    def _read_words(self, data: dict[str, Any]) -> None:
        """Sets of words and of phrases, by what they do in a clause."""
        self.already = {fold(word) for word in data["already"]}
        self.fresh_starts = [tuple({fold(word) for word in words} for words in pair) for pair in data["fresh_starts"]]
        self.function_words = {fold(word) for word in (*data["function_words"], *data["naming"])}
        self.item_words = {fold(word) for word in data["item_words"]}
        self.exclusive = {spell(phrase) for phrase in data["exclusive"]}
        self.year_bounds = {spell(phrase) for phrase in data["year_bounds"]}
        self.fillers = {spell(phrase) for phrase in data["fillers"]}
        self.intensifiers = {fold(word) for word in data["intensifiers"]}
        self.times, self.about, self.indefinite, self.kin, self.kin_before = (
            {fold(word) for word in data[name]} for name in ("times", "about", "indefinite", "kin", "kin_before")
        )
        self.telling, self.wishing, self.adverbial, self.pointing, self.pointing_alone, self.naming, self.relative = (
            {fold(word) for word in data[name]}
            for name in ("telling", "wishing", "adverbial", "pointing", "pointing_alone", "naming", "relative")
        )
        self.verbal_negations, self.choosing, self.deciding, self.there = (
            {fold(word) for word in data[name]} for name in ("verbal_negations", "choosing", "deciding", "there")
        )
        self.more_of = set(data["more_of"])
        self.contractions: dict[str, list[str]] = data["contractions"]
        self.impressions, self.particles = (
            {fold(word) for word in data[name]} for name in ("impressions", "particles")
        )
        self.joining = set(data["and"])

    def _read_values(self, data: dict[str, Any]) -> None:
        """Words and phrases that stand for a value: a number, a sign, a label or an answer."""
        self.verdicts = {fold(word): int(sign) for sign, words in data["verdicts"].items() for word in words}
        self._rivals = {fold(word): {fold(rival) for rival in rivals} for word, rivals in data["preferences"].items()}
        self._cardinals = {fold(word): place for place, word in enumerate(data["cardinals"], start=1)}
        self._numerals = {fold(word): int(value) for value, words in data["numerals"].items() for word in words}
        self._numerals |= self._cardinals
        judgements = {fold(word): 1 for word in data["praise"]} | {fold(word): -1 for word in data["blame"]}
        self._judgements = {stem(word): sign for word, sign in judgements.items()} | judgements
        self.synonyms: dict[tuple[str, ...], list[str]] = {}
        for label, phrases in data["synonyms"].items():
            for phrase in phrases:
                self.synonyms.setdefault(spell(phrase), []).append(label)
        self.answers = {spell(phrase): kind for kind, phrases in data["answers"].items() for phrase in phrases}

    def _read_cues(self, data: dict[str, Any]) -> None:
        """Phrases that lead to what a text asks for, with their kinds and values."""
        self.cues: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for kind in _LISTS:
            for phrase in data.get(kind, ()):
                self.cues.setdefault(spell(phrase), []).append((kind, phrase))
        for kind in _SCALES:
            for value, phrases in data.get(kind, {}).items():
                for phrase in phrases:
                    self.cues.setdefault(spell(phrase), []).append((kind, value))
        for kind, value, phrase in _scaled(data):
            self.cues.setdefault(spell(phrase), []).append((kind, value))
        for kind in ("same_kind", "reject"):
            for link, noun in itertools.product(data[f"{kind}_links"], data[f"{kind}_nouns"]):
                self.cues.setdefault(spell(f"{link} {noun}"), []).append((kind, noun))
        for kind, value, phrase in _varied(data):
            self.cues.setdefault(spell(phrase), [(kind, value)])
        for phrase, kinds in list(self.cues.items()):  # "短一点儿" is "短一点"
            self.cues.setdefault(tuple(word.replace("点", "点儿") for word in phrase), kinds)
        self.longest = max(map(len, self.cues))

    def _index_cues(self) -> None:
        """The phrases by their stems, and by first word their kinds and greatest length."""
        # "sounds" and "sounded" are one form: a phrase that is not listed as it is said may be in another form.
        # "News" is no form of "new": English adjectives have none.
        inflected = {*_INFLECTED, *(["comparatives"] if self.code in _ROMANCE else [])}
        inflected -= {"adjectives"} if self.code == "en" else set()
        self._by_stems: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        themes = {word for patterns in self.concepts.values() for word in patterns}
        for phrase, kinds in self.cues.items():
            if len(phrase) == 1 and stem(phrase[0]) in themes:
                continue  # "loves" is said of readers, "love" of books
            self._by_stems.setdefault(tuple(map(stem, phrase)), []).extend(k for k in kinds if k[0] in inflected)
        self._kinds_from: dict[str, set[str]] = {}
        for phrase, kinds in itertools.chain(self.cues.items(), self._by_stems.items()):
            self._kinds_from.setdefault(phrase[0], set()).update(kind for kind, _ in kinds)
        self._lengths: dict[str, int] = {}
        for phrase in (*self.cues, *self._by_stems):
            self._lengths[phrase[0]] = max(self._lengths.get(phrase[0], 0), len(phrase))

    def _index_themes(self) -> None:
        """The words of the themes, by first letter."""
        self._concept_words = [
            (spell(pattern.rstrip("*")), pattern.endswith("*"), concept, rank)
            for concept, patterns in self.concepts.items()
            for rank, pattern in enumerate(patterns)
        ]
        if self.code == "zh":  # "推荐一本 sci-fi" has English words
            self._concept_words += load_lexicon("en").concept_words
        self._concepts_by_letter: dict[str, list[tuple[tuple[str, ...], bool, str, int]]] = {}
        for one in self._concept_words:
            self._concepts_by_letter.setdefault(one[0][0][0], []).append(one)
        self._starts = tuple(words[0] for words, begins, *_ in self._concept_words if begins and len(words) == 1)

    @property
    def concept_words(self) -> list[tuple[tuple[str, ...], bool, str, int]]:
        """Words of the themes: the words of a phrase, whether it is a beginning, its theme and its rank there."""
        return self._concept_words

    @cached_property
    def _spaceless(self) -> SpacelessPhrases:
        phrases = frozenset(word for word in self._vocabulary if is_spaceless(word))
        units, before, after = (
            tuple(words[0] for words, found in self.cues.items() for kind, _ in found if kind in kinds)
            for kinds in (("units", "century"), ("bounds",), ("bounds_after",))
        )
        spelt = (word for word in after if len(word) > 1)  # "三百以内" has no unit
        units = (*units, *spelt, "年代")
        return SpacelessPhrases(phrases, lengths_by_sign(phrases), self.function_words, units, before, after)

    def segmenter(self, facts: ItemFacts) -> Segmenter | None:
        """What cuts a text into the phrases of this lexicon and the names of a catalogue; None where spaces do."""
        return Segmenter(self._spaceless, facts) if self.code == "zh" else None

    def knows(self, word: str) -> bool:
        """Whether a word, folded, is in the lexicon."""
        return word in self._vocabulary or word.startswith(self._starts)

    def is_plain(self, word: str) -> bool:
        """Whether a word, folded, is a function word, or in Chinese some of them: "看个"."""
        plain = self.function_words
        return word in plain or (self.code == "zh" and len(word) < LONG_NAME and all(sign in plain for sign in word))

    def answer(self, words: tuple[str, ...]) -> str | None:
        """The kind of an answer, whoever it is for: "spielt keine Rolle", "das spielt für mich keine Rolle"."""
        if words in self.answers:
            return self.answers[words]
        bare = self._bare(words)
        return self._bare_answers.get(bare) if len(bare) > 1 else None

    def _bare(self, words: tuple[str, ...]) -> tuple[str, ...]:
        plain = self.telling | self.adverbial | self.pointing | self.intensifiers
        return tuple(word for word in words if word not in plain)

    @cached_property
    def _bare_answers(self) -> dict[tuple[str, ...], str]:
        return {self._bare(phrase): kind for phrase, kind in self.answers.items()}

    def parted(self, word: str) -> tuple[str, str] | None:
        """The two words that are written as one without an apostrophe: "gibts", "cest"."""
        for end in self.contractions["ends"]:
            if word.endswith(end) and word[: -len(end)] in self.function_words:
                return word[: -len(end)], end
        for start in self.contractions["starts"]:
            if word.startswith(start) and word[len(start) :] in self.function_words and len(word) > len(start) + 1:
                return start, word[len(start) :]
        return None

    def knows_plain(self, word: str) -> bool:
        """Whether a word, folded, is a function word, or joins two others, or asks politely."""
        kinds = {kind for kind, _ in self.cues.get((word,), ())}
        return word in self.function_words or bool(kinds & {"and", "or", "want"})

    def knows_whole(self, word: str) -> bool:
        """Whether a word, folded, is in the lexicon as it is written."""
        return word in self._vocabulary

    def knows_form(self, word: str) -> bool:
        """Whether a word, folded, is in the lexicon in any form."""
        return word in self._vocabulary or stem(word) in self._stems

    @cached_property
    def _stems(self) -> set[str]:
        return set(map(stem, self._vocabulary))

    def cardinal(self, word: str) -> int:
        """A number from 1 on in digits or as a word; 0 for another word."""
        return int(word) if word.isdecimal() else self._cardinals.get(word, 0)

    def numeral(self, tokens: list[Token], at: int) -> tuple[int, int]:
        """A number in words and its tokens: "four hundred", "dreihundert"; 0 and 0 where there is none."""
        value = n_tokens = 0
        while at + n_tokens < len(tokens) and (part := self._numerals.get(tokens[at + n_tokens].norm)):
            value = max(value, 1) * part if part in (100, 1000) else value + part
            n_tokens += 1
            joined = [token.norm for token in tokens[at + n_tokens : at + n_tokens + 2]]
            if len(joined) == 2 and joined[0] in self.joining and joined[1] in self._numerals:
                n_tokens += 1  # "one hundred and fifty"
        return value, n_tokens

    def rivals(self, phrase: str) -> set[str]:
        """Words that lead to the lesser of two wishes after a phrase: "than" after "I'd rather"."""
        return set().union(*(self._rivals.get(word, ()) for word in spell(phrase)))

    def is_last(self, word: str) -> bool:
        """Whether a word means the last one."""
        return ("ordinals", "-1") in self.cues.get((word,), ())

    def judgement(self, words: list[str]) -> int:
        """1 for words of praise such as "wonderful", -1 for words of blame such as "dull", 0 for others."""
        signs = {self._judgement_of(word) for word in words if word not in self.function_words}
        return signs.pop() if len(signs) == 1 else 0

    def opinion(self, words: list[str]) -> int:
        """The judgement of words of which some may be "nice" or "good", which alone say little."""
        # Without accents, "schön" is "schon".
        signs = {sign for word in words if word not in self.already and (sign := self._judgement_of(word))}
        return signs.pop() if len(signs) == 1 else 0

    def _judgement_of(self, word: str) -> int:
        return self._judgements.get(word) or self._judgements.get(stem(word), 0)

    def cue_at(self, tokens: list[Token], at: int, kinds: tuple[str, ...]) -> Cue | None:
        """The longest phrase of the given kinds that begins at a token."""
        if at >= len(tokens):
            return None
        norm = tokens[at].norm
        base = stem(norm)
        if all(self._kinds_from.get(word, _NONE).isdisjoint(kinds) for word in (norm, base)):
            return None
        longest = max(self._lengths.get(norm, 0), self._lengths.get(base, 0))
        for length in range(min(longest, len(tokens) - at), 0, -1):
            phrase = tuple(token.norm for token in tokens[at : at + length])
            known = self.cues.get(phrase) or self._by_stems.get(tuple(map(stem, phrase)), [])
            found = [one for one in known if one[0] in kinds]
            if found:
                kind, value = min(found, key=lambda one: kinds.index(one[0]))
                return Cue(kind, value, length)
        return None

    def concept_at(self, tokens: list[Token], at: int) -> Concept | None:
        """The theme of the word or phrase at a token."""
        found = []
        for words, begins, concept, rank in self._concepts_by_letter.get(tokens[at].norm[0], ()):
            given = tuple(token.norm for token in tokens[at : at + len(words)])
            whole = given == words
            if whole or (begins and given[:-1] == words[:-1] and given[-1:] and given[-1].startswith(words[-1])):
                found.append((-len(words), rank, concept))
        if not found:
            return None
        # A word may belong to several themes: "war" ranks higher for war than for violence.
        length, rank, concept = min(found)
        return Concept(concept, -length, rank < _CENTRAL)


def _varied(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Kind, phrase and variant of each phrase with another beginning: "没什么兴趣" for "没兴趣"."""
    for kind, starts in data.get("variants", {}).items():
        for start, phrase in itertools.product(starts, data[kind]):
            if phrase.startswith(start):
                yield from ((kind, phrase, other + phrase.removeprefix(start)) for other in starts[start])


def _scaled(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Kind, scale and phrase of each adjective in each degree: "too long", "not very old", "再短一点的"."""
    opposite = {"+": "-", "-": "+"}
    for source in (data["adjectives"], data.get("bases", {})):
        for scale, words in source.items():
            for degree, (kind, sign) in _DEGREES.items():
                value = scale if sign > 0 else scale[:-1] + opposite[scale[-1]]
                for word, pattern in itertools.product(words, data["degrees"][degree]):
                    phrase = pattern.format(word.removesuffix("的"))
                    yield from ((kind, value, phrase + end) for end in data.get("endings", [""]))


@cache
def load_lexicon(code: str) -> Lexicon:
    """The lexicon of a language; English for an unsupported code."""
    return Lexicon(code if code in LANGUAGES else "en")


def concept_text(concept: str, facts: ItemFacts) -> str:
    """A theme as a text to embed: in Chinese where the items are, else in English."""
    return load_lexicon("zh" if facts.script == "zh" else "en").concept_texts[concept]
