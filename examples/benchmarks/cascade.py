"""A cascade beside its retrievers and their fusion.

    python examples/benchmarks/cascade.py FOLDER [--cache CACHE] [--rankers NAME ...] [--test]

FOLDER is that of MovieLens 100K (``ua.base``) or of Amazon Beauty (``user_sequence.txt``), as ``published_tables.py``
reads them; Beauty by the papers' protocol. Rankers are compared on validation events; with ``--test`` the best one is
fitted once more to all training events and looked at on the test events. What the ranker learns from is held out of the
events of fit, as ``cv=`` says: ten random events a user on MovieLens, whose split is random, and the last event on
Beauty. Differences are to the best retriever on the same users, with 95 % paired bootstrap intervals.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from published_tables import Task, read_task
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrec.compose import CascadeRecommender, FusionRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.model_selection import LeaveKOut, LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender


def retrievers(is_sequence: bool, encoder: Any) -> list[tuple[str, Any]]:
    """The parts, with settings that were chosen before."""
    if is_sequence:
        if encoder is None:
            return [("knn", ItemKNNRecommender()), ("users", UserKNNRecommender())]
        return [
            ("knn", ItemKNNRecommender(item_encoder=encoder)),
            ("unordered", ItemKNNRecommender(item_encoder=encoder, order="none")),
            ("text", EmbeddingKNNRecommender(item_encoder=encoder)),
        ]
    mf = HybridMFRecommender(n_factors=32, alpha=0, regularization=10, random_state=0)
    return [
        ("ease", EASERecommender(regularization=450)),
        ("mf", mf),
        ("knn", ItemKNNRecommender()),
        ("users", UserKNNRecommender()),
    ]


def rankers() -> dict[str, Any]:
    """What is compared on the validation events."""
    found: dict[str, Any] = {
        "default": None,
        "boosted, small trees": HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.04, max_leaf_nodes=6, min_samples_leaf=200, l2_regularization=10
        ),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500)),
    }
    try:
        from lightgbm import LGBMRanker
    except ImportError:
        return found
    ranker = LGBMRanker(
        n_estimators=200, learning_rate=0.04, num_leaves=8, min_child_samples=200, reg_lambda=10, n_jobs=1, verbose=-1
    )
    return found | {"LambdaMART": ranker}


def ndcg(rec: Any, X_test: Any, history: Any = None) -> np.ndarray:
    """NDCG@10 of each user of held-out events."""
    users, row = np.unique(X_test["user"].to_numpy(), return_inverse=True)
    items = rec.recommend(users, k=10, history=history).items
    discount = 1 / np.log2(np.arange(2, 12))
    hits = np.zeros(items.shape)
    relevant: list[set[Any]] = [set() for _ in users]
    for user, item in zip(row, X_test["item"].tolist(), strict=True):
        relevant[user].add(item)
    for j, own in enumerate(relevant):
        hits[j] = [item in own for item in items[j].tolist()]
    ideal = np.cumsum(discount)[np.minimum([len(own) for own in relevant], 10) - 1]
    return hits @ discount / ideal


def interval(difference: np.ndarray) -> str:
    """The 95 % bootstrap interval of a mean."""
    rng = np.random.default_rng(0)
    means = [difference[rng.integers(len(difference), size=len(difference))].mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{difference.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def compare(name: str, own: np.ndarray, best: np.ndarray, start: float) -> float:
    """Print one row."""
    print(f"{name:28} {own.mean():.4f}  {interval(own - best)}  {time.process_time() - start:6.1f} s", flush=True)
    return float(own.mean())


def cascade(parts: list[tuple[str, Any]], name: str, cv: Any, args: argparse.Namespace) -> CascadeRecommender:
    """A cascade with one of the rankers."""
    return CascadeRecommender(
        parts,
        rankers()[name],
        n_candidates=args.candidates,
        n_negatives=args.negatives,
        max_queries=None,
        cv=cv,
        random_state=0,
    )


def run(task: Task, parts: list[tuple[str, Any]], cv: Any, args: argparse.Namespace) -> None:
    """Compare on validation, and look at the test once."""
    X = task.X if task.X_search is None else task.X_search
    train, held_out = X.iloc[task.validation[0]], X.iloc[task.validation[1]]
    if task.X_search is None:  # a random split: what came last is no nearer to what is held out
        train = train.drop(columns="timestamp")
    rng = np.random.default_rng(0)
    users = held_out["user"].unique()
    asked = held_out[held_out["user"].isin(rng.permutation(users)[: args.users])]
    tables = {"item_features": FeatureTable(task.items)} if args.cache else {}
    best, of_part = np.zeros(asked["user"].nunique()), {}
    for name, part in parts:
        start = time.process_time()
        of_part[name] = ndcg(clone(part).fit(train, **tables), asked)
        best = max(best, of_part[name], key=np.mean)
        print(f"{name:28} {of_part[name].mean():.4f}  {time.process_time() - start:6.1f} s", flush=True)
    start = time.process_time()
    compare("fusion of ranks", ndcg(FusionRecommender(parts).fit(train, **tables), asked), best, start)
    scores: dict[str, float] = {}
    for name in args.rankers:
        start = time.process_time()
        rec = cascade(parts, name, cv, args)
        scores[name] = compare(f"cascade, {name}", ndcg(rec.fit(train, **tables), asked), best, start)
    if not args.test:
        return
    chosen = max(scores, key=lambda name: scores[name])
    print(f"Test, with {chosen}, the best on validation", flush=True)
    X, history = task.X, task.history
    if history is None:
        X = X.drop(columns="timestamp")
    own = max(of_part, key=lambda name: of_part[name].mean())
    best = ndcg(clone(dict(parts)[own]).fit(X, **tables), task.X_test, history)
    print(f"{own:28} {best.mean():.4f}", flush=True)
    start = time.process_time()
    rec = cascade(parts, chosen, cv, args)
    compare("cascade", ndcg(rec.fit(X, **tables), task.X_test, history), best, start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, help="vectors of the texts; without it, no text")
    parser.add_argument("--rankers", nargs="+", choices=list(rankers()), default=list(rankers()))
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--negatives", type=int, help="per query; all without it")
    parser.add_argument("--splits", type=int, default=3, help="draws of ten events a user, on MovieLens")
    parser.add_argument("--users", type=int, default=6000, help="users that validation asks for at most")
    parser.add_argument("--test", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    task = read_task(args.folder)
    is_sequence = task.X_search is not None
    encoder = None
    if args.cache:
        from skrec.feature_extraction import LLMTextEmbedder

        encoder = LLMTextEmbedder(cache=str(args.cache))
    cv = LeaveLastOut() if is_sequence else LeaveKOut(10, n_splits=args.splits, random_state=1)
    run(task, retrievers(is_sequence, encoder), cv, args)


if __name__ == "__main__":
    main()
