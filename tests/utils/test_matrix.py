"""Operations on matrices against plain NumPy and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.preprocessing import normalize

from skrec.utils import inner_products, unit_rows

CELLS = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, 1e-9, 1e-30])


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=CELLS))
def test_unit_rows_are_those_of_scikit_learn(vectors):
    before = vectors.copy()
    np.testing.assert_array_equal(unit_rows(vectors), normalize(vectors))
    np.testing.assert_array_equal(vectors, before)


def test_unit_rows_takes_what_scikit_learn_takes():
    matrix = sp.csr_array(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(unit_rows(matrix).toarray(), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(unit_rows(np.array([[3.0, 4.0]])), [[0.6, 0.8]])
    with pytest.raises(ValueError, match="NaN"):
        unit_rows(np.array([[np.nan, 1]], np.float32))


@pytest.mark.parametrize("n_queries", [1, 3])
@pytest.mark.parametrize("n_columns", [1, 5, 64])
@pytest.mark.parametrize("layout", ["whole", "leading columns", "every second row", "by column", "reversed", "double"])
def test_inner_products_of_a_request_in_any_layout(n_queries, n_columns, layout):
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(40, n_columns + 3)).astype(np.float32)
    items = {
        "whole": np.ascontiguousarray(wide[:, :n_columns]),
        "leading columns": wide[:, :n_columns],
        "every second row": wide[::2, :n_columns],
        "by column": np.asfortranarray(wide[:, :n_columns]),
        "reversed": wide[::-1, :n_columns],
        "double": wide[:, :n_columns].astype(np.float64),
    }[layout]
    queries = rng.normal(size=(n_queries, n_columns)).astype(np.float32)
    found = inner_products(queries, items, None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, queries @ items.T, rtol=1e-4, atol=1e-5)
    chosen = np.array([3, 0, 3])
    np.testing.assert_allclose(inner_products(queries, items, chosen), found[:, chosen], rtol=1e-4, atol=1e-5)


def test_inner_products_of_no_items():
    queries = np.ones((2, 3), np.float32)
    assert inner_products(queries, np.zeros((0, 3), np.float32), None).shape == (2, 0)
    assert inner_products(np.ones((2, 0), np.float32), np.ones((4, 0), np.float32), None).tolist() == [[0] * 4] * 2


def test_equal_items_have_equal_products():
    """Ties are broken by catalogue order, wherever an item stands."""
    rng = np.random.default_rng(0)
    row = rng.normal(size=(1, 50)).astype(np.float32)
    found = inner_products(rng.normal(size=(1, 50)).astype(np.float32), np.repeat(row, 37, axis=0), None)
    assert len(np.unique(found)) == 1
