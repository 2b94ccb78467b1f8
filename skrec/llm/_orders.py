"""Orders of candidates: read, averaged, sorted by comparisons, and blended with the base order.

A candidate is identified by its rank in the list of the recommender, from 0: the base order is 0, 1, 2, …
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


@dataclass
class ReadOrder:
    """A complete order, and what was wrong with the answer it was read from.

    Attributes
    ----------
    order : list of int
        Every candidate once: those named, then the others in base order.
    n_unknown, n_repeated, n_missing : int
    """

    order: list[int]
    n_unknown: int
    n_repeated: int
    n_missing: int


def read_order(names: Sequence[str], candidates: Mapping[str, int]) -> ReadOrder:
    """Read the order that an answer gives.

    Parameters
    ----------
    names : list of str
        As the model wrote them, best first.
    candidates : dict from name to candidate
    """
    known = [candidates[name] for name in names if name in candidates]
    order = list(dict.fromkeys(known))
    missing = sorted(set(candidates.values()) - set(order))
    return ReadOrder(order + missing, len(names) - len(known), len(known) - len(order), len(missing))


def mean_order(orders: Sequence[Sequence[int]]) -> tuple[list[int], float]:
    """The order by mean rank (ties in base order), and the mean variance of a rank over the orders.

    Parameters
    ----------
    orders : list of at least one order of the same candidates
    """
    candidates = sorted(orders[0])
    ranks = np.argsort(np.asarray(orders), axis=1)  # the candidates sorted: column j is candidates[j]
    by_mean = np.argsort(ranks.mean(axis=0), kind="stable")
    return [candidates[at] for at in by_mean.tolist()], float(ranks.var(axis=0).mean())


def rotations(n: int, n_orders: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """A random order of ``n`` entries, rotated by equal steps.

    The mean place of an entry over m rotations is within n / 2m of the middle. Over m independent orders it
    would deviate by about n / sqrt(12 m).
    """
    shuffled = rng.permutation(n)
    return [np.roll(shuffled, n * turn // n_orders) for turn in range(n_orders)]


def windows(n: int, size: int) -> list[slice]:
    """Windows from the end of a list to its start, with an overlap of half a window."""
    step = max(1, size // 2)
    stops = [*range(n, size, -step), min(size, n)]
    return [slice(max(0, stop - size), stop) for stop in stops]


def comparators(n: int) -> Iterator[list[tuple[int, int]]]:
    """Batcher's merge exchange sort: rounds of pairs of places. Within a round no place occurs twice.

    It takes about n (log2 n)^2 / 4 comparisons, whatever their results are. The comparisons of a round are
    independent (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M).
    """
    if n < 2:
        return
    top = 1 << ((n - 1).bit_length() - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            if pairs := [(i, i + d) for i in range(n - d) if i & p == r]:
                yield pairs
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


def order_by_grade(grades: ArrayLike) -> list[int]:
    """Highest first, ties in base order; a candidate without a grade (NaN) keeps its place."""
    grades = np.asarray(grades, dtype=float)
    order = np.arange(len(grades))
    graded = np.flatnonzero(~np.isnan(grades))
    order[graded] = graded[np.argsort(-grades[graded], kind="stable")]
    return order.tolist()


def penalize_popularity(order: Sequence[int], popularity: ArrayLike, weight: float) -> list[int]:
    """Move popular candidates down by up to ``weight`` times the length of the list."""
    popularity = np.asarray(popularity, dtype=float)
    places = np.argsort(order)
    by_popularity = rankdata(-popularity, method="average") - 1
    return np.lexsort((places, places - weight * by_popularity)).tolist()


def blend_orders(order: Sequence[int], weight: float) -> list[int]:
    """The order by weighted reciprocal ranks: 1 - ``weight`` for the base order, ``weight`` for this one."""
    places = np.argsort(order)
    worth = (1 - weight) / (1 + np.arange(len(order))) + weight / (1 + places)
    return np.argsort(-worth, kind="stable").tolist()


def limit_rise(order: Sequence[int], max_rise: int) -> list[int]:
    """The closest order where no candidate is more than ``max_rise`` places above its base rank."""
    waiting = list(order)
    limited = []
    for place in range(len(waiting)):
        # One always exists: of the first place + 1 candidates of the base, at most ``place`` are placed already.
        best = next(at for at, candidate in enumerate(waiting) if candidate - max_rise <= place)
        limited.append(waiting.pop(best))
    return limited
