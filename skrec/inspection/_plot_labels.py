"""Labels that matplotlib can draw: a font that has their characters, else their Latin spelling."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from skrec.exceptions import MissingGlyphWarning
from skrec.utils import HAN, as_text, caller_level

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # but no line feed
_HAN = re.compile(f"[{HAN}]+")
_MARKS = str.maketrans(
    dict(zip("、，。：；！？", [f"{mark} " for mark in ",,.:;!?"], strict=True))
    | dict(zip("《》「」『』【】", '""""""[]', strict=True))
    | dict(zip("〈〉", "''", strict=True))
)
_UNASSIGNED = 0x0378  # held by fonts alone that draw a box for every character
_REGULAR = 400
_WEIGHTS = {"normal": 400, "regular": 400, "book": 400, "medium": 500, "roman": 400}


class PlotLabels(NamedTuple):
    """Labels of a plot, and the fonts that draw them."""

    texts: list[str]
    """One label per text, for matplotlib."""
    family: list[str]
    """Names of font families for the ``family`` of a text: what a font lacks is taken from the next."""


def plot_labels(texts: Iterable[Any]) -> PlotLabels:
    """Find fonts that have the characters of texts, such as Chinese titles, for matplotlib.

    Fonts of matplotlib's settings come first. Where these lack characters, the character maps of all installed fonts
    are searched for them. What no font has is not drawn as empty boxes: with one warning, Chinese characters are
    written in Latin letters (Pinyin) if the package pypinyin is installed, and others by their code points.

    Parameters
    ----------
    texts : iterable of str
        Titles, names and whatever else a plot is labelled with. A missing value is an empty label.

    Returns
    -------
    labels : PlotLabels
        ``texts``, in the same order, and ``family``, for the ``family=`` of :meth:`matplotlib.axes.Axes.set_yticks`,
        ``set_title``, ``annotate`` and others. A dollar sign is escaped, since matplotlib reads a formula between two.

    Warns
    -----
    MissingGlyphWarning
        If no installed font has some of the characters.

    Examples
    --------
    >>> from skrec.inspection import plot_labels
    >>> plot_labels(["Emma", "Moby-Dick", "From $1 to $2"]).texts
    ['Emma', 'Moby-Dick', 'From \\\\$1 to \\\\$2']
    """
    given = [_CONTROL.sub(" ", as_text(text) or "") for text in texts]
    family, missing = _find_fonts(given)
    unseen = {sign for sign in missing if unicodedata.category(sign) == "Cf"}  # such as marks of the writing direction
    given = [text.translate(dict.fromkeys(map(ord, unseen))) for text in given]
    missing -= unseen
    if missing:
        warnings.warn(_advice(missing), MissingGlyphWarning, stacklevel=caller_level())
        given = [_spell(text, missing) for text in given]
    return PlotLabels([text.replace("$", r"\$") for text in given], family)


def _find_fonts(texts: list[str]) -> tuple[list[str], set[str]]:
    """Families that draw the texts, and the characters that no font has."""
    from matplotlib import font_manager, rcParams

    family = list(rcParams["font.family"])
    missing = set().union(*texts) - {"\n"}
    for name in family:
        missing -= _held_by(font_manager.findfont(font_manager.FontProperties(family=[name])), missing)
    candidates = list(_installed_fonts()) if missing else []
    while missing and candidates:
        held = {font: _held_by(font.fname, missing) for font in candidates}
        best = max(candidates, key=lambda font: len(held[font]))  # the first of equals
        if not held[best]:
            break
        family.append(best.name)
        missing -= held[best]
        candidates = [font for font in candidates if held[font]]
    return family, missing


def _installed_fonts() -> Iterator[Any]:
    """Upright fonts of regular weight, also those installed after matplotlib wrote its list of fonts."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {font.fname for font in manager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            manager.addfont(path)
        except (OSError, RuntimeError):  # of a kind that matplotlib cannot read
            continue
    upright = [font for font in manager.ttflist if font.style == "normal" and _weight(font) == _REGULAR]
    yield from sorted(upright, key=lambda font: (font.name, font.fname))


def _weight(font: Any) -> int:
    return font.weight if isinstance(font.weight, int) else _WEIGHTS.get(font.weight, 0)


def _held_by(path: str, signs: set[str]) -> set[str]:
    """The characters that a font has, by its character map: the name of a font tells nothing."""
    from matplotlib.font_manager import get_font

    try:
        known = get_font(path).get_charmap()
    except (OSError, RuntimeError):  # the file is gone or damaged
        return set()
    return set() if _UNASSIGNED in known else {sign for sign in signs if ord(sign) in known}


def _spell(text: str, missing: set[str]) -> str:
    """A text without the characters that cannot be drawn."""
    if missing.isdisjoint(text):
        return text
    pinyin = _pinyin()
    if pinyin is not None:
        narrow = unicodedata.normalize("NFKC", _HAN.sub(pinyin, text).translate(_MARKS))
        text = " ".join(narrow.split())
    undrawn = f"[{re.escape(''.join(missing))}]+"
    return re.sub(undrawn, lambda run: "[" + " ".join(f"{ord(sign):X}" for sign in run[0]) + "]", text)


def _pinyin() -> Callable[[re.Match[str]], str] | None:
    """What spells a run of Chinese characters, where pypinyin is installed."""
    try:
        from pypinyin import lazy_pinyin
    except ImportError:
        return None

    def spelt(run: re.Match[str]) -> str:
        before, after = run.string[: run.start()][-1:], run.string[run.end() :][:1]
        syllables = " ".join(lazy_pinyin(run[0], v_to_u=True))
        return f"{' ' * before.isalnum()}{syllables}{' ' * after.isalnum()}"

    return spelt


def _advice(missing: set[str]) -> str:
    said = f"No installed font has {len(missing)} of the characters of these labels, such as "
    said += repr("".join(sorted(missing)[:5]))
    if not any(map(_HAN.match, missing)):
        return f"{said}: they are written as code points. Install a font that has them."
    fonts = "Install a font that has them, such as Debian's fonts-noto-cjk or fonts-wqy-microhei"
    if _pinyin() is not None:
        return f"{said}: Chinese is written in Pinyin. {fonts}."
    return f"{said}: they are written as code points. {fonts}, or pypinyin (pip install 'skrec-text[cjk]')."
