"""KeywordExtractor: key phrases against a plain reading of the rule, and what it is used for."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV

from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder
from skrec.feature_extraction._keywords import marginal_relevance
from skrec.feature_extraction._phrases import Phrases
from skrec.interactions import FeatureTable
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.pipeline import make_pipeline

TEXTS = [
    "A white whale hunts the ship. The captain hunts the white whale.",
    "The theory of relativity, told for children; the theory is told with trains.",
    "Roses, tulips and the quiet of a walled garden.",
    "A ship, a storm, and the captain of the ship.",
]
TEXT = LLMTextEmbedder(HashingTextEncoder(64))


def make_extractor(**options):
    return KeywordExtractor(TEXT, **options)


class TestPhrases:
    def test_stop_words_stand_inside_and_nothing_crosses_a_sentence(self):
        phrases = Phrases((1, 3), "english")("The theory of relativity. Children's well-known trains")
        assert phrases == [
            *["theory", "theory of relativity", "relativity"],
            *["children's", "children's well-known", "children's well-known trains"],
            *["well-known", "well-known trains", "trains"],
        ]

    def test_a_range_and_own_stop_words(self):
        assert Phrases((2, 2), ["b"])("a b c d") == ["c d"]
        assert Phrases((1, 1), None)("The cat") == ["the", "cat"]

    def test_columns_are_not_joined_into_phrases(self):
        X = pd.DataFrame({"title": ["white"], "text": ["whale"]})
        assert make_extractor().fit(X).vocabulary_.tolist() == ["whale", "white"]
        assert make_extractor(columns=["text"]).fit(X).vocabulary_.tolist() == ["whale"]
        assert "white whale" in make_extractor(template="{title} {text}").fit(X).vocabulary_


class TestMarginalRelevance:
    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    def test_against_the_definition(self, seed, n_candidates, n, diversity):
        rng = np.random.default_rng(seed)
        vectors = rng.normal(size=(n_candidates, 4))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        relevance = vectors @ rng.normal(size=4)
        taken = []
        while len(taken) < min(n, n_candidates):
            value = {
                i: (1 - diversity) * relevance[i]
                - (diversity * max(vectors[i] @ vectors[j] for j in taken) if taken else 0)
                for i in range(n_candidates)
                if i not in taken
            }
            taken.append(max(value, key=value.get))
        assert marginal_relevance(relevance, vectors, n, diversity).tolist() == taken

    def test_without_diversity_it_is_the_order_of_relevance(self):
        vectors = np.eye(4)
        assert marginal_relevance(np.array([0.1, 0.9, 0.5, 0.7]), vectors, 4, 0.0).tolist() == [1, 3, 2, 0]

    def test_likes_are_passed_over(self):
        vectors = np.array([[1.0, 0], [0.999, 0.04471], [0.6, 0.8]])
        relevance = vectors @ np.array([0.9, 0.436])
        assert marginal_relevance(relevance, vectors, 2, 0.5).tolist() == [1, 2]
        assert marginal_relevance(relevance, vectors, 2, 0.0).tolist() == [1, 0]


class TestTransform:
    def test_against_the_steps_one_by_one(self):
        extractor = make_extractor(n_keywords=3, n_candidates=6).fit(TEXTS)
        tfidf = TfidfVectorizer(analyzer=Phrases((1, 3), "english")).fit_transform(TEXTS).toarray()
        names = extractor.vocabulary_
        for text, weights, found in zip(TEXTS, tfidf, extractor.extract(TEXTS), strict=True):
            order = sorted(range(len(names)), key=lambda j: (-np.float32(weights[j]), j))
            candidates = [j for j in order if weights[j] > 0][:6]
            vectors = TEXT.fit(TEXTS).encode([names[j] for j in candidates])
            relevance = vectors @ TEXT.encode([text])[0]
            taken = marginal_relevance(relevance, vectors, 3, 0.5)
            assert [phrase for phrase, _ in found] == [names[candidates[j]] for j in taken]
            assert_allclose([value for _, value in found], relevance[taken], atol=1e-6)

    def test_matrix_and_phrases_say_the_same(self):
        matrix = make_extractor(n_keywords=2).fit_transform(TEXTS)
        extractor = make_extractor(n_keywords=2, output="phrases").fit(TEXTS)
        phrases = extractor.transform(TEXTS)
        assert sp.issparse(matrix)
        assert matrix.dtype == np.float32
        assert phrases.shape == (4, 2)
        for row in range(4):
            assert set(extractor.vocabulary_[matrix[[row]].indices]) == set(phrases[row])
        assert extractor.get_feature_names_out().tolist() == ["keyword0", "keyword1"]
        assert_array_equal(make_extractor().fit(TEXTS).get_feature_names_out(), extractor.vocabulary_)

    def test_missing_and_short_texts_are_padded(self):
        extractor = make_extractor(n_keywords=3, output="phrases").fit(TEXTS)
        phrases = extractor.transform(["whale", None, "nothing known"])
        assert phrases.tolist() == [["whale", None, None], [None] * 3, [None] * 3]
        assert extractor.extract([None, "  "]) == [[], []]
        assert extractor.encode(["whale", None]).sum(axis=1)[1] == 0

    def test_tables_of_every_kind(self):
        expected = make_extractor().fit_transform(TEXTS).toarray()
        for X in (pd.DataFrame({"t": TEXTS}), pl.DataFrame({"t": TEXTS}), np.array(TEXTS, dtype=object)[:, None]):
            assert_array_equal(make_extractor().fit_transform(X).toarray(), expected)

    def test_pandas_output_of_phrases(self):
        out = make_extractor(output="phrases", n_keywords=1).set_output(transform="pandas").fit_transform(TEXTS)
        assert list(out.columns) == ["keyword0"]

    def test_each_phrase_is_embedded_once(self):
        class Counting(HashingTextEncoder):
            asked: list = []  # noqa: RUF012

            def encode(self, texts):
                self.asked.extend(texts)
                return super().encode(texts)

        extractor = KeywordExtractor(LLMTextEmbedder(Counting(19))).fit(TEXTS)
        extractor.transform(TEXTS * 3)
        assert len(Counting.asked) == len(set(Counting.asked))

    def test_sparse_encoders_will_do(self):
        extractor = KeywordExtractor(TfidfVectorizer(), n_keywords=1, ngram_range=(1, 1)).fit(TEXTS)
        assert [found[0][0] for found in extractor.extract(TEXTS)] == ["hunts", "theory", "garden", "ship"]

    def test_loaded_equals_saved(self, tmp_path):
        extractor = make_extractor().fit(TEXTS)
        joblib.dump(extractor, tmp_path / "keywords.joblib")
        assert joblib.load(tmp_path / "keywords.joblib").extract(TEXTS) == extractor.extract(TEXTS)


class TestUse:
    X = np.array([[1, 0], [2, 2], [3, 3]])
    ITEMS = FeatureTable((np.arange(4), np.array(TEXTS, dtype=object)[:, None]))

    def test_as_an_item_encoder(self):
        knn = EmbeddingKNNRecommender(item_encoder=make_extractor(ngram_range=(1, 1), n_keywords=8))
        knn.fit(self.X, item_features=self.ITEMS)
        assert knn.recommend([1], k=1).items.tolist() == [[3]]
        assert knn.search("a walled garden", k=1).items.tolist() == [[2]]

    def test_in_a_search_over_its_parameters(self):
        knn = EmbeddingKNNRecommender(item_encoder=make_pipeline(make_extractor()))
        grid = {"item_encoder__keywordextractor__diversity": [0.1, 0.9]}
        X = np.array([[u, i] for u in range(6) for i in range(4)])
        search = GridSearchCV(knn, grid, cv=2, error_score="raise").fit(X, item_features=self.ITEMS)
        assert np.isfinite(search.best_score_)


class TestWhatIsRefused:
    def test_no_phrase_at_all(self):
        with pytest.raises(ValueError, match=r"No phrase remains of the 2 texts .* stop_words=None"):
            make_extractor().fit(["the of and", None])

    def test_parameters(self):
        bad = [{"ngram_range": (2, 1)}, {"ngram_range": (1, 2.5)}, {"ngram_range": (1,)}, {"diversity": 2.0}]
        for options in bad:
            with pytest.raises(ValueError, match=next(iter(options))):
                make_extractor(**options).fit(TEXTS)
        with pytest.raises(ValueError, match="which X does not have"):
            make_extractor(columns=["plot"]).fit(pd.DataFrame({"title": TEXTS}))

    def test_one_text_in_place_of_a_list(self):
        with pytest.raises(TypeError, match="write \\['a text'\\]"):
            make_extractor().fit(TEXTS).extract("a text")
