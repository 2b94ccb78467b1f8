"""Text into words: Unicode rules, dictionaries for languages without spaces, or a tokenizer of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

from skrec.utils._loading import check_kind, refuse_state
from skrec.utils._words._libraries import LIBRARIES, MODULES, NAMES, cut, known_words
from skrec.utils._words._patterns import WordPattern
from skrec.utils._words._scripts import HAN, HANGUL, KANA, SOUTH_EAST_ASIAN, is_simple, is_spaceless, main_script
from skrec.utils._words._stop_words import FUNCTION_WORDS

WORDS = WordPattern(r"[^\W_]+")
_LETTERS = WordPattern(r"[^\W\d_]+")
_LONG_WORDS = WordPattern(r"[^\W\d_]{3,}")
# One kind of script each. A digit or a Latin letter inside a run of Han signs is a word of its own.
_PIECES = WordPattern(f"[{HAN}{KANA}]+|[{HANGUL}]+|[{SOUTH_EAST_ASIAN}]+|[^{HAN}{KANA}{HANGUL}{SOUTH_EAST_ASIAN}]+")

Tokenizer = Callable[[str], Iterable[str]]


class WordSplitter:
    """Splits texts into words.

    Languages that write spaces are split by Unicode rules. Chinese is split by rjieba, Japanese by SudachiPy and Korean
    by kiwipiepy where they are installed; where not, and for Thai, Lao, Burmese and Khmer, the words are pairs
    of neighbouring signs, and Korean is split at its spaces.

    Parameters
    ----------
    tokenizer : callable, default=None
        From a text to its words, used instead for every text. It must be picklable where the estimator is pickled.
    use_libraries : bool, default=True
        False splits the same way whatever is installed.

    Attributes
    ----------
    libraries : dict of str to str
        By language, the library that has split a text of it; empty where none was installed. A pickle keeps
        it: the words of a fitted model are found again by the same library alone.

    Raises
    ------
    ImportError
        If it is loaded where a library that it used is not installed.

    Examples
    --------
    >>> from skrec.utils import WordSplitter
    >>> WordSplitter().words("a walled garden, naïve")
    ['a', 'walled', 'garden', 'naïve']
    >>> WordSplitter(str.split).words("to be, or not")
    ['to', 'be,', 'or', 'not']
    """

    def __init__(self, tokenizer: Tokenizer | None = None, *, use_libraries: bool = True) -> None:
        if tokenizer is not None and not callable(tokenizer):
            raise TypeError(
                f"tokenizer={tokenizer!r} is a {type(tokenizer).__name__}; pass a function from a text to the list of "
                "its words, or None."
            )
        self.tokenizer = tokenizer
        self.libraries: dict[str, str] = {} if use_libraries else dict.fromkeys(LIBRARIES, "")

    def __repr__(self) -> str:
        return f"WordSplitter({'' if self.tokenizer is None else self.tokenizer!r})"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        check_splitter(self, "splitter")

    # What is split -----------------------------------------------------------------------------------

    def words(self, text: str, pattern: WordPattern = WORDS) -> list[str]:
        """The words of a text, in order.

        Parameters
        ----------
        text : str
        pattern : WordPattern
            What a word is where spaces are written; unused with a tokenizer.
        """
        if self.tokenizer is not None:
            return self._tokenized(text)
        if is_simple(text):
            return pattern.strings(text)
        return [text[start:stop] for start, stop in self.spans(text, pattern)]

    def spans(self, text: str, pattern: WordPattern = WORDS) -> list[tuple[int, int]]:
        """Start and stop of the words of a text. Pairs of signs overlap. Words that are not in the text have none."""
        if self.tokenizer is not None:
            return list(_located(text, self._tokenized(text), 0))
        found = pattern.spans(text)
        if is_simple(text):
            return found
        japanese = main_script(text) == "ja"
        spans = []
        for start, stop in found:
            spans += self._split_run(text, start, stop, japanese)
        return spans

    def borders(self, run: str) -> set[int]:
        """Where words of a run of Chinese begin or end; of those that the dictionary has, where there is one.

        A dictionary guesses words that it does not have, "但别" (but not) for one, which would hide both.
        """
        if self.tokenizer is None and self._library("zh") == "rjieba":
            return {edge for span in _located(run, known_words(run), 0) for edge in span}
        return {edge for span in self.spans(run) for edge in span}

    def _tokenized(self, text: str) -> list[str]:
        assert self.tokenizer is not None
        given = self.tokenizer(text)
        words = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else None
        if words is None or not all(isinstance(word, str) for word in words):
            raise TypeError(
                f"tokenizer={self.tokenizer!r} returned {given!r:.80} for the text {text[:40]!r}; it must return a "
                "list of str, which may be empty."
            )
        return [word for word in words if word.strip()]

    # Scripts without spaces --------------------------------------------------------------------------

    def _split_run(self, text: str, start: int, stop: int, japanese: bool) -> list[tuple[int, int]]:
        """The words of a run without spaces, which may mix scripts."""
        run = text[start:stop]
        if run.isascii():
            return [(start, stop)]
        spans = []
        for first, last in _PIECES.spans(run):
            piece = run[first:last]
            language = main_script(piece)
            if language == "zh" and japanese:
                language = "ja"
            if language is None and not is_spaceless(piece):
                found = [(0, len(piece))]
            else:
                found = self._split_piece(piece, language or "")
            spans += [(start + first + low, start + first + high) for low, high in found]
        return spans

    def _split_piece(self, piece: str, language: str) -> list[tuple[int, int]]:
        library = self._library(language) if language else ""
        if library:
            return list(_located(piece, cut(library, piece), 0))
        return [(0, len(piece))] if language == "ko" else _pairs(piece)

    def _library(self, language: str) -> str:
        """What splits a language; empty where nothing is installed."""
        if language not in self.libraries:
            self.libraries[language] = LIBRARIES[language] if _is_installed(LIBRARIES[language]) else ""
        return self.libraries[language]


def check_splitter(value: object, name: str) -> None:
    """Check a loaded splitter, and that the libraries that it used are there.

    Raises
    ------
    DamagedStateError, ImportError
    """
    check_kind(value, name, WordSplitter)
    assert isinstance(value, WordSplitter)
    check_kind(value.libraries, f"{name}.libraries", dict)
    for language, library in value.libraries.items():
        if library not in ("", LIBRARIES.get(language)):
            refuse_state(f"{name}.libraries[{language!r}]", repr(library), repr(LIBRARIES.get(language, "")))
        if library and not _is_installed(library):
            raise ImportError(
                f"This model was fitted on {NAMES[language]} text that {library} split into words, and {library} is "
                f"not installed here; install it (pip install 'skrec-text[cjk]'), or fit again."
            )


def content_words(text: str, splitter: WordSplitter) -> list[str]:
    """Words that may tell something: of three letters or more, and in scripts without spaces of two or more.

    Parameters
    ----------
    text : str
        In lower case.
    splitter : WordSplitter
    """
    stop_words = _stop_words()
    if splitter.tokenizer is None and is_simple(text):
        return [word for word in _LONG_WORDS.strings(text) if word not in stop_words]
    words = [word for word in splitter.words(text, _LETTERS) if word not in stop_words]
    return [word for word in words if len(word) >= 3 or (len(word) == 2 and not is_simple(word))]


def count_words(text: str, splitter: WordSplitter) -> int:
    """Number of words; of a text of simple scripts, the number of parts between spaces."""
    if splitter.tokenizer is None and is_simple(text):
        return len(text.split())
    return len(splitter.words(text))


def installed_splitters() -> list[str]:
    """Names of the libraries that split languages without spaces here."""
    return [library for library in LIBRARIES.values() if _is_installed(library)]


def _is_installed(library: str) -> bool:
    return all(find_spec(module) is not None for module in MODULES[library])


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS | FUNCTION_WORDS


def _located(text: str, words: Iterable[str], start: int) -> Iterable[tuple[int, int]]:
    for word in words:
        at = text.find(word, start)
        if at >= 0:
            start = at + len(word)
            yield at, start


def _pairs(piece: str) -> list[tuple[int, int]]:
    """Pairs of neighbouring signs, each with its vowel signs; a single one alone."""
    import regex

    signs = [match.span() for match in regex.finditer(r"\X", piece)]
    if len(signs) == 1:
        return signs
    return [(first[0], second[1]) for first, second in pairwise(signs)]
