"""
Two towers: books that nobody has read yet
==========================================

:class:`~skrec.neural_network.TwoTowerRecommender` makes a vector of the user and one of the item, each from whatever
is known: an id, features, texts, a history. A book without readers has no id that could be learned, and enters by its
text.
"""

import matplotlib.pyplot as plt

from skrec import (
    ColdItemSplit,
    FeatureTable,
    NgramTextEncoder,
    PopularRecommender,
    TwoTowerRecommender,
    compare,
    evaluate,
    load_bookshop,
)
from skrec.inspection import EmbeddingDisplay, TrainingCurveDisplay

language = "en"  # or "zh", the Chinese bookshop

# %%
# Fitted without some of the books
# --------------------------------
#
# A tenth of the books lose all of their events: they are in the table of books, and in no event of training.

shop = load_bookshop(language=language)
books = FeatureTable(shop.item_features)
train, test = next(ColdItemSplit(n_splits=1, test_size=0.1, random_state=0).split(shop.interactions))
X, X_test = shop.interactions.iloc[train], shop.interactions.iloc[test]
encoder = NgramTextEncoder(n_components=64, random_state=0)
rec = TwoTowerRecommender(item_encoder=encoder, max_iter=10, random_state=0, verbose=False)
rec.fit(X, item_features=books)
popular = PopularRecommender().fit(X, item_features=books)

# %%
# Books without readers
# ---------------------
#
# Among these books alone: who chose what, by the text of the books. Popularity knows nothing of them, and puts them in
# any order.

options = {"metrics": "recall@10", "candidates": "test", "random_state": 0}
models = {"popularity": popular, "two towers": rec}
table = evaluate(models, X_test, **options)
n_hidden = X_test["item"].nunique()
print(f"{n_hidden} books without readers; ten of them at random hold {10 / n_hidden:.3f} of what was chosen")
print(table[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))
gain = compare(rec, popular, X_test, **options).iloc[0]
print(f"gain {gain['difference']:+.3f}, 95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# Lists of two readers among these books:

titles = shop.item_features.set_index("item_id")["title"]
new_books = X_test["item"].unique().tolist()
readers = ["reader-003", "reader-007"]
found = rec.recommend(readers, k=3, candidates=new_books)
for reader, row in zip(readers, found.items, strict=True):
    about = shop.user_features.set_index("user_id")["biography"][reader]
    print(f"{reader} ({about})\n  {'; '.join(titles[row])}")

# %%
# What was learned
# ----------------

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
TrainingCurveDisplay.from_estimator(rec, ax=axis)
about = shop.item_features.set_index("item_id").loc[rec.items_]
genres = about["genres"].str.split("[,，、]").str[0]
figure, axis = plt.subplots(figsize=(8, 5.5), layout="constrained")
EmbeddingDisplay.from_estimator(rec, names=about["title"], groups=genres, n_labels=12, random_state=0, ax=axis)
# sphinx_gallery_thumbnail_number = 2
plt.show()
