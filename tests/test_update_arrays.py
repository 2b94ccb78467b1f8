"""An update writes into no array that the fitted model holds: readers in other threads may be using it."""

import numpy as np
import pytest
import scipy.sparse as sp

from skrec.dummy import PopularRecommender
from skrec.linear_model import EASERecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

FEATURES = (np.arange(12), np.random.default_rng(0).normal(size=(12, 4)))


def _arrays(value):
    """All arrays in attributes, matrices and lists of a model."""
    if isinstance(value, np.ndarray):
        yield value
    elif sp.issparse(value):
        yield from (value.data, value.indices, value.indptr)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _arrays(one)
    elif type(value).__module__.startswith("skrec"):
        for one in vars(value).values():
            yield from _arrays(one)


@pytest.mark.parametrize("new_item", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        EASERecommender(),
        EASERecommender(order="none", regularization_exponent=0),
        EASERecommender(n_neighbors=3),
        EmbeddingKNNRecommender(),
        ItemKNNRecommender(),
        ItemKNNRecommender(similarity="cosine"),
        UserKNNRecommender(),
        PopularRecommender(),
        PopularRecommender(n_segments=2, random_state=0),
    ],
    ids=repr,
)
def test_an_update_writes_into_no_array_of_the_model(model, new_item):
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(0, 9, 60), rng.permutation(60) % 12, rng.integers(0, 3, 60)])
    uses_tables = isinstance(model, EmbeddingKNNRecommender)
    model.fit(X, item_features=FEATURES if uses_tables else None)
    held = list(_arrays(model))
    before = [array.copy() for array in held]
    more = np.array([[1, 2, 0], [77, 88 if new_item else 5, 1]])
    model.partial_fit(more, item_features=(np.array([2]), np.ones((1, 4))) if uses_tables else None)
    for array, copy in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, copy)
