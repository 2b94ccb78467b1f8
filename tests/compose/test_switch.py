"""SwitchRecommender: which part answers."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator

from skrec.compose import FallbackRecommender, SwitchRecommender
from skrec.compose._rules import Cells, TableColumns, read_column
from skrec.dummy import PopularRecommender
from skrec.exceptions import PartFailureWarning
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable
from skrec.pipeline import make_pipeline

X = [[1, 10], [1, 20], [2, 20], [3, 30], [3, 20], [3, 10], [4, 30]]
USERS = pd.DataFrame({"user": [1, 2, 3], "country": ["de", "fr", "it"], "age": [30.0, np.nan, 50.0]})


class Broken(PopularRecommender):
    """Fits, and fails at every request."""

    def recommend(self, users=None, k=10, **options):
        raise RuntimeError("the server of this part is gone")


def constant(item, others=(10, 20, 30, 40)):
    """A part that has one item on top."""
    events = [[100 + i, item] for i in range(5)] + [[200, other] for other in others]
    return FrozenEstimator(PopularRecommender().fit(events))


def switch(*, names=("de", "fr", "other"), items=(10, 20, 40), **params):
    parts = [(name, constant(item)) for name, item in zip(names, items, strict=True)]
    return SwitchRecommender(parts, **params)


def top(rec, users, **options):
    return rec.recommend(users, k=1, exclude_seen=False, **options).items[:, 0].tolist()


def test_known_and_new_users():
    rec = switch(names=("known", "new"), items=(10, 40)).fit(X)
    assert top(rec, [100, 99, 200]) == [10, 40, 10]
    assert top(rec, [98, 99], history=[[99, 10]]) == [40, 10]
    assert_array_equal(rec.predict([[100, 10], [99, 10]]), [5 + 1, 1])
    with pytest.raises(ValueError, match="by='known' needs two recommenders"):
        switch().fit(X)


def test_number_of_events():
    parts = [(str(edge), PopularRecommender()) for edge in (0, 2, 3)]
    rec = SwitchRecommender(parts, by="n_events", edges=[2, 3]).fit(X)
    counts = rec.recommend([1, 2, 3, 4, 9], k=1, exclude_seen=False).report["answered"]
    assert counts == {"0": 3, "2": 1, "3": 1}
    more = rec.recommend([2], k=1, history=[[2, 10], [2, 30]], exclude_seen=False)
    assert more.report["answered"]["3"] == 1
    rec.partial_fit([[2, 10]])
    assert rec.recommend([2], k=1).report["answered"]["2"] == 1


@pytest.mark.parametrize("edges", [None, [2], [3, 2], [2, 2], [1.5, 2.5], ["a", "b"]])
def test_bad_edges(edges):
    parts = [(str(edge), PopularRecommender()) for edge in (0, 2, 3)]
    with pytest.raises(ValueError, match="needs 2 rising whole numbers"):
        SwitchRecommender(parts, by="n_events", edges=edges).fit(X)


def test_a_column_of_the_users():
    rec = switch(by="user_features", column="country").fit(X, user_features=FeatureTable(USERS))
    found = rec.recommend([2, 1, 3, 2, 9], k=1, exclude_seen=False)
    assert found.items[:, 0].tolist() == [20, 10, 40, 20, 40]
    assert found.report["n_unknown"] == 2, "it, and a user without a row"
    rec.set_params(default="de")
    assert top(rec, [9]) == [10]
    rec.set_params(segments={"it": "fr", "fr": "other"})
    assert top(rec, [1, 2, 3]) == [10, 40, 20]
    rec.set_params(column=1, segments={30: "fr"})
    assert top(rec, [1, 2, 3]) == [20, 10, 10]


def test_a_column_of_the_users_of_the_call():
    rec = switch(by="user_features", column="country").fit(X, user_features=FeatureTable(USERS))
    parts = [("de", PopularRecommender()), ("fr", PopularRecommender())]
    loose = SwitchRecommender(parts, by="user_features", column="country").fit(X)
    with pytest.raises(ValueError, match="The column 'country' of user_features is read"):
        loose.recommend([1])
    queries = {"user_features": pd.DataFrame({"user": [9, 1], "country": ["de", None]})}
    chosen = rec._chosen(_queries(rec, [2, 9, 1], queries))
    assert chosen.tolist() == [1, 0, -1]
    assert top(rec, [2, 9, 1], **queries) == [20, 10, 40], "the parts themselves have no use for the table"
    by_row = {"user_features": pd.DataFrame({"country": ["fr", "de"], "age": [1.0, 2.0]})}
    assert rec._chosen(_queries(rec, [9, 9], by_row)).tolist() == [1, 0]


def _queries(rec, users, options):
    from skrec.compose._query_options import QueryOptions

    return QueryOptions.of(np.array(users), options, rec._item_index, "user")


def test_more_users_come_by_partial_fit():
    parts = [("de", PopularRecommender()), ("fr", PopularRecommender())]
    rec = SwitchRecommender(parts, by="user_features", column="country", default="fr")
    rec.fit(X, user_features=FeatureTable(USERS))
    assert rec.recommend([1, 9], k=1).report["answered"] == {"de": 1, "fr": 1}
    rec.partial_fit([[9, 10]], user_features=FeatureTable(pd.DataFrame({"user": [9, 1], "country": ["de", "fr"]})))
    assert rec.recommend([1, 9], k=1).report["answered"] == {"de": 1, "fr": 1}
    assert rec.recommend([9], k=1).report["answered"] == {"de": 1, "fr": 0}


def test_a_column_of_the_context():
    events = pd.DataFrame(X, columns=["user", "item"]).assign(device=["phone", "desk"] * 3 + ["phone"])
    part = make_pipeline(ContextEncoder(), PopularRecommender())
    rec = SwitchRecommender([("phone", part), ("desk", part)], by="context", column="device", default="desk")
    rec.fit(events)
    context = pd.DataFrame({"device": ["desk", "phone", "phone"]})
    assert rec.recommend([1, 2, 1], k=1, context=context).report["answered"] == {"phone": 2, "desk": 1}
    assert rec.recommend([1, 2], k=1, context=[["phone"]]).report["answered"] == {"phone": 2, "desk": 0}
    nowhere = rec.recommend([1, 2], k=1)
    assert nowhere.report["n_unknown"] == 2
    assert np.isfinite(rec.predict(events)).all()
    assert rec.set_params(column=0).recommend([1], k=1, context=[["phone"]]).report["answered"]["phone"] == 1
    with pytest.raises(ValueError, match="no column 'browser'"):
        rec.set_params(column="browser").recommend([1], k=1, context=context[:1])


def test_a_callable():
    rec = switch(by=lambda users: ["de" if user % 2 else None for user in users]).fit(X)
    assert top(rec, [1, 2, 3]) == [10, 40, 10]
    with pytest.raises(ValueError, match="1 names for 2 users"):
        switch(by=lambda users: ["de"]).fit(X).recommend([1, 2])


def test_explanations_come_from_the_part_of_the_user():
    rec = switch(by=lambda users: ["de" if user % 2 else "fr" for user in users]).fit(X)
    why = rec.explain([1, 2], [10, 10])
    assert [reasons[0].rank for reasons in why.evidence] == [1, 2]


def test_the_default_answers_for_a_part_that_fails():
    parts = [("de", Broken()), ("fr", constant(20)), ("other", constant(40))]
    rec = SwitchRecommender(parts, by=lambda users: ["de", "fr", "de"][: len(users)]).fit(X)
    with pytest.warns(PartFailureWarning, match="the server"):
        found = rec.recommend([1, 2, 3], k=4, exclude_seen=False)
    assert found.items[:, 0].tolist() == [40, 20, 40]
    assert (found.codes >= 0).all()
    assert found.report["failures"] == {"de": "RuntimeError: the server of this part is gone"}


def test_short_lists_are_filled_only_by_a_fallback():
    """Parts with other catalogues."""
    small = FrozenEstimator(PopularRecommender().fit([[1, 10], [2, 50]]))
    parts = [("small", small), ("large", PopularRecommender())]
    rec = SwitchRecommender(parts, by=lambda users: ["small"] * len(users)).fit(X)
    assert rec.recommend([9], k=5).items.tolist() == [[10, 50, None, None]]
    filled = FallbackRecommender([("switch", rec), ("large", PopularRecommender())]).fit(X)
    found = filled.recommend([9], k=4)
    assert set(found.items[0]) == {10, 20, 30, 50}
    only = rec.recommend([9], k=2, candidates=[20, 30])
    assert only.items.tolist() == [[20, 30]], "the default answers where the part has nothing"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"by": "context"}, "needs the name of a column"),
        ({"by": "user_features"}, "needs the name of a column"),
        ({"by": "context", "column": "x", "default": "nobody"}, "must name recommenders"),
        ({"by": "context", "column": "x", "segments": {"a": "b"}}, "must name recommenders"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        switch(**params).fit(X)


def test_cells_of_every_kind_of_column():
    numbers = Cells.of(np.array([2, 1, 2]))
    assert numbers.numbers().tolist() == [2, 1, 2]
    assert numbers.take(np.array([-1, 1])).is_missing.tolist() == [True, False]
    frame = pl.DataFrame(
        {"id": [1, 2, 3], "n": [1, None, 3], "t": ["b", None, "a"], "l": [["x", "y"], None, ["x", "y"]]}
    )
    table = TableColumns.read(frame, "item_features")
    assert table.of("n", np.array([3, 2, 9])).objects().tolist() == [3.0, None, None]
    assert table.of("t", np.array([1, 2])).objects().tolist() == ["b", None]
    assert table.of("l", np.array([1, 3])).objects().tolist() == [("x", "y"), ("x", "y")]
    dates = Cells.of(np.array([pd.Timestamp("2024-01-02"), pd.NaT], dtype=object))
    assert dates.objects().tolist() == ["2024-01-02T00:00:00", None]
    assert read_column(([1, 2], [[1.0, 5.0], [2.0, 6.0]]), "x1").numbers().tolist() == [5, 6]
    assert TableColumns.read(([1, 2], np.zeros((2, 99))), "item_features").columns == {}
    later = table.updated(TableColumns.read(pd.DataFrame({"id": [4, 1], "t": ["c", None]}), "item_features"))
    assert later.of("t", np.array([1, 3, 4])).objects().tolist() == [None, "a", "c"]
    assert later.of("n", np.array([1, 4])).objects().tolist() == [1.0, None]
