"""RuleRecommender: what rules allow, and why an item is not in a list."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator

from skrec.compose import BudgetRule, CapRule, FallbackRecommender, FilterRule, ReservedPlacesReranker, RuleRecommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import PartFailureWarning, UnsupportedArgumentError
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.testing._data import text_encoder

N = 12
X = pd.DataFrame([[user, item] for item in range(N) for user in range(N - item)], columns=["user", "item"])
ITEMS = pd.DataFrame(
    {
        "item": range(N),
        "stock": [0, 3, 0, 5, 1, 1, 1, 1, 1, 0, 1, 1],
        "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, np.nan],
        "genre": ["a", "a", "a", "b", "b", "b", "c", "c", None, "d", "d", "d"],
        "region": ["eu, us"] * 6 + ["us"] * 5 + [None],
        "min_age": [0] * 4 + [18] * 8,
    }
)
USERS = pd.DataFrame(
    {
        "user": range(5),
        "region": ["eu", "us", None, "eu", "us"],
        "age": [30, 12, 40, 9, None],
        "cash": [9, 3, 99, None, 0],
    }
)


def ruled(*rules, **params):
    rec = RuleRecommender(PopularRecommender(), list(rules), **params)
    return rec.fit(X, item_features=FeatureTable(ITEMS), user_features=FeatureTable(USERS))


def lists(rec, users, k=3, **options):
    options.setdefault("exclude_seen", False)
    return rec.recommend(users, k=k, **options).items.tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FilterRule("stock", ">", 0), [1, 3, 4]),
        (FilterRule("price", ">=", 10), [9, 10, None]),
        (FilterRule("price", ">=", 10, missing="keep"), [9, 10, 11]),
        (FilterRule("genre", "==", "c"), [6, 7, None]),
        (FilterRule("genre", "!=", "a", missing="keep"), [3, 4, 5]),
        (FilterRule("genre", "in", ["c", "d"]), [6, 7, 9]),
        (FilterRule("genre", "in", "c; d"), [6, 7, 9]),
        (FilterRule("genre", "not in", ["a", "b"]), [6, 7, 9]),
        (FilterRule("genre", "not in", ["a", "b"], missing="keep"), [6, 7, 8]),
        (FilterRule("region", "contains", "eu"), [0, 1, 2]),
        (FilterRule("region", "does not contain", "eu"), [6, 7, 8]),
        (FilterRule("n_events", "<", 4), [9, 10, 11]),
    ],
)
def test_filters_of_items(rule, expected):
    assert lists(ruled(rule), [99]) == [expected]


@pytest.mark.parametrize("cell", ["小说、讽刺", "小说，讽刺", "小说；讽刺", "小说｜讽刺", "小说|讽刺", "讽刺 / 小说"])
def test_lists_in_the_separators_of_all_scripts(cell):
    X = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 3]})
    table = pd.DataFrame({"item": [1, 2, 3], "类型": ["小说", cell, "诗歌"]})
    rec = RuleRecommender(PopularRecommender(), [FilterRule("类型", "contains", "讽刺")])
    items = rec.fit(X, item_features=FeatureTable(table)).recommend([9], k=3).items[0].tolist()
    assert items == [2, None, None]


def test_filters_by_a_column_of_the_user():
    region = FilterRule("region", "contains", user="region")
    assert lists(ruled(region), [0, 1, 2, 99], k=7)[0] == [0, 1, 2, 3, 4, 5, None]
    assert lists(ruled(region), [1], k=7) == [[0, 1, 2, 3, 4, 5, 6]]
    nobody = ruled(region).recommend([2, 99], k=2)
    assert (nobody.codes < 0).all(), "a missing value drops"
    assert nobody.report["removed"] == {"region contains region of the user": 2 * N - 10}
    assert nobody.report["n_short"] == 2
    kept = FilterRule("region", "contains", user="region", missing="keep")
    assert lists(ruled(kept), [2, 99], k=2) == [[0, 1], [0, 1]]
    age = FilterRule("min_age", "<=", user="age")
    assert lists(ruled(age), [0, 1, 3], k=5) == [[0, 1, 2, 3, 4], [0, 1, 2, 3, None], [0, 1, 2, 3, None]]


def test_users_of_the_call():
    """Also of a recommender that has no use for them; those of fit hold for the others."""
    rec = ruled(FilterRule("min_age", "<=", user="age"))
    told = pd.DataFrame({"user": [77, 3], "age": [50, 20]})
    options = {"user_features": told, "exclude_seen": False, "k": 5}
    assert lists(rec, [77, 3, 1], **options) == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, None]]
    assert rec.recommend(**options).users.tolist() == [77, 3]
    assert rec.why_not([77, 1], [9, 9], user_features=told, exclude_seen=False).step == ["recommended", "rule"]
    with pytest.raises(UnsupportedArgumentError, match="does not use user_features"):
        ruled(CapRule("genre", 1)).recommend([77], user_features=told)


def test_lists_stay_full_where_little_is_retrieved_first():
    rec = ruled(FilterRule("min_age", ">", user="age"), n_candidates=1)
    assert lists(rec, [1, 3, 0], k=8) == [[4, 5, 6, 7, 8, 9, 10, 11]] * 2 + [[None] * 8]
    assert rec.recommend([1], k=3).items.tolist() == [[11, None, None]], "user 1 has seen the others"
    assert (np.diff(rec.recommend([1], k=3, exclude_seen=False).scores) <= 0).all()


def test_caps_per_category():
    assert lists(ruled(CapRule("genre", 1)), [99], k=5) == [[0, 3, 6, 8, 9]]
    assert lists(ruled(CapRule("genre", 1, missing="drop")), [99], k=5) == [[0, 3, 6, 9, None]]
    both = ruled(CapRule("genre", 2), CapRule("min_age", 2))
    assert lists(both, [99, 98], k=5) == [[0, 1, 4, 5, None]] * 2
    assert both.recommend([99], k=5).report["removed"] == {"at most 2 per genre": 1, "at most 2 per min_age": 7}


def test_budgets():
    assert lists(ruled(BudgetRule("price", 10)), [99], k=5) == [[0, 1, 2, 3, None]]
    assert lists(ruled(BudgetRule("price", 10, missing="keep")), [99], k=5) == [[0, 1, 2, 3, 11]]
    of_user = ruled(BudgetRule("price", user="cash"))
    assert lists(of_user, [0, 1, 3, 4], k=3) == [[0, 1, 2], [0, 1, None], [0, 1, 2], [None] * 3]
    skipping = ruled(BudgetRule("price", 8), FilterRule("stock", ">", 0))
    assert lists(skipping, [99], k=3) == [[1, 3, None]]
    with pytest.raises(TypeError, match="adds up 'genre'"):
        ruled(BudgetRule("genre", 3)).recommend([99])
    with pytest.raises(ValueError, match="values below 0"):
        ruled(BudgetRule("price", 3), item_table=ITEMS.assign(price=-1.0)).recommend([99])


def even_pairs(users, items):
    return (users + items) % 2 == 0


def test_a_function_is_a_rule():
    rec = ruled(even_pairs)
    assert lists(rec, [0, 1]) == [[0, 2, 4], [1, 3, 5]]
    assert rec.recommend([98], k=3).report["removed"] == {"even_pairs": 6}
    assert lists(pickle.loads(pickle.dumps(rec)), [1]) == [[1, 3, 5]]
    with pytest.raises(ValueError, match="one bool per pair"):
        ruled(lambda users, items: True).recommend([0])


def test_current_data_needs_no_fit():
    rec = ruled(FilterRule("stock", ">", 0))
    before = rec.recommender_
    rec.set_params(item_table=FeatureTable(pl.DataFrame({"item": [0, 3], "stock": [2, 0]})))
    assert lists(rec, [99]) == [[0, None, None]], "what has no row in the table that counts is missing"
    rec.item_table = pd.DataFrame({"stock": [7], "item": [4]})
    assert lists(rec, [99]) == [[4, None, None]], "the item column by its name in X"
    rec.set_params(item_table=None)
    assert lists(rec, [99]) == [[1, 3, 4]]
    assert rec.recommender_ is before
    rec.partial_fit(item_features=FeatureTable(ITEMS.assign(stock=[1] * 3 + [0] * 9)))
    assert lists(rec, [99]) == [[0, 1, 2]]


def test_partial_fit_brings_items_and_users():
    rec = ruled(FilterRule("genre", "==", "new"), FilterRule("min_age", "<=", user="age"))
    more = ITEMS.iloc[:2].assign(item=[50, 51], genre="new", min_age=[0, 60])
    rec.partial_fit(
        pd.DataFrame({"user": [70], "item": [50]}),
        item_features=FeatureTable(more),
        user_features=FeatureTable(USERS.iloc[:1].assign(user=71)),
    )
    assert lists(rec, [71, 0, 70], k=2) == [[50, None], [50, None], [None, None]]


def test_columns_that_only_the_rules_need_have_a_place_of_their_own():
    X = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 1, 2]})
    books = pd.DataFrame({"item": [0, 1, 2], "title": ["Emma", "Walden", "Dracula"], "stock": [1, 0, 2]})
    rec = RuleRecommender(HybridMFRecommender(n_factors=2, max_iter=2), [FilterRule("stock", ">", 0)])
    with pytest.raises(UnsupportedArgumentError, match=r"'title' holds .* pass the table as its item_table= alone"):
        rec.fit(X, item_features=books)
    found = rec.set_params(item_table=books).fit(X).recommend([0, 1], k=3, exclude_seen=False)
    assert {item for row in found.items.tolist() for item in row} == {0, 2, None}


def test_filters_by_the_context():
    hours = pd.DataFrame({"user": X.user, "item": X.item, "hour": X.index % 24})
    table = FeatureTable(pd.DataFrame({"item": range(N), "opens": [0, 8] * 6}))
    rec = RuleRecommender(PopularRecommender(), [FilterRule("opens", "<=", context="hour")])
    rec.fit(hours, item_features=table)
    assert lists(rec, [0, 1], k=2, context=pd.DataFrame({"hour": [3, 9]})) == [[0, 2], [0, 1]]
    assert lists(rec, [0, 1], k=2, context=[[3]]) == [[0, 2], [0, 2]]
    assert lists(rec, [0], k=2) == [[None, None]], "no context, and a missing value drops"
    pipe = make_pipeline(ContextEncoder(), RuleRecommender(PopularRecommender(), [CapRule("opens", 1)]))
    assert lists(pipe.fit(hours, item_features=table), [0], k=2, context=[[3]]) == [[0, 1]]


def test_a_rule_that_removes_everything_is_told():
    found = ruled(FilterRule("stock", ">", 99), CapRule("genre", 1)).recommend([0, 99], k=3)
    assert (found.codes < 0).all()
    assert np.isneginf(found.scores).all()
    assert found.report["removed"] == {"stock > 99": 2 * N, "at most 1 per genre": 0}
    assert found.report["n_short"] == 2
    partly = ruled(FilterRule("stock", ">", 4)).recommend([0, 99], k=2, candidates=[[0, 1], [3, 4]], exclude_seen=False)
    assert partly.items.tolist() == [[None, None], [3, None]]
    assert partly.report["removed"] == {"stock > 4": 3}


def test_columns_that_are_not_there():
    with pytest.raises(ValueError, match=r"reads the column 'stok' of the items.*'stock'"):
        ruled(FilterRule("stok", ">", 0))
    with pytest.raises(ValueError, match="column 'country' of user_features"):
        ruled(FilterRule("region", "==", user="country")).recommend([0])
    late = RuleRecommender(PopularRecommender(), [FilterRule("stock", ">", 0)]).fit(X)
    with pytest.raises(ValueError, match="reads the column 'stock'"):
        late.recommend([0])
    assert lists(late.set_params(item_table=ITEMS), [99], k=2) == [[1, 3]]
    with pytest.raises(TypeError, match="compares values of different types"):
        ruled(FilterRule("stock", ">", "none")).recommend([0])
    with pytest.raises(TypeError, match="different types"):
        ruled(FilterRule("price", "<=", user="region")).recommend([0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FilterRule("a", "=>", 1), ValueError, "expected one of '=='"),
        (lambda: FilterRule("a", "=="), ValueError, "exactly one of value, user and context"),
        (lambda: FilterRule("a", "==", 1, user="b"), ValueError, "exactly one"),
        (lambda: FilterRule("a", "==", 1, missing="no"), ValueError, "'drop' or 'keep'"),
        (lambda: CapRule("a", 0), ValueError, "at least 1"),
        (lambda: BudgetRule("a"), ValueError, "exactly one of limit"),
        (lambda: BudgetRule("a", "ten"), TypeError, "limit must be a number"),
        (lambda: ruled("stock > 0"), TypeError, "rules must hold FilterRule"),
    ],
)
def test_bad_rules(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_why_not():
    rules = [FilterRule("stock", ">", 0), FilterRule("min_age", "<=", user="age"), CapRule("genre", 1, name="genres")]
    rec = ruled(*rules)
    pairs = {
        (1, 777): ("not in catalogue", None, None),
        (1, 1): ("seen", None, None),
        (0, 11): ("seen", None, None),
        (99, 2): ("rule", "stock > 0", None),
        (3, 11): ("rule", "min_age <= age of the user", None),
    }
    why = rec.why_not([user for user, _ in pairs], [item for _, item in pairs], k=2)
    assert list(zip(why.step, why.rule, why.rank, strict=True)) == list(pairs.values())
    free = rec.why_not([0], [1, 3, 4, 6, 10], k=2, exclude_seen=False, exclude=[[0, 6]])
    assert free.step == ["recommended", "recommended", "rule", "excluded", "below the cut"]
    assert free.rule == [None, None, "genres", None, None]
    assert free.rank == [1, 2, None, None, 5]
    assert free.text[4] == "has rank 5, and the list has 2 places"
    assert "is kept out by the rule 'genres'" in repr(free)
    assert free.to_frame().shape == (5, 6)
    listed = rec.why_not([0, 0], [3, 4], candidates=[[1, 3], [3]], exclude_seen=False)
    assert listed.step == ["recommended", "not a candidate"]
    assert len(rec.why_not([], [])) == 0
    with pytest.raises(ValueError, match="2 users and 3 items"):
        rec.why_not([1, 2], [1, 2, 3])


def test_why_not_agrees_with_the_lists():
    rec = ruled(FilterRule("stock", ">", 0), even_pairs, CapRule("genre", 2), BudgetRule("price", 30))
    users = np.repeat([2, 7, 99], N)
    why = rec.why_not(users, np.tile(np.arange(N), 3), k=3)
    found = rec.recommend([2, 7, 99], k=3)
    for row, user in enumerate([2, 7, 99]):
        rows = [at for at in np.flatnonzero(users == user) if why.step[at] == "recommended"]
        ranked = sorted(rows, key=lambda at: why.rank[at])
        assert [why.item[at] for at in ranked] == [item for item in found.items[row] if item is not None]
    assert "rule" in why.step
    assert "seen" in why.step


def test_similar_items_and_search_obey_rules_about_items():
    rec = RuleRecommender(ItemKNNRecommender(), [FilterRule("stock", ">", 0)], item_table=ITEMS).fit(X)
    assert not {0, 2, 9} & set(rec.similar_items([1], k=5).items[0])
    part = rec.similar_items([1, 3], k=2, candidates=[[0, 2], [4, 5, 0]])
    assert part.items[0].tolist() == [None, None]
    assert set(part.items[1]) == {4, 5}
    texts = FeatureTable(pd.DataFrame({"item": range(N), "text": [f"text number {item}" for item in range(N)]}))
    knn = FrozenEstimator(EmbeddingKNNRecommender(item_encoder=text_encoder()).fit(X, item_features=texts))
    found = RuleRecommender(knn, [FilterRule("stock", ">", 0)], item_table=ITEMS).fit(X)
    assert 2 not in found.search("text number 2", k=5).items[0]
    assert found.search(["text number 3"], k=1).items.tolist() == [[3]]
    assert not hasattr(RuleRecommender(ReservedPlacesReranker(PopularRecommender())), "nothing_like_it")


class Broken(PopularRecommender):
    """Fits, and fails at every request."""

    def recommend(self, users=None, k=10, **options):
        raise RuntimeError("the server of this part is gone")


def test_all_of_them_together():
    """Rules over reserved places over a fallback, of which a part fails."""
    base = FallbackRecommender([("broken", Broken()), ("knn", ItemKNNRecommender()), ("popular", PopularRecommender())])
    rules = [FilterRule("stock", ">", 0), CapRule("genre", 2)]
    groups = {"new": FilterRule("n_events", "<", 3)}
    rec = ReservedPlacesReranker(RuleRecommender(base, rules, item_table=ITEMS), {"new": 1}, groups=groups).fit(X)
    with pytest.warns(PartFailureWarning, match="the server"):
        found = rec.recommend([3, 99], k=3)
    assert found.items.tolist() == [[10, 11, None], [1, 3, 10]]
    assert found.report["n_short"] == {"new": 0}
    inner = found.report["recommender"]
    assert inner["removed"]["stock > 0"] == 6
    assert inner["recommender"]["failures"] == {"broken": "RuntimeError: the server of this part is gone"}
    rec.set_params(recommender__recommender__popular__recency_decay=0.9)
    assert rec.recommender.recommender.recommenders[2][1].recency_decay == 0.9


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lists_are_those_of_a_loop(data):
    """Filters, a cap and a budget against one item at a time, from first lists of any length."""
    k, n_first = data.draw(st.integers(1, N)), data.draw(st.integers(1, N))
    n, limit = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 40))
    rec = RuleRecommender(
        PopularRecommender(),
        [even_pairs, CapRule("genre", n), BudgetRule("price", limit)],
        item_table=ITEMS,
        n_candidates=n_first,
    ).fit(X)
    found = rec.recommend([0, 1, 99], k=k, exclude_seen=False)
    for row, user in enumerate([0, 1, 99]):
        taken, spent, counts = [], 0.0, {}
        for item in range(N):
            price, genre = ITEMS.price[item], ITEMS.genre[item]
            fits = (user + item) % 2 == 0 and price == price and spent + price <= limit
            if not fits or (isinstance(genre, str) and counts.get(genre, 0) >= n) or len(taken) == k:
                continue
            taken.append(item)
            spent += price
            counts[genre] = counts.get(genre, 0) + 1
        assert_array_equal([item for item in found.items[row] if item is not None], taken)
