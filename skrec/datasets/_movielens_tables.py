"""The files of the MovieLens releases, taken apart."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Folder = Any
"""A :class:`pathlib.Path` or a :class:`zipfile.Path`: an archive is read without unpacking it."""

GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
OCCUPATIONS_1M = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip


@dataclass
class Ratings:
    """Columns of a rating file, in time order; ties keep the order of the file."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    timestamp: NDArray[np.int64]


@dataclass
class Tables:
    """A release: its ratings, and columns of the feature tables (``users`` is None where there are none)."""

    ratings: Ratings
    items: dict[str, Any]
    users: dict[str, Any] | None


def read_ratings(path: Folder, delimiter: str) -> Ratings:
    """Read user, item, rating and seconds; a header line is skipped.

    Raises
    ------
    ValueError
        If a line does not hold four numbers.
    """
    try:
        with path.open("r", encoding="latin-1") as file:
            rows = (line.replace(delimiter, "\t") for line in file)
            first = next(rows, "")
            if not first.split("\t")[0].strip().isdigit():
                first = next(rows, "")
            if not first.strip():
                raise ValueError("it has no line of data")
            table = np.loadtxt(_chain(first, rows), delimiter="\t", dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} does not hold lines of user, item, rating and time: {error}") from error
    if table.shape[1] != 4:
        raise ValueError(
            f"{path} does not hold lines of user, item, rating and time: its table has shape {table.shape}."
        )
    table = table[np.argsort(table[:, 3], kind="stable")]
    users, items, times = (table[:, j].astype(np.int64) for j in (0, 1, 3))
    return Ratings(users, items, table[:, 2].astype(np.float32), times)


def read_100k(folder: Folder) -> Tables:
    """``u.data``, ``u.item`` and ``u.user``, with or without header lines."""
    films = _rows(folder / "u.item", "|", 24)
    people = _rows(folder / "u.user", "|", 5)
    items = _item_columns(
        [int(row[0]) for row in films],
        [row[1] for row in films],
        [", ".join(g for g, flag in zip(GENRES_100K, row[5:24], strict=True) if flag == "1") for row in films],
        [row[2] for row in films],
    )
    users = {
        "user_id": np.array([int(row[0]) for row in people]),
        "age": np.array([int(row[1]) for row in people]),
        "gender": [row[2] for row in people],
        "occupation": [row[3] for row in people],
    }
    return Tables(read_ratings(folder / "u.data", "\t"), items, users)


def read_1m(folder: Folder) -> Tables:
    """``ratings.dat``, ``movies.dat`` and ``users.dat``; an age is the least of its band."""
    films = _rows(folder / "movies.dat", "::", 3)
    people = _rows(folder / "users.dat", "::", 5)
    items = _item_columns(*_columns_of_films(films))
    users = {
        "user_id": np.array([int(row[0]) for row in people]),
        "age": np.array([int(row[2]) for row in people]),
        "gender": [row[1] for row in people],
        "occupation": [OCCUPATIONS_1M[int(row[3])] for row in people],
    }
    return Tables(read_ratings(folder / "ratings.dat", "::"), items, users)


def read_csv_release(folder: Folder) -> Tables:
    """``ratings.csv`` and ``movies.csv``, as in the larger and the latest releases."""
    path = folder / "movies.csv"
    with path.open("r", encoding="utf-8", newline="") as file:
        header, *films = csv.reader(file, strict=True)
    if header[:3] != ["movieId", "title", "genres"]:
        raise ValueError(f"{path} begins with {header}, not with movieId, title, genres.")
    return Tables(read_ratings(folder / "ratings.csv", ","), _item_columns(*_columns_of_films(films)), None)


def _chain(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _rows(path: Folder, delimiter: str, n_fields: int) -> list[list[str]]:
    """Fields of each line, without a header line."""
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [line.split(delimiter) for line in lines if line.strip()]
    rows = rows[1:] if rows and not rows[0][0].strip().isdigit() else rows
    wrong = next((row for row in rows if len(row) != n_fields), None)
    if not rows or wrong is not None:
        found = "no lines" if wrong is None else f"{len(wrong)} in {delimiter.join(wrong)[:60]!r}"
        raise ValueError(f"{path} must have {n_fields} fields a line, separated by {delimiter!r}; found {found}.")
    return rows


def _columns_of_films(films: list[list[str]]) -> tuple[list[int], list[str], list[str], list[str]]:
    genres = ["" if row[2].startswith("(no genres") else row[2].replace("|", ", ") for row in films]
    return [int(row[0]) for row in films], [row[1] for row in films], genres, [""] * len(films)


def _item_columns(ids: list[int], titles: list[str], genres: list[str], released: list[str]) -> dict[str, Any]:
    names, years = [], []
    for title, date in zip(titles, released, strict=True):
        match = re.fullmatch(r"(.+?)\s*\((\d{4})\)\s*", title)
        names.append(match[1] if match else title.strip())
        years.append(int(match[2]) if match else int(date[-4:] or 0))
    return {"item_id": np.array(ids), "title": names, "year": np.array(years), "genres": genres}
