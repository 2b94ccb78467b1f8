"""Alternating least squares: the sweeps over both sides, the side features and the loss.

Minimises ``sum_ui c_ui (r_ui - p_u.q_i)^2 + sum_u l_u |p_u - a - A x_u|^2 + sum_i l_i |q_i - B z_i|^2
+ rho (|A|^2 + |B|^2)`` where the rows with entries alone count. Ratings have biases: the last used column of the
factors, beside a column of ones on the other side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.als.grams import GramBlocks, factor_gram
from skrec._kernels.als.ridge import RidgeMap
from skrec._kernels.threads import single_threaded_blas

_LANES = 16  # float32 numbers in the widest vector register
_ALIGNMENT = 64
_NORM_ROWS = 8192
_TINY = float(np.finfo(np.float32).tiny)


class RowSolver(Protocol):
    """Entries of one side, ready to be solved: on the CPU, or on a device."""

    matrix: sp.csr_array
    alpha: float | None

    def solve(
        self,
        factors: NDArray[np.float32],
        others: NDArray[np.float32],
        *,
        gram: NDArray[np.float32],
        penalty: NDArray[np.float32],
        prior: NDArray[np.float32],
        offsets: NDArray[np.float32],
        targets: NDArray[np.float32] | None = None,
        n_steps: int = 3,
        tol: float = 0.0,
    ) -> NDArray[np.float64]:
        """Improve factors in place; return what each row adds to the objective."""


def make_row_solver(matrix: sp.csr_array, alpha: float | None, *, n_jobs: int | None, device: str | None) -> RowSolver:
    """Entries for the numba kernel, or for torch where a device is named."""
    if device is None:
        from skrec._kernels.als.numba_backend import CPURows

        return CPURows(matrix, alpha, n_jobs)
    from skrec._kernels.als.torch_backend import TorchRows

    return TorchRows(matrix, alpha, device)


def aligned_zeros(n_rows: int, n_columns: int) -> NDArray[np.float32]:
    """A float32 matrix whose rows start at vector registers: the width is rounded up."""
    width = -(-n_columns // _LANES) * _LANES
    raw = np.zeros(n_rows * width * 4 + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + n_rows * width * 4].view(np.float32).reshape(n_rows, width)


@dataclass
class Side:
    """Users or items.

    Attributes
    ----------
    rows : RowSolver
    factors : (n_rows, width) float32 array
        The prior and what the events of the row add.
    penalty : (n_rows,) float32 array
    ridge : RidgeMap or None
        The map from features.
    intercept : (width,) float32 array or None
        What all rows have in common, a part of the prior that is learned without a penalty; None leaves it out.
    prior : (n_rows, width) or (1, width) float32 array
    active : (n_rows,) bool array
        Rows with entries.
    """

    rows: RowSolver
    factors: NDArray[np.float32]
    penalty: NDArray[np.float32]
    ridge: RidgeMap | None = None
    intercept: NDArray[np.float32] | None = None
    prior: NDArray[np.float32] = field(init=False)
    active: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.prior = np.zeros((1, self.factors.shape[1]), np.float32)
        self.active = np.diff(self.rows.matrix.indptr) > 0

    def update_prior(self) -> None:
        """Fit what the rows have in common, and the map from features, to the factors of the active rows."""
        if self.ridge is None and self.intercept is None:
            return
        mapped = self.prior - (0 if self.intercept is None else self.intercept)
        if self.intercept is not None:
            weight = self.penalty * self.active
            beyond = weight @ self.factors - (weight @ mapped if len(mapped) > 1 else weight.sum() * mapped[0])
            self.intercept = beyond / max(float(weight.sum()), _TINY)
        if self.ridge is not None:
            mapped = self.ridge.fit(self.factors if self.intercept is None else self.factors - self.intercept)
        self.prior = mapped if self.intercept is None else mapped + self.intercept
        self.factors[~self.active] = self.prior[~self.active] if len(self.prior) > 1 else self.prior

    def deviations(self) -> NDArray[np.float64]:
        """``l |f - prior|^2`` of each row; 0 for one that is not active."""
        return _squared_norms(self.factors, self.prior) * self.penalty * self.active


def _squared_norms(factors: NDArray[np.float32], prior: NDArray[np.float32]) -> NDArray[np.float64]:
    norms = np.empty(len(factors))
    for start in range(0, len(factors), _NORM_ROWS):
        at = slice(start, start + _NORM_ROWS)
        difference = factors[at] - (prior[at] if len(prior) > 1 else prior)
        norms[at] = np.einsum("ij,ij->i", difference, difference)
    return norms


@dataclass
class Design:
    """What one side is regressed on: the factors of the other, with ones in place of its bias."""

    others: NDArray[np.float32]
    offsets: NDArray[np.float32]
    gram: NDArray[np.float32]

    @classmethod
    def of(cls, factors: NDArray[np.float32], active: NDArray[np.bool_], bias: int | None, mean: float) -> Design:
        """``bias`` is the column of the biases; None for implicit feedback, which has none."""
        if bias is None:
            return cls(factors, np.zeros(0, np.float32), factor_gram(factors, active))
        offsets = factors[:, bias] + np.float32(mean)
        others = aligned_zeros(*factors.shape)
        others[:] = factors
        others[:, bias] = 1.0
        return cls(others, offsets, np.zeros((1, 1), np.float32))


class ChangingDesign:
    """The design of a side of which few rows change; it stays current at the cost of these.

    Parameters
    ----------
    factors : float32 array of shape (n_rows, width)
        Of the side; may change in the rows that :meth:`refresh` names.
    active : bool array of shape (n_rows,)
    bias : int or None
    mean : float
    grams : GramBlocks or None
        Of the side before ``changed`` changed and others joined; None computes them.
    changed : int64 array
    """

    def __init__(
        self,
        factors: NDArray[np.float32],
        active: NDArray[np.bool_],
        bias: int | None,
        mean: float,
        grams: GramBlocks | None,
        changed: NDArray[np.int64],
    ) -> None:
        self.factors, self.active, self.bias, self.mean = factors, active, bias, mean
        self.grams: GramBlocks | None = None
        if bias is not None:
            self.design = Design.of(factors, active, bias, mean)
            return
        self.grams = GramBlocks.of(factors, active) if grams is None else grams.updated(factors, active, changed)
        self.design = Design(factors, np.zeros(0, np.float32), self.grams.total())

    def refresh(self, changed: NDArray[np.int64]) -> None:
        """Take in that some rows have changed."""
        design = self.design
        if self.bias is None:
            assert self.grams is not None
            self.grams = self.grams.updated(self.factors, self.active, changed)
            self.design = Design(self.factors, design.offsets, self.grams.total())
            return
        design.others[changed] = self.factors[changed]
        design.others[changed, self.bias] = 1.0
        design.offsets[changed] = self.factors[changed, self.bias] + np.float32(self.mean)


def fit_als(
    users: Side,
    items: Side,
    *,
    max_iter: int,
    tol: float,
    bias: int | None = None,
    mean: float = 0.0,
    n_steps: int = 3,
    callback: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Sweep until the loss falls by less than ``tol`` of itself; return the loss after every sweep."""
    losses: list[float] = []
    with single_threaded_blas():
        for iteration in range(max_iter):
            sweep(users, items, bias, mean, n_steps)
            objective = sweep(items, users, bias, mean, n_steps)
            loss = float((objective - items.deviations()).sum())
            for side in (users, items):
                side.update_prior()
                loss += float(side.deviations().sum()) + (side.ridge.penalty() if side.ridge else 0.0)
            losses.append(loss)
            if callback is not None:
                callback(iteration, loss)
            if iteration and losses[-2] - loss <= tol * losses[-2]:
                break
    return losses


def sweep(side: Side, other: Side, bias: int | None, mean: float, n_steps: int) -> NDArray[np.float64]:
    """Improve every row of one side; return what each adds to the objective."""
    design = Design.of(other.factors, other.active, bias, mean)
    return side.rows.solve(
        side.factors,
        design.others,
        gram=design.gram,
        penalty=side.penalty,
        prior=side.prior,
        offsets=design.offsets,
        n_steps=n_steps,
    )
