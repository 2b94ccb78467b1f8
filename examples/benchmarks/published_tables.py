"""Our models on public data, settings chosen on validation alone, beside what papers report for the same data.

    python examples/benchmarks/published_tables.py FOLDER [FOLDER ...] [--n-iter 30] [--models NAME ...]

A folder holds one of

- ``user_sequence.txt`` and ``item_text.txt`` (Amazon Beauty and its kin): leave-last-out. The last item of a user
  is the test, the one before it the validation; the whole catalogue is ranked, less the history;
- ``item.json``, ``valid.csv`` and ``test.csv``: users, histories and targets as given. A user is one query from the
  training events alone, whatever the number of targets: not the protocol of papers that query every row;
- ``ua.base``, ``ua.test``, ``u.item`` (MovieLens 100K): the official split; validation holds out ten random
  events of each training user.

Every model stands in the table twice: as it comes, and tuned by random search on the validation events. Each row
is run in a process of its own, so that its peak memory is its own; seconds are those of the final fit (texts
embedded before) and of recommending to all test users. Published numbers are marked as such and name their source.
"""

import argparse
import multiprocessing
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from skrec.datasets import fetch_amazon_reviews, fetch_movielens
from skrec.dummy import PopularRecommender
from skrec.exceptions import FeatureCoverageWarning, TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.metrics import evaluate
from skrec.model_selection import LeaveKOut, LeaveLastOut, TunedRecommender, search_space
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender

METRICS = [f"{name}@{k}" for name in ("recall", "ndcg") for k in (5, 10, 20)]


@dataclass
class Task:
    """Training events, a validation split of them, and test events."""

    name: str
    X: pd.DataFrame
    y: np.ndarray | None
    X_test: pd.DataFrame
    items: pd.DataFrame
    validation: list[tuple[np.ndarray, np.ndarray]]
    published: dict[str, dict[str, float]] = field(default_factory=dict)
    # Events held out at random lie anywhere in a history, so its end says no more than its beginning.
    fixed: dict[str, Any] = field(default_factory=dict)


# Amazon Beauty 2014, 5-core, leave-last-out, whole catalogue ranked: the same 22,363 users and 12,101 items.
BEAUTY = {
    "SASRec (Rajput et al., NeurIPS 2023)": {"recall@10": 0.0605, "ndcg@10": 0.0318},
    "TIGER (Rajput et al., NeurIPS 2023)": {"recall@10": 0.0648, "ndcg@10": 0.0384},
    "ActionPiece (Hou et al., ICML 2025)": {"ndcg@10": 0.0424},
    "RPG (Hou et al., KDD 2025)": {"ndcg@10": 0.0464},
    "DiffGRM (2025)": {"ndcg@10": 0.0502},
    "eSASRec (RecSys 2025)": {"recall@10": 0.0928, "ndcg@10": 0.0523},
    "SASRec, sampled softmax (as reported beside eSASRec)": {"recall@10": 0.0921, "ndcg@10": 0.0531},
}


def read_task(folder: Path) -> Task:
    """A folder as a task, by the files it holds."""
    if (folder / "ua.base").exists():
        data = fetch_movielens(folder=folder, split="ua")
        split = next(iter(LeaveKOut(10, n_splits=1, random_state=0).split(data.X_train)))
        task = Task(folder.name, data.X_train, None, data.X_test, data.item_features, [split])
        task.fixed = {"recency_decay": 1.0}
        return task
    if (folder / "user_sequence.txt").exists():
        data = fetch_amazon_reviews(folder=folder)
        validation, (train, test) = LeaveLastOut(n_splits=2).split(data.X)
        position = np.full(len(data.X), -1)
        position[train] = np.arange(len(train))
        inside = [position[rows] for rows in validation]
        task = Task(folder.name, data.X.iloc[train], None, data.X.iloc[test], data.item_features, [tuple(inside)])
        if data.X["user"].nunique() == 22363 and len(data.item_features) == 12101:
            task.published = BEAUTY
        return task
    data = fetch_amazon_reviews(folder=folder)
    split = next(iter(LeaveLastOut().split(data.X)))
    return Task(folder.name, data.X, None, data.X_test, data.item_features, [split])


def models(encoder: Any) -> dict[str, Any]:
    """Name to recommender; those with an encoder get the item texts."""
    return {
        "Popular": PopularRecommender(),
        "EmbeddingKNN, text": EmbeddingKNNRecommender(item_encoder=encoder),
        "ItemKNN": ItemKNNRecommender(),
        "ItemKNN, text": ItemKNNRecommender(item_encoder=encoder),
        "EASE": EASERecommender(),
        "EASE, text": EASERecommender(item_encoder=encoder),
        "EASE, 100 neighbours": EASERecommender(n_neighbors=100),
        "EASE, 100 neighbours, text": EASERecommender(n_neighbors=100, item_encoder=encoder),
    }


def run(folder: Path, name: str, model: str, cache: str, n_iter: int) -> dict[str, Any]:
    """One row: fit and measure one model, tuned where ``n_iter`` is positive."""
    warnings.simplefilter("ignore", FeatureCoverageWarning)
    warnings.simplefilter("ignore", TruncationWarning)
    task = read_task(folder)
    recommender = models(LLMTextEmbedder(model, cache=cache))[name]
    known = recommender.get_params()
    if "recency_decay" in known:
        recommender.set_params(**task.fixed)
    options = {"item_features": FeatureTable(task.items)} if "text" in name else {}
    if options:
        known["item_encoder"].fit(task.items.iloc[:, 1:])
    if n_iter:
        space = {key: value for key, value in search_space(recommender).items() if key not in task.fixed}
        search = TunedRecommender(recommender, space, n_iter=n_iter, cv=task.validation, random_state=0)
        search.fit(task.X, task.y, **options)
        recommender.set_params(**search.best_params_)
    if not n_iter and not options:
        clone(recommender).fit(task.X[:500])  # loads compiled kernels, as the search has done
    start = time.perf_counter()
    recommender.fit(task.X, task.y, **options)
    fitted = time.perf_counter()
    recommender.recommend(task.X_test["user"].unique(), k=20)
    done = time.perf_counter()
    table = evaluate(recommender, task.X_test, metrics=METRICS, n_bootstrap=0)
    row = {"model": f"{name}, tuned" if n_iter else name, **dict(zip(table["metric"], table["mean"], strict=True))}
    row.update({"fit s": fitted - start, "recommend s": done - fitted})
    row["peak GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    row["settings"] = "" if not n_iter else ", ".join(f"{k}={_short(v)}" for k, v in search.best_params_.items())
    return row


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print one table a folder, in markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--cache", default="memory", help="folder that keeps the embeddings")
    parser.add_argument("--n-iter", type=int, default=30, help="candidates of the random search; 0 for none")
    parser.add_argument("--models", nargs="+", default=list(models(None)), help="which of the models")
    arguments = parser.parse_args()
    columns = [*METRICS, "fit s", "recommend s", "peak GB"]
    spawn = multiprocessing.get_context("spawn")
    for folder in arguments.folders:
        task = read_task(folder)
        print(f"\n## {task.name}: {task.X['user'].nunique()} users, {len(task.X)} events, {len(task.X_test)} tested\n")
        print("| model | " + " | ".join(columns) + " | settings |\n|" + " --- |" * (len(columns) + 2), flush=True)
        for name in arguments.models:
            for n_iter in (0, arguments.n_iter)[: 1 if name == "Popular" or not arguments.n_iter else 2]:
                with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                    row = pool.submit(run, folder, name, arguments.model, arguments.cache, n_iter).result()
                cells = [f"{row[c]:.4f}" if c in METRICS else f"{row[c]:.2f}" for c in columns]
                print(f"| {row['model']} | " + " | ".join(cells) + f" | {row['settings']} |", flush=True)
        for name, numbers in task.published.items():
            cells = [f"{numbers[c]:.4f}" if c in numbers else "" for c in columns]
            print(f"| *published:* {name} | " + " | ".join(cells) + " | |")


if __name__ == "__main__":
    main()
