"""How much of what the context decides does each solver learn? On simulated choices, where an oracle knows.

    python examples/benchmarks/context_choices.py [--plot FILE.png] [--draws 3] [--events 5 10 20 50 100]

500 users choose among 200 items in 8 contexts whose effect is twice that of taste. Each held-out event is a query,
the oracle ranks by the true utility, and nothing is excluded as seen. A solver's share is (its NDCG@10 less that of
the best model without context) / (that of the oracle less the same); the models without context are the four solvers,
fitted without context columns and with a constant one; the best of the eight on the held-out events counts, which is
against us. Last, all
contexts are shuffled, in training and held out: then there must be no gain. All settings are defaults.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from skrec.datasets import make_context_choices
from skrec.decomposition import HybridMFRecommender

SOLVERS = ("als", "bpr", "warp", "softmax")
N_HELD_OUT = 20


def gain(ranks: np.ndarray) -> float:
    """NDCG@10 of queries that have one relevant item each."""
    return float(np.where(ranks < 10, 1 / np.log2(ranks + 2), 0).mean())


def measure(rec: HybridMFRecommender, X: np.ndarray) -> float:
    """NDCG@10 with each event a query of its own."""
    given = X[:, 2:] if X.shape[1] > 2 else None
    items = rec.recommend(X[:, 0], k=10, context=given, exclude_seen=False).items
    hit = items == X[:, [1]]
    return gain(np.where(hit.any(axis=1), hit.argmax(axis=1), 10))


def oracle(data, start: int) -> float:
    """NDCG@10 of the true utility."""
    users, items, contexts = data.codes[start:].T
    queries = data.user_factors[users] + data.context_factors[contexts]
    utility = data.item_bias + queries @ data.item_factors.T
    return gain((utility > utility[np.arange(len(items)), items][:, None]).sum(axis=1))


def constant(X: np.ndarray) -> np.ndarray:
    """The same events, all in one context."""
    return np.column_stack([X[:, :2], np.ones(len(X))])


def shuffled(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same events, each with the context of another."""
    return np.column_stack([X[:, :2], rng.permutation(X[:, 2:])])


def one_draw(n_events: int, seed: int) -> dict[str, float]:
    """NDCG@10 of the oracle, of the best model without context, and of each solver with it and with it shuffled."""
    data = make_context_choices(n_events_per_user=n_events + N_HELD_OUT, frame=None, random_state=seed)
    start = n_events * len(data.user_factors)
    train, test = data.X[:start], data.X[start:]
    rng = np.random.default_rng(seed)
    mixed_train, mixed_test = shuffled(train, rng), shuffled(test, rng)
    found = {"oracle": oracle(data, start)}
    blind = []
    for solver in SOLVERS:
        begun = time.perf_counter()
        found[solver] = measure(HybridMFRecommender(solver=solver, random_state=0).fit(train), test)
        found[f"{solver} seconds"] = time.perf_counter() - begun
        mixed = HybridMFRecommender(solver=solver, random_state=0).fit(mixed_train)
        found[f"{solver} shuffled"] = measure(mixed, mixed_test)
        # A constant column: every event is a request, as with context, and moments are not distinguished.
        for columns in ((train[:, :2], test[:, :2]), (constant(train), constant(test))):
            blind.append(measure(HybridMFRecommender(solver=solver, random_state=0).fit(columns[0]), columns[1]))
    found["blind"] = max(blind)
    return found


def table(sizes: list[int], draws: int) -> dict[str, list[float]]:
    """Print a row a number of events; return the shares."""
    shares: dict[str, list[float]] = {solver: [] for solver in SOLVERS}
    for n_events in sizes:
        rows = [one_draw(n_events, seed) for seed in range(draws)]
        mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        gap = mean["oracle"] - mean["blind"]
        print(
            f"{n_events} events per user: oracle {mean['oracle']:.4f}, without context {mean['blind']:.4f}", flush=True
        )
        for solver in SOLVERS:
            shares[solver].append((mean[solver] - mean["blind"]) / gap)
            print(
                f"  {solver:8} NDCG@10 {mean[solver]:.4f}, share {shares[solver][-1]:.3f}; context shuffled "
                f"{mean[f'{solver} shuffled']:.4f}, share {(mean[f'{solver} shuffled'] - mean['blind']) / gap:+.3f}; "
                f"fit and recommend {mean[f'{solver} seconds']:.1f} s",
                flush=True,
            )
    return shares


def plot(path: Path, sizes: list[int], shares: dict[str, list[float]]) -> None:
    """The curve of the shares."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for solver in SOLVERS:
        axes.plot(sizes, shares[solver], marker="o", label=solver)
    axes.axhline(1, color="0.6", linestyle="--")
    axes.set(xscale="log", xlabel="events per user", ylabel="share of the gap to the oracle", ylim=(0, 1.05))
    axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print the table, and save the plot where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[5, 10, 20, 50, 100])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    shares = table(arguments.events, arguments.draws)
    if arguments.plot:
        plot(arguments.plot, arguments.events, shares)


if __name__ == "__main__":
    main()
