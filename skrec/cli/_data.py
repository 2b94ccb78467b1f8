"""Tables of the command line: events by the log reader, features of items and users as frames."""

from __future__ import annotations

import argparse
import contextlib
import csv
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import narwhals as nw

from skrec.cli._errors import CommandError
from skrec.cli._output import say
from skrec.interactions import EventLog, FeatureTable, file_kind, read_json_table, read_log, read_text_table
from skrec.utils import installed_frame_library


@dataclass
class Tables:
    """What ``fit`` takes."""

    log: EventLog
    features: dict[str, Any] = field(default_factory=dict)


def add_tables(parser: argparse.ArgumentParser) -> None:
    """Arguments of the tables."""
    parser.add_argument("events", help="CSV, Parquet or JSON file, one row per event")
    parser.add_argument("--items", metavar="FILE", help="CSV, Parquet or JSON file, one row per item")
    parser.add_argument("--users", metavar="FILE", help="CSV, Parquet or JSON file, one row per user")
    add_columns(parser)


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which column of the events is what, and how it is written."""
    group = parser.add_argument_group("columns of the events, found by their names where they are not given")
    for name in ("user", "item", "timestamp", "rating"):
        group.add_argument(f"--{name}", metavar="COLUMN")
    group.add_argument("--context", metavar="COLUMN", action="append", default=[], help="may be given several times")
    group.add_argument("--no-rating", action="store_true", help="no column is a rating or a strength")
    group.add_argument("--drop-missing", action="store_true", help="drop events without user, item or time")
    group.add_argument("--time-format", metavar="FORMAT", help="of times that are not ISO 8601, as %%d.%%m.%%Y")


def read_tables(given: argparse.Namespace) -> Tables:
    """The events, and the tables of features that are given.

    Raises
    ------
    CommandError
        If a file cannot be read; the message says why.
    """
    log = read_events_file(given.events, **given_columns(given))
    tables = Tables(log)
    for side, path in (("item", given.items), ("user", given.users)):
        if path is not None:
            tables.features[f"{side}_features"] = FeatureTable(read_features_file(path, _column(log.X, side)))
    return tables


def given_columns(given: argparse.Namespace) -> dict[str, Any]:
    """The arguments of ``add_columns``, as ``read_log`` takes them."""
    rating: Any = False if given.no_rating else given.rating
    names = {"user": given.user, "item": given.item, "timestamp": given.timestamp, "rating": rating}
    further = {"context": given.context, "drop_missing": given.drop_missing, "time_format": given.time_format}
    return names | further


def read_events_file(path: str, **options: Any) -> EventLog:
    """Events of a file, with a report of what was taken for what."""
    if not Path(path).is_file():
        raise CommandError(f"There is no file {path}.")
    try:
        log = read_log(path, **options)
    except (ValueError, UnicodeError) as error:
        raise CommandError(f"{path} cannot be read as events: {_as_options(str(error))}") from error
    say(str(log.report))
    return log


def _as_options(message: str) -> str:
    """The arguments that a message of ``read_log`` names, as options of the command line."""
    message = message.replace("drop_missing=True", "--drop-missing").replace("rating=False", "--no-rating")
    return re.sub(
        r"\b(user|item|timestamp|rating|time_format)=(?=')", lambda m: f"--{m[1].replace('_', '-')} ", message
    )


def read_features_file(path: str, ids: Any) -> Any:
    """A table of features as a frame; ids that are text in the events stay text, as ``007``."""
    if not Path(path).is_file():
        raise CommandError(f"There is no file {path}.")
    try:
        backend: Any = installed_frame_library()
        kind = file_kind(Path(path))
        if kind == "parquet":
            return nw.read_parquet(path, backend=backend).to_native()
        if kind == "excel":
            raise ValueError("it is a spreadsheet; save it as CSV")
        if kind == "json":
            return _json_frame(path, ids, backend)
        with plain_csv(path) as plain:
            frame = nw.read_csv(plain, backend=backend)
            name = ids.name if ids.name in frame.columns else frame.columns[0]
            if not ids.dtype.is_numeric() and frame[name].dtype.is_numeric():
                texts = _texts(plain, name)
                frame = frame.with_columns(nw.new_series(name, texts, nw.String, backend=backend))
    except Exception as error:  # each library raises its own
        raise CommandError(f"{path} cannot be read as a table: {error!s:.500}") from error
    return frame.select(name, nw.exclude(name)).to_native()


def _json_frame(path: str, ids: Any, backend: Any) -> Any:
    """A table of JSON objects as a frame, the ids first."""
    table, _ = read_json_table(Path(path), None)
    cells = {name: [_listed(cell) for cell in column] for name, column in table.items()}
    name = ids.name if ids.name in cells else next(iter(cells))
    if not ids.dtype.is_numeric():
        cells[name] = [None if cell is None else str(cell) for cell in cells[name]]
    return nw.from_dict({name: cells.pop(name), **cells}, backend=backend).to_native()


def _listed(cell: Any) -> Any:
    """A cell; a list as its entries side by side."""
    return ", ".join(map(str, cell)) if isinstance(cell, list) else cell


@contextlib.contextmanager
def plain_csv(path: str) -> Iterator[str]:
    """The path of the same table as UTF-8 with commas: of the file itself where it is written so."""
    try:
        table, found = read_text_table(Path(path), None, None, None)
    except ValueError:  # a single column, say: the frame library reads it, or says why not
        table, found = {}, {}
    if not table or found == {"encoding": "utf-8", "delimiter": ","}:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "table.csv"
        with plain.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
        yield str(plain)


def _texts(path: str, name: str) -> list[str]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def _column(X: Any, side: str) -> Any:
    frame = nw.from_native(X, eager_only=True)
    return frame[:, 1 if side == "item" else 0]
