"""
Cold users: what a few events tell
==================================

A new reader comes into the bookshop. At first there is a biography at most; then one purchase, two, five. How good
are the lists of each method by then? Nothing is refitted on the way: features place a user before the first event,
and every event is folded in by ``history``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import (
    ColdUserSplit,
    FeatureTable,
    HybridMFRecommender,
    ItemKNNRecommender,
    NgramTextEncoder,
    PopularRecommender,
    UserKNNRecommender,
    compare,
    evaluate,
    load_bookshop,
)
from skrec.inspection import MetricAtKDisplay

language = "en"  # or "zh", the Chinese bookshop

# %%
# New users
# ---------
#
# Some users are held out whole. Of each, the last five events are what is to be found, whatever number of the events
# before is given, so that all points of a curve are about the same targets.

n_targets, n_events = 5, [0, 1, 2, 5, 10]
shop = load_bookshop(language=language)
X, users = shop.interactions, shop.user_features[["user_id", "biography"]]
split = ColdUserSplit(n_splits=1, test_size=0.3, min_events=n_targets + max(n_events), random_state=0)
train, test = next(split.split(X))
X_train, X_test = X.iloc[train], X.iloc[test].sort_values("timestamp", kind="stable")
before_the_end = X_test.groupby("user").cumcount(ascending=False)
print(f"{X_train['user'].nunique()} users to learn from, {X_test['user'].nunique()} new ones, such as:")
someone = X_test["user"].iloc[0]
print(f"{someone}: {users.set_index('user_id')['biography'][someone]}")

# %%
# Methods
# -------
#
# Popularity knows nothing of anybody. Item KNN and a plain matrix factorisation live on events alone, and start from
# popularity. With the users' features, the table holds the new users too: their features are known, their events
# are not.

table, encoder = FeatureTable(users), NgramTextEncoder(n_components=128, random_state=0)
with_features = HybridMFRecommender(user_encoder=encoder, random_state=0)
models = {
    "popularity": PopularRecommender().fit(X_train),
    "item KNN, events": ItemKNNRecommender().fit(X_train),
    "user KNN, events and biographies": UserKNNRecommender(user_encoder=encoder).fit(X_train, user_features=table),
    "hybrid MF, events": HybridMFRecommender(random_state=0).fit(X_train),
    "hybrid MF, events and biographies": with_features.fit(X_train, user_features=table),
}

# %%
# Event by event
# --------------
#
# ``n_history=n`` folds the first n events of each new user in and asks for the rest.

tables, gains = [], {}
for n in n_events:
    given = X_test[before_the_end < n_targets + n]
    asked = {"metrics": "ndcg@10", "n_history": n or None, "random_state": 0}
    tables.append(evaluate(models, given, **asked).assign(events=n))
    gains[n] = compare(with_features, models["hybrid MF, events"], given, **asked).iloc[0]
curves = pd.concat(tables)
means = curves.pivot(index="model", columns="events", values="mean").loc[list(models)]
print(means.round(3).to_string())
print("\nWhat a biography adds to the matrix factorisation, by the number of events:")
for n, gain in gains.items():
    print(f"{n:3d}: {gain['difference']:+.3f}, 95 % interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# What the curves say
# -------------------
#
# Before the first event, features are all there is, and only the methods that read them leave popularity. One event
# tells more than a biography, and with every further one the head start melts: from some events on, a biography does
# not pay.
#
# The bands are 95 % bootstrap intervals over users, for each curve by itself. The same users stand behind all
# curves, so :func:`~skrec.metrics.compare` tells two methods apart far better than the bands do.

figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
bands = curves.set_index("model")[["mean", "ci_low", "ci_high"]]
display = MetricAtKDisplay(metric="ndcg", k=1 + np.array(n_events), curves={name: bands.loc[name] for name in models})
display.plot(axis)
axis.set_xticks(display.k, [str(n) for n in n_events])
axis.set(xlabel="events that are known of a new user", ylabel="NDCG@10", ylim=(0, None))
plt.show()
