"""The columns of a log, each read by its role."""

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.interactions._columns import Column
from skrec.interactions._log_values import is_missing, objects, read_ids, read_rating, read_text_times, read_values

_LARGEST_EXACT = 2.0**53


def read_column(column: Column, role: str, name: str, is_text: bool, time_format: str | None) -> tuple[Column, str]:
    """The column with its types, and the words for them."""
    text = _text_cells(column)
    if role == "timestamp" and text is not None:
        return read_text_times(text, name, time_format)
    if role == "timestamp":
        return column, _describe_times(column, name)
    if role == "rating":
        numbers = read_rating(text, name) if text is not None else column
        values = read_numbers(numbers, name)
        written = "numbers" if text is None or is_text else "text parsed as numbers,"
        return numbers, f"{written} from {values.min():g} to {values.max():g}" if len(values) else written
    if is_text and text is not None:
        return read_ids(text) if role in ("user", "item") else read_values(text)
    return column, _describe(column)


def _text_cells(column: Column) -> NDArray | None:
    """The cells of a column of text, None where it holds anything else."""
    if isinstance(column, nw.Series):
        if column.dtype not in (nw.String, nw.Categorical, nw.Object) and not isinstance(column.dtype, nw.Enum):
            return None
        cells = objects(column.to_list())
    else:
        if column.dtype.kind not in "OUS":
            return None
        cells = objects(column.tolist())
    cells[is_missing(cells)] = None
    return cells if all(cell is None or isinstance(cell, str) for cell in cells.tolist()) else None


def _describe(column: Column) -> str:
    if isinstance(column, nw.Series):
        return "text" if column.dtype in (nw.String, nw.Categorical) else str(column.dtype).lower()
    if column.dtype.kind == "O":
        return "text" if _text_cells(column) is not None else "text and numbers"
    return {"i": "whole numbers", "u": "whole numbers", "f": "numbers", "b": "true or false"}.get(
        column.dtype.kind, "text"
    )


def _describe_times(column: Column, name: str) -> str:
    series = column if isinstance(column, nw.Series) else None
    if series is not None and series.dtype.is_temporal():
        zone = getattr(series.dtype, "time_zone", None)
        return f"date-times in {zone}" if zone else "date-times, taken as UTC"
    if (series is not None and not series.dtype.is_numeric()) or (series is None and column.dtype.kind not in "iuf"):
        kind = series.dtype if series is not None else column.dtype
        raise ValueError(f"The timestamp column {name!r} holds {kind}; expected date-times, ISO text or numbers.")
    return "numbers"


def missing_cells(column: Column) -> NDArray[np.bool_]:
    """Where a cell is None, null or NaN."""
    if not isinstance(column, nw.Series):
        return is_missing(column)
    missing = column.is_null().to_numpy().astype(bool)
    return missing | is_missing(column.to_numpy()) if column.dtype.is_float() else missing


def without_missing(table: dict[str, Column], needed: list[str], drop: bool) -> tuple[dict[str, Column], int]:
    """The table without rows that lack a needed column, and their number; an error unless they may be dropped."""
    missing = {name: missing_cells(table[name]) for name in needed}
    bad = np.logical_or.reduce(list(missing.values()))
    if not bad.any():
        return table, 0
    counts = {name: int(rows.sum()) for name, rows in missing.items() if rows.any()}
    if not drop:
        raise ValueError(
            f"Cells are missing in {counts} (event {int(np.argmax(bad)) + 1} is the first); every event needs a user, "
            "an item and, where there is one, a time. Fill them, or pass drop_missing=True to drop those events."
        )
    if bad.all():
        raise ValueError(f"Every event misses a user, an item or a time: {counts}.")
    keep = ~bad
    kept = {
        name: column.filter(keep.tolist()) if isinstance(column, nw.Series) else column[keep]
        for name, column in table.items()
    }
    return kept, int(bad.sum())


def whole_ids(ids: Column) -> Column:
    """Integers of floats that are whole: a gap in a column of integers makes floats of them."""
    values = ids.to_numpy() if isinstance(ids, nw.Series) and ids.dtype.is_float() else ids
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        whole = bool((np.floor(values) == values).all()) and bool((np.abs(values) < _LARGEST_EXACT).all())
        return values.astype(np.int64) if whole else ids
    if isinstance(values, np.ndarray) and values.dtype.kind == "O" and all(type(v) is int for v in values.tolist()):
        return np.asarray(values.tolist())
    return ids


def read_numbers(column: Column, name: str) -> NDArray[np.float64]:
    """A rating column as float64, or a ValueError that names it."""
    try:
        values = np.asarray(column.to_numpy() if isinstance(column, nw.Series) else column, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"The rating column {name!r} holds something else than numbers; pass rating=False if it is not the rating."
        ) from None
    if not np.isfinite(values).all():
        raise ValueError(
            f"The rating column {name!r} has {int((~np.isfinite(values)).sum())} missing or infinite values; drop or "
            "fill those rows, or pass rating=False."
        )
    return values
