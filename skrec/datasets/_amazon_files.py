"""The files in which Amazon reviews come, taken apart."""

import ast
import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TEXT_COLUMNS = ("title", "brand", "categories", "description")


@dataclass
class Reviews:
    """Events in time order, and the item table.

    Attributes
    ----------
    users, items : ndarray of shape (n_events,)
        Ids.
    y : float32 ndarray of shape (n_events,) or None
        Stars; None where the files hold none.
    timestamp : int64 ndarray of shape (n_events,)
        Seconds since 1970, or the position in the user's sequence.
    columns : dict of lists
        The item table, ``item_id`` first.
    held_out : (users, items) or None
        Test events, where the files name them.
    """

    users: NDArray
    items: NDArray
    y: NDArray[np.float32] | None
    timestamp: NDArray[np.int64]
    columns: dict[str, Any] = field(default_factory=dict)
    held_out: tuple[NDArray, NDArray] | None = None


@dataclass(frozen=True)
class Edition:
    """Where one edition lies, and how it is read.

    ``reviews`` and ``items`` are addresses with a place for the category, ``item_id`` is the id field of items.
    """

    reviews: str
    items: str
    item_id: str
    read: Callable[[Path], Iterator[tuple[str, str, float, int]]]


def read_edition(reviews: Path, items: Path, edition: Edition) -> Reviews:
    """Read a file of reviews and one of items; only items with reviews are kept."""
    try:
        rows = list(edition.read(reviews))
    except (KeyError, ValueError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{reviews} does not hold reviews as expected: {error!r}") from error
    if not rows:
        raise ValueError(f"{reviews} contains no review.")
    users, asins, stars, times = zip(*rows, strict=True)
    timestamp = np.array(times, dtype=np.int64)
    order = np.argsort(timestamp, kind="stable")
    reviewed = np.array(asins)[order]
    return Reviews(
        np.array(users)[order],
        reviewed,
        np.array(stars, dtype=np.float32)[order],
        timestamp[order],
        _read_items(items, np.unique(reviewed), edition.item_id),
    )


def read_review_lines(path: Path) -> Iterator[tuple[str, str, float, int]]:
    """Reviews of 2014 and 2018: one JSON object a line."""
    for line in _lines(path):
        review = json.loads(line)
        yield review["reviewerID"], review["asin"], float(review["overall"]), int(review["unixReviewTime"])


def read_rating_csv(path: Path) -> Iterator[tuple[str, str, float, int]]:
    """Ratings of 2023: a CSV file with a header; times are milliseconds."""
    for row in csv.DictReader(_lines(path), strict=True):
        yield row["user_id"], row["parent_asin"], float(row["rating"]), int(row["timestamp"]) // 1000


def read_sequences(folder: Path) -> Reviews:
    """``user_sequence.txt`` (a user, then items in time order) and ``item_text.txt`` (an item, then words)."""
    users: list[str] = []
    items: list[str] = []
    positions: list[int] = []
    for line in (folder / "user_sequence.txt").read_text(encoding="utf-8").splitlines():
        user, *sequence = line.split()
        users += [user] * len(sequence)
        items += sequence
        positions += range(len(sequence))
    texts = [line.split(maxsplit=1) for line in (folder / "item_text.txt").read_text(encoding="utf-8").splitlines()]
    columns = {"item_id": np.array([row[0] for row in texts]), "text": [row[1] if row[1:] else "" for row in texts]}
    timestamp = np.array(positions, dtype=np.int64)
    order = np.argsort(timestamp, kind="stable")
    return Reviews(np.array(users)[order], np.array(items)[order], None, timestamp[order], columns)


def read_histories(folder: Path, tested: str) -> Reviews:
    """``item.json``, ``valid.csv`` and ``test.csv``, whose rows are a user, a history in order and a target.

    Training events are the histories of both files, each (user, item) pair once and less the targets of the
    tested file.
    """
    rows = {name: _history_rows(folder / f"{name}.csv") for name in ("valid", "test")}
    targets = list(dict.fromkeys((user, target) for user, _, target in rows[tested]))
    hidden = set(targets)
    positions: dict[tuple[str, int], int] = {}
    for user, history, _ in rows["valid"] + rows["test"]:
        start = max((positions.get((user, item), -1) for item in history), default=-1) + 1
        for item in history:
            if (user, item) not in hidden and (user, item) not in positions:
                positions[user, item] = start
                start += 1
    pairs = sorted(positions.items(), key=lambda entry: entry[1])
    return Reviews(
        np.array([user for (user, _), _ in pairs]),
        np.array([item for (_, item), _ in pairs]),
        None,
        np.array([position for _, position in pairs], dtype=np.int64),
        _item_json(folder / "item.json"),
        (np.array([user for user, _ in targets]), np.array([item for _, item in targets])),
    )


def check_gzip(path: Path) -> None:
    """Read a download to its end, so that its own check sum is compared.

    Raises
    ------
    OSError, EOFError
        If it is no gzip file, or a damaged or truncated one.
    """
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from file


def _history_rows(path: Path) -> list[tuple[str, list[int], int]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        return [(r["user_id"], ast.literal_eval(r["history_item_id"]), int(r["item_id"])) for r in rows]


def _item_json(path: Path) -> dict[str, Any]:
    items = json.loads(path.read_text(encoding="utf-8"))
    columns: dict[str, Any] = {"item_id": np.array([int(position) for position in items])}
    for name in _TEXT_COLUMNS:
        columns[name] = [_text(item.get(name, "")) for item in items.values()]
    return columns


def _read_items(path: Path, item_ids: NDArray, id_field: str) -> dict[str, Any]:
    """The item table in the order of ``item_ids``; items that the file lacks get empty texts."""
    rows = dict.fromkeys(item_ids.tolist(), dict.fromkeys(_TEXT_COLUMNS, ""))
    for line in _lines(path):
        item = _object(line)
        if item.get(id_field) in rows:
            rows[item[id_field]] = {
                "title": _text(item.get("title", "")),
                "brand": _text(item.get("brand") or item.get("store") or ""),
                "categories": _text(_last_list(item.get("categories") or item.get("category") or "")),
                "description": _text(item.get("description", "")),
            }
    return {"item_id": item_ids, **{name: [row[name] for row in rows.values()] for name in _TEXT_COLUMNS}}


def _object(line: str) -> dict[str, Any]:
    """A JSON object; the item files of 2014 hold Python literals instead."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return ast.literal_eval(line)


def _last_list(value: Any) -> Any:
    """In 2014 the categories are a list of paths; the last is the most special."""
    return value[-1] if value and isinstance(value[0], list) else value


def _text(value: Any) -> str:
    """One line of text from a text, a list of texts, or a list that was written out as text."""
    if isinstance(value, str) and value.startswith("['") and value.endswith("']"):
        with suppress(SyntaxError, ValueError):
            value = ast.literal_eval(value)
    parts: Iterable[Any] = value if isinstance(value, list) else [value]
    return " ".join(", ".join(str(part) for part in parts if part is not None).split())
