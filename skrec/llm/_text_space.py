"""Items and texts as vectors in one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from skrec._features import Matrix
from skrec._vectors import encode_texts, is_zero_row


class TextSpace:
    """Unit vectors of items, centred where they are dense, and of texts beside them.

    Parameters
    ----------
    encoder : transformer
        Fitted; reads texts.
    matrix : float32 array or CSR array of shape (n_items, d)
        The items as encoded; a zero row for an item without a text.
    """

    def __init__(self, encoder: Any, matrix: Matrix) -> None:
        self.encoder = encoder
        told = ~is_zero_row(matrix)
        self.center: NDArray[np.float32] | None = None
        if not sp.issparse(matrix) and told.sum() > 1:
            self.center = matrix[told].mean(axis=0)
        self.items = self._place(matrix)

    def _place(self, vectors: Matrix) -> Matrix:
        if self.center is not None:
            vectors = (vectors - self.center) * ~is_zero_row(vectors)[:, None]
        return normalize(vectors)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self.items.shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n_texts, d) unit vectors of texts."""
        return _dense(self._place(encode_texts(self.encoder, list(texts))))

    def vectors_of(self, codes: Sequence[int]) -> NDArray[np.float32]:
        """(n_codes, d) unit vectors of items."""
        return _dense(self.items[list(codes)])

    def similarity(self, vector: NDArray) -> NDArray[np.float64]:
        """(n_items,) cosines, as standard scores over the items; zeros for a zero vector."""
        norm = float(np.linalg.norm(vector))
        if norm == 0:
            return np.zeros(self.items.shape[0])
        cosines = np.asarray(self.items @ (vector / norm), dtype=np.float64).ravel()
        return standard(cosines)


def _dense(vectors: Matrix) -> NDArray[np.float32]:
    return np.asarray(vectors.toarray() if isinstance(vectors, sp.csr_array) else vectors)


def standard(values: NDArray) -> NDArray[np.float64]:
    """Values less their mean, over their standard deviation; zeros where they are all the same."""
    spread = float(values.std())
    return np.zeros(len(values)) if spread < 1e-12 else (values - values.mean()) / spread


def reads_text(encoder: Any) -> bool:
    """Whether a fitted encoder turns a list of texts into vectors."""
    try:
        encode_texts(encoder, ["a text"])
    except ValueError:
        return False
    return True
