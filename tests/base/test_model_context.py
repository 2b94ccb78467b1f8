"""Context as every model that uses it gets it: in fit, in recommend, in predict, and what is refused."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skrec.base import BaseRecommender, PartialFitMixin
from skrec.dummy import PopularRecommender
from skrec.testing import check_recommender


class ContextRidge(PartialFitMixin, BaseRecommender):
    """Scores an item by the mean context of its events: score(c, i) = c . mean of i."""

    _uses_context = True

    def __init__(self, scale=1.0):
        self.scale = scale

    def _fit(self, data, item_matrix, user_matrix):
        self.given_ = data.context
        self._weights = np.zeros((data.n_items, 1), np.float32)
        if data.context is not None:
            totals = np.zeros((data.n_items, data.context.shape[1]), np.float32)
            np.add.at(totals, data.items, data.context)
            counts = np.bincount(data.items, minlength=data.n_items)[:, None]
            self._weights = totals / np.maximum(counts, 1)

    def _partial_fit(self, data, item_matrix, user_matrix):
        self.given_ = data.context
        self._weights = np.pad(self._weights, [(0, data.n_items - len(self._weights)), (0, 0)])

    def _is_cold(self, queries):
        return np.full(len(queries), queries.context is None) & (queries.histories.lengths == 0)

    def _score(self, queries, items):
        weights = self._weights if items is None else self._weights[items]
        if queries.context is None:
            return np.zeros((len(queries), len(weights)), np.float32)
        return self.scale * (queries.context @ weights.T)


X = pd.DataFrame(
    {
        "user": [1, 1, 2, 2, 3],
        "item": [10, 20, 10, 30, 20],
        "timestamp": [5, 4, 3, 2, 1],
        "hour": [8.0, 22.0, 9.0, 23.0, 21.0],
        "home": [True, False, True, False, False],
    }
)
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture
def rec():
    return ContextRidge().fit(X)


def test_a_model_that_uses_context_keeps_the_contract():
    check_recommender(ContextRidge())


@pytest.mark.parametrize("library", FRAMES)
def test_fit_gets_float32_in_the_order_of_the_events(library):
    given = ContextRidge().fit(FRAMES[library](X.to_dict("list"))).given_
    assert given.dtype == np.float32
    assert_array_equal(given, [[21, 0], [23, 0], [9, 1], [22, 0], [8, 1]])


def test_arrays_give_what_frames_give(rec):
    array = ContextRidge().fit(X.drop(columns="timestamp").to_numpy(dtype=float))
    assert_allclose(
        array.recommend([1], context=[[8, 1]], exclude_seen=False, k=3).scores,
        rec.recommend([1], context=[[8, 1]], exclude_seen=False, k=3).scores,
    )


def test_one_row_a_user_or_one_for_all(rec):
    own = rec.recommend([1, 2], k=3, context=[[8, 1], [23, 0]], exclude_seen=False).scores
    assert_allclose(own[1], rec.recommend([9], k=3, context=[[23, 0]], exclude_seen=False).scores[0])
    shared = rec.recommend([1, 2, 3], k=3, context=[[23, 0]], exclude_seen=False).scores
    assert_allclose(shared, np.tile(own[1], (3, 1)))


def test_no_context_is_the_mean_of_training(rec):
    mean = [[X["hour"].mean(), X["home"].mean()]]
    assert_allclose(
        rec.recommend(k=3, exclude_seen=False).scores, rec.recommend(k=3, context=mean, exclude_seen=False).scores
    )


def test_partial_fit_moves_the_mean(rec):
    more = pd.DataFrame({"user": [4], "item": [40], "timestamp": [6], "hour": [5.0], "home": [True]})
    rec.partial_fit(more)
    assert_array_equal(rec.given_, [[5, 1]])
    everything = pd.concat([X, more])
    assert_allclose(rec._context.mean, [everything["hour"].mean(), everything["home"].mean()], rtol=1e-6)


def test_predict_takes_one_query_an_event(rec, monkeypatch):
    monkeypatch.setattr("skrec.base._predict._EVENT_BLOCK", 2)
    predicted = rec.predict(X)
    for row in range(len(X)):
        ranked = rec.recommend(
            [X["user"][row]],
            k=1,
            context=X[["hour", "home"]].iloc[[row]],
            candidates=[X["item"][row]],
            exclude_seen=False,
        )
        assert_allclose(predicted[row], ranked.scores[0, 0], rtol=1e-6)
    assert predicted[1] != rec.predict(X.assign(hour=0.0))[1]


def test_frames_match_by_name_and_may_carry_a_timestamp(rec):
    expected = rec.recommend([1], k=3, context=[[8, 1]], exclude_seen=False).scores
    turned = pl.DataFrame({"timestamp": [7], "home": [True], "hour": [8.0]})
    assert_array_equal(rec.recommend([1], k=3, context=turned, exclude_seen=False).scores, expected)


def test_loaded_models_keep_the_mean(rec, tmp_path):
    joblib.dump(rec, tmp_path / "rec.joblib")
    loaded = joblib.load(tmp_path / "rec.joblib")
    assert_array_equal(loaded.recommend(k=2).scores, rec.recommend(k=2).scores)


def test_refit_without_context_forgets_it(rec):
    rec.fit(X[["user", "item"]])
    assert rec.given_ is None
    rec.recommend(k=2)
    with pytest.raises(ValueError, match="X had no context columns when ContextRidge was fitted"):
        rec.recommend(k=2, context=[[8, 1]])


class TestWhatIsRefused:
    def test_missing_and_extra_columns_are_named(self, rec):
        with pytest.raises(ValueError, match=r"context lacks \['home'\]; pass .*\['hour', 'home'\]"):
            rec.recommend([1], context=pd.DataFrame({"hour": [8.0]}))
        with pytest.raises(ValueError, match=r"has \['mood'\], which X did not have"):
            rec.recommend([1], context=pd.DataFrame({"hour": [8.0], "home": [1], "mood": [3]}))

    def test_arrays_of_another_width(self, rec):
        with pytest.raises(ValueError, match=r"context has 3 columns, but the X of fit had 2 .*hour, home"):
            rec.recommend([1], context=[[8, 1, 1]])

    def test_rows_that_match_neither_one_nor_the_users(self, rec):
        for recommender in (rec, PopularRecommender().fit(X)):
            with pytest.raises(ValueError, match="context has 2 rows for 3 users"):
                recommender.recommend([1, 2, 3], context=[[8, 1], [9, 1]])

    def test_a_flat_list(self, rec):
        with pytest.raises(ValueError, match="one row for all"):
            rec.recommend([1, 2], context=[8, 1])

    @pytest.mark.parametrize("library", FRAMES)
    def test_text_names_the_column_and_what_to_add(self, library):
        text = FRAMES[library](X.assign(mood=["a", "b", "c", "d", "e"]).to_dict("list"))
        with pytest.raises(ValueError, match=r"column 'mood' holds .*make_pipeline\(ContextEncoder\(\), ContextRidge"):
            ContextRidge().fit(text)

    def test_text_in_an_array(self):
        array = X.drop(columns=["timestamp"]).astype(object).to_numpy()
        array[2, 3] = "kitchen"
        with pytest.raises(ValueError, match=r"context column 1 holds 'kitchen'.*ContextEncoder"):
            ContextRidge().fit(array)

    def test_missing_values(self, rec):
        with pytest.raises(ValueError, match="column 'hour' contains NaN"):
            clone(rec).fit(X.assign(hour=[1.0, np.nan, 2.0, 3.0, 4.0]))
        with pytest.raises(ValueError, match="context column 0 contains NaN"):
            rec.recommend([1], context=[[np.nan, 1]])


def test_models_without_context_ignore_its_columns():
    rec = PopularRecommender().fit(X.assign(mood="a text"))
    assert_array_equal(
        rec.recommend([1], k=2, context=pd.DataFrame({"anything": ["at all"]})).items, rec.recommend([1], k=2).items
    )
