"""Items that nobody has chosen yet, by ItemKNNRecommender on Amazon Beauty: among themselves, and among all.

    python examples/benchmarks/cold_items_item_knn.py FOLDER

A random tenth of the items is hidden from training entirely. The first table ranks only these, for the users
whose last item is one of them: as the model comes, and with the settings that did best on further items hidden
from the training part (``cold_items.py`` gives text KNN and the hybrid factorisation under the same protocol).
The second ranks the whole catalogue, the last item of every user held out, for growing ``cold_boost``: users
whose last item is hidden, and the others. FOLDER holds ``user_sequence.txt`` and ``item_text.txt``.
"""

import argparse
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from cold_items import hide, read, recall

from skrec.exceptions import FeatureCoverageWarning, TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender

GRID = {"text_smoothing": [1.5, 3.0], "recency_decay": [0.55, 0.7], "whitening": [0.6, 0.8, 1.0]}


def hits(recommender, users: pd.Series) -> float:
    """Recall@10 of one item a user among the whole catalogue."""
    found = recommender.recommend(users.index.to_numpy(), k=10).items
    return float((found == users.to_numpy()[:, None]).any(axis=1).mean())


def among_cold(encoder: LLMTextEmbedder, events: pd.DataFrame, texts: FeatureTable, n_draws: int) -> None:
    """The first table."""
    draws = [hide(events, seed) for seed in range(n_draws)]
    inner = [hide(draw[0], seed) for seed, draw in enumerate(draws[:2])]

    def mean_recall(recommender, parts) -> float:
        return float(np.mean([recall(recommender, *part, texts) for part in parts]))

    candidates = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    reached = [mean_recall(ItemKNNRecommender(item_encoder=encoder, **c), inner) for c in candidates]
    best = candidates[int(np.argmax(reached))]
    print(f"{n_draws} draws; chosen on validation: {best} ({max(reached):.4f} there)")
    for name, recommender in (
        ("EmbeddingKNN", EmbeddingKNNRecommender(item_encoder=encoder)),
        ("ItemKNN", ItemKNNRecommender(item_encoder=encoder)),
        ("ItemKNN, tuned", ItemKNNRecommender(item_encoder=encoder, **best)),
    ):
        print(f"{name:16} recall@10 among cold items {mean_recall(recommender, draws):.4f}", flush=True)


def among_all(encoder: LLMTextEmbedder, events: pd.DataFrame, texts: FeatureTable, n_draws: int) -> None:
    """The second table."""
    is_last = ~events.duplicated("user", keep="last")
    targets = events[is_last].set_index("user")["item"]
    table: dict[float, list[tuple[float, float]]] = {}
    for seed in range(n_draws):
        items = np.sort(events["item"].unique())
        hidden = np.random.default_rng(seed).choice(items, len(items) // 10, replace=False)
        train = events[~is_last & ~events["item"].isin(hidden)]
        known = targets[targets.index.isin(train["user"])]
        cold = known.isin(hidden)
        for boost in (1.0, 1.5, 2.0, 2.5, 3.0, 5.0):
            recommender = ItemKNNRecommender(item_encoder=encoder, cold_boost=boost).fit(train, item_features=texts)
            table.setdefault(boost, []).append((hits(recommender, known[cold]), hits(recommender, known[~cold])))
    for boost, measured in table.items():
        cold_recall, warm_recall = np.mean(measured, axis=0)
        lost = 1 - warm_recall / np.mean(table[1.0], axis=0)[1]
        print(f"cold_boost={boost:3} recall@10 cold {cold_recall:.4f}, warm {warm_recall:.4f} ({-lost:+.1%})")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--cache", default="memory", help="folder that keeps the embeddings")
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", FeatureCoverageWarning)
    warnings.simplefilter("ignore", TruncationWarning)
    events, texts = read(arguments.folder)
    encoder = LLMTextEmbedder(arguments.model, cache=arguments.cache)
    among_cold(encoder, events, texts, arguments.draws)
    among_all(encoder, events, texts, arguments.draws)


if __name__ == "__main__":
    main()
