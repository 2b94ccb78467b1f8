"""The role of each context column: as given, or by its type."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np

from skrec.feature_extraction._context_cells import is_missing
from skrec.interactions import Column
from skrec.utils import Tokenizer, WordSplitter, count_words, is_spaceless

ROLES = ("datetime", "latitude", "longitude", "category", "number", "text", "drop")

_WORDS_OF_TEXT = 2
_SIGNS_OF_TEXT = 14
_SIGNS_OF_NAMES = 7
"""Without spaces between words: longer is text; shorter is a name; between them, it depends on how often one occurs."""

_DISTINCT_SHARE = 0.2
_COUNTED_VALUES = 1_000
_SAMPLED_CELLS = 10_000
_PLAIN = (str, bytes, int, float, np.number, date, np.datetime64)
_LATITUDE = re.compile(r"(.*?)(?:latitude|lat)", re.IGNORECASE)
_LONGITUDE = re.compile(r"(.*?)(?:longitude|long|lng|lon)", re.IGNORECASE)


def find_roles(columns: dict[str, Column], given: Mapping | None, tokenizer: Tokenizer | None = None) -> dict[str, str]:
    """One role per column.

    Parameters
    ----------
    columns : dict from name to column
    given : mapping from name, or position among the columns of X (from 2), to role; or None
    tokenizer : callable, default=None
        Splits a text into words.

    Raises
    ------
    ValueError
        If a role or a column of ``given`` is unknown, a column has a type without a role, or a latitude lacks
        its longitude.
    """
    names = list(columns)
    chosen = {_name_of(key, names): role for key, role in (given or {}).items()}
    unknown = [role for role in chosen.values() if role not in ROLES]
    if unknown:
        raise ValueError(f"roles has the unknown role {unknown[0]!r}; choose from {', '.join(ROLES)}.")
    splitter = WordSplitter(tokenizer)
    roles = {name: chosen.get(name) or _infer(columns[name], name, splitter) for name in names}
    for latitude, longitude in _named_pairs([name for name in names if roles[name] == "number" and name not in chosen]):
        roles[latitude], roles[longitude] = "latitude", "longitude"
    n_latitudes, n_longitudes = (sum(role == side for role in roles.values()) for side in ("latitude", "longitude"))
    if n_latitudes != n_longitudes:
        raise ValueError(
            f"roles has {n_latitudes} columns of latitude and {n_longitudes} of longitude; they come in pairs, in "
            "the same order."
        )
    return roles


def _name_of(key: Any, names: list[str]) -> str:
    if isinstance(key, int | np.integer) and 2 <= key < len(names) + 2:
        return names[key - 2]
    if str(key) in names:
        return str(key)
    raise ValueError(
        f"roles names the column {key!r}, which X does not have; its context columns are {names}, or positions 2 to "
        f"{len(names) + 1}."
    )


def _named_pairs(names: list[str]) -> list[tuple[str, str]]:
    """Columns such as ``home_lat`` and ``home_lon``."""
    latitudes = {match[1]: name for name in names if (match := _LATITUDE.fullmatch(name))}
    longitudes = {match[1]: name for name in names if (match := _LONGITUDE.fullmatch(name))}
    return [(latitudes[stem], longitudes[stem]) for stem in latitudes if stem in longitudes]


def _infer(column: Column, name: str, splitter: WordSplitter) -> str:
    if isinstance(column, nw.Series):
        dtype = column.dtype
        if dtype.is_numeric() or dtype == nw.Boolean:
            return "number"
        if dtype in (nw.Categorical, nw.Enum):
            return "category"
        if isinstance(dtype, nw.Datetime) or dtype == nw.Datetime or dtype == nw.Date:
            return "datetime"
        if dtype not in (nw.String, nw.Object, nw.Unknown):
            raise _without_role(name, str(dtype))
    elif column.dtype.kind in "iufb":
        return "number"
    elif column.dtype.kind == "M":
        return "datetime"
    return _infer_from_cells(column, name, splitter)


def _infer_from_cells(column: Column, name: str, splitter: WordSplitter) -> str:
    column = column[:_SAMPLED_CELLS]
    cells = [cell for cell, gone in zip(list(column), is_missing(column), strict=True) if not gone]
    if not cells:
        return "category"
    if all(isinstance(cell, int | float | np.number) for cell in cells):
        return "number"
    if all(isinstance(cell, date | np.datetime64) for cell in cells):
        return "datetime"
    other = next((cell for cell in cells if not isinstance(cell, _PLAIN)), None)
    if other is not None:
        raise _without_role(name, f"a {type(other).__name__}")
    return "text" if _is_text([str(cell) for cell in cells], splitter) else "category"


def _without_role(name: str, found: str) -> ValueError:
    return ValueError(
        f"column {name!r} contains {found}, which ContextEncoder cannot encode; convert it to numbers, text or "
        f"date-times, or drop it with roles={{{name!r}: 'drop'}}."
    )


def _is_text(cells: list[str], splitter: WordSplitter) -> bool:
    """Whether a column is free text: by its words, and where none are between spaces by length and repetition too."""
    values = list(dict.fromkeys(cells))
    sample = values[:: max(1, len(values) // _COUNTED_VALUES)]
    n_spaceless = sum(map(is_spaceless, values))
    if splitter.tokenizer is None and 2 * n_spaceless <= len(values):
        return sum(len(value.split()) for value in values) / len(values) > _WORDS_OF_TEXT
    if sum(count_words(value, splitter) for value in sample) / len(sample) <= _WORDS_OF_TEXT:
        return False
    n_signs = sum(map(len, values)) / len(values)
    return (
        2 * n_spaceless <= len(values)
        or n_signs > _SIGNS_OF_TEXT
        or (n_signs > _SIGNS_OF_NAMES and len(values) > _DISTINCT_SHARE * len(cells))
    )
