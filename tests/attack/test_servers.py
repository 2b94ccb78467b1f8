"""Servers that misbehave: no request outlasts its time-out, no list is lost, and nothing raw is raised."""

import contextlib
import socket
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from misbehaviour import BODIES, CHATS, CONNECTIONS, EMBEDDINGS, ENDLESS, STATUSES, bomb
from raw_server import RawServer

from skrec.dummy import PopularRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.llm import LLMReranker, OpenAICompatibleChat
from skrec.utils import EndpointError

pytest.importorskip("openai")
TIMEOUT = 1.0
MOST_BYTES = 200 * 2**20
X = np.array([[user, item] for item in range(8) for user in range(8 - item)])
ITEMS = FeatureTable(pd.DataFrame({"item": range(8), "title": [f"Film {i}" for i in range(8)]}))
SCHEMA = {"type": "object", "properties": {"order": {"type": "array"}}, "required": ["order"]}
EVERYWHERE = {**CONNECTIONS, **ENDLESS, **BODIES, **STATUSES}


@pytest.fixture
def serve():
    """A function that starts a server which behaves in this way; returns its address."""
    servers, closed = [], threading.Event()

    def start(behave):
        servers.append(RawServer(lambda connection: behave(connection, closed)))
        return servers[-1]

    yield start
    closed.set()
    for server in servers:
        server.close()


def chat(url, **options):
    return OpenAICompatibleChat("m", base_url=url, timeout=TIMEOUT, max_retries=0, n_jobs=1, **options)


def completes(url):
    for schema in (None, SCHEMA):
        (result,) = chat(url).complete(["x"], schema=schema)
        assert isinstance(result.text, str)
        assert result.error is None or result.error.startswith(("the ", "an ", "no "))
        (result.text + (result.error or "")).encode()
        assert result.usage.prompt_tokens >= 0
        assert result.usage.completion_tokens >= 0


def reranks(url):
    rec = LLMReranker(PopularRecommender(), chat(url), n_candidates=5).fit(X, item_features=ITEMS)
    with warnings.catch_warnings(action="ignore", category=LanguageModelWarning):
        items = rec.recommend([100], k=5, request="a quiet film").items
    assert sorted(items[0]) == list(range(5))


def embeds(url):
    encoder = LLMTextEmbedder("m", base_url=url, timeout=TIMEOUT, max_retries=0, cache=None)
    with contextlib.suppress(EndpointError):
        vectors = encoder.fit_transform(["a film", "grief"])
        assert vectors.shape[0] == 2
        assert np.isfinite(vectors).all()


@pytest.mark.parametrize("name", CHATS)
def test_a_chat(serve, name):
    completes(serve(CHATS[name]).url)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embeddings(serve, name):
    embeds(serve(EMBEDDINGS[name]).url)


@pytest.mark.parametrize("name", [*BODIES, *STATUSES])
def test_whatever_was_asked(serve, name):
    url = serve(EVERYWHERE[name]).url
    completes(url)
    embeds(url)


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_connection(serve, name):
    completes(serve(CONNECTIONS[name]).url)


def memory(name):
    """A figure of the memory of this process, in bytes; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def measured(call, url):
    """Seconds, and bytes of memory at the highest beyond those before."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    start, before = time.monotonic(), memory("VmRSS")
    call(url)
    return time.monotonic() - start, memory("VmHWM") - before


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    for client in (completes, reranks, embeds):
        client(url)


@pytest.mark.attack
def test_all_servers_against_all_clients(serve, attack_log):
    """Each request ends a second after its time-out at the latest, and all of it stays under 200 MB."""
    test_a_server_that_is_not_there()  # loads what the clients need
    bomb()  # made by the server, whose memory and time do not count
    n_calls, n_requests, slowest, largest = 0, 0, 0.0, 0
    servers = {**EVERYWHERE, **CHATS, **EMBEDDINGS}
    for name, behave in servers.items():
        for call in (completes, reranks, embeds):
            server = serve(behave)
            seconds, n_bytes = measured(call, server.url)
            per_request = seconds / server.n_requests
            assert per_request < TIMEOUT + 1, (name, call.__name__)
            assert n_bytes < MOST_BYTES, (name, call.__name__)
            n_calls, n_requests = n_calls + 1, n_requests + server.n_requests
            slowest, largest = max(slowest, per_request), max(largest, n_bytes)
    attack_log(servers=len(servers), calls=n_calls, requests=n_requests, seconds=round(slowest, 2), bytes=largest)
