"""Feedback: a durable log, one writer, and what the model makes of it."""

import json
import os
import sqlite3
import threading
import time

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator
from small_service import fitted
from starlette.testclient import TestClient

from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.neighbors import ItemKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.serving import ServiceLimits, make_app

NO_LIMIT = ServiceLimits(rate=0)


def send(client, *pairs, status=200, **more):
    names = ("user", "item", "value")
    events = [pair if isinstance(pair, dict) else dict(zip(names, pair, strict=False)) for pair in pairs]
    answer = client.post("/feedback", json={"events": events, **more})
    assert answer.status_code == status, answer.text
    return answer.json()


def items_for(client, user, k=8):
    answer = client.post("/recommend", json={"users": [user], "k": k}).json()
    return [one["item"] for one in answer["lists"][0]["items"]]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "feedback.sqlite"


def test_the_model_learns_and_the_list_changes(log):
    rec = fitted()
    with TestClient(make_app(rec, version="1", feedback_log=log)) as client:
        assert "bk-1" in items_for(client, "new")
        answer = send(client, ("new", "bk-1"), ("new", "bk-2", 1), wait=True)
        named = {"model": "ItemKNNRecommender", "version": "1+2", "versions": {"ItemKNNRecommender": "1+2"}}
        assert answer == {**named, "accepted": 2, "repeated": 0, "last_event": 2, "learned": True}
        assert not {"bk-1", "bk-2"} & set(items_for(client, "new"))
    twin = fitted().partial_fit(pd.DataFrame({"user": ["new", "new"], "item": ["bk-1", "bk-2"]}))
    with TestClient(make_app(rec, version="1", feedback_log=log, replay="all")) as again:
        answer = again.post("/recommend", json={"users": ["new"]}).json()
        assert answer["version"] == "1+2"
        assert [one["item"] for one in answer["lists"][0]["items"]] == [
            item for item in twin.recommend(["new"]).items[0] if item is not None
        ]
    assert "bk-1" in rec.recommend(["new"], k=8).items, "the recommender of the caller is as it was"


def test_a_restart_replays_what_is_newer_than_the_file(log, model_file, caplog):
    with TestClient(make_app(model_file, feedback_log=log)) as client:
        send(client, ("new", "bk-1"), wait=True)
    caplog.set_level("INFO")
    for replay, seen in (("newer", True), ("all", True), ("none", False)):
        with TestClient(make_app(model_file, feedback_log=log, replay=replay)) as client:
            assert ("bk-1" not in items_for(client, "new")) == seen
    assert caplog.text.count("replaying 1 events") == 2
    assert "the 1 events of feedback in the log are not replayed" in caplog.text


def test_a_new_file_gets_the_events_that_it_lacks(log, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(fitted(0), path)
    with TestClient(make_app(path, feedback_log=log, reload_every=3600)) as client:
        send(client, ("old", "bk-1"), wait=True)
        time.sleep(0.02)
        skops.io.dump(fitted(1), tmp_path / "next.skops")
        time.sleep(0.02)
        send(client, ("late", "bk-1"), wait=True)
        os.replace(tmp_path / "next.skops", path)
        client.app.state.service.watchers[0].look()
        assert client.get("/health").json()["version"].endswith("+2")
        assert "bk-1" not in items_for(client, "late")
        assert "bk-1" in items_for(client, "old"), "written before the file: the fit is taken to know it"


def test_two_processes_share_a_log(log):
    """Each learns what the other has accepted; here two applications in one process, which share nothing else."""
    with (
        TestClient(make_app(fitted(), version="1", feedback_log=log)) as one,
        TestClient(make_app(fitted(), version="1", feedback_log=log)) as other,
    ):
        send(one, ("new", "bk-1"), wait=True)
        send(other, ("new", "bk-2"), wait=True)
        until = time.monotonic() + 10
        while one.get("/health").json()["version"] != "1+2" and time.monotonic() < until:
            time.sleep(0.05)
        assert items_for(one, "new") == items_for(other, "new")
        assert not {"bk-1", "bk-2"} & set(items_for(one, "new"))


def test_what_is_accepted_is_in_the_log_and_an_id_counts_once(log):
    with TestClient(make_app(fitted(), feedback_log=log)) as client:
        event = {"user": "Ann 安", "item": "bk-1", "value": 2.5, "event_id": "a"}
        assert send(client, event)["accepted"] == 1
        assert send(client, event, {"user": "x", "item": "bk-2"})["repeated"] == 1
        rows = sqlite3.connect(log).execute("SELECT id, user, item, value, event_id FROM events").fetchall()
    assert [(json.loads(row[1]), json.loads(row[2]), *row[3:]) for row in rows] == [
        ("Ann 安", "bk-1", 2.5, "a"),
        ("x", "bk-2", None, None),
    ]
    assert oct(log.stat().st_mode)[-3:] == "600"


def test_many_clients_at_once(log):
    with TestClient(make_app(fitted(), version="1", feedback_log=log, limits=NO_LIMIT)) as client:
        threads = [
            threading.Thread(target=lambda n=n: [send(client, (f"n{n}", f"bk-{at}")) for at in range(6)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert send(client, ("end", "bk-0"), wait=True)["last_event"] == 49
        assert all(sorted(items_for(client, f"n{n}")) == ["bk-6", "bk-7"] for n in range(8))


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        ({"user": "u1", "item": "Moby Dick"}, 404, "not in the catalogue"),
        ({"user": 3, "item": "bk-1"}, 422, "ids of users look like 'u0'; got 3"),
        ({"user": "u1", "item": "bk-1", "value": -1}, 422, "at least 0"),
        ({"user": "u1", "item": "bk-1", "value": "much"}, 422, "of type number"),
        ({"user": "u1", "item": "bk-1", "context": {"a": 1}}, 422, r"must have the fields []"),
        ({"user": "u1"}, 422, "'item' is a required property"),
    ],
)
def test_bad_events_are_not_logged(log, event, status, words):
    with TestClient(make_app(fitted(), feedback_log=log)) as client:
        error = send(client, {"user": "u1", "item": "bk-1"}, event, status=status)["error"]
        assert words in error["message"]
    assert sqlite3.connect(log).execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_what_the_model_refuses_is_marked_and_skipped(log):
    class Picky(ItemKNNRecommender):
        def partial_fit(self, X, y=None, *, item_features=None, user_features=None):
            if "bad" in X["user"].tolist():
                raise ValueError("not this one")
            return super().partial_fit(X, y)

    frame = pd.DataFrame({"user": ["a", "a", "b", "b"], "item": ["x", "y", "y", "z"]})
    with TestClient(make_app(Picky().fit(frame), version="1", feedback_log=log)) as client:
        assert send(client, ("c", "x"), ("bad", "y"), ("d", "z"), wait=True)["learned"]
        assert "x" not in items_for(client, "c")
        assert "z" not in items_for(client, "d")
    rows = sqlite3.connect(log).execute("SELECT id, refused FROM events WHERE refused IS NOT NULL").fetchall()
    assert rows == [(2, "ValueError: not this one")]


def test_a_model_that_cannot_learn_keeps_the_log(log, caplog):
    class Fixed(BaseEstimator):
        """The least that a recommender is."""

        def fit(self, X, y=None):
            self.inner_ = PopularRecommender().fit(X, y)
            self.users_, self.items_ = self.inner_.users_, self.inner_.items_
            return self

        def recommend(self, users=None, k=10):
            return tuple(self.inner_.recommend(users, k))

    rec = Fixed().fit([["ann", "tea"], ["bob", "rye"]])
    with TestClient(make_app(rec, version="1", feedback_log=log)) as client:
        answer = send(client, ("ann", "rye"), wait=True)
        assert (answer["learned"], answer["accepted"], answer["version"]) == (False, 1, "1")
        assert items_for(client, "ann", 1) == ["rye"]
    with TestClient(make_app(rec, feedback_log=log, replay="all")):
        assert "Fixed has no partial_fit" in caplog.text


def test_ratings_and_context(log):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 9, 40), "item": rng.integers(0, 6, 40)})
    frame["device"] = rng.choice(["phone", "desk"], 40)
    rec = make_pipeline(ContextEncoder(), HybridMFRecommender(n_factors=2, feedback="explicit", random_state=0))
    rec.fit(frame, rng.integers(1, 6, 40))
    with TestClient(make_app(rec, feedback_log=log)) as client:
        event = {"user": 1, "item": 2, "context": {"device": "phone"}}
        assert "rating" in send(client, event, status=422)["error"]["message"]
        assert "['device']" in send(client, {"user": 1, "item": 2, "value": 4}, status=422)["error"]["message"]
        assert send(client, {**event, "value": 4}, wait=True)["learned"]
    assert sqlite3.connect(log).execute("SELECT count(*) FROM events WHERE refused IS NULL").fetchone() == (1,)


def timed(times):
    frame = pd.DataFrame({"user": ["a", "a", "b", "b"], "item": ["x", "y", "y", "z"], "timestamp": times})
    return ItemKNNRecommender(order="time").fit(frame)


def times_of(client, user):
    return client.app.state.service.model().recommender.seen_items([user]).timestamp.tolist()


def test_events_have_the_time_that_is_given_else_that_of_the_server(log):
    now = int(time.time())
    for per_second in (1, 1000):
        last = (now - 1000) * per_second
        app = make_app(timed([last - 3, last - 2, last - 1, last]), feedback_log=log, replay="none")
        with TestClient(app) as client:
            early = {"user": "a", "item": "z", "timestamp": last - 5}
            assert send(client, early, ("b", "x"), wait=True)["learned"]
            assert times_of(client, "a") == [last - 5, last - 3, last - 2]
            assert now * per_second <= times_of(client, "b")[-1] <= (time.time() + 1) * per_second


def test_events_of_a_model_that_counts_steps_come_last(log):
    with TestClient(make_app(timed([1, 2, 3, 4]), feedback_log=log)) as client:
        assert send(client, ("a", "z"), {"user": "b", "item": "x", "timestamp": 7}, wait=True)["learned"]
        assert (times_of(client, "a"), times_of(client, "b")) == ([1, 2, 4], [3, 4, 7])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("now", "of type number"),
        (-1, "at least 0"),
        (3, "must be in the unit of fit, whose last time is 1700000004; got 3"),
        (1_700_000_000_000, "must be in the unit of fit"),
        (9e9, "must not lie more than a day ahead"),
    ],
)
def test_times_that_are_refused(log, given, words):
    with TestClient(make_app(timed([1_700_000_001 + at for at in range(4)]), feedback_log=log)) as client:
        error = send(client, {"user": "a", "item": "z", "timestamp": given}, status=422)["error"]
        assert words in error["message"]
        assert error["path"] == "events[0].timestamp"


def test_a_model_without_times_keeps_them_in_the_log(log):
    with TestClient(make_app(fitted(), feedback_log=log)) as client:
        assert send(client, {"user": "u1", "item": "bk-1", "timestamp": 3.5}, wait=True)["learned"]
    assert sqlite3.connect(log).execute("SELECT timestamp FROM events").fetchone() == (3.5,)


def test_no_log_no_feedback_and_a_file_that_is_no_log(tmp_path, recommender):
    with TestClient(make_app(recommender)) as client:
        assert client.post("/feedback", json={"events": []}).status_code == 404
    (tmp_path / "x").write_text("this is not a database, and never was one")
    with pytest.raises(ValueError, match="cannot be the log of feedback"):
        make_app(recommender, feedback_log=tmp_path / "x")
    with pytest.raises(ValueError, match="replay must be"):
        make_app(recommender, replay="some")
