"""People one may know, and items for users without events, on Last.fm HetRec (user_artists.dat, user_friends.dat).

python examples/benchmarks/friends.py FOLDER [SEED]

A fifth of the undirected links is hidden, in both directions; Recall@10 of those. Then the events of a fifth of the
users are hidden;
NDCG@10 of those, with the links as they are and with their ends shuffled. Intervals are paired bootstraps.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

from skrec import LinkTable, PopularRecommender, SocialRecommender

DISCOUNT = 1 / np.log2(np.arange(2, 12))


def read(path):
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    width = max(map(len, rows))
    return np.array([row for row in rows if len(row) == width and row[0].isdigit()], dtype=np.int64)


def interval(more, less, rng):
    gap = more - less
    means = [gap[rng.integers(0, len(gap), len(gap))].mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{gap.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def recalls(X, y, train, hidden, weights):
    rec = SocialRecommender(PopularRecommender(), 0.0, people_weights=weights)
    rec.fit(X, y, user_links=LinkTable(train))
    users = np.unique(hidden)
    wanted = {user: set(hidden[(hidden == user).any(axis=1)].ravel()) - {user} for user in users}
    people, _ = rec.recommend_users(users, 10)
    return np.array([len(wanted[user] & set(row)) / len(wanted[user]) for user, row in zip(users, people, strict=True)])


def gains(X, y, links, cold, **options):
    kept = ~np.isin(X[:, 0], cold)
    rec = SocialRecommender(PopularRecommender(), 0.0, **options).fit(X[kept], y[kept], user_links=LinkTable(links))
    found = []
    for user, row in zip(cold, rec.recommend(cold, 10).items, strict=True):
        own = X[X[:, 0] == user, 1]
        found.append((np.isin(row, own) * DISCOUNT).sum() / DISCOUNT[: len(own)].sum())
    return np.array(found)


def main(folder, seed):
    warnings.simplefilter("ignore")
    events, friends = read(Path(folder) / "user_artists.dat"), read(Path(folder) / "user_friends.dat")
    X, y, rng = events[:, :2], events[:, 2].astype(float), np.random.default_rng(seed)
    links = np.unique(np.sort(friends, axis=1), axis=0)
    order = rng.permutation(len(links))
    n_hidden = round(len(links) / 5)
    hidden, train = links[order[:n_hidden]], links[order[n_hidden:]]
    settings = {"Adamic-Adar": {"common_friends": 1}, "taste": {"taste": 1}, "walks": {"walks": 1}}
    settings |= {"Adamic-Adar and taste": {"common_friends": 1, "taste": 1}, "the default": None}
    found = {name: recalls(X, y, train, hidden, weights) for name, weights in settings.items()}
    for name, values in found.items():
        against = interval(found["the default"], values, rng)
        print(f"people, {name}: Recall@10 {values.mean():.4f}; the default against it {against}")
    users = np.unique(X[:, 0])
    cold = rng.permutation(users)[: len(users) // 5]
    shuffled = np.column_stack([links[:, 0], rng.permutation(links[:, 1])])
    found = {
        "popularity": gains(X, y, [], cold),
        "what friends chose": gains(X, y, links, cold, friends_of_friends=0, cold_weight=1),
        "shuffled links": gains(X, y, shuffled, cold),
        "the default": gains(X, y, links, cold),
    }
    for name, values in found.items():
        against = interval(found["the default"], values, rng)
        print(f"cold users, {name}: NDCG@10 {values.mean():.4f}; the default against it {against}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
