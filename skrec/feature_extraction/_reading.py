"""X, in any of its forms, to one text a row."""

from collections.abc import Iterator
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from skrec.interactions import as_frame, check_is_table, errors_name, plain_series
from skrec.utils import Text, as_object_array, column_texts, template_fields, write_rows


def read_texts(embedder: Any, X: Any, reset: bool) -> list[Text]:
    """X to one text a row, with scikit-learn's checks of its shape and names."""
    return write_rows(read_columns(embedder, X, reset), embedder.template)


def read_columns(embedder: Any, X: Any, reset: bool) -> dict[str, list[Text]]:
    """The columns that the ``columns`` or ``template`` of a text transformer name, as text."""
    table = read_table(embedder, X, reset)
    return {name: column_texts(table[name]) for name in used_columns(embedder, list(table))}


def cells_as_texts(columns: dict[str, list[Text]]) -> Iterator[str]:
    """The cells of each row side by side, without what the names of columns and a template add to every row."""
    return (" ".join(cell for cell in row if cell) for row in zip(*columns.values(), strict=True))


def read_table(embedder: Any, X: Any, reset: bool) -> dict[str, Any]:
    """Every column of X, as it stands, with scikit-learn's checks of shape and names.

    Raises
    ------
    TypeError, ValueError
        Naming X.
    """
    if not sp.issparse(X):  # of which scikit-learn's check says more
        check_is_table(X, "X", "a list of texts, an array or a frame")
    with errors_name("X"):
        return _read_table(embedder, X, reset)


def _read_table(embedder: Any, X: Any, reset: bool) -> dict[str, Any]:
    if isinstance(X, list | tuple):
        X = as_object_array(X)
    as_frame(X, "X")  # refuses a lazy one, and two columns of one name
    data = nw.from_native(X, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(data, nw.DataFrame):
        _check_shape(data.shape)
        validate_data(embedder, X, reset=reset, skip_check_array=True)
        names = [str(name) for name in data.columns]
        columns = [plain_series(data[:, j]) for j in range(len(names))]
    elif isinstance(data, nw.Series) or getattr(X, "ndim", 2) == 1:
        _check_one_column(embedder, X, reset)
        names, columns = ["x0"], [data]
    else:
        array = validate_data(embedder, X, reset=reset, dtype=None, ensure_all_finite=False)
        names, columns = [f"x{j}" for j in range(array.shape[1])], list(array.T)
    return dict(zip(names, columns, strict=True))


def used_columns(embedder: Any, names: list[str]) -> list[str]:
    """Names of the columns that ``columns`` or ``template`` name; all of them where neither is given."""
    if embedder.template is not None:
        used = [field for _, field in template_fields(embedder.template) if field is not None]
        source = f"template={embedder.template!r}"
    else:
        used = names if embedder.columns is None else list(embedder.columns)
        source = f"columns={embedder.columns!r}"
    if embedder.template is not None and embedder.columns is not None:
        raise ValueError("Pass columns or template, not both: a template names its own columns.")
    if unknown := [name for name in used if name not in names]:
        raise ValueError(f"{source} names {unknown}, which X does not have; its columns are {names}.")
    return used


def _check_shape(shape: tuple[int, int]) -> None:
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if not size:
            raise ValueError(f"Found 0 {what}(s) (shape={shape}) while a minimum of 1 is required.")


def _check_one_column(embedder: Any, X: Any, reset: bool) -> None:
    """As validate_data does, which takes no one-dimensional X."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "biufc" and not np.isnan(X).all():
        raise ValueError(
            f"Expected 2D array, got 1D array of {X.dtype} instead: a one-dimensional X must hold texts. Reshape "
            "your data with X.reshape(-1, 1) to have numbers written out as text."
        )
    _check_shape((len(X), 1))
    if reset:
        embedder.n_features_in_ = 1
        if hasattr(embedder, "feature_names_in_"):
            del embedder.feature_names_in_
    elif embedder.n_features_in_ != 1:
        raise ValueError(
            f"X has 1 features, but {type(embedder).__name__} is expecting {embedder.n_features_in_} features as input."
        )
