"""
What friends listen to: lists for people without events
=======================================================

Someone who has just joined a music service has no history, but may have friends there.
:class:`~skrec.graph.SocialRecommender` blends what friends chose into the lists of any recommender, and its
``recommend_users`` tells whom one may know.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec import LinkTable, PopularRecommender, SocialRecommender, compare
from skrec.inspection import QualityByGroupDisplay

# %%
# People, tastes and friends
# --------------------------
#
# Everybody has one of six tastes. Four friends in five are of the same taste: like attracts like, but not always. (The
# data are made up; ``examples/benchmarks/friends.py`` measures on Last.fm.)

rng = np.random.default_rng(0)
tastes = ["jazz", "folk", "techno", "opera", "metal", "hip hop"]
n_people, n_artists = 400, 120
taste = rng.integers(0, len(tastes), n_people)
fame = (1 + np.arange(n_artists)) ** -0.7
kind = rng.permutation(np.arange(n_artists) % len(tastes))
artists = np.array([f"{tastes[kind[number]]} artist {number}" for number in range(n_artists)])


def chosen(person, n):
    """Artists that a person listens to: famous ones, and those of the own taste."""
    weight = fame * np.where(kind == taste[person], 12, 1)
    return artists[rng.choice(n_artists, n, replace=False, p=weight / weight.sum())]


def friends_of(person, n):
    """Friends of a person, most of them of the same taste."""
    same = rng.permutation(np.flatnonzero(taste == taste[person]))
    anyone = rng.permutation(n_people)
    picked = [same[at] if rng.random() < 0.8 else anyone[at] for at in range(n)]
    return [(person, friend) for friend in picked if friend != person]


plays = pd.DataFrame([(p, artist) for p in range(n_people) for artist in chosen(p, 12)], columns=["person", "artist"])
links = [pair for person in range(n_people) for pair in friends_of(person, rng.integers(0, 7))]
print(plays.head(3).to_string(index=False))
print(f"{len(plays)} artists in the histories of {n_people} people, {len(links)} friendships")

# %%
# Newcomers
# ---------
#
# A third of the people have just come: their events are held out, all of them.

new = rng.random(n_people) < 1 / 3
is_new = new[plays["person"]]
X, X_test = plays[~is_new], plays[is_new]
popular = PopularRecommender().fit(X)
social = SocialRecommender(PopularRecommender()).fit(X, user_links=LinkTable(links))
gain = compare(social, popular, X_test, metrics="ndcg@10", random_state=0).iloc[0]
print(f"friends over popularity: {gain['difference']:+.3f}, interval {gain['ci_low']:+.3f} to {gain['ci_high']:+.3f}")

# %%
# One newcomer, and the reasons:

pairs = np.array(links)
known = np.zeros(n_people, int)
for one, other in (pairs.T, pairs.T[::-1]):
    np.add.at(known, one, ~new[other])
someone = int(np.flatnonzero(new & (known > 3))[0])
found = social.recommend([someone], k=4)
print(f"person {someone}, who likes {tastes[taste[someone]]}, and has {known[someone]} friends with events:")
for artist, why in zip(found.items[0], social.explain(found).text, strict=True):
    print(f"  {artist}: {why}")

# %%
# By the number of friends
# ------------------------
#
# Friends without events say nothing: what counts is how many friends a newcomer has who have been there before. From
# two of them on, lists are far above those by popularity. Without any, friends of friends may still tell something.

by = np.minimum(known[X_test["person"]], 8)
figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
models = {"popularity": popular, "with friends": social}
display = QualityByGroupDisplay.from_estimator(models, X_test, by=by, n_groups=9, random_state=0, ax=axis)
axis.set_xlabel("friends with events; 8 stands for 8 and more (held-out events)")
for name, curve in display.curves.items():
    print(f"{name}: " + ", ".join(f"{mean:.2f}" for mean in curve[:, 0]))

# %%
# People one may know
# -------------------

people = social.recommend_users([someone], k=3)
for person, reason in zip(people.items[0].tolist(), people.reasons[0], strict=False):
    print(f"person {person} ({tastes[taste[person]]}): {reason}")
plt.show()
