"""Rows of alternating least squares by conjugate gradient, batched in torch: for GPUs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

_CELLS = 1 << 27  # gathered numbers a block: half a gigabyte, three times over
_TINY = 1e-20


class TorchRows:
    """The rows of one side, on a device; the same maths and signature as ``CPURows``.

    Parameters
    ----------
    matrix : CSR array of shape (n_rows, n_others), float32
    alpha : float or None
        Confidence ``1 + alpha * y``; None for explicit feedback.
    device : str
    """

    def __init__(self, matrix: sp.csr_array, alpha: float | None, device: str) -> None:
        self.matrix = matrix
        self.alpha = alpha
        self.device = torch.device(device)
        self._indices = self._put(matrix.indices.astype(np.int64))
        self._values = self._put(matrix.data)
        self._lengths = self._put(np.diff(matrix.indptr).astype(np.int64))

    def _put(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(self.device)

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
        """Improve every row in place by conjugate gradient; rows without entries become their prior."""
        objective = np.zeros(len(factors))
        others_, gram_, offsets_ = (self._put(array) for array in (others, gram, offsets))
        targets_ = None if targets is None else self._put(targets)
        for start, stop in self._blocks(factors.shape[1]):
            m = self._put(prior[start:stop] if len(prior) > 1 else prior)
            x, value = self._solve_block(
                start,
                stop,
                self._put(factors[start:stop]),
                self._put(penalty[start:stop]),
                m,
                others_,
                gram_,
                offsets_,
                targets_,
                n_steps,
                tol,
            )
            factors[start:stop] = x.cpu().numpy()
            objective[start:stop] = value.cpu().numpy()
        empty = np.diff(self.matrix.indptr) == 0
        factors[empty] = prior[empty] if len(prior) > 1 else prior
        return objective

    def _blocks(self, width: int) -> list[tuple[int, int]]:
        """Ranges of rows whose gathered factors fit into a block; a longer row is alone."""
        indptr, limit = self.matrix.indptr, max(1, _CELLS // width)
        bounds = [0]
        while bounds[-1] < len(indptr) - 1:
            stop = int(np.searchsorted(indptr, indptr[bounds[-1]] + limit, side="right")) - 1
            bounds.append(max(stop, bounds[-1] + 1))
        return list(pairwise(bounds))

    def _solve_block(
        self,
        start: int,
        stop: int,
        x: torch.Tensor,
        penalty: torch.Tensor,
        prior: torch.Tensor,
        others: torch.Tensor,
        gram: torch.Tensor,
        offsets: torch.Tensor,
        given: torch.Tensor | None,
        n_steps: int,
        tol: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        lengths, lam = self._lengths[start:stop], penalty[:, None]
        at = slice(int(self.matrix.indptr[start]), int(self.matrix.indptr[stop]))
        row = torch.repeat_interleave(torch.arange(stop - start, device=self.device), lengths)
        gathered = others[self._indices[at]]
        weights, targets, constant = self._entries(at, offsets, None if given is None else given[at])

        def add_up(values: torch.Tensor) -> torch.Tensor:
            return torch.segment_reduce(values, "sum", lengths=lengths, axis=0, unsafe=True)

        def times(p: torch.Tensor) -> torch.Tensor:
            product = lam * p + add_up((weights * (gathered * p[row]).sum(1))[:, None] * gathered)
            return product if self.alpha is None else product + p @ gram

        right = lam * prior + add_up(targets[:, None] * gathered)
        x, residual = conjugate_gradient(times, right, x, n_steps, tol)
        value = add_up(constant) - (x * (right + residual)).sum(1, dtype=torch.float64)
        value += penalty * (prior**2).sum(1)
        return x, torch.where(lengths > 0, value, 0.0)

    def _entries(
        self, at: slice, offsets: torch.Tensor, given: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Weight beyond the Gram matrix, right-hand side and constant of each entry."""
        y = self._values[at]
        if given is not None:
            weights = torch.ones_like(y) if self.alpha is None else self.alpha * y
            return weights, given, torch.zeros_like(y, dtype=torch.float64)
        if self.alpha is None:
            targets = y - offsets[self._indices[at]]
            return torch.ones_like(y), targets, (targets**2).double()
        weights = self.alpha * y
        return weights, 1 + weights, (1 + weights).double()


def conjugate_gradient(
    times: Callable[[torch.Tensor], torch.Tensor], right: torch.Tensor, x: torch.Tensor, n_steps: int, tol: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve every row on its own from ``x``; return the solutions and their residuals."""
    residual = right - times(x)
    direction, norm = residual, (residual**2).sum(1, keepdim=True)
    limit = tol**2 * norm + _TINY
    for _ in range(n_steps):
        going = norm > limit
        if not going.any():
            break
        image = times(direction)
        length = torch.where(going, norm / (direction * image).sum(1, keepdim=True), 0.0)
        x = x + length * direction
        residual = residual - length * image
        before, norm = norm, (residual**2).sum(1, keepdim=True)
        direction = residual + torch.where(going, norm / before, 0.0) * direction
    return x, residual
