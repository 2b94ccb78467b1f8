"""Why items are recommended: parts that add up to the score, cold starts, words and errors."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from skrec._explain._explanations import Evidence, Explanations
from skrec._explain._mixin import left_out
from skrec._explain._templates import LANGUAGES, write_reasons
from skrec.datasets import make_interactions
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.exceptions import DamagedStateError
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder
from skrec.graph import GraphRecommender
from skrec.interactions import FeatureTable
from skrec.interactions._queries import Queries
from skrec.linear_model import EASERecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.persistence import skops_trusted_types
from skrec.pipeline import make_pipeline

BOOKS = pd.DataFrame(
    {
        "id": [10, 20, 30, 40, 50],
        "title": ["Emma", "Persuasion", "Moby-Dick", "Typhoon", "Walden"],
        "text": [
            "a marriage in an English village",
            "a second marriage proposal in an English town",
            "a captain hunts the whale at sea",
            "a captain meets a storm at sea",
            "a cabin beside a pond",
        ],
        "year": [1815, 1817, 1851, 1902, 1854],
    }
)
X = np.array([[1, 10], [1, 30], [2, 30], [2, 40], [3, 10], [3, 20], [4, 20], [4, 10], [5, 40], [5, 30], [6, 50]])


def _random_events(seed=0, n_users=30, n_items=25, n_events=300):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(n_users, size=n_events), rng.integers(n_items, size=n_events)])


def _vectors(n_items=25):
    return np.arange(n_items), np.random.default_rng(1).normal(size=(n_items, 6)).astype(np.float32)


def _parts(rec, users, items):
    """Contributions summed by query, and the scores that they should add up to."""
    _, queries = rec._read_queries(users, None, None)
    codes = rec._item_index.codes(np.asarray(items), "items")
    added = rec._contributions(queries, codes)
    assert added.shape == queries.histories.items.shape
    sums = np.bincount(queries.histories.row_of_event(), weights=added, minlength=len(queries))
    return sums, rec._score_pairs(queries, np.arange(len(queries)), codes)


@pytest.mark.parametrize(
    "rec",
    [
        EmbeddingKNNRecommender(),
        EmbeddingKNNRecommender(metric="dot"),
        EmbeddingKNNRecommender(aggregation="max"),
        EmbeddingKNNRecommender(aggregation="attention"),
        EmbeddingKNNRecommender(aggregation="attention", metric="euclidean"),
        ItemKNNRecommender(),
        EASERecommender(regularization=10),
    ],
    ids=str,
)
def test_parts_add_up_to_the_score(rec):
    rec.fit(_random_events(), item_features=_vectors())
    items = np.tile(np.arange(25), 30)
    sums, scores = _parts(rec, np.repeat(np.arange(30), 25), items)
    if hasattr(rec, "popularity_prior_"):  # popularity is no part of what the history says
        sums = sums + rec.popularity_prior_ * (rec.popularity_ / rec.popularity_.sum())[items]
    np.testing.assert_allclose(sums, scores, rtol=1e-5, atol=1e-5)


def _tasteful_events():
    """Events with tastes to learn: of random ones a factorisation keeps scores near zero, and any sum would fit."""
    data = make_interactions(60, 25, 500, n_topics=4, frame=None, random_state=0)
    return np.asarray(data.X), data.y


def _mean_user_part(rec, queries, items):
    """What a user like the mean one scores, as far as the history leaves it: by the normal equations, one by one."""
    state, solver = rec._state, rec._solver
    entries = solver.entries(queries.histories, len(rec.items_))
    penalties = solver.user_penalties(state.scales, np.diff(entries.indptr))
    parts = np.zeros(len(queries))
    for row, (start, stop) in enumerate(pairwise(entries.indptr)):
        vectors = state.design.others[entries.indices[start:stop]].astype(float)
        weights = state.scales.alpha * entries.data[start:stop].astype(float)
        system = state.design.gram + (vectors.T * weights) @ vectors + penalties[row] * np.eye(vectors.shape[1])
        parts[row] = penalties[row] * state.unknown_user @ np.linalg.solve(system, state.design.others[items[row]])
    return parts


def _no_part(rec, queries, items):
    return np.zeros(len(items))


def _bias_part(rec, queries, items):
    return getattr(rec, "mean_", 0.0) + rec.item_biases_[items]


def _popularity_part(rec, queries, items):
    return rec.popularity_prior_ * (rec.popularity_ / rec.popularity_.sum())[items]


@pytest.mark.parametrize(
    ("rec", "base"),
    [
        (ItemKNNRecommender(), _no_part),
        (EASERecommender(), _popularity_part),
        (GraphRecommender(n_factors=4, random_state=0), _no_part),
        (HybridMFRecommender(n_factors=5, random_state=0), _mean_user_part),
        (HybridMFRecommender(n_factors=5, feedback="explicit", random_state=0), _bias_part),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_exact_explanations_sum_up_to_the_score_by_a_hundred_thousandth_of_its_size(rec, base):
    events, y = _tasteful_events()
    y = y if getattr(rec, "feedback", None) == "explicit" else np.ones(len(events))
    rec.fit(events, y)
    new = events[:, 0] + 1000  # users without a fitted row: their histories are folded in
    users, items = np.repeat(np.unique(new), 25), np.tile(np.arange(25), len(np.unique(new)))
    _, queries = rec._read_queries(users, None, (np.column_stack([new, events[:, 1]]), y))
    codes = rec._item_index.codes(rec.items_[items], "items")
    added = rec._contributions(queries, codes)
    sums = np.bincount(queries.histories.row_of_event(), weights=added, minlength=len(queries))
    scores = rec._score_pairs(queries, np.arange(len(queries)), codes)
    assert np.ptp(sums) > 0.1 * np.ptp(scores)  # the history has a part in it
    np.testing.assert_allclose(sums + base(rec, queries, codes), scores, rtol=0, atol=1e-5 * np.abs(scores).max())


@pytest.mark.parametrize("solver", ["bpr", "warp", "softmax"])
def test_parts_of_stochastic_solvers_add_up_to_the_folded_score(solver):
    events = _random_events()
    rec = HybridMFRecommender(n_factors=4, solver=solver, max_iter=20, random_state=0).fit(events)
    history = np.array([[99, 3], [99, 3], [99, 7], [99, 8], [98, 1], [97, 2], [97, 4]])
    _, queries = rec._read_queries([99, 98, 97], None, history)
    for item in (5, 9, 3):
        items = np.full(3, item)
        sums = np.bincount(queries.histories.row_of_event(), weights=rec._contributions(queries, items), minlength=3)
        scores = rec._score_pairs(queries, np.arange(3), items)
        mean_user = rec.item_biases_[item] + rec._state.design.center @ rec.item_factors_[item]
        np.testing.assert_allclose(sums + mean_user, scores, atol=2e-3)


def test_parts_of_folded_bpr_add_up_to_the_score():
    events = _random_events()
    rec = BPRRecommender(n_factors=4, max_iter=20, random_state=0).fit(events)
    history = np.array([[99, 3], [99, 3], [99, 7], [99, 8]])
    _, queries = rec._read_queries([99], None, history)
    items = np.array([5])
    sums = rec._contributions(queries, items).sum() + rec.item_biases_[5]
    np.testing.assert_allclose(sums, rec._score_pairs(queries, np.array([0]), items)[0], atol=1e-5)


def test_left_out_is_the_fall_of_the_score():
    """Against a twin that scores strangers with what is left of the history."""
    events = _random_events(n_events=120)
    rec = UserKNNRecommender(n_neighbors=5).fit(events)
    history = np.array([[99, 3], [99, 7], [99, 3], [99, 8], [98, 1]])
    _, queries = rec._read_queries([99, 98, 97], None, history)
    items = np.array([5, 5, 5])
    falls = left_out(rec, queries, items)

    def score(rows):
        found = rec.recommend([99], k=1, candidates=[rec.items_[5]], history=rows, exclude_seen=False)
        return found.scores[0, 0]

    whole = score(history[:4])
    for row, item in enumerate([3, 7, 3, 8]):
        n_alike = int((history[:4, 1] == item).sum())
        rest = history[:4][history[:4, 1] != item]
        np.testing.assert_allclose(falls[row], (whole - score(rest)) / n_alike, atol=1e-6)
    assert falls[4] == max(0.0, rec._score_pairs(queries, np.array([1]), np.array([5]))[0])


def test_a_long_history_is_tried_at_its_end():
    rec = UserKNNRecommender().fit(np.column_stack([np.repeat(np.arange(3), 300), np.tile(np.arange(300), 3)]))
    history = np.column_stack([np.full(299, 9), np.arange(299)])
    _, queries = rec._read_queries([9], None, history)
    falls = left_out(rec, queries, np.array([299]))
    assert (falls[:99] == 0).all()
    assert falls.shape == (299,)


def test_words_that_texts_share_and_names():
    encoder = LLMTextEmbedder(HashingTextEncoder())
    rec = ItemKNNRecommender(item_encoder=encoder).fit(X, item_features=FeatureTable(BOOKS))
    found = rec.explain([1], [40], n_evidence=1)
    assert found.text == ["Because you chose Moby-Dick. In common: captain, sea."]
    (reason,) = found.evidence[0]
    assert (reason.kind, reason.item, reason.name, reason.keywords) == ("history", 30, "Moby-Dick", ("captain", "sea"))
    assert found.method == ["template"]
    assert pickle.loads(pickle.dumps(rec)).explain([1], [40], n_evidence=1).text == found.text


def halves(text):
    return [text[:2], text[2:]]


def test_words_in_common_are_those_of_the_encoder_s_tokenizer():
    books = pd.DataFrame({"id": [10, 20, 30, 40, 50], "text": ["监狱故事", "监狱生活", "大海", "花园", "山水"]})
    shared = []
    for tokenizer in (None, halves):
        encoder = NgramTextEncoder(4, tokenizer=tokenizer)
        rec = ItemKNNRecommender(item_encoder=encoder).fit(X, item_features=FeatureTable(books))
        rec.partial_fit(np.array([[7, 10]]), item_features=FeatureTable(books.head(1)))
        for model in (rec, pickle.loads(pickle.dumps(rec))):
            shared.append(model.item_texts_._words("监狱故事"))
            assert model.explain([3], [20], n_evidence=1).evidence[0][0].keywords == ("监狱",)
    assert shared[2:] == [{"监狱", "故事"}] * 2
    assert shared[0] == shared[1] == {"监狱", "故事"} | ({"狱故"} & shared[0])
    state = rec.item_texts_.__getstate__()
    with pytest.raises(DamagedStateError, match="tokenizer of item texts is a str"):
        rec.item_texts_.__setstate__({**state, "tokenizer": "eval"})


def test_items_without_text_go_by_their_ids():
    rec = ItemKNNRecommender().fit(X)
    assert rec.explain([3], [30]).text == ["Because you chose item 10."]


def test_texts_grow_with_partial_fit():
    encoder = LLMTextEmbedder(HashingTextEncoder())
    rec = ItemKNNRecommender(item_encoder=encoder).fit(X, item_features=FeatureTable(BOOKS))
    more = pd.DataFrame(
        {"id": [60, 10], "title": ["Lord Jim", "Emma, revised"], "text": ["the sea, a ship", "x"], "year": [1900, 1]}
    )
    rec.partial_fit(np.array([[1, 60], [3, 60]]), item_features=FeatureTable(more))
    names = {reason.name for reason in rec.explain([5], [60], n_evidence=9).evidence[0]}
    assert names <= {"Typhoon", "Moby-Dick"}
    assert names
    assert rec.item_texts_.names == ["Emma, revised", "Persuasion", "Moby-Dick", "Typhoon", "Walden", "Lord Jim"]
    rec.partial_fit(np.array([[1, 70]]))
    assert rec.item_texts_.names[-1] is None


def test_a_second_fit_forgets_the_texts():
    rec = PopularRecommender().fit(X, item_features=FeatureTable(BOOKS))
    assert rec.item_texts_ is not None
    assert rec.fit(X).item_texts_ is None
    assert rec.fit(X, item_features=(BOOKS["id"], BOOKS[["year"]].to_numpy())).item_texts_ is None


def test_strangers_and_models_without_taste():
    rec = ItemKNNRecommender().fit(X)
    (reason,) = rec.explain([99], [30]).evidence[0]
    assert (reason.kind, reason.rank, reason.n_items, reason.weight) == ("popularity", 1, 5, 3)
    assert PopularRecommender().fit(X).explain([1], [10]).text == ["Popular: number 1 of 5."]
    assert RandomRecommender(random_state=0).fit(X).explain([1], [10]).text == ["Picked at random."]
    new = PopularRecommender().fit(X, item_features=FeatureTable(([10, 60], [[1.0], [2.0]])))
    assert new.explain([1], [60]).text == ["New: nobody has chosen it yet."]


def test_what_is_rarely_chosen_is_not_called_popular():
    log = np.array([[user, item] for item in range(40) for user in range(50 - item)])
    texts = PopularRecommender().fit(log).explain([99], [0, 39]).text
    assert texts == ["Popular: number 1 of 40.", "Number 40 of 40 by popularity."]


def test_many_pairs_are_explained_as_each_alone():
    rec = HybridMFRecommender(n_factors=3, random_state=0).fit(_random_events())
    users, items = np.repeat(np.arange(30), 25), np.tile(np.arange(25), 30)
    found = rec.explain(users, items)
    for at in (0, 511, 512, 749):
        assert rec.explain(users[at : at + 1], items[at : at + 1]).text == [found.text[at]]


def test_nothing_that_was_chosen_speaks_for_an_item():
    rec = ItemKNNRecommender().fit(X)
    assert rec.explain([6], [10]).text == ["Nothing you chose speaks for it; it is number 1 of 5 by popularity."]


def test_features_of_a_user_without_events():
    table = FeatureTable((np.arange(1, 10), np.eye(3)[np.arange(9) % 3]))
    rec = HybridMFRecommender(n_factors=2, random_state=0).fit(X, user_features=table)
    assert rec.explain([9], [10]).evidence[0][0].kind == "features"


def test_an_item_does_not_speak_for_itself():
    rec = EmbeddingKNNRecommender().fit(_random_events(), item_features=_vectors())
    seen = rec.items_[rec.seen_items([0]).items]
    found = rec.explain([0], seen, n_evidence=50)
    assert all(
        item not in {reason.item for reason in reasons} for item, reasons in zip(seen, found.evidence, strict=True)
    )


def test_weak_reasons_are_left_out_and_n_evidence_bounds():
    rec = EmbeddingKNNRecommender().fit(_random_events(), item_features=_vectors())
    for reasons in rec.explain([0], np.arange(25), n_evidence=4).evidence:
        weights = [reason.weight for reason in reasons]
        assert len(weights) <= 4
        assert weights == sorted(weights, reverse=True)
        assert weights[-1] >= 0.1 * weights[0]


def test_context_counts_where_a_model_uses_it():
    rng = np.random.default_rng(0)
    hours = rng.integers(0, 2, 200)
    log = pd.DataFrame({"user": rng.integers(0, 20, 200), "item": hours * 5 + rng.integers(0, 5, 200), "late": hours})
    rec = HybridMFRecommender(n_factors=4, random_state=0).fit(log)
    context = pd.DataFrame({"late": [1]})
    reasons = rec.explain([0], [7], context=context, n_evidence=9).evidence[0]
    (moment,) = [reason for reason in reasons if reason.kind == "context"]
    frame = pd.DataFrame({"user": [0], "item": [7], "late": [1]})
    mean = frame.assign(late=rec._context.mean[0])
    np.testing.assert_allclose(moment.weight, (rec.predict(frame) - rec.predict(mean))[0], atol=1e-5)
    assert moment.name == "late"
    assert not [r for r in rec.explain([0], [2], context=context, n_evidence=9).evidence[0] if r.kind == "context"]


def test_popularity_of_a_moment():
    log = np.column_stack([np.arange(40), np.repeat([10, 20], 20), np.repeat([0.0, 1.0], 20)])
    rec = PopularRecommender(n_segments=2, random_state=0).fit(log)
    assert rec.explain([1], [20], context=[[1.0]]).text == ["It fits the moment."]
    assert rec.explain([1], [20], context=[[0.0]]).text == ["Popular: number 1 of 2."]


def test_a_pipeline_explains_in_context():
    log = pd.DataFrame({"user": X[:, 0], "item": X[:, 1], "device": ["phone", "desk"] * 5 + ["desk"]})
    pipe = make_pipeline(ContextEncoder(), PopularRecommender(n_segments=2, random_state=0)).fit(log)
    found = pipe.explain([1, 2], [10, 20], context=pd.DataFrame({"device": ["phone"]}), history=[[1, 20]])
    assert len(found) == 2
    assert type(found.to_frame()) is pd.DataFrame


@pytest.mark.parametrize("rename", [{}, {"place": "place_kind"}])
def test_a_pipeline_names_context_as_it_was_before_the_steps(rename):
    rng = np.random.default_rng(0)
    late = rng.integers(0, 2, 400)
    log = pd.DataFrame({"user": rng.integers(0, 20, 400), "item": late * 5 + rng.integers(0, 5, 400)})
    log["place"], log["device"] = np.where(late, "pub", "home"), rng.choice(["phone", "desk"], 400)
    log = log.rename(columns=rename)
    pipe = make_pipeline(ContextEncoder(), HybridMFRecommender(n_factors=4, random_state=0)).fit(log)
    moment = log.iloc[[int(late.argmax())], 2:]
    found = pipe.explain([0], [7], context=moment, n_evidence=9)
    names = [reason.name for reason in found.evidence[0] if reason.kind == "context"]
    name = rename.get("place", "place")
    assert names.count(name) == 1
    assert set(names) <= {name, "device"}
    assert name in found.text[0]
    assert f"{name}_" not in found.text[0]


def test_history_that_was_not_in_fit_is_cited():
    rec = ItemKNNRecommender().fit(X)
    assert {reason.item for reason in rec.explain([99], [40], history=[[99, 30]]).evidence[0]} == {30}


def test_ratings_are_called_ratings():
    rec = HybridMFRecommender(n_factors=2, feedback="explicit", random_state=0).fit(X, np.tile([5.0, 1.0], 6)[: len(X)])
    texts = rec.explain(np.repeat([1, 2, 3], 5), np.tile([10, 20, 30, 40, 50], 3)).text
    assert any(text.startswith("Because of how you rated item") for text in texts)


def test_bad_arguments():
    rec = ItemKNNRecommender().fit(X)
    with pytest.raises(KeyError, match="unknown item"):
        rec.explain([1], [99])
    with pytest.raises(ValueError, match="pair up"):
        rec.explain([1, 2], [10, 20, 30])
    with pytest.raises(ValueError, match="n_evidence"):
        rec.explain([1], [10], n_evidence=0)
    with pytest.raises(TypeError, match="single value"):
        rec.explain(1, [10])
    with pytest.raises(TypeError, match="users must be a list"):
        rec.explain(None, [10])
    assert len(rec.explain([], [])) == 0


def test_every_language_has_every_phrase():
    reasons = [
        Evidence("history", 1.0, item=3, name="Emma {x}", keywords=("village",)),
        Evidence("context", 0.5, name="device"),
        Evidence("features", 0.1),
    ]
    for language in LANGUAGES:
        text = write_reasons(reasons, language=language)
        assert "Emma {x}" in text
        assert "village" in text
        assert "device" in text
        assert write_reasons([Evidence("popularity", 2.0, rank=3, n_items=9)], language=language).count("3") == 1


def test_html_is_escaped():
    found = Explanations(np.array(["<u>"]), np.array([1]), ["<b>why</b>"], [[Evidence("chance", 0.0)]], ["template"])
    page = found._repr_html_()
    assert "<b>why" not in page
    assert "&lt;u&gt;" in page
    assert found.to_frame().shape == (1, 5)
    assert list(found) == ["<b>why</b>"]


def test_queries_without_history_have_no_parts():
    rec = UserKNNRecommender().fit(X)
    assert left_out(rec, Queries(np.array([-1]), rec._histories.take(np.array([-1]))), np.array([0])).shape == (0,)


def test_texts_go_through_skops():
    skops_io = pytest.importorskip("skops.io")
    rec = PopularRecommender().fit(X, item_features=FeatureTable(BOOKS))
    loaded = skops_io.loads(skops_io.dumps(rec), trusted=skops_trusted_types())
    assert loaded.item_texts_.names == BOOKS["title"].tolist()
