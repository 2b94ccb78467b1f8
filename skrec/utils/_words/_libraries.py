"""Libraries that split languages without spaces into words; each is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock

LIBRARIES = {"zh": "rjieba", "ja": "sudachipy", "ko": "kiwipiepy"}
MODULES = {"rjieba": ("rjieba",), "sudachipy": ("sudachipy", "sudachidict_core"), "kiwipiepy": ("kiwipiepy",)}
"""What must be installed for a library to work: a dictionary may be a package of its own."""

NAMES = {"zh": "Chinese", "ja": "Japanese", "ko": "Korean"}


def cut(library: str, text: str) -> list[str]:
    """The words of a text in order, by one of the libraries."""
    return _cutter(library)(text)


@cache
def _cutter(library: str) -> Callable[[str], list[str]]:
    return {"rjieba": _rjieba, "sudachipy": _sudachi, "kiwipiepy": _kiwi}[library]()


def known_words(text: str) -> list[str]:
    """The words of a Chinese text that the dictionary of rjieba has, and single signs; none is guessed."""
    import rjieba

    words: list[str] = rjieba.cut(text, hmm=False)
    return words


def _rjieba() -> Callable[[str], list[str]]:
    import rjieba

    cutter: Callable[[str], list[str]] = rjieba.cut
    return cutter


def _sudachi() -> Callable[[str], list[str]]:
    from sudachipy import Dictionary

    tokenizer, lock = Dictionary().tokenizer(), Lock()

    def split(text: str) -> list[str]:
        with lock:  # one tokenizer is for one thread at a time
            return [morpheme.surface() for morpheme in tokenizer.tokenize(text)]

    return split


def _kiwi() -> Callable[[str], list[str]]:
    from kiwipiepy import Kiwi

    kiwi, lock = Kiwi(num_workers=1), Lock()

    def split(text: str) -> list[str]:
        with lock:
            tokens = kiwi.tokenize(text)
        # A contraction has several morphemes at one place; the text between two starts is the word.
        starts = sorted({token.start for token in tokens} | {0})
        parts = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
        return [part for part in parts if part]

    return split
