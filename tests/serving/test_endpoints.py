"""What the endpoints answer, and what they say to bad input."""

import logging
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from small_service import ITEMS, events
from starlette.testclient import TestClient

from skrec.compose import FallbackRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder
from skrec.llm import HeuristicChat, LLMReranker
from skrec.pipeline import make_pipeline
from skrec.serving import ServiceLimits, make_app
from skrec.serving._model import ServedModel


def ask(client, path, status=200, **body):
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["version"] == answer.headers["X-Model-Version"] == "1"
    return answer.json()


def error_of(client, path, status, **body):
    return ask(client, path, status, **body)["error"]


def test_lists_are_those_of_recommend(client, recommender):
    lists = ask(client, "/recommend", users=["u1", "u2"], k=3)["lists"]
    found = recommender.recommend(["u1", "u2"], k=3)
    assert [[one["item"] for one in row["items"]] for row in lists] == found.items.tolist()
    np.testing.assert_allclose([[one["score"] for one in row["items"]] for row in lists], found.scores, rtol=1e-6)
    assert [[one["title"] for one in row["items"]] for row in lists] == found.titles.tolist()
    assert [row["known"] for row in lists] == [True, True]


def test_an_unknown_user_gets_a_full_list(client):
    (row,) = ask(client, "/recommend", users=["nobody"], k=8)["lists"]
    assert len(row["items"]) == 8
    assert not row["known"]
    assert "note" not in row


def test_a_short_list_says_why(client):
    (row,) = ask(client, "/recommend", users=["nobody"], k=50)["lists"]
    assert row["note"] == "k is 50, and 8 items were eligible."


def test_options_reach_the_model(client, recommender):
    history = [{"user": "new", "item": "bk-1"}, {"user": "new", "item": "bk-2"}]
    body = {"users": ["new", "u1"], "k": 4, "history": history, "candidates": ["bk-1", "bk-3", "bk-4", "bk-5"]}
    body |= {"exclude": [{"user": "u1", "item": "bk-4"}], "request": ["a book about emma", None], "request_weight": 0.7}
    lists = ask(client, "/recommend", **body)["lists"]
    pairs = [["new", "bk-1"], ["new", "bk-2"]]
    found = recommender.recommend(
        ["new", "u1"],
        k=4,
        history=pairs,
        candidates=body["candidates"],
        exclude=[["u1", "bk-4"]],
        request=["a book about emma", None],
        request_weight=0.7,
    )
    expected = [[item for item in row if item is not None] for row in found.items.tolist()]
    assert [[one["item"] for one in row["items"]] for row in lists] == expected


def test_what_somebody_types_weighs_more_than_taste(client, recommender):
    texts = ["a book about emma", None]
    for given, weight in (({}, 0.7), ({"request_weight": 0.2}, 0.2)):
        lists = ask(client, "/recommend", users=["u1", "u2"], k=8, request=texts, **given)["lists"]
        found = recommender.recommend(["u1", "u2"], k=8, request=texts, request_weight=weight)
        for row, scores in zip(lists, found.scores, strict=True):
            np.testing.assert_allclose([one["score"] for one in row["items"]], scores[np.isfinite(scores)], rtol=1e-5)


def test_weights_of_typed_searches(recommender):
    def weight(rec):
        return ServedModel.of(rec, "1").request_weight

    frame = events()
    reranker = LLMReranker(FrozenEstimator(recommender), HeuristicChat(HashingTextEncoder())).fit(
        frame, item_features=ITEMS
    )
    assert weight(recommender) == 0.7
    assert weight(make_pipeline(FrozenEstimator(recommender)).fit(frame)) == 0.7
    assert weight(reranker) is None
    assert weight(FallbackRecommender([("one", FrozenEstimator(reranker))]).fit(frame)) is None


def test_reasons_are_those_of_explain(client, recommender):
    (row,) = ask(client, "/recommend", users=["u1"], k=2, reasons=True)["lists"]
    found = recommender.explain(recommender.recommend(["u1"], k=2), n_evidence=2)
    assert [one["reason"] for one in row["items"]] == found.text
    (row,) = ask(client, "/recommend", users=["u1"], k=2, reasons=True, language="zh")["lists"]
    assert all(one["reason"].startswith("因为您选过") for one in row["items"])
    (one,) = ask(client, "/explain", pairs=[{"user": "u1", "item": "bk-1"}], language="de")["explanations"]
    assert one["text"].startswith("Weil du")
    (row,) = ask(
        client, "/recommend", users=["u1"], candidates=["bk-1"], exclude=[{"user": "u1", "item": "bk-1"}], reasons=True
    )["lists"]
    assert row["items"] == []


def test_search_similar_and_explain(client, recommender):
    lists = ask(client, "/search", texts=["about walden", "about emma"], k=1)["lists"]
    assert [row["items"][0]["title"] for row in lists] == ["Walden", "Emma"]
    assert ask(client, "/search", texts="about walden", k=1)["lists"][0]["text"] == "about walden"
    (row,) = ask(client, "/similar", items=["bk-1"], k=3)["lists"]
    assert [one["item"] for one in row["items"]] == recommender.similar_items(["bk-1"], k=3).items[0].tolist()
    (one,) = ask(client, "/explain", pairs=[{"user": "u1", "item": "bk-1"}])["explanations"]
    assert one["text"] == recommender.explain(["u1"], ["bk-1"]).text[0]


def test_an_unknown_item_gets_near_titles_and_ids(client):
    error = error_of(client, "/similar", 404, items=["Moby Dick"])
    assert error["code"] == "unknown_item"
    assert error["near"][0] == {"item": "bk-1", "title": "Moby-Dick"}
    assert error_of(client, "/explain", 404, pairs=[{"user": "u1", "item": "bk-77"}])["near"]
    assert error_of(client, "/recommend", 404, users=["u1"], history=[{"user": "u1", "item": 3}])["items"] == [3]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"users": ["u1"], "k": 0}, "k must be at least 1; got 0"),
        ({"users": ["u1"], "k": 10**9}, "k must be at most 100; got 1000000000"),
        ({"users": ["u1"], "k": "5"}, "k must be of type integer"),
        ({"users": ["u1"], "k": True}, "k must be of type integer"),
        ({"users": "u1"}, "users must be of type array"),
        ({"users": []}, "users must be of length 1 or more"),
        ({"users": [None]}, r"users\[0\] must be of type string or number"),
        ({"users": ["x" * 600]}, "of length 512 at most"),
        ({"users": [10**30]}, "users.0. must be at most"),
        ({}, "'users' is a required property"),
        ({"users": ["u1"], "colour": 1}, "field that is not known; the fields are"),
        ({"users": ["u1"] * 101}, "users must be of length 100 at most; got a list of length 101"),
        ({"users": ["u1"] * 50, "k": 90}, "4500 entries; at most 2000"),
        ({"users": ["u1"] * 50, "k": 9, "reasons": True}, "450 explanations; at most 100"),
        ({"users": [7]}, "users are number .* were text"),
        ({"users": ["u1"], "context": {"device": "phone"}}, "has 0 context columns"),
        ({"users": ["u1"], "context": [["a"], ["b"]]}, "2 rows, and there are 1 queries"),
        ({"users": ["u1"], "candidates": ["none"]}, "candidates"),
        ({"users": ["u1"], "request": ["a", "b"]}, "2 texts for 1 users"),
        ({"users": ["u1"], "user_features": [{"age": 3}]}, "user_features"),
    ],
)
def test_bad_fields_say_what_was_passed_and_expected(client, body, words):
    error = error_of(client, "/recommend", 422, **body)

    assert re.search(words, error["message"]), error


def test_a_float_that_stands_for_several_integers_is_no_id(client):
    for path, body in (
        ("/similar", {"items": [2.0**53]}),
        ("/explain", {"pairs": [{"user": "u1", "item": 2.0**53}]}),
        ("/recommend", {"users": [2.0**53, "u1"]}),
        ("/recommend", {"users": ["u1"], "history": [{"user": "u1", "item": 2.0**53}]}),
    ):
        assert "2**53" in error_of(client, path, 422, **body)["message"]


def test_a_model_without_text_says_so():
    rec = PopularRecommender().fit([["ann", "tea"], ["bob", "rye"]])
    with TestClient(make_app(rec, version="1")) as client:
        assert error_of(client, "/search", 404, texts="x")["code"] == "unsupported"
        error = error_of(client, "/recommend", 422, users=["ann"], request="x")
        assert (error["code"], error["argument"]) == ("unsupported", "request")
        assert "/search" not in client.get("/openapi.json").json()["paths"]


def test_context_by_name_and_by_position():
    frame = pd.DataFrame({"user": [1, 1, 2, 2, 3], "item": [10, 20, 20, 30, 30], "device": ["a", "b", "b", "a", "a"]})
    rec = make_pipeline(ContextEncoder(), HybridMFRecommender(n_factors=2, random_state=0)).fit(frame)
    expected = rec.recommend([1, 9], k=3, context=[["a"], ["b"]], exclude_seen=False).items.tolist()
    with TestClient(make_app(rec, version="1")) as client:
        for context in ([{"device": "a"}, {"device": "b"}], [["a"], ["b"]]):
            lists = ask(client, "/recommend", users=[1, 9], k=3, context=context, exclude_seen=False)["lists"]
            assert [[one["item"] for one in row["items"]] for row in lists] == expected
        assert "device" in error_of(client, "/recommend", 422, users=[1], context={"hour": 3})["message"]
        assert client.get("/health").json()["context_columns"] == ["device"]


def test_ids_are_not_turned_into_others():
    frame = pd.DataFrame({"user": [2**60 + 1, 2**60 + 2, 5], "item": [1, 2, 2]})
    with TestClient(make_app(PopularRecommender().fit(frame), version="1")) as client:
        lists = ask(client, "/recommend", users=[2**60 + 1, 2**60 + 3], history=[{"user": 2**60 + 3, "item": 2}])[
            "lists"
        ]
        assert [row["known"] for row in lists] == [True, False]
        assert [one["item"] for one in lists[1]["items"]] == [1]


def test_catalogue(client):
    page = client.get("/catalogue", params={"q": "M", "limit": 2}).json()
    assert page["total"] == 4
    assert [one["title"] for one in page["items"]] == ["Emma", "Moby-Dick"]
    assert client.get("/catalogue", params={"offset": 7}).json()["items"] == [{"item": "bk-7", "title": "Lord Jim"}]
    for wrong in ({"limit": 0}, {"limit": "x"}, {"offset": -1}, {"q": "x" * 300}):
        assert client.get("/catalogue", params=wrong).status_code == 422


def test_health_metrics_and_openapi(client):
    health = client.get("/health").json()
    assert health["can"] == ["recommend", "search", "similar", "explain"]
    client.post("/recommend", json={"users": ["u1"]})
    text = client.get("/metrics").text
    assert 'skrec_requests_total{endpoint="/recommend",status="200"} 1.0' in text
    assert 'skrec_model_info{model="ItemKNNRecommender",recommender="ItemKNNRecommender",version="1"} 1.0' in text
    document = client.get("/openapi.json").json()
    for path in ("/recommend", "/search", "/similar", "/explain"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["example"].keys() <= content["schema"]["properties"].keys()


def test_every_path_answers_json(client):
    for answer in (client.get("/nothing"), client.get("/recommend"), client.put("/health")):
        assert answer.json()["error"]["message"]
        assert answer.headers["X-Model-Version"] == "1"


def test_a_fault_is_told_to_the_operator_alone(recommender, caplog):
    class Broken(PopularRecommender):
        def recommend(self, users=None, k=10):
            raise RuntimeError("the password is 123")

    broken = Broken().fit([["ann", "tea"], ["bob", "rye"]])
    with caplog.at_level(logging.ERROR), TestClient(make_app(broken, version="1")) as client:
        error = error_of(client, "/recommend", 500, users=["ann"])
    assert "123" not in error["message"]
    assert "the password is 123" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: make_app(PopularRecommender()), ValueError, "not fitted"),
        (lambda: make_app(3), TypeError, "no recommend"),
        (lambda: make_app(None, api_key_env="SKREC_TEST_NO_KEY"), ValueError, "SKREC_TEST_NO_KEY.*is not set"),
        (lambda: ServiceLimits(k=0), ValueError, "k must be a positive integer; got 0"),
        (lambda: ServiceLimits(k=2.5), ValueError, "k must be a positive integer"),
        (lambda: ServiceLimits(timeout=True), ValueError, "timeout must be a positive number"),
    ],
)
def test_wrong_settings(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()
