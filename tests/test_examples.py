"""The examples run on small settings and save their plots."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("plot_*.py")))
def test_plot(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "plot.png"
    monkeypatch.setattr(sys, "argv", [name, "--quick", "--plot", str(plot)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert plot.stat().st_size > 10_000
    assert "Plot saved" in capsys.readouterr().out
