"""One hypothesis profile for all tests: a kernel's first call compiles, which no deadline foresees."""

import pytest
from hypothesis import settings

settings.register_profile("skrec", deadline=None)
settings.load_profile("skrec")


def pytest_collection_modifyitems(config, items):
    """Tests of ``-m attack`` take hours: they run where the expression names them, and nowhere else."""
    if "attack" in config.option.markexpr:
        return
    attacks = [item for item in items if item.get_closest_marker("attack")]
    config.hook.pytest_deselected(items=attacks)
    items[:] = [item for item in items if item not in attacks]


@pytest.fixture
def openai_server():
    """A server that speaks OpenAI's protocol: see ``openai_server.py``."""
    from openai_server import OpenAIServer

    server = OpenAIServer()
    yield server
    server.close()


@pytest.fixture
def waits(monkeypatch):
    """The seconds that endpoints would have waited before they asked again, in place of the waiting."""
    from skrec.utils import _endpoint

    waits = []
    monkeypatch.setattr(_endpoint, "_sleep", waits.append)
    return waits
