"""
Quickstart: from a table of events to lists with reasons
========================================================

A bookshop knows who bought what and when, and what each book is about. Three models are fitted and compared on the
last book of each reader. Then one of them recommends, says why, is searched by free text, and is saved.
"""

import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt

from skrec import (
    EmbeddingKNNRecommender,
    FeatureTable,
    HybridMFRecommender,
    ItemKNNRecommender,
    LeaveLastOut,
    LLMTextEmbedder,
    NgramTextEncoder,
    PopularRecommender,
    compare,
    evaluate,
    load_bookshop,
)
from skrec.inspection import ModelComparisonDisplay

language = "en"  # or "zh", the Chinese bookshop

# %%
# Two tables
# ----------
#
# One row per event, and one row per book. Ids are text or numbers, as they come.

shop = load_bookshop(language=language)
X, books = shop.interactions, FeatureTable(shop.item_features)
print(X.head(3).to_string(index=False))
print(shop.item_features[["item_id", "title", "author", "genres"]].head(3).to_string(index=False))
print(f"\n{len(X)} events of {X['user'].nunique()} readers, {len(shop.item_features)} books")

# %%
# Three models
# ------------
#
# The last event of each reader is held out. Popularity is the baseline. Item KNN knows which books go together. The
# hybrid matrix factorisation learns tastes from the events, and reads the texts of the books besides.

train, test = next(LeaveLastOut().split(X))
X_train, X_test = X.iloc[train], X.iloc[test]
encoder = LLMTextEmbedder() if language == "en" else NgramTextEncoder()  # the small language model reads English
hybrid = HybridMFRecommender(item_encoder=encoder, random_state=0)
models = {
    "popularity": PopularRecommender().fit(X_train),
    "item KNN": ItemKNNRecommender().fit(X_train),
    "hybrid MF": hybrid.fit(X_train, item_features=books),
}

# %%
# Which is best, and how sure is that?
# ------------------------------------
#
# Each model ranks the whole catalogue. NDCG@10 is 1 where the held-out book is first, and 0 where it is not among ten.

table = evaluate(models, X_test, metrics=["ndcg@10", "recall@10", "coverage@10"], random_state=0)
print(table.pivot(index="model", columns="metric", values="mean").loc[list(models)].round(3))
gain = compare(models["hybrid MF"], models["item KNN"], X_test, metrics="ndcg@10", random_state=0).iloc[0]
interval = f"95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}"
print(f"\nhybrid MF over item KNN: {gain['difference']:+.3f}, {interval}")

figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
ModelComparisonDisplay.from_evaluation(table, metric="ndcg@10", ax=axis)

# %%
# A list with reasons
# -------------------

reader = "reader-007"
titles = shop.item_features.set_index("item_id")["title"]
print("Bought last:", "; ".join(titles[X_train.loc[X_train["user"] == reader, "item"].tail(4)]))
found = hybrid.recommend([reader], k=5)
why = hybrid.explain(found)
for rank, (item, text) in enumerate(zip(found.items[0], why.text, strict=True), 1):
    print(f"{rank}. {titles[item]}\n   {text}")

# %%
# Someone who has bought one book so far needs no new fit.

first = shop.item_features["item_id"].iloc[0]
newcomer = hybrid.recommend(["somebody new"], k=3, history=[["somebody new", first]])
print(f"After {titles[first]}: {'; '.join(titles[newcomer.items[0]])}")

# %%
# Search, save, reload
# --------------------
#
# A model of texts is searched by free text. It has not to be good at lists for that: as a recommender it is a poor one
# here, since what a book is about says little of who buys it next.

text_knn = EmbeddingKNNRecommender(item_encoder=encoder).fit(X_train, item_features=books)
with tempfile.TemporaryDirectory() as folder:
    joblib.dump(text_knn, Path(folder) / "model.joblib")
    loaded = joblib.load(Path(folder) / "model.joblib")
queries = {"en": ["a quiet book about grief", "obsession on a long sea voyage"], "zh": ["监狱与越狱", "写离别的诗"]}
for text in queries[language]:
    print(f"{text!r}: {'; '.join(titles[loaded.search(text, k=3).items[0]])}")
score = evaluate(loaded, X_test, metrics="ndcg@10", random_state=0)["mean"].iloc[0]
print(f"As a recommender, NDCG@10 {score:.3f}")
plt.show()
