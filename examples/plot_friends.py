"""
What friends choose: lists for people without events
====================================================

Someone who has just come has no history, but may have friends. :class:`~skrec.graph.SocialRecommender` blends what
friends chose into the lists of any recommender, and its ``recommend_users`` tells whom one may know.

Run it with ``python examples/plot_friends.py``.
"""

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec.dummy import PopularRecommender
from skrec.graph import SocialRecommender
from skrec.inspection import QualityByGroupDisplay
from skrec.interactions import LinkTable

parser = argparse.ArgumentParser(description="Lists for people without events, by the number of their friends.")
parser.add_argument("--plot", metavar="FILE", default="friends.png", help="where to save the plot")
parser.add_argument("--quick", action="store_true", help="fewer people")
arguments = parser.parse_args()

# %%
# People, tastes and friends
# --------------------------
#
# Everybody has one of six tastes. Four friends in five are of the same taste: like attracts like, but not always. (The
# data are made up; ``examples/benchmarks/friends.py`` measures on Last.fm.)

rng = np.random.default_rng(0)
n_people, n_items, n_tastes = 200 if arguments.quick else 600, 120, 6
taste = rng.integers(0, n_tastes, n_people)
fame = (1 + np.arange(n_items)) ** -0.7
kind = rng.permutation(np.arange(n_items) % n_tastes)


def chosen(person, n):
    """Items that a person chooses: famous ones, and those of the own taste."""
    weight = fame * np.where(kind == taste[person], 12, 1)
    return rng.choice(n_items, n, replace=False, p=weight / weight.sum())


def friends_of(person, n):
    """Friends of a person, most of them of the same taste."""
    alike = rng.permutation(np.flatnonzero(taste == taste[person]))
    anyone = rng.permutation(n_people)
    picked = [alike[at] if rng.random() < 0.8 else anyone[at] for at in range(n)]
    return [(person, friend) for friend in picked if friend != person]


events = pd.DataFrame([(p, item) for p in range(n_people) for item in chosen(p, 12)], columns=["person", "item"])
links = [pair for person in range(n_people) for pair in friends_of(person, rng.integers(0, 7))]

# %%
# Newcomers
# ---------
#
# A third of the people have just come: their events are held out, all of them.

new = rng.random(n_people) < 1 / 3
is_new = new[events["person"]]
X, X_test = events[~is_new], events[is_new]
popular = PopularRecommender().fit(X)
social = SocialRecommender(PopularRecommender()).fit(X, user_links=LinkTable(links))

# %%
# By the number of friends
# ------------------------
#
# Friends without events say nothing: what counts is how many friends a newcomer has who have been there before. From
# two of them on, lists are far above those by popularity. Without any, friends of friends may still tell something.

pairs = np.array(links)
known = np.zeros(n_people, int)
for one, other in (pairs.T, pairs.T[::-1]):
    np.add.at(known, one, ~new[other])
by = np.minimum(known[X_test["person"]], 8)
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
display = QualityByGroupDisplay.from_estimator(
    {"popularity": popular, "with friends": social}, X_test, by=by, n_groups=9, random_state=0, ax=ax
)
ax.set_xlabel("friends with events; 8 stands for 8 and more (held-out events)")
figure.savefig(arguments.plot, dpi=120)
for name, curve in display.curves.items():
    print(f"{name}: " + ", ".join(f"{mean:.2f}" for mean in curve[:, 0]))

# %%
# People one may know
# -------------------

someone = int(np.flatnonzero(new & (known > 3))[0])
found = social.recommend_users([someone], k=3)
for person, reason in zip(found.items[0].tolist(), found.reasons[0], strict=False):
    print(f"person {person}: {reason}")
print(f"Plot saved to {arguments.plot}.")
