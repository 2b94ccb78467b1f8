"""Addresses, models and paths of a file that skops loads stay inactive until they are allowed."""

import copy
import json
import os
import pickle
from zipfile import ZipFile

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline as PlainPipeline

from skrec.dummy import PopularRecommender
from skrec.exceptions import ExternalAccessError
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.llm import ChatCache, HeuristicChat, LLMReranker, OpenAICompatibleChat, TransformersChat
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.persistence import allow_external, external_access, skops_trusted_types
from skrec.pipeline import make_pipeline

skops = pytest.importorskip("skops.io")

FILMS = FeatureTable((np.array([1, 2, 3]), np.array([["horror in space"], ["a heist"], ["a love story"]], object)))
X = np.array([[1, 1], [1, 2], [2, 3], [3, 1]])


def by_skops(estimator):
    data = skops.dumps(estimator)
    return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def by_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def offline(**options):
    """An embedder that needs nothing but what the options name."""
    return LLMTextEmbedder(HashingTextEncoder(), **options)


REMOTE = {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "SHOP_KEY", "max_retries": 0}


@pytest.mark.parametrize(
    ("embedder", "said"),
    [
        (LLMTextEmbedder("m", **REMOTE), r"send texts to base_url='http://127.0.0.1:9/v1', with the key .* 'SHOP_KEY'"),
        (LLMTextEmbedder("m", base_url="https://api.openai.com/v1"), "'OPENAI_API_KEY'"),
        (LLMTextEmbedder("someone/model"), "load model='someone/model' from a folder or from the Hugging Face hub"),
        (LLMTextEmbedder(trust_remote_code=True), r"run the code .* model='all-MiniLM-L6-v2' \(trust_remote_code\)"),
        (LLMTextEmbedder(model_kwargs={"use_kernels": True}), r"with model_kwargs={'use_kernels': True}"),
        (LLMTextEmbedder(attn_implementation="someone/attention"), "with attn_implementation='someone/attention'"),
        (offline(cache="/some/folder"), "write vectors to cache='/some/folder'"),
    ],
    ids=["endpoint", "openai", "hub", "code", "options", "attention", "cache"],
)
def test_an_embedder_says_what_it_would_do(embedder, said):
    loaded = by_skops(embedder)
    for use in (lambda: loaded.encode(["x"]), lambda: loaded.fit(["x"]), lambda: clone(loaded).encode_query(["x"])):
        with pytest.raises(ExternalAccessError, match=said):
            use()
    assert external_access(loaded) == external_access(embedder)
    assert allow_external(loaded) is loaded
    assert not loaded._is_inactive
    assert not clone(loaded)._is_inactive


def test_what_stays_in_the_process_needs_no_permission():
    embedder = offline().fit(["a quiet film"])
    assert external_access(embedder) == []
    loaded = by_skops(embedder)
    np.testing.assert_array_equal(loaded.transform(["a quiet film"]), embedder.transform(["a quiet film"]))


def test_nothing_is_written_before_it_is_allowed(tmp_path):
    cache = tmp_path / "vectors"
    rec = EmbeddingKNNRecommender(item_encoder=offline(cache=str(cache))).fit(X, item_features=FILMS)
    for file in cache.iterdir():
        file.unlink()
    loaded = by_skops(rec)
    with pytest.raises(ExternalAccessError, match="write vectors to cache"):
        loaded.search("a heist")
    with pytest.raises(ExternalAccessError):
        loaded.fit(X, item_features=FILMS)
    assert list(cache.iterdir()) == []
    assert loaded.recommend([1], k=1).items.tolist() == rec.recommend([1], k=1).items.tolist()
    assert allow_external(loaded).search("a heist", k=1).items.tolist() == [[2]]
    assert list(cache.iterdir())


@pytest.mark.parametrize("copied", [by_pickle, copy.copy, copy.deepcopy, clone, by_skops], ids=lambda f: f.__name__)
@pytest.mark.parametrize("make", [lambda: LLMTextEmbedder("m", **REMOTE), lambda: OpenAICompatibleChat("m", **REMOTE)])
def test_a_copy_is_as_active_as_the_original(copied, make):
    loaded = by_skops(make())
    assert copied(loaded)._is_inactive
    original = make()
    assert copied(original)._is_inactive == (copied is by_skops)
    assert copied(allow_external(loaded))._is_inactive == (copied is by_skops)


def test_joblib_is_trusted(tmp_path):
    joblib.dump(LLMTextEmbedder("m", **REMOTE), tmp_path / "model.joblib")
    assert not joblib.load(tmp_path / "model.joblib")._is_inactive


def test_chat_clients_are_inactive_though_their_type_was_trusted(tmp_path):
    for chat, said in (
        (
            OpenAICompatibleChat("m", **REMOTE, cache=tmp_path / "a.sqlite"),
            "send texts to .*; write answers to",
        ),
        (TransformersChat("someone/model", trust_remote_code=True), "run the code that comes with it"),
        (HeuristicChat(cache=ChatCache(tmp_path / "a.sqlite")), "write answers to"),
    ):
        loaded = by_skops(chat)
        with pytest.raises(ExternalAccessError, match=said):
            loaded.complete(["x"])
        if loaded.can_score:
            with pytest.raises(ExternalAccessError, match="would load model"):
                loaded.score(["x"], [["y"]])
        assert external_access(loaded) == external_access(chat)
    assert list(tmp_path.iterdir()) == []


def test_a_wrapper_does_not_take_it_for_a_model_that_failed():
    rec = LLMReranker(PopularRecommender(), OpenAICompatibleChat("m", **REMOTE)).fit(X, item_features=FILMS)
    loaded = by_skops(rec)
    with pytest.raises(ExternalAccessError, match="send texts to"):
        loaded.recommend([9])
    assert not allow_external(loaded).llm._is_inactive


def test_every_part_is_found_however_deep(tmp_path):
    inner = EmbeddingKNNRecommender(item_encoder=PlainPipeline([("e", offline(cache=str(tmp_path / "v")))]))
    rec = LLMReranker(FrozenEstimator(inner.fit(X, item_features=FILMS)), HeuristicChat(cache=tmp_path / "a.sqlite"))
    loaded = by_skops(make_pipeline(rec.fit(X, item_features=FILMS)))
    assert len(external_access(loaded)) == 2
    chat = loaded.steps[0][1].llm
    encoder = loaded.steps[0][1].recommender.estimator.item_encoder_.steps[0][1]
    assert encoder._is_inactive
    assert chat._is_inactive
    assert chat.cache._is_inactive
    allow_external(loaded)
    assert not any(part._is_inactive for part in (encoder, chat, chat.cache))


# By hand --------------------------------------------------------------------------------------------------


def rewritten(path, change):
    with ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    with ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return skops.load(path, trusted=skops_trusted_types())


def node(value):
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def says_it_is_active(schema):
    for name, value in (("_is_inactive", False), ("_unpickled_inactive", False)):
        schema["content"]["content"][name] = node(value)
    types = schema["content"]["key_types"]["content"]
    types += [types[0], types[0]]


def calls_the_type(schema):
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [node("a/b")]}
    schema.update(__loader__="ConstructorFromReduceNode", content=arguments)


def calls_the_type_for_a_key(schema):
    kind = {"__class__": schema["__class__"], "__module__": schema["__module__"], "__loader__": "TypeNode"}
    types = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [kind]}
    schema.update(__class__="dict", __module__="builtins", __loader__="DictNode")
    schema.update(content={"a/b": node(1)}, key_types=types)


@pytest.mark.parametrize("change", [says_it_is_active, calls_the_type, calls_the_type_for_a_key])
def test_no_file_can_say_that_it_is_active(change, tmp_path):
    skops.dump(LLMTextEmbedder("a/b"), tmp_path / "model.skops")
    loaded = rewritten(tmp_path / "model.skops", change)
    loaded = next(iter(loaded)) if isinstance(loaded, dict) else loaded
    assert isinstance(loaded, LLMTextEmbedder)
    with pytest.raises(ExternalAccessError):
        loaded.encode(["x"])


def test_parameters_that_are_set_later_stay_inactive():
    loaded = by_skops(offline())
    loaded.set_params(model="m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ExternalAccessError):
        loaded.encode(["x"])
    with pytest.raises(ExternalAccessError):
        clone(loaded).encode(["x"])


def test_the_folder_of_pickles_of_a_pipeline_is_dropped(tmp_path):
    pipe = make_pipeline(PopularRecommender(), memory=os.fspath(tmp_path)).fit(X)
    with pytest.warns(UserWarning, match=r"memory=.* of a Pipeline that skops has loaded is not used"):
        assert by_skops(pipe).memory is None
    assert by_pickle(pipe).memory == os.fspath(tmp_path)
