"""Pipelines that recommend: context through the steps, ids untouched, tables without a prefix."""

from datetime import datetime

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
import sklearn.pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skrec.base import BaseRecommender, is_recommender
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender, RandomRecommender
from skrec.exceptions import FormatVersionError, UnseenCategoryWarning
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.metrics import evaluate, ranking_scorer
from skrec.model_selection import LeaveLastOut
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.persistence import skops_trusted_types
from skrec.pipeline import Pipeline, as_recommender, make_pipeline
from skrec.testing import recommender_checks

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
TEXT = LLMTextEmbedder(HashingTextEncoder())
ITEMS = FeatureTable(
    pd.DataFrame({"item": ["tea", "ale", "gin", "rum"], "text": ["hot leaf", "beer hops", "beer juniper", "beer cane"]})
)


class ByContext(BaseRecommender):
    """Scores an item by the nearness of the context to the mean context of its events."""

    _uses_context = True

    def _fit(self, data, item_matrix, user_matrix):
        totals = np.zeros((data.n_items, data.context.shape[1]))
        np.add.at(totals, data.items, data.context)
        self.centers_ = totals / np.maximum(np.bincount(data.items, minlength=data.n_items), 1)[:, None]

    def _is_cold(self, queries):
        return np.zeros(len(queries), bool)

    def _score(self, queries, items):
        centers = self.centers_ if items is None else self.centers_[items]
        return -np.linalg.norm(queries.context[:, None, :] - centers[None], axis=2).astype(np.float32)

    def explain(self, users, items, *, context=None, history=None):
        return context, history


def events(n=240, seed=0):
    """Tea in the morning, ale in the evening, whoever asks."""
    rng = np.random.default_rng(seed)
    morning = rng.random(n) < 0.5
    hour = np.where(morning, 8, 20) + rng.integers(-2, 3, n)
    day = rng.integers(1, 28, n)
    return pd.DataFrame(
        {
            "user": rng.integers(0, 12, n),
            "item": np.where(morning, "tea", np.where(rng.random(n) < 0.8, "ale", "gin")),
            "timestamp": np.arange(n, dtype=float),
            "at": [datetime(2024, 1, int(d), int(h)) for d, h in zip(day, hour, strict=True)],
            "place": np.where(morning, "kitchen", "pub"),
            "people": np.where(morning, 1.0, 5.0) + rng.random(n),
        }
    )


X = events()
MORNING = pd.DataFrame({"at": [datetime(2024, 2, 1, 8)], "place": ["kitchen"], "people": [1.0]})
EVENING = pd.DataFrame({"at": [datetime(2024, 2, 1, 20)], "place": ["pub"], "people": [5.0]})


def encoder(**options):
    return ContextEncoder(**{"datetime_features": ["hour"], "text_encoder": TEXT} | options)


@pytest.fixture(scope="module")
def pipe():
    return make_pipeline(encoder(), ByContext()).fit(X)


class TestContext:
    @pytest.mark.parametrize("library", FRAMES)
    def test_the_same_user_at_breakfast_and_at_night(self, library):
        pipe = make_pipeline(encoder(), ByContext()).fit(FRAMES[library](X.to_dict("list")))
        morning, evening = (FRAMES[library](table.to_dict("list")) for table in (MORNING, EVENING))
        assert pipe.recommend([3], k=1, context=morning, exclude_seen=False).items.tolist() == [["tea"]]
        assert pipe.recommend([3], k=1, context=evening, exclude_seen=False).items.tolist() == [["ale"]]

    def test_context_of_another_library_or_as_rows(self, pipe):
        expected = pipe.recommend([3, 99], k=3, context=EVENING, exclude_seen=False).scores
        rows = [EVENING.iloc[0].tolist()]
        for context in (pl.from_pandas(EVENING), pa.Table.from_pandas(EVENING), rows, np.array(rows, dtype=object)):
            assert_allclose(pipe.recommend([3, 99], k=3, context=context, exclude_seen=False).scores, expected)

    def test_one_row_a_user(self, pipe):
        both = pd.concat([MORNING, EVENING]).set_index(pd.Index([7, 7]))
        items = pipe.recommend([3, 3], k=1, context=both, exclude_seen=False).items
        assert items.tolist() == [["tea"], ["ale"]]
        columns = pl.from_pandas(both).select("people", "place", "at")
        assert_array_equal(pipe.recommend([3, 3], k=1, context=columns, exclude_seen=False).items, items)

    def test_all_users_and_those_of_the_history(self, pipe):
        assert len(pipe.recommend(k=1, context=EVENING)) == len(pipe.users_)
        history = pd.DataFrame({"user": [77, 3, 77], "item": ["ale", "rum", "tea"]})
        found = pipe.recommend(k=1, context=pd.concat([EVENING, MORNING]), history=history)
        assert_array_equal(found.users, [77, 3])
        assert found.items[0, 0] == "gin"

    def test_nobody_asks(self, pipe):
        assert len(pipe.recommend([], context=EVENING)) == 0

    def test_no_context_is_the_mean_of_training(self, pipe):
        assert_allclose(
            pipe.recommend([3], k=3, exclude_seen=False).scores,
            pipe[-1].recommend([3], k=3, exclude_seen=False).scores,
        )

    def test_predict_agrees_with_recommend(self, pipe):
        ranked = pipe.recommend([3], k=3, context=EVENING, exclude_seen=False)
        rows = pd.DataFrame({"user": 3, "item": ranked.items[0]}).merge(EVENING, how="cross")
        assert_allclose(pipe.predict(rows), ranked.scores[0], rtol=1e-5)

    def test_timestamp_features_need_the_timestamp_of_the_request(self):
        log = X[["user", "item"]].assign(timestamp=X["at"])
        pipe = make_pipeline(encoder(timestamp_features=["hour"]), ByContext()).fit(log)
        evening = pd.DataFrame({"timestamp": [datetime(2024, 2, 1, 20)]})
        assert pipe.recommend([1], k=1, context=evening, exclude_seen=False).items[0, 0] == "ale"
        assert pipe.recommend([1], k=1, context=[[datetime(2024, 2, 1, 8)]], exclude_seen=False).items[0, 0] == "tea"

    def test_arrays(self):
        array = X.assign(place=X["place"] == "pub")[["user", "item", "place", "people"]].to_numpy(dtype=object)
        pipe = make_pipeline(ContextEncoder(), ByContext()).fit(array)
        assert pipe.recommend([3], k=1, context=[[True, 5.0]], exclude_seen=False).items[0, 0] == "ale"
        numbers = np.column_stack([X["user"], X["item"] == "tea", X["people"]])
        for steps in ([ContextEncoder()], [FunctionTransformer()]):
            pipe = make_pipeline(*steps, ByContext()).fit(numbers)
            assert pipe.recommend([3], k=1, context=[[1]], exclude_seen=False).items.tolist() == [[1]]
            assert pipe.recommend([3], k=1, context=pd.DataFrame({"n": [5]}), exclude_seen=False).items[0, 0] == 0

    def test_types_of_fit_come_back(self):
        seen = []

        class Spy(TransformerMixin, BaseEstimator):
            def fit(self, X, y=None):
                return self

            def transform(self, X):
                seen.append(X)
                return X[["user", "item", "people"]]

        log = X.astype({"place": "category", "user": "int32", "people": "float32"})
        pipe = make_pipeline(Spy(), ByContext()).fit(log)
        pipe.recommend([3], context=[[datetime(2024, 2, 1), "pub", 5]])
        assert list(seen[-1].columns) == ["user", "item", "at", "place", "people"]
        assert seen[-1].dtypes.drop("place").to_dict() == log[seen[-1].columns].dtypes.drop("place").to_dict()
        assert isinstance(seen[-1]["place"].dtype, pd.CategoricalDtype)
        assert seen[-1]["item"][0] in set(X["item"])
        assert seen[-1]["user"].tolist() == [3]
        pipe.recommend(["a stranger", 3], context=[[datetime(2024, 2, 1), "pub", 5.5]])
        assert seen[-1]["user"].tolist() == ["a stranger", 3]

    def test_an_unseen_category_and_missing_cells(self, pipe):
        for change in ({"place": None}, {"people": np.nan}, {"at": pd.NaT}):
            context = EVENING.assign(**change)
            assert np.isfinite(pipe.recommend([3], k=3, context=context, exclude_seen=False).scores).all()
        with pytest.warns(UnseenCategoryWarning, match="such as 'the moon'"):
            found = pipe.recommend([3], k=3, context=EVENING.assign(place="the moon"), exclude_seen=False)
        assert np.isfinite(found.scores).all()

    def test_free_text_as_context(self):
        mood = np.where(X["item"] == "tea", "early and still half asleep", "a long day is over at last")
        pipe = make_pipeline(encoder(text_components=4), ByContext()).fit(X[["user", "item"]].assign(mood=mood))
        for said, item in (("half asleep", "tea"), ("a long long day", "ale")):
            assert pipe.recommend([3], k=1, context=[[said]], exclude_seen=False).items[0, 0] == item
        assert np.isfinite(pipe.recommend([3], k=1, context=[[None]], exclude_seen=False).scores).all()

    def test_plain_transformers(self):
        columns = ColumnTransformer(
            [("ids", "passthrough", ["user", "item"]), ("place", OneHotEncoder(sparse_output=False), ["place"])]
        )
        log = X[["user", "item", "place"]]
        for output in ("default", "pandas", "polars"):
            pipe = make_pipeline(clone(columns).set_output(transform=output), ByContext()).fit(log)
            assert pipe.recommend([3], k=1, context=[["pub"]], exclude_seen=False).items.tolist() == [["ale"]]

    def test_several_steps(self):
        reduce = ColumnTransformer(
            [("ids", "passthrough", [0, 1]), ("rest", PCA(2, random_state=0), slice(2, None))],
            verbose_feature_names_out=False,
        ).set_output(transform="pandas")
        pipe = make_pipeline(encoder(), "passthrough", reduce, ByContext()).fit(X.drop(columns="timestamp"))
        assert pipe[-1].centers_.shape[1] == 2
        assert pipe.recommend([3], k=1, context=MORNING, exclude_seen=False).items[0, 0] == "tea"

    def test_explain_gets_encoded_context_and_history(self, pipe):
        context, history = pipe.explain([3], ["tea"], context=EVENING, history=X.iloc[:2])
        assert context.shape == (1, len(pipe[0].get_feature_names_out()) - 3)
        assert list(history.columns) == pipe[0].get_feature_names_out().tolist()


class TestHistoryAndExclusions:
    def test_ids_and_times_skip_the_steps(self, pipe):
        for history in (pd.DataFrame({"user": [3], "item": ["rum"], "timestamp": [1e9]}), [[3, "rum"]]):
            assert len(pipe.recommend([3], k=2, history=history)) == 1
        assert pipe.recommend([50], k=2, history=[[50, "ale"]], context=EVENING).items[0, 0] == "gin"

    def test_full_events_go_through_the_steps(self, pipe):
        full = X.iloc[[0]].assign(user=50, item="ale")
        alone = pipe.recommend([50], k=2, history=[[50, "ale"]]).items
        assert_array_equal(pipe.recommend([50], k=2, history=full).items, alone)
        assert_array_equal(pipe.recommend([50], k=2, history=(full, [1.0])).items, alone)

    def test_columns_in_another_order_are_read_by_name(self, pipe):
        full = X.iloc[[0, 1]].assign(user=[50, 51], item="ale")
        turned = full[full.columns[::-1]]
        for users in ([50], None):
            expected = pipe.recommend(users, k=2, history=full, context=EVENING)
            found = pipe.recommend(users, k=2, history=turned, context=EVENING)
            assert_array_equal(found.users, expected.users)
            assert_array_equal(found.items, expected.items)
        ids = pd.DataFrame({"item": ["ale"], "user": [50]})
        assert pipe.recommend([50], k=2, history=ids, context=EVENING).items[0, 0] == "gin"
        assert pipe.recommend([50], k=2, exclude=ids, context=EVENING).items[0, 0] == "gin"
        with pytest.raises(
            ValueError, match=r"history has the columns \['item', 'guest'\]; 'item' must be at the same position"
        ):
            pipe.recommend([50], history=ids.rename(columns={"user": "guest"}))

    def test_part_of_the_context_is_an_error(self, pipe):
        with pytest.raises(ValueError, match="history has 3 columns and X had 5 in fit"):
            pipe.recommend([3], history=X[["user", "item", "place"]])

    def test_exclusions_and_candidates(self, pipe):
        found = pipe.recommend([50], k=3, context=EVENING, exclude=[[50, "ale"]], candidates=["ale", "tea"])
        assert [item for item in found.items[0] if item] == ["tea"]


class TestTablesAndSearch:
    @pytest.mark.parametrize("routing", [False, True])
    def test_feature_tables_need_no_prefix(self, routing):
        knn = EmbeddingKNNRecommender(item_encoder=TEXT)
        with sklearn.config_context(enable_metadata_routing=routing):
            pipe = make_pipeline(encoder(), knn).fit(X, item_features=ITEMS)
            assert "rum" in pipe.items_
            assert pipe.search("beer hops", k=1).items.tolist() == [["ale"]]
            assert pipe.similar_items(["gin"], k=2).items.shape == (1, 2)
            scores = cross_validate(pipe, X, cv=3, params={"item_features": ITEMS}, error_score="raise")
            assert np.isfinite(scores["test_score"]).all()
            grid = {"embeddingknnrecommender__recency_decay": [0.5, 1.0], "contextencoder__n_centers": [2]}
            search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, item_features=ITEMS)
            assert np.isfinite(search.best_score_)
            assert len(search.best_estimator_.recommend([3], k=2, context=MORNING)) == 1

    def test_methods_are_those_of_the_last_step(self):
        popular = make_pipeline(encoder(), PopularRecommender())
        assert hasattr(popular, "recommend")
        assert hasattr(popular, "explain")
        assert not any(hasattr(popular, name) for name in ("search", "similar_items"))
        assert is_recommender(popular)
        transformers = make_pipeline(StandardScaler(), PCA(1))
        assert not hasattr(transformers, "recommend")
        assert not is_recommender(transformers)

    def test_as_an_item_encoder(self):
        items = make_pipeline(TfidfVectorizer(), StandardScaler(with_mean=False))
        knn = EmbeddingKNNRecommender(item_encoder=items).fit(X, item_features=ITEMS)
        assert knn.search(["beer hops"], k=1).items.tolist() == [["ale"]]


class TestModelSelection:
    @pytest.mark.slow
    def test_grid_search_over_encoder_solver_and_model_in_two_processes(self):
        model = HybridMFRecommender(n_factors=4, max_iter=3, random_state=0)
        pipe = Pipeline([("context", encoder()), ("model", model)])
        grid = {
            "context__timestamp_features": [(), ("hour",)],
            "context__fusion": ["concat", "dense"],
            "model__solver": ["als", "bpr", "warp", "softmax"],
        }
        scoring = ranking_scorer(["ndcg@1", "recall@2"], exclude_seen=False)
        folds = KFold(2, shuffle=True, random_state=0)
        search = GridSearchCV(pipe, grid, cv=folds, scoring=scoring, refit="ndcg@1", n_jobs=2, error_score="raise")
        search.fit(X)
        scores = search.cv_results_["mean_test_ndcg@1"]
        assert np.isfinite(scores).all()
        assert scores.max() == search.best_score_ > 0.7  # the moment tells tea from ale
        assert search.best_estimator_.recommend([3], k=1, context=MORNING, exclude_seen=False).items[0, 0] == "tea"

    @pytest.mark.parametrize("routing", [False, True])
    def test_grid_search_over_a_plain_pipeline(self, routing):
        knn = EmbeddingKNNRecommender(item_encoder=TEXT)
        with sklearn.config_context(enable_metadata_routing=routing):
            pipe = sklearn.pipeline.Pipeline([("context", encoder()), ("model", knn)])
            grid = {"context__n_centers": [0, 2], "model__recency_decay": [0.5, 1.0]}
            search = GridSearchCV(pipe, grid, cv=2, scoring=ranking_scorer("ndcg@3"), n_jobs=2, error_score="raise")
            search.fit(X, **{"item_features" if routing else "model__item_features": ITEMS})
            assert np.isfinite(search.cv_results_["mean_test_score"]).all()
            table = evaluate(search, X.tail(40), metrics=["ndcg@3"], per="event", exclude_seen=False, n_bootstrap=0)
            assert table["n_queries"].tolist() == [40]

    def test_context_decides_the_score(self):
        scorer = ranking_scorer("ndcg@1", exclude_seen=False)
        cv = KFold(3, shuffle=True, random_state=0)
        for kind in (make_pipeline, sklearn.pipeline.make_pipeline):
            scores = cross_validate(kind(encoder(), ByContext()), X, cv=cv, scoring=scorer, error_score="raise")
            assert scores["test_score"].mean() > 0.7
        blind = cross_validate(make_pipeline(encoder(), PopularRecommender()), X, cv=cv, scoring=scorer)
        assert blind["test_score"].mean() < 0.6

    def test_shuffled_context_gains_nothing(self):
        shuffled = X.copy()
        context = list(MORNING.columns)
        shuffled[context] = X[context].sample(frac=1, random_state=0).to_numpy()
        shuffled = shuffled.astype(X.dtypes.to_dict())
        scorer = ranking_scorer("ndcg@1", exclude_seen=False)
        cv = KFold(3, shuffle=True, random_state=0)
        scores = cross_validate(make_pipeline(encoder(), ByContext()), shuffled, cv=cv, scoring=scorer)
        assert scores["test_score"].mean() < 0.6

    def test_evaluate(self, pipe):
        table = evaluate({"pipe": pipe}, X.tail(40), metrics=["ndcg@1"], exclude_seen=False, n_bootstrap=0)
        assert table["mean"][0] > 0.7

    def test_clone_score_and_joblib(self, pipe, tmp_path):
        strangers = events(40, seed=1).assign(user=100)
        assert pipe.score(strangers) == ranking_scorer("ndcg@10")(pipe, strangers) > 0.8
        again = clone(pipe).fit(X)
        joblib.dump(pipe, tmp_path / "pipe.joblib")
        for other in (again, joblib.load(tmp_path / "pipe.joblib")):
            assert_array_equal(
                other.recommend([3], k=3, context=EVENING).scores, pipe.recommend([3], k=3, context=EVENING).scores
            )

    @pytest.mark.filterwarnings("ignore::skrec.exceptions.UnseenCategoryWarning")
    @pytest.mark.parametrize("kind", [pl.Categorical(), pl.Enum(["kitchen", "pub", "office"])])
    def test_skops(self, kind):
        skops_io = pytest.importorskip("skops.io")
        pipe = make_pipeline(encoder(), PopularRecommender()).fit(
            pl.from_pandas(X).with_columns(pl.col("place").cast(kind))
        )
        data = skops_io.dumps(pipe)
        untrusted = skops_io.get_untrusted_types(data=data)
        assert set(untrusted) <= set(skops_trusted_types())
        loaded = skops_io.loads(data, trusted=untrusted)
        for context in (EVENING, EVENING.assign(place="elsewhere")):
            assert_array_equal(
                loaded.recommend([3, 3], k=2, context=context).items, pipe.recommend([3, 3], k=2, context=context).items
            )

    def test_a_newer_format_is_refused(self, pipe):
        state = {**pipe.__getstate__(), "_format_version": 10**6}
        with pytest.raises(FormatVersionError, match="Pipeline"):
            Pipeline.__new__(Pipeline).__setstate__(state)


class TestWhatIsRefused:
    def test_missing_and_extra_columns(self, pipe):
        with pytest.raises(ValueError, match=r"context lacks \['people'\]"):
            pipe.recommend([3], context=MORNING.drop(columns="people"))
        with pytest.raises(ValueError, match=r"context has \['weather'\], which X did not have"):
            pipe.recommend([3], context=MORNING.assign(weather="rain"))
        with pytest.raises(ValueError, match=r"context has 2 columns, but the context columns of X were \['timestamp'"):
            pipe.recommend([3], context=[["pub", 5.0]])

    def test_rows(self, pipe):
        with pytest.raises(ValueError, match="context has 2 rows for 3 users"):
            pipe.recommend([1, 2, 3], context=pd.concat([MORNING, EVENING]))
        with pytest.raises(ValueError, match="1 dimension"):
            pipe.recommend([1], context=["pub", 5.0])
        with pytest.raises(ValueError, match=r"context has rows of \[1, 3\] cells"):
            pipe.recommend([1, 2], context=[[datetime(2024, 1, 1), "pub", 5.0], [1]])

    def test_dicts_and_lazy_frames(self, pipe):
        row = EVENING.iloc[0].to_dict()
        for context in (row, [row, row]):
            with pytest.raises(ValueError, match="context is a dict or a list of dicts; make a frame"):
                pipe.recommend([1, 2], context=context)
        with pytest.raises(ValueError, match=r"pass context\.collect\(\)"):
            pipe.recommend([1], context=pl.from_pandas(EVENING).lazy())

    def test_what_a_cast_to_the_type_of_fit_would_change(self, pipe):
        for at, message in (
            (17_000_000, "contains numbers, but date-times without a time zone in fit"),
            (datetime(2024, 1, 1).date(), "contains dates without an hour, but date-times"),
            ("2024-01-01 08:00", r"contains '2024-01-01 08:00'; convert it first"),
            (pd.Timestamp("2024-01-01", tz="UTC"), "contains date-times with a time zone, but date-times without"),
        ):
            for context in (EVENING.assign(at=at), [[at, "pub", 5.0]]):
                with pytest.raises(ValueError, match=f"column 'at' .*{message}"):
                    pipe.recommend([3], context=context)
        with pytest.raises(ValueError, match="column 'place' has categories such as 3, but such as 'kitchen' in fit"):
            pipe.recommend([3], context=EVENING.assign(place=3))
        with pytest.raises(ValueError, match=r"column 'people' is .*read as numbers"):
            pipe.recommend([3], context=EVENING.assign(people="five"))

    def test_a_timestamp_that_a_step_needs(self):
        pipe = make_pipeline(encoder(timestamp_features=["hour"]), ByContext()).fit(X)
        with pytest.raises(ValueError, match="need a column named 'timestamp' in X, and in the context of recommend"):
            pipe.recommend([3], context=MORNING)

    def test_an_id_that_a_step_changes(self):
        large = X[["user", "item", "people"]].assign(user=2**53 + 1, item=X["item"] == "tea")
        with pytest.raises(ValueError, match=r"changed user ids: 9007199254740993 became 9007199254740992\.0"):
            make_pipeline(FunctionTransformer(lambda X: X.astype(float)), PopularRecommender()).fit(large)
        with pytest.raises(ValueError, match="steps before PopularRecommender changed user ids"):
            make_pipeline(StandardScaler(), PopularRecommender()).fit(large.to_numpy(dtype=float) % 7)
        last = ColumnTransformer([("people", StandardScaler(), ["people"])], remainder="passthrough")
        with pytest.raises(ValueError, match="ids must come out first and as they were"):
            make_pipeline(last, PopularRecommender()).fit(X[["user", "item", "people"]])
        with pytest.raises(ValueError, match="rows"):
            make_pipeline(FunctionTransformer(lambda X: X[:5]), PopularRecommender()).fit(X)

    def test_a_large_id_asked_of_an_array_of_floats(self):
        numbers = np.column_stack([X["user"], X["item"] == "tea", X["people"]])
        pipe = make_pipeline(ContextEncoder(), ByContext()).fit(numbers)
        with pytest.raises(ValueError, match="The array X changed users: 9007199254740993 became"):
            pipe.recommend([2**53 + 1], context=[[1.0]])

    def test_large_ids_in_frames_stay(self):
        large = X.assign(user=X["user"] + 2**60)
        pipe = make_pipeline(encoder(), ByContext()).fit(large)
        assert_array_equal(pipe.users_, np.unique(large["user"]))
        assert len(pipe.recommend([2**60 + 1], context=EVENING)) == 1

    def test_text_left_unencoded(self):
        with pytest.raises(ValueError, match=r"column 'place' holds .*ContextEncoder\(\), ByContext\(\)"):
            ByContext().fit(X[["user", "item", "place"]])


def test_models_that_ignore_context_recommend_all_the_same():
    pipe = make_pipeline(encoder(), RandomRecommender(random_state=0)).fit(X)
    assert_array_equal(pipe.recommend([3], k=2, context=EVENING).items, pipe.recommend([3], k=2).items)


PIPE = make_pipeline(ContextEncoder(), PopularRecommender())


@pytest.mark.parametrize("check", recommender_checks(), ids=lambda check: check.__name__)
def test_recommender_contract(check):
    check(clone(PIPE))


@pytest.mark.filterwarnings("ignore")
def test_sklearn_checks():
    """All but the two that scikit-learn's own Pipeline fails: fit changes its ``steps``."""

    def failed(estimator):
        results = check_estimator(estimator, on_fail=None, on_skip=None)
        return {result["check_name"] for result in results if result["status"] == "failed"}

    assert failed(clone(PIPE)) == failed(sklearn.pipeline.make_pipeline(StandardScaler(), PCA(1)))


class TestPartialFit:
    def test_the_first_call_fits_and_later_ones_update(self):
        X = events()
        first, more = X.iloc[:200], X.iloc[200:]
        both = make_pipeline(encoder(), PopularRecommender(n_segments=2, random_state=0))
        both.partial_fit(first).partial_fit(more)
        steps = clone(both).fit(first)
        steps[-1].partial_fit(steps[:-1].transform(more))
        assert_array_equal(both.predict(X), steps.predict(X))
        assert set(both.users_) == set(X["user"])

    def test_it_is_there_where_the_recommender_has_it(self):
        assert not hasattr(make_pipeline(encoder(), ByContext()), "partial_fit")


class TestAsRecommender:
    def test_a_pipeline_of_scikit_learn(self, pipe):
        X = events()
        plain = sklearn.pipeline.Pipeline(pipe.steps).fit(X)
        given = as_recommender(plain, X)
        context = X.iloc[:3, 2:]
        users = X["user"].iloc[:3]
        expected = clone(pipe).fit(X).recommend(users, k=3, context=context)
        assert_array_equal(given.recommend(users, k=3, context=context).items, expected.items)
        assert given.steps[-1][1] is plain.steps[-1][1]
        with pytest.raises(ValueError, match=r"as_recommender\(fitted, X\)"):
            as_recommender(plain)

    def test_a_search_over_one_of_arrays(self):
        X = np.array([[1, 10, 0.0], [2, 10, 1.0], [2, 20, 0.0], [3, 30, 1.0], [3, 20, 0.0]])
        steps = sklearn.pipeline.make_pipeline("passthrough", PopularRecommender())
        search = GridSearchCV(steps, {}, cv=LeaveLastOut()).fit(X)
        found = as_recommender(search)
        assert found.recommend([7], k=1, context=[[1.0]]).items.tolist() == [[10]]

    def test_what_recommends_stays(self, pipe):
        assert as_recommender(pipe) is pipe

    def test_what_ends_in_no_recommender(self):
        with pytest.raises(TypeError, match="must be a fitted recommender"):
            as_recommender(sklearn.pipeline.make_pipeline(encoder()).fit(events()))
