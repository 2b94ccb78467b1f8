import numpy as np
import pytest
import scipy.sparse as sp

from skrec.decomposition._implicit_fold_in import ShrunkenMean

N_USERS, N_ITEMS, N_FACTORS = 300, 400, 6


def _drawn(mean=0.0, n_events=40):
    """Events of users near items that point where they do, and vectors of both; ``mean`` is common to all users."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(N_ITEMS, N_FACTORS)).astype(np.float32)
    users = rng.normal(size=(N_USERS, N_FACTORS)).astype(np.float32) + np.float32(mean)
    scores = users @ items.T + rng.gumbel(size=(N_USERS, N_ITEMS))
    chosen = np.argsort(-scores, axis=1)[:, :n_events]
    ones = np.ones(chosen.size, np.float32)
    return sp.csr_array((ones, (np.repeat(np.arange(N_USERS), n_events), chosen.ravel()))), users, items


def _folded(found, events, items):
    n = np.diff(events.indptr)
    factor, added = found.per_item(n)
    return factor * (events @ items) + n[:, None] * added


def _first(events, n):
    parts = [events.indices[start : start + n] for start in events.indptr[:-1]]
    return sp.csr_array((np.ones(n * len(parts)), np.concatenate(parts), np.arange(len(parts) + 1) * n), events.shape)


@pytest.mark.parametrize("mean", [0.0, 2.0])
def test_each_event_brings_it_nearer(mean):
    events, users, items = _drawn(mean)
    found = ShrunkenMean.fitted(events, users, items)
    left = [np.square(_folded(found, _first(events, n), items) - users).sum() for n in (1, 4, 16)]
    assert np.square(users).sum() > left[0] > left[1] > left[2]


def test_the_means_are_taken_where_they_are_nearer():
    # Users share a direction that their items do not show.
    events, users, items = _drawn()
    assert ShrunkenMean.fitted(events, users + np.float32(5), items).mean_user.any()


def test_few_events_say_less_than_many():
    events, users, items = _drawn()
    found = ShrunkenMean.fitted(events, users, items)
    lengths = [np.square(_folded(found, _first(events, n), items)).sum() for n in (1, 2, 4)]
    assert lengths == sorted(lengths)
    assert found.prior > 0.5


def test_without_events_it_is_finite():
    users, items = np.zeros((2, 3), np.float32), np.ones((4, 3), np.float32)
    found = ShrunkenMean.fitted(sp.csr_array((2, 4), dtype=np.float32), users, items)
    np.testing.assert_array_equal(_folded(found, sp.csr_array((1, 4), dtype=np.float32), items), np.zeros((1, 3)))
