"""Requests blended with taste, and whether explanations name what a score is made of, on Amazon Beauty.

    python examples/benchmarks/requests_and_explanations.py FOLDER

The last item of every user is left alone; the one before is held out, and training ends before it. In the first
table a user asks with the last two words of the held-out item's text: an easy request, the same for all rows. Taste
and request are blended as ``recommend(request=...)`` does, and, in its place, by standard deviations. The second takes
the history away that an explanation of the first recommendation cites. FOLDER holds ``user_sequence.txt`` and
``item_text.txt``.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from cold_items import read

from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.exceptions import FeatureCoverageWarning, TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.metrics import explanation_faithfulness
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
BLOCK = 200


def by_deviations(rec, users, texts, weight):
    """The ten best by the same blend of standardised scores."""
    best = []
    for start in range(0, len(users), BLOCK):
        at = slice(start, start + BLOCK)
        total = 0
        for share, found in (
            (1 - weight, rec.recommend(users[at], k=len(rec.items_), exclude_seen=False)),
            (weight, rec.search(texts[at], k=len(rec.items_))),
        ):
            scores = np.empty(found.scores.shape)
            np.put_along_axis(scores, found.codes, found.scores, axis=1)
            total = total + share * (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
        seen = rec.seen_items(users[at])
        total[seen.row_of_event(), seen.items] = -np.inf
        best.append(rec.items_[np.argsort(-total, axis=1, kind="stable")[:, :10]])
    return np.concatenate(best)


def requests(encoder, train, items, users, targets, texts):
    """The first table."""
    for title, rec in (
        ("ItemKNN", ItemKNNRecommender(item_encoder=encoder)),
        ("HybridMF", HybridMFRecommender(item_encoder=encoder, random_state=0)),
    ):
        rec.fit(train, item_features=items)
        for weight in WEIGHTS:
            found = rec.recommend(users, k=10, request=texts, request_weight=weight).items
            recalls = [
                (rows == targets[:, None]).any(axis=1).mean()
                for rows in (found, by_deviations(rec, users, texts, weight))
            ]
            print(
                f"{title:12} weight {weight:4}: recall@10 {recalls[0]:.3f}, by deviations {recalls[1]:.3f}", flush=True
            )


def explanations(encoder, train, items, users):
    """The second table."""
    for title, rec in (
        ("ItemKNN", ItemKNNRecommender(item_encoder=encoder)),
        ("EmbeddingKNN", EmbeddingKNNRecommender(item_encoder=encoder)),
        ("UserKNN", UserKNNRecommender()),
        ("HybridMF", HybridMFRecommender(item_encoder=encoder, random_state=0)),
        ("BPR", BPRRecommender(item_encoder=encoder, random_state=0)),
    ):
        rec.fit(train, item_features=items)
        why = rec.explain(users, rec.recommend(users, k=1).items.ravel(), n_evidence=1)
        row = explanation_faithfulness(rec, why, measure="rank", random_state=0).iloc[0]
        print(
            f"{title:12} falls by {row['drop']:.4f} of the catalogue without what is cited, {row['random_drop']:.4f} "
            f"without others; difference {row['ci_low']:.4f} to {row['ci_high']:.4f}, {row['n_pairs']} pairs",
            flush=True,
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--cache", default="memory", help="folder that keeps the embeddings")
    arguments = parser.parse_args()
    for category in (FeatureCoverageWarning, TruncationWarning):
        warnings.simplefilter("ignore", category)
    events, items = read(arguments.folder)
    steps_back = events.groupby("user").cumcount(ascending=False)
    train = events[steps_back > 1]
    held_out = events[steps_back == 1].set_index("user")["item"]
    table = items.table.set_index(items.table.columns[0]).iloc[:, 0]
    held_out = held_out[held_out.isin(table.index) & held_out.index.isin(train["user"])]
    held_out = held_out.sample(min(arguments.users, len(held_out)), random_state=0)
    users, targets = held_out.index.to_numpy(), held_out.to_numpy()
    texts = [" ".join(text.split()[-2:]) for text in table[targets]]
    encoder = LLMTextEmbedder(cache=arguments.cache)
    requests(encoder, train, items, users, targets, texts)
    explanations(encoder, train, items, users[:500])


if __name__ == "__main__":
    main()
