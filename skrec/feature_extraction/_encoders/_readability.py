"""How much of a set of texts a model can read: by its tokens where it has a tokenizer here, else by its vectors."""

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.exceptions import UnreadableTextWarning
from skrec.feature_extraction._encoders._embedding import valid_unicode
from skrec.feature_extraction._encoders._tokens import Spans
from skrec.utils import SPACELESS, Text, caller_level

_SAMPLE, _LENGTH = 128, 200  # texts looked at, and characters of each
_WARN, _REFUSE = 0.05, 0.5
_PIECES = 2 / 3  # tokens per letter from which a word is a row of letters to the model
_SYMBOLS = "\u2600-\u27bf\U0001f000-\U0001faff"
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff"
_UNIT = re.compile(rf"[{SPACELESS}{_SYMBOLS}]|(?:(?![{SPACELESS}])(?:[^\W\d_]|[{_MARKS}]))+")
_ASCII_WORD = re.compile("[A-Za-z]+")
_SYMBOL = re.compile(f"[{_SYMBOLS}]")
_LANGUAGES = {
    "CJK": "Chinese characters",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HALFWIDTH": "Japanese",
    "HANGUL": "Korean",
    "LATIN": "Latin letters",
}


@dataclass
class Readability:
    """What a model reads of some texts, in words; of scripts without spaces, in characters.

    Attributes
    ----------
    n_units, n_unread : int
        Words or characters, and those that the model cannot read.
    n_texts, n_wordless : int
        Texts with letters, and those without a word of two letters or more that the model reads.
    scripts : Counter
        What the unread units are written in.
    examples : list of str
        Texts with an unread unit, at most three.
    """

    n_units: int = 0
    n_unread: int = 0
    n_texts: int = 0
    n_wordless: int = 0
    scripts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def unread_share(self) -> float:
        """Share of the units that the model cannot read."""
        return self.n_unread / self.n_units if self.n_units else 0.0

    @property
    def is_noticeable(self) -> bool:
        """Whether to say so."""
        return self.unread_share > _WARN

    @property
    def is_hopeless(self) -> bool:
        """Whether most is unread, and most texts hold no word that is read."""
        return self.unread_share > _REFUSE and 2 * self.n_wordless > self.n_texts

    def add(self, text: str, tokens: Spans) -> None:
        """Count one text."""
        unread = _unread_characters(tokens)
        bad, has_word = [], False
        units = list((_ASCII_WORD if text.isascii() else _UNIT).finditer(text))
        # Symbols beside letters are no loss worth a warning: many a title has an emoji that says what its words do.
        units = [unit for unit in units if not _SYMBOL.match(unit[0])] or units
        n_units = len(units)
        for unit in units:
            start, stop = unit.span()
            is_unread = 2 * sum(i in unread for i in range(start, stop)) > stop - start if unread else False
            if is_unread or _is_spelled_out(unit[0], start, stop, tokens):
                bad.append(unit[0])
            else:
                has_word |= stop - start > 1
        self.n_units += n_units
        self.n_unread += len(bad)
        self.n_texts += n_units > 0
        self.n_wordless += n_units > 0 and not has_word
        self.scripts.update(map(_script_of, bad))
        if bad and len(self.examples) < 3:
            self.examples.append(text[:20])

    def describe(self, model: str) -> str:
        """What the model cannot read, and what to use instead."""
        what = " and ".join(script for script, _ in self.scripts.most_common(2))
        examples = ", ".join(map(repr, self.examples))
        return (
            f"{model} cannot read {self.unread_share:.0%} of what the texts are made of ({what}, such as in "
            f"{examples}), so that their vectors say little or nothing. {REMEDY}"
        )


REMEDY = (
    "Use NgramTextEncoder(), which reads any language, or a multilingual model such as "
    "LLMTextEmbedder('intfloat/multilingual-e5-small', prompt='passage: ', query_prompt='query: ')."
)


def readability(encoder: Any, texts: Iterable[Text]) -> Readability | None:
    """Measure what the encoder of an embedder reads of a sample of the texts; None where it has no tokenizer here."""
    if not getattr(encoder, "has_spans", False):
        return None
    sample, found = _sample(texts), Readability()
    for text, spans in zip(sample, encoder.spans_of(sample) if sample else [], strict=True):
        found.add(text, spans)
    return found


def check_fitted_texts(encoder: Any, texts: Iterable[Text], model: str, on_unreadable: str) -> None:
    """Warn of texts that the model cannot read, or refuse them.

    Raises
    ------
    ValueError
        If the model cannot read most of the texts, most of them hold no word that it reads, and ``on_unreadable`` is
        "raise".
    """
    found = None if on_unreadable == "ignore" else readability(encoder, texts)
    if found is None or not found.is_noticeable:
        return
    if found.is_hopeless and on_unreadable == "raise":
        raise ValueError(f"{found.describe(model)} To embed them all the same, pass on_unreadable='warn' or 'ignore'.")
    warnings.warn(found.describe(model), UnreadableTextWarning, stacklevel=caller_level())


def check_later_texts(encoder: Any, texts: Sequence[Text], model: str, on_unreadable: str) -> None:
    """Warn where most of what is searched for, or comes later, is unread; texts of ASCII alone cost nothing."""
    if on_unreadable == "ignore":
        return
    foreign = [text for text in texts if text is not None and not text.isascii()]
    found = readability(encoder, foreign) if len(foreign) > _WARN * len(texts) else None
    if found is not None and found.unread_share > _REFUSE:
        warnings.warn(found.describe(model), UnreadableTextWarning, stacklevel=caller_level())


def check_vectors(
    encoder: Any, texts: Sequence[Text], vectors: NDArray[np.float32], model: str, on_unreadable: str
) -> None:
    """Without a tokenizer: warn where many different texts, beyond ASCII, have one vector.

    Texts that differ in case, accents and punctuation alone share a vector rightly, and so do repeated ones; so may
    those that are the same in their first characters, which a model cuts. A few by chance are no sign either, as a bag
    of hashed words has them: it takes three texts, and a sixth of all.
    """
    if on_unreadable == "ignore" or getattr(encoder, "has_spans", False):
        return
    by_vector: dict[bytes, dict[str, str]] = {}
    for text, vector in zip(texts, vectors, strict=True):
        if text is not None and not text.isascii() and (letters := _letters(text[:_LENGTH])):
            by_vector.setdefault(vector.tobytes(), {})[letters] = text
    n_texts = sum(map(len, by_vector.values()))
    shared = [group for group in by_vector.values() if len(group) >= 3 + n_texts / 6]
    n_shared = sum(map(len, shared))
    if n_shared <= _WARN * len({text for text in texts if text is not None}):
        return
    examples = ", ".join(repr(text[:20]) for text in list(shared[0].values())[:3])
    warnings.warn(
        f"{model} gives the same vector to different texts ({n_shared} of {len(texts)}, such as {examples}): it seems "
        f"not to read them. {REMEDY}",
        UnreadableTextWarning,
        stacklevel=caller_level(),
    )


def _sample(texts: Iterable[Text]) -> list[str]:
    distinct = list(dict.fromkeys(valid_unicode(text[:_LENGTH]) for text in texts if text))
    step = max(1, len(distinct) / _SAMPLE)
    return [distinct[int(i * step)] for i in range(min(len(distinct), _SAMPLE))]


def _unread_characters(tokens: Spans) -> set[int]:
    """Positions of characters that are unknown, or cut into pieces: bytes, or parts of a syllable."""
    unread: set[int] = set()
    before = (0, 0)
    for start, stop, is_unknown in tokens:
        if is_unknown:
            unread.update(range(start, stop))
        elif start < before[1] and stop > start:
            unread.update(range(before[0], before[1]), range(start, stop))
        before = start, stop
    return unread


def _is_spelled_out(word: str, start: int, stop: int, tokens: Spans) -> bool:
    """Whether a word of another alphabet than the Latin one is no more than a row of letters to the model."""
    if len(word) < 4 or ord(word[0]) < 0x250:
        return False
    return sum(start <= token[0] < stop for token in tokens) >= _PIECES * len(word)


def _script_of(unit: str) -> str:
    if _SYMBOL.match(unit):
        return "symbols"
    name = unicodedata.name(unit[0], "UNKNOWN").split()[0]
    return _LANGUAGES.get(name, f"{name.capitalize()} script")


def _letters(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if character.isalnum())
