"""The figures of quality that must not fall: the table that tests/test_quality.py compares with.

    python examples/benchmarks/quality_figures.py [FOLDER ...] [--write tests/quality_figures.csv]

The bookshop, and the folders given, each as ``text_ablation.py`` reads it: "warm" is NDCG@10 of the test events, "cold"
is Recall@10 of hidden items among themselves. Models have their defaults. Each figure has its 95 % bootstrap interval
over users, and the paired one of its difference to popularity. ``--write`` replaces the rows of these data sets in the
file: do so where a change is meant to move a figure, and say in the commit by how much and why.
"""

import argparse
import datetime
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from text_ablation import Data, cold, interval, mean, read, warm

from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.linear_model import EASERecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

# Those that take seconds; text on the bookshop alone, whose texts are embedded in seconds too.
CHECKED = {
    "bookshop": ["ItemKNN", "UserKNN", "EASE", "HybridMF", "BPR", "EmbeddingKNN, text", "HybridMF, text"],
    "ml-100k": ["ItemKNN", "UserKNN", "EASE", "HybridMF", "BPR"],
    "amazon-beauty": ["ItemKNN", "UserKNN", "EASE"],
    "amazon-industrial": ["ItemKNN", "UserKNN", "EASE", "BPR"],
    "lastfm": ["ItemKNN", "UserKNN"],
    "Frappe": ["ItemKNN", "UserKNN"],
}


def models(data: Data) -> dict[str, Any]:
    """Name to recommender."""
    n_neighbors = 100 if len(data.items) > 5000 else None
    return {
        "EmbeddingKNN, text": EmbeddingKNNRecommender(item_encoder=LLMTextEmbedder()),
        "ItemKNN": ItemKNNRecommender(),
        "UserKNN": UserKNNRecommender(),
        "EASE": EASERecommender(n_neighbors=n_neighbors),
        "HybridMF": HybridMFRecommender(random_state=0),
        "HybridMF, text": HybridMFRecommender(item_encoder=LLMTextEmbedder(), random_state=0),
        "BPR": BPRRecommender(random_state=0),
    }


def figures(data: Data) -> Iterator[dict[str, Any]]:
    """One row per model and task."""
    base = warm(data, PopularRecommender())[1]
    yield {"data": data.name, "task": "warm", "model": "Popular", **summary(base)}
    for name in CHECKED[data.name]:
        model = models(data)[name]
        values = warm(data, model)[1]
        low, high = interval(values, base)
        over = {"over_popularity": mean(values) - mean(base), "over_low": low, "over_high": high}
        yield {"data": data.name, "task": "warm", "model": name, **summary(values), **over}
        if "text" in name:
            yield {"data": data.name, "task": "cold", "model": name, **summary(cold(data, model))}


def summary(values: np.ndarray) -> dict[str, float]:
    """Value and interval."""
    low, high = interval(values, values * [0, 1])
    return {"value": mean(values), "low": low, "high": high}


def main() -> None:
    """Print the rows, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table in which rows are replaced")
    arguments = parser.parse_args()
    for category in (FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning):
        warnings.simplefilter("ignore", category)
    found = []
    for data in map(read, [None, *arguments.folders]):
        for row in figures(data):
            print(", ".join(f"{at:.4f}" if isinstance(at, float) else at for at in row.values()), flush=True)
            found.append({**row, "date": f"{datetime.date.today()}"})
    if arguments.write:
        table = pd.DataFrame(found)
        if arguments.write.exists():
            kept = pd.read_csv(arguments.write)
            table = pd.concat([kept[~kept["data"].isin(table["data"])], table])
        table.to_csv(arguments.write, index=False, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    main()
