"""Tables beside the two feature tables go through pipelines, wrappers, composites and searches like those."""

import pandas as pd
import pytest
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_validate

from skrec.base import tables_taken
from skrec.compose import FusionRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import LinkTable
from skrec.llm import LLMReranker
from skrec.model_selection import LeaveLastOut, TunedRecommender
from skrec.pipeline import Pipeline, make_pipeline
from skrec.testing._data import checkerboard
from skrec.utils import unwrap_recommender

LINKS = LinkTable(pd.DataFrame({"user": [0, 1], "friend": [1, 2]}))


class Friends(PopularRecommender):
    """Learns who knows whom."""

    def fit(self, X, y=None, *, item_features=None, user_features=None, user_links=None):
        super().fit(X, y, item_features=item_features, user_features=user_features)
        self.links_ = user_links
        return self

    def partial_fit(self, X, y=None, *, item_features=None, user_features=None, user_links=None):
        if not hasattr(self, "links_"):
            return self.fit(X, y, user_links=user_links)
        super().partial_fit(X, y, item_features=item_features, user_features=user_features)
        self.links_ = user_links or self.links_
        return self


def in_given_order(messages):
    return ""


def innermost(rec):
    rec = unwrap_recommender(rec)
    while not isinstance(rec, Friends):
        inner = getattr(rec, "recommender_", None) or rec.recommenders_[0]
        rec = unwrap_recommender(inner)
    return rec


OUTER = {
    "pipeline": lambda rec: Pipeline([("context", ContextEncoder()), ("friends", rec)]),
    "wrapper": lambda rec: LLMReranker(rec, in_given_order),
    "composite": lambda rec: FusionRecommender([("friends", rec), ("popular", PopularRecommender())]),
    "tuned": lambda rec: TunedRecommender(rec, {}, n_iter=1),
    "search": lambda rec: GridSearchCV(rec, {}, cv=LeaveLastOut(), error_score="raise"),
    "nested": lambda rec: FusionRecommender([("llm", LLMReranker(make_pipeline(rec), in_given_order))]),
    "search of a composite": lambda rec: GridSearchCV(
        FusionRecommender([("friends", rec)]), {}, cv=LeaveLastOut(), error_score="raise"
    ),
}


@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
@pytest.mark.filterwarnings("ignore::skrec.exceptions.BelowPopularityWarning")
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("outer", OUTER)
def test_links_reach_the_recommender(outer, routing):
    with config_context(enable_metadata_routing=routing):
        rec = OUTER[outer](Friends()).fit(checkerboard(), user_links=LINKS)
        assert innermost(rec).links_ is LINKS
        plain = OUTER[outer](Friends()).fit(checkerboard())
        assert innermost(plain).links_ is None


@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
@pytest.mark.parametrize("outer", ["pipeline", "wrapper", "nested"])
def test_links_of_an_update(outer):
    rec = OUTER[outer](Friends())
    rec.partial_fit(checkerboard(), user_links=LINKS)
    assert innermost(rec).links_ is LINKS
    more = LinkTable(pd.DataFrame({"user": [3], "friend": [1]}))
    rec.partial_fit(checkerboard()[:1], user_links=more)
    assert innermost(rec).links_ is more


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("outer", ["pipeline", "composite"])
def test_links_in_cross_validation(outer, routing):
    with config_context(enable_metadata_routing=routing):
        found = cross_validate(
            OUTER[outer](Friends()),
            checkerboard(),
            cv=LeaveLastOut(),
            params={"user_links": LINKS},
            return_estimator=True,
            error_score="raise",
        )
    assert all(innermost(rec).links_ is LINKS for rec in found["estimator"])


def test_a_table_that_nothing_takes_is_refused():
    with pytest.raises(TypeError, match="No part takes 'user_links' in fit"):
        FusionRecommender([("popular", PopularRecommender())]).fit(checkerboard(), user_links=LINKS)
    with pytest.raises(TypeError, match="user_links"):
        LLMReranker(PopularRecommender(), in_given_order).fit(checkerboard(), user_links=LINKS)
    with pytest.raises((TypeError, ValueError), match="user_links"):
        make_pipeline(PopularRecommender()).fit(checkerboard(), user_links=LINKS)


def test_a_frozen_part_needs_none():
    frozen = FrozenEstimator(Friends().fit(checkerboard()))
    rec = FusionRecommender([("frozen", frozen), ("friends", Friends())]).fit(checkerboard(), user_links=LINKS)
    assert rec.named_recommenders_.frozen.links_ is None
    assert rec.named_recommenders_.friends.links_ is LINKS


def test_what_is_taken():
    both = {"item_features", "user_features"}
    assert tables_taken(PopularRecommender()) == both
    for outer in ("pipeline", "wrapper", "composite", "tuned", "nested"):
        assert tables_taken(OUTER[outer](Friends())) == both | {"user_links"}
    assert tables_taken(Friends(), "partial_fit") == both | {"user_links"}


def test_a_part_may_be_no_estimator():
    class Plain:
        def fit(self, X, y=None, *, user_links=None):
            return self

    assert tables_taken(Plain()) == {"user_links"}


def test_a_bare_table_of_links_as_long_as_a_fold():
    # Inside a search, tables are wrapped by what they are.
    pairs = [(user, user + 1) for user in range(len(checkerboard()))]
    rec = TunedRecommender(Friends(), {}, n_iter=1).fit(checkerboard(), user_links=pairs)
    links = innermost(rec).links_
    assert isinstance(links, LinkTable)
    assert links.table is pairs
