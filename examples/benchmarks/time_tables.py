"""MovieLens 100K cut at one moment in time, beside leave-last-out: what a model is worth where the future is unknown.

    python examples/benchmarks/time_tables.py ML-100K-FOLDER [--models NAME ...]

Every rating is an event of implicit feedback; models have their defaults, and nothing is chosen here.

- last: the last event of each user, whole catalogue (``LeaveLastOut``). It leaks nothing within a user, but training
  holds what other users did later.
- known: the last fifth of all events (``TimeSplit``), of users that have events before the cut. It leaks nothing.
- cold users: of the same fifth, the users without an event before the cut.
- cold items: of the same fifth, the events with items that have no event before the cut, all users, ranked among these
  items.

NDCG@10, with the 95 % paired bootstrap interval over users of the difference to popularity; for cold items, to a random
order, since popularity ranks them by id, and ids follow popularity in these files. Items are known by title and genres,
users by age, gender and occupation, to the models that say so; to the others an item without events is one that they
cannot list, and it counts as missed.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from cold_users import FEATURES, encoder

from skrec.datasets import fetch_movielens
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.exceptions import FeatureCoverageWarning, TemporalLeakWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.metrics import compare
from skrec.model_selection import LeaveLastOut, TimeSplit
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

OPTIONS = {"metrics": "ndcg@10", "n_permutations": 1, "random_state": 0}


def models(texts: Any) -> dict[str, Any]:
    """Name to recommender; "text" and "features" in a name tell which tables it gets."""
    return {
        "Popular": PopularRecommender(),
        "EmbeddingKNN, text": EmbeddingKNNRecommender(item_encoder=texts),
        "ItemKNN": ItemKNNRecommender(),
        "ItemKNN, text": ItemKNNRecommender(item_encoder=texts),
        "UserKNN": UserKNNRecommender(),
        "UserKNN, user features": UserKNNRecommender(user_encoder=encoder()),
        "EASE": EASERecommender(),
        "EASE, text": EASERecommender(item_encoder=texts),
        "HybridMF": HybridMFRecommender(random_state=0),
        "HybridMF, text and user features": HybridMFRecommender(
            item_encoder=texts, user_encoder=encoder(), random_state=0
        ),
        "BPR": BPRRecommender(random_state=0),
    }


def parts(X: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, dict[str, Any]]]:
    """Name, training events, test events and options of each column."""
    train, test = next(LeaveLastOut().split(X))
    yield "last", X.iloc[train], X.iloc[test], {}
    train, test = (X.iloc[part] for part in next(TimeSplit(1, test_size=0.2).split(X)))
    is_known = test["user"].isin(train["user"])
    yield "known", train, test[is_known], {}
    yield "cold users", train, test[~is_known], {}
    yield "cold items", train, test[~test["item"].isin(train["item"])], {"candidates": "test"}


def describe(X: pd.DataFrame) -> None:
    """The sizes of both splits, and what lies in the future."""
    for name, train, test, _ in parts(X):
        later = (train["timestamp"] > test["timestamp"].min()).mean()
        new = test["item"].nunique() - test["item"].isin(train["item"]).groupby(test["item"]).any().sum()
        print(
            f"{name}: {len(train):,} events of {train['user'].nunique()} users and {train['item'].nunique()} items to "
            f"learn from, {len(test):,} of {test['user'].nunique()} users and {test['item'].nunique()} items ({new} "
            f"of them without training events) to test; {later:.0%} of training is later than the first test event"
        )


def main() -> None:
    """Print the sizes, and one row per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=list(models(None)), choices=list(models(None)))
    arguments = parser.parse_args()
    for category in (FeatureCoverageWarning, TemporalLeakWarning):
        warnings.simplefilter("ignore", category)
    films = fetch_movielens(folder=arguments.folder, frame="pandas")
    items = FeatureTable(films.item_features[["item_id", "title", "genres"]])
    users = FeatureTable(films.user_features[["user_id", *FEATURES]])
    X = films.X
    describe(X)
    print("\nmodel,last,known,cold users,cold items")
    for name in arguments.models:
        cells, fitted = [], {}
        for part, train, test, options in parts(X):
            if part == "cold items" and "text" not in name:
                cells.append("")
                continue
            tables = {"item_features": items} if "text" in name else {}
            tables |= {"user_features": users} if "user features" in name else {}
            if (key := len(train)) not in fitted:
                fitted[key] = models(LLMTextEmbedder())[name].fit(train, **tables)
            base = RandomRecommender(random_state=0) if part == "cold items" else PopularRecommender()
            base.fit(train, item_features=items)
            row = compare(fitted[key], base, test, **OPTIONS, **options).iloc[0]
            interval = f" ({row['difference']:+.4f}; {row['ci_low']:+.4f} to {row['ci_high']:+.4f})"
            cells.append(f"{row['mean_a']:.4f}" + ("" if name == "Popular" else interval))
        print(",".join([f'"{name}"', *cells]), flush=True)


if __name__ == "__main__":
    main()
