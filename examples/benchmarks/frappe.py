"""What the context is worth on Frappe: uses of apps, each in eight kinds of context.

    python examples/benchmarks/frappe.py FOLDER [--validation]

A random fifth of the events is the test, each event one query in its context, and apps used before are ranked too.
``--validation`` hides a fifth of the training events instead: the settings that are no defaults were chosen there. "own
uses" ranks by how often the user used an app, then by popularity: with no context and nothing learned, it is the bar
for models of repeated choices. "in one context" is a model whose context column is constant: every event is a request,
as in context, and moments are not distinguished. Intervals are 95 % bootstraps over users, of NDCG@10 and of the ratio
to the best model without context.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import UnseenCategoryWarning
from skrec.feature_extraction import ContextEncoder
from skrec.linear_model import EASERecommender
from skrec.neighbors import ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline

CONTEXT = ["daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city"]
BLOCK = 2048


def factors(**settings: Any) -> Any:
    """A factorisation of users, items and encoded context."""
    return make_pipeline(ContextEncoder(), HybridMFRecommender(random_state=0, **settings))


MODELS = {
    "Popular": (PopularRecommender(), "without"),
    "own uses": (None, "without"),
    "ItemKNN": (ItemKNNRecommender(), "without"),
    "UserKNN": (UserKNNRecommender(), "without"),
    "EASE": (EASERecommender(), "without"),
    "EASE, regularization 30": (EASERecommender(regularization=30), "without"),
    "HybridMF, als": (HybridMFRecommender(solver="als", random_state=0), "without"),
    "HybridMF, als, in one context": (factors(solver="als"), "constant"),
    "HybridMF, warp, in one context": (factors(solver="warp"), "constant"),
    "HybridMF, softmax, in one context": (factors(solver="softmax"), "constant"),
    "HybridMF, als, in context": (factors(solver="als"), "with"),
    "HybridMF, warp, in context": (factors(solver="warp"), "with"),
    "HybridMF, softmax, in context": (factors(solver="softmax"), "with"),
    "HybridMF, softmax, regularization 2, in context": (factors(solver="softmax", regularization=2), "with"),
}


def read(folder: Path, *, validation: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test events; or, of the former, a part and the rest."""
    X = pd.read_csv(folder / "frappe.csv", sep="\t", dtype={"city": str})[["user", "item", *CONTEXT]]
    is_test = np.random.default_rng(0).random(len(X)) < 0.2
    if validation:
        X = X[~is_test]
        is_test = np.random.default_rng(100).random(len(X)) < 0.2
    return X[~is_test], X[is_test]


def columns(X: pd.DataFrame, context: str) -> pd.DataFrame:
    """The events with their context, without it, or all in one."""
    events = X[["user", "item"]]
    return {"with": X, "without": events, "constant": events.assign(moment="any")}[context]


def own_uses(X: pd.DataFrame, users: np.ndarray) -> np.ndarray:
    """Ten apps for each query: those that the user used most, then the most popular ones."""
    popular = X["item"].value_counts().index[:20].tolist()
    own = X.groupby("user")["item"].agg(lambda items: items.value_counts().index[:10].tolist()).to_dict()
    lists = {user: list(dict.fromkeys([*own.get(user, []), *popular]))[:10] for user in np.unique(users)}
    return np.array([lists[user] for user in users])


def lists_of(model: Any, X: pd.DataFrame, X_test: pd.DataFrame, context: str) -> np.ndarray:
    """Ten items for each test event."""
    if model is None:
        return own_uses(X, X_test["user"].to_numpy())
    model.fit(columns(X, context))
    queries, found = columns(X_test, context), []
    for start in range(0, len(queries), BLOCK):
        block = queries.iloc[start : start + BLOCK]
        given = {} if context == "without" else {"context": block.iloc[:, 2:]}
        found.append(model.recommend(block["user"].to_numpy(), k=10, exclude_seen=False, **given).items)
    return np.vstack(found)


def gains(lists: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """NDCG@10 of queries that have one relevant item each."""
    hit = lists == targets[:, None]
    return np.where(hit.any(axis=1), 1 / np.log2(hit.argmax(axis=1) + 2.0), 0)


def main() -> None:
    """Print one row per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--validation", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UnseenCategoryWarning)
    X, X_test = read(arguments.folder, validation=arguments.validation)
    targets, user = X_test["item"].to_numpy(), np.unique(X_test["user"], return_inverse=True)[1]
    n_users, found, seconds = user.max() + 1, {}, {}
    for name, (model, context) in MODELS.items():
        begun = time.process_time()
        found[name] = gains(lists_of(model, X, X_test, context), targets)
        seconds[name] = time.process_time() - begun
    best = max((name for name in MODELS if MODELS[name][1] != "with"), key=lambda name: found[name].mean())
    drawn = np.random.default_rng(0).integers(0, n_users, (2000, n_users))
    n_queries = np.bincount(user)[drawn].sum(axis=1)
    means = {name: np.bincount(user, of_name)[drawn].sum(axis=1) / n_queries for name, of_name in found.items()}
    print(f"{len(X):,} training events, {len(X_test):,} queries; the best without context: {best}")
    for name, of_name in found.items():
        low, high = np.quantile(means[name], [0.025, 0.975])
        least, most = np.quantile(means[name] / means[best], [0.025, 0.975])
        ratio = f"{of_name.mean() / found[best].mean():.3f} ({least:.3f} to {most:.3f})"
        print(f"  {name:48s} {of_name.mean():.4f} ({low:.4f} to {high:.4f})  {ratio}  {seconds[name]:.0f} CPU s")


if __name__ == "__main__":
    main()
