"""``recommend(user_features=...)``: users whom nothing but their features describes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.interactions import FeatureTable
from skrec.linear_model import EASERecommender
from skrec.llm import ConversationalRecommender, LLMExplainer, LLMReranker
from skrec.model_selection import TunedRecommender
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender
from skrec.pipeline import make_pipeline

RNG = np.random.default_rng(0)
N_USERS, N_ITEMS = 30, 12
X = pd.DataFrame([(u, i) for u in range(N_USERS) for i in range(N_ITEMS) if u % 3 == i % 3 and (u + i) % 5])
X.columns = ["user", "item"]
TASTE = np.eye(3)[np.arange(N_USERS) % 3]
USERS = pd.DataFrame(
    {"user": np.arange(N_USERS), "a": TASTE[:, 0], "b": TASTE[:, 1], "age": RNG.integers(20, 60, N_USERS) / 100}
)
NEW = pd.DataFrame({"user": [100, 101, 102], "a": [1.0, 0.0, 0.0], "b": [0.0, 1.0, 0.0], "age": [0.3, 0.4, 0.5]})
IN_CONTEXT = X.assign(hour=(X.user * 7 + X.item) % 24 / 24)

MODELS = {
    "als": lambda: HybridMFRecommender(n_factors=4, max_iter=5, random_state=0),
    "als, encoded": lambda: HybridMFRecommender(n_factors=4, max_iter=5, user_encoder=StandardScaler(), random_state=0),
    "bpr": lambda: HybridMFRecommender(n_factors=4, max_iter=5, solver="bpr", random_state=0),
    "warp": lambda: HybridMFRecommender(n_factors=4, max_iter=5, solver="warp", random_state=0),
    "softmax": lambda: HybridMFRecommender(n_factors=4, max_iter=5, solver="softmax", regularization=5, random_state=0),
    "implicit bpr": lambda: BPRRecommender(n_factors=4, max_iter=10, random_state=0),
    "logistic": lambda: LogisticMFRecommender(n_factors=4, max_iter=10, random_state=0),
    "user knn": lambda: UserKNNRecommender(n_neighbors=10, feature_weight=0.5),
}


def equal(found, expected):
    assert found.items.tolist() == expected.items.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_as_if_the_model_had_the_rows(name):
    """Features of a user without events mean the same in a call, in ``partial_fit``, and about the same in fit."""
    rec = MODELS[name]().fit(X, user_features=USERS)
    found = rec.recommend(NEW.user, k=5, user_features=NEW)
    if name in ("als", "als, encoded", "softmax", "user knn"):  # these learn enough in so few epochs
        assert (found.items[:, :3] % 3 == [[0], [1], [2]]).mean() > 0.7
    assert found.items.tolist() != rec.recommend(NEW.user, k=5).items.tolist()
    equal(rec.partial_fit(user_features=NEW).recommend(NEW.user, k=5), found)
    if name in ("user knn", "softmax"):  # the others draw numbers, or scale by the mean row
        equal(rec.fit(X, user_features=pd.concat([USERS, NEW])).recommend(NEW.user, k=5), found)


@pytest.mark.parametrize("name", MODELS)
def test_forms_of_the_table(name):
    rec = MODELS[name]().fit(X, user_features=USERS)
    rows = NEW.drop(columns="user")
    expected = rec.recommend([102, 100], k=4, user_features=NEW)
    assert expected.users.tolist() == [102, 100]
    for table in (
        FeatureTable(NEW),
        pl.from_pandas(NEW),
        (NEW.user, rows.to_numpy()),
        (NEW.user, sp.csr_array(rows.to_numpy())),
        NEW[["age", "user", "b", "a"]],  # the id and the columns by their names
        pd.concat([USERS, NEW]),  # rows of users who were not asked for
        rows.iloc[[2, 0]],  # in the order of the users
        rows.iloc[[2, 0]][["b", "a", "age"]],
        rows.iloc[[2, 0]].to_numpy(),
        sp.csr_array(rows.iloc[[2, 0]].to_numpy()),
        rows.iloc[[2, 0]].to_numpy().tolist(),
    ):
        if name == "als, encoded" and not hasattr(table, "columns") and not isinstance(table, FeatureTable):
            continue  # StandardScaler, fitted to a frame, warns of a matrix
        equal(rec.recommend([102, 100], k=4, user_features=table), expected)


@pytest.mark.parametrize("name", MODELS)
def test_without_users_those_of_the_table(name):
    rec = MODELS[name]().fit(X, user_features=USERS)
    found = rec.recommend(k=3, user_features=NEW)
    assert found.users.tolist() == [100, 101, 102]
    equal(found, rec.recommend([100, 101, 102], k=3, user_features=NEW))
    found = rec.recommend(k=3, user_features=NEW, history=[[101, 4], [200, 3]])
    assert found.users.tolist() == [101, 200, 100, 102]
    with pytest.raises(ValueError, match="no ids, and users is None"):
        rec.recommend(k=3, user_features=NEW.drop(columns="user"))


@pytest.mark.parametrize("name", MODELS)
def test_rows_that_are_known_change_nothing(name):
    """Features of fit given again, and users without a row, keep their lists."""
    rec = MODELS[name]()
    if name.startswith("als"):
        rec.set_params(max_iter=60, tol=0)
    rec.fit(X, user_features=USERS)
    expected = rec.recommend([3, 4, 99], k=4)
    found = rec.recommend([3, 4, 99], k=4, user_features=USERS.iloc[[3]])
    np.testing.assert_allclose(found.scores, expected.scores, rtol=2e-2, atol=2e-2)
    np.testing.assert_array_equal(found.scores[1:], expected.scores[1:])


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("implicit bpr", "logistic")])
def test_a_changed_row_of_a_known_user_counts(name):
    rec = MODELS[name]().fit(X, user_features=USERS)
    changed = USERS.iloc[[3]].assign(a=0.0, b=1.0)
    before, after = (
        (rec.predict_scores([3], table) for table in (USERS.iloc[[3]], changed))
        if False
        else (
            rec.recommend([3], k=N_ITEMS, user_features=table, exclude_seen=False)
            for table in (USERS.iloc[[3]], changed)
        )
    )
    scores = [dict(zip(found.items[0].tolist(), found.scores[0].tolist(), strict=True)) for found in (before, after)]
    gain = np.array([scores[1][item] - scores[0][item] for item in range(N_ITEMS)])
    assert gain[1::3].mean() > gain[0::3].mean()


@pytest.mark.parametrize(("solver", "feedback"), [("als", "implicit"), ("als", "explicit"), ("softmax", "implicit")])
def test_in_context_and_for_ratings(solver, feedback):
    y = None if feedback == "implicit" else 3.0 + X.user % 3 - X.item % 2
    model = HybridMFRecommender(n_factors=4, max_iter=4, solver=solver, feedback=feedback, random_state=0)
    rec = model.fit(IN_CONTEXT, y, user_features=USERS)
    found = rec.recommend([100, 102], k=4, context=[[0.5]], user_features=NEW)
    # A history beside the features moves the list, from what the features say.
    history = [[100, 1], [100, 4]]
    alone, both = (rec.recommend([100], k=4, history=history, user_features=t) for t in (None, NEW))
    assert not np.array_equal(alone.scores, both.scores)
    assert np.isfinite(both.scores).all()
    equal(rec.partial_fit(user_features=NEW).recommend([100, 102], k=4, context=[[0.5]]), found)


def test_a_history_beside_the_features_is_solved_as_fit_does():
    """Least squares: the row of a new user with features and events, against ``partial_fit`` of the same."""
    rec = HybridMFRecommender(n_factors=4, max_iter=30, random_state=0).fit(X, user_features=USERS)
    history = pd.DataFrame({"user": [100, 100], "item": [0, 3]})
    found = rec.recommend([100], k=5, history=history, user_features=NEW)
    fitted = rec.partial_fit(history, user_features=NEW[:1]).recommend([100], k=5)
    assert found.items.tolist() == fitted.items.tolist()
    np.testing.assert_allclose(found.scores, fitted.scores, atol=0.05)


def first(messages):
    """Orders nothing: every list stays that of the recommender."""
    return "[1]"


WRAPPED = {
    "pipeline": lambda rec: make_pipeline(rec),
    "tuned": lambda rec: TunedRecommender(rec, {"n_factors": [4]}, n_iter=1),
    "conversation": ConversationalRecommender,
    "reranker": lambda rec: LLMReranker(rec, llm=first),
    "reranked pipeline": lambda rec: LLMReranker(make_pipeline(rec), llm=first),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.filterwarnings("ignore::skrec.exceptions.ColdStartWarning")
@pytest.mark.filterwarnings("ignore::skrec.exceptions.FeatureCoverageWarning")
def test_on_wrappers(name):
    rec = MODELS["als"]()
    expected = rec.fit(X, user_features=USERS).recommend([100, 101], k=3, user_features=NEW)
    outer = WRAPPED[name](rec).fit(X, user_features=USERS)
    equal(outer.recommend([100, 101], k=3, user_features=NEW), expected)
    assert outer.recommend(k=3, user_features=NEW).users.tolist() == [100, 101, 102]


def test_a_pipeline_with_context():
    pipe = make_pipeline(ContextEncoder(), HybridMFRecommender(n_factors=4, max_iter=4, random_state=0))
    table = X.assign(device=np.where(X.user % 2, "phone", "desk"))
    pipe.fit(table, user_features=USERS)
    named = pipe.recommend(NEW.user, k=3, context=[["phone"]], user_features=NEW)
    equal(pipe.recommend(k=3, context=[["phone"]], user_features=NEW), named)
    equal(pipe.recommend(k=3, context=[["phone"]] * 3, user_features=NEW), named)


def test_the_reranker_reads_the_rows():
    prompts = []

    def llm(messages):
        prompts.append(messages[-1]["content"])
        return "[]"

    titles = pd.DataFrame({"item": range(N_ITEMS), "title": [f"Book {i}" for i in range(N_ITEMS)]})
    users, new = USERS.assign(note="reads at night"), NEW.assign(note="likes whales")
    for base in (PopularRecommender(), HybridMFRecommender(4, user_encoder="auto", item_encoder="auto", max_iter=2)):
        prompts.clear()
        rec = LLMReranker(base, llm=llm, n_candidates=3).fit(X, item_features=titles, user_features=users)
        with pytest.warns(UserWarning, match="No answer"):
            found = rec.recommend([101], k=2, user_features=new)
        assert found.users.tolist() == [101]
        assert any("likes whales" in prompt for prompt in prompts)
        with pytest.warns(UserWarning, match="No answer"):
            assert rec.recommend(k=1, user_features=new).users.tolist() == [100, 101, 102]


@pytest.mark.parametrize("model", [ItemKNNRecommender, EASERecommender, PopularRecommender, EmbeddingKNNRecommender])
@pytest.mark.filterwarnings("ignore::skrec.exceptions.ColdStartWarning")
def test_models_without_a_use_say_so(model):
    rec = model().fit(X, user_features=USERS)
    with pytest.raises(ValueError, match=f"{model.__name__} does not use user_features.*history=.*HybridMF"):
        rec.recommend([100], user_features=NEW)
    with pytest.raises(ValueError, match="does not use user_features"):
        make_pipeline(model()).fit(X).recommend([100], user_features=NEW)


def test_errors_say_what_to_pass():
    rec = MODELS["als"]()
    with pytest.raises(ValueError, match="fitted without: call fit with user_features"):
        rec.fit(X).recommend([100], user_features=NEW)
    rec.fit(X, user_features=USERS)
    with pytest.raises(ValueError, match="3 rows and no ids, and there are 2 users"):
        rec.recommend([100, 101], user_features=NEW.drop(columns="user"))
    with pytest.raises(ValueError, match="none is of the 1 users"):
        rec.recommend([500], user_features=NEW)
    with pytest.raises(ValueError, match=r"\['a', 'b', 'income'\], and those of fit were \['a', 'b', 'age'\]"):
        rec.recommend([100], user_features=NEW.rename(columns={"age": "income"}))
    with pytest.raises(ValueError, match="2 feature columns, but fit had 3"):
        rec.recommend([100], user_features=NEW.drop(columns="age"))
    with pytest.raises(ValueError, match="two dimensions"):
        rec.recommend([100], user_features=np.ones(3))
    with pytest.raises(TypeError, match="must be a frame"):
        rec.recommend([100], user_features="old")
    with pytest.raises(ValueError, match="duplicate"):
        rec.recommend([100], user_features=pd.concat([NEW, NEW]))


def test_a_request_is_blended_with_the_features():
    items = pd.DataFrame({"item": range(N_ITEMS), "words": ["red", "green", "blue"] * (N_ITEMS // 3)})
    from sklearn.feature_extraction.text import TfidfVectorizer

    rec = HybridMFRecommender(n_factors=4, max_iter=5, item_encoder=TfidfVectorizer(), random_state=0)
    rec.fit(X, item_features=items, user_features=USERS)
    found = rec.recommend([100], k=3, request="green", request_weight=1.0, user_features=NEW)
    assert (found.items % 3 == 1).all()
    blended = rec.recommend([100], k=3, request="green", request_weight=0.3, user_features=NEW)
    assert not np.array_equal(blended.scores, rec.recommend([100], k=3, request="green", request_weight=0.3).scores)


@pytest.mark.parametrize("name", MODELS)
def test_explanations_name_the_features(name):
    rec = make_pipeline(MODELS[name]()).fit(X, user_features=USERS)
    found = rec.recommend(NEW.user, k=2, user_features=NEW)
    kinds = [reasons[0].kind for reasons in rec.explain(found, user_features=NEW).evidence]
    if name == "user knn":  # its evidence is what neighbours did
        assert set(kinds) <= {"features", "popularity"}
    else:
        assert set(kinds) == {"features"}
    known = rec.explain([0], found.items[0, :1], user_features=USERS[:1]).evidence[0]
    assert known[0].kind == "history"
    assert {reasons[0].kind for reasons in rec.explain(found).evidence} == {"popularity"}


def test_the_explainer_reads_the_rows():
    prompts = []

    def llm(messages):
        prompts.append(messages[-1]["content"])
        return "[]"

    titles = pd.DataFrame({"item": range(N_ITEMS), "price": 1.0, "b": np.arange(N_ITEMS) % 3})
    users = USERS.assign(age=33)
    rec = LLMExplainer(MODELS["als"](), llm=llm).fit(X, item_features=titles, user_features=users)
    new = NEW.assign(age=77)
    found = rec.recommend([101], k=1, user_features=new)
    with pytest.warns(UserWarning, match="No answer"):
        explained = rec.explain(found, user_features=new)
    assert explained.evidence[0][0].kind == "features"
    assert any("77" in prompt for prompt in prompts)
