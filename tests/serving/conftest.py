"""Fixtures of the service's tests."""

import pytest
import skops.io
from small_service import fitted
from starlette.testclient import TestClient

from skrec.serving import ServiceLimits, make_app


@pytest.fixture(scope="session")
def recommender():
    return fitted()


@pytest.fixture(scope="session")
def model_file(recommender, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skops"
    skops.io.dump(recommender, path)
    return path


@pytest.fixture
def client(recommender):
    with TestClient(make_app(recommender, version="1", limits=ServiceLimits(rate=0)), client=("10.0.0.1", 1)) as client:
        yield client
