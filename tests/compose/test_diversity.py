"""Reranking for diversity, calibration and novelty."""

import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer

from skrec.base import lists_follow_predict
from skrec.compose import DiversityReranker
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import ColdStartWarning, DamagedStateError, FeatureCoverageWarning
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.llm import HeuristicChat, LLMReranker
from skrec.metrics import calibration_kl, catalogue_coverage, intra_list_diversity
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.testing import all_estimators

rng = np.random.default_rng(0)
N_USERS, N_ITEMS = 40, 60
GENRES = ["drama", "comedy", "crime", "war", "musical"]
KIND = np.arange(N_ITEMS) % 5
ITEMS = 100 + np.arange(N_ITEMS)


def events(seed=0, n=600):
    """Each user prefers two genres; the first genre is the most popular."""
    random = np.random.default_rng(seed)
    users = random.integers(0, N_USERS, n)
    weight = (1 / (1 + KIND)) * (1 + 4 * (KIND[None, :] % 5 == users[:, None] % 5))
    items = np.array([random.choice(N_ITEMS, p=row / row.sum()) for row in weight])
    return np.unique(np.column_stack([users, ITEMS[items]]), axis=0)


X = events()
FLAGS = np.eye(5)[KIND]
TABLE = FeatureTable((ITEMS, FLAGS))
FRAME = FeatureTable(
    pd.DataFrame({"item": ITEMS, "genre": [GENRES[k] for k in KIND], "year": 1950 + np.arange(N_ITEMS) % 50})
)
AS_SPARSE = FunctionTransformer(sp.csr_array)
NO_ENCODER = {"pass_item_features": False}
METHODS = [
    {"method": "mmr", "encoder": AS_SPARSE},
    {"method": "mmr", "encoder": AS_SPARSE, "aggregation": "mean"},
    {"method": "dpp", "encoder": AS_SPARSE},
    {"method": "calibrated", "categories": "genre", "separator": "/"},
]


def fitted(recommender=None, **settings_):
    table = FRAME if "categories" in settings_ else TABLE
    rec = DiversityReranker(recommender or EASERecommender(), **NO_ENCODER, **settings_)
    return rec.fit(X, item_features=table)


# Lists -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings_", METHODS, ids=str)
@pytest.mark.parametrize("keep_order", [True, False])
def test_strength_0_is_the_identity_bit_for_bit(settings_, keep_order):
    rec = fitted(strength=0, keep_order=keep_order, **settings_)
    base = rec.recommender_.recommend(k=7)
    found = rec.recommend(k=7)
    np.testing.assert_array_equal(found.codes, base.codes)
    assert found.scores.tobytes() == base.scores.tobytes()


@pytest.mark.parametrize("settings_", METHODS, ids=str)
@settings(deadline=None, max_examples=15)
@given(
    strength=st.floats(0, 1),
    k=st.integers(1, 70),
    n_candidates=st.integers(1, 70),
    keep_order=st.booleans(),
    novelty_weight=st.sampled_from([0, 0.5]),
    n_eligible=st.integers(1, 60),
)
def test_lists_keep_their_contract(settings_, strength, k, n_candidates, keep_order, novelty_weight, n_eligible):
    rec = REFERENCE[str(settings_)].set_params(
        strength=strength, n_candidates=n_candidates, keep_order=keep_order, novelty_weight=novelty_weight
    )
    eligible = ITEMS[:n_eligible]
    base = rec.recommender_.recommend(k=max(k, n_candidates), candidates=eligible)
    found = rec.recommend(k=k, candidates=eligible)
    assert found.codes.shape == found.scores.shape == (len(rec.users_), min(k, N_ITEMS))
    width = found.codes.shape[1]
    there = found.codes >= 0
    np.testing.assert_array_equal(there, base.codes[:, :width] >= 0)  # full where the recommender's are
    for row, of_base in zip(found.codes, base.codes, strict=True):
        assert len(set(row[row >= 0])) == (row >= 0).sum()
        assert set(row[row >= 0]) <= set(of_base)
    falls = np.diff(np.where(there, found.scores, -1e30), axis=1)
    assert (falls <= 0).all()
    assert np.isneginf(found.scores[~there]).all()
    if not keep_order:
        np.testing.assert_array_equal(found.scores, base.scores[:, :width])


REFERENCE = {str(settings_): fitted(**settings_) for settings_ in METHODS}


def test_items_keep_their_scores_and_order():
    rec = fitted(strength=0.6, encoder=AS_SPARSE)
    found, base = rec.recommend(k=5), rec.recommender_.recommend(k=N_ITEMS)
    for row in range(len(found)):
        places = [base.codes[row].tolist().index(code) for code in found.codes[row]]
        assert places == sorted(places)
        np.testing.assert_array_equal(found.scores[row], base.scores[row, places])


def test_without_the_order_the_first_items_are_those_of_a_shorter_list():
    rec = fitted(strength=0.6, encoder=AS_SPARSE, keep_order=False)
    np.testing.assert_array_equal(rec.recommend(k=3).codes, rec.recommend(k=8).codes[:, :3])


@pytest.mark.parametrize("settings_", METHODS[:3], ids=str)
def test_more_strength_more_diversity(settings_):
    diversity = [
        intra_list_diversity(fitted(strength=s, **settings_).recommend(k=6), FLAGS) for s in (0, 0.3, 0.6, 0.95)
    ]
    assert diversity == sorted(diversity)
    assert diversity[-1] > 1.2 * diversity[0]


def test_a_calibrated_list_has_the_shares_of_the_history():
    rec = fitted(method="calibrated", categories="genre")
    histories = rec.seen_items(rec.users_)
    divergence = [
        calibration_kl(rec.set_params(strength=s).recommend(k=6), histories, FLAGS) for s in (0, 0.3, 0.6, 0.95)
    ]
    assert divergence == sorted(divergence, reverse=True)
    assert divergence[-1] < 0.5 * divergence[0]


def test_a_history_of_the_request_counts():
    dramas, comedies = ITEMS[KIND == 0][:6], ITEMS[KIND == 1][:6]
    history = [["new", i] for i in dramas[:3]] + [["other", i] for i in comedies[:3]]
    rec = DiversityReranker(EASERecommender(), method="calibrated", categories="genre", strength=0.99, **NO_ENCODER)
    rec.fit(X.astype(str), item_features=FeatureTable(FRAME.table.astype({"item": str})))
    found = rec.recommend(["new", "other"], k=4, history=[[user, str(item)] for user, item in history])
    assert set(found.items[0]) <= set(ITEMS[KIND == 0].astype(str))
    assert set(found.items[1]) <= set(ITEMS[KIND == 1].astype(str))


def test_who_has_no_history_gets_the_lists_of_the_recommender():
    rec = fitted(method="calibrated", categories="genre", strength=0.9)
    np.testing.assert_array_equal(rec.recommend([10**6], k=5).codes, rec.recommender_.recommend([10**6], k=5).codes)


def test_novelty_covers_more_of_the_catalogue():
    plain, boosted = (
        fitted(EASERecommender(popularity_prior=0), strength=0, novelty_weight=w).recommend(k=5) for w in (0, 1.0)
    )
    assert catalogue_coverage(boosted, N_ITEMS) > 1.2 * catalogue_coverage(plain, N_ITEMS)


# Caps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["mmr", "dpp", "calibrated"])
def test_caps_hold(method):
    factors = HybridMFRecommender(n_factors=4, max_iter=2, random_state=0)
    found_by = fitted(factors, method=method, categories="genre", max_per_category=2, strength=0.5)
    found = found_by.recommend(k=8)
    counts = np.stack([(KIND[found.codes] == kind).sum(axis=1) for kind in range(5)])
    assert counts.max() == 2
    assert found.report == {"n_over_cap": 0}


def test_a_cap_that_no_candidate_fits_fills_the_list_and_is_reported():
    rec = fitted(strength=0, categories="genre", max_per_category=1)
    found = rec.recommend(k=7)
    assert (found.codes >= 0).all()
    counts = np.stack([(KIND[found.codes] == kind).sum(axis=1) for kind in range(5)])
    assert (counts.min(axis=0) == 1).all()  # each genre once before any comes twice
    assert found.report == {"n_over_cap": len(found)}


def test_an_item_of_several_categories_counts_in_each():
    films = pd.DataFrame({"item": [1, 2, 3, 4], "genre": ["a, b", "b", "a", "c"]})
    log = [[u, i] for i, n in ((1, 9), (2, 8), (3, 7), (4, 6)) for u in range(n)]
    rec = DiversityReranker(
        PopularRecommender(), strength=0, categories="genre", separator=",", max_per_category=1, **NO_ENCODER
    ).fit(log, item_features=films)
    assert rec.recommend([99], k=2).items.tolist() == [[1, 4]]


@pytest.mark.parametrize("as_table", [pd.DataFrame, None], ids=["weights", "lists"])
def test_categories_of_several_columns_and_of_lists(as_table):
    if as_table is None:
        films, columns = pd.DataFrame({"item": ITEMS, "genre": [[GENRES[k]] for k in KIND]}), "genre"
    else:
        films, columns = pd.DataFrame(FLAGS, columns=GENRES), GENRES
        films.insert(0, "item", ITEMS)
    settings_ = {"strength": 0.5, "method": "calibrated", "max_per_category": 3, **NO_ENCODER}
    rec = DiversityReranker(EASERecommender(), categories=columns, **settings_).fit(X, item_features=films)
    by_name = DiversityReranker(EASERecommender(), categories="genre", **settings_).fit(X, item_features=FRAME)
    np.testing.assert_array_equal(rec.recommend(k=6).codes, by_name.recommend(k=6).codes)


# Where vectors come from -----------------------------------------------------------------------------------


def test_vectors_of_the_recommender_or_of_an_encoder():
    factors = HybridMFRecommender(n_factors=8, regularization=1.0, random_state=0)
    own = DiversityReranker(factors, strength=0.7).fit(X)
    base, found = own.recommender_.recommend(k=6), own.recommend(k=6)
    vectors = own.item_vectors()
    assert intra_list_diversity(found, vectors) > intra_list_diversity(base, vectors)
    dense = fitted(strength=0.7, encoder=FunctionTransformer())
    assert not np.array_equal(dense.recommend(k=6).codes, dense.recommender_.recommend(k=6).codes)


def test_no_vectors_says_what_to_pass():
    with pytest.raises(ValueError, match=r"PopularRecommender has none.*encoder"):
        DiversityReranker(PopularRecommender()).fit(X)
    with pytest.raises(ValueError, match="has none"):
        DiversityReranker(EASERecommender()).fit(X)
    rec = DiversityReranker(PopularRecommender(), strength=0).fit(X)
    with pytest.raises(ValueError, match="fit again"):
        rec.set_params(strength=0.5).recommend(k=3)
    with warnings.catch_warnings(category=ColdStartWarning, action="ignore"):
        bare = EmbeddingKNNRecommender().fit(X)
    with pytest.warns(FeatureCoverageWarning, match="changes no list"):
        rec = DiversityReranker(FrozenEstimator(bare)).fit(X)
    np.testing.assert_array_equal(rec.recommend(k=3).codes, rec.recommender_.recommend(k=3).codes)


def test_categories_that_are_not_there_are_named():
    cases = [
        ({"method": "calibrated"}, FRAME, "needs the categories"),
        ({"max_per_category": 2}, FRAME, "max_per_category=2 needs"),
        ({"categories": []}, FRAME, "categories is"),
        ({"categories": "gnere"}, FRAME, r"no column 'gnere'.*genre"),
        ({"categories": "genre"}, None, "fit got none"),
        ({"categories": "genre"}, TABLE, "names columns"),
        ({"categories": ["genre", "year"]}, FRAME, "numbers"),
        ({"encoder": AS_SPARSE}, None, "nothing to encode"),
        ({"strength": 1.5}, None, "strength"),
        ({"method": "mrm"}, None, "method"),
        ({"smoothing": 0.0}, None, "smoothing"),
    ]
    for settings_, table, message in cases:
        with pytest.raises(ValueError, match=message):
            DiversityReranker(PopularRecommender(), **{"strength": 0.5, **settings_}, **NO_ENCODER).fit(
                X, item_features=table
            )
    rec = fitted(strength=0, encoder=None)
    with pytest.raises(ValueError, match="fit again"):
        rec.set_params(method="calibrated", strength=0.5, categories="genre").recommend(k=3)


def test_items_without_a_category_are_counted_once_and_stay():
    films = FRAME.table.copy()
    films.loc[:9, "genre"] = None
    with pytest.warns(FeatureCoverageWarning, match="10 of 60 items have no category"):
        rec = DiversityReranker(
            EASERecommender(), method="calibrated", categories="genre", max_per_category=1, **NO_ENCODER
        ).fit(X, item_features=films)
    found = rec.recommend(k=15)
    assert (found.codes >= 0).all()
    assert np.isin(found.codes, np.arange(10)).any()


# Elsewhere ---------------------------------------------------------------------------------------------


def test_its_lists_are_no_order_of_predict():
    assert not lists_follow_predict(DiversityReranker(PopularRecommender()))
    assert any(isinstance(rec, DiversityReranker) for rec in all_estimators())  # and so under the estimator checks


@pytest.mark.parametrize("keep_order", [True, False])
def test_any_number_of_threads_gives_the_same(keep_order):
    one, three = (
        fitted(strength=0.5, encoder=AS_SPARSE, n_jobs=n, keep_order=keep_order).recommend(np.arange(N_USERS).repeat(8))
        for n in (1, 3)
    )
    np.testing.assert_array_equal(one.codes, three.codes)


def test_sparse_vectors_of_users():
    rec = DiversityReranker(UserKNNRecommender(), strength=0.5).fit(X)
    assert sp.issparse(rec.item_vectors())
    base = rec.recommender_.recommend(k=5)
    assert intra_list_diversity(rec.recommend(k=5), rec.item_vectors()) > intra_list_diversity(base, rec.item_vectors())


def test_recommend_and_predict_change_nothing():
    rec = fitted(method="calibrated", categories="genre", max_per_category=2)
    before = pickle.dumps(rec)
    rec.recommend(k=4)
    np.testing.assert_array_equal(rec.predict(X[:5]), rec.recommender_.predict(X[:5]))
    rec.explain(rec.recommend([1], k=2))
    assert pickle.dumps(rec) == before


def test_nested_parameters_are_searched():
    rec = DiversityReranker(EASERecommender(), encoder=AS_SPARSE, **NO_ENCODER)
    grid = {"recommender__regularization": [10.0, 300.0], "strength": [0.0, 0.9]}
    search = GridSearchCV(rec, grid, cv=2).fit(X, item_features=TABLE)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert clone(rec.set_params(recommender__regularization=5.0)).recommender.regularization == 5.0


@pytest.mark.parametrize("settings_", [METHODS[0], METHODS[3], {"method": "dpp"}], ids=str)
def test_saved_and_loaded(settings_):
    skops_io = pytest.importorskip("skops.io")
    from skrec.persistence import skops_trusted_types

    rec = fitted(HybridMFRecommender(n_factors=4, max_iter=2, random_state=0), **settings_)
    expected = rec.recommend(k=5)
    buffer = io.BytesIO()
    joblib.dump(rec, buffer)
    buffer.seek(0)
    by_skops = skops_io.loads(skops_io.dumps(rec), trusted=skops_trusted_types())
    for loaded in (joblib.load(buffer), by_skops):
        found = loaded.recommend(k=5)
        np.testing.assert_array_equal(found.codes, expected.codes)


@pytest.mark.parametrize("name", ["_space", "_categories"])
def test_a_damaged_state_is_refused(name):
    rec = fitted(encoder=AS_SPARSE) if name == "_space" else fitted(method="calibrated", categories="genre")
    part = getattr(rec, name)
    field = "unit" if name == "_space" else "weights"
    object.__setattr__(part, field, getattr(part, field)[:-1])
    with pytest.raises(DamagedStateError, match=name):
        pickle.loads(pickle.dumps(rec))


def test_partial_fit_reads_new_items():
    settings_ = {"encoder": AS_SPARSE, "categories": GENRES, "max_per_category": 2, "strength": 0.4}
    films = pd.DataFrame(FLAGS, columns=GENRES)
    films.insert(0, "item", ITEMS)
    new = pd.DataFrame([[500, 0, 0, 0, 0, 1.0]], columns=films.columns)
    X_new = [[1, 500], [2, 500], [3, 100]]
    rec = DiversityReranker(EASERecommender(regularization_exponent=0), **settings_, **NO_ENCODER)
    updated = clone(rec).fit(X, item_features=films).partial_fit(X_new, item_features=new)
    anew = clone(rec).fit(np.concatenate([X, X_new]), item_features=pd.concat([films, new]))
    np.testing.assert_array_equal(updated.recommend(k=6).items, anew.recommend(k=6).items)
    # Events alone: the catalogue grows by an item of which nothing is known.
    grown = updated.partial_fit([[1, 900]])
    assert 900 in grown.items_
    assert grown.recommend([5], k=61).items.shape == (1, 61)


def test_partial_fit_learns_new_categories():
    films = pd.DataFrame({"item": [1, 2, 3], "genre": ["a", "a", "b"]})
    log = [[u, i] for i, n in ((1, 9), (2, 8), (3, 7)) for u in range(n)]
    rec = DiversityReranker(PopularRecommender(), strength=0, categories="genre", max_per_category=1, **NO_ENCODER)
    rec.fit(log, item_features=films)
    assert rec.recommend([99], k=2).items.tolist() == [[1, 3]]
    rec.partial_fit([[u, 4] for u in range(20)], item_features=pd.DataFrame({"item": [4, 3], "genre": ["c", "a"]}))
    assert rec.recommend([99], k=3).report == {"n_over_cap": 1}  # 1, 2 and 3 are of one genre now
    assert rec.recommend([99], k=2).items.tolist() == [[4, 1]]


def test_in_a_pipeline_with_context_and_under_a_language_model():
    rows = pd.DataFrame({"user": X[:, 0], "item": X[:, 1], "device": np.where(X[:, 0] % 2, "phone", "desk")})
    factors = HybridMFRecommender(n_factors=4, max_iter=3, solver="als", random_state=0)
    inside = make_pipeline(ContextEncoder(), DiversityReranker(factors, strength=0.5)).fit(rows)
    outside = DiversityReranker(make_pipeline(ContextEncoder(), factors), strength=0.5).fit(rows)
    found = [rec.recommend([1, 2], k=5, context=[["phone"]]).codes for rec in (inside, outside)]
    np.testing.assert_array_equal(*found)
    texts = pd.DataFrame({"item": ITEMS, "genre": [GENRES[k] for k in KIND]})
    judged = LLMReranker(FrozenEstimator(outside), HeuristicChat(), n_candidates=5).fit(rows, item_features=texts)
    lists = judged.recommend([1, 2], k=5, context=[["phone"]], request="a musical")
    np.testing.assert_array_equal(np.sort(lists.codes, axis=1), np.sort(found[0], axis=1))


def test_requests_and_rerankers_nest():
    rec = DiversityReranker(
        DiversityReranker(ItemKNNRecommender(), strength=0, novelty_weight=0.3, **NO_ENCODER),
        encoder=AS_SPARSE,
        strength=0.4,
        **NO_ENCODER,
    ).fit(X, item_features=TABLE)
    assert rec.recommend(k=4).codes.shape == (len(rec.users_), 4)
    with pytest.raises(ValueError, match="reads text"):
        rec.recommend([1], request="a comedy")
