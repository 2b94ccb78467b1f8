"""Fit a recommender to a table of events, and save it.

examples:
  skrec fit orders.csv --output model.skops
  skrec fit orders.parquet --items products.csv --context device --output model.skops
  skrec fit orders.csv --items products.csv --config model.toml --output model.skops

A file model.toml names a public estimator and its parameters; tables inside it are estimators too:

  estimator = "HybridMFRecommender"
  n_factors = 32

  [item_encoder]
  estimator = "NgramTextEncoder"

The file is put in its place at once, so that a running `skrec serve` takes it over. Its time of modification is that
of the file of events, so that `skrec serve` replays the feedback that was logged since.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from skrec.cli._config import read_config
from skrec.cli._data import Tables, add_tables, read_tables
from skrec.cli._errors import CommandError
from skrec.cli._output import say, step

NAME = "fit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``skrec fit``."""
    add_tables(parser)
    parser.add_argument("--config", metavar="FILE", help="TOML of the estimator; default: HybridMFRecommender")
    parser.add_argument("--output", metavar="FILE", required=True, help="the model, by skops")


def run(given: argparse.Namespace) -> None:
    """Fit and save."""
    estimator = None if given.config is None else read_config(given.config)
    known_until = os.stat(given.events).st_mtime if os.path.exists(given.events) else 0.0
    tables = read_tables(given)
    fitted = fit(default_model(tables) if estimator is None else estimator, tables)
    save(fitted, given.output, known_until=known_until)
    say(f"saved {given.output}")


def default_model(tables: Tables) -> Any:
    """A hybrid of what the tables have."""
    from skrec.decomposition import HybridMFRecommender
    from skrec.feature_extraction import ContextEncoder
    from skrec.pipeline import make_pipeline

    sides: dict[str, Any] = {
        f"{side}_encoder": "auto" for side in ("item", "user") if f"{side}_features" in tables.features
    }
    hybrid = HybridMFRecommender(**sides, random_state=0)
    has_context = any(column.role == "context" for column in tables.log.report.columns)
    return make_pipeline(ContextEncoder(), hybrid) if has_context else hybrid


def fit(estimator: Any, tables: Tables, rows: Any = None) -> Any:
    """Fit to the events, or to some rows of them."""
    from skrec.interactions import take_rows

    X, y = tables.log.X, tables.log.y
    if rows is not None:
        X, y = take_rows(X, rows), None if y is None else y[rows]
    with step(f"fitting {type(estimator).__name__}"):
        return estimator.fit(X, y, **tables.features)


def save(fitted: Any, path: str, known_until: float) -> None:
    """Write a model beside its place, then into it.

    The time of the last event that it may know becomes that of the file: what was logged while it was fitted is not
    taken as known.
    """
    try:
        import skops.io
    except ImportError as error:
        raise CommandError(f'{error}; install the extra: pip install "skrec-text[serve]".') from error
    beside = Path(f"{path}.{os.getpid()}.new")
    try:
        skops.io.dump(fitted, beside)
        os.utime(beside, (known_until, known_until))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
