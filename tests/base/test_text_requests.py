"""Free text in recommend and search: blends, cold users, and models that cannot read."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from skrec.base._text_requests import in_reach
from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline

ITEMS = np.arange(12)
TEXTS = [f"{'whale sea' if i % 2 else 'garden rose'} number{i}" for i in ITEMS]
TABLE = FeatureTable(pd.DataFrame({"item": ITEMS, "text": TEXTS}))
X = np.array([[u, i] for u in range(20) for i in ITEMS if (u + i) % 2 == 0 and (u + i) % 5])
READERS = [
    EmbeddingKNNRecommender,
    ItemKNNRecommender,
    EASERecommender,
    HybridMFRecommender,
    BPRRecommender,
    LogisticMFRecommender,
]


def _reader(kind, encoder=None):
    options = {} if "random_state" not in kind().get_params() else {"random_state": 0, "n_factors": 4}
    encoder = LLMTextEmbedder(HashingTextEncoder()) if encoder is None else encoder
    return kind(item_encoder=encoder, **options).fit(X, item_features=TABLE)


@pytest.mark.parametrize("kind", READERS)
def test_every_model_with_an_item_encoder_reads(kind):
    rec = _reader(kind)
    assert rec.search("number5", k=1).items.tolist() == [[5]]
    assert rec.recommend([99], k=1, request="number5").items.tolist() == [[5]]
    whole = rec.recommend([0], k=12, request="sea", exclude_seen=False, request_weight=1.0)
    assert set(whole.items[0, :6]) == {1, 3, 5, 7, 9, 11}


@pytest.mark.parametrize("kind", READERS)
def test_the_weight_leads_from_taste_to_request(kind):
    rec = _reader(kind)
    options = {"k": 12, "exclude_seen": False}
    taste = rec.recommend([0], **options)
    unmoved = rec.recommend([0], request="number5", request_weight=0.0, **options)
    assert set(unmoved.items[0, :4]) == set(taste.items[0, :4])  # but for rounding, in order
    places = [
        rec.recommend([0], request="number5", request_weight=weight, **options).items[0].tolist().index(5)
        for weight in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert places == sorted(places, reverse=True)
    assert places[-1] == 0


def test_the_blend_against_a_twin():
    rec = _reader(ItemKNNRecommender)
    found = rec.recommend([3], k=12, request="sea number5", request_weight=0.3, exclude_seen=False)

    def scaled(pairs):
        scores = dict(zip(pairs.items[0].tolist(), pairs.scores[0].tolist(), strict=True))
        row = np.array([scores[item] for item in range(12)])
        middle = np.median(row)
        return (row - middle) / (np.sort(row)[-3:].mean() - middle)

    expected = 0.7 * scaled(rec.recommend([3], k=12, exclude_seen=False)) + 0.3 * scaled(
        rec.search("sea number5", k=12)
    )
    np.testing.assert_allclose(found.scores[0], expected[found.items[0]], atol=1e-5)


def test_candidates_change_no_score():
    rec = _reader(ItemKNNRecommender)
    whole = rec.recommend([3], k=12, request="sea", exclude_seen=False)
    some = rec.recommend([3], k=3, request="sea", exclude_seen=False, candidates=[2, 5, 8])
    scores = dict(zip(whole.items[0].tolist(), whole.scores[0].tolist(), strict=True))
    np.testing.assert_allclose(some.scores[0], [scores[item] for item in some.items[0].tolist()])


def test_rows_without_a_request_are_as_ever():
    rec = _reader(ItemKNNRecommender)
    mixed = rec.recommend([3, 4, 5], k=5, request=[None, "sea", " "])
    plain = rec.recommend([3, 4, 5], k=5)
    np.testing.assert_allclose(mixed.scores[[0, 2]], plain.scores[[0, 2]], atol=1e-6)
    assert mixed.items[[0, 2]].tolist() == plain.items[[0, 2]].tolist()
    assert mixed.items[1].tolist() != plain.items[1].tolist()


def test_a_request_whose_words_are_unknown_leaves_taste():
    encoder = TfidfVectorizer()
    for kind in (ItemKNNRecommender, HybridMFRecommender):
        rec = _reader(kind, encoder)
        asked, plain = rec.recommend([3], k=5, request="zebra"), rec.recommend([3], k=5)
        assert asked.items.tolist() == plain.items.tolist()


def test_what_min_score_leaves_out_stays_out():
    encoder = LLMTextEmbedder(HashingTextEncoder())
    rec = EmbeddingKNNRecommender(item_encoder=encoder, min_score=0.2).fit(X, item_features=TABLE)
    plain = rec.recommend([2], k=12, exclude_seen=False).items[0]
    asked = rec.recommend([2], k=12, exclude_seen=False, request="number5").items[0]
    assert set(asked.tolist()) == set(plain.tolist())
    assert None in plain


@pytest.mark.parametrize(
    "request_text", ["une histoire de baleine", "x" * 100_000, "🐋 鲸鱼"], ids=["french", "long", "signs"]
)
def test_any_text_is_answered(request_text):
    found = _reader(ItemKNNRecommender).recommend([3, 99], k=4, request=request_text)
    assert (found.codes >= 0).all()


@pytest.mark.parametrize(
    "rec", [PopularRecommender(), UserKNNRecommender(), ItemKNNRecommender(), HybridMFRecommender()], ids=str
)
def test_models_that_cannot_read_say_so(rec):
    rec.fit(X)
    with pytest.raises(ValueError, match="item_encoder"):
        rec.recommend([3], request="sea")
    assert rec.recommend([3], k=2, request="").items.shape == (1, 2)


def test_an_encoder_that_reads_no_list_of_texts_says_so():
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    encoder = make_column_transformer((OneHotEncoder(), ["text"]))
    rec = ItemKNNRecommender(item_encoder=encoder).fit(X, item_features=TABLE)
    with pytest.raises(ValueError, match="no part of the ColumnTransformer reads a list of texts"):
        rec.recommend([3], request="sea")


def test_an_encoder_of_which_a_part_reads_texts():
    from sklearn.compose import make_column_transformer

    embedder = LLMTextEmbedder(HashingTextEncoder())
    parts = ItemKNNRecommender(item_encoder=make_column_transformer((embedder, ["text"]))).fit(X, item_features=TABLE)
    whole = ItemKNNRecommender(item_encoder=embedder).fit(X, item_features=TABLE)
    found, expected = (rec.recommend([3], k=7, request="sea").scores for rec in (parts, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_bad_requests():
    rec = _reader(ItemKNNRecommender)
    with pytest.raises(ValueError, match="2 texts for 3 users"):
        rec.recommend([1, 2, 3], request=["a", "b"])
    with pytest.raises(TypeError, match="request must be a string"):
        rec.recommend([1, 2], request=["a", 3])
    for wrong in (5, b"sea"):
        with pytest.raises(TypeError, match="request must be a string"):
            rec.recommend([1], request=wrong)
    for wrong in (None, 5, b"sea", ["a", 3]):
        with pytest.raises(TypeError, match="texts must be a string or a list of strings; got"):
            rec.search(wrong)
    for weight in (-0.1, 1.1, "half"):
        with pytest.raises(ValueError, match="request_weight"):
            rec.recommend([1], request="sea", request_weight=weight)


def test_a_pipeline_passes_a_request_on():
    rows = np.column_stack([X, np.arange(len(X)) % 2])
    encoder = LLMTextEmbedder(HashingTextEncoder())
    pipe = make_pipeline(ContextEncoder(), ItemKNNRecommender(item_encoder=encoder)).fit(rows, item_features=TABLE)
    assert pipe.recommend([99], k=1, request="number5").items.tolist() == [[5]]
    assert pipe.search("number5", k=1).items.tolist() == [[5]]


@pytest.mark.parametrize("scores", [[0, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [0, 5]])
def test_a_row_that_says_something_is_not_lost(scores):
    (row,) = in_reach(np.array([scores], np.float32))
    assert np.ptp(row) > 0
    assert (np.argsort(row, kind="stable") == np.argsort(scores, kind="stable")).all()


def test_in_reach_copes_with_rows_that_say_nothing():
    rows = np.array([[1.0, 1.0, 1.0], [-np.inf, 0.0, 2.0], [-np.inf, -np.inf, 1.0]], np.float32)
    found = in_reach(rows)
    assert np.isfinite(found).all()
    assert (found[0] == 0).all()
    assert found[1].argmax() == 2
