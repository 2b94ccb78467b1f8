"""Baselines."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.pipeline import make_pipeline
from skrec.testing import check_recommender

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


class TestSegments:
    """Popularity by context."""

    RNG = np.random.default_rng(0)
    NIGHT = RNG.random(200) < 0.3
    LOG = pd.DataFrame(
        {
            "user": RNG.integers(0, 20, 200),
            "item": np.where(RNG.random(200) < 0.2, "bread", np.where(NIGHT, "wine", "tea")),
            "timestamp": np.arange(200.0),
            "hour": np.where(NIGHT, 23.0, 8.0),
        }
    )

    def fit(self, log=LOG, **options):
        return PopularRecommender(**{"n_segments": 4, "random_state": 0} | options).fit(log)

    def test_breakfast_and_midnight_for_a_stranger(self):
        items = self.fit().recommend([99, 99], k=1, context=[[8.0], [23.0]]).items
        assert items.tolist() == [["tea"], ["wine"]]

    @pytest.mark.parametrize("options", [{}, {"smoothing": 0}, {"recency_decay": 0.9, "time_step": 20}])
    def test_scores_are_smoothed_shares(self, options):
        rec = self.fit(**options)
        age = self.LOG["timestamp"].max() - self.LOG["timestamp"]
        weight = options.get("recency_decay", 1.0) ** (age / 20)
        share = weight.groupby(self.LOG["item"]).sum() / weight.sum()
        inside = weight[self.NIGHT].groupby(self.LOG["item"][self.NIGHT]).sum().reindex(share.index, fill_value=0)
        smoothing = options.get("smoothing", 10.0)
        expected = (inside + smoothing * share) / (inside.sum() + smoothing)
        night = pd.DataFrame({"user": 99, "item": share.index, "hour": 23.0})
        assert rec.predict(night) == pytest.approx(expected.to_numpy(), rel=1e-5)

    def test_no_context_is_popularity_over_all(self):
        plain = PopularRecommender().fit(self.LOG)
        assert self.fit().recommend([99], k=3).scores.tolist() == plain.recommend([99], k=3).scores.tolist()

    def test_segments_are_those_of_the_segmenter(self):
        rng = np.random.default_rng(0)
        log = np.column_stack([rng.integers(0, 5, 90), rng.integers(0, 4, 90), rng.normal(size=(90, 3)) * [1, 10, 100]])
        rec = PopularRecommender(n_segments=6, random_state=0).fit(log)
        found = rec.recommend(log[:, 0], k=4, context=log[:, 2:], exclude_seen=False)
        segments = rec.segmenter_.predict(log[:, 2:].astype(np.float32))
        assert len(np.unique(segments)) == 6
        np.testing.assert_allclose(found.scores, np.sort(rec.segment_scores_[segments])[:, ::-1])

    def test_partial_fit_equals_fit_where_the_segments_do(self):
        first, later = self.LOG[:120], self.LOG[120:].assign(item=lambda log: log["item"].replace("tea", "rolls"))
        grown = self.fit(first, recency_decay=0.9).partial_fit(later)
        whole = self.fit(pd.concat([first, later]), recency_decay=0.9)
        rows = pd.DataFrame({"user": 99, "item": ["bread", "rolls", "tea", "wine"] * 2, "hour": [8.0] * 4 + [23.0] * 4})
        assert grown.predict(rows) == pytest.approx(whole.predict(rows), rel=1e-5)

    def test_many_contexts_share_few_segments(self):
        log = self.LOG.assign(hour=self.LOG["hour"] + self.RNG.normal(scale=0.5, size=200))
        rec = self.fit(log, n_segments=2)
        assert rec.segment_scores_.shape == (2, 3)
        assert rec.recommend([99, 99], k=1, context=[[7.0], [22.5]]).items.tolist() == [["tea"], ["wine"]]

    def test_in_a_pipeline(self):
        log = self.LOG.assign(place=np.where(self.NIGHT, "pub", "kitchen")).drop(columns="hour")
        pipe = make_pipeline(ContextEncoder(), PopularRecommender(n_segments=3, random_state=0)).fit(log)
        assert pipe.recommend([99], k=1, context=[["pub"]]).items.tolist() == [["wine"]]

    def test_the_contract(self):
        check_recommender(PopularRecommender(n_segments=3, random_state=0))

    def test_text_left_unencoded(self):
        with pytest.raises(ValueError, match=r"column 'hour' holds .*ContextEncoder"):
            self.fit(self.LOG.assign(hour="late"))
