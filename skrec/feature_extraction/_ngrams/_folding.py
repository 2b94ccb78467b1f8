"""Texts made comparable: one form of each character, and words where there are no spaces."""

import unicodedata

from skrec.utils import simplified

_VARIANTS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))  # how the character before is drawn
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))


def fold_text(text: str) -> str:
    """Text in Unicode's NFKC, without case, invisible marks (writing direction, zero width) and lone surrogates.

    Traditional Chinese signs become simplified ones, so that either finds the other.
    """
    if text.isascii():
        return text.lower()
    return simplified(unicodedata.normalize("NFKC", text.translate(_VISIBLE)).casefold())


def words_of(text: str) -> list[str]:
    """What stands between spaces and punctuation; each Chinese character and each symbol is a word of its own."""
    return text.translate(_APART).split()


class _Visible(dict[int, str]):
    """Nothing in place of format characters, variation selectors and surrogates."""

    def __missing__(self, code: int) -> str:
        is_invisible = unicodedata.category(chr(code)) in ("Cf", "Cs") or any(a <= code <= b for a, b in _VARIANTS)
        self[code] = kept = "" if is_invisible else chr(code)
        return kept


class _Apart(dict[int, str]):
    """Spaces in place of punctuation, and around what is a word of its own."""

    def __missing__(self, code: int) -> str:
        character, kind = chr(code), unicodedata.category(chr(code))
        if kind == "So" or any(first <= code <= last for first, last in _HAN):
            kept = f" {character} "
        elif kind[0] in "LMN" or character == "_":
            kept = character
        else:
            kept = " "
        self[code] = kept
        return kept


_VISIBLE, _APART = _Visible(), _Apart()
