"""Vectors that are trained over the graph, links between users, and bad input."""

import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skrec import LinkTable, SocialRecommender
from skrec.datasets import make_interactions
from skrec.exceptions import ColdStartWarning, DamagedStateError
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.graph import GraphRecommender
from skrec.graph import _solver as solver_module
from skrec.graph._adjacency import Graph, event_edges
from skrec.graph._node_vectors import NodeVectors
from skrec.interactions import FeatureTable
from skrec.model_selection import search_space
from skrec.persistence import skops_trusted_types

LOSSES = ["softmax", "sampled_softmax", "bpr"]


def tastes(n_users=60, n_events=4, n_items=16, seed=0):
    """Even users choose even items, odd users odd ones."""
    rng = np.random.default_rng(seed)
    items = np.concatenate([2 * rng.permutation(n_items // 2)[:n_events] + user % 2 for user in range(n_users)])
    return np.column_stack([np.repeat(np.arange(n_users), n_events), items])


def trained(**options):
    chosen = {
        "n_factors": 8, "trainable": True, "filter_weight": 0.0, "learning_rate": 0.05, "batch_size": 64,
        "max_iter": 8, "n_negatives": 8, "regularization": 0.01, "early_stopping": False, "random_state": 0,
    }  # fmt: skip
    return GraphRecommender(**(chosen | options))


def own_taste(rec, users=(0, 1), k=4, **options):
    return (rec.recommend(list(users), k=k, **options).items % 2 == np.array(users)[:, None] % 2).mean()


# What is learned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [{}, {"filter_weight": 0.5}, {"contrastive_weight": 0.01, "n_layers": 3}], ids=str)
def test_tastes_are_learned(loss, options):
    rec = trained(loss=loss, **options).fit(tastes())
    assert own_taste(rec, range(60)) > 0.95
    assert len(rec.loss_curve_) == rec.n_iter_ == rec.best_iter_ == 8
    assert rec.loss_curve_[-1] < rec.loss_curve_[0]
    assert rec.validation_scores_ is None


def test_scores_are_those_of_means_over_the_layers():
    X = tastes()
    rec = trained(n_layers=2).fit(X, user_links=LinkTable([(0, 2), (5, 700)]))
    events = event_edges(rec._histories, 16)
    whole = Graph(events, None, rec._user_edges()).normalised().whole().toarray()
    layer = np.vstack([rec._nodes.users, rec._nodes.items])
    mean = (layer + whole @ layer + whole @ whole @ layer) / 3
    users, items = mean[: len(rec.users_)], mean[len(rec.users_) :]
    pairs = np.array([[user, item] for user in rec.users_[:60] for item in rec.items_])
    assert_allclose(rec.predict(pairs).reshape(60, 16), users[:60] @ items.T, rtol=1e-3, atol=1e-5)


def test_torch_and_numpy_send_vectors_alike():
    from skrec.graph._torch_graph import TorchGraph

    events = event_edges(trained(max_iter=1).fit(tastes())._histories, 16)
    graph = Graph(events)
    nodes = NodeVectors.draw(60, 16, 4, np.random.default_rng(0))
    module = TorchGraph(
        graph.normalised().whole(), nodes.users, nodes.items, np.ones(76, bool), n_layers=2, noise=0.1,
        generator=torch.Generator(),
    )  # fmt: skip
    with torch.no_grad():
        by_torch = module.propagate()[1].numpy()
    assert_allclose(by_torch, nodes.over(graph, 2)[1], rtol=1e-4, atol=1e-6)


def test_the_filter_alone_is_what_a_weight_of_one_serves():
    X = tastes()
    closed = GraphRecommender(8, random_state=0).fit(X)
    mixed = trained(filter_weight=1.0, max_iter=1).fit(X)
    assert_allclose(mixed.recommend(k=5).scores, closed.recommend(k=5).scores, rtol=1e-3, atol=1e-6)


def test_the_best_epoch_is_kept_and_training_stops():
    X = tastes(300)
    rec = trained(early_stopping=True, validation_fraction=0.5, max_iter=30, n_iter_no_change=2).fit(X)
    scores = rec.validation_scores_
    assert rec.best_iter_ == int(np.argmax(scores)) + 1
    assert rec.n_iter_ == len(scores) <= rec.best_iter_ + 2
    assert rec.n_iter_ < 30


def test_held_out_edges_are_not_in_the_graph_of_training(monkeypatch):
    seen = []
    train = solver_module.GraphSolver.train

    def spy(self, vectors, graph, held_out=None, **options):
        seen.append((graph, held_out))
        return train(self, vectors, graph, held_out, **options)

    monkeypatch.setattr(solver_module.GraphSolver, "train", spy)
    X = tastes(100)
    rec = trained(early_stopping=True, validation_fraction=0.3, max_iter=1).fit(X)
    graph, held_out = seen[0]
    assert len(held_out.users) == 30
    assert graph.events.nnz == len(X) - 30
    assert not graph.events[held_out.users, held_out.relevant.items].any()
    whole = event_edges(rec._histories, 16)
    assert whole[held_out.users, held_out.relevant.items].all()


def test_events_that_fit_did_not_get_change_nothing():
    """A fold is trained on the edges of its training part alone: what is held out elsewhere has no way in."""
    X = tastes()
    first = trained(max_iter=2).fit(X)
    second = trained(max_iter=2).fit(np.vstack([X]))
    test = np.column_stack([np.arange(60), np.arange(60) % 16])
    before = first.predict(test)
    first.score(test)
    assert_array_equal(first.predict(test), before)
    assert_array_equal(second.predict(test), before)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_seed_gives_the_same_bits(loss):
    options = {"loss": loss, "contrastive_weight": 0.1, "max_iter": 2, "filter_weight": 0.3}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, second = (trained(**options).fit(tastes()) for _ in range(2))
    assert_array_equal(first._nodes.items, second._nodes.items)
    assert_array_equal(first.recommend(k=3).scores, second.recommend(k=3).scores)
    assert_array_equal(torch.get_rng_state(), state)
    other = trained(**{**options, "random_state": 1})
    assert not np.array_equal(other.fit(tastes())._nodes.items, first._nodes.items)


def test_the_search_space_has_what_training_needs():
    assert "learning_rate" in search_space(trained())
    assert "learning_rate" not in search_space(GraphRecommender())


# Who is served -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filter_weight", [0.0, 0.5])
def test_new_users_are_served_by_a_history(filter_weight):
    rec = trained(filter_weight=filter_weight).fit(tastes())
    history = [[900, 0], [900, 4], [901, 1], [901, 5]]
    assert own_taste(rec, (900, 901), history=history) == 1


def test_items_without_events_are_reached_by_their_texts():
    X = tastes()
    ids = np.arange(18)
    texts = [f"a story of {'dragons and magic' if i % 2 else 'murder and police'}" for i in ids]
    items = FeatureTable(pd.DataFrame({"item": ids, "text": texts}))
    rec = trained(item_encoder=LLMTextEmbedder(model=HashingTextEncoder()), n_neighbors=4).fit(X, item_features=items)
    scores = rec.predict([[0, 16], [0, 17], [1, 16], [1, 17]])
    assert scores[0] > scores[1]
    assert scores[3] > scores[2]
    assert rec.search("murder", k=9).items[0, 0] % 2 == 0
    assert (rec.similar_items([17], k=3).items % 2 == 1).all()


@pytest.mark.parametrize("filter_weight", [0.0, 0.5])
def test_partial_fit_adds_users_items_and_links(filter_weight):
    rec = trained(filter_weight=filter_weight).fit(tastes())
    rec.partial_fit([[500, 0], [500, 2], [0, 700], [2, 700], [4, 700]], user_links=[(600, 1), (600, 3), (600, 5)])
    assert {500, 600} <= set(rec.users_)
    assert 700 in rec.items_
    assert own_taste(rec, (500,)) == 1
    assert own_taste(rec, (601, 600)[:1], history=[[601, 1], [601, 3]]) == 1
    assert (rec.recommend([600], k=4).items % 2 == 1).mean() > 0.7
    assert rec.n_iter_ == 9
    before = rec.n_iter_
    rec.partial_fit(user_links=[(800, 0), (800, 2)])
    assert rec.n_iter_ == before
    assert (rec.recommend([800], k=4).items % 2 == 0).mean() > 0.7


def test_reasons_are_events_of_the_history():
    rec = trained(filter_weight=0.5).fit(tastes())
    item = rec.recommend([0], k=1).items[0, 0]
    found = rec.explain([0], [item])
    assert {reason.kind for reason in found.evidence[0]} == {"history"}
    own = set(tastes()[tastes()[:, 0] == 0, 1])
    assert {reason.item for reason in found.evidence[0]} <= own


def test_it_is_served_from_files_without_torch(tmp_path):
    rec = trained(filter_weight=0.5).fit(tastes(), user_links=LinkTable([(0, 2), (0, 900)]))
    joblib.dump(rec, tmp_path / "rec.joblib")
    skops.io.dump(rec, tmp_path / "rec.skops")
    loaded = skops.io.load(tmp_path / "rec.skops", trusted=skops_trusted_types())
    assert_array_equal(loaded.recommend(k=4).codes, rec.recommend(k=4).codes)
    code = f"""
        import sys, joblib
        rec = joblib.load({str(tmp_path / "rec.joblib")!r})
        rec.recommend(k=3)
        rec.recommend(history=[[5000, 2]], k=3)
        rec.explain([0], [2])
        rec.similar_items([0], k=2)
        print("torch" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
    rec._nodes = type(rec._nodes)(rec._nodes.users[:-1], rec._nodes.items)
    joblib.dump(rec, tmp_path / "damaged.joblib")
    with pytest.raises(DamagedStateError, match=r"_nodes\.users"):
        joblib.load(tmp_path / "damaged.joblib")


def test_callbacks_and_checkpoints(tmp_path):
    path, reports = tmp_path / "run.pt", []
    whole = trained(max_iter=4).fit(tastes())

    def stop(report):
        reports.append(report)
        if len(reports) == 2:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="the power is gone"):
        trained(max_iter=4).fit(tastes(), callbacks=stop, checkpoint=path)
    assert [report.epoch for report in reports] == [1, 2]
    continued = trained(max_iter=4).fit(tastes(), checkpoint=path)
    assert_array_equal(continued._nodes.items, whole._nodes.items)
    assert not path.exists()


# Links between users -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"filter_weight": 0.5}, {"trainable": False}, {"trainable": False, "low_pass": 1.0}], ids=str
)
def test_users_with_links_alone_get_what_their_friends_choose(options):
    links = LinkTable([(900 + odd, user) for odd in (0, 1) for user in range(odd, 20, 2)])
    rec = trained(**options).fit(tastes(), user_links=links)
    assert {900, 901} <= set(rec.users_)
    assert own_taste(rec, (900, 901)) == 1
    alone = trained(**options).fit(tastes())
    assert 900 not in alone.users_


def test_links_pull_users_towards_their_friends():
    """Users who choose at random are told apart by whom they know."""
    rng = np.random.default_rng(0)
    X = tastes(60)
    X[X[:, 0] >= 40, 1] = rng.integers(0, 16, (X[:, 0] >= 40).sum())
    links = [(user, friend) for user in range(40, 60) for friend in range(user % 2, 40, 4)]
    with_links = own_taste(trained(link_weight=4.0).fit(X, user_links=LinkTable(links)), range(40, 60))
    assert with_links > own_taste(trained().fit(X), range(40, 60))
    ignored = trained(link_weight=0.0).fit(X, user_links=LinkTable(links))
    assert_array_equal(ignored.recommend(k=4).scores, trained().fit(X).recommend(k=4).scores)


@pytest.mark.parametrize("trainable", [True, False])
def test_odd_links(trainable):
    X = tastes(40)
    options = {"trainable": trainable, "max_iter": 2}
    plain = trained(**options).fit(X)
    for none in (LinkTable([]), [], [(3, 3)]):  # none at all, to oneself
        rec = trained(**options).fit(X, user_links=none)
        assert_array_equal(rec.recommend(k=4).scores, plain.recommend(k=4).scores)
    once, twice = (trained(**options).fit(X, user_links=links) for links in ([(0, 2)], [(0, 2), (2, 0), (0, 2)]))
    assert_array_equal(once.recommend(k=4).scores, twice.recommend(k=4).scores)
    strangers = trained(**options).fit(X, user_links=[(7000, 7001)])  # nobody knows what they choose
    assert_array_equal(strangers.recommend([7000], k=3).items, plain.recommend([-5], k=3).items)
    assert len(strangers.users_) == 42
    as_long = X[:, ::-1]
    with pytest.raises(ValueError, match="as many as X"):
        trained(**options).fit(X, user_links=as_long)
    trained(**options).fit(X, user_links=LinkTable(as_long))
    with pytest.raises(TypeError, match="users"):
        trained(**options).fit(X, user_links=[("ann", "bob")])


def test_a_social_recommender_hands_its_links_on():
    links = LinkTable([(900, user) for user in range(0, 20, 2)])
    rec = SocialRecommender(trained(max_iter=2), weight=0.0).fit(tastes(), user_links=links)
    assert 900 in rec.recommender_.users_


# Bad input ---------------------------------------------------------------------------------------------------


def test_a_graph_without_edges_is_not_trained():
    X = tastes()
    with pytest.warns(ColdStartWarning, match="The graph has no edges"):
        rec = trained().fit(X, np.zeros(len(X)))
    assert rec.n_iter_ == 0
    popular = rec.recommend([0], k=3, exclude_seen=False)
    assert popular.items.shape == (1, 3)
    rec.partial_fit(tastes(seed=1))
    assert rec.n_iter_ == 1


@pytest.mark.parametrize("filter_weight", [0.0, 0.5])
def test_one_user_and_one_item(filter_weight):
    rec = trained(filter_weight=filter_weight, max_iter=1).fit([[1, 5]])
    assert rec.recommend([1, 2], k=2, exclude_seen=False).items[:, 0].tolist() == [5, 5]


def test_trained_vectors_do_not_start_from_features():
    with pytest.raises(ValueError, match="signal='features'"):
        trained(signal="features").fit(tastes(), item_features=(np.arange(16), np.eye(16)))


def test_made_data_is_ranked_better_than_by_popularity():
    from skrec.dummy import PopularRecommender
    from skrec.model_selection import LeaveKOut

    X = np.asarray(make_interactions(200, 60, 4000, random_state=0).X)[:, :2].astype(np.int64)
    train, test = next(iter(LeaveKOut(2, n_splits=1, random_state=0).split(X)))
    rec = trained(n_factors=16, max_iter=15, batch_size=512, regularization=0.1, filter_weight=0.3).fit(X[train])
    assert rec.score(X[test]) > 1.2 * PopularRecommender().fit(X[train]).score(X[test])
