"""The closed-form graph filter on public data: settings from validation, one look at the test.

    python examples/benchmarks/graph.py FOLDER [FOLDER ...] [--validation]
    python examples/benchmarks/graph.py --memory

Folders, splits and protocols are those of ``published_tables.py``; times are left out, since neither split is by time.
The settings of the filter are those with the largest NDCG@10 of the validation events, from a small grid. It is then
fitted to all training events, and compared on the test with EASE (up to 5,000 items) and HybridMF as they come; the
95 % intervals of the differences are a paired bootstrap over users. With ``--validation`` the test is not looked at.

``--memory`` trains one epoch of LightGCN on made data: 5 million events of 200,000 users with 50,000 items, and a
million links between users. It prints the peak memory of the process.
"""

import argparse
import resource
import time
import warnings
from pathlib import Path

import numpy as np
from published_tables import LARGEST_DENSE, Task, read_task

from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import TemporalLeakWarning
from skrec.graph import GraphRecommender
from skrec.interactions import LinkTable
from skrec.linear_model import EASERecommender
from skrec.metrics import compare

SMALL = [(k, low, a, b) for k in (16, 24, 32) for low in (0.5, 0.75) for a, b in ((0.1, 0.2), (0.2, 0.2), (0.2, 0.3))]
LARGE = [(k, low, 0.3, b) for k in (100, 200) for low in (0.5, 0.9) for b in (0.25, 0.3)]


def graph(n_factors: int, low_pass: float, user_exponent: float, item_exponent: float) -> GraphRecommender:
    """The filter with one setting."""
    return GraphRecommender(
        n_factors, low_pass=low_pass, user_exponent=user_exponent, item_exponent=item_exponent, random_state=0
    )


def choose(task: Task, grid: list[tuple[int, float, float, float]]) -> tuple[int, float, float, float]:
    """The setting that is best on the validation events, the paper's own among the candidates."""
    train, held_out = (task.X.iloc[rows] for rows in task.validation)
    scores = {}
    for setting in [(64, 0.23, 0.5, 0.5), *grid]:
        scores[setting] = graph(*setting).fit(train).score(held_out)
        print(f"  validation {setting}: {scores[setting]:.4f}", flush=True)
    other = HybridMFRecommender(random_state=0).fit(train).score(held_out)
    print(f"  validation HybridMF: {other:.4f}", flush=True)
    return max(scores, key=lambda setting: scores[setting])


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
        best = choose(task, SMALL if n_items <= LARGEST_DENSE else LARGE)
        print(f"  chosen: n_factors, low_pass, user_exponent, item_exponent = {best}", flush=True)
        if arguments.validation:
            continue
        start = time.process_time()
        rec = graph(*best).fit(task.X)
        print(f"  fitted in {time.process_time() - start:.1f} CPU s", flush=True)
        others = [HybridMFRecommender(random_state=0)] + [EASERecommender()] * (n_items <= LARGEST_DENSE)
        for other in others:
            row = compare(rec, other.fit(task.X), task.X_test, metrics="ndcg@10", random_state=0, verbose=False).iloc[0]
            print(
                f"  test NDCG@10 {row.mean_a:.4f}, {type(other).__name__} {row.mean_b:.4f}, difference "
                f"{row.difference:+.4f} ({row.ci_low:+.4f} to {row.ci_high:+.4f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
