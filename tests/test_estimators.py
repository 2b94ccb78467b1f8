"""Every public estimator under scikit-learn's checks and under the recommender contract."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from skrec.base import VectorRecommender, is_recommender
from skrec.feature_extraction import TableEncoder
from skrec.pipeline import Pipeline
from skrec.testing import all_estimators, check_recommender, public_estimators, recommender_checks

ESTIMATORS = list(all_estimators())
RECOMMENDERS = [estimator for estimator in ESTIMATORS if is_recommender(estimator)]


def _name(value):
    return type(value).__name__ if isinstance(value, BaseEstimator) else getattr(value, "__name__", None)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=_name)
def test_sklearn_checks(estimator):
    """No expected failure; a skip can only be the array API check, which the next test runs."""
    for checked, check in estimator_checks_generator(estimator, mark=None):
        if check.func.__name__ == "check_array_api_input":
            continue
        with warnings.catch_warnings(action="ignore"):
            check(checked)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sklearn_checks_with_the_array_api():
    """In a process of its own, since scipy reads the variable at import."""
    script = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "from skrec.testing import all_estimators\n"
        "for estimator in all_estimators():\n"
        "    results = check_estimator(estimator, on_skip=None, on_fail='raise')\n"
        "    bad = [r['check_name'] for r in results if r['status'] != 'passed']\n"
        "    assert not bad, (estimator, bad)\n"
    )
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("check", recommender_checks(), ids=_name)
@pytest.mark.parametrize("recommender", RECOMMENDERS, ids=_name)
def test_recommender_contract(recommender, check):
    check(clone(recommender))


def _subclasses(cls):
    return {below for child in cls.__subclasses__() for below in (child, *_subclasses(child))}


def test_every_public_estimator_is_found():
    """Whatever class of the library nothing of it inherits from; only Pipeline has its checks elsewhere."""
    classes = {cls for cls in _subclasses(BaseEstimator) if cls.__module__.startswith("skrec.")}
    bases = {cls for cls in classes if any(issubclass(other, cls) for other in classes - {cls})}
    internal = {TableEncoder}  # what the string "auto" stands for; tested in test_table_encoder.py
    public = {cls for cls in classes - bases - internal if not cls.__name__.startswith("_")}
    assert public == set(public_estimators())
    assert public - {Pipeline} == {type(estimator) for estimator in ESTIMATORS}


class _Forgetful(VectorRecommender):
    """Breaks the contract: it recommends what a user has seen."""

    def _fit(self, data, item_matrix, user_matrix):
        self._item_vectors = np.eye(data.n_items, dtype=np.float32)

    def _query_vectors(self, queries):
        return queries.histories.to_csr(len(self._item_index)).toarray() + 1e-3

    def recommend(self, users=None, k=10, **options):
        return super().recommend(users, k, **{**options, "exclude_seen": False})


def test_the_suite_finds_a_broken_recommender():
    with pytest.raises(AssertionError, match="check_nothing_seen_is_recommended"):
        check_recommender(_Forgetful())
