"""Utterances in five languages against what they mean, and the cases of Chinese one by one."""

import warnings

import numpy as np
import pandas as pd
import pytest
from utterances import LANGUAGES, books, misread, utterances

from skrec.dummy import PopularRecommender
from skrec.exceptions import TemplateLanguageWarning, UnparsedLanguageWarning
from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder, NgramTextEncoder
from skrec.llm import ConversationalRecommender, LLMExplainer, QuerySuggester
from skrec.llm._conversation._critique_parser import CritiqueReader
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._segmentation import read_numeral
from skrec.utils._words import _splitter

ENCODER = LLMTextEmbedder(HashingTextEncoder())


@pytest.mark.parametrize("held_out", [False, True], ids=["developed on", "held out"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_utterances_are_understood_as_labelled(language, held_out):
    ids, facts = books(language)
    given = utterances(language, held_out=held_out)
    wrong = {text: found for text, label in given if (found := misread(text, label, language, ids, facts))}
    assert len(given) >= 30
    assert len(wrong) <= 0.1 * len(given), wrong


def test_chinese_without_a_dictionary(monkeypatch):
    monkeypatch.setattr(_splitter, "find_spec", lambda name: None)
    ids, facts = books("zh")
    given = utterances("zh", held_out=False)
    wrong = {text: found for text, label in given if (found := misread(text, label, "zh", ids, facts))}
    assert len(wrong) <= 0.15 * len(given), wrong


def read(text, table, *, shown=(), last="en"):
    facts = ItemFacts(table, None, list(range(len(table["title"]))))
    return CritiqueReader(facts, list(shown), None).read(text, last)


FILMS = {
    "title": ["Aliens", "Emma", "Solaris"],
    "plot": ["marines in space", "a matchmaker", "an alien ocean, and other aliens"],
}


@pytest.mark.parametrize("text", ["I hate aliens", "i hate aliens", "I don't like aliens"])
def test_a_word_that_is_a_title_too(text):
    critique = read(text, FILMS)
    assert not critique.disliked
    assert critique.unwanted == ["aliens"]


@pytest.mark.parametrize(
    ("text", "last"), [("I hate Aliens", "en"), ("Emma nicht", "de"), ("Emma no", "es"), ("not Emma", "en")]
)
def test_a_title_that_is_rejected(text, last):
    critique = read(text, FILMS, last=last)
    assert critique.disliked == [0 if "Aliens" in text else 1]
    assert not critique.unwanted


@pytest.mark.parametrize(
    ("text", "last"),
    [("enough horror", "en"), ("genug Horror", "de"), ("assez d'horreur", "fr"), ("basta de terror", "es")],
)
def test_enough_is_a_negation_at_the_start(text, last):
    assert [(one.value, one.weight < 0, one.strict) for one in read(text, FILMS, last=last).constraints] == [
        ("horror", True, True)
    ]
    assert not read("a story that is long enough", FILMS).unwanted


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("三百", 300),
        ("十九", 19),
        ("二十", 20),
        ("一千零五", 1005),
        ("三百五", 350),
        ("两万五", 25000),
        ("一八五〇", 1850),
        ("书", None),
        ("", None),
    ],
)
def test_chinese_numerals(text, number):
    assert read_numeral(text) == number


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("300以内", [("<=", 300)]),
        ("三百以内的", [("<=", 300)]),
        ("两百頁以內", [("<=", 200)]),
        ("三百页左右", [(">=", 240), ("<=", 360)]),
        ("一百五到两百页", [(">=", 150), ("<=", 200)]),
        ("不超过两百", [("<=", 200)]),
        ("不要超過三百五", [("<=", 350)]),
        ("两百多页的", [(">=", 160), ("<=", 240)]),
        ("上百页", [(">=", 80), ("<=", 120)]),
        ("最多三本", []),
        ("超过一般人的想象", []),
        ("几百页", []),
    ],
)
def test_chinese_lengths(text, bounds):
    table = {"title": ["甲", "乙"], "页数": [100, 900]}
    assert [(one.relation, one.value) for one in read(text, table, last="zh").constraints] == bounds


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("十分好看", []),
        ("万一不好看", []),
        ("一起看", []),
        ("十年以前的回忆", []),
        ("百年孤独", []),
        ("九分以上", [(">=", 9)]),
        ("十分以上", [(">=", 10)]),
        ("一九〇〇年以后", [(">=", 1901)]),
    ],
)
def test_words_that_contain_numerals(text, bounds):
    table = {"title": ["百年孤独", "乙"], "评分": [1, 10], "年份": [1850, 1967]}
    assert [
        (one.relation, one.value) for one in read(text, table, last="zh").constraints if one.relation != "about"
    ] == (bounds)


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("与其看恐怖的，不如看爱情的", {"恐怖": -1, "爱情": 1}),
        ("比起恐怖我更想看爱情", {"恐怖": -1, "爱情": 1}),
        ("比起恐怖，還是更想看愛情", {"恐怖": -1, "爱情": 1}),
    ],
)
def test_the_lesser_of_two_wishes(text, signs):
    table = {"title": ["甲", "乙", "丙", "丁"], "类型": ["恐怖", "爱情"] * 2}
    found = read(text, table, last="zh").constraints
    assert {one.value: one.weight for one in found if one.relation == "is"} == signs


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("等一下，有人敲门", "zh"),
        ("哈哈哈你真逗", "zh"),
        ("請問你們幾點關門？", "zh"),
        ("hold on, someone is at the door", "en"),
        ("un instant", "fr"),
    ],
)
def test_small_talk_is_no_wish(text, last):
    critique = read(text, FILMS, last=last)
    assert [*critique.wanted, *critique.unwanted, *critique.constraints] == []


@pytest.mark.parametrize("text", ["我对恐怖没什么兴趣", "對恐怖沒多大興趣", "恐怖的我不怎么喜欢", "我不习惯恐怖的"])
def test_a_verb_of_liking_in_the_negative(text):
    table = {"title": ["甲", "乙", "丙", "丁"], "类型": ["恐怖", "爱情"] * 2}
    assert [(one.value, one.weight) for one in read(text, table, last="zh").constraints if one.relation == "is"] == [
        ("恐怖", -1)
    ]


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("恐怖以外的都行", {"恐怖": -1}),
        ("恐怖之外的爱情小说", {"恐怖": -1, "爱情": 1}),
        ("恐怖和爱情都不要", {"恐怖": -1, "爱情": -1}),
        ("恐怖的除外", {"恐怖": -1}),
        ("怎么全是恐怖", {"恐怖": -1}),
        ("别老推恐怖的", {"恐怖": -1}),
        ("少来点恐怖", {"恐怖": -1}),
        ("我不介意恐怖的", {"恐怖": 1}),
        ("我十岁的儿子喜欢爱情", {"爱情": 1}),
    ],
)
def test_what_is_turned_down_in_chinese(text, signs):
    table = {"title": ["甲", "乙", "丙", "丁"], "类型": ["恐怖", "爱情"] * 2}
    found = [one for one in read(text, table, last="zh").constraints if one.relation == "is"]
    assert {one.value: np.sign(one.weight) for one in found} == signs


@pytest.mark.parametrize("last", ["第一个和第二个都不要", "第一第二个都不喜欢", "前两个换掉", "前两个都没意思"])
def test_places_that_are_turned_down_in_chinese(last):
    critique = read(last, FILMS, shown=[0, 2, 1], last="zh")
    assert critique.disliked == [0, 2]
    assert not critique.reject_shown


@pytest.mark.parametrize("text", ["第一个我不喜欢，看着就压抑", "I dislike the first one, it looks sad"])
def test_how_an_item_seems_is_no_wish(text):
    critique = read(text, FILMS, shown=[1])
    assert critique.disliked == [1]
    assert [*critique.wanted, *critique.constraints] == []


@pytest.fixture(scope="module")
def shop():
    ids, facts = books("zh")
    table = pd.DataFrame({"item": ids, **facts.cells})
    X = pd.DataFrame({"user": np.repeat(range(6), 3), "item": (ids * 2)[:18]})
    return X, table


def test_a_conversation_in_chinese(shop):
    X, table = shop
    rec = ConversationalRecommender(PopularRecommender(), item_encoder=ENCODER).fit(X, item_features=table)
    turn = rec.reply("我想看三百页以内的，不要恐怖的")
    shown = table[table["item"].isin(turn.recommendations.items[0].tolist())]
    assert turn.state.language == "zh"
    assert (shown["pages"] <= 300).all()
    assert "恐怖" not in set(shown["genre"])
    assert turn.message.startswith("我的理解：")
    assert "页" not in turn.message.splitlines()[0] or "300" in turn.message
    later = rec.reply("換一批，再短一點的", turn.state)
    assert later.state.rejected
    assert rec.reply("重新开始", later.state).state.constraints == ()


def test_words_of_a_chinese_catalogue_by_a_tokenizer(shop):
    X, table = shop
    rec = ConversationalRecommender(PopularRecommender(), item_encoder=ENCODER, tokenizer=list).fit(
        X, item_features=table
    )
    assert rec.reply("不要海盗").state.constraints[0].value == "海盗"
    with pytest.raises(TypeError, match="must return a list of str"):
        ConversationalRecommender(PopularRecommender(), item_encoder=ENCODER, tokenizer=lambda text: None).fit(
            X, item_features=table
        )


def test_suggestions_by_words_inside(shop):
    X, table = shop
    extractor = KeywordExtractor(ENCODER, ngram_range=(1, 2), columns=["description"])
    rec = QuerySuggester(PopularRecommender(), extractor).fit(X, item_features=table)
    (found,) = rec.suggest_queries("大海", k=3)
    assert found
    assert all("大海" in phrase for phrase in found)
    assert rec.suggest_queries("大海", k=3) == rec.suggest_queries("想看大海的电影", k=3)
    films = pd.DataFrame(
        {"item": X["item"].unique()[:3], "text": ["an old dog", "a stormy sea", "the lighthouse keeper"]}
    )
    extractor = KeywordExtractor(ENCODER, ngram_range=(1, 2))
    english = QuerySuggester(PopularRecommender(), extractor).fit(X, item_features=films)
    assert english.suggest_queries("movies about dogs")[0][0] in ("old dog", "dog")
    assert english.suggest_queries("quarks") == [[]]


def test_explanations_in_chinese(shop):
    X, table = shop
    rec = LLMExplainer(PopularRecommender(), language="zh-Hant").fit(X, item_features=table)
    text = rec.explain([0], ["b09"]).text[0]
    assert "排第" in text
    assert text.endswith("。")


@pytest.mark.parametrize(("tag", "nearest"), [("pt-BR", "Spanish"), ("nl", "German"), ("sw", "English")])
def test_a_language_without_templates_says_so(shop, tag, nearest):
    X, table = shop
    with pytest.warns(TemplateLanguageWarning, match=f"'{tag}' has no templates.*{nearest}"):
        LLMExplainer(PopularRecommender(), language=tag).fit(X, item_features=table)


MIXED = pd.DataFrame(
    {
        "item": range(10),
        "title": ["Sea Wolves", "The Prison", "Am Meer", "Das Gefängnis", "La mer", "La prison", "El mar", "La cárcel"]
        + ["大海", "监狱"],
        "text": ["a storm at sea", "life in prison", "ein Sturm auf dem Meer", "das Leben im Gefängnis"]
        + ["une tempête en mer", "une journée en prison", "una tormenta en el mar", "la vida en la cárcel"]
        + ["大海上的风暴", "监狱里的生活"],
    }
)


@pytest.mark.parametrize(
    ("said", "language", "found"),
    [
        ("no prison please", "en", {1, 5}),
        ("bitte kein Gefängnis", "de", {3}),
        ("nada de cárcel", "es", {7}),
        ("不要监狱", "zh", {9}),
        ("不要監獄的", "zh", {9}),
    ],
)
def test_a_mixed_catalogue_of_five_languages(said, language, found):
    X = pd.DataFrame({"user": np.repeat(range(5), 4), "item": np.arange(20) % 10})
    rec = ConversationalRecommender(PopularRecommender(), item_encoder=NgramTextEncoder(), question=None)
    turn = rec.fit(X, item_features=MIXED).reply(said, k=10)
    assert turn.state.language == language
    shown = set(turn.recommendations.items[0].tolist())
    assert not shown & found
    assert len(shown) >= 5


def test_texts_that_tell_nothing_are_answered(shop):
    X, table = shop
    rec = ConversationalRecommender(PopularRecommender(), item_encoder=ENCODER).fit(X, item_features=table)
    for said in ("😀🎉", "\u200b\ufeff"):
        turn = rec.reply(said)
        assert turn.message.startswith("I read no wish in that")
        assert turn.state.constraints == ()
    for said in ("𐤀𐤁𐤂 𓀀𓀁", "שלום hello مرحبا", "ｶﾀｶﾅ ﾃｽﾄ"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnparsedLanguageWarning)
            assert said in rec.reply(said).message
