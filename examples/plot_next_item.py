"""
The next item: does order matter?
=================================

A reader who has just begun a series wants its second volume next. Counts of what goes together know nothing of
that; a network that reads the history in its order may. Here it learns the bookshop's readers, and the same readers
with their histories shuffled: the difference is what order says. A model of counts stands beside it.

Run it with ``python examples/plot_next_item.py``. With ``--language zh`` it is the Chinese bookshop.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from skrec.datasets import load_bookshop
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import NgramTextEncoder
from skrec.inspection import plot_labels
from skrec.interactions import FeatureTable
from skrec.metrics import evaluate
from skrec.model_selection import LeaveLastOut
from skrec.neighbors import ItemKNNRecommender
from skrec.neural_network import SequentialRecommender

parser = argparse.ArgumentParser(description="A sequence model on the bookshop, in order and shuffled.")
parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop: English or Chinese")
parser.add_argument("--plot", metavar="FILE", default="next_item.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="a small network and few epochs")
arguments = parser.parse_args()

# %%
# The last event of each reader
# -----------------------------
#
# It is held out, and the whole catalogue is ranked less what the reader has had.

shop = load_bookshop(language=arguments.language)
X = shop.interactions
train, test = next(iter(LeaveLastOut().split(X)))
X_train, X_test = X.iloc[train], X.iloc[test]
books = FeatureTable(shop.item_features)

# %%
# A network over the history
# --------------------------
#
# A book is a learned vector and a map of its text. Training holds out the last event of a fifth of the readers, and
# keeps the epoch that ranks these best; a callback sees each epoch.

size = {"n_factors": 16, "n_layers": 1, "n_heads": 2, "max_iter": 3} if arguments.quick else {"n_factors": 64}
network = SequentialRecommender(
    **size,
    item_encoder=NgramTextEncoder(n_components=32 if arguments.quick else 128),
    max_length=20,
    validation_fraction=0.2,
    random_state=0,
)


def watch(report):
    print(f"epoch {report.epoch:2d}: loss {report.loss:.3f}, NDCG@10 {report.validation_score:.4f}")


in_order = network.fit(X_train, item_features=books, callbacks=watch)
losses, scores = in_order.loss_curve_, in_order.validation_scores_

# %%
# The same events, shuffled
# -------------------------
#
# Times are dealt out anew within each reader: the same books, in another order. At the test the network still reads the
# shuffled past.

models = {"Popular": PopularRecommender(), "ItemKNN": ItemKNNRecommender(), "Sequential": in_order}
found = {}
for name, model in models.items():
    fitted = model if model is in_order else model.fit(X_train)
    found[name] = evaluate(fitted, X_test, metrics=["ndcg@10"], n_bootstrap=0)["mean"].iloc[0]

shuffled = X_train.sample(frac=1, random_state=0).sort_values("user", kind="stable")
in_time = X_train.sort_values(["user", "timestamp"], kind="stable")
shuffled = shuffled.assign(timestamp=in_time["timestamp"].to_numpy())
network.fit(shuffled, item_features=books)
found["Sequential, shuffled"] = evaluate(network, X_test, metrics=["ndcg@10"], n_bootstrap=0)["mean"].iloc[0]
for name, value in found.items():
    print(f"{name:22s} {value:.4f}")

# %%
# A reader who is new
# -------------------
#
# A user is nothing but a history: no refit.

reader = X_test["user"].iloc[0]
past = X_train[X_train["user"] == reader].assign(user="new")
print(network.recommend(history=past, k=3).to_frame(titles=True))

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
epochs = np.arange(1, len(losses) + 1)
left.plot(epochs, losses, color="tab:gray", label="loss")
left.set(xlabel="epoch", ylabel="loss", title="training")
twin = left.twinx()
twin.plot(epochs, scores, color="tab:blue", marker="o")
twin.set_ylabel("NDCG@10 of held-out events", color="tab:blue")
right.barh(list(found), list(found.values()), color=["tab:gray", "tab:gray", "tab:blue", "tab:cyan"])
right.invert_yaxis()
right.set_xlabel("NDCG@10 of the last event")
title = plot_labels([shop.DESCR.splitlines()[0]])
right.set_title(title.texts[0], family=title.family)
figure.tight_layout()
figure.savefig(arguments.plot, dpi=120)
print(f"Plot saved to {arguments.plot}")
