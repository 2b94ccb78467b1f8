"""ContextEncoder: the moment as numbers, ids untouched."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import joblib
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import haversine_distances

from skrec.exceptions import UnseenCategoryWarning
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder
from skrec.feature_extraction._context_cells import wall_clock
from skrec.feature_extraction._context_parts import EARTH_RADIUS_KM, phase

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
TEXT = LLMTextEmbedder(HashingTextEncoder())
COLUMNS = {
    "user": [1, 2, 3, 1],
    "item": ["a", "b", "c", "a"],
    "timestamp": [0.0, 6 * 3600.0, 86400.0, 40 * 86400.0],
    "device": ["phone", None, "desk", "phone"],
    "temperature": [10.0, None, 20.0, 30.0],
    "lat": [52.5, 48.1, None, 40.7],
    "lon": [13.4, 11.6, 2.0, -74.0],
    "at": [datetime(2024, 1, 1, 6), datetime(2024, 7, 6, 18), None, datetime(2024, 4, 3, 0)],
    "mood": ["tired after a long day", None, "glad to be at home", "tired after a long day"],
}
FEATURES = [
    *[f"timestamp_{cycle}_{part}" for cycle in ("hour", "weekday") for part in ("sin", "cos")],
    *[f"at_{cycle}_{part}" for cycle in ("hour", "weekday", "month", "season") for part in ("sin", "cos")],
    *["lat_lon_x", "lat_lon_y", "lat_lon_z", "lat_lon_center0_km", "lat_lon_center1_km"],
    *["device_desk", "device_phone", "device_None", "temperature", "mood_0"],
]


def make_encoder(**options):
    return ContextEncoder(
        **{"timestamp_features": ("hour", "weekday"), "text_encoder": TEXT, "n_centers": 2, "random_state": 0} | options
    )


def frame(**changes):
    return pd.DataFrame(COLUMNS | changes)


def features(out):
    """All but ids and timestamp, of any kind of table."""
    if isinstance(out, pa.Table):
        return np.column_stack([column.to_numpy() for column in out.columns[3:]])
    out = out.to_pandas() if isinstance(out, pl.DataFrame) else out
    return out.iloc[:, 3:].to_numpy()


class TestTables:
    @pytest.mark.parametrize("library", FRAMES)
    def test_the_same_kind_of_frame_with_ids_and_timestamp_first(self, library):
        X = FRAMES[library](COLUMNS)
        encoder = make_encoder()
        out = encoder.fit_transform(X)
        assert type(out) is type(X)
        names = out.column_names if library == "pyarrow" else list(out.columns)
        assert names == ["user", "item", "timestamp", *FEATURES] == encoder.get_feature_names_out().tolist()
        for name in ("user", "item", "timestamp"):
            assert out[name].equals(X[name])
        values = features(out)
        assert values.dtype == np.float32
        assert_allclose(values, features(make_encoder().fit_transform(frame())), atol=1e-6)
        assert_allclose(features(encoder.transform(X)), values, atol=1e-6)

    def test_id_types_and_index_stay(self):
        X = frame(user=pd.Categorical(["u", "v", "w", "u"])).set_index(pd.Index(list("wxyz")))
        X["item"] = pd.array([2**60 + 1, 5, 7, 9], dtype="Int64")
        out = make_encoder().fit_transform(X)
        pd.testing.assert_frame_equal(out.iloc[:, :3], X[["user", "item", "timestamp"]])

    def test_timestamp_moves_to_the_third_place_and_may_be_left_out_later(self):
        X = pd.DataFrame({"timestamp": [5, 6], "user": [1, 2], "item": [3, 4], "x": [0.0, 1.0]})
        encoder = ContextEncoder().fit(X)
        assert list(encoder.transform(X).columns) == ["user", "item", "timestamp", "x"]
        assert encoder.n_features_in_ == 3
        for library in ("default", "pandas", "polars"):
            out = encoder.set_output(transform=library).transform(X.drop(columns="timestamp"))
            assert list(out.columns) == ["user", "item", "x"]

    def test_numeric_arrays_give_numeric_arrays(self):
        out = ContextEncoder().fit_transform(np.array([[1, 2, 3], [4, 5, 9]]))
        assert out.dtype == np.float64
        assert_array_equal(out, [[1, 2, -1], [4, 5, 1]])
        assert ContextEncoder().fit_transform(np.array([[1, 2, 3]], np.float32)).dtype == np.float32

    def test_object_arrays_and_lists(self):
        rows = [["ann", 2**60 + 1, "red", 1.5], ["bob", 5, "blue", 2.5]]
        encoder = ContextEncoder(roles={3: "drop"})
        out = encoder.fit_transform(rows)
        assert out.dtype == object
        assert out.tolist() == [["ann", 2**60 + 1, 0, 1], ["bob", 5, 1, 0]]
        assert encoder.roles_ == {"x2": "category", "x3": "drop"}
        assert encoder.get_feature_names_out(["u", "i", "x2", "x3"]).tolist()[:2] == ["u", "i"]

    @pytest.mark.parametrize("library", FRAMES)
    @pytest.mark.parametrize("asked", ["pandas", "polars"])
    def test_set_output(self, library, asked):
        out = make_encoder().set_output(transform=asked).fit_transform(FRAMES[library](COLUMNS))
        assert isinstance(out, FRAMES[asked])
        assert out["user"].to_list() == COLUMNS["user"]
        assert_allclose(features(out), features(make_encoder().fit_transform(frame())), atol=1e-6)

    def test_set_output_from_arrays_of_objects(self):
        out = ContextEncoder().set_output(transform="polars").fit_transform([["ann", 1, 0.5], ["bob", 2, 1.5]])
        assert out.columns == ["x0", "x1", "x2"]
        assert out["x0"].to_list() == ["ann", "bob"]

    def test_names_that_meet_get_a_number(self):
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4], "a": ["b_c", "d"], "a_b": ["c", "e"]})
        names = ContextEncoder().fit(X).get_feature_names_out().tolist()
        assert names[2:] == ["a_b_c", "a_d", "a_b_c_2", "a_b_e"]

    def test_no_context_at_all(self):
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4]})
        for fusion in ("concat", "dense"):
            pd.testing.assert_frame_equal(ContextEncoder(fusion=fusion).fit_transform(X), X)

    def test_loaded_equals_saved(self, tmp_path):
        encoder = make_encoder().fit(frame())
        joblib.dump(encoder, tmp_path / "encoder.joblib")
        loaded = joblib.load(tmp_path / "encoder.joblib")
        pd.testing.assert_frame_equal(loaded.transform(frame()), encoder.transform(frame()))


class TestTimes:
    @settings(deadline=None, max_examples=50)
    @given(
        st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)),
        st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]),
    )
    def test_against_the_calendar(self, moment, tz):
        utc = moment.replace(tzinfo=UTC)
        local = utc.astimezone(ZoneInfo(tz))
        seconds, _ = wall_clock(np.array([utc.timestamp()]), "t", "s", tz)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        since = (local.replace(tzinfo=None) - midnight).total_seconds()
        assert phase(seconds, "hour")[0] == pytest.approx(since / 86400, abs=1e-6)
        assert phase(seconds, "weekday")[0] == local.weekday() / 7
        assert phase(seconds, "month")[0] == (local.month - 1) / 12
        assert phase(seconds, "season")[0] == local.month % 12 // 3 / 4

    @pytest.mark.parametrize("library", FRAMES)
    def test_zones(self, library):
        aware = [datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))]
        naive = [datetime(2024, 7, 1, 10)]
        number = [naive[0].replace(tzinfo=UTC).timestamp()]
        X = FRAMES[library](
            {"user": [1], "item": [2], "aware": pd.to_datetime(aware), "naive": naive, "number": number}
        )

        def hours(tz):
            encoder = ContextEncoder(datetime_features=["hour"], tz=tz, roles={"number": "datetime"}).fit(X)
            row = nw.from_native(encoder.transform(X)).rows(named=True)[0]
            angle = [np.arctan2(row[f"{n}_hour_sin"], row[f"{n}_hour_cos"]) for n in ("aware", "naive", "number")]
            return np.round(np.array(angle) % (2 * np.pi) / (2 * np.pi) * 24, 3).tolist()

        assert hours(None) == [12, 10, 10]
        assert hours("Asia/Tokyo") == [19, 19, 19]

    def test_units(self):
        seconds = np.array([1.7e9, 1.6e9])
        for unit, per_second in {"ms": 1e3, "us": 1e6, "h": 1 / 3600}.items():
            assert_allclose(wall_clock(seconds * per_second, "t", unit, None)[0], seconds)

    def test_dates_have_no_hour_and_no_zone(self):
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4], "day": [date(2024, 1, 1), date(2024, 1, 2)]})
        for given_ in (X, pl.from_pandas(X)):
            encoder = ContextEncoder(datetime_features=["hour", "weekday"], tz="Asia/Tokyo").fit(given_)
            assert encoder.get_feature_names_out()[2:].tolist() == ["day_weekday_sin", "day_weekday_cos"]
            weekday = encoder.transform(given_)["day_weekday_cos"].to_numpy()
            assert_allclose(weekday, np.cos([0, 2 * np.pi / 7]), atol=1e-6)

    def test_missing_is_zero(self):
        out = make_encoder().fit_transform(frame())
        assert_array_equal(out.filter(like="at_hour").iloc[2], [0, 0])

    def test_midnight_is_near_midnight(self):
        X = pd.DataFrame({"user": [1, 2, 3], "item": [4, 5, 6], "timestamp": [60.0, 86340.0, 43200.0]})
        hours = ContextEncoder(timestamp_features=["hour"]).fit_transform(X).iloc[:, 3:].to_numpy()
        assert np.linalg.norm(hours[0] - hours[1]) < 0.02 < 1.9 < np.linalg.norm(hours[0] - hours[2])


class TestPlaces:
    def test_distances_are_those_of_the_great_circle(self):
        rng = np.random.default_rng(0)
        places = np.column_stack([rng.uniform(-90, 90, 60), rng.uniform(-180, 180, 60)])
        X = np.column_stack([np.arange(60), np.arange(60), places])
        encoder = ContextEncoder(roles={2: "latitude", 3: "longitude"}, n_centers=3, random_state=0).fit(X)
        part = encoder._parts[0][1]
        centers = part.centers.cluster_centers_
        centers = centers / np.linalg.norm(centers, axis=1, keepdims=True)
        degrees = np.column_stack([np.arcsin(centers[:, 2]), np.arctan2(centers[:, 1], centers[:, 0])])
        expected = EARTH_RADIUS_KM * haversine_distances(np.radians(places), degrees)
        found = part.scaler.inverse_transform(encoder.transform(X)[:, 2:])[:, 3:]
        assert_allclose(found, expected, atol=1e-3)

    def test_nearby_places_differ_within_a_city(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"user": range(50), "item": range(50), "home_lat": 52.5 + rng.normal(scale=0.02, size=50)})
        X["home_lng"] = 13.4 + rng.normal(scale=0.02, size=50)
        out = ContextEncoder(random_state=0).fit_transform(X).iloc[:, 2:]
        assert out.shape[1] == 3 + 8
        assert_allclose(out.std(ddof=0), 1, rtol=1e-3)

    def test_half_a_place_is_missing(self):
        out = make_encoder().fit_transform(frame())
        assert_array_equal(out.filter(like="lat_lon").iloc[2], 0)

    def test_a_latitude_alone_is_a_number(self):
        X = frame().drop(columns="lon")
        assert make_encoder().fit(X).roles_["lat"] == "number"

    @pytest.mark.parametrize("column", ["lat", "lon"])
    def test_out_of_range(self, column):
        with pytest.raises(ValueError, match=rf"column '{column}' contains 200, outside of .*changed places"):
            make_encoder().fit(frame(**{column: [1.0, 2.0, 200.0, 3.0]}))
        encoder = make_encoder().fit(frame())
        with pytest.raises(ValueError, match=f"column '{column}' contains -200"):
            encoder.transform(frame(**{column: [1.0, 2.0, -200.0, 3.0]}))


class TestTextWithoutSpaces:
    MOODS = ("今天心情不太好想看点轻松的", "下雨天适合读一本长一点的小说", "睡前想听一个简短的故事")
    DISTRICTS = ("北京市朝阳区", "上海市浦东新区", "黑龙江省哈尔滨市南岗区")

    @staticmethod
    def role_of(values, **options):
        X = pd.DataFrame({"user": range(len(values)), "item": range(len(values)), "words": values})
        return ContextEncoder(text_encoder=TEXT, **options).fit(X).roles_["words"]

    def test_sentences_are_text_and_names_are_categories(self):
        assert self.role_of(self.MOODS) == "text"
        assert self.role_of(["晚上", "早上", "下午"]) == "category"
        assert self.role_of(["手机", "电脑", "平板电脑"] * 5) == "category"
        assert self.role_of(self.DISTRICTS * 10) == "category"
        assert self.role_of([f"{mood}，因为今天很累" for mood in self.MOODS] * 10) == "text"

    def test_what_repeats_is_a_category_until_it_is_long(self):
        names = ["黑龙江省哈尔滨市南岗区", "新疆维吾尔自治区乌鲁木齐市"]
        assert self.role_of(names * 20) == "category"

    def test_without_a_dictionary(self, monkeypatch):
        monkeypatch.setattr("skrec.utils._words._splitter.find_spec", lambda name: None)
        assert self.role_of(self.MOODS) == "text"
        assert self.role_of(["晚上", "早上", "下午"]) == "category"

    def test_other_scripts_and_a_tokenizer(self):
        assert self.role_of(["今日は疲れたので軽い本が読みたい", "雨の日に長い小説を読む"]) == "text"
        assert self.role_of(["😀", "🎉🎉🎉🎉🎉🎉🎉🎉", "🚀"]) == "category"
        assert self.role_of(["red_green_blue", "blue_red_green"], tokenizer=lambda text: text.split("_")) == "text"
        with pytest.raises(TypeError, match="must return a list of str"):
            self.role_of(["a b c", "d e f"], tokenizer=lambda text: None)


class TestCategories:
    def test_rare_ones_are_grouped_and_unseen_ones_join_them(self):
        values = ["a"] * 5 + ["b"] * 4 + ["c", "d"]
        X = pd.DataFrame({"user": range(11), "item": range(11), "kind": values})
        encoder = ContextEncoder(max_categories=3).fit(X)
        assert encoder.get_feature_names_out()[2:].tolist() == ["kind_a", "kind_b", "kind_infrequent_sklearn"]
        encoded = encoder.transform(X.assign(kind="never seen"))  # no warning: nothing is lost
        assert_array_equal(encoded.iloc[:, 2:], [[0, 0, 1]] * 11)

    def test_unseen_is_zero_where_nothing_is_rare(self):
        encoder = make_encoder().fit(frame())
        with pytest.warns(UnseenCategoryWarning, match=r"'device' .* 4 of 4 rows.*'toaster'.*zeros"):
            encoded = encoder.transform(frame(device="toaster"))
        assert_array_equal(encoded.filter(like="device"), 0)

    def test_unseen_ones_are_counted_and_missing_ones_are_not(self):
        encoder = make_encoder().fit(frame(device=["phone", "desk", "desk", "phone"]))
        with pytest.warns(UnseenCategoryWarning, match="in 1 of 4 rows"):
            encoder.transform(frame(device=["phone", None, "toaster", "desk"]))

    def test_numbers_by_role_match_whatever_their_type(self):
        X = pd.DataFrame({"user": [1, 2, 3], "item": [3, 4, 5], "code": [7, 8, 7]})
        encoder = ContextEncoder(roles={"code": "category"}).fit(X)
        assert_array_equal(encoder.transform(X.assign(code=[8.0, 7.0, np.nan])).iloc[:, 2:], [[0, 1], [1, 0], [0, 0]])

    def test_booleans_of_objects(self):
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4], "mixed": pd.Series(["a", 1], dtype=object)})
        with pytest.raises(TypeError, match="'mixed' has categories of several types"):
            ContextEncoder(roles={"mixed": "category"}).fit(X)


class TestNumbers:
    def test_standardised_and_missing_is_the_mean(self):
        assert_allclose(
            make_encoder().fit_transform(frame())["temperature"], [-np.sqrt(1.5), 0, 0, np.sqrt(1.5)], atol=1e-6
        )

    def test_all_missing(self):
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4], "x": [np.nan, np.nan], "lat": np.nan, "lon": np.nan})
        assert_array_equal(ContextEncoder().fit_transform(X).iloc[:, 2:], 0)

    def test_infinity(self):
        with pytest.raises(ValueError, match="column 'temperature' contains infinity"):
            make_encoder().fit(frame(temperature=[1.0, np.inf, 2.0, 3.0]))

    def test_text_where_fit_had_numbers(self):
        encoder = make_encoder().fit(frame())
        with pytest.raises(ValueError, match=r"column 'temperature' .*numbers"):
            encoder.transform(frame(temperature=["warm", "cold", "warm", "hot"]))
        with pytest.raises(ValueError, match="column 'x2' is read as numbers and contains 'warm'"):
            ContextEncoder().fit([[1, 2, 3.0]]).transform([[1, 2, "warm"]])


class Counting(HashingTextEncoder):
    """Keeps what it was asked to encode, in all its copies."""

    asked: list = []  # noqa: RUF012

    def encode(self, texts):
        self.asked.extend(texts)
        return super().encode(texts)


class TestTexts:
    def test_each_distinct_text_is_encoded_once(self):
        Counting.asked.clear()
        make_encoder(text_encoder=LLMTextEmbedder(Counting(n_features=17))).fit_transform(frame())
        assert sorted(Counting.asked) == ["glad to be at home", "tired after a long day"]

    def test_missing_is_zero_and_equal_texts_are_equal(self):
        moods = make_encoder().fit_transform(frame())["mood_0"]
        assert moods[1] == 0
        assert moods[0] == moods[3] != moods[2]

    def test_components_keep_distances_up_to_scale(self):
        texts = [f"number {i} of {i % 7} and {i % 5}" for i in range(60)]
        X = pd.DataFrame({"user": range(60), "item": range(60), "said": texts})
        whole = ContextEncoder(text_encoder=TEXT, text_components=None).fit_transform(X).iloc[:, 2:].to_numpy()
        assert_allclose(whole, TEXT.fit_transform(texts))
        reduced = ContextEncoder(text_encoder=TEXT, text_components=32).fit_transform(X).iloc[:, 2:].to_numpy()
        assert reduced.shape == (60, 32)
        distance = np.linalg.norm(whole[:, None] - whole[None], axis=2)
        kept = np.linalg.norm(reduced[:, None] - reduced[None], axis=2)
        ratio = kept[distance > 0.1] / distance[distance > 0.1]
        assert_allclose(ratio, ratio[0], rtol=1e-3)

    def test_one_text_alone_says_nothing(self):
        encoder = make_encoder().fit(frame(mood="the same for all of them"))
        assert not [name for name in encoder.get_feature_names_out() if name.startswith("mood")]
        assert encoder.transform(frame()).shape[1] == len(encoder.get_feature_names_out())

    def test_no_text_at_all(self):
        encoder = make_encoder(roles={"mood": "text"}).fit(frame(mood=None))
        assert encoder.transform(frame()).shape[1] == len(encoder.get_feature_names_out())

    def test_sparse_vectorizers_will_do(self):
        encoder = make_encoder(text_encoder=TfidfVectorizer(), text_components=1).fit(frame())
        out = encoder.transform(frame())["mood_0"]
        assert out[0] == out[3] != out[2]
        assert out[1] == 0
        assert set(encoder.text_encoders_) == {"mood"}

    def test_short_strings_are_categories_and_long_ones_text(self):
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4], "a": ["New York", "Rome"], "b": ["what is this", "a b c d"]})
        assert ContextEncoder(text_encoder=TEXT).fit(X).roles_ == {"a": "category", "b": "text"}
        roles = {"a": "text", "b": "category"}
        assert ContextEncoder(text_encoder=TEXT, roles=roles).fit(X).roles_ == roles


class TestFusion:
    def test_dense_is_pca_of_the_standardised_concatenation(self):
        encoder = make_encoder(fusion="dense", n_components=3).fit(frame())
        out = encoder.transform(frame()).iloc[:, 3:].to_numpy()
        assert encoder.get_feature_names_out()[3:].tolist() == ["context0", "context1", "context2"]
        concatenated = make_encoder().fit_transform(frame()).iloc[:, 3:].to_numpy(np.float64)
        spread = concatenated.std(axis=0)
        standard = (concatenated - concatenated.mean(axis=0)) / np.where(spread < 1e-7, 1, spread)
        u, s, _ = np.linalg.svd(standard, full_matrices=False)
        assert_allclose(np.abs(out), np.abs(u[:, :3] * s[:3]), atol=1e-3)

    def test_share_of_variance(self):
        few, many = (make_encoder(fusion="dense", n_components=share).fit(frame()) for share in (0.3, 0.99))
        assert len(few.get_feature_names_out()) < len(many.get_feature_names_out())


class TestWhatIsRefused:
    def test_naive_and_aware_mixed(self):
        mixed = pd.Series([datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)], dtype=object)
        X = pd.DataFrame({"user": [1, 2], "item": [3, 4], "at": mixed})
        with pytest.raises(ValueError, match="column 'at' mixes date-times with a time zone and date-times without"):
            ContextEncoder().fit(X)
        encoder = ContextEncoder().fit(X.iloc[:1])
        with pytest.raises(
            ValueError, match="column 'at' contains date-times with a time zone, but date-times without"
        ):
            encoder.transform(X.iloc[1:])

    def test_timestamp_features_without_a_timestamp(self):
        with pytest.raises(ValueError, match="need a column named 'timestamp' in X, and in the context of recommend"):
            make_encoder().fit(frame().drop(columns="timestamp"))
        with pytest.raises(ValueError, match="need a column named 'timestamp'"):
            ContextEncoder(timestamp_features=["hour"]).fit(np.ones((3, 4)))

    def test_a_missing_timestamp(self):
        with pytest.raises(ValueError, match="timestamp"):
            make_encoder().fit(frame(timestamp=[1.0, None, 2.0, 3.0]))

    def test_times_in_the_wrong_unit(self):
        with pytest.raises(ValueError, match=r"beyond the year 9999 .*'ms'"):
            make_encoder().fit(frame(timestamp=[1.7e12] * 4))

    def test_missing_and_extra_columns(self):
        encoder = make_encoder().fit(frame())
        with pytest.raises(ValueError, match=r"(?s)names seen at fit time, yet now missing:\n- device"):
            encoder.transform(frame().drop(columns="device"))
        with pytest.raises(ValueError, match=r"(?s)unseen at fit time:\n- more"):
            encoder.transform(frame(more=1))

    def test_large_ids_among_floats(self):
        X = np.array([[2**53 + 1, 2, 3], [4, 5, 6]])
        with pytest.raises(ValueError, match=r"the id 9007199254740993, which a float column .* dtype=object"):
            ContextEncoder().fit_transform(X)
        assert ContextEncoder().fit_transform(X.astype(object))[0, 0] == 2**53 + 1
        assert ContextEncoder().fit_transform(pd.DataFrame(X, columns=list("uic")))["u"][0] == 2**53 + 1

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"roles": {"device": "colour"}}, "unknown role 'colour'"),
            ({"roles": {"colour": "number"}}, "names the column 'colour', which X does not have"),
            ({"roles": {"temperature": "latitude"}}, "2 columns of latitude and 1 of longitude"),
            ({"roles": {"device": "datetime"}}, "column 'device' is read as date-times and contains 'phone'"),
            ({"timestamp_features": ["minute"]}, "timestamp_features has 'minute'"),
            ({"tz": "Europe/Atlantis"}, "tz='Europe/Atlantis' is no time zone"),
            ({"fusion": "average"}, "fusion"),
            ({"max_categories": 0}, "max_categories"),
        ],
    )
    def test_parameters(self, options, message):
        with pytest.raises(ValueError, match=message):
            make_encoder(**options).fit(frame())

    def test_numbers_where_fit_had_categories_of_text(self):
        encoder = make_encoder().fit(frame())
        with pytest.raises(
            ValueError, match=r"'device' has categories such as 7.*, but such as 'desk' in fit; .*astype\(str\)"
        ):
            encoder.transform(frame(device=[7, 8, None, 7]))
        encoder = make_encoder(roles={"temperature": "category"}).fit(frame())
        with pytest.raises(ValueError, match=r"has categories such as '10', .*astype\(float\)"):
            encoder.transform(frame(temperature=["10", "20", "30", None]))

    @pytest.mark.parametrize("cell", [time(8), {"a": 1}, ["a"], pd.Period("2024-01")])
    def test_cells_without_a_role(self, cell):
        with pytest.raises(ValueError, match=rf"column 'wait' contains a {type(cell).__name__}, .*'drop'"):
            make_encoder().fit(frame(wait=pd.Series([cell] * 4, dtype=object)))

    def test_types_without_a_role(self):
        with pytest.raises(ValueError, match=r"column 'wait' .*roles=\{'wait': 'drop'\}"):
            make_encoder().fit(frame(wait=pd.to_timedelta([1, 2, 3, 4], unit="h")))

    def test_set_params_after_fit_is_followed_by_the_next_fit(self):
        encoder = make_encoder().fit(frame())
        again = clone(encoder).set_params(timestamp_features=()).fit(frame())
        assert encoder.set_params(timestamp_features=()).fit(frame()).get_feature_names_out().tolist() == (
            again.get_feature_names_out().tolist()
        )
