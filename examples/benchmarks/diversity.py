"""What diversity, calibration and coverage cost in accuracy: DiversityReranker on MovieLens 100K, and its speed.

    python examples/benchmarks/diversity.py FOLDER [--speed]

EASE with its defaults on the official ``ua`` split, 10 ratings per user held out, every rating an event of implicit
feedback; the reranker stands around it. Genres (19 flags) are the vectors that diversity is measured by, and the
categories of calibration. Settings are chosen on ten events per user, drawn from ``ua.base``. Each goal has its own:

- diversity: the largest mean genre distance in a list of ten where NDCG@10 loses at most 3 %; and, beside it, the
  largest NDCG@10 where that distance grows by a fifth;
- coverage: the most items covered by all lists where NDCG@10 loses at most 3 %;
- calibration: the least KL divergence from the genres of the history where NDCG@10 loses at most 3 %.

``ua.test`` is looked at once, with the settings that were chosen; intervals are paired bootstrap intervals over users
(95 %). FOLDER holds ``ua.base``, ``ua.test`` and ``u.item``. ``--speed`` times the kernels (k 10, 100 candidates, 64
dimensions, one thread) beside plain NumPy, one list at a time.
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from movielens_hybrid_mf import item_table, read_events
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer

from skrec.base import Recommendations
from skrec.compose import DiversityReranker
from skrec.exceptions import TemporalLeakWarning
from skrec.interactions import FeatureTable, IdIndex
from skrec.linear_model import EASERecommender
from skrec.metrics import compare, evaluate
from skrec.model_selection import LeaveKOut

METRICS = ["ndcg@10", "diversity@10", "coverage@10", "calibration_kl@10"]
STRENGTHS = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


class Rerankers:
    """Settings of the reranker, around a recommender that is fitted once."""

    def __init__(self, train: pd.DataFrame, genres: pd.DataFrame) -> None:
        self.train, self.genres = train, FeatureTable(genres)
        self.base = EASERecommender().fit(train)

    def around(self, **settings: Any) -> DiversityReranker:
        """A fitted reranker with some settings."""
        names = [name for name in self.genres.table.columns if name != "item"]
        inner, encoder = FrozenEstimator(self.base), FunctionTransformer(sp.csr_array)
        rec = DiversityReranker(inner, categories=names, encoder=encoder, **settings)
        with warnings.catch_warnings(action="ignore"):
            return rec.fit(self.train, item_features=self.genres)

    def measure(self, rec: Any, test: pd.DataFrame) -> dict[str, float]:
        """The four metrics."""
        tables: dict[str, Any] = {"item_vectors": self.genres, "item_categories": self.genres}
        table = evaluate(rec, test, metrics=METRICS, n_bootstrap=0, verbose=False, **tables)
        return dict(zip(table["metric"], table["mean"], strict=True))


def diverse() -> Iterator[dict[str, Any]]:
    """Settings for diversity."""
    kinds = (
        ({"method": "mmr"}, np.arange(0.1, 0.61, 0.05)),
        ({"method": "mmr", "aggregation": "mean"}, np.arange(0.3, 0.81, 0.025)),
        ({"method": "dpp"}, np.arange(0.04, 0.41, 0.04)),
    )
    for n_candidates in (50, 100):
        for kind, strengths in kinds:
            for strength in strengths:
                yield {**kind, "strength": round(float(strength), 3), "n_candidates": n_candidates}


def covering() -> Iterator[dict[str, Any]]:
    """Settings for coverage."""
    for n_candidates in (30, 50, 70, 100):
        for weight in (1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0):
            yield {"strength": 0.0, "novelty_weight": weight, "n_candidates": n_candidates}


def calibrated() -> Iterator[dict[str, Any]]:
    """Settings for calibration."""
    for n_candidates in (30, 50, 70, 100):
        for smoothing in (0.01, 0.03, 0.1):
            for strength in (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8):
                kind = {"method": "calibrated", "smoothing": smoothing}
                yield {**kind, "strength": strength, "n_candidates": n_candidates}


def choose(rerankers: Rerankers, validation: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Of each goal, the settings that are best on the validation events."""
    base = rerankers.measure(rerankers.base, validation)
    print("validation, EASE:", {name: round(value, 4) for name, value in base.items()}, flush=True)

    def best(goal: str, tried: list[Any], least: tuple[str, float], maximised: str, sign: int = 1) -> dict[str, Any]:
        allowed = [at for at in tried if at[1][least[0]] >= least[1] * base[least[0]]]
        settings, found = max(allowed, key=lambda at: sign * at[1][maximised])
        print(f"{goal}: {settings}", {name: round(found[name] / base[name], 3) for name in METRICS}, flush=True)
        return settings

    def trials(settings: Iterator[dict[str, Any]]) -> list[Any]:
        return [(at, rerankers.measure(rerankers.around(**at), validation)) for at in settings]

    accuracy = ("ndcg@10", 0.97)
    for_diversity = trials(diverse())
    return {
        "diversity": best("diversity", for_diversity, accuracy, "diversity@10"),
        "diversity by a fifth": best("diversity by a fifth", for_diversity, ("diversity@10", 1.2), "ndcg@10"),
        "coverage": best("coverage", trials(covering()), accuracy, "coverage@10"),
        "calibration": best("calibration", trials(calibrated()), accuracy, "calibration_kl@10", -1),
    }


def report(rerankers: Rerankers, goal: str, settings: dict[str, Any], test: pd.DataFrame) -> None:
    """The chosen settings of a goal on the test events, beside the recommender alone."""
    rec = rerankers.around(**settings)
    tables: dict[str, Any] = {"item_vectors": rerankers.genres, "item_categories": rerankers.genres}
    table = compare(rec, rerankers.base, test, metrics=METRICS, random_state=0, verbose=False, **tables)
    print(f"test, {goal}:")
    for row in table.itertuples():
        change = f"{row.mean_a / row.mean_b - 1:+.1%} [{row.ci_low / row.mean_b:+.1%}, {row.ci_high / row.mean_b:+.1%}]"
        print(f"  {row.metric:18} {row.mean_b:8.4f} -> {row.mean_a:8.4f}  {change}", flush=True)


# Speed -------------------------------------------------------------------------------------------------


def mmr_by_numpy(relevance: np.ndarray, vectors: np.ndarray, strength: float, k: int) -> list[int]:
    """One list by maximal marginal relevance."""
    gains, chosen = (1 - strength) * relevance, [int(np.argmax(relevance))]
    nearest = vectors @ vectors[chosen[0]]
    for _ in range(k - 1):
        total = gains - strength * nearest
        total[chosen] = -np.inf
        chosen.append(int(np.argmax(total)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return chosen


def dpp_by_numpy(relevance: np.ndarray, vectors: np.ndarray, strength: float, k: int) -> list[int]:
    """One list by the incremental Cholesky factor of Chen et al."""
    factor, left = np.zeros((k, len(vectors))), np.ones(len(vectors))
    chosen: list[int] = []
    for step in range(k):
        total = (1 - strength) * relevance + strength * np.log(left)
        total[chosen] = -np.inf
        best = int(np.argmax(total))
        chosen.append(best)
        similarity = (1 + vectors @ vectors[best]) / 2
        factor[step] = (similarity - factor[:step, best] @ factor[:step]) / np.sqrt(left[best])
        left = np.maximum(left - factor[step] ** 2, 1e-6)
    return chosen


class Fixed(BaseEstimator):
    """Lists that are ready, and vectors at random."""

    def __init__(self, n_lists: int, n_items: int) -> None:
        self.n_lists, self.n_items = n_lists, n_items
        rng = np.random.default_rng(0)
        self.items_, self.users_ = np.arange(n_items), np.arange(n_lists)
        codes = np.stack([rng.permutation(n_items)[:100] for _ in range(n_lists)]).astype(np.int32)
        scores = -np.sort(-rng.random((n_lists, 100)).astype(np.float32), axis=1)
        self.lists = Recommendations(codes, scores, self.users_, IdIndex(self.items_))
        self.vectors = rng.normal(size=(n_items, 64)).astype(np.float32)

    def fit(self, X: Any, y: Any = None) -> "Fixed":
        """Nothing to learn."""
        return self

    def recommend(self, users: Any = None, k: int = 10, **options: Any) -> Recommendations:
        """The lists, whatever is asked."""
        return self.lists

    def item_vectors(self) -> np.ndarray:
        """The vectors."""
        return self.vectors


def race(n_lists: int = 2000, strength: float = 0.3) -> None:
    """CPU time per list, of both in turn."""
    fixed = Fixed(n_lists, 5000)
    unit = fixed.vectors / np.linalg.norm(fixed.vectors, axis=1, keepdims=True)
    scores = fixed.lists.scores.astype(float)
    relevance = (scores - scores[:, -1:]) / (scores[:, :1] - scores[:, -1:])
    for method, by_numpy in (("mmr", mmr_by_numpy), ("dpp", dpp_by_numpy)):
        rec = DiversityReranker(FrozenEstimator(fixed), method=method, strength=strength, keep_order=False, n_jobs=1)
        rec.fit([[0, 0]])
        rec.recommend(k=10)
        ratios, times = [], []
        for _ in range(7):
            start = time.process_time()
            found = rec.recommend(k=10)
            middle = time.process_time()
            plain = [
                by_numpy(of, unit[codes], strength, 10) for of, codes in zip(relevance, fixed.lists.codes, strict=True)
            ]
            end = time.process_time()
            times.append(((middle - start) / n_lists * 1e6, (end - middle) / n_lists * 1e6))
            ratios.append((end - middle) / (middle - start))
        same = np.mean(np.take_along_axis(fixed.lists.codes, np.array(plain), axis=1) == found.codes)
        ours, theirs = np.median(times, axis=0)
        print(
            f"{method}: {ours:.1f} microseconds of CPU per list, plain NumPy {theirs:.1f}: "
            f"{np.median(ratios):.1f} times ({same:.2%} of the places equal)",
            flush=True,
        )


def main() -> None:
    """Print what was chosen, then the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speed", action="store_true", help="time the kernels instead")
    arguments = parser.parse_args()
    if arguments.speed:
        race()
        return
    warnings.simplefilter("ignore", TemporalLeakWarning)
    folder = arguments.folder
    train, test = read_events(folder / "ua.base"), read_events(folder / "ua.test")
    genres = item_table(folder).drop(columns="decade")
    inner, held_out = next(LeaveKOut(10, n_splits=1, random_state=0).split(train))
    chosen = choose(Rerankers(train.iloc[inner], genres), train.iloc[held_out])
    rerankers = Rerankers(train, genres)
    for goal, settings in chosen.items():
        report(rerankers, goal, settings, test)


if __name__ == "__main__":
    main()
