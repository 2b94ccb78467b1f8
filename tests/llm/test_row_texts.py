"""Rows of feature tables as texts."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skrec.interactions import FeatureTable
from skrec.llm._row_texts import RowTexts

BOOKS = pd.DataFrame({"id": [7, 3], "title": ["Emma", None], "year": [1815, 1897]})


def test_texts_are_found_by_id_and_hold_none():
    texts = RowTexts.read(FeatureTable(BOOKS), "item_features")
    assert texts.of([3, 7, 99]) == ["year: 1897", "title: Emma; year: 1815", None]
    assert RowTexts.read(BOOKS, "item_features", "{title} ({year})").of([7]) == ["Emma (1815)"]


def test_no_table_has_no_texts():
    assert RowTexts.read(None, "item_features").of(["a", 1]) == [None, None]


def test_matrices_of_vectors_have_no_texts():
    ids = [1, 2]
    assert RowTexts.read((ids, np.eye(2)), "item_features").of([2]) == ["x0: 0; x1: 1"]
    assert len(RowTexts.read((ids, np.ones((2, 300))), "item_features")) == 0
    assert len(RowTexts.read((ids, sp.eye_array(2)), "item_features")) == 0


@pytest.mark.parametrize("template", ["{id}", "{plot}", "{title.__class__}", "{title[0]}", "{title!r}", "none"])
def test_templates_take_bare_names_of_columns(template):
    with pytest.raises(ValueError, match="template"):
        RowTexts.read(BOOKS, "item_features", template)


def test_later_rows_replace_earlier_ones():
    texts = RowTexts.read(BOOKS, "item_features", "{title}")
    later = pd.DataFrame({"id": [3, 5], "title": ["Dracula", "Ulysses"]})
    updated = texts.updated(RowTexts.read(later, "item_features", "{title}"))
    assert updated.of([3, 5, 7]) == ["Dracula", "Ulysses", "Emma"]
    assert texts.of([3, 5]) == [None, None]
    assert RowTexts.read(None, "item_features").updated(texts) is texts
