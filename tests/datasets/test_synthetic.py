"""Synthetic events have the tastes, the popularity, the order and the texts that they promise."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skrec.datasets import make_interactions


@pytest.fixture(scope="module")
def data():
    return make_interactions(300, 200, 8_000, n_topics=6, random_state=0)


def test_shapes_and_order(data):
    assert data.X.shape == (8_000, 3)
    assert list(data.X.columns) == ["user", "item", "timestamp"]
    assert data.X["timestamp"].is_monotonic_increasing
    assert not data.X.duplicated(["user", "item"]).any()
    assert data.y.shape == (8_000,)
    assert set(np.unique(data.y)) == {1, 2, 3, 4, 5}
    np.testing.assert_allclose(data.user_factors.sum(axis=1), 1, rtol=1e-5)
    assert data.item_features["item_id"].is_unique
    assert len(data.user_features) == 300
    assert data.item_features.notna().all(axis=None)


@settings(max_examples=25, deadline=None)
@given(
    n_users=st.integers(1, 30),
    n_items=st.integers(2, 30),
    n_topics=st.integers(1, 16),
    density=st.floats(0.01, 0.5),
    noise=st.floats(0, 1),
    mood=st.floats(0, 1),
    repeats=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_event_is_there_once(n_users, n_items, n_topics, density, noise, mood, repeats, seed):
    n_cold = n_items // 3
    n_events = max(1, int(density * n_users * (n_items - n_cold)))
    if not repeats and n_events > n_users * (n_items - n_cold) / 2:
        return
    made = make_interactions(
        n_users,
        n_items,
        n_events,
        n_topics=n_topics,
        noise=noise,
        mood=mood,
        repeats=repeats,
        n_cold_items=n_cold,
        random_state=seed,
    )
    assert len(made.X) == n_events
    assert made.X["user"].between(0, n_users - 1).all()
    assert not np.isin(made.X["item"], np.flatnonzero(made.item_popularity == 0)).any()
    assert (made.item_popularity == 0).sum() == n_cold
    if not repeats:
        assert not made.X.duplicated(["user", "item"]).any()


def test_same_seed_same_data_other_seed_other_data():
    one, two = (make_interactions(50, 40, 500, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.X, two.X)
    pd.testing.assert_frame_equal(one.item_features, two.item_features)
    assert not one.X.equals(make_interactions(50, 40, 500, random_state=4).X)


def test_users_prefer_items_of_their_topics(data):
    users, items = data.X["user"].to_numpy(), data.X["item"].to_numpy()
    met = (data.user_factors[users] * data.item_factors[items]).sum(axis=1).mean()
    shuffled = (data.user_factors[users] * data.item_factors[np.random.default_rng(0).permutation(items)]).sum(axis=1)
    assert met > 2 * shuffled.mean()


def test_noise_takes_the_tastes_away():
    made = make_interactions(300, 200, 8_000, n_topics=6, noise=1.0, random_state=0)
    users, items = made.X["user"].to_numpy(), made.X["item"].to_numpy()
    met = (made.user_factors[users] * made.item_factors[items]).sum(axis=1).mean()
    shuffled = (made.user_factors[users] * made.item_factors[np.random.default_rng(0).permutation(items)]).sum(axis=1)
    assert met == pytest.approx(shuffled.mean(), rel=0.1)


def test_ratings_rise_with_agreement(data):
    users, items = data.X["user"].to_numpy(), data.X["item"].to_numpy()
    agreement = (data.user_factors[users] * data.item_factors[items]).sum(axis=1)
    high = agreement > np.median(agreement)
    assert data.y[high].mean() > data.y[~high].mean() + 0.5


@pytest.mark.parametrize(("exponent", "least", "most"), [(0.0, 0.10, 0.16), (1.2, 0.5, 1.0)])
def test_popularity_follows_the_power_law(exponent, least, most):
    made = make_interactions(2_000, 200, 20_000, popularity_exponent=exponent, noise=1.0, repeats=True, random_state=0)
    counts = np.sort(np.bincount(made.X["item"], minlength=200))[::-1]
    assert least < counts[:20].sum() / counts.sum() < most


def test_mood_groups_topics_in_time():
    def switches(mood):
        made = make_interactions(50, 1_000, 2_000, n_topics=6, noise=0.0, mood=mood, random_state=0)
        topic = made.item_factors.argmax(axis=1)[made.X["item"]]
        ordered = made.X.assign(topic=topic).sort_values(["user", "timestamp"], kind="stable")
        return (ordered.groupby("user")["topic"].diff().fillna(0) != 0).mean()

    assert switches(0.95) < 0.8 * switches(0.0)


@pytest.mark.parametrize("side", ["item", "user"])
def test_texts_tell_the_topic(side):
    made = make_interactions(400, 400, 4_000, n_topics=8, random_state=0)
    table = made[f"{side}_features"]
    topic = made[f"{side}_factors"].argmax(axis=1)
    reader = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    assert cross_val_score(reader, table.iloc[:, -1], topic, cv=3).mean() > 0.65


@pytest.mark.parametrize(("frame", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)])
def test_frames(frame, kind):
    made = make_interactions(20, 20, 50, ids="str", frame=frame, random_state=0)
    for table in (made.X, made.item_features, made.user_features):
        assert isinstance(table, kind)
    users = made.X["user"].to_pylist() if frame == "pyarrow" else list(made.X["user"])
    assert set(users) <= {f"u{i:02d}" for i in range(20)}


def test_numpy():
    made = make_interactions(20, 20, 50, frame=None, random_state=0)
    assert made.X.shape == (50, 2)
    assert made.X.dtype == np.int64
    assert (np.diff(made.timestamp) >= 0).all()
    ids, matrix = made.item_features
    assert ids.shape == (20,)
    assert matrix.shape == (20, 3)
    framed = make_interactions(20, 20, 50, random_state=0)
    np.testing.assert_array_equal(made.X, framed.X[["user", "item"]])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n_events": 101}, "more than half"),
        ({"n_cold_items": 10}, "n_cold_items=10"),
        ({"n_topics": 17}, "n_topics"),
        ({"noise": 1.5}, "noise"),
        ({"frame": "modin"}, "frame"),
    ],
)
def test_bad_input(wrong, says):
    with pytest.raises(ValueError, match=says):
        make_interactions(**{"n_users": 20, "n_items": 10, "n_events": 50, **wrong})


def test_moderate_memory():
    """Far less than the (users x items) matrix, which would take 400 MB as float64."""
    import tracemalloc

    tracemalloc.start()
    made = make_interactions(10_000, 5_000, 100_000, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(made.X) == 100_000
    assert peak < 100e6
