"""Queries to suggest: near the user, going on from what is typed, and all of them phrases of the catalogue."""

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

from skrec.dummy import PopularRecommender
from skrec.exceptions import FeatureCoverageWarning
from skrec.feature_extraction import HashingTextEncoder, KeywordExtractor, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.llm import QuerySuggester
from skrec.llm._query_suggestions import _is_similar
from skrec.neighbors import ItemKNNRecommender

EMBEDDER = LLMTextEmbedder(HashingTextEncoder())
TEXTS = [
    "a walled garden",
    "a rose garden",
    "an English garden",
    "a stormy sea",
    "a sea captain",
    "the Élan of the sea",
]
ITEMS = FeatureTable(pd.DataFrame({"item": range(6), "text": TEXTS}))
X = np.array([[u, i] for u in range(8) for i in range(6) if (u % 2 == i // 3) and (u + i) % 4])
X = np.vstack([X, [[20, 3], [21, 3], [22, 4]]])


def fitted(recommender=None, **parameters):
    recommender = ItemKNNRecommender(item_encoder=EMBEDDER) if recommender is None else recommender
    extractor = KeywordExtractor(EMBEDDER, ngram_range=(1, 2), n_keywords=4)
    return QuerySuggester(recommender, extractor, **parameters).fit(X, item_features=ITEMS)


def test_a_user_is_offered_phrases_of_items_near_them():
    rec = fitted(n_items=2, taste_weight=1.0)
    users = [0, 1]
    near = rec.recommend(users, k=2).items
    for user, phrases in zip(users, rec.suggest_queries(users=users, k=3), strict=True):
        told = " ".join(TEXTS[item] for item in near[users.index(user)]).lower()
        assert phrases
        assert all(phrase in told for phrase in phrases)


def test_a_history_moves_the_suggestions():
    rec = fitted(taste_weight=1.0, n_items=2)
    (garden,) = rec.suggest_queries(history=[["new", 0]], k=1)
    (sea,) = rec.suggest_queries(history=[["new", 4]], k=1)
    assert "garden" in garden[0]
    assert "sea" in sea[0]


def test_a_prefix_begins_a_phrase_or_a_word_of_it():
    rec = fitted()
    for phrases, typed in ((rec.suggest_queries("gar")[0], "gar"), (rec.suggest_queries("CAP")[0], "cap")):
        assert phrases
        assert all(any(word.startswith(typed) for word in phrase.split()) for phrase in phrases)
    assert all("sea " in f"{phrase} " for phrase in rec.suggest_queries("sea ")[0])
    assert "sea" not in rec.suggest_queries("sea")[0]
    assert "élan" in rec.suggest_queries("Ela", k=1)[0][0]
    assert rec.suggest_queries("xyz") == [[]]
    assert rec.suggest_queries("arden") == [[]]


def test_prefix_and_taste_together():
    rec = fitted(PopularRecommender())
    both = rec.suggest_queries(["gar", "se"], users=[0, 1], k=2)
    assert all("garden" in phrase for phrase in both[0])
    assert all("sea" in phrase for phrase in both[1])
    alone = rec.suggest_queries(["gar", "se"], k=2)
    assert ["garden" in alone[0][0], "sea" in alone[1][0]] == [True, True]
    assert len(rec.suggest_queries(["gar", "se", None], k=2)) == 3


def test_no_two_suggestions_say_the_same():
    for phrases in fitted().suggest_queries(users=[0, 1, 2], k=6):
        words = [set(phrase.split()) for phrase in phrases]
        assert not any(later <= earlier for i, earlier in enumerate(words) for later in words[i + 1 :])


@pytest.mark.parametrize(
    ("phrase", "taken", "same"),
    [("sea", "stormy sea", True), ("stormy sea", "sea", False), ("seasons", "season", True), ("sea", "seasons", False)],
)
def test_what_is_similar(phrase, taken, same):
    assert _is_similar(phrase, taken) == same


def test_strangers_get_what_many_chose():
    rec = fitted(FrozenEstimator(PopularRecommender().fit(X)))
    strangers = rec.suggest_queries(users=[99], k=3)
    assert strangers[0]
    everybody = rec.suggest_queries(k=3)
    assert everybody[0]


def test_against_a_twin():
    rec = fitted(n_items=3, taste_weight=0.6)
    keywords = rec.keywords_.toarray()
    share = np.log1p(rec.popularity_) + 1
    worth = 0.4 * (share / share.sum()) @ keywords
    discounts = 1 / np.log2([2, 3, 4])
    near = rec.recommend([2], k=3).codes[0]
    worth = worth + 0.6 * sum(d / discounts.sum() * keywords[i] for d, i in zip(discounts, near, strict=True))
    best = rec.extractor_.get_feature_names_out()[np.argmax(worth)]
    assert rec.suggest_queries(users=[2], k=1) == [[best]]


def test_every_suggestion_finds_something():
    rec = fitted()
    for phrase in rec.suggest_queries(k=20)[0]:
        found = rec.search(phrase, k=1).items[0, 0]
        assert set(phrase.split()) & set(TEXTS[found].lower().split())


def test_partial_fit_adds_items_to_phrases_that_are_known():
    rec = fitted()
    more = FeatureTable(pd.DataFrame({"item": [6, 0], "text": ["a sea captain again", "nothing at all"]}))
    rec.partial_fit(np.array([[0, 6], [1, 6]]), item_features=more)
    assert rec.keywords_.shape[0] == 7
    assert rec.keywords_[[6]].nnz > 0
    assert rec.keywords_[[0]].nnz == 0
    rec.partial_fit(np.array([[0, 7]]))
    assert rec.keywords_.shape[0] == 8


def test_without_text_it_says_so_and_suggests_nothing():
    with pytest.warns(FeatureCoverageWarning, match="no phrases"):
        rec = QuerySuggester(PopularRecommender()).fit(X)
    assert rec.suggest_queries(users=[0], k=3) == [[]]


def test_bad_arguments():
    rec = fitted()
    with pytest.raises(ValueError, match="2 texts for 3 users"):
        rec.suggest_queries(["a", "b"], users=[1, 2, 3])
    with pytest.raises(TypeError, match="prefix must be a string"):
        rec.suggest_queries([3])
    with pytest.raises(TypeError, match="prefix must be a string"):
        rec.suggest_queries(3)
    with pytest.raises(ValueError, match="k must"):
        rec.suggest_queries("a", k=0)
