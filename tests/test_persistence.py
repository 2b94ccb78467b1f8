"""Every estimator through joblib and skops."""

import warnings

import joblib
import numpy as np
import pytest
from scipy.sparse import issparse
from sklearn.base import clone

from skrec._contract import _checkerboard, _item_table
from skrec.base import is_recommender, skops_trusted_types
from skrec.testing import all_estimators

RECOMMENDERS = [estimator for estimator in all_estimators() if is_recommender(estimator)]
TRANSFORMERS = [estimator for estimator in all_estimators() if not is_recommender(estimator)]


def _name(estimator):
    return type(estimator).__name__


@pytest.fixture(params=RECOMMENDERS, ids=_name)
def fitted(request):
    with warnings.catch_warnings(action="ignore"):
        return clone(request.param).fit(_checkerboard(), item_features=_item_table())


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
