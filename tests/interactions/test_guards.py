"""Tables that look like something else than what they are read as, in fit and on every path to it."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import skrec
from skrec.datasets import load_bookshop
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import (
    DatesAsTextWarning,
    RatingsAsContextWarning,
    SuspiciousDataWarning,
    TimeAsContextWarning,
    UnusedEncoderWarning,
)
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import read_log
from skrec.neighbors import ItemKNNRecommender
from skrec.pipeline import make_pipeline

FRAME = pd.DataFrame({"user": [1, 1, 2, 2], "item": ["a", "b", "b", "c"]})
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}
MODELS = {
    "model": ItemKNNRecommender,
    "pipeline": lambda: make_pipeline(ContextEncoder(), ItemKNNRecommender()),
    "partial_fit": lambda: _ByPartialFit(),
}
DATES = ["2024-01-01", "2024-01-02 10:00", "2024-01-03T00:00:00Z", "2024-01-04"]


class _ByPartialFit:
    """The first call of ``partial_fit`` fits."""

    def fit(self, X, y=None):
        return ItemKNNRecommender().partial_fit(X, y)


@pytest.fixture(params=LIBRARIES)
def convert(request):
    return LIBRARIES[request.param]


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"time": [1.7e9, 1.8e9, 1.7e9, 1.7e9]}, r"'time' and none named 'timestamp'.*rename\(columns=\{'time'"),
        ({"created_at": DATES}, "'created_at' and none named 'timestamp'.*order of events is lost"),
        ({"Ordered At": pd.to_datetime(DATES[:2] * 2, format="mixed")}, "'Ordered At' and none named"),
        ({"时间": [20240101, 20240102, 20240103, 20240104]}, "'时间' and none named"),
        ({"day": DATES}, r"dates as text in the column 'day' \(as '2024-01-01'\).*pandas.to_datetime\(X\['day'\]\)"),
        ({"stars": [1, 2, 3, 4]}, r"'stars', which is read as a context.*y=X\['stars'\]"),
        ({"Quantity": [1, 2, 3, 4]}, "'Quantity', which is read as a context"),
    ],
)
def test_columns_that_look_like_something_else(column, message, convert, model):
    X = convert(FRAME.assign(**column))
    with pytest.warns(SuspiciousDataWarning, match=message) as caught:
        model.fit(X)
    assert sum(str(w.message) == str(caught[0].message) for w in caught) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=SuspiciousDataWarning)
        model.fit(X)


NAMED = {
    TimeAsContextWarning: FRAME.assign(time=[1.7e9, 1.8e9, 1.7e9, 1.7e9]),
    DatesAsTextWarning: FRAME.assign(day=DATES),
    RatingsAsContextWarning: FRAME.assign(stars=[1, 2, 3, 4]),
    UnusedEncoderWarning: FRAME,
}


@pytest.mark.parametrize("category", NAMED)
def test_each_guard_is_silenced_alone(category, model):
    """By the filter that the message names, and by no other."""
    if category is UnusedEncoderWarning:
        model = HybridMFRecommender(2, max_iter=2, item_encoder="auto")
    with pytest.warns(category, match=rf"filterwarnings\('ignore', category=skrec.{category.__name__}\)"):
        model.fit(NAMED[category])
    assert issubclass(category, SuspiciousDataWarning)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=getattr(skrec, category.__name__))
        model.fit(NAMED[category])
    for other in set(NAMED) - {category}:
        assert not issubclass(category, other)


@pytest.mark.parametrize("side", ["item", "user"])
def test_an_encoder_without_a_table(side):
    rec = BPRRecommender(2, max_iter=2, **{f"{side}_encoder": "auto"})
    message = f"BPRRecommender has {side}_encoder=.*no {side}_features.*Pass {side}_features=table"
    for wrapped in (rec, make_pipeline(rec)):
        with pytest.warns(UnusedEncoderWarning, match=message):
            wrapped.fit(FRAME)
    table = pd.DataFrame({side: FRAME[side].unique(), "age": 1.0})
    rec.fit(FRAME, **{f"{side}_features": table}).partial_fit(FRAME)


@pytest.mark.parametrize(
    "column",
    [
        {"hour": [0, 8, 12, 23]},
        {"time": [0, 8, 12, 23]},
        {"date": [1, 8, 15, 31]},
        {"timestamp": [1, 2, 3, 4], "date": [1e9, 1e9, 1.1e9, 1e9]},
        {"timestamp": pd.to_datetime(DATES, format="mixed", utc=True)},
        {"price": [1.7e9, 3.0, 1.0, 2.0]},
        {"stars": ["one", "two", "one", "two"]},
        {"version": ["2024.1", "2024.2", "2024.1", "2024.1"]},
        {"weekday": [1, 2, 3, 4], "basket_weight": [1.0, 2.0, 3.0, 5.0]},
    ],
)
def test_good_columns_pass(column, convert):
    make_pipeline(ContextEncoder(), ItemKNNRecommender()).fit(convert(FRAME.assign(**column)))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 23)), min_size=1, max_size=40))
def test_no_guard_fires_on_ids_and_an_hour(rows):
    """Warnings are errors here."""
    for X in (np.array(rows), pd.DataFrame(rows, columns=["user", "item", "hour"]), [list(row) for row in rows]):
        if isinstance(X, pd.DataFrame) or set(np.array(rows)[:, 2].tolist()) - {1, 2, 3, 4, 5}:
            PopularRecommender().fit(X)


def test_the_data_sets_pass():
    data = load_bookshop()
    make_pipeline(ContextEncoder(), PopularRecommender()).fit(data.X)


@pytest.mark.parametrize("stars", [[5, 1, 3.5, 2], [1, 2, 3, 5]])
def test_ratings_in_an_array(stars, model):
    rows = [[1, 2, 2, 3], [1, 1, 2, 2], stars]
    for X in (
        np.array(rows, dtype=float).T,
        [list(row) for row in zip(*rows, strict=True)],
        list(zip(*rows, strict=True)),
    ):
        with pytest.warns(SuspiciousDataWarning, match=r"Column 2 of X looks like ratings.*y=X\[:, 2\]"):
            model.fit(X)
        model.fit(X, np.ones(4))  # a y is given, so that the column is no forgotten one


def test_times_in_an_array(model):
    X = np.array([[1, 2, 8, 881250949], [1, 3, 9, 891250949], [2, 3, 9, 881250949]])
    with pytest.warns(SuspiciousDataWarning, match="Column 3 of X looks like times in s since 1970"):
        model.fit(X)


def test_a_tuple_of_columns(model):
    for convert in (np.array, pd.Series, pa.array):
        with pytest.raises(TypeError, match=r"tuple of 3 columns.*one row per event"):
            model.fit((convert([1, 2]), convert([1, 2]), convert([3, 4])))


class TestTablesOfUsersTimesItems:
    dense = (np.random.default_rng(0).random((50, 30)) < 0.2) * np.arange(1, 31.0)

    @pytest.mark.parametrize(
        "make",
        [
            lambda dense: dense,
            lambda dense: dense.tolist(),
            pd.DataFrame,
            lambda dense: pd.DataFrame(np.where(dense == 0, np.nan, 1.0)),
            lambda dense: pl.DataFrame((dense > 0).astype(int)),
        ],
    )
    def test_dense(self, make, model):
        with pytest.raises(ValueError, match=r"looks like a table of users x items.*read_log\(scipy.sparse.csr_array"):
            model.fit(make((self.dense > 0).astype(float)))

    @pytest.mark.parametrize("make", [sp.csr_array, sp.coo_array, sp.csc_matrix])
    def test_sparse(self, make, model):
        with pytest.raises(TypeError, match=r"sparse matrix of shape \(50, 30\).*read_log\(matrix\)"):
            model.fit(make(self.dense))

    def test_the_remedy(self):
        log = read_log(sp.csr_array(self.dense))
        rec = ItemKNNRecommender().fit(log.X, log.y)
        assert len(rec.users_) == len(np.unique(np.nonzero(self.dense)[0]))

    def test_one_hot_context_passes(self):
        one_hot = np.eye(12)[np.arange(40) % 12]
        ids = np.column_stack([np.arange(40) % 7, np.arange(40) % 11])
        PopularRecommender().fit(np.hstack([ids, one_hot]))


def test_explicit_feedback_needs_ratings():
    rec = HybridMFRecommender(feedback="explicit", n_factors=2, max_iter=1)
    for call in (rec.fit, rec.partial_fit):
        with pytest.raises(ValueError, match=r"feedback='explicit' requires y.*feedback='implicit'"):
            call(FRAME)
    rec.fit(FRAME, [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="requires y"):
        rec.partial_fit(FRAME)
    assert np.isfinite(rec.recommend([1], history=FRAME[:2]).scores[0, 0])  # a history needs none
