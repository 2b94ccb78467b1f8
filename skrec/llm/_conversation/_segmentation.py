"""Tokens of Chinese text: phrases of the lexicon, names of the catalogue, numbers, and what is between them."""

from __future__ import annotations

import re
from typing import NamedTuple

from skrec.llm._conversation._item_facts import ItemFacts
from skrec.utils import HAN

HAN_OR_OTHER = re.compile(f"[{HAN}]+|[^{HAN}]+")
_NUMERALS = "零〇一二两三四五六七八九十百千万亿"
_NUMERAL = re.compile(f"(?<![几数])(?:上(?=[百千万]))?([{_NUMERALS}]+)")
_ABOUT = "多来余"  # "两百多页" has more than 200 of them
_SHORTEST_YEAR = 3
_RANGE = re.compile(f"[到至][{_NUMERALS}]")
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POWERS = {"十": 10, "百": 100, "千": 1_000}
_LARGE = {"万": 10**4, "亿": 10**8}
Piece = tuple[str, int, int]
"""Norm, start and stop."""


def read_numeral(text: str) -> int | None:
    """A whole number in Chinese signs, or None: "三百二十" is 320, "一八五〇" is 1850, "两千万" is 20,000,000.

    Examples
    --------
    >>> from skrec.llm._conversation._segmentation import read_numeral
    >>> read_numeral("三百二十"), read_numeral("一八五〇"), read_numeral("十九"), read_numeral("百十")
    (320, 1850, 19, 110)
    """
    if not text or set(text) - set(_NUMERALS):
        return None
    if not set(text) & {*_POWERS, *_LARGE}:
        return int("".join(str(_DIGITS[sign]) for sign in text))
    total = section = digit = 0
    last = 1
    for sign in text:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
            last = 10 if sign in "零〇" else last
        elif sign in _POWERS:
            section += (digit or 1) * _POWERS[sign]
            digit, last = 0, _POWERS[sign]
        else:
            total += (section + digit or 1) * _LARGE[sign]
            section, digit, last = 0, 0, _LARGE[sign]
    # "三百五" is 350: the last digit stands for the next power below.
    return total + section + digit * max(last // 10, 1)


class SpacelessPhrases(NamedTuple):
    """What a lexicon tells a :class:`Segmenter`.

    Attributes
    ----------
    words : set of str
        All phrases.
    lengths : dict of str to int
        By first sign, the length of the longest phrase.
    plain : set of str
        Function words.
    units : tuple of str
        Words after which Chinese numerals are numbers, such as "页" and "世纪".
    bounds, bounds_after : tuples of str
        Phrases before and after a number, such as "不超过" and "以内".
    """

    words: frozenset[str]
    lengths: dict[str, int]
    plain: set[str]
    units: tuple[str, ...]
    bounds: tuple[str, ...]
    bounds_after: tuple[str, ...]


class Segmenter:
    """Cuts runs of Chinese signs at the phrases of a lexicon and the names of a catalogue.

    The longest phrase wins. A phrase of one sign, such as "和", counts only where the dictionary of words has it
    as a word, so that "和尚" stays whole; a function word of two, such as "人的", only where a word begins.

    Parameters
    ----------
    phrases : SpacelessPhrases
    facts : ItemFacts
        Has the names.
    """

    def __init__(self, phrases: SpacelessPhrases, facts: ItemFacts) -> None:
        self.phrases = phrases
        self.names = facts.spaceless_names
        self.splitter = facts.splitter
        self.longest_name = facts.longest_spaceless_names

    def pieces(self, run: str) -> list[Piece]:
        """The pieces of a run, in order and without gaps."""
        borders = self.splitter.borders(run)
        found: list[Piece] = []
        rest = at = 0
        while at < len(run):
            is_bounded = bool(found) and rest == at and found[-1][0] in self.phrases.bounds
            piece = self._number(run, at, borders if is_bounded else set()) or self._phrase(run, at)
            if piece is not None and not self._keeps_words(piece, borders):
                piece = None
            if piece is None:
                at += 1
                continue
            if rest < at:
                found.append((run[rest:at], rest, at))
            found.append(piece)
            rest = at = piece[2]
        return [*found, (run[rest:], rest, len(run))] if rest < len(run) else found

    def _keeps_words(self, piece: Piece, borders: set[int]) -> bool:
        norm, start, stop = piece
        if norm.isdecimal() or stop - start > 2:
            return True
        if stop - start == 2:
            return norm not in self.phrases.plain or start in borders
        return {start, stop} <= borders

    def _number(self, run: str, at: int, ends: set[int]) -> Piece | None:
        """A number: before a unit, in a range, as a place, or after a bound where a word ends at one of ``ends``."""
        match = _NUMERAL.match(run, at)
        if match is None:
            return None
        stop = match.end()
        if run[stop : stop + 1] in _ABOUT and run.startswith(self.phrases.units, stop + 1):
            stop += 1
        follows = run.startswith(self.phrases.units, stop)
        if run.startswith("年", stop) and not run.startswith("年代", stop):
            # "十年" and "三百年前" are spans of time; a year is written digit by digit.
            follows = len(match[1]) >= _SHORTEST_YEAR and not set(match[1]) & {*_POWERS, *_LARGE}
        phrase = None if ends else self._phrase(run, at)
        if phrase is not None and phrase[2] > stop:  # "十分好看" and "百年孤独", but "十分以上"
            follows = run.startswith(self.phrases.bounds_after, phrase[2])
        follows |= _RANGE.match(run, stop) is not None or stop in ends
        is_place = at > 0 and run[at - 1] == "第"
        return (str(read_numeral(match[1])), at, stop) if follows or is_place else None

    def _phrase(self, run: str, at: int) -> Piece | None:
        numeral = _NUMERAL.match(run, at + 1) if run[at] == "第" else None
        if numeral is not None and len(numeral.group()) > 1:  # beyond the tenth place, the number itself counts
            return run[at], at, at + 1
        longest = max(self.phrases.lengths.get(run[at], 0), self.longest_name.get(run[at], 0))
        for stop in range(min(len(run), at + longest), at, -1):
            if run[at:stop] in self.phrases.words or run[at:stop] in self.names:
                return run[at:stop], at, stop
        return None
