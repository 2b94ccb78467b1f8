"""The leading components of item features, as a network reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.utils import Matrix, check_array, check_kind, is_zero_row

_POWER = 0.5  # of the standard deviation: between the raw variances and equal ones


@dataclass(frozen=True)
class FeatureComponents:
    """A linear map to leading components, partly whitened, of a mean squared length of 1.

    Attributes
    ----------
    center : float32 array of shape (n_features,), or None
    axes : float32 array of shape (n_features, n_components)
    """

    center: NDArray[np.float32] | None
    axes: NDArray[np.float32]

    @classmethod
    def fit(cls, matrix: Matrix, n_components: int, seed: int) -> FeatureComponents:
        """Learn the map from the items that have features."""
        rows = matrix[~is_zero_row(matrix)]
        n_components = min(n_components, matrix.shape[1])
        if rows.shape[0] < 2:
            return cls(None, np.eye(matrix.shape[1], n_components, dtype=np.float32))
        center: NDArray | None = None
        if sp.issparse(rows):
            from sklearn.utils.extmath import randomized_svd

            n_components = min(n_components, rows.shape[0])
            _, lengths, right = randomized_svd(rows, n_components, random_state=seed)
            variance, axes = lengths**2 / rows.shape[0], right.T
        else:
            center = rows.mean(axis=0, dtype=np.float64)
            centered = rows - center
            variance, axes = np.linalg.eigh(centered.T @ centered / len(rows))
            variance, axes = variance[::-1][:n_components], axes[:, ::-1][:, :n_components]
        kept = variance > max(float(variance.max()), 1e-30) * np.finfo(np.float32).eps
        scale = np.where(kept, np.where(kept, variance, 1) ** (-_POWER / 2), 0)
        length = np.sqrt((variance[kept] ** (1 - _POWER)).sum()) or 1.0
        return cls(None if center is None else center.astype(np.float32), (axes * (scale / length)).astype(np.float32))

    def transform(self, matrix: Matrix) -> NDArray[np.float32]:
        """(n_items, n_components) components; a zero row stays zero."""
        if self.center is None:
            return np.asarray(matrix @ self.axes, dtype=np.float32)
        centered = (matrix - self.center) * ~is_zero_row(matrix)[:, None]
        return np.asarray(centered @ self.axes, dtype=np.float32)


def check_components(value: object, name: str, n_features: int, n_components: int) -> None:
    """Check loaded components.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, FeatureComponents)
    assert isinstance(value, FeatureComponents)
    check_array(value.axes, f"{name}.axes", (n_features, n_components), dtype=np.float32)
    if value.center is not None:
        check_array(value.center, f"{name}.center", (n_features,), dtype=np.float32)
