"""Every kind of source of a log as named columns, which are loaded when it is known which ones are needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skrec.interactions._columns import Column, as_column
from skrec.interactions._log_text import read_json_table, read_text_table
from skrec.interactions._log_values import objects
from skrec.interactions._plain_input import plain_array, plain_series
from skrec.interactions._types import Ids

POSITIONS = ("user", "item", "rating", "timestamp")  # the order of Surprise, and of triples everywhere
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data")
_PARQUET_SUFFIXES = (".parquet", ".pq")
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_EXCEL_SUFFIXES = (".xlsx", ".xls", ".ods")
_FIRST_OF_TIMES = 1e8

IdNames = Ids | Mapping[Any, int] | None


@dataclass
class LogSource:
    """Columns of a log, not loaded yet.

    Attributes
    ----------
    kind : str
        What the source is, for the report.
    names : list of str
    load : callable
        Gives the named columns.
    is_text : bool
        Whether cells are text of which the types are still to be found.
    roles : dict from role to column name
        Where the layout says what a column is.
    backend : str or None
        The frame library to answer in; None for the first that is installed.
    found : dict
        What was found out about a file, for the report.
    """

    kind: str
    names: list[str]
    load: Callable[[list[str]], dict[str, Column]]
    is_text: bool = False
    roles: dict[str, str] = field(default_factory=dict)
    backend: str | None = None
    found: dict[str, str] = field(default_factory=dict)


def open_source(
    source: Any,
    *,
    columns: Sequence[str] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    user_ids: IdNames = None,
    item_ids: IdNames = None,
) -> LogSource:
    """A source of any kind.

    Raises
    ------
    TypeError
        If the kind of source is unknown.
    ValueError
        If the source cannot be read as a log.
    """
    if isinstance(source, str | PathLike):
        return _open_file(Path(source), columns, encoding, delimiter)
    if sp.issparse(source):
        return _open_matrix(source, None, user_ids, item_ids)
    if isinstance(source, tuple) and len(source) == 2 and all(sp.issparse(part) for part in source):
        return _open_matrix(source[0], source[1], user_ids, item_ids)
    if hasattr(source, "raw_ratings"):
        return _open_rows(source.raw_ratings, None, "ratings of Surprise")
    if hasattr(source, "all_ratings") and hasattr(source, "to_raw_uid"):
        rows = [(source.to_raw_uid(u), source.to_raw_iid(i), value) for u, i, value in source.all_ratings()]
        return _open_rows(rows, None, "trainset of Surprise")
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return _open_frame(frame, type(source).__name__)
    if isinstance(source, Mapping):
        return _of_columns(dict(source), "mapping of columns")
    if isinstance(source, np.ndarray | list | tuple):
        return _open_rows(source, columns, "array" if isinstance(source, np.ndarray) else "list of rows")
    raise TypeError(
        f"source is a {type(source).__name__}; expected a frame, the path of a CSV, Parquet or JSON file, a lazy "
        "frame, a SciPy matrix of users x items, a list of (user, item[, rating[, timestamp]]) rows, or a mapping of "
        "columns."
    )


def _open_file(path: Path, columns: Sequence[str] | None, encoding: str | None, delimiter: str | None) -> LogSource:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    kind = file_kind(path)
    if kind == "parquet":
        return _open_parquet(path)
    if kind == "json":
        table, found = read_json_table(path, encoding)
        opened = _of_columns(table, path.name)
        opened.found = found
        return opened
    if kind == "excel":
        raise ValueError(
            f"{path.name} is a spreadsheet; save it as CSV, or pass the frame: read_log(pandas.read_excel(path))."
        )
    if kind is None and encoding is None and delimiter is None:
        known = [*_TEXT_SUFFIXES, *_PARQUET_SUFFIXES, *_JSON_SUFFIXES]
        raise ValueError(
            f"{path.name} ends in {path.suffix!r}; expected one of {known} (or .csv.gz, .jsonl.gz). Pass delimiter=',' "
            "to read it as delimited text."
        )
    table, found = read_text_table(path, encoding, delimiter, columns)
    return LogSource(
        path.name, list(table), lambda names: {name: objects(table[name]) for name in names}, is_text=True, found=found
    )


def file_kind(path: Path) -> str | None:
    """ "text", "parquet", "json" or "excel", by the end of the name, or None."""
    suffix = (Path(path.stem).suffix if path.suffix == ".gz" else path.suffix).lower()
    kinds = {"text": _TEXT_SUFFIXES, "parquet": _PARQUET_SUFFIXES, "json": _JSON_SUFFIXES, "excel": _EXCEL_SUFFIXES}
    return next((kind for kind, suffixes in kinds.items() if suffix in suffixes), None)


def _open_parquet(path: Path) -> LogSource:
    # By Arrow first: pandas would make floats of integers with gaps, and round large ids.
    for library in ("pyarrow", "polars"):
        if find_spec(library) is not None:
            lazy = nw.scan_parquet(str(path), backend=library)
            opened = _open_frame(lazy if isinstance(lazy, nw.LazyFrame) else nw.from_native(lazy), path.name)
            opened.backend = None
            return opened
    raise ImportError("A Parquet file needs pyarrow or polars; install one, as with pip install pyarrow.")


def _open_frame(frame: nw.DataFrame | nw.LazyFrame, kind: str) -> LogSource:
    names = frame.collect_schema().names()
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"The columns of the frame are named {list(names)}; give them names of text, as in "
            "df.columns = ['user', 'item', ...]."
        )

    def load(wanted: list[str]) -> dict[str, Column]:
        chosen = frame.select(*wanted)
        loaded = nw.maybe_reset_index(chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen)
        return {name: plain_series(loaded[name]) for name in wanted}

    backend = frame.implementation.value if isinstance(frame, nw.DataFrame) else None
    backend = "polars" if backend is None and frame.implementation.is_polars() else backend
    return LogSource(kind, names, load, backend=backend)


def _open_rows(rows: Any, columns: Sequence[str] | None, kind: str) -> LogSource:
    if isinstance(rows, np.ndarray):
        rows = plain_array(rows, "source")
        if rows.ndim != 2:
            raise ValueError(f"source is an array of shape {rows.shape}; expected one row per event.")
    if len(rows) and isinstance(rows[0], Mapping):
        names = list(dict.fromkeys(name for row in rows for name in row))
        return _of_columns({name: [row.get(name) for row in rows] for name in names}, "list of mappings")
    widths = {len(row) if isinstance(row, list | tuple | np.ndarray) else 0 for row in rows}
    if len(widths) != 1 or min(widths) < 2:
        raise ValueError(
            f"The rows of source have {sorted(widths) or 'no'} cells; expected (user, item[, rating[, timestamp]]) in "
            "each."
        )
    width = widths.pop()
    if width > len(POSITIONS) and columns is None:
        hint = (
            " A users x items table goes in as scipy.sparse.csr_array(table)." if isinstance(rows, np.ndarray) else ""
        )
        raise ValueError(
            f"The rows of source have {width} cells; pass their names, as in columns=['user', 'item', ...].{hint}"
        )
    if columns is not None and len(columns) != width:
        raise ValueError(f"columns names {len(columns)} columns and the rows of source have {width} cells.")
    names = list(columns or POSITIONS[:width])
    cells = [[row[j] for row in rows] for j in range(width)]
    if columns is None and width == 3 and _look_like_times(cells[2]):
        raise ValueError(
            f"The third cell of each row may be a time (as {cells[2][0]!r}) or a rating; pass "
            "columns=['user', 'item', 'timestamp'] or columns=['user', 'item', 'rating']."
        )
    table = {
        name: column for name, column in zip(names, cells, strict=True) if any(cell is not None for cell in column)
    }
    opened = _of_columns(table, kind)
    if columns is None:
        opened.roles = {name: name for name in table}
    return opened


def _look_like_times(cells: list[Any]) -> bool:
    return all(isinstance(cell, int | float | np.number) and cell > _FIRST_OF_TIMES for cell in cells)


def _of_columns(table: Mapping[str, Any], kind: str) -> LogSource:
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns have different lengths: {lengths}.")
    return LogSource(
        kind, [str(name) for name in table], lambda names: {name: as_column(table[name], name) for name in names}
    )


def _open_matrix(matrix: Any, weights: Any, user_ids: IdNames, item_ids: IdNames) -> LogSource:
    entries = sp.coo_array(matrix)
    values = entries.data
    if weights is not None:
        # LightFM: one matrix says which pairs there are, the other how much each counts.
        weighted = sp.coo_array(weights)
        if weighted.shape != entries.shape or not all(
            np.array_equal(one, other) for one, other in zip(weighted.coords, entries.coords, strict=True)
        ):
            raise ValueError(
                f"The weights (shape {weighted.shape}, {weighted.nnz} entries) do not have the entries of the "
                f"interactions (shape {entries.shape}, {entries.nnz} entries)."
            )
        values = weighted.data
    rows, columns = entries.coords
    table: dict[str, Any] = {
        "user": _named(rows, user_ids, entries.shape[0], "user_ids"),
        "item": _named(columns, item_ids, entries.shape[1], "item_ids"),
    }
    if values.dtype.kind != "b":
        table["rating"] = values
    opened = _of_columns(table, f"users x items matrix of shape {entries.shape}")
    opened.roles = {name: name for name in table}
    return opened


def _named(codes: NDArray, ids: IdNames, n: int, what: str) -> Column:
    if ids is None:
        return codes.astype(np.int64)
    if isinstance(ids, Mapping):
        by_position = {int(position): name for name, position in ids.items()}
        if missing := set(np.unique(codes).tolist()) - set(by_position):
            raise ValueError(f"{what} has no id for position {min(missing)}.")
        return as_column([by_position[code] for code in codes.tolist()], what)
    column = as_column(cast(ArrayLike, ids), what)
    if len(column) != n:
        raise ValueError(f"{what} has {len(column)} ids and the matrix {n} rows of that side; pass one id for each.")
    values = column.to_numpy() if isinstance(column, nw.Series) else column
    return values[codes]
