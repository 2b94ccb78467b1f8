"""What a text asks for, in four languages, and in none of them."""

import pytest
from conversing import BOOKS

from skrec.interactions import read_features
from skrec.llm._conversation._critique_parser import CritiqueReader
from skrec.llm._conversation._detection import detect_language
from skrec.llm._conversation._item_facts import ItemFacts, read_cells
from skrec.llm._conversation._lexicon import LANGUAGES, load_lexicon
from skrec.llm._conversation._parse_numbers import read_number
from skrec.llm._conversation._state import Question
from skrec.llm._conversation._tokens import tokenize
from skrec.llm._conversation._word_forms import stem

ROWS = list(range(len(BOOKS)))


@pytest.fixture(scope="module")
def facts():
    import numpy as np

    features = read_features(BOOKS, "item_features")
    cells = read_cells(features, np.arange(len(BOOKS)), len(BOOKS), np.arange(len(BOOKS)))
    return ItemFacts(cells, None, BOOKS["item"].tolist())


@pytest.fixture(scope="module")
def read(facts):
    """Shown are the first five books, by code 0 to 4."""

    def one(text, pending=None, language="en", shown=(0, 1, 2, 3, 4)):
        return CritiqueReader(facts, list(shown), pending).read(text, language)

    return one


def wishes(critique):
    return {(c.attribute, c.relation, c.value, c.weight > 0, c.strict) for c in critique.constraints}


def test_what_columns_are_for(facts):
    assert facts.titles[1] == "Moby-Dick; or, The Whale"
    assert set(facts.numbers) == {"year", "pages"}
    assert set(facts.labels) == {"author", "genres"}
    assert facts.column_of("length") == "pages"
    assert facts.column_of("price") is None
    assert facts.labels["genres"]["novel"].tolist() == [0, 1, 2, 3, 5]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "something shorter, nothing violent, like the second one"),
        ("de", "etwas Kürzeres, nichts Gewalttätiges, wie das zweite"),
        ("fr", "quelque chose de plus court, rien de violent, comme le deuxième"),
        ("es", "algo más corto, nada violento, como el segundo"),
    ],
)
def test_the_same_wish_in_four_languages(read, language, text):
    critique = read(text)
    assert critique.language == language
    assert critique.liked == [1]
    assert not critique.disliked
    assert ("", "about", "violence", False, True) in wishes(critique)
    # Shorter than the one that is named, not than the whole list: Moby-Dick has 620 pages.
    assert ("pages", "<=", 430.0, True, True) in wishes(critique)
    assert len(critique.constraints) == 2
    assert not critique.notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("under 300 pages", ("pages", "<=", 300.0)),
        ("at least 1,000 pages", ("pages", ">=", 1000.0)),
        ("before 1850", ("year", "<=", 1849.0)),
        ("written after 1900", ("year", ">=", 1901.0)),
        ("nothing older than 1850", ("year", ">=", 1850.0)),
        ("older than Persuasion", ("year", "<=", 1815.0)),
        ("newer", ("year", ">=", 1897.0)),
        ("shorter than the third one", ("pages", "<=", 300.0)),
        ("höchstens 300 Seiten", ("pages", "<=", 300.0)),
        ("vor 1850", ("year", "<=", 1849.0)),
        ("moins de 300 pages", ("pages", "<=", 300.0)),
        ("après 1900", ("year", ">=", 1901.0)),
        ("menos de 300 páginas", ("pages", "<=", 300.0)),
        ("anterior a 1850", ("year", "<=", 1849.0)),
        ("not too long", ("pages", "<=", 220.0)),
    ],
)
def test_limits(read, text, expected):
    critique = read(text)
    assert [(c.attribute, c.relation, c.value) for c in critique.constraints] == [expected]
    assert critique.constraints[0].strict
    assert not critique.liked


@pytest.mark.parametrize(
    "text",
    ["from the 19th century", "aus dem 19. Jahrhundert", "du XIXe siècle", "del siglo XIX", "between 1800 and 1899"],
)
def test_periods(read, text):
    assert {(c.relation, c.value) for c in read(text).constraints} == {(">=", 1800), ("<=", 1899)}


@pytest.mark.parametrize(
    ("text", "expected"), [("1,200", 1200), ("1.200", 1200), ("9,5", 9.5), ("19.99", 19.99), ("1.000.000", 1e6)]
)
def test_numbers_as_they_are_written(text, expected):
    assert read_number(text) == expected


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("no horror, war or crime", {"horror", "war"}),
        ("kein Horror und kein war", {"horror", "war"}),
        ("I hate plays", {"play"}),
        ("don't show me horror", {"horror"}),
        ("please don't recommend plays", {"play"}),
        ("stop showing me war", {"war"}),
        ("I don't want to see horror again", {"horror"}),
        ("I'd never read plays", {"play"}),
        ("I'm not a fan of horror", {"horror"}),
        ("don't give me anything by Tolstoy", {"Leo Tolstoy"}),
        ("no me recomiendes horror", {"horror"}),
        ("get rid of horror", {"horror"}),
        ("ne me montrez plus Jane Austen", {"Jane Austen"}),
        ("zeig mir Tolstoy nicht wieder", {"Leo Tolstoy"}),
        ("nothing by Tolstoy", {"Leo Tolstoy"}),
        ("rien de Jane Austen", {"Jane Austen"}),
    ],
)
def test_exclusions(read, text, labels):
    critique = read(text)
    excluded = {c.value for c in critique.constraints if c.relation == "is" and c.weight < 0 and c.strict}
    assert excluded == labels
    assert not critique.wanted


def test_a_word_that_is_no_theme_is_excluded_too(read):
    assert ("", "about", "elephants", False, True) in wishes(read("no elephants"))


def test_only_what_is_central_stands_for_a_theme(read):
    assert ("", "about", "violence", False, True) in wishes(read("nothing brutal"))
    assert ("", "about", "axes", False, True) in wishes(read("no axes"))


@pytest.mark.parametrize("text", ["ein Roman", "un roman", "una novela", "hello, a novel please"])
def test_labels_are_found_in_other_languages(read, text):
    assert ("genres", "is", "novel", True, False) in wishes(read(text))


@pytest.mark.parametrize("text", ["hide the second one", "den zweiten nicht", "ne me propose pas le deuxième"])
def test_what_is_sent_away_is_not_liked(read, text):
    critique = read(text)
    assert (critique.liked, critique.disliked) == ([], [1])


@pytest.mark.parametrize("text", ["hello", "Guten Tag", "bonjour", "hola", "thanks!"])
def test_politeness_is_no_wish(read, text):
    assert read(text).is_empty()


def test_forms_of_a_label_are_one_label():
    facts = ItemFacts({"genre": ["essay", "essays", "essays", "play"]}, None, [1, 2, 3, 4])
    assert {label: items.tolist() for label, items in facts.labels["genre"].items()} == {
        "essays": [0, 1, 2],
        "play": [3],
    }


def test_softer_words_leave_nothing_out(read):
    critique = read("less sad, more romantic")
    assert not any(c.strict for c in critique.constraints)
    assert critique.unwanted == ["sad"]
    assert critique.wanted == ["romantic"]


@pytest.mark.parametrize(
    ("text", "liked", "disliked", "known"),
    [
        ("like Emma", [0], [], []),
        ("unlike Moby Dick", [], [1], []),
        ("more like Moby Dik", [1], [], []),
        ("I liked the first one but not the last one", [0], [4], []),
        ("not the second one", [], [1], []),
        ("den zweiten mag ich nicht", [], [1], []),
        ("je n'aime pas le premier", [], [0], []),
        ("no me gusta el primero", [], [0], []),
        ("I already read Emma and Persuasion", [], [], [0, 5]),
        ("the second one I already know", [], [], [1]),
        ("ich kenne Emma schon", [], [], [0]),
        ("something like 'Emma'", [0], [], []),
        ("number 2", [1], [], []),
        ("2", [1], [], []),
        ("Emma", [0], [], []),
        ("the third looks good", [2], [], []),
        ("le deuxième me plaît", [1], [], []),
        ("the hound of the baskervilles", [6], [], []),
    ],
)
def test_items_by_title_and_by_place(read, text, liked, disliked, known):
    critique = read(text)
    assert (critique.liked, critique.disliked, critique.known) == (liked, disliked, known)


@pytest.mark.parametrize("text", ["a book about the second world war", "my first love", "older men in love"])
def test_places_and_comparisons_that_are_none(read, text):
    critique = read(text)
    assert not critique.liked
    assert not any(c.relation in ("<=", ">=") for c in critique.constraints)
    assert critique.wanted


@pytest.mark.parametrize(("text", "place"), [("the 7th one", 7), ("number 99", 99), ("like the sixth", 6)])
def test_a_place_beyond_the_list(read, text, place):
    critique = read(text)
    assert critique.notes == [("no_such_ordinal", {"number": place, "count": 5})]
    assert not critique.liked


def test_a_place_in_no_list(read):
    assert read("the first one", shown=()).notes == [("nothing_shown", {})]


def test_an_unknown_title(read):
    critique = read("like Foundation")
    assert critique.notes == [("no_such_title", {"title": "Foundation"})]
    assert critique.wanted == ["Foundation"]


def test_an_attribute_that_no_column_tells(read):
    critique = read("cheaper")
    assert critique.notes[0][0] == "no_attribute"
    assert not critique.constraints


@pytest.mark.parametrize(
    "text", ["none of these", "keines davon", "aucun de ceux-ci", "ninguno de estos", "not that one"]
)
def test_nothing_of_the_list(read, text):
    assert read(text).reject_shown


@pytest.mark.parametrize("text", ["start over", "von vorn", "recommençons", "empecemos de nuevo"])
def test_a_fresh_start(read, text):
    assert read(text).restart


@pytest.mark.parametrize(
    ("text", "answer", "rejects"),
    [("yes", "yes", False), ("No, shorter", "no", False), ("I don't mind", "any", False),
     ("no idea", "any", False), ("both", "any", False), ("yes. None of these", "yes", True),
     ("ja", "yes", False), ("peu importe", "any", False), ("no horror", None, False),
     ("hmm, no", "no", False), ("me da igual", "any", False)],
)  # fmt: skip
def test_answers(read, text, answer, rejects):
    critique = read(text, Question("", "about", ("sea",)))
    assert critique.answer == answer
    assert critique.reject_shown == rejects


def test_an_answer_without_a_question_is_none(read):
    assert read("yes").is_empty()


def test_something_else_answers_a_choice(read):
    choice = Question("genres", "is", ("novel", "play"))
    assert read("something else", choice).answer == "other"
    critique = read("something else")
    assert critique.answer is None
    assert critique.reject_shown


@pytest.mark.parametrize(
    "text",
    [
        "何か短くて暴力的でないもの",
        "Хочу что-нибудь покороче про море",
        "qualcosa di più corto, niente di violento e con molto mare",
        "quero um livro sobre o mar, nada violento",
        "ik wil iets korters, niet gewelddadig, over de zee",
    ],
)
def test_another_language_counts_whole(read, text):
    critique = read(text)
    assert critique.language is None
    assert critique.wanted == [text]
    assert not critique.constraints


def test_a_short_text_is_in_the_language_of_the_conversation():
    assert detect_language(tokenize("Dracula"), "fr") == "fr"
    assert detect_language(tokenize("etwas über das Meer"), "en") == "de"


def test_a_title_is_no_trap(facts):
    """A shop sells a book that is called like what people say."""
    cells = {"title": ["Something Short", "I Want", "Emma"], "genre": ["a", "b", "a"]}
    trap = ItemFacts(cells, None, [1, 2, 3])
    critique = CritiqueReader(trap, [], None).read("i want something short, like Emma", "en")
    assert critique.liked == [2]


def test_all_languages_have_the_same_parts():
    first = load_lexicon("en")
    for code in LANGUAGES[1:]:
        other = load_lexicon(code)
        assert other.messages.keys() == first.messages.keys()
        assert other.concepts.keys() == first.concepts.keys() == other.concept_names.keys()
        assert other.attribute_texts.keys() == first.attribute_texts.keys()
        for key, message in first.messages.items():
            fields = set(part.split("}")[0] for part in message.split("{")[1:])
            assert fields == set(part.split("}")[0] for part in other.messages[key].split("{")[1:]), (code, key)


@pytest.mark.parametrize(("one", "other"), [("dragon", "dragons"), ("story", "stories"), ("mystery", "mysteries")])
def test_forms_of_a_word_share_a_stem(one, other):
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "...",
        "?!",
        "\x00",
        "“”",
        "1" * 500,
        "under " + "9" * 400 + " pages",
        "number " + "9" * 1900,
        "number ²",
        "٣",
        "no " * 500,
        "like like like",
        "('",
        "€",
    ],
)
def test_what_says_nothing_is_survived(read, text):
    critique = read(text)
    assert all(isinstance(c.value, str) or abs(c.value) < 1e16 for c in critique.constraints)
