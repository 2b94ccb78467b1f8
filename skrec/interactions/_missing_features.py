"""Missing numbers in a feature table, found by name before anything is embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._indexing import _get_column_indices

from skrec.utils import finite_matrix, first_step, is_column_transformer

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


def check_numbers(columns: dict[str, NDArray], what: str) -> None:
    """Check that numeric columns are finite.

    Raises
    ------
    ValueError
        Naming the first column that is not.
    """
    for name, values in columns.items():
        unfit = int(np.sum(~np.isfinite(values)))
        if unfit:
            raise missing_numbers(name, unfit, len(values), what)


def missing_numbers(name: str, n_unfit: int, n_rows: int, what: str) -> ValueError:
    """The error of a column with missing numbers."""
    encoder = what.replace("features", "encoder")
    return ValueError(
        f"{what}: column {name!r} contains NaN or infinity in {n_unfit} of {n_rows} rows. Fill the column first, drop "
        f"it, put SimpleImputer() before it in the ColumnTransformer, or pass {encoder}='auto', which imputes numbers."
    )


def check_numeric_parts(values: Any, encoder: Any, what: str) -> None:
    """Try the parts of a ColumnTransformer that read numbers alone, where some are missing.

    Embedding the texts beside them may take minutes, after which a number that is still missing would be refused
    without the name of its column.

    Raises
    ------
    ValueError
        If a part gives out NaN or infinity, naming the column.
    """
    first = first_step(encoder)
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    if not is_column_transformer(first) or not isinstance(frame, nw.DataFrame):
        return
    numbers = {
        j: frame[:, j].cast(nw.Float64).to_numpy()
        for j, dtype in enumerate(frame.schema.values())
        if dtype.is_numeric() and not dtype.is_decimal()
    }
    missing = {j for j, column in numbers.items() if not np.isfinite(column).all()}
    if not missing:
        return
    for part, used in _parts(first, values):
        for j in missing & set(used):
            if set(used) <= numbers.keys() and not _fills(part, frame[:, used].to_native(), what):
                name = str(frame.columns[j])
                raise missing_numbers(name, int(np.sum(~np.isfinite(numbers[j]))), len(frame), what)


def _parts(transformer: ColumnTransformer, values: Any) -> list[tuple[Any, list[int]]]:
    parts, rest = [], set(range(values.shape[1]))
    for _, part, columns in transformer.transformers:
        used = _get_column_indices(values, columns(values) if callable(columns) else columns)
        parts.append((part, list(used)))
        rest -= set(used)
    return [*parts, (transformer.remainder, sorted(rest))]


def _fills(part: Any, values: Any, what: str) -> bool:
    """Whether what a part makes of numbers is finite."""
    if isinstance(part, str):
        return part == "drop"
    try:
        finite_matrix(clone(part).fit_transform(values), what)
    except ValueError:
        return False
    return True
