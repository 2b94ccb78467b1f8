"""Rows written out as text."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.utils._text_rendering import as_object_array, as_text, template_fields, write_rows


@pytest.mark.parametrize(
    "missing", [None, float("nan"), np.nan, np.float32("nan"), "", "  \n", pd.NA, pd.NaT, [], [None]]
)
def test_missing_cells(missing):
    assert as_text(missing) is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (" Ikiru ", "Ikiru"),
        (1952, "1952"),
        (1952.0, "1952"),
        (np.float32(0.1), "0.1"),
        (float("inf"), "inf"),
        (True, "True"),
        (b"caf\xc3\xa9", "café"),
        (["Drama", None, "Comedy"], "Drama, Comedy"),
        (np.array(["a", "b"]), "a, b"),
        (datetime.date(1952, 10, 9), "1952-10-09"),
    ],
)
def test_cells(cell, text):
    assert as_text(cell) == text


def test_complex_cell():
    with pytest.raises(ValueError, match="Complex data not supported"):
        as_text(1j)


def test_rows_are_labelled_and_leave_out_what_is_missing():
    columns = {"title": ["Ikiru", None, None], "genres": ["Drama", "War", None]}
    assert write_rows(columns) == ["title: Ikiru; genres: Drama", "genres: War", None]


def test_one_column_is_bare():
    assert write_rows({"title": ["Ikiru", None]}) == ["Ikiru", None]


def test_template():
    columns = {"title": ["Ikiru", None, None], "by": ["Kurosawa", "Ozu", None], "year": ["1952", "1953", "1954"]}
    assert write_rows(columns, "{{{title}}} by {by}, {{x}}.") == ["{Ikiru} by Kurosawa, {x}.", "{} by Ozu, {x}.", None]


def test_template_does_not_read_fields_in_values():
    assert write_rows({"title": ["{by}"], "by": ["Ozu"]}, "{title} {by}") == ["{by} Ozu"]


@pytest.mark.parametrize(
    "template",
    ["{title.__class__}", "{title[0]}", "{title!r}", "{title:>10}", "{}", "no field", "{title", "title}", "{0.a}"],
)
def test_templates_with_more_than_bare_names(template):
    with pytest.raises(ValueError, match="template="):
        template_fields(template)


def test_lists_keep_nan():
    assert as_object_array(["a", float("nan")]).tolist()[1] != "nan"
    assert as_object_array([["a", None], ["b", "c"]]).shape == (2, 2)
    with pytest.raises(ValueError, match="different lengths"):
        as_object_array([["a"], ["b", "c"]])
    with pytest.raises(ValueError, match="mixes rows and single texts"):
        as_object_array([["a"], "b"])


@given(st.lists(st.lists(st.none() | st.text(), min_size=2, max_size=2), min_size=1, max_size=5))
def test_frames_of_every_library_give_the_same_texts(rows):
    from skrec.feature_extraction import LLMTextEmbedder
    from skrec.feature_extraction._reading import read_texts

    data = {"title": [row[0] for row in rows], "by": [row[1] for row in rows]}
    frames = [pd.DataFrame(data, dtype=object), pl.DataFrame(data, schema={"title": pl.String, "by": pl.String})]
    frames.append(pa.table(data, schema=pa.schema([("title", pa.string()), ("by", pa.string())])))
    written = [read_texts(LLMTextEmbedder(), frame, reset=True) for frame in frames]
    assert written[0] == written[1] == written[2]
