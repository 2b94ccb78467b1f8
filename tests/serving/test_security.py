"""What a hostile client tries, against a real server on the loopback address."""

import json
import os
import pickle
import socket
import subprocess
import sys
import time

import pytest
import skops.io
from small_service import running
from starlette.testclient import TestClient

from skrec.dummy import PopularRecommender
from skrec.serving import ModelFileError, ServiceLimits, make_app

QUICK = ServiceLimits(rate=0, read_timeout=0.3, body_bytes=20_000, connections=20)


@pytest.fixture(scope="module")
def address(recommender):
    with running(make_app(recommender, version="1", limits=QUICK)) as url:
        yield "127.0.0.1", int(url.rpartition(":")[2])


def send(address, *parts, pause=0.0):
    """All that the server answers to raw bytes, until it closes the connection."""
    with socket.create_connection(address, timeout=10) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:  # the server has closed it
                break
            time.sleep(pause)
        answer = b""
        try:
            while got := connection.recv(65536):
                answer += got
        except ConnectionResetError:
            pass
    return answer


def request(body, *more, path="/recommend", length=None):
    length = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def is_alive(address):
    body = json.dumps({"users": ["u1"]}).encode()
    return status_of(send(address, request(body))) == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"users": [NaN]}', 400),
        (b'{"users": [1e999]}', 400),
        (b'{"users": ["\\ud800"]}', 400),
        (b'{"users": [' + b"9" * 5000 + b"]}", 400),
        (b"[" * 9000 + b"]" * 9000, 400),
        (b'{"a":' * 3000, 400),
        (b'{"users":' + b"[" * 20 + b"]" * 20 + b"}", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"users": ["\\u0000"]}', 200),
        (b'{"users": ["' + b"x" * 30_000 + b'"]}', 413),
    ],
)
def test_bodies(address, body, status):
    answer = send(address, request(body))
    assert status_of(answer) == status
    assert b'"version":"1"' in answer


def test_a_body_that_hides_its_size(address):
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    head = (
        b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert status_of(send(address, head, *[chunk] * 10)) == 413


def test_slow_headers_and_bodies(address):
    started = time.monotonic()
    assert send(address, b"POST /recommend HTTP/1.1\r\nHost") == b""
    assert send(address, b"") == b""
    answer = send(address, request(b'{"users"', length=50))
    assert status_of(answer) == 408
    dripped = send(address, b"GET /health HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 30, pause=0.02)
    assert dripped == b""
    assert time.monotonic() - started < 20
    assert is_alive(address)


def test_a_kept_connection_may_be_idle_but_not_slow(address):
    with socket.create_connection(address, timeout=10) as connection:
        for _ in range(2):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.5)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost")
        assert connection.recv(65536) == b""


def test_long_headers_and_garbage(address):
    assert status_of(send(address, b"GET /health HTTP/1.1\r\nX-A: " + b"b" * 60_000 + b"\r\n\r\n")) == 400
    assert status_of(send(address, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")) == 400
    assert is_alive(address)


def test_more_connections_than_allowed(address):
    held = [socket.create_connection(address, timeout=10) for _ in range(QUICK.connections + 5)]
    try:
        assert status_of(send(address, request(b"{}"))) == 503
    finally:
        for connection in held:
            connection.close()
    until = time.monotonic() + 10
    while not is_alive(address) and time.monotonic() < until:
        time.sleep(0.05)
    assert is_alive(address)


@pytest.mark.parametrize("path", ["/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fsecret.txt", "//etc/passwd"])
def test_paths_outside_of_the_page(recommender, tmp_path, path):
    (tmp_path / "secret.txt").write_text("secret")
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<p>page</p>")
    (page / "link").symlink_to(tmp_path / "secret.txt")
    with running(make_app(recommender, version="1", static=page)) as url:
        where = "127.0.0.1", int(url.rpartition(":")[2])
        for target in (path, "/link"):
            answer = send(where, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert status_of(answer) in (400, 404)
            assert b"secret" not in answer
        assert b"<p>page</p>" in send(where, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_nothing_of_a_client_stands_in_a_header(client):
    hostile = "x\r\nSet-Cookie: a=b"
    for answer in (
        client.post("/recommend", json={"users": [hostile]}),
        client.post("/similar", json={"items": [hostile]}),
        client.post("/recommend", json={hostile: 1}),
        client.get("/catalogue", params={"q": hostile}),
        client.get("/health", headers={"Host": "evil", "Origin": "https://evil"}),
    ):
        assert "set-cookie" not in answer.headers
        assert not any("evil" in value for value in answer.headers.values())
    with pytest.raises(ValueError, match="version must be letters"):
        make_app(PopularRecommender().fit([["a", "b"]]), version="1\r\nSet-Cookie: a=b")


def test_headers_of_every_answer(client):
    for answer in (client.get("/health"), client.post("/recommend", json={}), client.get("/nothing")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert "server" not in answer.headers


def test_other_sites_are_not_answered_unless_named(recommender, client):
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.get("/health", headers=ask).headers
    assert client.options("/recommend", headers=ask).status_code == 405
    with TestClient(make_app(recommender, cors_origins=["https://shop.example"])) as named:
        assert named.options("/recommend", headers=ask).headers["Access-Control-Allow-Origin"] == ask["Origin"]
        other = named.get("/health", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_form_of_another_site_is_refused(client):
    """A browser sends text/plain and forms across sites without asking first."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = client.post("/recommend", content=b'{"users": ["u1"]}', headers={"Content-Type": kind})
        assert answer.status_code == 415


def test_another_name_of_the_host_is_refused(recommender):
    with TestClient(make_app(recommender, allowed_hosts=["localhost"]), base_url="http://localhost") as local:
        assert local.get("/health").status_code == 200
        assert local.get("/health", headers={"Host": "rebound.example"}).status_code == 400


def test_the_key(recommender, monkeypatch):
    monkeypatch.setenv("SKREC_TEST_KEY", "a long secret")
    with TestClient(make_app(recommender, api_key_env="SKREC_TEST_KEY")) as guarded:
        body = {"json": {"users": ["u1"]}}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "à"}, {"Authorization": "Basic a"}):
            answer = guarded.post("/recommend", **body, headers={k: v.encode() for k, v in headers.items()})
            assert answer.status_code == 401
            assert "a long secret" not in answer.text
        for headers in ({"Authorization": "Bearer a long secret"}, {"X-API-Key": "a long secret"}):
            assert guarded.post("/recommend", **body, headers=headers).status_code == 200
        assert guarded.get("/health").status_code == 200
        assert guarded.get("/metrics").status_code == 401
    monkeypatch.setenv("SKREC_TEST_KEY", "short")
    with pytest.raises(ValueError, match="fewer than 8"):
        make_app(recommender, api_key_env="SKREC_TEST_KEY")


def test_a_flood_of_one_client_leaves_others_alone(recommender):
    app = make_app(recommender, version="1", limits=ServiceLimits(rate=0.001, burst=5))
    with TestClient(app, client=("10.0.0.1", 1)) as one:
        answers = [one.post("/recommend", json={"users": ["u1"]}) for _ in range(8)]
        assert [a.status_code for a in answers] == [200] * 5 + [429] * 3
        assert answers[-1].headers["Retry-After"] == "1"
        other = TestClient(app, client=("10.0.0.2", 1))
        assert other.post("/recommend", json={"users": ["u1"]}).status_code == 200


class Slow(PopularRecommender):
    def recommend(self, users=None, k=10):
        time.sleep(0.4)
        return super().recommend(users, k)


def test_a_full_queue_and_a_deadline():
    from concurrent.futures import ThreadPoolExecutor

    slow = Slow().fit([["ann", "tea"], ["bob", "rye"]])
    limits = ServiceLimits(rate=0, threads=1, queue=2, timeout=0.6)
    with TestClient(make_app(slow, limits=limits)) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.post("/recommend", json={"users": ["ann"]}), range(6)))
        codes = [(a.status_code, a.json().get("error", {}).get("code")) for a in answers]
        assert codes.count((503, "busy")) == 4
        assert (200, None) in codes
        assert codes.count((503, "timeout")) == 1
        assert all(a.headers["Retry-After"] for a in answers if a.status_code == 503)


class Hostile:
    def __reduce__(self):
        return (exec, ("import os; os.environ['SKREC_TEST_WAS_RUN'] = '1'",))


def test_a_hostile_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.delenv("SKREC_TEST_WAS_RUN", raising=False)
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelFileError, match=r"no skops file.*--allow-pickle"):
        make_app(path)
    assert "SKREC_TEST_WAS_RUN" not in os.environ


def test_a_type_that_is_not_trusted(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(Slow().fit([["ann", "tea"]]), path)
    with pytest.raises(ModelFileError, match="Slow"):
        make_app(path)


def test_pickles_where_they_are_allowed(recommender, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(recommender))
    with TestClient(make_app(path, allow_pickle=True)) as client:
        assert client.post("/recommend", json={"users": ["u1"]}).status_code == 200


def test_import_loads_no_server():
    script = "import sys, skrec, skrec.cli, skrec.serving; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"starlette", "uvicorn", "prometheus_client", "skops"} & set(run.stdout.split())
