"""Numbers with a check digit, and addresses: cards, IBAN, identity numbers, e-mail, IP.

Check digits by python-stdnum; addresses of the internet by :mod:`ipaddress`.
"""

import ipaddress
import itertools
import re
from datetime import date
from string import ascii_uppercase

from stdnum import iban, luhn, numdb
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.iso7064 import mod_11_2

from skrec.utils._privacy._codes import digits_of, is_code
from skrec.utils._privacy._folded_text import LETTER, UNSPACED, Rule

# A number stands alone: it neither goes on as a word, a decimal or a time, nor is it the end of one. A comma or a colon
# right before it is common where no space follows them, as in Chinese; after a digit it makes a decimal or a time.
START, END = rf"(?<!{LETTER})(?<![./+-])(?<!\d[,:])", rf"(?!{LETTER}|-|[.,:/]\d)"

_EMAIL = re.compile(
    rf"(?:(?![{UNSPACED}])[\w.!#$%&'*+/=?^`{{|}}~-]){{1,64}}@"
    rf"(?:(?!_){LETTER}(?:(?:{LETTER}|-){{0,61}}(?!_){LETTER})?\.)+(?:(?![\d_]){LETTER}){{2,24}}(?!{LETTER}|-)"
)
_CARD = re.compile(START + r"\d(?:[ -]?\d){13,18}" + END)
_NETWORKS = re.compile(
    r"4\d{15}(?:\d{3})?|5\d{15}|2[2-7]\d{14}|35\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|6\d{15,18}"
)


def _iban_pattern() -> str:
    """Country codes with as many signs as the numbers of the country have: a word after a number is not part of it."""
    lengths: dict[int, list[str]] = {}
    for country in map("".join, itertools.product(ascii_uppercase, repeat=2)):
        for _, properties in numdb.get("iban").info(country):
            if "bban" in properties:
                n_signs = sum(map(int, re.findall(r"(\d+)!?[nac]", properties["bban"])))
                lengths.setdefault(n_signs, []).append(country)
    return "|".join(
        rf"(?:{'|'.join(countries)})\d\d(?:[ -]?[A-Z\d]){{{n_signs}}}" for n_signs, countries in lengths.items()
    )


_IBAN = re.compile(rf"{START}(?i:{_iban_pattern()}){END}")
_CHINESE_ID = re.compile(START + r"[1-9]\d{5}(?P<born>(?:18|19|20)\d{6})\d{3}[\dXx]" + END)
_SSN = re.compile(START + r"(?!000|666|9)\d{3}([- ])(?!00)\d\d\1(?!0000)\d{4}" + END)
_DNI = re.compile(START + r"(?:\d{8}|[XYZxyz]-?\d{7})-?[A-Za-z]" + END)
_NIR = re.compile(START + r"[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d" + END)
_IPV4 = re.compile(rf"(?<!{LETTER})(?<![./+-])(?<![\d:]:)\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!{LETTER}|-|\.\d)")
_IPV6 = re.compile(
    rf"(?<!{LETTER})(?<![./+-])(?<![\d:]:)(?=[0-9A-Fa-f]|::)[0-9A-Fa-f:]{{2,39}}(?<!:)(?!{LETTER}|-|[.:]\d)"
)
_VERSION_BEFORE = re.compile(
    r"(?:\bv|\bver|\bversion|versión|\bbuild|firmware|release|版本|固件)[\s.:号]{0,3}$", re.IGNORECASE
)


def _is_card(match: re.Match) -> bool:
    digits = digits_of(match[0])
    return _NETWORKS.fullmatch(digits) is not None and luhn.is_valid(digits) and not is_code(match)


def _is_chinese_id(match: re.Match) -> bool:
    born = match["born"]
    try:
        date(int(born[:4]), int(born[4:6]), int(born[6:]))
    except ValueError:
        return False
    return mod_11_2.is_valid(match[0].upper()) and not is_code(match)


def _is_ip(match: re.Match) -> bool:
    if _VERSION_BEFORE.search(match.string[max(0, match.start() - 16) : match.start()]) or is_code(match):
        return False
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    return address.version == 4 or match[0].count(":") >= 3 or ("::" in match[0][:-2] and len(match[0]) > 4)


CHECKED = [
    Rule("card", _CARD, _is_card),
    # Not by the check digits of banks too, which stdnum knows for some countries and not for all of their banks.
    Rule("iban", _IBAN, lambda match: iban.is_valid(match[0], check_country=False) and not is_code(match)),
    Rule("id", _CHINESE_ID, _is_chinese_id),
    Rule("id", _NIR, lambda match: nir.is_valid(match[0]) and not is_code(match)),
    Rule("id", _SSN, lambda match: not is_code(match)),
    Rule("id", _DNI, lambda match: (dni.is_valid(match[0]) or nie.is_valid(match[0])) and not is_code(match)),
    Rule("ip", _IPV4, _is_ip),
    Rule("ip", _IPV6, _is_ip),
]
EMAIL = Rule("email", _EMAIL)
