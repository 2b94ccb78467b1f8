"""The weight of popularity, chosen on events that are held out."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from skrec import EASERecommender, ItemKNNRecommender, UserKNNRecommender
from skrec._kernels.held_out_ranks import held_out_ranks
from skrec.base import HeldOutEvents

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "defaults_against_popularity.py"
MODELS = [EASERecommender, ItemKNNRecommender, UserKNNRecommender]


def _script():
    spec = importlib.util.spec_from_file_location("defaults_against_popularity", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _by_chance(n_users=300, n_items=60, n_events=1500, seed=0):
    """Users without tastes: nothing ranks better than popularity."""
    rng = np.random.default_rng(seed)
    weight = np.arange(1, n_items + 1) ** -1.0
    items = rng.choice(n_items, n_events, p=weight / weight.sum())
    return np.column_stack([rng.integers(0, n_users, n_events), items])


def _two_tastes(n_users=200, n_items=40):
    """Users choose among the items of their half, all equally popular."""
    rng = np.random.default_rng(0)
    return np.array([(u, i) for u in range(n_users) for i in rng.permutation(n_items // 2)[:8] * 2 + u % 2])


@pytest.mark.parametrize("model", MODELS)
class TestChoice:
    def test_without_tastes_the_ranking_is_that_of_popularity(self, model):
        rec = model().fit(_by_chance())
        order = np.argsort(-rec.popularity_, kind="stable")[:5]
        assert rec.popularity_prior_ > 0
        shown = rec.recommend(rec.users_, k=5, exclude_seen=False).items
        assert (shown == rec.items_[order]).mean() > 0.9

    def test_tastes_stay_above_popularity(self, model):
        shown = model().fit(_two_tastes()).recommend(k=5)
        assert (shown.items % 2 == shown.users[:, None] % 2).mean() > 0.99

    def test_a_given_weight_times_the_share_is_added(self, model):
        X = _two_tastes()[::2]
        rec, without = model(popularity_prior=3.0).fit(X), model(popularity_prior=0).fit(X)
        pairs = np.array([[u, i] for u in rec.users_[:5] for i in rec.items_])
        share = np.tile(rec.popularity_ / rec.popularity_.sum(), 5)
        np.testing.assert_allclose(rec.predict(pairs) - without.predict(pairs), 3 * share, atol=1e-5)

    def test_partial_fit_keeps_the_weight_until_the_events_have_doubled(self, model):
        X = _by_chance()
        rec = model().fit(X[:700])
        first = rec.popularity_prior_
        assert rec.partial_fit(X[700:1000]).popularity_prior_ == first
        rec.partial_fit(X[1000:])
        assert rec.popularity_prior_ == pytest.approx(model().fit(X).popularity_prior_, rel=1e-3)

    def test_a_model_saved_before_has_none(self, model):
        rec = model(popularity_prior=0).fit(_two_tastes())
        state = {k: v for k, v in rec.__getstate__().items() if "prior" not in k and k != "_n_weighed_events"}
        old = model.__new__(model)
        old.__setstate__(state)
        np.testing.assert_array_equal(old.recommend(k=3).items, rec.recommend(k=3).items)
        old.partial_fit([[0, 0]])


def test_held_out_events_are_not_in_their_histories():
    rng = np.random.default_rng(1)
    X = np.unique(_by_chance(seed=2), axis=0)
    rec = ItemKNNRecommender().fit(rng.permutation(X))
    for by_time in (False, True):
        events = HeldOutEvents.sample(rec._histories, len(rec.items_), by_time=by_time)
        assert 0 < len(events) <= 1000
        assert not events.is_repeat.any()
        assert (events.histories.lengths > 0).all()
        assert by_time or (events.histories.lengths == events.lengths - 1).all()
        for row, item in zip(events.rows, events.items, strict=True):
            assert item in rec._histories.take(np.array([row])).items


@pytest.mark.parametrize(("order", "by_time"), [("none", False), ("time", True), ("time", False)])
def test_item_knn_scores_as_if_the_event_had_not_been(order, by_time):
    """Without normalisation, which the event changes too, this is exact."""
    import pandas as pd

    X = np.unique(_by_chance(60, 20, 200), axis=0)
    X = X[np.random.default_rng(0).permutation(len(X))]
    frame = pd.DataFrame({"u": X[:, 0], "i": X[:, 1], "timestamp": np.arange(len(X))})
    options = {"source_exponent": 0, "target_exponent": 0, "length_exponent": 0, "order": order, "popularity_prior": 0}
    options["recency_decay"] = 0.55 if by_time else 1
    rec = ItemKNNRecommender(**options).fit(frame)
    events = HeldOutEvents.sample(rec._histories, len(rec.items_), by_time=by_time)
    scores = rec._leave_one_out_scores(events)
    checked = 0
    for number in range(0, len(events), 7):
        user, item = rec.users_[events.rows[number]], rec.items_[events.items[number]]
        history = rec.items_[events.histories.take(np.array([number])).items]
        rest = frame[(frame.u != user) | frame.i.isin(history)]
        if item not in set(rest.i) or user not in set(rest.u):
            continue
        refitted = ItemKNNRecommender(**options).fit(rest)
        own = refitted.predict(pd.DataFrame({"u": [user], "i": [item]}))
        np.testing.assert_allclose(scores[number, events.items[number]], own, atol=1e-4)
        checked += 1
    assert checked > 3


@pytest.mark.parametrize(
    ("order", "repeats", "options", "off"),
    [
        ("none", False, {}, 1e-4),
        ("none", True, {}, 1e-4),
        ("time", False, {}, 2e-3),  # the events that follow the held-out one move together
        ("time", True, {}, 5e-3),
        ("none", False, {"n_neighbors": 6}, 0.05),  # the inverse is not known: by the diagonal
        ("time", False, {"n_neighbors": 6}, 0.037),
    ],
)
def test_ease_scores_as_if_the_event_had_not_been(order, repeats, options, off):
    import pandas as pd

    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 60, 900), (rng.random(900) ** 2 * 20).astype(int)])
    X = X if repeats else rng.permutation(np.unique(X, axis=0))
    frame = pd.DataFrame({"u": X[:, 0], "i": X[:, 1], "timestamp": np.arange(len(X))})
    options = {"regularization": 5, "popularity_prior": 0, "order": order} | options
    rec = EASERecommender(**options).fit(frame)
    events = HeldOutEvents.sample(rec._histories, len(rec.items_), by_time=False)
    raw, scores = rec._graph_scores(rec.weights_, events.histories), rec._leave_one_out_scores(events)
    differences = []
    for number in range(0, len(events), 9):
        user, item = rec.users_[events.rows[number]], rec.items_[events.items[number]]
        held = frame.index[frame.u == user][events.places[number]]
        assert frame.i[held] == item
        refitted = EASERecommender(**options).fit(frame.drop(index=held))
        history = events.histories.take(np.array([number]))
        expected = refitted._graph_scores(refitted.weights_, history)[0, events.items[number]]
        differences.append([abs(expected - found[number, events.items[number]]) for found in (scores, raw)])
    own, untouched = np.mean(differences, axis=0)
    assert own < off
    assert untouched > 2 * off


@pytest.mark.parametrize("model", [EASERecommender, ItemKNNRecommender])
def test_what_has_no_edge_to_the_item_takes_nothing_from_its_score(model):
    """A pair of items that a graph does not keep has added nothing to the score either."""
    rec = model(n_neighbors=2, order="none").fit(np.unique(_by_chance(), axis=0))
    events = HeldOutEvents.sample(rec._histories, len(rec.items_), by_time=False)
    graph = rec.weights_ if model is EASERecommender else rec.similarity_
    without = np.bincount(events.histories.row_of_event(), events.is_edge(graph), minlength=len(events)) == 0
    assert 10 < without.sum() < len(events) - 10
    scores = rec._leave_one_out_scores(events)[np.arange(len(events)), events.items]
    assert (scores[without] == 0).all()
    assert (scores[~without] != 0).mean() > 0.5


def test_ranks_agree_with_a_sort():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (5, 12)).astype(np.float32)
    prior, own = rng.integers(0, 3, 12).astype(np.float32), rng.integers(0, 3, 5).astype(np.float32)
    items, weights = rng.integers(0, 12, 5), np.array([0, 1, 2], np.float32)
    ranks = np.empty((5, 3))
    held_out_ranks(scores, prior, items, own, weights, ranks)
    for row in range(5):
        for number, weight in enumerate(weights):
            mine = scores[row, items[row]] + weight * own[row]
            others = np.delete(scores[row] + weight * prior, items[row])
            assert ranks[row, number] == (others > mine).sum() + 0.5 * (others == mine).sum()


@pytest.mark.slow
@pytest.mark.parametrize("data", ["shop", "sparse shop", "thinned", "dense"])
def test_no_default_falls_below_popularity(data):
    script = _script()
    split = {
        "shop": script.shop,
        "sparse shop": lambda: script.shop(6000, seed=1),
        "thinned": script.bookshop,
        "dense": script.contexts,
    }[data]()
    if data == "thinned":
        split.X = split.X[np.random.default_rng(0).random(len(split.X)) < 0.1]
    for name, row in script.against_popularity(split, ["EASE", "ItemKNN", "UserKNN"]):
        assert row["ci_high"] >= 0, (name, row)
