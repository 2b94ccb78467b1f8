"""scikit-learn's decorator of ``fit``, with types."""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context

Method = TypeVar("Method", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Method], Method]:
    """Validate the parameters of an estimator before the method runs.

    scikit-learn's own decorator has no types, and would hide from an editor what ``fit`` returns.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        Whether estimators inside skip the validation of theirs: True where they cannot be the user's.

    Returns
    -------
    callable
        A decorator of a method of an estimator.
    """
    decorate: Callable[[Method], Method] = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
    return decorate
