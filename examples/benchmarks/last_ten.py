"""MovieLens 100K by time: the last ten events of each user, told by a network, by EASE, and by a fusion of the two.

    python examples/benchmarks/last_ten.py ML-100K-FOLDER [--seeds 0] [--test]

Every rating is an event. The ten events before the last ten are validation events: they chose the settings of the
network, and choose the weights of the fusion. With ``--test`` every model is fitted once more, to all but the last ten,
and ranks the catalogue less what each user has seen. NDCG@10 of all users, those without an event to learn from too,
and the difference to EASE with its 95 % interval, a paired bootstrap over users.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd
from fusion import interval, ndcg
from sklearn.frozen import FrozenEstimator

from skrec.compose import FusionRecommender
from skrec.datasets import fetch_movielens
from skrec.dummy import PopularRecommender
from skrec.linear_model import EASERecommender
from skrec.neighbors import ItemKNNRecommender
from skrec.neural_network import SequentialRecommender

NETWORK: dict[str, Any] = {
    "n_factors": 64, "n_layers": 1, "time_gaps": True, "seen_negatives": False, "dropout": 0.3, "batch_size": 16,
    "learning_rate": 0.002, "learning_rate_schedule": "cosine", "warmup": 0.1, "max_iter": 12, "early_stopping": False,
}  # fmt: skip


def without_last(X: pd.DataFrame, k: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All events but the last k of each user, and those."""
    X = X.sort_values(["user", "timestamp"], kind="stable").reset_index(drop=True)
    is_last = X.groupby("user").cumcount(ascending=False) < k
    return X[~is_last], X[is_last]


def fitted(X: pd.DataFrame, seeds: list[int]) -> dict[str, Any]:
    """Every model, with the CPU seconds of the networks on standard output."""
    models = {"popularity": PopularRecommender(), "ItemKNN": ItemKNNRecommender(), "EASE": EASERecommender()}
    models["EASE without order"] = EASERecommender(recency_decay=1.0)
    models |= {f"network, seed {seed}": SequentialRecommender(**NETWORK, random_state=seed) for seed in seeds}
    for name, model in models.items():
        start = time.process_time()
        model.fit(X)
        if name.startswith("network"):
            print(f"{name}: {time.process_time() - start:.0f} CPU s", flush=True)
    return models


def fusion(models: dict[str, Any], X: pd.DataFrame, weights: list[float] | None = None) -> FusionRecommender:
    """EASE and the networks, by scores."""
    names = [name for name in models if name == "EASE" or name.startswith("network")]
    parts = [(name, FrozenEstimator(models[name])) for name in names]
    return FusionRecommender(parts, method="score", weights=weights).fit(X)


def show(models: dict[str, Any], X_test: pd.DataFrame, what: str) -> None:
    """One table, in markdown."""
    of_users = {name: ndcg(model, X_test, None) for name, model in models.items()}
    print(f"\n| model, {what} | NDCG@10 | less EASE | 95 % interval |\n|" + " --- |" * 4)
    for name, values in of_users.items():
        low, high = interval((values - of_users["EASE"]).to_numpy())
        print(
            f"| {name} | {values.mean():.4f} | {(values - of_users['EASE']).mean():+.4f} | {low:+.4f} to {high:+.4f} |"
        )


def main() -> None:
    """Print the validation, and with ``--test`` the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--test", action="store_true")
    arguments = parser.parse_args()
    events = fetch_movielens(folder=arguments.folder, frame="pandas").X
    events = events.rename(columns={"user_id": "user", "item_id": "item"})[["user", "item", "timestamp"]]
    train, test = without_last(events, 10)
    earlier, validation = without_last(train, 10)
    models = fitted(earlier, arguments.seeds)
    both = fusion(models, earlier)
    weights = both.search_weights(validation, n_iter=30).weights
    show(models | {f"fusion, weights {weights}": both.set_params(weights=weights)}, validation, "validation")
    if arguments.test:
        models = fitted(train, arguments.seeds)
        show(models | {"fusion": fusion(models, train, weights)}, test, "test")


if __name__ == "__main__":
    main()
