"""A text as patterns see it: one form for digits, spaces and dashes of all scripts, with a way back."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from skrec.utils._words import DIRECTIONS, HANGUL, INVISIBLE, JOINERS, SPACELESS

UNSPACED = SPACELESS + HANGUL + "\u2e80-\u2fdf\u3006-\u33ff\ua960-\ua97f\ud7b0-\ud7ff"
"""Scripts that put no space between a word and a number, as ranges of a character class."""

LETTER = rf"[^\W{UNSPACED}]"
"""A letter, digit or underscore that a number is part of when it stands next to it."""

_IGNORED = frozenset(INVISIBLE + JOINERS + DIRECTIONS)


class Rule(NamedTuple):
    """One way to find one kind of personal data.

    Attributes
    ----------
    kind : str
        What stands in its place, between brackets.
    pattern : re.Pattern
        Finds what may be of the kind, in a folded text.
    accept : callable (re.Match) -> bool
        Whether it is.
    group : int
        The group of the pattern that is taken out; 0 for all that matched.
    """

    kind: str
    pattern: re.Pattern
    accept: Callable[[re.Match], bool] = lambda match: True
    group: int = 0


class FoldedText:
    """A text whose compatibility forms, spaces and dashes are folded and whose invisible characters are dropped.

    Patterns search ``folded``; what they take out leaves the original text too, and the rest of it stays as it was.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        self.folded = text
        self._pieces: list[str] | None = None  # the original of each folded character; None where nothing was folded
        if not text.isascii():
            self._fold(text)

    def _fold(self, text: str) -> None:
        folded: list[str] = []
        pieces: list[str] = []
        dropped = ""
        for character in text:
            if character in _IGNORED:
                dropped += character
                continue
            plain = _plain(character)
            folded += plain
            pieces += [dropped + character, *[""] * (len(plain) - 1)]
            dropped = ""
        self.folded, self._pieces = "".join(folded), [*pieces, dropped]

    def take_out(self, rule: Rule) -> int:
        """Put ``[kind]`` in place of whatever the rule finds; return how often."""
        found = [match.span(rule.group) for match in rule.pattern.finditer(self.folded) if rule.accept(match)]
        if found:
            mark = f"[{rule.kind}]"
            self.folded = "".join(_with_marks(self.folded, found, mark))
            if self._pieces is not None:
                self._pieces = list(chain.from_iterable(_with_marks(self._pieces, found, mark)))
        return len(found)

    def original(self) -> str:
        """Return the text as it was written, without what was taken out."""
        return self.folded if self._pieces is None else "".join(self._pieces)


def _with_marks(parts: Any, found: list[tuple[int, int]], mark: str) -> Iterator[Any]:
    """Yield what stands between the spans that were found, and a mark for each of them."""
    end_before = 0
    for start, end in found:
        yield parts[end_before:start]
        yield mark
        end_before = end
    yield parts[end_before:]


def _plain(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category == "Pd" or character in "\u2212\u30fc\u2010":
        return "-"
    return unicodedata.normalize("NFKC", character)
