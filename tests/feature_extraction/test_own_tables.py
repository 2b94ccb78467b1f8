"""Missing values, odd types and scikit-learn's own settings, on every path from a table to numbers."""

from datetime import datetime
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline as make_plain_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, KeywordExtractor, LLMTextEmbedder
from skrec.llm import QuerySuggester
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.pipeline import make_pipeline

NAN = float("nan")
IDS = {"user": list("abcabc"), "item": list("xyzxyz")}
FLAGS = [True, False, None, True, False, True]
NUMBERS = [1.0, 2.0, None, 4.0, 5.0, 6.0]
KINDS = ["p", "d", None, "p", "d", "p"]
TIMES = [
    datetime(2024, 5, 1),
    datetime(2024, 5, 2),
    None,
    datetime(2024, 5, 4),
    datetime(2024, 5, 5),
    datetime(2024, 5, 6),
]
COLUMNS = {"flag": FLAGS, "num": NUMBERS, "kind": KINDS, "at": TIMES}
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
ROW = {"flag": True, "num": 6.0, "kind": "p", "at": TIMES[0]}
FULL = [0.0, 1.0, 0, 1, 0, 0.816, 1.294]
"""Hour as sine and cosine, kinds d, p and missing, flag and number, of ROW."""
MISSING = {"flag": {5: 0.0}, "num": {6: 0.0}, "kind": {3: 0.0, 4: 1.0}, "at": {0: 0.0, 1: 0.0}}


def as_array(na=None):
    array = np.empty((6, 6), dtype=object)
    for j, cells in enumerate([*IDS.values(), *COLUMNS.values()]):
        array[:, j] = [na if cell is None else cell for cell in cells]
    return array


def logs():
    arrow = {
        "flag": "bool[pyarrow]",
        "num": "double[pyarrow]",
        "kind": "string[pyarrow]",
        "at": "timestamp[ns][pyarrow]",
    }
    nullable = {"flag": "boolean", "num": "Float64", "kind": "string", "at": "datetime64[ns]"}
    integers = {"flag": "boolean", "num": "Int64", "kind": "category", "at": "datetime64[s]"}
    found = {name: make(IDS | COLUMNS) for name, make in LIBRARIES.items()}
    for name, types in {"nullable": nullable, "arrow types": arrow, "integers": integers}.items():
        found[name] = pd.DataFrame(IDS | {column: pd.array(COLUMNS[column], kind) for column, kind in types.items()})
    return found | {"numpy": as_array(), "NaN in numpy": as_array(NAN), "NA in numpy": as_array(pd.NA)}


def values(table):
    table = table.to_pandas() if isinstance(table, pa.Table) else table
    return np.asarray(table)[:, 2:].astype(float)


class Reads(HybridMFRecommender):
    """Keeps the context that it is asked for."""

    def recommend(self, users=None, k=10, *, context=None, **options):
        Reads.asked = context
        return super().recommend(users, k, context=context, **options)


class TestMissingIsTheMean:
    @pytest.mark.parametrize("name", logs())
    def test_in_fit(self, name):
        encoder = ContextEncoder(datetime_features=["hour"]).fit(logs()[name])
        assert list(encoder.roles_.values()) == ["number", "number", "category", "datetime"]
        encoded = values(encoder.transform(logs()[name]))
        assert_allclose(encoded[2], [0, 0, 0, 0, 1, 0, 0], atol=1e-6)
        assert_allclose(encoded[:, -2:].mean(axis=0), 0, atol=1e-6)

    @pytest.mark.parametrize("name", logs())
    def test_in_a_request_of_one_row(self, name):
        rec = make_pipeline(ContextEncoder(datetime_features=["hour"]), Reads(2, random_state=0)).fit(logs()[name])
        for column, gone in product(COLUMNS, [None, NAN, pd.NA, pd.NaT]):
            row = ROW | {column: gone}
            expected = np.array(FULL)
            for j, value in MISSING[column].items():
                expected[j] = value
            contexts = [[list(row.values())]]
            if "numpy" not in name:
                contexts.append(pd.DataFrame([row]))
            if name in ("polars", "pyarrow"):
                contexts.append(LIBRARIES[name]({key: [None if key == column else cell] for key, cell in row.items()}))
            for context in contexts:
                rec.recommend(["a"], k=1, context=context)
                assert_allclose(np.asarray(Reads.asked, dtype=float)[0], expected, atol=1e-3)

    @pytest.mark.parametrize("column", ["flag", "num"])
    @pytest.mark.parametrize("gone", [None, NAN], ids=str)
    def test_a_plain_boolean_has_no_place_for_what_is_missing(self, column, gone):
        X = pd.DataFrame(IDS | {"flag": [True, False] * 3, "num": [1, 2, 3, 4, 5, 6]})
        rec = make_pipeline(ContextEncoder(), Reads(2, random_state=0)).fit(X)
        rec.recommend(["a"], k=1, context=pd.DataFrame([{"flag": True, "num": 6} | {column: gone}]))
        expected = {"flag": [0, 1.464], "num": [1, 0]}[column]
        assert_allclose(np.asarray(Reads.asked, dtype=float)[0], expected, atol=1e-3)

    @pytest.mark.parametrize("role", ["number", "datetime", "text", "category"])
    @pytest.mark.parametrize("make", [*LIBRARIES.values(), None], ids=[*LIBRARIES, "numpy"])
    def test_a_column_without_any_value(self, make, role):
        X = np.array([*IDS.values(), [None] * 6], dtype=object).T if make is None else make(IDS | {"v": [None] * 6})
        embedder = LLMTextEmbedder(HashingTextEncoder())
        encoded = values(ContextEncoder(roles={2: role}, text_encoder=embedder).fit_transform(X))
        assert_array_equal(encoded, np.full(encoded.shape, float(role == "category")))


class TestOddTypes:
    @pytest.mark.parametrize("cells", [[1.0, 5.0, 9.0, 2.0, 5.0, 1.0], [1.0, 5.0, NAN, 2.0, 5.0, 1.0]])
    def test_intervals_are_categories(self, cells):
        X = pd.DataFrame(IDS | {"age": pd.cut(cells, [0, 3, 6, 10])})
        encoder = ContextEncoder().fit(X)
        last = "age_None" if np.isnan(cells[2]) else "age_(6, 10]"
        assert encoder.get_feature_names_out()[2:].tolist() == ["age_(0, 3]", "age_(3, 6]", last]
        asked = pd.DataFrame({"user": ["a"] * 2, "item": ["x"] * 2, "age": pd.cut([5.0, np.nan], [0, 3, 6, 10])})
        assert_array_equal(values(encoder.transform(asked)), [[0, 1, 0], [0, 0, np.isnan(cells[2])]])
        rec = make_pipeline(ContextEncoder(), Reads(2, random_state=0)).fit(X)
        rec.recommend(["a"], k=1, context=[["(3, 6]"]])
        assert_array_equal(np.asarray(Reads.asked, dtype=float), [[0, 1, 0]])

    def test_dates_as_categories(self):
        days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01"] * 2)
        for column, roles in ((pd.Categorical(days), None), (days, {"day": "category"})):
            encoder = ContextEncoder(roles=roles).fit(pd.DataFrame(IDS | {"day": column}))
            encoded = values(encoder.transform(pd.DataFrame(IDS | {"day": column})))
            assert_array_equal(encoded, [[1, 0], [0, 1], [1, 0]] * 2)

    @pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
    def test_numbers_beyond_float32(self, make):
        with pytest.raises(ValueError, match=r"column 'v' contains 1e\+300, beyond the range of float32; .* NaN"):
            ContextEncoder().fit(make(IDS | {"v": [1.0, 2, 3, 4, 5, 1e300]}))
        encoder = ContextEncoder().fit(make(IDS | {"v": [1e-3 * j for j in range(6)]}))
        with pytest.raises(ValueError, match=r"column 'v' contains -1e\+38, .* standard deviations from the mean"):
            encoder.transform(make(IDS | {"v": [-1e38] * 6}))

    def test_names_of_models_and_caches_that_are_empty(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ValueError, match="model='' names no model; pass the path"):
            LLMTextEmbedder("").fit(["a"])
        with pytest.raises(ValueError, match="cache='' names no folder; pass 'memory'"):
            LLMTextEmbedder(HashingTextEncoder(), cache="").fit(["a"])
        assert not list(tmp_path.iterdir())


ITEMS = pd.DataFrame(
    {"item": list("xyz"), "text": ["The whale hunts the ship.", "A garden of roses.", "The ship in the storm."]}
)


@pytest.mark.parametrize("output", ["pandas", "polars"])
class TestTransformOutput:
    """set_config(transform_output=) is meant for what the user sees."""

    @pytest.mark.parametrize("fusion", ["concat", "dense"])
    @pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
    def test_context_encoder(self, output, make, fusion):
        X = make(
            IDS
            | COLUMNS
            | {"mood": ["a quiet evening in", "a loud party at night", None] * 2, "lat": NUMBERS, "lon": NUMBERS}
        )
        embedder = LLMTextEmbedder(HashingTextEncoder())
        encoder = ContextEncoder(text_encoder=embedder, fusion=fusion, n_components=3, random_state=0)
        expected = values(encoder.fit_transform(X))
        with config_context(transform_output=output):
            found = encoder.fit_transform(X)
            assert type(found).__module__.startswith(output)
            assert_allclose(values(found), expected, atol=1e-5)
            assert_allclose(values(encoder.transform(X)), expected, atol=1e-5)

    @pytest.mark.parametrize(
        "encoder",
        [
            KeywordExtractor(LLMTextEmbedder(HashingTextEncoder())),
            TfidfVectorizer(),
            make_column_transformer((OneHotEncoder(), ["text"])),
        ],
    )
    def test_item_encoders(self, output, encoder):
        rec = EmbeddingKNNRecommender(item_encoder=encoder)
        expected = rec.fit(pd.DataFrame(IDS), item_features=ITEMS).recommend(["a"], k=2).scores
        with config_context(transform_output=output):
            assert_allclose(rec.fit(pd.DataFrame(IDS), item_features=ITEMS).recommend(["a"], k=2).scores, expected)
            if not hasattr(encoder, "transformers"):
                assert rec.search("roses", k=1).items.tolist() == [["y"]]

    def test_query_suggester(self, output):
        extractor = KeywordExtractor(LLMTextEmbedder(HashingTextEncoder()))
        suggester = QuerySuggester(PopularRecommender(), extractor)
        expected = suggester.fit(pd.DataFrame(IDS), item_features=ITEMS).suggest_queries(["a"], k=2)
        with config_context(transform_output=output):
            found = suggester.fit(pd.DataFrame(IDS), item_features=ITEMS).suggest_queries(["a"], k=2)
        assert found == expected


class TestNumbersMissingFromFeatures:
    class Counting(HashingTextEncoder):
        calls = 0

        def encode(self, texts):
            type(self).calls += 1
            return super().encode(texts)

    @pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
    @pytest.mark.parametrize("part", ["passthrough", StandardScaler()], ids=str)
    def test_beside_text(self, make, part):
        items = make(ITEMS.to_dict("list") | {"stock": [1, 2, 3], "price": [1.0, None, 3.0]})
        text = (LLMTextEmbedder(self.Counting(), cache=None), ["text"])
        encoder = make_column_transformer(text, (part, ["stock", "price"]))
        rec = EmbeddingKNNRecommender(item_encoder=encoder)
        self.Counting.calls = 0
        with pytest.raises(
            ValueError, match=r"item_features: column 'price' contains NaN .* in 1 of 3 rows.*SimpleImputer"
        ):
            rec.fit(pd.DataFrame(IDS), item_features=items)
        assert self.Counting.calls == 0
        filled = make_plain_pipeline(SimpleImputer(), StandardScaler())
        rec.set_params(item_encoder=make_column_transformer(text, (filled, ["stock", "price"])))
        assert rec.fit(pd.DataFrame(IDS), item_features=items).recommend(["a"], k=1).items.shape == (1, 1)

    @pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
    def test_without_an_encoder(self, make):
        items = make({"item": list("xyz"), "stock": [1, 2, 3], "price": [1.0, None, 3.0]})
        with pytest.raises(ValueError, match=r"item_features: column 'price' contains NaN .* in 1 of 3 rows"):
            HybridMFRecommender(2, random_state=0).fit(pd.DataFrame(IDS), item_features=items)
