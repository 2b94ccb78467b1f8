"""
Quickstart: recommendations from events and text
================================================

A small bookshop: who bought what and when, and what each book is about. Popularity, a text KNN and a hybrid
matrix factorisation are compared on books that the model has sold before and on books that it has never
sold; one of them is tuned, saved, reloaded and searched by free text.

Run it with ``python examples/quickstart.py``, or on MovieLens 100K with ``--data FOLDER`` (the folder that
holds ``u.data`` and ``u.item``), or on the Chinese bookshop with ``--language zh``.
"""

import argparse
import tempfile
import time
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV

from skrec.datasets import fetch_movielens, load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import LLMTextEmbedder, NgramTextEncoder
from skrec.interactions import FeatureTable
from skrec.metrics import evaluate
from skrec.model_selection import ColdItemSplit, LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender

METRICS = ["ndcg@10", "recall@10", "coverage@10"]


SEARCHES = {
    "en": ["a quiet book about grief", "obsession on a long sea voyage"],
    "zh": ["监狱与越狱", "写离别的诗"],
}


def load(folder, language):
    """Events, a table of items with text, and texts to search for."""
    if folder is None:
        shop = load_bookshop(language=language)
        return shop.interactions, shop.item_features, SEARCHES[language]
    movies = fetch_movielens(folder=folder)
    return movies.X, movies.item_features, ["a war film", "animation for children"]


def models(encoder):
    """The contenders. The texts are embedded once: all of them share one cache."""
    return {
        "popularity": PopularRecommender(),
        "text KNN": EmbeddingKNNRecommender(item_encoder=encoder),
        "hybrid MF": HybridMFRecommender(item_encoder=encoder, random_state=0),
    }


def compare(X, items, encoder, splitter, **options):
    """Fit on the training events of one split, evaluate on its held-out events."""
    train, test = next(iter(splitter.split(X)))
    fitted = {name: model.fit(X.iloc[train], item_features=items) for name, model in models(encoder).items()}
    return fitted, evaluate(fitted, X.iloc[test], metrics=METRICS, random_state=0, **options)


def plot(tables, path):
    """NDCG@10 of each model with its interval, one panel a table."""
    _, axes = plt.subplots(1, len(tables), figsize=(9, 3.5), layout="constrained")
    for axis, (title, table) in zip(axes, tables.items(), strict=True):
        rows = table[table["metric"] == "ndcg@10"]
        spread = [rows["mean"] - rows["ci_low"], rows["ci_high"] - rows["mean"]]
        axis.bar(rows["model"], rows["mean"], yerr=spread, capsize=4, color=["0.7", "C0", "C1"])
        axis.set(title=title, ylabel="NDCG@10, 95 % interval")
    plt.savefig(path, dpi=120)
    plt.close()


def main():
    """Everything, in the order of the page."""
    parser = argparse.ArgumentParser(description="Recommendations from events and text.")
    parser.add_argument("--data", metavar="FOLDER", help="MovieLens 100K, instead of the bookshop")
    parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop: English or Chinese")
    parser.add_argument("--plot", metavar="FILE", default="quickstart.png", help="where to save the plot")
    parser.add_argument("--quick", action="store_true", help="fewer settings in the search, shorter vectors")
    arguments = parser.parse_args()
    start = time.perf_counter()

    chinese = arguments.language == "zh" and arguments.data is None
    # The installed language model reads English.
    encoder = NgramTextEncoder(64 if arguments.quick else 256) if chinese else LLMTextEmbedder()
    X, items, texts = load(arguments.data, arguments.language)
    table = FeatureTable(items)
    print(f"{len(X)} events, {X.iloc[:, 0].nunique()} users, {len(items)} items with text\n")

    print("The next item of each user, among all:")
    fitted, warm = compare(X, table, encoder, LeaveLastOut())
    print(warm.round(3).to_string(index=False))

    print("\nItems that no user has had before, among themselves:")
    unsold = ColdItemSplit(n_splits=1, test_size=0.1, random_state=0)
    _, cold = compare(X, table, encoder, unsold, candidates="test")
    print(cold.round(3).to_string(index=False))

    print(f"\nTuned on the last training events{'' if chinese else ', the embeddings from the cache'}:")
    train, _ = next(iter(LeaveLastOut().split(X)))
    lengths = {"item_encoder__n_components": [256, 128]} if chinese else {"item_encoder__truncate_dim": [None, 128]}
    grid = {"n_factors": [16, 32], **({} if arguments.quick else lengths)}
    search = GridSearchCV(models(encoder)["hybrid MF"], grid, cv=LeaveLastOut())
    search.fit(X.iloc[train], item_features=table)
    print(f"best {search.best_params_}, validation NDCG@10 {search.best_score_:.3f}")

    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(fitted["text KNN"], Path(folder) / "knn.joblib")
        loaded = joblib.load(Path(folder) / "knn.joblib")
    print("\nA saved and reloaded text KNN, searched by free text:")
    titles = items.set_index(items.columns[0])["title"]
    for text in texts:
        found = loaded.search(text, k=3).items[0]
        print(f"  {text!r}: {'; '.join(titles[found])}")

    plot({"known items": warm, "cold items": cold}, arguments.plot)
    print(f"\nPlot saved to {arguments.plot}; {time.perf_counter() - start:.0f} seconds in all.")


if __name__ == "__main__":
    main()
