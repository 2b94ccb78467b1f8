"""Loaded numbers that would set how long a loop runs, or how much it allocates."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import _search
from sklearn.utils.parallel import Parallel

from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.exceptions import DamagedStateError
from skrec.feature_extraction import (
    ContextEncoder,
    HashingTextEncoder,
    ItemTextEnricher,
    KeywordExtractor,
    LLMTextEmbedder,
    UserProfileText,
)
from skrec.llm import HeuristicChat, LLMReranker
from skrec.model_selection import TunedRecommender
from skrec.neighbors import ItemKNNRecommender

BIG = 50_000_000
EVENTS = pd.DataFrame({"user": ["a", "b", "c"], "item": [1, 2, 1], "note": ["red sea", "blue storm", "red garden"]})
IDS = EVENTS[["user", "item"]]


def embedder():
    return LLMTextEmbedder(HashingTextEncoder(8))


def fitted(model):
    return model.fit(IDS if hasattr(model, "recommend") else EVENTS)


def grow(name):
    return lambda model: setattr(model, name, BIG)


def context_encoder(**options):
    return ContextEncoder(roles={"note": "text"}, text_encoder=embedder(), random_state=0, **options)


def change_texts(encoder):
    encoder._parts[0][1].n_features = BIG


def change_fusion(encoder):
    encoder._fusion[-1].n_components_ = BIG


CHANGES = [
    (embedder, grow("n_features_out_"), "n_features_out_ is 50000000"),
    (embedder, grow("n_features_in_"), "n_features_in_ is 50000000"),
    (embedder, lambda model: setattr(model, "n_features_in_", 2), "feature_names_in_ is an array of shape"),
    (embedder, lambda model: setattr(model, "batch_size", -1), "batch_size"),
    (lambda: ItemTextEnricher(text_encoder=embedder()), grow("_n_vectors"), "_n_vectors"),
    (context_encoder, change_texts, "n_features is 50000000"),
    (lambda: context_encoder(fusion="dense"), change_fusion, "n_components_ is 50000000"),
    (UserProfileText, grow("n_features_in_"), "n_features_in_"),
    (lambda: KeywordExtractor(embedder()), grow("n_features_in_"), "n_features_in_"),
    (
        lambda: LLMReranker(ItemKNNRecommender(), HeuristicChat()),
        grow("n_shuffles"),
        "n_shuffles",
    ),
]


@pytest.mark.parametrize(("make", "change", "said"), CHANGES)
@pytest.mark.filterwarnings("ignore::skrec.exceptions.LanguageModelWarning")
@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
def test_a_width_that_nothing_has_is_refused(make, change, said):
    model = fitted(make())
    pickle.loads(pickle.dumps(model))
    damaged = copy.deepcopy(model)
    change(damaged)
    with pytest.raises(DamagedStateError, match=said):
        pickle.loads(pickle.dumps(damaged))


def test_negative_samples_of_a_loaded_solver():
    rec = HybridMFRecommender(2, solver="warp", max_iter=2, random_state=0).fit(IDS)
    damaged = copy.deepcopy(rec)
    object.__setattr__(damaged._state.event_scales, "n_negatives", BIG)
    with pytest.raises(DamagedStateError, match="n_negatives is 50000000"):
        pickle.loads(pickle.dumps(damaged))


@pytest.mark.parametrize("n_features", [0, -3, BIG, 1.5, True, "many", None])
def test_the_stand_in_refuses_a_width_where_it_is_used(n_features):
    with pytest.raises(ValueError, match=r"HashingTextEncoder\(n_features="):
        HashingTextEncoder(n_features).encode(["red sea"])


def test_phrases_are_as_many_as_the_corpus_has():
    extractor = KeywordExtractor(embedder(), n_keywords=10**9, output="phrases", ngram_range=(1, 1))
    found = extractor.fit_transform(["red sea", "blue sea"])
    assert found.shape == (2, 3) == (2, len(extractor.vocabulary_))
    assert len(extractor.get_feature_names_out()) == 3


@pytest.mark.parametrize("n_jobs", [10**9, 10**30])
def test_threads_are_bounded(n_jobs):
    """OpenMP starts as many as it is asked for; the loops of implicit run on it where no seed is given."""
    assert len(BPRRecommender(2, max_iter=1, n_jobs=n_jobs).fit(IDS).recommend(["a"], 1).items)


@pytest.mark.filterwarnings("ignore::skrec.exceptions.BelowPopularityWarning")
def test_a_search_starts_no_more_processes_than_it_has_fits(monkeypatch):
    """joblib starts as many as it is asked for."""
    asked = []

    def parallel(n_jobs, **options):
        asked.append(n_jobs)
        return Parallel(1, **options)

    monkeypatch.setattr(_search, "Parallel", parallel)
    rng = np.random.default_rng(0)
    log = np.column_stack([rng.integers(10, size=150), rng.integers(40, size=150)])
    search = TunedRecommender(ItemKNNRecommender(), {"n_neighbors": [2, 3]}, n_iter=2, n_jobs=10**9)
    assert search.fit(log).n_jobs == 10**9
    assert 1 <= asked[0] <= 3
