"""
Rules of a shop: what is asked beside relevance
===============================================

A model ranks by relevance. A shop also asks: what about new readers? What is in stock? Not five books by one author.
And let new books be seen. Here small estimators answer, each around the other: a fallback inside, rules around it,
reserved places around the rules.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import (
    CapRule,
    FallbackRecommender,
    FeatureTable,
    FilterRule,
    ItemKNNRecommender,
    LeaveLastOut,
    NgramTextEncoder,
    PopularRecommender,
    ReservedPlacesReranker,
    RuleRecommender,
    evaluate,
    load_bookshop,
)
from skrec.inspection import TradeOffDisplay

language = "en"  # or "zh", the Chinese bookshop

# %%
# Fallback: who is not known gets what is popular
# -----------------------------------------------
#
# Item KNN, with the texts of the books, needs a history. The next part answers readers without one, and fills lists
# that are short. The report says who answered how many.

shop = load_bookshop(language=language)
books = FeatureTable(shop.item_features)
titles = shop.item_features.set_index("item_id")["title"]
train, test = next(LeaveLastOut().split(shop.interactions))
X_train, X_test = shop.interactions.iloc[train], shop.interactions.iloc[test]
knn = ItemKNNRecommender(item_encoder=NgramTextEncoder(n_components=64))
base = FallbackRecommender([("knn", knn), ("popular", PopularRecommender())])
base.fit(X_train, item_features=books)
readers = [*base.users_[:2], "a new reader"]
found = base.recommend(readers, k=3)
print(found.to_frame(titles=True)[["user", "title", "rank"]].to_string(index=False))
print("answered by:", found.report["answered"])

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
print("removed:", found.report["removed"])
print("lists that are not full:", found.report["n_short"])

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

reserved = ReservedPlacesReranker(ruled, {"new": 2}, groups={"new": FilterRule("n_events", "==", 0)})
reserved.fit(X_train, item_features=books)
found = reserved.recommend(["a new reader"], k=10)
sold = set(X_train["item"])
for rank, item in enumerate(found.items[0], 1):
    print(f"{rank:2d}. {titles[item]}{'' if item in sold else '   <- new'}")
print(reserved.recommend(readers, k=10).report["in_group"])

# %%
# What it costs
# -------------
#
# Each layer takes something from relevance, and it is worth knowing how much. Most of it is the stock: a third of the
# books that readers took next are sold out here, and no list may hold them.

layers = {"fallback": base, "and rules": ruled, "and reserved places": reserved}
some = X_test.iloc[::3]
table = evaluate(layers, some, metrics=["ndcg@10", "coverage@10"], random_state=0)
print(table.pivot(index="model", columns="metric", values="mean").loc[list(layers)].round(3).to_string())
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
TradeOffDisplay.from_evaluation(table, x="coverage@10", y="ndcg@10", ax=axis)
axis.set(ylim=(0, None), xlabel="share of the catalogue in any list")

# %%
# Parameters of any layer are reached by their names, by a search as well.

print([name for name in reserved.get_params() if name.endswith("n_neighbors")])
plt.show()
