"""
Composites: what a shop asks beside relevance
=============================================

A model ranks by relevance. A shop also asks: what about new readers? What is in stock? Not five books by one author.
And let new books be seen. Here small estimators answer, each around the other: a fallback inside, rules around it,
reserved places around the rules.

Run it with ``python examples/composites.py``; ``--language zh`` takes the Chinese bookshop.
"""

import argparse

import numpy as np
import pandas as pd

from skrec.compose import CapRule, FallbackRecommender, FilterRule, ReservedPlacesReranker, RuleRecommender
from skrec.datasets import load_bookshop
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import NgramTextEncoder
from skrec.interactions import FeatureTable
from skrec.metrics import evaluate
from skrec.model_selection import LeaveLastOut
from skrec.neighbors import ItemKNNRecommender

parser = argparse.ArgumentParser(description="Fallback, rules and reserved places around one another.")
parser.add_argument("--language", choices=["en", "zh"], default="en", help="which bookshop")
parser.add_argument("--quick", action="store_true", help="measure on a tenth of the readers")
arguments, _ = parser.parse_known_args()

shop = load_bookshop(frame="pandas", language=arguments.language)
books = FeatureTable(shop.item_features)
train, test = next(LeaveLastOut().split(shop.interactions))
X_train, X_test = shop.interactions.iloc[train], shop.interactions.iloc[test]
if arguments.quick:
    X_test = X_test.iloc[::10]

# %%
# Fallback: who is not known gets what is popular
# -----------------------------------------------
#
# Item KNN, with the texts of the books, needs a history. The next part answers readers without one, and fills lists
# that are short. The report says who answered how many.

knn = ItemKNNRecommender(item_encoder=NgramTextEncoder(n_components=64))
base = FallbackRecommender([("knn", knn), ("popular", PopularRecommender())])
base.fit(X_train, item_features=books)
readers = [*base.users_[:3], "a new reader"]
print(base.recommend(readers, k=3))
print(base.recommend(readers, k=3).report)

# %%
# One event in the request makes a reader known.

first = shop.item_features["item_id"].iloc[0]
print(base.recommend(["a new reader"], k=3, history=[["a new reader", first]]).report["answered"])

# %%
# Rules: only what may be sold, and not all by one author
# -------------------------------------------------------
#
# A rule names a column. What is in stock changes by the hour, so it comes in a table of its own, which is replaced
# without a fit. In this shop, every third book is sold out.

stock = pd.DataFrame({"item": shop.item_features["item_id"], "stock": np.arange(len(shop.item_features)) % 3})
ruled = RuleRecommender(base, [FilterRule("stock", ">", 0), CapRule("author", 1)], item_table=stock)
ruled.fit(X_train, item_features=books)
found = ruled.recommend(readers, k=10)
print(found.report["removed"], "lists that are not full:", found.report["n_short"])

# %%
# Why is a book not in the list?

sold_out, best = stock["item"].iloc[0], found.items[-1, 0]
print(ruled.why_not(["a new reader"], [best, sold_out, "a book that we do not have", found.items[0, -1]]))

# %%
# The next delivery is a new table, and no fit.

ruled.set_params(item_table=stock.assign(stock=1))
print(ruled.recommend(readers, k=10).report["removed"])
ruled.set_params(item_table=stock)

# %%
# Reserved places: new books are seen
# -----------------------------------
#
# Books that nobody has bought yet are in the catalogue, by the table of items, and far down in every list. Two of ten
# places are theirs; the rest keeps its order.

rec = ReservedPlacesReranker(ruled, {"new": 2}, groups={"new": FilterRule("n_events", "==", 0)})
rec.fit(X_train, item_features=books)
print(rec.recommend(["a new reader"], k=10))
print(rec.recommend(k=10).report["in_group"])

# %%
# What it costs
# -------------
#
# Each layer takes something from relevance, and it is worth knowing how much. Most of it is the stock: a third of the
# books that readers took next are sold out here, and no list may hold them.

metrics = ["ndcg@10", "coverage@10"]
layers = {"fallback": base, "and rules": ruled, "and reserved places": rec}
table = pd.concat([evaluate(model, X_test, metrics=metrics) for model in layers.values()])
table.insert(0, "layers", np.repeat(list(layers), 2))
print(table[["layers", "metric", "mean"]].to_string(index=False, float_format="%.3f"))

# %%
# Parameters of any layer are reached by their names, by a search as well.

print([name for name in rec.get_params() if name.endswith("n_neighbors")])
