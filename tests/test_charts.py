"""Charts of the documentation draw what the tables of the guide say, and diagrams have no boxes in each other's way."""

import inspect
import re
from importlib import import_module
from itertools import combinations
from pathlib import Path

import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402

DOCS = Path(__file__).parents[1] / "docs"
CALLS = sorted(
    {
        (module, call)
        for path in (DOCS / "user_guide").glob("*.rst")
        for module, call in re.findall(
            r"from (benchmark_charts|guide_charts|diagrams) import \w+\n +(draw_\w+\(.*\))",
            path.read_text(encoding="utf-8"),
        )
    }
)


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    yield import_module
    plt.close("all")


@pytest.mark.parametrize(("name", "call"), CALLS, ids=lambda value: value if "(" in value else "")
def test_a_chart_of_the_guide_is_drawn(name, call, module):
    eval(call, vars(module(name)))
    figure = plt.gcf()
    assert figure.axes
    figure.draw_without_rendering()
    for ax in figure.axes:
        boxes = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
        texts = [text.get_window_extent() for text in ax.texts][: len(boxes)]  # of boxes, which come before the arrows
        assert all(text.width < box.width and text.height < box.height for text, box in zip(texts, boxes, strict=False))
        assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))
        assert all(ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1 and box.y0 >= ax.bbox.y0 for box in boxes)


def test_every_chart_stands_in_the_guide(module):
    drawn = {call.split("(")[0] for _, call in CALLS}
    for name in ("benchmark_charts", "guide_charts", "diagrams"):
        functions = {
            key for key, value in vars(module(name)).items() if key.startswith("draw_") and inspect.isfunction(value)
        }
        assert functions - {"draw_flow"} <= drawn


def widths(ax):
    return [round(patch.get_width(), 4) for patch in ax.patches]


def test_bars_are_as_long_as_the_table_says(module):
    charts, tables = module("benchmark_charts"), module("guide_tables")
    ax = charts.draw_quality("Amazon Beauty", without="")
    rows = tables.records("benchmarks", "Amazon Beauty")
    assert widths(ax) == sorted((float(row["N@10"]) for row in rows), reverse=True)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert dict(zip(names, widths(ax), strict=True))["ItemKNN, text"] == 0.0619
    assert widths(charts.draw_latency())[0] == 0.064
    assert widths(charts.draw_metrics_race()) == [0.068, 0.152, 3.65, 0.519]
    friends = module("guide_charts").draw_friends()
    assert widths(friends.axes[0]) == [0.245, 0.193, 0.208, 0.131, 0.222, 0.036]
    assert widths(friends.axes[1]) == [0.463, 0.446, 0.255, 0.238]


def test_intervals_are_those_of_the_table(module):
    ax = module("benchmark_charts").draw_sequential()
    points = [container.lines[0].get_xdata()[0] for container in ax.containers]
    assert points == [-0.0062, -0.0058, -0.0066, -0.0084, -0.002, 0.0044]
    ends = [container.lines[2][0].get_segments()[0][:, 0].round(4).tolist() for container in ax.containers]
    assert ends[-1] == [0.0033, 0.0055]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('.. csv-table::\n   :header: a, b\n\n   "x, y", 1\n', [["a", "b"], ["x, y", "1"]]),
        (
            ".. list-table::\n   :widths: 1 1\n\n   * - a\n     - **b**\n   * - ``x``\n       and z\n     - 1\n",
            [["a", "b"], ["x and z", "1"]],
        ),
        (".. code-block:: text\n\n   a    b\n   x y  1\n", [["a", "b"], ["x y", "1"]]),
        ("===  ===\na    b\n===  ===\nx y  1\n===  ===\n", [["a", "b"], ["x y", "1"]]),
    ],
    ids=["csv", "list", "text", "simple"],
)
def test_a_table_of_any_kind_is_read(text, expected, module, monkeypatch, tmp_path):
    tables = module("guide_tables")
    (tmp_path / "user_guide").mkdir()
    (tmp_path / "user_guide" / "page.rst").write_text(f"Page\n====\n\nHere\n----\n\n{text}\nAfter.\n", encoding="utf-8")
    monkeypatch.setattr(tables, "HERE", tmp_path)
    assert tables.table("page", "Here") == expected
    with pytest.raises(ValueError, match="no table 1 below 'Here'"):
        tables.table("page", "Here", 1)
    with pytest.raises(ValueError, match="no heading 'There'"):
        tables.table("page", "There")


def test_numbers_of_a_cell(module):
    numbers = module("guide_tables").numbers
    assert numbers("0.1186 (+0.0565 to -.09)") == [0.1186, 0.0565, -0.09]
    assert numbers("-2.2 % [-3.2, -1.2]") == [-2.2, -3.2, -1.2]
    assert numbers("not measured") == []


PICTURE = re.compile(r"^ *\.\. (?:plot|image|figure)::.*\n((?: +:.*\n)*)", re.MULTILINE)
WITHOUT = {"command_line", "conventions", "faq", "index", "reliability", "when_something_goes_wrong"}


@pytest.mark.parametrize("path", sorted((DOCS / "user_guide").glob("*.rst")), ids=lambda path: path.stem)
def test_a_page_has_a_picture_and_each_picture_its_words(path):
    options = PICTURE.findall(path.read_text(encoding="utf-8"))
    assert options or path.stem in WITHOUT
    assert all(re.search(r":alt: .{10,}", given) for given in options if ":nofigs:" not in given)
