"""Ids that are something else: what every method that takes ids says to them."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skrec.feature_extraction import ContextEncoder
from skrec.interactions import IdIndex
from skrec.metrics import evaluate
from skrec.neighbors import ItemKNNRecommender
from skrec.pipeline import make_pipeline

FRAME = pd.DataFrame({"user": [1, 1, 2, 2], "item": ["a", "b", "b", "c"]})
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}
MODELS = {"model": ItemKNNRecommender, "pipeline": lambda: make_pipeline(ContextEncoder(), ItemKNNRecommender())}

CALLS = {
    "recommend": lambda rec, users, items: rec.recommend(users),
    "candidates": lambda rec, users, items: rec.recommend([1], candidates=items),
    "similar_items": lambda rec, users, items: rec.similar_items(items),
    "explain users": lambda rec, users, items: rec.explain(users, ["a"]),
    "explain items": lambda rec, users, items: rec.explain([1], items),
}


@pytest.fixture(params=MODELS)
def rec(request):
    return MODELS[request.param]().fit(FRAME)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_is_no_list_of_ids(rec, call, library):
    users, items = (LIBRARIES[library](FRAME[[name]]) for name in ("user", "item"))
    with pytest.raises(TypeError, match=r"got a frame.*pass df\['(user|item)'\]"):
        CALLS[call](rec, users, items)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("convert", [np.asarray, pd.Series, pl.Series, list, lambda mask: pa.chunked_array([mask])])
def test_a_boolean_mask_is_no_list_of_ids(rec, call, convert):
    mask = convert([True, False])
    with pytest.raises(TypeError, match=r"boolean mask.*pass ids\[mask\]"):
        CALLS[call](rec, mask, mask)


def test_seen_items_takes_neither():
    rec = ItemKNNRecommender().fit(FRAME)
    with pytest.raises(TypeError, match="got a frame"):
        rec.seen_items(FRAME)
    with pytest.raises(TypeError, match="boolean mask"):
        rec.seen_items(FRAME["user"] == 1)


@pytest.mark.parametrize(
    "dictionary",
    [
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 1]), pa.array(["a", "b", "a"])),
        pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]),
        pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b", "a", "b"]).dictionary_encode()]),
    ],
)
def test_an_arrow_dictionary_gives_one_user_per_name(dictionary):
    rec = ItemKNNRecommender().fit(pa.table({"user": dictionary, "item": ["x", "y", "z", "x"]}))
    assert rec.users_.tolist() == ["a", "b"]
    assert rec.recommend(pa.array(["b"]), k=1).users.tolist() == ["b"]


ROUNDED = (10**18 + np.arange(6)).astype(float)


@pytest.mark.parametrize(
    "X",
    [
        np.column_stack([ROUNDED, ROUNDED]),
        pd.DataFrame({"user": ROUNDED, "item": 1}),
        pl.DataFrame({"user": ROUNDED, "item": [1] * 6}),
        pa.table({"user": ROUNDED, "item": [1] * 6}),
        pd.DataFrame({"user": ROUNDED.astype(object), "item": 1}),
        [[float(value), 1.5] for value in ROUNDED],
    ],
)
def test_floats_that_stand_for_several_integers_are_refused(X):
    with pytest.raises(ValueError, match=r"user ids contain 1e\+18.*as integers or as text"):
        ItemKNNRecommender().fit(X)
    rec = ItemKNNRecommender().fit(FRAME)
    with pytest.raises(ValueError, match="stands for several integers"):
        rec.recommend(ROUNDED)


def test_bytes_are_not_text():
    X = np.array([[b"u", b"i"], [b"v", b"j"]], dtype=object)
    rec = ItemKNNRecommender().fit(X)
    for call in (
        lambda: rec.recommend(["u"]),
        lambda: rec.recommend([b"u"], candidates=["i"]),
        lambda: rec.predict([["u", "i"]]),
        lambda: evaluate(rec, [["u", "i"]]),
        lambda: ItemKNNRecommender().fit(FRAME).similar_items([b"a"]),
    ):
        with pytest.raises(TypeError, match=r"in fit were (bytes|text).*decode bytes before fit"):
            call()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", [float, object])
@pytest.mark.parametrize("model", MODELS)
def test_a_missing_id_is_called_missing(library, dtype, model):
    X = pd.DataFrame({"user": pd.Series([1.0, np.nan]).astype(dtype), "item": ["a", "b"], "hour": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"user ids contain (1 missing|NaN|None)"):
        MODELS[model]().fit(LIBRARIES[library](X))


@pytest.mark.parametrize(("first", "then"), [([[1, 2]], [["a", 2]]), ([[1, 2]], [[1, "b"]]), ([["a", 2]], [[1, 2]])])
def test_partial_fit_does_not_mix_text_and_numbers(first, then):
    rec = ItemKNNRecommender().fit(np.array(first, dtype=object))
    with pytest.raises(TypeError, match="in fit were"):
        rec.partial_fit(np.array(then, dtype=object))
    assert rec.users_.tolist() == [first[0][0]]


class TestOtherArguments:
    @pytest.mark.parametrize("library", LIBRARIES)
    def test_recommendations_as_a_frame_can_be_excluded(self, library):
        X = FRAME.rename(columns={"user": "guest", "item": "dish"})
        rec = ItemKNNRecommender().fit(LIBRARIES[library](X))
        first = rec.recommend([1, 2], k=1)
        second = rec.recommend([1, 2], k=1, exclude=first.to_frame())
        assert first.items.tolist() == [["c"], ["a"]]
        assert second.items.tolist() == [[None], [None]]

    @pytest.mark.parametrize("history", [((1, "a"),), ((1, "a"), (1, "b")), ((1, "a"), (1, "b"), (2, "a")), ()])
    def test_a_tuple_of_rows_is_no_history(self, rec, history):
        with pytest.raises(ValueError, match=r"a tuple must be the pair \(events, y\).*\[\[user, item\]"):
            rec.recommend(history=history)

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_a_rating_in_a_history_is_passed_as_its_y(self, rec, library):
        history = LIBRARIES[library](FRAME.assign(rating=3.0))
        with pytest.raises(ValueError, match=r"history has a column 'rating'.*history=\(history"):
            rec.recommend(history=history)

    @pytest.mark.parametrize("convert", [pd.Series, pl.Series, pa.array, lambda x: pa.chunked_array([x])])
    def test_a_series_of_lists_is_one_list_of_candidates_per_query(self, rec, convert):
        recs = rec.recommend([1, 2], k=1, candidates=convert([["a", "c"], ["a"]]))
        assert recs.items.tolist() == [["c"], ["a"]]

    @pytest.mark.parametrize("index", ["user", ["user", "item"]])
    def test_ids_in_the_index(self, index):
        with pytest.raises(ValueError, match=r"index.*reset_index\(\)"):
            ItemKNNRecommender().fit(FRAME.set_index(index))


@pytest.mark.parametrize("fitted", [[7, 3, 5], [7.5, 3.0, 5.0], ["7", "3", "5"], [7, "3", "5"], [2**60, 2**60 + 1, 5]])
@pytest.mark.parametrize("convert", [list, np.array, lambda ids: np.array(ids, dtype=object), pd.Series])
def test_few_ids_are_read_as_many_are(fitted, convert):
    """A request of few ids has a shorter way: both find the same."""
    values = np.empty(3, dtype=object)
    values[:] = fitted
    index = IdIndex(values if any(isinstance(value, str) for value in fitted) else np.array(fitted))
    few = [fitted[2], fitted[0], fitted[2], "9" if isinstance(fitted[2], str) else 9]
    found = index.codes(convert(few), "ids")
    assert found.tolist() == index.codes(convert(few * 20), "ids")[:4].tolist()
    assert found.tolist()[-1] == -1


@pytest.mark.parametrize("ids", [[1.0, np.nan], [1.0, np.inf], [1.0, 2.0**53], [1, None], ["a", 1.5, (1,)]])
def test_few_ids_are_checked_as_many_are(ids):
    index = IdIndex(np.array([1.0, 2.0]))
    errors = []
    for given in (ids, ids * 20):
        with pytest.raises((ValueError, TypeError)) as error:
            index.codes(given, "ids")
        errors.append((error.type, str(error.value)))
    assert errors[0] == errors[1]
