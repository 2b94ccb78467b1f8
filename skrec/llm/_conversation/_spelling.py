"""Spelling mistakes of one letter, against the words that a catalogue and a language have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import LANGUAGES, Lexicon, load_lexicon
from skrec.llm._conversation._tokens import Token
from skrec.utils import is_spaceless

_CLOSE = 0.86
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LEAST, _LEAST_OTHER = 5, 7
"""Lengths of words: "house" and "horse", "flight" and "fight" are no mistakes; only long words are mended so."""


def corrected(text: str, tokens: list[Token], facts: ItemFacts, lexicon: Lexicon) -> str | None:
    """The text with words that are known nowhere spelt as a known one; None where there is no such word.

    Parameters
    ----------
    text : str
    tokens : list of Token
        Those of the text.
    facts : ItemFacts
    lexicon : Lexicon
        That of the language of the text.
    """
    parts, done = [], 0
    for token in tokens:
        word = token.norm
        known = lexicon.knows_whole(word) or word in facts.vocabulary
        if not known and (two := lexicon.parted(word)) is not None:
            parts += [text[done : token.start], " ".join(two)]
            done = token.stop
            continue
        if len(word) < _LEAST or not word.isalpha() or is_spaceless(word) or _is_known(word, facts, lexicon):
            continue
        for has in (lambda near: near in facts.vocabulary, lexicon.knows_whole):
            if (near := _nearest(word, has)) is not None:
                parts += [text[done : token.start], near]
                done = token.stop
                break
    return "".join([*parts, text[done:]]) if parts else None


def _is_known(word: str, facts: ItemFacts, lexicon: Lexicon) -> bool:
    if (
        word in facts.vocabulary
        or lexicon.knows(word)
        or any(load_lexicon(code).knows_form(word) for code in LANGUAGES)
    ):
        return True
    return bool(facts.forms_of(word))


def _nearest(word: str, has: Callable[[str], bool]) -> str | None:
    return next((near for near in _one_letter_off(word) if len(near) >= _LEAST and has(near)), None)


def _one_letter_off(word: str) -> Iterator[str]:
    """Words with a doubled letter less, two changed about, one more; for a long word any less, or another."""
    long = len(word) >= _LEAST_OTHER
    splits = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]  # the first letter is seldom wrong
    yield from (head + tail[1:] for head, tail in splits if tail and (head[-1] == tail[0] or long))
    yield from (head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1)
    yield from (head + letter + tail for head, tail in splits for letter in _LETTERS)
    if long:
        yield from (head + letter + tail[1:] for head, tail in splits if tail for letter in _LETTERS)


def find_title(facts: ItemFacts, words: list[str]) -> int | None:
    """The item with a title, exact or with a spelling mistake."""
    code = facts.title_codes.get(tuple(words))
    if code is None and words:
        said = " ".join(words)
        # Mistakes seldom change both the first letter and every word; comparing with all titles would be slow.
        near = (
            t for t in facts.title_codes if abs(len(t) - len(words)) <= 1 and (t[0][0] == said[0] or {*t} & {*words})
        )
        spelt = {" ".join(title): facts.title_codes[title] for title in near}
        close = difflib.get_close_matches(said, spelt, n=1, cutoff=_CLOSE)
        code = spelt[close[0]] if close else None
    return code
