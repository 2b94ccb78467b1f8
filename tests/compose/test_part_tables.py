"""Feature tables that only some of the parts of a composite can read, and tables with odd cells."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold

from skrec.compose import FallbackRecommender, FilterRule, FusionRecommender, RuleRecommender, SwitchRecommender
from skrec.dummy import PopularRecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.testing._data import N_ITEMS, checkerboard, text_encoder

TITLES = pd.DataFrame({"item": np.arange(N_ITEMS), "title": [f"tale of {i % 3} seas" for i in range(N_ITEMS)]})


def text_part():
    return "text", EmbeddingKNNRecommender(item_encoder=text_encoder())


@pytest.mark.parametrize("composite", [FusionRecommender, FallbackRecommender])
def test_a_part_without_an_encoder_is_fitted_without_the_texts(composite):
    rec = composite([("knn", ItemKNNRecommender()), text_part()])
    rec.fit(checkerboard(), item_features=TITLES)
    alone = ItemKNNRecommender().fit(checkerboard())
    assert_array_equal(rec.named_recommenders_["knn"].recommend([0], 3).items, alone.recommend([0], 3).items)
    new = pd.DataFrame({"item": [N_ITEMS], "title": ["tale of 0 seas"]})
    rec.partial_fit([[0, N_ITEMS]], item_features=new)
    assert N_ITEMS in rec.items_
    assert rec.recommend([0], 3).report["failures"] == {}


def test_texts_that_no_part_reads_are_refused_by_the_name_of_the_part():
    rec = FusionRecommender([("popular", PopularRecommender()), ("knn", ItemKNNRecommender())])
    with pytest.raises(ValueError, match="item_encoder is None") as caught:
        rec.fit(checkerboard(), item_features=TITLES)
    assert caught.value.__notes__ == ["Raised by fit of the part 'knn'."]


def test_dicts_in_a_column_are_values_like_others():
    table = TITLES.assign(extra=[{"size": i % 2} for i in range(N_ITEMS)])
    rec = RuleRecommender(PopularRecommender(), [FilterRule("title", "==", "tale of 1 seas")])
    found = rec.fit(checkerboard(), item_features=table).recommend([0], N_ITEMS, exclude_seen=False)
    assert {item % 3 for item in found.items[0] if item is not None} == {1}


def test_user_features_without_a_column():
    rec = RuleRecommender(PopularRecommender(), [FilterRule("n_events", ">=", 0)]).fit(checkerboard())
    with pytest.raises((TypeError, ValueError), match="user_features"):
        rec.recommend([0, 1], 3, user_features=pd.DataFrame(index=range(3)))


def test_wide_integers_in_pairs_to_predict():
    parts = [("popular", PopularRecommender()), ("knn", ItemKNNRecommender())]
    rec = SwitchRecommender(parts, by="n_events", edges=[3]).fit(checkerboard())
    pairs = [[0, 1], [10**6, 2]]
    wide = pl.DataFrame(pairs, schema={"user": pl.Int128, "item": pl.Int128}, orient="row")
    with pytest.warns(UserWarning, match="feature names"):
        scores = rec.predict(wide)
    assert_array_equal(scores, rec.predict(pairs))


def test_splits_that_are_no_pairs():
    rec = FusionRecommender([("popular", PopularRecommender()), ("knn", ItemKNNRecommender())], method="learned")
    with pytest.raises(TypeError, match="cv must be a splitter"):
        rec.set_params(cv=[1, 2]).fit(checkerboard())
    given = list(KFold(2, shuffle=True, random_state=0).split(checkerboard()))
    assert rec.set_params(cv=given).fit(checkerboard()).weights_.shape == (1, 2)
