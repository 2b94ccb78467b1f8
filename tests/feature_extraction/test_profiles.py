"""UserProfileText: a history as a text, and that text as user features."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skrec._chat._data_blocks import read_blocks
from skrec.decomposition import HybridMFRecommender
from skrec.exceptions import LanguageModelWarning
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, UserProfileText
from skrec.interactions import FeatureTable
from skrec.llm import HeuristicChat

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
EVENTS = {
    "user": ["bob", "ann", "ann", "bob", "cid", "ann"],
    "item": [1, 2, 1, 3, 9, 2],
    "timestamp": [50, 40, 30, 20, 10, 60],
}
BOOKS = pd.DataFrame(
    {
        "item": [1, 2, 3, 4],
        "title": ["Emma", "Dracula", None, "Ulysses"],
        "genres": [["novel", "love"], ["horror", "novel"], [], ["novel"]],
        "year": [1815, 1897, 1818, 1922],
    }
)
TEXT = LLMTextEmbedder(HashingTextEncoder())


def write(X=None, template="Chose, latest first: {items}.", *, item_features=BOOKS, **options):
    X = pd.DataFrame(EVENTS) if X is None else X
    return UserProfileText(template, **options).fit_transform(X, item_features=item_features)


class TestWording:
    def test_items_latest_first_and_each_once(self):
        profiles = write(item_template="{title}")
        assert profiles["user"].tolist() == ["bob", "ann", "cid"]
        assert profiles["profile"].tolist()[:2] == [
            "Chose, latest first: Emma.",
            "Chose, latest first: Dracula, Emma.",
        ]

    def test_nothing_known_is_missing(self):
        assert pd.isna(write()["profile"].iloc[2])

    def test_row_order_without_times(self):
        X = pd.DataFrame(EVENTS).drop(columns="timestamp")
        assert write(X, item_template="{year}")["profile"][0] == "Chose, latest first: 1818, 1815."

    def test_all_columns_by_default(self):
        assert write(max_items=1)["profile"][1] == (
            "Chose, latest first: title: Dracula; genres: horror, novel; year: 1897."
        )

    def test_most_frequent_values_of_a_column(self):
        profiles = write(template="{user} ({n_events}): {genres}", max_values=2)["profile"]
        assert profiles.tolist()[:2] == ["bob (2): novel, love", "ann (3): novel, horror"]

    def test_ids_where_there_is_nothing_else(self):
        assert write(item_features=None)["profile"].tolist() == [
            "Chose, latest first: 1, 3.",
            "Chose, latest first: 2, 1.",
            "Chose, latest first: 9.",
        ]

    def test_new_users_and_items_at_transform(self):
        writer = UserProfileText(item_template="{title}").fit(pd.DataFrame(EVENTS), item_features=BOOKS)
        more = pd.DataFrame({"user": ["dan", "dan"], "item": [4, 77]})
        assert writer.transform(more)["profile"].tolist() == ["Chose, latest first: Ulysses."]

    def test_pairs_and_feature_tables(self):
        titles = np.array([["Emma"], ["Dracula"]], dtype=object)
        for table in ((np.array([1, 2]), titles), FeatureTable((np.array([1, 2]), titles))):
            assert write(item_features=table)["profile"][1] == "Chose, latest first: Dracula, Emma."


class TestTables:
    @pytest.mark.parametrize("library", FRAMES)
    def test_the_same_kind_of_frame(self, library):
        out = write(FRAMES[library](EVENTS))
        assert isinstance(out, FRAMES[library] if library != "pyarrow" else pa.Table)
        assert out["user"].to_pylist() if library == "pyarrow" else list(out["user"]) == ["bob", "ann", "cid"]

    def test_arrays(self):
        X = np.array([[5, 1], [4, 2], [5, 2]])
        assert write(X, item_template="{title}").tolist() == [
            [5, "Chose, latest first: Dracula, Emma."],
            [4, "Chose, latest first: Dracula."],
        ]
        vectors = write(X, text_encoder=TEXT)
        assert vectors.dtype == np.float64
        assert_array_equal(vectors[:, 0], [5, 4])

    @pytest.mark.parametrize("asked", ["pandas", "polars"])
    def test_set_output(self, asked):
        writer = UserProfileText().set_output(transform=asked)
        out = writer.fit_transform(pd.DataFrame(EVENTS), item_features=BOOKS)
        assert isinstance(out, FRAMES[asked])
        assert list(out.columns) == ["user", "profile"] == writer.get_feature_names_out().tolist()

    def test_vectors_are_those_of_the_texts(self):
        texts = write()["profile"]
        out = write(text_encoder=TEXT)
        assert list(out.columns) == ["user", *[f"profile_{j}" for j in range(32)]]
        assert_allclose(out.iloc[:2, 1:], TEXT.fit_transform(texts[:2].tolist()))
        assert not out.iloc[2, 1:].any()

    def test_loaded_equals_saved(self, tmp_path):
        writer = UserProfileText(text_encoder=TEXT).fit(pd.DataFrame(EVENTS), item_features=BOOKS)
        joblib.dump(writer, tmp_path / "writer.joblib")
        loaded = joblib.load(tmp_path / "writer.joblib")
        pd.testing.assert_frame_equal(loaded.transform(pd.DataFrame(EVENTS)), writer.transform(pd.DataFrame(EVENTS)))

    def test_routing_requests_item_features(self):
        with sklearn.config_context(enable_metadata_routing=True):
            requests = UserProfileText().get_metadata_routing().fit.requests
        assert requests == {"item_features": True}


class TestByALanguageModel:
    def test_what_it_is_shown_and_what_it_writes(self):
        seen = []

        def model(messages):
            (block,) = read_blocks(messages[-1]["content"])
            seen.append(block)
            return " Novels,\n mostly. "

        X = pd.DataFrame(EVENTS)
        X["user"] = X["user"] + "@example.org"
        writer = UserProfileText(item_template="{title}", llm=model, language="German", max_words=7)
        out = writer.fit_transform(X, item_features=BOOKS)
        assert out["profile"].tolist()[:2] == ["Novels, mostly."] * 2
        assert pd.isna(out["profile"].iloc[2])
        assert [(block.name, block.texts) for block in seen] == [
            ("history", ["Emma"]),
            ("history", ["Dracula", "Emma"]),
        ]
        numbers = {name: writer.report_[name] for name in ("n_rows", "n_unknown", "n_written", "n_failed")}
        assert numbers == {"n_rows": 3, "n_unknown": 1, "n_written": 2, "n_failed": 0}
        assert list(writer.report_["prompts"]) == ["profile-v1"]

    def test_no_id_is_shown(self):
        asked = []
        out = write(item_features=None, llm=asked.append)
        assert asked == []
        assert out["profile"][0] == "Chose, latest first: 1, 3."

    def test_only_users_who_are_new_or_have_changed(self):
        asked = []

        def model(messages):
            asked.append(read_blocks(messages[-1]["content"])[0].texts)
            return " / ".join(asked[-1])

        X = pd.DataFrame(EVENTS)
        writer = UserProfileText(item_template="{title}", llm=model)
        assert writer.estimate_cost(X, item_features=BOOKS).n_calls == 2
        writer.fit(X, item_features=BOOKS)
        assert len(asked) == 2
        of_the_fit = dict(writer.report_)
        _, report = writer.transform(X, return_report=True)
        assert (len(asked), report["n_reused"]) == (2, 2)
        assert writer.report_ == of_the_fit  # transforming writes for its result alone
        more = pd.DataFrame({"user": ["bob", "dan"], "item": [4, 4], "timestamp": [90, 91]})
        more = pd.concat([X, more], ignore_index=True)
        assert writer.estimate_cost(more).n_calls == 2
        profiles = writer.transform(more)["profile"]
        assert asked[2:] == [["Ulysses", "Emma"], ["Ulysses"]]
        assert profiles.tolist()[0] == "Ulysses / Emma"

    def test_a_model_that_fails_leaves_the_template(self):
        def model(messages):
            if "Dracula" in messages[-1]["content"]:
                raise RuntimeError("down")
            return "Likes Emma."

        writer = UserProfileText(item_template="{title}", llm=model)
        out = writer.fit_transform(pd.DataFrame(EVENTS), item_features=BOOKS)
        assert out["profile"].tolist()[:2] == ["Likes Emma.", "Chose, latest first: Dracula, Emma."]
        assert (writer.report_["n_failed"], writer.report_["errors"]) == (1, {"the function raised RuntimeError": 1})
        with pytest.warns(LanguageModelWarning):
            out = write(item_template="{title}", llm=lambda messages: "")
        assert out["profile"][0] == "Chose, latest first: Emma."

    def test_scikit_learns_checks_with_texts_of_items(self):
        """The checks fit without item_features, where no model is asked."""
        X = pd.DataFrame(EVENTS)
        writer = UserProfileText(llm=HeuristicChat(), text_encoder=TEXT).fit(X, item_features=BOOKS)
        before = vars(writer).copy()
        out = writer.transform(X)
        assert vars(writer) == before
        pd.testing.assert_frame_equal(out, writer.fit_transform(X, item_features=BOOKS))
        pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(writer)).transform(X), out)
        assert clone(writer).llm is writer.llm

    @pytest.mark.parametrize("prompt", ["{user} {history}", "no field", "{history.x}"])
    def test_prompts(self, prompt):
        with pytest.raises(ValueError, match=r"names|must hold|bare name|names no column"):
            write(llm=lambda messages: "x", prompt=prompt)

    def test_an_llm_that_is_not_one(self):
        with pytest.raises((TypeError, ValueError), match="llm"):
            write(llm="gpt")


def test_profiles_as_user_features():
    """A cold user whose profile reads like those of one group is given what that group chose."""
    rng = np.random.default_rng(0)
    users, items = np.arange(40), np.arange(12)
    likes = {user: items[:6] if user % 2 else items[6:] for user in users}
    log = pd.DataFrame([(user, item) for user in users for item in rng.choice(likes[user], 4, replace=False)])
    log.columns = ["user", "item"]
    films = pd.DataFrame({"item": items, "kind": ["love and roses"] * 6 + ["war and storms"] * 6})
    profiles = UserProfileText("Likes {kind}").fit_transform(log, item_features=films)
    profiles = pd.concat([profiles, pd.DataFrame({"user": [99], "profile": ["Likes love and roses"]})])
    rec = HybridMFRecommender(n_factors=4, user_encoder=TEXT, random_state=0)
    rec.fit(log, user_features=FeatureTable(profiles))
    assert set(rec.recommend([99], k=6).items[0]) == set(items[:6])


class TestWhatIsRefused:
    def test_fields_that_are_not_there(self):
        with pytest.raises(ValueError, match=r"names \['director'\]; the fields are items, n_events, user, .*'title'"):
            write(template="{director}")
        with pytest.raises(ValueError, match=r"names \['director'\]"):
            write(item_template="{director}")
        with pytest.raises(ValueError, match="names no column"):
            write(template="nothing")

    def test_items_of_the_other_kind(self):
        with pytest.raises(TypeError, match="item ids are text"):
            write(pd.DataFrame(EVENTS).astype({"item": str}))

    def test_nothing_to_embed(self):
        with pytest.raises(ValueError, match="No user has an item with a text"):
            write(pd.DataFrame({"user": [1], "item": [77]}), text_encoder=TEXT)

    def test_a_missing_id(self):
        with pytest.raises(ValueError, match="user ids"):
            write(pd.DataFrame({"user": ["a", None], "item": [1, 2]}))
