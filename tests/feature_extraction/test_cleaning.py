"""Texts are made plain, and described; what only looks like HTML stays."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from skrec import HashingTextEncoder, LLMTextEmbedder, TextCleaner, describe_text
from skrec.exceptions import TemplateLanguageWarning


def clean(text, **settings):
    return TextCleaner(**settings).fit_transform([text])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "<p>Tom &amp; Jerry</p><p>two</p>": "Tom & Jerry two",
        "one<br>two<br/>three": "one two three",
        "<b>bold</b>face": "boldface",
        "a < b and c > d": "a < b and c > d",
        "I <3 you": "I <3 you",
        "x <y and z> w": "x <y and z> w",
        "<a href='x>y'>link</a>": "link",
        "<script>alert(1)</script><style>p {}</style>hi<!-- c -->": "hi",
        "R&D and AT&T &copy; 2020 &nbsp; &unknown;": "R&D and AT&T © 2020 &unknown;",
        "text <b": "text <b",
        "<!-- never closed": "<!-- never closed",
        "<![if gte]>x": "x",
        "《<em>家</em>》&mdash;巴金": "《家》—巴金",
        "see https://example.org/a?b=c. Or www.example.org, now": "see . Or , now",
        "看https://example.org/书。": "看 。",
        "Ｒ＆Ｄ　１２３ ﬁne": "R&D 123 fine",
        "zero\u200bwidth\u00ad": "zerowidth",
        "  many\n\twords ": "many words",
        "": "",
        "<p></p>": "",
    }.items(),
)
def test_texts_are_made_plain(text, expected):
    assert clean(text) == expected
    assert clean(expected) == expected


def test_each_step_can_be_left_out():
    text = "<p>Ａ https://example.org/</p>"
    assert clean(text, html=False) == "<p>A </p>"
    assert clean(text, urls=False) == "A https://example.org/"
    assert clean(text, normalize=False) == "Ａ"
    assert clean("Big", lowercase=True) == "big"


def test_stop_words_of_any_language():
    assert clean("The cat and THE hat", stop_words=["the", "and"]) == "cat hat"
    assert clean("猫 的 故事", stop_words=["的"], tokenizer=str.split) == "猫 故事"
    assert clean("a theatre", stop_words={"the"}) == "a theatre"
    with pytest.raises(TypeError, match=r"write \['the'\]"):
        TextCleaner(stop_words="the").fit(["a"])


@given(st.text())
def test_once_is_enough_without_html(text):
    once = clean(text, html=False, urls=False)
    assert clean(once, html=False, urls=False) == once
    assert once == " ".join(once.split())


@pytest.mark.parametrize(
    "piece", ["<!--", "<a ", "<a '", "</", "&#", "<![CDATA[", "<b>", '<a b="', "https://", "<script>"]
)
@pytest.mark.parametrize("end", ["", ">", "-->"])
def test_long_texts_take_no_longer_than_long(piece, end):
    clean(piece * (100_000 // len(piece)) + end)  # pytest's limit of time ends what is not linear


def test_tables_keep_their_kind_and_their_other_columns():
    table = {"title": ["<b>A</b>", None], "year": [1990, 2001]}
    for frame in (pd.DataFrame(table), pl.DataFrame(table), pa.table(table)):
        cleaned = TextCleaner().fit_transform(frame)
        assert type(cleaned) is type(frame)
        described = pl.from_arrow(cleaned) if isinstance(cleaned, pa.Table) else pl.DataFrame(cleaned)
        assert described.to_dict(as_series=False) == {"title": ["A", None], "year": [1990, 2001]}
    series = TextCleaner().fit_transform(pd.Series(["<i>x</i>"], name="t"))
    assert series.tolist() == ["x"]
    assert series.name == "t"
    rows = TextCleaner().fit_transform(np.array([["<b>a</b>", 1], [None, 2]], dtype=object))
    assert rows.tolist() == [["a", 1], [None, 2]]
    numbers = np.ones((2, 2))
    assert TextCleaner().fit_transform(numbers) is numbers


def test_html_reads_as_its_text_in_a_pipeline():
    encoder = make_pipeline(TextCleaner(), LLMTextEmbedder(HashingTextEncoder()))
    html, plain = encoder.fit_transform(["<p>Tom&nbsp;&amp; Jerry</p>", "Tom & Jerry"])
    np.testing.assert_array_equal(html, plain)


def test_describe_text():
    table = pd.DataFrame(
        {
            "title": ["<b>One</b>", "Два", "Два", None, "监狱", "ひらがな", "12"],
            "year": range(7),
        }
    )
    (title,) = describe_text(table)
    assert title[:7] == ("title", 6, 1, 1, 3, 10, 1)
    assert title.scripts == {
        "Cyrillic": 2 / 6, "Latin": 1 / 6, "Chinese": 1 / 6, "Japanese": 1 / 6, "none": 1 / 6,
    }  # fmt: skip
    shown = describe_text(table)
    assert repr(shown).splitlines()[1].startswith("title   6      1        1")
    assert "<td>Cyrillic 33%, Latin 17%, Chinese 17%, Japanese 17%</td>" in shown._repr_html_()
    assert describe_text(["a", "b"])[0].column == "text"
    assert "&lt;b&gt;" in describe_text(pd.DataFrame({"<b>": ["x"]}))._repr_html_()


@pytest.mark.parametrize(
    ("tag", "head", "scripts"),
    [
        ("zh", "列", "中文 67%、西里尔文 33%"),
        ("繁體中文", "列", "中文 67%、西里尔文 33%"),
        ("zh-Hant-TW", "列", "中文 67%、西里尔文 33%"),
        ("de-AT", "Spalte", "Chinesisch 67%, Kyrillisch 33%"),
        ("Français", "colonne", "chinois 67%, cyrillique 33%"),
        ("Spanish", "columna", "chino 67%, cirílico 33%"),
        ("en", "column", "Chinese 67%, Cyrillic 33%"),
    ],
)
def test_describe_text_in_a_language(tag, head, scripts):
    given = describe_text(["监狱", "電視", "Два"], language=tag)
    for shown in (given, pickle.loads(pickle.dumps(given))):
        assert repr(shown).splitlines()[0].split()[0] == head
        assert repr(shown).splitlines()[1].endswith(scripts)
        assert f"<th>{head}</th>" in shown._repr_html_()
        assert f"<td>{scripts}</td>" in shown._repr_html_()
    assert given == describe_text(["监狱", "電視", "Два"])


@pytest.mark.parametrize(
    ("text", "script"),
    [("ｶﾀｶﾅ ﾃｽﾄ", "Japanese"), ("Ｒ＆Ｄ ｘ", "Latin"), ("ﾡﾢ", "Hangul"), ("שלום مرحبا hi", "Arabic"), ("😀🎉", "none")],
)
def test_scripts_of_odd_texts(text, script):
    assert list(describe_text([text])[0].scripts) == [script]


def test_describe_text_in_the_nearest_language():
    with pytest.warns(TemplateLanguageWarning, match="'pt' has no templates; the texts are in Spanish .*zh\\.$"):
        shown = describe_text(["监狱", "\u16a0"], language="pt")
    assert repr(shown).splitlines()[1].endswith("chino 50%, Runic 50%")
    with pytest.raises(ValueError, match="BCP-47"):
        describe_text(["监狱"], language="中")


def test_describe_text_wants_texts():
    with pytest.raises(ValueError, match="no column of texts"):
        describe_text(pd.DataFrame({"n": [1, 2]}))
    with pytest.raises(TypeError, match=r"write \['one'\]"):
        describe_text("one")
