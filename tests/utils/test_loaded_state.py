"""What a loaded estimator refuses, and who pays for the checks."""

import copy
import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from skrec.base import BaseRecommender
from skrec.decomposition import BPRRecommender, HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import DamagedStateError
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.llm import LLMReranker, QuerySuggester
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.utils import check_array, check_codes, check_csr, check_indptr, check_number, finite_matrix

X = np.random.default_rng(0).integers([6, 5], size=(40, 2))
ITEMS = FeatureTable((np.arange(5), np.random.default_rng(1).random((5, 3)).astype(np.float32)))
MODELS = [
    HybridMFRecommender(2, max_iter=2, random_state=0),
    HybridMFRecommender(2, solver="softmax", max_iter=2, random_state=0),
    BPRRecommender(2, max_iter=2, random_state=0),
    ItemKNNRecommender(),
    EASERecommender(),
    UserKNNRecommender(),
    EmbeddingKNNRecommender(),
    PopularRecommender(),
]


def fitted(model):
    return clone(model).fit(X, item_features=ITEMS)


def saved_with(model, change):
    """A pickle of a copy whose state has been changed, as a file may be."""
    model = copy.deepcopy(model)
    change(model)
    return pickle.dumps(model)


def too_large(model):
    items = model._histories.items.copy()
    items[3] = 50_000_000
    model._histories.items = items


def negative(model):
    items = model._histories.items.copy()
    items[-1] = -1
    model._histories.items = items


def not_rising(model):
    indptr = model._histories.indptr.copy()
    indptr[2] = len(model._histories.items)
    model._histories.indptr = indptr


def shorter(model):
    model._histories.y = model._histories.y[:-1]


def missing(model):
    y = model._histories.y.copy()
    y[0] = np.nan
    model._histories.y = y


def other_dtype(model):
    model._histories.items = model._histories.items.astype(np.int64)


def grown_catalogue(model):
    model._item_index = model._item_index.extended(np.array([100]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (too_large, r"_histories\.items is 50000000 at position 3; expected codes from 0 to 4"),
        (negative, r"_histories\.items is -1 at position 39; expected codes from 0 to 4"),
        (not_rising, r"_histories\.indptr is not a row of ascending places"),
        (shorter, r"_histories\.y is an array of shape \(39,\); expected shape \(40\)"),
        (missing, r"_histories\.y is an array with NaN or infinity"),
        (other_dtype, r"_histories\.items is an array of dtype int64; expected dtype int32"),
        (grown_catalogue, r"popularity_ is an array of shape \(5,\); expected shape \(6\)"),
    ],
)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_damaged_history_is_refused_by_name(model, change, said):
    with pytest.raises(DamagedStateError, match=f"A {type(model).__name__} was loaded whose state is damaged: {said}"):
        pickle.loads(saved_with(fitted(model), change))


def set_graph(model):
    matrix = model._item_graph.matrix.copy()
    matrix.indices[0] = 99
    model._item_graph = model._item_graph.with_prior(matrix, model._item_graph.prior)


def set_votes(model):
    model._votes = model._votes.copy()
    model._votes.indices[0] = 99


def set_prior_order(model):
    object.__setattr__(model._item_graph, "by_prior", np.full(5, 9, np.int32))


def set_factors(model):
    object.__setattr__(model._state, "users", model._state.users[:3])


def set_n_factors(model):
    object.__setattr__(model._state.settings, "n_factors", 500)


def set_accumulated(model):
    object.__setattr__(model._state, "accumulated", model._state.accumulated[::-1])


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        (MODELS[3], set_graph, r"_item_graph\.matrix\.indices is 99 at position 0"),
        (MODELS[4], set_prior_order, r"_item_graph\.by_prior is 9 at position 0"),
        (MODELS[5], set_votes, r"_votes\.indices is 99 at position 0"),
        (MODELS[0], set_factors, r"_state\.users is an array of shape \(3, 16\); expected shape \(6, 16\)"),
        (MODELS[0], set_n_factors, r"_state\.users is an array of shape \(6, 16\); expected shape \(6, 512\)"),
        (MODELS[1], set_accumulated, r"_state\.accumulated is an array of shape \(0, 2\)"),
        (MODELS[2], lambda m: m.set_params(n_factors=0), "The 'n_factors' parameter of BPRRecommender must be"),
        (MODELS[5], lambda m: m.set_params(n_neighbors=0), "The 'n_neighbors' parameter of UserKNNRecommender must be"),
        (MODELS[6], lambda m: setattr(m, "_metric", "manhattan"), r"_metric is 'manhattan'; expected one of 'cosine'"),
        (MODELS[7], lambda m: setattr(m, "item_scores_", [1.0]), r"item_scores_ is of type list; expected an array"),
    ],
)
def test_what_a_family_has_learned_is_checked(model, change, said):
    with pytest.raises(DamagedStateError, match=said):
        pickle.loads(saved_with(fitted(model), change))


@pytest.mark.parametrize(
    "wrapped", [lambda m: make_pipeline(m), lambda m: LLMReranker(m, max)], ids=["pipe", "wrapper"]
)
def test_the_recommender_inside_checks_itself(wrapped):
    model = fitted(ItemKNNRecommender())
    too_large(model)
    with pytest.raises(DamagedStateError, match="ItemKNNRecommender was loaded"):
        pickle.loads(pickle.dumps(wrapped(model)))


def test_a_wrapper_around_something_else(recwarn):
    suggester = QuerySuggester(PopularRecommender()).fit(X)
    assert pickle.loads(pickle.dumps(suggester)).recommend([1], k=1).items.shape == (1, 1)
    suggester.recommender_ = TfidfVectorizer()
    with pytest.raises(DamagedStateError, match="recommender_ is a TfidfVectorizer; expected a recommender"):
        pickle.loads(pickle.dumps(suggester))


def vocabulary(model):
    model.encoder.vocabulary_["sea"] = 50_000_000


def test_what_is_nested_in_encoders_is_checked():
    model = fitted(MODELS[3])
    model.encoder = TfidfVectorizer().fit(["sea storm"])
    assert pickle.loads(pickle.dumps(model)).encoder.vocabulary_ == {"sea": 0, "storm": 1}
    with pytest.raises(DamagedStateError, match=r"encoder\.vocabulary_ is not a numbering of its terms"):
        pickle.loads(saved_with(model, vocabulary))
    model.encoder = KMeans(2, n_init=1).fit(np.eye(3))
    model.encoder._n_threads = 10**9
    assert pickle.loads(pickle.dumps(model)).encoder._n_threads < 10**4
    model.encoder.cluster_centers_ = np.zeros((2, 1))
    with pytest.raises(
        DamagedStateError, match=r"cluster_centers_ is an array of shape \(2, 1\); expected shape \(2, 3\)"
    ):
        pickle.loads(pickle.dumps(model))


def test_data_in_the_place_of_a_method_is_refused():
    skops = pytest.importorskip("skops.io")
    model = fitted(PopularRecommender())
    model._check_state = None
    data = skops.dumps(model)
    with pytest.raises(DamagedStateError, match="data named '_check_state', which is a method"):
        skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def test_the_check_is_made_once_a_load_and_by_no_copy(monkeypatch):
    calls = []
    real = BaseRecommender._check_state
    monkeypatch.setattr(BaseRecommender, "_check_state", lambda self: (calls.append(1), real(self)))
    data = pickle.dumps(fitted(ItemKNNRecommender()))
    model = pickle.loads(data)
    assert len(calls) == 1
    clone(model)
    model.recommend([1], k=2)
    model.partial_fit(X[:3])
    assert len(calls) == 1


def test_an_unfitted_estimator_is_loaded_whatever_its_parameters():
    model = UserKNNRecommender(n_neighbors=0)
    assert pickle.loads(pickle.dumps(model)).n_neighbors == 0


def test_a_parameter_that_a_kernel_reads_is_checked_without_a_file_too():
    model = fitted(UserKNNRecommender()).set_params(n_neighbors=0)
    with pytest.raises(ValueError, match="n_neighbors=0 must be at least 1"):
        model.recommend([1], k=2)


def test_an_encoder_that_makes_entries_outside_of_its_matrix():
    matrix = sp.csr_array(np.eye(3))
    matrix.indices[1] = 50_000_000
    with pytest.raises(ValueError, match=r"the table: the sparse matrix has entries outside of its shape \(3, 3\)"):
        finite_matrix(matrix, "the table")


def test_an_index_of_faiss_stays_out_of_skops_files():
    pytest.importorskip("faiss")
    skops = pytest.importorskip("skops.io")
    model = fitted(EmbeddingKNNRecommender(index="faiss"))
    state = model.__getstate__()
    assert state["_faiss_index"] == "to be built"
    data = skops.dumps(model)
    loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    np.testing.assert_array_equal(loaded._faiss_index, model._faiss_index)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))._faiss_index, model._faiss_index)
    model.__dict__["_faiss_index"] = np.zeros(9, np.uint8)
    loaded = pickle.loads(pickle.dumps(model))  # a pickle is trusted
    with pytest.raises(DamagedStateError, match="_faiss_index"):
        loaded.__setstate__({**state, "_faiss_index": np.zeros(9, np.uint8)})


# The checks themselves -------------------------------------------------------------------------------------


@given(st.lists(st.integers(-3, 12), max_size=8), st.integers(1, 9))
def test_codes_are_refused_where_one_is_outside(codes, n):
    codes = np.array(codes, np.int32)
    if ((codes >= 0) & (codes < n)).all():
        check_codes(codes, "codes", n)
    else:
        with pytest.raises(DamagedStateError, match=f"expected codes from 0 to {n - 1}"):
            check_codes(codes, "codes", n)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_places_are_refused_where_they_fall(places):
    places = np.array(places, np.int64)
    if places[0] == 0 and (np.diff(places) >= 0).all():
        check_indptr(places, "indptr", len(places) - 1, int(places[-1]))
    else:
        with pytest.raises(DamagedStateError):
            check_indptr(places, "indptr", len(places) - 1, int(places[-1]))


@pytest.mark.parametrize("value", [True, "3", None, np.nan, np.inf, 2.5, -1, 12, 10**400])
def test_numbers(value):
    with pytest.raises((DamagedStateError, OverflowError)):
        check_number(value, "n", 0, 11, whole=True)


@pytest.mark.parametrize("dtype", [">f4", "f2", "c8", "O", "U3", "i4"])
def test_kinds_of_arrays(dtype):
    with pytest.raises(DamagedStateError, match=re.escape("a is an array of dtype")):
        check_array(np.zeros(3).astype(dtype), "a", (3,))


def test_memory_maps_are_arrays_and_masked_arrays_are_not(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    check_array(np.load(tmp_path / "a.npy", mmap_mode="r"), "a", (3,))
    with pytest.raises(DamagedStateError, match="expected an array"):
        check_array(np.ma.masked_array(np.zeros(3)), "a", (3,))


def test_sparse_matrices_of_other_shapes_and_formats():
    matrix = sp.csr_array(np.eye(3))
    check_csr(matrix, "m", (3, None))
    with pytest.raises(DamagedStateError, match=r"m is a matrix of shape \(3, 3\); expected shape \(3, 4\)"):
        check_csr(matrix, "m", (3, 4))
    with pytest.raises(DamagedStateError, match="expected csr_array or csr_matrix"):
        check_csr(matrix.tocoo(), "m", (3, 3))
