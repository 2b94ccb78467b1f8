"""A data set prints what it holds, not all of it, and nothing in it becomes markup."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
from sklearn.utils import Bunch

from skrec.datasets import load_bookshop, make_interactions
from skrec.datasets._dataset import Dataset

SCRIPT = "<script>alert(1)</script>"


def test_fields_are_described():
    text = repr(load_bookshop())
    assert "item_features" in text
    assert "449 rows of item_id, title, author" in text
    assert len(text) < 2000
    assert "item_features" in repr(make_interactions(20, 10, n_events=50))


def test_it_is_a_bunch():
    data = pickle.loads(pickle.dumps(Dataset(X=np.zeros((2, 3)))))
    assert isinstance(data, Bunch)
    assert isinstance(data, Dataset)
    assert data["X"] is data.X
    assert repr(data).splitlines()[1].split(maxsplit=1) == ["X", "2 x 3 float64"]


def test_html_is_escaped():
    frames = {"a": pd.DataFrame({SCRIPT: [1]}), "b": pl.DataFrame({SCRIPT: [1]})}
    html = Dataset(**frames, **{SCRIPT: SCRIPT}, none=None, entries=[1, 2])._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script") == 4
    assert "<td>nothing</td>" in html
    assert "<td>2 entries</td>" in html
