"""The files of social data sets, taken apart."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Folder = Any
"""A :class:`pathlib.Path` or a :class:`zipfile.Path`: an archive is read without unpacking it."""

_MOST_TAGS = 10


@dataclass
class Social:
    """Columns of the tables, sorted by time where there is one.

    ``links`` has two or three columns: two users and, where the file has one, the value of the link.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    timestamp: NDArray[np.int64] | None
    links: NDArray[np.int64]
    columns: dict[str, Any] | None


def read_lastfm(folder: Folder) -> Social:
    """``user_artists.dat``, ``user_friends.dat``, ``artists.dat``, and the tags where their two files are there."""
    plays = np.array(_rows(folder / "user_artists.dat", "\t", int, 3), dtype=np.int64)
    links = np.array(_rows(folder / "user_friends.dat", "\t", int, 2), dtype=np.int64)
    names = _fields(folder / "artists.dat", "\t", "utf-8", 2)
    columns: dict[str, Any] = {"item_id": np.array([int(row[0]) for row in names]), "name": [row[1] for row in names]}
    tagged = folder / "user_taggedartists.dat"
    if _is_there(folder / "tags.dat") and _is_there(tagged):
        words = {int(row[0]): row[1] for row in _fields(folder / "tags.dat", "\t", "latin-1", 2)}
        columns["tags"] = _most_used(columns["item_id"], _rows(tagged, "\t", int, 3), words)
    return Social(plays[:, 0], plays[:, 1], plays[:, 2].astype(np.float32), None, links, columns)


def read_ciao(folder: Folder) -> Social:
    """``movie-ratings.txt`` and ``trusts.txt``; the category of a film is its only feature."""
    path = folder / "movie-ratings.txt"
    rows = _fields(path, ",", "utf-8", 6)
    try:
        numbers = np.array([row[:5] for row in rows], dtype=np.float64)
        days = np.array([row[5] for row in rows], dtype="datetime64[s]").astype(np.int64)
    except ValueError as error:
        raise ValueError(
            f"{path} does not hold lines of user, film, category, review, stars and day (2003-11-25): {error}"
        ) from error
    order = np.argsort(days, kind="stable")
    users, items, categories = (numbers[order, j].astype(np.int64) for j in range(3))
    films, first = np.unique(items, return_index=True)
    columns = {"item_id": films, "category": categories[first]}
    links = np.array(_rows(folder / "trusts.txt", ",", int, 3), dtype=np.int64)
    return Social(users, items, numbers[order, 4].astype(np.float32), days[order], links, columns)


def read_filmtrust(folder: Folder) -> Social:
    """``ratings.txt`` and ``trust.txt``."""
    ratings = np.array(_rows(folder / "ratings.txt", " ", float, 3))
    links = np.array(_rows(folder / "trust.txt", " ", int, 3), dtype=np.int64)
    users, items = (ratings[:, j].astype(np.int64) for j in range(2))
    return Social(users, items, ratings[:, 2].astype(np.float32), None, links, None)


def _is_there(path: Folder) -> bool:
    return path.is_file() if isinstance(path, Path) else path.exists()


def _rows(path: Folder, delimiter: str, kind: Callable[[str], float], n_fields: int) -> list[list[float]]:
    """Numbers of each line: the first ``n_fields`` of them."""
    fields = _fields(path, delimiter, "utf-8", n_fields)
    try:
        return [[kind(cell) for cell in row[:n_fields]] for row in fields]
    except ValueError as error:
        raise ValueError(f"{path} must have {n_fields} numbers a line, separated by {delimiter!r}: {error}.") from error


def _fields(path: Folder, delimiter: str, encoding: str, n_fields: int) -> list[list[str]]:
    """Fields of each line, without a header line and without lines that hold only a count.

    Raises
    ------
    ValueError
        If a line has fewer fields, or no line is left.
    """
    with path.open("r", encoding=encoding) as file:
        rows = [(number, line.rstrip("\r\n").split(delimiter)) for number, line in enumerate(file, 1) if line.strip()]
    while rows and (len(rows[0][1]) == 1 or not rows[0][1][0].strip().isdigit()):
        del rows[0]
    short = next(((number, row) for number, row in rows if len(row) < n_fields), None)
    if not rows or short is not None:
        found = "no lines of data" if short is None else f"{len(short[1])} on line {short[0]}"
        raise ValueError(f"{path} must have {n_fields} fields a line, separated by {delimiter!r}; found {found}.")
    return [[cell.strip() for cell in row] for _, row in rows]


def _most_used(items: NDArray, tagged: list[list[float]], words: dict[int, str]) -> list[str]:
    """The tags of each item that most users gave it, as one text."""
    counts: dict[int, Counter[str]] = {int(item): Counter() for item in items}
    for _, item, tag in tagged:
        if int(item) in counts and int(tag) in words:
            counts[int(item)][words[int(tag)]] += 1
    ranked = (sorted(found.items(), key=lambda pair: (-pair[1], pair[0])) for found in counts.values())
    return [", ".join(tag for tag, _ in islice(found, _MOST_TAGS)) for found in ranked]
