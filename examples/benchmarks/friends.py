"""People one may know, and items for users without events, on Last.fm HetRec (user_artists.dat, user_friends.dat).

    python examples/benchmarks/friends.py FOLDER
    python examples/benchmarks/friends.py --synthetic 1000000

Each of five random splits hides three things in turn, and the figures are means over the splits:

- a fifth of the undirected links, in both directions: Recall@10 of those among the people recommended;
- the events of a fifth of the users: NDCG@10 of those, with the links as they are and with their ends shuffled;
- a fifth of the events of all users: NDCG@10 of those by an item KNN, with and without friends.

Intervals are bootstraps over users of the pairwise differences, all splits together. With ``--synthetic``: time and
memory of as many made links with five events for each.
"""

import argparse
import resource
import time
import warnings

import numpy as np

from skrec import ItemKNNRecommender, LinkTable, PopularRecommender, SocialRecommender
from skrec.datasets import fetch_social

K = 10
DISCOUNT = 1 / np.log2(np.arange(2, K + 2))


def interval(more, less):
    rng = np.random.default_rng(0)
    gap = more - less
    means = [gap[rng.integers(0, len(gap), len(gap))].mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{gap.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def report(title, splits, against):
    """One line for each model: mean over the splits, lowest and highest, and the difference to one of them."""
    print(title)
    for name in splits[0]:
        means = [found[name].mean() for found in splits]
        more, less = (np.concatenate([found[which] for found in splits]) for which in (against, name))
        beside = "" if name == against else f"; {against} against it {interval(more, less)}"
        print(f"  {name:34s} {np.mean(means):.4f}, {min(means):.4f} to {max(means):.4f}{beside}")


def recalls(people, users, hidden):
    wanted = {user: set(hidden[(hidden == user).any(axis=1)].ravel()) - {user} for user in users}
    return np.array([len(wanted[user] & set(row)) / len(wanted[user]) for user, row in zip(users, people, strict=True)])


def known_by_most(users, links):
    """The users with most links, less oneself and one's friends."""
    names, degree = np.unique(links, return_counts=True)
    order = names[np.argsort(-degree, kind="stable")]
    lists = []
    for user in users:
        friends = links[(links == user).any(axis=1)]
        lists.append(order[~np.isin(order, np.append(friends, user))][:K])
    return lists


def people(X, y, links, rng):
    order = rng.permutation(len(links))
    hidden, train = np.split(links[order], [round(len(links) / 5)])
    users = np.unique(hidden)
    settings = {"Adamic-Adar": {"common_friends": 1}, "taste": {"taste": 1}, "walks": {"walks": 1}}
    settings |= {"Adamic-Adar and taste": {"common_friends": 1, "taste": 1}, "the default": None}
    found = {"most links": recalls(known_by_most(users, train), users, hidden)}
    for name, weights in settings.items():
        rec = SocialRecommender(PopularRecommender(), 0.0, people_weights=weights)
        rec.fit(X, y, user_links=LinkTable(train))
        found[name] = recalls(rec.recommend_users(users, K).items, users, hidden)
    return found


def gains(lists, users, X):
    found = []
    for user, row in zip(users, lists, strict=True):
        own = X[X[:, 0] == user, 1]
        found.append((np.isin(row, own) * DISCOUNT).sum() / DISCOUNT[: len(own)].sum())
    return np.array(found)


def cold_users(X, y, links, rng):
    users = np.unique(X[:, 0])
    cold = rng.permutation(users)[: len(users) // 5]
    kept = ~np.isin(X[:, 0], cold)
    shuffled = np.column_stack([links[:, 0], rng.permutation(links[:, 1])])

    def by(user_links, weights=y, **options):
        rec = SocialRecommender(PopularRecommender(), 0.0, **options)
        rec.fit(X[kept], weights[kept], user_links=LinkTable(user_links))
        return gains(rec.recommend(cold, K).items, cold, X)

    return {
        "popularity by listenings": by([]),
        "popularity by listeners": by([], np.ones(len(X))),
        "shuffled links": by(shuffled),
        "what friends chose": by(links, friends_of_friends=0, cold_weight=1),
        "the default": by(links),
    }


def warm_users(X, y, links, rng):
    held_out = rng.random(len(X)) < 0.2
    users = np.intersect1d(X[held_out, 0], X[~held_out, 0])
    base = ItemKNNRecommender()
    social = SocialRecommender(base).fit(X[~held_out], y[~held_out], user_links=LinkTable(links))
    alone = base.fit(X[~held_out], y[~held_out])
    return {
        name: gains(rec.recommend(users, K).items, users, X[held_out])
        for name, rec in {"item KNN": alone, "with friends": social}.items()
    }


def synthetic(n_links):
    rng = np.random.default_rng(0)
    n_users = n_links // 10
    X = np.column_stack([rng.integers(0, n_users, 5 * n_links), (20_000 * rng.random(5 * n_links) ** 2).astype(int)])
    links = rng.integers(0, n_users, (n_links, 2))
    start = time.process_time()
    rec = SocialRecommender(PopularRecommender(), 0.3).fit(X, user_links=LinkTable(links))
    fitted = time.process_time()
    rec.recommend(np.arange(1000), K)
    listed = time.process_time()
    rec.recommend_users(np.arange(1000), K)
    asked = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(X):,} events, {n_links:,} links, {n_users:,} users: fit {fitted - start:.1f} CPU s, 1,000 lists "
        f"{listed - fitted:.2f}, people for 1,000 users {asked - listed:.1f}; peak memory {memory:.1f} GiB"
    )


def main():
    parser = argparse.ArgumentParser(description="Friends on Last.fm, or memory and time of made links.")
    parser.add_argument("folder", nargs="?", help="holds user_artists.dat, user_friends.dat and artists.dat")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--synthetic", type=int, metavar="LINKS")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.synthetic:
        synthetic(arguments.synthetic)
        return
    music = fetch_social("lastfm", folder=arguments.folder, frame=None)
    X, y, links = music.X, music.y, np.unique(np.sort(music.user_links, axis=1), axis=0)
    for title, task, against in (
        ("people, Recall@10", people, "the default"),
        ("users without events, NDCG@10", cold_users, "the default"),
        ("users with events, NDCG@10", warm_users, "with friends"),
    ):
        splits = [task(X, y, links, np.random.default_rng(seed)) for seed in range(arguments.splits)]
        report(title, splits, against)


if __name__ == "__main__":
    main()
