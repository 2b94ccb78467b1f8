"""Friends in, for any recommender."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skrec import (
    ContextEncoder,
    FallbackRecommender,
    FusionRecommender,
    HybridMFRecommender,
    ItemKNNRecommender,
    LeaveLastOut,
    LinkTable,
    Pipeline,
    PopularRecommender,
    SocialRecommender,
)
from skrec.persistence import skops_trusted_types
from skrec.testing import check_recommender


def shop(seed=0, n_users=60, n_items=30):
    """Two groups of users who choose from two halves of the catalogue."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), 6)
    items = rng.integers(0, n_items // 2, len(users)) + n_items // 2 * (users % 2)
    return np.column_stack([users, items])


def links(n_users=60, n=4, seed=0):
    """Everybody knows some of the own group; user 60 to 69 have no events."""
    rng = np.random.default_rng(seed)
    return [(user, int(rng.integers(0, n_users // 2)) * 2 + user % 2) for user in range(n_users + 10) for _ in range(n)]


def fitted(rec=None, table=None, **options):
    rec = PopularRecommender() if rec is None else rec
    options = {"weight": 0.5} | options
    return SocialRecommender(rec, **options).fit(shop(), user_links=LinkTable(links() if table is None else table))


def test_contract():
    rec = SocialRecommender(ItemKNNRecommender(), weight=0.4)
    check_recommender(rec)


def test_users_without_events_get_what_friends_chose():
    rec = fitted()
    for user in range(60, 70):
        found = rec.recommend([user], k=5)
        assert (found.items[0] // 15 == user % 2).all()
    assert 60 not in rec.users_
    # Who has no links either gets the recommender's list.
    plain = PopularRecommender().fit(shop())
    assert rec.recommend([999], k=5).items.tolist() == plain.recommend([999], k=5).items.tolist()


def test_by_hand():
    X = [["ann", "tea"], ["bob", "tea"], ["cid", "rye"], ["cid", "oat"], ["cid", "oat"]]
    table = LinkTable(
        [
            ("eve", "cid"),
            (
                "eve",
                "ann",
            ),
        ]
    )
    rec = SocialRecommender(PopularRecommender(), 0.5, cold_weight=0.5, friends_of_friends=0).fit(X, user_links=table)
    items, scores = rec.recommend(["eve"], k=3)
    # tea 2, oat 2, rye 1; friends: ann's tea 1, cid's rye log 2 and oat log 3, in rows of length 1, over the largest.
    of_cid = np.log1p([1, 2]) / np.linalg.norm(np.log1p([1, 2]))
    wanted = {"tea": (2 + 1 + 1) / 2, "rye": (1 + 1 + of_cid[0]) / 2, "oat": (2 + 1 + of_cid[1]) / 2}
    assert dict(zip(items[0].tolist(), scores[0].tolist(), strict=True)) == pytest.approx(wanted)


def test_items_of_friends_beyond_the_list():
    X = np.array([[user, 0] for user in range(9)] + [[user, 1] for user in range(8)] + [[8, 2]])
    rec = SocialRecommender(PopularRecommender(), 0.9, n_candidates=1).fit(X, user_links=LinkTable([(99, 8)]))
    assert 2 in rec.recommend([99], k=2).items
    # Whatever else is asked for holds for them too.
    assert 2 not in rec.recommend([99], k=2, candidates=[0, 1]).items
    assert 2 not in rec.recommend([99, 98], k=2, candidates=[[0, 1], [2]]).items[0]
    assert 2 not in rec.recommend([99], k=2, exclude=[[99, 2]]).items
    assert 2 not in rec.recommend([99], k=2, history=[[99, 2]]).items


def test_weight_0_is_the_recommender():
    plain = ItemKNNRecommender().fit(shop())
    rec = fitted(ItemKNNRecommender(), weight=0)
    for mine, theirs in zip(rec.recommend(k=7), plain.recommend(k=7), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    X = shop()[:20]
    np.testing.assert_allclose(rec.predict(X), plain.predict(X))


def test_no_links_at_all():
    plain = PopularRecommender().fit(shop())
    for table in (None, LinkTable([]), LinkTable([(3, 3)])):
        rec = SocialRecommender(PopularRecommender()).fit(shop(), user_links=table)
        assert rec.weight_ == 0
        assert rec.recommend(k=5).items.tolist() == plain.recommend(k=5).items.tolist()
        assert len(rec.recommend_users(k=3)) == 60


def test_links_among_users_without_events_alone():
    rec = SocialRecommender(PopularRecommender()).fit(shop(), user_links=LinkTable([(100, 101), (101, 102)]))
    assert rec.recommend([100], k=3).items.shape == (1, 3)
    assert rec.recommend_users([100], k=1).items.tolist() == [[102]]


def test_a_bare_table_as_long_as_X():
    with pytest.raises(ValueError, match="as many as X"):
        SocialRecommender(PopularRecommender()).fit(shop(), user_links=shop())
    SocialRecommender(PopularRecommender(), 0.2).fit(shop(), user_links=LinkTable(shop()))


def test_ids_of_another_kind():
    with pytest.raises(TypeError, match="users of user_links"):
        SocialRecommender(PopularRecommender()).fit(shop(), user_links=[("a", "b")])


def test_an_iterator_of_links():
    rec = SocialRecommender(PopularRecommender(), 0.5).fit(shop(), user_links=iter(links()))
    assert rec.recommend([61], k=5).items.tolist() == fitted().recommend([61], k=5).items.tolist()


def test_auto_takes_friends_in_where_they_help_and_only_there():
    X, table = shop(), links()
    helped = SocialRecommender(PopularRecommender()).fit(X, user_links=LinkTable(table))
    assert helped.weight_ > 0
    rng = np.random.default_rng(1)
    shuffled = np.column_stack([np.array(table)[:, 0], rng.permutation(np.array(table)[:, 1])])
    assert SocialRecommender(PopularRecommender()).fit(X, user_links=LinkTable(shuffled)).weight_ < helped.weight_
    with pytest.raises(ValueError, match="FrozenEstimator"):
        fitted(FrozenEstimator(PopularRecommender().fit(X)), weight="auto")


def test_predict():
    rec = fitted()
    X = np.array([[60, 0], [60, 15], [999, 0], [999, 15], [0, 3]])
    scores = rec.predict(X)
    plain = PopularRecommender().fit(shop()).predict(X)
    assert scores[0] > scores[1]
    assert scores[2:4].tolist() == pytest.approx(plain[2:4].tolist())
    np.testing.assert_allclose(rec.predict(X[:1]), scores[:1])
    y = np.random.default_rng(0).integers(1, 6, len(shop()))
    model = HybridMFRecommender(feedback="explicit", n_factors=4)
    stars = SocialRecommender(model, 0.5).fit(shop(), y, user_links=LinkTable(links()))
    np.testing.assert_allclose(stars.predict(X), clone(model).fit(shop(), y).predict(X), rtol=1e-5)
    assert stars.recommend([60], k=3).items.shape == (1, 3)


def test_explain_names_friends_by_public_links_alone():
    X = [["ann", "tea"], ["bob", "rye"], ["cid", "rye"], ["dan", "oat"]]
    table = pd.DataFrame({"a": ["eve", "eve"], "b": ["bob", "cid"], "private": [False, True]})
    rec = SocialRecommender(ItemKNNRecommender(), 0.5).fit(X, user_links=LinkTable(table))
    told = rec.explain(["eve", "eve"], ["rye", "oat"])
    assert told.text[0].startswith("Chosen by your friends: bob. ")
    assert str(told.evidence[0][0]) == "a friend chose it: bob"
    assert "cid" not in " ".join(map(str, [*told.text, *told.evidence[0]]))
    assert "friends" not in told.text[1]
    assert rec.explain(rec.recommend(["eve"], k=2)).text[0].startswith("Chosen by")


def test_blocked_pairs_have_nothing_of_each_other():
    X = [["ann", "tea"], ["bob", "rye"], ["cid", "oat"]]
    rows = {"a": ["eve", "eve", "ann"], "b": ["bob", "ann", "bob"], "blocked": [True, False, False]}
    rec = SocialRecommender(PopularRecommender(), 0.5, friends_of_friends=1).fit(
        X, user_links=LinkTable(pd.DataFrame(rows))
    )
    assert rec.recommend(["eve"], k=1).items.tolist() == [["tea"]]
    chosen = rec._friends_choices(rec._links.user_index.codes(["eve"], "users")).toarray()[0]
    assert chosen[rec._item_index.codes(["rye"], "items")] == 0


def test_half_life():
    X = pd.DataFrame({"user": [1, 2, 3], "item": ["old", "new", "x"], "timestamp": [0.0, 100.0, 50.0]})
    table = LinkTable([(9, 1), (9, 2)])
    rec = SocialRecommender(PopularRecommender(), cold_weight=1, half_life=10).fit(X, user_links=table)
    aged = LinkTable(pd.DataFrame({"a": [9, 9], "b": [1, 2], "timestamp": [0, 100]}))
    newer = SocialRecommender(PopularRecommender(), cold_weight=1, half_life=10).fit(X, user_links=aged)
    assert newer.recommend([9], k=1).items.tolist() == [["new"]]
    assert rec.recommend([9], k=1).items.shape == (1, 1)


def test_partial_fit_adds_links_and_users():
    rec = fitted()
    rec.partial_fit([[70, 3], [70, 4]], user_links=LinkTable([(71, 70), (0, 1)]))
    assert rec.recommend([71], k=2).items[0].tolist() in ([3, 4], [4, 3])
    assert rec.recommend([61], k=5).items[0].min() >= 15
    first = SocialRecommender(PopularRecommender(), 0.5).partial_fit(shop(), user_links=LinkTable(links()))
    assert first.recommend(k=4).items.tolist() == fitted().recommend(k=4).items.tolist()


def test_saved_and_loaded(tmp_path):
    skops = pytest.importorskip("skops.io")
    table = pd.DataFrame(links(), columns=["a", "b"]).assign(timestamp=3, private=False)
    rec = fitted(ItemKNNRecommender(), LinkTable(table))
    joblib.dump(rec, tmp_path / "rec.joblib")
    loaded = [joblib.load(tmp_path / "rec.joblib")]
    skops.dump(rec, tmp_path / "rec.skops")
    loaded.append(skops.load(tmp_path / "rec.skops", trusted=skops_trusted_types()))
    for other in loaded:
        for mine, theirs in zip(rec.recommend([0, 61], k=5), other.recommend([0, 61], k=5), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert other.recommend_users([0], k=3).reasons == rec.recommend_users([0], k=3).reasons


@pytest.mark.parametrize(
    "outer",
    [
        lambda rec: Pipeline([("context", ContextEncoder()), ("rec", rec)]),
        lambda rec: FusionRecommender([("social", rec), ("popular", PopularRecommender())]),
        lambda rec: FallbackRecommender([("social", rec)]),
    ],
)
def test_inside_others_and_around_them(outer):
    table = LinkTable(links())
    rec = outer(SocialRecommender(PopularRecommender(), 0.5)).fit(shop(), user_links=table)
    assert rec.recommend([61], k=5).items.shape == (1, 5)
    rec = SocialRecommender(outer(PopularRecommender()), 0.9).fit(shop(), user_links=table)
    assert (rec.recommend([61], k=5).items >= 15).all()


def test_grid_search():
    table = LinkTable(links())
    search = GridSearchCV(
        SocialRecommender(PopularRecommender(), 0.1), {"weight": [0.0, 0.6]}, cv=LeaveLastOut(), error_score="raise"
    )
    search.fit(shop(), user_links=table)
    assert search.best_params_ == {"weight": 0.6}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"weight": 2}, "weight"),
        ({"weight": "best"}, "weight"),
        ({"half_life": 0}, "half_life"),
        ({"people_weights": {"tastes": 1}}, "people_weights has 'tastes'"),
        ({"people_weights": {"taste": -1}}, "people_weights"),
        ({"people_weights": {"taste": 0}}, "all 0"),
    ],
)
def test_bad_parameters(options, error):
    with pytest.raises(ValueError, match=error):
        fitted(**options)


def test_all_warnings_are_meant():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(weight="auto").recommend(k=3)
