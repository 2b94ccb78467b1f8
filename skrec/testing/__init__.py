"""Tests of the recommender contract, for the recommenders of this library and for your own.

>>> from skrec.dummy import PopularRecommender
>>> from skrec.testing import check_recommender
>>> check_recommender(PopularRecommender())
"""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, clone

from skrec.testing._checks import CHECKS
from skrec.testing._estimators import all_estimators, public_estimators

__all__ = ["all_estimators", "check_recommender", "public_estimators", "recommender_checks"]


def check_recommender(estimator: BaseEstimator) -> None:
    """Run every check of the recommender contract on clones of an estimator.

    Parameters
    ----------
    estimator : recommender
        Not fitted, and fast to fit on a few hundred events.

    Raises
    ------
    AssertionError
        If a check fails; the message names it.
    """
    for check in recommender_checks():
        try:
            check(clone(estimator))
        except Exception as error:
            raise AssertionError(f"{type(estimator).__name__} fails {check.__name__}: {error}") from error


def recommender_checks() -> list[Callable[[Any], None]]:
    """The single checks, each a function of an unfitted recommender; for ``pytest.mark.parametrize``."""
    return list(CHECKS)
