"""People one may know."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from skrec import FeatureTable, LinkTable, PopularRecommender, SocialRecommender, UserRecommendations

X = [["ann", "tea"], ["bob", "tea"], ["cid", "rye"], ["dan", "rye"], ["eve", "oat"], ["fay", "oat"], ["gus", "tea"]]
PAIRS = [("ann", "bob"), ("bob", "cid"), ("cid", "dan"), ("dan", "eve"), ("bob", "fay"), ("ann", "fay")]


def fitted(table=PAIRS, X=X, **options):
    return SocialRecommender(PopularRecommender(), 0.5, **options).fit(X, user_links=LinkTable(table))


def with_columns(**columns):
    return pd.DataFrame(PAIRS, columns=["a", "b"]).assign(**columns)


def test_who_is_near_and_why():
    found = fitted().recommend_users(["ann"], k=2)
    assert isinstance(found, UserRecommendations)
    people, scores = found
    assert people[0, 0] == "cid"
    assert found.reasons[0][0] == "1 friend in common: bob."
    assert scores[0, 0] > scores[0, 1]


def test_nobody_is_offered_oneself_a_friend_or_a_blocked_person():
    table = with_columns(blocked=False)
    table.loc[len(table)] = ["dan", "ann", True]
    rec = fitted(table)
    found = rec.recommend_users(k=6, blocked=[("gus", "cid")])
    for user, people in zip(found.users, found.items, strict=True):
        friends = {b if a == user else a for a, b in PAIRS if user in (a, b)}
        assert not {user, *friends} & set(people)
    of = dict(zip(found.users, found.items.tolist(), strict=True))
    assert "dan" not in of["ann"]
    assert "ann" not in of["dan"]
    assert "gus" not in of["cid"]
    assert "cid" not in of["gus"]
    assert found.items.shape == (7, 6)
    assert (found.scores[found.codes < 0] == -np.inf).all()


def test_a_blocked_person_is_no_reason():
    # bob is a friend of both, and ann has blocked him since.
    found = fitted().recommend_users(["ann"], k=6, blocked=LinkTable([("bob", "ann")]))
    assert "bob" not in " ".join(found.reasons[0])
    assert "bob" not in found.items


@pytest.mark.parametrize("hidden", [[("ann", "bob")], [("bob", "cid")], [("ann", "bob"), ("bob", "cid")]])
def test_reasons_tell_of_no_hidden_link(hidden):
    # With tea for ann and bob, neither names nor counts may tell that bob is between ann and cid.
    private = [pair in hidden for pair in PAIRS]
    rec = fitted(with_columns(private=private), people_weights={"walks": 1})
    found = rec.recommend_users(["ann", "cid"], k=6)
    told = {
        (user, other): reason
        for user, people, reasons in zip(found.users, found.items, found.reasons, strict=True)
        for other, reason in zip(people, reasons, strict=True)
    }
    assert told["ann", "cid"] == told["cid", "ann"] == "Someone you may know."
    open_one = fitted(with_columns(private=False)).recommend_users(["ann"], k=1)
    assert open_one.reasons == [["1 friend in common: bob."]]


def test_counts_are_of_public_links():
    pairs = [("a", f"f{n}") for n in range(5)] + [("b", f"f{n}") for n in range(5)]
    table = pd.DataFrame(pairs, columns=["x", "y"]).assign(private=[False] * 8 + [True] * 2)
    found = fitted(LinkTable(table)).recommend_users(["a"], k=1)
    assert found.reasons == [["3 friends in common: f0, f1, f2."]]
    table["private"] = False
    found = fitted(LinkTable(table)).recommend_users(["a"], k=1)
    assert found.reasons == [["5 friends in common: f0, f1, f2 and 2 more."]]


def test_taste():
    found = fitted(people_weights={"taste": 1}).recommend_users(["gus"], k=2)
    assert set(found.items[0]) == {"ann", "bob"}
    assert found.reasons[0] == ["1 choice in common: tea."] * 2


def test_texts_about_users():
    texts = pd.DataFrame({"user": ["gus", "dan", "eve"], "about": ["I climb rocks", "rocks to climb", "chess and tea"]})
    rec = SocialRecommender(PopularRecommender(), 0.5, user_encoder=TfidfVectorizer(), people_weights={"texts": 1}).fit(
        X, user_links=LinkTable(PAIRS), user_features=FeatureTable(texts)
    )
    found = rec.recommend_users(["gus"], k=1)
    assert found.items.tolist() == [["dan"]]
    assert found.reasons == [["Similar profiles."]]
    more = pd.DataFrame({"user": ["hal"], "about": ["climb rocks"]})
    rec.partial_fit([["hal", "oat"]], user_features=FeatureTable(more))
    assert rec.recommend_users(["hal"], k=1).items[0, 0] in ("gus", "dan")


def test_an_unknown_user_gets_a_list():
    found = fitted().recommend_users(["new"], k=2)
    assert found.items[0, 0] == "bob"
    assert found.reasons == [["Someone you may know."] * 2]


def test_directed_links():
    rec = fitted(LinkTable([("ann", "bob"), ("cid", "bob")], directed=True))
    found = rec.recommend_users(["ann", "bob"], k=6)
    assert "bob" not in found.items[0]
    assert {"ann", "cid"} <= set(found.items[1])  # bob follows nobody yet


def test_the_result():
    found = fitted().recommend_users(["ann", "bob"], k=2)
    frame = found.to_frame()
    assert list(frame.columns) == ["user", "recommended_user", "score", "rank", "reason"]
    assert len(found[1]) == len(found[:1]) == 1
    assert found[1].reasons == found.reasons[1:]
    assert "recommended_user" in repr(found)
    assert fitted().recommend_users([], k=2).items.shape == (0, 2)


@pytest.mark.parametrize(("options", "error"), [({"k": 0}, "k must"), ({"blocked": "ann"}, "blocked is of type str")])
def test_bad_arguments(options, error):
    with pytest.raises((TypeError, ValueError), match=error):
        fitted().recommend_users(["ann"], **options)


def test_brute_force_common_friends():
    rng = np.random.default_rng(0)
    pairs = [(int(a), int(b)) for a, b in rng.integers(0, 12, (30, 2)) if a != b]
    rec = fitted(pairs, X=[[user, 0] for user in range(12)], people_weights={"common_friends": 1})
    near = {user: {b for a, b in pairs if a == user} | {a for a, b in pairs if b == user} for user in range(12)}
    found = rec.recommend_users(list(range(12)), k=1)
    for user, person, score in zip(found.users, found.items[:, 0], found.scores[:, 0], strict=True):
        value = {
            other: sum(1 / np.log(max(len(near[one]), 2)) for one in near[user] & near[other])
            for other in range(12)
            if other != user and other not in near[user]
        }
        if score > 0.01:
            assert value[person] == pytest.approx(max(value.values()))
