"""What the columns of a context hold, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import narwhals as nw
import numpy as np

from skrec.feature_extraction._context_cells import Column, wall_clock
from skrec.feature_extraction._context_parts import Times
from skrec.utils import as_text

_LONGEST = 60


def values_in_words(parts: Iterable[tuple[list[str], Any, list[Column]]]) -> dict[str, list[Any]]:
    """Texts and moments by column.

    Parameters
    ----------
    parts : iterable of (names of columns, what encodes them, the columns)
    """
    values: dict[str, list[Any]] = {}
    for names, part, columns in parts:
        for name, column in zip(names, columns, strict=True):
            values[name] = _moments(part, column) if isinstance(part, Times) else _texts(column)
    return values


def _texts(column: Column) -> list[str | None]:
    cells = column.to_list() if isinstance(column, nw.Series) else column.tolist()
    texts = [as_text(cell) for cell in cells]
    return [text if text is None or len(text) <= _LONGEST else text[: _LONGEST - 1] + "…" for text in texts]


def _moments(part: Times, column: Column) -> list[np.datetime64 | None]:
    """Local date-times, as precise as what is encoded of them."""
    unit = "m" if "hour" in part.cycles else "D" if "weekday" in part.cycles else "M"
    seconds, _ = wall_clock(column, part.name, part.unit, part.tz)
    known = ~np.isnan(seconds)
    moments = np.floor(np.where(known, seconds, 0)).astype("M8[s]").astype(f"M8[{unit}]")
    return [moment if is_known else None for moment, is_known in zip(moments, known, strict=True)]
