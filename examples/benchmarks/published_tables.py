"""Our models on public data, settings chosen on validation alone, beside what papers report for the same data.

    python examples/benchmarks/published_tables.py FOLDER [FOLDER ...] [--n-iter 20] [--models NAME ...]

A folder holds one of

- ``user_sequence.txt`` and ``item_text.txt`` (Amazon Beauty and its kin);
- ``item.json``, ``valid.csv`` and ``test.csv`` (Amazon Industrial and its kin): users, histories and targets;
- ``ua.base``, ``ua.test``, ``u.item`` (MovieLens 100K);
- ``user_artists.dat`` and ``artists.dat`` (HetRec Last.fm).

The protocol is printed above each table. Sequences are split as papers do (the code of S3-Rec, eSASRec and RecTools):
fitted on all but a user's last two events; the last but one is the validation item, and at the test a part of the
history alone. ``--fit-on-validation`` fits on it too, and prints no published number.

Most models stand in a table twice: as they come, and tuned by random search on the validation events, the given
parameters among the candidates. Each model is run in a process of its own; its peak memory is what it holds at most
while it is fitted and recommends, over what the process held before. Seconds are those of the processor for this fit,
texts embedded before, and for 20 items for all test users. The interval is that of NDCG@10, by 1,000 bootstrap samples
of users, at 95 %. Published numbers are marked as such and name their source; where none are
listed, none are known to us for this protocol.
"""

import argparse
import multiprocessing
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peers import peak_gb
from sklearn.base import clone

from skrec.datasets import fetch_amazon_reviews, fetch_movielens
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable, Recommendations
from skrec.linear_model import EASERecommender
from skrec.metrics import evaluate
from skrec.model_selection import LeaveKOut, LeaveLastOut, TunedRecommender, search_space
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.neural_network import SequentialRecommender

METRICS = [f"{name}@{k}" for name in ("recall", "ndcg") for k in (5, 10, 20)]


LARGEST_DENSE = 5000
# A search over these would take the better part of an hour, or has nothing to find.
AS_THEY_COME = (
    "Popular", "EmbeddingKNN, text", "EASE, 100 neighbours", "EASE, 100 neighbours, text", "BPR", "Sequential",
    "Sequential, text",
)  # fmt: skip
# Chosen on the validation events of Beauty.
NETWORK: dict[str, Any] = {
    "max_length": 30, "learning_rate_schedule": "cosine", "warmup": 0.1, "max_iter": 10, "random_state": 0
}  # fmt: skip


@dataclass
class Task:
    """Training events, test events, and what settings are searched on.

    ``validation`` is a split of ``X_search``, or of ``X`` where that is None. ``history`` are events that are known
    at the test and were not fitted.
    """

    name: str
    protocol: str
    X: pd.DataFrame
    X_test: pd.DataFrame
    items: pd.DataFrame
    validation: tuple[np.ndarray, np.ndarray]
    X_search: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    published: dict[str, dict[str, float]] = field(default_factory=dict)
    # Events held out at random lie anywhere in a history, so its end says no more than its beginning.
    fixed: dict[str, Any] = field(default_factory=dict)
    is_in_order: bool = True


# Amazon Beauty 2014, 5-core, leave-last-out, whole catalogue ranked: the same 22,363 users and 12,101 items.
BEAUTY = {
    "SASRec (Rajput et al., NeurIPS 2023)": {"recall@10": 0.0605, "ndcg@10": 0.0318},
    "TIGER (Rajput et al., NeurIPS 2023)": {"recall@10": 0.0648, "ndcg@10": 0.0384},
    "ActionPiece (Hou et al., ICML 2025)": {"ndcg@10": 0.0424},
    "RPG (Hou et al., KDD 2025)": {"ndcg@10": 0.0464},
    "DiffGRM (2025)": {"ndcg@10": 0.0502},
    "eSASRec (RecSys 2025)": {"recall@10": 0.0928, "ndcg@10": 0.0523},
    "SASRec, sampled softmax (as reported beside eSASRec)": {"recall@10": 0.0921, "ndcg@10": 0.0531},
}


def read_task(folder: Path, fit_on_validation: bool = False) -> Task:
    """A folder as a task, by the files it holds."""
    if (folder / "ua.base").exists():
        return movielens(folder)
    if (folder / "user_artists.dat").exists():
        return lastfm(folder)
    if (folder / "user_sequence.txt").exists():
        return sequences(folder, fit_on_validation)
    data = fetch_amazon_reviews(folder=folder)
    protocol = (
        "Training: the histories of both files less the targets of test.csv; validation: each user's last training "
        "event. A user is one query from the training events, not each row of the file from its own history of at "
        "most ten items, as papers have it."
    )
    split = next(iter(LeaveLastOut().split(data.X)))
    return Task(folder.name, protocol, data.X, data.X_test, data.item_features, split)


def sequences(folder: Path, fit_on_validation: bool) -> Task:
    """Leave-last-out, twice: settings are searched on the last but one event, and the last is the test."""
    data = fetch_amazon_reviews(folder=folder)
    validation, (search, test) = LeaveLastOut(n_splits=2).split(data.X)
    position = np.full(len(data.X), -1)
    position[search] = np.arange(len(search))
    split = (position[validation[0]], position[validation[1]])
    train = search if fit_on_validation else validation[0]
    protocol = (
        "Leave-last-out, in the order of the papers' file: a user's last item is the test, the one before it the "
        "validation; the whole catalogue is ranked, less the history. "
    )
    if fit_on_validation:
        protocol += "The final fit has all events but the test items: one more a user than published numbers have."
        return Task(folder.name, protocol, data.X.iloc[train], data.X.iloc[test], data.item_features, split)
    protocol += "The final fit has neither; at the test, the validation item is a part of the history."
    task = Task(folder.name, protocol, data.X.iloc[train], data.X.iloc[test], data.item_features, split)
    task.X_search, task.history = data.X.iloc[search], data.X.iloc[validation[1]]
    if data.X["user"].nunique() == 22363 and len(data.item_features) == 12101:
        task.published = BEAUTY
    return task


def movielens(folder: Path) -> Task:
    """The official split ``ua``."""
    data = fetch_movielens(folder=folder, split="ua")
    split = next(iter(LeaveKOut(10, n_splits=1, random_state=0).split(data.X_train)))
    protocol = (
        "The official split ua: ten ratings a user held out, every rating an event of implicit feedback; validation: "
        "ten further events of each training user at random. 'No time' leaves the timestamps out."
    )
    task = Task(folder.name, protocol, data.X_train, data.X_test, data.item_features, split)
    task.fixed, task.is_in_order = {"recency_decay": 1.0, "vote_decay": 1.0}, False
    return task


def lastfm(folder: Path) -> Task:
    """A fifth of each user's artists at random."""
    X = pd.read_csv(folder / "user_artists.dat", sep="\t", skiprows=_n_counts(folder / "user_artists.dat"), header=None)
    X = X.iloc[:, :2].set_axis(["user", "item"], axis=1)
    items = pd.read_csv(folder / "artists.dat", sep="\t").iloc[:, :2].set_axis(["item", "name"], axis=1).fillna("")
    held_out = np.random.default_rng(0).random(len(X)) < 0.2
    protocol = (
        "A fifth of the (user, artist) pairs at random is the test, listening counts left aside; validation: five "
        "further artists of each user at random. There is no time."
    )
    train = X[~held_out].reset_index(drop=True)
    split = next(iter(LeaveKOut(5, n_splits=1, random_state=0).split(train)))
    return Task(folder.name, protocol, train, X[held_out], items, split, is_in_order=False)


def _n_counts(path: Path) -> int:
    """Lines before the first event: a header, or counts."""
    with path.open() as file:
        return next(at for at, line in enumerate(file) if len(line.split()) == 3 and line.split()[0].isdigit())


def models(encoder: Any) -> dict[str, Any]:
    """Name to recommender; those with an encoder get the item texts."""
    return {
        "Popular": PopularRecommender(),
        "EmbeddingKNN, text": EmbeddingKNNRecommender(item_encoder=encoder),
        "ItemKNN": ItemKNNRecommender(),
        "ItemKNN, text": ItemKNNRecommender(item_encoder=encoder),
        "UserKNN": UserKNNRecommender(),
        "EASE": EASERecommender(),
        "EASE, no time": EASERecommender(),
        "EASE, text": EASERecommender(item_encoder=encoder),
        "EASE, 100 neighbours": EASERecommender(n_neighbors=100),
        "EASE, 100 neighbours, text": EASERecommender(n_neighbors=100, item_encoder=encoder),
        "HybridMF": HybridMFRecommender(random_state=0),
        "BPR": BPRRecommender(random_state=0),
        "Sequential": SequentialRecommender(**NETWORK),
        "Sequential, text": SequentialRecommender(**NETWORK, item_encoder=encoder),
    }


def fits(name: str, task: Task) -> bool:
    """Whether a model stands in the table: a dense matrix of all items has its limit, and a random split no order."""
    if name.startswith("Sequential"):
        return task.is_in_order
    if name == "EASE, no time":
        return "timestamp" in task.X and len(task.items) <= LARGEST_DENSE
    if name.startswith("EASE"):
        return ("neighbours" in name) == (len(task.items) > LARGEST_DENSE)
    return True


def run(folder: Path, name: str, model: str, cache: str, n_iter: int, fit_on_validation: bool) -> list[dict[str, Any]]:
    """The rows of one model: as it comes, and tuned where ``n_iter`` is positive."""
    warnings.simplefilter("ignore", FeatureCoverageWarning)
    warnings.simplefilter("ignore", TruncationWarning)
    warnings.simplefilter("ignore", TemporalLeakWarning)  # the random splits of the published tables
    task = read_task(folder, fit_on_validation)
    if "no time" in name:
        task.X, task.X_test = (events.drop(columns="timestamp", errors="ignore") for events in (task.X, task.X_test))
    recommender = models(LLMTextEmbedder(model, cache=cache))[name]
    known = recommender.get_params()
    recommender.set_params(**{key: value for key, value in task.fixed.items() if key in known})
    options = {"item_features": FeatureTable(task.items)} if "text" in name else {}
    # Embeds the texts and loads compiled kernels.
    first = clone(recommender)
    if "max_iter" in known:
        first.set_params(max_iter=1)
    first.fit(task.X, **options).recommend(task.X_test["user"].unique()[:300], k=20)
    rows = [measure(name, recommender, task, options)]
    if n_iter and name not in AS_THEY_COME:
        spaces = search_space(recommender)
        space = [
            {key: value for key, value in one.items() if key not in task.fixed}
            for one in ([spaces] if isinstance(spaces, dict) else spaces)
        ]
        search = TunedRecommender(recommender, space, n_iter=n_iter, cv=[task.validation], random_state=0)
        search.fit(task.X if task.X_search is None else task.X_search, **options)
        tuned = clone(recommender).set_params(**search.best_params_)
        settings = ", ".join(f"{key}={_short(value)}" for key, value in search.best_params_.items())
        rows.append({**measure(f"{name}, tuned", tuned, task, options), "settings": settings or "as it comes"})
    return rows


def measure(name: str, recommender: Any, task: Task, options: dict[str, Any]) -> dict[str, Any]:
    """Quality on the test events, seconds and memory."""
    before = peak_gb(reset=True)
    start = time.process_time()
    recommender.fit(task.X, **options)
    fitted = time.process_time()
    users = task.X_test["user"].unique()
    lists = recommender.recommend(users, k=20, history=task.history)
    done = time.process_time()
    row = {"model": name, "fit s": fitted - start, "recommend s": done - fitted, "peak GB": peak_gb() - before}
    if task.history is not None:
        return {**row, **of_last_items(lists, task.X_test.set_index("user")["item"][users]), "settings": ""}
    table = pd.DataFrame(evaluate(recommender, task.X_test, metrics=METRICS, random_state=0)).set_index("metric")
    low, high = table.loc["ndcg@10", ["ci_low", "ci_high"]]
    return {**row, **table["mean"].to_dict(), "interval": f"{low:.4f} to {high:.4f}", "settings": ""}


def of_last_items(lists: Recommendations, wanted: pd.Series) -> dict[str, Any]:
    """The metrics of lists with one relevant item each, and the interval of NDCG@10."""
    hit = lists.items == wanted.to_numpy()[:, None]
    rank = np.where(hit.any(axis=1), hit.argmax(axis=1), np.inf)
    found: dict[str, Any] = {}
    for metric in METRICS:
        name, k = metric.split("@")
        gain = (np.ones(len(rank)) if name == "recall" else 1 / np.log2(2 + rank)) * (rank < int(k))
        found[metric] = float(gain.mean())
        if metric == "ndcg@10":
            rng = np.random.default_rng(0)
            means = [gain[rng.integers(0, len(gain), len(gain))].mean() for _ in range(1000)]
            found["interval"] = "{:.4f} to {:.4f}".format(*np.percentile(means, [2.5, 97.5]))
    return found


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print one table a folder, in markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--cache", help="folder that keeps the embeddings; a temporary one if not given")
    parser.add_argument("--n-iter", type=int, default=20, help="candidates of the random search; 0 for none")
    parser.add_argument("--fit-on-validation", action="store_true", help="sequences: fit on all but the test items")
    parser.add_argument("--models", nargs="+", default=list(models(None)), help="which of the models")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for folder in arguments.folders:
            print_table(folder, arguments, arguments.cache or temporary)


def print_table(folder: Path, arguments: argparse.Namespace, cache: str) -> None:
    """One data set."""
    columns = [*METRICS, "interval", "fit s", "recommend s", "peak GB"]
    spawn = multiprocessing.get_context("spawn")
    task = read_task(folder, arguments.fit_on_validation)
    start = time.perf_counter()
    print(f"\n## {task.name}: {task.X['user'].nunique()} users, {len(task.X)} events, {len(task.X_test)} tested\n")
    print(f"{task.protocol}\n")
    print("| model | " + " | ".join(columns) + " | settings |\n|" + " --- |" * (len(columns) + 2), flush=True)
    for name in arguments.models:
        if not fits(name, task):
            continue
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            rows = pool.submit(
                run, folder, name, arguments.model, cache, arguments.n_iter, arguments.fit_on_validation
            ).result()
        for row in rows:
            forms = {"interval": "", **dict.fromkeys(METRICS, ".4f")}
            cells = [format(row[column], forms.get(column, ".2f")) for column in columns]
            print(f"| {row['model']} | " + " | ".join(cells) + f" | {row['settings']} |", flush=True)
    for name, numbers in task.published.items():
        cells = [f"{numbers[c]:.4f}" if c in numbers else "" for c in columns]
        print(f"| *published:* {name} | " + " | ".join(cells) + " | |")
    print(f"\n{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
