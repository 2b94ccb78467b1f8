"""Seconds and memory to turn an event log into ids and integer codes, by kind of table.

    python examples/benchmarks/reading_events.py --events 20000000

Each kind runs in a process of its own; the time is that of reading and encoding alone.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

N_USERS, N_ITEMS = 500_000, 100_000
KINDS = (
    "numpy int64",
    "pandas int64",
    "pandas string",
    "pandas categorical",
    "polars string",
    "polars categorical",
    "pyarrow string",
)


def make(kind: str, n: int):
    """An event log with a long-tailed choice of items."""
    import polars as pl

    rng = np.random.default_rng(0)
    users, items = rng.integers(0, N_USERS, n), (rng.pareto(1.1, n) * 100).astype(np.int64) % N_ITEMS
    library, column = kind.split()
    if column == "int64":
        array = np.column_stack([users, items])
        return array if library == "numpy" else pl.DataFrame(array, schema=["user", "item"]).to_pandas()
    names = pl.Series([f"user-{i:08d}" for i in range(N_USERS)])[users]
    titles = pl.Series([f"B{i:09d}" for i in range(N_ITEMS)])[items]
    frame = pl.DataFrame({"user": names, "item": titles})
    if column == "categorical":
        frame = frame.with_columns(pl.all().cast(pl.Categorical))
    return {"polars": lambda: frame, "pandas": frame.to_pandas, "pyarrow": frame.to_arrow}[library]()


def run(kind: str, n: int) -> None:
    """Print one row of the table."""
    from skrec.interactions import Interactions, read_events, read_target

    X = make(kind, n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    events = read_events(X)
    data = Interactions.from_events(events, read_target(None, len(events), feedback="implicit"))
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"{kind:20} {seconds:6.1f} s  +{grown:.1f} GB peak  {data.n_users} users, {data.n_items} items", flush=True)


def main() -> None:
    """One process a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--kind", choices=KINDS)
    arguments = parser.parse_args()
    if arguments.kind:
        run(arguments.kind, arguments.events)
        return
    for kind in KINDS:
        subprocess.run([sys.executable, __file__, "--events", str(arguments.events), "--kind", kind], check=True)


if __name__ == "__main__":
    main()
