"""Bounds in a text: "under 300 pages", "before 1900", "the 19th century", "between 10 and 20 euros"."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import Cue, Lexicon
from skrec.llm._conversation._state import Constraint
from skrec.llm._conversation._tokens import Token
from skrec.llm._conversation._word_forms import name_words

_YEARS = range(1000, 2200)
_ROMAN = {"i": 1, "v": 5, "x": 10}
_AROUND = 0.2
_DASH = 3
"""Signs between the numbers of "200 - 300 pages"."""
_LARGEST = 1e15
Bounds = list[tuple[str, float]]


class NumberReader:
    """Reads bounds on numeric columns from the tokens of a text.

    Parameters
    ----------
    facts : ItemFacts
    lexicon : Lexicon
    """

    def __init__(self, facts: ItemFacts, lexicon: Lexicon) -> None:
        self.facts = facts
        self.lexicon = lexicon

    def read(
        self, tokens: list[Token], at: int, *, negated: bool, most: bool = False
    ) -> tuple[list[Constraint], str | None, int] | None:
        """Constraints, the attribute without a column (or None), and the number of tokens."""
        self._negated, self._most = negated, most
        for pattern in (self._range, self._bound, self._bound_after, self._period_alone, self._with_unit):
            if (found := pattern(tokens, at)) is not None:
                bounds, kind, n_tokens = found
                if not all(abs(value) < _LARGEST for _, value in bounds):
                    return None
                column = self._column(tokens, at, kind, bounds)
                if column is None:
                    return ([], kind, n_tokens) if kind is not None else None
                return [Constraint(column, r, v, strict=True) for r, v in bounds], None, n_tokens
        return None

    # Patterns --------------------------------------------------------------------------------------

    def _range(self, tokens: list[Token], at: int) -> tuple[Bounds, str | None, int] | None:
        """Between a and b; a to b, where a unit or two years say that it is one."""
        cue = self.lexicon.cue_at(tokens, at, ("between",))
        start = at + (cue.n_tokens if cue else 0)
        first = self._number(tokens, start)
        if first is None:
            return None
        middle = start + first[1]
        to = self.lexicon.cue_at(tokens, middle, ("range_to",))
        dashed = middle < len(tokens) and 0 < tokens[middle].start - tokens[middle - 1].stop <= _DASH
        n_tokens = to.n_tokens if to else 0
        last = self._number(tokens, middle + n_tokens) if to or dashed else None
        if last is None:
            return None
        low, high = sorted((first[0], last[0]))
        kind = last[2] or first[2] or _year_kind(low, high)
        if cue is None and (kind is None or (to and to.value in self.lexicon.joining)):
            return None  # "2 and 3"
        stop = middle + n_tokens + last[1]
        return [(">=", low), ("<=", high)], kind, stop + self._cue_after(tokens, stop)[1] - at  # ", not more"

    def _bound(self, tokens: list[Token], at: int) -> tuple[Bounds, str | None, int] | None:
        """Under a, before a, at least a, about a."""
        cue = self.lexicon.cue_at(tokens, at, ("bounds",))
        if cue is None:
            return None
        phrase = tuple(token.norm for token in tokens[at : at + cue.n_tokens])
        compared = self.lexicon.cue_at(tokens, at, ("comparatives",))
        start = at + cue.n_tokens
        lexicon = self.lexicon
        while start < len(tokens) and (
            lexicon.is_plain(tokens[start].norm) or tokens[start].norm in lexicon.attribute_names
        ):
            start += 1  # "before the year 1850"
        relation = cue.value
        if compared is not None:
            relation = "<=" if compared.value.endswith("-") else ">="
        if (period := self._period(tokens, start)) is not None:
            low, high, length = period
            if self.lexicon.cue_at(tokens, at, ("between",)):  # "from the 19th century" means within it
                return [(">=", low), ("<=", high)], "year", start + length - at
            return self._of_period(relation, phrase, low, high), "year", start + length - at
        number = self._number(tokens, start)
        if number is None:
            return None
        kind = compared.value[:-1] if compared else None
        stop = start + number[1]
        # "About 200 pages, not more", "最多两百页左右".
        more, n_tokens = self._cue_after(tokens, stop)
        if more is not None and "~" in (relation, more.value):
            relation = more.value if relation == "~" else relation
            stop += n_tokens
        return *self._of_number(relation, phrase, number[0], number[2] or kind), stop - at

    def _bound_after(self, tokens: list[Token], at: int) -> tuple[Bounds, str | None, int] | None:
        """300 pages at most, 三百页以内, 1850年以后."""
        period, number = self._period(tokens, at), self._number(tokens, at)
        length = period[2] if period else number[1] if number else 0
        cue, n_tokens = self._cue_after(tokens, at + length) if length else (None, 0)
        if cue is None:
            return None
        start = at + length + n_tokens - cue.n_tokens
        phrase = tuple(token.norm for token in tokens[start : start + cue.n_tokens])
        if period is not None:
            return self._of_period(cue.value, phrase, period[0], period[1]), "year", length + n_tokens
        assert number is not None
        return *self._of_number(cue.value, phrase, number[0], number[2]), length + n_tokens

    def _cue_after(self, tokens: list[Token], at: int) -> tuple[Cue | None, int]:
        """A bound after a number, and its tokens: "300 pages at most", "300 pages, not more"."""
        comma = int(at < len(tokens) and tokens[at].norm == ",")
        cue = self.lexicon.cue_at(tokens, at + comma, ("bounds_after",))
        if cue is None or (comma and self._number(tokens, at + 1 + cue.n_tokens) is not None):
            return None, 0
        return cue, comma + cue.n_tokens

    def _signed(self, relation: str, phrase: tuple[str, ...]) -> tuple[str, bool]:
        """The relation, reversed by a negation before it, and whether it excludes the number itself."""
        exclusive = phrase in self.lexicon.exclusive
        if self._negated and relation != "~":
            return (">=" if relation == "<=" else "<="), not exclusive
        return relation, exclusive

    def _of_period(self, relation: str, phrase: tuple[str, ...], low: float, high: float) -> Bounds:
        relation, exclusive = self._signed(relation, phrase)
        edge = (low if exclusive else high) if relation == "<=" else (high if exclusive else low)
        return self._edge(relation, edge, exclusive)

    def _of_number(
        self, relation: str, phrase: tuple[str, ...], value: float, kind: str | None
    ) -> tuple[Bounds, str | None]:
        relation = "<=" if relation == "~" and self._most else relation
        relation, exclusive = self._signed(relation, phrase)
        kind = kind or ("year" if phrase in self.lexicon.year_bounds or _year_kind(value) else None)
        if relation == "~":
            margin = 10 if kind == "year" else abs(value) * _AROUND
            return [(">=", value - margin), ("<=", value + margin)], kind
        return self._edge(relation, value, exclusive), kind

    def _edge(self, relation: str, value: float, exclusive: bool) -> Bounds:
        if not exclusive:
            return [(relation, value)]
        step = 1.0 if float(value).is_integer() else 1e-6 * max(abs(value), 1)
        return [(relation, value - step if relation == "<=" else value + step)]

    def _period_alone(self, tokens: list[Token], at: int) -> tuple[Bounds, str | None, int] | None:
        """The 19th century, the early 20th century, 十九世纪末."""
        part = self.lexicon.cue_at(tokens, at, ("period_parts",))
        start = at + (part.n_tokens if part else 0)
        while part is not None and start < len(tokens) and tokens[start].norm in self.lexicon.function_words:
            start += 1
        if (period := self._period(tokens, start)) is None:
            return None
        low, high, length = period
        part = part or self.lexicon.cue_at(tokens, start + length - 1, ("period_parts",))
        third = (high - low) // 3
        if part is not None:
            low, high = low + third * (part.value in ("mid", "late")), high - third * (part.value in ("early", "mid"))
            low += third * (part.value == "late")
            high -= third * (part.value == "early")
        return [(">=", low), ("<=", high)], "year", start + length - at

    def _with_unit(self, tokens: list[Token], at: int) -> tuple[Bounds, str | None, int] | None:
        """An approximate value: a number with a unit and without a bound."""
        number = self._number(tokens, at)
        if number is None or number[2] is None:
            return None
        value, length, unit = number
        if self._most or self._negated:  # "only 200 pages", "not a thousand pages"
            return [("<=", value)], unit, length
        return [(">=", value * (1 - _AROUND)), ("<=", value * (1 + _AROUND))], unit, length

    # Numbers ---------------------------------------------------------------------------------------

    def _number(self, tokens: list[Token], at: int) -> tuple[float, int, str | None] | None:
        """Value, number of tokens, and attribute (by the unit) of a number at a token."""
        before = self.lexicon.cue_at(tokens, at, ("units",))
        start = at + (before.n_tokens if before else 0)
        if start >= len(tokens):
            return None
        if not tokens[start].norm[0].isdigit():
            spelt, n_tokens = self.lexicon.numeral(tokens, start)
            after = self.lexicon.cue_at(tokens, start + n_tokens, ("units",)) if spelt else None
            return None if after is None else (float(spelt), start + n_tokens + after.n_tokens - at, after.value)
        value = read_number(tokens[start].norm)
        after = self.lexicon.cue_at(tokens, start + 1, ("units",))
        stop = start + 1 + (after.n_tokens if after and not before else 0)
        if (ancient := self.lexicon.cue_at(tokens, start + 1, ("before_christ",))) is not None:
            return -value, start + 1 + ancient.n_tokens - at, "year"
        unit = before or after
        return value, stop - at, unit.value if unit else None

    def _period(self, tokens: list[Token], at: int) -> tuple[float, float, int] | None:
        """First year, last year and number of tokens of a century or a decade."""
        lexicon = self.lexicon
        if (cue := lexicon.cue_at(tokens, at, ("decade",))) and at + cue.n_tokens < len(tokens):  # "les années 1890"
            year = _ordinal_number(tokens[at + cue.n_tokens].norm) or 1
            return (year, year + 9, cue.n_tokens + 1) if year in _YEARS and year % 10 == 0 else None
        before = lexicon.cue_at(tokens, at, ("century",))
        spelt = lexicon.cue_at(tokens, at + bool(before), ("century_numbers",))
        if before is not None and at + 1 < len(tokens):
            found = int(spelt.value) if spelt else _ordinal_number(tokens[at + 1].norm)
            return None if found is None else (100 * (found - 1), 100 * found - 1, 2)
        if spelt is not None:  # "the nineteenth century"
            last = 100 * int(spelt.value) - 1
            follows = lexicon.cue_at(tokens, at + spelt.n_tokens, ("century",))
            return (last - 99, last, spelt.n_tokens + 1) if follows else None
        if at >= len(tokens) or (number := _ordinal_number(tokens[at].norm)) is None:
            return None
        for gap in (1, 2):
            follower = tokens[at + gap - 1].norm if at + gap - 1 < len(tokens) else ""
            if (gap == 1 or len(follower) <= 3) and lexicon.cue_at(tokens, at + gap, ("century",)) and number <= 22:
                low = 100 * (number - 1)
                decade = tokens[at + gap + 1].norm if at + gap + 2 < len(tokens) else ""
                if decade.isdigit() and tokens[at + gap + 2].norm == "年代":  # "十九世纪九十年代"
                    return low + int(decade), low + int(decade) + 9, gap + 3
                return low, low + 99, gap + 1
        is_decade = number in _YEARS and number % 10 == 0 and at + 1 < len(tokens)
        if is_decade and tokens[at + 1].norm == "s" and self.lexicon.code == "fr":
            return None  # "1800 s'il vous plaît"
        if is_decade and number % 100 == 0 and tokens[at + 1].norm == "s":
            return number, number + 99, 2  # "the 1800s"
        if is_decade and tokens[at + 1].norm in ("s", "er", "ern", "年代"):
            return number, number + 9, 2
        return None

    # Columns ---------------------------------------------------------------------------------------

    def _column(self, tokens: list[Token], at: int, kind: str | None, bounds: Bounds) -> str | None:
        """The column of bounds: by unit or attribute, by a name just before, or the only one in range."""
        if kind is not None:
            return self.facts.column_of(kind)
        before = {token.norm for token in tokens[max(at - 4, 0) : at]}
        named = [name for name in self.facts.numbers if set(name_words(name)) <= before]
        if named:
            return named[0]
        fitting = [name for name, values in self.facts.numbers.items() if _fits(values, bounds)]
        return fitting[0] if len(fitting) == 1 else None


def reference_value(
    values: np.ndarray, referred: Sequence[int], shown: Sequence[int], up: bool, absolute: bool
) -> float | None:
    """The bound of a comparison: the next value beyond the items that it refers to.

    Parameters
    ----------
    values : ndarray of shape (n_items,)
    referred, shown : sequences of item codes
        The reference is the items named in the text, else the last list, else the catalogue.
    up : bool
        Whether a greater value is requested.
    absolute : bool
        Whether the word is absolute, such as "short", not "shorter": the lowest or highest third of the catalogue.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    if absolute:
        return float(np.quantile(finite, 2 / 3 if up else 1 / 3, method="nearest"))
    for group in (list(referred), list(shown)):
        against = values[group][np.isfinite(values[group])] if group else np.zeros(0)
        if len(against):
            break
    else:
        against = finite
    middle = float(np.quantile(against, 0.5, method="lower" if up else "higher"))
    beyond = finite[finite > middle] if up else finite[finite < middle]
    step = 1.0 if up else -1.0
    return float(beyond.min() if up else beyond.max()) if len(beyond) else middle + step


def read_number(text: str) -> float:
    """A number in the notation of any of the languages: "1,200" and "1.200" are 1200, "9,5" is 9.5."""
    *groups, last = text.replace(",", ".").split(".")
    if groups and len(last) != 3:
        return float("".join(groups) + "." + last)
    return float("".join([*groups, last]))


def _ordinal_number(text: str) -> int | None:
    """A whole number in digits or in Roman numerals, such as "XIX" or, in French, "XIXe"."""
    if text.isdigit() and len(text) <= 4:
        return int(text)
    roman = text.removesuffix("eme").removesuffix("e")
    if not roman or set(roman) - set(_ROMAN) or roman == "i":
        return None
    values = [_ROMAN[sign] for sign in roman]
    return sum(-v if v < later else v for v, later in zip(values, [*values[1:], 0], strict=True))


def _year_kind(*values: float) -> str | None:
    return "year" if all(value in _YEARS for value in values) else None


def _fits(values: np.ndarray, bounds: Bounds) -> bool:
    low, high = np.nanmin(values), np.nanmax(values)
    return all(low <= value <= high and math.isfinite(value) for _, value in bounds)
