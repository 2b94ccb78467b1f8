"""
Paths or broad tastes: a filter over the graph of users and items
=================================================================

:class:`~skrec.graph.GraphRecommender` has two parts: paths over two edges of the graph, and its smoothest components.
How much of each is best, and how many components, is read off held-out events. Edges between items with like texts
reach items that nobody has chosen yet.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec import GraphRecommender, ItemKNNRecommender, LeaveKOut, PopularRecommender, compare, evaluate
from skrec.datasets import make_interactions
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable

# %%
# Films, and who has seen them
# ----------------------------
#
# Made data of eight tastes. Two events of each user are held out to choose by, and two more to measure on: their edges
# are not in the graph.

data = make_interactions(300, 120, 6_000, random_state=0)
X = data.X[["user", "item"]]
rest, test = next(iter(LeaveKOut(2, n_splits=1, random_state=0).split(X)))
X_rest, X_test = X.iloc[rest], X.iloc[test]
train, validation = next(iter(LeaveKOut(2, n_splits=1, random_state=1).split(X_rest)))
X_train, X_validation = X_rest.iloc[train], X_rest.iloc[validation]
print(f"{len(X_train)} edges, {len(X_validation)} to choose by, {len(X_test)} to measure on")

# %%
# Each curve has one number of components
# ---------------------------------------
#
# ``damping`` takes weight from the smaller components, as ridge regression does. Without it, too many of them do harm.


def graph(n_factors, low_pass, damping=0.0):
    return GraphRecommender(
        n_factors, low_pass=low_pass, damping=damping, user_exponent=0.2, item_exponent=0.2, random_state=0
    )


weights = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
settings = [(4, 0.0), (16, 0.0), (16, 0.05), (64, 0.0), (64, 0.05)]
curves = {
    (n, damping): [graph(n, weight, damping).fit(X_train).score(X_validation) for weight in weights]
    for n, damping in settings
}
figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for ((n_factors, damping), scores), marker in zip(curves.items(), "osDv^", strict=True):
    name = f"{n_factors} components" + (f", damping {damping}" if damping else "")
    print(f"{name}: " + ", ".join(f"{score:.3f}" for score in scores))
    axis.plot(weights, scores, marker=marker, label=name)
axis.set(xlabel="weight of the low-pass part", ylabel="NDCG@10 of held-out events")
axis.legend(frameon=False)

# %%
# Does the graph pay?
# -------------------
#
# The best setting by the first held-out events, on the second. It is far above popularity. What it gains over counts of
# pairs is about what chance alone may give.

n_factors, damping = max(curves, key=lambda setting: max(curves[setting]))
weight = weights[int(np.argmax(curves[n_factors, damping]))]
best = f"graph, {n_factors} components, weight {weight}, damping {damping}"
models = {
    "popularity": PopularRecommender().fit(X_rest),
    "item KNN": ItemKNNRecommender().fit(X_rest),
    best: graph(n_factors, weight, damping).fit(X_rest),
}
table = evaluate(models, X_test, metrics="ndcg@10", random_state=0)
print(table[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))
for name in ("popularity", "item KNN"):
    gain = compare(models[best], models[name], X_test, metrics="ndcg@10", random_state=0).iloc[0]
    print(f"graph over {name}: {gain['difference']:+.3f}, interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# New films, by edges of their texts
# ----------------------------------
#
# Every sixth film loses all of its events. Edges to the films with the nearest descriptions reach it all the same. The
# new films are ranked among themselves; descriptions that are dealt out at random reach less.

is_new = X["item"] % 6 == 0
descriptions = data.item_features[["item_id", "description"]]
shuffled = descriptions.assign(description=np.random.default_rng(0).permutation(descriptions["description"]))
encoder = LLMTextEmbedder(model=HashingTextEncoder())
reached = {}
for name, texts in {"own descriptions": descriptions, "dealt out at random": shuffled}.items():
    model = graph(16, 0.8).set_params(signal="events", item_encoder=encoder)
    model.fit(X[~is_new], item_features=FeatureTable(texts))
    scores = evaluate(model, X[is_new], metrics="ndcg@10", candidates=X["item"][is_new].unique(), random_state=0)
    reached[name] = scores.iloc[0]
    print(f"{name}: {reached[name]['mean']:.3f} ({reached[name]['ci_low']:.3f} to {reached[name]['ci_high']:.3f})")

figure, axis = plt.subplots(figsize=(6.5, 2), layout="constrained")
means = np.array([row["mean"] for row in reached.values()])
errors = [means - [row["ci_low"] for row in reached.values()], [row["ci_high"] for row in reached.values()] - means]
axis.barh(list(reached), means, xerr=errors, color=["C0", "0.7"])
axis.set(xlabel="NDCG@10 of new films among themselves")
plt.show()
