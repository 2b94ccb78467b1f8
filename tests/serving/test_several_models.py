"""Several models in one service, and the list of users."""

import pytest
import skops.io
from small_service import fitted
from starlette.testclient import TestClient

from skrec.cli import main
from skrec.cli._serve import named
from skrec.dummy import PopularRecommender
from skrec.serving import ServiceLimits, make_app

NO_LIMIT = ServiceLimits(rate=0)


def small(*pairs):
    return PopularRecommender().fit([list(pair) for pair in pairs])


def lists(client, **body):
    answer = client.post("/recommend", json={"users": ["ann"], "k": 2, **body})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found["model"], found["version"], [one["item"] for one in found["lists"][0]["items"]]


@pytest.fixture
def both():
    old = small(("ann", "tea"), ("bob", "rye"), ("bob", "oats"), ("eve", "oats"))
    return {"old": old, "new": small(("ann", "tea"), ("bob", "rye"), ("eve", "rye"), ("eve", "figs"))}


def test_each_answer_is_of_the_model_that_was_named(both):
    with TestClient(make_app(both, version="7", limits=NO_LIMIT)) as client:
        assert lists(client) == ("old", "7", ["oats", "rye"])
        assert lists(client, model="new") == ("new", "7", ["rye", "figs"])
        wrong = client.post("/recommend", json={"users": ["ann"], "model": "none"})
        assert wrong.status_code == 422
        assert "model must be one of ['old', 'new']; got \"none\"" in wrong.json()["error"]["message"]
        unknown = client.post("/similar", json={"items": ["oats"], "model": "new"}).json()
        assert (unknown["model"], unknown["error"]["code"]) == ("new", "unknown_item")
        found = client.get("/catalogue", params={"model": "new", "q": "fig"}).json()
        assert (found["model"], found["items"]) == ("new", [{"item": "figs", "title": None}])
        assert client.get("/catalogue", params={"model": "none"}).status_code == 422
        health = client.get("/health").json()
        assert [(one["model"], one["items"]) for one in health["models"]] == [("old", 3), ("new", 3)]
        assert (
            'skrec_model_info{model="new",recommender="PopularRecommender",version="7"}' in client.get("/metrics").text
        )


def test_feedback_is_learned_by_all(both, tmp_path):
    with TestClient(make_app(both, version="7", limits=NO_LIMIT, feedback_log=tmp_path / "log")) as client:
        event = {"user": "ann", "item": "rye"}
        answer = client.post("/feedback", json={"events": [event], "wait": True}).json()
        assert answer["learned"]
        assert answer["versions"] == {"old": "7+1", "new": "7+1"}
        assert lists(client)[1:] == ("7+1", ["oats"])
        assert lists(client, model="new")[1:] == ("7+1", ["figs"])
        known_to_one = client.post("/feedback", json={"events": [{"user": "ann", "item": "figs"}], "wait": True})
        assert known_to_one.json()["learned"]
        assert client.post("/feedback", json={"events": [{"user": "ann", "item": "none"}]}).status_code == 404


def test_each_file_is_taken_over_by_itself(tmp_path):
    paths = {name: tmp_path / f"{name}.skops" for name in ("old", "new")}
    for seed, path in enumerate(paths.values()):
        skops.io.dump(fitted(seed), path)
    with TestClient(make_app(paths, reload_every=3600)) as client:
        before = {one["model"]: one["version"] for one in client.get("/health").json()["models"]}
        assert len(set(before.values())) == 2
        skops.io.dump(fitted(2), paths["new"])
        for watcher in client.app.state.service.watchers:
            watcher.look()
        after = {one["model"]: one["version"] for one in client.get("/health").json()["models"]}
        assert after["old"] == before["old"]
        assert after["new"] not in before.values()


def test_names():
    assert named(["a/old.skops", "b/new.skops"]) == {"old": "a/old.skops", "new": "b/new.skops"}
    assert list(named(["a/model.skops", "b/model.skops"])) == ["a/model.skops", "b/model.skops"]
    for wrong in ({}, {1: small(("ann", "tea"))}):
        with pytest.raises(ValueError, match="needs names, which are text"):
            make_app(wrong)
    for wrong in ("", "x" * 51, "a\r\nSet-Cookie: b"):
        with pytest.raises(ValueError, match="1 to 50 printable characters"):
            make_app({wrong: small(("ann", "tea"))})


def test_users_by_the_beginning_of_their_id():
    users = [*(f"u{number:02}" for number in range(30)), "Ann", "安娜", "x\U0010ffff"]
    rec = small(*((user, "tea") for user in users))
    with TestClient(make_app(rec, version="1", user_list=True, limits=NO_LIMIT)) as client:

        def found(**query):
            answer = client.get("/users", params=query).json()
            return answer["total"], answer["users"]

        assert found(q="u1", limit=3) == (10, ["u10", "u11", "u12"])
        assert found(q="U1", limit=3, offset=9) == (10, ["u19"])
        assert found(q="ann") == (1, ["Ann"])
        assert found(q="安") == (1, ["安娜"])
        assert found(q="1") == (0, [])
        assert found(limit=100)[0] == 33
        for wrong in ({"limit": 101}, {"offset": -1}, {"q": "x" * 201}, {"model": "none"}):
            assert client.get("/users", params=wrong).status_code == 422
        assert "/users" in client.get("/openapi.json").json()["paths"]


def test_ids_of_users_that_are_numbers():
    rec = PopularRecommender().fit([[7, 1], [71, 2], [8, 1]])
    with TestClient(make_app(rec, user_list=True)) as client:
        assert client.get("/users", params={"q": "7"}).json()["users"] == [7, 71]


def test_users_are_not_listed_unless_asked_for_and_never_without_the_key(client, monkeypatch):
    assert client.get("/users").status_code == 404
    assert "/users" not in client.get("/openapi.json").json()["paths"]
    monkeypatch.setenv("SKREC_TEST_KEY", "a long secret")
    with TestClient(make_app(small(("ann", "tea")), user_list=True, api_key_env="SKREC_TEST_KEY")) as guarded:
        answer = guarded.get("/users")
        assert answer.status_code == 401
        assert "ann" not in answer.text


def test_serve_lists_users_at_an_address_of_this_machine_alone(tmp_path, monkeypatch):
    skops.io.dump(small(("ann", "tea")), tmp_path / "model.skops")
    listed = []
    monkeypatch.setattr("skrec.cli._serve.make_app", lambda models, **options: listed.append(options["user_list"]))
    monkeypatch.setattr("skrec.cli._serve.serve", lambda app, **options: None)
    for more in ([], ["--host", "0.0.0.0"], ["--host", "0.0.0.0", "--user-list"], ["--no-user-list"]):
        assert main(["serve", str(tmp_path / "model.skops"), *more]) == 0
    assert listed == [True, False, True, False]
