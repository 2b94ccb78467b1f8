"""Personal data out of texts, before they leave the process, or enter a cache or a log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}(?![\w-])")

# A number stands alone: it neither goes on as a word, a decimal or a time, nor is it the end of one.
_START, _END = r"(?<![\w.,:/+-])", r"(?![\w-]|[.,:/]\d)"

_CARD = re.compile(_START + r"\d(?:[ -]?\d){13,18}" + _END)
_NETWORKS = re.compile(
    r"4\d{15}(?:\d{3})?|5\d{15}|2[2-7]\d{14}|35\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|6\d{15,18}"
)
_PHONES = [
    # +44 (0)20 7946 0958, 0049 30 123456
    re.compile(rf"(?:(?<!\+)\+ ?|(?<!\d ){_START}00(?=\d{{1,3}}[ -]))[1-9](?:[ .\-/()]{{0,2}}\d){{7,14}}" + _END),
    # 555-123-4567, 1 (555) 123-4567
    re.compile(_START + r"(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d([ .-]))\d{3}(?(1)\1|[ .-])\d{4}" + _END),
    # 030 1234567, 0171/123 45 67, (020) 7946 0958, 01.23.45.67.89
    re.compile(
        _START
        + r"(?<!\d )(?:0[1-9]\d{0,3}[ /-]|\(0[1-9]\d{0,3}\) ?)(?:\d{2,4}(?:([ -])\d{2,4}(?:\1\d{2,4}){0,3})|\d{5,9})"
        + _END
    ),
    re.compile(_START + r"0\d(?:\.\d\d){4}" + _END),
]
_LABELLED_PHONE = re.compile(
    r"(?<![\w\[])((?:tel|t[ée]l[ée]fono?|telefon|telephone|t[ée]l[ée]phone|t[ée]l|phone|mobile?|m[óo]vil|handy|cell|fax"
    r"|whatsapp|call|ring|sms)(?: (?:me|us|at|on|no|nr|number|nummer|is|am|unter|au|al)\b)*[.:]{0,2} {0,3})"
    r"(\(?\d(?:[ .()-]{0,2}\d){6,14})" + _END,
    re.IGNORECASE,
)
_CODE_BEFORE = re.compile(
    r"(?:\b(?:isbn|issn|ean|upc|gtin|asin|sku|imei|order|model|part|item|article|art|ref|serial|lot|id)\b|[#№$€£¥])"
    r"(?:[-\s](?:10|13))?[\s.:#]{0,3}(?:no|number|nr)?[\s.:#]{0,3}$",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:\d{1,2}[ .\-/]){2}(?:19|20)\d\d(?!\d)|(?:19|20)\d\d[ .\-/]\d{1,2}[ .\-/]\d{1,2}(?!\d)")

_MOST_PASSES = 32  # bounds the time that a text of nothing but numbers takes
_DIGITS = re.compile(r"\d(?:[ .()/+-]*\d)*")

Names = Callable[[str], Iterable[str]]


class Scrubber:
    """Take personal data out of a text: ``[email]``, ``[card]``, ``[phone]`` and ``[name]`` stand in its place.

    - *E-mail addresses*, wherever they stand.
    - *Card numbers*: 14 to 19 digits with the start of a card network and a right check digit (Luhn).
    - *Phone numbers*: international ones (``+44 20 7946 0958``); national ones in groups, with an area code in
      the North American form (``555-123-4567``) or with a leading zero (``030 123 4567``); any number of 7 to 15
      digits after a word such as "tel." or "call".
    - *Names*: where a model is given that finds them.

    What shops write stays: ISBN, EAN, prices, years, dates, numbers of an article or an order. A run of digits
    that nothing marks as a phone number stays too, since it may be any of these; and so do names without a
    model. It does not find everything: do not rely on it for text that must not be sent.

    Parameters
    ----------
    names : callable (text) -> iterable of str, default=None
        The names of people in a text, as they stand there: a wrapped named-entity model.

    Examples
    --------
    >>> from skrec.llm import Scrubber
    >>> text, counts = Scrubber()("Write to ada@example.org or call 555-123-4567; ISBN 978-0-306-40615-7, 12.99")
    >>> text
    'Write to [email] or call [phone]; ISBN 978-0-306-40615-7, 12.99'
    >>> dict(counts)
    {'email': 1, 'phone': 1}
    >>> Scrubber(names=lambda text: ["Ada Lovelace"])("a gift for Ada Lovelace")[0]
    'a gift for [name]'
    """

    def __init__(self, names: Names | None = None) -> None:
        if names is not None and not callable(names):
            raise TypeError(f"names must be a function from a text to the names in it; got {names!r}.")
        self.names = names

    def __call__(self, text: str) -> tuple[str, Counter[str]]:
        """The text without personal data, and how much of each kind was taken out.

        Parameters
        ----------
        text : str

        Returns
        -------
        text : str
        counts : Counter
            By kind: "email", "card", "phone", "name"; never what was found.
        """
        counts: Counter[str] = Counter()
        if self.names is not None:
            text = _without_names(text, self.names, counts)
        for _ in range(_MOST_PASSES):
            before = text
            text = _without_numbers(text, counts)
            if text == before:
                return text, counts
            # What stood beside a number may only now be seen to be one.
        text, n_found = _DIGITS.subn("[phone]", text)  # so long a row of them that all there are count as such
        counts["phone"] += n_found
        return text, counts


def read_scrub(scrub: Any, *, leaves: bool) -> Scrubber | None:
    """The scrubber of a parameter ``scrub``; ``leaves``: whether the texts leave the process.

    Raises
    ------
    ValueError
        If it is neither "auto", a bool nor a :class:`Scrubber`.
    """
    if isinstance(scrub, Scrubber):
        return scrub
    if scrub == "auto":
        return Scrubber() if leaves else None
    if isinstance(scrub, bool):
        return Scrubber() if scrub else None
    raise ValueError(f"scrub must be 'auto', True, False or a Scrubber; got {scrub!r}.")


def _without_names(text: str, names: Names, counts: Counter[str]) -> str:
    found = sorted({name.strip() for name in names(text)} - {""}, key=len, reverse=True)
    if not found:
        return text
    either = "|".join(re.escape(name) for name in found)
    return _replace("name", re.compile(rf"(?<!\w)(?:{either})(?!\w)"), text, counts)


def _without_numbers(text: str, counts: Counter[str]) -> str:
    if "@" in text:
        text = _replace("email", _EMAIL, text, counts)
    text = _replace("card", _CARD, text, counts, _is_card)
    for pattern in _PHONES:
        text = _replace("phone", pattern, text, counts, _is_phone)
    return _LABELLED_PHONE.sub(lambda match: _after_label(match, counts), text)


def _replace(
    kind: str,
    pattern: re.Pattern,
    text: str,
    counts: Counter[str],
    is_one: Callable[[re.Match], bool] = lambda match: True,
) -> str:
    def one(match: re.Match) -> str:
        if not is_one(match):
            return match[0]
        counts[kind] += 1
        return f"[{kind}]"

    return pattern.sub(one, text)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _is_card(match: re.Match) -> bool:
    digits = _digits(match[0])
    if not _NETWORKS.fullmatch(digits) or _is_code(match):
        return False
    doubled = [int(digit) * (1 + i % 2) for i, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _is_phone(match: re.Match) -> bool:
    digits = _digits(match[0])
    if match[0].startswith("+") and digits.startswith("1"):
        return len(digits) == 11 and digits[1] not in "01"  # North America; "+1 000 000" is a count
    return len(digits) >= 8 and not _is_code(match) and not _DATE.match(match[0])


def _is_code(match: re.Match) -> bool:
    """Whether a word or sign before the number says that it is a code or a price."""
    return _CODE_BEFORE.search(match.string[max(0, match.start() - 24) : match.start()]) is not None


def _after_label(match: re.Match, counts: Counter[str]) -> str:
    if _DATE.match(match[2]):
        return match[0]
    counts["phone"] += 1
    return match[1] + "[phone]"
