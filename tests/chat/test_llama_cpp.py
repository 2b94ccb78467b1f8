"""A real llama.cpp server, with a model of random weights and with one that you name.

The server is ``llama-server`` on the path, else that of ``llama-cpp-python[server]``; ``SKREC_LLAMA_SERVER`` names
another one. The random model needs ``pip install gguf``; ``SKREC_LLAMA_MODEL`` names a file (GGUF) of your own::

    SKREC_LLAMA_MODEL=qwen2.5-0.5b-instruct-q8_0.gguf pytest tests/chat/test_llama_cpp.py
"""

import importlib.util
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from tiny_llama import write_tiny_llama

from skrec.dummy import PopularRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.interactions import FeatureTable
from skrec.llm import LLMExplainer, LLMReranker, OpenAICompatibleChat, personalise
from skrec.neighbors import ItemKNNRecommender

MODEL = os.environ.get("SKREC_LLAMA_MODEL", "")
N_ITEMS = 20
X = np.array([[user, item] for item in range(N_ITEMS) for user in range(N_ITEMS - item)])
ITEMS = FeatureTable(pd.DataFrame({"item": range(N_ITEMS), "title": [f"Film {i}" for i in range(N_ITEMS)]}))
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "maxItems": 3}},
    "required": ["order"],
    "additionalProperties": False,
}


def server_command():
    """The command of a server, without model and port."""
    if named := os.environ.get("SKREC_LLAMA_SERVER"):
        return shlex.split(named)
    if shutil.which("llama-server"):
        return ["llama-server"]
    if importlib.util.find_spec("llama_cpp") and importlib.util.find_spec("uvicorn"):
        return [sys.executable, "-m", "llama_cpp.server"]
    return None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(server_command() is None, reason="neither llama-server nor llama-cpp-python[server] is here"),
]


def start(model):
    command, port = server_command(), None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = "--n_ctx" if "llama_cpp.server" in command else "-c"
    model_option = "--model" if "llama_cpp.server" in command else "-m"
    command += [model_option, str(model), "--host", "127.0.0.1", "--port", str(port), context, "8192"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5)
            return server, f"http://127.0.0.1:{port}/v1"
        except urllib.error.HTTPError:  # 503 while it loads the model
            pass
        except OSError:
            assert server.poll() is None, "the server ended"
        time.sleep(0.2)
    server.kill()
    pytest.fail("the server did not start within two minutes")


@pytest.fixture(scope="module", params=["random", "named"])
def url(request, tmp_path_factory):
    pytest.importorskip("openai")
    if request.param == "named" and not os.path.isfile(MODEL):
        pytest.skip("SKREC_LLAMA_MODEL names no model file (GGUF)")
    if request.param == "random":
        pytest.importorskip("gguf")
    model = MODEL if request.param == "named" else write_tiny_llama(tmp_path_factory.mktemp("llama") / "tiny.gguf")
    server, url = start(model)
    try:
        yield url
    finally:
        server.terminate()
        server.wait()


def client(url):
    return OpenAICompatibleChat("local", base_url=url, n_jobs=2, timeout=300)


def test_answers_fit_a_bounded_schema(url):
    results = client(url).complete([f"Rank a, b and c, {i}." for i in range(8)], schema=SCHEMA, max_tokens=64)
    assert [result.error for result in results] == [None] * 8
    assert all(len(result.parsed["order"]) == 3 for result in results)


@pytest.mark.parametrize("method", ["listwise", "pairwise", "pointwise"])
def test_a_reranker_reads_whatever_the_model_writes(url, method):
    rec = LLMReranker(PopularRecommender(), client(url), method=method, n_candidates=6)
    items = (lists := rec.fit(X, item_features=ITEMS).recommend([100, 101], k=6, request="a quiet film")).items
    assert (np.sort(items, axis=1) == np.arange(6)).all()
    assert (lists.report["parsed"], lists.report["n_unknown"]) == (1.0, 0)


def test_an_explanation_and_a_line_are_read(url):
    knn = ItemKNNRecommender().fit(X)
    rec = LLMExplainer(FrozenEstimator(knn), client(url)).fit(X, item_features=ITEMS)
    with warnings.catch_warnings(action="ignore", category=LanguageModelWarning):  # a model may cite nothing
        explained = rec.explain([0, 1], [19, 19])
        lines = personalise([19], [0], client(url), recommender=knn, item_features=ITEMS, max_length=60)
    assert all([*explained.text, *lines.text])
    assert (explained.report["n_failed"], explained.report["n_unknown"]) == (0, 0)
