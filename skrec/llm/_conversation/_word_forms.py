"""Forms of words: without case, accents and variants of signs; without endings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from skrec.utils import WordPattern, simplified

_NAME_WORD = WordPattern(r"[^\W_]+")
_VOICED = "\u3099\u309a"
"""Marks of kana, which are no accents."""
_ENDINGS = ("ing", "ern", "ie", "en", "er", "ed", "e", "n", "a", "o", "y", "i")


def name_words(text: str) -> list[str]:
    """Words of a title or a label, lower case and without accents; what is written without spaces is one word."""
    return _NAME_WORD.strings(fold(text))


@lru_cache(maxsize=1 << 14)
def fold(text: str) -> str:
    """Lower case, without accents and typographic variants; traditional Chinese signs as simplified ones."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign) or sign in _VOICED).casefold()
    return plain if plain.isascii() else simplified(unicodedata.normalize("NFC", plain))


def lengths_by_sign(words: Iterable[str]) -> dict[str, int]:
    """By first sign, the length of the longest word."""
    lengths: dict[str, int] = {}
    for word in words:
        lengths[word[0]] = max(lengths.get(word[0], 0), len(word))
    return lengths


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """A word without a common ending of the four languages: a rough stem."""
    if word.endswith("s") and len(word) > 3:
        word = word[:-1]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
