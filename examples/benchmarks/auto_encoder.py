"""``item_encoder="auto"`` beside the same rows written out as text, and beside no features at all.

    python examples/benchmarks/auto_encoder.py [FOLDER ...] [--models NAME ...] [--language zh] [--validate] ...

On the bookshop, in English or in Chinese, or on every folder: Amazon Beauty (``user_sequence.txt``,
``item_text.txt``) or MovieLens 100K (``u.data``, ``u.item``, ``u.user``). Two protocols, the models as they come: the
last event of every user among the whole catalogue (NDCG@10), and a tenth of the items hidden from training, ranked
among themselves (recall@10, the mean of three draws). "text" is ``LLMTextEmbedder()``, which writes all columns of a
row out as one text; "n-grams" is
``NgramTextEncoder()``, which needs no model; "pair" is both side by side, ``TextEncoderUnion()``;"auto" makes the
pair of the text columns (n-grams alone of Chinese, which the model does not read), one-hot encodes categories, and
imputes and scales numbers. The last column is the difference from "text" in the first protocol, with its 95 % interval
over users. ``--validate`` splits the training part of the first protocol again, and hides a further tenth of the items
that the second leaves: settings are to be chosen there.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone

from skrec.datasets import fetch_amazon_reviews, fetch_movielens, load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning, UnreadableTextWarning
from skrec.feature_extraction import LLMTextEmbedder, NgramTextEncoder, TableEncoder, TextEncoderUnion
from skrec.interactions import FeatureTable
from skrec.metrics import compare, ranking_scorer
from skrec.model_selection import ColdItemSplit, LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender

MODELS = [EmbeddingKNNRecommender(), ItemKNNRecommender(), HybridMFRecommender(random_state=0)]


def read(folder, language):
    """Name, events and item table."""
    if folder is None:
        shop = load_bookshop(frame="pandas", language=language)
        return f"bookshop ({language})", shop.X, shop.item_features
    if (folder / "u.data").exists():
        films = fetch_movielens(folder=folder, frame="pandas")
        return folder.name, films.X[films.y >= 4], films.item_features
    reviews = fetch_amazon_reviews(folder=folder, frame="pandas")
    return folder.name, reviews.X, reviews.item_features


def fitted(model, encoder, X, table):
    """A model with an encoder, or without features; EmbeddingKNN has nothing to rank by then."""
    model = clone(model).set_params(item_encoder=encoder)
    return model.fit(X, item_features=FeatureTable(table)) if encoder is not None else model.fit(X)


def encoders(cache, language):
    """Encoders by their names."""
    embedder = LLMTextEmbedder(cache=cache, on_unreadable="ignore")
    pair = TextEncoderUnion([embedder, NgramTextEncoder()])
    auto = TableEncoder(pair if language == "en" else None)
    return {"none": None, "text": embedder, "n-grams": NgramTextEncoder(), "pair": pair, "auto": auto}


def measure(models, name, X, table, cache, validate, language):
    """Print one row per model and encoder."""
    print(f"\n{name}: {len(X):,} events, {X['item'].nunique():,} items; columns {list(table.columns[1:])}")
    print(f"{'model':24}{'features':10}{'ndcg@10':>9}{'cold recall@10':>16}   difference from text")
    train, test = next(LeaveLastOut().split(X))
    cold = [next(ColdItemSplit(10, random_state=seed).split(X)) for seed in range(3)]
    if validate:
        train, test = (train[part] for part in next(LeaveLastOut().split(X.iloc[train])))
        halves = [next(ColdItemSplit(10, random_state=seed).split(X.iloc[part])) for seed, (part, _) in enumerate(cold)]
        cold = [tuple(part[half] for half in pair) for (part, _), pair in zip(cold, halves, strict=True)]
    among_cold = ranking_scorer("recall@10", candidates="test")
    for model in models:
        by_encoder = {}
        for label, encoder in encoders(cache, language).items():
            if encoder is None and isinstance(model, EmbeddingKNNRecommender):
                continue
            by_encoder[label] = fitted(model, encoder, X.iloc[train], table)
            warm = ranking_scorer("ndcg@10")(by_encoder[label], X.iloc[test])
            recalls = [
                among_cold(fitted(model, encoder, X.iloc[part], table), X.iloc[hidden])
                for part, hidden in cold
                if encoder is not None
            ]
            line = f"{type(model).__name__:24}{label:10}{warm:9.4f}{np.mean(recalls) if recalls else np.nan:16.4f}"
            if label not in ("none", "text"):
                row = compare(
                    by_encoder[label], by_encoder["text"], X.iloc[test], metrics=["ndcg@10"], random_state=0
                ).iloc[0]
                line += f"   {row['difference']:+.4f} ({row['ci_low']:+.4f} to {row['ci_high']:+.4f})"
            print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = {type(model).__name__.removesuffix("Recommender"): model for model in MODELS}
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--models", nargs="+", choices=list(names), default=list(names))
    parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop")
    parser.add_argument("--cache", default="memory", help="folder that keeps the embeddings")
    parser.add_argument("--validate", action="store_true")
    arguments = parser.parse_args()
    for category in (FeatureCoverageWarning, TemporalLeakWarning, TruncationWarning, UnreadableTextWarning):
        warnings.simplefilter("ignore", category)
    for source in arguments.folders or [None]:
        chosen = [names[name] for name in arguments.models]
        measure(chosen, *read(source, arguments.language), arguments.cache, arguments.validate, arguments.language)
