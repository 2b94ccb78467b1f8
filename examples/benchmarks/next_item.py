"""SequentialRecommender on sequences, by the papers' protocol, beside what papers report.

    python examples/benchmarks/next_item.py FOLDER [--models NAME ...] [--max-iter 30] [--checkpoints FOLDER]
    python examples/benchmarks/next_item.py --made 5000000 100000 [--steps 200] [--batch-size 128]

The folder holds ``user_sequence.txt`` and ``item_text.txt`` (Amazon Beauty and its kin): see ``published_tables.py``
for the protocol. Fitted on all but a user's last two events; the last but one decides when training stops, and is a
part of the history at the test; the whole catalogue is ranked less the history. The test is looked at once, at the end.

An epoch of Beauty takes a minute or so of one core. With ``--checkpoints``, a run that was killed goes on where it
stopped, by the same command; with a larger ``--max-iter`` it goes on for more epochs. Give ``--cache`` too: the vectors
of the texts must be the same.

With ``--made EVENTS ITEMS`` memory is measured: a log is made, fifty events per user, and training is interrupted after
some steps. Printed is the peak of the process, beside what it held before the fit.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peers import peak_gb
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


def measure_memory(n_events: int, n_items: int, n_steps: int, batch_size: int) -> None:
    """Peak of a fit that is interrupted after some steps."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    rng = np.random.default_rng(0)
    items = (n_items * rng.random(n_events) ** 3).astype(np.int32)
    log = pd.DataFrame({"user": np.arange(n_events, dtype=np.int32) // 50, "item": items})
    own = peak_gb()
    done = [0]

    def count(*_: Any) -> None:
        done[0] += 1
        if done[0] == n_steps:
            raise KeyboardInterrupt

    hook = register_optimizer_step_post_hook(count)
    start = time.process_time()
    try:
        SequentialRecommender(batch_size=batch_size, random_state=0).fit(log)
    except KeyboardInterrupt:
        pass
    finally:
        hook.remove()
    print(
        f"{n_events:,} events, {n_items:,} items, batches of {batch_size}: peak {peak_gb():.2f} GB after {done[0]} "
        f"steps, {own:.2f} GB before the fit, {time.process_time() - start:.0f} CPU s"
    )


def main() -> None:
    """Print a table in markdown, or the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--made", type=int, nargs=2, metavar=("EVENTS", "ITEMS"), help="measure memory on a made log")
    parser.add_argument("--steps", type=int, default=200, help="of the made log")
    parser.add_argument("--batch-size", type=int, default=128, help="of the made log")
    parser.add_argument("--models", nargs="+", default=["Sequential, text", "Sequential"])
    parser.add_argument("--max-iter", type=int, default=30)
    parser.add_argument("--checkpoints", type=Path, help="folder of the checkpoints")
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="of the texts")
    parser.add_argument("--cache", help="folder that keeps the embeddings; a temporary one if not given")
    arguments = parser.parse_args()
    if arguments.made is not None:
        measure_memory(*arguments.made, arguments.steps, arguments.batch_size)
        return
    if arguments.folder is None:
        parser.error("pass a FOLDER, or --made EVENTS ITEMS")
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
