"""Rows written out as text."""

import string
from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.utils._missing import is_missing_value

Text = str | None  # None: missing


def as_text(value: Any) -> Text:
    """Write one cell as text; a missing one (None, NaN, blank) is None.

    Raises
    ------
    TypeError
        If the cell is neither text, a number, a date nor a list of these.
    ValueError
        If the cell is a complex number.
    """
    if isinstance(value, str):
        return value.strip() or None
    if is_missing_value(value):
        return None
    if isinstance(value, float | np.floating):
        # A column of years with one missing is a float column: 1995.0 means 1995.
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, bytes):
        return as_text(value.decode("utf-8", "replace"))
    if isinstance(value, complex | np.complexfloating):
        raise ValueError("Complex data not supported: cells of a table must be text or real numbers.")
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return ", ".join(text for item in items if (text := as_text(item))) or None
    if isinstance(value, dict):
        # The estimator checks put one dict in an object column and want it written out, not refused.
        return as_text([f"{key} {value[key]}" for key in value])
    return as_text(str(value))


def column_texts(values: Any) -> list[Text]:
    """Write out one column: a 1-D array or a narwhals Series."""
    if isinstance(values, nw.Series):
        missing = values.is_null().to_list()
        return [None if gone else as_text(cell) for cell, gone in zip(values.to_list(), missing, strict=True)]
    # Iterating keeps NumPy scalars: str(np.float32(0.1)) is "0.1", str(float(np.float32(0.1))) is not.
    return [as_text(cell) for cell in values]


def table_cells(values: Any) -> dict[str, list[Any]]:
    """Columns of a frame, or of a matrix under the names x0, x1 and so on."""
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return {str(name): frame[:, j].to_list() for j, name in enumerate(frame.columns)}
    matrix = values.toarray() if sp.issparse(values) else values
    return {f"x{j}": list(matrix[:, j]) for j in range(matrix.shape[1])}


def as_object_array(values: Sequence[Any]) -> NDArray:
    """A list as a 1-D or 2-D object array: NumPy would turn the NaN of ``["a", nan]`` into the text "nan"."""
    nested = [isinstance(row, list | tuple | np.ndarray) for row in values]
    if not all(nested) or not values:
        if any(nested):
            raise ValueError("X mixes rows and single texts; pass a list of texts, or a list of rows.")
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    widths = {len(row) for row in values}
    if len(widths) > 1:
        raise ValueError(
            f"The rows of X have different lengths ({sorted(widths)}); every row needs one cell per column."
        )
    rows = np.empty((len(values), widths.pop()), dtype=object)
    for i, row in enumerate(values):
        rows[i, :] = row
    return rows


def template_fields(template: str, argument: str = "template") -> list[tuple[str, str | None]]:
    """Split a template into (literal, field) pairs.

    Raises
    ------
    ValueError
        If the template has no field, or a field is more than a bare column name.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{argument}={template!r} is not well formed: {error}. Write {{{{ for a brace.") from None
    for _, field, spec, conversion in parts:
        # Attribute and index access would let a template reach into Python objects.
        if field is not None and (not field or set(field) & set(".[]!:") or spec or conversion):
            raise ValueError(
                f"{argument}={template!r}: every field must be the bare name of a column, as in "
                f"'{{title}} by {{author}}'; got {{{field}}} with conversion {conversion!r} and format {spec!r}."
            )
    if not any(field for _, field, _, _ in parts):
        raise ValueError(f"{argument}={template!r} names no column; write for example '{{title}} by {{author}}'.")
    return [(literal, field) for literal, field, _, _ in parts]


def write_rows(columns: dict[str, list[Text]], template: str | None = None) -> list[Text]:
    """Write each row as one text.

    One column gives its bare text, several give ``"title: …; genres: …"`` without what is missing, and a
    template gives its own wording, in which a missing value is empty. A row with nothing in it is None.
    """
    if template is not None:
        return _fill(template_fields(template), columns)
    if len(columns) == 1:
        return next(iter(columns.values()))
    labelled = [[None if text is None else f"{name}: {text}" for text in texts] for name, texts in columns.items()]
    return ["; ".join(_present(row)) or None for row in zip(*labelled, strict=True)]


def _fill(parts: list[tuple[str, str | None]], columns: dict[str, list[Text]]) -> list[Text]:
    fields = [field for _, field in parts if field is not None]
    if unknown := [field for field in fields if field not in columns]:
        raise ValueError(f"template names {unknown}, but the columns of X are {list(columns)}.")
    return [
        "".join(literal + (columns[field][row] or "" if field else "") for literal, field in parts)
        if any(columns[field][row] is not None for field in fields)
        else None
        for row in range(len(columns[fields[0]]))
    ]


def _present(texts: Iterable[Text]) -> list[str]:
    return [text for text in texts if text is not None]
