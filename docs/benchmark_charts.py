"""
Charts of the tables in ``user_guide/benchmarks.rst``: what a table says is drawn, and no figure stands in this file.

``python docs/benchmark_charts.py`` writes the chart that README.md shows, ``docs/images/peers.png``.
"""

import csv
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PAGE = HERE / "user_guide" / "benchmarks.rst"
PICTURE = HERE / "images" / "peers.png"
# Okabe and Ito's colours, which colour-blind people tell apart.
COLOURS = {"skrec": "#0072B2", "skrecsys": "#E69F00", "implicit": "#009E73", "rectools": "#CC79A7"}
POPULAR = "Popular"


def peer_rows() -> list[dict[str, str]]:
    """The table *Beside other libraries*, one dict per row."""
    text = PAGE.read_text(encoding="utf-8").split("\nBeside other libraries\n")[1]
    table = text.split(".. csv-table::\n")[1].split("\n\n")
    names = re.search(r":header: (.*)", table[0])
    if names is None:
        raise ValueError(f"{PAGE.name}: the table of other libraries has no header")
    lines = [line.strip() for line in table[1].splitlines()]
    return list(csv.DictReader(lines, fieldnames=names[1].split(", "), skipinitialspace=True))


def default_rows() -> dict[str, dict[str, float]]:
    """The table *Defaults against popularity*: data -> model -> NDCG@10."""
    text = (
        PAGE.read_text(encoding="utf-8").split("\nDefaults against popularity\n")[1].split(".. code-block:: text\n")[1]
    )
    header, *lines = [line.strip() for line in text.strip("\n").splitlines() if line.strip()]
    _, _, *models = re.split(r"\s{2,}", header)
    rows = [re.split(r"\s{2,}", line) for line in lines]
    return {name: dict(zip(models, map(float, values), strict=True)) for name, _, *values in rows}


def draw_peers(data: str = "MovieLens 100K", figsize: tuple[float, float] = (9, 3.4)) -> Figure:
    """Time of other libraries over ours, of ``fit`` and of ``recommend``, and the NDCG@10 of each."""
    rows = [row for row in peer_rows() if row["data"] == data]
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(1, 3, figsize=figsize, sharey=True, layout="constrained")
    for axis, (column, title) in zip(
        axes,
        [("NDCG@10", "NDCG@10"), ("fit", "fit: their time / ours"), ("recommend", "recommend: their time / ours")],
        strict=True,
    ):
        for row in rows:
            library = row["library"]
            value = float(row[column].removesuffix(" x"))
            place = models.index(row["model"]) + 0.8 * (list(COLOURS).index(library) + 0.5) / len(COLOURS) - 0.4
            start = 0.0 if column == "NDCG@10" else 1.0  # ratios are drawn from the line of equal time
            axis.barh(place, value - start, 0.8 / len(COLOURS), left=start, color=COLOURS[library], label=library)
        axis.set_title(title, fontsize=10)
        if column != "NDCG@10":
            axis.axvline(1, color="black", linewidth=0.8)
            axis.set_xscale("log")
            axis.set_xlim(0.5, 20)
            axis.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"], minor=False)
            axis.minorticks_off()
    axes[0].set_yticks(range(len(models)), models)
    axes[0].invert_yaxis()
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(COLOURS), frameon=False)
    figure.suptitle(f"{data}, split ua, equal settings, measured side by side", fontsize=11)
    return figure


def draw_defaults(ax: Axes | None = None) -> Axes:
    """How far each model is above popularity, by how many events a user has."""
    ax = plt.subplots(figsize=(8, 4.2), layout="constrained")[1] if ax is None else ax
    rows = default_rows()
    models = [model for model in next(iter(rows.values())) if model != POPULAR]
    for model, marker in zip(models, "osD^vP", strict=True):
        above = [row[model] - row[POPULAR] for row in rows.values()]
        ax.plot(above, range(len(rows)), marker, label=model, markersize=7, alpha=0.8)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set_xlabel("NDCG@10 above popularity")
    ax.legend(frameon=False)
    ax.grid(axis="y", alpha=0.3)
    return ax


def draw_splits(ax: Axes | None = None) -> Axes:
    """One data set and the same models, held out in three ways."""
    ax = plt.subplots(figsize=(8, 3.6), layout="constrained")[1] if ax is None else ax
    splits = {
        "ml-100k ua": "random events of each user",
        "ml-100k, last five events": "last five events of each user",
        "ml-100k, last fifth of the log": "last fifth of the log (one moment)",
    }
    rows: dict[str, Any] = {title: default_rows()[name] for name, title in splits.items()}
    models = [model for model in next(iter(rows.values())) if model != POPULAR]
    for at, (title, colour) in enumerate(zip(rows, COLOURS.values(), strict=False)):
        places = [place + 0.27 * (at - 1) for place in range(len(models))]
        ax.bar(places, [rows[title][model] - rows[title][POPULAR] for model in models], 0.25, color=colour, label=title)
    ax.set_xticks(range(len(models)), models)
    ax.set_ylabel("NDCG@10 above popularity")
    ax.margins(y=0.35)
    ax.legend(frameon=False, title="what is held out")
    return ax


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    draw_peers().savefig(PICTURE, dpi=110)
