"""Spelling mistakes of one letter, forms of phrases and what is read of neither."""

import pytest

from skrec.llm._conversation._critique_parser import CritiqueReader
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import load_lexicon
from skrec.llm._conversation._spelling import corrected
from skrec.llm._conversation._tokens import tokenize

FACTS = ItemFacts(
    {
        "title": ["Voyages", "Houses", "Night", "Storm"],
        "genre": ["mystery", "mystery", "romance", "romance"],
        "text": ["pirates at sea", "old houses", "a night of stars", "a storm of snow"],
        "pages": [100, 200, 300, 400],
    },
    None,
    range(4),
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("a pirrates tale", "a pirates tale"),  # a doubled letter
        ("with piraets", "with pirates"),  # two letters changed about
        ("with piates", "with pirates"),  # a letter less
        ("storn", None),  # another letter is mended in long words alone
        ("romanse and mystery", "romance and mystery"),
        ("a long flight of horses", None),  # not "fight", not "houses"
        ("Piraten", None),  # a word of another language
        ("", None),
    ],
)
def test_one_letter(said, meant):
    assert corrected(said, tokenize(said), FACTS, load_lexicon("en")) == meant


def read(said, shown=(1, 2)):
    return CritiqueReader(FACTS, list(shown), None).read(said, "en")


@pytest.mark.parametrize("said", ["sorry, mystery please", "mystery, I read fast", "I have a long day, so mystery"])
def test_words_about_the_user_are_no_wish(said):
    critique = read(said)
    assert not critique.wanted or all("mystery" in text for text in critique.wanted)
    assert critique.constraints[0].value == "mystery"


def test_the_only_words_are_the_wish():
    assert read("quantum gardening").wanted == ["quantum gardening"]


@pytest.mark.parametrize(
    ("said", "relation"),
    [
        ("not too long", "<="),
        ("nothing very long", "<="),
        ("these are long", "<="),
        ("a bit too lengthy", "<="),
        ("these are rather short", ">="),
        ("I want long ones", ">="),
    ],
)
def test_degrees_of_an_adjective(said, relation):
    assert [(one.attribute, one.relation) for one in read(said).constraints] == [("pages", relation)]


@pytest.mark.parametrize(
    ("said", "bounds"),
    [
        ("two hundred pages at most", [("<=", 200)]),
        ("one hundred and fifty pages or less", [("<=", 150)]),
        ("only about 200 pages", [("<=", 200)]),
        ("about 200 pages, not more", [("<=", 200)]),
        ("about 200 pages", [(">=", 160), ("<=", 240)]),
    ],
)
def test_numbers_in_words_and_round_numbers(said, bounds):
    assert [(one.relation, one.value) for one in read(said).constraints] == bounds


def test_a_negation_turns_a_verb_of_liking():
    critique = read("I have never really liked mystery")
    assert critique.constraints[0].value == "mystery"
    assert all(one.weight < 0 for one in critique.constraints)
    assert read("don't like the first one").disliked == [1]
    assert read("I have read Voyages, it was great").liked == [0]
    assert read("Voyages is on my shelf already").known == [0]
