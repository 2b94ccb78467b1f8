"""The transformer itself: scikit-learn's rules, caching, clones and pickles."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skrec.exceptions import FormatVersionError
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, memory_cache
from skrec.utils._fingerprint import identity_token


class CountingEncoder(HashingTextEncoder):
    """Counts the texts it is given; has a fingerprint."""

    def __init__(self, n_features=16):
        super().__init__(n_features)
        self.seen = []

    def encode(self, texts):
        self.seen += texts
        return super().encode(texts)


class Anonymous:
    """An encoder without a fingerprint."""

    def __init__(self, n_features=16):
        self.inner = HashingTextEncoder(n_features)
        self.seen = []

    def encode(self, texts):
        self.seen += texts
        return self.inner.encode(texts)


TEXTS = ["a quiet film", "grief", None, "a quiet film", " ", float("nan"), ""]
FILMS = {"title": ["Ikiru", "Alien", None], "year": [1952, 1979, None]}


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        [[text] for text in TEXTS],
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=object)[:, None],
        pd.Series(TEXTS),
        pd.DataFrame({"title": TEXTS}),
        pl.Series([t if isinstance(t, str) else None for t in TEXTS]),
        pl.DataFrame({"title": [t if isinstance(t, str) else None for t in TEXTS]}),
        pa.table({"title": [t if isinstance(t, str) else None for t in TEXTS]}),
        pa.chunked_array([[t if isinstance(t, str) else None for t in TEXTS]]),
        pd.Series(TEXTS, dtype="category"),
    ],
    ids=lambda X: f"{type(X).__module__.split('.')[0]}-{type(X).__name__}",
)
def test_every_kind_of_text_column(X):
    embedder = LLMTextEmbedder(HashingTextEncoder(16))
    vectors = embedder.fit_transform(X)
    assert vectors.dtype == np.float32
    expected = np.zeros((7, 16))
    expected[[0, 1, 3]] = HashingTextEncoder(16).encode(["a quiet film", "grief", "a quiet film"])
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert (embedder.n_features_in_, embedder.n_features_out_) == (1, 16)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
def test_rows_of_a_frame_are_written_out(frame):
    def embed(**params):
        return LLMTextEmbedder(HashingTextEncoder(64), **params).fit_transform(frame(FILMS))

    def expect(texts):
        return HashingTextEncoder(64).encode(texts)

    written = ["title: Ikiru; year: 1952", "title: Alien; year: 1979"]
    np.testing.assert_allclose(embed()[:2], expect(written), atol=1e-6)
    assert not embed()[2].any()
    np.testing.assert_allclose(embed(columns=["title"])[:2], expect(["Ikiru", "Alien"]), atol=1e-6)
    np.testing.assert_allclose(
        embed(template="{title} of {year}")[:2], expect(["Ikiru of 1952", "Alien of 1979"]), atol=1e-6
    )


def test_all_texts_missing():
    embedder = LLMTextEmbedder(HashingTextEncoder(16)).fit([None, ""])
    assert embedder.transform([None]).shape == (1, 16)
    assert not embedder.transform([None, "", np.nan]).any()


def test_distinct_texts_are_embedded_once_and_spread_back():
    encoder = CountingEncoder()
    LLMTextEmbedder(encoder, cache=None).fit([None]).transform(TEXTS * 3)
    assert sorted(encoder.seen) == ["a quiet film", "grief", "text"]  # "text" told fit the length


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.array([["a", 1j]], dtype=object), ValueError, "Complex data not supported"),
        (np.ones((2, 2)) * 1j, ValueError, "Complex data not supported"),
        (sp.csr_array(np.eye(3)), TypeError, "[Ss]parse"),
        (np.array([1.0, 2.0]), ValueError, "Reshape your data"),
        ([], ValueError, "Found 0 sample"),
        (pd.DataFrame({"a": []}), ValueError, "Found 0 sample"),
        (pd.DataFrame(index=[0, 1]), ValueError, "Found 0 feature"),
        (np.empty((0, 2)), ValueError, "Found array with 0 sample"),
        ([["a"], ["b", "c"]], ValueError, "different lengths"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        ("one text", TypeError, "X is of type str; expected a list of texts"),
    ],
)
def test_bad_input(X, error, message):
    with pytest.raises(error, match=message):
        LLMTextEmbedder(HashingTextEncoder()).fit(X)


def test_columns_of_transform_must_be_those_of_fit():
    frame = pd.DataFrame(FILMS)
    embedder = LLMTextEmbedder(HashingTextEncoder()).fit(frame)
    assert embedder.feature_names_in_.tolist() == ["title", "year"]
    with pytest.raises(ValueError, match="feature names should match"):
        embedder.transform(frame[["year", "title"]])
    with pytest.raises(ValueError, match="X has 1 features, but LLMTextEmbedder is expecting 2 features"):
        embedder.transform(["Ikiru"])
    embedder.fit(["Ikiru"])
    assert not hasattr(embedder, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 3 features, but LLMTextEmbedder is expecting 1 features"):
        embedder.transform(np.ones((2, 3), dtype=object))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"columns": ["genre"]}, r"columns=\['genre'\] names \['genre'\], which X does not have"),
        ({"template": "{genre}"}, r"names \['genre'\], which X does not have"),
        ({"template": "{title.upper}"}, "bare name of a column"),
        ({"template": "{title}", "columns": ["title"]}, "not both"),
        ({"truncate_dim": 17}, "truncate_dim=17 is more than the 16"),
        ({"prompt_name": "query"}, "prompt_name='query'"),
        ({"dtype": "int4"}, "The 'dtype' parameter"),
        ({"max_length": 0}, "The 'max_length' parameter"),
        ({"model": 3}, "The 'model' parameter"),
        ({"max_length": 5}, "max_length cannot be set for a HashingTextEncoder"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        LLMTextEmbedder(HashingTextEncoder(16)).set_params(**params).fit(pd.DataFrame(FILMS))


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 3)), np.full((1, 3), np.nan)])
def test_encoder_that_returns_something_else(bad):
    class Bad:
        def encode(self, texts):
            return bad

    with pytest.raises(ValueError, match=r"Bad.encode must return finite numbers of shape \(n_texts, n_features\)"):
        LLMTextEmbedder(Bad()).fit(["a"])


def test_encoder_that_returns_tensors():
    torch = pytest.importorskip("torch")

    class Tensors:
        def encode(self, texts):
            return torch.ones(len(texts), 4, requires_grad=True)

    np.testing.assert_allclose(LLMTextEmbedder(Tensors()).fit_transform(["a"]), 0.5)


def test_normalize_and_truncate_cost_no_second_embedding():
    encoder = CountingEncoder()
    full = LLMTextEmbedder(encoder).fit_transform(["a quiet film about grief", "grief"])
    n_seen = len(encoder.seen)
    short = LLMTextEmbedder(encoder, truncate_dim=5, normalize=False).fit_transform(["a quiet film about grief"])
    unit = LLMTextEmbedder(encoder, truncate_dim=5).fit_transform(["a quiet film about grief"])
    assert len(encoder.seen) == n_seen
    np.testing.assert_allclose(short, full[:1, :5], atol=1e-6)
    np.testing.assert_allclose(unit, short / np.linalg.norm(short), atol=1e-6)


def test_set_params_after_fit_uses_the_new_model():
    embedder = LLMTextEmbedder(HashingTextEncoder(16)).fit(TEXTS)
    other = Anonymous(16)
    embedder.set_params(model=other).transform(["grief"])
    assert other.seen == ["grief"]
    with pytest.raises(ValueError, match=r"length 8 where fit found 16.*fit again"):
        embedder.set_params(model=HashingTextEncoder(8)).transform(["grief"])
    assert embedder.fit_transform(["grief"]).shape == (1, 8)


def test_encode_and_encode_query():
    embedder = LLMTextEmbedder(HashingTextEncoder(64), prompt="passage ", query_prompt="query ")
    expect = HashingTextEncoder(64).encode
    texts = ["a film", None]
    np.testing.assert_allclose(embedder.encode(texts)[:1], expect(["passage a film"]), atol=1e-6)
    np.testing.assert_allclose(embedder.encode_query(texts)[:1], expect(["query a film"]), atol=1e-6)
    np.testing.assert_allclose(embedder.encode(texts, prompt="")[:1], expect(["a film"]), atol=1e-6)
    assert not embedder.encode(texts)[1].any()
    embedder.set_params(query_prompt=None)
    np.testing.assert_allclose(embedder.encode_query(texts), embedder.encode(texts), atol=1e-6)
    with pytest.raises(TypeError, match="write \\['a film'\\]"):
        embedder.encode("a film")


def test_memory_cache_is_shared_and_keyed_by_what_the_encoder_computes():
    LLMTextEmbedder(CountingEncoder(16)).fit_transform(["grief"])
    again, wider = CountingEncoder(16), CountingEncoder(17)
    LLMTextEmbedder(again).fit_transform(["grief"])
    assert LLMTextEmbedder(wider).fit_transform(["grief"]).shape == (1, 17)
    assert (again.seen, wider.seen) == ([], ["grief"])
    assert len(memory_cache) == 2


def test_encoder_without_a_fingerprint_is_known_by_identity_and_kept_off_disk(tmp_path):
    first, second = Anonymous(), Anonymous()
    for _ in range(2):
        LLMTextEmbedder(first, cache=tmp_path).fit_transform(["grief"])
        LLMTextEmbedder(second, cache="memory").fit_transform(["grief"])
    assert first.seen == second.seen == ["grief"]
    assert list(tmp_path.iterdir()) == []


def test_identity_is_never_that_of_an_object_gone():
    tokens = set()
    for _ in range(50):  # ids are soon used again
        tokens.add(identity_token(Anonymous()))
    assert len(tokens) == 50
    kept = Anonymous()
    assert identity_token(kept) == identity_token(kept)


def test_encoder_that_cannot_be_watched_is_not_cached():
    class Slotted:
        __slots__ = ()

        def encode(self, texts):
            return np.ones((len(texts), 2))

    LLMTextEmbedder(Slotted()).fit_transform(["grief"])
    assert len(memory_cache) == 0


Y = np.array([0, 1] * 15)
DOCUMENTS = [f"film number {i} {'grief' if i % 2 else 'comedy'}" for i in range(30)]


@pytest.mark.parametrize(("n_jobs", "on_disk"), [(1, False), (1, True), (2, True)])
def test_grid_search_embeds_each_text_once(n_jobs, on_disk, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    pipeline = make_pipeline(
        LLMTextEmbedder(LoggingEncoder(str(log)), cache=tmp_path / "cache" if on_disk else "memory"),
        LogisticRegression(),
    )
    grid = {"llmtextembedder__truncate_dim": [None, 8], "logisticregression__C": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=5, n_jobs=n_jobs).fit(DOCUMENTS, Y)
    assert len(search.cv_results_["params"]) == 4
    embedded = [line for path in log.iterdir() for line in path.read_text().splitlines()]
    assert sorted(embedded) == sorted(DOCUMENTS)


class LoggingEncoder(HashingTextEncoder):
    """Writes the texts it is given to a file a process."""

    def __init__(self, folder):
        super().__init__(16)
        self.folder = folder

    def encode(self, texts):
        import os

        with open(f"{self.folder}/{os.getpid()}", "a") as file:
            file.writelines(f"{text}\n" for text in texts)
        return super().encode(texts)


def test_column_transformer_and_set_output():
    frame = pd.DataFrame(FILMS).iloc[:2]
    embedder = LLMTextEmbedder(HashingTextEncoder(4))
    both = ColumnTransformer([("text", embedder, "title"), ("numbers", "passthrough", ["year"])])
    assert both.fit_transform(frame).shape == (2, 5)
    assert both.transform(frame).shape == (2, 5)
    for kind, library in (("pandas", pd), ("polars", pl)):
        out = LLMTextEmbedder(HashingTextEncoder(2)).set_output(transform=kind).fit_transform(frame)
        assert isinstance(out, library.DataFrame)
        assert list(out.columns) == ["llmtextembedder0", "llmtextembedder1"]


def test_clones_share_a_live_model_and_keep_settings():
    encoder = Anonymous()
    embedder = LLMTextEmbedder(encoder, truncate_dim=3).set_output(transform="pandas").fit(["grief"])
    for twin in (clone(embedder), copy.deepcopy(embedder)):
        assert twin.model is encoder
        assert isinstance(twin.fit_transform(["grief"]), pd.DataFrame)
    assert not hasattr(clone(embedder), "n_features_in_")
    assert clone(make_pipeline(embedder))[0].model is encoder


def round_trip(embedder, path):
    joblib.dump(embedder, path)
    return joblib.load(path)


def test_pickles_round_trip(tmp_path):
    embedder = LLMTextEmbedder(HashingTextEncoder(16)).fit(TEXTS)
    loaded = round_trip(embedder, tmp_path / "file")
    np.testing.assert_array_equal(loaded.transform(TEXTS), embedder.transform(TEXTS))


def test_a_pickle_of_a_newer_version_is_refused(monkeypatch):
    from skrec.utils._loading import _format_version

    monkeypatch.setattr(_format_version, "FORMAT_VERSION", 99)
    saved = pickle.dumps(LLMTextEmbedder(HashingTextEncoder()))
    monkeypatch.undo()
    with pytest.raises(FormatVersionError, match="99"):
        pickle.loads(saved)


def test_pickles_leave_out_weights_that_have_a_path(sentence_folder, texts, tmp_path):

    by_name = LLMTextEmbedder(sentence_folder).fit(texts)
    n_bytes = len(pickle.dumps(by_name))
    assert n_bytes < 2000
    np.testing.assert_array_equal(round_trip(by_name, tmp_path / "a").transform(texts), by_name.transform(texts))


def test_live_models_with_a_path_are_pickled_as_the_path(bert_folder, texts, tmp_path):
    from sentence_transformers import SentenceTransformer

    live = LLMTextEmbedder(SentenceTransformer(bert_folder, device="cpu")).fit(texts)
    loaded = round_trip(live, tmp_path / "b")
    assert loaded.model == bert_folder
    np.testing.assert_allclose(loaded.transform(texts), live.transform(texts), atol=1e-6)


def test_live_models_that_no_path_gives_back_are_refused_unless_asked(bert_folder, texts, tmp_path):
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(bert_folder, device="cpu")
    with torch.no_grad():
        next(model.parameters()).add_(1)  # trained since
    embedder = LLMTextEmbedder(model).fit(texts)
    with pytest.raises(ValueError, match=r"model.save\(folder\).*pickle_weights=True"):
        pickle.dumps(embedder)
    loaded = round_trip(embedder.set_params(pickle_weights=True), tmp_path / "c")
    np.testing.assert_allclose(loaded.transform(texts), embedder.transform(texts), atol=1e-6)


def test_weights_asked_for_travel_with_a_name(bert_folder, gpt_folder, texts, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    embedder = LLMTextEmbedder(str(folder), pickle_weights=True).fit(texts)
    expected = embedder.transform(texts)
    joblib.dump(embedder, tmp_path / "file")
    shutil.rmtree(folder)
    loaded = joblib.load(tmp_path / "file")
    memory_cache.clear()
    np.testing.assert_allclose(loaded.transform(texts), expected, atol=1e-6)
    np.testing.assert_allclose(round_trip(loaded, tmp_path / "again").transform(texts), expected, atol=1e-6)
    other = LLMTextEmbedder(gpt_folder).fit_transform(texts)
    np.testing.assert_allclose(loaded.set_params(model=gpt_folder).transform(texts), other, atol=1e-6)


def test_progress_bar(capsys):
    LLMTextEmbedder(HashingTextEncoder(), cache=None, verbose=1).fit(["a"]).transform(["a", "b"])
    assert "Embedding" in capsys.readouterr().err
    LLMTextEmbedder(HashingTextEncoder(), cache=None).fit(["a"]).transform(["a", "b"])
    assert capsys.readouterr().err == ""
