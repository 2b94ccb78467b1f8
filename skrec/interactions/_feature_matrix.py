"""Feature tables become matrices in catalogue order."""

import warnings
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import get_tags

from skrec.exceptions import FeatureCoverageWarning, UnsupportedArgumentError
from skrec.interactions._columns import factorize
from skrec.interactions._events import named_index
from skrec.interactions._feature_table import Features, FeatureSource, FeatureTable, read_features
from skrec.interactions._id_index import IdIndex
from skrec.interactions._missing_features import check_numbers, check_numeric_parts
from skrec.interactions._plain_input import as_frame, errors_name
from skrec.utils import Matrix, caller_level, finite_matrix, first_step, plain_output


def read_fit_features(
    table: FeatureSource, what: str, index: IdIndex, n_events: int, id_name: str | None = None
) -> tuple[Features, IdIndex, int]:
    """Read a table beside the ids of X.

    Returns
    -------
    features : Features
    index : IdIndex
        With the ids that are only in the table behind those of X.
    n_missing : int
        Ids of X without a row.

    Raises
    ------
    ValueError
        If no id of X has a row, or the table looks sliced by cross-validation.
    """
    features = read_features(ids_in_front(table, what, index, id_name), what)
    side = what.split("_")[0]
    rows = index.codes(features.ids, f"{what} ids", check_kind=False)
    n_missing = len(index) - len(np.unique(rows[rows >= 0]))
    if features.is_bare_frame and n_missing and len(features) == n_events:
        raise ValueError(
            f"{what} has exactly as many rows as X ({n_events}) and lacks {n_missing} of its {len(index)} {side}s: "
            f"cross-validation slices such a frame. Pass {what}=FeatureTable(frame), which it leaves whole "
            "(from skrec.interactions import FeatureTable)."
        )
    if n_missing and n_missing == len(index):
        raise ValueError(
            f"{what} covers none of the {len(index)} {side}s of X: the ids are as {index.values[:1].tolist()[0]!r} in "
            f"X, and as {as_unique_ids(features)[:1].tolist()[0]!r} in the table. Put the {side} ids in its first "
            "column, and convert them where one is a number and the other a text."
        )
    return features, index.extended(as_unique_ids(features)), n_missing


def ids_in_front(table: Any, what: str, index: IdIndex, id_name: str | None, *, known_as: str | None = None) -> Any:
    """A table of features with its ids in the first column: the column that is called as in X may stand anywhere.

    Parameters
    ----------
    table : frame, pair (ids, matrix) or FeatureTable
    what : str
        Name of the argument, for messages.
    index : IdIndex
        The ids of X.
    id_name : str or None
        Name of the id column in X.
    known_as : str, default=None
        Name of the id column in an earlier table: a column of this name holds the ids.

    Returns
    -------
    table
        The same, or where the ids were found by name another frame: their column first, and without a former index of
        integers.

    Raises
    ------
    ValueError
        If the first column is a former index, and another one of any name has the ids of X; or if the ids are in the
        index of the frame.
    """
    inner = table.table if isinstance(table, FeatureTable) else table
    frame = as_frame(inner, what)
    if frame is None or frame.shape[1] < 2:
        return table
    names = [str(name) for name in frame.columns]
    if names[0] in (known_as, id_name):
        return table
    at = names.index(known_as) if known_as in names else _column_of_ids(frame, names, what, index, id_name)
    if at == 0:
        return table
    rest = [j for j in range(len(names)) if j != at and not (j == 0 and _is_former_index(names[0]))]
    found = frame[:, [at, *rest]].to_native()
    return FeatureTable(found) if isinstance(table, FeatureTable) else found


def _column_of_ids(frame: nw.DataFrame, names: list[str], what: str, index: IdIndex, id_name: str | None) -> int:
    """Position of the ids: the first column, unless the one that is called as in X covers as many ids of X."""
    if id_name is not None and id_name in named_index(frame.to_native()):
        raise ValueError(f"{what} has its ids {id_name!r} in the index, and not in a column: pass table.reset_index().")
    others = [j for j in range(1, len(names)) if _is_former_index(names[0]) or names[j] == id_name]
    found = _n_covered(frame[:, 0], index) if others else 0
    for j in sorted(others, key=lambda j: names[j] != id_name):
        covered = 0 if frame[:, j].null_count() else _n_covered(frame[:, j], index)
        if covered and covered >= found:
            if names[j] == id_name:
                return j
            raise ValueError(
                f"The first column of {what} is {names[0]!r}, which is read as the id, and the ids of X are in the "
                f"column {names[j]!r}: put that one first, as in {what}=table.set_index({names[j]!r}).reset_index(), "
                f"and drop {names[0]!r} if it counts rows."
            )
    return 0


def _is_former_index(name: str) -> bool:
    return name in ("index", "level_0", "") or name.startswith("Unnamed:")


def _n_covered(column: nw.Series, index: IdIndex) -> int:
    try:
        codes = index.codes(column, "ids", check_kind=False)
    except (TypeError, ValueError):  # no column of ids
        return 0
    return len(np.unique(codes[codes >= 0]))


def warn_of_missing_rows(n_missing: int, what: str) -> None:
    """Warn once, with the number of ids that get a zero vector."""
    if n_missing:
        warnings.warn(
            f"{n_missing} {what.split('_')[0]}s of X have no row in {what} and get a zero vector.",
            FeatureCoverageWarning,
            stacklevel=caller_level(),
        )


def as_unique_ids(features: Features) -> NDArray:
    """Ids of a table, in the order of its rows."""
    uniques, inverse = factorize(features.ids, "ids")
    return uniques[inverse]


@plain_output()
def encode_features(features: Features, encoder: Any, what: str, *, fit: bool) -> tuple[Matrix, Any]:
    """(n_rows, d) float32 matrix of a table, and the fitted encoder."""
    if encoder is None:
        return _numeric_matrix(features.values, what), None
    if _reads_lists(encoder) and features.values.shape[1] > 1:
        raise ValueError(
            f"{what} has {features.values.shape[1]} feature columns, and {type(encoder).__name__} reads one column of "
            "texts; pass LLMTextEmbedder(), which writes rows out as text, or a ColumnTransformer."
        )
    values = one_column_as_list(features.values, encoder)
    with errors_name(what):
        if fit:
            check_numeric_parts(values, encoder, what)
            encoder = clone(encoder)
            matrix = encoder.fit_transform(values)
        else:
            matrix = encoder.transform(values)
    return finite_matrix(matrix, f"{what} as encoded by {type(encoder).__name__}"), encoder


def one_column_as_list(values: Any, encoder: Any) -> Any:
    """The only column of a frame as a list of texts, for a vectorizer that reads lists."""
    if not _reads_lists(encoder) or values.shape[1] != 1:
        return values
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    column = frame[:, 0].to_list() if isinstance(frame, nw.DataFrame) else np.asarray(values)[:, 0].tolist()
    return ["" if text is None or text != text else str(text) for text in column]


def _reads_lists(encoder: Any) -> bool:
    first = first_step(encoder)
    return hasattr(first, "__sklearn_tags__") and not get_tags(first).input_tags.two_d_array


def _numeric_matrix(values: Any, what: str) -> Matrix:
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        for name, dtype in frame.schema.items():
            if not (dtype.is_numeric() or dtype == nw.Boolean):
                raise _needs_encoder(what, f"column {name!r} holds {dtype}")
        columns = {str(name): _as_float(frame[:, j]) for j, name in enumerate(frame.columns)}
        check_numbers(columns, what)
        values = np.column_stack(list(columns.values()))
    elif not sp.issparse(values) and values.dtype.kind not in "iufbc":
        try:
            values = values.astype(np.float32)
        except (TypeError, ValueError):
            raise _needs_encoder(what, f"the matrix is of dtype {values.dtype}") from None
    return finite_matrix(values, what)


@np.errstate(over="ignore")
def _as_float(column: nw.Series) -> NDArray[np.float32]:
    present = ~column.is_null().to_numpy()
    values = np.full(len(column), np.nan, np.float32)
    values[present] = column.filter(present.tolist()).to_numpy()
    return values


def _needs_encoder(what: str, found: str) -> UnsupportedArgumentError:
    encoder = what.replace("features", "encoder")
    return UnsupportedArgumentError(
        f"{what}: {found}, which is not numeric, and {encoder} is None. Pass {encoder}='auto', which encodes each "
        "column by its type, LLMTextEmbedder() for text (from skrec.feature_extraction import LLMTextEmbedder), or a "
        "ColumnTransformer, or drop the column.",
        what,
    )
