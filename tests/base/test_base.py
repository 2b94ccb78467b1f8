"""What the contract suite does not say: errors read by their reader, metadata routing, plain pipelines."""

from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from skrec.base import is_recommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import ColdStartWarning, FeatureCoverageWarning, FormatVersionError
from skrec.interactions import FeatureTable
from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

X = pd.DataFrame({"user": ["ann", "ann", "bob", "bob", "cid"], "item": ["b1", "b2", "b2", "b3", "b1"]})
BOOKS = pd.DataFrame(
    {
        "item": ["b1", "b2", "b3", "b4", "b5"],
        "title": ["whales at sea", "a ship at sea", "a garden", "storms at sea", "roses in a garden"],
        "pages": [600, 300, 200, 250, 100],
    }
)


def test_is_recommender():
    assert is_recommender(PopularRecommender())
    assert not is_recommender(StandardScaler())


def test_recommendations_show_themselves():
    shown = PopularRecommender().fit(X).recommend(k=2)
    assert str(shown).splitlines()[0].split() == ["user", "rank", "item", "score"]
    html = shown._repr_html_()
    assert html.count("<tr>") == 5
    assert "ann" in html
    frame = shown.to_frame()
    assert list(frame.columns) == ["user", "item", "score", "rank"]
    assert frame["rank"].tolist() == [1, 1, 1, 2]


def test_html_escapes_ids():
    hostile = X.replace({"b3": "<script>"})
    assert "<script>" not in PopularRecommender().fit(hostile).recommend(k=3)._repr_html_()


class TestFeatureTables:
    def test_text_without_an_encoder_names_the_column_and_the_encoder(self):
        with pytest.raises(ValueError, match=r"column 'title' holds .*item_encoder='auto'.*LLMTextEmbedder\(\)"):
            EmbeddingKNNRecommender().fit(X, item_features=BOOKS)

    def test_missing_rows_are_counted_once(self):
        with pytest.warns(FeatureCoverageWarning, match="1 items of X have no row") as caught:
            EmbeddingKNNRecommender().fit(X, item_features=BOOKS[["item", "pages"]].iloc[1:])
        assert len(caught) == 1

    def test_a_sliced_frame_is_an_error_that_says_feature_table(self):
        sliced = pd.DataFrame({"item": ["b1", "b2", "x1", "x2", "x3"], "pages": range(5)})
        with pytest.raises(ValueError, match="FeatureTable"):
            EmbeddingKNNRecommender().fit(X, item_features=sliced)
        with pytest.warns(FeatureCoverageWarning):
            EmbeddingKNNRecommender().fit(X, item_features=FeatureTable(sliced))

    def test_a_text_vectorizer_reads_a_single_column(self):
        rec = EmbeddingKNNRecommender(item_encoder=TfidfVectorizer()).fit(X, item_features=BOOKS[["item", "title"]])
        assert rec.similar_items(["b3"], k=1).items.tolist() == [["b5"]]
        assert rec.search("storms", k=1).items.tolist() == [["b4"]]

    def test_an_encoder_that_gives_nan_is_named(self):
        broken = make_pipeline(StandardScaler())
        with pytest.raises(ValueError, match="NaN"), np.errstate(all="ignore"):
            EmbeddingKNNRecommender(item_encoder=broken).fit(
                X, item_features=BOOKS[["item", "pages"]].assign(pages=[1.0, np.nan, 2, 3, 4])
            )


def test_catalogue_order():
    rec = EmbeddingKNNRecommender().fit(X, item_features=BOOKS[["item", "pages"]].iloc[::-1])
    assert rec.items_.tolist() == ["b1", "b2", "b3", "b5", "b4"]
    more = pd.DataFrame({"user": ["dan", "dan"], "item": ["a9", "a0"]})
    rec.partial_fit(more)
    assert rec.items_.tolist() == ["b1", "b2", "b3", "b5", "b4", "a0", "a9"]
    assert rec.users_.tolist() == ["ann", "bob", "cid", "dan"]


def test_partial_fit_cannot_take_features_that_fit_did_not_have():
    rec = EmbeddingKNNRecommender(metric="dot")
    with pytest.warns(ColdStartWarning):
        rec.fit(X)
    with pytest.raises(ValueError, match="was not given to fit"):
        rec.partial_fit(X, item_features=BOOKS[["item", "pages"]])


def test_a_model_without_an_encoder_takes_only_the_ids_of_a_table():
    rec = PopularRecommender().fit(X, item_features=BOOKS)
    assert rec.items_.tolist() == ["b1", "b2", "b3", "b4", "b5"]
    rec.partial_fit(X, item_features=pd.DataFrame({"item": ["b6"], "title": ["a cold book"]}))
    assert rec.recommend(["zoe"], k=6).items[0, -1] == "b6"


@pytest.mark.parametrize("routing", [False, True])
def test_feature_tables_reach_the_recommender_through_model_selection(routing):
    rec = EmbeddingKNNRecommender()
    table = FeatureTable(BOOKS[["item", "pages"]])
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(rec, {"metric": ["cosine", "dot"]}, cv=KFold(2), error_score="raise")
        search.fit(X, item_features=table)
        assert search.best_estimator_.item_vectors_.shape[1] == 1
        scores = cross_validate(rec, X, cv=KFold(2), params={"item_features": table}, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


def test_context_rows_must_match():
    rec = PopularRecommender().fit(np.array([[1, 2, 0.5], [2, 3, 0.1]]))
    assert rec.recommend([1, 2], k=1, context=[[0.3]]).items.shape == (2, 1)
    with pytest.raises(ValueError, match="3 rows for 2 users"):
        rec.recommend([1, 2], context=[[0.3], [0.1], [0.2]])


def test_polars_users_and_history():
    rec = PopularRecommender().fit(pl.from_pandas(X))
    items = rec.recommend(pl.Series(["ann", "zoe"]), k=1, history=pl.DataFrame({"u": ["zoe"], "i": ["b1"]})).items
    assert items.tolist() == [["b3"], ["b2"]]


def test_unknown_history_kind_is_an_error():
    with pytest.raises(TypeError, match="history"):
        PopularRecommender().fit(X).recommend(history=[["ann", 5]])


class TestPersistence:
    def test_joblib(self, tmp_path):
        rec = EmbeddingKNNRecommender(item_encoder=TfidfVectorizer()).fit(X, item_features=BOOKS[["item", "title"]])
        joblib.dump(rec, tmp_path / "rec.joblib")
        loaded = joblib.load(tmp_path / "rec.joblib")
        assert loaded.recommend(k=3).items.tolist() == rec.recommend(k=3).items.tolist()
        assert loaded.search("garden", k=2).items.tolist() == rec.search("garden", k=2).items.tolist()

    def test_a_newer_version_is_refused(self):
        rec = PopularRecommender().fit(X)
        state = rec.__getstate__()
        with pytest.raises(FormatVersionError, match="newer"):
            PopularRecommender().__setstate__({**state, "_format_version": 999})
        with pytest.raises(FormatVersionError):
            PopularRecommender().__setstate__({k: v for k, v in state.items() if k != "_format_version"})


def test_exclusions_of_unknown_users():
    rec = PopularRecommender().fit(X)
    items = rec.recommend(["zoe"], k=2, exclude=[["zoe", "b1"], ["ann", "b2"]]).items
    assert items.tolist() == [["b2", "b3"]]


class TestRefusedCalls:
    timed = pd.DataFrame({"user": [1, 1, 2], "item": [10, 20, 30], "timestamp": [1, 2, 3]})

    @pytest.mark.parametrize("make", [PopularRecommender, ItemKNNRecommender, UserKNNRecommender])
    def test_a_refused_partial_fit_leaves_the_model_as_it_was(self, make):
        rec = make(order="time").fit(self.timed)
        before = rec.recommend(k=3)
        with pytest.warns(UserWarning, match="timestamp"), pytest.raises(ValueError, match="timestamp"):
            rec.partial_fit(pd.DataFrame({"user": [9] * 3, "item": [77, 78, 79]}))
        assert rec.users_.tolist() == [1, 2]
        np.testing.assert_array_equal(rec.recommend(k=3).items, before.items)

    def test_a_refused_fit_leaves_the_old_model(self):
        rec = PopularRecommender(order="time").fit(self.timed)
        before = rec.recommend(k=3)
        with pytest.raises(ValueError, match="timestamp"):
            rec.fit([[1, 2]])
        np.testing.assert_array_equal(rec.recommend(k=3).items, before.items)

    def test_a_refused_first_fit_leaves_nothing_fitted(self):
        rec = PopularRecommender(order="time")
        with pytest.raises(ValueError, match="timestamp"):
            rec.fit([[1, 2]])
        with pytest.raises(NotFittedError):
            rec.recommend()
        assert rec.partial_fit(self.timed).users_.tolist() == [1, 2]

    def test_lost_times_are_warned_of(self):
        rec = PopularRecommender(recency_decay=0.5).fit(self.timed)
        with pytest.warns(UserWarning, match="no order"):
            rec.partial_fit(pd.DataFrame({"user": [9], "item": [77]}))


class TestArguments:
    rec = PopularRecommender().fit([[1, 10], [1, 20], [2, 10], [2, 30], [3, 40]])

    def test_the_other_kind_of_ids_is_an_error_everywhere(self):
        for option in ({"exclude": [["1", 30]]}, {"history": [["1", 30]]}, {"exclude": np.array([["1", "30"]])}):
            with pytest.raises(TypeError, match="text"):
                self.rec.recommend([1], k=2, **option)

    @pytest.mark.parametrize("empty", [[], np.empty((0, 2)), pd.DataFrame({"user": [], "item": []})])
    def test_nothing_to_exclude_or_to_add(self, empty):
        expected = self.rec.recommend([1], k=2).items
        np.testing.assert_array_equal(self.rec.recommend([1], k=2, exclude=empty, history=empty).items, expected)

    def test_a_mapping_of_candidates(self):
        with pytest.raises(TypeError, match="a list of lists"):
            self.rec.recommend([1], candidates={1: [30]})

    def test_results_do_not_share_memory_with_the_model(self):
        users = np.array([1, 2])
        shown = self.rec.recommend(users, k=1)
        users[:] = 0
        assert shown.users.tolist() == [1, 2]
        with pytest.raises(ValueError, match="read-only"):
            self.rec.users_[:] = 0
        with pytest.raises(ValueError, match="read-only"):
            self.rec.recommend(k=1).users[:] = 0


def test_a_vectorizer_of_one_column_refuses_two():
    with pytest.raises(ValueError, match=r"2 feature columns.*ColumnTransformer"):
        EmbeddingKNNRecommender(item_encoder=TfidfVectorizer()).fit(X, item_features=BOOKS)


def test_threads_leave_the_blas_setting_alone():
    events = np.column_stack([np.arange(3000), np.arange(3000) % 40])
    vectors = np.random.default_rng(0).normal(size=(40, 8))
    rec = EmbeddingKNNRecommender().fit(events, item_features=(np.arange(40), vectors))
    before = [library["num_threads"] for library in threadpool_info()]
    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(lambda _: rec.recommend(k=5).codes, range(16)))
    assert [library["num_threads"] for library in threadpool_info()] == before
    assert all((codes == lists[0]).all() for codes in lists)
