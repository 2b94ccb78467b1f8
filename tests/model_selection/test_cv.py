"""What ``cv=`` may be, for all that take it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from skrec.compose import CascadeRecommender, FusionRecommender
from skrec.dummy import PopularRecommender
from skrec.model_selection import TunedRecommender
from skrec.model_selection._splits import read_splits
from skrec.neighbors import ItemKNNRecommender
from skrec.testing._data import checkerboard

X = checkerboard()
N = len(X)


def estimators():
    parts = [("popular", PopularRecommender()), ("knn", ItemKNNRecommender(n_neighbors=5))]
    return [
        CascadeRecommender(parts, LogisticRegression(), random_state=0),
        FusionRecommender(parts, method="learned", n_iter=3),
        TunedRecommender(ItemKNNRecommender(), {"n_neighbors": [5, 10]}, n_iter=2),
    ]


NOT_SPLITS = {
    "numbers": np.array([0, 1, 2]),
    "a matrix": np.array([[0, 1], [2, 3]]),
    "a number as an array": np.array(5),
    "a series": pl.Series([1, 2]),
    "a frame": pd.DataFrame({"train": [1], "test": [2]}),
    "a dict": {"train": [1]},
    "bytes": b"x",
    "texts": [("a", "b")],
    "no split": [],
    "an iterator that is used up": iter(()),
    "three parts": [([0], [1], [2])],
    "fractions": [([0.5], [1.5])],
    "a part of nothing": [([0, 1], None)],
    "rows that X lacks": [([0, 1], [99, 10**6])],
    "nothing to fit to": [([], [0, 1])],
    "ragged rows": [([[0], [1, 2]], [3])],
    "rows of rows": [([[0, 1]], [[2]])],
    "a mask of another length": [(np.ones(3, bool), [1])],
}


@pytest.mark.parametrize("cv", NOT_SPLITS.values(), ids=NOT_SPLITS)
@pytest.mark.parametrize("estimator", estimators(), ids=lambda rec: type(rec).__name__)
def test_what_holds_no_splits_is_refused(estimator, cv):
    with pytest.raises((TypeError, ValueError), match="cv"):
        estimator.set_params(cv=cv).fit(X)


@pytest.mark.parametrize("estimator", estimators(), ids=lambda rec: type(rec).__name__)
def test_an_array_of_splits_and_masks_are_splits(estimator):
    half, other = np.arange(0, N - N % 2, 2), np.arange(1, N, 2)
    mask = np.isin(np.arange(N), half)
    lists = [
        estimator.set_params(cv=cv).fit(X).recommend(k=3).items.tolist()
        for cv in (
            [(half, other)],
            np.array([[half, other[: len(half)]]]),
            [(mask, slice(1, None, 2))],
            iter([(half, other)]),
        )
    ]
    assert lists[0] == lists[1] == lists[2] == lists[3]


def test_masks_and_slices_become_rows():
    mask = np.zeros(N, bool)
    mask[[3, 5]] = True
    ((train, test),) = read_splits([(mask, slice(0, 2))], X, None)
    assert train.tolist() == [3, 5]
    assert test.tolist() == [0, 1]
