"""Fusions of several models on public data: weights chosen on validation, one look at the test.

    python examples/benchmarks/fusion.py FOLDER [FOLDER ...] [--model MODEL] [--cache FOLDER] [--n-iter 50]

Folders, splits and protocols are those of ``published_tables.py``. The parts are fitted once to what precedes the
validation events, where ``search_weights`` tries the weights of each fusion, and once to all that the test allows. No
weight has seen a test event. Each fusion is compared with the best single part, by validation; the 95 % interval of the
difference in NDCG@10 is a paired bootstrap over users.

MovieLens 100K: its split ua is not by time, so ``recency_decay`` and ``vote_decay`` are 1. ``popularity_prior`` of EASE
is 0: what it chooses in time order misleads on such a split (validation NDCG@10 .11 against .22). Beauty: EASE in its
sparse form, with 100 neighbours.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from published_tables import Task, read_task
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skrec.compose import FusionRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.neighbors import ItemKNNRecommender


def parts_of(task: Task, encoder: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Parts by name, and the fusions of them that are tried."""
    if len(task.items) > 5000:
        parts = {
            "ItemKNN, text": ItemKNNRecommender(item_encoder=encoder),
            "EASE, text": EASERecommender(n_neighbors=100, item_encoder=encoder),
        }
        return parts, {"ItemKNN + EASE": list(parts)}
    parts = {
        "EASE, text": EASERecommender(recency_decay=1.0, popularity_prior=0, item_encoder=encoder),
        "ALS, text": HybridMFRecommender(item_encoder=encoder, random_state=0),
        "WARP": HybridMFRecommender(solver="warp", random_state=0),
        "softmax": HybridMFRecommender(solver="softmax", random_state=0),
    }
    return parts, {"EASE + ALS": ["EASE, text", "ALS, text"], "all four": list(parts)}


def fitted(task: Task, parts: dict[str, Any], X: pd.DataFrame) -> dict[str, Any]:
    """Parts fitted to some events; those with an encoder read the items."""
    done = {}
    for name, part in parts.items():
        tables = {"item_features": FeatureTable(task.items)} if getattr(part, "item_encoder", None) is not None else {}
        done[name] = FrozenEstimator(clone(part).fit(X, **tables))
    return done


def ndcg(rec: Any, X_test: pd.DataFrame, history: pd.DataFrame | None) -> pd.Series:
    """NDCG@10 of each user."""
    users, relevant = X_test["user"].unique(), X_test[["user", "item"]].drop_duplicates()
    lists = rec.recommend(users, 10, history=history).to_frame().merge(relevant, on=["user", "item"])
    gain = (1 / np.log2(1 + lists["rank"])).groupby(lists["user"]).sum().reindex(users, fill_value=0.0)
    n_relevant = relevant.groupby("user").size()[users].to_numpy()
    return gain / np.cumsum(1 / np.log2(2 + np.arange(10)))[np.minimum(n_relevant, 10) - 1]


def interval(difference: np.ndarray) -> tuple[float, float]:
    """95 %, paired bootstrap over users."""
    rng = np.random.default_rng(0)
    means = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def run(folder: Path, arguments: argparse.Namespace, cache: str) -> None:
    """One data set."""
    task = read_task(folder)
    parts, fusions = parts_of(task, LLMTextEmbedder(arguments.model, cache=cache))
    train, validation = task.validation
    events = task.X if task.X_search is None else task.X_search
    X_train, X_validation = events.iloc[train], events.iloc[validation]
    start = time.process_time()

    def rows(known: dict[str, Any], X: pd.DataFrame) -> dict[str, Any]:
        """Every row of the table: parts alone, and their fusions."""
        recs = dict(known)
        for name, names in fusions.items():
            of_these = [(one, known[one]) for one in names]
            recs[f"{name}, by ranks"] = FusionRecommender(of_these).fit(X)
            recs[f"{name}, by scores"] = FusionRecommender(of_these, method="score").fit(X)
            recs[f"{name}, by scores, weighed"] = FusionRecommender(of_these, method="score").fit(X)
        return recs

    recs = rows(fitted(task, parts, X_train), X_train)
    weights = {
        name: rec.search_weights(X_validation, n_iter=arguments.n_iter).weights
        for name, rec in recs.items()
        if name.endswith("weighed")
    }
    on_validation = {}
    for name, rec in recs.items():
        if name in weights:
            rec.set_params(weights=weights[name])
        on_validation[name] = ndcg(rec, X_validation, None).mean()
    best_part = max(parts, key=lambda name: on_validation[name])
    chosen = max((name for name in recs if name not in parts), key=lambda name: on_validation[name])

    recs = rows(fitted(task, parts, task.X), task.X)
    on_test = {}
    for name, rec in recs.items():
        if name in weights:
            rec.set_params(weights=weights[name])
        on_test[name] = ndcg(rec, task.X_test, task.history)
    print(f"\n## {task.name}: {len(on_test[best_part])} users tested\n\n{task.protocol}\n")
    print(f"Best part by validation: {best_part}. Fusion chosen by validation: {chosen}.\n")
    print("| model | validation | test | test less best part | 95 % interval | weights |\n|" + " --- |" * 6)
    for name, of_users in on_test.items():
        difference = (of_users - on_test[best_part]).to_numpy()
        low, high = interval(difference)
        about = ", ".join(f"{weight:.2f}" for weight in weights.get(name, []))
        print(
            f"| {name} | {on_validation[name]:.4f} | {of_users.mean():.4f} | {difference.mean():+.4f} | "
            f"{low:+.4f} to {high:+.4f} | {about} |"
        )
    print(f"\n{time.process_time() - start:.0f} s of CPU time", flush=True)


def main() -> None:
    """Print one table a folder, in markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--cache", help="folder that keeps the embeddings; a temporary one if not given")
    parser.add_argument("--n-iter", type=int, default=50, help="settings of the weights that are tried")
    arguments = parser.parse_args()
    for category in (FeatureCoverageWarning, TruncationWarning, TemporalLeakWarning):
        warnings.simplefilter("ignore", category)  # the last: the random splits of the published tables
    with tempfile.TemporaryDirectory() as temporary:
        for folder in arguments.folders:
            run(folder, arguments, arguments.cache or temporary)


if __name__ == "__main__":
    main()
