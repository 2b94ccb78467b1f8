"""What the context decides is learned: the share of the gap between a blind oracle and the oracle that is closed."""

import numpy as np
import pytest

from skrec.datasets import make_context_choices
from skrec.decomposition import HybridMFRecommender

N_TRAIN, N_HELD_OUT = 100, 10


def gain(scores, items):
    """NDCG@10 of queries that have one relevant item each."""
    ranks = (scores > scores[np.arange(len(items)), items][:, None]).sum(axis=1)
    return np.where(ranks < 10, 1 / np.log2(ranks + 2), 0).mean()


@pytest.mark.slow
@pytest.mark.parametrize(("solver", "least"), [("als", 0.7), ("bpr", 0.75), ("warp", 0.8), ("softmax", 0.87)])
def test_share_of_the_gap(solver, least):
    """The blind oracle knows every user's mean over the contexts, which no model without context can beat."""
    data = make_context_choices(n_events_per_user=N_TRAIN + N_HELD_OUT, frame=None, random_state=0)
    cut = N_TRAIN * len(data.user_factors)
    users, items, contexts = data.codes[cut:].T
    utility = data.item_bias + (data.user_factors[:, None] + data.context_factors) @ data.item_factors.T
    shares = np.exp(utility) / np.exp(utility).sum(axis=-1, keepdims=True)
    oracle, blind = gain(utility[users, contexts], items), gain(shares.mean(axis=1)[users], items)
    rec = HybridMFRecommender(solver=solver, random_state=0).fit(data.X[:cut])
    ranked = rec.recommend(users, k=10, context=data.X[cut:, 2:], exclude_seen=False).items
    found = ((ranked == items[:, None]) / np.log2(np.arange(10) + 2)).sum(axis=1).mean()
    assert (found - blind) / (oracle - blind) > least
