"""Diagrams of the guide: boxes and arrows, drawn when the site is built, dark on white as every plot."""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
from benchmark_charts import BLUE, GREEN, GREY, ORANGE
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

FILL = {"data": "#E8F1F8", "model": "#FDF3E0", "result": "#E3F4EE", "plain": "#F4F4F4"}
EDGE = {"data": BLUE, "model": ORANGE, "result": GREEN, "plain": GREY}
# Name of a box: its text, kind, place (x, y) of its middle, and width; heights follow from the text.
Boxes = dict[str, tuple[str, str, tuple[float, float], float]]


def draw_flow(boxes: Boxes, arrows: Sequence[tuple[str, str, str]], figsize: tuple[float, float]) -> Axes:
    """Boxes in inches from the lower left, and arrows ``(from, to, text)`` between them."""
    figure, ax = plt.subplots(figsize=figsize)
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, figsize[0]), ylim=(0, figsize[1]))
    ax.axis("off")
    sides = {}
    for name, (text, kind, (x, y), width) in boxes.items():
        height = 0.21 * (text.count("\n") + 1) + 0.18
        frame = FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0.02,rounding_size=0.08",
            facecolor=FILL[kind],
            edgecolor=EDGE[kind],
            linewidth=1.3,
        )
        ax.add_patch(frame)
        ax.text(x, y, text, ha="center", va="center", fontsize=10.5, linespacing=1.2)
        sides[name] = (x, y, width / 2 + 0.06, height / 2 + 0.06)
    for start, end, text in arrows:
        tail, head = between(sides[start], sides[end]), between(sides[end], sides[start])
        ax.add_patch(FancyArrowPatch(tail, head, arrowstyle="-|>", mutation_scale=11, color="#333333", linewidth=1.2))
        if text:
            aside = 0.2 if abs(tail[0] - head[0]) < 0.1 else 0.0  # a short arrow downwards has its text beside it
            middle = ((tail[0] + head[0]) / 2 + aside, (tail[1] + head[1]) / 2)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
            ax.text(*middle, text, ha="center", va="center", fontsize=8.5, color="#333333", bbox=box)
    return ax


def between(box: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, float]:
    """Where the line between the middles of two boxes leaves the first."""
    x, y, half_width, half_height = box
    dx, dy = other[0] - x, other[1] - y
    share = min(half_width / abs(dx) if dx else float("inf"), half_height / abs(dy) if dy else float("inf"))
    return x + share * dx, y + share * dy


def draw_chooser() -> Axes:
    """The table of the page as questions: the first that is answered with yes names the model."""
    questions = [
        ("Are there any events?", "no", "texts of items: EmbeddingKNN\nno texts: Popular, and begin a log"),
        ("Ratings from 1 to 5?", "yes", 'HybridMF(feedback="explicit")'),
        ("Do hour, place or device\nchange what is chosen?", "yes", "ContextEncoder, then HybridMF"),
        ("New items every day,\nwith texts?", "yes", "EmbeddingKNN with partial_fit\nthen HybridMF with item_encoder"),
        ("Does what comes next depend\non what came last?", "yes", "ItemKNN, which reads order\nthen Sequential"),
        ("One to three events per user,\nand texts of items?", "yes", "ItemKNN with item_encoder"),
        (
            "Users without events, but with\nfeatures or friends?",
            "yes",
            "HybridMF with user_encoder\nfriends: SocialRecommender",
        ),
        ("At most some 10,000 items?", "yes", "EASE, then HybridMF"),
    ]
    step = 0.95
    top = step * len(questions) + 0.5
    boxes: Boxes = {}
    arrows = []
    for at, (question, answer, model) in enumerate(questions):
        y = top - step * at - 0.1
        boxes[f"q{at}"] = (question, "data", (1.6, y), 2.7)
        boxes[f"m{at}"] = (model, "model", (5.5, y), 2.9)
        arrows.append((f"q{at}", f"m{at}", answer))
        arrows.append((f"q{at}", f"q{at + 1}", "yes" if answer == "no" else "no"))
    boxes[f"q{len(questions)}"] = ("HybridMF, then EASE", "model", (1.6, top - step * len(questions) - 0.1), 2.7)
    return draw_flow(boxes, arrows, (7.2, top + 0.3))


def draw_tables() -> Axes:
    """The tables of a fit, and what comes of them."""
    boxes: Boxes = {
        "users": ("user_features\none row a user", "data", (1.1, 2.5), 1.8),
        "X": ("X: user, item,\ncontext …, timestamp\none row an event", "data", (1.1, 1.55), 1.8),
        "items": ("item_features\none row an item", "data", (1.1, 0.6), 1.8),
        "fit": ("fit", "model", (3.3, 1.55), 0.9),
        "recommend": ("recommend(users, k)", "model", (5.1, 1.55), 1.7),
        "lists": ("items, scores,\ntitles\none row a user", "result", (7.1, 1.55), 1.4),
        "asked": ("history, context,\ncandidates, request", "data", (5.1, 0.5), 1.7),
        "y": ("y: strength or rating", "data", (3.3, 2.6), 1.8),
        "links": ("user_links", "data", (3.3, 0.5), 1.1),
    }
    into = [(name, "fit", "") for name in ("users", "X", "items", "y", "links")]
    then = [("fit", "recommend", ""), ("asked", "recommend", ""), ("recommend", "lists", "")]
    return draw_flow(boxes, [*into, *then], (8, 3.1))


def draw_composites() -> Axes:
    """Where each of the composites stands between its parts and the list."""
    boxes: Boxes = {
        "a": ("ItemKNN", "model", (0.8, 2.25), 1.1),
        "b": ("HybridMF", "model", (0.8, 1.45), 1.1),
        "c": ("Popular", "model", (0.8, 0.65), 1.1),
        "join": (
            "FusionRecommender: merge\nCascadeRecommender: rank\nSwitch-, FallbackRecommender:\nchoose",
            "plain",
            (3.3, 1.45),
            2.5,
        ),
        "rules": ("RuleRecommender:\nstock, age, budget", "plain", (6.3, 2.15), 1.8),
        "places": ("ReservedPlacesReranker\nDiversityReranker", "plain", (6.3, 0.75), 1.9),
        "list": ("the list", "result", (8.2, 0.75), 0.8),
        "table": ("item_table: stock,\nprices of today", "data", (8.2, 2.15), 1.4),
    }
    arrows = [(part, "join", "") for part in "abc"]
    arrows += [("join", "rules", ""), ("rules", "places", ""), ("places", "list", ""), ("table", "rules", "")]
    return draw_flow(boxes, arrows, (9, 2.9))


def draw_two_towers() -> Axes:
    """What goes into the two vectors, and what is made of them."""
    boxes: Boxes = {
        "user": (
            "learned vector of the user\n+ map of user_features\n+ history\n+ map of the context",
            "data",
            (1.5, 2.3),
            2.4,
        ),
        "item": ("learned vector of the item\n+ map of item_features", "data", (1.5, 0.7), 2.4),
        "mlp": ("tower: linear, or\na perceptron", "model", (4.0, 2.3), 1.5),
        "mlp2": ("tower: linear, or\na perceptron", "model", (4.0, 0.7), 1.5),
        "dot": ('"dot" or "cosine"', "model", (6.0, 1.5), 1.5),
        "score": ("score", "result", (7.9, 1.9), 1.0),
        "p": ("predict_proba,\nby calibration", "result", (7.9, 1.0), 1.3),
    }
    arrows = [("user", "mlp", ""), ("item", "mlp2", ""), ("mlp", "dot", "u"), ("mlp2", "dot", "i")]
    return draw_flow(boxes, [*arrows, ("dot", "score", ""), ("dot", "p", "")], (8.7, 3.1))


def draw_graph() -> Axes:
    """Two users who share an item: a path over three edges leads to an item that one of them alone has."""
    users = {"ann": (0, 2), "bob": (0, 1), "eve": (0, 0)}
    items = {"tea": (2, 2.3), "rye": (2, 1.5), "oat": (2, 0.7), "soy": (2, -0.1)}
    edges = [("ann", "tea"), ("ann", "rye"), ("bob", "rye"), ("bob", "oat"), ("eve", "oat"), ("eve", "soy")]
    path = [("ann", "rye"), ("bob", "rye"), ("bob", "oat")]
    ax = plt.subplots(figsize=(6.4, 3), layout="constrained")[1]
    for user, item in edges:
        colour, width = (ORANGE, 3) if (user, item) in path else (GREY, 1)
        ax.plot(*zip(users[user], items[item], strict=True), zorder=1, color=colour, linewidth=width)
    for places, colour, side in ((users, BLUE, "right"), (items, GREEN, "left")):
        for name, (x, y) in places.items():
            ax.scatter(x, y, s=160, color=colour, zorder=2)
            ax.text(x + (-0.12 if side == "right" else 0.12), y, name, ha=side, va="center", fontsize=11)
    ax.text(1, 2.75, "ann – rye – bob – oat: oat is near ann, soy is two edges further", ha="center", fontsize=9.5)
    ax.set(xlim=(-0.7, 2.7), ylim=(-0.5, 3))
    ax.axis("off")
    return ax


def draw_language_model() -> Axes:
    """The way of a prompt, and of what comes back."""
    boxes: Boxes = {
        "caller": ("LLMReranker, LLMExplainer,\nConversationalRecommender …", "model", (1.5, 2.4), 2.5),
        "prompt": ("prompt: texts as data,\nrandom tokens, no ids", "plain", (4.4, 2.4), 1.9),
        "scrub": ("Scrubber:\npersonal data out", "plain", (6.9, 2.4), 1.6),
        "limits": ("ChatCache: paid once\nBudget: never above", "plain", (6.9, 1.4), 1.7),
        "server": ("the model\n(server or process)", "data", (6.9, 0.4), 1.7),
        "check": ("JSON found, checked by\nits schema; else an error", "plain", (4.2, 0.4), 2.0),
        "result": (
            "a result each; what fails\nfalls back: the list,\nthe template, the phrases",
            "result",
            (1.5, 0.5),
            2.2,
        ),
    }
    names = ["caller", "prompt", "scrub", "limits", "server", "check", "result"]
    return draw_flow(boxes, [(a, b, "") for a, b in pairwise(names)], (8, 2.9))


def draw_saving() -> Axes:
    """A model from its fit to a process that serves it."""
    boxes: Boxes = {
        "fit": ("fit(X)", "model", (0.8, 2.1), 1.0),
        "update": ("partial_fit(today)", "model", (0.9, 0.9), 1.5),
        "joblib": ("joblib, pickle:\nfiles of your own", "data", (3.2, 2.1), 1.6),
        "skops": ("skops:\nalso files of strangers", "data", (3.2, 0.9), 1.9),
        "state": ("state is checked once:\nDamagedStateError,\nFormatVersionError", "plain", (5.7, 1.5), 1.9),
        "inactive": ("addresses and paths are inactive\nuntil allow_external", "plain", (5.7, 0.4), 2.6),
        "serve": ("the same lists", "result", (7.9, 1.5), 1.3),
    }
    arrows = [("fit", "joblib", ""), ("fit", "update", ""), ("update", "skops", ""), ("fit", "skops", "")]
    arrows += [("update", "joblib", ""), ("joblib", "state", "load"), ("skops", "state", "load")]
    arrows += [("skops", "inactive", ""), ("state", "serve", ""), ("inactive", "serve", "")]
    return draw_flow(boxes, arrows, (8.8, 2.7))
