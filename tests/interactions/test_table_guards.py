"""Times in several units, and feature tables whose first column is not the id."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable, read_events
from skrec.llm import LLMReranker
from skrec.neighbors import ItemKNNRecommender
from skrec.pipeline import make_pipeline

LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
X = pd.DataFrame({"user": [1, 1, 2, 2], "item": [10, 11, 11, 12]})
MOMENTS = [datetime(2024, 1, day) for day in (1, 2, 3, 4)]
TIMES = {
    "ms": [1.7e12, 1.7e12 + 1, 1.7e12 + 2, 1.7e12 + 3],
    "s": [1.7e9, 1.7e9 + 1, 1.7e9 + 2, 1.7e9 + 3],
    "date-times": MOMENTS,
    "steps": [1, 2, 3, 4],
}
SAME = {("s", "date-times"), ("date-times", "s")} | {(name, name) for name in TIMES}


@pytest.mark.parametrize("fitted", TIMES)
@pytest.mark.parametrize("given", TIMES)
@pytest.mark.parametrize("model", [ItemKNNRecommender, lambda: make_pipeline(ContextEncoder(), ItemKNNRecommender())])
def test_times_of_one_unit_only(fitted, given, model):
    rec = model().fit(X.assign(timestamp=TIMES[fitted]))
    more = X.assign(timestamp=TIMES[given])
    calls = [lambda: rec.recommend([1], history=more), lambda: rec.recommend(history=(more, [1, 1, 1, 1]))]
    if isinstance(rec, ItemKNNRecommender):
        calls.append(lambda: rec.partial_fit(more))
    for call in calls:
        if (fitted, given) in SAME:
            call()
        else:
            with pytest.raises(ValueError, match=r"times of fit are in .*those given now in .*one unit"):
                call()


def test_a_history_of_new_users_has_a_unit_of_its_own():
    rec = ItemKNNRecommender().fit(X.assign(timestamp=TIMES["ms"]))
    assert rec.recommend(history=X.assign(user=9, timestamp=TIMES["steps"]), k=1).scores.shape == (1, 1)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=2))])
def test_sentinel_dates_keep_the_order(library, zone):
    moments = [datetime(9999, 12, 31), datetime(1, 1, 2), datetime(2024, 1, 1)]
    moments = [moment.replace(tzinfo=zone) for moment in moments]
    table = LIBRARIES[library]({"user": [1, 1, 1], "item": [1, 2, 3], "timestamp": moments})
    expected = [
        (moment.replace(tzinfo=zone or UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() for moment in moments
    ]
    assert read_events(table).timestamp.tolist() == expected
    rec = ItemKNNRecommender().fit(table)
    assert np.isfinite(rec.recommend([1], exclude_seen=False).scores[0, 0])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([Decimal("1.5"), Decimal(2)], [1.5, 2.0]),
        ([date(2024, 1, 1), date(1970, 1, 2)], [1704067200.0, 86400.0]),
    ],
)
def test_decimals_and_dates_are_times(library, cells, expected):
    table = LIBRARIES[library]({"user": [1, 1], "item": [1, 2], "timestamp": cells})
    assert read_events(table).timestamp.tolist() == expected


def test_python_date_times_in_an_object_column():
    times = pd.Series([datetime(2024, 1, 1, tzinfo=UTC), datetime(1970, 1, 2)], dtype=object)
    table = pd.DataFrame({"user": [1, 1], "item": [1, 2], "timestamp": times})
    assert read_events(table).timestamp.tolist() == [1704067200.0, 86400.0]
    with pytest.raises(ValueError, match="1 missing"):
        read_events(table.assign(timestamp=pd.Series([datetime(2024, 1, 1), None], dtype=object)))


ITEMS = pd.DataFrame({"item": [10, 11, 12], "price": [1.0, 2.0, 3.0]})
MODELS = {
    "encodes": lambda: HybridMFRecommender(n_factors=2, max_iter=2),
    "ids only": ItemKNNRecommender,
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("wrap", [lambda table: table, FeatureTable, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize("name", ["index", "Unnamed: 0", "level_0", None])
def test_the_column_called_as_in_x_holds_the_ids(model, wrap, name):
    """Wherever it stands; a former index before it is no feature."""
    moved = ITEMS[["price", "item"]].copy()
    if name is not None:
        moved.insert(0, name, [0, 1, 2])
    rec, expected = MODELS[model](), MODELS[model]().fit(X, item_features=ITEMS)
    if "random_state" in rec.get_params():
        rec.set_params(random_state=0)
        expected.set_params(random_state=0).fit(X, item_features=ITEMS)
    rec.fit(X, item_features=wrap(moved))
    assert rec.items_.tolist() == [10, 11, 12]
    np.testing.assert_array_equal(rec.recommend(k=3).scores, expected.recommend(k=3).scores)
    later = pd.DataFrame({"price": [4.0], "item": [13]})
    for updated in (rec, expected):
        assert updated.partial_fit(item_features=later).items_.tolist() == [10, 11, 12, 13]
    np.testing.assert_array_equal(rec.recommend(k=4).scores, expected.recommend(k=4).scores)


@pytest.mark.parametrize("model", MODELS)
def test_row_numbers_are_not_ids(model):
    """A former index, and the ids in a column of another name than in X."""
    numbered = ITEMS.rename(columns={"item": "sku"})
    numbered.insert(0, "index", [0, 1, 2])
    rec = MODELS[model]()
    with pytest.raises(ValueError, match=r"'index', which is read as the id, .*column 'sku': put that one first"):
        rec.fit(X, item_features=numbered)
    rec.fit(X, item_features=ITEMS)
    with pytest.raises(ValueError, match="put that one first"):
        rec.partial_fit(X, item_features=numbered)


def test_wrappers_read_the_same_column():
    moved = pd.DataFrame({"title": ["Emma", "Dracula", "Walden"], "item": [10, 11, 12]})
    prompts = []

    def llm(messages):
        prompts.append(messages[-1]["content"])
        return "[1]"

    rec = LLMReranker(ItemKNNRecommender(item_encoder="auto"), llm=llm, n_candidates=2).fit(
        X, item_features=FeatureTable(moved)
    )
    with pytest.warns(LanguageModelWarning, match="No answer"):
        rec.recommend([1], k=1, exclude_seen=False)
    assert "Emma" in prompts[0]
    assert rec.partial_fit(item_features=moved.assign(item=[13, 14, 15])).items_.tolist() == list(range(10, 16))


def test_a_former_index_is_found_without_names_too():
    numbered = ITEMS.rename(columns={"item": "sku"}).reset_index()
    with pytest.raises(ValueError, match="column 'sku': put that one first"):
        ItemKNNRecommender().fit(X.to_numpy(), item_features=numbered)


def test_ids_in_the_index_of_a_table():
    table = ITEMS.assign(pages=[5, 6, 7]).set_index("item")
    with pytest.raises(ValueError, match=r"'item' in the index.*reset_index\(\)"):
        HybridMFRecommender(n_factors=2, max_iter=2).fit(X, item_features=table)
    assert ItemKNNRecommender().fit(X, item_features=table.reset_index()).items_.tolist() == [10, 11, 12]


def test_good_tables_pass():
    """The first column has the ids under another name; a feature is called as the ids of X are."""
    table = ITEMS.rename(columns={"item": "sku"})
    ItemKNNRecommender().fit(X, item_features=table)
    ItemKNNRecommender().fit(X, item_features=table.assign(item=[0.5, 1.5, 2.5]))
    ItemKNNRecommender().fit(X, item_features=ITEMS.rename(columns={"item": "index"}).assign(price=[0.1, 0.2, 0.3]))


@pytest.mark.parametrize("dtype", [pl.Int128, pl.UInt128])
@pytest.mark.parametrize("column", ["hour", "timestamp"])
def test_integers_of_128_bits_are_numbers(dtype, column):
    """NumPy has none, and polars makes them of sums."""
    log = pl.DataFrame({"user": ["a", "a", "b", "b"], "item": ["x", "y", "x", "z"], "hour": [1, 2, 3, 4]})
    log = log.with_columns(pl.Series("timestamp", [1, 2, 3, 4]))
    wide = log.with_columns(pl.col(column).cast(dtype))
    plain, other = (HybridMFRecommender(random_state=0).fit(frame) for frame in (log, wide))
    np.testing.assert_array_equal(plain.predict(log), other.predict(wide))
    np.testing.assert_array_equal(
        plain.recommend(["a"], context=wide[:1].select("hour")).scores,
        other.recommend(["a"], context=log[:1].select("hour")).scores,
    )
