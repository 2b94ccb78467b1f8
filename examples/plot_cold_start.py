"""
Cold start: what a few events tell
==================================

A new reader comes into the bookshop. At first there is a biography at most; then one purchase, two, five. How good
are the lists of each method by then? Nothing is refitted on the way: features place a user before the first event,
and every event is folded in by ``history``.

Run it with ``python examples/plot_cold_start.py``, or on MovieLens 100K (with age, gender and occupation in place of
biographies) with ``--data FOLDER``, the folder that holds ``u.data``, ``u.item`` and ``u.user``. With ``--language zh``
it is the Chinese bookshop.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skrec.datasets import fetch_movielens, load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder
from skrec.inspection import plot_labels
from skrec.interactions import FeatureTable
from skrec.metrics import evaluate
from skrec.model_selection import ColdUserSplit
from skrec.neighbors import ItemKNNRecommender, UserKNNRecommender

parser = argparse.ArgumentParser(description="Quality against the number of events a new user has.")
parser.add_argument("--data", metavar="FOLDER", help="MovieLens 100K, instead of the bookshop")
parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop: English or Chinese")
parser.add_argument("--plot", metavar="FILE", default="cold_start.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="few users and a stand-in for the language model")
arguments = parser.parse_args()

N_TARGETS = 5
N_EVENTS = (0, 1, 3) if arguments.quick else (0, 1, 2, 3, 5, 10)

# %%
# New users
# ---------
#
# Some users are held out whole. Of each, the last five events are what is to be found, whatever number of the events
# before is given, so that all points of a curve are about the same targets.


def load(folder):
    """Events, a table of users, an encoder for it, and what the data are called."""
    if folder is None:
        shop = load_bookshop(language=arguments.language)
        name = shop.DESCR.splitlines()[0]
        if arguments.language == "zh":  # the language model reads English
            encoder = NgramTextEncoder()
        else:
            encoder = LLMTextEmbedder(HashingTextEncoder()) if arguments.quick else LLMTextEmbedder()
        return shop.interactions, shop.user_features[["user_id", "biography"]], encoder, name
    movies = fetch_movielens(folder=folder)
    categories = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    encoder = make_column_transformer((categories, ["gender", "occupation"]), (StandardScaler(), ["age"]))
    return movies.X, movies.user_features[["user_id", "age", "gender", "occupation"]], encoder, "MovieLens 100K"


X, users, encoder, data_name = load(arguments.data)
least = N_TARGETS + max(N_EVENTS)
split = ColdUserSplit(n_splits=1, test_size=0.1 if arguments.quick else 0.3, min_events=least, random_state=0)
train, test = next(split.split(X))
X_train, X_test = X.iloc[train], X.iloc[test].sort_values("timestamp", kind="stable")
before_the_end = X_test.groupby("user").cumcount(ascending=False)
print(
    f"{X_train['user'].nunique()} users with {len(X_train)} events to learn from, {X_test['user'].nunique()} new ones"
)

# %%
# Methods
# -------
#
# Popularity knows nothing of anybody. Item KNN and a plain matrix factorisation live on events alone, and start from
# popularity. With the users' features, the table holds the new users too: their features are known, their events
# are not.

table = FeatureTable(users)
models = {
    "popularity": PopularRecommender().fit(X_train),
    "item KNN, events": ItemKNNRecommender().fit(X_train),
    "user KNN, events and features": UserKNNRecommender(user_encoder=encoder).fit(X_train, user_features=table),
    "hybrid MF, events": HybridMFRecommender(random_state=0).fit(X_train),
    "hybrid MF, events and features": HybridMFRecommender(user_encoder=encoder, random_state=0).fit(
        X_train, user_features=table
    ),
}

# %%
# Event by event
# --------------
#
# ``n_history=n`` folds the first n events of each new user in and asks for the rest.

tables = []
for n in N_EVENTS:
    given = X_test[before_the_end < N_TARGETS + n]
    found = evaluate(models, given, metrics="ndcg@10", n_history=n or None, random_state=0)
    tables.append(found.assign(events=n))
curves = pd.concat(tables)
print(curves.pivot(index="model", columns="events", values="mean").loc[list(models)].round(3).to_string())

# %%
# What the curves say
# -------------------
#
# Before the first event, features are all there is, and only the methods that read them leave popularity. One event
# tells more than a biography, and with every further one the head start melts. (On MovieLens, age, gender and
# occupation tell next to nothing, and what the factorisation expects of such a user holds the first events back.)
#
# The bands are 95 % bootstrap intervals over users, for each curve by itself. The same users stand behind all
# curves, so :func:`~skrec.metrics.compare` tells two methods apart far better than the bands do.

figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
places = range(len(N_EVENTS))
for name, color in zip(models, ["0.5", "C2", "C4", "C0", "C1"], strict=True):
    curve = curves[curves["model"] == name]
    axis.plot(places, curve["mean"], marker="o", label=name, color=color)
    axis.fill_between(places, curve["ci_low"], curve["ci_high"], alpha=0.12, color=color, linewidth=0)
title = plot_labels([data_name])
axis.set_title(title.texts[0], family=title.family)
axis.set(xlabel="events that are known of a new user", ylabel="NDCG@10", xticks=places, xticklabels=N_EVENTS)
axis.set_ylim(bottom=0)
axis.legend(loc="upper left", frameon=False)
figure.savefig(arguments.plot, dpi=120)
print(f"Plot saved to {arguments.plot}.")
