"""Ten metrics of 20,000 lists of 20 items: ``evaluate`` beside ranx and RecTools.

    python examples/benchmarks/evaluate_vs_peers.py --python ranx=/path/to/python rectools=/path/to/python

Each library gets the same lists and held-out events, in the form that it reads: skrec a recommender that has the lists
ready and an array of events, ranx and RecTools frames. What they make of these counts; for ranx also the metrics alone
are timed, of a ``Qrels`` and a ``Run`` that stand already. Every measurement is a process of its own, the libraries
take turns in both orders, and a run before the clock starts loads and compiles. Seconds are those of the processor,
one thread each; ratios are medians over the rounds. A library without a ``--python`` runs in this one, and is passed
over where it is not installed: RecTools asks for older numpy than skrec and needs an environment of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

NAMES = ["ndcg", "recall", "precision", "hit_rate", "map"]
METRICS = [f"{name}@{k}" for k in (10, 20) for name in NAMES]


def make(path: Path, n_users: int, n_items: int, k: int, n_held_out: int) -> None:
    """Lists by popularity and chance, and held-out events of the same kind."""
    rng = np.random.default_rng(0)
    popularity = np.log(1 / np.arange(20, n_items + 20) ** 0.8)
    lists, held_out = np.empty((n_users, k), np.int64), np.empty((n_users, n_held_out), np.int64)
    for user in range(n_users):
        order = np.argsort(-(popularity + rng.gumbel(size=n_items)))
        lists[user] = order[:k]
        held_out[user] = np.argsort(-(popularity + rng.gumbel(size=n_items)))[:n_held_out]
    np.savez(path, lists=lists, held_out=held_out, n_items=n_items)


def skrec(lists, held_out, n_items):
    """Seconds, and the metrics."""
    from sklearn.base import BaseEstimator

    from skrec.interactions import Histories
    from skrec.metrics import evaluate

    class Lists(BaseEstimator):
        """A recommender that has its lists ready: the public contract, and no more."""

        def __init__(self, lists: np.ndarray, n_items: int) -> None:
            self.users_, self.items_ = np.arange(len(lists)), np.arange(n_items)
            self._lists, self._scores = lists, np.tile(-np.arange(lists.shape[1], dtype=np.float32), (len(lists), 1))

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def fit(self, X, y=None):
            return self

        def seen_items(self, users):
            return Histories.empty(len(users))

        def recommend(self, users=None, k=10, *, exclude_seen=True):
            return self._lists[users, :k], self._scores[users, :k]

    users = np.repeat(np.arange(len(lists)), held_out.shape[1])
    X_test = np.column_stack([users, held_out.ravel()])
    recommender = Lists(lists, n_items)

    def work():
        table = evaluate(recommender, X_test, metrics=METRICS, n_bootstrap=0, verbose=False)
        return dict(zip(table["metric"], table["mean"], strict=True))

    return {"skrec": work}


def frames(lists, held_out):
    """Lists and events as RecTools and ranx read them."""
    import pandas as pd

    users = np.repeat(np.arange(len(lists)), lists.shape[1])
    rank = np.tile(np.arange(1, lists.shape[1] + 1), len(lists))
    found = pd.DataFrame({"user_id": users, "item_id": lists.ravel(), "rank": rank, "score": 100.0 - rank})
    users = np.repeat(np.arange(len(held_out)), held_out.shape[1])
    return found, pd.DataFrame({"user_id": users, "item_id": held_out.ravel()})


def ranx(lists, held_out, n_items):
    """With and without reading the frames."""
    from ranx import Qrels, Run, evaluate

    found, events = frames(lists, held_out)
    text, objects = dict.fromkeys(("user_id", "item_id"), str), dict.fromkeys(("user_id", "item_id"), object)
    found, events = found.astype(text).astype(objects), events.astype(text).astype(objects).assign(score=1)

    def read():
        qrels = Qrels.from_df(events, q_id_col="user_id", doc_id_col="item_id", score_col="score")
        return qrels, Run.from_df(found, q_id_col="user_id", doc_id_col="item_id", score_col="score")

    ready = read()
    return {
        "ranx": lambda: evaluate(*read(), METRICS),
        "ranx, metrics alone": lambda: evaluate(*ready, METRICS),
    }


def rectools(lists, held_out, n_items):
    """``calc_metrics`` of frames."""
    from rectools.metrics import MAP, NDCG, HitRate, Precision, Recall, calc_metrics

    kinds = {"ndcg": NDCG, "recall": Recall, "precision": Precision, "hit_rate": HitRate, "map": MAP}
    metrics = {name: kinds[name.split("@")[0]](k=int(name.split("@")[1])) for name in METRICS}
    found, events = frames(lists, held_out)
    return {"RecTools": lambda: calc_metrics(metrics, reco=found, interactions=events)}


LIBRARIES = {"skrec": skrec, "ranx": ranx, "rectools": rectools}


def measure(library: str, path: str) -> None:
    """One line of JSON: seconds and metrics by contender."""
    data = np.load(path)
    found = {}
    try:
        contenders = LIBRARIES[library](data["lists"], data["held_out"], int(data["n_items"]))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    for name, work in contenders.items():
        work()
        start = time.process_time()
        values = work()
        found[name] = [time.process_time() - start, {metric: float(value) for metric, value in values.items()}]
    print(json.dumps(found))


def main() -> None:
    """All rounds, and one line for each contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--held-out", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", nargs="*", default=[], metavar="LIBRARY=PATH")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    python = {library: sys.executable for library in LIBRARIES} | dict(pair.split("=") for pair in arguments.python)
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")}
    seconds, values = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "lists.npz")
        make(Path(path), arguments.users, arguments.items, arguments.k, arguments.held_out)
        for turn in range(arguments.rounds):
            for library in list(LIBRARIES)[:: 1 if turn % 2 == 0 else -1]:
                command = [python[library], "-W", "ignore", __file__, "--measure", library, path]
                run = subprocess.run(command, capture_output=True, text=True, env=os.environ | one_thread, check=False)
                found = (
                    json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {"missing": run.stderr[-200:]}
                )
                if "missing" in found:
                    print(f"{library}: {found['missing']}", file=sys.stderr)
                    continue
                for name, (took, metrics) in found.items():
                    seconds.setdefault(name, []).append(took)
                    values[name] = metrics
    for name, took in seconds.items():
        ratio = median(theirs / ours for theirs, ours in zip(took, seconds["skrec"], strict=False))
        shown = ", ".join(f"{metric} {values[name][metric]:.4f}" for metric in METRICS)
        print(f"{name:20s} {median(took):7.3f} s  {ratio:6.1f} x   {shown}")


if __name__ == "__main__":
    main()
