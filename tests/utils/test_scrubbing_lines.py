"""The scrubber on lines of customers and shops in five languages, each marked by hand with what it holds.

``scrubbing_lines.tsv`` holds one line each, its language before a tab; personal data stand as ``{kind:value}``, and
characters that are hard to see as ``\\u200b``. All e-mail addresses, numbers and people are made up.

The last 120 lines were written before their author had read the rules. At their first look 65 of 69 items were found
and nothing was taken wrongly: recall .942; the four missed were mended (lengths of IBAN by country, their banks' check
digits, one telephone number with a slash, passports of few digits). One label was wrong and was corrected.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from skrec.llm import Scrubber

LINES = Path(__file__).with_name("scrubbing_lines.tsv")
MARKED = re.compile(r"\{([a-z]+):([^{}]*)\}")
ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


def read_lines() -> list[tuple[str, str]]:
    """The language and the marked text of each line."""
    rows = [line.split("\t") for line in LINES.read_text(encoding="utf-8").split("\n") if line]
    return [(language, ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)) for language, text in rows]


def labelled(marked: str) -> tuple[str, set[tuple[int, int, str]]]:
    """The text as a customer writes it, and the spans with their kinds that it holds."""
    text, spans, at = "", set(), 0
    for found in MARKED.finditer(marked):
        text += marked[at : found.start()]
        spans.add((len(text), len(text) + len(found[2]), found[1]))
        text += found[2]
        at = found.end()
    return text + marked[at:], spans


def taken(text: str, scrubbed: str, kinds: set[str]) -> set[tuple[int, int, str]]:
    """The spans of ``text`` for which marks stand in ``scrubbed``."""
    parts = re.split(rf"\[({'|'.join(sorted(kinds))})\]", scrubbed)
    match = re.fullmatch("(.+?)".join(map(re.escape, parts[::2])), text, re.DOTALL)
    assert match is not None, (text, scrubbed)
    return {(*match.span(number), kind) for number, kind in enumerate(parts[1::2], start=1)}


def measure(lines: list[tuple[str, str]]) -> tuple[Counter[str], Counter[str], Counter[str], list[tuple[str, str]]]:
    """Per kind what was found, missed and wrongly taken; and the lines that differ, as marked and as scrubbed."""
    scrub = Scrubber()
    kinds = {found[1] for _, marked in lines for found in MARKED.finditer(marked)}
    right, missed, wrong = Counter[str](), Counter[str](), Counter[str]()
    differ = []
    for _, marked in lines:
        text, expected = labelled(marked)
        scrubbed, _ = scrub(text)
        found = taken(text, scrubbed, kinds)
        right.update(kind for *_, kind in expected & found)
        missed.update(kind for *_, kind in expected - found)
        wrong.update(kind for *_, kind in found - expected)
        if scrubbed != MARKED.sub(r"[\1]", marked):
            differ.append((marked, scrubbed))
    return right, missed, wrong, differ


def test_the_set_is_large_and_half_of_it_holds_nothing():
    lines = read_lines()
    per_language = Counter(language for language, _ in lines)
    assert len(lines) >= 500
    assert set(per_language) == {"en", "de", "fr", "es", "zh"}
    assert min(per_language.values()) >= 100
    holding = sum(bool(MARKED.search(marked)) for _, marked in lines)
    assert 0.4 < holding / len(lines) < 0.6


def test_recall_and_precision_over_all_lines():
    right, missed, wrong, differ = measure(read_lines())
    assert right.total() / (right.total() + missed.total()) >= 0.98, differ
    assert right.total() / (right.total() + wrong.total()) >= 0.98, differ


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "zh"])
def test_no_language_falls_behind(language):
    right, missed, wrong, differ = measure([line for line in read_lines() if line[0] == language])
    assert right.total() / (right.total() + missed.total()) >= 0.95, differ
    assert right.total() / (right.total() + wrong.total()) >= 0.95, differ
