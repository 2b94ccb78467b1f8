"""Patterns of words that know the vowel signs of every script."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from skrec.utils._words._scripts import is_simple


class WordPattern:
    """A regular expression over words, run by ``re`` where that knows the script, else by ``regex``.

    ``\\w`` of re leaves out combining vowel signs, and cuts a word of Hindi at each of them; that of regex follows
    the Unicode standard, and is slower.

    Parameters
    ----------
    pattern : str
        Without groups.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._plain = re.compile(pattern)

    def __reduce__(self) -> tuple[Any, ...]:
        return WordPattern, (self.pattern,)

    @cached_property
    def _full(self) -> Any:
        import regex

        return regex.compile(self.pattern)

    def strings(self, text: str) -> list[str]:
        """All matches, in order."""
        found: list[str] = (self._plain if is_simple(text) else self._full).findall(text)
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Start and stop of all matches, in order."""
        return [match.span() for match in (self._plain if is_simple(text) else self._full).finditer(text)]
