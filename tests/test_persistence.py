"""Every estimator through joblib and skops."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn.base import clone

from skrec._chat import in_given_order
from skrec.base import is_recommender
from skrec.dummy import PopularRecommender
from skrec.interactions import FeatureTable
from skrec.llm import Budget, CallableChat, HeuristicChat, LLMReranker, OpenAICompatibleChat, Scrubber
from skrec.persistence import allow_external, skops_trusted_types
from skrec.testing import all_estimators
from skrec.testing._data import checkerboard, item_table

RECOMMENDERS = [estimator for estimator in all_estimators() if is_recommender(estimator)]
TRANSFORMERS = [estimator for estimator in all_estimators() if not is_recommender(estimator)]


def _name(estimator):
    return type(estimator).__name__


@pytest.fixture(params=RECOMMENDERS, ids=_name)
def fitted(request):
    with warnings.catch_warnings(action="ignore"):
        return clone(request.param).fit(checkerboard(), item_features=item_table())


def test_joblib_round_trip(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.recommend(k=5).items, fitted.recommend(k=5).items)
    np.testing.assert_array_equal(loaded.recommend(k=5).scores, fitted.recommend(k=5).scores)


def test_skops_round_trip_with_the_documented_types(fitted, tmp_path):
    skops_io = pytest.importorskip("skops.io")
    path = tmp_path / "model.skops"
    skops_io.dump(fitted, path)
    untrusted = skops_io.get_untrusted_types(file=path)
    assert set(untrusted) <= set(skops_trusted_types())
    loaded = skops_io.load(path, trusted=untrusted)
    np.testing.assert_array_equal(loaded.recommend(k=5).items, fitted.recommend(k=5).items)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=_name)
def test_transformers_through_skops(transformer):
    skops_io = pytest.importorskip("skops.io")
    X = [["u1", "i1", "red"], ["u2", "i2", "blue"], ["u3", "i1", "red"]]
    with warnings.catch_warnings(action="ignore"):
        transformer = clone(transformer).fit(X)
    data = skops_io.dumps(transformer)
    untrusted = skops_io.get_untrusted_types(data=data)
    assert set(untrusted) <= set(skops_trusted_types())
    loaded = skops_io.loads(data, trusted=untrusted)
    expected, found = (each.transform(X) for each in (transformer, loaded))
    if issparse(expected):
        expected, found = expected.toarray(), found.toarray()
    assert np.asarray(expected).tolist() == np.asarray(found).tolist()


FILMS = FeatureTable(pd.DataFrame({"item": [1, 2, 3], "plot": ["horror in space", "a heist", "a love story"]}))


def reranker(llm):
    return LLMReranker(PopularRecommender(), llm).fit([[1, 1], [1, 2], [2, 3], [3, 1]], item_features=FILMS)


@pytest.mark.parametrize(
    "llm",
    [
        in_given_order,
        CallableChat(in_given_order, budget=Budget(max_calls=9), scrub=Scrubber()),
        HeuristicChat(prices={"prompt": 1, "completion": 2}, scrub=True),
    ],
    ids=["function", "CallableChat", "HeuristicChat"],
)
def test_a_reranker_with_a_client_of_this_process(llm):
    skops_io = pytest.importorskip("skops.io")
    rec = reranker(llm)
    found = rec.recommend([9], request="a love story, ada@example.org").items
    data = skops_io.dumps(rec)
    untrusted = skops_io.get_untrusted_types(data=data)
    assert set(untrusted) <= set(skops_trusted_types())
    loaded = skops_io.loads(data, trusted=untrusted)
    assert loaded.recommend([9], request="a love story, ada@example.org").items.tolist() == found.tolist()
    if isinstance(llm, CallableChat):
        assert (loaded.llm.budget.n_calls, llm.budget.n_calls) == (2, 1)


def test_a_client_that_sends_texts_away_is_trusted_by_name_alone(openai_server, monkeypatch):
    pytest.importorskip("openai")
    skops_io = pytest.importorskip("skops.io")
    monkeypatch.setenv("SHOP_KEY", "sk-very-secret-0123456789")
    openai_server.answer = lambda messages, body: '{"order": []}'
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, api_key_env="SHOP_KEY")
    rec = reranker(chat)
    data = skops_io.dumps(rec)
    assert b"very-secret" not in data
    untrusted = skops_io.get_untrusted_types(data=data)
    further = set(untrusted) - set(skops_trusted_types())
    assert "skrec._chat._openai.OpenAICompatibleChat" in further
    with pytest.raises(skops_io.exceptions.UntrustedTypesFoundException):
        skops_io.loads(data, trusted=skops_trusted_types())
    loaded = allow_external(skops_io.loads(data, trusted=untrusted))
    assert loaded.llm.complete(["x"])[0].text == '{"order": []}'
    assert openai_server.requests[-1][1]["authorization"] == "Bearer sk-very-secret-0123456789"
