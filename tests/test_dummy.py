"""Baselines."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from skrec.dummy import PopularRecommender, RandomRecommender

EVENTS = pd.DataFrame({"user": range(7), "item": ["old"] * 4 + ["new"] * 3, "timestamp": [0, 1, 2, 3, 97, 98, 100]})


def test_counts_and_ties():
    rec = PopularRecommender().fit([[1, 30], [2, 20], [3, 10], [4, 20]], [1, 2, 1, 1])
    items, scores = rec.recommend([99], k=3)
    assert items.tolist() == [[20, 10, 30]]
    assert scores.tolist() == [[3, 1, 1]]


def test_recency_decay():
    assert PopularRecommender().fit(EVENTS).recommend([99], k=1).items[0, 0] == "old"
    rec = PopularRecommender(recency_decay=0.5, time_step=50).fit(EVENTS)
    assert rec.recommend([99], k=1).items[0, 0] == "new"
    ages = 100 - EVENTS["timestamp"][4:]
    assert rec.item_scores_[0] == pytest.approx((0.5 ** (ages / 50)).sum())
    assert rec.popularity_.tolist() == [3, 4]


def test_the_default_step_is_a_tenth_of_the_span():
    rec = PopularRecommender(recency_decay=0.5).fit(EVENTS)
    same = PopularRecommender(recency_decay=0.5, time_step=10).fit(EVENTS)
    assert rec.item_scores_.tolist() == same.item_scores_.tolist()


def test_date_times_step_in_seconds():
    dated = EVENTS.assign(timestamp=pd.to_datetime(EVENTS["timestamp"], unit="s"))
    rec = PopularRecommender(recency_decay=0.5, time_step=50).fit(dated)
    assert rec.item_scores_ == pytest.approx(
        PopularRecommender(recency_decay=0.5, time_step=50).fit(EVENTS).item_scores_
    )


@pytest.mark.parametrize("times", [[5] * 7, [-3, -2, -1, 0, 1, 2, 3]])
def test_equal_and_negative_times(times):
    rec = PopularRecommender(recency_decay=0.9).fit(EVENTS.assign(timestamp=times))
    assert np.isfinite(rec.item_scores_).all()


def test_order():
    without = EVENTS.drop(columns="timestamp")
    assert PopularRecommender(recency_decay=0.1).fit(without).item_scores_.tolist() == [3, 4]
    assert PopularRecommender(recency_decay=0.1, order="none").fit(EVENTS).item_scores_.tolist() == [3, 4]
    with pytest.raises(ValueError, match="timestamp"):
        PopularRecommender(order="time").fit(without)


def test_partial_fit_equals_fit_on_everything():
    whole = PopularRecommender(recency_decay=0.7).fit(EVENTS)
    parts = PopularRecommender(recency_decay=0.7).partial_fit(EVENTS[3:]).partial_fit(EVENTS[:3])
    assert dict(zip(parts.items_, parts.item_scores_, strict=True)) == pytest.approx(
        dict(zip(whole.items_, whole.item_scores_, strict=True))
    )


def test_random_is_uniform_and_a_users_own():
    X = np.column_stack([np.arange(4000), np.arange(4000) % 8])
    rec = RandomRecommender(random_state=3).fit(X)
    items = rec.recommend(k=1, exclude_seen=False).items.ravel()
    assert chisquare(np.bincount(items)).pvalue > 1e-4
    assert (rec.recommend([5, 5], k=8).codes[0] == rec.recommend([5], k=8).codes[0]).all()
    assert (RandomRecommender(random_state=4).fit(X).recommend(k=1).items.ravel() != items).mean() > 0.5


@pytest.mark.parametrize("bad", [0, -1, 1.5, "a"])
def test_bad_decay(bad):
    with pytest.raises(ValueError, match="recency_decay"):
        PopularRecommender(recency_decay=bad).fit(EVENTS)
