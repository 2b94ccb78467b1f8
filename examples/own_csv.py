"""
Your own CSV files: from orders, products and customers to a saved recommender
==============================================================================

Three files as a shop has them: orders with ISO times, quantities and the device; products with texts, and prices of
which some are missing; customers. They become a tuned hybrid of events, text and context, which is evaluated on later
events than it was fitted to, saved, reloaded and asked: for a customer on a phone, for words, and for a customer who
has bought nothing yet. That takes the 15 lines of ``main``; the rest writes the files, from the bookshop.

Run it with ``python examples/own_csv.py``, or with ``--folder FOLDER`` on your own ``orders.csv``, ``products.csv`` and
``customers.csv``.
"""

import argparse
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from skrec import (
    ContextEncoder,
    FeatureTable,
    HybridMFRecommender,
    PopularRecommender,
    TimeSplit,
    TunedRecommender,
    evaluate,
    make_pipeline,
    read_log,
)
from skrec.datasets import load_bookshop


def main(folder, n_iter=4):
    """Read, tune, evaluate, save, reload, ask."""
    log = read_log(folder / "orders.csv", context=["device"])
    print(log.report)
    products, customers = pd.read_csv(folder / "products.csv"), pd.read_csv(folder / "customers.csv")
    tables = {"item_features": FeatureTable(products), "user_features": FeatureTable(customers)}
    train, test = list(TimeSplit(1, test_size=len(log.y) // 8).split(log.X))[-1]
    hybrid = HybridMFRecommender(item_encoder="auto", user_encoder="auto", random_state=0)
    tuned = TunedRecommender(make_pipeline(ContextEncoder(), hybrid), n_iter=n_iter, random_state=0)
    tuned.fit(log.X.iloc[train], log.y[train], **tables)
    popular = make_pipeline(ContextEncoder(), PopularRecommender()).fit(log.X.iloc[train], log.y[train], **tables)
    print(evaluate({"hybrid": tuned, "popular": popular}, log.X.iloc[test], log.y[test], metrics=["ndcg@10"]))
    joblib.dump(tuned.best_estimator_.fit(log.X, log.y, **tables), folder / "model.joblib")
    rec = joblib.load(folder / "model.joblib")
    print(rec.recommend(log.X["customer_id"][:1], k=3, context=[["phone"]]))
    print(rec.search("a long voyage at sea", k=3))
    print(rec.recommend(k=3, user_features=customers[:1].assign(customer_id="new customer")))


def write_files(folder):
    """The bookshop as three CSV files."""
    shop, rng = load_bookshop(frame="pandas"), np.random.default_rng(0)
    orders = shop.X.rename(columns={"user": "customer_id", "item": "product_id"})
    orders["ordered_at"] = pd.to_datetime(orders.pop("timestamp"), unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    orders["quantity"] = rng.choice([1, 1, 1, 2], len(orders))
    orders["device"] = rng.choice(["phone", "desk"], len(orders))
    orders["order_id"] = np.arange(len(orders))
    orders.to_csv(folder / "orders.csv", index=False)
    products = shop.item_features.rename(columns={"item_id": "product_id"})
    products["price"] = np.where(rng.random(len(products)) < 0.1, np.nan, rng.integers(5, 30, len(products)) - 0.01)
    products.to_csv(folder / "products.csv", index=False)
    shop.user_features.rename(columns={"user_id": "customer_id"}).to_csv(folder / "customers.csv", index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="holds orders.csv, products.csv and customers.csv")
    parser.add_argument("--quick", action="store_true", help="two candidates in the search")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.folder is None:
            write_files(Path(temporary))
        main(arguments.folder or Path(temporary), n_iter=2 if arguments.quick else 4)
