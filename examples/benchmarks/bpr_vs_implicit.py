"""BPR and WARP against the BPR of the implicit library: seconds an epoch, one thread each, and quality.

    python examples/benchmarks/bpr_vs_implicit.py [--ml-100k FOLDER] [--events 2000000] [--rounds 5]

Both pass over the same events with the same number of factors; the runs alternate, and the median of the ratios is
printed, since other work on the machine slows both. An epoch of implicit is the time of a fit of two epochs less that
of one. With a folder of MovieLens 100K, NDCG@10 on the ``ua`` split: settings are chosen on the training part alone,
10 events per user held out at random as in the split itself.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from als_vs_implicit import make_matrix
from sklearn.model_selection import GridSearchCV

from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.model_selection import LeaveKOut

PAIRWISE = ("bpr", "warp")


def state_and_events(matrix: sp.csr_matrix, n_factors: int) -> tuple:
    """Small random factors, and the entries as events."""
    from skrec._kernels.als.sweeps import aligned_zeros
    from skrec._kernels.sgd.epochs import Events, ParameterRows, State

    rng = np.random.default_rng(0)
    sides = []
    for n_rows in (*matrix.shape, 0):
        factors = aligned_zeros(n_rows, n_factors + 1)
        factors[:, :n_factors] = 0.01 * rng.standard_normal((n_rows, n_factors), dtype=np.float32)
        sides.append(ParameterRows(factors, np.full(n_rows, 0.01, np.float32), np.ones(n_rows, bool)))
    users, items = (codes.astype(np.int32) for codes in matrix.nonzero())
    ones = np.ones(matrix.nnz, np.float32)
    return State(*sides, n_factors), Events(users, items, ones, np.zeros((matrix.nnz, 0), np.float32))


def seconds_of_implicit(matrix: sp.csr_matrix, n_factors: int) -> float:
    """An epoch of implicit's BPR."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    taken = []
    for iterations in (1, 2):
        model = BayesianPersonalizedRanking(n_factors, iterations=iterations, num_threads=1, random_state=0)
        start = time.perf_counter()
        model.fit(matrix, show_progress=False)
        taken.append(time.perf_counter() - start)
    return taken[1] - taken[0]


def compare_epochs(arguments: argparse.Namespace) -> None:
    """Print seconds an epoch and their ratios."""
    from skrec._kernels.sgd.pairwise import PairwiseTrainer

    matrix = sp.csr_matrix(make_matrix(arguments.events, arguments.users, arguments.items))
    matrix.sort_indices()
    negatives = np.unique(matrix.indices)
    runs = {}
    for loss in PAIRWISE:
        state, events = state_and_events(matrix, arguments.factors)
        trainer = PairwiseTrainer(loss, negatives, sp.csr_array(matrix), learning_rate=0.05, n_negatives=20)
        # Compiles; WARP draws more once it has learned, so that its first epoch would flatter it.
        for _ in range(3):
            trainer.epoch(state, events, np.random.default_rng(0))
        runs[loss] = (trainer, state, events)
    ours: dict[str, list[float]] = {loss: [] for loss in PAIRWISE}
    theirs = []
    for seed in range(arguments.rounds):
        theirs.append(seconds_of_implicit(matrix, arguments.factors))
        for loss, (trainer, state, events) in runs.items():
            start = time.perf_counter()
            trainer.epoch(state, events, np.random.default_rng(seed))
            ours[loss].append(time.perf_counter() - start)
    print(
        f"{matrix.nnz} events, {arguments.factors} factors, one thread: implicit BPR {np.median(theirs):.2f} s an epoch"
    )
    for loss in PAIRWISE:
        ratio = np.median(np.array(theirs) / np.array(ours[loss]))
        print(f"  {loss:5} {np.median(ours[loss]):.2f} s an epoch: {ratio:.2f} x as fast", flush=True)


def compare_quality(folder: Path) -> None:
    """Print NDCG@10 on ua.test, with defaults and with settings chosen within ua.base."""
    names = ["user", "item", "rating", "time"]
    train, test = (pd.read_csv(folder / f"ua.{part}", sep="\t", names=names)[names[:2]] for part in ("base", "test"))
    splitter = LeaveKOut(10, n_splits=2, random_state=0)
    theirs = {"learning_rate": [0.01, 0.05], "regularization": [0.01, 0.03], "max_iter": [100, 200]}
    searches = {
        "implicit": (BPRRecommender(random_state=0), theirs),
        "bpr": (HybridMFRecommender(solver="bpr", random_state=0), {"regularization": [0.5, 1.0, 2.0]}),
        "warp": (HybridMFRecommender(solver="warp", random_state=0), {"regularization": [3.0, 5.0, 10.0]}),
    }
    for name, (recommender, grid) in searches.items():
        defaults = recommender.fit(train).score(test)
        found = GridSearchCV(recommender, grid, cv=splitter).fit(train)
        print(
            f"  {name:9} NDCG@10 on ua.test {defaults:.4f} by defaults, {found.score(test):.4f} by "
            f"{found.best_params_}, chosen within ua.base ({found.best_score_:.4f})",
            flush=True,
        )
    softmax = HybridMFRecommender(solver="softmax", random_state=0).fit(train)
    print(f"  softmax   NDCG@10 on ua.test {softmax.score(test):.4f} by defaults", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ml-100k", type=Path, help="folder with ua.base and ua.test")
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    compare_epochs(arguments)
    if arguments.ml_100k:
        compare_quality(arguments.ml_100k)


if __name__ == "__main__":
    main()
