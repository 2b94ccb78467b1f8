"""What comes back: printed, sliced, as frames, with titles."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import IdIndex, Recommendations
from skrec.llm import LLMExplainer, LLMReranker
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.utils import table_text

X = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": [1, 2, 2]})
ITEMS = pd.DataFrame({"item": [1, 2, 3], "title": ["Green tea", "<b>Rye</b>\n\x1b[31mbread", "x" * 70]})


def _titled(make=None):
    rec = EmbeddingKNNRecommender(item_encoder=LLMTextEmbedder(HashingTextEncoder(16)))
    rec = rec if make is None else make(rec)
    return rec.fit(X, item_features=ITEMS)


def test_print_is_a_table_with_titles():
    recs = _titled().recommend(["ann", "bob"], k=3, exclude_seen=False)
    lines = str(recs).splitlines()
    assert lines[0].split() == ["user", "rank", "item", "title", "score"]
    assert len(lines) == 7
    assert [line.split()[0] for line in (lines[1], lines[4])] == ["ann", "bob"]
    assert "Green tea" in str(recs)
    assert "\x1b" not in str(recs)
    assert max(map(len, lines)) < 100
    assert repr(recs) == str(recs)


@pytest.mark.parametrize("call", ["recommend", "similar_items", "search", "pipeline"])
def test_every_method_keeps_titles_and_escapes(call):
    rec = _titled((lambda rec: make_pipeline(ContextEncoder(), rec)) if call == "pipeline" else None)
    recs = {
        "recommend": lambda: rec.recommend(["<i>new</i>"]),
        "similar_items": lambda: rec.similar_items([1]),
        "search": lambda: rec.search(["<i>green</i> tea"]),
        "pipeline": lambda: rec.recommend(["ann"], exclude_seen=False),
    }[call]()
    assert "&lt;b&gt;Rye" in recs._repr_html_()
    assert "<b>" not in recs._repr_html_()
    assert "<i>" not in recs._repr_html_()
    names = dict(zip(ITEMS["item"], ITEMS["title"], strict=True))
    frame = recs.to_frame(titles=True)
    assert frame["title"].tolist() == [names[item] for item in frame["item"]]
    query = {"similar_items": "source_item", "search": "text"}.get(call, "user")
    assert list(frame.columns) == [query, "item", "title", "score", "rank"]
    assert recs[0].titles.tolist() == recs.titles[:1].tolist()


def test_titles_are_asked_of_a_model_that_keeps_none():
    recs = ItemKNNRecommender().fit(X).recommend(["ann"])
    assert recs.titles is None
    with pytest.raises(ValueError, match=r"keeps no titles: fit it with item_features"):
        recs.to_frame(titles=True)


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
def test_frames_of_the_library_of_x(convert):
    rec = ItemKNNRecommender(item_encoder=LLMTextEmbedder(HashingTextEncoder(16)))
    recs = rec.fit(convert(X), item_features=convert(ITEMS)).recommend(["bob"], k=1)
    frame = recs.to_frame(titles=True)
    assert type(frame) is type(convert(X))
    assert (frame.to_pandas() if not isinstance(frame, pd.DataFrame) else frame)["title"].tolist() == ["Green tea"]


def _masks(n):
    return st.lists(st.booleans(), min_size=n, max_size=n)


codes_and_positions = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(-1, 3), min_size=2, max_size=2), min_size=n, max_size=n),
        st.one_of(
            st.integers(-n, n - 1),
            st.slices(n),
            st.lists(st.integers(0, n - 1)),
            _masks(n),
        ),
    )
)


@given(codes_and_positions)
def test_positions_are_those_of_arrays(case):
    codes, at = np.array(case[0], dtype=np.int32), case[1]
    at = np.array(at, dtype=int) if isinstance(at, list) and not at else at
    recs = Recommendations(codes, codes.astype(np.float32), np.arange(len(codes)), IdIndex(np.array([5, 6, 7, 8])))
    assert len(recs) == len(codes)
    items, scores = recs
    chosen = recs[at]
    rows = np.atleast_1d(np.arange(len(codes))[at])
    assert len(chosen) == len(rows)
    assert chosen.users.tolist() == rows.tolist()
    assert chosen.items.tolist() == items[rows].tolist()
    assert chosen.scores.tolist() == scores[rows].tolist()
    assert str(recs).count("\n") == min((codes >= 0).sum(), 20)


def test_a_user_is_no_position():
    recs = ItemKNNRecommender().fit(X).recommend(["ann", "bob"])
    with pytest.raises(TypeError, match=r"recs\[recs.users == user\]"):
        recs["ann"]
    with pytest.raises(IndexError):
        recs[2]
    assert recs[recs.users == "bob"].users.tolist() == ["bob"]
    assert [one.users.tolist() for one in (recs[0], recs[-1])] == [["ann"], ["bob"]]


def test_long_lists_say_how_much_is_hidden():
    recs = ItemKNNRecommender().fit(X).recommend(["ann", "bob", "eve"] * 30, k=2, exclude_seen=False)
    assert "more rows" in str(recs).splitlines()[-1]
    assert "more rows" in recs._repr_html_()


EXPLAINERS = {
    "model": ItemKNNRecommender,
    "pipeline": lambda: make_pipeline(ContextEncoder(), ItemKNNRecommender()),
    "wrapper": lambda: LLMReranker(ItemKNNRecommender(), lambda messages: ""),
    "explainer": lambda: LLMExplainer(ItemKNNRecommender()),
}


@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")  # no item has a text here
@pytest.mark.parametrize("make", EXPLAINERS)
def test_recommendations_can_be_explained(make):
    rec = EXPLAINERS[make]().fit(X)
    recs = ItemKNNRecommender().fit(X).recommend(["bob", "ann"], k=2, exclude_seen=False)[::-1]
    row, column = np.nonzero(recs.codes >= 0)
    expected = rec.explain(recs.users[row], recs.items[row, column])
    found = rec.explain(recs)
    assert (found.user.tolist(), found.item.tolist()) == (expected.user.tolist(), expected.item.tolist())
    assert found.text == expected.text
    with pytest.raises(TypeError, match="either Recommendations alone, or users and items"):
        rec.explain(recs, [1])
    with pytest.raises(TypeError, match="users and items, or the result of recommend"):
        rec.explain(["ann"])


def test_context_of_each_query_is_that_of_its_items():
    rec = make_pipeline(ContextEncoder(), PopularRecommender()).fit(X.assign(hour=[1.0, 2.0, 3.0]))
    context = pd.DataFrame({"hour": [1.0, 3.0]}, index=[7, 7])
    recs = rec.recommend(["ann", "bob"], context=context, exclude_seen=False)
    for table in (context, pl.from_pandas(context), context.to_numpy(), context.to_numpy().tolist()):
        assert len(rec.explain(recs, context=table)) == (recs.codes >= 0).sum()


def test_columns_stand_below_one_another_in_chinese():
    """A Chinese character takes two places on a terminal."""
    columns = {"user": ["新客户", "C1"], "title": ["简·爱", "Emma"], "score": ["46", "43"]}
    assert table_text(columns, 0).splitlines() == [
        "user    title  score",
        "新客户  简·爱  46",
        "C1      Emma   43",
    ]
