"""The language of a text, by the words of each lexicon, and the themes of a catalogue in its language."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import LATIN, load_lexicon
from skrec.llm._conversation._tokens import Token, tokenize
from skrec.llm._conversation._word_forms import fold, stem
from skrec.utils import is_spaceless, main_script

_KNOWN_SHARE = 0.2
_SHORT = 4
_SAMPLED = 200
_SIGNS_PER_WORD = 1.5


def catalogue_themes(facts: ItemFacts) -> dict[str, NDArray[np.bool_]]:
    """By theme, a mask of the items whose text names it, in the language of the texts."""
    rows = range(0, facts.n_items, max(facts.n_items // _SAMPLED, 1))
    texts = [str(column[row]) for column in facts.cells.values() for row in rows if isinstance(column[row], str)]
    if not texts:
        return {}
    language = detect_language(tokenize(" ".join(texts)), "en")
    languages = LATIN if language is None else (language,)
    patterns = {
        concept: [pattern for code in languages for pattern in load_lexicon(code).concepts[concept]]
        for concept in load_lexicon("en").concepts
    }
    return {concept: facts.items_with(words) for concept, words in patterns.items()}


def detect_language(tokens: list[Token], last: str, known: set[str] | None = None) -> str | None:
    """The language of a text; ``last`` where the text is too short, None where no lexicon covers it.

    Parameters
    ----------
    tokens : list of Token
    last : str
        Language of the conversation so far, preferred in a tie.
    known : set of str, optional
        Stems of titles and labels, which are ignored.
    """
    words = [token.norm for token in tokens if token.norm[0].isalpha() and stem(token.norm) not in (known or ())]
    script = main_script("".join(token.norm for token in tokens))
    spaceless = sum(len(word) for word in words if is_spaceless(word)) / _SIGNS_PER_WORD
    if script is not None and spaceless >= sum(not is_spaceless(word) for word in words):
        return "zh" if script == "zh" else None
    if not words:
        return last
    counts = {code: sum(map(load_lexicon(code).knows, words)) for code in LATIN}
    best = max(LATIN, key=lambda code: (counts[code], code == last))
    others = max(_other_languages(), key=lambda others: sum(word in others for word in words))
    foreign = sum(word in others for word in words)
    all_known = all(load_lexicon(best).knows(word) for word in words if word in others)
    if not all_known and foreign > max(
        1, counts[best] / 2, sum(word in load_lexicon(best).function_words for word in words)
    ):
        return None
    if counts[best] >= max(1, _KNOWN_SHARE * len(words)):
        return best
    return last if len(words) < _SHORT and all(map(_is_latin, words)) else None


def language_of(text: str) -> str:
    """The language of the templates that a text is nearest to; English where no language is recognised."""
    return detect_language(tokenize(text), "en") or "en"


@cache
def _other_languages() -> list[set[str]]:
    """Function words of unsupported languages that resemble a supported one."""
    text = files("skrec.llm._conversation").joinpath("languages", "other.json").read_text(encoding="utf-8")
    return [{fold(word) for word in words} for words in json.loads(text).values()]


def _is_latin(word: str) -> bool:
    return all("LATIN" in unicodedata.name(sign, "") for sign in word)
