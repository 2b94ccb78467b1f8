"""Endpoints: a real server on the loopback, the real openai client."""

import builtins
import pickle
import time

import numpy as np
import pytest
from openai_server import OpenAIServer, changed, dripping, slow, status

from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.feature_extraction._encoders import select_encoder
from skrec.utils._endpoint import retry_after

pytest.importorskip("openai")
KEY = "sk-very-secret-0123456789"


def data(change):
    return changed(lambda payload: change(payload["data"]))


BROKEN = {
    "500": status(500),
    "503": status(503),
    "429": status(429),
    "silence": slow,
    "an answer that drips": dripping,
    "invalid JSON": status(200, b'{"data": [tru'),
    "a web page": status(200, b"<html>maintenance</html>", **{"content-type": "text/html"}),
    "a list": status(200, b"[1]"),
    "no data": status(200, {"object": "list"}),
    "one vector too few": data(lambda vectors: vectors.pop()),
    "an index twice": data(lambda vectors: vectors[0].update(index=vectors[1]["index"])),
    "wrong dimensions": data(lambda vectors: vectors[0]["embedding"].pop()),
    "NaN": data(lambda vectors: vectors[0]["embedding"].__setitem__(0, float("nan"))),
    "text for numbers": data(lambda vectors: vectors[0]["embedding"].__setitem__(0, "x")),
}


@pytest.fixture
def server(openai_server):
    return openai_server


def embedder(server, **params):
    params = {"cache": None, "timeout": 5, "max_retries": 3, **params}
    return LLMTextEmbedder("small-model", base_url=server.url, **params)


TEXTS = ["a film", "a quiet film", "grief", "a film", None]


def test_vectors_in_order_of_the_texts(server):
    vectors = embedder(server, batch_size=2).fit(TEXTS).transform(TEXTS)
    np.testing.assert_allclose(vectors[:4], HashingTextEncoder(8).encode(TEXTS[:4]), atol=1e-6)
    assert not vectors[4].any()
    inputs = [body["input"] for _, _, body in server.requests]
    assert all(len(texts) <= 2 for texts in inputs)
    assert {path for path, _, _ in server.requests} == {"/v1/embeddings"}


def test_each_text_is_asked_for_once(server):
    embedder(server, cache="memory").fit(TEXTS).transform(TEXTS)
    embedder(server, cache="memory").fit_transform(TEXTS)
    asked = [text for _, _, body in server.requests for text in body["input"]]
    assert sorted(asked) == ["a film", "a quiet film", "grief"]


def test_prompt_and_dimensions_are_sent(server):
    vectors = embedder(server, prompt="query: ", dimensions=5).fit_transform(["a film", "grief"])
    assert vectors.shape == (2, 5)
    body = server.requests[-1][2]
    assert body["dimensions"] == 5
    assert sorted(body["input"]) == ["query: a film", "query: grief"]


@pytest.mark.parametrize("failure", BROKEN)
def test_a_failure_is_retried(server, waits, failure):
    server.script = [BROKEN[failure]] * 2
    vectors = embedder(server, dimensions=8, timeout=0.7).fit_transform(["a film", "grief"])
    np.testing.assert_allclose(vectors, HashingTextEncoder(8).encode(["a film", "grief"]), atol=1e-6)
    assert len(server.requests) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1


ERRORS = {
    "500": (ConnectionError, "answered 500"),
    "429": (ConnectionError, "answered 429"),
    "silence": (TimeoutError, "gave no answer within 0.7 seconds"),
    "an answer that drips": (TimeoutError, "gave no answer within 0.7 seconds"),
    "invalid JSON": (ValueError, "gave invalid JSON"),
    "a web page": (ValueError, "gave an answer without a list of embeddings"),
    "one vector too few": (ValueError, "gave 1 embeddings for 2 texts"),
    "wrong dimensions": (ValueError, "gave embeddings of different lengths"),
    "NaN": (ValueError, "gave embeddings that are empty, NaN or infinite"),
}


@pytest.mark.parametrize("failure", ERRORS)
def test_a_lasting_failure_is_a_clear_error(server, waits, failure):
    server.script = [BROKEN[failure]] * 9
    error, message = ERRORS[failure]
    with pytest.raises(error, match=rf"The endpoint {server.url} \(model 'small-model'\) {message}.* 2 tries"):
        embedder(server, dimensions=8, timeout=0.7, max_retries=1).fit_transform(["a film", "grief"])
    assert len(server.requests) == 2


def test_dimensions_other_than_asked_for(server, waits):
    server.script = [lambda payload: (200, {}, {**payload, "data": [{"index": 0, "embedding": [1.0, 2.0]}]})] * 9
    with pytest.raises(ValueError, match="length 2 where dimensions=8"):
        embedder(server, dimensions=8).fit_transform(["a film"])


def test_embeddings_without_an_index_count_by_place(server):
    def without_index(vectors):
        vectors.reverse()  # this server gives them back to front, which the index tells
        for vector in vectors:
            vector.pop("index")

    server.faults = lambda body: data(without_index)
    vectors = embedder(server).fit_transform(["a film", "grief"])
    np.testing.assert_allclose(vectors, HashingTextEncoder(8).encode(["a film", "grief"]), atol=1e-6)


def test_dimensions_that_change_between_requests(server):
    def grow(payload):
        server.dimension = 9
        return 200, {}, payload

    server.script = [grow]
    with pytest.raises(ValueError, match=r"vectors of different lengths: \[8, 9\]"):
        embedder(server, batch_size=1).encode(["a film", "grief"])


@pytest.mark.parametrize("code", [301, 307, 400, 401, 403, 404])
def test_a_refusal_is_not_repeated(server, waits, code):
    server.script = [status(code, location="http://127.0.0.1:9/v1/embeddings")]
    with pytest.raises(ValueError, match=f"answered {code}"):
        embedder(server).fit(TEXTS)
    assert (len(server.requests), waits) == (1, [])


def test_an_endpoint_that_is_not_there(waits):
    server = OpenAIServer()
    server.close()
    with pytest.raises(ConnectionError, match=r"cannot be reached .* at each of 3 tries"):
        embedder(server, max_retries=2).fit(TEXTS)
    assert len(waits) == 2


def test_retry_after_is_honoured_and_bounded(server, waits):
    server.script = [status(429, **{"retry-after": "7"}), status(503, **{"retry-after": "9999"})]
    embedder(server, timeout=60).fit(["a film"])
    assert waits == [7, 60]  # of 9999 seconds, the time-out at most


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, 0), ("", 0), ("2.5", 2.5), ("-1", 0), ("nan", 0), ("soon", 0), ("1e9", 60)]
)
def test_retry_after_header(header, seconds):
    assert retry_after(header) == seconds


def test_retry_after_as_a_date():
    from email.utils import formatdate

    assert 10 < retry_after(formatdate(time.time() + 20, usegmt=True)) <= 20
    assert retry_after(formatdate(time.time() - 20, usegmt=True)) == 0


def test_what_was_embedded_before_a_failure_is_kept(server, waits, tmp_path):
    texts = [f"film {i}" for i in range(700)]
    server.script = [lambda payload: (200, {}, payload)] * 2 + [status(500)] * 9
    params = {"cache": tmp_path, "max_retries": 0, "dimensions": 8}
    with pytest.raises(ConnectionError):
        embedder(server, **params).fit_transform(texts)
    server.script, server.requests = [], []
    embedder(server, **params).fit_transform(texts)
    assert sum(len(body["input"]) for _, _, body in server.requests) < 700


def authorizations(server):
    return {headers.get("authorization") for _, headers, _ in server.requests}


def test_no_key_is_sent_unasked(server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Token: {KEY}\nAuthorization: Bearer {KEY}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    embedder(server).fit(TEXTS)
    assert authorizations(server) == {None}
    assert KEY not in str(server.requests)


def test_a_named_key_is_read_when_called_and_kept_nowhere(server, monkeypatch, tmp_path):
    monkeypatch.setenv("SHOP_KEY", "an older one")
    fitted = embedder(server, api_key_env="SHOP_KEY", cache=str(tmp_path)).fit(["grief"])
    monkeypatch.setenv("SHOP_KEY", KEY)
    fitted.transform(TEXTS)
    assert authorizations(server) == {"Bearer an older one", f"Bearer {KEY}"}
    kept = [repr(fitted), str(fitted.get_params()), str(vars(fitted)), str(pickle.dumps(fitted))]
    kept += [str(path.read_bytes()) for path in tmp_path.iterdir()]
    assert not any(KEY in text for text in kept)


def test_errors_do_not_show_the_key(server, monkeypatch, waits):
    monkeypatch.setenv("SHOP_KEY", KEY)
    server.script = [status(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})]
    with pytest.raises(ValueError, match=r"Incorrect API key provided: \*\*\*") as info:
        embedder(server, api_key_env="SHOP_KEY").fit(TEXTS)
    assert info.value.__context__ is None
    assert KEY not in str(info.getrepr(style="native"))


def test_a_key_that_is_not_set(server, monkeypatch):
    monkeypatch.delenv("SHOP_KEY", raising=False)
    with pytest.raises(ValueError, match="environment variable 'SHOP_KEY' is not set"):
        embedder(server, api_key_env="SHOP_KEY").fit(TEXTS)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="environment variable 'OPENAI_API_KEY' is not set"):
        LLMTextEmbedder("small-model", base_url="https://api.openai.com/v1").fit(TEXTS)


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://localhost/v1", "http://", "http://user:secret@localhost/v1"]
    + [
        "http://localhost/v1?key=secret",
        "http://localhost/v1#secret",
        "http://local host/v1",
        "http://localhost\\@secret/v1",
        "http://localhost:x/v1",
    ],
)
def test_addresses(url):
    with pytest.raises(ValueError, match="base_url") as info:
        LLMTextEmbedder("small-model", base_url=url).fit(TEXTS)
    assert "secret" not in str(info.value)


def test_settings_that_an_endpoint_cannot_honour(server):
    with pytest.raises(ValueError, match="dtype, max_length cannot be set for an endpoint"):
        embedder(server, max_length=5, dtype="bfloat16").fit(TEXTS)
    with pytest.raises(ValueError, match="belong to an endpoint"):
        LLMTextEmbedder(HashingTextEncoder(), api_key_env="SHOP_KEY").fit(TEXTS)
    with pytest.raises(ValueError, match="belong to an endpoint"):
        LLMTextEmbedder(HashingTextEncoder(), base_url=server.url).fit(TEXTS)


def test_without_the_openai_package(server, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "openai":
            raise ImportError("No module named 'openai'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install openai"):
        embedder(server).fit(TEXTS)


def test_plain_http_to_another_machine_is_refused_unless_asked():
    with pytest.raises(ValueError, match="allow_http=True"):
        LLMTextEmbedder("small-model", base_url="http://192.0.2.1:8000/v1").fit(TEXTS)
    asked = LLMTextEmbedder("small-model", base_url="http://192.0.2.1:8000/v1", allow_http=True)
    assert select_encoder(asked).endpoint.base_url == "http://192.0.2.1:8000/v1"
    for host in ("localhost", "127.0.0.1", "127.8.9.1", "[::1]"):
        select_encoder(LLMTextEmbedder("small-model", base_url=f"http://{host}:1/v1"))
    with pytest.raises(ValueError, match="belong to an endpoint"):
        LLMTextEmbedder(HashingTextEncoder(), allow_http=True).fit(TEXTS)


def test_a_key_in_place_of_its_variable_is_not_shown(server):
    with pytest.raises(ValueError, match="that api_key_env names is not set") as info:
        embedder(server, api_key_env=KEY).fit(TEXTS)
    assert KEY not in str(info.value)


def test_a_key_that_no_header_can_hold(server, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "sk-se\ncret")
    with pytest.raises(ValueError, match="contains characters that no key has") as info:
        embedder(server, api_key_env="SHOP_KEY").fit(TEXTS)
    assert "cret" not in str(info.value)
    assert not server.requests


PERSONAL = ["write to ada@example.org", "ISBN 978-0-306-40615-7", "call 555-123-4567"]


def test_personal_data_stays_here(server, tmp_path):
    clean = ["write to [email]", PERSONAL[1], "call [phone]"]
    fitted = embedder(server, scrub=True, cache=str(tmp_path)).fit(PERSONAL)
    vectors = fitted.transform(PERSONAL)
    fitted.encode_query(["like ada@example.org"])
    np.testing.assert_allclose(vectors, HashingTextEncoder(8).encode(clean), atol=1e-6)
    sent = {text for body in server.bodies for text in body["input"]}
    assert sent == {*clean, "like [email]"}
    assert fitted.scrubbed_ == {"email": 2, "phone": 1}
    assert fitted.fit(PERSONAL).scrubbed_ == {}


def test_texts_are_scrubbed_by_default_where_they_leave_the_machine(server):
    there = LLMTextEmbedder("small-model", base_url="https://embeddings.example/v1")
    assert there._scrubber(select_encoder(there)) is not None
    there.set_params(scrub=False)
    assert there._scrubber(select_encoder(there)) is None
    embedder(server).fit_transform(PERSONAL)
    assert {text for body in server.bodies for text in body["input"]} == set(PERSONAL)
    local = LLMTextEmbedder(HashingTextEncoder(64), scrub=True, cache=None)
    np.testing.assert_array_equal(local.encode(PERSONAL[:1]), local.encode(["write to [email]"]))
