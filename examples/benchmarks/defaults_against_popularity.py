"""Every collaborative model with its defaults against popularity, on made and real data from sparse to dense.

    python examples/benchmarks/defaults_against_popularity.py [FOLDER ...] [--models NAME ...]

Prints NDCG@10, and the 95 % paired bootstrap interval (over users) of its difference to popularity. Made data:

- a shop (DESIGN recipe): 3,000 users, 800 items, popularity rank**-0.9, six tastes, six parts of the day, the last
  2,000 events held out, with 20,000 and 8,000 events; seen items are not excluded;
- contexts: 500 users, 200 items, 25,000 events, choices that depend on the moment; seen items are not excluded;
- the bookshop that comes with the library, the last three events of each user held out.

A folder holds MovieLens 100K (``ua.base``, ``ua.test``, ``u.data``: the published split; the same with 20 % and 5 % of
the training events; the last five events of each user; the last fifth of all events), HetRec Last.fm
(``user_artists.dat``: a random fifth held out) or Amazon Beauty (``user_sequence.txt``: the last event of each user).
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skrec import (
    BPRRecommender,
    EASERecommender,
    HybridMFRecommender,
    ItemKNNRecommender,
    LogisticMFRecommender,
    PopularRecommender,
    UserKNNRecommender,
)
from skrec.datasets import load_bookshop, make_context_choices
from skrec.metrics import compare

LARGEST_DENSE = 5000


@dataclass
class Split:
    """Training and test events."""

    name: str
    X: np.ndarray
    X_test: np.ndarray
    exclude_seen: bool = True


def models(n_items: int) -> dict:
    """All with their defaults; EASE in its sparse form where the catalogue is large."""
    n_neighbors = None if n_items <= LARGEST_DENSE else 100
    return {
        "HybridMF": HybridMFRecommender(random_state=0),
        "EASE": EASERecommender(n_neighbors=n_neighbors),
        "ItemKNN": ItemKNNRecommender(),
        "UserKNN": UserKNNRecommender(),
        "BPR": BPRRecommender(random_state=0),
        "LogisticMF": LogisticMFRecommender(random_state=0),
    }


def shop(n_events: int = 20_000, *, seed: int = 0) -> Split:
    """Few events per user, of items of very different popularity; the last tenth or 2,000 events are the test."""
    rng = np.random.default_rng(seed)
    popularity = rng.permutation(np.arange(1, 801) ** -0.9)
    kind, taste = rng.integers(0, 6, 800), rng.integers(0, 6, 3000)
    users, hours = rng.integers(0, 3000, n_events), rng.integers(0, 24, n_events)
    items = np.empty(n_events, np.int64)
    for of_user in range(6):
        for of_hour in range(6):
            weight = popularity * np.exp(1.2 * (kind == of_user) + 0.8 * (kind == of_hour))
            at = (taste[users] == of_user) & (hours // 4 == of_hour)
            items[at] = rng.choice(800, at.sum(), p=weight / weight.sum())
    X = np.column_stack([users, items])
    return Split(f"shop, {n_events:,} events", X[:-2000], X[-2000:], exclude_seen=False)


def contexts() -> Split:
    """Dense data."""
    data = make_context_choices(n_events_per_user=70, frame=None, random_state=0)
    X, n_train = np.asarray(data.codes).astype(np.int64)[:, :2], 50 * len(data.user_factors)
    return Split("contexts", X[:n_train], X[n_train:], exclude_seen=False)


def last_events(name: str, X: np.ndarray, n: int) -> Split:
    """The last events of each user are the test."""
    X = X[np.argsort(X[:, 0], kind="stable")]
    _, first, counts = np.unique(X[:, 0], return_index=True, return_counts=True)
    is_last = np.arange(len(X)) >= np.repeat(first + counts - n, counts)
    return Split(name, X[~is_last], X[is_last])


def bookshop() -> Split:
    """Groups of readers with tastes of their own."""
    X = np.asarray(load_bookshop(frame=None).X)[:, :2]
    codes = [np.unique(column, return_inverse=True)[1] for column in X.T]
    return last_events("bookshop", np.column_stack(codes), 3)


def movielens(folder: Path) -> Iterator[Split]:
    """Five splits of one log."""
    train, test = (np.loadtxt(folder / f"ua.{part}", dtype=np.int64)[:, :2] for part in ("base", "test"))
    yield Split("ml-100k ua", train, test)
    for share in (0.2, 0.05):
        kept = np.random.default_rng(1).random(len(train)) < share
        yield Split(f"ml-100k ua, {share:.0%} of the training events", train[kept], test)
    header = 0 if (folder / "u.data").read_text()[:1].isdigit() else 1
    log = np.loadtxt(folder / "u.data", dtype=np.int64, skiprows=header)
    log = log[np.argsort(log[:, 3], kind="stable")][:, :2]
    yield last_events("ml-100k, last five events", log, 5)
    cut = int(0.8 * len(log))
    yield Split("ml-100k, last fifth of the log", log[:cut], log[cut:])


def read_folder(folder: Path) -> Iterator[Split]:
    """The splits of a folder of public data."""
    if (folder / "ua.base").exists():
        yield from movielens(folder)
    elif (folder / "user_artists.dat").exists():
        rows = [line.split() for line in (folder / "user_artists.dat").read_text().splitlines()]
        X = np.array([row[:2] for row in rows if len(row) == 3 and row[0].isdigit()], dtype=np.int64)
        is_test = np.random.default_rng(0).random(len(X)) < 0.2
        yield Split("Last.fm", X[~is_test], X[is_test])
    elif (folder / "user_sequence.txt").exists():
        rows = [line.split() for line in (folder / "user_sequence.txt").read_text().splitlines()]
        X = np.array([(row[0], item) for row in rows for item in row[1:]])
        codes = [np.unique(column, return_inverse=True)[1] for column in X.T]
        yield last_events("Amazon Beauty", np.column_stack(codes), 1)
    else:
        raise SystemExit(f"{folder} holds none of the data sets that this script reads.")


def against_popularity(split: Split, names: list[str] | None = None) -> Iterator[tuple[str, dict]]:
    """The row of ``compare`` of each model."""
    popular = PopularRecommender().fit(split.X)
    for name, model in models(len(np.unique(split.X[:, 1]))).items():
        if names is None or name in names:
            options = {"metrics": "ndcg@10", "exclude_seen": split.exclude_seen, "random_state": 0}
            table = compare(model.fit(split.X), popular, split.X_test, n_permutations=1, **options)
            yield name, table.iloc[0].to_dict()


def main() -> None:
    """Print one table per data set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--models", nargs="*", default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    splits = [shop(), shop(8000), contexts(), bookshop()]
    splits += [split for folder in arguments.folders for split in read_folder(folder)]
    for split in splits:
        per_user = len(split.X) / len(np.unique(split.X[:, 0]))
        print(f"\n{split.name}: {len(split.X):,} training events, {per_user:.1f} per user", flush=True)
        for name, row in against_popularity(split, arguments.models):
            interval = f"{row['difference']:+.4f} ({row['ci_low']:+.4f} to {row['ci_high']:+.4f})"
            sign = "  below" if row["ci_high"] < 0 else ""
            print(f"  {name:11s} {row['mean_a']:.4f}  popularity {row['mean_b']:.4f}  {interval}{sign}", flush=True)


if __name__ == "__main__":
    main()
