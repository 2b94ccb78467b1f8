"""One splitter of texts into words, for every language and every tokenizer."""

import pickle
import re
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.exceptions import DamagedStateError
from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder
from skrec.utils import WordPattern, WordSplitter, content_words, list_members, main_script, quoted_texts, simplified
from skrec.utils._words import _splitter

BLURB = "监狱里的囚犯想要逃跑，看守却睡着了。"
KINDS = [
    "😀🎉🚀",  # emoji alone
    "𐤀𐤁𐤂 𓀀𓀁",  # scripts that no rule names
    "שלום hello مرحبا 42",  # both directions
    "ｶﾀｶﾅ ﾃｽﾄ",  # half-width kana
    "हिन्दी की किताब",
    "ภาษาไทย",
    "한국어 책",
    "日本の小説",
    "Emma 和 Dracula，1815年",
    "",
    "\u0301",
]


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(_splitter, "find_spec", lambda name: None)


@given(st.text())
def test_words_stand_in_the_text_in_order(text):
    for splitter in (WordSplitter(), WordSplitter(use_libraries=False)):
        spans = splitter.spans(text)
        assert all(0 <= start < stop <= len(text) for start, stop in spans)
        assert spans == sorted(spans)
        assert splitter.words(text) == [text[start:stop] for start, stop in spans]
        # Every letter is in a word.
        inside = {at for start, stop in spans for at in range(start, stop)}
        assert all(at in inside for at, sign in enumerate(text) if sign.isalpha())


@given(st.text(st.characters(max_codepoint=0x24F, exclude_characters="_")))
def test_latin_text_is_split_as_before(text):
    assert WordSplitter().words(text) == re.findall(r"[^\W_]+", text)


@pytest.mark.parametrize("text", KINDS)
def test_odd_texts_are_words_or_none(text):
    words = WordSplitter().words(text)
    assert all(word and word in text for word in words)
    assert np.isfinite(HashingTextEncoder().encode([text])).all()


def test_vowel_signs_are_part_of_a_word():
    assert WordSplitter().words("हिन्दी की किताब") == ["हिन्दी", "की", "किताब"]
    assert WordSplitter().words("café e\u0301te\u0301 naïve") == ["café", "e\u0301te\u0301", "naïve"]


def test_chinese_by_its_dictionary():
    pytest.importorskip("rjieba")
    splitter = WordSplitter()
    assert splitter.words("我想看关于海盗的故事") == ["我", "想", "看", "关于", "海盗", "的", "故事"]
    assert splitter.words("三国演义abc300页") == ["三国演义", "abc300", "页"]
    assert splitter.libraries == {"zh": "rjieba"}


def test_japanese_by_its_dictionary():
    pytest.importorskip("sudachipy")
    pytest.importorskip("sudachidict_core")
    assert WordSplitter().words("海賊の物語を読みたい") == ["海賊", "の", "物語", "を", "読み", "たい"]


def test_korean_by_its_dictionary():
    pytest.importorskip("kiwipiepy")
    words = WordSplitter().words("해적에 관한 책을 읽고 싶다")
    assert words[:2] == ["해적", "에"]
    assert "책" in words


@pytest.mark.usefixtures("nothing_installed")
def test_pairs_of_signs_where_nothing_is_installed():
    splitter = WordSplitter()
    assert splitter.words("监狱故事 a prison 한국어 책") == ["监狱", "狱故", "故事", "a", "prison", "한국어", "책"]
    assert splitter.words("書") == ["書"]
    assert splitter.words("日本の本") == ["日本", "本の", "の本"]
    assert splitter.libraries == {"zh": "", "ko": "", "ja": ""}


def test_what_a_model_was_split_with_stays(monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(_splitter, "find_spec", lambda name: None)
        splitter = WordSplitter()
        splitter.words("监狱故事")
    assert pickle.loads(pickle.dumps(splitter)).words("监狱故事") == ["监狱", "狱故", "故事"]


def test_a_missing_dictionary_is_an_error_at_load(monkeypatch):
    stand_in = ModuleType("rjieba")
    stand_in.cut = lambda text: [text]
    monkeypatch.setitem(sys.modules, "rjieba", stand_in)
    monkeypatch.setattr(_splitter, "find_spec", lambda name: name == "rjieba" or None)
    monkeypatch.setattr(_splitter, "cut", lambda library, text: [text])
    extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), ngram_range=(1, 1)).fit([BLURB])
    assert extractor.splitter_.libraries == {"zh": "rjieba"}
    saved = pickle.dumps(extractor)
    monkeypatch.setattr(_splitter, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"fitted on Chinese text that rjieba split.*skrec-text\[cjk\]"):
        pickle.loads(saved)


def test_a_damaged_splitter_is_refused():
    splitter = WordSplitter()
    splitter.libraries = {"zh": "os"}
    with pytest.raises(DamagedStateError, match="os"):
        pickle.loads(pickle.dumps(splitter))


@pytest.mark.parametrize("returned", [None, "words", 3.5, [1, 2]])
def test_a_tokenizer_that_returns_no_words(returned):
    def tokenizer(text):
        return returned

    error = pytest.raises(TypeError)
    with error:
        KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), tokenizer=tokenizer).fit(["a garden"])
    with pytest.raises(TypeError):
        HashingTextEncoder(tokenizer=tokenizer).encode(["a garden"])


def test_a_tokenizer_that_finds_nothing():
    assert WordSplitter(lambda text: []).words("a garden") == []
    assert not HashingTextEncoder(tokenizer=lambda text: []).encode(["a garden"]).any()
    with pytest.raises(ValueError, match="No phrase remains"):
        KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), tokenizer=lambda text: []).fit(["a garden"])


def test_a_tokenizer_of_the_user():
    extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), ngram_range=(1, 1), tokenizer=str.split)
    assert extractor.fit(["sea-side gardens, roses"]).vocabulary_.tolist() == ["gardens,", "roses", "sea-side"]
    assert pickle.loads(pickle.dumps(extractor)).transform(["roses"]).nnz == 1
    with pytest.raises(TypeError, match="function from a text"):
        WordSplitter("jieba")


def test_chinese_keywords_are_words_not_clauses():
    pytest.importorskip("rjieba")
    texts = [BLURB, "花园里的玫瑰开了，园丁很高兴。", "海盗在海上寻找宝藏，船长迷路了。"]
    extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), ngram_range=(1, 2), output="phrases")
    found = extractor.fit_transform(texts)
    assert {"监狱", "囚犯"} <= set(extractor.vocabulary_)
    assert max(map(len, extractor.vocabulary_)) <= 6
    assert not {"的", "里", "了"} & set(extractor.vocabulary_)
    assert all(phrase is None or phrase in text for row, text in zip(found, texts, strict=True) for phrase in row)


@pytest.mark.usefixtures("nothing_installed")
def test_keywords_of_pairs_are_parts_of_the_text():
    extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), ngram_range=(1, 3)).fit([BLURB])
    assert "监狱" in extractor.vocabulary_
    assert all(phrase in BLURB for phrase in extractor.vocabulary_)


def test_a_catalogue_of_five_languages():
    texts = ["a prison garden", "ein Gefängnis", BLURB, "監獄の物語", "교도소 이야기", None, ""]
    matrix = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()), ngram_range=(1, 2)).fit_transform(texts)
    assert (np.diff(matrix.indptr)[:5] > 0).all()
    assert not np.diff(matrix.indptr)[5:].any()


def test_content_words():
    splitter = WordSplitter(use_libraries=False)
    assert content_words("the old man and a sea of it", splitter) == ["old", "man", "sea"]
    assert content_words("监狱 的 x", splitter) == ["监狱"]
    assert WordPattern(r"\w+").strings("a_b c") == ["a_b", "c"]


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("novel, satire;play", ["novel", "satire", "play"]),
        ("小说、讽刺；戏剧，史诗", ["小说", "讽刺", "戏剧", "史诗"]),
        ("小说｜讽刺|诗／史", ["小说", "讽刺", "诗", "史"]),
        ("رواية، شعر", ["رواية", "شعر"]),
        ("、", []),
    ],
)
def test_separators_of_all_scripts(text, members):
    assert list_members(text) == members


@pytest.mark.parametrize("marks", ["“”", '""', "«»", "„“", "《》", "「」", "『』", "【】", "＂＂"])
def test_quotes_of_all_scripts(marks):
    text = f"{marks[0]}Emma{marks[1]}"
    assert quoted_texts(f"x {text} y") == [(2, 2 + len(text), "Emma")]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a garden", None),
        ("花园", "zh"),
        ("庭の花", "ja"),
        ("정원", "ko"),
        ("花园 garden", "zh"),
        ("сад", None),
        ("", None),
    ],
)
def test_the_main_script(text, language):
    assert main_script(text) == language


@pytest.mark.parametrize(
    ("traditional", "expected"),
    [
        ("推薦關係無所謂", "推荐关系无所谓"),
        ("後來說話嗎麼裡麵", "后来说话吗么里面"),
        ("説閲讀臺灣颱風懸疑驚悚尋寶", "说阅读台湾台风悬疑惊悚寻宝"),
        ("乾隆皇帝, naïve 恐怖", "乾隆皇帝, naïve 恐怖"),
    ],
)
def test_traditional_signs_become_simplified_ones(traditional, expected):
    assert simplified(traditional) == expected
    assert simplified(expected) == expected


def test_borders_are_those_of_known_words():
    pytest.importorskip("rjieba")
    assert WordSplitter().borders("但别血腥") == {0, 1, 2, 4}
    assert WordSplitter(list).borders("外星人") == {0, 1, 2, 3}
    assert WordSplitter(use_libraries=False).borders("外星人") == {0, 1, 2, 3}
