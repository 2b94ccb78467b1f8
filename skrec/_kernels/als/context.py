"""Alternating least squares where every event is a request in a context of its own.

A request e of user u in context c has the query vector ``v = p_u + C c``, and its loss runs over all items:
``sum_i c_ei (r_ei - v.q_i)^2``, with r = 1 and confidence ``1 + alpha * y`` for the item that was chosen, else 0
and 1. No sum over all pairs is written out: the unseen ones come in through Gram matrices. Ratings count
where there are any; their biases are the last used column, and that column of C is what the context adds to a rating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec._kernels.als.sweeps import Design, RowSolver, Side, aligned_zeros
from skrec._kernels.threads import single_threaded_blas

_BLOCK = 1 << 17
_CONTEXT_STEPS = 4
_TINY = float(np.finfo(np.float64).tiny)


@dataclass
class ContextEvents:
    """Events in the order of items, so that an item's are one range.

    Attributes
    ----------
    users, items : int64 arrays of shape (n_events,)
    y : float32 array of shape (n_events,)
    weight : float32 array of shape (n_events,)
        Requests that each stands for; ones for ratings.
    context : float32 array of shape (n_events, n_context)
    gram : float64 array of shape (n_context, n_context)
        ``sum_e weight_e c_e c_e'``.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    weight: NDArray[np.float32]
    context: NDArray[np.float32]
    gram: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.items, kind="stable")
        self.users, self.items, self.y = self.users[order], self.items[order], self.y[order]
        self.weight, self.context = self.weight[order], self.context[order]
        self.gram = np.zeros((self.context.shape[1],) * 2)
        for at in self.blocks():
            self.gram += self.context[at].T @ (self.weight[at, None] * self.context[at])

    def __len__(self) -> int:
        return len(self.items)

    def blocks(self) -> Iterator[slice]:
        """Ranges of events."""
        for start in range(0, len(self), _BLOCK):
            yield slice(start, start + _BLOCK)

    def entries(self, n_users: int, n_items: int, *, by: str) -> tuple[sp.csr_array, NDArray[np.int64]]:
        """One entry per event, its y times its weight, in rows of users or items; and the order of the events."""
        rows, columns = (self.users, self.items) if by == "users" else (self.items, self.users)
        n_rows, n_columns = (n_users, n_items) if by == "users" else (n_items, n_users)
        order = np.argsort(rows, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
        values = (self.y * self.weight)[order]
        return sp.csr_array((values, columns[order], indptr), shape=(n_rows, n_columns)), order


class ContextALS:
    """The sweeps over users, items and the context map.

    Parameters
    ----------
    requests : ContextEvents
    users, items : Side
        Their rows are the entries of the requests.
    coef : float32 array of shape (n_context, width)
        C, transposed; learned in place.
    alpha : float or None
        None for ratings.
    penalty : float
        Of ``|C|^2``.
    bias : int or None
        The column of biases; None for implicit feedback.
    mean : float
        Subtracted from ratings.
    make : callable
        Makes :class:`~skrec._kernels.als.sweeps.RowSolver` of a matrix.
    """

    def __init__(
        self,
        requests: ContextEvents,
        users: Side,
        items: Side,
        coef: NDArray[np.float32],
        *,
        alpha: float | None,
        penalty: float,
        bias: int | None,
        mean: float,
        make: Callable[[sp.csr_array], RowSolver],
    ) -> None:
        self.requests, self.users, self.items, self.coef = requests, users, items, coef
        self.alpha, self.penalty, self.bias, self.mean, self.make = alpha, penalty, bias, mean, make
        n_users, n_items = len(users.factors), len(items.factors)
        matrix, self._by_user = requests.entries(n_users, n_items, by="users")
        counts = np.bincount(requests.users, requests.weight, n_users)
        # The Gram matrix counts n times in a row of n requests: the whole row is divided by n instead.
        n_grams = np.where((counts > 0) & (bias is None), counts, 1)
        self._share = (1 / n_grams).astype(np.float32)
        self._counts = counts[:, None]
        self._totals = (
            sp.csr_array((requests.weight[self._by_user], self._by_user, matrix.indptr), shape=(n_users, len(requests)))
            @ requests.context
        )
        share = np.repeat(self._share, np.diff(matrix.indptr))
        self._user_rows = make(sp.csr_array((matrix.data * share, matrix.indices, matrix.indptr), shape=matrix.shape))

    @property
    def _implicit(self) -> bool:
        return self.alpha is not None

    def _weights(self, at: slice) -> NDArray[np.float32]:
        """What an event adds to the confidence of its item."""
        if not self._implicit:
            return np.ones_like(self.requests.y[at])
        return np.float32(self.alpha) * self.requests.y[at] * self.requests.weight[at]

    def fit(self, max_iter: int, tol: float, callback: Callable[[int, float], None] | None = None) -> list[float]:
        """Sweep until the loss falls by less than ``tol`` of itself; return the loss after every sweep."""
        losses: list[float] = []
        with single_threaded_blas():
            for iteration in range(max_iter):
                self.sweep_users()
                self.sweep_context()
                objective = self.sweep_items()
                loss = float((objective - self.items.deviations()).sum())
                loss += self.penalty * float(np.square(self.coef, dtype=np.float64).sum())
                for side in (self.users, self.items):
                    side.update_prior()
                    loss += float(side.deviations().sum()) + (side.ridge.penalty() if side.ridge else 0.0)
                losses.append(loss)
                if callback is not None:
                    callback(iteration, loss)
                if iteration and losses[-2] - loss <= tol * losses[-2]:
                    break
        return losses

    # Users -----------------------------------------------------------------------------------------

    def sweep_users(self) -> None:
        """Improve every user, given the items and what the contexts add."""
        design = Design.of(self.items.factors, self.items.active, self.bias, self.mean)
        prior = self.users.prior
        if self._implicit:
            # What the contexts add to all items, through the Gram matrix, as a part of the right-hand side.
            moved = (self._totals @ self.coef) @ design.gram
            prior = np.ascontiguousarray(prior - moved / self.users.penalty[:, None])
        self._user_rows.solve(
            self.users.factors,
            design.others,
            gram=design.gram,
            penalty=self.users.penalty * self._share,
            prior=prior,
            offsets=design.offsets,
            targets=self._user_targets(design),
        )

    def _user_targets(self, design: Design) -> NDArray[np.float32]:
        requests, targets = self.requests, np.empty(len(self.requests), np.float32)
        for at in requests.blocks():
            context_scores = np.einsum("ij,ij->i", requests.context[at] @ self.coef, design.others[requests.items[at]])
            if self._implicit:
                weights = self._weights(at)
                targets[at] = (requests.weight[at] + weights * (1 - context_scores)) * self._share[requests.users[at]]
            else:
                targets[at] = requests.y[at] - design.offsets[requests.items[at]] - context_scores
        return targets[self._by_user]

    # Items -----------------------------------------------------------------------------------------

    def sweep_items(self) -> NDArray[np.float64]:
        """Improve every item, given the query vectors of all requests; return what each adds to the objective."""
        items, requests = self.items, self.requests
        gram = self.query_gram() if self._implicit else np.zeros((1, 1), np.float32)
        objective = np.zeros(len(items.factors))
        indptr = np.searchsorted(requests.items, np.arange(len(items.factors) + 1))
        for start, stop in _row_blocks(indptr, _BLOCK):
            at = slice(int(indptr[start]), int(indptr[stop]))
            others, offsets = self._queries(at)
            n, entry_of_row = at.stop - at.start, indptr[start : stop + 1] - at.start
            values = requests.y[at] * requests.weight[at]
            matrix = sp.csr_array((values, np.arange(n, dtype=np.int32), entry_of_row), shape=(stop - start, n))
            objective[start:stop] = self.make(matrix).solve(
                items.factors[start:stop],
                others,
                gram=gram,
                penalty=items.penalty[start:stop],
                prior=items.prior[start:stop] if len(items.prior) > 1 else items.prior,
                offsets=offsets,
                targets=requests.weight[at] + self._weights(at) if self._implicit else None,
            )
        if self._implicit:
            constant = requests.weight + self._weights(slice(None))
            objective += np.bincount(requests.items, constant, len(objective))
        return objective

    def _queries(self, at: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Query vectors of requests, with ones in place of the bias, and the biases as offsets."""
        requests = self.requests
        vectors = aligned_zeros(len(requests.users[at]), self.coef.shape[1])
        np.matmul(requests.context[at], self.coef, out=vectors)
        vectors += self.users.factors[requests.users[at]]
        if self.bias is None:
            return vectors, np.zeros(0, np.float32)
        offsets = vectors[:, self.bias] + np.float32(self.mean)
        vectors[:, self.bias] = 1.0
        return vectors, offsets

    def query_gram(self) -> NDArray[np.float32]:
        """``sum_e v v'`` over all requests, from the totals of each user."""
        p, coef = self.users.factors.astype(np.float64), self.coef.astype(np.float64)
        crossed = p.T @ (self._totals @ coef)
        gram = p.T @ (self._counts * p) + crossed + crossed.T + coef.T @ self.requests.gram @ coef
        return gram.astype(np.float32)

    # Context ---------------------------------------------------------------------------------------

    def sweep_context(self) -> None:
        """Improve the context map by conjugate gradient, preconditioned by the Kronecker product of Gram matrices."""
        design = Design.of(self.items.factors, self.items.active, self.bias, self.mean)
        residual = self._context_residual(design)
        precondition = self._preconditioner(design)
        direction = solved = precondition(residual)
        norm = float((residual * solved).sum())
        for _ in range(_CONTEXT_STEPS):
            if not norm > _TINY:
                break
            image = self._context_normal(direction, design)
            length = norm / float((direction * image).sum())
            self.coef += (length * direction).astype(np.float32)
            residual = residual - length * image
            solved = precondition(residual)
            before, norm = norm, float((residual * solved).sum())
            direction = solved + norm / before * direction

    def _context_residual(self, design: Design) -> NDArray[np.float64]:
        """Half the negative gradient of the loss by C."""
        requests, coef = self.requests, self.coef.astype(np.float64)
        total = -self.penalty * coef
        if self._implicit:
            total -= (self._totals.T @ self.users.factors + requests.gram @ coef) @ design.gram
        for at in requests.blocks():
            others = design.others[requests.items[at]]
            queries = requests.context[at] @ self.coef + self.users.factors[requests.users[at]]
            scores = np.einsum("ij,ij->i", queries, others)
            if self._implicit:
                weights = self._weights(at)
                wanted = requests.weight[at] + weights * (1 - scores)
            else:
                wanted = requests.y[at] - design.offsets[requests.items[at]] - scores
            total += requests.context[at].T @ (wanted[:, None] * others)
        return total

    def _context_normal(self, direction: NDArray[np.float64], design: Design) -> NDArray[np.float64]:
        """The matrix of the normal equations, times a direction."""
        requests, short = self.requests, direction.astype(np.float32)
        total = self.penalty * direction
        if self._implicit:
            total += requests.gram @ direction @ design.gram
        if self.alpha == 0:
            return total
        for at in requests.blocks():
            others = design.others[requests.items[at]]
            scores = np.einsum("ij,ij->i", requests.context[at] @ short, others) * self._weights(at)
            total += requests.context[at].T @ (scores[:, None] * others)
        return total

    def _preconditioner(self, design: Design) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Solve the normal equations as if contexts and items were independent."""
        requests = self.requests
        weights = self._weights(slice(None))
        weight_of_item = np.bincount(requests.items, weights, len(design.others))[:, None]
        gram = design.others.T @ (weight_of_item * design.others) / max(1.0, float(requests.weight.sum()))
        if self._implicit:
            gram = gram + design.gram
        left, left_vectors = np.linalg.eigh(requests.gram)
        right, right_vectors = np.linalg.eigh(gram)
        scale = np.maximum(left, 0)[:, None] * np.maximum(right, 0) + self.penalty

        def solve(residual: NDArray[np.float64]) -> NDArray[np.float64]:
            return left_vectors @ ((left_vectors.T @ residual @ right_vectors) / scale) @ right_vectors.T

        return solve


def _row_blocks(indptr: NDArray[np.int64], limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most ``limit`` entries, or of one row."""
    start, n_rows = 0, len(indptr) - 1
    while start < n_rows:
        stop = int(np.searchsorted(indptr, indptr[start] + limit, side="right")) - 1
        stop = max(stop, start + 1)
        yield start, stop
        start = stop
