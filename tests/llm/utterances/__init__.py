"""Utterances of a conversation about books, labelled, and how a critique is compared with a label.

They were written before their author had read the phrases of the parser. A label is a list of effects: ``want:WORD``
and ``not:WORD`` (a wish by words, genre or author; of two words with a slash between them, either), ``like:ID``,
``dislike:ID`` and ``known:ID``, bounds such as ``pages<=300`` (``pages<`` is any upper bound), ``reject``, ``restart``,
the answers ``yes``, ``no`` and ``any``, and ``none``.

The half put aside was looked at once the phrases were settled. Understood were then, of the two halves: English 31 of
31 and 28 of 31, German 30 of 30 and 25 of 30, French 30 of 30 and 25 of 30, Spanish 30 of 30 and 26 of 30, Chinese 37
of 37 and 36 of 36. What was misread was mended afterwards, so both halves are tests of what stays.

The next 40 lines of each language were written later, again before the phrases were read, and as people write. At their
first look 103 of the 200 were understood: English 22, German 19, French 20, Spanish 19, Chinese 23 of 40. Then what
failed among the first, third, ... of them was mended by kinds; of the other 100, which were not looked at meanwhile, 80
were understood (before: 40): English 16, German 16, French 13, Spanish 17, Chinese 18 of 20. What these misread was
mended last.

The 40 lines of each language after these came later still, before the phrases were read, and freer: with reasons,
idioms and asides ("I've got a long flight", "auf Krieg kann ich verzichten", "怎么又是政治"). At their first look
119 of the 200 were understood. What failed among the first, third, ... of them was mended by kinds (this rather than
that; yes or no after a title; who is to read; "in the same vein"; what a user tells of themselves); of the others 54 of
100 were understood then, at one look (before: 49). The last 17 to 20 lines served to mend further. Of 68 more, as free
and written at the end, 36 were read wholly as labelled, and most others in part: a model is better at such
(``llm=``). So four of five plain utterances, and half of the free ones, are what to expect of the phrases.

After those come 40 lines of each language that were written before any phrase was read, and as different people type
(thanks and excuses, reasons, spelling mistakes, accents left out, traditional signs). At their first look 94 of the
200 were understood. Then rules took the place of lists: words that no cue leads to and no item has are of the user;
adjectives in every degree; a negation before any verb of liking; one letter wrong; "already"; a verb with "again". Of
the half that was not looked at meanwhile (44 of 100 before) 63 were understood: English 11, German 13, French 11,
Spanish 14, Chinese 14 of 20. The last 20 lines of each language were written after what these misread was mended, and
are the newest figure: 81 of 100 at their first look, 52 with the phrases of before; English 18, German 17, French 17,
Spanish 16, Chinese 13 of 20. The 50 to 52 lines between served to mend.

The last 80 lines of Chinese, of people who write as they speak, were written before any phrase was read, and looked at
in four blocks of 20: each block once, then what it misread was mended by kinds (the lesser of two wishes; a verb of
liking in the negative; particles; how an item seems; small talk; traditional signs), then the next. At their first
looks 14, 16, 18 and 18 of 20 were understood; the phrases of before understood 14, 16, 18 and 17. So the newest figure
for Chinese is 18 of 20 (95 % interval .70 to .97), and most of what was mended is of the kinds of the first blocks.

The last 80 lines of English, German, French and Spanish came from someone who had not seen the parser, and were looked
at in four blocks of 20 a language, each once before it served to mend (the last after all mending). Understood at that
look, with the parser of before in brackets: 60 of 80 (the same), 65 (59), 70 (62), and of the last block, the newest
figure, 65 (60): English 16 (15), German 16 (15), French 19 (17), Spanish 14 (13) of 20. So .81 of free utterances is
what to expect, .9 in French alone. What the rules of this round are about is in ``test_utterance_rules.py``. No label
was taken out; three of the fifteen that failed last were understood and compared too strictly ("comedies" is no
"comedy", "sci-fi" no "science fiction", "to laugh" beside a comedy), and count as failed.

The last 40 lines of these four languages are of a later author who had not seen the parser either, looked at in two
blocks of 20 a language; in brackets what the parser of before this round understood. The first block, after mending by
other sentences only: 70 of 80 (71), English 16, German, French and Spanish 18 of 20. The last, after the first had
served to mend and before it did itself, the newest figure: 65 of 80 (63), English 17 (17), German 14 (13), French 17
(17), Spanish 17 (16) of 20, which is .81 (95 % interval .71 to .88). So the rules of this round, which read most of
what they were made for, won hardly anything on sentences of others; .9 was reached in none of the four languages.
"""

import re
from pathlib import Path

from skrec.llm._conversation._critique_parser import CritiqueReader
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import load_lexicon
from skrec.llm._conversation._state import Question
from skrec.llm._conversation._tokens import tokenize
from skrec.llm._conversation._word_forms import fold

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "de", "fr", "es", "zh")
SHOWN = ("b01", "b04", "b05", "b07", "b11")
_BOUND = re.compile(r"(pages|year)([<>])=?(\d*)")


def utterances(language, *, held_out):
    """Text and labels of one half: the first, third, ... lines served development, the others were put aside."""
    lines = (FOLDER / f"{language}.tsv").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for at, line in enumerate(lines) if (at % 2 == 1) == held_out]


def books(language):
    """Ids and facts of the catalogue in one language."""
    header, *rows = (line.split("\t") for line in (FOLDER / "books.tsv").read_text(encoding="utf-8").splitlines())
    texts = [row[header.index(language)].split("|") for row in rows]
    cells = {name: [text[at] for text in texts] for at, name in enumerate(("title", "author", "genre", "description"))}
    numbers = {name: [int(row[at]) for row in rows] for at, name in ((1, "year"), (2, "pages"))}
    ids = [row[0] for row in rows]
    return ids, ItemFacts({**cells, **numbers}, None, ids)


def misread(text, label, language, ids, facts):
    """What a critique has and the label lacks, and the reverse: empty where the utterance is understood."""
    # A label such as "want:science fiction" has a space of its own.
    effects = re.split(r" (?=(?:want|not|like|dislike|known|pages|year|reject|restart)\b)", label)
    pending = Question("", "about", ("sea",)) if {"yes", "no", "any"} & set(effects) else None
    reader = CritiqueReader(facts, [ids.index(one) for one in SHOWN], pending)
    critique = reader.read(text, "en" if language == "zh" else language)
    found = _effects(critique, ids)
    wrong = [one for one in found if not any(_agree(one, effect, language) for effect in effects)]
    missing = [e for e in effects if e != "none" and not any(_agree(one, e, language) for one in found)]
    return [*map("extra {}".format, wrong), *map("missing {}".format, missing)]


def _effects(critique, ids):
    found = [(kind, ids[code]) for kind in ("liked", "disliked", "known") for code in getattr(critique, kind)]
    found += [("want", text) for text in critique.wanted] + [("not", text) for text in critique.unwanted]
    for one in critique.constraints:
        if one.relation in ("<=", ">="):
            found.append((one.attribute + one.relation[0], str(one.value)))
        else:
            found.append(("want" if one.weight > 0 else "not", str(one.value)))
    found += [(critique.answer, "")] if critique.answer else []
    return found + [
        (kind, "") for kind, has in (("reject", critique.reject_shown), ("restart", critique.restart)) if has
    ]


def _agree(found, effect, language):
    kind, value = found
    if bound := _BOUND.fullmatch(effect):
        return kind == bound[1] + bound[2] and (not bound[3] or abs(float(value) - float(bound[3])) <= 1)
    name, _, word = effect.partition(":")
    if name in ("like", "dislike", "known"):
        return kind == {"like": "liked", "dislike": "disliked"}.get(name, name) and value == word
    if name in ("want", "not"):
        words = word.split("/")
        return kind == name and any(fold(w) in fold(value) or value == _concept(w, language) for w in words)
    return kind == name


def _concept(word, language):
    tokens = tokenize(word)
    concept = load_lexicon(language).concept_at(tokens, 0)
    return None if concept is None else concept.name
