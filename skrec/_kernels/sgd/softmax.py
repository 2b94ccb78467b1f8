"""Sampled softmax on the CPU: the chosen item against negative samples, by minibatches.

Negative samples are the other items of the batch and items drawn uniformly. Popular items come up more often, so the
logarithm of how often an item is expected among the negative samples is subtracted from its score (Bengio and
Senécal, 2008; Yi et al., RecSys 2019, for batches). Where the catalogue is no larger than the sample, all items are
negative samples and the softmax is exact. One thread, so that the result depends on the seed alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skrec._kernels.sgd.epochs import Events, State
from skrec._kernels.sgd.random_numbers import next_number

_TINY = 1e-12
_FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def _softmax(scores, powers, power_bits):
    """Softmax of one row in place; returns the logarithm of the sum of the exponentials.

    The exponential by a polynomial (Cephes), in loops that the compiler turns into vector instructions.
    """
    highest = scores[0]
    for j in range(len(scores)):
        highest = max(highest, scores[j])
    for j in range(len(scores)):
        x = max(scores[j] - highest, np.float32(-87))
        n = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
        x -= n * np.float32(0.693359375)
        x += n * np.float32(2.12194440e-4)
        y = np.float32(1.9875691500e-4) * x + np.float32(1.3981999507e-3)
        y = y * x + np.float32(8.3334519073e-3)
        y = y * x + np.float32(4.1665795894e-2)
        y = y * x + np.float32(1.6666665459e-1)
        y = y * x + np.float32(0.5)
        scores[j] = y * x * x + x + np.float32(1)
        power_bits[j] = (np.int32(n) + np.int32(127)) << np.int32(23)
    total = np.float32(0)
    for j in range(len(scores)):
        scores[j] *= powers[j]
        total += scores[j]
    share = np.float32(1) / total
    for j in range(len(scores)):
        scores[j] *= share
    return highest + np.log(total)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _step(factors, sums, prior, row, gradient, bias_gradient, penalty, rate, has_bias):
    """Move one row against its gradient and towards its prior, by Adagrad."""
    own, m, n_factors = factors[row], prior[row if prior.shape[0] > 1 else 0], len(gradient)
    norm = np.float32(0)
    for f in range(n_factors):
        gradient[f] += penalty * (own[f] - m[f])
        norm += gradient[f] * gradient[f]
    sums[row, 0] += norm / np.float32(n_factors)
    length = rate / np.sqrt(sums[row, 0] + np.float32(_TINY))
    for f in range(n_factors):
        own[f] -= length * gradient[f]
    if has_bias:
        slope = bias_gradient + penalty * (own[n_factors] - m[n_factors])
        sums[row, 1] += slope * slope
        own[n_factors] -= rate / np.sqrt(sums[row, 1] + np.float32(_TINY)) * slope


@njit(cache=True, nogil=True, fastmath=_FAST)
def _draw(batch_items, active, n_negatives, part, place_of_item, candidates, times, touches, state):
    """The items of a batch and uniform draws, each once; returns their number and the state of the draws.

    A batch of few events touches what it draws less, so that penalties do not outweigh its gradients.
    """
    m, n = 0, len(batch_items)
    for k in range(n + n_negatives):
        if k < n:
            item = np.int64(batch_items[k])
        else:
            state, number = next_number(state)
            item = active[np.int64((number * np.uint64(len(active))) >> np.uint64(32))]
        if place_of_item[item] < 0:
            place_of_item[item] = m
            candidates[m] = item
            times[m] = touches[m] = 0
            m += 1
        times[place_of_item[item]] += np.float32(1)
        touches[place_of_item[item]] += np.float32(1) if k < n else part
    return m, state


@njit(cache=True, nogil=True, fastmath=_FAST)
def _read_queries(events, event_users, indptr, columns, values, users, coef, queries, place_of_user, batch_users,
                  n_of_user):  # fmt: skip
    """Query vectors of a batch, and its distinct users with their events; returns their number."""
    n_users, n_factors = 0, queries.shape[1]
    for b in range(len(events)):
        e = events[b]
        u, query = np.int64(event_users[e]), queries[b]
        query[:] = users[u, :n_factors]
        for at in range(indptr[e], indptr[e + 1]):
            c, row = values[at], coef[columns[at]]
            for f in range(n_factors):
                query[f] += c * row[f]
        if place_of_user[u] < 0:
            place_of_user[u] = n_users
            batch_users[n_users] = u
            n_of_user[n_users] = 0
            n_users += 1
        n_of_user[place_of_user[u]] += np.float32(1)
    return n_users


@njit(cache=True, nogil=True, fastmath=_FAST)
def _slopes(scores, targets, weight, offsets, times, to_bias, powers, power_bits):
    """Turn scores into the gradient of the loss by them, and add it up over the rows; returns the loss."""
    total = 0.0
    for b in range(len(scores)):
        row, target, w = scores[b], targets[b], weight[b]
        for j in range(len(row)):
            row[j] += offsets[j]
        row[target] -= np.log(times[target])  # of the item chosen, the other events of the batch do not count
        own = row[target]
        total += w * (_softmax(row, powers, power_bits) - own)
        row[target] -= np.float32(1)
        for j in range(len(row)):
            row[j] *= w
            to_bias[j] += row[j]
    return total


@njit(cache=True, nogil=True, fastmath=_FAST)
def _add_up(events, event_users, indptr, columns, values, to_query, place_of_user, of_user, of_context, n_of_context):
    """Gradients of query vectors, added up over the users and over the columns of the context."""
    n_factors = to_query.shape[1]
    for b in range(len(events)):
        e = events[b]
        gradient, sums = to_query[b], of_user[place_of_user[event_users[e]]]
        for f in range(n_factors):
            sums[f] += gradient[f]
        for at in range(indptr[e], indptr[e + 1]):
            c, k = values[at], columns[at]
            sums = of_context[k]
            n_of_context[k] += abs(c)
            for f in range(n_factors):
                sums[f] += c * gradient[f]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _epoch(
    order, event_users, event_items, weight, indptr, columns, values, active, log_expected, exact, batch_size,
    n_negatives, users, items, coef, user_sums, item_sums, coef_sums, user_penalty, item_penalty, coef_penalty,
    user_prior, item_prior, coef_prior, n_factors, rate, seed,
):  # fmt: skip
    n_active, state, total, none = len(active), seed, 0.0, np.float32(0)
    capacity = min(batch_size, len(order))
    most = n_active if exact else min(n_active, capacity + n_negatives)
    queries, to_query = np.empty((capacity, n_factors), np.float32), np.empty((capacity, n_factors), np.float32)
    vectors, to_vector = np.empty((most, n_factors), np.float32), np.empty((most, n_factors), np.float32)
    score_buffer, power_bits = np.empty(capacity * most, np.float32), np.empty(most, np.int32)
    powers = power_bits.view(np.float32)  # the bits of a power of two, and the number
    offsets, to_bias, touches, times = np.ones((4, most), np.float32)
    candidates, place_of_item = np.empty(most, np.int64), np.full(len(items), -1, np.int64)
    batch_users, place_of_user = np.empty(capacity, np.int64), np.full(len(users), -1, np.int64)
    of_user, n_of_user = np.empty((capacity, n_factors), np.float32), np.empty(capacity, np.float32)
    of_context, n_of_context = np.zeros((len(coef), n_factors), np.float32), np.zeros(len(coef), np.float32)
    if exact:
        candidates[:] = active
        place_of_item[active] = np.arange(n_active)
    for start in range(0, len(order), batch_size):
        events = order[start : start + batch_size]
        n, m, chosen = len(events), n_active, event_items[events]
        if exact:
            touches[:] = n
        else:
            part = np.float32(n / batch_size)
            m, state = _draw(chosen, active, n_negatives, part, place_of_item, candidates, times, touches, state)
        for j in range(m):
            item = candidates[j]
            vectors[j] = items[item, :n_factors]
            offsets[j] = items[item, n_factors]
            if not exact:
                offsets[j] += np.log(times[j]) - log_expected[item]
        n_users = _read_queries(events, event_users, indptr, columns, values, users, coef, queries, place_of_user,
                                batch_users, n_of_user)  # fmt: skip
        scores = score_buffer[: n * m].reshape((n, m))
        np.dot(queries[:n], vectors[:m].T, scores)
        to_bias[:m] = 0
        total += _slopes(scores, place_of_item[chosen], weight[events], offsets[:m], times, to_bias, powers, power_bits)
        np.dot(scores, vectors[:m], to_query[:n])
        np.dot(scores.T, queries[:n], to_vector[:m])
        of_user[:n_users] = 0
        _add_up(events, event_users, indptr, columns, values, to_query, place_of_user, of_user, of_context,
                n_of_context)  # fmt: skip
        for j in range(n_users):
            u = batch_users[j]
            place_of_user[u] = -1
            _step(users, user_sums, user_prior, u, of_user[j], none, user_penalty[u] * n_of_user[j], rate, False)
        for k in range(len(coef)):
            if n_of_context[k] > 0:
                _step(coef, coef_sums, coef_prior, k, of_context[k], none, coef_penalty[k] * n_of_context[k], rate,
                      False)  # fmt: skip
                of_context[k] = n_of_context[k] = 0
        for j in range(m):
            item = candidates[j]
            if not exact:
                place_of_item[item] = -1
            _step(items, item_sums, item_prior, item, to_vector[j], to_bias[j], item_penalty[item] * touches[j], rate,
                  True)  # fmt: skip
    return total


class SoftmaxTrainer:
    """Epochs of sampled softmax.

    Parameters
    ----------
    popularity : (n_items,) array
        Share of the events of each item; one without any is no negative sample.
    learning_rate : float
    batch_size : int
        Events per step.
    n_negatives : int
        Items drawn uniformly for each batch.
    """

    def __init__(
        self, popularity: NDArray[np.float64], *, learning_rate: float, batch_size: int, n_negatives: int
    ) -> None:
        self.learning_rate, self.batch_size, self.n_negatives = learning_rate, batch_size, n_negatives
        self._active = np.flatnonzero(popularity)
        self.exact = len(self._active) <= batch_size + n_negatives
        expected = batch_size * popularity + n_negatives / max(1, len(self._active))
        self._log_expected = np.log(np.maximum(expected, 1e-30)).astype(np.float32)

    def item_touches(self, counts: NDArray[np.int64], n_events: int) -> NDArray[np.floating]:
        """Expected number of times an epoch moves each item; ``counts`` are the events of each."""
        if self.exact:
            return np.full(len(counts), float(n_events))
        return counts + n_events / self.batch_size * self.n_negatives / max(1, len(self._active))

    def epoch(self, state: State, events: Events, rng: np.random.Generator) -> float:
        """Pass over the events once; return the mean loss."""
        users, items, context = state.users, state.items, state.context
        entries, seed = events.context_entries, np.uint64(rng.integers(1 << 62))
        order = rng.permutation(len(events))
        total = _epoch(
            order, events.users, events.items, events.weight, entries.indptr, entries.indices, entries.data,
            self._active, self._log_expected, self.exact, self.batch_size, self.n_negatives,
            users.factors, items.factors, context.factors,
            users.accumulated, items.accumulated, context.accumulated, users.penalty, items.penalty, context.penalty,
            users.prior, items.prior, context.prior, state.n_factors, np.float32(self.learning_rate), seed,
        )  # fmt: skip
        return total / max(1, len(events))
