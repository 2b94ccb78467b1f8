"""The same models in several libraries, on the same split, in one run: quality, seconds and memory.

    python examples/benchmarks/peers.py ML-100K-FOLDER AMAZON-BEAUTY-FOLDER --synthetic 5000000 --rounds 3

Each fit runs in a process of its own, and the libraries take turns, so that a busy machine slows all of them
the same. Every library starts from the same two arrays of ids; what it builds from them counts as fitting. A tiny
fit before the clock starts loads and compiles what there is to load and compile. Memory is the growth of the
peak over what stood after that. Ratios are theirs over ours: above 1 we are faster, or smaller.

skrecsys, implicit, RecTools and LensKit take part where they are installed (``pip install skrecsys rectools
lenskit``; the last two ask for older numpy and pandas than skrec needs and are best put in an environment of
their own with ``--no-deps``, named by ``--python rectools=/path/to/python``). A model stands beside its peers with the
parameters in ``peer_libraries.py``, which are not tuned for anybody: the table compares speed at like settings, and
shows that the quality is the same.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np
from peer_libraries import ADAPTERS, K

MODELS = ("item KNN", "BM25 KNN", "user KNN", "EASE", "ALS", "BPR")
LIBRARIES = tuple(ADAPTERS)

# Data ----------------------------------------------------------------------------------------------------------------


def load(source):
    """Training events and held-out events, two integer arrays (n, 2), by what the folder holds."""
    if source.isdigit():
        return synthetic(int(source))
    folder = Path(source)
    if (folder / "ua.base").exists():
        train, test = (np.loadtxt(folder / name, dtype=np.int64)[:, :2] for name in ("ua.base", "ua.test"))
    elif (folder / "user_sequence.txt").exists():
        rows = [line.split()[1:] for line in (folder / "user_sequence.txt").read_text().splitlines()]
        train = [(user, item) for user, items in enumerate(rows) for item in items[:-1]]
        test = [(user, items[-1]) for user, items in enumerate(rows)]
    elif (folder / "test.csv").exists():
        train, test = industrial(folder)
    elif (folder / "user_artists.dat").exists():
        rows = [line.split() for line in (folder / "user_artists.dat").read_text().splitlines()]
        events = np.array([row[:2] for row in rows if len(row) == 3 and row[0].isdigit()], dtype=np.int64)
        held_out = np.random.default_rng(0).random(len(events)) < 0.2
        train, test = events[~held_out], events[held_out]
    else:
        raise SystemExit(f"{source}: no data set that this script knows.")
    return encode(train, test)


def industrial(folder):
    """Histories of both files for training, less the targets of the test."""
    import ast

    import pandas as pd

    parts = {name: pd.read_csv(folder / f"{name}.csv") for name in ("valid", "test")}
    history = next(name for name in parts["test"].columns if "history_item_id" in name)
    user, target = (next(c for c in parts["test"].columns if c.startswith(start)) for start in ("user", "item_id"))
    test = list(zip(parts["test"][user], parts["test"][target].astype(str), strict=True))
    train = {
        (who, str(item))
        for part in parts.values()
        for who, items in zip(part[user], part[history], strict=True)
        for item in ast.literal_eval(items)
    }
    return sorted(train - set(test)), test


def synthetic(n_events, n_users=50_000, n_items=10_000):
    """A long tail of items, 20 tastes, users of different activity; the last choice of each user is held out."""
    rng = np.random.default_rng(0)
    activity = rng.lognormal(sigma=0.8, size=n_users)
    users = rng.choice(n_users, size=int(n_events * 1.15), p=activity / activity.sum())
    n_tastes = 20
    popularity = 1 / np.arange(20, n_items + 20) ** 0.8
    by_popularity = rng.permutation(n_items)
    items = by_popularity[rng.choice(n_items, size=len(users), p=popularity / popularity.sum())]
    # Seven choices of ten move to the nearest item of the user's taste.
    moved = rng.random(len(users)) < 0.7
    items[moved] = np.minimum(items[moved] // n_tastes * n_tastes + users[moved] % n_tastes, n_items - 1)
    events = rng.permutation(np.unique(np.column_stack([users, items]), axis=0))[: n_events + n_users]
    _, last = np.unique(events[:, 0], return_index=True)
    held_out = np.zeros(len(events), bool)
    held_out[last] = True
    return encode(events[~held_out], events[held_out])


def encode(train, test):
    """Codes from 0 for users and items; held-out events of unknown ones, and seen ones, are excluded."""
    train, test = (np.asarray([[str(u), str(i)] for u, i in part]) if not isinstance(part, np.ndarray) else part
                   for part in (train, test))  # fmt: skip
    codes = []
    for column in (0, 1):
        known, coded = np.unique(train[:, column], return_inverse=True)
        at = np.minimum(np.searchsorted(known, test[:, column]), len(known) - 1)
        codes.append((coded, np.where(known[at] == test[:, column], at, -1)))
    coded_train = np.unique(np.column_stack([codes[0][0], codes[1][0]]), axis=0).astype(np.int64)
    coded_test = np.column_stack([codes[0][1], codes[1][1]])
    width = coded_train[:, 1].max() + 1
    usable = (coded_test >= 0).all(axis=1)
    usable &= ~np.isin(coded_test[:, 0] * width + coded_test[:, 1], coded_train[:, 0] * width + coded_train[:, 1])
    return coded_train, coded_test[usable].astype(np.int64)


# Measuring -----------------------------------------------------------------------------------------------------------


def measure(library, model, split):
    """Fit and recommend once in this process; print one line of JSON."""
    import warnings

    warnings.simplefilter("ignore")
    data = np.load(split)
    train, test = data["train"], data["test"]
    try:
        adapter = ADAPTERS[library](model)
        warm_up(adapter)
        adapter = ADAPTERS[library](model)
    except (ImportError, KeyError) as error:
        print(json.dumps({"missing": f"{type(error).__name__}: {error}"}))
        return
    clock = time.process_time if os.environ.get("SKREC_BENCHMARK_CPU") else time.perf_counter
    before = peak_gb(reset=True)
    times = [clock()]
    adapter.fit(train)
    times.append(clock())
    lists = np.asarray(adapter.recommend(int(train[:, 0].max()) + 1))
    times.append(clock())
    grown = peak_gb() - before
    print(
        json.dumps({"fit": times[1] - times[0], "recommend": times[2] - times[1], "gb": grown, **quality(lists, test)})
    )


def peak_gb(*, reset=False):
    """Most memory held so far, or from now on; a child's ``ru_maxrss`` begins at its parent's, so not that."""
    own = Path("/proc/self")
    if not (own / "clear_refs").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if reset:
        (own / "clear_refs").write_text("5")
    return next(int(line.split()[1]) for line in (own / "status").read_text().splitlines() if "VmHWM" in line) / 2**20


def warm_up(adapter):
    """Load and compile, on 400 users, enough for more than one block of work."""
    rng = np.random.default_rng(0)
    events = np.unique(np.column_stack([rng.integers(0, 400, 8000), rng.integers(0, 300, 8000)]), axis=0)
    adapter.fit(events)
    adapter.recommend(int(events[:, 0].max()) + 1)


def quality(lists, test):
    """NDCG and recall of the first K, over users with held-out items."""
    width = max(lists.max(), test[:, 1].max()) + 2
    users, n_relevant = np.unique(test[:, 0], return_counts=True)
    hits = np.isin(users[:, None] * width + lists[users], test[:, 0] * width + test[:, 1]) & (lists[users] >= 0)
    discount = 1 / np.log2(np.arange(2, K + 2))
    ideal = np.cumsum(discount)[np.minimum(n_relevant, K) - 1]
    return {"ndcg": float((hits @ discount / ideal).mean()), "recall": float((hits.sum(axis=1) / n_relevant).mean())}


def run(library, model, split, arguments):
    """One measurement in a fresh process."""
    command = [arguments.python[library], __file__, "--measure", library, model, split]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)} if arguments.threads else dict(os.environ)
    environment |= {"SKREC_BENCHMARK_CPU": "1"} if arguments.cpu else {}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=arguments.timeout, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"missing": f"not done after {arguments.timeout} s"}
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


def compare(name, model, split, arguments):
    """Print one table: the libraries that have the model, in turns."""
    results = defaultdict(list)
    for turn in range(arguments.rounds):
        for library in arguments.libraries[:: 1 if turn % 2 == 0 else -1]:  # both orders
            if "missing" not in (results[library] or [{}])[-1]:
                results[library].append(run(library, model, split, arguments))
    print(f"\n### {name}, {model}\n")
    print("| library | NDCG@10 | Recall@10 | fit s (min, median) | recommend s | peak GB | fit | recommend | memory |")
    print("|---|---|---|---|---|---|---|---|---|")
    ours = [r for r in results["skrec"] if "missing" not in r]
    for library, runs in results.items():
        done = [r for r in runs if "missing" not in r]
        if not done:
            if not runs[-1]["missing"].startswith("KeyError"):  # which is to say that it has no such model
                print(f"| {library} | {runs[-1]['missing']} |" + " |" * 7)
            continue
        spread = [
            f"{min(r[key] for r in done):.2f}, {median(r[key] for r in done):.2f}" for key in ("fit", "recommend")
        ]
        ratios = [
            f"{median(a[key] / max(b[key], 1e-3) for a, b in zip(done, ours, strict=False)):.2f} x" if ours else ""
            for key in ("fit", "recommend", "gb")
        ]
        last = done[-1]
        print(f"| {library} | {last['ndcg']:.4f} | {last['recall']:.4f} | {spread[0]} | {spread[1]} "
              f"| {max(r['gb'] for r in done):.2f} | {' | '.join(ratios)} |", flush=True)  # fmt: skip


def main():
    """All data sets, all models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", help="MovieLens 100K, Amazon sequences or HetRec Last.fm")
    parser.add_argument("--synthetic", type=int, metavar="EVENTS", help="50,000 users and 10,000 items as well")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--python", nargs="*", default=[], metavar="LIBRARY=PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="OMP_NUM_THREADS for every process")
    parser.add_argument("--cpu", action="store_true", help="seconds of the processor, for a machine that others load")
    parser.add_argument("--timeout", type=int, default=900, help="seconds a process")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    arguments.python = dict.fromkeys(LIBRARIES, sys.executable) | dict(pair.split("=") for pair in arguments.python)
    with tempfile.TemporaryDirectory() as folder:
        for source in [*arguments.folders, *([str(arguments.synthetic)] if arguments.synthetic else [])]:
            train, test = load(source)
            name = f"{source} synthetic events" if source.isdigit() else Path(source).name
            print(f"\n## {name}: {len(train)} training events, {train[:, 0].max() + 1} users, "
                  f"{train[:, 1].max() + 1} items, {len(test)} held out")  # fmt: skip
            split = str(Path(folder) / "split.npz")
            np.savez(split, train=train, test=test)
            for model in arguments.models:
                compare(name, model, split, arguments)


if __name__ == "__main__":
    main()
