"""What the OpenAPI document says holds: bodies drawn from it, and from what it forbids, are answered as it says."""

import json
import warnings

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from small_service import ITEMS, events, running
from starlette.testclient import TestClient

from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender
from skrec.neighbors import ItemKNNRecommender
from skrec.serving import ServiceLimits, make_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

FEW = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [response_schema_conformance, status_code_conformance]


def small_app(folder):
    """Every endpoint, small limits."""
    encoder = LLMTextEmbedder(HashingTextEncoder())
    rec = ConversationalRecommender(ItemKNNRecommender(item_encoder=encoder))
    rec.fit(events(), item_features=FeatureTable(pd.DataFrame(ITEMS)))
    limits = ServiceLimits(rate=0, queries=4, k=10, history=4, candidates=5, text_length=40)
    return make_app(rec, version="1", limits=limits, feedback_log=folder / "feedback.sqlite", user_list=True)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with running(small_app(tmp_path_factory.mktemp("log"))) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


PATHS = [("POST", path) for path in ("/recommend", "/search", "/similar", "/explain", "/converse", "/feedback")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), [*PATHS, ("GET", "/catalogue"), ("GET", "/users")])
def test_no_call_ends_in_a_fault(api, method, path, mode):
    """Each answer is of a status and a schema that the document names, and none is a fault."""
    generation = schemathesis.GenerationMode(mode)

    @given(case=api[path][method].as_strategy(generation_mode=generation))
    @FEW
    def run(case):
        answer = case.call()
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS)

    run()


def test_the_examples_of_the_document_are_valid(tmp_path):
    with TestClient(small_app(tmp_path)) as client:
        document = client.get("/openapi.json").json()
        posted = {path: item["post"] for path, item in document["paths"].items() if "post" in item}
        assert sorted(posted) == ["/converse", "/explain", "/feedback", "/recommend", "/search", "/similar"]
        for path, operation in posted.items():
            content = operation["requestBody"]["content"]["application/json"]
            Draft202012Validator.check_schema(content["schema"])
            example = json.loads(json.dumps(content["example"]).replace("bk-0001", "bk-1"))
            answer = client.post(path, json=example)
            assert answer.status_code == 200, (path, answer.text)
            said = operation["responses"]["200"]["content"]["application/json"]["schema"]
            Draft202012Validator(said).validate(answer.json())
