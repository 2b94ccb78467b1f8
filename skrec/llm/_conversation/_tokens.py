"""Words, numbers and signs of a text, with their positions."""

from __future__ import annotations

from dataclasses import dataclass

from skrec.llm._conversation._segmentation import HAN_OR_OTHER, Segmenter
from skrec.llm._conversation._word_forms import fold
from skrec.utils import WordPattern, is_spaceless

LONG_NAME = 3
"""Signs of a Chinese name that stands out of a text."""
_TOKEN = WordPattern(r"\d+(?:[.,]\d{3})+(?!\d)|\d+(?:[.,]\d+)?|[^\W\d_]+|[€$£¥￥º#]|[,;:.!?()…、。，；：！？（）\n]")
_MARKS = dict(zip("，；：。！？（）", ",;:.!?()", strict=True))


@dataclass(frozen=True)
class Token:
    """A word, a number or a punctuation mark of a text, with its position."""

    norm: str
    start: int
    stop: int
    capital: bool


def spell(phrase: str) -> tuple[str, ...]:
    """A phrase as the norms of its tokens."""
    return tuple(token.norm for token in tokenize(phrase))


def tokenize(text: str, segmenter: Segmenter | None = None) -> list[Token]:
    """Words, numbers and signs of a text; a run of Chinese signs is one token without a segmenter."""
    tokens = []
    for start, stop in _TOKEN.spans(text):
        word = text[start:stop]
        if segmenter is None or not is_spaceless(word):
            tokens.append(Token(_MARKS.get(word) or fold(word), start, stop, word[0].isupper()))
            continue
        for run in HAN_OR_OTHER.finditer(word):
            first = start + run.start()
            if is_spaceless(run.group()) and len(folded := fold(run.group())) == len(run.group()):
                pieces = segmenter.pieces(folded)
            else:
                pieces = [(fold(run.group()), 0, len(run.group()))]
            for norm, low, high in pieces:
                # A name of three signs or more stands out of a text like a word with a capital.
                is_name = norm in segmenter.names and len(norm) >= LONG_NAME
                tokens.append(Token(norm, first + low, first + high, is_name or text[first + low].isupper()))
    return tokens


def without_initials_stops(tokens: list[Token]) -> list[Token]:
    """The tokens without the full stops of initials, as in "H. G. Wells"."""
    kept = []
    for at, token in enumerate(tokens):
        follows = at + 1 < len(tokens) and tokens[at + 1].capital
        if not (token.norm == "." and follows and at and tokens[at - 1].capital and len(tokens[at - 1].norm) == 1):
            kept.append(token)
    return kept
