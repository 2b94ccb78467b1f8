"""NDCG@10 of HybridMFRecommender on the official ``ua`` split of MovieLens 100K.

    python examples/benchmarks/movielens_hybrid_mf.py FOLDER

Every rating is an event of implicit feedback; the items of the training part are excluded. Settings are chosen
by GridSearchCV on the training part alone, 10 events per user held out at random as in the split itself: once
from events alone, once with genre, decade, age, gender and occupation beside them. FOLDER holds ``ua.base``,
``ua.test``, ``u.item`` and ``u.user``.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from skrec.decomposition import HybridMFRecommender
from skrec.interactions import FeatureTable
from skrec.model_selection import LeaveKOut


def read_events(path: Path) -> pd.DataFrame:
    """User and item of each rating."""
    return pd.read_csv(path, sep="\t", names=["user", "item", "rating", "time"])[["user", "item"]]


def read_table(path: Path, names: list[str]) -> pd.DataFrame:
    """A ``|``-separated table, with or without a line of field names."""
    frame = pd.read_csv(path, sep="|", header=None, encoding="latin-1", dtype=str)
    frame = frame[pd.to_numeric(frame[0], errors="coerce").notna()].astype({0: int})
    return frame.set_axis([*names, *range(len(names), frame.shape[1])], axis=1).reset_index(drop=True)


def item_table(folder: Path) -> pd.DataFrame:
    """Item, decade and the 19 genre flags."""
    frame = read_table(folder / "u.item", ["item", "title", "released"])
    year = pd.to_numeric(frame["released"].str[-4:], errors="coerce")
    genres = frame.iloc[:, 5:].astype(float).add_prefix("genre_")
    decade = (year // 10 * 10).fillna(0).astype(int).astype(str)
    return pd.concat([frame["item"], decade.rename("decade"), genres], axis=1)


def user_table(folder: Path) -> pd.DataFrame:
    """User, age, gender and occupation."""
    frame = read_table(folder / "u.user", ["user", "age", "gender", "occupation", "zip"])
    return frame[["user", "age", "gender", "occupation"]].astype({"age": float})


def search(recommender: HybridMFRecommender, grid: dict, train: pd.DataFrame, **tables: FeatureTable) -> GridSearchCV:
    """The best settings by held-out events of the training part."""
    splitter = LeaveKOut(10, n_splits=5, random_state=0)
    return GridSearchCV(recommender, grid, cv=splitter).fit(train, **tables)


def main() -> None:
    """Print one row a search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    train, test = read_events(folder / "ua.base"), read_events(folder / "ua.test")

    plain = HybridMFRecommender(random_state=0)
    grid = {"n_factors": [32, 64, 128], "frequency_scaling": [0.2, 0.4, 0.6], "alpha": ["auto", 0.0]}
    with_features = HybridMFRecommender(
        random_state=0,
        item_encoder=make_column_transformer((OneHotEncoder(), ["decade"]), remainder="passthrough"),
        user_encoder=make_column_transformer(
            (KBinsDiscretizer(8, quantile_method="averaged_inverted_cdf"), ["age"]),
            (OneHotEncoder(), ["gender", "occupation"]),
        ),
    )
    features_grid = grid | {"alpha": ["auto"], "feature_regularization": [10.0, 30.0]}
    tables = {"item_features": FeatureTable(item_table(folder)), "user_features": FeatureTable(user_table(folder))}

    print(f"defaults                NDCG@10 {plain.fit(train).score(test):.4f} on ua.test", flush=True)
    for name, recommender, options, given in (
        ("chosen by search", plain, grid, {}),
        ("the same, with features", with_features, features_grid, tables),
    ):
        start = time.perf_counter()
        found = search(recommender, options, train, **given)
        print(
            f"{name:24}NDCG@10 {found.score(test):.4f} on ua.test; {found.best_score_:.4f} within ua.base, "
            f"{found.best_params_}, {len(found.cv_results_['params'])} settings in {time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
