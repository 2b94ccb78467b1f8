"""
Paths or broad tastes: a filter over the graph of users and items
=================================================================

:class:`~skrec.graph.GraphRecommender` has two parts: paths over two edges of the graph, and its smoothest components.
How much of each is best, and how many components, is read off held-out events.

Run it with ``python examples/plot_graph.py``.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from skrec.datasets import make_interactions
from skrec.graph import GraphRecommender
from skrec.model_selection import LeaveKOut

parser = argparse.ArgumentParser(description="Held-out NDCG@10 of a graph filter by the weight of its parts.")
parser.add_argument("--plot", metavar="FILE", default="graph.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="few points of each curve")
arguments = parser.parse_args()

# %%
# Two events of each user are held out: their edges are not in the graph.
X = make_interactions(300, 120, 6_000, random_state=0).X
X = X[["user", "item"]]
train, test = next(iter(LeaveKOut(2, n_splits=1, random_state=0).split(X)))

# %%
# Each curve has one number of components.
weights = [0.0, 0.5, 1.0] if arguments.quick else [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
fig, ax = plt.subplots(figsize=(6, 4))
for n_factors in (4, 16, 64):
    scores = []
    for low_pass in weights:
        rec = GraphRecommender(n_factors, low_pass=low_pass, user_exponent=0.2, item_exponent=0.2, random_state=0)
        scores.append(rec.fit(X.iloc[train]).score(X.iloc[test]))
    print(f"{n_factors:3d} components: " + ", ".join(f"{score:.3f}" for score in scores))
    ax.plot(weights, scores, marker="o", label=f"{n_factors} components")
ax.set_xlabel("weight of the low-pass part")
ax.set_ylabel("NDCG@10 of held-out events")
ax.legend()
fig.tight_layout()
fig.savefig(arguments.plot)
print(f"Plot saved to {arguments.plot}")
