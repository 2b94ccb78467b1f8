"""Checks of requests: what a fitted recommender recommends, predicts and explains."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skrec.base import lists_follow_predict
from skrec.testing._data import (
    N_COLD,
    N_ITEMS,
    N_USERS,
    assert_same,
    checkerboard,
    fit,
    item_table,
    raises,
    text_encoder,
    text_table,
)


def check_shapes_and_order(rec: Any) -> None:
    """Two (n_users, k) arrays, best first; all users by default; repeats of a user get identical rows."""
    fit(rec, checkerboard(), item_features=item_table())
    items, scores = rec.recommend(k=4)
    assert items.shape == scores.shape == (N_USERS, 4)
    assert items.dtype == rec.items_.dtype
    assert (np.diff(scores, axis=1) <= 0).all(), "scores must fall along a row"
    assert_array_equal(rec.users_, np.arange(N_USERS))
    twice = rec.recommend([3, 3, 1], k=4)
    assert_array_equal(twice.items[0], twice.items[1])
    assert_array_equal(twice.items[[0, 2]], items[[3, 1]])
    assert len(rec.recommend([3], k=4).to_frame()) == 4


def check_nothing_seen_is_recommended(rec: Any) -> None:
    """Seen items are excluded unless exclude_seen is False."""
    X = checkerboard()
    fit(rec, X)
    seen = set(map(tuple, X.tolist()))
    items, scores = rec.recommend(k=N_ITEMS)
    for user, row, row_scores in zip(rec.users_, items, scores, strict=True):
        given = [item for item in row if item is not None]
        assert not any((user, item) in seen for item in given), f"user {user} gets a seen item"
        assert len(given) == len(set(given)) == np.isfinite(row_scores).sum()
    assert (rec.recommend(k=N_ITEMS, exclude_seen=False).codes >= 0).all()


def check_candidates_and_exclusions(rec: Any) -> None:
    """Only ``candidates``, and nothing in ``exclude``. Unknown ids are ignored; only unknown ids are an error."""
    fit(rec, checkerboard())
    shared = rec.recommend([0, 1], k=3, candidates=[1, 2, 5, 10**6], exclude_seen=False).items
    assert set(shared.ravel()) == {1, 2, 5}
    own = rec.recommend([0, 1], k=2, candidates=[[1, 2], [7, 8, 9]], exclude_seen=False).items
    assert set(own[0]) == {1, 2} and set(own[1]) <= {7, 8, 9}
    left = rec.recommend([0, 1], k=N_ITEMS - 1, exclude=[[0, 4], [0, 10**6]], exclude_seen=False).items
    assert 4 not in left[0] and 4 in rec.recommend([1], k=N_ITEMS, exclude_seen=False).items
    raises(ValueError, "candidates all unknown", rec.recommend, [0], candidates=[10**6])
    raises(ValueError, "three lists for two users", rec.recommend, [0, 1], candidates=[[1], [2], [3]])


def check_unknown_users_get_a_list(rec: Any) -> None:
    """The cold start: a full list, no KeyError, the same for all unknown users."""
    fit(rec, checkerboard())
    items = rec.recommend([10**6, 0, 10**6 + 1], k=5).items
    assert all(item is not None for item in items.ravel())
    assert_array_equal(items[0], items[2])


def check_kind_of_ids(rec: Any) -> None:
    """Text ids where numbers were fitted are a TypeError, not unknown users."""
    fit(rec, checkerboard())
    raises(TypeError, "text user ids", rec.recommend, ["0", "1"])
    raises(TypeError, "text candidates", rec.recommend, [0], candidates=["1", "2"])
    raises(TypeError, "a bare string", rec.recommend, "0")


def check_k(rec: Any) -> None:
    """k is a positive integer."""
    fit(rec, checkerboard())
    for k in (0, -1):
        raises(ValueError, f"k={k}", rec.recommend, [0], k=k)
    for bad in (2.0, "3", None, True):
        raises(TypeError, f"k={bad!r}", rec.recommend, [0], k=bad)


def check_padding(rec: Any) -> None:
    """Lists are as wide as the catalogue at most; a shorter row ends in None and -inf, never in an item."""
    X = checkerboard()
    fit(rec, X)
    for k in (N_ITEMS + 3, 10**9):
        items, scores = rec.recommend([0], k=k, exclude_seen=False)
        assert items.shape == scores.shape == (1, N_ITEMS) and np.isfinite(scores).all()
    n_new = N_ITEMS - len(np.unique(X[X[:, 0] == 0, 1]))
    items, scores = rec.recommend([0], k=N_ITEMS + 3)
    assert items.shape == (1, N_ITEMS) and items.dtype == object
    assert all(item is None for item in items[0, n_new:]) and np.isneginf(scores[0, n_new:]).all()
    assert len(rec.recommend([0], k=N_ITEMS + 3).to_frame()) == n_new


def check_history(rec: Any) -> None:
    """Events that were not in fit are used, for known and for new users, and count as seen."""
    fit(rec, checkerboard(), item_features=item_table())
    events = [[900, 2], [901, 3], [900, 4], [0, 5], [902, 10**6]]
    folded = rec.recommend(history=events, k=N_ITEMS)
    assert_array_equal(folded.users, [900, 901, 0, 902])
    assert not {2, 4} & set(folded.items[0]) and 3 not in folded.items[1] and 5 not in folded.items[2]
    assert all(item is not None for item in rec.recommend([902], k=5, history=events).items[0])
    alone, among = rec.recommend([901], k=5, history=events), rec.recommend([7, 901], k=5, history=events)
    assert_array_equal(alone.items[0], among.items[1])


def check_predict_agrees_with_recommend(rec: Any) -> None:
    """The score of a pair is the same from both, seen items included, whatever the batch.

    Where the tag ``lists_follow_predict`` is off, ``predict`` alone is checked.
    """
    X = checkerboard()
    fit(rec, X, item_features=item_table())
    ranked = rec.recommend(k=N_ITEMS + N_COLD, exclude_seen=False)
    pairs = ranked.to_frame()
    rows = np.column_stack([np.repeat(rec.users_, N_ITEMS + N_COLD), ranked.items.ravel().astype(int)])
    predicted = rec.predict(rows)
    assert predicted.shape == (len(pairs),) and np.isfinite(predicted).all()
    if lists_follow_predict(rec):
        assert_allclose(predicted, ranked.scores.ravel(), rtol=1e-4, atol=1e-5)
    assert_allclose(rec.predict(rows[7:8]), predicted[7:8], rtol=1e-5, atol=1e-6)


def check_predict_is_finite_for_unknown_ids(rec: Any) -> None:
    """Unknown users get the cold-start score, unknown items the base of the model."""
    fit(rec, checkerboard())
    assert np.isfinite(rec.predict([[10**6, 1], [1, 10**6], [10**6, 10**6]])).all()


def check_similar_items(rec: Any) -> None:
    """If the model has it: no item is its own neighbour, and an unknown id is a KeyError."""
    if not hasattr(rec, "similar_items"):
        return
    fit(rec, checkerboard(), item_features=item_table())
    items, scores = rec.similar_items([3, 4], k=3)
    assert items.shape == scores.shape == (2, 3)
    assert 3 not in items[0] and 4 not in items[1]
    raises(KeyError, "an unknown item", rec.similar_items, [10**6])


def check_item_vectors(rec: Any) -> None:
    """If the model has it: one finite vector per item, in the order of ``items_``, that the caller cannot change."""
    if not hasattr(rec, "item_vectors"):
        return
    fit(rec, checkerboard(), item_features=item_table())
    if not hasattr(rec, "item_vectors"):  # it had none to learn
        return
    vectors = rec.item_vectors()
    numbers = vectors.data if sp.issparse(vectors) else vectors
    assert numbers.dtype.kind == "f" and np.isfinite(numbers).all()
    assert vectors.shape[0] == len(rec.items_) and vectors.shape[1] > 0
    before = rec.recommend(k=3)
    if numbers.flags.writeable:
        numbers.fill(0)
    assert_same(rec.recommend(k=3), before)


def check_explain(rec: Any) -> None:
    """If the model has it: a text and evidence for each pair; cited history is the user's own."""
    if not hasattr(rec, "explain"):
        return
    X = checkerboard()
    fit(rec, X, item_features=item_table())
    users, items = [0, 1, 10**6, 900], [2, 3, 4, N_ITEMS]
    events = [[900, 2], [900, 4], [900, 10**6]]
    found = rec.explain(users, items, history=events)
    assert_array_equal(found.user, users)
    assert_array_equal(found.item, items)
    assert all(isinstance(text, str) and text.strip() for text in found.text), "every pair has a text"
    assert len(found.evidence) == len(found.method) == len(users)
    own = {user: set(X[X[:, 0] == user, 1].tolist()) for user in users} | {900: {2, 4}}
    for user, item, evidence in zip(users, items, found.evidence, strict=True):
        assert evidence, "every pair has evidence"
        cited = {reason.item for reason in evidence if reason.kind == "history"}
        assert cited <= own[user] - {item}, f"{cited - own[user] or item} is not in the history of user {user}"
    assert len(found.to_frame()) == len(users)
    assert isinstance(found._repr_html_(), str)
    one = rec.explain([0], [2, 3])
    assert_array_equal(one.user, [0, 0])
    raises(KeyError, "an unknown item", rec.explain, [0], [10**6])
    raises(ValueError, "two users and three items", rec.explain, [0, 1], [1, 2, 3])


def check_request(rec: Any) -> None:
    """A request in free text is used or refused, and a blank one is ignored."""
    X = checkerboard()
    fit(rec, X, item_features=item_table())
    plain = rec.recommend([0, 1], k=3)
    for blank in (None, "", "  ", [None, " "]):
        assert_same(rec.recommend([0, 1], k=3, request=blank), plain)
    raises(ValueError, "three requests for two users", rec.recommend, [0, 1], request=["a", "b", "c"])
    raises((TypeError, ValueError), "a number as request", rec.recommend, [0, 1], request=[3, "b"])
    if getattr(rec, "item_encoder", "") is not None:
        try:
            assert rec.recommend([0, 1], k=3, request="a quiet book").items.shape == (2, 3)
        except ValueError as error:
            assert len(str(error)) > 10, "a model that reads no text has an error that says so"
        return
    rec = fit(clone(rec).set_params(item_encoder=text_encoder()), X, item_features=text_table())
    asked = rec.recommend([0, 10**6, 0], k=3, request=["word7", "word7", None], exclude_seen=False)
    assert asked.items[1, 0] == 7, "the list of an unknown user follows the request"
    assert_same(rec.recommend([0], k=3, exclude_seen=False), rec.recommend([0], k=3, request="", exclude_seen=False))
    assert_array_equal(asked.items[2], rec.recommend([0], k=3, exclude_seen=False).items[0])
    wanted = rec.recommend([0], k=3, request="word7", request_weight=1.0, exclude_seen=False)
    assert wanted.items[0, 0] == 7
    options = {"candidates": [1, 2, 7, N_ITEMS], "exclude": [[0, 7]], "exclude_seen": False}
    left = rec.recommend([0, 1], k=4, request="word7", **options).items
    assert 7 not in left[0] and 7 in left[1] and set(left[0]) <= {1, 2, N_ITEMS, None}
    assert not set(rec.recommend([0], k=N_ITEMS, request="word7").items[0]) & set(X[X[:, 0] == 0, 1].tolist())
    raises(ValueError, "a weight of 2", rec.recommend, [0], request="word7", request_weight=2)
