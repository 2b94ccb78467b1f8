"""Rows of alternating least squares by conjugate gradient, on the CPU.

The conjugate gradient solver for implicit feedback is that of Takács, Pilászy and Tikk (2011).
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from skrec._kernels.threads import run_blocks

_BLOCKS = 128
_ROW_COST = 16  # the Gram product of a row takes about as long as so many of its events
_TINY = 1e-20


@njit(inline="always")
def _weigh(implicit, alpha, items, y, offsets, given, weights, targets):
    """Weight beyond the Gram matrix and right-hand side of each entry; returns the constant of the objective."""
    constant = 0.0
    if len(given):
        for k in range(len(items)):
            weights[k] = alpha * y[k] if implicit else np.float32(1)
            targets[k] = given[k]
        return constant
    for k in range(len(items)):
        if implicit:
            weights[k] = alpha * y[k]
            targets[k] = np.float32(1) + weights[k]
            constant += targets[k]
        else:
            weights[k] = np.float32(1)
            targets[k] = y[k] - offsets[np.uint64(items[k])]
            constant += targets[k] * targets[k]
    return constant


@njit(inline="always")
def _subtract_gram(width, gram, p, out):
    """``out -= gram @ p``."""
    for g in range(0, width, 4):
        p0, p1, p2, p3 = p[g], p[g + 1], p[g + 2], p[g + 3]
        for f in range(width):
            out[f] -= p0 * gram[g, f] + p1 * gram[g + 1, f] + p2 * gram[g + 2, f] + p3 * gram[g + 3, f]


@njit(inline="always")
def _add_entries(width, items, weights, targets, rhs, others, p, out):
    """``out += sum_k (rhs * target_k - weight_k q_k.p) q_k``; returns ``sum_k target_k q_k.p``.

    Four entries at a time, so that ``p`` and ``out`` go through the registers once for four.
    """
    n = len(items)
    linear = 0.0
    for k in range(0, n - 3, 4):
        # Unsigned, or numba would ask of every index whether it counts from the end.
        j0, j1 = np.uint64(items[k]), np.uint64(items[k + 1])
        j2, j3 = np.uint64(items[k + 2]), np.uint64(items[k + 3])
        d0 = d1 = d2 = d3 = np.float32(0)
        for f in range(width):
            d0 += others[j0, f] * p[f]
            d1 += others[j1, f] * p[f]
            d2 += others[j2, f] * p[f]
            d3 += others[j3, f] * p[f]
        linear += targets[k] * d0 + targets[k + 1] * d1 + targets[k + 2] * d2 + targets[k + 3] * d3
        c0 = rhs * targets[k] - weights[k] * d0
        c1 = rhs * targets[k + 1] - weights[k + 1] * d1
        c2 = rhs * targets[k + 2] - weights[k + 2] * d2
        c3 = rhs * targets[k + 3] - weights[k + 3] * d3
        for f in range(width):
            out[f] += c0 * others[j0, f] + c1 * others[j1, f] + c2 * others[j2, f] + c3 * others[j3, f]
    for k in range(n - n % 4, n):
        j = np.uint64(items[k])
        d = np.float32(0)
        for f in range(width):
            d += others[j, f] * p[f]
        linear += targets[k] * d
        c = rhs * targets[k] - weights[k] * d
        for f in range(width):
            out[f] += c * others[j, f]
    return linear


@cache
def _row_solver(width: int) -> Callable[..., None]:
    """The kernel for one width: the compiler unrolls loops of a fixed length."""

    @njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "arcp", "contract"})
    def solve(
        begin, stop, indptr, indices, values, given, offsets, implicit, alpha, gram, penalty, prior, factors, others,
        n_steps, tol, objective,
    ):  # fmt: skip
        p, r, out = np.empty((3, width), np.float32)
        weights, targets = np.empty((2, (indptr[begin + 1 : stop + 1] - indptr[begin:stop]).max()), np.float32)
        for row in range(begin, stop):
            x, m, lam = factors[row], prior[row if prior.shape[0] > 1 else 0], penalty[row]
            items, y = indices[indptr[row] : indptr[row + 1]], values[indptr[row] : indptr[row + 1]]
            own = given[indptr[row] : indptr[row + 1]] if len(given) else given
            objective[row] = 0.0
            if len(items) == 0:
                x[:] = m
                continue
            value = _weigh(implicit, alpha, items, y, offsets, own, weights, targets)
            limit = norm = np.float32(0)
            for f in range(width):
                p[f] = x[f]
                value += lam * m[f] * (m[f] - x[f])
            for step in range(n_steps + 1):
                # Step 0 gives the residual b - A x, later ones - A p: b costs no pass over the entries of its own.
                rhs = np.float32(1) if step == 0 else np.float32(0)
                for f in range(width):
                    out[f] = lam * (rhs * m[f] - p[f])
                if implicit:
                    _subtract_gram(width, gram, p, out)
                linear = _add_entries(width, items, weights, targets, rhs, others, p, out)
                before, norm = norm, np.float32(0)
                if step == 0:
                    value -= linear
                    for f in range(width):
                        r[f] = p[f] = out[f]
                        norm += r[f] * r[f]
                        value -= r[f] * x[f]
                    limit = tol * tol * norm + np.float32(_TINY)
                else:
                    curvature = np.float32(0)
                    for f in range(width):
                        curvature -= p[f] * out[f]
                    length = before / curvature
                    value -= length * before
                    for f in range(width):
                        x[f] += length * p[f]
                        r[f] += length * out[f]
                        norm += r[f] * r[f]
                    for f in range(width):
                        p[f] = r[f] + norm / before * p[f]
                if not norm > limit:
                    break
            objective[row] = value

    return solve


class CPURows:
    """The rows of one side, ready to be solved again and again.

    Parameters
    ----------
    matrix : CSR array of shape (n_rows, n_others), float32
        Positive strengths (implicit feedback) or ratings (explicit).
    alpha : float or None
        An entry y has confidence ``1 + alpha * y`` and an absent one 1; None for explicit feedback, where
        absent entries do not count.
    n_jobs : int or None
    """

    def __init__(self, matrix: sp.csr_array, alpha: float | None, n_jobs: int | None = None) -> None:
        self.matrix = matrix
        self.alpha = alpha
        self.n_jobs = n_jobs
        cost = matrix.indptr + _ROW_COST * np.arange(len(matrix.indptr), dtype=np.int64)
        self._bounds = np.unique(np.searchsorted(cost, np.linspace(0, cost[-1], _BLOCKS + 1)))

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
        """Improve every row in place by conjugate gradient; rows without entries become their prior.

        Parameters
        ----------
        factors : (n_rows, width) array
            Start and result.
        others : (n_others, width) array
            Factors of the other side.
        gram : (width, width) array
            ``others.T @ others`` over the active rows of the other side. Unused for explicit feedback.
        penalty : (n_rows,) array
        prior : (n_rows, width) or (1, width) array
        offsets : (n_others,) array
            Subtracted from ratings; unused for implicit feedback.
        targets : (n_entries,) array, optional
            What each entry adds to the right-hand side, times the factors of the other side, in place of
            ``1 + alpha * y`` or of the rating less its offset. The objective then lacks its constant.
        n_steps : int
        tol : float
            A row is left when its residual has shrunk by this factor.

        Returns
        -------
        objective : (n_rows,) array
            What each row adds to the objective, its own penalty included.
        """
        objective = np.empty(len(factors))
        kernel, matrix, bounds = _row_solver(factors.shape[1]), self.matrix, self._bounds
        implicit, alpha = self.alpha is not None, np.float32(self.alpha or 0.0)
        given = np.zeros(0, np.float32) if targets is None else targets

        def solve_block(block: int, _: int) -> None:
            kernel(
                bounds[block], bounds[block + 1], matrix.indptr, matrix.indices, matrix.data, given, offsets, implicit,
                alpha, gram, penalty, prior, factors, others, n_steps, np.float32(tol), objective,
            )  # fmt: skip

        run_blocks(solve_block, len(bounds) - 1, 1, self.n_jobs)
        return objective
