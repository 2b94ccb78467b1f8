"""
Your own tables: from CSV files of a shop to a saved recommender
================================================================

Three files as a shop has them: orders with ISO times, quantities and the device; products with texts, and prices of
which some are missing; customers. They become a tuned hybrid of events, text and context, which is evaluated on later
events than it was fitted to, saved, reloaded and asked: for a customer on a phone, for words, and for a customer who
has bought nothing yet. To run it on your own files, set ``folder`` and the names of your columns.
"""

import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import (
    ContextEncoder,
    FeatureTable,
    HybridMFRecommender,
    PopularRecommender,
    TimeSplit,
    TunedRecommender,
    compare,
    evaluate,
    make_pipeline,
    read_log,
)
from skrec.datasets import load_bookshop
from skrec.inspection import QualityByGroupDisplay

folder = None  # holds your orders.csv, products.csv and customers.csv; None writes such files from the bookshop

# %%
# Files to try it with
# --------------------


def write_files(folder):
    """Half of the bookshop as three CSV files."""
    shop, rng = load_bookshop(frame="pandas"), np.random.default_rng(0)
    some = shop.user_features[:300]
    orders = shop.X[shop.X["user"].isin(some["user_id"])].rename(columns={"user": "customer_id", "item": "product_id"})
    orders["ordered_at"] = pd.to_datetime(orders.pop("timestamp"), unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    orders["quantity"] = rng.choice([1, 1, 1, 2], len(orders))
    orders["device"] = rng.choice(["phone", "desk"], len(orders))
    orders.to_csv(folder / "orders.csv", index=False)
    products = shop.item_features.rename(columns={"item_id": "product_id"})
    products["price"] = np.where(rng.random(len(products)) < 0.1, np.nan, rng.integers(5, 30, len(products)) - 0.01)
    products.to_csv(folder / "products.csv", index=False)
    some.rename(columns={"user_id": "customer_id"}).to_csv(folder / "customers.csv", index=False)


if folder is None:
    folder = Path(tempfile.mkdtemp())
    write_files(folder)
print((folder / "orders.csv").read_text()[:210])

# %%
# Read
# ----
#
# The report says what was taken for what, and what was done about it.

log = read_log(folder / "orders.csv", context=["device"])
print(log.report)
products, customers = pd.read_csv(folder / "products.csv"), pd.read_csv(folder / "customers.csv")
tables = {"item_features": FeatureTable(products), "user_features": FeatureTable(customers)}

# %%
# Tune on the past, measure on what came later
# --------------------------------------------
#
# The last eighth of the orders is put aside. ``TunedRecommender`` holds out the last events of the rest to choose its
# settings by. ``"auto"`` encodes each column by its type.

train, test = list(TimeSplit(1, test_size=len(log.y) // 8).split(log.X))[-1]
X_train, X_test = log.X.iloc[train], log.X.iloc[test]
hybrid = HybridMFRecommender(item_encoder="auto", user_encoder="auto", random_state=0)
tuned = TunedRecommender(make_pipeline(ContextEncoder(), hybrid), n_iter=2, random_state=0)
tuned.fit(X_train, log.y[train], **tables)
popular = make_pipeline(ContextEncoder(), PopularRecommender()).fit(X_train, log.y[train])
models = {"popularity": popular, "hybrid": tuned}
print(evaluate(models, X_test, log.y[test], metrics=["ndcg@10"], random_state=0).round(3).to_string(index=False))
gain = compare(tuned, popular, X_test, log.y[test], metrics="ndcg@10", random_state=0).iloc[0]
print(f"gain {gain['difference']:+.3f}, 95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# For which customers?
# --------------------
#
# A mean hides who gets poor lists.

figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
QualityByGroupDisplay.from_estimator(models, X_test, log.y[test], n_groups=4, random_state=0, ax=axis)

# %%
# Fit on everything, save, reload, ask
# ------------------------------------
#
# For a customer on a phone, for words, and for somebody of whom only the row in the table of customers is known.

joblib.dump(tuned.best_estimator_.fit(log.X, log.y, **tables), folder / "model.joblib")
rec = joblib.load(folder / "model.joblib")
customer = log.X["customer_id"].iloc[0]
print(rec.recommend([customer], k=3, context=[["phone"]]).to_frame(titles=True).to_string(index=False))
print(rec.search("a long voyage at sea", k=3).to_frame(titles=True).to_string(index=False))
newcomer = customers[:1].assign(customer_id="new customer")
print(rec.recommend(k=3, user_features=newcomer).to_frame(titles=True).to_string(index=False))
plt.show()
