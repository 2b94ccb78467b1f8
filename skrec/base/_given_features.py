"""User features that come with a call of ``recommend``."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.base._fit_data import FeatureSide
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    Column,
    Features,
    FeatureTable,
    GivenFeatures,
    IdIndex,
    as_column,
    as_frame,
    as_unique_ids,
    plain_array,
)
from skrec.utils import Matrix, align


class GivenTable:
    """A table of user features as given to a call: encoded rows, and the ids of the users where it has them.

    Parameters
    ----------
    table : frame, pair (ids, matrix), FeatureTable or array-like
        A frame without the id column of fit, and a matrix alone, have their rows in the order of the users.
    side : FeatureSide
        What the model keeps of the table of ``fit``.
    index : IdIndex
        The users of fit.
    model : str
        Name of the class, for messages.

    Raises
    ------
    ValueError
        If the model does not use user features, ``fit`` had none, or the columns are not those of ``fit``.
    """

    def __init__(self, table: Any, side: FeatureSide, index: IdIndex, model: str) -> None:
        if not side.is_used:
            raise UnsupportedArgumentError(
                f"{model} does not use user_features, so recommend takes none: leave them out, pass what is known of a "
                "new user as history=[[user, item], ...], or use a model with a user_encoder, such as "
                "HybridMFRecommender.",
                "user_features",
            )
        if side.n_features is None:
            raise UnsupportedArgumentError(
                f"user_features was given to recommend, and {model} was fitted without: call fit with user_features, "
                "so that it learns what they mean.",
                "user_features",
            )
        rows = _rows_alone(table, side)
        if rows is None:
            features = side.split(table, index)
            self.ids: Column | None = features.ids
            self._index = IdIndex(as_unique_ids(features))
        else:
            features, self.ids = rows, None
        self._matrix = side.encode(features)

    def users(self, users_of_history: NDArray) -> NDArray:
        """The users of a call that names none: those of its history, then the others of the table.

        Raises
        ------
        ValueError
            If the table has no ids.
        """
        if self.ids is None:
            raise ValueError(
                "user_features has no ids, and users is None: pass users=[...], one id per row, or a frame whose "
                "first column is the id."
            )
        if not len(users_of_history):
            return self._index.values
        return IdIndex(users_of_history).extended(self._index.values).values

    def of(self, users: Column) -> GivenFeatures:
        """Rows of the users, zero rows for those whom the table lacks.

        Raises
        ------
        ValueError
            If the table has no ids and another number of rows, or has ids and none of the users.
        """
        n, n_rows = len(users), self._matrix.shape[0]
        if self.ids is None:
            if n_rows != n:
                raise ValueError(
                    f"user_features has {n_rows} rows and no ids, and there are {n} users: pass one row per user, in "
                    "their order, or a frame whose first column is the id."
                )
            return GivenFeatures(self._matrix, np.ones(n, bool))
        codes = self._index.codes(users, "users", check_kind=False)
        found = np.flatnonzero(codes >= 0)
        if n and not len(found):
            raise ValueError(
                f"user_features has {n_rows} rows, and none is of the {n} users (ids as {self._index.values[0]!r} in "
                "the table): its first column must hold user ids."
            )
        return GivenFeatures(align(self._matrix[codes[found]], found, n), codes >= 0)


def _rows_alone(table: Any, side: FeatureSide) -> Features | None:
    """The table as rows in the order of the users, where it has no ids; else None."""
    inner = table.table if isinstance(table, FeatureTable) else table
    frame = as_frame(inner, "user_features")
    if frame is not None:
        names = [str(name) for name in frame.columns]
        if side.columns is None or side.id_column in names or set(names) != set(side.columns):
            return None
        return Features(nw.new_series("users", range(len(frame)), backend=frame.implementation), inner, False)
    if isinstance(inner, tuple) or not (sp.issparse(inner) or isinstance(inner, np.ndarray | list)):
        return None
    matrix: Matrix = inner if sp.issparse(inner) else plain_array(np.asanyarray(inner), "user_features")
    if matrix.ndim != 2:
        raise ValueError(f"user_features must have two dimensions; got shape {matrix.shape}: pass one row per user.")
    return Features(as_column(np.arange(matrix.shape[0]), "users"), matrix, False)
