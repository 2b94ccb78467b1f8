"""The examples run on small settings and save their plots."""

import json
import runpy
import sys
import warnings
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_conversation(tmp_path, monkeypatch, capsys):
    state = tmp_path / "state.json"
    arguments = ["conversation", "--script", "--words", "--user", "reader-001", "--state", str(state)]
    for _ in range(2):  # the second goes on from the state of the first
        monkeypatch.setattr(sys, "argv", arguments)
        runpy.run_path(str(EXAMPLES / "conversation.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "Language model: none" in out
    assert "I understood: " in out
    assert "Verstanden: " in out
    assert json.loads(state.read_text(encoding="utf-8"))["user"] == "reader-001"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("plot_*.py")))
def test_plot(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "plot.png"
    monkeypatch.setattr(sys, "argv", [name, "--quick", "--plot", str(plot)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert plot.stat().st_size > 10_000
    assert "Plot saved" in capsys.readouterr().out


@pytest.mark.slow
def test_reranking_reports_quality_of_a_real_model_alone(openai_server, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    openai_server.answer = lambda messages, body: '{"order": []}'
    common = ["plot_llm_rerank", "--quick", "--plot", str(tmp_path / "plot.png"), "--readers", "5"]
    said = {}
    for name, options in {"offline": [], "real": ["--base-url", openai_server.url, "--model", "m"]}.items():
        monkeypatch.setattr(sys, "argv", [*common, *options])
        with warnings.catch_warnings(action="ignore"):
            runpy.run_path(str(EXAMPLES / "plot_llm_rerank.py"))
        said[name] = capsys.readouterr().out
    assert "no quality is reported" in said["offline"]
    assert "ndcg" not in said["offline"]
    assert "stands in" not in said["real"]
    assert "ndcg@10" in said["real"]
    assert len(openai_server.requests) == 4 + 2 * 5


@pytest.mark.slow
def test_explanations_offline_and_by_a_server(openai_server, monkeypatch, capsys):
    pytest.importorskip("pandas")
    openai_server.answer = lambda messages, body: '{"sentences": []}'
    said = {}
    for name, options in {"offline": [], "real": ["--base-url", openai_server.url, "--model", "m"]}.items():
        monkeypatch.setattr(sys, "argv", ["explain_recommendations", "--quick", *options])
        with warnings.catch_warnings(action="ignore"):
            runpy.run_path(str(EXAMPLES / "explain_recommendations.py"))
        said[name] = capsys.readouterr().out
    assert "It is none" in said["offline"]
    assert "(llm)" in said["offline"]
    assert "stands in" not in said["real"]
    assert "(llm)" not in said["real"]
    assert len(openai_server.requests) == 4 + 4
