"""Telephone numbers: by their form, by the numbering plans of regions, and after words that announce one.

Numbering plans by phonenumbers, the port of Google's libphonenumber. It is asked only about what is grouped or
marked like a telephone number: left to itself it takes prices and ISBN for numbers of one region or another.
"""

import re

import phonenumbers
from phonenumbers import PhoneNumberType
from stdnum import ean, isbn

from skrec.utils._privacy._checked import END, START
from skrec.utils._privacy._codes import DATE, digits_of, is_amount, is_code
from skrec.utils._privacy._folded_text import LETTER, Rule

# +44 (0)20 7946 0958, +49 (0)30 / 123 456, 0049 30 123456
_INTERNATIONAL = re.compile(
    rf"(?:(?<!\+)\+ ?|(?<!\d ){START}00(?=\d{{1,3}}[ -]))[1-9](?:[ .\-/()]{{0,3}}\d){{7,14}}{END}"
)
_GROUPED = [
    # 555-123-4567, 1 (555) 123-4567
    re.compile(START + r"(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d([ .-]))\d{3}(?(1)\1|[ .-])\d{4}" + END),
    # 030 1234567, 030 12345-67, 0171/123 45 67, (020) 7946 0958, 01 23 45 67 89
    re.compile(
        START
        + r"(?<!\d )(?:0[1-9]\d{0,3}[ /-]|\(0[1-9]\d{0,3}\) ?)"
        + r"(?:\d{2,4}([ -])\d{2,4}(?:\1\d{2,4}){0,3}|\d{5,9}(?: [1-9]\d{1,3}(?! ?\d)|-\d{1,4})?)"
        + END
    ),
    # 01.23.45.67.89
    re.compile(START + r"0\d(?:\.\d\d){4}" + END),
]
_OF_A_REGION = re.compile(rf"{START}(?<!\d )(?:\d{{2,5}}|\(\d{{2,5}}\))(?:[ .-]\d{{2,8}}){{1,4}}{END}")
_BARE = re.compile(rf"{START}(?<!\d )\d{{9,11}}{END}")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([ .])\d{3})(?:\1\d{3})*")
_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_LABELLED = re.compile(
    rf"""(?<![\[])(?:
      (?<!{LETTER})(?:tel|t[ée]l[ée]fono?|telefon|telephone|t[ée]l[ée]phone|t[ée]l|phone|mobile?|m[óo]vil|handy|cell|fax
        |whatsapp|call|ring|text|sms|rufnummer|num[ée]ro|portable|ll[áa]m[ae](?:me|nos|r)?
        |r?appele[zr](?:-moi|-nous)?|joindre|anrufen?|ruf(?:en\ sie)?)
      (?:\ (?:me|us|at|on|no|nr|number|nummer|is|am|unter|a|au|al|le|est|es|ist|lautet|moi)\b)*
      |电话|手机|座机|热线|联系方式|致电|拨打|传真|电联|電話|手機|聯絡方式
    )(?:号码|号|號碼|是|为|為|：)?\ ?[.:]{{0,2}}\ {{0,3}}
    (\(?\d(?:[ .()-]{{0,2}}\d){{6,14}}){END}""",
    re.IGNORECASE | re.VERBOSE,
)


def phone_rules(regions: tuple[str, ...]) -> list[Rule]:
    """Return the rules for telephone numbers, the surest first.

    Parameters
    ----------
    regions : tuple of str
        Two-letter codes of the regions whose national numbers are looked for.
    """
    rules = [Rule("phone", pattern, _is_phone) for pattern in (_INTERNATIONAL, *_GROUPED)]
    if regions:
        rules += [
            Rule("phone", _OF_A_REGION, lambda match: _is_grouped_as_in(match, regions)),
            Rule("phone", _BARE, lambda match: _is_mobile_of(match, regions)),
        ]
    return [*rules, Rule("phone", _LABELLED, lambda match: not DATE.match(match[1]), group=1)]


def read_regions(regions: object) -> tuple[str, ...]:
    """Read the parameter ``regions``.

    Raises
    ------
    TypeError, ValueError
        If it is no list of two-letter codes that libphonenumber knows.
    """
    if isinstance(regions, str) or not isinstance(regions, (list, tuple, set, frozenset)):
        raise TypeError(f"regions must be a list of two-letter codes, as ['US', 'CN']; got {regions!r}.")
    unknown = [region for region in regions if region not in phonenumbers.SUPPORTED_REGIONS]
    if unknown:
        raise ValueError(
            f"regions holds {unknown[0]!r}, which is no region with telephone numbers; write two capital letters, as "
            "'US', 'GB' or 'CN'."
        )
    return tuple(regions)


def _is_phone(match: re.Match) -> bool:
    digits = digits_of(match[0])
    if match[0].startswith("+") and digits.startswith("1"):
        return len(digits) == 11 and digits[1] not in "01"  # North America; "+1 000 000" is a count
    return len(digits) >= 8 and not is_code(match) and not DATE.match(match[0])


def _is_grouped_as_in(match: re.Match, regions: tuple[str, ...]) -> bool:
    """Whether a number in groups is valid in a region and grouped as it is written there."""
    digits = digits_of(match[0])
    if not 8 <= len(digits) <= 12 or is_code(match) or is_amount(match) or DATE.match(match[0]):
        return False
    if _THOUSANDS.fullmatch(match[0]) or isbn.is_valid(digits) or ean.is_valid(digits):
        return False
    return any(
        found.start == 0 and found.end == len(match[0])
        for region in regions
        for found in phonenumbers.PhoneNumberMatcher(match[0], region, phonenumbers.Leniency.STRICT_GROUPING)
    )


def _is_mobile_of(match: re.Match, regions: tuple[str, ...]) -> bool:
    """Whether a bare run of digits is a mobile number of a region, and neither a code nor an amount."""
    digits = match[0]
    national = digits.startswith("0") or ("CN" in regions and len(digits) == 11 and digits.startswith("1"))
    if not national or is_code(match) or is_amount(match) or isbn.is_valid(digits) or ean.is_valid(digits):
        return False
    for region in regions:
        number = phonenumbers.parse(digits, region)
        if phonenumbers.number_type(number) in _MOBILE and phonenumbers.is_valid_number_for_region(number, region):
            return number.country_code != 1
    return False
