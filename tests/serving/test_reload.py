"""A new model file in the place of the old one."""

import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
import skops.io
from small_service import ITEMS, events, fitted, running
from starlette.testclient import TestClient

from skrec.dummy import PopularRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.neighbors import ItemKNNRecommender
from skrec.serving import ServiceLimits, make_app

USERS = ["u1", "u5", "nobody"]


@pytest.fixture(scope="module")
def models():
    return [fitted(seed) for seed in range(3)]


def publish(data, path):
    """As a job that fits models should: beside it, then in its place."""
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    os.replace(beside, path)


def version(client):
    return client.get("/health").json()["version"]


def test_a_new_file_is_taken_over_and_an_equal_one_is_not(models, tmp_path, caplog):
    path = tmp_path / "model.skops"
    first, second = (skops.io.dumps(model) for model in models[:2])
    path.write_bytes(first)
    with caplog.at_level(logging.INFO), TestClient(make_app(path, reload_every=3600)) as client:
        watcher = client.app.state.service.watchers[0]
        before = version(client)
        publish(first, path)
        watcher.look()
        assert version(client) == before
        publish(second, path)
        watcher.look()
        assert version(client) != before
        publish(first, path)
        watcher.look()
        assert version(client) == before
        assert 'skrec_reloads_total{result="taken"} 2.0' in client.get("/metrics").text
    assert caplog.text.count("took over the model file") == 2


def _newer(model):
    state = PopularRecommender.__getstate__
    try:
        PopularRecommender.__getstate__ = lambda self: {**state(self), "_format_version": 99}
        return skops.io.dumps(PopularRecommender().fit([["ann", "tea"]]))
    finally:
        PopularRecommender.__getstate__ = state


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda model: b"", "no skops file"),
        (lambda model: b"PK\x03\x04 damaged", "cannot be loaded"),
        (lambda model: skops.io.dumps(model)[:-300], "cannot be loaded"),
        (_newer, "was saved in format version 99; this skrec reads versions up to"),
        (lambda model: skops.io.dumps({"a": 1}), "holds a dict"),
        (lambda model: skops.io.dumps(PopularRecommender()), "gives no list"),
        (None, "cannot be read"),
    ],
)
def test_what_is_wrong_is_refused_and_the_old_model_goes_on(models, tmp_path, caplog, data, words):
    path = tmp_path / "model.skops"
    path.write_bytes(skops.io.dumps(models[0]))
    with TestClient(make_app(path, reload_every=3600)) as client:
        before = version(client)
        if data is None:
            path.unlink()
        else:
            publish(data(models[0]), path)
        client.app.state.service.watchers[0].look()
        assert version(client) == before
        assert client.post("/recommend", json={"users": USERS}).status_code == 200
        assert 'skrec_reloads_total{result="refused"} 1.0' in client.get("/metrics").text
        publish(skops.io.dumps(models[1]), path)
        client.app.state.service.watchers[0].look()
        assert version(client) != before
    assert words in caplog.text


def test_no_request_is_lost_or_answered_by_half_a_model(models, tmp_path):
    """Every answer is that of the version it names, while files come and go."""
    path = tmp_path / "model.skops"
    files = [skops.io.dumps(model) for model in models]
    path.write_bytes(files[0])
    app = make_app(path, reload_every=0.02, limits=ServiceLimits(rate=0))
    expected, answers = {}, []
    for data, model in zip(files, models, strict=True):
        path.with_suffix(".one").write_bytes(data)
        with TestClient(make_app(path.with_suffix(".one"), reload_every=0)) as one:
            expected[version(one)] = model.recommend(USERS, k=5).items.tolist()
    ends = threading.Event()

    def replace():
        at = 0
        while not ends.wait(0.1):
            at += 1
            publish(files[at % 3], path)

    def ask(port, n):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        body = json.dumps({"users": USERS, "k": 5})
        for _ in range(n):
            connection.request("POST", "/recommend", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answers.append((answer.status, json.loads(answer.read())))
        connection.close()

    with running(app) as url:
        port = int(url.rpartition(":")[2])
        askers = [threading.Thread(target=ask, args=(port, 400)) for _ in range(4)]
        replacer = threading.Thread(target=replace)
        for thread in [*askers, replacer]:
            thread.start()
        for thread in askers:
            thread.join()
        ends.set()
        replacer.join()
    assert [status for status, _ in answers] == [200] * 1600
    for _, answer in answers:
        lists = [[one["item"] for one in row["items"]] for row in answer["lists"]]
        assert lists == [[item for item in row if item is not None] for row in expected[answer["version"]]]
    assert len({answer["version"] for _, answer in answers}) > 1


def test_a_model_that_would_reach_out_says_so_at_the_start(tmp_path, caplog):
    texts = LLMTextEmbedder(HashingTextEncoder(), cache=str(tmp_path / "vectors"))
    rec = ItemKNNRecommender(item_encoder=texts).fit(events(), item_features=ITEMS)
    path = tmp_path / "model.skops"
    skops.io.dump(rec, path)
    body = {"texts": "a book about walden"}
    with caplog.at_level(logging.WARNING), TestClient(make_app(path)) as client:
        assert "write vectors to cache" in caplog.text
        assert "allow it by --allow-external" in caplog.text
        assert client.post("/recommend", json={"users": USERS}).status_code == 200
        refused = client.post("/search", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "not_allowed")
    caplog.clear()
    with caplog.at_level(logging.WARNING), TestClient(make_app(path, allow_external=True)) as client:
        assert client.post("/search", json=body).status_code == 200
    assert caplog.text == ""


@pytest.mark.slow
def test_sigterm_answers_what_was_accepted(tmp_path):
    """A request whose body is still on its way when the signal comes gets its answer."""
    path = tmp_path / "model.skops"
    skops.io.dump(PopularRecommender().fit([["ann", "tea"], ["bob", "rye"]]), path)
    command = [sys.executable, "-m", "skrec", "serve", str(path), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stderr if "listening at" in line)
        address = line.split("listening at ")[1].split(",")[0]
        with urllib.request.urlopen(f"{address}/health") as answer:
            assert answer.status == 200
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
        body = json.dumps({"users": ["ann"]}).encode()
        connection.putrequest("POST", "/recommend")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:5])
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.send(body[5:])
        assert json.loads(connection.getresponse().read())["lists"]
        connection.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
