"""Two towers: what is learned, who is served, probabilities, and bad input."""

import copy
import io
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
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from skrec.exceptions import (
    AdditiveInteractionWarning,
    ColdStartWarning,
    DamagedStateError,
    FeatureCoverageWarning,
    UnsupportedArgumentError,
)
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable, Histories
from skrec.neural_network import TwoTowerRecommender
from skrec.neural_network._cold_items import with_like_items
from skrec.neural_network._ranking_loss import RankingLoss
from skrec.neural_network._two_tower._events import held_out_events
from skrec.neural_network._two_tower._history_task import HistoryTask
from skrec.neural_network._two_tower._network import TowerNetwork, latest
from skrec.neural_network._two_tower._shape import TowerShape
from skrec.neural_network._two_tower._task import TowerEvents
from skrec.neural_network._two_tower._torch_towers import TorchTowers
from skrec.persistence import skops_trusted_types

N_ITEMS = 16


def tastes(n_users=80, n_events=5, n_items=N_ITEMS, seed=0):
    """Even users choose even items, odd users odd ones."""
    rng = np.random.default_rng(seed)
    items = np.concatenate([2 * rng.permutation(n_items // 2)[:n_events] + user % 2 for user in range(n_users)])
    return np.column_stack([np.repeat(np.arange(n_users), n_events), items])


def parity(n):
    """A feature table that tells even from odd."""
    return np.arange(n), np.eye(2, dtype=np.float32)[np.arange(n) % 2]


def small(**options):
    chosen = {
        "n_factors": 8, "learning_rate": 0.03, "batch_size": 64, "max_iter": 8, "early_stopping": False,
        "random_state": 0,
    }  # fmt: skip
    return TwoTowerRecommender(**(chosen | options))


def shares_of_own_kind(rec, users=(0, 1), **options):
    items = rec.recommend(list(users), k=3, **options).items
    return (items % 2 == np.asarray(users)[:, None] % 2).mean()


@pytest.fixture(scope="module")
def fitted():
    return small().fit(tastes(), item_features=parity(N_ITEMS), user_features=parity(80))


# What is learned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden_layer_sizes": (8, 8)},
        {"interaction": "cosine", "temperature": 0.2},
        {"loss": "sampled_softmax", "n_negatives": 8},
        {"loss": "in_batch_softmax"},
        {"loss": "multinomial", "dropout": 0.5, "max_iter": 16},
        {"loss": "bce", "n_negatives": 8},
        {"use_history": False},
    ],
    ids=str,
)
def test_tastes_are_learned(options):
    rec = small(**options).fit(tastes())
    assert rec.loss_curve_[-1] < rec.loss_curve_[0]
    assert shares_of_own_kind(rec, range(10)) > 0.9


def test_targets_of_a_batch_as_negatives_of_each_other():
    counts, targets = np.array([8, 1, 3]), np.array([0, 0, 2, 1])
    rng = np.random.default_rng(0)
    queries, vectors, biases = rng.normal(size=(4, 2)), rng.normal(size=(3, 2)), rng.normal(size=3)
    loss = RankingLoss("in_batch_softmax", 5, counts, counts > 0, torch.Generator())
    expected = []
    for query, target in zip(queries, targets, strict=True):
        corrected = vectors @ query + biases - np.log(4 * counts / 12)  # an item is in the batch so often
        others = [np.exp(corrected[item]) for item in targets if item != target]
        expected.append(np.log(np.exp(corrected[target]) + sum(others)) - corrected[target])
    every = torch.as_tensor(vectors)
    found = loss(torch.as_tensor(queries), torch.as_tensor(targets), lambda at: every[at], torch.as_tensor(biases))
    assert_allclose(found, expected)


@pytest.mark.parametrize("interaction", ["dot", "cosine"])
def test_what_is_left_out_of_a_history_is_told_from_the_rest(interaction):
    rng = np.random.default_rng(0)
    shape = TowerShape(4, (), interaction, 0.5, True)
    network = TowerNetwork(shape, {n: rng.normal(size=s).astype(np.float32) for n, s in shape.arrays(3, 6).items()})
    active = np.arange(6) < 5
    module = TorchTowers(network, None, None, active, dropout=0.5, id_dropout=0, generator=torch.Generator())
    histories = Histories.group(np.array([0, 0, 0, 1, 2]), np.array([1, 2, 1, 3, 4]), np.ones(5), None, 3)
    events = TowerEvents(np.array([0, 0, 0, 1]), np.array([1, 2, 1, 3]), np.ones(4, bool), histories)
    task = HistoryTask(module.eval(), events, batch_size=1, validate=None)
    assert sorted(map(list, task.batches(rng))) == [[0], [1]]  # user 2 has a history, and no event to train on
    assert task.n_targets(np.array([0, 1])) == 3
    vectors, biases, found = network.item_vectors(None), network.arrays["item_biases"], set()
    expected = {0.0}
    for read, left_out in (([], [1, 2]), ([1], [2]), ([2], [1])):
        pooled = Histories.group(np.zeros(len(read), np.int64), np.array(read, np.int32), np.ones(len(read)), None, 1)
        query = network.query_vectors(np.array([0]), pooled, network.history_vectors(None))[0]
        scores = vectors @ query + biases
        candidates = np.logaddexp.reduce(scores[[i for i in range(5) if i not in read]])
        expected.add(round(float((candidates - scores[left_out]).sum() / 0.5), 3))
    for _ in range(40):
        found.add(round(float(task.loss(np.array([0])).detach()), 3))
    assert_allclose(sorted(found), sorted(expected), atol=2e-3)


def test_explicit_negatives_are_learned_by_bce():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.repeat(np.arange(60), 8), rng.integers(0, N_ITEMS, 480)])
    y = np.where((X[:, 0] + X[:, 1]) % 2 == 0, 5.0, 2.0)
    rec = small(loss="bce", n_negatives=0, threshold=4, calibration="isotonic").fit(X, y)
    assert_array_equal(rec.predict_proba(X)[:, 1] > 0.5, y >= 4)
    assert shares_of_own_kind(rec, range(10), exclude_seen=False) == 1


def test_context_moves_the_list():
    rng = np.random.default_rng(0)
    hours = rng.integers(0, 2, 600)
    X = np.column_stack([rng.integers(0, 40, 600), 2 * rng.integers(0, 8, 600) + hours, hours])
    rec = small().fit(X)
    for hour in (0, 1):
        items = rec.recommend([0], k=4, context=[[hour]], exclude_seen=False).items
        assert (items % 2 == hour).all()


def test_context_differs_between_the_events_of_a_history():
    with pytest.raises(ValueError, match="1 context columns"):
        small(loss="multinomial").fit(np.column_stack([tastes(), np.zeros(400)]))


def test_training_stops_at_the_best_epoch_and_refits():
    rec = small(early_stopping=True, validation_fraction=0.5, n_iter_no_change=1, max_iter=12).fit(tastes())
    assert rec.best_iter_ == np.argmax(rec.validation_scores_) + 1
    assert rec.n_iter_ == len(rec.loss_curve_) <= 12
    assert shares_of_own_kind(clone(rec).set_params(refit=True).fit(tastes())) == 1


def test_rows_without_times_are_in_no_order():
    items, n = np.tile(np.arange(20), 50), np.ones(1000, np.float32)
    for times, is_last in ((np.arange(1000), True), (None, False)):
        histories = Histories.group(np.repeat(np.arange(50), 20), items, n, times, 50)
        held = held_out_events(histories, 0.5, np.random.default_rng(0), of_all=False)
        assert held.sum() == len(np.unique(histories.row_of_event()[held])) == 25
        assert (histories.items[held] == 19).all() == is_last
        assert len(np.unique(histories.items[held])) == 1 or histories.items[held].mean() < 15


def test_validation_data_decides_and_callbacks_are_called():
    X = tastes()
    last = np.arange(len(X)) % 5 == 4
    reports = []
    rec = small(max_iter=3).fit(X[~last], validation_data=X[last], callbacks=reports.append)
    assert [report.validation_score for report in reports] == rec.validation_scores_
    assert rec.score(X[last]) == pytest.approx(max(rec.validation_scores_))
    assert small(max_iter=5).fit(X, callbacks=lambda report: report.epoch == 2).n_iter_ == 2


@pytest.mark.parametrize(
    ("later", "message"),
    [
        ([[999, 1]], "validation_data has 1 events, and none is of a user who has events in X"),
        (([[0, 1]], [0]), "none of a user of X is positive"),
    ],
    ids=["unknown", "negative"],
)
def test_validation_data_of_which_nothing_can_be_ranked(later, message):
    with pytest.raises(ValueError, match=message):
        small().fit(tastes(), validation_data=later)


def test_probabilities_are_calibrated_on_validation_data():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.repeat(np.arange(60), 8), np.concatenate([rng.permutation(8) for _ in range(60)])])
    y, is_later = X.sum(axis=1) % 2, np.arange(480) % 8 > 5
    options = {"loss": "bce", "n_negatives": 0, "calibration": "sigmoid"}
    rec = small(**options).fit(X[~is_later], y[~is_later], validation_data=(X[is_later], y[is_later]))
    assert_array_equal(rec.predict_proba(X)[:, 1] > 0.5, y == 1)
    upside_down = small(**options).fit(X[~is_later], y[~is_later], validation_data=(X[is_later], 1 - y[is_later]))
    assert_array_equal(upside_down.predict_proba(X)[:, 1] > 0.5, y == 0)


def test_a_checkpoint_continues_a_killed_fit(tmp_path, fitted):
    path, tables = tmp_path / "fit.pt", {"item_features": parity(N_ITEMS), "user_features": parity(80)}

    def die(report):
        if report.epoch == 3:
            raise SystemExit

    with pytest.raises(SystemExit):
        small().fit(tastes(), **tables, checkpoint=path, callbacks=die)
    with pytest.raises(ValueError, match="run with other dropout"):
        small(dropout=0.5).fit(tastes(), **tables, checkpoint=path)
    with pytest.raises(ValueError, match="run with other data"):
        small().fit(tastes(seed=1), **tables, checkpoint=path)
    rec = small().fit(tastes(), **tables, checkpoint=path)
    assert rec.loss_curve_ == fitted.loss_curve_
    for name, array in fitted._network.arrays.items():
        assert_array_equal(rec._network.arrays[name], array)
    assert not path.exists()


def test_a_batch_of_one_gives_what_a_batch_of_many_gives(fitted):
    users = np.arange(20)
    together = fitted.recommend(users, k=5)
    for user in users:
        alone = fitted.recommend([user], k=5)
        assert_array_equal(alone.items[0], together.items[user])
        assert_array_equal(alone.scores[0], together.scores[user])


def test_the_additive_form_orders_items_alike_and_warns():
    with pytest.warns(AdditiveInteractionWarning, match="alike for every user"):
        rec = small(interaction="additive").fit(tastes())
    orders = rec.recommend(range(5), k=N_ITEMS, exclude_seen=False).items
    assert (orders == orders[0]).all()
    scores = rec.predict([[0, 0], [1, 0], [0, 1], [1, 1]]).reshape(2, 2)
    assert_allclose(scores[0] - scores[1], (scores[0] - scores[1])[0], atol=1e-5)


# Who is served -----------------------------------------------------------------------------------------------


def test_new_items_and_users_by_features_and_histories(fitted):
    rec = clone(fitted).fit(tastes(), item_features=parity(N_ITEMS + 2), user_features=parity(82))
    assert_array_equal(rec.recommend([80, 81], k=2, candidates=[16, 17], exclude_seen=False).items[:, 0], [16, 17])
    assert shares_of_own_kind(fitted, (900, 901), user_features=([900, 901], np.eye(2))) == 1
    assert shares_of_own_kind(fitted, (900, 901), history=[[900, 2], [900, 4], [901, 3], [901, 7]]) == 1
    assert_array_equal(fitted.recommend([900], k=3).scores[0], np.sort(fitted.popularity_)[::-1][:3])


@pytest.mark.parametrize("interaction", ["dot", "cosine"])
def test_items_without_events_lean_on_trained_items_with_like_features(interaction):
    features = np.random.default_rng(0).normal(size=(N_ITEMS + 4, 3)).astype(np.float32)
    table = np.arange(N_ITEMS + 4), features
    options = {"interaction": interaction, "max_iter": 2}
    plain = small(**options).fit(tastes(), item_features=table)
    smoothed = small(**options, cold_smoothing=0.6).fit(tastes(), item_features=table)
    vectors = plain.item_vectors()
    expected = with_like_items(vectors, np.arange(N_ITEMS + 4) < N_ITEMS, features, 0.6)
    if interaction == "cosine":  # a mean of directions is a direction again
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert_allclose(smoothed.item_vectors(), expected, rtol=1e-4, atol=1e-6)
    assert np.abs(smoothed.item_vectors()[N_ITEMS:] - vectors[N_ITEMS:]).max() > 0.1


def test_the_learning_rate_falls():
    rates = []
    small(learning_rate_schedule="linear", warmup=0.25).fit(tastes(), callbacks=lambda r: rates.append(r.learning_rate))
    assert rates[1] == max(rates)
    assert np.all(np.diff(rates[1:]) < 0)
    assert rates[-1] < 0.1 * rates[1]


def test_partial_fit_takes_new_users_items_and_events(fitted):
    before = joblib.load(_dumped(fitted))
    before.partial_fit(item_features=([16, 17], np.eye(2)), user_features=([80, 81], np.eye(2)))
    assert_array_equal(before.recommend([80, 81], k=1, candidates=[16, 17]).items.ravel(), [16, 17])
    rec = joblib.load(_dumped(fitted)).partial_fit(np.column_stack([np.full(4, 200), [0, 2, 4, 6]]))
    assert shares_of_own_kind(rec, (200,)) == 1
    assert rec.n_iter_ == fitted.n_iter_ + 1


def test_texts_are_searched_and_neighbours_found():
    words = [("whale sea", "love letter")[i % 2] for i in range(N_ITEMS)]
    titles = pd.DataFrame({"item": range(N_ITEMS), "title": words})
    rec = small(item_encoder=LLMTextEmbedder(HashingTextEncoder(16))).fit(tastes(), item_features=FeatureTable(titles))
    assert (rec.search("whale", k=3).items % 2 == 0).all()
    assert (rec.similar_items([0, 1], k=3).items % 2 == [[0], [1]]).all()
    assert rec.item_vectors().shape == (N_ITEMS, 8)
    assert rec.explain([0], rec.recommend([0], k=1).items[0]) is not None


def test_the_same_seed_gives_the_same_bits():
    a, b = small(dropout=0.3).fit(tastes()), small(dropout=0.3).fit(tastes())
    state = torch.random.get_rng_state()
    for name, array in a._network.arrays.items():
        assert_array_equal(array, b._network.arrays[name])
    small().fit(tastes())
    assert_array_equal(state, torch.random.get_rng_state())


@settings(max_examples=15, deadline=None)
@given(
    interaction=st.sampled_from(["dot", "cosine", "additive"]),
    hidden=st.sampled_from([(), (5,), (4, 3)]),
    has_history=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_numpy_serves_what_torch_trained(interaction, hidden, has_history, seed):
    rng = np.random.default_rng(seed)
    shape = TowerShape(6, hidden, interaction, 0.7, has_history, 3, 4, 2)
    arrays = {n: rng.normal(size=s).astype(np.float32) for n, s in shape.arrays(5, 7).items()}
    network = TowerNetwork(shape, arrays)
    items, users = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    context = rng.normal(size=(5, 2)).astype(np.float32)
    module = TorchTowers(
        network, items, users, np.ones(7, bool), dropout=0.5, id_dropout=0.5, generator=torch.Generator()
    ).eval()
    histories = Histories.group(np.array([0, 0, 2, 4]), np.array([1, 6, 3, 3]), np.ones(4), None, 5)
    ours = network.query_vectors(np.arange(5), histories, network.history_vectors(items), users, context)
    with torch.no_grad():
        pooled = sp.csr_array((np.ones(4, np.float32), histories.items, histories.indptr), (5, 7))
        theirs = module.queries(torch.arange(5), pooled if has_history else None, torch.as_tensor(context)).numpy()
        assert_allclose(network.item_vectors(items), module.item_vectors().numpy(), rtol=1e-4, atol=1e-4)
    assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_only_the_latest_events_are_pooled():
    histories = Histories.group(np.array([0, 0, 0, 1]), np.arange(4), np.ones(4), None, 3)
    assert_array_equal(latest(histories, 2).items, [1, 2, 3])
    assert_array_equal(latest(histories, 2).lengths, [2, 1, 0])


# Saved models ------------------------------------------------------------------------------------------------


def _dumped(rec):
    file = io.BytesIO()
    joblib.dump(rec, file)
    file.seek(0)
    return file


def test_saved_models_serve_without_torch(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    code = """
        import sys, joblib
        rec = joblib.load(sys.argv[1])
        print(rec.recommend([0, 1], k=2).items.tolist())
        rec.recommend(history=[[7000, 2]], k=2)
        assert "torch" not in sys.modules
        """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "model.joblib")],
        capture_output=True, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    assert out.stdout.strip() == str(fitted.recommend([0, 1], k=2).items.tolist())


def test_skops_and_damaged_states():
    X = np.column_stack([np.repeat(np.arange(60), 8), np.tile(np.arange(8), 60)])
    rec = small(loss="bce", n_negatives=0, calibration="sigmoid", max_iter=2).fit(X, (X.sum(axis=1)) % 2)
    loaded = skops.io.loads(skops.io.dumps(rec), trusted=skops_trusted_types())
    assert_array_equal(loaded.predict_proba(X), rec.predict_proba(X))
    for name, value in (
        ("_active", np.ones(3, bool)),
        ("_history_vectors", None),
        ("_calibrator", "a text"),
        ("_user_components", np.zeros((60, 2), np.float32)),
    ):
        broken = copy.deepcopy(rec)
        setattr(broken, name, value)
        text = skops.io.dumps(broken)
        with pytest.raises(DamagedStateError):
            skops.io.loads(text, trusted=skops_trusted_types())


# Probabilities -----------------------------------------------------------------------------------------------


def test_probabilities_need_both_classes():
    rec = small(max_iter=1, calibration="sigmoid").fit(tastes())
    with pytest.raises(ValueError, match="one class"):
        rec.predict_proba([[0, 0]])
    assert not hasattr(small(), "predict_proba")


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_match_frequencies(method):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.repeat(np.arange(100), 10), rng.integers(0, N_ITEMS, 1000)])
    chance = np.where(X[:, 1] % 2 == 0, 0.8, 0.3)
    y = (rng.random(1000) < chance).astype(float)
    rec = small(loss="bce", n_negatives=0, max_iter=3, calibration=method).fit(X, y)
    probability = rec.predict_proba(X)
    assert_allclose(probability.sum(axis=1), 1)
    even = X[:, 1] % 2 == 0
    assert abs(probability[even, 1].mean() - 0.8) < 0.15
    assert abs(probability[~even, 1].mean() - 0.3) < 0.15


# Bad input ---------------------------------------------------------------------------------------------------


def test_an_encoder_whose_width_changes():
    def widths(table):
        return np.ones((len(table), 1 + len(table) % 3))

    rec = small(item_encoder=FunctionTransformer(widths), max_iter=1)
    table = pd.DataFrame({"item": range(N_ITEMS), "size": 1.0})
    rec.fit(tastes(), item_features=FeatureTable(table))
    with pytest.raises(ValueError, match="feature columns"):
        rec.partial_fit(item_features=FeatureTable(pd.DataFrame({"item": [99, 98], "size": 1.0})))


def test_no_features_at_all():
    rec = small(max_iter=1).fit(tastes())
    with pytest.raises(UnsupportedArgumentError, match="item_encoder"):
        rec.search("whale")
    with pytest.raises(UnsupportedArgumentError, match="user_features"):
        rec.recommend([0], user_features=([0], [[1.0]]))
    constant = small(max_iter=1).fit(tastes(), item_features=(np.arange(N_ITEMS), np.zeros((N_ITEMS, 2))))
    assert np.isfinite(constant.predict(tastes())).all()


def test_a_user_table_without_the_user():
    with pytest.warns(FeatureCoverageWarning):
        rec = small(max_iter=1).fit(tastes(), user_features=parity(70))
    assert np.isfinite(rec.predict([[75, 0]])).all()


def test_features_of_nan():
    table = np.full((N_ITEMS, 2), np.nan)
    with pytest.raises(ValueError, match="NaN"):
        small().fit(tastes(), item_features=(np.arange(N_ITEMS), table))


def test_no_positive_event():
    X = tastes()
    with pytest.warns(ColdStartWarning, match="No event is positive"):
        rec = small(threshold=4).fit(X, np.ones(len(X)))
    assert rec.recommend([0], k=2).items.shape == (1, 2)
    assert rec.n_iter_ == 0


def test_one_item():
    rec = small(max_iter=2).fit([[user, 7] for user in range(5)])
    assert rec.recommend([0, 99], k=3, exclude_seen=False).items.tolist() == [[7], [7]]


def test_a_device_that_is_not_there():
    with pytest.raises(ValueError, match="device"):
        small(device="cuda:99").fit(tastes())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("loss", ["softmax", "multinomial", "sampled_softmax", "in_batch_softmax", "bce"])
def test_cuda_learns_what_the_cpu_learns(loss):
    rec, cpu = (
        small(loss=loss, device=device).fit(tastes(), item_features=parity(N_ITEMS)) for device in ("cuda", None)
    )
    assert_allclose(rec.loss_curve_[-1], cpu.loss_curve_[-1], rtol=0.1)
    assert shares_of_own_kind(rec) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": ("a",)}, "hidden_layer_sizes"),
        ({"n_negatives": 0}, "n_negatives=0"),
        ({"interaction": "additive", "loss": "softmax"}, "additive"),
        ({"loss": "multinomial", "use_history": False}, "use_history=False"),
        ({"loss": "multinomial", "dropout": 0}, "dropout=0"),
        ({"temperature": 0}, "temperature"),
    ],
    ids=str,
)
def test_parameters_that_do_not_fit(options, message):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
        small(**options).fit(tastes())
