"""Compare recommenders on the last events of a table, fitted to those before.

examples:
  skrec evaluate orders.csv
  skrec evaluate orders.csv --items products.csv --config a.toml --config b.toml --metric ndcg@10 --metric recall@20
  skrec evaluate orders.csv --test-size 0.1 --format json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import narwhals as nw

from skrec.cli._config import read_config
from skrec.cli._data import add_tables, read_tables
from skrec.cli._errors import CommandError
from skrec.cli._fit import default_model, fit
from skrec.cli._output import step
from skrec.utils import in_columns

NAME = "evaluate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``skrec evaluate``."""
    add_tables(parser)
    config = "TOML of an estimator, may be given several times; default: HybridMFRecommender"
    parser.add_argument("--config", metavar="FILE", action="append", default=[], help=config)
    parser.add_argument("--metric", metavar="NAME", action="append", default=[], help="default: ndcg@10, recall@10")
    size = "share of the events, the last in time, that are held out; default: %(default)s"
    parser.add_argument("--test-size", type=_share, default=0.2, metavar="SHARE", help=size)
    parser.add_argument("--format", choices=["table", "json"], default="table")


def run(given: argparse.Namespace) -> None:
    """Fit to the first events, and measure on the last; popularity stands beside."""
    from skrec.dummy import PopularRecommender
    from skrec.interactions import take_rows
    from skrec.metrics import evaluate
    from skrec.model_selection import TimeSplit

    models: dict[str, Any] = {_name(path, given.config): read_config(path) for path in given.config}
    tables = read_tables(given)
    models = models or {"hybrid": default_model(tables)}
    n_test = max(int(len(tables.log) * given.test_size), 1)
    train, test = list(TimeSplit(1, test_size=n_test).split(tables.log.X))[-1]
    if not len(train):
        raise CommandError("No event is left to fit to; give a smaller --test-size.")
    fitted = {name: fit(model, tables, train) for name, model in models.items()}
    fitted.setdefault("popular", fit(PopularRecommender(), tables, train))
    X_test, y_test = take_rows(tables.log.X, test), None if tables.log.y is None else tables.log.y[test]
    with step(f"measuring on {len(test)} events"):
        measured = evaluate(fitted, X_test, y_test, metrics=given.metric or ["ndcg@10", "recall@10"], random_state=0)
    rows = nw.from_native(measured).rows(named=True)
    print(json.dumps(rows, indent=1) if given.format == "json" else _table(rows))


def _name(path: str, others: list[str]) -> str:
    return Path(path).stem if [Path(other).stem for other in others].count(Path(path).stem) == 1 else path


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [["model", "metric", "mean", "95 % interval", "queries"]]
    for row in rows:
        interval = f"{row['ci_low']:.4f} to {row['ci_high']:.4f}"
        cells.append([row["model"], row["metric"], f"{row['mean']:.4f}", interval, str(row["n_queries"])])
    return "\n".join(in_columns(cells))


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, not {text}")
    return share
