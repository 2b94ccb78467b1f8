"""Held-out events as queries of validation."""

import numpy as np
import pytest

from skrec._training import RankedEvents
from skrec.interactions import Histories

N_USERS, N_ITEMS = 12, 6


@pytest.fixture
def histories():
    """Each user has the items 0 to 3 and, as negative event, 4."""
    rows, items = np.divmod(np.arange(N_USERS * 5), 5)
    return Histories.group(rows, items, items != 4, None, N_USERS)


def test_queries_are_users_and_with_context_single_events(histories):
    held_out = np.isin(histories.items, [2, 3, 4])
    context = np.arange(len(held_out), dtype=np.float32)[:, None]
    of_users = RankedEvents.of(histories, held_out, histories.y > 0)
    of_events = RankedEvents.of(histories, held_out, histories.y > 0, context)
    assert of_users.users.tolist() == list(range(N_USERS))
    assert set(of_users.relevant.lengths) == {2}
    assert of_events.users.tolist() == np.repeat(np.arange(N_USERS), 2).tolist()
    assert of_events.relevant.items.tolist() == [2, 3] * N_USERS
    assert of_events.context.ravel().tolist() == np.flatnonzero(np.isin(histories.items, [2, 3])).tolist()
    for ranked in (of_users, of_events):
        assert set(ranked.known.items) == {0, 1}
        assert len(ranked.known) == len(ranked.relevant) == len(ranked.users)


def test_few_events_are_not_ranked(histories):
    held_out = np.isin(histories.items, [3, 4])
    assert RankedEvents.of(histories, held_out, histories.y > 0) is None


def test_known_items_are_not_ranked(histories):
    ranked = RankedEvents.of(histories, np.isin(histories.items, [2, 3]), histories.y > 0)
    queries = np.ones((N_USERS, 1), np.float32)
    assert ranked.ndcg(queries, np.array([[9], [8], [7], [6], [0], [0]], np.float32)) == pytest.approx(1)
    biases = np.array([0, 0, 0, 0, 99, 99], np.float32)
    second = 1 / np.log2(3)  # both items, which tie, behind item 5 and not behind item 4
    assert ranked.ndcg(queries, np.zeros((N_ITEMS, 1), np.float32), biases) == pytest.approx(2 * second / (1 + second))
