"""Ridge maps from side features to factors."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Matrix: TypeAlias = Any  # dense, or scipy's CSR, which has no types

_DENSE_LIMIT = 4096
_BLOCK = 8192
_MAX_STEPS = 200
_TOL = 1e-6


class RidgeMap:
    """Linear map from features to factors: ``min sum_i w_i |f_i - B z_i|^2 + rho |B|^2``.

    Up to 4,096 features the normal equations are factored once; beyond, they are solved by conjugate
    gradient from the last solution on, and no (n_features, n_features) matrix ever exists.

    There is no constant: the prior of a row without features is then zero, not the mean of all rows, and that
    ranks better.

    Parameters
    ----------
    features : array or CSR array of shape (n_rows, n_features)
    weights : array of shape (n_rows,)
        0 excludes a row.
    regularization : float
        ``rho``.
    """

    def __init__(self, features: Matrix, weights: NDArray[np.float32], regularization: float) -> None:
        self.features = features
        self.regularization = regularization
        self.coef: NDArray[np.float32] | None = None
        self._weights = np.asarray(weights, np.float32)[:, None]
        self._factored = None
        if self.features.shape[1] <= _DENSE_LIMIT:
            normal = self._normal_matrix()
            normal[np.diag_indices_from(normal)] += self.regularization
            self._factored = cho_factor(normal, overwrite_a=True, check_finite=False)

    def _normal_matrix(self) -> NDArray[np.float64]:
        """``Z' W Z``; in float32 it would lose the penalty beside millions of rows."""
        if sp.issparse(self.features):
            return self._weighted_product(self.features.astype(np.float64)).toarray()
        normal = np.zeros((self.features.shape[1],) * 2)
        for start in range(0, len(self.features), _BLOCK):
            block = self.features[start : start + _BLOCK].astype(np.float64)
            normal += block.T @ (block * self._weights[start : start + _BLOCK])
        return normal

    def _weighted_product(self, right: Matrix) -> Matrix:
        """``Z' W right``."""
        weighted = sp.csr_array(right.multiply(self._weights)) if sp.issparse(right) else right * self._weights
        return self.features.T @ weighted

    def fit(self, factors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fit the map to factors of shape (n_rows, width); return the prior of every row."""
        right = self._weighted_product(factors)
        if self._factored is not None:
            self.coef = cho_solve(self._factored, right, check_finite=False).astype(np.float32)
        else:
            self.coef = self._conjugate_gradient(right)
        return self.features @ self.coef

    def _conjugate_gradient(self, right: NDArray[np.float32]) -> NDArray[np.float32]:
        """All columns side by side, each with its own step length."""
        x = np.zeros_like(right) if self.coef is None else self.coef
        residual = right - self._normal_times(x)
        direction, norm = residual.copy(), (residual**2).sum(axis=0)
        limit = _TOL**2 * np.maximum((right**2).sum(axis=0), np.finfo(np.float32).tiny)
        for _ in range(_MAX_STEPS):
            if (norm <= limit).all():
                break
            image = self._normal_times(direction)
            length = norm / np.maximum((direction * image).sum(axis=0), np.finfo(np.float32).tiny)
            x = x + length * direction
            residual = residual - length * image
            before, norm = norm, (residual**2).sum(axis=0)
            direction = residual + norm / np.maximum(before, np.finfo(np.float32).tiny) * direction
        return x

    def _normal_times(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._weighted_product(self.features @ x) + np.float32(self.regularization) * x

    def penalty(self) -> float:
        """``rho |B|^2``."""
        return 0.0 if self.coef is None else self.regularization * float(np.square(self.coef, dtype=np.float64).sum())
