"""
Paths or broad tastes: a filter over the graph of users and items
=================================================================

:class:`~skrec.graph.GraphRecommender` has two parts: paths over two edges of the graph, and its smoothest components.
How much of each is best, and how many components, is read off held-out events.
"""

import matplotlib.pyplot as plt
import numpy as np

from skrec import GraphRecommender, ItemKNNRecommender, LeaveKOut, PopularRecommender, compare, evaluate
from skrec.datasets import make_interactions

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


def graph(n_factors, low_pass):
    return GraphRecommender(n_factors, low_pass=low_pass, user_exponent=0.2, item_exponent=0.2, random_state=0)


weights = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
curves = {n: [graph(n, weight).fit(X_train).score(X_validation) for weight in weights] for n in (4, 16, 64)}
figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (n_factors, scores), marker in zip(curves.items(), "osD", strict=True):
    print(f"{n_factors:3d} components: " + ", ".join(f"{score:.3f}" for score in scores))
    axis.plot(weights, scores, marker=marker, label=f"{n_factors} components")
axis.set(xlabel="weight of the low-pass part", ylabel="NDCG@10 of held-out events")
axis.legend(frameon=False)

# %%
# Does the graph pay?
# -------------------
#
# The best setting by the first held-out events, on the second. It is far above popularity, and no better than counts
# of pairs: on a small log like this one, item KNN is the simpler choice.

n_factors = max(curves, key=lambda n: max(curves[n]))
weight = weights[int(np.argmax(curves[n_factors]))]
models = {
    "popularity": PopularRecommender().fit(X_rest),
    "item KNN": ItemKNNRecommender().fit(X_rest),
    f"graph, {n_factors} components, weight {weight}": graph(n_factors, weight).fit(X_rest),
}
table = evaluate(models, X_test, metrics="ndcg@10", random_state=0)
print(table[["model", "mean", "ci_low", "ci_high"]].round(3).to_string(index=False))
for name in ("popularity", "item KNN"):
    best = models[f"graph, {n_factors} components, weight {weight}"]
    gain = compare(best, models[name], X_test, metrics="ndcg@10", random_state=0).iloc[0]
    print(f"graph over {name}: {gain['difference']:+.3f}, interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")
plt.show()
