"""The contract as a suite, for this library's recommenders and for those of others.

>>> from skrec.dummy import PopularRecommender
>>> from skrec.testing import check_recommender
>>> check_recommender(PopularRecommender())
"""

from collections.abc import Callable
from typing import Any

from sklearn.base import clone

from skrec.testing._checks import CHECKS
from skrec.testing._estimators import all_estimators, public_estimators

__all__ = ["all_estimators", "check_recommender", "public_estimators", "recommender_checks"]


def check_recommender(estimator: Any) -> None:
    """Run every check of the recommender contract on clones of an estimator.

    Parameters
    ----------
    estimator : recommender
        Not fitted; quick to fit on a few hundred events.

    Raises
    ------
    AssertionError
        Naming the check that failed.
    """
    for check in recommender_checks():
        try:
            check(clone(estimator))
        except Exception as error:
            raise AssertionError(f"{type(estimator).__name__} fails {check.__name__}: {error}") from error


def recommender_checks() -> list[Callable[[Any], None]]:
    """The single checks, each a function of an unfitted recommender; for ``pytest.mark.parametrize``."""
    return list(CHECKS)
