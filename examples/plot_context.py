"""
Context: the same reader at breakfast and at midnight
=====================================================

A request says more than who asks. Here the readers of the bookshop take books off their shelves at four moments of the
day, and what they take is driven by the moment as much as by their tastes (simulated, so that we know). One pipeline
encodes the hour, the weekday and the place, and recommends.

Run it with ``python examples/plot_context.py``, or on MovieLens 100K with ``--data FOLDER`` (the folder that holds
``u.data``, ``u.item`` and ``u.user``): hour and weekday of the rating, and age, gender and occupation of who asks.
``--language zh`` takes the Chinese bookshop.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.preprocessing import FunctionTransformer

from skrec.datasets import fetch_movielens, load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.inspection import plot_labels
from skrec.metrics import compare, evaluate
from skrec.model_selection import TimeSplit
from skrec.pipeline import make_pipeline

parser = argparse.ArgumentParser(description="The same user at breakfast and at midnight.")
parser.add_argument("--data", metavar="FOLDER", help="MovieLens 100K, instead of the bookshop")
parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop: English or Chinese")
parser.add_argument("--plot", metavar="FILE", default="context.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="few events and short fits")
arguments = parser.parse_args()

HOUR, DAY, MONDAY = 3_600, 86_400, 1_704_067_200  # seconds; 1 January 2024 was a Monday

# %%
# Choices that a moment drives
# ----------------------------
#
# Each reader has persistent tastes among twenty themes; each moment favours a few themes, whoever reads. The book
# that is taken has the highest sum of taste, moment, fame and chance, and none is read twice.

ALL_MOMENTS = {
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
}
MOMENTS = ALL_MOMENTS[arguments.language]
TASTE, MOMENT = 12, 5  # log-odds; with these, either alone tells about as much as the other


def readings(shop, n_each, seed=0):
    """A log of ``n_each`` readings a reader, with the place where each was begun."""
    rng = np.random.default_rng(seed)
    books = shop.item_themes / np.linalg.norm(shop.item_themes, axis=1, keepdims=True)
    on_sale = ~shop.item_features["item_id"].isin(shop.cold_items).to_numpy()
    taste = TASTE * shop.user_tastes @ books.T + np.where(on_sale, rng.normal(0, 0.5, len(books)), -np.inf)
    favoured = np.array([[name in themes for name in shop.theme_names] for _, themes in MOMENTS.values()]) @ books.T
    usual_hour = np.array([hour for hour, _ in MOMENTS.values()])
    rounds = []
    for step in range(n_each):
        moment = rng.integers(len(MOMENTS), size=len(taste))
        chosen = np.argmax(taste + MOMENT * favoured[moment] + rng.gumbel(size=taste.shape), axis=1)
        taste[np.arange(len(taste)), chosen] = -np.inf
        day = 7 * step + rng.integers(7, size=len(taste))
        time = MONDAY + day * DAY + (usual_hour[moment] + rng.normal(0, 0.7, len(taste))) * HOUR
        columns = {"user": shop.user_features["user_id"], "item": shop.item_features["item_id"].to_numpy()[chosen]}
        rounds.append(pd.DataFrame({**columns, "timestamp": time.astype(int), "place": np.array([*MOMENTS])[moment]}))
    return pd.concat(rounds, ignore_index=True)


def load(folder):
    """Events with context, items, someone to ask for and about them, their context by the hour, the data's name."""
    if folder is None:
        shop = load_bookshop(language=arguments.language)
        themes = np.array(shop.theme_names)[shop.item_themes.argmax(axis=1)]
        items = shop.item_features.assign(kind=themes)
        places = np.array([*MOMENTS])[[3] * 5 + [0] * 3 + [1] * 4 + [2] * 8 + [3] * 4]
        log = readings(shop, 15 if arguments.quick else 40)
        about, name = shop.user_features["biography"][0], shop.DESCR.splitlines()[0]
        return log, items, "reader-001", about, pd.DataFrame({"place": places}), name
    movies = fetch_movielens(folder=folder)
    X = movies.X.merge(movies.user_features, left_on="user", right_on="user_id")
    X = X[["user", "item", "timestamp", "age", "gender", "occupation"]]
    items = movies.item_features.assign(kind=movies.item_features["genres"].str.split(r"[|,]").str[0])
    someone = X.iloc[[0]]
    about = someone[["age", "gender", "occupation"]]
    same = about.loc[about.index.repeat(24)].reset_index(drop=True)
    return X, items, someone["user"].iloc[0], ", ".join(map(str, about.iloc[0])), same, "MovieLens 100K"


X, items, someone, about, by_hour, data_name = load(arguments.data)
by_hour.insert(0, "timestamp", MONDAY + 60 * DAY + HOUR * np.arange(24))
train, test = next(TimeSplit(n_splits=1, test_size=0.2).split(X))
X_train, X_test = X.iloc[train], X.iloc[test]
print(f"{len(X_train)} events to learn from, {len(X_test)} requests to answer; columns {list(X.columns)}")

# %%
# With and without the moment
# ---------------------------
#
# The models that are blind to the moment get the same columns, and a first step that drops them. ``per="event"`` makes
# every held-out event a request of its own. Alternating least squares fits all items of every moment at once; the
# sampled softmax takes an event at a time for a choice among items, which is what it was.


def drop_context(X):
    return X[["user", "item", "timestamp"]]


def mf(solver="als"):
    max_iter = 5 if arguments.quick else "auto"
    return HybridMFRecommender(n_factors=32, solver=solver, max_iter=max_iter, random_state=0)


def encoder():
    return ContextEncoder(timestamp_features=["hour", "weekday"])


pipelines = {
    "popularity": make_pipeline(FunctionTransformer(drop_context), PopularRecommender()),
    "popularity of the moment": make_pipeline(encoder(), PopularRecommender(n_segments=12, random_state=0)),
    "hybrid MF": make_pipeline(FunctionTransformer(drop_context), mf()),
    "hybrid MF in context": make_pipeline(encoder(), mf()),
    "the same by softmax": make_pipeline(encoder(), mf("softmax")),
}
fitted = {name: pipeline.fit(X_train) for name, pipeline in pipelines.items()}
table = evaluate(fitted, X_test, metrics=["ndcg@10", "recall@10"], per="event", random_state=0)
print(table.round(3).to_string(index=False))
for name in ("hybrid MF in context", "the same by softmax"):
    gain = compare(fitted[name], fitted["hybrid MF"], X_test, metrics="ndcg@10", per="event", random_state=0).iloc[0]
    interval = f"95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}"
    print(f"{name} less hybrid MF: NDCG@10 {gain['difference']:+.3f}, {interval}")

# %%
# Breakfast and midnight
# ----------------------
#
# ``context`` holds the context columns of X, raw, one row a request.

print(f"{someone}: {about}")
aware = fitted["the same by softmax"]
titles = items.set_index("item_id")["title"]
for name, hour in (("breakfast", 7), ("midnight", 23)):
    found = aware.recommend([someone], k=5, context=by_hour.iloc[[hour]])
    print(f"{someone} at {name}: {'; '.join(titles[found.items[0]])}")

# %%
# A day of one reader
# -------------------
#
# Left, what knowing the moment is worth: the popular books of the moment do as well here as a model of tastes that is
# blind to it, and both together do best. Right, what the 20 books recommended to one reader are about, hour by hour.
#
# (On MovieLens 100K the moment tells nothing: people rate there what they saw some other time, and hour and weekday
# leave NDCG@10 where it is.)

kinds = items.set_index("item_id")["kind"]
day = aware.recommend([someone] * 24, k=20, context=by_hour)
shares = pd.crosstab(np.repeat(np.arange(24), 20), kinds[day.items.ravel()].to_numpy(), normalize="index")
shares = shares[shares.sum().sort_values(ascending=False).index[:10]]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=[2, 3])
rows = table[table["metric"] == "ndcg@10"]
spread = [rows["mean"] - rows["ci_low"], rows["ci_high"] - rows["mean"]]
left.barh(rows["model"], rows["mean"], xerr=spread, capsize=3, color=["0.75", "0.45", "C0", "C1", "C3"])
left.invert_yaxis()
labels = plot_labels([*shares.columns, data_name])
left.set_xlabel("NDCG@10 of requests, 95 % interval")
left.set_title(labels.texts[-1], family=labels.family)
image = right.imshow(shares.T, aspect="auto", cmap="Oranges", vmin=0)
right.set(xlabel="hour", title=f"recommended to {someone}")
right.set_yticks(range(len(shares.columns)), labels.texts[:-1], family=labels.family)
right.set_xticks(range(0, 24, 3))
figure.colorbar(image, ax=right, label="share of the list")
figure.savefig(arguments.plot, dpi=120)
print(f"Plot saved to {arguments.plot}.")
