"""
Two towers: books that nobody has read yet
==========================================

:class:`~skrec.neural_network.TwoTowerRecommender` makes a vector of the user and one of the item, each from whatever is
known: an id, features, texts, a history. A book without readers has no id that could be learned, and enters by its
text.

Run it with ``python examples/plot_two_tower.py``.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from skrec.datasets import load_bookshop
from skrec.feature_extraction import NgramTextEncoder
from skrec.inspection import EmbeddingDisplay, TrainingCurveDisplay
from skrec.interactions import FeatureTable
from skrec.metrics import evaluate
from skrec.model_selection import ColdItemSplit
from skrec.neural_network import TwoTowerRecommender

parser = argparse.ArgumentParser(description="Two towers on the bookshop.")
parser.add_argument("--plot", metavar="FILE", default="two_tower.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="two epochs")
arguments = parser.parse_args()

# %%
# Fitted without some of the books
# --------------------------------
#
# A tenth of the books lose all of their events: they are in the table of books, and in no event of training.

shop = load_bookshop()
books = FeatureTable(shop.item_features)
train, test = next(ColdItemSplit(n_splits=1, test_size=0.1, random_state=0).split(shop.interactions))
X, X_test = shop.interactions.iloc[train], shop.interactions.iloc[test]
rec = TwoTowerRecommender(
    item_encoder=NgramTextEncoder(n_components=64, random_state=0),
    max_iter=2 if arguments.quick else 15,
    random_state=0,
    verbose=False,
)
rec.fit(X, item_features=books)

# %%
# Books without readers
# ---------------------
#
# Among these books alone: who chose what, by the text of the books.

table = evaluate(rec, X_test, metrics=["recall@10"], candidates="test", random_state=0)
n_hidden = X_test["item"].nunique()
print(f"Recall@10 among {n_hidden} books without readers: {table['mean'][0]:.3f}; by chance {10 / n_hidden:.3f}")

# %%
# What was learned
# ----------------

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
TrainingCurveDisplay.from_estimator(rec, ax=left)
about = shop.item_features.set_index("item_id").loc[rec.items_]
genres = about["genres"].str.split(", ").str[0]
EmbeddingDisplay.from_estimator(rec, names=about["title"], groups=genres, n_labels=12, random_state=0, ax=right)
figure.savefig(arguments.plot, dpi=120)
print(f"Plot saved to {arguments.plot}.")
