"""BPR and WARP by stochastic steps, one event after the other, on the CPU.

BPR: Rendle, Freudenthaler, Gantner and Schmidt-Thieme, UAI 2009. WARP: Weston, Bengio and Usunier, IJCAI 2011. One
thread, so that no step is lost and the result depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from skrec._kernels.sgd.epochs import Events, State
from skrec._kernels.sgd.random_numbers import next_number

_TINY = 1e-12
_TRIES = 8  # draws of an item that the user has not chosen


@cache
def _epoch_kernel(n_factors: int, warp: bool) -> Callable[..., float]:
    """The kernel for one number of factors: the compiler unrolls loops of a fixed length."""

    @njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "arcp", "contract", "afn"})
    def epoch(
        turns, indptr, event_items, weight, context, pool, seen_indptr, seen_items,
        users, items, coef, user_sums, item_sums, coef_sums, user_penalty, item_penalty, coef_penalty,
        user_prior, item_prior,
        rate, n_negatives, seed,
    ):  # fmt: skip
        query, forward, to_user, to_positive, to_negative = np.zeros((5, n_factors), np.float32)
        turn_of_item = np.full(len(items), -1, np.int32)
        order = np.empty((indptr[1:] - indptr[:-1]).max(), np.int64)
        n_pool, total, state = np.uint64(len(pool)), 0.0, seed
        one_factor, tiny = np.float32(1) / np.float32(n_factors), np.float32(_TINY)
        scale = np.float32(1) / np.log(np.float32(1 + len(pool)))
        for turn in range(len(turns)):
            u = np.uint64(turns[turn])
            begin, n_events = indptr[u], indptr[u + np.uint64(1)] - indptr[u]
            if n_events == 0:
                continue
            for k in range(seen_indptr[u], seen_indptr[u + np.uint64(1)]):
                turn_of_item[np.uint64(seen_items[k])] = turn
            for k in range(n_events):
                order[k] = begin + k
            for k in range(n_events - 1, 0, -1):
                state, number = next_number(state)
                other = (number * np.uint64(k + 1)) >> np.uint64(32)
                order[k], order[other] = order[other], order[k]
            p, penalty_u = users[u], user_penalty[u]
            m = user_prior[u if user_prior.shape[0] > 1 else np.uint64(0)]
            for place in range(n_events):
                e = np.uint64(order[place])
                positive = np.uint64(event_items[e])
                q = items[positive]
                for f in range(n_factors):
                    query[f] = p[f]
                for k in range(context.shape[1]):
                    c = context[e, k]
                    if c != 0:
                        for f in range(n_factors):
                            query[f] += c * coef[k, f]
                own = q[n_factors]
                for f in range(n_factors):
                    own += query[f] * q[f]

                negative, push = np.uint64(0), np.float32(0)
                for draw in range(n_negatives):
                    fair = False
                    for _ in range(_TRIES):
                        state, number = next_number(state)
                        negative = np.uint64(pool[(number * n_pool) >> np.uint64(32)])
                        fair = negative != positive and turn_of_item[negative] != turn
                        if fair:
                            break
                    if not fair:
                        continue
                    margin = own - items[negative, n_factors]
                    for f in range(n_factors):
                        margin -= query[f] * items[negative, f]
                    if not warp:
                        push = np.float32(1) / (np.float32(1) + np.exp(margin))
                        if place & 7 == 0:
                            total += 8 * weight[e] * (np.log1p(np.exp(-margin)) if margin > -30 else -margin)
                        break
                    if margin < 1:
                        rank = (len(pool) - 1) // (draw + 1)
                        push = np.log(np.float32(1 + rank)) * scale
                        total += weight[e] * push * (np.float32(1) - margin)
                        break
                push *= weight[e]
                if push == 0:
                    continue

                r, penalty_q, penalty_r = items[negative], item_penalty[positive], item_penalty[negative]
                positive_prior = item_prior[positive if item_prior.shape[0] > 1 else np.uint64(0)]
                negative_prior = item_prior[negative if item_prior.shape[0] > 1 else np.uint64(0)]
                up = push - penalty_q * (q[n_factors] - positive_prior[n_factors])
                down = -push - penalty_r * (r[n_factors] - negative_prior[n_factors])
                user_norm = positive_norm = negative_norm = np.float32(0)
                for f in range(n_factors):
                    forward[f] = push * (q[f] - r[f])
                    to_user[f] = forward[f] - penalty_u * (p[f] - m[f])
                    to_positive[f] = push * query[f] - penalty_q * (q[f] - positive_prior[f])
                    to_negative[f] = -push * query[f] - penalty_r * (r[f] - negative_prior[f])
                    user_norm += to_user[f] * to_user[f]
                    positive_norm += to_positive[f] * to_positive[f]
                    negative_norm += to_negative[f] * to_negative[f]
                user_sums[u, 0] += user_norm * one_factor
                item_sums[positive, 0] += positive_norm * one_factor
                item_sums[negative, 0] += negative_norm * one_factor
                item_sums[positive, 1] += up * up
                item_sums[negative, 1] += down * down
                user_rate = rate / np.sqrt(user_sums[u, 0] + tiny)
                positive_rate = rate / np.sqrt(item_sums[positive, 0] + tiny)
                negative_rate = rate / np.sqrt(item_sums[negative, 0] + tiny)
                q[n_factors] += rate / np.sqrt(item_sums[positive, 1] + tiny) * up
                r[n_factors] += rate / np.sqrt(item_sums[negative, 1] + tiny) * down
                for f in range(n_factors):
                    p[f] += user_rate * to_user[f]
                    q[f] += positive_rate * to_positive[f]
                    r[f] += negative_rate * to_negative[f]
                for k in range(context.shape[1]):
                    c = context[e, k]
                    if c != 0:
                        row, penalty = coef[k], coef_penalty[k] * abs(c)
                        norm = np.float32(0)
                        for f in range(n_factors):
                            to_user[f] = c * forward[f] - penalty * row[f]
                            norm += to_user[f] * to_user[f]
                        coef_sums[k, 0] += norm * one_factor
                        row_rate = rate / np.sqrt(coef_sums[k, 0] + tiny)
                        for f in range(n_factors):
                            row[f] += row_rate * to_user[f]
        return total

    return epoch


class PairwiseTrainer:
    """Epochs of BPR or WARP.

    Parameters
    ----------
    loss : {"bpr", "warp"}
    pool : int64 array
        Codes of the items that negative samples are drawn from.
    seen : CSR array of shape (n_users, n_items), or None
        Items that are no negative samples for a user.
    learning_rate : float
    n_negatives : int
        WARP: most negative samples drawn for an event, until one scores within 1 of the chosen item.
    """

    def __init__(
        self,
        loss: str,
        pool: NDArray[np.int64],
        seen: sp.csr_array | None,
        *,
        learning_rate: float,
        n_negatives: int,
    ) -> None:
        self.loss, self.learning_rate = loss, learning_rate
        self.n_negatives = n_negatives if loss == "warp" else 1
        self._pool, self._seen = pool.astype(np.int32), seen

    def item_touches(self, counts: NDArray[np.int64], n_events: int) -> NDArray[np.floating]:
        """Expected number of times an epoch moves each item; ``counts`` are the events of each."""
        return counts + n_events / max(1, len(self._pool))

    def epoch(self, state: State, events: Events, rng: np.random.Generator) -> float:
        """Pass over the events once, one user after the other in random order; return the mean loss."""
        users, items, context = state.users, state.items, state.context
        n_users = len(users.factors)
        indptr = np.searchsorted(events.users, np.arange(n_users + 1))
        seen_indptr, seen_items = np.zeros(n_users + 1, np.int32), np.zeros(0, np.int32)
        if self._seen is not None:
            seen_indptr, seen_items = self._seen.indptr, self._seen.indices
        total = _epoch_kernel(state.n_factors, self.loss == "warp")(
            rng.permutation(n_users), indptr, events.items, events.weight, events.context, self._pool,
            seen_indptr, seen_items, users.factors, items.factors, context.factors,
            users.accumulated, items.accumulated, context.accumulated, users.penalty, items.penalty, context.penalty,
            users.prior, items.prior, np.float32(self.learning_rate), self.n_negatives,
            np.uint64(rng.integers(1 << 62)),
        )  # fmt: skip
        return total / max(1, len(events))
