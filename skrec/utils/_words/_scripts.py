"""The scripts of a text, as far as its words depend on them."""

from __future__ import annotations

import re

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
KANA = "\u3041-\u3096\u3099-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f"
HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Burmese and Khmer, which write no spaces between words."""
SPACELESS = HAN + KANA + SOUTH_EAST_ASIAN
INVISIBLE = "\u00ad\u200b\u2060\ufeff"
"""Soft hyphen, zero-width space, word joiner and byte order mark, which tell nothing in any script."""
JOINERS, DIRECTIONS = "\u200c\u200d", "\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
"""Invisible too, but part of the spelling of Persian, of emoji, and of texts of two directions."""

_SPACELESS = re.compile(f"[{SPACELESS}]")
_KANA = re.compile(f"[{KANA}]")
_SCRIPTS = {"zh": re.compile(f"[{HAN}]"), "ja": _KANA, "ko": re.compile(f"[{HANGUL}]")}
# Beyond these, ``\w`` of re knows neither vowel signs nor words without spaces. Latin, Greek, Cyrillic, typographic
# marks and currency signs are within.
_SIMPLE = re.compile("[\u0000-\u02ff\u0370-\u0482\u048a-\u0588\u1e00-\u1fff\u2000-\u20cf\u2100-\u2bff]*")


def is_simple(text: str) -> bool:
    """Whether the words of a text are runs of ``\\w`` of re."""
    return text.isascii() or _SIMPLE.fullmatch(text) is not None


def is_spaceless(text: str) -> bool:
    """Whether a text has a sign of a script that writes no spaces between words."""
    return not text.isascii() and _SPACELESS.search(text) is not None


def main_script(text: str, least: float = 0.0) -> str | None:
    """ "zh", "ja" or "ko" for a text with Han signs, kana or Hangul, of which kana decide; None without.

    Parameters
    ----------
    text : str
    least : float, default=0
        Share of the letters that must be of it.
    """
    if text.isascii():
        return None
    counts = {code: len(pattern.findall(text)) for code, pattern in _SCRIPTS.items()}
    if counts["ja"]:
        counts["ja"] += counts["zh"]
        counts["zh"] = 0
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] and counts[best] >= least * sum(map(str.isalpha, text)) else None
