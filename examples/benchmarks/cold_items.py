"""Recall@10 of items that nobody has chosen yet, on Amazon Beauty: text is all there is to rank by.

    python examples/benchmarks/cold_items.py FOLDER
    python examples/benchmarks/cold_items.py FOLDER --validate

A random tenth of the items is hidden from training entirely, and only these are ranked, for the users whose
last item is one of them. Each row is the mean over several draws, beside what chance would reach.
``--validate`` hides a further tenth of what is left and ranks that instead: settings are to be chosen there.
FOLDER holds ``user_sequence.txt`` and ``item_text.txt``.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import FeatureCoverageWarning
from skrec.feature_extraction import LLMTextEmbedder, NgramTextEncoder, TextEncoderUnion
from skrec.interactions import FeatureTable
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.neural_network import SequentialRecommender

K = 10
NETWORK: dict[str, Any] = {
    "loss": "sampled_softmax", "n_negatives": 1024, "id_dropout": 0.5, "max_length": 20, "max_iter": 10,
    "learning_rate": 0.002, "learning_rate_schedule": "cosine", "warmup": 0.1, "early_stopping": False,
    "random_state": 0,
}  # fmt: skip
"""Chosen with ``--validate``; the texts are read by MiniLM and by their n-grams."""


def read(folder: Path) -> tuple[pd.DataFrame, FeatureTable]:
    """Events in the order of each user, and the text of each item."""
    rows = [line.split() for line in (folder / "user_sequence.txt").read_text().splitlines()]
    events = [(user, item, position) for user, *items in rows for position, item in enumerate(items)]
    texts = [line.partition(" ")[::2] for line in (folder / "item_text.txt").read_text().splitlines()]
    items = pd.DataFrame(texts, columns=["item", "text"])
    return pd.DataFrame(events, columns=["user", "item", "timestamp"]), FeatureTable(items)


def hide(events: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.Series, np.ndarray]:
    """Events of the items that stay, the last item of each user whose last is hidden, and the hidden items."""
    items = np.sort(events["item"].unique())
    hidden = np.random.default_rng(seed).choice(items, len(items) // 10, replace=False)
    train = events[~events["item"].isin(hidden)]
    last = events.groupby("user", sort=False)["item"].last()
    return train, last[last.isin(hidden) & last.index.isin(train["user"])], hidden


def recall(recommender, train: pd.DataFrame, targets: pd.Series, hidden: np.ndarray, texts: FeatureTable) -> float:
    """Share of the targets among the first ten."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        recommender.fit(train, item_features=texts)
    found = recommender.recommend(targets.index.to_numpy(), k=K, candidates=hidden).items
    return float((found == targets.to_numpy()[:, None]).any(axis=1).mean())


def main() -> None:
    """Print one row a recommender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--cache", default="memory", help="folder that keeps the embeddings")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--models", nargs="+", help="names of the rows; all by default")
    arguments = parser.parse_args()
    events, texts = read(arguments.folder)
    draws = [hide(events, seed) for seed in range(arguments.draws)]
    if arguments.validate:
        draws = [hide(train, seed) for seed, (train, _, _) in enumerate(draws)]
    chance = float(np.mean([K / len(hidden) for _, _, hidden in draws]))
    encoder = LLMTextEmbedder(arguments.model, cache=arguments.cache)
    both = TextEncoderUnion([encoder, NgramTextEncoder()])
    print(f"{len(draws)} draws of {len(draws[0][2])} hidden items; chance {chance:.4f}", flush=True)
    for name, recommender in (
        ("EmbeddingKNN", EmbeddingKNNRecommender(item_encoder=encoder)),
        ("HybridMF, 64 factors", HybridMFRecommender(64, item_encoder=encoder, random_state=0)),
        ("HybridMF, 128 factors", HybridMFRecommender(128, item_encoder=encoder, random_state=0)),
        ("HybridMF, 256 factors", HybridMFRecommender(256, item_encoder=encoder, random_state=0)),
        ("Sequential", SequentialRecommender(**NETWORK, item_encoder=both)),
        ("Sequential, smoothed", SequentialRecommender(**NETWORK, item_encoder=both, cold_smoothing=0.6)),
    ):
        if arguments.models and name not in arguments.models:
            continue
        start = time.perf_counter()
        reached = [recall(recommender, *draw, texts) for draw in draws]
        print(
            f"{name:22} recall@10 {np.mean(reached):.4f} (from {min(reached):.4f} to {max(reached):.4f}), "
            f"{np.mean(reached) / chance:.1f} x chance, {time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
