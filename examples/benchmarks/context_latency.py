"""What a request costs in the recommender, on encoded context.

    python examples/benchmarks/context_latency.py [--items 10000] [--context 32]

HybridMFRecommender with 64 factors and 10,000 items: milliseconds of ``recommend`` for one user with context, for one
new user with a history of 5 events, and the time of a batch of 10,000 requests with context over that without, where
the same model is asked, and where one fitted without context is. Medians of alternate runs.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from skrec.decomposition import HybridMFRecommender


def fitted(arguments: argparse.Namespace, solver: str) -> tuple[HybridMFRecommender, HybridMFRecommender]:
    """A model with context, and one without."""
    rng = np.random.default_rng(0)
    users = rng.integers(0, arguments.users, arguments.events)
    items = np.concatenate([np.arange(arguments.items), rng.integers(0, arguments.items, arguments.events)])
    X = np.column_stack([users, items[: len(users)]]).astype(np.float32)
    context = rng.normal(size=(len(X), arguments.context)).astype(np.float32)
    rec = HybridMFRecommender(solver=solver, max_iter=2, validation_fraction=0, random_state=0)
    with_context = rec.fit(np.column_stack([X, context]))
    without = HybridMFRecommender(solver=solver, max_iter=2, validation_fraction=0, random_state=0).fit(X)
    return with_context, without


def seconds(call: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def report(arguments: argparse.Namespace, solver: str) -> None:
    """Print one row."""
    rec, without = fitted(arguments, solver)
    rng = np.random.default_rng(1)
    users = rng.integers(0, arguments.users, arguments.batch).astype(np.float32)
    context = rng.normal(size=(arguments.batch, arguments.context)).astype(np.float32)
    history = [[-1, item] for item in range(5)]
    singles = {
        "one user": lambda: rec.recommend(users[:1], context=context[:1]),
        "a new user, 5 events": lambda: rec.recommend([-1], history=history, context=context[:1]),
    }
    lines = []
    for name, call in singles.items():
        call()
        lines.append(f"{name} {1000 * np.median([seconds(call) for _ in range(arguments.calls)]):.2f} ms")
    batches: list[list[float]] = []
    for _ in range(arguments.rounds + 1):
        batches.append(
            [
                seconds(lambda: rec.recommend(users, context=context)),
                seconds(lambda: rec.recommend(users)),
                seconds(lambda: without.recommend(users)),
            ]
        )
    asked, mean, plain = np.array(batches[1:]).T
    print(
        f"{solver:8} {', '.join(lines)}; {arguments.batch} requests in {np.median(asked):.2f} s, speed over that "
        f"without context given {np.median(mean / asked):.2f}, over a model without context "
        f"{np.median(plain / asked):.2f}",
        flush=True,
    )


def main() -> None:
    """Print one row a solver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--context", type=int, default=32, help="context columns")
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--solvers", nargs="+", default=["als", "warp"])
    arguments = parser.parse_args()
    for solver in arguments.solvers:
        report(arguments, solver)


if __name__ == "__main__":
    main()
