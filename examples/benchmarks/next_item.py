"""SequentialRecommender on sequences, by the papers' protocol, beside what papers report.

    python examples/benchmarks/next_item.py FOLDER [--models NAME ...] [--max-iter 30] [--checkpoints FOLDER]

The folder holds ``user_sequence.txt`` and ``item_text.txt`` (Amazon Beauty and its kin): see ``published_tables.py``
for the protocol. Fitted on all but a user's last two events; the last but one decides when training stops, and is a
part of the history at the test; the whole catalogue is ranked less the history. The test is looked at once, at the end.

An epoch of Beauty takes a minute or so of one core. With ``--checkpoints``, a run that was killed goes on where it
stopped, by the same command; with a larger ``--max-iter`` it goes on for more epochs. Give ``--cache`` too: the vectors
of the texts must be the same.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from published_tables import of_last_items, sequences

from skrec.exceptions import TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.neural_network import SequentialRecommender


def models(encoder: Any, max_iter: int) -> dict[str, SequentialRecommender]:
    """Name to recommender; settings from validation events of Beauty."""
    shared: dict[str, Any] = {"max_length": 30, "max_iter": max_iter, "random_state": 0}
    return {
        "Sequential": SequentialRecommender(**shared),
        "Sequential, text": SequentialRecommender(**shared, item_encoder=encoder),
        "Sequential, sampled softmax, text": SequentialRecommender(
            **shared, item_encoder=encoder, loss="sampled_softmax", n_negatives=2048
        ),
        "GRU, text": SequentialRecommender(**shared, item_encoder=encoder, architecture="gru"),
    }


def show(report: Any) -> None:
    """One line per epoch."""
    score = report.validation_score
    print(f"  epoch {report.epoch}: loss {report.loss:.4f}, validation NDCG@10 {score:.4f}", flush=True)


def main() -> None:
    """Print a table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=["Sequential, text", "Sequential"])
    parser.add_argument("--max-iter", type=int, default=30)
    parser.add_argument("--checkpoints", type=Path, help="folder of the checkpoints")
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="of the texts")
    parser.add_argument("--cache", help="folder that keeps the embeddings; a temporary one if not given")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", TruncationWarning)
    task = sequences(arguments.folder, fit_on_validation=False)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        encoder = LLMTextEmbedder(arguments.model, cache=arguments.cache or folder)
        for name in arguments.models:
            print(name, flush=True)
            recommender = models(encoder, arguments.max_iter)[name]
            checkpoint = None
            if arguments.checkpoints is not None:
                checkpoint = arguments.checkpoints / f"{arguments.folder.name}-{name.replace(', ', '-')}.pt"
            start = time.process_time()
            recommender.fit(
                task.X,
                item_features=FeatureTable(task.items) if "text" in name else None,
                validation_data=task.history[["user", "item"]],
                callbacks=show,
                checkpoint=checkpoint,
            )
            fitted = time.process_time()
            users = task.X_test["user"].unique()
            lists = recommender.recommend(users, k=20, history=task.history)
            row = {"model": name, "epoch": recommender.best_iter_, "validation": max(recommender.validation_scores_)}
            row |= {"fit, CPU s": fitted - start, "recommend, CPU s": time.process_time() - fitted}
            rows.append(row | of_last_items(lists, task.X_test.set_index("user")["item"][users]))
    rows += [{"model": f"published: {name}"} | values for name, values in task.published.items()]
    print(task.protocol)
    print(pd.DataFrame(rows).round(4).astype(object).fillna("").to_string(index=False))


if __name__ == "__main__":
    main()
