"""
Cold items: the news of today
=============================

A story that has just been written has no clicks. Counts of clicks cannot rank it; its words can. How long does that
last? Here stories are measured by the clicks that they have had so far, and models of words and of clicks change
places.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import (
    EmbeddingKNNRecommender,
    FeatureTable,
    HybridMFRecommender,
    NgramTextEncoder,
    PopularRecommender,
    compare,
    evaluate,
)
from skrec.inspection import QualityByGroupDisplay

# %%
# Stories and readers
# -------------------
#
# Headlines are made of words of eight sections; each reader has a few favourite sections, and some stories are better
# than others, which no headline tells. A fifth of the stories are new: some have no click yet, some have a few.

words = {
    "football": "goal keeper striker league coach penalty derby stadium transfer referee",
    "politics": "minister parliament vote coalition budget reform treaty senator campaign decree",
    "science": "telescope genome fossil particle vaccine orbit laboratory species comet enzyme",
    "money": "shares bank inflation merger bonds tariff profit currency investor bankruptcy",
    "films": "actor premiere sequel director festival screenplay trailer studio comedy oscar",
    "food": "recipe chef bakery vineyard harvest restaurant spice cheese dessert menu",
    "travel": "island airline hotel glacier railway passport beach museum cruise hiking",
    "games": "console puzzle multiplayer chess arcade developer quest tournament avatar patch",
}
rng = np.random.default_rng(0)
n_stories, n_readers = 400, 500
section = rng.integers(0, len(words), n_stories)
headlines = [" ".join(rng.choice([*words.values()][at].split(), 4, replace=False)) for at in section]
stories = pd.DataFrame({"story": np.arange(n_stories), "headline": headlines})
quality, taste = rng.normal(size=n_stories), rng.dirichlet(np.full(len(words), 0.3), n_readers)
appeal = np.exp(1.5 * quality) * taste[:, section]
appeal /= appeal.sum(axis=1, keepdims=True)
rows = [(at, story) for at in range(n_readers) for story in rng.choice(n_stories, 24, replace=False, p=appeal[at])]
clicks = pd.DataFrame(rows, columns=["reader", "story"]).sample(frac=1, random_state=0, ignore_index=True)
print(stories.head(3).to_string(index=False))

# %%
# Every story of a fifth keeps 0, 1, 2, 4, 8 or 16 of its clicks; the rest of them are to be found.

new = rng.random(n_stories) < 0.2
kept = np.where(new, rng.choice([0, 1, 2, 4, 8, 16], n_stories), n_readers)
is_kept = clicks.groupby("story").cumcount().to_numpy() < kept[clicks["story"]]
X, X_test = clicks[is_kept], clicks[~is_kept]
print(f"{len(X)} clicks to learn from; {len(X_test)} clicks on {X_test['story'].nunique()} new stories to find")

# %%
# Words, clicks, and both
# -----------------------
#
# Among the new stories alone. The matrix factorisation has the words as a prior, which clicks then correct. The one
# that lives on clicks alone gets a table as well, with no word in it: so that it knows which stories there are.

listed = FeatureTable(stories[["story"]].assign(length=stories["headline"].str.len()))
table, encoder = FeatureTable(stories), NgramTextEncoder(n_components=64, random_state=0)
models = {
    "popularity": PopularRecommender().fit(X, item_features=table),
    "MF, clicks": HybridMFRecommender(random_state=0).fit(X, item_features=listed),
    "text KNN": EmbeddingKNNRecommender(item_encoder=encoder).fit(X, item_features=table),
    "MF, words and clicks": HybridMFRecommender(item_encoder=encoder, random_state=0).fit(X, item_features=table),
}
options = {"metrics": "ndcg@10", "candidates": "test", "random_state": 0}
found = evaluate(models, X_test, **options)
print(found[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))
both = models["MF, words and clicks"]
gain = compare(both, models["MF, clicks"], X_test, **options).iloc[0]
print(f"what words add: {gain['difference']:+.3f}, 95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# The front page of one reader, among stories without a click:

reader = 7
untouched = stories.loc[kept == 0, "story"].tolist()
print("likes", [*words][taste[reader].argmax()])
for story in both.recommend([reader], k=4, candidates=untouched).items[0]:
    print(f"  {headlines[story]} ({[*words][section[story]]})")

# %%
# By the clicks that a story has had
# ----------------------------------
#
# Each column has its own stories: compare within a column. Without a click, words are all there is. From some eight
# clicks on, clicks alone do about as well: then words hardly pay, and do no harm either. A model of both needs no
# switch from one to the other.

figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
by = pd.Series(kept[X_test["story"]], name="clicks that a story has had")
settings = {"by": by, "n_groups": 6, "candidates": "test", "random_state": 0}
display = QualityByGroupDisplay.from_estimator(models, X_test, **settings, ax=axis)
curves = pd.DataFrame({name: curve[:, 0] for name, curve in display.curves.items()}, index=display.groups).T
print(curves.round(2).to_string())
plt.show()
