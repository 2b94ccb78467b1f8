"""NgramTextEncoder and TextEncoderUnion: vectors of any language, wherever an encoder is taken."""

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import StandardScaler

from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.exceptions import DamagedStateError
from skrec.feature_extraction import (
    ContextEncoder,
    HashingTextEncoder,
    KeywordExtractor,
    LLMTextEmbedder,
    NgramTextEncoder,
    TextEncoderUnion,
    UserProfileText,
    memory_cache,
)
from skrec.feature_extraction._ngrams._folding import fold_text, words_of
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.llm import ConversationalRecommender, LLMReranker, QuerySuggester
from skrec.llm._heuristic_chat import HeuristicChat
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.persistence import skops_trusted_types

CHINESE = ["监狱里的故事", "监狱生活", "大海与帆船", "帆船远航", "玫瑰花园", "春天的花园"]
FIVE_LANGUAGES = [
    *("a prison story", "life in prison", "the sea and the ship"),
    *("监狱里的故事", "监狱生活", "大海与帆船"),
    *("刑務所の物語", "刑務所の生活", "海と船"),
    *("тюремная история", "жизнь в тюрьме", "море и корабль"),
    *("قصة السجن", "الحياة في السجن", "البحر والسفينة"),
]
IDS = [f"b{j}" for j in range(6)]
EVENTS = pd.DataFrame({"user": ["a", "a", "b", "b", "c", "c"], "item": ["b0", "b1", "b2", "b3", "b4", "b5"]})
ITEMS = pd.DataFrame({"item": IDS, "text": CHINESE})
UNION = TextEncoderUnion([LLMTextEmbedder(HashingTextEncoder(64)), NgramTextEncoder()])
ENCODERS = pytest.mark.parametrize("encoder", [NgramTextEncoder(), UNION], ids=["n-grams", "union"])


def nearest(encoder, texts, query):
    """Positions of the texts, nearest first."""
    similarity = encoder.encode_query([query]) @ encoder.encode(texts).T
    return np.argsort(-similarity[0], kind="stable")


class TestVectors:
    def test_texts_that_the_default_model_cannot_read(self):
        vectors = NgramTextEncoder().fit_transform(["监狱", "电视", "键盘", "农业"])
        assert_allclose(vectors @ vectors.T, np.eye(4), atol=1e-5)

    @ENCODERS
    def test_shared_parts_are_near(self, encoder):
        encoder = clone(encoder).fit(CHINESE)
        assert set(nearest(encoder, CHINESE, "监狱")[:2]) == {0, 1}
        assert set(nearest(encoder, CHINESE, "花园")[:2]) == {4, 5}

    @pytest.mark.parametrize(
        ("query", "found"), [("prison", 0), ("监狱", 3), ("刑務所", 6), ("ТЮРЬМЕ", 10), ("السجن", 12)]
    )
    def test_a_catalogue_of_five_languages(self, query, found):
        encoder = NgramTextEncoder().fit(FIVE_LANGUAGES)
        first = nearest(encoder, FIVE_LANGUAGES, query)[0]
        assert first // 3 == found // 3
        assert first % 3 != 2, "the text about the sea"

    def test_emoji_alone(self):
        encoder = NgramTextEncoder().fit(["😀😀", "🚢", "❤️", "👩‍👩‍👧"])
        assert nearest(encoder, ["😀😀", "🚢", "❤️"], "❤")[0] == 2
        assert not encoder.encode(["🎉"]).any()

    def test_an_unknown_script_is_a_zero_vector_not_a_match(self):
        assert not NgramTextEncoder().fit(CHINESE).encode(["አማርኛ"]).any()
        vectors = NgramTextEncoder().fit_transform(["አማርኛ መጽሐፍ", "መጽሐፍ", "другой"])
        assert vectors[0] @ vectors[1] > 0.3 > abs(vectors[0] @ vectors[2])

    def test_writing_directions_mixed(self):
        encoder = NgramTextEncoder().fit(["ספר הים (the sea)", "\u202bספר הגן\u202c garden", "a third"])
        assert_allclose(encoder.encode(["ספר הגן garden"]), encoder.encode(["\u202bספר\u200f הגן\u202c garden"]))
        assert nearest(encoder, ["ספר הים (the sea)", "ספר הגן garden"], "הגן")[0] == 1

    def test_half_width_kana_and_full_width_latin(self):
        encoder = NgramTextEncoder().fit(["ｶﾒﾗの本", "ＦＩＬＭの本", "ガラスの靴"])
        assert_array_equal(encoder.encode(["ｶﾞﾗｽ", "film"]), encoder.encode(["ガラス", "ＦＩＬＭ"]))
        assert nearest(encoder, ["カメラの本", "ガラスの靴"], "ｶﾞﾗｽ")[0] == 1

    def test_missing_and_empty(self):
        encoder = NgramTextEncoder().fit([None, "a sea", " "])
        assert_array_equal(encoder.transform([None, "", "a sea"]).any(axis=1), [False, False, True])
        nothing = NgramTextEncoder().fit_transform([None, "  "])
        assert_array_equal(nothing, np.zeros((2, 1)))

    def test_rows_are_written_out(self):
        films = pd.DataFrame({"title": ["Ikiru", "Alien"], "year": [1952, 1979]})
        encoder = NgramTextEncoder(template="{title} ({year})").fit(films)
        assert_allclose(encoder.transform(films), encoder.encode(["Ikiru (1952)", "Alien (1979)"]), atol=1e-6)
        names = NgramTextEncoder(columns=["title"]).fit(films).get_feature_names_out()
        assert names.tolist() == ["ngramtextencoder0", "ngramtextencoder1"]

    def test_a_repeated_text_counts_once(self):
        once, often = NgramTextEncoder().fit(CHINESE), NgramTextEncoder().fit(CHINESE + 50 * CHINESE[:1])
        assert_array_equal(once.encode(CHINESE), often.encode(CHINESE))

    def test_a_sample_of_the_texts(self):
        texts = [f"word{j % 50} story {j}" for j in range(400)]
        encoder = NgramTextEncoder(max_samples=100).fit(texts)
        assert len(encoder.components_) == 100
        vectors = encoder.transform(texts)
        assert vectors.any(axis=1).all()
        assert_array_equal(vectors, clone(encoder).fit_transform(texts))

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.one_of(st.none(), st.text(max_size=12)), min_size=1, max_size=8))
    def test_any_text(self, texts):
        vectors = NgramTextEncoder().fit_transform(texts)
        norms = np.linalg.norm(vectors, axis=1)
        assert np.all((abs(norms - 1) < 1e-4) | (norms == 0))
        assert len(vectors) == len(texts)


class TestParameters:
    def test_words_of_a_tokenizer(self):
        encoder = NgramTextEncoder(tokenizer=lambda text: text.split("|"), char_ngram_range=None).fit(
            ["监狱|故事", "海"]
        )
        assert encoder.encode(["监狱"]).any()
        assert not encoder.encode(["监"]).any()

    @pytest.mark.parametrize("nothing", [[], [""]], ids=repr)
    def test_a_tokenizer_that_returns_nothing(self, nothing):
        by_parts = NgramTextEncoder(tokenizer=lambda text: nothing).fit(CHINESE)
        assert set(nearest(by_parts, CHINESE, "监狱")[:2]) == {0, 1}
        with pytest.raises(ValueError, match="None of 6 distinct texts holds an n-gram that is counted"):
            NgramTextEncoder(tokenizer=lambda text: nothing, char_ngram_range=None).fit(CHINESE)

    @pytest.mark.parametrize("answer", ["监狱", 3, [3], None], ids=repr)
    def test_a_tokenizer_that_returns_something_else(self, answer):
        with pytest.raises(TypeError, match="must return a list of str"):
            NgramTextEncoder(tokenizer=lambda text: answer).fit(CHINESE)

    @pytest.mark.parametrize("bad", [(0, 2), (3, 2), (1,), (1.0, 2)], ids=repr)
    def test_ranges(self, bad):
        with pytest.raises(ValueError, match=r"expected \(min_n, max_n\) with 1 <= min_n <= max_n"):
            NgramTextEncoder(char_ngram_range=bad).fit(CHINESE)

    def test_nothing_to_count(self):
        with pytest.raises(ValueError, match="leave one of them"):
            NgramTextEncoder(char_ngram_range=None, word_ngram_range=None).fit(CHINESE)
        with pytest.raises(ValueError, match="lower min_df"):
            NgramTextEncoder(min_df=7).fit(CHINESE)

    def test_encoders_of_a_union(self):
        with pytest.raises(TypeError, match="encoders must be transformers that read texts"):
            TextEncoderUnion([HashingTextEncoder()]).fit(CHINESE)
        with pytest.raises(TypeError, match="got 'none'"):
            TextEncoderUnion([]).fit(CHINESE)


class TestUnion:
    def test_each_encoder_has_the_same_say(self):
        texts = [*CHINESE, None]
        union = clone(UNION).fit(texts)
        vectors = union.transform(texts)
        assert_allclose((vectors[:6, :64] ** 2).sum(axis=1), 0.5, atol=1e-5)
        assert_allclose((vectors[:6, 64:] ** 2).sum(axis=1), 0.5, atol=1e-5)
        assert not vectors[6].any()
        assert_array_equal(vectors, clone(UNION).fit_transform(texts))
        assert not union.transform([None]).any()

    def test_queries_are_encoded_as_queries(self):
        class Model:
            def encode(self, texts):
                return np.array([[len(text), 1.0] for text in texts])

        union = TextEncoderUnion([LLMTextEmbedder(Model(), query_prompt="find: ", normalize=False)]).fit(["a", "bbb"])
        assert_allclose(union.encode(["a", "bbb"])[:, 0], [-1, 1])
        assert_allclose(union.encode_query(["a"])[:, 0], [1])

    def test_parameters_of_the_encoders_have_names(self):
        union = clone(UNION)
        params = union.get_params()
        assert params["ngramtextencoder"] is union.encoders[1]
        assert params["ngramtextencoder__n_components"] == 256
        assert params["llmtextembedder__model"].n_features == 64
        assert set(union.get_params(deep=False)) == {"encoders", "columns", "template"}
        union.set_params(ngramtextencoder__n_components=2, template="{title}")
        assert union.template == "{title}"
        assert clone(union).encoders[1].n_components == 2
        assert UNION.encoders[1].n_components == 256
        with pytest.raises(ValueError, match="Invalid parameter 'ngrams'"):
            union.set_params(ngrams__n_components=2)
        with pytest.raises(ValueError, match="Invalid parameter 'n_component'"):
            union.set_params(ngramtextencoder__n_component=2)

    def test_an_encoder_is_replaced_by_its_name(self):
        other = NgramTextEncoder(4)
        union = clone(UNION).set_params(llmtextembedder=other, llmtextembedder__min_df=2)
        assert union.encoders[0] is other
        assert other.min_df == 2
        assert {"ngramtextencoder-1", "ngramtextencoder-2__n_components"} <= set(union.get_params())
        union.set_params(encoders=[NgramTextEncoder(8)], ngramtextencoder__min_df=3)
        assert [(encoder.n_components, encoder.min_df) for encoder in union.encoders] == [(8, 3)]

    def test_the_default_encoders_are_reached_too(self):
        union = TextEncoderUnion().set_params(ngramtextencoder__n_components=2)
        assert [type(encoder) for encoder in union.encoders] == [LLMTextEmbedder, NgramTextEncoder]
        assert union.get_params()["ngramtextencoder__n_components"] == 2
        assert TextEncoderUnion().encoders is None
        assert set(TextEncoderUnion([1]).get_params()) == {"encoders", "columns", "template"}

    def test_a_recommender_reaches_them(self):
        rec = EmbeddingKNNRecommender(item_encoder=clone(UNION))
        rec.set_params(item_encoder__ngramtextencoder__n_components=2).fit(EVENTS, item_features=ITEMS)
        assert rec.item_encoder_.encoders_[1].n_features_out_ == 2

    def test_one_text(self):
        assert_allclose(np.linalg.norm(clone(UNION).fit_transform(["one"])), 1, rtol=1e-6)


RECOMMENDERS = [
    EmbeddingKNNRecommender(),
    ItemKNNRecommender(),
    EASERecommender(),
    HybridMFRecommender(2, max_iter=3, random_state=0),
    BPRRecommender(2, max_iter=2, random_state=0),
]


@ENCODERS
class TestWhereverAnEncoderIsTaken:
    @pytest.mark.parametrize("rec", RECOMMENDERS, ids=lambda rec: type(rec).__name__)
    def test_recommenders(self, encoder, rec, tmp_path):
        rec = clone(rec).set_params(item_encoder=encoder).fit(EVENTS, item_features=ITEMS)
        found = rec.search(["监狱", "花园"], k=2).items
        assert [set(row) for row in found] == [{"b0", "b1"}, {"b4", "b5"}]
        asked = rec.recommend(["b"], k=2, request="监狱", request_weight=1.0).items
        assert set(asked[0]) == {"b0", "b1"}
        joblib.dump(rec, tmp_path / "model")
        again = joblib.load(tmp_path / "model")
        assert_allclose(again.search("帆船", k=3).scores, rec.search("帆船", k=3).scores)

    @pytest.mark.parametrize("rec", [EmbeddingKNNRecommender(), HybridMFRecommender(2, random_state=0)])
    def test_new_items_are_transformed(self, encoder, rec):
        rec = clone(rec).set_params(item_encoder=encoder).fit(EVENTS, item_features=ITEMS)
        before = rec.item_encoder_
        new = pd.DataFrame({"item": ["b9"], "text": ["监狱风云"]})
        rec.partial_fit(pd.DataFrame({"user": ["d"], "item": ["b9"]}), item_features=new)
        learned = [rec.item_encoder_, before]
        if isinstance(encoder, TextEncoderUnion):
            learned = [union.encoders_[1] for union in learned]
        assert_array_equal(learned[0].components_, learned[1].components_)
        assert set(rec.search("监狱", k=3).items[0]) == {"b0", "b1", "b9"}

    def test_columns_of_a_table(self, encoder):
        table = FeatureTable(ITEMS.assign(year=range(6)))
        columns = make_column_transformer((encoder, ["text"]), (StandardScaler(), ["year"]))
        rec = EmbeddingKNNRecommender(item_encoder=columns).fit(EVENTS, item_features=table)
        assert set(rec.search("监狱", k=2).items[0]) == {"b0", "b1"}

    def test_users(self, encoder):
        users = pd.DataFrame({"user": ["a", "b", "c"], "about": CHINESE[::2]})
        rec = UserKNNRecommender(user_encoder=encoder).fit(EVENTS, user_features=users)
        new = pd.DataFrame({"user": ["new"], "about": ["监狱"]})
        assert set(rec.recommend(["new"], k=2, user_features=new).items[0]) == {"b0", "b1"}

    def test_what_reads_texts(self, encoder):
        keywords = KeywordExtractor(encoder, n_keywords=1).fit(["prison prison sea", "ship sea"])
        assert keywords.extract(["prison prison sea"])[0][0][0].startswith("prison")
        profiles = UserProfileText(text_encoder=encoder).fit_transform(EVENTS, item_features=ITEMS)
        assert profiles.shape[0] == 3 < profiles.shape[1]
        table = pd.DataFrame({"user": range(6), "item": range(6), "note": [f"{text} 很长的一句话" for text in CHINESE]})
        context = ContextEncoder(roles={"note": "text"}, text_encoder=encoder, text_components=2).fit_transform(table)
        assert context.shape[1] > 2

    @pytest.mark.filterwarnings("ignore::skrec.exceptions.UnparsedLanguageWarning")
    def test_conversation_suggestions_and_reranking(self, encoder):
        base = EmbeddingKNNRecommender(item_encoder=encoder)
        talk = ConversationalRecommender(base, item_encoder=encoder).fit(EVENTS, item_features=ITEMS)
        assert set(talk.reply("帆船", user="nobody", k=2).recommendations.items[0]) == {"b2", "b3"}
        suggester = QuerySuggester(base, KeywordExtractor(encoder, min_df=1)).fit(EVENTS, item_features=ITEMS)
        assert suggester.suggest_queries("大海", k=1) == [["大海与帆船"]]
        fitted = clone(encoder).fit(CHINESE)
        reranker = LLMReranker(base, llm=HeuristicChat(fitted), n_candidates=4).fit(EVENTS, item_features=ITEMS)
        assert reranker.recommend(["a"], k=2).items.shape == (1, 2)

    def test_skops(self, encoder):
        skops_io = pytest.importorskip("skops.io")
        rec = EmbeddingKNNRecommender(item_encoder=encoder).fit(EVENTS, item_features=ITEMS)
        again = skops_io.loads(skops_io.dumps(rec), trusted=skops_trusted_types())
        assert_allclose(again.search("监狱", k=3).scores, rec.search("监狱", k=3).scores)


class TestLoadedAndCached:
    def test_damaged_components_are_refused(self):
        encoder = NgramTextEncoder().fit(CHINESE)
        state = encoder.__getstate__() | {"components_": encoder.components_[:, :-1]}
        with pytest.raises(DamagedStateError, match="components_"):
            NgramTextEncoder.__new__(NgramTextEncoder).__setstate__(state)

    def test_the_cache_of_an_embedder_knows_a_refitted_model(self, tmp_path):
        memory_cache.clear()
        ngrams = NgramTextEncoder().fit(CHINESE)
        embedder = LLMTextEmbedder(ngrams, cache=tmp_path)
        first = embedder.encode(["监狱"])
        assert_array_equal(embedder.encode(["监狱"]), first)
        ngrams.fit(CHINESE[:3])
        assert embedder.encode(["监狱"]).shape == (1, 3)


def test_folding():
    assert fold_text("ＡBC ﬁ\u200b") == "abc fi"
    assert fold_text("A\ud800b") == "ab"
    assert words_of("《监狱》, C++ हिन्दी 😀ok") == ["监", "狱", "C", "हिन्दी", "😀", "ok"]
