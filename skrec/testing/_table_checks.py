"""Checks of tables: which events and features are read, and which are refused."""

from typing import Any

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skrec.testing._data import N_COLD, N_ITEMS, N_USERS, assert_same, checkerboard, fit, frames, item_table, raises


def check_text_ids(rec: Any) -> None:
    """Text ids give the same rankings as the numbers they stand for."""
    X = checkerboard()
    numbers = fit(clone(rec), X).recommend(k=5)
    text = np.array([[f"u{u:02d}", f"i{i:02d}"] for u, i in X.tolist()], dtype=object)
    items = fit(rec, text).recommend([f"u{u:02d}" for u in range(N_USERS)], k=5).items
    assert_array_equal(items, np.array([[f"i{i:02d}" for i in row] for row in numbers.items]))


def check_frames(rec: Any) -> None:
    """Every installed frame library gives the results of NumPy, and to_frame returns its kind of frame."""
    X = checkerboard()
    expected = fit(clone(rec), X).recommend(k=5)
    for frame in frames({"user": X[:, 0], "item": X[:, 1]}):
        fitted = fit(clone(rec), frame)
        assert_same(fitted.recommend(k=5), expected)
        assert type(fitted.recommend(k=2).to_frame()) is type(frame)
        assert_array_equal(fitted.feature_names_in_, ["user", "item"])


def check_events_are_read_by_name(rec: Any) -> None:
    """``history`` and ``exclude`` with the names of X may have their columns in any order; half a match is an error."""
    X = checkerboard()
    more = {"user": [900, 900, 0], "item": [2, 4, 5]}
    for frame, turned, ids in zip(
        frames({"user": X[:, 0], "item": X[:, 1]}),
        frames({"item": more["item"], "timestamp": [3.0, 2.0, 1.0], "user": more["user"]}),
        frames({"item": more["item"], "reader": more["user"]}),
        strict=True,
    ):
        fitted = fit(clone(rec), frame)
        rows = np.column_stack([more["user"], more["item"]])[::-1]
        assert_same(fitted.recommend([900, 0], k=5, history=turned), fitted.recommend([900, 0], k=5, history=rows))
        assert_same(fitted.recommend([900, 0], k=5, exclude=turned), fitted.recommend([900, 0], k=5, exclude=rows))
        for argument in ("history", "exclude"):
            raises(ValueError, f"{argument} with item first", fitted.recommend, [900], **{argument: ids})


def check_timestamp_is_no_feature(rec: Any) -> None:
    """``timestamp`` may be any column, is not counted, and is optional later; missing times are an error."""
    X = checkerboard()
    time = np.arange(len(X), dtype=float)
    for frame in frames({"user": X[:, 0], "timestamp": time, "item": X[:, 1]}):
        fitted = fit(clone(rec), frame)
        assert fitted.n_features_in_ == 2
        assert np.isfinite(fitted.predict(frame)).all()
    for frame in frames({"user": X[:, 0], "item": X[:, 1]}):
        assert np.isfinite(fitted.predict(frame)).all()
    time[3] = np.nan
    for frame in frames({"user": X[:, 0], "item": X[:, 1], "timestamp": time}):
        raises(ValueError, "a missing timestamp", clone(rec).fit, frame)


def check_bad_ids(rec: Any) -> None:
    """Missing, infinite and unhashable ids, one column, no rows, and a target among the columns are errors."""
    for bad in (np.nan, np.inf, None):
        for column in (0, 1):
            X = checkerboard().astype(object)
            X[5, column] = bad
            raises(ValueError, f"an id {bad!r} in column {column}", clone(rec).fit, X)
    X[5, 1] = {"an": "id"}
    raises(TypeError, "a dict as id", clone(rec).fit, X)
    raises(ValueError, "one column", clone(rec).fit, checkerboard()[:, :1])
    raises(ValueError, "no rows", clone(rec).fit, checkerboard()[:0])
    for frame in frames({"user": [1, 2], "item": [3, 4], "rating": [5.0, 1.0]}):
        raises(ValueError, "a rating column in X", clone(rec).fit, frame)


def check_bad_targets(rec: Any) -> None:
    """y is one finite number per event, and at least 0 for implicit feedback."""
    X = checkerboard()
    y = np.ones(len(X))
    raises(ValueError, "y of the wrong length", clone(rec).fit, X, y[:-1])
    bad_values = [np.nan, np.inf] + ([-1.0] if getattr(rec, "feedback", "implicit") == "implicit" else [])
    for bad in bad_values:
        y[2] = bad
        raises(ValueError, f"y with {bad}", clone(rec).fit, X, y)


def check_feature_tables(rec: Any) -> None:
    """Duplicate ids, NaN, text without an encoder and a table of other items are errors."""
    X = checkerboard()
    ids, values = item_table().table
    bad = {
        "duplicate ids": (np.zeros_like(ids), values),
        "no item of X": (ids + 1000, values),
        "too few rows": (ids, values[:-1]),
    }
    if hasattr(rec, "item_encoder"):
        bad["NaN"] = (ids, np.where(values == values.max(), np.nan, values))
    if getattr(rec, "item_encoder", "") is None:
        bad["text without an encoder"] = (ids, np.full((len(ids), 1), "a text", dtype=object))
    for what, table in bad.items():
        raises(ValueError, f"item_features with {what}", clone(rec).fit, X, item_features=table)
    raises(TypeError, "item_features as a dict", clone(rec).fit, X, item_features={"a": 1})


def check_cold_items_are_in_the_catalogue(rec: Any) -> None:
    """Items that are only in ``item_features`` can be recommended."""
    fit(rec, checkerboard(), item_features=item_table())
    assert len(rec.items_) == N_ITEMS + N_COLD
    cold = [N_ITEMS, N_ITEMS + 1]
    assert set(rec.recommend([0], k=2, candidates=cold).items[0]) == set(cold)
