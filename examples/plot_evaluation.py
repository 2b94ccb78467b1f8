"""
Evaluation without leaks: a random split flatters
=================================================

A news site wants to know which recommender to take. A random split hides clicks anywhere in time: the models then know
what was popular *after* the click that they are asked for. A split in time asks what the site will ask: what comes
next? Here both are drawn, and beside them what the models reach when they are really used.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import EASERecommender, LeaveKOut, PopularRecommender, TimeSplit, compare, evaluate
from skrec.inspection import ModelComparisonDisplay

# %%
# Clicks on a site where stories rise and fall
# --------------------------------------------
#
# 240 stories in eight sections, over 30 days. A story is read for some days, and then hardly. Readers have favourite
# sections. (The data are made.)


def clicks(n_readers=400, n_stories=240, n_days=30, n_each=25, seed=0):
    """A log of clicks: by section, by age of the story, by chance."""
    rng = np.random.default_rng(seed)
    section, born = rng.integers(0, 8, n_stories), np.sort(rng.uniform(-5, n_days, n_stories))
    fame, taste = rng.gumbel(size=n_stories), rng.gumbel(size=(n_readers, 8))
    days = np.sort(rng.uniform(0, n_days, n_readers * n_each))
    readers = rng.permutation(np.repeat(np.arange(n_readers), n_each))
    rows, read = [], set()
    for day, reader in zip(days, readers.tolist(), strict=True):
        age = day - born
        appeal = fame + 1.5 * taste[reader][section] - age / 2 + rng.gumbel(size=n_stories)
        story = int(np.argmax(np.where(age > 0, appeal, -np.inf)))
        if (reader, story) not in read:
            read.add((reader, story))
            rows.append((reader, story, int(day * 86_400)))
    return pd.DataFrame(rows, columns=["reader", "story", "timestamp"])


log = clicks()
future = log["timestamp"] >= 27 * 86_400  # the three days that nobody has seen when the choice is made
X, X_future = log[~future], log[future]
print(f"{len(X)} clicks of 27 days to choose a model by, {len(X_future)} clicks of three days to come")

# %%
# The same models, judged by two splits
# -------------------------------------

models = {
    "popularity": PopularRecommender(),
    "popularity of late": PopularRecommender(recency_decay=0.7, time_step=86_400),
    "EASE": EASERecommender(recency_decay=1.0, popularity_prior=0),
}


def measure(train, test):
    """NDCG@10 of each model, fitted to one part and asked for the other."""
    fitted = {name: model.fit(train) for name, model in models.items()}
    return evaluate(fitted, test, metrics="ndcg@10", random_state=0)


at_random, in_time = LeaveKOut(3, n_splits=1, random_state=0), TimeSplit(n_splits=1, test_size=0.1)
tables = {}
for title, splitter in {"random split": at_random, "split in time": in_time}.items():
    train, test = next(iter(splitter.split(X)))
    tables[title] = measure(X.iloc[train], X.iloc[test])
tables["in use: the days to come"] = measure(X, X_future)
means = pd.concat({title: table.set_index("model")["mean"] for title, table in tables.items()}, axis=1)
print(means.loc[list(models)].round(3).to_string())
for title in tables:
    print(f"{title}: the best is {means[title].idxmax()}")

# %%
# How much is lost by the wrong choice?
# -------------------------------------

chosen, better = means["random split"].idxmax(), means["split in time"].idxmax()
gain = compare(models[better], models[chosen], X_future, metrics="ndcg@10", random_state=0).iloc[0]
print(f"{better} over {chosen}, on the days to come: {gain['difference']:+.3f}")
print(f"95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# What to take from it
# --------------------
#
# The random split promises several times of what is reached, and puts another model first. Split in time wherever
# lists are for the future, and choose settings by a split in time within the training events, too: that is what
# :class:`~skrec.model_selection.TunedRecommender` does. Each splitter says in its docstring what it leaks.

figure, axes = plt.subplots(3, 1, figsize=(7, 6.5), layout="constrained", sharex=True)
for axis, (title, table) in zip(axes, tables.items(), strict=True):
    ModelComparisonDisplay.from_evaluation(table, ax=axis)
    axis.set_title(title)
plt.show()
