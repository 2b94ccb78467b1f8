"""Requests while feedback is learned and files are replaced, in one process and in several."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
import skops.io
from small_service import fitted, running

from skrec.serving import ServiceLimits, make_app
from skrec.serving._model import Publisher

USERS = ["u1", "u5", "nobody"]


def post(connection, path, **body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def items_of(row):
    return [one["item"] for one in row["items"]]


def recorded(monkeypatch):
    """Every recommender that is published, by version."""
    published = {}

    def publish(publisher, model):
        publisher.__dict__["now"] = model
        published.setdefault(model.version, []).append(model.recommender)

    monkeypatch.setattr(Publisher, "current", property(lambda one: one.__dict__["now"], publish), raising=False)
    return published


def test_every_answer_is_of_one_published_version(tmp_path, monkeypatch):
    """While feedback is learned and two files take each other's place."""
    published = recorded(monkeypatch)
    path = tmp_path / "model.skops"
    files = [skops.io.dumps(fitted(seed)) for seed in range(2)]
    path.write_bytes(files[0])
    app = make_app(path, reload_every=0.02, limits=ServiceLimits(rate=0), feedback_log=tmp_path / "log", replay="all")
    ends, answers, said = threading.Event(), [], []

    def replace():
        at = 0
        while not ends.wait(0.1):
            at += 1
            path.with_suffix(".new").write_bytes(files[at % 2])
            os.replace(path.with_suffix(".new"), path)

    def feed(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not ends.wait(0.02):
            event = {"user": f"n{len(said) // 4}", "item": f"bk-{len(said) % 8}"}
            said.append(post(connection, "/feedback", events=[event]))
        connection.close()

    def ask(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for _ in range(150):
            answers.append(post(connection, "/recommend", users=USERS, k=5))
        connection.close()

    with running(app) as url:
        port = int(url.rpartition(":")[2])
        askers = [threading.Thread(target=ask, args=(port,)) for _ in range(3)]
        others = [threading.Thread(target=replace), threading.Thread(target=feed, args=(port,))]
        for thread in [*askers, *others]:
            thread.start()
        for thread in askers:
            thread.join()
        ends.set()
        for thread in others:
            thread.join()
    assert [status for status, _ in answers] == [200] * 450
    assert {status for status, _ in said} == {200}
    assert len({answer["version"].partition("+")[0] for _, answer in answers}) == 2
    assert len({answer["version"] for _, answer in answers}) > 4
    lists = {
        version: [
            [[item for item in row if item is not None] for row in one.recommend(USERS, k=5).items.tolist()]
            for one in kept
        ]
        for version, kept in published.items()
    }
    assert all([items_of(row) for row in answer["lists"]] in lists[answer["version"]] for _, answer in answers)


@contextmanager
def process(path, log):
    """`skrec serve` in a process of its own; a connection to it."""
    command = [sys.executable, "-m", "skrec", "serve", str(path), "--port", "0", "--rate", "0"]
    command += ["--feedback-log", str(log)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in started.stderr if "listening at" in line)
        host, _, port = line.split("http://")[1].split(",")[0].partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        yield connection
        connection.close()
        started.terminate()
        assert started.wait(20) == 0
    finally:
        started.kill()
        started.wait()
        started.stderr.close()


def wait_for(connection, number):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        _, answer = post(connection, "/recommend", users=["ann"], k=8)
        if answer["version"].endswith(f"+{number}"):
            return items_of(answer["lists"][0])
        time.sleep(0.1)
    raise AssertionError(f"event {number} was not learned: {answer['version']}")


@pytest.mark.slow
def test_processes_with_one_log(tmp_path):
    """Each writes what it accepts, and each learns what any of them has written."""
    path, log = tmp_path / "model.skops", tmp_path / "log.sqlite"
    skops.io.dump(fitted(), path)
    with ExitStack() as stack:
        one, other = (stack.enter_context(process(path, log)) for _ in range(2))
        accepted = []

        def send(connection, numbers):
            for at in numbers:
                event = {"user": "ann", "item": f"bk-{at % 6}", "event_id": f"e{at}"}
                accepted.append(post(connection, "/feedback", events=[event]))

        senders = [
            threading.Thread(target=send, args=(one, range(20))),
            threading.Thread(target=send, args=(other, range(10, 30))),
        ]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join()
        assert {status for status, _ in accepted} == {200}
        assert sum(answer["accepted"] for _, answer in accepted) == 30, "an event_id counts once for all processes"
        last = max(answer["last_event"] for _, answer in accepted)
        lists = [wait_for(connection, last) for connection in (one, other)]
        assert lists[0] == lists[1]
        assert sorted(lists[0]) == ["bk-6", "bk-7"]
