"""A real llama.cpp server, where ``SKREC_LLAMA_MODEL`` names a model file (GGUF) and ``llama-server`` is installed.

SKREC_LLAMA_MODEL=qwen2.5-0.5b-instruct-q8_0.gguf pytest tests/chat/test_llama_cpp.py
"""

import os
import shutil
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pandas as pd
import pytest

from skrec.dummy import PopularRecommender
from skrec.interactions import FeatureTable
from skrec.llm import LLMReranker, OpenAICompatibleChat

MODEL = os.environ.get("SKREC_LLAMA_MODEL", "")
SERVER = os.environ.get("SKREC_LLAMA_SERVER", "llama-server")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isfile(MODEL), reason="SKREC_LLAMA_MODEL names no model file (GGUF)"),
    pytest.mark.skipif(shutil.which(SERVER) is None, reason="llama-server is not on the path (SKREC_LLAMA_SERVER)"),
]
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "maxItems": 3}},
    "required": ["order"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def url():
    pytest.importorskip("openai")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [SERVER, "-m", MODEL, "--host", "127.0.0.1", "--port", str(port), "-c", "8192"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                assert server.poll() is None, "llama-server ended"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def test_answers_fit_a_bounded_schema(url):
    chat = OpenAICompatibleChat("local", base_url=url, n_jobs=2)
    results = chat.complete([f"Rank a, b and c, {i}." for i in range(8)], schema=SCHEMA, max_tokens=64)
    assert [result.error for result in results] == [None] * 8
    assert all(len(result.parsed["order"]) == 3 for result in results)


def test_a_reranker_parses_what_the_model_writes(url):
    X = np.array([[user, item] for item in range(20) for user in range(20 - item)])
    items = FeatureTable(pd.DataFrame({"item": range(20), "title": [f"Film {i}" for i in range(20)]}))
    rec = LLMReranker(PopularRecommender(), OpenAICompatibleChat("local", base_url=url), n_candidates=10)
    rec.fit(X, item_features=items).recommend(range(100, 110), k=10, request="a quiet film")
    assert rec.report_["parsed"] == 1.0
