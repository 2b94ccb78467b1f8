"""SequentialRecommender fused with ItemKNN and EASE, all with text, on sequences by the papers' protocol.

    python examples/benchmarks/next_item_fusion.py FOLDER --fitted MODELS [--cache CACHE] [--test]

FOLDER as for ``next_item.py``, whose protocol this is. Networks of two schedules and two seeds are averaged; they are
fitted where MODELS does not have them yet, about eight minutes of one core each on Beauty. The weights of the fusion
are those of the highest NDCG@10 on the validation events. With ``--test`` the chosen fusion is looked at on the test
events, beside its parts; the 95 % interval of the difference to ItemKNN is a paired bootstrap over users.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import joblib
from fusion import interval, ndcg
from published_tables import Task, of_last_items, sequences
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skrec.compose import FusionRecommender
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.neighbors import ItemKNNRecommender
from skrec.neural_network import SequentialRecommender

WEIGHTS = [(s / 10, round(1 - s / 10 - e / 20, 2), e / 20) for s in (4, 5, 6, 7) for e in (0, 1, 2, 3)]
"""Of the networks, ItemKNN and EASE."""


def parts_of(encoder: Any) -> dict[str, Any]:
    """What is fused; settings from the validation events of Beauty."""
    shared: dict[str, Any] = {"max_length": 30, "item_encoder": encoder}
    cosine = {"learning_rate_schedule": "cosine", "warmup": 0.1, "max_iter": 10}
    return {
        "cosine, seed 0": SequentialRecommender(**shared, **cosine, random_state=0),
        "cosine, seed 1": SequentialRecommender(**shared, **cosine, random_state=1),
        "constant, seed 0": SequentialRecommender(**shared, random_state=0),
        "constant, seed 1": SequentialRecommender(**shared, random_state=1),
        "ItemKNN": ItemKNNRecommender(item_encoder=encoder),
        "EASE": EASERecommender(n_neighbors=100, item_encoder=encoder),
    }


def fitted(name: str, part: Any, task: Task, folder: Path) -> Any:
    """A part from the folder, or fitted and kept there."""
    path = folder / f"{name.replace(', ', '-').replace(' ', '')}.joblib"
    if path.exists():
        return joblib.load(path)
    start = time.process_time()
    tables: dict[str, Any] = {"item_features": FeatureTable(task.items)}
    if isinstance(part, SequentialRecommender):
        tables |= {"validation_data": task.history[["user", "item"]], "checkpoint": path.with_suffix(".pt")}
    part = clone(part).fit(task.X, **tables)
    print(f"{name}: fitted in {time.process_time() - start:.0f} CPU s", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(part, path)
    return part


def fusion(parts: dict[str, Any], weights: tuple[float, ...]) -> Any:
    """All parts; the first weight is shared by the networks."""
    n = len(parts) - 2
    frozen = [(name, FrozenEstimator(part)) for name, part in parts.items()]
    return FusionRecommender(frozen, method="score", weights=[weights[0] / n] * n + list(weights[1:]))


def main() -> None:
    """Print what validation says, then the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fitted", type=Path, required=True, help="folder of the fitted models")
    parser.add_argument("--cache", help="folder that keeps the embeddings of the texts")
    parser.add_argument("--weights", type=float, nargs=3, help="of the networks, ItemKNN and EASE: not searched then")
    parser.add_argument("--test", action="store_true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    task = sequences(arguments.folder, fit_on_validation=False)
    encoder = LLMTextEmbedder("all-MiniLM-L6-v2", cache=arguments.cache)
    parts = {name: fitted(name, part, task, arguments.fitted) for name, part in parts_of(encoder).items()}
    for name, part in parts.items():
        print(f"{name}: validation NDCG@10 {ndcg(part, task.history, None).mean():.4f}", flush=True)
    chosen = tuple(arguments.weights or ())
    if not chosen:
        scores = {w: ndcg(fusion(parts, w).fit(task.X), task.history, None).mean() for w in WEIGHTS}
        chosen = max(scores, key=lambda w: scores[w])
        print(f"weights {chosen}: validation NDCG@10 {scores[chosen]:.4f}", flush=True)
    if not arguments.test:
        return
    networks = dict(list(parts.items())[:-2])
    average = FusionRecommender([(name, FrozenEstimator(part)) for name, part in networks.items()], method="score")
    rows = parts | {"the networks": average.fit(task.X), "all": fusion(parts, chosen).fit(task.X)}
    users, baseline = task.X_test["user"].unique(), ndcg(parts["ItemKNN"], task.X_test, task.history)
    for name, part in rows.items():
        lists = part.recommend(users, k=20, history=task.history)
        found = of_last_items(lists, task.X_test.set_index("user")["item"][users])
        difference = (ndcg(part, task.X_test, task.history) - baseline).to_numpy()
        low, high = interval(difference)
        print(
            f"{name:18} test Recall@10 {found['recall@10']:.4f}, NDCG@10 {found['ndcg@10']:.4f}, less ItemKNN "
            f"{difference.mean():+.4f} ({low:+.4f} to {high:+.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
