"""Simulated choices in context."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrec.datasets import make_context_choices


def small(**parameters):
    return make_context_choices(
        **{"n_users": 40, "n_events_per_user": 50, "n_items": 30, "n_contexts": 4, "random_state": 0, **parameters}
    )


def test_shapes_and_ids():
    data = small()
    assert isinstance(data.X, pd.DataFrame)
    assert data.X.columns.tolist() == ["user", "item", "moment"]
    assert_array_equal(data.X[["user", "item"]].to_numpy(), data.codes[:, :2])
    assert_array_equal(data.X["moment"].str.removeprefix("moment_").astype(int), data.codes[:, 2])
    assert_array_equal(np.bincount(data.codes[:, 0]), np.full(40, 50))
    assert_array_equal(np.unique(data.X["user"].tail(40)), np.arange(40))


def test_the_effect_of_context_is_twice_that_of_taste():
    data = small(n_items=200)
    taste, moment = data.user_factors @ data.item_factors.T, data.context_factors @ data.item_factors.T
    for utility, scale in ((taste, 1.0), (moment, 2.0)):
        assert np.sqrt(utility.var(axis=1).mean()) == pytest.approx(scale, rel=1e-4)


def test_choices_follow_the_softmax_of_the_utility():
    data = small(n_users=2, n_events_per_user=20_000, n_contexts=2, n_items=6)
    utility = data.item_bias + (data.user_factors[1] + data.context_factors[0]) @ data.item_factors.T
    expected = np.exp(utility) / np.exp(utility).sum()
    mine = (data.codes[:, 0] == 1) & (data.codes[:, 2] == 0)
    assert_allclose(np.bincount(data.codes[mine, 1], minlength=6) / mine.sum(), expected, atol=0.02)


def test_same_seed_same_choices():
    assert_array_equal(small().codes, small().codes)
    assert (small().codes != small(random_state=1).codes).any()


@pytest.mark.parametrize("frame", ["polars", "pyarrow"])
def test_other_frames(frame):
    given = small(frame=frame).X["moment"]
    assert (given.to_pylist() if frame == "pyarrow" else given.to_list()) == small().X["moment"].tolist()


def test_array_with_one_column_a_context():
    data = small(frame=None)
    assert data.X.shape == (2000, 6)
    assert_array_equal(data.X[:, 2:].argmax(axis=1), data.codes[:, 2])
    assert_array_equal(data.X[:, 2:].sum(axis=1), np.ones(2000))


def test_no_effect_where_the_scale_is_zero():
    data = small(context_scale=0.0)
    assert not data.context_factors.any()


@pytest.mark.parametrize("bad", [{"n_users": 0}, {"n_contexts": 0}, {"context_scale": -1.0}, {"frame": "numpy"}])
def test_parameters_are_validated(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        small(**bad)
