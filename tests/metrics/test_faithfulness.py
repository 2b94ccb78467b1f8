"""Whether explanations cite what a model goes by: against a twin, and against made-up evidence."""

import numpy as np
import pytest

from skrec._explain._explanations import Evidence, Explanations
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.linear_model import EASERecommender
from skrec.metrics import explanation_faithfulness
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender
from skrec.pipeline import make_pipeline


def _events(n_users=60, n_items=40, seed=0, text=False):
    """Users of two tastes, who choose at random within theirs and now and then without."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), 12)
    own = rng.random(len(users)) < 0.8
    items = rng.integers(n_items // 2, size=len(users)) * 2 + np.where(own, users % 2, 1 - users % 2)
    if not text:
        return np.column_stack([users, items])
    return np.array([[f"stranger{u}", f"i{i}"] for u, i in zip(users, items, strict=True)], dtype=object)


def _told(rec, k=2, **options):
    found = rec.recommend(k=k)
    return rec.explain(np.repeat(found.users, k), found.items.ravel(), **options)


def _with_evidence(explanations, evidence):
    return Explanations(explanations.user, explanations.item, explanations.text, evidence, explanations.method)


@pytest.mark.parametrize("measure", ["score", "rank"])
def test_against_a_twin(measure):
    """One call a version of a history, of a model in which an item adds to a score whatever else there is."""
    events = _events()
    rec = EASERecommender(regularization=20, order="none").fit(events)
    told = _told(rec, k=1, n_evidence=3)
    found = explanation_faithfulness(rec, told, measure=measure, n_random=400, random_state=0, n_bootstrap=10)

    def value(history, item):
        ranked = rec.recommend([999], k=40, history=history, exclude_seen=False)
        at = ranked.items[0].tolist().index(item)
        return ranked.scores[0, at] if measure == "score" else -at / 39

    drops, others = [], []
    for user, item, reasons in zip(told.user, told.item, told.evidence, strict=True):
        own = events[events[:, 0] == user].copy()
        own[:, 0] = 999
        cited = [reason.item for reason in reasons]
        whole = value(own, item)
        drops.append(whole - value(own[~np.isin(own[:, 1], cited)], item))
        if measure == "score":  # additive: the mean over all subsets is the share of the whole
            distinct = np.unique(own[:, 1])
            each = [whole - value(own[own[:, 1] != other], item) for other in distinct]
            others.append(len(cited) * np.mean(each))
    assert found["n_pairs"][0] == len(told)
    np.testing.assert_allclose(found["drop"][0], np.mean(drops), atol=1e-5)
    if measure == "score":
        np.testing.assert_allclose(found["random_drop"][0], np.mean(others), rtol=0.03)
    np.testing.assert_allclose(found["difference"][0], found["drop"][0] - found["random_drop"][0], atol=1e-12)


@pytest.mark.parametrize(
    "rec",
    [ItemKNNRecommender(), HybridMFRecommender(n_factors=8, random_state=0), EmbeddingKNNRecommender()],
    ids=str,
)
@pytest.mark.parametrize("measure", ["score", "rank"])
def test_own_explanations_are_faithful(rec, measure):
    vectors = np.random.default_rng(1).normal(size=(40, 6)) + 2 * (np.arange(40)[:, None] % 2 == np.arange(6) % 2)
    rec.fit(_events(), item_features=(np.arange(40), vectors))
    found = explanation_faithfulness(rec, _told(rec), measure=measure, random_state=0)
    assert found["ci_low"][0] > 0
    assert found["p_value"][0] < 0.01


def test_made_up_evidence_is_not():
    rec = ItemKNNRecommender().fit(_events())
    told = _told(rec, k=4)
    rng = np.random.default_rng(0)
    seen = [
        np.setdiff1d(rec.items_[rec.seen_items([user]).items], [item])
        for user, item in zip(told.user, told.item, strict=True)
    ]
    made_up = _with_evidence(
        told, [[Evidence("history", 1.0, item=i) for i in rng.choice(s, 2, replace=False)] for s in seen]
    )
    found = explanation_faithfulness(rec, made_up, random_state=0)
    assert found["ci_low"][0] < 0 < found["ci_high"][0]


def test_text_ids_and_users_that_are_called_strangers():
    numbers, names = ItemKNNRecommender().fit(_events()), ItemKNNRecommender().fit(_events(text=True))
    found = explanation_faithfulness(names, _told(names), random_state=0)
    assert found["n_pairs"][0] == explanation_faithfulness(numbers, _told(numbers), random_state=0)["n_pairs"][0] > 0
    assert found["difference"][0] > 0


def test_what_cites_nothing_or_everything_is_skipped():
    X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [2, 30], [3, 30], [3, 10], [4, 10]])
    rec = ItemKNNRecommender().fit(X)
    told = rec.explain([1, 1, 99, 4], [30, 30, 30, 30])
    evidence = [
        [Evidence("history", 1.0, item=10), Evidence("history", 1.0, item=20)],  # everything
        [Evidence("history", 1.0, item=10)],
        told.evidence[2],  # a stranger: by popularity
        [Evidence("history", 1.0, item=10)],  # the only event
    ]
    found = explanation_faithfulness(rec, _with_evidence(told, evidence), random_state=0)
    assert (found["n_pairs"][0], found["n_skipped"][0]) == (1, 3)
    none = explanation_faithfulness(PopularRecommender().fit(X), PopularRecommender().fit(X).explain([1], [30]))
    assert none["n_pairs"][0] == 0
    assert np.isnan(none["difference"][0])


def test_within_a_pipeline_and_with_items_that_were_seen():
    events = _events()
    rows = np.column_stack([events, np.arange(len(events)) % 2])
    pipe = make_pipeline(ContextEncoder(), ItemKNNRecommender()).fit(rows)
    found = explanation_faithfulness(pipe, pipe.explain(events[::12, 0], events[::12, 1]), random_state=0)
    assert found["n_pairs"][0] > 30


def test_the_seed_decides():
    rec = ItemKNNRecommender().fit(_events())
    a, b = (explanation_faithfulness(rec, _told(rec), random_state=3) for _ in range(2))
    assert a.equals(b)


def test_bad_arguments():
    rec = ItemKNNRecommender().fit(_events())
    told = _told(rec)
    with pytest.raises(ValueError, match="measure"):
        explanation_faithfulness(rec, told, measure="loss")
    with pytest.raises(ValueError, match="n_random"):
        explanation_faithfulness(rec, told, n_random=0)
    with pytest.raises(TypeError, match="what explain"):
        explanation_faithfulness(rec, ["because"])
    with pytest.raises(TypeError, match="recommend"):
        explanation_faithfulness(ContextEncoder(), told)
