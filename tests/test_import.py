"""``import skrec`` is cheap, and its names are there on first use."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import skrec

HEAVY = ("torch", "numba", "transformers", "sentence_transformers", "implicit", "polars", "openai", "faiss")
MODULES = [m.name for m in pkgutil.iter_modules(skrec.__path__) if not m.name.startswith("_")]
NOT_PUBLIC = {"utils"}  # helpers, not for users


def _modules_after(statement):
    script = f"import sys\n{statement}\nprint(*sorted(m for m in {HEAVY!r} if m in sys.modules))"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "statement",
    ["import skrec", "import skrec.base, skrec.dummy, skrec.neighbors", "from skrec import HybridMFRecommender"],
)
def test_import_loads_nothing_heavy(statement):
    assert _modules_after(statement) == []


def test_recommenders_load_little_of_scikit_learn():
    """A process that loads a saved model pays for every module; these load 160 of scikit-learn."""
    rooms = "skrec.base, skrec.decomposition, skrec.linear_model, skrec.neighbors, skrec.metrics"
    script = f"import sys, {rooms}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"sklearn.compose", "sklearn.linear_model", "sklearn.pipeline"} & set(run.stdout.split())


def test_every_public_name_is_here():
    """Those that the public modules list in ``__all__``."""
    for module in set(MODULES) - NOT_PUBLIC:
        assert getattr(skrec, module) is importlib.import_module(f"skrec.{module}")
        for name in importlib.import_module(f"skrec.{module}").__all__:
            assert getattr(skrec, name) is getattr(getattr(skrec, module), name), f"add {name} to skrec/__init__.py"
    assert set(skrec.__all__) <= set(dir(skrec))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        skrec.nonsense  # noqa: B018


def test_the_stub_names_what_is_here():
    """An editor reads ``__init__.pyi``."""
    tree = ast.parse(Path(skrec.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imported = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(skrec.__all__) - {"__version__"}


@pytest.mark.slow
def test_a_typed_script_completes_and_checks():
    """Recommenders come out of ``skrec`` with their types: what is right passes, what is wrong is found."""
    mypy_api = pytest.importorskip("mypy.api")
    script = Path(__file__).parent / "typed_script.py"
    out, err, _ = mypy_api.run([str(script), "--follow-imports=silent"])
    expected = [
        (number, line.split("# error: ")[1].strip())
        for number, line in enumerate(script.read_text(encoding="utf-8").splitlines(), 1)
        if "# error: " in line
    ]
    found = [line for line in out.splitlines() if ": error: " in line]
    assert len(found) == len(expected), out + err
    for line, (number, code) in zip(found, expected, strict=True):
        assert f"typed_script.py:{number}: error:" in line
        assert line.endswith(f"[{code}]")
