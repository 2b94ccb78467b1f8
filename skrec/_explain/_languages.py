"""Languages of texts: their names in prompts, and what of the templates is nearest to them."""

from __future__ import annotations

import re
import warnings

from skrec._explain._templates import LANGUAGES
from skrec.exceptions import TemplateLanguageWarning
from skrec.utils import caller_level

_LANGUAGE = re.compile(r"[^\W\d_][\w ()-]{1,39}")
_NAMES = {
    **{"en": "English", "de": "German", "fr": "French", "es": "Spanish", "zh": "Chinese", "it": "Italian"},
    **{"pt": "Portuguese", "ja": "Japanese", "ko": "Korean", "zh-hans": "Simplified Chinese"},
    **{"zh-hant": "Traditional Chinese", "zh-cn": "Simplified Chinese", "zh-tw": "Traditional Chinese"},
}
_OWN_NAMES = {
    **{"deutsch": "de", "français": "fr", "español": "es", "中文": "zh", "汉语": "zh", "漢語": "zh"},
    **{"简体中文": "zh-hans", "繁体中文": "zh-hant", "簡體中文": "zh-hans", "繁體中文": "zh-hant"},
}
_CODES = {name.lower(): code for code, name in _NAMES.items()} | _OWN_NAMES
_ASKED_FOR = re.compile(r"(?:in this language:|, in)\s+([^\W\d_][\w-]*(?: [^\W\d_]\w*)?)(?=[.,;\n]|$)")
_TAG = re.compile(r"[a-z]{2,3}(?:[-_]\w{2,8})*", re.IGNORECASE)
_NEAREST = {
    **dict.fromkeys(("cmn", "yue", "wuu", "nan", "hak", "lzh"), "zh"),
    **dict.fromkeys(("pt", "gl", "ca", "it", "ast", "an", "eu", "lad"), "es"),
    **dict.fromkeys(("oc", "wa", "br", "ht", "lb"), "fr"),
    **dict.fromkeys(("nl", "gsw", "nds", "bar", "als", "yi", "af", "fy"), "de"),
}
"""The language with templates that most readers of another one read best; English for all others."""


def language_name(language: str) -> str:
    """Name of a language for a prompt.

    Raises
    ------
    ValueError
        If the value does not look like a BCP-47 tag or the name of a language.
    """
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise ValueError(
            f"language must be a BCP-47 tag or a name, such as 'de', 'zh-Hans' or 'German'; got {language!r}."
        )
    return _NAMES.get(language.lower().replace("_", "-"), language)


def template_language(language: str) -> str:
    """Code of the language with templates that is nearest to a tag or a name.

    Examples
    --------
    >>> from skrec._explain._languages import template_language
    >>> [template_language(tag) for tag in ("de-AT", "German", "zh-Hant-TW", "pt-BR", "sw")]
    ['de', 'de', 'zh', 'es', 'en']
    """
    code = _primary(language)
    return code if code in LANGUAGES else _NEAREST.get(code, "en")


def prompt_language(prompt: str) -> str | None:
    """Code of the templates for the language that a prompt asks for, or None where it names none.

    Examples
    --------
    >>> from skrec._explain._languages import prompt_language
    >>> [prompt_language(f"One line, {asked}.") for asked in ("in this language: Simplified Chinese", "in it")]
    ['zh', None]
    """
    for asked in _ASKED_FOR.finditer(prompt):
        name, is_tag = asked[1], asked[0].startswith("in this language")
        if name.lower() in _CODES or (is_tag and _TAG.fullmatch(name)):
            return template_language(name)
    return None


def check_language(language: str, *, has_llm: bool | None = None) -> None:
    """Refuse what is no language, and say which templates stand in for it.

    Parameters
    ----------
    language : str
    has_llm : bool or None
        Whether a language model writes, in any language; None where none can.

    Raises
    ------
    ValueError

    Warns
    -----
    TemplateLanguageWarning
    """
    language_name(language)
    if not has_llm and _primary(language) not in LANGUAGES:
        nearest = template_language(language)
        advice = "" if has_llm is None else " Pass llm=... for texts in any language."
        warnings.warn(
            f"language={language!r} has no templates; the texts are in {_NAMES[nearest]} ({nearest!r}), the nearest of "
            f"{', '.join(LANGUAGES)}.{advice}",
            TemplateLanguageWarning,
            stacklevel=caller_level(),
        )


def _primary(language: str) -> str:
    """The first part of a tag, or the code of a name."""
    lowered = language.lower().replace("_", "-")
    return _CODES.get(lowered, lowered).split("-")[0]
