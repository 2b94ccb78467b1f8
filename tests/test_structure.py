"""The structure that CONTRIBUTING.md describes, held by the figures of ``structure.py``."""

import shutil
import subprocess
import sys
import tomllib

import pytest
import structure


@pytest.fixture(scope="module")
def figures():
    return structure.figures()


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("circles of imports", 0),
        ("imports of another room's private module", 0),
        ("private modules at the root", 3),
        ("most files in a folder", 24),
        ("median lines of a file", 150),
        ("most lines of a file", 400),
        ("private attributes of others per 1,000 lines", 1.5),
        ("share of them that is untyped", 0.1),
    ],
)
def test_figures(figures, name, most):
    assert figures[name] <= most


def test_imports_run_downwards():
    """The contract in pyproject.toml, by import-linter."""
    command = shutil.which("lint-imports", path=str(structure.Path(sys.executable).parent)) or "lint-imports"
    done = subprocess.run([command], cwd=structure.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_room_has_a_floor():
    """A new room that the contract does not name would be free of it."""
    settings = tomllib.loads((structure.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {word.strip("()") for layer in layers for word in layer.replace("|", " ").replace(":", " ").split()}
    rooms = {".".join(name.split(".")[:2]) for name in structure.read_modules()} - {"skrec"}
    assert rooms <= named


def test_a_circle_is_found(tmp_path, monkeypatch):
    """With one import inside a function, and one under TYPE_CHECKING."""
    package = tmp_path / "skrec"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from skrec.b import x\n")
    (package / "b.py").write_text("from skrec.a import f\n")
    (package / "c.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from skrec.d import y\n")
    (package / "d.py").write_text("import skrec.c\nimport skrec._e._f\n")
    (package / "_e").mkdir()
    (package / "_e" / "__init__.py").write_text("")
    (package / "_e" / "_f.py").write_text("def f(x, self):\n    return x._hidden, self._own, x.__class__\n")
    monkeypatch.setattr(structure, "ROOT", tmp_path)
    monkeypatch.setattr(structure, "PACKAGE", package)
    modules = structure.read_modules()
    assert structure.circles(modules) == [["skrec.a", "skrec.b"], ["skrec.c", "skrec.d"]]
    assert structure.private_imports(modules) == ["skrec.d imports skrec._e._f"]
    assert structure.private_attributes(modules) == ["skrec/_e/_f.py:2 x._hidden"]
