"""No request lasts longer than its time-out, and no answer takes more memory than it may: raw servers that try."""

import gzip
import json
import time
import tracemalloc

import pytest
from openai_server import says, status
from raw_server import RawServer

from skrec.llm import OpenAICompatibleChat
from skrec.utils._endpoint import retry_after

pytest.importorskip("openai")
KEY = "sk-very-secret-0123456789"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
TIMEOUT = 0.6


def chat(url, **options):
    return OpenAICompatibleChat("m", base_url=url, **{"timeout": TIMEOUT, "max_retries": 0, **options})


DRIPS = {
    "nothing at all": (b"", b""),
    "headers byte by byte": (b"HTTP/1.1 200 OK\r\nx-slow: ", b"x"),
    "100 Continue for ever": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body byte by byte": (OK + b"content-length: 1000000\r\n\r\n", b" "),
    "chunks for ever": (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "an error byte by byte": (b"HTTP/1.1 500 Oops\r\ncontent-length: 1000000\r\n\r\n", b" "),
    "gzip byte by byte": (OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(b"{}")[:10], b""),
}


@pytest.mark.parametrize("name", DRIPS)
def test_no_request_lasts_longer_than_its_timeout(name):
    head, piece = DRIPS[name]
    server = RawServer(lambda connection: server.drip(connection, head, piece))
    start = time.monotonic()
    (result,) = chat(server.url).complete(["x"])
    taken = time.monotonic() - start
    server.close()
    assert result.error == f"the endpoint gave no answer within {TIMEOUT} seconds"
    assert taken < TIMEOUT + 1


def test_a_connection_that_is_used_again_has_a_deadline_of_its_own(openai_server):
    client = chat(openai_server.url, timeout=0.4)
    openai_server.answer = lambda messages, body: time.sleep(0.25) or "yes"
    assert [result.text for result in client.complete(["a", "b", "c"])] == ["yes"] * 3


def flood(connection, head, piece):
    connection.sendall(head)
    while True:
        connection.sendall(piece)


BOMB = gzip.compress(b" " * (300 * 2**20), 9)
FLOODS = {
    "gzip that unpacks to 300 MB": (OK + b"content-encoding: gzip\r\n\r\n" + BOMB, "more than 4194304 bytes"),
    "a body without an end": (OK + b"\r\n", "more than 4194304 bytes"),
    "brotli": (OK + b"content-encoding: br\r\n\r\n", "an encoding that was not offered"),
    "no gzip": (OK + b"content-encoding: gzip\r\n\r\nplain text, not packed at all", "not valid gzip"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_body_counts_as_it_is_unpacked(name):
    head, error = FLOODS[name]
    server = RawServer(lambda connection: flood(connection, head, b" " * 65536))
    tracemalloc.start()
    try:
        (result,) = chat(server.url, timeout=20).complete(["x"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        server.close()
    assert error in result.error
    assert peak < 40 * 2**20


@pytest.mark.parametrize("packed", [False, True])
def test_the_body_of_an_error_is_bounded_too(packed):
    head = b"HTTP/1.1 503 Busy\r\n" + (b"content-encoding: gzip\r\n\r\n" + BOMB if packed else b"\r\n")
    server = RawServer(lambda connection: flood(connection, head, b" " * 65536))
    (result,) = chat(server.url, timeout=20).complete(["x"])
    server.close()
    assert result.error == "the endpoint answered 503"


def test_gzip_is_read(openai_server):
    openai_server.script = [
        lambda payload: (200, {"content-encoding": "gzip"}, gzip.compress(json.dumps(payload).encode()))
    ]
    assert chat(openai_server.url, timeout=5).complete(["x"])[0].text == "Hello."
    assert {headers["accept-encoding"] for _, headers, _ in openai_server.requests} == {"gzip"}


HOSTILE = {
    "nested 200,000 deep": b"[" * 200_000 + b"]" * 200_000,
    "an integer of 5,000 digits": b'{"usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}",
    "a choice nested deep": b'{"choices": ' + b'[{"message":' * 50_000 + b"1" + b"}]" * 50_000 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_body_that_json_cannot_read_is_an_error(openai_server, waits, name):
    openai_server.script = [status(200, HOSTILE[name])]
    good, bad = sorted(chat(openai_server.url, timeout=5, n_jobs=1).complete(["a", "b"]), key=lambda r: r.error or "")
    assert (good.text, bad.error) == ("Hello.", "the endpoint gave invalid JSON")


@pytest.mark.parametrize(
    "header", ["Mon, 99 Foo 99999 99:99:99", "Fri, 31 Dec 9999 23:59:59 -9999", "(", "1" * 400, "٣"]
)
def test_an_odd_retry_after_is_none_or_bounded(header):
    assert 0 <= retry_after(header) <= 60


def test_retry_after_waits_no_longer_than_the_timeout(openai_server, waits):
    openai_server.script = [status(429, retry_after="9999"), status(503, retry_after="30")]
    assert chat(openai_server.url, timeout=2, max_retries=2).complete(["x"])[0].text == "Hello."
    assert waits == [2, 2]


@pytest.mark.parametrize("error", [{"code": "insufficient_quota"}, {"type": "insufficient_quota", "code": None}])
def test_no_quota_fails_at_once(openai_server, waits, error):
    openai_server.faults = lambda body: status(429, {"error": {"message": "You exceeded your quota.", **error}})
    (result,) = chat(openai_server.url, timeout=5, max_retries=4).complete(["x"])
    assert result.error == "the endpoint answered 429 (insufficient_quota)"
    assert (len(openai_server.requests), waits) == (1, [])


def test_a_key_in_an_answer_is_taken_out_before_it_is_kept(openai_server, monkeypatch, tmp_path):
    monkeypatch.setenv("SHOP_KEY", KEY)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    path = tmp_path / "answers.sqlite"
    client = chat(openai_server.url, timeout=5, api_key_env="SHOP_KEY", cache=path)
    openai_server.script = [says(f"Your key is {KEY}."), says(json.dumps({"a": KEY}))]
    assert client.complete(["x"])[0].text == "Your key is ***."
    assert client.complete(["y"], schema=schema)[0].parsed == {"a": "***"}
    assert KEY.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
