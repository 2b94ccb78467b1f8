"""Graphs on public data, filters and trained vectors: settings from validation, one look at the test.

    python examples/benchmarks/graph.py FOLDER [FOLDER ...] [--validation] [--trained]
    python examples/benchmarks/graph.py --memory

Folders, splits and protocols are those of ``published_tables.py``; times are left out, since neither split is by time.
The settings of the filter are those with the largest NDCG@10 of the validation events, from a small grid: the mean
over three random draws of them. Beyond 5,000 items it is tried on the same draws with vectors that are trained over
the graph (LightGCN). The best is then fitted to all training events, and compared on the test with EASE (up to 5,000
items) and HybridMF as they come, and with the filter alone; the 95 % intervals are a paired bootstrap over users. With
``--validation`` the test is not looked at. ``--trained`` looks at validation alone too: what trained vectors reach
alone, and with the filter, on the first draw.

``--memory`` trains one epoch of LightGCN on made data: 5 million events of 200,000 users with 50,000 items, and a
million links between users. It prints the peak memory of the process.
"""

import argparse
import resource
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from published_tables import LARGEST_DENSE, Task, read_task

from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import TemporalLeakWarning
from skrec.graph import GraphRecommender
from skrec.interactions import LinkTable
from skrec.linear_model import EASERecommender
from skrec.metrics import compare, evaluate
from skrec.model_selection import LeaveKOut

# n_factors, low_pass, damping, user_exponent, item_exponent, score_exponent.
Setting = tuple[int, float, float, float, float, float | None]
GFCF = (64, 0.23, 0.0, 0.5, 0.5, None)
SMALL: list[Setting] = [GFCF, (24, 0.5, 0.0, 0.2, 0.2, None)] + [
    (k, 1.0, damping, a, b, None) for k in (24, 32, 40) for damping in (0.02, 0.04) for a, b in ((0.2, 0.2), (0.2, 0.3))
]
LARGE: list[Setting] = [
    (100, 0.9, 0.0, 0.3, 0.25, None),
    *((128, 1.0, damping, 0.3, 0.25, c) for damping, c in ((0.01, None), (0.05, 0.15), (0.1, 0.05))),
]
# Vectors trained beside the filter.
TRAINED: list[dict[str, Any]] = [
    {"filter_weight": 0.5},
    {"filter_weight": 0.2},
    {"filter_weight": 0.2, "early_stopping": False, "max_iter": 11},
]
N_DRAWS = 3


def graph(setting: Setting, **options: Any) -> GraphRecommender:
    """The filter with one setting."""
    n_factors, low_pass, damping, user_exponent, item_exponent, score_exponent = setting
    return GraphRecommender(
        n_factors,
        low_pass=low_pass,
        damping=damping,
        user_exponent=user_exponent,
        item_exponent=item_exponent,
        score_exponent=score_exponent,
        random_state=0,
        **options,
    )


def validation_draws(task: Task) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Training and held-out events, as many of each user as the validation of the task has."""
    k = int(task.X.iloc[task.validation[1]].groupby("user").size().max())
    splits = LeaveKOut(k, n_splits=N_DRAWS, random_state=0).split(task.X)
    return [(task.X.iloc[train], task.X.iloc[held_out]) for train, held_out in splits]


def choose(task: Task, grid: list[Setting], trained: list[dict[str, Any]]) -> tuple[Setting, dict[str, Any]]:
    """The setting that is best on the validation events, and the options of training, none where the filter is best."""
    draws = validation_draws(task)

    def mean_score(name: object, model: Any) -> float:
        score = float(np.mean([model.fit(train).score(held_out) for train, held_out in draws]))
        print(f"  validation {name}: {score:.4f}", flush=True)
        return score

    score, best = max((mean_score(setting, graph(setting)), at) for at, setting in enumerate(grid))
    setting, found = grid[best], [(score, -1)]
    for at, options in enumerate(trained):
        found.append((mean_score(options, graph(setting, trainable=True, **options)), at))
    mean_score("HybridMF", HybridMFRecommender(random_state=0))
    at = max(found)[1]
    return setting, {} if at < 0 else {"trainable": True, **trained[at]}


def measure_training(task: Task, setting: Setting) -> None:
    """NDCG@10 of validation events by trained vectors, alone and with the filter."""
    train, held_out = validation_draws(task)[0]
    print(f"  the filter alone: {graph(setting).fit(train).score(held_out):.4f}", flush=True)
    for weight in (0.0, 0.5):
        start = time.process_time()
        rec = graph(setting, trainable=True, filter_weight=weight).fit(train)
        print(
            f"  trained, filter_weight {weight}: {rec.score(held_out):.4f}, best epoch {rec.best_iter_}, "
            f"{time.process_time() - start:.0f} CPU s",
            flush=True,
        )


def measure_memory() -> None:
    """Peak memory of one epoch on a large graph."""
    rng = np.random.default_rng(0)
    n_users, n_items, n_events = 200_000, 50_000, 5_000_000
    popularity = np.arange(1, n_items + 1) ** -0.6
    items = rng.choice(n_items, n_events, p=popularity / popularity.sum())
    X = np.column_stack([rng.integers(0, n_users, n_events), items])
    links = LinkTable(rng.integers(0, n_users, (1_000_000, 2)))
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rec = GraphRecommender(
        trainable=True,
        filter_weight=0.0,
        loss="sampled_softmax",
        n_negatives=128,
        batch_size=1_000_000,
        max_iter=1,
        early_stopping=False,
        random_state=0,
    ).fit(X, user_links=links)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{rec.n_iter_} epoch: peak {peak / 1e6:.1f} GB, {before / 1e6:.1f} GB of it before fit")
    print(f"{time.process_time() - start:.0f} CPU s")


def main() -> None:
    """Choose on validation, then test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--trained", action="store_true")
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    if arguments.memory:
        measure_memory()
    warnings.simplefilter("ignore", TemporalLeakWarning)
    for folder in arguments.folders:
        task = read_task(folder)
        task.X, task.X_test = (events[["user", "item"]] for events in (task.X, task.X_test))
        n_items = task.X["item"].nunique()
        print(f"{task.name}: {task.protocol}", flush=True)
        best, training = choose(task, *((SMALL, []) if n_items <= LARGEST_DENSE else (LARGE, TRAINED)))
        print(f"  chosen: {best} {training}", flush=True)
        if arguments.trained:
            measure_training(task, best)
        if arguments.validation or arguments.trained:
            continue
        start = time.process_time()
        rec = graph(best, **training).fit(task.X)
        print(f"  fitted in {time.process_time() - start:.1f} CPU s", flush=True)
        own = evaluate(rec, task.X_test, metrics="ndcg@10", random_state=0).iloc[0]
        print(f"  test NDCG@10 {own['mean']:.4f} ({own.ci_low:.4f} to {own.ci_high:.4f})", flush=True)
        others: list[Any] = [HybridMFRecommender(random_state=0)] + [EASERecommender()] * (n_items <= LARGEST_DENSE)
        others += [graph(best)] * bool(training)
        for other in others:
            row = compare(rec, other.fit(task.X), task.X_test, metrics="ndcg@10", random_state=0, verbose=False).iloc[0]
            print(
                f"  {type(other).__name__} {row.mean_b:.4f}, difference "
                f"{row.difference:+.4f} ({row.ci_low:+.4f} to {row.ci_high:+.4f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
