"""
Charts of the tables in ``user_guide/benchmarks.rst``: what a table says is drawn, and no figure stands in this file.

``python docs/benchmark_charts.py`` writes the chart that README.md shows, ``docs/images/peers.png``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from guide_tables import numbers, records, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PICTURE = Path(__file__).parent / "images" / "peers.png"
# Okabe and Ito's colours, which colour-blind people tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"
COLOURS = {"skrec": BLUE, "skrecsys": ORANGE, "implicit": GREEN, "rectools": PURPLE}
GREY = "#767676"
POPULAR = "Popular"
BY_TIME = "By time: one cut for all, beside the last event of each"


def default_rows() -> dict[str, dict[str, float]]:
    """The table *Defaults against popularity*: data -> model -> NDCG@10."""
    rows = records("benchmarks", "Defaults against popularity")
    return {
        row["data"]: {name: float(row[name]) for name in row if name not in ("data", "events per user")} for row in rows
    }


def new_axes(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Those given, or new ones."""
    return plt.subplots(figsize=figsize, layout="constrained")[1] if ax is None else ax


def bars(ax: Axes, values: dict[str, float], colours: dict[str, str] | str = BLUE, form: str = "{:.3f}") -> Axes:
    """One bar for each name, the first on top, the value beside it."""
    each = [colours if isinstance(colours, str) else colours[name] for name in values]
    drawn = ax.barh(range(len(values)), list(values.values()), color=each)
    ax.bar_label(drawn, [form.format(value) for value in values.values()], padding=3, fontsize=9)
    ax.set_yticks(range(len(values)), values)
    ax.invert_yaxis()
    ax.margins(x=0.13)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def intervals(ax: Axes, rows: dict[str, list[float]], label: str = "") -> Axes:
    """A point and its interval for each name, against the line of no difference."""
    for at, (value, low, high) in enumerate(rows.values()):
        colour = BLUE if low > 0 else ORANGE if high < 0 else GREY
        ax.errorbar(value, at, xerr=[[value - low], [high - value]], fmt="o", color=colour, capsize=3)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(rows)), rows)
    ax.yaxis.set_inverted(True)
    ax.set_xlabel(label)
    ax.grid(axis="y", alpha=0.3)
    return ax


def draw_peers(data: str = "MovieLens 100K", figsize: tuple[float, float] = (9, 3.4)) -> Figure:
    """Time of other libraries over ours, of ``fit`` and of ``recommend``, and the NDCG@10 of each."""
    rows = [row for row in records("benchmarks", "Beside other libraries") if row["data"] == data]
    models = list(dict.fromkeys(row["model"] for row in rows))
    libraries = [name for name in COLOURS if any(row["library"] == name for row in rows)]
    figure, axes = plt.subplots(1, 3, figsize=figsize, sharey=True, layout="constrained")
    for axis, (column, title) in zip(
        axes,
        [("NDCG@10", "NDCG@10"), ("fit", "fit: their time / ours"), ("recommend", "recommend: their time / ours")],
        strict=True,
    ):
        for row in rows:
            library = row["library"]
            value = float(row[column].removesuffix(" x"))
            place = models.index(row["model"]) + 0.8 * (libraries.index(library) + 0.5) / len(libraries) - 0.4
            start = 0.0 if column == "NDCG@10" else 1.0  # ratios are drawn from the line of equal time
            axis.barh(place, value - start, 0.8 / len(libraries), left=start, color=COLOURS[library], label=library)
        axis.set_title(title, fontsize=10)
        if column != "NDCG@10":
            axis.axvline(1, color="black", linewidth=0.8)
            axis.set_xscale("log")
            axis.set_xlim(0.5, 26)
            axis.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"], minor=False)
            axis.minorticks_off()
    axes[0].set_yticks(range(len(models)), models)
    axes[0].invert_yaxis()
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(libraries), frameon=False)
    figure.suptitle(f"{data.split(', ')[0]}, equal settings, measured side by side", fontsize=11)
    return figure


def draw_defaults(ax: Axes | None = None) -> Axes:
    """How far each model is above popularity, by how many events a user has."""
    ax = new_axes(ax, (8, 4.2))
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
    ax = new_axes(ax, (8, 3.6))
    splits = {
        "ml-100k ua": "random events of each user",
        "ml-100k, last five events": "last five events of each user",
        "ml-100k, last fifth of the log": "last fifth of the log (one moment)",
    }
    rows = {title: default_rows()[name] for name, title in splits.items()}
    models = [model for model in next(iter(rows.values())) if model != POPULAR]
    for at, (title, colour) in enumerate(zip(rows, COLOURS.values(), strict=False)):
        places = [place + 0.27 * (at - 1) for place in range(len(models))]
        ax.bar(places, [rows[title][model] - rows[title][POPULAR] for model in models], 0.25, color=colour, label=title)
    ax.set_xticks(range(len(models)), models)
    ax.set_ylabel("NDCG@10 above popularity")
    ax.margins(y=0.35)
    ax.legend(frameon=False, title="what is held out")
    return ax


def draw_quality(data: str, ax: Axes | None = None, contains: str = "", without: str = ",") -> Axes:
    """NDCG@10 of the models of one table of public data; what was published is in another colour."""
    rows = records("benchmarks", data)
    rows = [row for row in rows if contains in row["model"] and (not without or without not in row["model"])]
    values = {row["model"].replace("*published:*", "published:"): float(row["N@10"]) for row in rows}
    values = dict(sorted(values.items(), key=lambda pair: -pair[1]))
    colours = {name: GREY if name == POPULAR else ORANGE if name.startswith("published") else BLUE for name in values}
    ax = bars(new_axes(ax, (8, 0.8 + 0.27 * len(values))), values, colours, "{:.4f}")
    ax.set_xlabel("NDCG@10")
    ax.set_title(data, fontsize=11)
    return ax


def draw_by_time(columns: tuple[str, ...] = ("last", "known")) -> Figure:
    """What models gain over popularity by the last event of each user, and once the future is closed."""
    rows = records("benchmarks", BY_TIME)
    figure, axes = plt.subplots(1, len(columns), figsize=(9, 4.2), sharey=True, layout="constrained")
    titles = {"last": "the last event of each user", "known": "all after one moment, known users"}
    for ax, column in zip(axes, columns, strict=True):
        floor, *found = (numbers(row[column]) for row in rows)
        names = [row["model"] for row in rows[1:]]
        above = [[value - floor[0], low, high] for value, low, high in found]
        intervals(ax, dict(zip(names, above, strict=True)))
        ax.set_title(titles[column], fontsize=10)
    figure.supxlabel("NDCG@10 above popularity, 95 % intervals", fontsize=10)
    return figure


def draw_sequential(ax: Axes | None = None) -> Axes:
    """Networks, and fusions of them, against item KNN with text on Amazon Beauty."""
    rows = records("benchmarks", "Amazon Beauty", 1)
    found = {row["model"]: numbers(row["less ItemKNN"]) for row in rows}
    found = {name.replace(", ", ",\n", 1): row for name, row in found.items() if len(row) == 3}
    return intervals(new_axes(ax, (8, 4)), found, "NDCG@10 less ItemKNN with text")


def draw_text(task: str = "cold", figsize: tuple[float, float] = (9, 3.4)) -> Figure:
    """What each encoder finds, by data set and model, for one task of the text table."""
    rows = [row for row in records("benchmarks", "What the text of items is worth") if row["task"] == task]
    encoders = {"none": GREY, "TF-IDF": ORANGE, "GloVe": GREEN, "MiniLM": BLUE}
    label = {"warm": "NDCG@10", "cold": "Recall@10 of new items"}.get(task, "share found")
    return points(rows, "data", encoders, label, figsize)


def draw_written() -> Figure:
    """What descriptions by a language model find on the bookshop, by task and model."""
    rows = [row for row in records("benchmarks", "What the text of items is worth", 1) if row["model"] != "all"]
    kinds = {"no description": GREY, "the shop's": BLUE, "written": ORANGE, "both": GREEN}
    figure = points(rows, "task", kinds, "", (9, 3))
    for ax, label in zip(figure.axes, ("NDCG@10", "Recall@10 of new items"), strict=True):
        ax.set_xlabel(label)
    return figure


def points(
    rows: list[dict[str, str]], by: str, kinds: dict[str, str], label: str, figsize: tuple[float, float]
) -> Figure:
    """A panel for each value of a column, a line for each model, a point for each kind."""
    panels = list(dict.fromkeys(row[by] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(1, len(panels), figsize=figsize, sharey=True, layout="constrained")
    for ax, panel in zip(axes, panels, strict=True):
        for (kind, colour), marker in zip(kinds.items(), "xs^o", strict=True):
            here = [row for row in rows if row[by] == panel and row[kind]]
            values, places = [numbers(row[kind])[0] for row in here], [models.index(row["model"]) for row in here]
            ax.plot(values, places, marker, color=colour, markersize=7, label=kind if values else None)
        ax.set_title(panel, fontsize=10)
        ax.margins(x=0.15, y=0.15)
        ax.grid(alpha=0.3)
        ax.locator_params(axis="x", nbins=3)
    axes[0].set_yticks(range(len(models)), ["" if name == "all" else name for name in models])
    axes[0].invert_yaxis()
    figure.supxlabel(label, fontsize=10)
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def draw_latency(ax: Axes | None = None) -> Axes:
    """Milliseconds of one request."""
    rows = records("benchmarks", "One request, and the first")
    values = {row["model"].replace("Recommender", ""): float(row["median"]) for row in rows}
    ax = bars(new_axes(ax, (8, 3)), values)
    ax.set_xlabel("milliseconds a request, 10,000 items, median of 300")
    return ax


def draw_metrics_race(ax: Axes | None = None) -> Axes:
    """Seconds of ten metrics of ready lists, here and in two other libraries."""
    rows = records("benchmarks", "Metrics of ready lists")
    values = {row["library"]: float(row["seconds"]) for row in rows}
    colours = {name: BLUE if name.startswith("skrec") else GREY for name in values}
    ax = bars(new_axes(ax, (8, 2)), values, colours, "{:g} s")
    ax.set_xlabel("seconds of the processor, less is better")
    return ax


def draw_pair(ax: Axes | None = None) -> Axes:
    """New items found by a language model, by n-grams, and by both."""
    rows = table("benchmarks", "Columns by their types, or the row as text", 1)[1:]
    ax = new_axes(ax, (8, 3.2))
    for at, (name, colour) in enumerate({"MiniLM": BLUE, "n-grams": ORANGE, "both": GREEN}.items()):
        ax.bar(
            [place + 0.27 * (at - 1) for place in range(len(rows))],
            [float(row[5 + at]) for row in rows],
            0.25,
            color=colour,
            label=name,
        )
    ax.set_xticks(range(len(rows)), [f"{row[0]},\n{row[1]}" for row in rows])
    ax.set_ylabel("Recall@10 of new items")
    ax.legend(frameon=False)
    return ax


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    draw_peers().savefig(PICTURE, dpi=110)
