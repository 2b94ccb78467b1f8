"""
Context: the same reader at breakfast and at midnight
=====================================================

A request says more than who asks. Here the readers of the bookshop take books off their shelves at four moments of the
day, and what they take is driven by the moment as much as by their tastes (simulated, so that we know). One pipeline
encodes the hour, the weekday and the place, and recommends.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from skrec import (
    ContextEncoder,
    HybridMFRecommender,
    PopularRecommender,
    TimeSplit,
    compare,
    evaluate,
    load_bookshop,
    make_pipeline,
)
from skrec.inspection import ContextDisplay, ModelComparisonDisplay

language = "en"  # or "zh", the Chinese bookshop

# %%
# Choices that a moment drives
# ----------------------------
#
# Each reader has persistent tastes among twenty themes; each moment favours a few themes, whoever reads. The book
# that is taken has the highest sum of taste, moment, fame and chance, and none is read twice.

moments = {
    "en": {
        "kitchen": (7, ["humour", "childhood", "nature"]),
        "train": (9, ["adventure", "travel", "war"]),
        "garden": (16, ["love", "society", "past"]),
        "bed": (23, ["terror", "crime", "solitude"]),
    },
    "zh": {
        "厨房": (7, ["幽默", "童年", "自然"]),
        "地铁": (9, ["冒险", "旅行", "战争"]),
        "花园": (16, ["爱情", "社会", "往昔"]),
        "床上": (23, ["恐怖", "罪案", "孤独"]),
    },
}[language]
hour, day, monday = 3_600, 86_400, 1_704_067_200  # seconds; 1 January 2024 was a Monday


def readings(shop, n_each, taste_scale=12, moment_scale=5, seed=0):
    """A log of ``n_each`` readings a reader, with the place where each was begun; scales are log-odds."""
    rng = np.random.default_rng(seed)
    books = shop.item_themes / np.linalg.norm(shop.item_themes, axis=1, keepdims=True)
    on_sale = ~shop.item_features["item_id"].isin(shop.cold_items).to_numpy()
    utility = taste_scale * shop.user_tastes @ books.T + np.where(on_sale, rng.normal(0, 0.5, len(books)), -np.inf)
    favoured = np.array([[name in themes for name in shop.theme_names] for _, themes in moments.values()]) @ books.T
    usual_hour = np.array([at for at, _ in moments.values()])
    rounds = []
    for step in range(n_each):
        moment = rng.integers(len(moments), size=len(utility))
        noise = rng.gumbel(size=utility.shape)
        chosen = np.argmax(utility + moment_scale * favoured[moment] + noise, axis=1)
        utility[np.arange(len(utility)), chosen] = -np.inf
        week = 7 * step + rng.integers(7, size=len(utility))
        time = monday + week * day + (usual_hour[moment] + rng.normal(0, 0.7, len(utility))) * hour
        columns = {"user": shop.user_features["user_id"], "item": shop.item_features["item_id"].to_numpy()[chosen]}
        rounds.append(pd.DataFrame({**columns, "timestamp": time.astype(int), "place": np.array([*moments])[moment]}))
    return pd.concat(rounds, ignore_index=True)


shop = load_bookshop(language=language)
X = readings(shop, n_each=20)
train, test = next(TimeSplit(n_splits=1, test_size=0.2).split(X))
X_train, X_test = X.iloc[train], X.iloc[test]
print(X.assign(timestamp=pd.to_datetime(X["timestamp"], unit="s")).head(4).to_string(index=False))

# %%
# With and without the moment
# ---------------------------
#
# The models that are blind to the moment get the same columns, and a first step that drops them. ``per="event"`` makes
# every held-out event a request of its own. The sampled softmax takes an event at a time for a choice among items,
# which is what it was.


def drop_context(X):
    return X[["user", "item", "timestamp"]]


encoder = ContextEncoder(timestamp_features=["hour", "weekday"])
factors = HybridMFRecommender(n_factors=32, solver="softmax", random_state=0)
pipelines = {
    "popularity": make_pipeline(FunctionTransformer(drop_context), PopularRecommender()),
    "popularity of the moment": make_pipeline(clone(encoder), PopularRecommender(n_segments=12, random_state=0)),
    "hybrid MF": make_pipeline(FunctionTransformer(drop_context), factors),
    "hybrid MF in context": make_pipeline(encoder, clone(factors)),
}
fitted = {name: pipeline.fit(X_train) for name, pipeline in pipelines.items()}
table = evaluate(fitted, X_test, metrics="ndcg@10", per="event", random_state=0)
print(table[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))
in_context = fitted["hybrid MF in context"]
gain = compare(in_context, fitted["hybrid MF"], X_test, metrics="ndcg@10", per="event", random_state=0).iloc[0]
print(f"what the moment adds: {gain['difference']:+.3f}, 95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# Breakfast and midnight
# ----------------------
#
# ``context`` holds the context columns of X as they are, one row per request.

reader = "reader-001"
print(f"{reader}: {shop.user_features['biography'].iloc[0]}")
at = {place: {"timestamp": monday + 60 * day + when * hour, "place": place} for place, (when, _) in moments.items()}
asked = pd.DataFrame(at.values())
titles = shop.item_features.set_index("item_id")["title"]
for place, row in zip(at, in_context.recommend([reader] * len(at), k=4, context=asked).items, strict=True):
    print(f"{moments[place][0]:2d}:00, {place}: {'; '.join(titles[row])}")

# %%
# What the moment is worth, and what it changes
# ---------------------------------------------
#
# First: the popular books of the moment do about as well here as a model of tastes that is blind to it, and both
# together do best. Then: the places of books in the lists of one reader, from moment to moment. (Where people only
# *record* at some hour what they saw at another, as in MovieLens 100K, the moment tells nothing, and a model in
# context does not pay.)

figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
ModelComparisonDisplay.from_evaluation(table, ax=axis)
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
display = ContextDisplay.from_estimator(in_context, reader, asked, labels=[*at], k=4, ax=axis)
titled = [titles[item] for item in display.items]
ContextDisplay(ranks=display.ranks, items=titled, contexts=display.contexts).plot(axis)
# sphinx_gallery_thumbnail_number = 2
plt.show()
