"""Try it: fit a recommender to the bookshop, or to your own files, and serve it.

examples:
  skrec demo
  skrec demo --language zh
  skrec demo orders.csv products.csv

Feedback is learned, and forgotten at the end.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from skrec.cli._config import read_config
from skrec.cli._data import Tables, add_columns, given_columns, read_events_file, read_features_file
from skrec.cli._fit import fit
from skrec.cli._output import say
from skrec.cli._serve import LOCAL, add_address, run_app, start_log
from skrec.interactions import FeatureTable

NAME = "demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``skrec demo``."""
    parser.add_argument("events", nargs="?", help="CSV, Parquet or JSON file, one row per event; default: the bookshop")
    parser.add_argument("items", nargs="?", help="CSV, Parquet or JSON file, one row per item")
    parser.add_argument("--language", choices=["en", "zh"], default="en", help="of the bookshop")
    parser.add_argument("--config", metavar="FILE", help="TOML of the estimator; default: a hybrid that converses")
    add_columns(parser)
    add_address(parser)


def run(given: argparse.Namespace) -> None:
    """Fit and serve."""
    start_log()
    estimator = None if given.config is None else read_config(given.config)
    tables = (
        bookshop(given.language)
        if given.events is None
        else own_tables(given.events, given.items, **given_columns(given))
    )
    fitted = fit(default_model(tables) if estimator is None else estimator, tables)
    hosts = LOCAL if given.host in LOCAL else []
    with tempfile.TemporaryDirectory() as folder:
        say("Stop it by Ctrl-C.")
        options = {"feedback_log": Path(folder) / "feedback.sqlite", "allowed_hosts": hosts, "user_list": bool(hosts)}
        run_app(fitted, given.host, given.port, **options)


def default_model(tables: Tables) -> Any:
    """A hybrid, with conversations where items have texts."""
    from skrec.decomposition import HybridMFRecommender
    from skrec.llm import ConversationalRecommender

    if not tables.features:
        return HybridMFRecommender(random_state=0)
    return ConversationalRecommender(HybridMFRecommender(item_encoder="auto", random_state=0))


def bookshop(language: Any) -> Tables:
    """The bookshop, as a table of the reader."""
    from skrec.datasets import load_bookshop
    from skrec.interactions import read_log

    shop = load_bookshop(language=language)
    return Tables(read_log(shop.X), {"item_features": FeatureTable(shop.item_features)})


def own_tables(events: str, items: str | None, **columns: Any) -> Tables:
    """Own files, with the columns that are named."""
    import narwhals as nw

    tables = Tables(read_events_file(events, **columns))
    if items is not None:
        ids = nw.from_native(tables.log.X, eager_only=True)[:, 1]
        tables.features["item_features"] = FeatureTable(read_features_file(items, ids))
    return tables
