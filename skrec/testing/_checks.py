"""The single checks of the recommender contract; :mod:`skrec.testing` runs them."""

import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_validate

from skrec.exceptions import ColdStartWarning, FeatureCoverageWarning
from skrec.interactions import FeatureTable

N_USERS, N_ITEMS, N_COLD = 24, 16, 2


# Data ----------------------------------------------------------------------------------------------------


def _checkerboard(seed: int = 0) -> np.ndarray:
    """Events of users who choose items of their own parity, some withheld, shuffled."""
    users, items = np.meshgrid(np.arange(N_USERS), np.arange(N_ITEMS), indexing="ij")
    same = (users + items) % 2 == 0
    withheld = (users // 2) % (N_ITEMS // 2) == items // 2
    X = np.column_stack([users[same & ~withheld], items[same & ~withheld]])
    return np.random.default_rng(seed).permutation(X)


def _item_table() -> FeatureTable:
    """Two informative features an item; the last items have no events."""
    ids = np.arange(N_ITEMS + N_COLD)
    noise = np.random.default_rng(1).normal(scale=0.1, size=(len(ids), 2))
    return FeatureTable((ids, np.column_stack([ids % 2, 1 - ids % 2]) + noise))


def _fit(estimator: Any, X: Any, y: Any = None, **features: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        return estimator.fit(X, y, **features)


def _raises(
    kind: type[BaseException] | tuple[type[BaseException], ...], what: str, call: Callable, *args: Any, **options: Any
) -> None:
    try:
        call(*args, **options)
    except kind as error:
        assert len(str(error)) > 10, f"{what}: the message {str(error)!r} says too little"
        return
    raise AssertionError(f"{what} raised nothing")


def _same(a: Any, b: Any) -> None:
    assert_array_equal(a.items, b.items)
    assert_allclose(a.scores, b.scores, rtol=1e-4, atol=1e-5)


# Checks --------------------------------------------------------------------------------------------------


def check_shapes_and_order(rec: Any) -> None:
    """Two (n_users, k) arrays, best first; all users by default; repeats of a user alike."""
    _fit(rec, _checkerboard(), item_features=_item_table())
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
    """Seen items are left out unless asked for."""
    X = _checkerboard()
    _fit(rec, X)
    seen = set(map(tuple, X.tolist()))
    items, scores = rec.recommend(k=N_ITEMS)
    for user, row, row_scores in zip(rec.users_, items, scores, strict=True):
        given = [item for item in row if item is not None]
        assert not any((user, item) in seen for item in given), f"user {user} is given a seen item"
        assert len(given) == len(set(given)) == np.isfinite(row_scores).sum()
    assert (rec.recommend(k=N_ITEMS, exclude_seen=False).codes >= 0).all()


def check_candidates_and_exclusions(rec: Any) -> None:
    """Nothing outside ``candidates``, nothing in ``exclude``; unknown ids are passed over, all unknown is an error."""
    _fit(rec, _checkerboard())
    shared = rec.recommend([0, 1], k=3, candidates=[1, 2, 5, 10**6], exclude_seen=False).items
    assert set(shared.ravel()) == {1, 2, 5}
    own = rec.recommend([0, 1], k=2, candidates=[[1, 2], [7, 8, 9]], exclude_seen=False).items
    assert set(own[0]) == {1, 2} and set(own[1]) <= {7, 8, 9}
    left = rec.recommend([0, 1], k=N_ITEMS - 1, exclude=[[0, 4], [0, 10**6]], exclude_seen=False).items
    assert 4 not in left[0] and 4 in rec.recommend([1], k=N_ITEMS, exclude_seen=False).items
    _raises(ValueError, "candidates all unknown", rec.recommend, [0], candidates=[10**6])
    _raises(ValueError, "three lists for two users", rec.recommend, [0, 1], candidates=[[1], [2], [3]])


def check_unknown_users_get_a_list(rec: Any) -> None:
    """The cold start: a full list, no KeyError, the same for all unknown users."""
    _fit(rec, _checkerboard())
    items = rec.recommend([10**6, 0, 10**6 + 1], k=5).items
    assert all(item is not None for item in items.ravel())
    assert_array_equal(items[0], items[2])


def check_kind_of_ids(rec: Any) -> None:
    """Text where numbers were fitted is a TypeError: nothing matches in silence."""
    _fit(rec, _checkerboard())
    _raises(TypeError, "text user ids", rec.recommend, ["0", "1"])
    _raises(TypeError, "text candidates", rec.recommend, [0], candidates=["1", "2"])
    _raises(TypeError, "a bare string", rec.recommend, "0")


def check_k(rec: Any) -> None:
    """k is a positive integer."""
    _fit(rec, _checkerboard())
    for k in (0, -1):
        _raises(ValueError, f"k={k}", rec.recommend, [0], k=k)
    for bad in (2.0, "3", None, True):
        _raises(TypeError, f"k={bad!r}", rec.recommend, [0], k=bad)


def check_padding(rec: Any) -> None:
    """k beyond the catalogue pads with None and -inf, never with an item."""
    _fit(rec, _checkerboard())
    items, scores = rec.recommend([0], k=N_ITEMS + 3, exclude_seen=False)
    assert items.shape == (1, N_ITEMS + 3) and items.dtype == object
    assert all(item is None for item in items[0, N_ITEMS:]) and np.isneginf(scores[0, N_ITEMS:]).all()
    assert len(rec.recommend([0], k=N_ITEMS + 3, exclude_seen=False).to_frame()) == N_ITEMS


def check_history(rec: Any) -> None:
    """Events that were not in fit count, for known users and for new ones, and are seen."""
    _fit(rec, _checkerboard(), item_features=_item_table())
    events = [[900, 2], [901, 3], [900, 4], [0, 5], [902, 10**6]]
    folded = rec.recommend(history=events, k=N_ITEMS)
    assert_array_equal(folded.users, [900, 901, 0, 902])
    assert not {2, 4} & set(folded.items[0]) and 3 not in folded.items[1] and 5 not in folded.items[2]
    assert all(item is not None for item in rec.recommend([902], k=5, history=events).items[0])
    alone, among = rec.recommend([901], k=5, history=events), rec.recommend([7, 901], k=5, history=events)
    assert_array_equal(alone.items[0], among.items[1])


def check_predict_agrees_with_recommend(rec: Any) -> None:
    """The score of a pair is the same from both, seen items included, whatever the batch."""
    X = _checkerboard()
    _fit(rec, X, item_features=_item_table())
    ranked = rec.recommend(k=N_ITEMS + N_COLD, exclude_seen=False)
    pairs = ranked.to_frame()
    rows = np.column_stack([np.repeat(rec.users_, N_ITEMS + N_COLD), ranked.items.ravel().astype(int)])
    predicted = rec.predict(rows)
    assert predicted.shape == (len(pairs),) and np.isfinite(predicted).all()
    assert_allclose(predicted, ranked.scores.ravel(), rtol=1e-4, atol=1e-5)
    assert_allclose(rec.predict(rows[7:8]), predicted[7:8], rtol=1e-5, atol=1e-6)


def check_predict_is_finite_for_unknown_ids(rec: Any) -> None:
    """Unknown users get the cold-start score, unknown items the base of the model."""
    _fit(rec, _checkerboard())
    assert np.isfinite(rec.predict([[10**6, 1], [1, 10**6], [10**6, 10**6]])).all()


def check_refit_starts_anew(rec: Any) -> None:
    """Nothing of an earlier fit stays."""
    first, second = _checkerboard(), _checkerboard()[:100] + [0, 1]
    fresh = _fit(clone(rec), second)
    _fit(_fit(rec, first, item_features=_item_table()), second)
    assert_array_equal(rec.items_, fresh.items_)
    _same(rec.recommend(k=5), fresh.recommend(k=5))


def check_same_seed_same_result(rec: Any) -> None:
    """The same ``random_state`` gives the same result for any number of threads."""
    if "random_state" in rec.get_params():
        rec.set_params(random_state=7)
    again = clone(rec)
    if "n_jobs" in again.get_params():
        rec.set_params(n_jobs=1)
        again.set_params(n_jobs=2)
    a = _fit(rec, _checkerboard(), item_features=_item_table()).recommend(k=5)
    b = _fit(again, _checkerboard(), item_features=_item_table()).recommend(k=5)
    assert_array_equal(a.codes, b.codes)
    assert_array_equal(a.scores, b.scores)


def check_pickle_round_trip(rec: Any) -> None:
    """A loaded model gives what the saved one gave; the state says its format version."""
    _fit(rec, _checkerboard(), item_features=_item_table())
    loaded = pickle.loads(pickle.dumps(rec))
    _same(loaded.recommend(k=5), rec.recommend(k=5))
    _same(loaded.recommend(history=[[900, 2]], k=5), rec.recommend(history=[[900, 2]], k=5))


def check_text_ids(rec: Any) -> None:
    """Text ids rank as the numbers they stand for."""
    X = _checkerboard()
    numbers = _fit(clone(rec), X).recommend(k=5)
    text = np.array([[f"u{u:02d}", f"i{i:02d}"] for u, i in X.tolist()], dtype=object)
    items = _fit(rec, text).recommend([f"u{u:02d}" for u in range(N_USERS)], k=5).items
    assert_array_equal(items, np.array([[f"i{i:02d}" for i in row] for row in numbers.items]))


def check_frames(rec: Any) -> None:
    """Every installed frame library gives what NumPy gives, and gets its own kind of frame back."""
    X = _checkerboard()
    expected = _fit(clone(rec), X).recommend(k=5)
    for frame in _frames({"user": X[:, 0], "item": X[:, 1]}):
        fitted = _fit(clone(rec), frame)
        _same(fitted.recommend(k=5), expected)
        assert type(fitted.recommend(k=2).to_frame()) is type(frame)
        assert_array_equal(fitted.feature_names_in_, ["user", "item"])


def check_events_are_read_by_name(rec: Any) -> None:
    """``history`` and ``exclude`` with the names of X may have their columns in any order; half a match is an error."""
    X = _checkerboard()
    more = {"user": [900, 900, 0], "item": [2, 4, 5]}
    for frame, turned, ids in zip(
        _frames({"user": X[:, 0], "item": X[:, 1]}),
        _frames({"item": more["item"], "timestamp": [3.0, 2.0, 1.0], "user": more["user"]}),
        _frames({"item": more["item"], "reader": more["user"]}),
        strict=True,
    ):
        fitted = _fit(clone(rec), frame)
        rows = np.column_stack([more["user"], more["item"]])[::-1]
        _same(fitted.recommend([900, 0], k=5, history=turned), fitted.recommend([900, 0], k=5, history=rows))
        _same(fitted.recommend([900, 0], k=5, exclude=turned), fitted.recommend([900, 0], k=5, exclude=rows))
        for argument in ("history", "exclude"):
            _raises(ValueError, f"{argument} with item first", fitted.recommend, [900], **{argument: ids})


def check_timestamp_is_no_feature(rec: Any) -> None:
    """``timestamp`` stands anywhere, is not counted, and may be left out later; missing times are an error."""
    X = _checkerboard()
    time = np.arange(len(X), dtype=float)
    for frame in _frames({"user": X[:, 0], "timestamp": time, "item": X[:, 1]}):
        fitted = _fit(clone(rec), frame)
        assert fitted.n_features_in_ == 2
        assert np.isfinite(fitted.predict(frame)).all()
    for frame in _frames({"user": X[:, 0], "item": X[:, 1]}):
        assert np.isfinite(fitted.predict(frame)).all()
    time[3] = np.nan
    for frame in _frames({"user": X[:, 0], "item": X[:, 1], "timestamp": time}):
        _raises(ValueError, "a missing timestamp", clone(rec).fit, frame)


def check_bad_ids(rec: Any) -> None:
    """Missing, infinite and unhashable ids, one column, no rows, and a target among the columns are errors."""
    for bad in (np.nan, np.inf, None):
        for column in (0, 1):
            X = _checkerboard().astype(object)
            X[5, column] = bad
            _raises(ValueError, f"an id {bad!r} in column {column}", clone(rec).fit, X)
    X[5, 1] = {"an": "id"}
    _raises(TypeError, "a dict as id", clone(rec).fit, X)
    _raises(ValueError, "one column", clone(rec).fit, _checkerboard()[:, :1])
    _raises(ValueError, "no rows", clone(rec).fit, _checkerboard()[:0])
    for frame in _frames({"user": [1, 2], "item": [3, 4], "rating": [5.0, 1.0]}):
        _raises(ValueError, "a rating column in X", clone(rec).fit, frame)


def check_bad_targets(rec: Any) -> None:
    """y is one finite number an event, and at least 0 for implicit feedback."""
    X = _checkerboard()
    y = np.ones(len(X))
    _raises(ValueError, "y of the wrong length", clone(rec).fit, X, y[:-1])
    bad_values = [np.nan, np.inf] + ([-1.0] if getattr(rec, "feedback", "implicit") == "implicit" else [])
    for bad in bad_values:
        y[2] = bad
        _raises(ValueError, f"y with {bad}", clone(rec).fit, X, y)


def check_feature_tables(rec: Any) -> None:
    """Duplicate ids, NaN, text without an encoder and a table of other items are errors."""
    X = _checkerboard()
    ids, values = _item_table().table
    bad = {
        "duplicate ids": (np.zeros_like(ids), values),
        "no item of X": (ids + 1000, values),
        "too few rows": (ids, values[:-1]),
    }
    if hasattr(rec, "item_encoder"):
        bad["NaN"] = (ids, np.where(values == values.max(), np.nan, values))
    if getattr(rec, "item_encoder", "") is None:
        bad["text without an encoder"] = (ids, np.full((len(ids), 1), "a text", dtype=object))
    for what, table in bad.items():
        _raises(ValueError, f"item_features with {what}", clone(rec).fit, X, item_features=table)
    _raises(TypeError, "item_features as a dict", clone(rec).fit, X, item_features={"a": 1})


def check_cold_items_are_in_the_catalogue(rec: Any) -> None:
    """Items that are only in ``item_features`` can be recommended."""
    _fit(rec, _checkerboard(), item_features=_item_table())
    assert len(rec.items_) == N_ITEMS + N_COLD
    cold = [N_ITEMS, N_ITEMS + 1]
    assert set(rec.recommend([0], k=2, candidates=cold).items[0]) == set(cold)


def check_similar_items(rec: Any) -> None:
    """Where a model has it: no item is its own neighbour, an unknown id is a KeyError."""
    if not hasattr(rec, "similar_items"):
        return
    _fit(rec, _checkerboard(), item_features=_item_table())
    items, scores = rec.similar_items([3, 4], k=3)
    assert items.shape == scores.shape == (2, 3)
    assert 3 not in items[0] and 4 not in items[1]
    _raises(KeyError, "an unknown item", rec.similar_items, [10**6])


def check_explain(rec: Any) -> None:
    """Where a model has it: a text and evidence for each pair; history that is cited is the user's own."""
    if not hasattr(rec, "explain"):
        return
    X = _checkerboard()
    _fit(rec, X, item_features=_item_table())
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
    _raises(KeyError, "an unknown item", rec.explain, [0], [10**6])
    _raises(ValueError, "two users and three items", rec.explain, [0, 1], [1, 2, 3])


def check_request(rec: Any) -> None:
    """A request in free text is answered or refused, and a blank one is none."""
    X = _checkerboard()
    _fit(rec, X, item_features=_item_table())
    plain = rec.recommend([0, 1], k=3)
    for blank in (None, "", "  ", [None, " "]):
        _same(rec.recommend([0, 1], k=3, request=blank), plain)
    _raises(ValueError, "three requests for two users", rec.recommend, [0, 1], request=["a", "b", "c"])
    _raises((TypeError, ValueError), "a number as request", rec.recommend, [0, 1], request=[3, "b"])
    if getattr(rec, "item_encoder", "") is not None:
        try:
            assert rec.recommend([0, 1], k=3, request="a quiet book").items.shape == (2, 3)
        except ValueError as error:
            assert len(str(error)) > 10, "a model that reads no text says so"
        return
    rec = _fit(clone(rec).set_params(item_encoder=_text_encoder()), X, item_features=_text_table())
    asked = rec.recommend([0, 10**6, 0], k=3, request=["word7", "word7", None], exclude_seen=False)
    assert asked.items[1, 0] == 7, "a user of whom nothing is known gets what the request says"
    _same(rec.recommend([0], k=3, exclude_seen=False), rec.recommend([0], k=3, request="", exclude_seen=False))
    assert_array_equal(asked.items[2], rec.recommend([0], k=3, exclude_seen=False).items[0])
    wanted = rec.recommend([0], k=3, request="word7", request_weight=1.0, exclude_seen=False)
    assert wanted.items[0, 0] == 7
    options = {"candidates": [1, 2, 7, N_ITEMS], "exclude": [[0, 7]], "exclude_seen": False}
    left = rec.recommend([0, 1], k=4, request="word7", **options).items
    assert 7 not in left[0] and 7 in left[1] and set(left[0]) <= {1, 2, N_ITEMS, None}
    assert not set(rec.recommend([0], k=N_ITEMS, request="word7").items[0]) & set(X[X[:, 0] == 0, 1].tolist())
    _raises(ValueError, "a weight of 2", rec.recommend, [0], request="word7", request_weight=2)


def _text_encoder() -> Any:
    from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder

    return LLMTextEmbedder(model=HashingTextEncoder())


def _text_table() -> FeatureTable:
    """A word that all items of a parity share, and one of an item's own; the last items have no events."""
    ids = np.arange(N_ITEMS + N_COLD)
    texts = np.array([[f"{'even' if i % 2 == 0 else 'odd'} word{i}"] for i in ids], dtype=object)
    return FeatureTable((ids, texts))


def check_partial_fit(rec: Any) -> None:
    """Where a model has it: the first call fits, later ones add events, users and items."""
    if not hasattr(rec, "partial_fit"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        rec.partial_fit(_checkerboard()).partial_fit([[0, 1], [500, 600], [500, 3]])
    assert 500 in rec.users_ and rec.items_[-1] == 600
    items = rec.recommend([0, 500], k=N_ITEMS + 1).items
    assert 1 not in items[0] and not {600, 3} & set(items[1])
    assert np.isfinite(rec.predict([[500, 1], [0, 600]])).all()


def check_sample_weight(rec: Any) -> None:
    """Where a model has it: weight 0 is absence, before ids are learnt."""
    from sklearn.utils.validation import has_fit_parameter

    if not has_fit_parameter(rec, "sample_weight") or getattr(rec, "feedback", "implicit") == "explicit":
        return
    X = _checkerboard()
    weight = (X[:, 1] != 3).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        weighted = clone(rec).fit(X, sample_weight=weight)
    assert 3 not in weighted.items_
    _same(weighted.recommend(k=4), _fit(rec, X[weight > 0]).recommend(k=4))


def check_model_selection(rec: Any) -> None:
    """cross_validate and GridSearchCV run over shuffled folds, cold users and items included, with finite scores."""
    X = np.vstack([_checkerboard(), [[700, 1], [701, 800]]])
    folds = KFold(3, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        scores = cross_validate(rec, X, cv=folds, params={"item_features": _item_table()}, error_score="raise")
        assert np.isfinite(scores["test_score"]).all()
        name, value = next(iter(rec.get_params(deep=False).items()))
        search = GridSearchCV(rec, {name: [value]}, cv=folds, error_score="raise")
        search.fit(X, item_features=_item_table())
    assert np.isfinite(search.best_score_)


def _frames(columns: dict[str, Any]) -> Iterator[Any]:
    from importlib.util import find_spec

    import narwhals as nw

    for backend in ("pandas", "polars", "pyarrow"):
        if find_spec(backend) is not None:
            native: Any = backend
            yield nw.from_dict({k: np.asarray(v) for k, v in columns.items()}, backend=native).to_native()


CHECKS = [
    check_shapes_and_order,
    check_nothing_seen_is_recommended,
    check_candidates_and_exclusions,
    check_unknown_users_get_a_list,
    check_kind_of_ids,
    check_k,
    check_padding,
    check_history,
    check_predict_agrees_with_recommend,
    check_predict_is_finite_for_unknown_ids,
    check_refit_starts_anew,
    check_same_seed_same_result,
    check_pickle_round_trip,
    check_text_ids,
    check_frames,
    check_events_are_read_by_name,
    check_timestamp_is_no_feature,
    check_bad_ids,
    check_bad_targets,
    check_feature_tables,
    check_cold_items_are_in_the_catalogue,
    check_similar_items,
    check_explain,
    check_request,
    check_partial_fit,
    check_sample_weight,
    check_model_selection,
]
