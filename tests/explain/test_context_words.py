"""Reasons of the context in words: "Monday, 08:00", in every language of the templates, and escaped in HTML."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skrec._explain import LANGUAGES, Evidence, Explanations, context_words, write_reasons
from skrec._explain._moments import _DAYS, _MONTHS
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import ContextEncoder
from skrec.llm import LLMExplainer
from skrec.pipeline import make_pipeline

MONDAY = datetime(2024, 5, 6, 8, 0)
IN_WORDS = {
    "en": "Monday, 08:00",
    "de": "Montag, 08:00",
    "fr": "lundi, 08:00",
    "es": "lunes, 08:00",
    "zh": "星期一，08:00",
}


def events(frame=pd.DataFrame):
    """Phones in the morning choose the first items, desktops in the evening the others."""
    rng = np.random.default_rng(0)
    days, is_morning = rng.integers(0, 28, 400), rng.random(400) < 0.5
    hours = np.where(is_morning, 8, 20)
    times = [datetime(2024, 5, 1 + int(day), int(hour)) for day, hour in zip(days, hours, strict=True)]
    columns = {
        "user": rng.integers(0, 20, 400),
        "item": np.where(is_morning, rng.integers(0, 4, 400), rng.integers(4, 8, 400)),
        "timestamp": times,
        "device": np.where(is_morning, "phone", "desktop").tolist(),
    }
    return frame(columns)


def pipeline(X, **parameters):
    rec = HybridMFRecommender(n_factors=4, random_state=0)
    return make_pipeline(ContextEncoder(timestamp_features=["hour", "weekday"], **parameters), rec).fit(X)


@pytest.fixture(scope="module")
def fitted():
    return pipeline(events())


def morning(frame=pd.DataFrame, at=MONDAY):
    return frame({"timestamp": [at], "device": ["phone"]})


def test_there_are_words_in_every_language():
    assert set(_DAYS) == set(_MONTHS) == set(LANGUAGES)
    assert {len(names.split()) for names in _DAYS.values()} == {7}
    assert {len(names.split()) for names in _MONTHS.values()} == {12}


def test_a_pipeline_names_the_moment(fitted):
    found = fitted.explain([3, 4], [0, 1], context=morning())
    assert "timestamp" not in " ".join(found.text)
    assert all("Monday, 08:00" in text for text in found.text)
    assert "the moment: Monday, 08:00" in found.to_frame()["evidence"][0]
    assert "device: phone" in found.text[0]


def test_each_row_has_its_own_moment(fitted):
    context = pd.DataFrame({"timestamp": [MONDAY, datetime(2024, 5, 11, 7, 30)], "device": ["phone"] * 2})
    first, second = fitted.explain([3, 3], [0, 0], context=context).text
    assert "Monday, 08:00" in first
    assert "Saturday, 07:30" in second


@pytest.mark.parametrize("language", LANGUAGES)
def test_templates_name_the_moment_in_every_language(fitted, language):
    rec = LLMExplainer(fitted, language=language).fit(events())
    (text,) = rec.explain([3], [0], context=morning()).text
    assert IN_WORDS[language] in text
    assert "timestamp" not in text


def test_a_model_reads_the_moment(fitted):
    seen = []

    def model(messages):
        seen.append(messages[-1]["content"])
        return {"sentences": []}

    items = pd.DataFrame({"item": range(8), "title": [f"Film {i}" for i in range(8)]})
    from sklearn.frozen import FrozenEstimator

    rec = LLMExplainer(FrozenEstimator(fitted), model).fit(events(), item_features=items)
    with pytest.warns(match="every text is by template"):
        rec.explain([3], [0], context=morning())
    assert "device: phone; Monday, 08:00" in seen[0]


def test_polars_and_a_time_zone():
    fitted = pipeline(events(pl.DataFrame), tz="Asia/Tokyo")
    (text,) = fitted.explain([3], [0], context=morning(pl.DataFrame, datetime(2024, 5, 5, 23, 0))).text
    assert "Monday, 08:00" in text


def test_values_are_as_precise_as_what_is_encoded():
    X = pd.DataFrame({"user": [1, 2], "item": [1, 2], "at": [MONDAY, None], "x": [0.5, None]})
    X["day"], X["note"] = [date(2024, 5, 6)] * 2, ["y" * 100, None]
    roles = {"note": "category"}
    values = ContextEncoder(roles=roles).fit(X).context_values(X)
    assert values["at"] == [np.datetime64("2024-05-06T08:00"), None]
    assert values["day"] == [np.datetime64("2024-05-06")] * 2
    assert values["x"] == ["0.5", None]
    assert [value and len(value) for value in values["note"]] == [60, None]
    only_months = ContextEncoder(datetime_features=["month"], roles=roles).fit(X).context_values(X)
    assert only_months["at"] == [np.datetime64("2024-05"), None]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2024-05-06T08:00", ("Monday, 08:00", "lunes, 08:00")),
        ("1969-12-31T23:59", ("Wednesday, 23:59", "miércoles, 23:59")),
        ("2024-02-29", ("Thursday", "jueves")),
        ("1969-12", ("December", "diciembre")),
    ],
)
def test_moments_in_words(value, words):
    reason = Evidence("context", 1.0, name="at", value=np.datetime64(value))
    assert (context_words("at", reason.value), context_words("at", reason.value, "es")) == words
    assert words[0] in write_reasons([reason])


def test_what_is_not_known_is_named_by_its_column():
    assert context_words("at", None) == "at"
    assert context_words(None, None) is context_words(None, "x") is None


def test_explanations_are_printed_and_escaped():
    script = "<script>alert(1)</script>"
    reasons = [[Evidence("context", 1.0, name=script, value=script)]] * 12
    ids = np.array([script] * 12, dtype=object)
    found = Explanations(ids, ids, [script] * 12, reasons, ["template"] * 12)
    assert "<script" not in found._repr_html_()
    assert "&lt;script" in found._repr_html_()
    lines = repr(found).splitlines()
    assert lines[0].split() == ["user", "item", "why"]
    assert lines[-1] == "… 2 more rows"
