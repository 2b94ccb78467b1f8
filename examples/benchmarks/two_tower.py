"""What TwoTowerRecommender reaches: ranking, items without events, and probabilities.

    python examples/benchmarks/two_tower.py FOLDER [--parts ranking cold probability] [--validate]

FOLDER holds ``ml-100k`` (``ua.base``, ``ua.test``, ``u.data``) and ``amazon-beauty``. With ``--validate`` a part of the
training data stands for the test: settings were chosen there. Intervals are from paired bootstraps over users.

- ranking: NDCG@10 on ml-100k ``ua``, beside popularity;
- cold: Recall@10 of Beauty's hidden items among themselves by text, as in ``cold_items.py``;
- probability: on ml-100k, the last tenth of each user's events, rating >= 4 against not: the Brier score beside that of
  the base rate, and the expected calibration error in 15 bins of equal mass.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from cold_items import hide, read

from skrec.dummy import PopularRecommender
from skrec.feature_extraction import LLMTextEmbedder, NgramTextEncoder, TextEncoderUnion
from skrec.interactions import FeatureTable
from skrec.neural_network import TwoTowerRecommender

RANKING = {
    "interaction": "cosine", "temperature": 0.3, "loss": "multinomial", "dropout": 0.5, "batch_size": 10_000,
    "max_length": 1000, "max_iter": 80, "early_stopping": False, "random_state": 0,
}  # fmt: skip
"""Epochs from validation: the rows of ``ua.base`` are sorted by item, so that the last ones of a user tell nothing."""
COLD = {
    "n_factors": 256, "id_dropout": 0.5, "cold_smoothing": 0.6, "loss": "sampled_softmax", "n_negatives": 1024,
    "temperature": 0.25, "learning_rate": 3e-3, "learning_rate_schedule": "cosine", "warmup": 0.1, "batch_size": 4096,
    "max_iter": 4, "early_stopping": False, "random_state": 0,
}  # fmt: skip
PROBABILITY = {"loss": "bce", "n_negatives": 0, "threshold": 4, "calibration": "sigmoid", "random_state": 0}


def interval(values: np.ndarray, seed: int = 0) -> str:
    """Mean over users, and a bootstrap interval of 95 %."""
    rng = np.random.default_rng(seed)
    means = [rng.choice(values, len(values)).mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.4f} ({low:.4f} to {high:.4f})"


def ndcg(recommender: TwoTowerRecommender | PopularRecommender, test: np.ndarray) -> np.ndarray:
    """NDCG@10 of each user of the test."""
    users = np.unique(test[:, 0])
    lists, discount = recommender.recommend(users, k=10).items, 1 / np.log2(np.arange(2, 12))
    found = []
    for user, items in zip(users, lists, strict=True):
        wanted = np.isin(items, test[test[:, 0] == user, 1])
        n_wanted = min(10, int((test[:, 0] == user).sum()))
        found.append((wanted * discount).sum() / discount[:n_wanted].sum())
    return np.array(found)


def ranking(folder: Path, validate: bool) -> None:
    """The ``ua`` split of ml-100k."""
    train = np.loadtxt(folder / "ml-100k" / "ua.base", dtype=np.int64)
    test = np.loadtxt(folder / "ml-100k" / "ua.test", dtype=np.int64)
    if validate:
        shuffled = train[np.random.default_rng(0).permutation(len(train))]
        shuffled = shuffled[np.argsort(shuffled[:, 0], kind="stable")]
        place = np.arange(len(shuffled)) - np.searchsorted(shuffled[:, 0], shuffled[:, 0])
        is_test = place < np.minimum(10, np.bincount(shuffled[:, 0])[shuffled[:, 0]] // 3)
        train, test = shuffled[~is_test], shuffled[is_test]
    start = time.process_time()
    towers = TwoTowerRecommender(**RANKING).fit(train[:, :2])
    seconds = time.process_time() - start
    ours, popular = ndcg(towers, test), ndcg(PopularRecommender().fit(train[:, :2]), test)
    print(f"ranking: NDCG@10 {interval(ours)}, popularity {popular.mean():.4f}, difference {interval(ours - popular)}; "
          f"epoch {towers.best_iter_}, fit {seconds:.0f} CPU s", flush=True)  # fmt: skip


def hits(
    towers: TwoTowerRecommender, train: pd.DataFrame, targets: pd.Series, hidden: np.ndarray, texts: FeatureTable
) -> np.ndarray:
    """Whether the target of each user is among the first ten."""
    towers.fit(train[["user", "item"]], item_features=texts)
    found = towers.recommend(targets.index.to_numpy(), k=10, candidates=hidden).items
    return (found == targets.to_numpy()[:, None]).any(axis=1)


def cold(folder: Path, validate: bool, cache: str, n_draws: int) -> None:
    """Hidden items of Beauty among themselves."""
    events, texts = read(folder / "amazon-beauty")
    draws = [hide(events, seed) for seed in range(n_draws)]
    if validate:
        draws = [hide(train, seed) for seed, (train, _, _) in enumerate(draws)]
    texts_of_items = TextEncoderUnion([LLMTextEmbedder(cache=cache), NgramTextEncoder(random_state=0)])
    towers = TwoTowerRecommender(**COLD, item_encoder=texts_of_items)
    start = time.process_time()
    found = [hits(towers, *draw, texts) for draw in draws]
    print(f"cold: Recall@10 {interval(np.concatenate(found))}, draws {[round(float(hit.mean()), 4) for hit in found]}, "
          f"{time.process_time() - start:.0f} CPU s", flush=True)  # fmt: skip


def probability(folder: Path, validate: bool) -> None:
    """Rating >= 4 against not, on later events."""
    names = ["user", "item", "rating", "timestamp"]
    lines = [line.split() for line in (folder / "ml-100k" / "u.data").read_text().splitlines()]
    log = pd.DataFrame([line for line in lines if line[0].isdigit()], columns=names)
    log = log.astype(float).astype(int).sort_values("timestamp", kind="stable")
    for _ in range(2 if validate else 1):
        place = log.groupby("user").cumcount(ascending=False)
        is_test = place < log.groupby("user")["item"].transform("size") // 10
        test, log = log[is_test], log[~is_test]
    columns = ["user", "item", "timestamp"]
    towers = TwoTowerRecommender(**PROBABILITY).fit(log[columns], log["rating"])
    chance, liked = towers.predict_proba(test[columns])[:, 1], (test["rating"] >= 4).to_numpy()
    base = (log["rating"] >= 4).mean()
    error, of_base = (chance - liked) ** 2, (base - liked) ** 2
    bins = np.array_split(np.argsort(chance, kind="stable"), 15)
    ece = sum(len(b) / len(liked) * abs(chance[b].mean() - liked[b].mean()) for b in bins)
    per_user = pd.Series(error - of_base).groupby(test["user"].to_numpy()).mean().to_numpy()
    print(f"probability: ECE {ece:.4f}, Brier {error.mean():.4f}, of the base rate {of_base.mean():.4f}; by user "
          f"{interval(per_user)}; epoch {towers.best_iter_}", flush=True)  # fmt: skip


def main() -> None:
    """Print one line a part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", default=["ranking", "cold", "probability"])
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--cache", default="memory", help="folder that keeps the embeddings")
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if "ranking" in arguments.parts:
        ranking(arguments.folder, arguments.validate)
    if "cold" in arguments.parts:
        cold(arguments.folder, arguments.validate, arguments.cache, arguments.draws)
    if "probability" in arguments.parts:
        probability(arguments.folder, arguments.validate)


if __name__ == "__main__":
    main()
