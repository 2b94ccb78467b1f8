"""Charts of the documentation draw what the tables of the guide say, and diagrams have no boxes in each other's way."""

import csv
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


def cells(heading, column, page="benchmarks", nth=0):
    """A column of a csv-table, read another way than the charts do."""
    text = (DOCS / "user_guide" / f"{page}.rst").read_text(encoding="utf-8").split(f"\n{heading}\n")[1]
    rows = text.split(".. csv-table::")[nth + 1].split("\n\n")[1]
    return [row[column] for row in csv.reader(rows.splitlines(), skipinitialspace=True)]


def widths(ax):
    return [round(float(patch.get_width()), 4) for patch in ax.patches]


def test_bars_are_as_long_as_the_table_says(module):
    charts = module("benchmark_charts")
    ax = charts.draw_quality("Amazon Beauty", without="")
    by_name = dict(zip(cells("Amazon Beauty", 0), map(float, cells("Amazon Beauty", 5)), strict=True))
    assert widths(ax) == sorted(by_name.values(), reverse=True)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert dict(zip(names, widths(ax), strict=True))["ItemKNN, text"] == by_name["ItemKNN, text"]
    assert widths(charts.draw_latency()) == [float(cell) for cell in cells("One request, and the first", 1)]
    assert widths(charts.draw_metrics_race()) == [float(cell) for cell in cells("Metrics of ready lists", 1)]


def test_the_first_bar_is_what_was_measured_and_the_others_what_it_is_compared_with(module):
    friends = module("guide_charts").draw_friends()
    page = (DOCS / "user_guide" / "friends.rst").read_text(encoding="utf-8")
    assert [widths(ax)[0] for ax in friends.axes] == [float(found) for found in re.findall(r"\*\*(0\.\d+)\*\*", page)]
    for ax in friends.axes:
        names = [label.get_text() for label in ax.get_yticklabels()]
        assert len(names) >= 4
        text = " ".join(page.split())
        assert all(f"{name} {width:.3f}" in text for name, width in zip(names[1:], widths(ax)[1:], strict=True))


def test_intervals_are_those_of_the_table(module):
    ax = module("benchmark_charts").draw_sequential()
    expected = [re.findall(r"[-+]\d\.\d+", cell) for cell in cells("Amazon Beauty", 4, nth=1)]
    expected = [[float(number) for number in row] for row in expected if row]
    assert len(expected) == len(ax.containers) >= 5
    for (value, low, high), container in zip(expected, ax.containers, strict=True):
        assert container.lines[0].get_xdata()[0] == value
        assert container.lines[2][0].get_segments()[0][:, 0].round(6).tolist() == [low, high]


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
