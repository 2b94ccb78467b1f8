"""The next item: what is learned, who is served, and bad input."""

import os
import subprocess
import sys
import textwrap
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone

from skrec._training import losses
from skrec.exceptions import ColdStartWarning, DamagedStateError, TrainingWarning
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable, Histories
from skrec.neural_network import SequentialRecommender, _task
from skrec.neural_network._cold_items import with_like_items
from skrec.neural_network._ranking_loss import RankingLoss
from skrec.neural_network._sequences import Sequences
from skrec.neural_network._shape import NetworkShape
from skrec.neural_network._task import NextItemTask, TrainingEvents
from skrec.neural_network._torch_network import TorchNetwork
from skrec.persistence import skops_trusted_types
from skrec.pipeline import make_pipeline

N_ITEMS = 12
LOSSES = ["softmax", "sampled_softmax", "in_batch_softmax", "bce", "bpr"]


def circles(n_users=80, n_events=6, n_items=N_ITEMS, seed=0):
    """Each user goes round the same circle of items, from an own start."""
    start = np.random.default_rng(seed).integers(0, n_items, n_users)
    users, steps = np.repeat(np.arange(n_users), n_events), np.tile(np.arange(n_events), n_users)
    return np.column_stack([users, (start[users] + steps) % n_items])


def small(**options):
    settings = {
        "n_factors": 16, "n_layers": 1, "n_heads": 2, "max_length": 8, "dropout": 0.1,
        "learning_rate": 0.02, "max_iter": 12, "early_stopping": False, "random_state": 0,
    }  # fmt: skip
    return SequentialRecommender(**(settings | options))


def task_on(X, n_rows):
    """A network that is not trained yet, on the histories of a log, in batches of so many rows."""
    histories = small(max_iter=1).fit(X)._histories
    sequences = Sequences.of(histories, np.ones(N_ITEMS, bool), has_start=False, gap_unit=None)
    shape = NetworkShape("transformer", 16, 1, 2, 8)
    arrays = shape.first_arrays(N_ITEMS, np.random.default_rng(0))
    module = TorchNetwork(shape, arrays, None, np.ones(N_ITEMS, bool), 0.1, 0.0, torch.Generator())
    events = TrainingEvents(sequences, np.ones(len(sequences.items), bool))
    return NextItemTask(module, events, loss="softmax", n_negatives=1, batch_size=n_rows, validate=None)


def walk(user, *items):
    return [[user, item] for item in items]


@pytest.fixture(scope="module")
def fitted():
    return small().fit(circles())


def same_arrays(a, b):
    ours, theirs = a._network.arrays, b._network.arrays
    return all(np.array_equal(ours[name], theirs[name]) for name in theirs)


# What is learned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"architecture": "gru"},
        {"loss": "sampled_softmax", "n_negatives": 8},
        {"loss": "in_batch_softmax"},
        {"loss": "bce", "n_negatives": 8, "max_iter": 30},
        {"loss": "bpr", "n_negatives": 8, "max_iter": 30},
        {"learning_rate_schedule": "cosine", "warmup": 0.1},
    ],
    ids=str,
)
def test_the_next_item_follows_from_the_order(options):
    rec = small(**options).fit(circles())
    assert rec.loss_curve_[-1] < 0.7 * rec.loss_curve_[0]
    history = walk(900, 1, 2, 3) + walk(901, 11, 0, 1, 2) + walk(902, 8)
    assert_array_equal(rec.recommend(history=history, k=1).items.ravel(), [4, 3, 9])


def test_shuffled_histories_are_worth_a_bag_of_items():
    """Two items in either order; the third is told by which of them came last."""
    last = np.arange(200) % 2
    X = np.column_stack([np.repeat(np.arange(200), 3), np.column_stack([1 - last, last, 2 + last]).ravel()])
    history = X.reshape(200, 3, 2)[:, :2] + [1000, 0]
    shuffled = np.random.default_rng(0).permuted(history, axis=1)

    def hits(rec, given):
        found = rec.recommend(np.arange(1000, 1200), history=given.reshape(-1, 2), k=1).items.ravel()
        return (found == 2 + last).mean()

    rec = small(max_iter=30).fit(X)
    mixed = np.concatenate([shuffled - [1000, 0], X.reshape(200, 3, 2)[:, 2:]], axis=1)
    bag = small(max_iter=30).fit(mixed.reshape(-1, 2))
    assert hits(rec, history) == 1
    assert hits(rec, shuffled) == pytest.approx(hits(bag, shuffled), abs=0.1)
    assert hits(bag, shuffled) < 0.6


def test_timestamps_give_the_order_and_ties_keep_that_of_the_rows():
    X = circles()
    frame = pd.DataFrame(X, columns=["user", "item"]).assign(timestamp=np.tile(np.arange(6), 80))
    mixed = frame.sample(frac=1, random_state=0)
    by_time = small().fit(frame)
    assert_array_equal(small().fit(X).recommend(k=3).items, by_time.recommend(k=3).items)
    again = small(order="time").fit(mixed)
    by_hand = small(order="time").fit(mixed.sort_values("timestamp", kind="stable"))
    assert same_arrays(again, by_hand)
    tied = frame.assign(timestamp=5)
    assert same_arrays(small().fit(tied), small().fit(X))
    with pytest.raises(ValueError, match="order='time' needs a frame X with a column named 'timestamp'"):
        small(order="time").fit(X)


def test_time_gaps_are_read():
    """The next item depends on how long ago the last event was: only gaps tell."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(120):
        is_long = user % 2
        rows += [[user, rng.integers(2), 0], [user, 2, 1000 if is_long else 1], [user, 3 + is_long, 2000]]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    rec = small(time_gaps=True, max_iter=30).fit(frame)
    history = pd.DataFrame([[900, 0, 0], [900, 2, 1], [901, 0, 0], [901, 2, 1000]], columns=frame.columns)
    assert_array_equal(rec.recommend(history=history, k=1, exclude_seen=False).items.ravel(), [3, 4])
    without_times = rec.recommend(history=history[["user", "item"]], k=1, exclude_seen=False).items
    assert set(without_times.ravel()) <= {3, 4}


def test_context_of_the_request_moves_the_list():
    rng = np.random.default_rng(0)
    hour = rng.integers(0, 2, 480)
    X = np.column_stack([np.repeat(np.arange(80), 6), 2 * rng.integers(0, 6, 480) + hour, hour])
    rec = small(max_iter=20).fit(X)
    for value in (0, 1):
        items = rec.recommend([0, 999], context=[[value]], k=4, exclude_seen=False).items
        assert (items.astype(int) % 2 == value).all()
    mean = rec.recommend([999], k=3).scores
    assert_array_equal(rec.recommend([999], k=3, context=[[hour.mean()]]).codes, rec.recommend([999], k=3).codes)
    assert np.isfinite(mean).all()
    pipe = make_pipeline("passthrough", small(max_iter=20)).fit(X)
    assert_array_equal(pipe.recommend([0], context=[[1]], k=4).codes, rec.recommend([0], context=[[1]], k=4).codes)
    rec.partial_fit(np.column_stack([np.full(3, 5), [1, 3, 12], [1, 1, 0]]))
    assert 12 in rec.items_
    evidence = rec.explain([0], [1], context=[[1]]).evidence[0]
    assert "context" in {reason.kind for reason in evidence}


# Items and their features ------------------------------------------------------------------------------------


def kinds(n_cold=4):
    """Two kinds of items; users stay with a kind. The last items are in the table alone."""
    rng = np.random.default_rng(0)
    X = np.array([[user, 2 * rng.integers(0, 6) + user % 2] for user in range(100) for _ in range(5)])
    ids = np.arange(N_ITEMS + n_cold)
    features = np.column_stack([ids % 2, 1 - ids % 2, *rng.normal(scale=0.1, size=(3, len(ids)))])
    return X, FeatureTable((ids, features))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_items_without_events_are_scored_by_their_features_alone(form):
    X, table = kinds()
    ids, features = table.table
    rec = small().fit(X, item_features=FeatureTable((ids, form(features))))
    assert not rec._network.arrays["item_factors"][N_ITEMS:].any()
    assert rec.item_vectors()[N_ITEMS:].any(axis=1).all()
    items = rec.recommend([0, 1], candidates=[12, 13, 14, 15], k=2).items
    assert set(items[0]) == {12, 14}
    assert set(items[1]) == {13, 15}
    # A cold item is read in a history, too.
    by_cold = rec.recommend(history=walk(900, 12) + walk(901, 13), k=4).items.astype(int)
    assert (by_cold[0] % 2 == 0).all()
    assert (by_cold[1] % 2 == 1).all()


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "bpr"])
def test_items_without_events_are_no_negatives(loss):
    """What is learned does not depend on how many of them there are."""
    X, table = kinds()
    _, more = kinds(n_cold=40)
    few = small(loss=loss, n_negatives=8).fit(X, item_features=FeatureTable((table.table[0], np.ones((16, 1)))))
    many = small(loss=loss, n_negatives=8).fit(X, item_features=FeatureTable((more.table[0], np.ones((52, 1)))))
    rec_bias = few._network.arrays["item_biases"]
    assert_allclose(rec_bias[N_ITEMS:], rec_bias[:N_ITEMS].mean(), rtol=1e-4)
    assert len(few.loss_curve_) == len(many.loss_curve_)
    assert abs(few.loss_curve_[0] - many.loss_curve_[0]) < 0.1 * few.loss_curve_[0]


def tastes(n_users=150, n_items=80, n_events=6, n_cold=16, seed=0):
    """Items of a plane; each user stays near a point of it. The last items are in the table alone."""
    rng = np.random.default_rng(seed)
    items, users = rng.normal(size=(n_items, 2)), rng.normal(size=(n_users, 2))
    affinity = -4 * np.square(users[:, None] - items).sum(axis=2)
    affinity += rng.gumbel(size=affinity.shape)
    X = np.argwhere(np.argsort(np.argsort(-affinity[:, :-n_cold], axis=1), axis=1) < n_events)
    table = FeatureTable((np.arange(n_items), np.column_stack([items, 0.3 * rng.normal(size=(n_items, 20))])))
    return rng.permutation(X), table, affinity[:, -n_cold:]


@pytest.mark.parametrize("loss", LOSSES)
def test_seen_items_do_not_count_against_a_target(loss):
    counts, targets = np.ones(N_ITEMS, np.int64), torch.tensor([2, 5])
    seen = np.zeros((2, N_ITEMS), bool)
    seen[0, [1, 5]] = True
    higher = torch.zeros(N_ITEMS)
    higher[[1, 5]] = 3.0

    def first(biases, seen):
        of_targets = RankingLoss(loss, 64, counts, counts > 0, torch.Generator().manual_seed(0))
        vectors = torch.zeros(N_ITEMS, 4)
        return of_targets(torch.ones(2, 4), targets, lambda codes=slice(None): vectors[codes], biases, seen)[0]

    assert first(higher, None) > first(torch.zeros(N_ITEMS), None) + 0.1
    assert first(higher, sp.csr_array(seen)) == first(torch.zeros(N_ITEMS), sp.csr_array(seen))


def test_seen_items_are_those_before_a_target_in_its_row(monkeypatch):
    X = np.column_stack([np.repeat([0, 1], [5, 3]), [2, 0, 2, 3, 1, 0, 4, 0]])
    task = task_on(X, 4)
    found = task._seen_before(np.array([1, 2, 4, 7])).toarray()
    assert [set(np.flatnonzero(row)) for row in found] == [{2}, {0}, {0, 2, 3}, {4}]
    monkeypatch.setattr(_task, "_MOST_SEEN", 2)
    assert set(np.flatnonzero(task._seen_before(np.array([4])).toarray()[0])) == {2, 3}


def test_without_seen_negatives_the_network_does_not_learn_what_is_left_out():
    rec = small(seen_negatives=False).fit(circles())
    assert rec.recommend(history=walk(900, 1, 2, 3), k=1).items[0, 0] == 4
    assert rec.loss_curve_[-1] < small().fit(circles()).loss_curve_[-1]


def test_features_alone_rank_better_with_id_dropout():
    X, table, affinity = tastes()
    reached = []
    for id_dropout in (0, 0.8):
        rec = small(id_dropout=id_dropout, max_iter=15, dropout=0).fit(X, item_features=table)
        items = rec.recommend(np.arange(150), candidates=np.arange(64, 80), k=4).items.astype(int) - 64
        reached.append(np.take_along_axis(affinity, items, axis=1).mean())
    assert reached[1] > reached[0] + 0.3
    assert reached[0] > affinity.mean() + 3


def test_items_without_events_lean_on_trained_items_with_like_features():
    features = np.array([[1, 0], [1, 0.1], [0, 1], [0.9, 0.1], [0, 0]])
    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    active = np.array([True, True, True, False, False])
    found = with_like_items(vectors, active, features, 0.6)
    assert_array_equal(found[[0, 1, 2, 4]], vectors[[0, 1, 2, 4]])  # trained, or without features
    centred = np.where(features.any(axis=1)[:, None], features - features[:4].mean(axis=0), 0)
    unit = centred[:4] / np.linalg.norm(centred[:4], axis=1, keepdims=True)
    weights = np.maximum(unit[:3] @ unit[3], 0) ** 8
    assert_allclose(found[3], 0.4 * vectors[3] + 0.6 * weights @ vectors[:3] / weights.sum(), rtol=1e-5)
    assert_allclose(with_like_items(vectors, active, sp.csr_array(features), 0.6)[:3], vectors[:3])
    assert_array_equal(with_like_items(vectors, ~active, np.zeros((5, 2)), 0.6), vectors)
    X, table = kinds()
    rec, plain = (small(max_iter=2, cold_smoothing=share).fit(X, item_features=table) for share in (1, 0))
    assert_array_equal(rec.item_vectors()[:N_ITEMS], plain.item_vectors()[:N_ITEMS])
    assert not rec._network.arrays["item_factors"][N_ITEMS:].any()
    assert set(rec.recommend([0], candidates=[12, 13, 14, 15], k=2).items[0]) == {12, 14}


def test_id_dropout_keeps_items_without_features():
    X, _ = kinds(n_cold=0)
    none = FeatureTable((np.arange(N_ITEMS), np.zeros((N_ITEMS, 3))))
    assert same_arrays(small(id_dropout=0.5).fit(X), small().fit(X))
    few, all_ = (small(id_dropout=p, max_iter=4).fit(X, item_features=none) for p in (0.99, 0))
    assert_allclose(few.loss_curve_, all_.loss_curve_, rtol=0.05)


def test_text_is_searched_and_requested():
    X, _ = kinds()
    texts = FeatureTable(
        pd.DataFrame({"item": np.arange(16), "title": [f"{'odd' if i % 2 else 'even'} word{i}" for i in range(16)]})
    )
    rec = small(item_encoder=LLMTextEmbedder(model=HashingTextEncoder())).fit(X, item_features=texts)
    assert rec.search("word13", k=1).items.ravel() == [13]
    assert rec.recommend([0], request="word14", request_weight=1.0, k=1).items.ravel() == [14]
    assert (rec.similar_items([0], k=5).items.ravel() % 2 == 0).sum() > 2


def test_explain_leaves_events_out(fitted):
    found = fitted.explain([900], [4], history=walk(900, 9, 2, 3))
    assert found.evidence[0][0].item == 3


# Who is served -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["transformer", "gru"])
def test_numpy_serves_what_torch_has_trained(architecture):
    X, table = kinds()
    rec = small(architecture=architecture, n_layers=2, max_length=5).fit(X, item_features=table)
    features = rec._components.transform(rec._item_matrix)
    module = TorchNetwork(rec._network.shape, rec._network.arrays, features, rec._active, 0.5, 0.5, torch.Generator())
    items = torch.tensor([[1, 2, 3, 4, 5], [2, 3, 12, 0, 0], [7, 0, 0, 0, 0]])
    with torch.no_grad():
        expected = module.eval()(module.item_vectors(items), None, None)[[0, 1, 2], [4, 2, 0]]
    rows = [[9, 9, 1, 2, 3, 4, 5], [2, 3, 12], [7], []]
    indptr = np.cumsum([0, *map(len, rows)])
    sequences = Sequences(indptr, np.array([item for row in rows for item in row]), np.arange(indptr[-1]))
    found = rec._network.query_vectors(sequences, rec.item_vectors())
    assert_allclose(found[:3], expected, atol=2e-6)
    assert not found[3].any()


def test_a_batch_of_one_gives_what_a_batch_of_many_gives(fitted):
    together = fitted.recommend(k=5)
    for user in (0, 7, 79):
        alone = fitted.recommend([user], k=5)
        assert_array_equal(alone.items[0], together.items[user])
        assert_allclose(alone.scores[0], together.scores[user], rtol=1e-5)


def test_histories_of_any_length(fitted):
    long = [[900, item % N_ITEMS] for item in range(10_000)]
    assert fitted.recommend(history=long, k=1, exclude_seen=False).items[0, 0] == 10_000 % N_ITEMS
    assert_array_equal(fitted.recommend(history=[], users=[901], k=3).codes, fitted.recommend([902], k=3).codes)
    popular = np.argsort(-fitted.popularity_, kind="stable")[:3]
    assert_array_equal(fitted.recommend([902], k=3).codes[0], popular)
    rec = small().fit(np.array(long + walk(901, 1, 2)))
    assert rec.recommend([901], k=1).items[0, 0] == 3


def test_events_of_no_strength_are_not_read():
    X = circles()
    noise = np.column_stack([X[:, 0], np.full(len(X), 50)])
    both = np.concatenate([X, noise])[np.argsort(np.tile(np.arange(len(X)), 2), kind="stable")]
    y = np.tile([1, 0], len(X))
    rec = small().fit(both, y)
    assert not rec._active[-1]
    assert rec.recommend(history=walk(900, 1, 2, 3), k=1).items[0, 0] == 4


# Early stopping, refit and validation data -------------------------------------------------------------------


def test_early_stopping_keeps_the_best_epoch():
    X = circles(n_users=300)
    reports = []
    rec = small(early_stopping=True, n_iter_no_change=2, max_iter=60).fit(X, callbacks=reports.append)
    scores = rec.validation_scores_
    assert len(scores) == len(rec.loss_curve_) == rec.n_iter_ == len(reports) < 60
    assert rec.best_iter_ == int(np.argmax(scores)) + 1 == rec.n_iter_ - 2
    assert [report.validation_score for report in reports] == scores
    assert max(scores) > 0.9


def test_validation_data_decides():
    X = circles()
    last = np.flatnonzero(np.r_[X[1:, 0] != X[:-1, 0], True])
    train, held_out = np.delete(X, last, axis=0), X[last]
    rec = small(max_iter=3).fit(train, validation_data=held_out)
    assert len(rec.validation_scores_) == 3
    best = max(rec.validation_scores_)
    assert rec.score(held_out) == pytest.approx(best)
    with pytest.raises(ValueError, match="validation_data has 1 events, and none is of a user who has events in X"):
        small().fit(train, validation_data=[[999, 1]])


def test_refit_trains_on_all_events():
    X = circles(n_users=250)
    rec = small(early_stopping=True, max_iter=3, refit=True).fit(X)
    again = small(max_iter=rec.best_iter_).fit(X)
    assert len(rec.validation_scores_) == 3
    assert_allclose(rec._network.arrays["item_biases"], again._network.arrays["item_biases"], atol=0.2)
    assert not same_arrays(rec, small(early_stopping=True, max_iter=3).fit(X))


def test_too_few_users_are_not_held_out():
    rec = small(early_stopping=True, max_iter=2).fit(circles(n_users=30))
    assert rec.validation_scores_ is None
    assert rec.best_iter_ == 2


# The same bits, and torch left alone -------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_torch_is_left_alone(fitted):
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    again = small().fit(circles())
    assert same_arrays(again, fitted)
    assert again.loss_curve_ == fitted.loss_curve_
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not same_arrays(small(random_state=1).fit(circles()), fitted)


def bytes_kept(n_users, n_rows):
    """Bytes that the loss of a batch keeps for its gradient."""
    task = task_on(circles(n_users), n_rows)
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = task.loss(task.batches(np.random.default_rng(0))[0])
    assert loss.requires_grad
    return sum(kept.values())


def test_memory_grows_with_the_batch_and_not_with_the_log():
    few = bytes_kept(80, 32)
    assert bytes_kept(800, 32) == few
    assert 1.7 * few < bytes_kept(80, 64) < 2.1 * few


@pytest.mark.slow
def test_a_loaded_model_recommends_without_torch(fitted, tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(fitted, path)
    script = """
        import sys, joblib
        rec = joblib.load(sys.argv[1])
        print(rec.recommend(history=[[900, 1], [900, 2]], k=1).items[0, 0], "torch" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert done.stdout.split() == ["3", "False"]


def test_joblib_and_skops(tmp_path):
    X, table = kinds()
    rec = small(max_iter=1).fit(X, item_features=table)
    joblib.dump(rec, tmp_path / "model.joblib")
    loaded = [
        joblib.load(tmp_path / "model.joblib"),
        skops.io.loads(skops.io.dumps(rec), trusted=skops_trusted_types()),
    ]
    for one in loaded:
        assert_array_equal(one.recommend(k=5).codes, rec.recommend(k=5).codes)
        one.partial_fit(walk(0, 1, 99))
        assert 99 in one.items_


@pytest.mark.parametrize(
    "damage",
    [
        lambda rec: rec._network.arrays.pop("positions"),
        lambda rec: rec._network.arrays.update(item_biases=np.zeros(3, np.float32)),
        lambda rec: rec._network.arrays.update(layer0_hidden_in=np.full((16, 64), np.nan, np.float32)),
        lambda rec: object.__setattr__(rec._network.shape, "n_heads", 3),
        lambda rec: object.__setattr__(rec._network.shape, "architecture", "lstm"),
        lambda rec: object.__setattr__(rec._network.shape, "n_features", 4),
        lambda rec: rec.__dict__.update(_usable=np.zeros(2, bool)),
        lambda rec: rec.__dict__.update(_gap_unit=0.0),
        lambda rec: rec.__dict__.update(_trained=Histories.empty(80)),
    ],
)
def test_a_damaged_state_is_refused(damage):
    rec = small(max_iter=1).fit(circles())
    damage(rec)
    with pytest.raises(DamagedStateError):
        SequentialRecommender.__new__(SequentialRecommender).__setstate__(rec.__getstate__())


# partial_fit -------------------------------------------------------------------------------------------------


def test_partial_fit_learns_new_items_and_keeps_the_old():
    rec = small().fit(circles())
    before = rec.recommend(history=walk(900, 1, 2), k=1).items
    assert_array_equal(before, [[3]])
    new = [[200 + n, item] for n in range(60) for item in (70, 71, 72)]
    for _ in range(4):
        rec.partial_fit(np.array(new))
    assert_array_equal(rec.items_[-3:], [70, 71, 72])
    items = rec.recommend(history=walk(900, 1, 2) + walk(901, 70, 71), k=1).items
    assert_array_equal(items, [[3], [72]])
    assert rec.n_iter_ == len(rec.loss_curve_) == 12 + 4 * 2


def test_partial_fit_with_a_table_alone():
    X, table = kinds()
    rec = small().fit(X, item_features=table)
    before = rec._network.arrays["positions"]
    rec.partial_fit(item_features=FeatureTable((np.array([80, 81]), np.array([[0, 1.0, 0, 0, 0], [1.0, 0, 0, 0, 0]]))))
    assert rec.recommend([0, 1], candidates=[80, 81], k=1).items.ravel().tolist() == [80, 81]
    assert rec._network.arrays["positions"] is before


def test_partial_fit_of_a_model_that_had_nothing_to_learn():
    with pytest.warns(ColdStartWarning, match="No user has two events"):
        rec = small().fit([[user, user % 5] for user in range(20)])
    assert rec.n_iter_ == 0
    assert_array_equal(rec.recommend([0], k=2, exclude_seen=False).codes, [[0, 1]])
    for _ in range(12):
        rec.partial_fit(circles())
    assert rec.recommend(history=walk(900, 1, 2), k=1).items[0, 0] == 3


# Bad input ---------------------------------------------------------------------------------------------------


def test_one_item():
    rec = small().fit([[user, 7] for user in range(5) for _ in range(3)])
    assert rec.recommend([0, 9], k=3, exclude_seen=False).items.tolist() == [[7], [7]]
    with pytest.warns(ColdStartWarning):
        small().fit([[1, 7]])


def test_an_encoder_whose_width_changes():
    X, table = kinds()
    rec = small(max_iter=1).fit(X, item_features=table)
    with pytest.raises(ValueError, match="item_features has 2 feature columns, but fit had 5"):
        rec.partial_fit(X[:2], item_features=FeatureTable((np.array([80]), np.ones((1, 2)))))


class Widening(BaseEstimator):
    """An encoder that gives one column more each time."""

    def fit_transform(self, X, y=None):
        self.width_ = 4
        return self.transform(X)

    def transform(self, X):
        self.width_ += 1
        return np.ones((len(X), self.width_)) * np.arange(len(X))[:, None]


def test_an_encoder_that_widens_leaves_the_model_as_it_was():
    X, table = kinds()
    rec = small(max_iter=1, item_encoder=Widening()).fit(X, item_features=table)
    before = rec.recommend([0, 1], k=5)
    new = FeatureTable((np.array([80]), np.ones((1, 5))))
    with pytest.raises(ValueError, match="6"):
        rec.partial_fit(X[:2], item_features=new)
    assert_array_equal(rec.recommend([0, 1], k=5).scores, before.scores)
    assert 80 not in rec.items_


def test_a_nan_loss(monkeypatch):
    right = losses.full_softmax
    monkeypatch.setattr(losses, "full_softmax", lambda *args: right(*args) * float("nan"))
    rec = small(batch_size=8)
    with pytest.raises(ValueError, match=r"NaN or infinite in epoch 1.*smaller learning_rate"):
        rec.fit(circles())
    assert not hasattr(rec, "loss_curve_")


def test_an_interrupt_in_training_keeps_the_best():
    def interrupt(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(TrainingWarning, match="interrupted in epoch 3 of 12; the model has the weights of epoch 2"):
        rec = small().fit(circles(), callbacks=interrupt)
    assert same_arrays(rec, small(max_iter=2).fit(circles()))
    assert rec.n_iter_ == 2


def test_a_checkpoint_continues_a_killed_fit(tmp_path, fitted):
    path = tmp_path / "fit.pt"

    def die(report):
        if report.epoch == 5:
            raise SystemExit

    with pytest.raises(SystemExit):
        small().fit(circles(), checkpoint=path, callbacks=die)
    reports = []
    rec = small().fit(circles(), checkpoint=path, callbacks=reports.append)
    assert reports[0].epoch == 5
    assert_allclose(rec.loss_curve_, fitted.loss_curve_, rtol=1e-6)
    assert same_arrays(rec, fitted)
    assert not path.exists()


@pytest.mark.parametrize("options", [{"n_factors": 32}, {"dropout": 0.3}, {"architecture": "gru"}])
def test_a_checkpoint_of_other_parameters(tmp_path, options):
    path = tmp_path / "fit.pt"

    def die(report):
        if report.epoch == 2:
            raise SystemExit

    with pytest.raises(SystemExit):
        small().fit(circles(), checkpoint=path, callbacks=die)
    with pytest.raises(ValueError, match=f"run with other .*{next(iter(options))}"):
        small(**options).fit(circles(), checkpoint=path)
    with pytest.raises(ValueError, match="run with other data"):
        small().fit(circles(seed=1), checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"cannot be read.*delete the file"):
        small().fit(circles(), checkpoint=path)


def test_a_device_that_is_not_there():
    with pytest.raises(ValueError, match="device='cuda:77' cannot be used here"):
        small(device="cuda:77").fit(circles())


on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@on_cuda
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("architecture", ["transformer", "gru"])
def test_cuda_learns_what_the_cpu_learns(architecture, loss):
    X, table = kinds()
    options = {"architecture": architecture, "loss": loss, "n_negatives": 8, "id_dropout": 0.2, "early_stopping": True}
    rec = small(**options, device="cuda").fit(X, item_features=table)
    cpu = small(**options).fit(X, item_features=table)
    assert_allclose(rec.loss_curve_[-1], cpu.loss_curve_[-1], rtol=0.1)
    assert_array_equal(rec.recommend([0, 1], k=3).items.astype(int) % 2, [[0] * 3, [1] * 3])
    assert set(rec.recommend([0], candidates=[12, 13, 14, 15], k=2).items[0]) == {12, 14}


@on_cuda
def test_auto_takes_cuda_and_continues_a_killed_fit_there(tmp_path):
    def die(report):
        if report.epoch == 5:
            raise SystemExit

    path = tmp_path / "fit.pt"
    with pytest.raises(SystemExit):
        small(device="auto").fit(circles(), checkpoint=path, callbacks=die)
    rec = small(device="auto").fit(circles(), checkpoint=path)
    whole = small(device="cuda").fit(circles())
    assert_allclose(rec.loss_curve_, whole.loss_curve_, rtol=1e-3)
    assert rec.recommend(history=walk(900, 1, 2, 3), k=1).items[0, 0] == 4


@on_cuda
def test_context_and_time_gaps_on_cuda():
    rng = np.random.default_rng(0)
    hour = rng.integers(0, 2, 480)
    frame = pd.DataFrame({"user": np.repeat(np.arange(80), 6), "item": 2 * rng.integers(0, 6, 480) + hour})
    frame = frame.assign(hour=hour, timestamp=np.tile(np.arange(6), 80))
    rec = small(max_iter=20, time_gaps=True, device="cuda").fit(frame)
    for value in (0, 1):
        items = rec.recommend([0], context=[[value]], k=2, exclude_seen=False).items
        assert (items.astype(int) % 2 == value).all()
    rec.partial_fit(frame[:60])


def test_heads_that_do_not_divide_the_factors():
    with pytest.raises(ValueError, match="n_factors=16 is not a multiple of n_heads=3"):
        small(n_heads=3).fit(circles())
    with warnings.catch_warnings(action="error"):
        small(n_heads=3, architecture="gru", max_iter=1).fit(circles())


def test_callbacks_that_cannot_be_called():
    with pytest.raises(TypeError, match="callbacks must be functions"):
        small().fit(circles(), callbacks=[3])
    assert clone(small()).get_params() == small().get_params()
