"""Charts of tables that stand in pages of the guide other than the benchmarks: each is drawn from the table itself."""

import re

import matplotlib.pyplot as plt
from benchmark_charts import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, bars, intervals, new_axes
from guide_tables import numbers, records, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw_fold_in() -> Figure:
    """What the first events of a new user are worth, as a share of what a fit with them gains."""
    _, events, *rows = table("cold_start", "New users", 1)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for ax, title, start in zip(axes, ("bookshop", "MovieLens 100K"), (1, 5), strict=True):
        for row, colour, marker in zip(rows, [BLUE, ORANGE, GREEN, PURPLE, SKY, GREY], "osD^vP", strict=True):
            values = [numbers(cell) for cell in row[start : start + 4]]
            known = [(at, value[0]) for at, value in enumerate(values) if value]
            if known:
                ax.plot(*zip(*known, strict=True), marker + "-", color=colour, label=row[0])
        ax.set_xticks(range(4), events[:4])
        ax.axhline(1, color="black", linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("events of the new user")
    axes[0].set_ylabel("share of the gain of a fit")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    return figure


def draw_in_context(ax: Axes | None = None) -> Axes:
    """NDCG@10 with and without the context, by data set; of two draws, their mean."""
    header, *rows = table("context", "Measuring and tuning")
    ax = new_axes(ax, (8, 3.4))
    for at, (name, colour) in enumerate(zip(header[1:], [GREY, ORANGE, GREEN, BLUE], strict=True)):
        values = [sum(found) / len(found) for found in (numbers(row[at + 1]) for row in rows)]
        ax.bar([place + 0.2 * (at - 1.5) for place in range(len(rows))], values, 0.19, color=colour, label=name)
    ax.set_xticks(range(len(rows)), [row[0] for row in rows])
    ax.set_ylabel("NDCG@10")
    ax.legend(frameon=False)
    return ax


def draw_questions(ax: Axes | None = None) -> Axes:
    """Turns until an item is found, by what is asked."""
    header, *rows = table("conversation", "The question after each list")
    ax = new_axes(ax, (8, 3.2))
    for at, (name, colour) in enumerate(zip(header[1:], [BLUE, ORANGE, GREY], strict=True)):
        means, errors = zip(*(numbers(row[at + 1])[:2] for row in rows), strict=True)
        places = [place + 0.27 * (at - 1) for place in range(len(rows))]
        ax.bar(places, means, 0.25, yerr=errors, capsize=3, color=colour, label=name)
    ax.set_xticks(range(len(rows)), [row[0].replace(", ", ",\n") for row in rows])
    ax.set_ylabel("mean turns, less is better")
    ax.legend(frameon=False)
    return ax


def draw_variety() -> Figure:
    """What each setting of a reranker gains of its goal, and what that costs."""
    rows = records("diversity", "What it costs")
    names = [re.sub(r" [-+x].*", "", row["goal"]) for row in rows]
    factors = [re.search(r"x (\S+)", row["goal"]) for row in rows]
    gains = [
        100 * (float(factor[1]) - 1) if factor else abs(numbers(row["goal"])[0])
        for row, factor in zip(rows, factors, strict=True)
    ]
    costs = [-numbers(row["NDCG@10"])[0] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True, layout="constrained")
    keys = [f"{name}\n{row['setting']}" for name, row in zip(names, rows, strict=True)]
    for ax, values, colour, title in (
        (left, gains, BLUE, "better by, % of the goal"),
        (right, costs, ORANGE, "NDCG@10 less by, %"),
    ):
        drawn = ax.barh(range(len(rows)), values, color=colour)
        ax.bar_label(drawn, [f"{value:.3g}" for value in values], padding=3, fontsize=9)
        ax.set_title(title, fontsize=10)
        ax.margins(x=0.15)
    left.set_yticks(range(len(rows)), keys, fontsize=8)
    left.invert_yaxis()
    return figure


def draw_fusion(ax: Axes | None = None) -> Axes:
    """NDCG@10 of fusions, less that of their best part."""
    rows = [row for row in records("composites", "Fusion") if row["difference"]]
    found = {
        f"{row['data']}: {row['model'].removeprefix('with ')}\n({row['weights']})": [
            *numbers(row["difference"]),
            *numbers(row["interval"]),
        ]
        for row in rows
    }
    return intervals(new_axes(ax, (8, 3.6)), found, "NDCG@10 less that of the best part")


def draw_friends() -> Figure:
    """People found among those whose links are hidden, and lists for users without events, against the usual ways."""
    rows = records("friends", "Measured")[:2]
    figure, axes = plt.subplots(2, 1, figsize=(8, 4.2), height_ratios=[6, 5], layout="constrained")
    for ax, row in zip(axes, rows, strict=True):
        ours, others = row["measured"].split("; ", 1)
        others = others.split(". Above")[0]
        values = {"SocialRecommender": numbers(ours)[0]}
        for text, value in re.findall(r"([A-Za-z][A-Za-z -]+?) (0\.\d{3})", others):
            if not text.startswith("by "):  # a second way to count the same
                values[text.removeprefix("With ")] = float(value)
        colours = {name: BLUE if name == "SocialRecommender" else GREY for name in values}
        bars(ax, values, colours)
        ax.set_title(row["what is hidden"].replace("; ", ": "), fontsize=10)
    return figure
