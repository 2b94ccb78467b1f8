"""Texts about users as vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.base import read_encoder
from skrec.interactions import IdIndex, as_unique_ids, check_index, encode_features, read_features
from skrec.utils import check_array, check_kind, unit_rows


@dataclass(frozen=True)
class Profiles:
    """What ``user_features`` says about users.

    Attributes
    ----------
    user_index : IdIndex
        Users with a row in the table.
    vectors : float32 array of shape (n, d)
    encoder : transformer
        Fitted.
    """

    user_index: IdIndex
    vectors: NDArray[np.float32]
    encoder: Any

    @classmethod
    def fit(cls, table: Any, encoder: Any) -> Profiles:
        """Read the table of ``fit``, and fit the encoder to it."""
        features = read_features(table, "user_features")
        matrix, fitted = encode_features(features, read_encoder(encoder), "user_features", fit=True)
        return cls(IdIndex(as_unique_ids(features)), _dense(matrix), fitted)

    def updated(self, table: Any) -> Profiles:
        """With the rows of a further table, which replace those of known users.

        Raises
        ------
        ValueError
            If the vectors have another width.
        """
        features = read_features(table, "user_features")
        matrix = _dense(encode_features(features, self.encoder, "user_features", fit=False)[0])
        width = self.vectors.shape[1]
        if matrix.shape[1] != width:
            raise ValueError(
                f"user_features has {matrix.shape[1]} columns as encoded; in fit it had {width}. Pass a table with the "
                "columns of fit."
            )
        ids = as_unique_ids(features)
        index = self.user_index.extended(ids)
        vectors = np.zeros((len(index), width), np.float32)
        vectors[: len(self.vectors)] = self.vectors
        vectors[index.codes(ids, "user_features")] = matrix
        return replace(self, user_index=index, vectors=vectors)

    def of(self, users: IdIndex) -> NDArray[np.float32]:
        """Centred vectors of length 1 of these users; zero for those without a row."""
        at = self.user_index.codes(users.values, "users", check_kind=False)
        centred = unit_rows(self.vectors - self.vectors.mean(axis=0))
        return np.where((at >= 0)[:, None], centred[at], 0).astype(np.float32)

    @staticmethod
    def check(value: object, name: str) -> None:
        """Check profiles that were loaded.

        Raises
        ------
        DamagedStateError
            If they are none that a fit could have left.
        """
        check_kind(value, name, Profiles)
        assert isinstance(value, Profiles)
        check_index(value.user_index, f"{name}.user_index")
        check_array(value.vectors, f"{name}.vectors", (len(value.user_index), None), dtype=np.float32)


def _dense(matrix: Any) -> NDArray[np.float32]:
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, np.float32)
