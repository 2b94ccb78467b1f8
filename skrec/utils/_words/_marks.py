"""Separators of lists and marks of quotation in all scripts."""

from __future__ import annotations

import re

_SEPARATOR = re.compile(r"\s*[,;|/，、；｜／،؛]\s*")
_SEPARATOR_IN_PROSE = re.compile(r"\s*[,;，、；،؛]\s*")
_QUOTED = re.compile(
    r'[“"«„‹]\s*([^“”"«»„‹›\n]{1,200}?)\s*[”"»“›]'
    r"|[《〈「『【〖]\s*([^《》〈〉「」『』【】〖〗\n]{1,200}?)\s*[》〉」』】〗]"
    r"|＂([^＂\n]{1,200}?)＂"
)


def list_members(text: str, *, slashes: bool = True) -> list[str]:
    """The members of a list in one text: "novel, satire", "小说、讽刺" and "小说｜讽刺" have two.

    Parameters
    ----------
    text : str
    slashes : bool, default=True
        Whether "/" and "|" separate too, as in columns of a table.

    Examples
    --------
    >>> from skrec.utils import list_members
    >>> list_members("小说、讽刺；戏剧")
    ['小说', '讽刺', '戏剧']
    """
    separator = _SEPARATOR if slashes else _SEPARATOR_IN_PROSE
    return [part for part in separator.split(text.strip()) if part]


def quoted_texts(text: str) -> list[tuple[int, int, str]]:
    """Start, stop and content of each quotation, such as “Emma” and 《爱玛》."""
    return [(match.start(), match.end(), match[match.lastindex or 0]) for match in _QUOTED.finditer(text)]
