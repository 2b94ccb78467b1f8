"""The vectors by which a reranker compares items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from skrec._kernels.csr import csr_arrays
from skrec.base import FeatureSide, center_rows, check_side
from skrec.interactions import IdIndex
from skrec.utils import Matrix, check_kind, check_matrix, is_zero_row, unit_rows, with_rows

if TYPE_CHECKING:
    from skrec._kernels.diversity import Vectors


@dataclass(frozen=True)
class ItemSpace:
    """Unit vectors of the items of a catalogue.

    Attributes
    ----------
    unit : float32 array or CSR array of shape (n_items, d)
        A row of zeros for an item of which nothing is known: its cosine with any other is 0.
    side : FeatureSide or None
        The fitted encoder; None where the vectors are those of the recommender.
    features : float32 array or CSR array of shape (n_items, d) or None
        The features as encoded.
    """

    unit: Matrix
    side: FeatureSide | None = None
    features: Matrix | None = None

    @classmethod
    def none(cls) -> ItemSpace:
        """Without vectors: every cosine is 0."""
        return cls(np.zeros((0, 0), np.float32))

    @classmethod
    def of_recommender(cls, recommender: Any) -> ItemSpace | None:
        """The vectors of a fitted recommender; None where it has none."""
        if not hasattr(recommender, "item_vectors"):
            return None
        return cls(unit_rows(recommender.item_vectors()))

    @classmethod
    def fit(cls, encoder: Any, table: Any, index: IdIndex, n_events: int) -> ItemSpace:
        """Features of the items of a catalogue, by an encoder that is fitted to them."""
        read = FeatureSide.fit("item", table, index, n_events, is_used=True, encoder=encoder)
        assert read.matrix is not None
        return cls._of_features(read.side, read.matrix[: len(index)])

    @classmethod
    def _of_features(cls, side: FeatureSide, features: Matrix) -> ItemSpace:
        # The common part of embeddings says nothing about which items are similar.
        return cls(unit_rows(center_rows(features)), side, features)

    def updated(self, table: Any, index: IdIndex) -> ItemSpace:
        """With the rows of a later table, of items that may be new."""
        assert self.side is not None
        assert self.features is not None
        read = self.side.read(table, index)
        n_items = len(index)
        if read.matrix is None:
            return self._of_features(self.side, with_rows(self.features, None, None, n_items))
        rows = read.rows
        features = with_rows(self.features, read.matrix[:n_items], rows[rows < n_items], n_items)
        return self._of_features(self.side, features)

    def is_empty(self) -> bool:
        """Whether nothing is known of any item."""
        return bool(is_zero_row(self.unit).all())

    def for_kernels(self) -> Vectors:
        """As the kernels take them."""
        from skrec._kernels.diversity import Vectors

        if isinstance(self.unit, sp.csr_array):
            return Vectors(np.zeros((0, 0), np.float32), *csr_arrays(self.unit), self.unit.shape[1])
        no_rows = np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
        return Vectors(np.ascontiguousarray(self.unit), *no_rows, 0)


def check_space(value: object, name: str, n_items: int) -> None:
    """Check loaded vectors.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, ItemSpace)
    assert isinstance(value, ItemSpace)
    check_matrix(value.unit, f"{name}.unit", (n_items, None))
    if value.side is not None:
        check_side(value.side, f"{name}.side")
        check_matrix(value.features, f"{name}.features", (n_items, None))
