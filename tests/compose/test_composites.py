"""What all composites have in common: parts, united catalogues, failures, the report."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator

from skrec.base import RecommenderMixin, lists_follow_predict
from skrec.compose import FusionRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import PartFailureWarning, UnsupportedArgumentError
from skrec.llm import LLMReranker
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.testing._data import checkerboard, text_encoder


class Broken(PopularRecommender):
    """Fits, and fails at every request."""

    def recommend(self, users=None, k=10, **options):
        raise RuntimeError("the server of this part is gone")


def fusion(*parts, **params):
    return FusionRecommender([(f"part{number}", part) for number, part in enumerate(parts)], **params)


def test_parts_are_clones_and_frozen_ones_are_kept():
    fitted = PopularRecommender().fit(checkerboard())
    part = ItemKNNRecommender()
    rec = fusion(part, FrozenEstimator(fitted)).fit(checkerboard())
    assert not hasattr(part, "items_")
    assert rec.recommenders_[0] is not part
    assert rec.named_recommenders_.part1.estimator is fitted


def test_catalogues_and_events_are_united():
    """Of parts that were fitted to different events: nothing is recommended that any of them has seen."""
    first = FrozenEstimator(PopularRecommender().fit([[1, 10], [1, 20], [2, 20]]))
    second = FrozenEstimator(PopularRecommender().fit([[1, 30], [3, 40], [3, 10], [2, 20]]))
    rec = fusion(first, second).fit([[1, 10]])
    assert_array_equal(rec.items_, [10, 20, 30, 40])
    assert_array_equal(rec.users_, [1, 2, 3])
    seen = rec.seen_items([1, 2, 3, 4])
    assert [rec.items_[row].tolist() for row in np.split(seen.items, seen.indptr[1:-1])] == [
        [10, 20, 30],
        [20],
        [40, 10],
        [],
    ]
    assert_array_equal(rec.recommend([1], k=4).items, [[40, None, None, None]])
    assert set(rec.recommend([1], k=4, exclude_seen=False).items[0]) == {10, 20, 30, 40}
    assert_array_equal(rec.popularity_, [2, 2, 1, 1])
    assert set(rec.recommend([2], k=4, exclude=[[2, 10], [3, 30]]).items[0]) == {30, 40, None}


def test_titles_come_through_a_united_catalogue():
    titles = pd.DataFrame({"item": [10, 20, 30], "title": ["Emma", "Dune", "Walden"]})
    first = FrozenEstimator(PopularRecommender().fit([[1, 10], [2, 20]], item_features=titles[:2]))
    second = FrozenEstimator(PopularRecommender().fit([[1, 30], [2, 20]], item_features=titles[1:]))
    found = fusion(first, second).fit([[1, 10]]).recommend([3], k=3)
    frame = found.to_frame(titles=True)
    assert frame["item"].tolist() == [20, 10, 30]
    # Those of the first list: it keeps no title of what only the second part knows.
    assert frame["title"].tolist()[:2] == ["Dune", "Emma"]


def test_ids_of_another_kind_are_refused():
    numbers, texts = PopularRecommender().fit([[1, 10]]), PopularRecommender().fit([["a", "b"]])
    with pytest.raises(TypeError, match="items_ of a part are text"):
        fusion(FrozenEstimator(numbers), FrozenEstimator(texts)).fit([[1, 10]])


def test_a_part_that_fails_is_left_out():
    rec = fusion(Broken(), PopularRecommender()).fit(checkerboard())
    with pytest.warns(PartFailureWarning, match="the server of this part is gone"):
        found = rec.recommend([0, 1], k=3)
    assert_array_equal(found.items, PopularRecommender().fit(checkerboard()).recommend([0, 1], k=3).items)
    assert found.report["failures"] == {"part0": "RuntimeError: the server of this part is gone"}
    assert found.report["parts"] == ["part1"]
    assert found[1].report == found.report
    alone = fusion(Broken()).fit(checkerboard())
    with pytest.raises(RuntimeError, match="the server"):
        alone.recommend([0])


def test_bad_arguments_are_errors():
    rec = fusion(PopularRecommender(), ItemKNNRecommender()).fit(checkerboard())
    with pytest.raises(ValueError, match="none is in the catalogue"):
        rec.recommend([0], candidates=[10**6])
    with pytest.raises(TypeError, match="exclude_seen must be True or False"):
        rec.recommend([0], exclude_seen="no")


def test_a_text_goes_to_the_parts_that_read_it():
    table = pd.DataFrame({"item": range(16), "text": [f"text number {item}" for item in range(16)]})
    knn = EmbeddingKNNRecommender(item_encoder=text_encoder())
    rec = fusion(FrozenEstimator(PopularRecommender().fit(checkerboard())), knn)
    rec.fit(checkerboard(), item_features=table)
    found = rec.recommend([0], k=5, request="text number 7", exclude_seen=False)
    assert found.report["not_used"] == {"part0": ["request"]}
    assert found.report["failures"] == {}
    assert rec.search("text number 7", k=1).items[0, 0] == 7
    blind = fusion(PopularRecommender(), ItemKNNRecommender()).fit(checkerboard())
    with pytest.raises(UnsupportedArgumentError, match="cannot read text"):
        blind.recommend([0], request="seven")
    with pytest.raises(UnsupportedArgumentError, match="does not use user_features"):
        blind.recommend(user_features=([5], [[1.0]]))


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ([], ValueError, "is empty"),
        ([PopularRecommender()], TypeError, "pairs"),
        ([("a", 3)], TypeError, "must have recommend"),
        ([("a", "drop")], TypeError, "To leave a part out, take its pair from the list"),
        ([("a", PopularRecommender()), ("a", PopularRecommender())], ValueError, "not unique"),
        ([("a__b", PopularRecommender())], ValueError, "must not contain __"),
    ],
)
def test_bad_parts(parts, error, message):
    with pytest.raises(error, match=message):
        FusionRecommender(parts).fit(checkerboard())


def test_parameters_of_parts():
    rec = FusionRecommender([("knn", ItemKNNRecommender()), ("popular", PopularRecommender())])
    rec.set_params(knn__n_neighbors=3, popular=PopularRecommender(recency_decay=0.5))
    assert rec.recommenders[0][1].n_neighbors == 3
    assert rec.get_params()["popular__recency_decay"] == 0.5


def test_the_tag_says_that_lists_do_not_follow_predict():
    rec = fusion(PopularRecommender(), ItemKNNRecommender())
    assert not lists_follow_predict(rec)
    assert not lists_follow_predict(LLMReranker(rec, lambda messages: ""))
    assert lists_follow_predict(PopularRecommender())
    assert RecommenderMixin.__sklearn_tags__ is not None


def test_recommending_changes_nothing():
    rec = fusion(PopularRecommender(), ItemKNNRecommender()).fit(checkerboard())
    before = dict(rec.__dict__)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rec.recommend([0, 99], k=3, history=[[99, 3]])
    assert rec.__dict__ == before
