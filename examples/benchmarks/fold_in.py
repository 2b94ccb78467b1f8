"""Users who were not in fit: what their first events gain over popularity, beside a fit that has these events too.

    python examples/benchmarks/fold_in.py [ML-100K-FOLDER] [--models MODEL ...] [--draws N]

Some users with eight events or more are held out whole. Each is folded in with its first n events, in a random order,
and all its later events are relevant; "fitted" is the same model, fitted to everyone else and to the n events. The
share is what is gained over popularity by folding in, over what is gained by fitting. Where fitting gains next to
nothing it means little. The interval is a paired 95 % bootstrap of folded less popularity, over users. Settings were
chosen on other users of both sets (``SEED`` 1), and on made ones. After one event the gain by fitting is small, and
the share of 150 users moves by tenths: ``--draws`` takes several draws of users together. The bookshop comes with the
library.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.base import clone

from skrec.datasets import fetch_movielens, load_bookshop
from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
from skrec.dummy import PopularRecommender
from skrec.metrics import ndcg_at_k

N_EVENTS, SEED = (1, 2, 5, 10, 20), 3
FEWEST_USERS = 30
MODELS = {
    **{f"hybrid MF, {solver}": HybridMFRecommender(solver=solver, random_state=0) for solver in ("als", "warp")},
    **{f"hybrid MF, {solver}": HybridMFRecommender(solver=solver, random_state=0) for solver in ("softmax", "bpr")},
    "BPR": BPRRecommender(random_state=0),
    "logistic MF": LogisticMFRecommender(random_state=0),
}


def hold_out(X, n_users, seed):
    """Events of all other users, those of the users held out, and the place of each of these in a random order."""
    rng = np.random.default_rng(seed)
    users, n_events = np.unique(X[:, 0], return_counts=True)
    held = np.isin(X[:, 0], rng.choice(users[n_events >= 8], n_users, replace=False))
    own = X[held][rng.permutation(held.sum())]
    own = own[np.argsort(own[:, 0], kind="stable")]
    return X[~held], own, np.arange(len(own)) - np.searchsorted(own[:, 0], own[:, 0])


def gains(model, X, n_users, seed):
    """NDCG@10 of each user held out, by number of events: popularity, folded in, fitted."""
    others, own, place = hold_out(X, n_users, seed)
    popular, rec = PopularRecommender().fit(others), clone(model).fit(others)
    found = {}
    for n in N_EVENTS:
        history, later = own[place < n], own[place >= n]
        users = np.unique(later[:, 0])
        if len(users) < FEWEST_USERS:
            continue
        chosen = [later[later[:, 0] == user, 1] for user in users]
        refitted = clone(model).fit(np.vstack([others, history]))
        lists = [
            popular.recommend(users, k=10, history=history),
            rec.recommend(users, k=10, history=history),
            refitted.recommend(users, k=10),
        ]
        found[n] = np.array([ndcg_at_k(chosen, part, k=10, average=False) for part in lists])
    return found


def table(X, n_users, models, n_draws):
    rows = []
    for name in models:
        draws = [gains(MODELS[name], X, n_users, SEED + draw) for draw in range(n_draws)]
        for n in draws[0]:
            of_popular, folded, fitted = np.hstack([draw[n] for draw in draws if n in draw])
            gain = folded - of_popular
            drawn = np.random.default_rng(0).integers(0, len(gain), (2000, len(gain)))
            low, high = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
            share = gain.mean() / (fitted - of_popular).mean()
            means = [part.mean() for part in (of_popular, folded, fitted)]
            rows.append((name, n, len(gain), *means, share, low, high))
        print(name, flush=True)
    columns = ["model", "events", "users", "popularity", "folded in", "fitted", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--draws", type=int, default=1, help="draws of users, taken together")
    args = parser.parse_args()
    folder = args.folder
    sets = {"bookshop": (np.asarray(load_bookshop(frame=None).X)[:, :2], 100)}
    if folder is not None:
        sets["MovieLens 100K"] = (fetch_movielens("100k", folder=folder).interactions[["user", "item"]].to_numpy(), 150)
    for name, (X, n_users) in sets.items():
        found = table(X, n_users, args.models, args.draws)
        print(f"\n{name}: NDCG@10 of {args.draws} times {n_users} users who were not in fit")
        print(found.to_string(index=False, float_format="{:.4f}".format), flush=True)


if __name__ == "__main__":
    main()
