"""``import skrec`` is cheap, and its names are there on first use."""

import subprocess
import sys

import pytest

import skrec

HEAVY = ("torch", "numba", "transformers", "sentence_transformers", "implicit", "polars", "openai", "faiss")


def _modules_after(statement):
    script = f"import sys\n{statement}\nprint(*sorted(m for m in {HEAVY!r} if m in sys.modules))"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("statement", ["import skrec", "import skrec.base, skrec.dummy, skrec.neighbors"])
def test_import_loads_nothing_heavy(statement):
    assert _modules_after(statement) == []


def test_public_names():
    for name in skrec.__all__:
        assert getattr(skrec, name) is not None
    assert set(skrec.__all__) <= set(dir(skrec))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        skrec.nonsense  # noqa: B018
