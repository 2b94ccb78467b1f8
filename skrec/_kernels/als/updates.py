"""New requests of rows that were fitted before, the other side as it is.

The old requests are not kept. The old loss is least at the fitted row, and around it grows as a quadratic form, its
curvature. New requests are weighed against that form; where there are no old ones, against the penalty alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.als.numba_backend import CPURows
from skrec._kernels.als.sweeps import aligned_zeros

_STEPS = 32
_TOL = 1e-5


@dataclass
class NewRequests:
    """Requests that were not in fit.

    Attributes
    ----------
    rows : int64 array of shape (n_new,)
        Row of each.
    columns : int64 array of shape (n_new,)
        Row of ``others`` of each.
    y : float32 array of shape (n_new,)
        Strengths added up, or ratings less the biases of the other side.
    counts : float32 array of shape (n_new,)
        Requests that each stands for; 1 for ratings.
    scores : float32 array of shape (n_new,)
        Their scores before.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    y: NDArray[np.float32]
    counts: NDArray[np.float32]
    scores: NDArray[np.float32]


def changed_rows(
    base: NDArray[np.float32],
    old: sp.csr_array,
    new: NewRequests,
    others: NDArray[np.float32],
    *,
    alpha: float | None,
    gram: NDArray[np.float32],
    n_grams: NDArray[np.float32],
    moved: NDArray[np.float32],
    penalty: NDArray[np.float32],
    n_jobs: int | None = 1,
) -> NDArray[np.float32]:
    """The rows after the new requests.

    Parameters
    ----------
    base : (n_rows, width) array
        The rows before.
    old : CSR array of shape (n_rows, n_others)
        The old entries: strengths; for ratings, any number.
    new : NewRequests
    others : (n_others, width) array
        The other side, with ones in place of its bias.
    alpha : float or None
        None for ratings.
    gram : (width, width) array
        Of the rows of ``others`` that every request, old or new, is compared with.
    n_grams : (n_rows,) array
        How often ``gram`` counts for each row.
    moved : (n_rows, width) array
        Gradient at ``base`` of the new requests for unseen items: their Gram matrix times the row.
    penalty : (n_rows,) array
    n_jobs : int or None
    """
    implicit = alpha is not None
    rows = np.concatenate([np.repeat(np.arange(len(base)), np.diff(old.indptr)), new.rows])
    order = np.argsort(rows, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(base)))])
    share = (1 / np.maximum(n_grams, 1) if implicit else np.ones(len(base))).astype(np.float32)
    weights = np.float32(alpha) * new.y if implicit else np.ones_like(new.y)
    wanted = (new.counts + weights * (1 - new.scores) if implicit else new.y - new.scores) * share[new.rows]
    targets = np.concatenate([np.zeros(old.nnz, np.float32), wanted.astype(np.float32)])[order]
    y = np.concatenate([old.data, new.y]).astype(np.float32) * share[rows]
    columns = np.concatenate([old.indices, new.columns])[order]
    matrix = sp.csr_array((y[order], columns, indptr), shape=(len(base), len(others)))
    change = aligned_zeros(*base.shape)
    CPURows(matrix, alpha, n_jobs).solve(
        change,
        others,
        gram=gram,
        penalty=penalty * share,
        prior=np.ascontiguousarray(-moved / penalty[:, None], dtype=np.float32),
        offsets=np.zeros(len(others), np.float32),
        targets=targets,
        n_steps=_STEPS,
        tol=_TOL,
    )
    changed: NDArray[np.float32] = base + change
    return changed
